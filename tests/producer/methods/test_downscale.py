"""Downscaling of a field that is known at the fine scale, and what must hold whatever the network has learnt."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vadose.common import InputError, UsageError
from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.grids import box
from vadose.producer.methods import Block, Inputs, method_settings
from vadose.producer.methods.blocks import cube_blocks
from vadose.producer.methods.downscale import Downscale
from vadose.producer.methods.downscaled import DownscaleModel
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import make_folds

TARGET = "land_model_a_sm"
PREDICTORS = Predictors(daily=("precipitation", "ndvi"), static=("sand", "elevation"))
DAYS = 760
FAST = {"hidden": (12, 12), "sequence": 4, "dropout": 0.05, "training": {"steps": 250, "learning_rate": 0.01}}
SIDE, RATIO = 7, 5


def smooth(rng: np.random.Generator, count: int, size: int, length: float) -> np.ndarray:
    """Fields of standard deviation one on a square, correlated over `length` cells."""
    at = np.arange(size)
    kernel = np.exp(-((at[:, None] - at[None, :]) ** 2) / length**2)
    fields = kernel @ rng.normal(size=(count, size, size)) @ kernel
    return (fields / fields.std()).reshape(count, -1)


def world(folder: Path, *, gaps: float = 0.0, last_changed: bool = False) -> tuple[Cube, np.ndarray]:
    """A fine cube whose target is known by block only, and the fine truth, (time, cell)."""
    rng = np.random.default_rng(3)
    size = SIDE * RATIO
    grid = box("0P05DEG", 10.0, 40.0, 10.0 + SIDE / 4, 40.0 + SIDE / 4)
    assert grid.shape == (size, size)
    months = (np.datetime64("2016-01-01") + np.arange(DAYS)).astype("datetime64[M]")
    number = (months - months[0]).astype(int)
    sand, height = smooth(rng, 2, size, 4.0)
    rain = np.exp(0.5 * smooth(rng, number[-1] + 1, size, 12.0))[number] * rng.gamma(2.0, 1.5, (DAYS, 1))
    green = 0.4 + 0.1 * smooth(rng, number[-1] + 1, size, 3.0)[number]
    wet = np.stack([np.log1p(rain)[number == k].mean(axis=0) for k in range(number[-1] + 1)])[number]
    region = smooth(rng, 1, size, 25.0)[0]
    truth = 0.25 + 0.04 * (wet - wet.mean()) - 0.03 * sand + 0.2 * (green - 0.4) + 0.015 * region
    keep = np.sort(rng.permutation(size * size)[: int(0.95 * size * size)])
    row, column = np.divmod(keep, size)
    block = row // RATIO * SIDE + column // RATIO
    area = np.repeat(grid.cell_areas(), size)[keep]
    blocks = np.zeros((SIDE * SIDE, keep.size))
    blocks[block, np.arange(keep.size)] = area
    mean = (truth[:, keep] @ blocks.T / blocks.sum(axis=1))[:, block]
    if gaps:
        mean[np.random.default_rng(5).random((DAYS, SIDE * SIDE))[:, block] < gaps] = np.nan
    if last_changed:
        mean[400:] += 0.1
    days = np.datetime64("2016-01-01") + np.arange(DAYS)
    with new_cube(folder / "c.zarr", grid, keep, days, title="fine") as writer:
        for name, values in {"precipitation": rain, "ndvi": green}.items():
            writer.add(name, values[:, keep].astype(np.float32))
        writer.add(TARGET, mean.astype(np.float32))
        writer.add("sand", (50 + 15 * sand[keep]).astype(np.float32))
        writer.add("elevation", (500 + 100 * height[keep]).astype(np.float32))
        writer.add("land_cover", np.ones(keep.size, np.float32))
    return open_cube(folder / "c.zarr"), truth[:, keep]


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cube, np.ndarray]:
    return world(tmp_path_factory.mktemp("fine"))


@pytest.fixture(scope="module")
def model(fine: tuple[Cube, np.ndarray]) -> DownscaleModel:
    return fitted(fine[0])


def fitted(cube: Cube, predictors: Predictors = PREDICTORS, **changes: Any) -> DownscaleModel:
    fold = make_folds("P1", cube, TARGET)[0]
    settings = method_settings(Downscale(), {**FAST, **changes})
    return Downscale().fit(Inputs({"main": cube}, TARGET, predictors), fold, settings, seed=1)


def everything(cube: Cube, days: slice = slice(500, 620)) -> Block:
    return Block(cube, days, slice(0, cube.index.size))


def block_means(cube: Cube, values: np.ndarray) -> np.ndarray:
    """Area-weighted means by block, by a loop."""
    blocks = cube_blocks(cube, "0P25DEG")
    means = np.empty((len(values), blocks.count))
    for k in range(blocks.count):
        cells = blocks.block == k
        means[:, k] = np.average(values[:, cells], axis=1, weights=np.cos(np.deg2rad(cube.lat[cells])))
    return means


def month_means(cube: Cube, values: np.ndarray, days: slice) -> np.ndarray:
    """Each day replaced by the mean of its month over all days of the cube."""
    months = cube.days.astype("datetime64[M]")
    return np.stack([values[months == months[day]].mean(axis=0) for day in range(days.start, days.stop)])


def test_fine_truth_is_nearer_than_without_downscaling(fine: tuple[Cube, np.ndarray], model: DownscaleModel) -> None:
    cube, truth = fine
    days = slice(500, 620)
    own = month_means(cube, truth, days)
    plain = month_means(cube, cube.read(TARGET).astype(float), days)
    found = model.predict(everything(cube, days)).mean
    assert np.std(found - own) < 0.7 * np.std(plain - own)
    assert np.corrcoef(found.ravel(), own.ravel())[0, 1] > np.corrcoef(plain.ravel(), own.ravel())[0, 1]


def test_block_means_are_those_of_the_coarse_field(fine: tuple[Cube, np.ndarray], model: DownscaleModel) -> None:
    cube = fine[0]
    days = slice(500, 620)
    given = block_means(cube, month_means(cube, cube.read(TARGET).astype(float), days))
    np.testing.assert_allclose(block_means(cube, model.predict(everything(cube, days)).mean), given, atol=2e-6)
    assert model.closure(cube) < 1e-6


@pytest.mark.parametrize(("residual", "correction"), [("kriging", True), ("kriging", False), ("bilinear", True)])
def test_correction_closes_what_kriging_and_bilinear_leave_open(
    fine: tuple[Cube, np.ndarray], residual: str, correction: bool
) -> None:
    few = {"training": {"steps": 20}, "residual": residual, "block_correction": correction, "closure": "coarse"}
    closure = fitted(fine[0], **few).closure(fine[0])
    assert (closure < 1e-6) == correction


def test_any_block_and_the_saved_model_give_the_same_values(
    fine: tuple[Cube, np.ndarray], model: DownscaleModel, tmp_path: Path
) -> None:
    cube = fine[0]
    whole = model.predict(everything(cube))
    model.save(tmp_path)
    part = Downscale().load(tmp_path).predict(Block(cube, slice(530, 541), slice(100, 117)))
    for one, other in ((part.mean, whole.mean), (part.uncertainty, whole.uncertainty), (part.flags, whole.flags)):
        np.testing.assert_array_equal(one, other[30:41, 100:117])


def test_training_on_the_coarse_cube_serves_the_fine_one(fine: tuple[Cube, np.ndarray], tmp_path: Path) -> None:
    cube = fine[0]
    blocks = cube_blocks(cube, "0P25DEG")
    grid = box("0P25DEG", 10.0, 40.0, 10.0 + SIDE / 4, 40.0 + SIDE / 4)
    with new_cube(tmp_path / "c.zarr", grid, np.arange(SIDE * SIDE), cube.days, title="coarse") as writer:
        for name in (*PREDICTORS.daily, TARGET):
            writer.add(name, blocks.mean(cube.read(name)).astype(np.float32))
        for name in PREDICTORS.static:
            writer.add(name, blocks.mean(cube.read_static(name)).astype(np.float32))
    found = fitted(open_cube(tmp_path / "c.zarr")).predict(everything(cube, slice(500, 510))).mean
    given = block_means(cube, month_means(cube, cube.read(TARGET).astype(float), slice(500, 510)))
    np.testing.assert_allclose(block_means(cube, found), given, atol=2e-6)


def test_later_targets_do_not_change_the_fit(tmp_path: Path) -> None:
    few = {"training": {"steps": 5, "patience": 1, "check_every": 2}}
    for name, changed in (("clean", False), ("changed", True)):
        (tmp_path / name).mkdir()
        cube, _ = world(tmp_path / name, last_changed=changed)
        # The training ends on day 380, and day 400 lies in the month after it.
        fitted(cube, **few).save(tmp_path / name)
    for file in ("weights.safetensors", "scalers.safetensors", "member.json"):
        assert (tmp_path / "clean" / file).read_bytes() == (tmp_path / "changed" / file).read_bytes()


def test_cells_unlike_any_training_block_are_flagged(fine: tuple[Cube, np.ndarray], tmp_path: Path) -> None:
    cube = fine[0]
    model = fitted(cube, training={"steps": 5})
    with new_cube(tmp_path / "c.zarr", cube.grid, cube.index, cube.days, title="strange") as writer:
        for name in (*PREDICTORS.daily, TARGET):
            writer.add(name, cube.read(name))
        sand = cube.read_static("sand")
        sand[40] = 400.0
        writer.add("sand", sand)
        writer.add("elevation", cube.read_static("elevation"))
    flags = model.predict(everything(open_cube(tmp_path / "c.zarr"), slice(500, 501))).flags[0]
    assert flags[40] == 2048
    assert (flags == 0).mean() > 0.5


def test_first_steps_without_a_whole_sequence_are_flagged(fine: tuple[Cube, np.ndarray], model: DownscaleModel) -> None:
    flags = model.predict(everything(fine[0], slice(0, 130))).flags
    months = fine[0].days[:130].astype("datetime64[M]")
    assert (flags[months < np.datetime64("2016-04")] == 2048).all()
    assert (flags[months == np.datetime64("2016-04")] == 0).mean() > 0.5


def test_daily_steps_fill_blocks_without_a_value_and_flag_days_with_few(tmp_path: Path) -> None:
    cube, _ = world(tmp_path, gaps=0.3)
    mask = np.zeros((DAYS, cube.index.size), bool)
    mask[600] = True
    model = fitted(cube, step="daily", training={"steps": 20})
    found = model.predict(everything(cube.hiding(TARGET, mask), slice(598, 603)))
    assert np.isfinite(found.mean).all()
    assert (found.flags[2] == 2048).all()
    assert (found.flags[[0, 1, 3, 4]] == 0).mean() > 0.5
    given = cube.read(TARGET, slice(598, 599))
    kept = np.isfinite(block_means(cube, given)[0])
    np.testing.assert_allclose(block_means(cube, found.mean)[0, kept], block_means(cube, given)[0, kept], atol=2e-6)


def test_parents_are_merged_before_they_are_downscaled(fine: tuple[Cube, np.ndarray], tmp_path: Path) -> None:
    cube, truth = fine
    rng = np.random.default_rng(7)
    blocks = cube_blocks(cube, "0P25DEG")
    # Collocation needs a signal that changes from day to day.
    mean = block_means(cube, truth)
    mean = mean + 0.05 * rng.normal(size=mean.shape)
    errors = {"smap_sm_am": 0.01, "cci_sm": 0.02, TARGET: 0.03}
    with new_cube(tmp_path / "c.zarr", cube.grid, cube.index, cube.days, title="parents") as writer:
        for name in PREDICTORS.daily:
            writer.add(name, cube.read(name))
        for name in PREDICTORS.static:
            writer.add(name, cube.read_static(name))
        for name, std in errors.items():
            values = mean + std * rng.normal(size=mean.shape)
            writer.add(name, values[:, blocks.block].astype(np.float32))
    merge = {"parents": list(errors), "reference": TARGET}
    model = fitted(open_cube(tmp_path / "c.zarr"), step="daily", merge=merge, training={"steps": 20})
    weights = model.facts["merge"]["mean_weights"]
    optimum = {name: std**-2 / sum(one**-2 for one in errors.values()) for name, std in errors.items()}
    # Four hundred days tell a weight to a few hundredths.
    assert weights == pytest.approx(optimum, abs=0.06)
    found = block_means(cube, model.predict(everything(open_cube(tmp_path / "c.zarr"), slice(500, 540))).mean)
    assert np.std(found - mean[500:540]) < 0.011
    model.save(tmp_path / "model")
    again = Downscale().load(tmp_path / "model").predict(everything(open_cube(tmp_path / "c.zarr"), slice(500, 502)))
    np.testing.assert_array_equal(block_means(cube, again.mean), found[:2])


def test_wrong_inputs_are_refused_with_their_reason(fine: tuple[Cube, np.ndarray]) -> None:
    with pytest.raises(UsageError, match="no grid named '0.25'"):
        method_settings(Downscale(), {"coarse": "0.25"})
    with pytest.raises(UsageError, match="variogram"):
        method_settings(Downscale(), {"variogram": "daily"})
    with pytest.raises(InputError, match="class codes"):
        fitted(fine[0], Predictors(daily=("ndvi",), static=("land_cover",)))
    with pytest.raises(InputError, match="no variable 'albedo'"):
        fitted(fine[0], Predictors(daily=("albedo",)))
