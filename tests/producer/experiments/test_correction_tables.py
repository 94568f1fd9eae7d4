"""The tables of the correction experiment say what their numbers say."""

import numpy as np
import pandas as pd
import pytest

from vadose.producer.correction.interpretation import drawn, scores, windows
from vadose.producer.experiments.correction_tables import (
    KEY,
    METRICS,
    OURS,
    differences,
    final_table,
    finding,
    summary,
    verdict,
)


def frame(ours: float, cells: int = 12) -> pd.DataFrame:
    """Scores of two contenders; ours has an error that differs from 0.06 by `ours`, with a little noise."""
    noise = np.random.default_rng(0).normal(0, 0.001, cells)
    rows = []
    for cell in range(cells):
        base = 0.06 + 0.01 * (cell % 3)
        for name, rmse in (("original", base), (OURS, base + ours + noise[cell])):
            values = dict.fromkeys(METRICS, rmse) | {"r": 0.9 - rmse}
            rows.append(dict(zip(KEY, ("P2", "smap_sm_am", name, "N", cell, "stations"), strict=True)) | values)
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("shift", "word"), [(-0.02, "better"), (0.02, "worse"), (0.0, "no different")])
def test_verdict_follows_the_paired_difference(shift: float, word: str) -> None:
    table = differences(frame(shift)).set_index("metric")
    assert table.loc["rmse", "verdict"] == word
    assert table.loc["r", "verdict"] == word
    assert table.loc["rmse", "difference"] == pytest.approx(shift, abs=0.0005)
    assert (table["cells"] == 12).all()


def test_an_interval_that_holds_zero_is_no_difference() -> None:
    assert verdict(-0.1, 0.2, greater_is_better=True) == "no different"
    assert verdict(0.1, 0.2, greater_is_better=True) == "better"
    assert verdict(0.1, 0.2, greater_is_better=False) == "worse"


def test_summary_says_how_far_each_is_from_the_original() -> None:
    scored = frame(-0.02)
    table = summary(scored).set_index("contender")
    wide = scored.pivot(index="cell", columns="contender", values="rmse")
    assert table.loc[OURS, "rmse_less_original"] == (wide[OURS] - wide["original"]).median()
    assert table.loc[OURS, "ci_low"] < table.loc[OURS, "rmse_less_original"] < table.loc[OURS, "ci_high"] < 0
    assert table.loc[OURS, "rmse"] == wide[OURS].median()
    assert np.isnan(table.loc["original", "rmse_less_original"])


@pytest.mark.parametrize(("shift", "counts"), [(-0.02, (1, 0, 0)), (0.02, (0, 0, 1)), (0.0, (0, 1, 0))])
def test_finding_counts_the_products_that_are_better(shift: float, counts: tuple[int, int, int]) -> None:
    better, same, worse = counts
    told = f"{OURS} {better} better, {same} no different, {worse} worse"
    assert f"Against the stations: {told}." in finding(summary(frame(shift)))


def test_final_table_holds_the_median_error_of_each_network() -> None:
    scored = frame(-0.02)
    row = final_table(scored, "P2").iloc[0]
    expected = scored[scored["contender"] == "original"]["rmse"].median()
    assert row["original"] == expected
    assert row[OURS] == scored[scored["contender"] == OURS]["rmse"].median()


def test_scores_are_those_of_the_plain_formulas() -> None:
    generator = np.random.default_rng(1)
    one, two = generator.random((2, 80, 1)).astype(np.float32)
    one[3] = np.nan
    error = np.delete(one - two, 3)
    found = scores(one, two, ("rmse", "bias", "ubrmsd", "r"))
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    assert found["bias"] == pytest.approx(error.mean(), rel=1e-4)
    assert found["ubrmsd"] == pytest.approx(error.std(), rel=1e-5)
    assert found["r"] == pytest.approx(np.corrcoef(np.delete(one, 3), np.delete(two, 3))[0, 1], rel=1e-4)
    assert np.isnan(scores(one[:20], two[:20], ("r",))["r"])


def test_windows_hold_the_days_up_to_their_last() -> None:
    channels = np.arange(50.0)[:, None, None] + np.array([0.0, 100.0])[None, :, None]
    mask = np.zeros((50, 2), bool)
    mask[[5, 20, 40], [0, 1, 1]] = True
    day, cell = drawn(mask, 10, 99, np.random.default_rng(0))
    assert day.tolist() == [20, 40]
    found = windows(channels, day, cell, 10)[..., 0]
    np.testing.assert_array_equal(found[:, 0], np.arange(111.0, 121.0))
    np.testing.assert_array_equal(found[:, 1], np.arange(131.0, 141.0))
