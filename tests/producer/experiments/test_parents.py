"""Merging with a known truth: errors that are known come out, and two land models in a triplet mislead it."""

import json

import netCDF4
import numpy as np
import pandas as pd
import pytest

from vadose.producer.cube import new_cube
from vadose.producer.experiments import parents
from vadose.producer.experiments.parents import main, true_covariance
from vadose.producer.grids import Grid

DAYS = np.arange(np.datetime64("2015-04-01"), np.datetime64("2018-03-31"))
GRID = Grid("0P25DEG", 190, 196, 560, 566)
ERRORS = {"smap_sm_am": 0.03, "ascat_ssm": 0.04, "land_model_a_sm": 0.045, "land_model_b_sm": 0.05}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """The tables of a land whose products have errors that are known; both land models share most of theirs."""
    folder = tmp_path_factory.mktemp("parents")
    rng = np.random.default_rng(1)
    size = GRID.shape[0] * GRID.shape[1]
    truth = (0.25 + 0.06 * rng.standard_normal((DAYS.size, size))).astype("f4")
    shared = rng.standard_normal(truth.shape)
    with new_cube(folder / "c.zarr", GRID, np.arange(size), DAYS, title="parents") as cube:
        for name, error in ERRORS.items():
            own = rng.standard_normal(truth.shape)
            noise = error * (0.8 * shared + 0.6 * own if "model" in name else own)
            values = truth + noise
            cube.add(name, (values * 180 if name == "ascat_ssm" else values).astype("f4"))
    (folder / "world" / "truth").mkdir(parents=True)
    with netCDF4.Dataset(folder / "world" / "truth" / "truth.nc", "w") as file:
        for name, values in (("time", DAYS.astype("i8")), ("lat", GRID.lat), ("lon", GRID.lon)):
            file.createDimension(name, len(values))
            file.createVariable(name, "f8", (name,))[:] = values
        file.createVariable("soil_moisture", "f4", ("time", "lat", "lon"))[:] = truth.reshape(-1, *GRID.shape)
    main(folder / "c.zarr", folder / "world", folder / "out", "a command")
    about = json.loads((folder / "out" / "parents.json").read_text())
    return {name: pd.read_parquet(folder / "out" / f"{name}.parquet") for name in about["tables"]}


def test_a_clean_triplet_tells_the_errors_that_were_made(tables: dict[str, pd.DataFrame]) -> None:
    rows = tables["parents_errors"].set_index(["triplet", "parent"]).loc[parents.CLEAN]
    for name, error in list(ERRORS.items())[:3]:
        row = rows.loc[parents.NAMES[name]]
        assert row["error"] == pytest.approx(error, rel=0.06)
        assert row["true_error"] == pytest.approx(error, rel=0.06)
        assert row["true_r"] == pytest.approx(0.06 / np.hypot(0.06, error), rel=0.03)
    weights = 1 / np.array(list(ERRORS.values())[:3]) ** 2
    assert rows["weight"].to_numpy() == pytest.approx(weights / weights.sum(), abs=0.03)


def test_two_land_models_look_too_good_and_the_radiometer_too_bad(tables: dict[str, pd.DataFrame]) -> None:
    rows = tables["parents_errors"].set_index(["triplet", "parent"])["error_ratio"].loc[parents.LAND_MODELS]
    assert rows["land model A"] < 0.9
    assert rows["land model B"] < 0.9
    assert rows["radiometer"] > 1.1
    four = tables["parents_errors"].set_index(["triplet", "parent"])["error_ratio"].loc[parents.FOUR]
    assert four.to_numpy() == pytest.approx(1.0, abs=0.1)


def test_the_merge_is_nearer_to_the_truth_than_mean_and_parents(tables: dict[str, pd.DataFrame]) -> None:
    scores = tables["parents_scores"].query("step == 'daily'").set_index("field")["ubrmsd"]
    assert scores.idxmin() in (parents.CLEAN, "weights by season", parents.FOUR)
    assert scores[parents.CLEAN] < scores["plain mean"] < scores["radiometer"]
    expected = 1 / np.sqrt(sum(1 / error**2 for error in list(ERRORS.values())[:3]))
    assert scores[parents.CLEAN] == pytest.approx(expected, rel=0.05)
    pairs = tables["parents_pairs"].set_index("pair")["r"]
    assert pairs.idxmax() == "land model A, land model B"


def test_true_errors_are_those_of_a_regression_on_the_truth() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(0.2, 0.05, (500, 1))
    scaled = np.stack([0.7 * truth + 0.1 + rng.normal(0, 0.02, truth.shape), truth + rng.normal(0, 0.03, truth.shape)])
    there = rng.random((500, 1)) < 0.8
    found = true_covariance(scaled, truth, there)[0]
    left = []
    for one in scaled:
        line = np.polyfit(truth[there], one[there], 1)
        left.append(one[there] - np.polyval(line, truth[there]))
    assert found == pytest.approx(np.cov(left, ddof=0), abs=1e-10)
