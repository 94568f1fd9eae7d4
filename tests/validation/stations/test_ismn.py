"""ISMN files in all their shapes; no real series, except those of the data pack."""

import json
import zipfile
from calendar import monthrange
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vadose.common import InputError
from vadose.validation.stations import read_stations
from vadose.validation.stations.ismn import flag_dialect
from vadose.validation.stations.lines import split_lines

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
        ("2915/01/01 00:00 0.2 G M", "row_malformed"), ("0215/01/01 00:00 0.2 G M", "row_malformed"),
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


def test_the_share_of_a_complete_day_is_a_setting(tmp_path: Path) -> None:
    folder = write(tmp_path, [line for line in rows(3) if not line.startswith("2015/01/02") or int(line[11:13]) >= 7])
    assert np.isfinite(read_stations([folder], day_share=0.7)["soil_moisture"].values).all()


def test_point_sensors_of_a_neutron_network_stay_points(tmp_path: Path) -> None:
    write(tmp_path, rows(), HEADER.replace("NET NET", "COSMOS-UK COSMOS-UK"))
    write(tmp_path, rows(), HEADER.replace("NET NET", "COSMOS COSMOS"), NAME.replace("NET", "COSMOS"))
    dataset = read_stations([tmp_path])
    kinds = dict(zip(dataset["network"].values.tolist(), dataset["footprint_kind"].values.tolist(), strict=True))
    assert kinds == {"COSMOS": "cosmic-ray", "COSMOS-UK": "point"}


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


def test_one_value_above_one_is_out_of_range_and_no_percent(tmp_path: Path, funnel: Any) -> None:
    dataset = read_stations([write(tmp_path, ["2015/01/01 00:00 0.2 G M", "2015/01/01 01:00 7.5 G M", *rows()[2:5]])])
    assert funnel.rejected(dataset)["own_range"] == 1


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


def test_the_nearest_card_above_a_file_states_its_licence(tmp_path: Path) -> None:
    write(tmp_path / "a" / "NET", rows())
    write(tmp_path / "b" / "NET", rows(), HEADER.replace("Some", "Other"))
    (tmp_path / "card.yaml").write_text("licence: CC-BY-4.0\npassing_on: true\n")
    (tmp_path / "b" / "card.yaml").write_text("licence: mine\n")
    dataset = read_stations([tmp_path])
    assert dataset["licence"].values.tolist() == ["mine", "CC-BY-4.0"]
    assert dataset["redistributable"].values.tolist() == [0, 1]
    one = read_stations([tmp_path / "b" / "NET" / NAME])
    assert not bool(one["redistributable"].values[0])


