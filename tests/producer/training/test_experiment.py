"""Experiments resume job by job, and their tables say what a slow calculation says."""

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vadose.cli.main import run
from vadose.common import PartialError, UsageError
from vadose.producer.cube import Cube, open_cube
from vadose.producer.methods import METHODS, Block, Inputs, Prediction, method, method_settings
from vadose.producer.methods.linear import Ridge
from vadose.producer.recipe import Predictors
from vadose.producer.training.experiment import (
    Contender,
    Experiment,
    Job,
    everyday,
    experiment,
    planned_jobs,
    result_path,
    run_job,
    run_jobs,
)
from vadose.producer.training.intervals import intervals
from vadose.producer.training.memory import limited_settings
from vadose.producer.training.publication import publish
from vadose.producer.training.scores import KEYS, headline, read_truth, score_table
from vadose.producer.training.splits import make_folds

TARGET = "smap_sm_am"
PREDICTORS = Predictors(daily=("precipitation", "air_temperature"), static=("clay",))
SMALL = {"hidden": 4, "training": {"steps": 8, "batch": 8, "window_days": 20, "spin_up_days": 3}}


@pytest.fixture
def plan(rainy_cube: Cube, tmp_path: Path) -> Experiment:
    return made(rainy_cube, tmp_path / "run", {"atlstm": SMALL, "lstm": SMALL})


def made(cube: Cube, folder: Path, settings: dict[str, dict[str, Any]]) -> Experiment:
    contenders = {one.name: Contender(one.name, settings.get(one.name, {}), PREDICTORS) for one in METHODS}
    return Experiment(cube.path, TARGET, contenders, folder, cube.content_hash)


def test_plan_has_seeds_on_p1_and_one_seed_a_fold_elsewhere(plan: Experiment) -> None:
    jobs = planned_jobs(
        plan,
        ["climatology", "persistence", "lstm"],
        ["P1", "P1-nowcast-1", "P3"],
        5,
        {"P1": 1, "P1-nowcast-1": 1, "P3": 5},
    )
    assert [job.seed for job in jobs if job.method == "lstm" and job.split == "P1"] == [0, 1, 2, 3, 4]
    assert [(job.seed, job.fold) for job in jobs if job.split == "P3"] == [(k, k) for k in range(5)]
    # A nowcast never stands beside projections, and a climatology says nothing about unseen cells.
    assert {job.split for job in jobs if job.method == "persistence"} == {"P1-nowcast-1"}
    assert {job.split for job in jobs if job.method == "climatology"} == {"P1"}


def test_medians_over_cells_are_those_of_a_slow_calculation(plan: Experiment, rainy_cube: Cube) -> None:
    job = Job("P1", "ridge", 0, 0)
    run_job(plan, job)
    table, partial = score_table(read_truth(rainy_cube, TARGET), plan, [job], product="p", version="1")
    assert partial == []
    mask = make_folds("P1", rainy_cube, TARGET)[0].mask("test")
    mean = np.full(mask.shape, np.nan)
    from safetensors.numpy import load_file

    mean[mask] = load_file(result_path(plan, job))["mean"]
    error = np.where(mask, mean - rainy_cube.read(TARGET), np.nan)
    median = table[(table["aggregate"] == "median") & (table["subset"] == "all_cells")]
    found = median[median["signal"] == "raw"].set_index("metric")
    assert found.loc["rmse", "value"] == pytest.approx(np.median(np.sqrt(np.nanmean(error**2, axis=0))), rel=1e-6)
    assert found.loc["ubrmsd", "value"] == pytest.approx(np.median(np.nanstd(error, axis=0)), rel=1e-6)
    assert found.loc["rmse", "ci_low"] < found.loc["rmse", "value"] < found.loc["rmse", "ci_high"]
    assert not table.duplicated(KEYS).any()
    rows = pd.DataFrame(np.where(mask, mean, np.nan)), pd.DataFrame(rainy_cube.read(TARGET))
    both = rows[0].notna() & rows[1].notna()
    less = [one[both] - one[both].rolling(35, center=True, min_periods=10).mean() for one in rows]
    anomaly = median[median["signal"] == "anomaly_35d"].set_index("metric")
    assert anomaly.loc["r", "value"] == pytest.approx(less[0].corrwith(less[1]).median(), abs=1e-6)


def test_all_folds_of_a_split_make_one_series(plan: Experiment, rainy_cube: Cube) -> None:
    jobs = [Job("P2", "cell-mean", k, k) for k in range(5)]
    for job in jobs[:4]:
        run_job(plan, job)
    truth = read_truth(rainy_cube, TARGET)
    assert score_table(truth, plan, jobs, product="p", version="1")[1] == ["cell-mean P2 seed by_fold"]
    run_job(plan, jobs[4])
    table, partial = score_table(truth, plan, jobs, product="p", version="1")
    assert partial == []
    assert set(table["seed"]) == {"by_fold"}
    assert "P2" in headline(table)


