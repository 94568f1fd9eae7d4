"""A correction is judged where stations are and where none is."""

import numpy as np
import pytest

from vadose.producer.experiments.boxes import CORRECTED, ORIGINAL, finding, score_rows
from vadose.producer.experiments.judging import Judge


@pytest.fixture(scope="module")
def judged() -> tuple:
    """A correction that halves the error of twenty cells with a station and doubles that of forty others."""
    rng = np.random.default_rng(3)
    truth = 0.25 + 0.05 * rng.standard_normal((300, 60))
    error = 0.04 * rng.standard_normal((300, 60))
    at_station = np.arange(60) % 3 == 0
    drawn = {ORIGINAL: truth + error, CORRECTED: truth + error * np.where(at_station, 0.5, 2.0)}
    return score_rows(Judge(truth, np.arange(60) // 4), drawn, at_station), drawn, truth, at_station


def test_scores_are_medians_over_the_cells_of_each_kind(judged: tuple) -> None:
    (scores, _), drawn, truth, at_station = judged
    rows = scores.set_index(["cells of", "field"])
    for where, chosen in (
        ("all cells", slice(None)),
        ("cells with a station", at_station),
        ("other cells", ~at_station),
    ):
        for name, values in drawn.items():
            rmse = np.sqrt(((values - truth)[:, chosen] ** 2).mean(axis=0))
            assert rows.loc[(where, name), "rmse"] == pytest.approx(np.median(rmse), rel=1e-5)
            assert rows.loc[(where, name), "cells"] == rmse.size


def test_differences_tell_where_the_correction_helps(judged: tuple) -> None:
    (_, apart), *_ = judged
    verdicts = {row["cells of"]: row["verdict"] for row in apart.to_dict("records") if row["metric"] == "rmse"}
    assert verdicts["cells with a station"] == "better"
    assert verdicts["other cells"] == "worse"
    assert "other cells: rmse +0.0" in finding(apart)
