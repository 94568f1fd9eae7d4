"""Networks of windows: the fast path is the plain one, a window is causal and closed, attention is a weighting."""

import numpy as np
import pytest
import torch
from torch import nn

from vadose.producer.cube import Cube
from vadose.producer.methods import Block, Inputs, method, method_settings
from vadose.producer.methods.network import seeded
from vadose.producer.methods.selfattention import LONG, attended_series, attended_without_gradient, positioned
from vadose.producer.methods.sequence import SequenceMethod, SequenceNetwork, Windows
from vadose.producer.methods.transformer import EncoderLayer
from vadose.producer.recipe import Predictors
from vadose.producer.training.dataset import TrainingSet
from vadose.producer.training.splits import make_folds

CHOICES = [("transformer", {"width": 16}), ("bilstm", {"hidden": 8}), ("atlstm-window", {"hidden": 8}),
           ("atlstm-window", {"hidden": 8, "pooling": "additive"})]  # fmt: skip


def example(name: str, values: dict, days: int) -> tuple[SequenceNetwork, torch.Tensor, torch.Tensor]:
    """A network for 3 daily and 2 static channels, and series of 4 cells and 20 days beside a full window."""
    chosen = method(name)
    assert isinstance(chosen, SequenceMethod)
    with seeded(3):
        network = chosen.network(3, 2, method_settings(chosen, {**values, "sequence_days": days}))  # type: ignore[arg-type]
        for parameter in network.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape)
        return network.eval(), torch.randn(4, 20 + days - 1, 3), torch.randn(4, 2)


@pytest.mark.parametrize(("name", "values"), CHOICES)
@pytest.mark.parametrize("days", [1, 4, 30])
def test_series_gives_what_each_window_gives(name: str, values: dict, days: int) -> None:
    network, daily, static = example(name, values, days)
    with torch.no_grad():
        series = network.series(daily, static, reduced=False)
        for day in (0, 7, 19):
            window = network(daily[:, day : day + days], static)
            torch.testing.assert_close(series[:, day], window, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("name", "values"), CHOICES)
def test_bfloat16_moves_a_prediction_by_a_hundredth_of_the_spread_at_most(name: str, values: dict) -> None:
    network, daily, static = example(name, values, 15)
    with torch.no_grad():
        exact, rounded = (network.series(daily, static, reduced=reduced) for reduced in (False, True))
    assert float((exact - rounded)[..., 0].abs().max()) < 0.01


@pytest.mark.parametrize(("name", "values"), CHOICES)
def test_a_day_reaches_only_the_windows_that_hold_it(name: str, values: dict) -> None:
    network, daily, static = example(name, values, 4)
    changed = daily.clone()
    changed[:, 10] += 1.0
    with torch.no_grad():
        before, after = (network.series(x, static, reduced=False) for x in (daily, changed))
    moved = (before != after).any(dim=-1).any(dim=0).numpy()
    assert np.flatnonzero(moved).tolist() == [7, 8, 9, 10]


@pytest.mark.parametrize("days", [1, 2, 7, LONG - 1, LONG, LONG + 1, 16, 30])
@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("spread", [2.0, 20.0])
def test_attention_without_gradients_is_that_of_pytorch(days: int, heads: int, spread: float) -> None:
    queries = spread * torch.randn(9, days, 3 * 24, generator=torch.Generator().manual_seed(days))
    query, key, value = queries.view(9, days, 3, heads, -1).permute(2, 0, 3, 1, 4)
    expected = nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(9, days, 24)
    found = attended_without_gradient(queries, heads, torch.float32)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * spread**2)


@pytest.mark.parametrize("days", [1, LONG - 1, LONG, 17, 32])
@pytest.mark.parametrize("spread", [2.0, 8.0])
def test_attention_of_a_series_is_that_of_its_windows(days: int, spread: float) -> None:
    generator = torch.Generator().manual_seed(days)
    series = spread * torch.randn(3, days + 5, 3 * 24, generator=generator)
    position = spread * torch.randn(days, 3 * 24, generator=generator)
    query, key, value = positioned(series, position).view(18, days, 3, 4, 6).permute(2, 0, 3, 1, 4)
    expected = nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(18, days, 24)
    found = attended_series(series, position, 4, torch.float32)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * spread**2)


