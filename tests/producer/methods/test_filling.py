"""Gap fillers: linear in time, about a climatology, and DCT-PLS against its matrices written out."""

from typing import Any

import numpy as np
import pytest
import scipy.fft

from vadose.producer.cube import Cube
from vadose.producer.methods.base import Block, Inputs
from vadose.producer.methods.baselines import day_of_year
from vadose.producer.methods.choice import method_settings
from vadose.producer.methods.dctpls import DctPls, best_smoothing, filled, windows
from vadose.producer.methods.filling import ClimatologyAnomaly, LinearInTime, interpolated
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import make_folds

TARGET = "smap_sm_am"
QUICK = {"dct-pls": {"smoothing": 0.1, "iterations": 20}}
FILLERS = (LinearInTime(), ClimatologyAnomaly(), DctPls())


def fitted(chosen: Any, cube: Cube, split: str = "P6-15d", **settings: Any) -> tuple[Any, Cube, np.ndarray]:
    """The model, the cube that it may see, and the mask of the hidden values."""
    fold = make_folds(split, cube, TARGET)[0]
    inputs = Inputs({"main": cube}, TARGET, Predictors(daily=("precipitation",))).hiding(fold.unseen())
    return chosen.fit(inputs, fold, method_settings(chosen, settings), seed=0), inputs.cube, fold.mask("test")


def smooth_field(days: int = 40, rows: int = 6, columns: int = 5, seed: int = 0) -> np.ndarray:
    t, y, x = np.meshgrid(np.arange(days), np.arange(rows), np.arange(columns), indexing="ij")
    noise = 0.005 * np.random.default_rng(seed).standard_normal(t.shape)
    return (0.1 * np.sin(t / 6.0 + y / 3.0) + 0.02 * x + noise).astype(np.float32)


def test_lines_in_time_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((50, 4)).astype(np.float32)
    values[rng.random(values.shape) < 0.6] = np.nan
    found = interpolated(values, 50)
    for cell in range(4):
        day = np.flatnonzero(np.isfinite(values[:, cell]))
        np.testing.assert_allclose(found[:, cell], np.interp(np.arange(50), day, values[day, cell]), rtol=1e-6)


def test_a_value_reaches_no_further_than_the_longest_gap() -> None:
    values = np.full((20, 1), np.nan, np.float32)
    values[8] = 0.3
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(interpolated(values, 3)[:, 0])), np.arange(5, 12))


def test_a_climatology_is_added_to_the_line_between_differences_from_it(rainy_cube: Cube) -> None:
    model, visible, _ = fitted(ClimatologyAnomaly(), rainy_cube)
    days = slice(100, 140)
    normal = model.normal[day_of_year(rainy_cube.days)]
    apart = interpolated(visible.read(TARGET) - normal, 366)
    expected = (normal + apart)[days, 5:9]
    np.testing.assert_allclose(model.predict(Block(visible, days, slice(5, 9))).mean, expected, atol=1e-6)


@pytest.mark.parametrize("chosen", FILLERS, ids=lambda one: one.name)
def test_hidden_values_change_nothing_and_the_stated_error_is_about_right(rainy_cube: Cube, chosen: Any) -> None:
    model, visible, test = fitted(chosen, rainy_cube, **QUICK.get(chosen.name, {}))
    truth = rainy_cube.read(TARGET)
    everything = Block(visible, slice(0, rainy_cube.days.size), slice(0, 60))
    found = model.predict(everything)
    assert np.isfinite(found.mean[test]).mean() > 0.99
    error = np.sqrt(np.nanmean((found.mean - truth)[test] ** 2))
    assert 0.7 < error / np.nanmean(found.uncertainty[test]) < 1.4
    part = model.predict(Block(visible, everything.days, slice(20, 31)))
    np.testing.assert_array_equal(part.mean, found.mean[:, 20:31])


def matrix_of(shape: tuple[int, int, int], smoothing: float) -> np.ndarray:
    """IDCT G DCT as a matrix."""
    identity = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    waves = [np.cos(np.pi * np.arange(n) / n) for n in shape]
    total = -6 + 2 * (waves[0][:, None, None] + waves[1][None, :, None] + waves[2][None, None, :])
    axes = (1, 2, 3)
    out = scipy.fft.idctn(scipy.fft.dctn(identity, axes=axes, norm="ortho") / (1 + smoothing * total**2),
                          axes=axes, norm="ortho")  # fmt: skip
    return out.reshape(identity.shape[0], -1).T


def test_dct_pls_converges_to_the_solution_of_its_equation() -> None:
    """z = H (W (y - z) + z) has the solution (I - H (I - W))^-1 H W y."""
    y = smooth_field(12, 4, 3)
    y[np.random.default_rng(1).random(y.shape) < 0.4] = np.nan
    known = np.isfinite(y).ravel()
    smoother = matrix_of(y.shape, 0.5)
    expected = np.linalg.solve(np.eye(known.size) - smoother * ~known, smoother @ np.nan_to_num(y).ravel())
    np.testing.assert_allclose(filled(y, 0.5, 1000).ravel(), expected, atol=2e-3)


def test_cross_validation_smooths_noise_and_keeps_a_signal() -> None:
    truth = smooth_field(60, 8, 6, seed=2)
    noise = 0.05 * np.random.default_rng(3).standard_normal(truth.shape).astype(np.float32)
    gaps = np.random.default_rng(4).random(truth.shape) < 0.5
    clean, rough = (np.where(gaps, np.nan, one).astype(np.float32) for one in (truth, truth + noise))
    smooth_noise, smooth_clean = best_smoothing(rough, 50), best_smoothing(clean, 50)
    assert smooth_noise > 3 * smooth_clean
    error = np.std(filled(rough, smooth_noise, 50) - truth)
    assert error < 0.5 * 0.05
    assert error < np.std(filled(rough, smooth_noise / 100, 50) - truth)


def test_windows_cover_everything_once_they_are_blended(rainy_cube: Cube) -> None:
    hit = np.zeros((100, 30, 7))
    for place in windows(hit.shape, (24, 8, 8)):
        hit[place] += 1
    assert hit.min() >= 1
    small, visible, test = fitted(DctPls(), rainy_cube, window_days=60, window_cells=16, **QUICK["dct-pls"])
    large, _, _ = fitted(DctPls(), rainy_cube, window_days=1000, window_cells=100, **QUICK["dct-pls"])
    block = Block(visible, slice(0, rainy_cube.days.size), slice(0, 60))
    apart = small.predict(block).mean - large.predict(block).mean
    assert np.std(apart[test]) < 0.01
    assert np.isfinite(apart).all()
