"""A small parser of its own, written after the rules of the network's format, reads the simulated tree."""

import csv
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from vadose.producer.simulate import World
from vadose.producer.simulate.ismn import format_series, series_name
from vadose.producer.simulate.sensors import Record, place_sensors, record

FLAG = re.compile(r"^(G|M|[CD]\d\d(,[CD]\d\d)*)$")
NAME = re.compile(r"^(\w+)_\1_([^/]+)_sm_(\d\.\d{6})_(\d\.\d{6})_([^_]+)_(\d{8})_(\d{8})\.stm$")


def parse(data: bytes) -> tuple[dict[str, object], list[tuple[datetime, float, str, str]]]:
    """Header from the left (three names, five numbers, the rest is the sensor), then rows split at most four times."""
    lines = [line for line in re.split(rb"[\r\n]+", data) if line]
    words = lines[0].decode().split()
    header = {
        "network": words[1],
        "station": words[2],
        "numbers": [float(word) for word in words[3:8]],
        "sensor": " ".join(words[8:]),
    }
    rows = []
    for line in lines[1:]:
        day, hour, value, flag, provider = line.decode().split(maxsplit=4)
        rows.append((datetime.strptime(f"{day} {hour}", "%Y/%m/%d %H:%M"), float(value), flag, provider))
    return header, rows


def files(folder: Path) -> list[Path]:
    return sorted((folder / "stations" / "ismn").glob("*/*/*.stm"))


def test_tree_has_network_station_and_one_file_a_sensor(small_folder: Path) -> None:
    for path in files(small_folder):
        match = NAME.match(path.name)
        assert match
        assert (path.parent.parent.name, path.parent.name) == (match[1], match[2])
        assert (match[6], match[7]) == ("20160101", "20160331")
    assert len(files(small_folder)) == 4 + 1 + 3


def test_headers_say_where_and_how_deep(small_folder: Path) -> None:
    for path in files(small_folder):
        header, _ = parse(path.read_bytes())
        lat, lon, altitude, top, bottom = header["numbers"]  # type: ignore[misc]
        assert 39 <= lat <= 43
        assert -44 <= lon <= -40
        assert 0 <= altitude < 2500
        assert 0.0 <= top <= bottom <= 0.2
        assert header["station"] == path.parent.name
        assert header["sensor"]


def test_rows_are_hours_in_order_with_known_flags(small_folder: Path) -> None:
    for path in files(small_folder):
        _, rows = parse(path.read_bytes())
        stamps = [row[0] for row in rows]
        assert stamps == sorted(set(stamps))
        assert all(stamp.minute == 0 for stamp in stamps)
        assert all(FLAG.match(row[2]) for row in rows)
        assert all((row[1] == -9999.0) == (row[2] == "M") for row in rows)
        assert all(-0.1 < row[1] < 1.0 for row in rows if row[2] != "M")


def test_bytes_hold_the_record_to_four_decimals(small_world: World) -> None:
    for sensor in place_sensors(small_world)[:2]:
        series = record(small_world, sensor)
        _, rows = parse(format_series(series))
        values = np.array([row[1] for row in rows])
        assert len(rows) == series.hours.size
        np.testing.assert_allclose(values, np.where(np.isnan(series.values), -9999.0, series.values), atol=5.1e-5)
        np.testing.assert_array_equal([row[2] for row in rows], series.flags)
        np.testing.assert_array_equal(np.array([row[0] for row in rows], "datetime64[h]"), series.hours)


@pytest.mark.parametrize(
    ("value", "text"), [(0.25, "  0.2500"), (-0.0123, " -0.0123"), (np.nan, "-9999.0000"), (0.00004, "  0.0000")]
)
def test_values_are_written_as_the_network_does(small_world: World, value: float, text: str) -> None:
    sensor = place_sensors(small_world)[0]
    flag = "M" if np.isnan(value) else "G"
    row = Record(sensor, np.array(["2016-01-02T03"], "datetime64[h]"), np.array([value], np.float32), np.array([flag]))
    assert format_series(row).decode().splitlines()[1] == f"2016/01/02 03:00 {text} {flag} M"


def test_static_variables_state_soil_land_cover_and_climate(small_folder: Path) -> None:
    tables = sorted((small_folder / "stations" / "ismn").glob("*/*/*_static_variables.csv"))
    assert len(tables) == 7
    for path in tables:
        rows = list(
            csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter=";", quoting=csv.QUOTE_NONE)
        )
        by_name = {row["quantity_name"]: row for row in rows}
        fractions = sum(float(by_name[f"{name} fraction"]["value"]) for name in ("clay", "sand", "silt"))
        assert fractions == pytest.approx(100.0, abs=0.05)
        assert 0.3 < float(by_name["saturation"]["value"]) < 0.8
        assert re.match(r"^[A-E][A-Za-z]{1,2}$", by_name["climate classification"]["value"])
        assert len([row for row in rows if row["quantity_name"] == "land cover classification"]) == 3


def test_name_of_a_file_carries_depths_and_days(small_world: World) -> None:
    sensor = next(sensor for sensor in place_sensors(small_world) if sensor.depth_m == (0.2, 0.2))
    assert series_name(small_world, sensor).endswith("_sm_0.200000_0.200000_Hydraprobe-II-Sdi-12_20160101_20170630.stm")
