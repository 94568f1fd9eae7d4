"""Events with a known truth."""

import numpy as np
import pytest
from scipy import optimize

from vadose.statistics import STATUS
from vadose.statistics.anomalies import day_of_year
from vadose.statistics.droughts import Contingency, contingency, dry_days
from vadose.statistics.events import (
    decay_time,
    drydown_ratio,
    drydown_times,
    drydowns,
    event_score,
    increment_lag,
    response_to_rain,
    share_of_falls,
    wetups,
)
from vadose.statistics.memory import memory_ratio


def storms(tau: float, days: int = 1500, every: int = 25, seed: int = 0, noise: float = 0.0) -> np.ndarray:
    """Jumps of 0.15 that decay with tau to 0.08."""
    rng = np.random.default_rng(seed)
    since = np.arange(days) % every
    values = 0.08 + 0.15 * np.exp(-since / tau)
    return values + noise * rng.standard_normal(days)


def test_a_decay_time_is_that_of_the_curve_and_of_scipy() -> None:
    day = np.arange(15.0)
    rng = np.random.default_rng(1)
    value = 0.1 + 0.2 * np.exp(-day / 8.0) + 0.003 * rng.standard_normal(15)
    tau, offset, amplitude = decay_time(day, value)
    book, _ = optimize.curve_fit(lambda t, c, a, k: c + a * np.exp(-t / k), day, value, p0=[0.1, 0.2, 8.0])
    assert (offset, amplitude, tau) == pytest.approx(tuple(book), rel=1e-4)
    assert decay_time(day, 0.1 + 0.2 * np.exp(-day / 8.0))[0] == pytest.approx(8.0, rel=1e-5)


def test_the_offset_of_a_decay_stays_between_zero_and_the_lowest_value() -> None:
    day = np.arange(10.0)
    tau, offset, _ = decay_time(day, 0.2 - 0.01 * day)
    assert np.isnan(tau) or 0.0 <= offset <= 0.11
    assert np.isnan(decay_time(day, 0.1 + 0.01 * day)[0])


def test_drydowns_begin_at_the_peak_and_end_before_the_next_rain() -> None:
    found = drydowns(storms(8.0))
    np.testing.assert_array_equal(found[0], [25, 49])
    assert len(found) == 59
    assert len(drydowns(np.full(300, 0.2))) == 0


def test_one_missing_day_is_allowed_and_two_end_a_drydown() -> None:
    values = storms(8.0, days=60)
    values[30] = np.nan
    np.testing.assert_array_equal(drydowns(values)[0], [25, 49])
    values[31] = np.nan
    assert drydowns(values)[0, 1] == 29


def test_the_ratio_of_decay_times_is_recovered_with_noise() -> None:
    slow, fast = storms(12.0, noise=0.001), storms(6.0, noise=0.001, seed=1)
    times = drydown_times(slow, fast)
    assert np.nanmedian(times, axis=0) == pytest.approx([12.0, 6.0], rel=0.15)
    found = drydown_ratio(slow, fast)
    assert found.value == pytest.approx(np.log(2.0), abs=0.03)
    assert found.ci_low < found.value < found.ci_high < found.ci_low + 0.1
    assert found.events >= 40
    few = drydown_ratio(slow[:200], fast[:200])
    assert (STATUS[few.status], np.isnan(few.value)) == ("few_samples", True)


def test_a_product_of_other_amplitude_and_one_day_late_hits_all_wetups() -> None:
    reference = storms(8.0)
    product = np.roll(0.2 + 0.4 * (reference - 0.08), 1)
    found = wetups(product, reference)
    assert found.hit_rate.value > 0.95
    assert found.lag_days.value == 1.0
    assert found.false_alarm_ratio.value < 0.05
    assert increment_lag(product, reference)[0] == 1
    assert increment_lag(reference, product)[0] == -1


def test_a_product_that_knows_nothing_hits_few_wetups() -> None:
    rng = np.random.default_rng(2)
    reference = storms(8.0, days=3000)
    found = wetups(0.2 + 0.01 * rng.standard_normal(3000), reference)
    assert found.hit_rate.value < 0.7
    assert found.false_alarm_ratio.value > 0.5


def test_rain_and_dry_days_show_in_their_signs() -> None:
    rain = np.where(np.arange(1500) % 25 == 0, 20.0, 0.0)
    values = storms(8.0)
    assert response_to_rain(values, rain) > 0.95
    assert share_of_falls(values, rain) > 0.95
    assert np.isnan(response_to_rain(values, np.zeros(1500)))


def test_dry_days_are_the_share_of_the_percentile() -> None:
    dates = np.arange("2010-01-01", "2018-01-01", dtype="datetime64[D]")
    noise = np.random.default_rng(3).random(dates.size)
    values = 0.2 + 0.005 * np.sin(2 * np.pi * day_of_year(dates) / 365) + 0.1 * noise
    for percentile in (20, 5):
        dry, valid = dry_days(values, dates, percentile)
        assert valid.mean() > 0.98
        assert dry[valid].mean() == pytest.approx(percentile / 100, abs=0.02)
    assert not dry_days(values[:1000], dates[:1000], 20)[1].any()


def test_the_last_day_of_february_counts_as_the_day_before() -> None:
    dates = np.array(["2015-03-01", "2016-02-28", "2016-02-29", "2016-03-01", "2016-12-31"], dtype="datetime64[D]")
    np.testing.assert_array_equal(day_of_year(dates), [59, 58, 58, 59, 364])


