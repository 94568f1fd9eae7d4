"""Judging predictions cell by cell, against loops and plain numpy."""

import numpy as np
import pytest

from vadose.producer.experiments.judging import EDGES, SAME, Judge, bands, said, verdict
from vadose.statistics.aggregates import Spread


def made(cells: int = 40, days: int = 60) -> tuple[Judge, np.ndarray]:
    rng = np.random.default_rng(3)
    truth = rng.uniform(0.1, 0.4, (days, cells))
    truth[50:, 0] = np.nan
    truth[10:, 1] = np.nan
    return Judge(truth, np.arange(cells) // 4), truth + rng.normal(0.01, 0.03, truth.shape)


def test_medians_are_those_of_a_loop_over_the_cells_with_enough_values() -> None:
    judge, mean = made()
    truth = judge.reference
    errors = [mean[:, k] - truth[:, k] for k in range(40)]
    slow = [np.sqrt(np.nanmean(one**2)) for one in errors if np.isfinite(one).sum() >= 20]
    row = judge.row(mean)
    assert row["cells"] == len(slow) == 39
    assert sorted(slow)[18] <= row["rmse"] <= sorted(slow)[20]
    assert row["rmse_low"] < row["rmse"] < row["rmse_high"]
    assert row["bias"] == pytest.approx(0.01, abs=0.003)


def test_a_better_field_is_told_from_a_worse_one_and_from_itself() -> None:
    judge, mean = made()
    truth = np.nan_to_num(judge.reference, nan=0.2)
    fields = {"given": mean, "half": (mean + truth) / 2, "same": mean.copy(), "noisy": mean + (mean - truth)}
    found = {row["contender"]: row for row in judge.differences(fields, "given")}
    assert {name: row["verdict"] for name, row in found.items()} == {"half": "better", "same": SAME, "noisy": "worse"}
    assert found["same"]["difference"] == 0.0
    assert found["half"]["difference"] == pytest.approx(-judge.row(mean)["rmse"] / 2, rel=0.05)


def test_a_higher_correlation_is_better_and_a_higher_error_is_worse() -> None:
    apart = Spread(0.1, 0.05, 0.15, np.nan, "ok")
    assert (verdict(apart, "r"), verdict(apart, "rmse")) == ("better", "worse")
    assert verdict(Spread(0.1, np.nan, np.nan, np.nan, "few_stations"), "r") == SAME
    assert said(0.00123, -0.0004, 0.002) == "+0.0012 [-0.0004, +0.0020]"


def test_bands_hold_the_quantiles_of_each_class_of_the_reference() -> None:
    rng = np.random.default_rng(0)
    reference = rng.uniform(0.1, 0.14, 400)
    predicted = reference + rng.normal(0, 0.01, 400)
    rows = list(bands("f", "p", "s", predicted, reference))
    assert [row["x"] for row in rows] == pytest.approx([0.11, 0.13])
    inside = predicted[(reference >= EDGES[5]) & (reference < EDGES[6])]
    assert (rows[0]["low"], rows[0]["y"], rows[0]["high"]) == pytest.approx(np.percentile(inside, [5, 50, 95]))
