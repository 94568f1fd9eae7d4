"""USCRN days, declared tables, and station files made elsewhere."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from vadose.common import InputError, UsageError
from vadose.validation.stations import open_stations, probe, read_stations, station_days, write_stations
from vadose.validation.stations.identity import keys
from vadose.validation.stations.lists import is_station_list
from vadose.validation.stations.sources import members
from vadose.validation.stations.uscrn import standard_offset

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


def test_a_station_without_any_value_stays_with_its_rows_counted(tmp_path: Path, funnel: Any) -> None:
    folder = uscrn(tmp_path / "u")
    path = folder / "Some_Where.csv.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    bare = [line.replace("3061,", "4990,", 1).split(",") for line in text.splitlines()[1:]]
    (folder / "Bare.csv").write_text(
        "\n".join([text.splitlines()[0], *(",".join([*row[:5], *["-99"] * len(row[5:])]) for row in bare)])
    )
    dataset = read_stations([folder])
    assert dataset["status"].values.tolist().count("no_complete_day") == 1
    row = dataset["status"].values.tolist().index("no_complete_day")
    assert (funnel.stages(dataset, row)["rows_read"], funnel.rejected(dataset, row)) == (3, {"missing": 3})
    funnel.check(dataset)


@pytest.mark.parametrize(
    ("lat", "lon", "hours"),
    [(39.1, -96.6, -6), (41.7, -71.5, -5), (40.0, -105.5, -7), (44.4, -121.0, -8), (64.5, -154.1, -9),
     (19.6, -155.1, -10), (71.6, 128.9, 9)],
)  # fmt: skip
def test_standard_time_follows_the_station(lat: float, lon: float, hours: int) -> None:
    assert standard_offset(lat, lon) == hours


def test_a_day_that_does_not_exist_costs_its_row(tmp_path: Path, funnel: Any) -> None:
    folder = uscrn(tmp_path / "u")
    path = folder / "Some_Where.csv.gz"
    text = gzip.decompress(path.read_bytes()).decode() + "\n3061,20150431,-96.61,39.10,10,0.260,-99,-99,-99,-99"
    path.write_bytes(gzip.compress(text.encode()))
    dataset = read_stations([folder])
    assert funnel.rejected(dataset)["row_malformed"] == 1
    funnel.check(dataset)


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


def test_several_stations_places_and_rain_come_from_their_columns(tmp_path: Path, funnel: Any) -> None:
    lines = [
        "date,id,lat,lon,sm,rain,ts",
        "2016-04-01,a,N38.23459,122.4W,21,2.5,9",
        "2016-04-02,a,N38.23459,122.4W,22,,0.2",
    ]
    lines += ["2016-04-01,b,38.5,-122.5,x,0,9", "2016-04-02,b,38.5,-122.5,25,0,9", "2016-04-02,b"]
    (tmp_path / "farm.csv").write_text("\n".join(lines))
    declared = mapping(
        tmp_path / "m.yaml", station=None, station_column="id", lat="lat", lon="lon", precipitation="rain",
        soil_temperature="ts",
    )  # fmt: skip
    dataset = read_stations([tmp_path / "farm.csv"], mapping=declared)
    assert dataset["lat"].values.tolist() == [38.23459, 38.5]
    assert dataset["lon"].values.tolist() == [-122.4, -122.5]
    np.testing.assert_allclose(dataset["precipitation"].values, [[2.5, np.nan], [np.nan, 0]])
    assert dataset["frozen"].values.tolist() == [[0, 1], [-1, 0]]
    assert [funnel.rejected(dataset, k) for k in (0, 1)] == [
        {"own_frozen": 1, "row_malformed": 1},
        {"row_malformed": 1},
    ]
    funnel.check(dataset)


def test_a_logger_table_with_a_header_of_four_lines_is_read(tmp_path: Path) -> None:
    lines = ['"TOA5","CR1000","1"', '"TIMESTAMP","RECORD","VWC_Avg"', '"TS","RN","m^3/m^3"', '"","","Avg"']
    lines += [f'"2016-04-01 {hour:02d}:30:00",{hour},0.2{hour:02d}' for hour in range(24)]
    (tmp_path / "logger.dat").write_text("\n".join(lines))
    declared = mapping(
        tmp_path / "m.yaml", skip_lines=1, skip_after_header=2,
        time={"column": "TIMESTAMP", "formats": ["%Y-%m-%d %H:%M:%S"], "utc_offset": 0},
        values=[{"column": "VWC_Avg", "units": "m3 m-3", "depth_m": [0.05, 0.05]}],
    )  # fmt: skip
    dataset = read_stations([tmp_path / "logger.dat"], mapping=declared)
    np.testing.assert_allclose(dataset["soil_moisture"].values[0], [0.2115], atol=1e-6)


def test_a_table_without_a_header_gets_its_names_from_the_mapping(tmp_path: Path) -> None:
    (tmp_path / "farm.txt").write_text("01.04.2016 24:00  21.0\n02.04.2016 06:00  22.0\n")
    declared = mapping(
        tmp_path / "m.yaml", separator=" ", header=["day", "clock", "sm"],
        time={"column": ["day", "clock"], "formats": ["%d.%m.%Y %H:%M"], "utc_offset": -6},
    )  # fmt: skip
    dataset = read_stations([tmp_path / "farm.txt"], mapping=declared)
    # Midnight of 1 April at UTC-6 is 06 UTC of 2 April; so all values are of that day.
    assert dataset.sizes["time"] == 1
    assert dataset["observation_count"].values.tolist() == [[2]]


def test_limits_of_95_percent_become_a_standard_error(tmp_path: Path) -> None:
    (tmp_path / "farm.csv").write_text("date,sm,low,high\n2016-04-01,21.0,17.08,24.92\n")
    values = [{
        "column": "sm", "units": "percent", "depth_m": [0, 0.3],
        "uncertainty": {"lower": "low", "upper": "high", "sigmas": 1.96},
    }]  # fmt: skip
    dataset = read_stations([tmp_path / "farm.csv"], mapping=mapping(tmp_path / "m.yaml", values=values))
    np.testing.assert_allclose(dataset["standard_error"].values, [[0.02]], atol=1e-6)


def test_the_networks_own_flag_keeps_what_the_mapping_says(tmp_path: Path, funnel: Any) -> None:
    (tmp_path / "farm.csv").write_text("date,sm,ok\n2016-04-01,21.0,0\n2016-04-02,22,3\n")
    declared = mapping(tmp_path / "m.yaml", flag={"column": "ok", "keep": ["0"]})
    assert funnel.rejected(read_stations([tmp_path / "farm.csv"], mapping=declared)) == {"provider_flag": 1}


def test_stations_without_declared_coordinates_say_so(tmp_path: Path) -> None:
    (tmp_path / "farm.csv").write_text("date,sm\n2016-04-01,21.0\n")
    dataset = read_stations([tmp_path / "farm.csv"], mapping=mapping(tmp_path / "m.yaml", lat=None, lon=None))
    assert dataset["status"].values.tolist() == ["no_coordinates"]


def test_a_parquet_table_is_read_as_text_is(tmp_path: Path) -> None:
    frame = pd.DataFrame({"date": pd.to_datetime(["2016-04-01", "2016-04-02"]), "sm": [21.0, np.nan]})
    frame.to_parquet(tmp_path / "farm.parquet")
    dataset = read_stations([tmp_path / "farm.parquet"], mapping=mapping(tmp_path / "m.yaml"))
    np.testing.assert_allclose(dataset["soil_moisture"].values[0], [0.21], atol=1e-7)


def test_a_drafted_mapping_is_refused_until_its_owner_completes_it(tmp_path: Path) -> None:
    lines = ["a title line", "Station,Date,VWC_5cm,VWC_std,Latitude,Longitude"]
    lines += [f"A,{day:02d}.04.2016,{20 + day},1,50.1,8.1" for day in range(1, 29)] + ["A,29.04.2016,-9999,1,50.1,8.1"]
    (tmp_path / "farm.csv").write_text("\n".join(lines))
    draft = probe(tmp_path / "farm.csv")
    assert "looks like percent (values 21 to 48)" in draft
    (tmp_path / "m.yaml").write_text(draft)
    with pytest.raises(UsageError, match=r"network.*utc_offset.*values\.0\.units"):
        read_stations([tmp_path / "farm.csv"], mapping=tmp_path / "m.yaml")
    for line, filled in (
        ("network:", "network: FARM"), ("licence:", "licence: CC0-1.0"), ("redistributable:", "redistributable: true"),
        ("  utc_offset:", "  utc_offset: 0"), ("    units:", "    units: percent"),
        ("    depth_m:", "    depth_m: [0.05, 0.05]"),
    ):  # fmt: skip
        draft = "\n".join(filled if one.startswith(line) else one for one in draft.splitlines())
    (tmp_path / "m.yaml").write_text(draft)
    dataset = read_stations([tmp_path / "farm.csv"], mapping=tmp_path / "m.yaml")
    assert np.isfinite(dataset["soil_moisture"].values).sum() == 28
    assert (float(dataset["lat"].values[0]), str(dataset["station_name"].values[0])) == (50.1, "A")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2016-04-01 00:00;0.21\n2016-04-01 01:00;0.22\n", ["header: [column_1, column_2]", 'separator: \';\'']),
        ('"TOA5","x"\n"TIMESTAMP","VWC"\n"TS","m"\n"","Avg"\n"2016-04-01 00:00:00",0.2\n"2016-04-01 01:00:00",0.3\n',
         ["skip_lines: 1", "skip_after_header: 2", "column: VWC"]),
        ("date\tsm\n2016/04/01\t0.2\n2016/04/02\t0.2\n", ["%Y/%m/%d", "looks like m3 m-3"]),
    ],
)  # fmt: skip
def test_the_draft_finds_separator_header_and_columns(tmp_path: Path, text: str, found: list[str]) -> None:
    (tmp_path / "x.csv").write_text(text)
    draft = probe(tmp_path / "x.csv")
    assert all(word in draft for word in found), draft


def test_a_file_that_is_no_table_has_no_draft(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("no table\nat all\n")
    with pytest.raises(InputError, match=r"x\.csv"):
        probe(tmp_path / "x.csv")


def foreign(path: Path, **changes: Any) -> Path:
    """A file as a user of xarray writes it, with three stations of hostile names."""
    names = np.array(["a/../b", '<script>"x"', "Zürich, #1"], object)
    dataset = xr.Dataset(
        {"theta": (("time", "site"), np.full((4, 3), 0.2), {
            "standard_name": "volume_fraction_of_condensed_water_in_soil", "units": "m3 m-3"})},
        coords={
            "time": np.arange("2016-01-01", "2016-01-05", dtype="M8[D]").astype("M8[ns]"), "site": names,
            "latitude": ("site", [10.0, 20.0, 30.0]), "longitude": ("site", [10.0, 200.0, 30.0]),
        },
    )  # fmt: skip
    for name, value in changes.items():
        dataset = value(dataset) if callable(value) else dataset.assign({name: value})
    dataset.to_netcdf(path)
    return path


def test_keys_of_long_names_stay_short_and_distinct() -> None:
    found = keys(["x" * 300, "x" * 299, "--"])
    assert [len(one) for one in found] == [120, 122, 7]
    assert len(set(found)) == 3


def test_hostile_names_are_kept_and_get_a_safe_key(tmp_path: Path) -> None:
    dataset = open_stations(foreign(tmp_path / "f.nc"))
    assert dataset["station_id"].values.tolist() == ["a/../b", '<script>"x"', "Zürich, #1"]
    assert dataset["key"].values.tolist() == ["a-b", "script-x", "z-rich-1"]
    assert dataset["lon"].values.tolist() == [10.0, -160.0, 30.0]
    assert dataset["soil_moisture"].dims == ("station", "time")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop_vars("latitude"), r"f\.nc.*lat\(site\)"),
        (lambda d: d.rename(latitude="y"), "no latitude"),
        (lambda d: d.assign(theta=d.theta.assign_attrs(units="kg m-2")), r"f\.nc, variable theta"),
        (lambda d: d.assign(theta=(d.theta * 100).assign_attrs(d.theta.attrs)), "percent"),
        (lambda d: d.assign(other=d.theta), "2 variables"),
        (lambda d: d.assign_coords(time=np.arange(4.0)), "no time coordinate"),
        (lambda d: d.assign_coords(time=d.time[[0, 0, 1, 2]].values), "more than one value a day"),
        (lambda d: d.expand_dims(depth=[0.05, 0.1]), "expected a station and a time dimension"),
    ],
)  # fmt: skip
def test_a_foreign_file_is_refused_with_file_variable_and_expectation(
    tmp_path: Path, change: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        open_stations(foreign(tmp_path / "f.nc", change=change))


def test_a_foreign_station_without_a_place_keeps_its_row_and_a_status(tmp_path: Path) -> None:
    path = foreign(tmp_path / "f.nc", change=lambda d: d.assign_coords(latitude=("site", [np.nan, 95.0, 30.0])))
    dataset = open_stations(path)
    assert dataset["status"].values.tolist() == ["no_coordinates", "coordinates_impossible", "ok"]
    assert np.isnan(dataset["lat"].values[:2]).all()


def test_one_station_without_a_station_dimension_is_a_station_file(tmp_path: Path) -> None:
    path = foreign(tmp_path / "f.nc", change=lambda d: d.isel(site=0))
    dataset = open_stations(path)
    assert dataset["soil_moisture"].shape == (1, 4)
    assert dataset["lat"].values.tolist() == [10.0]


def test_declared_percent_is_a_fraction_and_repeated_ids_stay_apart(tmp_path: Path) -> None:
    def change(dataset: xr.Dataset) -> xr.Dataset:
        attributes = {**dataset.theta.attrs, "units": "%"}
        theta = (dataset.theta * 100.0).assign_attrs(attributes)
        return dataset.assign(theta=theta).assign_coords(site=np.array(["a", "a", "b"], object))

    dataset = open_stations(foreign(tmp_path / "f.nc", change=change))
    np.testing.assert_allclose(dataset["soil_moisture"], 0.2, atol=1e-7)
    assert dataset["station_id"].values.tolist() == ["a", "a~2", "b"]


def test_a_depth_in_centimetres_and_words_of_the_stations_are_taken_over(tmp_path: Path) -> None:
    def change(dataset: xr.Dataset) -> xr.Dataset:
        depth = xr.DataArray(5.0, attrs={"standard_name": "depth", "units": "cm"})
        return dataset.assign_coords(
            depth=depth, network=("site", ["N", "N", "M"]), redistributable=("site", [1, 0, 1])
        )

    dataset = open_stations(foreign(tmp_path / "f.nc", change=change))
    assert dataset["depth_class"].values.tolist() == ["surface"] * 3
    assert dataset["network"].values.tolist() == ["N", "N", "M"]
    assert dataset["redistributable"].values.tolist() == [1, 0, 1]


def test_a_station_dataset_of_another_layout_is_refused_with_the_command_that_renews_it(tmp_path: Path) -> None:
    dataset = read_stations([uscrn(tmp_path / "u")]).assign_attrs(vadose_stations=1)
    write_stations(dataset, tmp_path / "old.nc")
    with pytest.raises(InputError, match="layout 1, this program reads layout 2.*vadose ingest stations"):
        open_stations(tmp_path / "old.nc")


def test_a_table_of_places_without_names_is_no_list_of_stations(tmp_path: Path) -> None:
    for name, head, known in (("a.csv", "latitude,longitude,altitude", False), ("b.csv", "station,lat,lon", True)):
        (tmp_path / name).write_text(f"{head}\n1,2,3\n")
        (member,) = members(tmp_path / name)
        assert is_station_list(member, member.head()) == known
