"""The bias-corrected land model: moments and percentiles by cell, by land cover where a cell is unseen."""

from pathlib import Path

import numpy as np
import pytest

from vadose.common import InputError, UsageError
from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.methods import Block, Inputs, method, method_settings
from vadose.producer.methods.landmodel import corrections
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import make_folds

TARGET, PRODUCT = "smap_sm_am", "land_model_a_sm"
PREDICTORS = Predictors(daily=("precipitation",))
EVERYTHING = slice(0, 60)


def fitted(cube: Cube, split: str, **values: str):
    chosen = method("land-model-bias-corrected")
    fold = make_folds(split, cube, TARGET)[0]
    return fold, chosen.fit(Inputs({"main": cube}, TARGET, PREDICTORS), fold, method_settings(chosen, values), seed=0)


@pytest.fixture(scope="module")
def wet_cube(rainy_cube: Cube, tmp_path_factory: pytest.TempPathFactory) -> Cube:
    """The rainy cube with a land model that is too wet and too lively, more so where the soil has clay."""
    path, cover = tmp_path_factory.mktemp("wet") / "wet.zarr", rainy_cube.read_static("land_cover")
    wet = 0.05 + 0.05 * cover + (1.0 + 0.3 * cover) * rainy_cube.read(PRODUCT)
    with new_cube(path, rainy_cube.grid, rainy_cube.index, rainy_cube.days, title="wet") as writer:
        writer.add(PRODUCT, wet)
        writer.add(TARGET, rainy_cube.read(TARGET))
        writer.add("land_cover", cover)
    return open_cube(path)


def test_corrected_cell_has_the_moments_of_the_target_in_training(wet_cube: Cube) -> None:
    fold, model = fitted(wet_cube, "P1")
    mean = model.predict(Block(wet_cube, slice(0, wet_cube.days.size), EVERYTHING)).mean
    target = wet_cube.read(TARGET)
    for cell in (0, 31):
        common = fold.mask("train")[:, cell] & np.isfinite(target[:, cell]) & np.isfinite(mean[:, cell])
        assert mean[common, cell].mean() == pytest.approx(target[common, cell].mean(), abs=1e-5)
        assert mean[common, cell].std() == pytest.approx(target[common, cell].std(), abs=1e-5)


@pytest.mark.parametrize("scaling", ["mean_std", "cdf"])
def test_unseen_cell_is_corrected_by_its_land_cover(wet_cube: Cube, scaling: str) -> None:
    fold, model = fitted(wet_cube, "P2", scaling=scaling)
    days, unseen = slice(0, wet_cube.days.size), np.flatnonzero(fold.cells["test"])
    mean, target, raw = (
        model.predict(Block(wet_cube, days, EVERYTHING)).mean,
        wet_cube.read(TARGET),
        wet_cube.read(PRODUCT),
    )
    cover, train = wet_cube.read_static("land_cover"), fold.cells["train"]
    for code in (1, 2):
        seen, here = np.flatnonzero(train & (cover == code)), unseen[cover[unseen] == code]
        common = np.isfinite(target[:, seen]) & np.isfinite(raw[:, seen])
        x, r = raw[:, seen][common], target[:, seen][common]
        expected = r.mean() + (raw[:, here] - x.mean()) * r.std() / x.std()
        tolerance = 1e-4 if scaling == "mean_std" else 0.05
        np.testing.assert_allclose(mean[:, here], expected, atol=tolerance)


def test_correction_removes_most_of_the_error(wet_cube: Cube) -> None:
    target = wet_cube.read(TARGET, slice(220, 420))
    mean = fitted(wet_cube, "P1")[1].predict(Block(wet_cube, slice(220, 420), EVERYTHING)).mean
    raw = wet_cube.read(PRODUCT, slice(220, 420))
    errors = [np.sqrt(np.nanmean((values - target) ** 2)) for values in (mean, raw)]
    assert errors[0] < 0.25 * errors[1]


def test_constant_land_model_is_shifted_only() -> None:
    x, r = np.full((1, 50), 0.2, np.float32), np.linspace(0.1, 0.5, 50, dtype=np.float32)[None]
    np.testing.assert_allclose(corrections(x, r, "mean_std")(np.array([[0.2, 0.3]])), [[0.3, 0.4]], atol=1e-6)


def test_cube_without_land_model_or_with_it_as_target_is_refused(rainy_cube: Cube, tmp_path: Path) -> None:
    with new_cube(tmp_path / "c.zarr", rainy_cube.grid, rainy_cube.index, rainy_cube.days, title="bare") as writer:
        writer.add(TARGET, rainy_cube.read(TARGET))
    with pytest.raises(InputError, match="no land model"):
        fitted(open_cube(tmp_path / "c.zarr"), "P1")
    with pytest.raises(UsageError, match="towards itself"):
        fitted(rainy_cube, "P1", product=TARGET)
