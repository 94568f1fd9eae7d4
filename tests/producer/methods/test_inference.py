"""The compiled pass over whole series against the network itself."""

import numpy as np
import pytest
import torch

from vadose.producer.methods.inference import DAYS_AT_ONCE, run_series
from vadose.producer.methods.network import LOG_VARIANCE, Shape, initialised

SHAPES = [
    Shape(daily=3, static=4, hidden=24),
    Shape(daily=1, static=0, hidden=7, layers=2),
    Shape(daily=3, static=4, hidden=24, attention=5),
    Shape(daily=2, static=1, hidden=16, attention=3, score="additive"),
]


def channels(shape: Shape, days: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    daily = generator.standard_normal((days, cells, shape.daily)).astype(np.float32)
    return daily, generator.standard_normal((cells, shape.static)).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_series_in_stretches_is_what_the_network_makes_of_it_at_once(shape: Shape) -> None:
    network = initialised(shape, 1).eval()
    daily, static = channels(shape, 2 * DAYS_AT_ONCE + 9, 11)
    with torch.inference_mode():
        expected, _ = network(torch.from_numpy(daily), torch.from_numpy(static), network.start(11))
    found = run_series(network, daily, static)
    np.testing.assert_allclose(np.moveaxis(found, 0, -1), expected.numpy(), rtol=1e-5, atol=2e-6)


def test_the_log_variance_stays_within_its_range() -> None:
    network = initialised(SHAPES[0], 1).eval()
    daily, static = channels(SHAPES[0], 20, 3)
    with torch.no_grad():
        network.head.weight[1] *= 1000.0
    found = run_series(network, daily, static)[1]
    assert (float(found.min()), float(found.max())) == LOG_VARIANCE


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_no_byte_of_a_day_depends_on_the_days_after_it(shape: Shape) -> None:
    network = initialised(shape, 2).eval()
    daily, static = channels(shape, DAYS_AT_ONCE + 30, 5)
    whole, early = run_series(network, daily, static), run_series(network, daily[:40], static)
    np.testing.assert_array_equal(early, whole[:, :40])


def test_no_byte_of_a_cell_depends_on_the_cells_beside_it() -> None:
    network = initialised(SHAPES[2], 3).eval()
    daily, static = channels(SHAPES[2], 50, 8)
    other = daily.copy()
    other[:, 1:] += 1.0
    np.testing.assert_array_equal(
        run_series(network, other, static)[..., 0], run_series(network, daily, static)[..., 0]
    )
