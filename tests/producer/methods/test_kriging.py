"""Kriging against its definition, written out, and against what must hold exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.producer.methods.blocks import Blocks, make_blocks
from vadose.producer.methods.kriging import Kriging, bilinear, corrected, point_weights, scattered
from vadose.producer.methods.variogram import (
    Empirical,
    Variogram,
    empirical,
    fit_variogram,
    great_circle,
    unit_vectors,
)

MODEL = Variogram(0.0, 4e-4, 120.0)
NUGGET = Variogram(1e-4, 4e-4, 120.0)


def coarse_and_fine(side: int = 7, ratio: int = 5, *, missing: float = 0.0) -> Blocks:
    """Blocks of 0.25 degree of fine cells of 0.05 degree, some fine cells left out."""
    size = side * ratio
    row, column = np.divmod(np.arange(size * size), size)
    lat, lon = 45.0 - (row + 0.5) * 0.25 / ratio, 10.0 + (column + 0.5) * 0.25 / ratio
    block = row // ratio * side + column // ratio
    keep = np.random.default_rng(4).random(size * size) >= missing
    area = np.cos(np.deg2rad(lat))
    return make_blocks(lat[keep], lon[keep], block[keep], area[keep], np.arange(side * side))


def brute_force(lat: np.ndarray, lon: np.ndarray, data: np.ndarray, to_lat: float, to_lon: float, v: Variogram):
    """Kriged value and variance at one place from all data, by haversines and a linear solver."""

    def distance(lat1, lon1, lat2, lon2):
        a, b, c, d = map(np.deg2rad, (lat1, lon1, lat2, lon2))
        return (
            2
            * 6371.0088
            * np.arcsin(np.sqrt(np.sin((a - c) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((b - d) / 2) ** 2))
        )

    C = v.sill * np.exp(-3 * distance(lat[:, None], lon[:, None], lat[None], lon[None]) / v.range_km)
    C += v.nugget * np.eye(lat.size)
    c0 = v.sill * np.exp(-3 * distance(lat, lon, to_lat, to_lon) / v.range_km)
    weights = np.linalg.solve(C, c0)
    return weights @ data, v.nugget + v.sill - weights @ c0


@pytest.mark.parametrize("variogram", [MODEL, NUGGET])
def test_twenty_points_give_what_the_whole_system_gives(variogram: Variogram) -> None:
    rng = np.random.default_rng(1)
    lat, lon = rng.uniform(40, 44, 20), rng.uniform(-2, 3, 20)
    to_lat, to_lon = rng.uniform(40, 44, 50), rng.uniform(-2, 3, 50)
    data = rng.normal(0, 0.03, (2, 20))
    found = point_weights(lat, lon, scattered(lat, lon, to_lat, to_lon), variogram)
    expected = [
        [brute_force(lat, lon, day, a, b, variogram) for a, b in zip(to_lat, to_lon, strict=True)] for day in data
    ]
    np.testing.assert_allclose(found.apply(data), np.array(expected)[..., 0], atol=2e-7)
    np.testing.assert_allclose(found.variance, np.array(expected)[0, :, 1], rtol=1e-4, atol=1e-9)


def test_without_nugget_the_data_come_back_at_their_places() -> None:
    rng = np.random.default_rng(2)
    lat, lon, data = rng.uniform(40, 50, 80), rng.uniform(0, 10, 80), rng.normal(0, 0.03, (3, 80))
    found = point_weights(lat, lon, scattered(lat, lon, lat, lon), MODEL)
    np.testing.assert_allclose(found.apply(data), data, atol=1e-6)
    assert found.variance.max() < 1e-9


def test_nothing_comes_of_nothing_and_far_from_data_the_mean_is_zero() -> None:
    lat, lon = np.array([45.0, 45.5]), np.array([5.0, 5.5])
    places = scattered(lat, lon, [45.2, 10.0], [5.1, 100.0])
    weights = point_weights(lat, lon, places, MODEL)
    assert (weights.apply(np.zeros((4, 2))) == 0).all()
    far = weights.apply(np.full((1, 2), 0.1))[0]
    assert far[0] > 0.05
    assert abs(far[1]) < 1e-12
    assert weights.variance[1] == pytest.approx(MODEL.sill)


def test_kriging_at_block_centres_equals_point_kriging() -> None:
    blocks, rng = coarse_and_fine(5), np.random.default_rng(3)
    kriging = Kriging(blocks, "kriging", neighbours=25)
    data = rng.normal(0, 0.03, (2, blocks.count))
    centre = kriging.centres
    lat, lon = np.rad2deg(np.arcsin(centre[:, 2])), np.rad2deg(np.arctan2(centre[:, 1], centre[:, 0]))
    expected = [brute_force(lat, lon, data[0], blocks.lat[k], blocks.lon[k], NUGGET)[0] for k in range(0, 625, 31)]
    np.testing.assert_allclose(kriging.weights(NUGGET).apply(data)[0, ::31], expected, atol=2e-7)


@settings(max_examples=15, deadline=None)
@given(
    nugget=st.sampled_from([0.0, 1e-4]), length=st.floats(20.0, 600.0), missing=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_area_to_point_conserves_every_block_mean(nugget: float, length: float, missing: float, seed: int) -> None:
    blocks = coarse_and_fine(7, missing=missing)
    data = np.random.default_rng(seed).normal(0, 0.03, (3, blocks.count))
    fine = Kriging(blocks).weights(Variogram(nugget, 4e-4, length)).apply(data)
    np.testing.assert_allclose(blocks.mean(fine), data, atol=1e-6)


def test_area_to_point_equals_the_covariances_of_means_written_out() -> None:
    blocks = coarse_and_fine(4)
    data = np.random.default_rng(5).normal(0, 0.03, blocks.count)
    vectors = unit_vectors(blocks.lat, blocks.lon)
    C = NUGGET.covariance(great_circle(vectors, vectors)) + NUGGET.nugget * np.eye(blocks.lat.size)
    mean = np.zeros((blocks.count, blocks.lat.size))
    mean[blocks.block, np.arange(blocks.lat.size)] = blocks.area
    expected = (mean @ C).T @ np.linalg.solve(mean @ C @ mean.T, data)
    found = Kriging(blocks).weights(NUGGET).apply(data[None])[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_large_blocks_are_sampled_and_still_keep_their_means() -> None:
    blocks = coarse_and_fine(6, ratio=20, missing=0.1)
    data = np.random.default_rng(6).normal(0, 0.03, (2, blocks.count))
    fine = Kriging(blocks).weights(MODEL).apply(data)
    np.testing.assert_allclose(blocks.mean(fine), data, atol=1e-6)


def test_blocks_without_a_residual_are_kriged_from_the_others() -> None:
    blocks = coarse_and_fine(7)
    data = np.random.default_rng(7).normal(0, 0.03, (1, blocks.count))
    valid = np.ones(blocks.count, bool)
    valid[[10, 24, 30]] = False
    data[:, ~valid] = np.nan
    fine = Kriging(blocks).weights(MODEL, valid).apply(data)
    assert np.isfinite(fine).all()
    np.testing.assert_allclose(blocks.mean(fine)[:, valid], data[:, valid], atol=1e-6)


def test_block_correction_makes_any_field_close() -> None:
    blocks, rng = coarse_and_fine(5, missing=0.2), np.random.default_rng(8)
    data = rng.normal(0, 0.03, (3, blocks.count))
    plain = Kriging(blocks, "kriging").weights(NUGGET).apply(data)
    assert np.abs(blocks.mean(plain) - data).max() > 1e-3
    np.testing.assert_allclose(blocks.mean(corrected(plain, data, blocks)), data, atol=1e-6)
    data[:, 3] = np.nan
    np.testing.assert_array_equal(corrected(plain, data, blocks)[:, blocks.block == 3], plain[:, blocks.block == 3])


def test_bilinear_gives_a_plane_back_and_ignores_missing_corners() -> None:
    side, ratio = 6, 4
    blocks = coarse_and_fine(side, ratio)
    row, column = np.divmod(np.arange(side * ratio * side * ratio), side * ratio)
    step = np.stack([(row + 0.5) / ratio - 0.5, (column + 0.5) / ratio - 0.5], axis=-1)
    block_row, block_column = np.divmod(np.arange(side * side), side)
    plane = 0.01 * block_row - 0.02 * block_column
    inside = (step >= 0).all(axis=1) & (step <= side - 1).all(axis=1)
    found = bilinear(plane[None], blocks, (side, side), step)[0]
    np.testing.assert_allclose(found[inside], (0.01 * step[:, 0] - 0.02 * step[:, 1])[inside], atol=1e-7)
    level = np.full((1, side * side), 0.02)
    level[0, 14] = np.nan
    np.testing.assert_allclose(bilinear(level, blocks, (side, side), step), 0.02, atol=1e-8)


def test_variogram_of_a_known_field_is_found_again() -> None:
    rng = np.random.default_rng(9)
    lat, lon = rng.uniform(40, 46, 300), rng.uniform(0, 8, 300)
    vectors = unit_vectors(lat, lon)
    true = Variogram(5e-5, 4e-4, 150.0)
    C = true.covariance(great_circle(vectors, vectors)) + true.nugget * np.eye(300)
    fields = rng.normal(size=(200, 300)) @ np.linalg.cholesky(C).T
    found = fit_variogram(empirical(lat, lon, fields), float(fields.var()))
    assert found.range_km == pytest.approx(150.0, rel=0.2)
    assert found.sill == pytest.approx(4e-4, rel=0.1)
    assert found.nugget == pytest.approx(5e-5, abs=3e-5)


def test_empirical_variogram_is_that_of_a_loop_over_pairs() -> None:
    rng = np.random.default_rng(10)
    lat, lon, data = rng.uniform(40, 46, 30), rng.uniform(0, 8, 30), rng.normal(size=(4, 30))
    data[rng.random(data.shape) < 0.2] = np.nan
    distance = great_circle(unit_vectors(lat, lon), unit_vectors(lat, lon))
    width = distance.max() / 2 / 15
    sums, counts = np.zeros(15), np.zeros(15)
    for i in range(30):
        for j in range(i):
            lag = int(distance[i, j] // width)
            for day in data:
                if lag < 15 and np.isfinite(day[i] + day[j]):
                    sums[lag] += (day[i] - day[j]) ** 2 / 2
                    counts[lag] += 1
    found = empirical(lat, lon, data)
    np.testing.assert_allclose(found.pairs, counts[counts > 0])
    np.testing.assert_allclose(found.gamma, sums[counts > 0] / counts[counts > 0])


def test_hopeless_variograms_get_the_variance_and_no_reach() -> None:
    nothing = Empirical(np.array([1.0]), np.array([0.0]), np.array([3.0]))
    assert fit_variogram(nothing, 0.01) == Variogram(0.0, 0.01, 1.0)
