"""True coverage of nominal 95 % intervals on dependent series with gaps: the fast version of the trial.

`python tests/statistics/coverage_table.py` runs the full one.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vadose.statistics import Pairing, metric
from vadose.statistics.coverage import (
    GOAL,
    METRICS_TRIED,
    SERIES,
    SHORT_OF_GOAL,
    Row,
    SeriesModel,
    coverage_rows,
    sample,
)

TRIALS = 200
FAST = ("AR(1) 0.9", "AR(2) 1.6, -0.63", "white noise on a slow signal", "annual cycle in the difference, AR(1) 0.8",
        "AR(1) 0.97, swath and winter gaps")  # fmt: skip


def named(name: str) -> SeriesModel:
    return next(model for model in SERIES if model.name == name)


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], Row]:
    found = coverage_rows(TRIALS, (1825,), [named(name) for name in FAST])
    return {(row.series_model, row.metric): row for row in found}


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("score", METRICS_TRIED)
def test_the_default_interval_holds_the_truth_as_often_as_it_says(
    rows: dict[tuple[str, str], Row], name: str, score: str
) -> None:
    row = rows.get((name, score))
    if row is None:
        assert score == "rho", "only Spearman has no known truth, where there is a cycle"
        return
    if row.goal_applies:
        slack = 3 * row.standard_error
        assert GOAL[0] - slack <= row.coverage <= min(GOAL[1] + slack, 0.998), row


def test_the_textbook_formula_covers_far_too_little_and_is_printed_beside(rows: dict[tuple[str, str], Row]) -> None:
    assert rows["AR(1) 0.97, swath and winter gaps", "r"].textbook < 0.6
    slow = next(iter(coverage_rows(TRIALS, (730,), [named("AR(1) 0.97")], metrics=("r",))))
    assert slow.textbook == pytest.approx(0.26, abs=0.1)


def test_short_records_are_marked_by_their_effective_sample() -> None:
    row = next(iter(coverage_rows(60, (730,), [named("AR(1) 0.97")], metrics=("bias",))))
    assert row.n_eff < 30
    assert row.share_ok < 0.2
    assert not row.goal_applies


@pytest.mark.parametrize("model", SERIES, ids=lambda model: model.name)
def test_the_truth_of_the_trial_is_that_of_its_series(model: SeriesModel) -> None:
    made = sample(model, 60, 3650, np.random.default_rng(1))
    known = np.isfinite(made.x)
    x, r = made.x[known], np.broadcast_to(made.r, known.shape)[known]
    tolerance = 0.06 if any(model.cycle) and model.days_with_value is not SERIES[0].days_with_value else 0.03
    assert np.corrcoef(x, r)[0, 1] == pytest.approx(made.truth["r"], abs=tolerance)
    assert np.mean(x - r) == pytest.approx(made.truth["bias"], abs=0.05)
    assert np.std(x - r) == pytest.approx(made.truth["ubrmsd"], rel=0.04)


def test_on_independent_days_all_models_agree() -> None:
    made = sample(SERIES[0], 100, 1825, np.random.default_rng(2))
    pairing = Pairing.of(made.x, made.r)
    models = ("iid", "lag1", "ar2", "hac", "tail_model")
    found = [pairing.estimate(metric("bias"), model) for model in models]
    widths = [np.median(one.ci_high - one.ci_low) for one in found]
    np.testing.assert_allclose(widths[1:], widths[0], rtol=0.06)


@pytest.mark.parametrize(("model", "low"), [("ar2", 0.86), ("hac", 0.84)])
def test_the_other_models_know_autocorrelation(model: str, low: float) -> None:
    row = next(iter(coverage_rows(TRIALS, (1825,), [named("AR(1) 0.9")], metrics=("r",), intervals=(model,))))
    assert row.coverage > low


def test_the_rows_that_the_page_names_are_those_that_lie_below_the_goal() -> None:
    folder = Path(__file__).parents[2] / "site" / "data" / "skill"
    table = pd.read_parquet(folder / "coverage.parquet")
    short = table[table["goal_applies"] & (table["coverage"] < GOAL[0])]
    assert set(short["days"]) == {730}
    assert sorted(short["metric"]) == ["r", "r", "rho", "ubrmsd"]
    assert set(short["series_model"]) == {"white noise on a slow signal", "white noise on one slow truth"}
    assert json.loads((folder / "coverage.json").read_text())["note"] == SHORT_OF_GOAL
