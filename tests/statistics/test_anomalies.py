"""Anomalies, climatologies and scaling against loops."""

import numpy as np
import pytest

from vadose.statistics import (
    STATUS,
    anomaly_35d,
    anomaly_climatology,
    day_of_year,
    moving_mean,
    other_years_climatology,
    scale,
)  # fmt: skip


def gappy(days: int = 400, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.1, 0.4, (2, days))
    values[rng.random(values.shape) < 0.4] = np.nan
    return values


def test_the_anomaly_is_the_deviation_from_a_plain_window_mean() -> None:
    values = gappy()
    found = anomaly_35d(values)
    for day in range(400):
        window = values[0, max(day - 17, 0) : day + 18]
        enough = np.isfinite(window).sum() >= 10
        expected = values[0, day] - np.nanmean(window) if enough else np.nan
        np.testing.assert_allclose(found[0, day], expected, atol=1e-13)


def test_few_values_in_the_window_give_no_mean() -> None:
    values = np.full(100, np.nan)
    values[40:49] = 0.2
    assert np.isnan(moving_mean(values)).all()


def test_the_climatology_of_other_years_never_sees_its_own_season() -> None:
    values = gappy(4 * 365, seed=1)
    changed = values.copy()
    changed[:, 700:760] += 0.3
    before, after = other_years_climatology(values), other_years_climatology(changed)
    np.testing.assert_array_equal(before[:, 700:760], after[:, 700:760])
    assert (before[:, 700 + 365] != after[:, 700 + 365]).all()


def test_the_climatology_equals_a_loop_over_years() -> None:
    values = gappy(4 * 365, seed=2)
    found = other_years_climatology(values)
    for day in (10, 400, 800, 1459):
        days = [day + round(k * 365.25) + d for k in (-4, -3, -2, -1, 1, 2, 3, 4) for d in range(-15, 16)]
        pool = values[0, [d for d in days if 0 <= d < values.shape[1]]]
        assert found[0, day] == pytest.approx(np.nanmean(pool))


def test_one_year_alone_has_no_climatology_of_other_years() -> None:
    assert np.isnan(other_years_climatology(gappy(300))).all()


@pytest.mark.parametrize("name", ["mean_std", "linear", "cdf"])
def test_a_scaled_product_has_the_mean_of_the_reference(name: str) -> None:
    rng = np.random.default_rng(3)
    r = rng.uniform(0.1, 0.4, (2, 800))
    x = 0.5 - 2.0 * 0.3 + 0.6 * r + 0.01 * rng.standard_normal(r.shape)
    scaled, status = scale(name, x, r)
    assert [STATUS[code] for code in status] == ["ok", "ok"]
    np.testing.assert_allclose(scaled.mean(axis=1), r.mean(axis=1), atol=2e-3)
    if name == "mean_std":
        np.testing.assert_allclose(scaled.std(axis=1), r.std(axis=1), rtol=1e-12)


def test_an_anticorrelated_product_is_not_scaled() -> None:
    r = np.random.default_rng(4).uniform(0.1, 0.4, 300)
    scaled, status = scale("linear", 0.5 - r, r)
    assert STATUS[int(status)] == "anticorrelated"
    assert np.isnan(scaled).all()


def test_cdf_matching_of_a_monotone_copy_gives_the_reference_back() -> None:
    r = np.random.default_rng(5).beta(2, 5, 3000)
    scaled, _ = scale("cdf", r**2, r)
    inner = (r > np.quantile(r, 0.02)) & (r < np.quantile(r, 0.98))
    assert np.abs(scaled - r)[inner].max() < 0.005


def test_few_days_have_no_cdf_map() -> None:
    r = np.random.default_rng(6).random(150)
    assert STATUS[int(scale("cdf", r, r)[1])] == "few_samples"


def test_the_seasonal_anomaly_equals_a_loop_over_days_of_the_year() -> None:
    dates = np.arange("2011-03-01", "2017-06-01", dtype="datetime64[D]")
    values = gappy(dates.size, seed=3)
    found, status = anomaly_climatology(values, dates)
    assert (status == STATUS.index("ok")).all()
    season = day_of_year(dates)
    for day in (0, 59, 365 * 2 + 300, dates.size - 1):
        apart = np.abs(season - season[day])
        near = np.minimum(apart, 365 - apart) <= 15
        np.testing.assert_allclose(found[0, day], values[0, day] - np.nanmean(values[0, near]), atol=1e-12)


def test_four_years_have_no_seasonal_anomaly() -> None:
    dates = np.arange("2011-01-01", "2015-01-01", dtype="datetime64[D]")
    found, status = anomaly_climatology(gappy(dates.size, seed=4), dates)
    assert np.isnan(found).all()
    assert STATUS[status[0]] == "few_years"
