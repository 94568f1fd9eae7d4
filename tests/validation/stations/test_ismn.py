"""ISMN files in all their shapes; no real series, except those of the data pack."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vadose.common import InputError
from vadose.validation.stations import read_stations

HEADER = "NET NET Some_Where 40.00000 -100.00000 300.00 0.05 0.05 Probe X"
NAME = "NET_NET_SomeWhere_sm_0.050000_0.050000_Probe-X_20150101_20150131.stm"


def rows(days: int = 4, value: str = "0.2000", flag: str = "G M") -> list[str]:
    return [f"2015/01/{day:02d} {hour:02d}:00 {value} {flag}" for day in range(1, days + 1) for hour in range(24)]


def write(folder: Path, lines: list[str], header: str = HEADER, name: str = NAME, end: str = "\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(end.join([header, *lines, ""]).encode("latin-1"))
    return folder


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_any_line_end_is_read(tmp_path: Path, end: str) -> None:
    dataset = read_stations([write(tmp_path / "a", rows(), end=end)])
    assert dataset["soil_moisture"].shape == (1, 4)
    np.testing.assert_allclose(dataset["soil_moisture"], 0.2)
    assert str(dataset["station_id"].values[0]) == "NET/Some_Where/0.0500-0.0500/Probe%20X"


def test_the_header_names_the_station_and_the_path_only_locates_it(tmp_path: Path) -> None:
    dataset = read_stations([write(tmp_path / "AdamsRanch#1 & (x), y", rows(), HEADER.replace("Some", "#1&(a),"))])
    assert str(dataset["station_name"].values[0]) == "#1&(a),_Where"
    assert set(str(dataset["key"].values[0])) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2015/01/01 00:00 0.2 C01 M", "flag_C01"), ("2015/01/01 00:00 0.2 D05,C02,D10 M", "flag_D05"),
        ("2015/01/01 00:00 -9999.00000 M M", "missing"), ("2015/01/01 00:00 -999.99 G M", "missing"),
        ("2015/01/01 00:00 0.2 G,D03 Out of WFV average range,OK,OK", "flag_D03"),
        ("2015/01/01 00:00", "row_malformed"), ("2015/13/01 00:00 0.2 G M", "row_malformed"),
        ("2015/01/01 00:00 abc G M", "row_malformed"), ("2015/01/01 01:00 0.2000 G M", "duplicate"),
        ("2015/01/01 00:00 0.2 U M", "flag_unflagged"),
    ],
)  # fmt: skip
def test_a_bad_row_is_charged_to_its_reason(tmp_path: Path, line: str, reason: str, funnel: Any) -> None:
    dataset = read_stations([write(tmp_path, [line, *rows()[1:]])])
    assert funnel.rejected(dataset) == {reason: 1}
    funnel.check(dataset)


def test_values_that_contradict_each_other_are_all_dropped(tmp_path: Path, funnel: Any) -> None:
    dataset = read_stations([write(tmp_path, [*rows(), "2015/01/01 03:00 0.4 G M"])])
    assert funnel.rejected(dataset) == {"duplicate_conflict": 2}
    funnel.check(dataset)


def test_unordered_rows_give_the_same_days(tmp_path: Path) -> None:
    dataset = read_stations([write(tmp_path, rows()[::-1])])
    assert np.isfinite(dataset["soil_moisture"].values).sum() == 4


def test_a_day_needs_three_quarters_of_its_values(tmp_path: Path, funnel: Any) -> None:
    kept = [line for line in rows(3) if not line.startswith("2015/01/02") or int(line[11:13]) >= 7]
    dataset = read_stations([write(tmp_path, kept)])
    assert np.isfinite(dataset["soil_moisture"].values[0]).tolist() == [True, False, True]
    assert funnel.rejected(dataset) == {"day_incomplete": 1}


def test_the_morning_value_is_that_of_the_local_sun(tmp_path: Path) -> None:
    lines = [f"2015/01/{day:02d} {hour:02d}:00 {hour / 100:.4f} G M" for day in (1, 2, 3) for hour in range(24)]
    dataset = read_stations([write(tmp_path, lines, HEADER.replace("-100.0", "-105.0"))])
    # At 105 W it is 06:00 at 13:00 UTC: the mean of 12, 13 and 14 hours.
    np.testing.assert_allclose(dataset["soil_moisture_solar06"].values[0], 0.13, atol=1e-6)


def test_unflagged_values_are_kept_only_on_request(tmp_path: Path, funnel: Any) -> None:
    folder = write(tmp_path, rows(flag="U M"))
    assert funnel.stages(read_stations([folder]))["passed_qc"] == 0
    accepted = read_stations([folder], accept_unflagged=True)
    assert funnel.stages(accepted)["passed_qc"] == 96
    assert str(accepted["flag_dialect"].values[0]) == "legacy"


def test_percent_is_refused_and_never_divided(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="look like percent"):
        read_stations([write(tmp_path, rows(value="21.5"))])


def test_a_truncated_file_costs_only_its_last_row(tmp_path: Path, funnel: Any) -> None:
    write(tmp_path, [*rows(), "2015/01/05 0"])
    assert funnel.rejected(read_stations([tmp_path])) == {"row_malformed": 1}


def test_a_broken_file_costs_that_file_and_no_other(tmp_path: Path) -> None:
    write(tmp_path / "good", rows())
    write(tmp_path / "bad", [], header="no good data here")
    dataset = read_stations([tmp_path])
    assert dataset.sizes["station"] == 1
    assert "header" in dataset.attrs["reader_notes"]


def test_an_empty_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(InputError, match="no station series found"):
        read_stations([tmp_path])


def test_a_broken_archive_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match=r"broken\.zip"):
        read_stations([tmp_path / "broken.zip"])


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"a/{NAME}", b"\0" * 120_000_000)
    with pytest.raises(InputError, match="unpacks to 120 MB"):
        read_stations([tmp_path / "bomb.zip"])


@pytest.mark.parametrize("name", ["../../../", "/etc/", "C:\\\\", "a/../../"])
def test_a_name_that_leads_out_of_a_zip_is_refused_and_the_others_are_read(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        archive.writestr(f"{name}{NAME}", "\n".join([HEADER, *rows(value="0.4")]))
        archive.writestr(f"NET/{NAME}", "\n".join([HEADER, *rows()]))
    before = sorted(tmp_path.rglob("*"))
    dataset = read_stations([tmp_path / "odd.zip"])
    assert sorted(tmp_path.rglob("*")) == before
    np.testing.assert_allclose(dataset["soil_moisture"], 0.2, atol=1e-7)
    assert "leads out of the archive" in dataset.attrs["reader_notes"]


def test_two_sensors_with_one_name_stay_two_stations(tmp_path: Path) -> None:
    write(tmp_path / "a", rows())
    write(tmp_path / "b", rows(value="0.3"))
    dataset = read_stations([tmp_path], sensors="separate")
    assert len(set(dataset["station_id"].values.tolist())) == len(set(dataset["key"].values.tolist())) == 2
    assert read_stations([tmp_path]).sizes["station"] == 1


def test_a_station_with_swapped_coordinates_says_so(tmp_path: Path) -> None:
    dataset = read_stations([write(tmp_path, rows(), HEADER.replace("40.00000 -100.00000", "-100.0 40.0"))])
    assert np.isnan([dataset["lat"].values[0], dataset["lon"].values[0]]).all()
    assert str(dataset["status"].values[0]) == "coordinates_impossible"
    assert "swapped they would be possible" in dataset.attrs["reader_notes"]


def test_the_licence_beside_the_files_decides_about_passing_on(tmp_path: Path) -> None:
    assert not bool(read_stations([write(tmp_path, rows())])["redistributable"].values[0])
    (tmp_path / "card.yaml").write_text("licence: CC0-1.0\npassing_on: true\n")
    free = read_stations([tmp_path])
    assert bool(free["redistributable"].values[0])
    assert str(free["licence"].values[0]) == "CC0-1.0"


def test_static_variables_are_those_of_the_depth_and_the_epoch(tmp_path: Path) -> None:
    write(tmp_path, rows())
    head = (
        "quantity_name;unit;depth_from[m];depth_to[m];value;description;quantity_source_name;quantity_source_timerange"
    )
    lines = [
        head, 'clay fraction;%;0.00;0.30;23.00;;HWSD 30";', "clay fraction;%;0.30;1.00;29.00;;HWSD;",
        "land cover classification;;;;10;Crops;A;1998-2002;", "land cover classification;;;;130;Grass;B;2013-2017;",
        "climate classification;;;;Cfa;Temperate;K;;",
    ]  # fmt: skip
    (tmp_path / "NET_NET_SomeWhere_static_variables.csv").write_text("\r\n".join(lines), encoding="latin-1")
    dataset = read_stations([tmp_path])
    found = {name: dataset[name].values[0] for name in ("clay", "land_cover", "climate")}
    assert found == {"clay": 23.0, "land_cover": "130", "climate": "Cfa"}


GOOD_ROWS = {"ARM-1": (6865, 6514, 333), "Barrow-ARM": (7059, 4963, 258), "fraye": (52045, 50089, 2147)}


def test_the_ismn_package_s_own_files_give_the_published_counts(vadose_data: Path, funnel: Any) -> None:
    dataset = read_stations([vadose_data / "ismn_fixtures" / "Data_seperate_files_20170810_20180809.zip"])
    for station, name in enumerate(dataset["station_name"].values):
        stages = funnel.stages(dataset, station)
        assert (stages["rows_read"], stages["passed_qc"], stages["days"]) == GOOD_ROWS[str(name)]
    funnel.check(dataset)


def test_both_layouts_give_equal_series(vadose_data: Path) -> None:
    folder = vadose_data / "ismn_fixtures" / "zip_archives"
    one, two = (read_stations([folder / name]) for name in ("ceop", "header"))
    np.testing.assert_array_equal(one["soil_moisture"], two["soil_moisture"])
    assert one["station_id"].values.tolist() == two["station_id"].values.tolist()


def test_every_fixture_is_read_and_every_row_counted(vadose_data: Path, funnel: Any) -> None:
    dataset = read_stations([vadose_data / "ismn_fixtures"], accept_unflagged=True, sensors="separate")
    funnel.check(dataset)
    names = dataset["station_name"].values.tolist()
    assert {"Adamclisi", "Narbonne", "AAMU-jtg", "Adams_Ranch_#1", "CST_01"} <= set(names)
    assert funnel.stages(dataset, names.index("Adamclisi"))["passed_qc"] == 172
    assert funnel.stages(dataset, names.index("Narbonne"))["rows_read"] == 741
