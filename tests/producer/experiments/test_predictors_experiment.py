"""Leaving predictors out of a small twin."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vadose.producer.experiments.predictors import finding, main
from vadose.producer.experiments.twin import FINE, Settings

SMALL = Settings(
    name="small-twin", token=FINE, box=(-41.0, 40.0, -39.75, 41.25), start=date(2017, 1, 1), end=date(2018, 12, 31),
    seed=7, spin_up_days=60,
)  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of a network with all predictors and of two that lack one."""
    folder = tmp_path_factory.mktemp("predictors")
    main(folder, "a command", SMALL, steps=20, omitted=("porosity", "ndvi"))
    return folder


def test_the_full_network_stands_first_and_loses_nothing_on_itself(out: Path) -> None:
    table = pd.read_parquet(out / "predictors_scores.parquet")
    assert table["left_out"].iloc[0] == "nothing"
    assert set(table["left_out"].iloc[1:]) == {"porosity", "ndvi"}
    assert table["rmse_growth"].iloc[0] == 0.0
    assert table["rmse_growth"].iloc[1] >= table["rmse_growth"].iloc[2]
    assert (table["rmse_growth"].iloc[1:] != 0.0).all()
    assert table["ubRMSD"].between(0.001, 0.1).all()


def test_curves_hold_the_scatter_and_the_months_of_the_test_year(out: Path) -> None:
    curves = pd.read_parquet(out / "predictors_curves.parquet")
    series = curves[curves["figure"] == "series"]
    assert np.diff(series[series["series"] == "truth"]["x"]) == pytest.approx(1 / 12)
    assert series["x"].min() >= 2018
    band = curves[curves["figure"] == "downscaled by truth"]
    assert (band["low"] <= band["y"]).all()
    assert set(band["series"]) == {"downscaled", "bilinear", "not downscaled"}
    assert json.loads((out / "predictors.json").read_text())["finding"].startswith("Growth of RMSE")


def test_only_intervals_above_zero_are_called_needed() -> None:
    rows = [
        ("nothing", 0.0, 0.0, 0.0, ""),
        ("sand", 0.002, 0.001, 0.003, "worse"),
        ("ndvi", 0.0, -0.1, 0.1, "no different"),
    ]
    table = pd.DataFrame(rows, columns=["left_out", "rmse_growth", "ci_low", "ci_high", "verdict"])
    assert "Shown to be needed: sand; no difference is shown for 1 of 2." in finding(table)
