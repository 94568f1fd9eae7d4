"""Trends and breaks against pymannkendall and scipy, and their behaviour on dependent series."""

import numpy as np
import pytest
from scipy import signal, stats

from vadose.statistics import STATUS, monthly_means, pettitt, step_at, trend, without_month_climatology
from vadose.statistics.trends import verdict


def residuals(phi: float, series: int, months: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((series, months + 200))
    return 0.02 * signal.lfilter([1.0], [1.0, -phi], noise)[:, 200:] * np.sqrt(1 - phi**2)


def test_slope_and_interval_of_independent_values_are_those_of_scipy() -> None:
    values = residuals(0.0, 3, 120) + 0.0002 * np.arange(120)
    found = trend(values, correction="none")
    for k in range(3):
        book = stats.theilslopes(values[k], alpha=0.95)
        assert found.slope[k] == pytest.approx(book.slope * 120, rel=1e-12)
        assert (found.ci_low[k], found.ci_high[k]) == pytest.approx((book[2] * 120, book[3] * 120), rel=0.02)


@pytest.mark.parametrize("gaps", [False, True])
def test_slope_score_and_p_equal_pymannkendall(gaps: bool) -> None:
    tests = pytest.importorskip("pymannkendall")
    values = residuals(0.5, 4, 96, seed=1) + 0.0003 * np.arange(96)
    values = np.round(values, 3)
    if gaps:
        values[:, 10:95:9] = np.nan
    plain, modified = trend(values, correction="none"), trend(values, correction="hamed_rao")
    for k in range(4):
        book = tests.original_test(values[k])
        assert plain.slope[k] == pytest.approx(book.slope * 120, rel=1e-9)
        assert plain.p[k] == pytest.approx(book.p, abs=1e-6)
        if not gaps:
            assert modified.p[k] == pytest.approx(tests.hamed_rao_modification_test(values[k]).p, abs=1e-6)


@pytest.mark.parametrize(("phi", "months"), [(0.0, 72), (0.7, 120), (0.9, 240)])
def test_the_interval_covers_and_the_uncorrected_one_does_not(phi: float, months: int) -> None:
    values = residuals(phi, 250, months, seed=2) + 0.0001 * np.arange(months)
    covered = {}
    for correction in ("lag1", "none"):
        found = trend(values, correction=correction)
        covered[correction] = np.mean((found.ci_low <= 0.012) & (found.ci_high >= 0.012))
    # Three standard errors of a trial of 250.
    assert 0.92 - 0.05 <= covered["lag1"] <= 0.995
    if phi >= 0.7:
        assert covered["none"] < 0.75


def test_verdicts_need_the_whole_interval() -> None:
    low, high = [-0.005, 0.02, -0.03, -0.005, np.nan], [0.005, 0.03, -0.02, 0.02, np.nan]
    assert list(verdict(low, high, 0.01)) == ["stable", "drifting", "drifting", "undecided", "not_applicable"]


def test_a_long_drift_is_found_and_a_short_record_says_what_it_could_find() -> None:
    drifting = residuals(0.3, 1, 240, seed=3) + 0.05 / 120 * np.arange(240)
    found = trend(drifting)
    assert found.verdict[0] == "drifting"
    short = trend(residuals(0.3, 1, 66, seed=4))
    assert short.verdict[0] == "undecided"
    assert short.detectable_drift[0] == pytest.approx(0.01 + short.detectable[0])
    assert short.detectable[0] > found.detectable[0]


@pytest.mark.parametrize(("months", "word"), [(35, "few_years"), (59, "few_years"), (60, "ok")])
def test_a_trend_needs_three_years_of_months_over_five(months: int, word: str) -> None:
    found = trend(residuals(0.0, 1, months))
    assert STATUS[found.status[0]] == word
    assert np.isfinite(found.slope[0]) == (word == "ok")


def test_yearly_figures_have_trends_too() -> None:
    years = np.arange(12.0)
    found = trend(np.stack([0.01 * years, np.full(12, 0.3)]), steps_per_decade=10)
    assert found.slope[0] == pytest.approx(0.1)
    assert STATUS[found.status[1]] == "constant_series"


def test_monthly_means_equal_a_loop_and_need_ten_days() -> None:
    dates = np.arange("2015-01-20", "2017-03-05", dtype="datetime64[D]")
    values = np.random.default_rng(5).random((2, dates.size))
    values[0, 30:60] = np.nan
    means, months = monthly_means(values, dates)
    for position, month in enumerate(months):
        chosen = values[0, dates.astype("datetime64[M]") == month]
        expected = np.nanmean(chosen) if np.isfinite(chosen).sum() >= 10 else np.nan
        np.testing.assert_allclose(means[0, position], expected)
    rest = without_month_climatology(means, months)
    calendar = months.astype(int) % 12
    assert all(abs(np.nanmean(rest[1, calendar == k])) < 1e-12 for k in range(12))


def test_a_declared_step_has_the_interval_of_two_means() -> None:
    rng = np.random.default_rng(6)
    values = rng.standard_normal((100, 1000))
    values[:, 400:] += 0.3
    found = step_at(values, 400)
    assert np.mean((found.ci_low <= 0.3) & (found.ci_high >= 0.3)) == pytest.approx(0.95, abs=0.06)
    book = stats.ttest_ind(values[0, 400:], values[0, :400]).confidence_interval()
    assert found.ci_high[0] - found.ci_low[0] == pytest.approx(book.high - book.low, rel=0.25)
    assert STATUS[step_at(values, 5).status[0]] == "few_samples"


def test_pettitt_finds_a_step_and_its_size() -> None:
    values = residuals(0.3, 5, 120, seed=7)
    values[:, 70:] += 0.05
    found = pettitt(values)
    assert (np.abs(found.position - 70) <= 4).all()
    assert (found.p < 0.02).all()
    np.testing.assert_allclose(found.difference, 0.05, atol=0.02)


def test_pettitt_with_blocks_keeps_its_level_on_dependent_months() -> None:
    values = residuals(0.6, 60, 120, seed=8)
    blocks, single = pettitt(values, permutations=199), pettitt(values, permutations=199, block=1)
    assert np.mean(blocks.p < 0.05) <= 0.12
    assert np.mean(single.p < 0.05) > 0.15


def test_a_step_in_white_noise_asks_for_no_blocks() -> None:
    values = 0.3 + residuals(0.0, 6, 120, seed=14)
    values[:, 60:] += 0.008
    free, single = pettitt(values, permutations=199), pettitt(values, permutations=199, block=1)
    assert (single.p > 0.005).sum() >= 3
    np.testing.assert_array_equal(free.p, single.p)
