"""Several sensors of one station: the longest, each, their mean, or one after the other; and our own checks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vadose.common import UsageError
from vadose.validation.stations import read_stations
from vadose.validation.stations.checks import checked, plateaus, spikes


def sensor(folder: Path, name: str, days: range, value: float, depth: str = "0.05 0.05", station: str = "S") -> None:
    start = np.datetime64("2015-01-01")
    rows = [
        f"{str(start + day).replace('-', '/')} {hour:02d}:00 {value + day / 1000:.4f} G M"
        for day in days for hour in range(24)
    ]  # fmt: skip
    folder.mkdir(exist_ok=True)
    file = f"NET_NET_{station}_sm_{depth.replace(' ', '_')}_{name}_20150101_20150131.stm"
    (folder / file).write_text("\n".join([f"NET NET {station} 40.0 -100.0 300.0 {depth} {name}", *rows]))


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A of days 0-9, B of days 6-25: the same depth class."""
    sensor(tmp_path / "s", "A", range(10), 0.20)
    sensor(tmp_path / "s", "B", range(6, 26), 0.30, "0.00 0.05")
    return tmp_path / "s"


def test_primary_is_the_longest_record_and_the_other_is_named(two: Path, funnel: Any) -> None:
    dataset = read_stations([two])
    assert dataset["sensor"].values.tolist() == ["B"]
    assert "not_primary, 10 days" in dataset.attrs["reader_notes"]
    funnel.check(dataset)


def test_sensors_and_files_of_one_name_are_each_named_when_they_are_lost(tmp_path: Path) -> None:
    for number in range(3):
        sensor(tmp_path / f"{number}", "A", range(10 + number), 0.2 + number / 10)
        (tmp_path / f"{number}" / "NET_NET_BAD_sm_0_0_A.stm").write_text("no header")
    notes = json.loads(read_stations([tmp_path]).attrs["reader_notes"])
    assert sorted(notes["left_out"].values()) == ["not_primary, 10 days", "not_primary, 11 days"]
    assert len(notes["unreadable"]) == 3


def test_the_longest_record_is_that_of_the_period(two: Path) -> None:
    period = np.datetime64("2015-01-01"), np.datetime64("2015-01-08")
    assert read_stations([two], period=period)["sensor"].values.tolist() == ["A"]


def test_separate_sensors_share_the_weight_of_their_station(two: Path) -> None:
    sensor(two, "C", range(5), 0.1, station="T")
    dataset = read_stations([two], sensors="separate")
    assert dataset["station_weight"].values.tolist() == [0.5, 0.5, 1.0]


def test_the_mean_takes_days_on_which_all_parallel_sensors_are_present(tmp_path: Path, funnel: Any) -> None:
    sensor(tmp_path / "s", "A", range(10), 0.20)
    sensor(tmp_path / "s", "B", range(2, 10), 0.30)
    sensor(tmp_path / "s", "C", range(20, 22), 0.40)
    dataset = read_stations([tmp_path / "s"], sensors="mean")
    expected = [0.25 + day / 1000 for day in range(2, 10)]
    np.testing.assert_allclose(dataset["soil_moisture"].values[0], expected, atol=1e-6)
    np.testing.assert_allclose(dataset["standard_error"].values[0], 0.05, atol=1e-6)
    assert dataset["sensor"].values.tolist() == ["A+B"]
    assert funnel.rejected(dataset) == {"sensor_absent": 2, "sensor_merged": 8}
    funnel.check(dataset, single=False)


def test_joined_sensors_follow_each_other_and_are_told_apart(two: Path, funnel: Any) -> None:
    dataset = read_stations([two], sensors="join")
    index = dataset["sensor_index"].values[0]
    assert index.tolist() == [0] * 10 + [1] * 16
    np.testing.assert_allclose(dataset["soil_moisture"].values[0, [9, 10]], [0.209, 0.310], atol=1e-6)
    assert funnel.rejected(dataset) == {"sensor_overlap": 4}
    funnel.check(dataset, single=False)
    sensor(two, "C", range(12, 20), 0.4)
    notes = json.loads(read_stations([two], sensors="join").attrs["reader_notes"])
    assert list(notes["left_out"].values()) == ["not_join, 8 days"]


def test_deep_sensors_of_different_depth_are_not_rivals(tmp_path: Path) -> None:
    for depth in ("0.20 0.20", "0.50 0.50"):
        sensor(tmp_path / "s", "A", range(5), 0.2, depth)
    assert read_stations([tmp_path / "s"])["depth_class"].values.tolist() == ["deep", "deep"]


