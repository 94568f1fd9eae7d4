"""Kept maps of distributions against `scale`, which fits and applies at once."""

import numpy as np
import pytest

from vadose.statistics import STATUS, scale
from vadose.statistics.distribution import KINDS, DistributionMaps, fit_maps


def pair(days: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    r = rng.beta(2, 5, (4, days))
    x = 0.1 + 0.5 * r**1.3 + 0.02 * rng.standard_normal(r.shape)
    r[rng.random(r.shape) < 0.3] = np.nan
    return x.astype("f4"), r.astype("f4")


def test_kept_maps_give_other_days_what_cdf_scaling_gives_them() -> None:
    x, r = pair(1500)
    unseen = r.copy()
    unseen[:, 900:] = np.nan
    expected, status = scale("cdf", x, unseen)
    maps = fit_maps(x[:, :900], r[:, :900])
    assert (status == 0).all()
    np.testing.assert_allclose(maps(x), expected, atol=2e-6)
    assert np.abs(maps(x) - x).max() > 0.05


def test_fewer_days_fall_back_to_two_moments_and_then_to_nothing() -> None:
    x, r = pair(400)
    r[1, 150:] = np.nan
    r[2, 30:] = np.nan
    x[3] = 0.6 - x[3]
    maps = fit_maps(x, r)
    assert [KINDS[code] for code in maps.kind] == ["cdf", "mean_std", "none", "none"]
    assert [STATUS[code] for code in maps.status] == ["ok", "few_samples", "few_samples", "anticorrelated"]
    found, common = maps(x), np.isfinite(r[1])
    assert (found[1, common].mean(), found[1, common].std()) == pytest.approx(
        (r[1, common].mean(), r[1, common].std()), rel=1e-5
    )
    np.testing.assert_allclose(found[2:], x[2:], atol=1e-7)


def test_a_constant_series_is_left_as_it_is() -> None:
    x, r = pair(400)
    x[0] = 0.25
    maps = fit_maps(x, r)
    assert (KINDS[maps.kind[0]], STATUS[maps.status[0]]) == ("none", "constant_series")
    np.testing.assert_array_equal(maps(x)[0], x[0])


def test_maps_survive_a_file_and_unknown_series_stay_as_they_are() -> None:
    x, r = pair(600)
    x[1, 5] = np.nan
    maps = DistributionMaps.of_arrays(fit_maps(x, r).arrays())
    chosen = maps.take(np.array([2, -1, 1]))
    found = chosen(x[[2, 0, 1]])
    np.testing.assert_array_equal(found[[0, 2]], fit_maps(x, r)(x)[[2, 1]])
    np.testing.assert_array_equal(found[1], x[0])
    assert np.isnan(found[2, 5])


def test_kinds_are_counted() -> None:
    x, r = pair(400)
    r[1, 150:] = np.nan
    r[2, 30:] = np.nan
    assert fit_maps(x, r).counts() == {"none": 1, "mean_std": 1, "cdf": 2}


def test_maps_without_a_distribution_keep_the_two_knots_of_a_line() -> None:
    x, r = pair(150)
    maps = fit_maps(x, r)
    assert maps.counts()["mean_std"] == 4
    assert maps.x.shape == maps.r.shape == (4, 2)
