"""Attributions add up, and are Shapley values where these are known."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from vadose.producer.correction.attributions import block_bars, expected_gradients
from vadose.producer.correction.densities import density_rows
from vadose.producer.correction.sequences import SequenceNetwork


def shapley(weights: np.ndarray, x: np.ndarray, baselines: np.ndarray) -> np.ndarray:
    """Exact Shapley values of sum(w x) by all coalitions; absent features take the values of the baselines."""
    count = weights.size
    phi = np.zeros(count)
    for k in range(count):
        others = [j for j in range(count) if j != k]
        for size in range(count):
            factor = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            for group in itertools.combinations(others, size):
                values = []
                for members in (group, (*group, k)):
                    mixed = baselines.copy()
                    mixed[:, list(members)] = x[list(members)]
                    values.append((mixed @ weights).mean())
                phi[k] += factor * (values[1] - values[0])
    return phi


def test_expected_gradients_of_a_linear_model_are_its_exact_shapley_values() -> None:
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(2, 1, 2)).astype(np.float32)
    inputs, baselines = (generator.normal(size=(2, count, 2)).astype(np.float32) for count in (3, 8))

    def output(given: Tensor) -> Tensor:
        return (given * torch.from_numpy(weights)).sum(dim=(0, 2))

    found = expected_gradients(output, inputs, baselines, seed=1, samples=16)
    for window in range(3):
        expected = shapley(weights.ravel(), inputs[:, window].ravel(), baselines.transpose(1, 0, 2).reshape(8, 4))
        np.testing.assert_allclose(found[:, window].ravel(), expected, atol=1e-6)


def test_attributions_of_an_lstm_add_up_to_what_sets_it_apart_from_the_baselines() -> None:
    torch.manual_seed(0)
    network = SequenceNetwork(2, 6, "sigmoid")
    generator = np.random.default_rng(1)
    inputs, baselines = (generator.random((12, count, 2)).astype(np.float32) for count in (20, 32))

    def output(given: Tensor) -> Tensor:
        return network(given)[0][-1]

    found = expected_gradients(output, inputs, baselines, seed=2, samples=64).sum(axis=(0, 2))
    with torch.no_grad():
        expected = output(torch.from_numpy(inputs)) - output(torch.from_numpy(baselines)).mean()
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=0.03 * float(expected.abs().max()))


def test_a_driver_that_is_not_read_has_no_share() -> None:
    inputs, baselines = np.random.default_rng(2).random((2, 5, 9, 3)).astype(np.float32)
    found = expected_gradients(lambda x: (x[:, :, 0] * x[:, :, 2]).sum(dim=0), inputs, baselines, seed=0)
    assert (found[..., 1] == 0).all()
    assert np.abs(found[..., [0, 2]]).min() >= 0
    assert np.abs(found[..., 0]).sum() > 0


def test_block_intervals_are_wider_than_those_of_single_rows_where_blocks_differ() -> None:
    generator = np.random.default_rng(3)
    block = np.repeat(np.arange(20), 30)
    values = (generator.normal(size=20)[block] + 0.1 * generator.normal(size=block.size))[:, None]
    whole, single = (block_bars(values, one, seed=0)[0] for one in (block, np.arange(block.size)))
    assert whole.mean == pytest.approx(values.mean())
    assert whole.low < whole.mean < whole.high
    assert (whole.high - whole.low) > 3 * (single.high - single.low)
    expected = 2 * 1.96 * values.reshape(20, 30).mean(axis=1).std() / np.sqrt(20)
    assert whole.high - whole.low == pytest.approx(expected, rel=0.15)


def test_density_of_a_violin_has_an_area_of_one() -> None:
    values = np.random.default_rng(4).normal(0.06, 0.01, 200)
    rows = density_rows("violin", "RMSE", "FPLE", values, "m3 m-3")
    x, y = (np.array([row[name] for row in rows]) for name in ("x", "y"))
    assert np.trapezoid(y, x) == pytest.approx(1.0, abs=0.02)
    assert x[y.argmax()] == pytest.approx(0.06, abs=0.004)
    assert density_rows("violin", "RMSE", "FPLE", np.full(9, 0.1), "m3 m-3") == []


@pytest.mark.parametrize("module", ["correction.interpretation", "correction.densities", "training.curves"])
def test_module_can_be_the_first_that_is_imported(module: str) -> None:
    words = [sys.executable, "-c", f"import vadose.producer.{module}"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
