"""Successive sensors at one place: a change of level is no signal that a product could correlate with."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vadose.statistics import Pairing, difference, metric
from vadose.validation.comparisons import Pair, differences
from vadose.validation.levels import levelled
from vadose.validation.network import Network
from vadose.validation.run import run_validation
from vadose.validation.scores import Sample, score
from vadose.validation.settings import Settings
from vadose.validation.stations import LAYOUT, open_stations, write_stations

DAYS, STEP = 800, 0.2
KEYS = {"product": "ours", "version": "1", "reference": "stations", "subset": "own", "split": "P1"}


def series() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Product, reference whose second sensor reads too wet, and numbers of sensors; the second station has one."""
    rng = np.random.default_rng(6)
    true = 0.25 + 0.03 * rng.standard_normal((2, DAYS))
    sensors = np.zeros((2, DAYS))
    sensors[0, 500:] = 1.0
    x, r = (true + 0.01 * rng.standard_normal(true.shape) for _ in range(2))
    x[:, ::7] = np.nan
    return x, r + STEP * sensors, sensors


def test_every_sensor_has_the_mean_of_the_station_and_one_sensor_is_left_alone() -> None:
    x, r, sensors = series()
    found = levelled(r, np.isfinite(x), sensors)
    days = np.isfinite(x[0])
    parts = [found[0][days & (sensors[0] == number)].mean() for number in (0, 1)]
    np.testing.assert_allclose(parts, r[0][days].mean(), rtol=1e-12)
    np.testing.assert_array_equal(found[1], r[1])
    assert levelled(r, np.isfinite(x), None) is r


def test_r_is_that_within_sensors_while_bias_and_rmse_see_the_step() -> None:
    x, r, sensors = series()
    sample = Sample(x, r, KEYS, np.ones(2), np.array(["a", "b"]), sensors=sensors)
    which = (("bias", "raw"), ("rmse", "raw"), ("r", "raw"), ("rho", "raw"), ("r", "anomaly_35d"))
    found = {
        (one.metric.name, one.signal): one.estimate.value
        for one in score(sample, Network(np.arange(2), ()), which, intervals=True)
    }
    assert set(found) == set(which)
    days = np.isfinite(x[0])
    a, b = x[0][days], r[0][days]
    second = sensors[0][days] == 1
    for one in (a, b):
        one[second] += one[~second].mean() - one[second].mean()
    np.testing.assert_allclose(found["r", "raw"][0], np.corrcoef(a, b)[0, 1], rtol=1e-9)
    np.testing.assert_allclose(found["r", "raw"], found["r", "raw"][1], atol=0.03)
    np.testing.assert_allclose(found["rho", "raw"], found["rho", "raw"][1], atol=0.04)
    np.testing.assert_allclose(found["bias", "raw"][0], np.nanmean(x[0] - r[0]), rtol=1e-9)
    assert found["rmse", "raw"][0] > 0.1 > found["rmse", "raw"][1]


def test_two_products_are_compared_within_sensors_in_r_and_with_the_step_in_mse() -> None:
    x, r, sensors = series()
    rival = x + 0.02 * np.random.default_rng(1).standard_normal(x.shape)
    found = {(one.metric.name, one.signal): one.found for one in differences(
        Pair.of(x, rival, r, sensors), Network(np.arange(2), ()))}  # fmt: skip
    matched = np.isfinite(x)
    level = [levelled(one, matched, sensors) for one in (x, rival, np.where(matched, r, np.nan))]
    expected = difference(metric("r"), Pairing.of(level[0], level[2]), Pairing.of(level[1], level[2]))
    np.testing.assert_allclose(found["r", "raw"].value, expected.value, rtol=1e-12)
    plain = difference(metric("mse"), Pairing.of(x, r), Pairing.of(rival, r))
    np.testing.assert_allclose(found["mse", "raw"].value, plain.value, rtol=1e-9)


def test_a_run_on_joined_sensors_gives_the_r_of_the_single_ones(small: Path, tmp_path: Path, make: Any) -> None:
    moved = open_stations(small / "stations.nc").copy(deep=True)
    index = np.zeros(moved["soil_moisture"].shape, np.int8)
    index[:, 400:] = 1
    moved["soil_moisture"].values[:, 400:] += STEP
    moved["sensor_index"] = (("station", "time"), index)
    moved.attrs["vadose_stations"] = LAYOUT
    write_stations(moved, tmp_path / "joined.nc")
    found = {}
    for name, path in (("plain", small / "stations.nc"), ("joined", tmp_path / "joined.nc")):
        given = Settings(product=("ours", str(small / "rival.nc")), stations=(path,))
        run_validation(given, tmp_path / name)
        rows = pd.read_parquet(tmp_path / name / "scores.parquet")
        rows = rows[rows["stratum_kind"].eq("station") & rows["subset"].eq("own") & rows["product"].eq("ours")]
        found[name] = rows[rows["signal"].eq("raw")].set_index(["metric", "stratum"])["value"]
    np.testing.assert_allclose(found["joined"]["r"], found["plain"]["r"], atol=0.06)
    assert (found["joined"]["bias"] < found["plain"]["bias"] - 0.08).all()
