"""The bucket: its water balance, and finding again the parameters of a world that is a bucket."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vadose.common import InputError
from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.features.evaporation import oudin
from vadose.producer.grids import box
from vadose.producer.methods.base import Block, Inputs
from vadose.producer.methods.bucket import Bucket, BucketModel
from vadose.producer.methods.choice import method_settings
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import make_folds

TARGET = "smap_sm_am"
DAYS = np.arange("2015-04-01", "2017-04-01", dtype="datetime64[D]")
TRUE = np.array([40.0, 1.5, 0.05, 0.06, 0.3])


def plain_bucket(rain: np.ndarray, evaporation: np.ndarray, parameters: np.ndarray, storage: float) -> np.ndarray:
    capacity, exponent, leakage, level, extent = parameters
    out = []
    for water, potential in zip(rain, evaporation, strict=True):
        storage = min(capacity, storage + water)
        storage = max(storage - potential * (storage / capacity) ** exponent - leakage * storage, 0.0)
        out.append(level + extent * storage / capacity)
    return np.array(out)


@pytest.fixture(scope="module")
def bucket_world(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    """Eight cells that are buckets of rising capacity, observed every other day with an error of 0.01."""
    rng = np.random.default_rng(5)
    grid = box("0P25DEG", 30, 10, 32, 12)
    cells = 8
    rain = rng.gamma(0.5, 12.0, (DAYS.size, cells)) * (rng.random((DAYS.size, cells)) < 0.3)
    rain = rain.astype(np.float32)
    season = 288 + 10 * np.sin(2 * np.pi * (np.arange(DAYS.size) - 20) / 365)
    warm = (season[:, None] + rng.normal(0, 2, rain.shape)).astype(np.float32)
    path = tmp_path_factory.mktemp("bucket") / "bucket.zarr"
    with new_cube(path, grid, np.arange(cells), DAYS, title="buckets") as writer:
        writer.add("precipitation", rain)
        writer.add("air_temperature", warm)
        writer.add(TARGET, np.full(rain.shape, np.nan, np.float32))
    empty = open_cube(path)
    evaporation = oudin(warm, empty.lat, DAYS)
    truth = np.stack([plain_bucket(rain[:, k], evaporation[:, k], TRUE * [1 + k / 4, 1, 1, 1, 1], 15.0)
                      for k in range(cells)], axis=1)  # fmt: skip
    observed = truth + rng.normal(0, 0.01, truth.shape)
    observed[::2] = np.nan
    with new_cube(path, grid, np.arange(cells), DAYS, title="buckets") as writer:
        for name, values in {"precipitation": rain, "air_temperature": warm, TARGET: observed}.items():
            writer.add(name, values.astype(np.float32))
        writer.add("porosity", truth.mean(axis=0).astype(np.float32))
    return open_cube(path)


def fitted(cube: Cube, split: str = "P1", **settings: Any) -> BucketModel:
    chosen = Bucket()
    fold = make_folds(split, cube, TARGET)[0]
    inputs = Inputs({"main": cube}, TARGET, Predictors(daily=("precipitation",))).hiding(fold.unseen())
    return chosen.fit(inputs, fold, method_settings(chosen, settings), seed=0)


def test_a_world_of_buckets_is_found_again_and_predicted(bucket_world: Cube) -> None:
    model = fitted(bucket_world)
    # A large bucket is hardly ever full, so that its size says little; small ones are known.
    np.testing.assert_allclose(model.parameters[:5, 0], TRUE[0] * (1 + np.arange(5) / 4), rtol=0.1)
    later = slice(400, DAYS.size)
    error = model.predict(Block(bucket_world, later, slice(0, 8))).mean - bucket_world.read(TARGET, later)
    assert np.median(np.nanstd(error, axis=0)) < 0.0115
    assert 0.008 < np.median(model.error) < 0.012


def test_prediction_is_the_recursion_written_out(bucket_world: Cube) -> None:
    model = fitted(bucket_world)
    rain, warm = (bucket_world.read(name).astype(float) for name in ("precipitation", "air_temperature"))
    evaporation = oudin(warm, bucket_world.lat, DAYS)
    found = model.predict(Block(bucket_world, slice(500, 520), slice(3, 4))).mean[:, 0]
    parameters = model.parameters[3]
    expected = plain_bucket(rain[135:520, 3], evaporation[135:520, 3], parameters, parameters[0] / 2)[365:]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_unseen_cells_get_one_set_that_all_others_taught(bucket_world: Cube) -> None:
    fold = make_folds("P2", bucket_world, TARGET)[0]
    model = fitted(bucket_world, "P2")
    unseen = fold.cells["test"]
    np.testing.assert_array_equal(model.parameters[:-1][unseen], np.tile(model.parameters[-1], (unseen.sum(), 1)))
    assert (model.parameters[:-1][~unseen] != model.parameters[-1]).any(axis=1).all()
    assert model.error[-1] > model.error[:-1][~unseen].max()
    prediction = model.predict(Block(bucket_world, slice(100, 200), slice(0, 8)))
    assert np.isfinite(prediction.mean).all()


def test_without_rain_there_is_no_bucket(bucket_world: Cube, tmp_path: Path) -> None:
    with new_cube(tmp_path / "dry.zarr", bucket_world.grid, bucket_world.index, DAYS, title="dry") as writer:
        writer.add(TARGET, bucket_world.read(TARGET))
    with pytest.raises(InputError, match="needs 'precipitation'"):
        fitted(open_cube(tmp_path / "dry.zarr"))
