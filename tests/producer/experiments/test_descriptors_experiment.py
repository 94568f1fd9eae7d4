"""The descriptor experiment on a tiny cube: what a trial may read, what is kept, and what the tables say."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vadose.producer.cube import Cube
from vadose.producer.experiments import descriptor_fits, descriptors
from vadose.producer.experiments.descriptor_fits import NOWCAST, Laboratory, Trial, field, network_fit, ordered, places
from vadose.producer.experiments.descriptors import CAUSAL, FULL, LEAKY, NONE, OURS, TREES, main
from vadose.producer.methods.rowmodel import RowTraining
from vadose.producer.recipe import Predictors

FEW = RowTraining(steps=8, batch=32, check_every=4)
TRIALS = (
    Trial(OURS), Trial(OURS, seed=1), Trial(NONE, descriptors="none"), Trial(FULL, collinear="keep"),
    Trial(LEAKY, descriptors="global"), Trial(descriptors.SHUFFLED, order=1),
    Trial(TREES, kind="trees", collinear="keep"), Trial(CAUSAL, NOWCAST, "causal"),
    Trial(descriptors.WATCHED, tuned=True),
)  # fmt: skip


@pytest.fixture(scope="module")
def laboratory(rainy_cube: Cube, tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    """A laboratory of few steps and trees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(descriptor_fits, "CHANNELS", (2, 2))
        patch.setattr(descriptor_fits, "WIDTHS", (8, 4))
        recipe = descriptors.load_recipe(descriptors.RECIPE)
        predictors = Predictors(daily=("precipitation", "air_temperature"), static=("clay", "land_cover"))
        folder = tmp_path_factory.mktemp("lab")
        yield Laboratory(rainy_cube, recipe.model_copy(update={"predictors": predictors}), folder, FEW, 10)


@pytest.fixture(scope="module")
def out(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of all trials."""
    folder = tmp_path_factory.mktemp("out")
    main(laboratory.cube.path, folder, "a command", trials=TRIALS, laboratory=laboratory)
    return folder


def test_scores_are_those_of_the_kept_predictions(laboratory: Laboratory, out: Path) -> None:
    scores = pd.read_parquet(out / "descriptors_scores.parquet").set_index(["split", "contender"])
    mean = field(laboratory, "P1", laboratory.kept(TRIALS[2]).mean)
    error = np.where(np.isfinite(mean), mean - laboratory.target, np.nan)
    enough = np.isfinite(error).sum(axis=0) >= 20
    slow = np.sqrt(np.nanmean(error[:, enough] ** 2, axis=0))
    assert scores.loc[("P1", NONE), "rmse"] == pytest.approx(np.median(slow), abs=float(np.diff(np.sort(slow)).max()))
    assert scores.loc[("P1", OURS), "fits"] == 2
    assert scores.loc[("P1", OURS), "seed_spread"] > 0
    apart = pd.read_parquet(out / "descriptors_differences.parquet")
    assert {OURS, FULL, LEAKY, TREES, descriptors.SHUFFLED} <= set(apart["contender"])


def test_a_second_call_fits_nothing_and_what_is_left_is_named(
    laboratory: Laboratory, out: Path, tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in laboratory.folder.iterdir()}
    more = (*TRIALS, Trial(descriptors.DENSE, kind="dense"))
    main(laboratory.cube.path, tmp_path, "a command", hours=-1.0, trials=more, laboratory=laboratory)
    assert {path: path.stat().st_mtime_ns for path in laboratory.folder.iterdir()} == before
    told = json.loads((tmp_path / "descriptors.json").read_text())
    assert told["partial"] == [more[-1].slug]
    for name in told["tables"]:
        first, second = (pd.read_parquet(folder / f"{name}.parquet") for folder in (out, tmp_path))
        pd.testing.assert_frame_equal(first, second)


def test_only_descriptors_of_the_whole_record_change_with_test_values(laboratory: Laboratory) -> None:
    shifted = laboratory.target + np.where(laboratory.fold("P1").mask("test"), np.float32(0.1), np.float32(0))
    other = replace(laboratory, cube=laboratory.cube.having("smap_sm_am", shifted))
    for descriptors_of, same in (("train", True), ("global", False)):
        trial = Trial("any", descriptors=descriptors_of)
        first, second = (lab.rowed(trial).data.fit.features for lab in (laboratory, other))
        assert (first.shape == second.shape and np.array_equal(first, second)) is same


def test_a_random_order_is_a_permutation_and_category_order_is_none(laboratory: Laboratory) -> None:
    encoder = laboratory.rowed(TRIALS[0]).data.encoder
    assert ordered(encoder, 0).tolist() == list(range(encoder.kept.size))
    first, second = ordered(encoder, 1), ordered(encoder, 2)
    assert sorted(first) == sorted(second) == list(range(encoder.kept.size))
    assert first.tolist() != second.tolist()


def test_importance_of_all_groups_is_there_and_grows_where_the_network_looks(laboratory: Laboratory, out: Path) -> None:
    growth = pd.read_parquet(out / "descriptors_importance.parquet")
    assert set(growth[growth["kind"] == "group"]["feature"]) == set(descriptors.GROUPS)
    single = growth[(growth["kind"] == "feature") & (growth["contender"] == OURS)]
    assert len(single) == laboratory.rowed(TRIALS[0]).data.encoder.kept.size
    assert single["rmse_growth"].is_monotonic_decreasing
    selection = pd.read_parquet(out / "descriptors_selection.parquet").query("contender == @OURS")
    stays = set(selection[selection["stays"]]["descriptor"])
    assert stays == set(single["feature"]) & set(selection["descriptor"])


def test_places_of_rows_find_their_own_observation(laboratory: Laboratory) -> None:
    trial = TRIALS[0]
    rowed = laboratory.rowed(trial)
    every = laboratory.target[laboratory.wanted("P1")]
    observed = laboratory.target[rowed.day, rowed.cell]
    np.testing.assert_array_equal(every[places(laboratory, "P1", rowed)], observed)
    mean, _, _ = network_fit(laboratory, trial)
    np.testing.assert_array_equal(mean, laboratory.kept(trial).mean)
