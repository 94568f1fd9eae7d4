"""Stations that break expectations go through a whole validation: each has its status, the others their scores."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from vadose.common import InputError
from vadose.validation.run import run_validation
from vadose.validation.settings import Settings
from vadose.validation.stations import open_stations, read_stations, write_stations

NAMES = ("nowhere", "swapped", "constant", "single", "negative", "twice", "twice", "a/../b <script>")


def hostile(small: Path, path: Path) -> Path:
    """The good stations, and after them one of each kind of bad ones."""
    with xr.open_dataset(small / "stations.nc") as opened:
        good = opened.load()
    bad = good.isel(station=np.arange(len(NAMES)) % good.sizes["station"]).copy(deep=True)
    bad = bad.assign_coords(id=("station", np.array(NAMES, object), {"cf_role": "timeseries_id"}))
    values = bad["soil_moisture"].values
    bad["lat"].values[0] = np.nan
    bad["lat"].values[1], bad["lon"].values[1] = bad["lon"].values[1], bad["lat"].values[1]
    values[2] = 0.25
    values[3, 1:] = np.nan
    values[4] = -np.abs(values[4])
    joined = xr.concat(
        [good, bad], "station", data_vars="minimal", coords="minimal", compat="override", join="override"
    )
    joined.attrs = good.attrs
    # The names of the first file are shorter and would cut those of the second.
    joined["id"].encoding = {}
    joined.to_netcdf(path)
    return path


def scores(small: Path, stations: Path, out: Path) -> pd.DataFrame:
    run_validation(Settings(product=("ours", str(small / "ours")), stations=(stations,)), out)
    return pd.read_parquet(out / "scores.parquet")


@pytest.fixture(scope="module")
def both(small: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("hostile")
    with_bad = scores(small, hostile(small, folder / "stations.nc"), folder / "bad")
    return scores(small, small / "stations.nc", folder / "good"), with_bad


def rows_of(table: pd.DataFrame, station: str) -> pd.DataFrame:
    return table[(table["stratum_kind"] == "station") & (table["stratum"] == station) & (table["metric"] == "r")]


@pytest.mark.parametrize(
    ("station", "known"),
    [
        ("nowhere", {"no_cell", "no_overlap"}), ("swapped", {"no_cell", "no_overlap"}),
        ("constant", {"constant_series"}), ("single", {"few_samples", "no_overlap"}),
        ("negative", {"no_reference", "no_overlap", "few_samples"}),
    ],
)  # fmt: skip
def test_each_kind_of_bad_station_has_a_status_of_its_own(
    both: tuple[pd.DataFrame, pd.DataFrame], station: str, known: set[str]
) -> None:
    rows = rows_of(both[1], station)
    assert len(rows)
    years = rows["signal"] == "anomaly_climatology"
    assert set(rows["status"][~years]) <= known
    assert set(rows["status"][years]) <= known | {"few_years"}
    assert rows["value"].isna().all()


def test_two_stations_of_one_name_and_a_hostile_name_are_scored(both: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    for station in ("twice", "twice~2", "a/../b <script>"):
        assert rows_of(both[1], station)["value"].notna().any()


def test_the_scores_of_the_other_stations_do_not_change(both: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    one, two = (table[table["stratum_kind"] == "station"] for table in both)
    one = one[one["stratum"].str.startswith("net/")].reset_index(drop=True)
    two = two[two["stratum"].str.startswith("net/")].reset_index(drop=True)
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_values_that_cannot_be_are_counted_and_left_out(small: Path, tmp_path: Path) -> None:
    dataset = open_stations(hostile(small, tmp_path / "stations.nc"))
    at = dataset["station_id"].values.tolist().index("negative")
    assert int(dataset["rejected"].sel(reason="own_range")[at]) == 800
    assert int(dataset["funnel"].sel(stage="in_series")[at]) == 0
    assert int(dataset["funnel"].sel(stage="in_series")[0]) == int(np.isfinite(dataset["soil_moisture"][0]).sum())


def test_one_station_in_percent_stops_the_run_by_name(small: Path, tmp_path: Path) -> None:
    with xr.open_dataset(small / "stations.nc") as opened:
        dataset = opened.load()
    dataset["soil_moisture"].values[3] *= 100.0
    dataset.to_netcdf(tmp_path / "stations.nc")
    with pytest.raises(InputError, match="percent.*station net/s3"):
        scores(small, tmp_path / "stations.nc", tmp_path / "out")


def ismn_files(folder: Path, names: tuple[str, ...]) -> Path:
    """Hourly files of 200 days; the one called BAD lost the head of its header and its dates."""
    folder.mkdir()
    days = np.datetime64("2015-04-01T00", "h") + np.arange(24 * 200)
    stamps = [str(hour).replace("-", "/").replace("T", " ") for hour in days]
    for number, name in enumerate(names):
        values = 0.2 + np.random.default_rng(number).random(days.size) / 10
        rows = [f"{stamp}:00 {value:.4f} G M" for stamp, value in zip(stamps, values, strict=True)]
        text = "\n".join([f"NET NET {name} {41.1 + 0.3 * number:.1f} -98.6 300 0.05 0.05 P", *rows])
        path = folder / f"NET_NET_{name}_sm_0.050000_0.050000_P_20150401_20151018.stm"
        path.write_text(text[60:].replace("2015/", "xx") if name == "BAD" else text)
    return folder


def test_a_corrupted_station_file_is_in_the_funnel_and_nowhere_else(small: Path, tmp_path: Path) -> None:
    names = ("ONE", "TWO", "THREE", "BAD")
    tables, described = {}, {}
    for case, files in (("good", names[:3]), ("bad", names)):
        write_stations(read_stations([ismn_files(tmp_path / f"ismn-{case}", files)]), tmp_path / f"{case}.nc")
        tables[case] = scores(small, tmp_path / f"{case}.nc", tmp_path / case)
        described[case] = json.loads((tmp_path / case / "run.json").read_text())
    lost = described["bad"]["station_files"]["bad.nc"]["file_unreadable"]
    assert [name.split("_")[2] for name in lost] == ["BAD"]
    assert "file_unreadable" not in described["good"]["station_files"]["good.nc"]
    assert described["bad"]["funnel"] == described["good"]["funnel"]
    pd.testing.assert_frame_equal(tables["bad"], tables["good"], check_exact=True)
    assert {name for name in names if tables["bad"]["stratum"].str.contains(name).any()} == set(names[:3])


def test_every_opening_of_a_station_dataset_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "stations.nc"
    path.write_bytes(b"not a file of stations")
    for reads in ("open_stations", "reader_notes"):
        code = (
            "import sys, time, xarray; from pathlib import Path; from vadose.common import deadline;"
            "deadline.opening.__wrapped__.__defaults__ = (0.2,); from vadose.validation.stations import dataset;"
            f"xarray.open_dataset = lambda *a, **k: time.sleep(30); dataset.{reads}(Path(sys.argv[1]))"
        )
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 3, done.stderr
        assert f"where  {path}" in done.stderr
