"""USCRN days, declared tables, and station files made elsewhere."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml

from vadose.common import InputError, UsageError
from vadose.validation.stations import open_stations, read_stations, station_days, write_stations

COLUMNS = "WBANNO,LST_DATE,LONGITUDE,LATITUDE,T_DAILY_MEAN," + ",".join(
    f"SOIL_MOISTURE_{depth}_DAILY" for depth in (5, 10, 20, 50, 100)
)


def uscrn(folder: Path) -> Path:
    lines = [
        COLUMNS, "3061,20150401,-96.61,39.10,-9999.0,0.250,-99,-99,-99,-99",
        "3061,20150402,-96.61,39.10,10,-99.0,-99,-99,-99,-99", "3061,20150403,-96.61,39.10,10,0.260,-99,-99,-99,-99",
    ]  # fmt: skip
    folder.mkdir()
    (folder / "Some_Where.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder


def test_uscrn_days_are_local_and_both_missing_codes_are_missing(tmp_path: Path) -> None:
    dataset = read_stations([uscrn(tmp_path / "u")])
    assert dataset.sizes == {"station": 1, "time": 3, "stage": 9, "reason": 1, "flag": 0}
    np.testing.assert_allclose(dataset["soil_moisture"].values[0], [0.25, np.nan, 0.26])
    assert str(dataset["day_convention"].values[0]) == "local_standard"
    assert float(dataset["utc_offset"].values[0]) == -6.0
    assert str(dataset["station_id"].values[0]).endswith("WBAN-03061")


def test_a_station_dataset_comes_back_as_it_was_written(tmp_path: Path) -> None:
    dataset = read_stations([uscrn(tmp_path / "u")])
    for name in ("one.nc", "two.nc"):
        write_stations(dataset, tmp_path / name)
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "two.nc").read_bytes()
    back = open_stations(tmp_path / "one.nc")
    np.testing.assert_array_equal(back["soil_moisture"], dataset["soil_moisture"])
    np.testing.assert_array_equal(back["funnel"], dataset["funnel"])
    assert str(station_days(back)[0]) == "2015-04-01"


def mapping(path: Path, **changes: Any) -> Path:
    values = {
        "network": "FARM", "licence": "CC-BY-4.0", "redistributable": True, "station": "field", "lat": 50.0, "lon": 8.0,
        "time": {"column": "date", "formats": ["%Y-%m-%d", "%d-%b-%y"], "utc_offset": 0},
        "values": [{"column": "sm", "units": "percent", "depth_m": [0.0, 0.05], "missing": [-99, -9999]}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump({**values, **changes}))
    return path


def test_a_declared_table_with_two_date_styles_and_two_missing_codes_is_read(tmp_path: Path) -> None:
    table = tmp_path / "farm.csv"
    table.write_text(
        "﻿a title line\ndate,sm\n2016-04-01,21.0\n02-Apr-16,-99\n2016-04-03,-9999\n2016-04-04,23.0\n2016-04-05,\n"
    )
    dataset = read_stations([table], mapping=mapping(tmp_path / "m.yaml", skip_lines=1))
    np.testing.assert_allclose(dataset["soil_moisture"].values[0], [0.21, np.nan, np.nan, 0.23])
    assert bool(dataset["redistributable"].values[0])


def test_a_fraction_that_is_percent_is_refused(tmp_path: Path) -> None:
    (tmp_path / "farm.csv").write_text("date,sm\n2016-04-01,21.0\n2016-04-02,22\n")
    values = [{"column": "sm", "units": "m3 m-3", "depth_m": [0.0, 0.05]}]
    with pytest.raises(InputError, match="percent"):
        read_stations([tmp_path / "farm.csv"], mapping=mapping(tmp_path / "m.yaml", values=values))


def test_a_time_without_declared_offset_is_refused(tmp_path: Path) -> None:
    (tmp_path / "farm.csv").write_text("date,sm\n2016-04-01,21.0\n")
    with pytest.raises(UsageError, match="utc_offset"):
        read_stations([tmp_path / "farm.csv"], mapping=mapping(tmp_path / "m.yaml", time={"column": "date"}))


def test_an_unknown_key_and_a_missing_column_are_named(tmp_path: Path) -> None:
    (tmp_path / "farm.csv").write_text("date,moisture\n2016-04-01,21.0\n")
    with pytest.raises(UsageError, match="unitz"):
        read_stations([tmp_path / "farm.csv"], mapping=mapping(tmp_path / "m.yaml", unitz=1))
    with pytest.raises(InputError, match="no column 'sm'"):
        read_stations([tmp_path / "farm.csv"], mapping=mapping(tmp_path / "m.yaml"))


def test_a_time_series_file_made_elsewhere_is_a_station_file(tmp_path: Path, make: Any) -> None:
    values = np.array([[0.1, 0.2, np.nan], [0.3, 0.4, 0.5]])
    dataset = open_stations(make["stations"](tmp_path / "x.nc", values, np.array([40.0, 41.0]), np.array([260.0, 8.0])))
    np.testing.assert_allclose(dataset["soil_moisture"], values, atol=1e-7)
    assert dataset["station_id"].values.tolist() == ["net/s0", "net/s1"]
    assert dataset["lon"].values.tolist() == [-100.0, 8.0]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"units": "kg m-2"}, "kg m-2.*expected 'm3 m-3'.*soil_moisture"),
        ({"standard_name": "soil_temperature"}, "standard_name"),
    ],
)
def test_a_foreign_station_file_is_refused_with_the_reason(
    tmp_path: Path, make: Any, attributes: dict[str, str], message: str
) -> None:
    path = make["stations"](tmp_path / "x.nc", np.full((1, 3), 0.2), np.array([40.0]), np.array([8.0]))
    with xr.open_dataset(path) as opened:
        dataset = opened.load()
    dataset["soil_moisture"].attrs.update(attributes)
    dataset.to_netcdf(tmp_path / "y.nc")
    with pytest.raises(InputError, match=message):
        open_stations(tmp_path / "y.nc")


def test_a_truncated_station_file_is_refused_by_name(tmp_path: Path, make: Any) -> None:
    path = make["stations"](tmp_path / "x.nc", np.full((1, 3), 0.2), np.array([40.0]), np.array([8.0]))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"x\.nc"):
        open_stations(path)


def test_uscrn_manhattan_has_its_published_counts(vadose_data: Path, funnel: Any) -> None:
    dataset = read_stations([vadose_data / "uscrn_manhattan"])
    top = dataset.isel(station=0)
    values = top["soil_moisture"].values
    assert str(top["depth_class"].values) == "surface"
    assert dataset["funnel"].values[0, 0] == 5118
    assert funnel.stages(dataset)["not_missing"] == 2841
    # Frost below 1 degree C and the like are taken by our own checks; rows before them are those of the file.
    assert np.isfinite(values).sum() == 2841 - 109
    assert float(np.nanmin(values)) == pytest.approx(0.085)
