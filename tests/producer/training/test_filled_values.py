"""What a training under P6 leaves for the gate `gap_days`: hidden observations beside what fills them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from vadose.producer.cube import Cube
from vadose.producer.methods import Block, Inputs, Prediction
from vadose.producer.recipe import Predictors
from vadose.producer.training import fit_recipe
from vadose.producer.training.experiment import Contender, Experiment, Job, read_result, run_job
from vadose.producer.training.filled import filled_by_cosines, filled_values
from vadose.producer.training.publication import publish
from vadose.producer.training.splits import make_folds

TARGET = "smap_sm_am"
RAIN = Predictors(daily=("precipitation",), static=("clay",))


class Nosy:
    """Predicts the target that it is shown, and -1 where it is shown nothing."""

    def predict(self, block: Block) -> Prediction:
        shown = np.nan_to_num(block.cube.read(TARGET, block.days, block.cells), nan=-1.0)
        return Prediction(shown, shown, np.zeros(shown.shape, np.int16))


def test_filling_sees_nothing_of_what_is_hidden(rainy_cube: Cube) -> None:
    fold = make_folds("P6-15d", rainy_cube, TARGET)[0]
    found = filled_values(Nosy(), Inputs({"main": rainy_cube}, TARGET, RAIN), fold)
    mask = fold.mask("test")
    assert mask.any()
    assert (found[mask] == -1.0).all()
    assert np.isnan(found[~mask]).all()


def test_model_trained_under_gaps_comes_with_hidden_and_filled_values(
    worlds: Any, rainy_cube: Cube, tmp_path: Path
) -> None:
    method = {"name": "ridge", "settings": {}, "ensemble": 1, "split": "P6-15d"}
    recipe = worlds.small_recipe(
        cube="rainy", method=method, predictors={"daily": ["precipitation"], "static": ["clay"]}
    )
    ensemble = fit_recipe(recipe, Inputs({"main": rainy_cube}, TARGET, RAIN), tmp_path / "model")
    mask = make_folds("P6-15d", rainy_cube, TARGET, calibration=0.2)[0].mask("test")
    with xr.open_dataset(tmp_path / "model" / "filled.nc") as found:
        assert found.filled.attrs["units"] == "m3 m-3"
        assert found.filled.attrs["standard_name"] == "volume_fraction_of_condensed_water_in_soil"
        np.testing.assert_array_equal(found.hidden.values, np.where(mask, rainy_cube.read(TARGET), np.nan))
        everything = ensemble.predict(Block(rainy_cube, slice(0, mask.shape[0]), slice(0, mask.shape[1]))).mean
        np.testing.assert_array_equal(found.filled.values, np.where(mask, everything, np.nan))
        assert np.isfinite(found.dct_pls.values[mask]).mean() > 0.9
        assert str(found.time.values[0])[:13] == "2015-04-01T12"
        np.testing.assert_array_equal(found.cell.values, rainy_cube.index)
    assert not (tmp_path / "model" / "filled.nc.part").exists()


def test_model_trained_on_other_years_has_no_such_file(worlds: Any, rainy_cube: Cube, tmp_path: Path) -> None:
    method = {"name": "ridge", "settings": {}, "ensemble": 1, "split": "P1"}
    recipe = worlds.small_recipe(
        cube="rainy", method=method, predictors={"daily": ["precipitation"], "static": ["clay"]}
    )
    fit_recipe(recipe, Inputs({"main": rainy_cube}, TARGET, RAIN), tmp_path / "model")
    assert not (tmp_path / "model" / "filled.nc").exists()


@pytest.mark.parametrize("rival", [True, False])
def test_comparison_writes_what_each_method_fills(rainy_cube: Cube, tmp_path: Path, rival: bool) -> None:
    names = ["linear-in-time", *(["dct-pls"] if rival else [])]
    contenders = {name: Contender(name, {}, RAIN) for name in names}
    plan = Experiment(rainy_cube.path, TARGET, contenders, tmp_path / "run", rainy_cube.content_hash)
    jobs = [Job(split, name, 0, 0) for split in ("P6-swath", "P0") for name in names]
    for job in jobs:
        run_job(plan, job)
    publish(plan, jobs, to=tmp_path / "out", product="p", version="1", command="c", curve="linear-in-time")
    fold = make_folds("P6-swath", rainy_cube, TARGET)[0]
    written = sorted(path.name for path in (tmp_path / "run" / "filled").iterdir())
    assert written == ["linear-in-time-P6-swath.nc"]
    with xr.open_dataset(tmp_path / "run" / "filled" / written[0]) as found:
        np.testing.assert_array_equal(found.filled.values[fold.mask("test")], read_result(plan, jobs[0])["mean"])
        assert ("dct_pls" in found) == rival
        if rival:
            expected = filled_by_cosines(Inputs({"main": rainy_cube}, TARGET, RAIN), fold)
            both = np.isfinite(found.dct_pls.values)
            np.testing.assert_allclose(found.dct_pls.values[both], expected[both], atol=1e-6)
            assert both.sum() == np.isfinite(found.filled.values).sum()