def test_the_root_zone_is_weighted_by_thickness(tmp_path: Path, funnel: Any) -> None:
    for depth, value in (("0.05 0.05", 0.1), ("0.25 0.25", 0.2), ("0.65 0.65", 0.4)):
        sensor(tmp_path / "s", "A", range(5 if value < 0.3 else 3), value, depth)
    dataset = read_stations([tmp_path / "s"], root_zone=True)
    zone = dataset.isel(station=dataset["depth_class"].values == "root_zone")
    # Borders half-way: 0-0.15, 0.15-0.45, 0.45-1 m.
    expected = 0.15 * 0.1 + 0.30 * 0.2 + 0.55 * 0.4
    values = [expected + day / 1000 for day in range(3)] + [np.nan, np.nan]
    np.testing.assert_allclose(zone["soil_moisture"].values[0], values, atol=1e-6)
    funnel.check(zone, single=False)


def test_two_depths_make_no_root_zone(tmp_path: Path) -> None:
    for depth in ("0.05 0.05", "0.25 0.25"):
        sensor(tmp_path / "s", "A", range(5), 0.2, depth)
    assert read_stations([tmp_path / "s"], root_zone=True).sizes["station"] == 2


def test_files_of_one_sensor_that_follow_each_other_are_one_series(tmp_path: Path, funnel: Any) -> None:
    sensor(tmp_path / "a", "A", range(5), 0.2)
    sensor(tmp_path / "b", "A", range(8, 12), 0.2)
    dataset = read_stations([tmp_path / "a", tmp_path / "b"], sensors="separate")
    assert (dataset.sizes["station"], dataset.sizes["time"]) == (1, 12)
    funnel.check(dataset)


def test_a_series_that_was_read_already_is_not_taken_twice(two: Path, tmp_path: Path) -> None:
    sensor(tmp_path / "again", "A", range(10), 0.20)
    dataset = read_stations([two, tmp_path / "again"], sensors="separate")
    assert dataset["sensor"].values.tolist() == ["B", "A"]
    assert "copy of a series" in dataset.attrs["reader_notes"]


def test_an_unknown_choice_of_sensors_lists_the_known_ones(two: Path) -> None:
    with pytest.raises(UsageError, match="primary, separate, mean, join"):
        read_stations([two], sensors="best")


def days(count: int) -> np.ndarray:
    return (np.datetime64("2015-01-01") + np.arange(count)).astype("datetime64[m]")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([0.2, 0.2, 0.35, 0.2, 0.2], [2]), ([0.2, 0.2, 0.35, 0.34, 0.2], []), ([0.3, 0.15, 0.3], [1]),
        ([0.2, 0.35], []), ([0.2, 0.29, 0.2], []), ([0.1, 0.35, 0.24], []), ([], []),
    ],
)  # fmt: skip
def test_a_spike_leaves_and_returns_within_one_step(values: list[float], found: list[int]) -> None:
    assert np.flatnonzero(spikes(days(len(values)), np.array(values))).tolist() == found


def test_a_spike_beside_a_gap_is_no_spike() -> None:
    stamps = days(4)[[0, 1, 3]]
    assert not spikes(stamps, np.array([0.2, 0.35, 0.2])).any()


@pytest.mark.parametrize(("length", "gap", "marked"), [(10, None, 10), (9, None, 0), (14, 5, 0), (14, 4, 10)])
def test_ten_equal_days_in_a_row_are_a_plateau(length: int, gap: int | None, marked: int) -> None:
    stamps = np.delete(days(length + 1), gap) if gap is not None else days(length)
    assert int(plateaus(stamps, np.full(stamps.size, 0.3)).sum()) == marked


def test_each_value_is_charged_to_the_first_check_that_it_fails() -> None:
    values = np.array([-0.01, 0.65, 0.30, 0.30, 0.45, 0.30, *[0.2] * 10, 0.21])
    celsius = np.full(values.size, 5.0)
    celsius[[1, 3]] = 0.5
    found = checked(days(values.size), values, np.full(values.size, ""), soil_celsius=celsius)
    expected = ["own_range", "own_range", "", "own_frozen", "", "", *["own_plateau"] * 10, ""]
    assert found.tolist() == expected


def test_unordered_rows_are_checked_in_time() -> None:
    values = np.array([0.2, 0.2, 0.35, 0.2])
    order = np.array([2, 0, 3, 1])
    found = checked(days(4)[order], values[order], np.full(4, ""))
    assert found.tolist() == ["own_spike", "", "", ""]


def test_the_porosity_is_the_highest_possible_value() -> None:
    found = checked(days(2), np.array([0.65, 0.75]), np.full(2, ""), porosity=0.7, checks=("range",))
    assert found.tolist() == ["", "own_range"]


def test_the_lower_bound_decides_about_the_class_of_a_depth(tmp_path: Path) -> None:
    for station, depth in (("A", "0.00 0.05"), ("B", "0.00 0.10"), ("C", "0.05 0.20")):
        sensor(tmp_path / "s", "P", range(5), 0.2, depth, station=station)
    assert read_stations([tmp_path / "s"])["depth_class"].values.tolist() == ["surface", "shallow", "deep"]
    sensor(tmp_path / "s", "Q", range(5), 0.2, "0.00 0.30", station="A")
    assert read_stations([tmp_path / "s"]).sizes["station"] == 4