def test_ensemble_of_seeds_is_scored_by_its_mean_prediction(plan: Experiment, rainy_cube: Cube) -> None:
    jobs = [Job("P1", "lstm", seed, 0) for seed in range(3)]
    for job in jobs:
        run_job(plan, job)
    table, _ = score_table(read_truth(rainy_cube, TARGET), plan, jobs, product="p", version="1")
    table = table[table["stratum_kind"] == "all"]
    pooled = table[(table["aggregate"] == "pooled") & (table["metric"] == "rmse") & (table["subset"] == "all_cells")]
    values = pooled.set_index("seed")["value"]
    assert set(values.index) == {"0", "1", "2", "ensemble"}
    assert values["ensemble"] <= values.drop("ensemble").mean()


def test_finished_jobs_are_not_run_again_and_other_settings_are_other_jobs(plan: Experiment) -> None:
    job = Job("P1", "lstm", 0, 0)
    assert run_jobs(plan, [job], processes=1, until=time.monotonic() - 1).unfinished == (job,)
    run_job(plan, job)
    before = result_path(plan, job).stat().st_mtime_ns
    assert run_jobs(plan, [job], processes=1, until=float("inf")).unfinished == ()
    assert result_path(plan, job).stat().st_mtime_ns == before
    other = made(open_cube(plan.cube), plan.folder, {"lstm": {**SMALL, "hidden": 5}})
    assert result_path(other, job) != result_path(plan, job)


def ended_by_the_system(plan: Experiment, job: Job) -> float:
    if job.method == "lstm":
        os._exit(9)
    return run_job(plan, job)


def test_a_fit_that_the_system_ends_is_told_and_the_others_are_kept(
    plan: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[3])
    monkeypatch.setattr("vadose.producer.training.experiment.run_job", ended_by_the_system)
    first, second = Job("P1", "ridge", 0, 0), Job("P1", "lstm", 0, 0)
    with pytest.raises(PartialError, match="perhaps for lack of memory"):
        run_jobs(plan, [first, second], processes=1, until=float("inf"))
    assert result_path(plan, first).is_file()
    assert not result_path(plan, second).exists()


def test_published_files_say_what_is_partial(plan: Experiment, tmp_path: Path) -> None:
    jobs = [Job("P1", "ridge", 0, 0), Job("P1", "cell-mean", 0, 0)]
    run_job(plan, jobs[0])
    publish(plan, jobs, to=tmp_path / "out", product="p", version="1", command="vadose compare p", curve="lstm")
    facts = json.loads((tmp_path / "out" / "skill.json").read_text())
    assert facts["partial"] == ["cell-mean P1 seed 0"]
    assert facts["complete"] is False
    assert facts["settings"]["ridge"]["settings"] == {"penalty": 0.001, "maximum_rows": 500_000}
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    assert set(scores["method"]) == {"ridge"}
    costs = pd.read_parquet(tmp_path / "out" / "costs.parquet")
    assert list(costs.columns) == [
        "method",
        "split",
        "seed",
        "fold",
        "seconds_train",
        "parameters",
        "predictions_per_second",
        "machine",
    ]
    assert set(costs["machine"]) == {facts["machine"]}


def test_short_memories_are_trained_on_short_windows_and_judged_on_their_last_day() -> None:
    settings = method_settings(method("atlstm"), {})
    short = limited_settings(settings, 4)  # type: ignore[arg-type]
    assert (short.training.window_days, short.training.spin_up_days) == (4, 3)
    assert short.attention_days == 4  # type: ignore[attr-defined]
    assert short.training.batch == 1024
    assert limited_settings(settings, 90).training.window_days == 90  # type: ignore[arg-type]


def test_compare_command_prints_the_table_and_publishes_it(
    worlds, rainy_cube: Cube, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    method_section = {"name": "atlstm", "settings": SMALL}
    recipe = worlds.small_recipe(cube="rainy", method=method_section, predictors=PREDICTORS.model_dump(mode="json"))
    (tmp_path / "w" / "cubes").mkdir(parents=True)
    (tmp_path / "w" / "cubes" / "rainy.zarr").symlink_to(rainy_cube.path)
    (tmp_path / "r.yaml").write_text(recipe.model_dump_json())
    words = ["compare", str(tmp_path / "r.yaml"), "--workspace", str(tmp_path / "w"), "--splits", "P1,P1-nowcast-1",
             "--methods", "cell-mean,persistence", "--no-memory-curve", "--processes", "1", "--quiet",
             "--publish-to", str(tmp_path / "site")]  # fmt: skip
    assert run([*words, "--dry-run"]) == 0
    assert capsys.readouterr().out.split() == ["P1-cell-mean-s0-f0", "P1-nowcast-1-persistence-s0-f0"]
    assert run(words) == 0
    assert "cell-mean" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "site").iterdir()} == {
        "scores.parquet",
        "costs.parquet",
        "density.parquet",
        "memory.parquet",
        "skill.json",
    }
    assert run([*words, "--methods", "nonsense"]) == 2


