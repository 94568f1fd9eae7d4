import numpy as np
import pytest

from vadose.producer.simulate.orbit import RADIOMETER, SCATTEROMETER, Orbit

DAYS = np.arange(np.datetime64("2016-01-01"), np.datetime64("2016-04-01"))


@pytest.mark.parametrize("orbit", [RADIOMETER, SCATTEROMETER], ids=["radiometer", "scatterometer"])
def test_swaths_repeat_after_the_cycle_and_not_before(orbit: Orbit) -> None:
    lat, lon = np.linspace(-60, 60, 200), np.linspace(-179, 179, 200)
    seen = orbit.seen(lat, lon, DAYS)
    cycle = orbit.repeat_days
    np.testing.assert_array_equal(seen[cycle:], seen[:-cycle])
    assert all((seen[shift:] != seen[:-shift]).any() for shift in range(1, cycle))


def test_share_of_days_seen_is_swath_over_track_distance() -> None:
    lat = np.full(3000, 40.0)
    seen = RADIOMETER.seen(lat, np.linspace(-180, 180, 3000, endpoint=False), DAYS[:8])
    track_km = 2 * np.pi * 6371.0 * np.cos(np.deg2rad(40.0)) / (117 / 8)
    assert seen.mean() == pytest.approx(1000.0 / track_km, abs=0.005)


def test_swath_on_the_equator_is_as_wide_as_set() -> None:
    lon = np.linspace(-40, 40, 8001)
    seen = RADIOMETER.seen(np.zeros(lon.size), lon, DAYS[:1])[0]
    edges = np.flatnonzero(np.diff(seen.astype(int)))
    widths = np.diff(lon[edges])[::1] * 111.195
    assert np.abs(widths - 1000.0).min() < 5.0
