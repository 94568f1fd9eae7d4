import numpy as np
import pytest
from scipy.signal import savgol_filter

from vadose.producer.ingest.composites import daily_from_composites, smoothed

STARTS = np.datetime64("2016-01-01") + 16 * np.arange(10)
DAYS = np.arange(np.datetime64("2016-01-01"), np.datetime64("2016-06-09"))


def test_smoothing_of_whole_series_is_savitzky_golay() -> None:
    values = np.random.default_rng(0).random((12, 3)).astype(np.float32)
    expected = savgol_filter(values, 5, 2, axis=0)
    np.testing.assert_allclose(smoothed(values)[2:-2], expected[2:-2], atol=1e-5)


def test_smoothing_keeps_parabolas_and_gaps() -> None:
    time = np.arange(12.0)
    values = (0.3 + 0.02 * time - 0.001 * time**2)[:, None].astype(np.float32)
    values[5] = np.nan
    smooth = smoothed(values)
    assert np.isnan(smooth[5, 0])
    np.testing.assert_allclose(np.delete(smooth, 5, 0), np.delete(values, 5, 0), atol=1e-5)


def test_days_lie_on_straight_lines_between_centres() -> None:
    slope = np.linspace(0.1, 0.9, 10)[:, None].astype(np.float32)
    daily = daily_from_composites(slope, STARTS, 16, DAYS)
    centres = (STARTS - DAYS[0]).astype(float) + 8.0
    expected = np.interp(np.arange(DAYS.size) + 0.5, centres, slope[:, 0])
    np.testing.assert_allclose(daily[:, 0], expected, atol=1e-5)


def test_nothing_is_farther_from_a_composite_than_one_period() -> None:
    values = np.full((10, 1), 0.5, np.float32)
    values[3:7] = np.nan
    daily = daily_from_composites(values, STARTS, 16, DAYS)[:, 0]
    centres = (STARTS - DAYS[0]).astype(float)[[0, 1, 2, 7, 8, 9]] + 8.0
    distance = np.abs(np.arange(DAYS.size)[:, None] + 0.5 - centres[None, :]).min(axis=1)
    np.testing.assert_array_equal(np.isfinite(daily), distance <= 16)


def test_no_composite_no_day() -> None:
    assert np.isnan(daily_from_composites(np.full((10, 2), np.nan, np.float32), STARTS, 16, DAYS)).all()


@pytest.mark.parametrize("only", [0, 9])
def test_single_composite_is_held_for_one_period(only: int) -> None:
    values = np.full((10, 1), np.nan, np.float32)
    values[only] = 0.4
    daily = daily_from_composites(values, STARTS, 16, DAYS)[:, 0]
    assert np.isfinite(daily).any()
    np.testing.assert_allclose(daily[np.isfinite(daily)], 0.4, atol=1e-6)
    assert np.isfinite(daily).sum() <= 33
