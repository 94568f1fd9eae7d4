"""Every fit of the correction experiment leaves its tested values, and nothing is fitted twice."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from vadose.common import read_json
from vadose.producer.correction.sequences import Hyper
from vadose.producer.experiments.correction_fits import Unit, plans, products_of, result, results_of, run_unit, search
from vadose.producer.methods import Inputs
from vadose.producer.methods.mlstm import COMBINATIONS
from vadose.producer.training.splits import Fold, make_folds

TINY = Hyper(epochs=1, sequence=20, hidden=8)
PRODUCTS = ("cci_sm",)


@pytest.fixture(scope="module")
def fold(land: Inputs) -> Fold:
    return make_folds("P2", land.cube, land.target)[0]


@pytest.fixture(scope="module")
def folder(land: Inputs, fold: Fold, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first fits of a fold."""
    folder = tmp_path_factory.mktemp("fits")
    run_unit(land, fold, Unit("P2", 0, True), folder, PRODUCTS, TINY)
    return folder


def test_units_hold_all_combinations_both_readings_and_all_baselines() -> None:
    whole = [plan for first in (True, False) for plan in plans(Unit("P2", 0, first))]
    assert {plan.combination for plan in whole} == set(COMBINATIONS)
    assert {plan.reading for plan in whole} == {"residual", "direct"}
    assert {plan.pooled for plan in whole} == {True, False}
    assert len({plan.seed for plan in whole}) == 3
    assert len(products_of(Unit("P2", 0, True))) == 3
    assert len(products_of(Unit("P4", 0, True))) == 1


def test_results_lie_on_the_tested_values_of_the_product(land: Inputs, fold: Fold, folder: Path) -> None:
    unit = Unit("P2", 0, True)
    paths = results_of(unit, folder, PRODUCTS)
    assert len(paths) == 4
    assert not any("forest" in path.name for path in paths)
    product = land.cube.read("cci_sm")
    for path in paths:
        values = safetensors.numpy.load_file(path)["mean"]
        assert np.isnan(values[~fold.mask("test")]).all()
        assert np.isfinite(values).any()
    ours = safetensors.numpy.load_file(result(folder, unit, "cci_sm", "mlstm-FPLE"))["mean"]
    tested = np.isfinite(ours)
    assert (tested <= np.isfinite(product)).all()
    assert 0 < read_json(result(folder, unit, "cci_sm", "mlstm-FPLE").with_suffix(".json"))["all"] < 1


def test_what_is_there_is_not_fitted_again(land: Inputs, fold: Fold, folder: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
    next(iter(folder.glob("*-ridge.safetensors"))).unlink()
    run_unit(land, fold, Unit("P2", 0, True), folder, PRODUCTS, TINY)
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
    assert [name for name in before if after[name] != before[name]] == ["P2-0-cci_sm-ridge.safetensors"]


def test_tested_stations_change_no_result(land: Inputs, fold: Fold, folder: Path, tmp_path: Path) -> None:
    target = land.cube.read(land.target).copy()
    target[fold.mask("test")] = 0.9
    other = Inputs({"main": land.cube.having(land.target, target)}, land.target, land.predictors, land.stations)
    unit = Unit("P2", 0, True)
    run_unit(other, fold, unit, tmp_path, PRODUCTS, TINY)
    for path in results_of(unit, folder, PRODUCTS):
        mine, changed = (safetensors.numpy.load_file(one)["mean"] for one in (path, tmp_path / path.name))
        np.testing.assert_array_equal(mine, changed)


def test_search_judges_each_candidate_on_the_inner_split(land: Inputs) -> None:
    inputs = Inputs({"main": land.cube.having("smap_sm_am", land.cube.read("cci_sm"))}, land.target, land.predictors,
                    land.stations)  # fmt: skip
    candidates = [TINY.model_copy(update={"epochs": epochs, "learning_rate": 0.01}) for epochs in (1, 30)]
    table = search(inputs, candidates)
    assert table["steps"].is_monotonic_increasing
    assert table["inner_split_rmse"][1] < table["inner_split_rmse"][0]
    assert not table["used"].any()