def test_static_variables_are_those_of_the_depth_and_the_epoch(tmp_path: Path) -> None:
    write(tmp_path, rows())
    head = (
        "quantity_name;unit;depth_from[m];depth_to[m];value;description;quantity_source_name;quantity_source_timerange"
    )
    lines = [
        head, "organic carbon;;;;77;;C;2015-2015;",
        'clay fraction;%;0.00;0.30;23.00;;HWSD 30";', "clay fraction;%;0.30;1.00;29.00;;HWSD;",
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


CEOP = "2015/01/{day:02d} {hour:02d}:00 2015/01/{day:02d} {hour:02d}:10 NET NET Some_Where 40.0 -100.0 300.0"


def ceop_rows(tail: str) -> list[str]:
    return [f"{CEOP.format(day=day, hour=hour)} {tail}" for day in range(1, 5) for hour in range(24)]


def test_ceop_rows_repeat_the_header_and_their_first_stamp_counts(tmp_path: Path, funnel: Any) -> None:
    lines = ceop_rows("0.05 0.05 0.2000 G M")
    lines[0] = lines[0].replace("2015/01/01 00:00 2015/01/01 00:10", "2015/01/09 00:00 2015/01/01 00:00")
    (tmp_path / NAME).write_text("\n".join(lines))
    dataset = read_stations([tmp_path])
    assert dataset.sizes["time"] == 9
    assert str(dataset["station_id"].values[0]) == "NET/Some_Where/0.0500-0.0500/Probe-X"
    funnel.check(dataset)


@pytest.mark.parametrize(
    ("depths", "words"), [((0.05, 0.3), "{0}"), ((0.05, 0.3), "{0} {0}"), ((0.05, 0.3), "0.00 {0}")]
)
def test_the_old_combined_layout_gives_a_sensor_of_each_depth(
    tmp_path: Path, funnel: Any, depths: tuple[float, float], words: str
) -> None:
    lines = [
        line for depth, value in zip(depths, (0.2, 0.3), strict=True)
        for line in ceop_rows(f"{words.format(depth)} 11.20 U {value:.3f} G")
    ]  # fmt: skip
    lines[3] = lines[3].replace("0.200 G", "-999.99 M")
    (tmp_path / "NET_NET_SomeWhere_20150101_20150131.stm").write_text("\r\n".join(sorted(lines)))
    dataset = read_stations([tmp_path])
    assert dataset["depth_to"].values.tolist() == list(depths)
    np.testing.assert_allclose(dataset["soil_moisture"].values, [[0.2] * 4, [0.3] * 4], atol=1e-6)
    assert funnel.rejected(dataset) == {"missing": 1}
    funnel.check(dataset)


def test_rows_of_four_to_twelve_words_keep_their_flag(tmp_path: Path, funnel: Any) -> None:
    tails = ["G", "G M", "G Out of WFV average range,OK,OK", "G >= 0.5, limit, a b c d e f", "D01,D03 x y"]
    lines = [f"2015/01/01 {hour:02d}:00 0.2 {tail}" for hour, tail in enumerate(tails)]
    dataset = read_stations([write(tmp_path, [*lines, *rows()[len(tails) :]])])
    assert funnel.rejected(dataset) == {"flag_D01": 1}
    flags = dict(zip(dataset["flag"].values.tolist(), dataset["flag_counts"].values[0].tolist(), strict=True))
    assert flags == {"D01": 1, "D03": 1, "G": 95}


@pytest.mark.parametrize(
    ("words", "sensor"),
    [
        ("Stevens Hydraprobe II Sdi-12", "Stevens Hydraprobe II Sdi-12"), ("'Meter-5TM'", "Meter-5TM"),
        ("", "Probe-X_1_1"),
    ],
)  # fmt: skip
def test_what_follows_five_numbers_is_the_sensor(tmp_path: Path, words: str, sensor: str) -> None:
    name = NAME.replace("Probe-X", "Probe-X_1_1").replace("20150101", "19500101")
    dataset = read_stations([write(tmp_path, rows(), HEADER.replace("Probe X", words), name)])
    assert str(dataset["sensor"].values[0]) == sensor
    # The span is that of the rows, whatever the name says.
    assert dataset.sizes["time"] == 4


def test_header_and_file_name_may_differ_and_a_note_says_so(tmp_path: Path) -> None:
    write(tmp_path, rows(), HEADER.replace("Some_Where", "Elsewhere"))
    dataset = read_stations([tmp_path])
    assert str(dataset["station_name"].values[0]) == "Elsewhere"
    assert "the header names NET, Elsewhere; the file NET_NET_SomeWhere" in dataset.attrs["reader_notes"]
    same = read_stations([write(tmp_path / "b", rows(), HEADER.replace("Some_Where", "SomeWhere"))])
    assert "the header names" not in same.attrs["reader_notes"]


def test_the_network_is_that_of_the_header_in_an_extra_folder_and_flat(tmp_path: Path) -> None:
    other = HEADER.replace("NET NET Some", "OTHER OTHER Some")
    for folder in ("Data_20150101/NET/SomeWhere", "flat"):
        write(tmp_path / folder, rows())
        write(tmp_path / folder, rows(), other, NAME.replace("NET", "OTHER"))
    for folder in ("Data_20150101", "flat"):
        dataset = read_stations([tmp_path / folder])
        assert dataset["network"].values.tolist() == ["NET", "OTHER"]
        assert json.loads(dataset.attrs["reader_notes"])["networks"] == ["NET", "OTHER"]


def test_a_zip_of_zips_and_its_unpacked_folder_are_the_same(tmp_path: Path) -> None:
    write(tmp_path / "folder", rows())
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as archive:
        archive.write(tmp_path / "folder" / NAME, f"top/NET/{NAME}")
        archive.writestr("__MACOSX/._x.stm", b"litter")
        archive.writestr("top/.DS_Store", b"litter")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(tmp_path / "inner.zip", "inner.zip")
    one, two = (read_stations([tmp_path / name]) for name in ("folder", "outer.zip"))
    np.testing.assert_array_equal(one["soil_moisture"], two["soil_moisture"])
    assert one["source_sha256"].values.tolist() == two["source_sha256"].values.tolist()
    assert two.attrs["files_ignored"] == 0


def test_litter_is_ignored_and_a_missing_static_file_is_said(tmp_path: Path) -> None:
    write(tmp_path, rows())
    (tmp_path / "Thumbs.db").write_bytes(b"\0")
    (tmp_path / "Readme.txt").write_text("read me")
    dataset = read_stations([tmp_path])
    assert dataset.attrs["files_ignored"] == 1
    assert str(dataset["status"].values[0]) == "metadata_missing"
    assert str(dataset["land_cover"].values[0]) == "unknown"


@pytest.mark.parametrize("depth", ["0.00 0.05", "0.05 0.05", "0.0508 0.0508", "0.025 0.025", "0.02 0.02", "0.0 0.0"])
def test_five_centimetres_written_in_any_way_are_the_surface(tmp_path: Path, depth: str) -> None:
    dataset = read_stations([write(tmp_path, rows(), HEADER.replace("0.05 0.05", depth))])
    assert str(dataset["depth_class"].values[0]) == "surface"


@pytest.mark.parametrize(
    ("place", "status"),
    [
        ("NaN NaN", "no_coordinates"), ("-9999.0 -9999.0", "no_coordinates"), ("40.0 400.0", "coordinates_impossible"),
        ("40.0 260.0", "metadata_missing"),
    ],
)  # fmt: skip
def test_a_station_without_coordinates_stays_with_its_status(tmp_path: Path, place: str, status: str) -> None:
    write(tmp_path / "a", rows(value="0.3"), HEADER.replace("40.00000 -100.00000", place).replace("Some", "Any"))
    write(tmp_path / "b", rows())
    dataset = read_stations([tmp_path])
    assert dataset["status"].values.tolist() == [status, "metadata_missing"]
    assert dataset["lon"].values[1] == -100.0
    np.testing.assert_allclose(dataset["soil_moisture"].values[1], 0.2, atol=1e-7)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty.*byte 0"), (b"a b c\n", "header has 3 words.*byte 0"), (b"\0\xff" * 99, "header has 1 words"),
     (HEADER.encode() + b"\nnothing here\n", r"no row can be read.*byte 64"),
     (HEADER.replace("40.0", "x40.0").encode() + b"\n2015/01/01 00:00 0.2 G M", "three names and five numbers")],
)  # fmt: skip
def test_a_broken_file_is_named_with_the_byte_where_it_breaks(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_stations([tmp_path])


def test_a_zip_bomb_costs_itself_and_not_the_others(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"a/{NAME}", b"\0" * 120_000_000)
        archive.writestr(f"b/{NAME}", "\n".join([HEADER, *rows()]))
    dataset = read_stations([tmp_path])
    assert dataset.sizes["station"] == 1
    assert "zip bomb" in dataset.attrs["reader_notes"]


def test_one_observation_and_equal_values_are_read_as_they_are(tmp_path: Path, funnel: Any) -> None:
    write(tmp_path / "a", ["2015/01/01 00:00 0.21 G M"])
    write(tmp_path / "b", rows(), HEADER.replace("Some", "Equal"))
    dataset = read_stations([tmp_path])
    assert [funnel.stages(dataset, k)["in_series"] for k in (0, 1)] == [4, 1]
    funnel.check(dataset)


def test_an_impossible_value_that_the_network_let_pass_is_ours_to_reject(tmp_path: Path, funnel: Any) -> None:
    lines = [*rows(20)[:-2], "2015/01/20 22:00 -0.01 G M", "2015/01/20 23:00 1.70 G M"]
    dataset = read_stations([write(tmp_path, lines)])
    assert funnel.rejected(dataset) == {"own_range": 2}
    funnel.check(dataset)


def test_frost_flags_and_rain_beside_make_daily_series(tmp_path: Path) -> None:
    lines = [line.replace(" G M", " D01 M") if line.startswith("2015/01/02 03") else line for line in rows()]
    write(tmp_path, lines)
    rain = [line.replace("0.2000", "0.0" if line.startswith("2015/01/02") else "1.5") for line in rows(3)]
    write(tmp_path, rain, name=NAME.replace("_sm_", "_p_"))
    dataset = read_stations([tmp_path])
    assert dataset.sizes["station"] == 1
    assert dataset["frozen"].values[0].tolist() == [0, 1, 0, 0]
    np.testing.assert_allclose(dataset["precipitation"].values[0], [36, 0, 36, np.nan])


def test_only_the_days_asked_for_are_kept_and_the_others_counted(tmp_path: Path, funnel: Any) -> None:
    period = np.datetime64("2015-01-02"), np.datetime64("2015-01-03")
    dataset = read_stations([write(tmp_path, rows())], period=period)
    assert dataset.sizes["time"] == 2
    assert funnel.rejected(dataset) == {"outside_period": 48}
    funnel.check(dataset)


def test_no_other_variable_of_the_network_is_taken_for_soil_moisture(tmp_path: Path) -> None:
    write(tmp_path, rows())
    write(tmp_path, rows(value="11.2"), name=NAME.replace("_sm_", "_ts_"))
    assert read_stations([tmp_path]).sizes["station"] == 1


def test_a_file_of_the_layout_with_any_name_is_found_by_its_content(tmp_path: Path) -> None:
    dataset = read_stations([write(tmp_path, rows(), name="station.txt")])
    assert str(dataset["station_name"].values[0]) == "Some_Where"
    assert "taken for soil moisture" in dataset.attrs["reader_notes"]


@settings(max_examples=40, deadline=None)
@given(
    value=st.floats(0, 0.99, allow_subnormal=False).map(lambda v: float(f"{v:.6g}")),
    stamp=st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.replace(second=0, microsecond=0)),
)  # fmt: skip
def test_numbers_and_times_are_those_that_python_reads(value: float, stamp: datetime) -> None:
    text = f"{stamp:%Y/%m/%d %H:%M} {value} G M\r\r\n".encode()
    lines = split_lines(text * 2, 4)
    assert len(lines) == 2
    assert lines.numbers(2)[0].tolist() == [value, value]
    minutes = int((stamp - datetime(1970, 1, 1)).total_seconds() // 60)
    assert lines.minutes(0)[0].tolist() == [minutes, minutes]


@pytest.mark.parametrize("year", [1900, 2000, 2015, 2016])
def test_days_that_exist_are_those_of_the_calendar(year: int) -> None:
    stamps = [(month, day) for month in range(14) for day in range(33)]
    lines = split_lines("\n".join(f"{year}/{month:02d}/{day:02d} 00:00" for month, day in stamps).encode(), 4)
    there = {(month, day) for month in range(1, 13) for day in range(1, monthrange(year, month)[1] + 1)}
    assert {stamp for stamp, good in zip(stamps, lines.minutes(0)[1], strict=True) if good} == there


@pytest.mark.parametrize("word", ["1e-3", "nan", "0.12345678901234567", "-0", "+.5", "5.", "123456789012345678"])
def test_unusual_numbers_take_the_slow_way_and_agree(word: str) -> None:
    values, good = split_lines(f"{word} -. 1.2.3 {word}x".encode(), 4).numbers(0)
    np.testing.assert_array_equal(values, [float(word)])
    assert good.all()


@pytest.mark.parametrize("word", ["-", ".", "-.", "1.2.3", "0x10", "12:30", "--1"])
def test_what_is_no_number_is_not_read_as_one(word: str) -> None:
    assert not split_lines(word.encode(), 1).numbers(0)[1].any()


def test_every_ismn_archive_of_the_pack_reads_alone(vadose_data: Path, funnel: Any) -> None:
    folder = vadose_data / "ismn_fixtures"
    counts = []
    for source in sorted([*folder.rglob("*.zip"), *folder.rglob("*.stm")]):
        dataset = read_stations([source], accept_unflagged=True, sensors="separate")
        funnel.check(dataset)
        counts.append(dataset.sizes["station"])
    assert sorted(counts) == [1, 1, 1, 2, 2, 3, 8]


def test_rows_without_a_provider_flag_are_good_rows(vadose_data: Path, funnel: Any) -> None:
    folder = vadose_data / "ismn_fixtures" / "zip_archives" / "multinetwork"
    dataset = read_stations([folder], accept_unflagged=True)
    station = dataset["station_name"].values.tolist().index("AAMU-jtg")
    assert funnel.stages(dataset, station)["parsed"] == funnel.stages(dataset, station)["rows_read"] == 42895
    assert set(dataset["flag_dialect"].values.tolist()) == {"legacy"}


def test_a_file_that_is_no_data_is_ignored_and_counted(vadose_data: Path) -> None:
    with pytest.raises(InputError, match="none of ismn"):
        read_stations([vadose_data / "ismn_fixtures" / "malformed"])


FLAGS = ("G", "U", "M", "D01", "C03,D06", "G,D10", "Q99x", "")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 60), st.sampled_from((0.2, 0.3, -0.1, 1.1, -9999.0)), st.sampled_from(FLAGS),
            st.sampled_from(("", "M", "a b c d")),
        ),
        min_size=1, max_size=60,
    )
)  # fmt: skip
def test_whatever_the_rows_are_each_ends_in_one_counter(
    tmp_path: Path, funnel: Any, found: list[tuple[int, float, str, str]]
) -> None:
    lines = ["2015/01/01 00:00 0.2 G M", "2015/01/01 01:00 0.2 G M"]
    lines += [f"2015/01/{1 + k // 24:02d} {k % 24:02d}:00 {value:.4f} {flag} {rest}" for k, value, flag, rest in found]
    dataset = read_stations([write(tmp_path, lines)])
    assert funnel.stages(dataset)["rows_read"] == len(lines)
    funnel.check(dataset)


def test_daily_means_are_those_of_pandas(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    stamps = np.datetime64("2015-01-01T00", "h") + np.sort(rng.choice(24 * 30, 24 * 26, replace=False))
    values = rng.uniform(0.1, 0.4, stamps.size).round(4)
    lines = [f"{str(s).replace('-', '/').replace('T', ' ')}:00 {v} G M" for s, v in zip(stamps, values, strict=True)]
    dataset = read_stations([write(tmp_path, lines)])
    frame = pd.Series(values, pd.DatetimeIndex(stamps.astype("M8[ns]"))).resample("1D")
    expected = frame.mean().where(frame.count() >= 18)
    np.testing.assert_allclose(dataset["soil_moisture"].values[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("flags", "dialect"),
    [({"G", "D01", "M"}, "current"), ({"G", "U"}, "current"), ({"G", "M"}, "prefiltered"), ({"U", "D04"}, "legacy"),
     ({"C01"}, "current"), ({"M"}, "prefiltered")],
)  # fmt: skip
def test_the_dialect_of_flags_is_told_by_what_a_file_holds(flags: set[str], dialect: str) -> None:
    assert flag_dialect(flags) == dialect
