"""Filled against hidden values: the file that a training under P6 leaves, judged by stations."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from vadose.common import InputError, silent
from vadose.validation.hidden import hidden_values
from vadose.validation.opening import open_all
from vadose.validation.options import Options
from vadose.validation.references import Reference, station_references
from vadose.validation.settings import Settings
from vadose.validation.stations import open_stations

LAT, LON = np.array([41.0, 40.5, 40.0]), np.array([-100.0, -99.5])
DAYS = 400


@pytest.fixture(scope="module")
def folder(make: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product, six stations, and a file of hidden, filled and DCT-PLS values with known noise."""
    out = tmp_path_factory.mktemp("hidden")
    field, rng = make["truth"](DAYS, 6).reshape(DAYS, 3, 2), np.random.default_rng(5)
    make["file"](out / "ours.nc", field, LAT, LON)
    shown = rng.random(field.shape) < 0.4
    noise = {"filled": 0.01, "hidden": 0.03, "dct_pls": 0.05}
    parts = {}
    for name, size in noise.items():
        values = np.where(shown, field + size * rng.standard_normal(field.shape), np.nan)
        with xr.open_dataset(make["file"](out / f"{name}.nc", values, LAT, LON)) as one:
            parts[name] = one["sm"].load()
    xr.Dataset(parts).to_netcdf(out / "filled.nc")
    rows, columns = np.unravel_index(np.arange(6), (3, 2))
    make["stations"](out / "stations.nc", field[:, rows, columns].T, LAT[rows], LON[columns])
    return out


def judged(folder: Path, change: Any = None, **options: Any) -> Any:
    settings = Settings(
        product=("ours", str(folder / "ours.nc")), stations=(folder / "stations.nc",), hidden=folder / "filled.nc",
        options=Options(**options),
    )  # fmt: skip
    suite = open_all(settings).suite
    found: tuple[Reference, ...] = station_references(open_stations(folder / "stations.nc"), suite.product, "stations")
    return hidden_values(settings, suite, [change(one) if change else one for one in found], silent)


def test_the_difference_is_that_of_the_noise_of_filled_and_hidden_values(folder: Path) -> None:
    found = judged(folder)
    assert found.stations == 6
    assert found.difference == pytest.approx(0.01 - 0.03, abs=0.002)
    assert found.ci_low < 0.01 - 0.03 < found.ci_high < 0
    assert found.against_dct == "better"


def test_frozen_days_and_stations_of_another_day_do_not_judge(folder: Path) -> None:
    def frozen(one: Reference) -> Reference:
        wrong = one.values.copy()
        wrong[:, :100] = 9.0
        return replace(one, values=wrong, daily={"frozen": (wrong == 9.0).astype("f4")})

    def other_day(one: Reference) -> Reference:
        wrong = one.values.copy()
        wrong[0] = np.sin(np.arange(DAYS))
        return replace(one, values=wrong, conventions=("solar06", *one.conventions[1:]))

    assert judged(folder, frozen).difference == pytest.approx(-0.02, abs=0.003)
    assert judged(folder, other_day).stations == 5
    assert judged(folder, other_day, allow_day_mismatch=True).stations == 6


def test_a_file_without_the_two_variables_is_refused_by_name(folder: Path) -> None:
    with xr.open_dataset(folder / "filled.nc") as opened:
        opened.drop_vars(["hidden", "dct_pls"]).to_netcdf(folder / "half.nc")
    settings = Settings(
        product=("ours", str(folder / "ours.nc")), stations=(folder / "stations.nc",), hidden=folder / "half.nc"
    )
    suite = open_all(settings).suite
    references = station_references(open_stations(folder / "stations.nc"), suite.product, "stations")
    with pytest.raises(InputError, match="no readable variable 'hidden'"):
        hidden_values(settings, suite, references, silent)
