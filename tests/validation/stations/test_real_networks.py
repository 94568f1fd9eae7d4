"""Whole real networks: a CONUS year of USCRN, and the cluster of Yanco upscaled to two SMAP cells."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from vadose.validation.experiments import uscrn_funnel, yanco_scores
from vadose.validation.experiments.networks import CORE_CELLS, LEAST_SHARE, yanco_datasets, yanco_windows
from vadose.validation.run import run_validation
from vadose.validation.settings import Settings
from vadose.validation.stations import read_stations, station_days
from vadose.validation.stations.uscrn import COLUMNS, DEPTHS_CM

CELLS = tuple(CORE_CELLS)


@pytest.fixture(scope="module")
def uscrn(vadose_data: Path) -> xr.Dataset:
    return read_stations([vadose_data / "uscrn_2020"], sensors="separate")


def at_depth(dataset: xr.Dataset, centimetres: int) -> xr.Dataset:
    return dataset.isel(station=np.isclose(dataset["depth_to"].values, centimetres / 100))


def total(dataset: xr.Dataset, stage: str) -> int:
    return int(dataset["funnel"].sel(stage=stage).sum())


def test_uscrn_2020_has_its_published_values_at_every_depth(uscrn: xr.Dataset, funnel: Any) -> None:
    counts = {depth: total(at_depth(uscrn, depth), "not_missing") for depth in DEPTHS_CM}
    assert counts == {5: 33924, 10: 35147, 20: 28474, 50: 28226, 100: 26682}
    funnel.check(uscrn)
    surface = at_depth(uscrn, 5)
    lost = dict(zip(surface["reason"].values.tolist(), surface["rejected"].sum("station").values.tolist(), strict=True))
    assert lost["own_range"] == 5
    assert set(surface["day_convention"].values.tolist()) == {"local_standard"}
    assert bool(surface["redistributable"].all())


def test_surface_and_shallow_sensors_of_uscrn_agree_as_published(vadose_data: Path) -> None:
    frame = pd.read_parquet(vadose_data / "uscrn_2020" / "crn_2020.parquet.gz").reset_index()
    both = frame[["soil_moisture_5_daily", "soil_moisture_10_daily"]].dropna()
    assert len(both) == 33678
    assert np.corrcoef(both.to_numpy().T)[0, 1] == pytest.approx(0.9419, abs=1e-4)


def write_daily01(frame: pd.DataFrame, folder: Path) -> int:
    """The table as NCEI delivers it: one file a station, no header, -99 and -9999 for missing."""
    folder.mkdir()
    for wban, rows in frame.groupby("wban"):
        lines = []
        for row in rows.to_dict("records"):
            program = -9.0 if pd.isna(row["crx_vn"]) else float(row["crx_vn"])
            cells = [str(wban), f"{row['lst_date']:%Y%m%d}", f"{program:.3f}"]
            for name in COLUMNS[3:]:
                value = row[name.lower()]
                code = "-99.000" if "SOIL_MOISTURE" in name else "-9999.0"
                cells.append(str(value) if isinstance(value, str) else code if np.isnan(value) else f"{value:g}")
            lines.append(" ".join(cells))
        (folder / f"CRND0103-2020-{wban}.txt").write_text("\n".join(lines) + "\n")
    return len(list(folder.iterdir()))


def test_155_files_of_uscrn_give_what_the_one_table_gives(
    uscrn: xr.Dataset, vadose_data: Path, tmp_path: Path, funnel: Any
) -> None:
    frame = pd.read_parquet(vadose_data / "uscrn_2020" / "crn_2020.parquet.gz").reset_index()
    assert write_daily01(frame, tmp_path / "daily01") == 155
    files = read_stations([tmp_path / "daily01"], sensors="separate")
    assert (files.attrs["files_unreadable"], files.attrs["files_ignored"]) == (0, 0)
    assert len(set(files["station_name"].values.tolist())) == 155
    np.testing.assert_array_equal(files["soil_moisture"], uscrn["soil_moisture"])
    np.testing.assert_array_equal(files["rejected"].sum("station"), uscrn["rejected"].sum("station"))
    funnel.check(files)


def test_days_of_the_same_sensors_agree_only_where_both_are_local(tmp_path: Path) -> None:
    """Hours in UTC and local-standard days of one probe: the boundary of the day shows in the correlation."""
    rng = np.random.default_rng(5)
    hours = np.datetime64("2019-12-31T00", "h") + np.arange(24 * 380)
    moisture = 0.12 + 0.2 * np.exp(
        -(((np.arange(hours.size) - rng.integers(0, hours.size, (60, 1))) % 3000) / 90.0)
    ).max(0)
    local = hours - np.timedelta64(6, "h")

    def ismn(folder: Path, stamps: np.ndarray) -> xr.Dataset:
        folder.mkdir()
        rows = [
            f"{str(s).replace('-', '/').replace('T', ' ')}:00 {v:.4f} G M"
            for s, v in zip(stamps, moisture, strict=True)
        ]
        name = "USCRN_USCRN_X_sm_0.050000_0.050000_P_20200101_20201231.stm"
        (folder / name).write_text("\n".join(["USCRN USCRN X 39.1 -96.6 300 0.05 0.05 P", *rows]))
        return read_stations([folder])

    days = pd.Series(moisture, pd.DatetimeIndex(local)).resample("1D").mean()
    table = pd.DataFrame({name.lower(): np.nan for name in COLUMNS}, index=days.index)
    table["wban"], table["lst_date"], table["crx_vn"] = "53974", days.index, "2.514"
    table["longitude"], table["latitude"], table["soil_moisture_5_daily"] = -96.61, 39.10, days.round(3)
    table["sur_temp_daily_type"] = "C"
    write_daily01(table, tmp_path / "daily01")
    crn = series(read_stations([tmp_path / "daily01"]))
    same, other = (series(ismn(tmp_path / name, stamps)) for name, stamps in (("local", local), ("utc", hours)))
    assert crn.corr(same) >= 0.999
    assert crn.corr(other) < 0.995


def series(dataset: xr.Dataset, station: int = 0) -> pd.Series:
    return pd.Series(dataset["soil_moisture"].values[station].astype(float), pd.DatetimeIndex(station_days(dataset)))


@pytest.fixture(scope="module")
def yanco(vadose_data: Path) -> dict[str, Any]:
    """The stations, and the two core cells as sites: plain means of three stations or more, and without jumps."""
    means = (("mean", LEAST_SHARE), ("anomaly", LEAST_SHARE), ("anomaly", 0.7))
    return dict(zip(("stations", "mean", "anomaly", "strict"), yanco_datasets(vadose_data, means), strict=True))


def site_of(dataset: xr.Dataset, name: str) -> int:
    return dataset["station_name"].values.tolist().index(f"Yanco {name}")


def in_windows(values: pd.Series, table: pd.DataFrame) -> np.ndarray:
    spans = zip(table["start"].astype(str), table["end"].astype(str), strict=True)
    return np.array([values[pd.Timestamp(start) : pd.Timestamp(end)].mean() for start, end in spans])


def skill(product: np.ndarray, reference: np.ndarray) -> tuple[int, float, float, float]:
    use = np.isfinite(product) & np.isfinite(reference)
    error = product[use] - reference[use]
    r = np.corrcoef(product[use], reference[use])[0, 1]
    return int(use.sum()), round(float(r), 4), round(float(error.mean()), 4), round(float(error.std()), 4)


def test_yanco_has_its_published_values(yanco: dict[str, Any], funnel: Any) -> None:
    dataset = yanco["stations"]
    assert (dataset.sizes["station"], total(dataset, "rows_read"), total(dataset, "in_series")) == (28, 61376, 35835)
    per_day = np.isfinite(dataset["soil_moisture"].values).sum(axis=0)
    assert (int((per_day >= 10).sum()), 2192 - int((per_day > 0).sum())) == (1586, 365)
    funnel.check(dataset)


PUBLISHED = {
    "318-873": ((81, 0.7627, 0.0331, 0.0411), 0.8205),
    "319-873": ((81, 0.7647, 0.0390, 0.0453), 0.8374),
}


@pytest.mark.parametrize("name", CELLS)
def test_smap_and_era5_against_the_upscaled_cell_are_as_published(
    yanco: dict[str, Any], vadose_data: Path, name: str
) -> None:
    table = yanco_windows(vadose_data, name)
    reference = in_windows(series(yanco["mean"], site_of(yanco["mean"], name)), table)
    count, r, bias, ubrmsd = skill(table["soil_moisture"].to_numpy(), reference)
    (wanted, *figures), era5 = PUBLISHED[name]
    assert count == wanted
    assert (r, bias, ubrmsd) == pytest.approx(tuple(figures), abs=1e-4)
    assert skill(table["era5_swvl1"].to_numpy(), reference)[1] == pytest.approx(era5, abs=1e-4)


def test_the_table_of_yanco_has_the_published_values(vadose_data: Path) -> None:
    table = yanco_scores(vadose_data)
    assert table["series"].str.startswith("station ").sum() == 2 * 13 * 3
    rows = table.set_index(["cell", "series", "metric"]).sort_index()
    for cell, ((count, *figures), era5) in PUBLISHED.items():
        smap = rows.loc[(cell, "SMAP L3")].loc[["r", "bias", "ubrmsd"]]
        assert smap["n"].tolist() == [count] * 3
        assert smap["value"].tolist() == pytest.approx(figures, abs=1e-4)
        assert (smap["ci_low"] < smap["value"]).all()
        assert rows.loc[(cell, "ERA5 0-7 cm", "r")]["value"] == pytest.approx(era5, abs=1e-4)


def test_the_funnel_of_uscrn_loses_no_row(vadose_data: Path) -> None:
    table = uscrn_funnel(vadose_data)
    for _, part in table.groupby("depth_cm"):
        counts = part.set_index(["kind", "name"])["count"]
        kept = counts["stage", "in_series"]
        assert counts["stage", "rows_read"] == kept + counts["rejected"].sum()
    surface = table[table["depth_cm"].eq(5)].set_index("name")
    assert surface.loc["not_missing", "count"] == 33924
    # One station has values at other depths alone.
    assert (surface["stations"].iloc[0], surface.loc["rows_read", "count"]) == (154, 56_364)


@pytest.mark.parametrize("name", CELLS)
def test_a_mean_that_does_not_jump_agrees_better_with_era5(yanco: dict[str, Any], vadose_data: Path, name: str) -> None:
    """Stations fade from 2019 on: the plain mean changes with who is left, and ERA5 does not know that."""
    table = yanco_windows(vadose_data, name)
    plain, steady = (in_windows(series(yanco[kind], site_of(yanco[kind], name)), table) for kind in ("mean", "anomaly"))
    era5 = table["era5_swvl1"].to_numpy()
    assert skill(era5, steady)[0] == skill(era5, plain)[0] == 75
    assert skill(era5, steady)[1] > skill(era5, plain)[1]
    assert skill(era5, steady)[3] < skill(era5, plain)[3]


@pytest.mark.parametrize("name", CELLS)
def test_single_stations_differ_from_the_upscaled_cell_as_points_do(
    yanco: dict[str, Any], vadose_data: Path, name: str
) -> None:
    dataset = yanco["strict"]
    site = series(dataset, site_of(dataset, name))
    with (vadose_data / "yanco" / "stations.csv").open() as file:
        inside = [row["sitename"] for row in csv.DictReader(file) if f"{row['row']}-{row['column']}" == name]
    names = yanco["stations"]["station_name"].values.tolist()
    single = [series(yanco["stations"], names.index(one)).reindex(site.index) for one in inside]
    points = np.array([skill(one.to_numpy(), site.to_numpy()) for one in single])
    assert len(points) == 13
    assert points[:, 0].min() > 300
    # R of a station with its cell, and the spread of their biases: a point is not a cell.
    assert 0.75 < np.median(points[:, 1]) < 0.98
    assert 0.02 < points[:, 2].std() < 0.09
    assert abs(points[:, 2].mean()) < 0.01


def test_an_upscaled_cell_states_the_error_of_its_mean(yanco: dict[str, Any]) -> None:
    dataset = yanco["strict"]
    error = dataset["standard_error"].values[[site_of(dataset, name) for name in CELLS]]
    assert 0.005 < np.nanmedian(error) < 0.03
    assert dataset["site_class"].values[site_of(dataset, "318-873")] == "cvs-like"


def test_walnut_gulch_percent_local_time_and_repeated_stamps_are_read(
    vadose_data: Path, tmp_path: Path, funnel: Any
) -> None:
    mapping = {
        "network": "WALNUT_GULCH", "licence": "work of the US Government", "redistributable": True,
        "station_column": "site", "lat": 31.72, "lon": -110.02, "checks": [],
        "time": {"column": "datetime", "formats": ["%Y-%m-%d %H:%M:%S"], "utc_offset": -7, "day": "local_standard"},
        "values": [{"column": "SM5", "units": "percent", "depth_m": [0.05, 0.05]}],
    }  # fmt: skip
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(mapping))
    files = sorted((vadose_data / "walnut_gulch").glob("*.parquet"))
    dataset = read_stations(files, mapping=tmp_path / "m.yaml")
    # One row of site 100 names site 0: it becomes a station without any day.
    assert dataset["status"].values.tolist() == ["no_complete_day", *["ok"] * 15]
    assert total(dataset, "not_missing") == 227646
    funnel.check(dataset)
    # A station counts with 40 of 48 values, a day with five stations.
    counted = np.where(dataset["observation_count"].values >= 40, dataset["soil_moisture"].values, np.nan)
    enough = np.isfinite(counted).sum(axis=0) >= 5
    mean = np.nanmean(counted[:, enough], axis=0)
    assert int(enough.sum()) == 365
    assert (mean.mean(), mean.min(), mean.max()) == pytest.approx((0.1262, 0.0630, 0.2479), abs=2e-4)
    assert str(station_days(dataset)[enough][mean.argmax()]) == "2019-03-12"


def window_file(path: Path, table: dict[str, pd.Series], places: dict[str, tuple[float, float]]) -> Path:
    """Window means at the middle day of each window, as a user of xarray writes series of points."""
    frame = pd.DataFrame(table)
    names = list(frame.columns)
    attributes = {
        "standard_name": "volume_fraction_of_condensed_water_in_soil", "units": "m3 m-3",
        "long_name": "soil moisture, 0-5 cm",
    }  # fmt: skip
    xr.Dataset(
        {"soil_moisture": (("station", "time"), frame.to_numpy().T, attributes)},
        coords={
            "time": frame.index.to_numpy(), "id": ("station", np.array(names, object), {"cf_role": "timeseries_id"}),
            "lat": ("station", [places[name][0] for name in names], {"standard_name": "latitude"}),
            "lon": ("station", [places[name][1] for name in names], {"standard_name": "longitude"}),
        },
        attrs={"featureType": "timeSeries"},
    ).to_netcdf(path)  # fmt: skip
    return path


def test_the_suite_scores_yanco_as_published_with_intervals(
    yanco: dict[str, Any], vadose_data: Path, tmp_path: Path
) -> None:
    columns: dict[str, dict[str, pd.Series]] = {"smap": {}, "era5": {}, "site": {}}
    places = {}
    for name in CELLS:
        table = yanco_windows(vadose_data, name)
        middle = pd.to_datetime(table["start"].astype(str)) + pd.Timedelta(days=1)
        reference = in_windows(series(yanco["mean"], site_of(yanco["mean"], name)), table)
        for kind, values in (("smap", table["soil_moisture"]), ("era5", table["era5_swvl1"]), ("site", reference)):
            columns[kind][name] = pd.Series(np.asarray(values), middle.to_numpy())
        places[name] = (float(table["latitude"].iloc[0]), float(table["longitude"].iloc[0]))
    files = {kind: window_file(tmp_path / f"{kind}.nc", table, places) for kind, table in columns.items()}
    settings = Settings(
        product=("smap", str(files["smap"])), rivals=(("era5", str(files["era5"])),), stations=(files["site"],)
    )
    run_validation(settings, tmp_path / "run")
    scores = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    own = scores[scores["subset"].eq("own") & scores["signal"].eq("raw") & scores["stratum_kind"].eq("station")]
    rows = own.set_index(["product", "stratum", "metric"])
    for name, ((count, r, bias, ubrmsd), era5) in PUBLISHED.items():
        found = {metric: rows.loc[("smap", name, metric)] for metric in ("r", "bias", "ubrmsd")}
        assert int(found["r"]["n"]) == count
        assert [float(one["value"]) for one in found.values()] == pytest.approx([r, bias, ubrmsd], abs=1e-4)
        assert all(one["ci_low"] < one["value"] < one["ci_high"] for one in found.values())
        assert float(rows.loc[("era5", name, "r")]["value"]) == pytest.approx(era5, abs=1e-4)


def test_field_means_of_nebraska_have_errors_from_their_limits(vadose_data: Path, tmp_path: Path, funnel: Any) -> None:
    error = {"lower": "lower", "upper": "upper", "kind": "limits", "sigmas": 1.96}
    mapping = {
        "network": "CSP", "licence": "CC0-1.0", "redistributable": True, "station_column": "site", "checks": [],
        "footprint_kind": "cosmic-ray", "time": {"column": "date", "utc_offset": -6, "day": "local_standard"},
        "values": [{"column": "swc", "units": "m3 m-3", "depth_m": [0.0, 0.3], "uncertainty": error}],
    }  # fmt: skip
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(mapping))
    dataset = read_stations([vadose_data / "cosmos" / "nebraska_csp_daily_swc.csv"], mapping=tmp_path / "m.yaml")
    assert [funnel.stages(dataset, k)["in_series"] for k in range(3)] == [1052, 1138, 2970]
    assert set(dataset["status"].values.tolist()) == {"no_coordinates"}
    first = dataset["standard_error"].values[0]
    assert float(first[np.isfinite(first)][0]) == pytest.approx((0.290454685 - 0.203852827) / 2 / 1.96, abs=1e-6)
    funnel.check(dataset)