def test_calibrated_intervals_cover_what_raw_ones_do_not() -> None:
    generator = np.random.default_rng(0)
    observed = generator.normal(size=(100, 400))
    deviation = np.full((100, 400), 0.5)
    block, codes = np.arange(100) // 2, np.arange(100) % 2
    raw, calibrated = (
        intervals(np.zeros((100, 400)), observed, deviation, block, codes, calibrated=flag) for flag in (False, True)
    )
    assert raw.coverage().value < 0.65
    assert 0.89 < calibrated.coverage().value < 0.92
    assert calibrated.coverage(calibrated.codes == 1).value > 0.88
    assert calibrated.width() > raw.width()


def test_no_value_calibrates_an_interval_of_its_block_and_all_other_groups_do() -> None:
    generator = np.random.default_rng(2)
    shape, codes, block = (60, 50), np.zeros(60, np.int64), np.arange(60) // 2
    error, ones = generator.normal(size=shape), np.ones(shape)
    group = np.random.default_rng(412).permutation(30)[block] % 5
    before = intervals(error, np.zeros(shape), ones, block, codes, calibrated=True).factor.reshape(shape)
    for number in range(5):
        mine = group == number
        worse = np.where(mine[:, None], 10.0 * error, error)
        after = intervals(worse, np.zeros(shape), ones, block, codes, calibrated=True).factor.reshape(shape)
        np.testing.assert_array_equal(after[mine], before[mine])
        assert (after[~mine] > before[~mine]).all()


@pytest.mark.parametrize(("shared", "wider"), [("nothing", 1.0), ("blocks", 7.0), ("days", 5.0)])
def test_interval_of_a_coverage_knows_what_blocks_and_days_share(shared: str, wider: float) -> None:
    generator = np.random.default_rng(1)
    error = {"nothing": generator.normal(size=(100, 400)),
             "blocks": np.repeat(generator.normal(size=(20, 1)), 5, axis=0) * np.ones((100, 400)),
             "days": np.repeat(generator.normal(size=(1, 40)), 10, axis=1) * np.ones((100, 400))}[shared]  # fmt: skip
    codes, block = np.zeros(100, np.int64), np.arange(100) // 5
    found = intervals(error, np.zeros(error.shape), np.ones(error.shape), block, codes, calibrated=False).coverage()
    expected = (np.abs(error) <= 1.645).mean()
    assert found.value == pytest.approx(expected, abs=1e-3)
    assert (found.n, found.clusters) == (40_000, 20)
    alone = 2.0 * 1.96 * np.sqrt(expected * (1.0 - expected) / 40_000)
    width = found.ci_high - found.ci_low
    assert width > wider * alone
    assert width < 2.0 * alone if shared == "nothing" else width < 1.0


def test_variants_of_recipes_take_part_under_names_of_their_own(worlds, rainy_cube: Cube, tmp_path: Path) -> None:
    variants = {"ridge-strong": {"method": "ridge", "settings": {"penalty": 1.0}}}
    first = recipe_of(worlds, name="atlstm", settings=SMALL, variants=variants)
    plan = experiment([first, recipe_of(worlds, name="atlstm")], rainy_cube.path, tmp_path)
    assert plan.contender("ridge-strong").settings == {"penalty": 1.0}
    assert plan.contender("atlstm").settings == SMALL
    assert plan.contender(first.recipe).settings == {}
    assert "lstm" not in everyday(plan, [first])
    assert {"atlstm", "ridge-strong", "ridge", "cell-mean"} <= set(everyday(plan, [first]))
    with pytest.raises(UsageError, match="did you mean 'ridge-strong'"):
        plan.contender("ridge-stronk")
    with pytest.raises(UsageError, match="one is needed"):
        experiment([first, recipe_of(worlds, target="cci_sm")], rainy_cube.path, tmp_path)


def recipe_of(worlds, target: str = TARGET, **method_section: Any) -> Any:
    section = {"name": "ridge", **method_section}
    return worlds.small_recipe(cube="rainy", target=target, method=section, predictors=PREDICTORS.model_dump())


class Spy(Ridge):
    """A ridge regression that keeps what it was shown of the target."""

    def __init__(self) -> None:
        self.shown: list[np.ndarray] = []

    def fit(self, inputs: Inputs, fold: Any, settings: Any, **more: Any) -> Any:
        self.shown.append(inputs.cube.read(TARGET))
        model, shown = super().fit(inputs, fold, settings, **more), self.shown

        class Watched:
            def predict(self, block: Block) -> Prediction:
                shown.append(block.cube.read(TARGET))
                return model.predict(block)

        return Watched()


@pytest.mark.parametrize("split", ["P1", "P1-nowcast-1", "P3", "P6-15d"])
def test_no_method_is_shown_a_value_that_is_not_for_training(
    plan: Experiment, rainy_cube: Cube, monkeypatch: pytest.MonkeyPatch, split: str
) -> None:
    spy = Spy()
    monkeypatch.setattr("vadose.producer.training.experiment.method", lambda name: spy)
    run_job(plan, Job(split, "ridge", 0, 0))
    raw = rainy_cube.read(TARGET)
    visible = np.where(make_folds(split, rainy_cube, TARGET)[0].mask("train"), raw, np.nan)
    np.testing.assert_array_equal(spy.shown[0], visible)
    # Only a nowcast may read the target in the test period.
    np.testing.assert_array_equal(spy.shown[1], raw if split == "P1-nowcast-1" else visible)
