"""From a training under P6 to the gate `gap_days`: stations judge what was hidden and what fills it."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.grids import box
from vadose.producer.training.filled import write_filled
from vadose.producer.training.splits import make_folds

from .conftest import RECIPES, vadose

DAYS = np.arange("2015-04-01", "2018-04-01", dtype="datetime64[D]")
NOISE = 0.02


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """Soil moisture of 40 cells that remembers rain, (time, cell)."""
    generator = np.random.default_rng(0)
    rain = generator.gamma(0.2, 8.0, (DAYS.size, 40))
    store = np.zeros_like(rain)
    for t in range(1, DAYS.size):
        store[t] = 0.9 * store[t - 1] + rain[t]
    return np.asarray(0.08 + 0.25 * np.tanh(store / 40))


@pytest.fixture(scope="module")
def cube(truth: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Cube:
    """Retrievals of the truth, with noise of 0.02, in a workspace."""
    generator = np.random.default_rng(1)
    index = np.arange(0, 80, 2) * 20
    path = tmp_path_factory.mktemp("gaps") / "cubes" / "cells.zarr"
    with new_cube(path, box("0P25DEG", 0, 20, 20, 40), index, DAYS, title="cells") as writer:
        values = truth + generator.normal(0, NOISE, truth.shape)
        writer.add("smap_sm_am", values.astype("f4"))
    return open_cube(path)


@pytest.mark.parametrize(("noise", "passes"), [(0.012, True), (0.035, False)])
def test_stations_judge_what_fills_the_hidden_days(
    truth: np.ndarray, cube: Cube, tmp_path: Path, noise: float, passes: bool
) -> None:
    mask = make_folds("P6-15d", cube, "smap_sm_am")[0].mask("test")
    filled = truth + np.random.default_rng(2).normal(0, noise, truth.shape)
    write_filled(tmp_path / "filled.nc", cube, "smap_sm_am", "P6-15d",
                 np.where(mask, filled, np.nan).astype("f4"), None)  # fmt: skip
    stations(truth, cube).to_netcdf(tmp_path / "stations.nc")
    values = yaml.safe_load((RECIPES / "simulated-tssmnet.yaml").read_text())
    values["gates"] = [{"name": "gap_days", "level": "required"}]
    (tmp_path / "gaps.yaml").write_text(yaml.safe_dump(values))
    done = vadose(
        *("validate", "--recipe", str(tmp_path / "gaps.yaml"), "--product", f"cells={cube.path}::smap_sm_am"),
        *("--stations", str(tmp_path / "stations.nc"), "--hidden", str(tmp_path / "filled.nc")),
        *("--out", str(tmp_path / "run")),
        workspace=tmp_path, code=0 if passes else 4,
    )  # fmt: skip
    gates = json.loads((tmp_path / "run" / "verdict.json").read_text())["gates"]
    gate = next(one for one in gates if one["name"] == "gap_days")
    assert gate["passed"] == passes, done.stdout
    assert "at 40 stations" in gate["reason"]
    assert gate["figure"] == pytest.approx(noise - NOISE, abs=0.001)


def stations(truth: np.ndarray, cube: Cube) -> xr.Dataset:
    """A sensor without error in every cell, as any tool would write it."""
    names = [f"s{k}" for k in range(truth.shape[1])]
    return xr.Dataset(
        {"soil_moisture": (("station", "time"), truth.T.astype("f4"),
                           {"standard_name": "volume_fraction_of_condensed_water_in_soil", "units": "m3 m-3",
                            "long_name": "soil moisture at 06:00 local solar time"})},
        coords={"time": DAYS.astype("datetime64[ns]"), "lat": ("station", cube.lat, {"units": "degrees_north"}),
                "lon": ("station", cube.lon, {"units": "degrees_east"}),
                "station_id": ("station", names, {"cf_role": "timeseries_id"}),
                "depth": ((), 0.025, {"standard_name": "depth", "units": "m", "positive": "down"})},
        attrs={"Conventions": "CF-1.11", "featureType": "timeSeries"},
    )  # fmt: skip