def test_encoder_layer_is_that_of_pytorch() -> None:
    with seeded(0):
        layer = EncoderLayer(16, 4, 24)
        series = torch.randn(5, 30, 16)
    reference = nn.TransformerEncoderLayer(16, 4, 24, 0.0, batch_first=True)
    pairs = {"self_attn.in_proj_": "queries.", "self_attn.out_proj.": "mix.", "linear1.": "wide.",
             "linear2.": "narrow.", "norm1.": "after_attention.", "norm2.": "after_feed_forward."}  # fmt: skip
    state = layer.state_dict()
    reference.load_state_dict({there + kind: state[here + kind] for there, here in pairs.items()
                               for kind in ("weight", "bias")})  # fmt: skip
    for days in (3, 30):
        values = series[:, :days]
        torch.testing.assert_close(layer(values, lambda x: x), reference(values), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("pooling", ["relu", "additive"])
def test_pooled_states_are_weighted_by_the_softmax_of_their_scores(pooling: str) -> None:
    network, daily, static = example("atlstm-window", {"hidden": 8, "pooling": pooling}, 6)
    with torch.no_grad():
        weights = network.attention(daily[:, :6], static)
        states = network._states(network.embed(daily[:, :6], static), lambda x: x, reduced=False)  # type: ignore[operator]
        score = network.score  # type: ignore[union-attr]
        raw = states if pooling == "relu" else torch.tanh(states @ score.inner.weight.T + score.inner.bias)
        scores = (raw @ score.weight.T + score.bias)[..., 0].numpy()
        powers = np.exp(np.maximum(scores, 0) if pooling == "relu" else scores)
        np.testing.assert_allclose(weights, powers / powers.sum(axis=1, keepdims=True), rtol=1e-5)
        pooled = (weights[..., None] * states).sum(dim=1)
        torch.testing.assert_close(network(daily[:, :6], static), network.head(pooled))


def test_preset_gives_the_values_that_are_not_named() -> None:
    settings = method_settings(method("atlstm-window"), {"preset": "dcm", "layers": 1, "training": {"batch": 64}})
    named = settings.model_dump()
    assert (named["hidden"], named["layers"], named["bidirectional"], named["forget_bias"]) == (256, 1, True, 3.0)
    assert (named["training"]["dropout"], named["training"]["batch"]) == (0.5, 64)
    assert settings.model_validate(settings.model_dump()) == settings


def test_windows_are_cut_where_asked_with_zeros_before_the_training() -> None:
    generator = np.random.default_rng(0)
    daily, static = generator.normal(size=(9, 5, 2)).astype("f4"), generator.normal(size=(5, 3)).astype("f4")
    target, fit = generator.normal(size=(9, 5)).astype("f4"), np.ones((9, 5), bool)
    data = TrainingSet(None, np.arange(5), 0, daily, static, target, fit, ~fit, 0.0, 1.0)  # type: ignore[arg-type]
    seen, constant, wanted = Windows(data, 4).cut(np.array([1 * 5 + 3, 8 * 5 + 2]))
    np.testing.assert_array_equal(seen[0], np.vstack([np.zeros((2, 2)), daily[:2, 3]]))
    np.testing.assert_array_equal(seen[1], daily[5:9, 2])
    np.testing.assert_array_equal(constant, static[[3, 2]])
    np.testing.assert_array_equal(wanted, target[[1, 8], [3, 2]])


@pytest.mark.parametrize("name", ["bilstm", "transformer"])
def test_a_longer_window_remembers_more_rain(rainy_cube: Cube, name: str) -> None:
    predictors, target = Predictors(daily=("precipitation",), static=("clay",)), "smap_sm_am"
    fold, truth = make_folds("P1", rainy_cube, target)[0], rainy_cube.read(target, slice(220, 420))
    errors = []
    for days in (1, 12):
        values = {"sequence_days": days, "training": {"steps": 120, "batch": 128, "learning_rate": 0.01}}
        values |= {"width": 16} if name == "transformer" else {"hidden": 16, "layers": 1}
        chosen = method(name)
        inputs = Inputs({"main": rainy_cube}, target, predictors)
        model = chosen.fit(inputs, fold, method_settings(chosen, values), seed=1)
        mean = model.predict(Block(rainy_cube, slice(220, 420), slice(0, 60))).mean
        errors.append(float(np.sqrt(np.nanmean((mean - truth) ** 2))))
    assert errors[1] < 0.8 * errors[0]


def test_cells_anywhere_in_a_portion_are_those_of_the_whole(rainy_cube: Cube, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, predictors = method("bilstm"), Predictors(daily=("precipitation",), static=())
    settings = method_settings(chosen, {"hidden": 4, "sequence_days": 3, "training": {"steps": 2, "batch": 8}})
    fold = make_folds("P1", rainy_cube, "smap_sm_am")[0]
    model = chosen.fit(Inputs({"main": rainy_cube}, "smap_sm_am", predictors), fold, settings, seed=0)
    monkeypatch.setattr("vadose.producer.methods.sequence.CELLS_AT_ONCE", 8)
    whole = model.predict(Block(rainy_cube, slice(30, 40), slice(0, rainy_cube.index.size))).mean
    for first, last in ((0, 3), (9, 12), (5, 20)):
        part = model.predict(Block(rainy_cube, slice(30, 40), slice(first, last))).mean
        np.testing.assert_array_equal(part, whole[:, first:last])