def test_scores_of_a_contingency_table_are_those_of_the_textbook() -> None:
    table = contingency([1, 1, 0, 0, 1], [1, 0, 1, 0, 1], [1, 1, 1, 1, 0])
    assert (table.hits, table.misses, table.false_alarms, table.negatives) == (1, 1, 1, 1)
    big = Contingency(*(np.asarray(k, float) for k in (50, 20, 30, 900)))
    assert (big.pod, big.far, big.csi) == pytest.approx((50 / 70, 30 / 80, 50 / 100))
    H, F = 50 / 70, 30 / 930
    upper = np.log(F) - np.log(H) - np.log(1 - F) + np.log(1 - H)
    assert big.sedi == pytest.approx(upper / (np.log(F) + np.log(H) + np.log(1 - F) + np.log(1 - H)))
    assert np.isnan((table + table).sedi) == np.isnan(table.sedi)
    assert np.isnan(Contingency(*(np.asarray(k, float) for k in (0, 0, 0, 9))).pod)


def test_memory_of_an_autoregression_is_the_known_one_and_its_ratio_covered() -> None:
    rng = np.random.default_rng(4)
    series = []
    for phi in (0.95, 0.9):
        noise = rng.standard_normal((12, 3000))
        for t in range(1, 3000):
            noise[:, t] += phi * noise[:, t - 1]
        series.append(noise)
    series[0][:, ::5] = np.nan
    found = memory_ratio(*series)
    truth = np.log(0.9) / np.log(0.95)
    assert np.median(found.product) == pytest.approx(-1 / np.log(0.95), rel=0.15)
    assert np.median(found.ratio) == pytest.approx(truth, rel=0.15)
    assert np.mean((found.ci_low < truth) & (truth < found.ci_high)) > 0.7
    assert STATUS[memory_ratio(series[0][:, :300], series[1][:, :300]).status[0]] == "few_samples"


def test_the_lag_is_that_of_the_hits_and_misses_have_none() -> None:
    # Of every three storms the product sees one, two days late.
    reference = storms(8.0, days=3000)
    product = np.full(3000, 0.08)
    for first in range(25, 3000, 75):
        product[first + 2 : first + 25] = reference[first : first + 23]
    found = wetups(product, reference)
    assert found.hit_rate.value == pytest.approx(1 / 3, abs=0.02)
    assert found.lag_days.value == 2.0
    assert found.lag_days.events == pytest.approx(found.hit_rate.value * found.hit_rate.events)


@pytest.mark.parametrize(("tau", "inside"), [(0.3, False), (0.5, True), (280.0, True), (310.0, False)])
def test_decay_times_beyond_a_third_of_a_day_and_300_days_are_none(tau: float, inside: bool) -> None:
    day = np.arange(0.0, 12.0, 0.5) if tau < 1 else np.arange(60.0)
    assert np.isfinite(decay_time(day, 0.05 + 0.2 * np.exp(-day / tau))[0]) == inside


def test_a_rate_of_nothing_or_everything_has_no_extremal_dependence_index() -> None:
    sound = Contingency(*np.array([30.0, 10.0, 5.0, 300.0]))
    assert np.isfinite(sound.sedi)
    for position in range(4):
        parts = np.array([30.0, 10.0, 5.0, 300.0])
        parts[position] = 0.0
        assert np.isnan(Contingency(*parts).sedi)


def test_a_figure_that_half_of_the_draws_lack_has_a_value_without_interval() -> None:
    rows = np.arange(20.0)
    found = event_score(rows, lambda drawn: np.where(np.arange(len(drawn)) == 0, drawn[..., 0].mean(axis=1), np.nan))
    assert (STATUS[found.status], found.value, found.events) == ("few_effective", 9.5, 20)
    assert np.isnan(found.ci_low)
    whole = event_score(rows, lambda drawn: drawn[..., 0].mean(axis=1))
    half = 1.96 * rows.std() / np.sqrt(20)
    assert (whole.ci_low, whole.ci_high) == pytest.approx((9.5 - half, 9.5 + half), abs=0.3)


def test_a_contingency_table_counts_every_valid_day() -> None:
    says, is_so = np.array([1, 1, 1, 0, 0, 1, 0, 0, 0, 1]), np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 1])
    table = contingency(says, is_so, np.arange(10) < 9)
    assert (table.hits, table.misses, table.false_alarms, table.negatives) == (3, 2, 1, 3)


def test_the_last_day_of_a_drydown_counts() -> None:
    reference = storms(8.0, days=60)
    product = reference + np.random.default_rng(5).normal(0.0, 0.01, 60)
    first, last = drydowns(reference)[0]
    days = np.arange(first, last + 1)
    times = drydown_times(product, reference)
    assert times[0, 0] == decay_time(days, product[days])[0]
    assert times[0, 0] != decay_time(days[:-1], product[days[:-1]])[0]


def test_a_series_that_forgets_nothing_within_half_a_year_has_no_memory_ratio() -> None:
    slow = np.linspace(0.1, 0.4, 3000)[None]
    quick = np.random.default_rng(6).standard_normal((1, 3000))
    found = memory_ratio(slow, quick)
    assert STATUS[found.status[0]] == "not_applicable"
    assert np.isnan([found.product[0], found.ratio[0], found.ci_low[0]]).all()
    assert 0.0 < found.reference[0] < 1.0
