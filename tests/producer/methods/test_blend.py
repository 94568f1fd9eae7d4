"""A blend is the mean of its parts, whether it is trained itself or made of what a comparison has trained already."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vadose.common import UsageError
from vadose.producer.cube import Cube
from vadose.producer.methods import Block, Inputs, method, method_settings
from vadose.producer.recipe import Predictors
from vadose.producer.training.experiment import Contender, Experiment, Job, read_result, result_path, run_job
from vadose.producer.training.splits import make_folds

TARGET = "smap_sm_am"
PREDICTORS = Predictors(daily=("precipitation", "air_temperature"), static=("clay",))
TREES: dict[str, Any] = {"maximum_trees": 20, "depth": 3, "minimum_child_weight": 5}
PARTS = [{"method": "ridge"}, {"method": "xgboost", "settings": TREES}]


def planned(cube: Cube, folder: Path, **contenders: tuple[str, dict[str, Any]]) -> Experiment:
    found = {name: Contender(*one, PREDICTORS) for name, one in contenders.items()}
    return Experiment(cube.path, TARGET, found, folder, cube.content_hash)


def test_prediction_is_the_mean_and_its_deviation_that_of_a_mixture(rainy_cube: Cube) -> None:
    inputs, fold = Inputs({"main": rainy_cube}, TARGET, PREDICTORS), make_folds("P1", rainy_cube, TARGET)[0]
    chosen = method("blend")
    model = chosen.fit(inputs, fold, method_settings(chosen, {"parts": PARTS}), seed=3)
    block = Block(rainy_cube, slice(60, 90), slice(5, 20))
    found = model.predict(block)
    parts = [part.predict(block) for part in model.members]
    np.testing.assert_allclose(found.mean, (parts[0].mean + parts[1].mean) / 2, atol=1e-6)
    half = (parts[0].mean - parts[1].mean) / 2
    variance = (parts[0].uncertainty ** 2 + parts[1].uncertainty ** 2) / 2 + half**2
    np.testing.assert_allclose(found.uncertainty, np.sqrt(variance), atol=1e-6)
    assert model.facts["parameters"] == sum(part.facts["parameters"] for part in model.members)


def test_comparison_blends_what_it_has_trained(rainy_cube: Cube, tmp_path: Path) -> None:
    whole = planned(
        rainy_cube, tmp_path / "a", ridge=("ridge", {}), trees=("xgboost", TREES), blend=("blend", {"parts": PARTS})
    )
    run_job(whole, Job("P1", "ridge", 0, 0))
    before = result_path(whole, Job("P1", "ridge", 0, 0)).stat().st_mtime_ns
    seconds = run_job(whole, Job("P1", "blend", 0, 0))
    assert result_path(whole, Job("P1", "ridge", 0, 0)).stat().st_mtime_ns == before
    assert result_path(whole, Job("P1", "trees", 0, 0)).is_file()
    assert seconds > 0
    alone = planned(rainy_cube, tmp_path / "b", blend=("blend", {"parts": PARTS}))
    run_job(alone, Job("P1", "blend", 0, 0))
    mine, again = (read_result(plan, Job("P1", "blend", 0, 0)) for plan in (whole, alone))
    np.testing.assert_allclose(mine["mean"], again["mean"], atol=1e-7)
    np.testing.assert_allclose(mine["deviation"], again["deviation"], atol=1e-7)


def test_blend_runs_only_where_all_its_parts_do() -> None:
    rows = Contender("blend", {"parts": [*PARTS, {"method": "tssmnet"}]}, PREDICTORS)
    plain = Contender("blend", {"parts": PARTS}, PREDICTORS)
    assert [split for split in ("P1", "P4", "P6-15d", "P1-nowcast-1") if plain.runs(split)] == ["P1", "P4", "P6-15d"]
    assert [split for split in ("P1", "P4", "P6-15d", "P1-nowcast-1") if rows.runs(split)] == ["P1", "P6-15d"]


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([{"method": "ridge"}, {"method": "xgbost"}], "did you mean 'xgboost'"),
        ([{"method": "ridge"}, {"method": "xgboost", "settings": {"maximum_tres": 5}}], "maximum_trees"),
        ([{"method": "ridge"}], "parts"),
    ],
)
def test_wrong_parts_are_named_before_any_work(parts: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        method_settings(method("blend"), {"parts": parts})
