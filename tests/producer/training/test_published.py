"""Tables of two workspaces become those of one that ran everything."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from vadose.cli.main import run
from vadose.common import UsageError
from vadose.producer.cube import Cube
from vadose.producer.methods import METHODS
from vadose.producer.recipe import Predictors
from vadose.producer.training.experiment import Contender, Experiment, Job, run_job
from vadose.producer.training.publication import publish
from vadose.producer.training.published import read_tables

TARGET = "smap_sm_am"
PREDICTORS = Predictors(daily=("precipitation", "air_temperature"), static=("clay",))
SMALL = {"hidden": 4, "training": {"steps": 8, "batch": 8, "window_days": 20, "spin_up_days": 3}}
SEEDS = [Job("P1", "lstm", seed, 0) for seed in range(2)]
FOLDS = [Job("P2", "cell-mean", k, k) for k in range(5)]
RIDGE = Job("P1", "ridge", 0, 0)
JOBS = [*SEEDS, *FOLDS, RIDGE]
NAMES = ("scores", "costs", "density", "memory")

Place = Callable[..., Experiment]


@pytest.fixture
def place(rainy_cube: Cube, tmp_path: Path) -> Place:
    def make(name: str, done: list[Job], settings: dict[str, Any] = SMALL) -> Experiment:
        contenders = {
            one.name: Contender(one.name, settings if one.name == "lstm" else {}, PREDICTORS) for one in METHODS
        }
        plan = Experiment(rainy_cube.path, TARGET, contenders, tmp_path / name, rainy_cube.content_hash)
        for job in done:
            run_job(plan, job)
        return plan

    return make


def put(plan: Experiment, to: Path, command: str, **how: Any) -> tuple[str, list[str]]:
    words = {"product": "p", "version": "1", "curve": "lstm", "jobs": JOBS, **how}
    return publish(plan, words.pop("jobs"), to=to, command=command, **words)


def facts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "skill.json").read_text())
    return found


def test_two_workspaces_publish_what_one_would(place: Place, tmp_path: Path) -> None:
    put(place("all", JOBS), tmp_path / "one", "vadose compare all")
    put(place("a", [*SEEDS, *FOLDS[:3]]), tmp_path / "two", "vadose compare a")
    assert {*facts(tmp_path / "two")["partial"]} == {"ridge P1 seed 0", "cell-mean P2 seed by_fold"}
    put(place("b", [RIDGE, *FOLDS]), tmp_path / "two", "vadose compare b", add=True)
    for name in ("scores", "density"):
        both = [pd.read_parquet(tmp_path / folder / f"{name}.parquet") for folder in ("one", "two")]
        keys = [column for column in both[0].columns if both[0][column].dtype == object]
        one, two = (
            table.sort_values([*keys, *(both[0].columns.difference(keys))], ignore_index=True) for table in both
        )
        pd.testing.assert_frame_equal(one, two)
    costs = [pd.read_parquet(tmp_path / folder / "costs.parquet").iloc[:, :4] for folder in ("one", "two")]
    pd.testing.assert_frame_equal(*costs)
    after = facts(tmp_path / "two")
    assert (after["complete"], after["partial"], after["command"]) == (True, [], "vadose compare a")
    assert [one["command"] for one in after["added"]] == ["vadose compare b"]
    assert after["settings"] == facts(tmp_path / "one")["settings"]


def test_adding_again_changes_nothing(place: Place, tmp_path: Path) -> None:
    put(place("a", SEEDS), tmp_path / "site", "vadose compare a")
    other = place("b", [RIDGE])
    put(other, tmp_path / "site", "vadose compare b", add=True)
    before = {name: (tmp_path / "site" / f"{name}.parquet").read_bytes() for name in NAMES}
    told = facts(tmp_path / "site")
    put(other, tmp_path / "site", "vadose compare b", add=True)
    assert facts(tmp_path / "site") == told
    assert {name: (tmp_path / "site" / f"{name}.parquet").read_bytes() for name in NAMES} == before


def test_costs_tell_on_which_machine_each_fit_ran(place: Place, tmp_path: Path) -> None:
    put(place("a", [RIDGE]), tmp_path / "site", "vadose compare a")
    told = facts(tmp_path / "site")
    (tmp_path / "site" / "skill.json").write_text(json.dumps({**told, "machine": "another"}))
    costs = pd.read_parquet(tmp_path / "site" / "costs.parquet")
    costs.drop(columns="machine").to_parquet(tmp_path / "site" / "costs.parquet")
    put(place("b", SEEDS[:1]), tmp_path / "site", "vadose compare b", add=True)
    found = pd.read_parquet(tmp_path / "site" / "costs.parquet").set_index("method")["machine"]
    assert found.to_dict() == {"ridge": "another", "lstm": told["machine"]}


def test_unfinished_folds_here_leave_the_published_series(place: Place, tmp_path: Path) -> None:
    put(place("a", FOLDS), tmp_path / "site", "vadose compare a", jobs=FOLDS)
    before = pd.read_parquet(tmp_path / "site" / "scores.parquet")
    costs = pd.read_parquet(tmp_path / "site" / "costs.parquet")
    put(place("b", FOLDS[:2]), tmp_path / "site", "vadose compare b", jobs=FOLDS, add=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "site" / "scores.parquet"), before)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "site" / "costs.parquet"), costs)
    assert facts(tmp_path / "site")["partial"] == []


def test_ensemble_of_seeds_that_lie_apart_is_partial(place: Place, tmp_path: Path) -> None:
    put(place("a", SEEDS[:1]), tmp_path / "site", "vadose compare a", jobs=SEEDS)
    put(place("b", SEEDS[1:]), tmp_path / "site", "vadose compare b", jobs=SEEDS, add=True)
    assert set(pd.read_parquet(tmp_path / "site" / "scores.parquet")["seed"]) == {"0", "1"}
    assert facts(tmp_path / "site")["partial"] == ["lstm P1 seed ensemble"]
    put(place("c", SEEDS), tmp_path / "site", "vadose compare c", jobs=SEEDS, add=True)
    assert set(pd.read_parquet(tmp_path / "site" / "scores.parquet")["seed"]) == {"0", "1", "ensemble"}
    assert facts(tmp_path / "site")["partial"] == []


def test_memory_curve_that_is_published_stays_until_another_is_whole(place: Place, tmp_path: Path) -> None:
    put(place("a", [RIDGE]), tmp_path / "site", "vadose compare a")
    curve = pd.DataFrame({"figure": ["memory"], "panel": ["r"], "series": ["s"], "x": [1.0], "y": [0.5], "low": [0.4],
                          "high": [0.6], "unit": ["1"]})  # fmt: skip
    curve.to_parquet(tmp_path / "site" / "memory.parquet")
    put(place("b", SEEDS[:1]), tmp_path / "site", "vadose compare b", add=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "site" / "memory.parquet"), curve)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": {**SMALL, "hidden": 5}}, "other settings of lstm"),
        ({"product": "q"}, "the published tables are of p 1, these of q 1"),
        ({"cube": "other"}, "another benchmark"),
    ],
)
def test_results_that_are_not_alike_share_no_table(
    place: Place, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    put(place("a", SEEDS[:1]), tmp_path / "site", "vadose compare a")
    if "cube" in change:
        told = facts(tmp_path / "site")
        told["benchmark"]["content_hash"] = change["cube"]
        (tmp_path / "site" / "skill.json").write_text(json.dumps(told))
    before = (tmp_path / "site" / "scores.parquet").read_bytes()
    other = place("b", SEEDS[1:], change.get("settings", SMALL))
    with pytest.raises(UsageError, match=message):
        put(other, tmp_path / "site", "vadose compare b", add=True, product=change.get("product", "p"))
    assert (tmp_path / "site" / "scores.parquet").read_bytes() == before


@pytest.mark.parametrize(("removed", "fits"), [("layers", True), ("hidden", False)])
def test_setting_that_came_later_has_its_default_in_what_was_published(
    place: Place, tmp_path: Path, removed: str, fits: bool
) -> None:
    put(place("a", SEEDS[:1]), tmp_path / "site", "vadose compare a")
    told = facts(tmp_path / "site")
    assert told["settings"]["lstm"]["settings"].pop(removed, None) is not None
    (tmp_path / "site" / "skill.json").write_text(json.dumps(told))
    other = place("b", SEEDS)
    if fits:
        put(other, tmp_path / "site", "vadose compare b", add=True)
        assert removed in facts(tmp_path / "site")["settings"]["lstm"]["settings"]
    else:
        with pytest.raises(UsageError, match="other settings of lstm"):
            put(other, tmp_path / "site", "vadose compare b", add=True)


def damaged(folder: Path) -> dict[str, Callable[[], Any]]:
    scores, told = folder / "scores.parquet", folder / "skill.json"
    return {
        "no file": lambda: scores.unlink(),
        "truncated": lambda: scores.write_bytes(scores.read_bytes()[:100]),
        "no column": lambda: pd.read_parquet(scores).drop(columns="seed").to_parquet(scores),
        "no facts": lambda: told.write_text("[]"),
        "no json": lambda: told.write_text("{"),
        "no folder": lambda: folder.rename(folder.with_name("elsewhere")),
    }


@pytest.fixture
def words(worlds: Any, rainy_cube: Cube, tmp_path: Path) -> list[str]:
    method = {"name": "lstm", "settings": SMALL}
    recipe = worlds.small_recipe(cube="rainy", method=method, predictors=PREDICTORS.model_dump(mode="json"))
    (tmp_path / "w" / "cubes").mkdir(parents=True)
    (tmp_path / "w" / "cubes" / "rainy.zarr").symlink_to(rainy_cube.path)
    (tmp_path / "r.yaml").write_text(recipe.model_dump_json())
    return ["compare", str(tmp_path / "r.yaml"), "--workspace", str(tmp_path / "w"), "--splits", "P1",
            "--no-memory-curve", "--processes", "1", "--quiet", "--publish-to", str(tmp_path / "site")]  # fmt: skip


def test_command_adds_a_method_to_published_tables(words: list[str], tmp_path: Path) -> None:
    assert run([*words, "--methods", "cell-mean"]) == 0
    assert run([*words, "--methods", "ridge", "--add"]) == 0
    assert {*read_tables(tmp_path / "site").scores["method"]} == {"cell-mean", "ridge"}


@pytest.mark.parametrize("fault", ["no file", "truncated", "no column", "no facts", "no json", "no folder"])
def test_unreadable_tables_are_named_before_anything_is_fitted(
    place: Place, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    put(place("a", [RIDGE]), tmp_path / "site", "vadose compare a")
    damaged(tmp_path / "site")[fault]()
    assert run([*words, "--methods", "climatology", "--add"]) == 3
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "skill.json" in said or "scores.parquet" in said
    assert not (tmp_path / "w" / "runs").exists()


def test_adding_needs_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "conus412-atlstm", "--add", "--quiet"]) == 2
    assert "--publish-to" in capsys.readouterr().err
