"""The network: attention is a weighting, and stretches of days join without a seam."""

import numpy as np
import pytest
import torch

from vadose.producer.methods.network import Shape, beta_nll, dropout_factors, initialised


def example(attention: int, layers: int = 1):
    network = initialised(Shape(3, 2, 8, layers, attention), seed=3)
    generator = torch.Generator().manual_seed(0)
    return network, torch.randn(20, 4, 3, generator=generator), torch.randn(4, 2, generator=generator)


@pytest.mark.parametrize("attention", [1, 2, 7])
def test_attention_weights_sum_to_one_and_ignore_days_before_the_first(attention: int) -> None:
    network, daily, static = example(attention)
    weights = network.attention(daily, static, network.start(4)).detach().numpy()
    assert weights.shape == (20, 4, attention)
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0, rtol=1e-6)
    assert (weights[0, :, :-1] == 0).all()


def test_head_reads_the_present_state_and_the_pooled_one() -> None:
    network, daily, static = example(5)
    with torch.no_grad():
        outputs, _ = network(daily, static, network.start(4))
        weights = network.attention(daily, static, network.start(4))
        hidden, _ = network._run(daily, static, network.start(4), keep=(None, None), reduced=False)
        for day in (0, 3, 19):
            lags = range(min(day, 4) + 1)
            pooled = sum(weights[day, :, 4 - lag, None] * hidden[day - lag] for lag in lags)
            expected = network.head(hidden[day]) + network.context(pooled)
            np.testing.assert_allclose(expected[:, 0], outputs[day, :, 0], atol=1e-6)


@pytest.mark.parametrize(("attention", "layers"), [(0, 1), (5, 1), (3, 2)])
def test_stretches_of_days_give_what_one_run_gives(attention: int, layers: int) -> None:
    network, daily, static = example(attention, layers)
    with torch.no_grad():
        whole, _ = network(daily, static, network.start(4))
        state, parts = network.start(4), []
        for first, last in ((0, 1), (1, 9), (9, 20)):
            values, state = network(daily[first:last], static, state)
            parts.append(values)
    np.testing.assert_allclose(torch.cat(parts), whole, atol=1e-6)


def test_prediction_of_a_day_does_not_see_later_days() -> None:
    network, daily, static = example(5)
    changed = daily.clone()
    changed[12:] += 1.0
    with torch.no_grad():
        before, after = (network(x, static, network.start(4))[0] for x in (daily, changed))
    assert torch.equal(before[:12], after[:12])
    assert not torch.equal(before[12], after[12])


def test_beta_likelihood_is_the_formula_on_the_days_that_count() -> None:
    generator = np.random.default_rng(0)
    outputs, target = generator.normal(size=(6, 3, 2)), generator.normal(size=(6, 3))
    counts = (generator.random((6, 3)) < 0.5).astype(float)
    variance = np.exp(outputs[..., 1])
    terms = 0.5 * ((target - outputs[..., 0]) ** 2 / variance + outputs[..., 1]) * np.sqrt(variance)
    expected = terms[counts == 1].mean()
    found = beta_nll(*(torch.from_numpy(part) for part in (outputs, target, counts)))
    assert float(found) == pytest.approx(expected)


def test_dropout_keeps_the_mean_and_drops_the_rate() -> None:
    factors = dropout_factors(np.random.default_rng(0), (100, 50, 20), 0.3)
    assert factors is not None
    assert float((factors == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(factors.mean()) == pytest.approx(1.0, abs=0.01)
    assert dropout_factors(np.random.default_rng(0), (2,), 0.0) is None
