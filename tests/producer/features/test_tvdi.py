"""TVDI: edges against scipy and numpy bin by bin, the index against its formula, and reasons where there is none."""

import numpy as np
import pytest
from scipy import stats

from vadose.producer.features.tvdi import (
    EDGES_CROSS,
    NO_INPUT,
    OK,
    TOO_FEW_BINS,
    TvdiSettings,
    dryness,
    edges,
    line,
    sea_level,
    windows,
)

SETTINGS = TvdiSettings()


def triangle(cells: int, seed: int, *, west: float = 100.0) -> dict[str, np.ndarray]:
    """Cells of one window between a dry edge 320 - 20 NDVI and a wet edge 290 + 2 NDVI, at sea level."""
    rng = np.random.default_rng(seed)
    ndvi, dry = rng.uniform(0.05, 0.95, cells), rng.uniform(0, 1, cells)
    low, high = 290 + 2 * ndvi, 320 - 20 * ndvi
    return {"lat": rng.uniform(30, 35, cells), "lon": rng.uniform(west, west + 5, cells), "ndvi": ndvi,
            "lst": low + dry * (high - low), "dry": dry}  # fmt: skip


def test_edges_are_theil_sen_lines_through_the_percentiles_of_each_bin() -> None:
    world = triangle(5000, 0)
    found = edges(world["lst"], world["ndvi"], np.zeros(5000, np.int64), 1, SETTINGS)[0]
    centres, low, high = [], [], []
    for k in range(40):
        inside = (world["ndvi"] >= 0.1 + 0.02 * k) & (world["ndvi"] < 0.1 + 0.02 * (k + 1))
        if inside.sum() >= 20:
            centres.append(0.11 + 0.02 * k)
            low.append(np.percentile(world["lst"][inside], 1))
            high.append(np.percentile(world["lst"][inside], 99))
    wet, dry = stats.theilslopes(low, centres), stats.theilslopes(high, centres)
    np.testing.assert_allclose(found, [wet.intercept, wet.slope, dry.intercept, dry.slope], rtol=1e-9)
    assert found[3] == pytest.approx(-20, abs=1.5)


def test_line_is_that_of_scipy_with_an_outlier() -> None:
    x = np.linspace(0.1, 0.9, 12)
    y = 300 - 10 * x
    y[4] = 350
    expected = stats.theilslopes(y, x)
    np.testing.assert_allclose(line(x, y), (expected.intercept, expected.slope))


def test_index_in_the_middle_of_a_window_is_the_place_between_its_edges() -> None:
    world = triangle(20000, 1)
    place = windows(world["lat"], world["lon"], 5.0)
    fitted = edges(world["lst"], world["ndvi"], place.own, place.count, SETTINGS)
    index, reason = dryness(world["lst"], world["ndvi"], fitted, place)
    inside = (world["ndvi"] > 0.1) & (world["ndvi"] < 0.7)
    assert (reason == OK).all()
    np.testing.assert_allclose(index[inside], world["dry"][inside], atol=0.05)
    assert index.min() == 0
    assert index.max() == 1


def test_edges_of_neighbouring_windows_are_blended_linearly() -> None:
    lon = np.array([102.5, 103.75, 105.0, 106.25, 107.5, 101.0])
    place = windows(np.full(6, 32.5), lon, 5.0)
    fitted = np.array([[280.0, 0, 320, 0], [290.0, 0, 310, 0]])
    index, _ = dryness(np.full(6, 305.0), np.full(6, 0.5), fitted, place)
    share = np.array([0, 0.25, 0.5, 0.75, 1, 0])
    low, high = 280 + 10 * share, 320 - 10 * share
    np.testing.assert_allclose(index, (305 - low) / (high - low), rtol=1e-6)


def test_windows_meet_at_the_date_line() -> None:
    place = windows(np.full(2, 2.5), np.array([-180.0 + 1e-6, 177.5]), 5.0)
    assert sorted(place.around[0][place.weight[0] > 0.1].tolist()) == [0, 1]


def test_temperature_of_a_mountain_is_reduced_to_sea_level() -> None:
    np.testing.assert_allclose(sea_level(np.array([280.0]), np.array([2000.0])), [293.0])


def test_a_missing_index_has_its_reason() -> None:
    world = triangle(3000, 2)
    world["lst"][0], world["ndvi"][1] = np.nan, np.nan
    place = windows(world["lat"], world["lon"], 5.0)
    fitted = edges(world["lst"], world["ndvi"], place.own, place.count, SETTINGS)
    index, reason = dryness(world["lst"], world["ndvi"], fitted, place)
    assert reason[0] == reason[1] == NO_INPUT
    assert (np.isnan(index) == (reason != OK)).all()
    few = edges(world["lst"][:300], world["ndvi"][:300], place.own[:300], place.count, SETTINGS)
    assert (dryness(world["lst"], world["ndvi"], few, place)[1][2:] == TOO_FEW_BINS).all()
    crossed = fitted[:, [2, 3, 0, 1]]
    assert (dryness(world["lst"], world["ndvi"], crossed, place)[1][2:] == EDGES_CROSS).all()


def test_a_window_without_a_fit_takes_that_of_its_neighbour() -> None:
    place = windows(np.full(2, 32.5), np.array([103.0, 107.0]), 5.0)
    fitted = np.array([[280.0, 0, 320, 0], [np.nan] * 4])
    index, reason = dryness(np.full(2, 300.0), np.full(2, 0.5), fitted, place)
    np.testing.assert_allclose(index, 0.5)
    assert (reason == OK).all()


def test_constant_wet_edge_has_no_slope() -> None:
    world = triangle(5000, 3)
    found = edges(world["lst"], world["ndvi"], np.zeros(5000, np.int64), 1, TvdiSettings(wet_edge="constant"))[0]
    assert found[1] == 0
    assert 290 < found[0] < 292
