"""Products of months: what is one, how days become months, and whole runs of them."""

import json
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from vadose.common import InputError, UsageError
from vadose.validation.cards import Card, CardVariable
from vadose.validation.extraction import extract
from vadose.validation.months import middles, station_months
from vadose.validation.opening import open_all
from vadose.validation.products import Product, open_product
from vadose.validation.run import run_validation
from vadose.validation.settings import Settings

SOIL_MOISTURE = "volume_fraction_of_condensed_water_in_soil"
YEARS, ROWS, COLUMNS = 12, 3, 4
LAT, LON = np.array([40.6, 40.1, 39.6]), np.array([-100.0, -99.5, -99.0, -98.5])
DAYS = np.arange(np.datetime64("2001-01-01"), np.datetime64(f"{2001 + YEARS}-01-01"))


def daily(make: Any, seed: int = 0) -> np.ndarray:
    """Daily truth, (day, row, column)."""
    return make["truth"](DAYS.size, ROWS * COLUMNS, seed).reshape(DAYS.size, ROWS, COLUMNS)


def by_month(values: np.ndarray, days: np.ndarray = DAYS) -> pd.DataFrame:
    """Monthly means by pandas, a column for each cell."""
    frame = pd.DataFrame(values.reshape(len(values), -1), index=pd.DatetimeIndex(days))
    return frame.resample("MS").mean()


def write_months(path: Path, months: pd.DataFrame, *, stamp: str = "middle", bounds: bool = True, cut: int = 0) -> Path:
    """A CF file of months, whose stamps are the `first` day, the `middle`, or the first day `after` the month."""
    first = months.index[cut:]
    after = first + pd.offsets.MonthBegin(1)
    stamps = {"first": first, "after": after, "middle": first + (after - first) / 2}[stamp]
    number = [(one - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1) for one in (first, after, stamps)]
    time = {"units": "days since 1970-01-01", "standard_name": "time", **({"bounds": "time_bnds"} if bounds else {})}
    values = months.to_numpy()[cut:].reshape(-1, ROWS, COLUMNS)
    xr.Dataset(
        {
            "sm": (("time", "lat", "lon"), values.astype("f4"), {"standard_name": SOIL_MOISTURE, "units": "m3 m-3"}),
            **({"time_bnds": (("time", "bnds"), np.stack(number[:2], axis=1))} if bounds else {}),
        },
        coords={
            "time": ("time", np.asarray(number[2], float), time), "lat": ("lat", LAT, {"standard_name": "latitude"}),
            "lon": ("lon", LON, {"standard_name": "longitude"}),
        },
    ).to_netcdf(path, engine="netcdf4")  # fmt: skip
    return path


def write_granules(folder: Path, months: pd.DataFrame) -> Path:
    """Our own monthly granules, and the static file that lies beside them."""
    for first, values in months.iterrows():
        target = folder / "CDR" / "MONTHLY" / f"{first:%Y}"
        target.mkdir(parents=True, exist_ok=True)
        write_months(target / f"VADOSE-TEST-L4-0P50DEG-MONTHLY-{first:%Y%m}-CDR-v1.0.0.nc", values.to_frame().T)
    (folder / "static").mkdir()
    with netCDF4.Dataset(folder / "static" / "VADOSE-TEST-L4-0P50DEG-STATIC-v1.0.0.nc", "w") as file:
        file.createDimension("lat", 3)
    return folder


def of_cells(product: Product) -> tuple[np.ndarray, np.ndarray]:
    found = extract(product, np.repeat(np.arange(ROWS), COLUMNS), np.tile(np.arange(COLUMNS), ROWS))
    return found.days, found.values


@pytest.mark.parametrize(("stamp", "bounds"), [("middle", True), ("after", True), ("first", True), ("first", False)])
def test_months_are_told_by_bounds_or_stamps_wherever_the_stamp_is(
    tmp_path: Path, make: Any, stamp: str, bounds: bool
) -> None:
    expected = by_month(daily(make))
    product = open_product("x", str(write_months(tmp_path / "x.nc", expected, stamp=stamp, bounds=bounds)))
    months, values = of_cells(product)
    assert product.step == "monthly"
    assert months.astype(str).tolist() == [f"{one:%Y-%m}" for one in expected.index]
    np.testing.assert_allclose(values, expected.to_numpy().T, rtol=1e-6)


def test_monthly_granules_of_a_release_are_read_without_its_static_file(tmp_path: Path, make: Any) -> None:
    expected = by_month(daily(make)).iloc[:14]
    product = open_product("x", str(write_granules(tmp_path / "v1.0.0", expected)))
    assert (product.step, len(product.files)) == ("monthly", 14)
    np.testing.assert_allclose(of_cells(product)[1], expected.to_numpy().T, rtol=1e-6)


def test_daily_granules_win_over_the_monthly_ones_of_the_same_release(tmp_path: Path, make: Any) -> None:
    write_granules(tmp_path / "v1.0.0", by_month(daily(make)).iloc[:2])
    make["granules"](tmp_path / "v1.0.0", daily(make)[:5], LAT, LON)
    product = open_product("x", str(tmp_path / "v1.0.0"))
    assert (product.step, len(product.files)) == ("daily", 5)


def test_a_card_says_what_files_of_one_month_do_not(tmp_path: Path, make: Any) -> None:
    expected = by_month(daily(make))
    for number in range(8):
        write_months(tmp_path / f"sm_{number}.nc", expected.iloc[[number]], bounds=False, stamp="first")
    with pytest.raises(InputError, match=r"one value a month.*step: monthly"):
        of_cells(open_product("x", str(tmp_path)))
    card = Card(product="x", producer="y", version="1", licence="z", variables={"sm": CardVariable(name="sm", step="monthly")})  # fmt: skip # noqa: E501
    months, values = of_cells(open_product("x", str(tmp_path), cards={"x": card}))
    assert months.astype(str).tolist() == [f"2001-{number:02d}" for number in range(1, 9)]
    np.testing.assert_allclose(values, expected.to_numpy()[:8].T, rtol=1e-6)


def test_a_station_month_needs_three_quarters_of_its_days() -> None:
    days = np.arange(np.datetime64("2015-01-01"), np.datetime64("2015-05-01"))
    values = np.full((1, days.size), 0.2)
    month = days.astype("datetime64[M]").astype(int) % 12
    for number, kept in enumerate((24, 21, 23, 22)):  # of 31, 28, 31 and 30 days
        inside = np.flatnonzero(month == number)
        values[0, inside[kept:]] = np.nan
        values[0, inside[0]] = 0.2 + 0.01 * kept
    found = station_months(values, days)[0]
    np.testing.assert_array_equal(np.isfinite(found), [True, True, False, False])
    np.testing.assert_allclose(found[:2], [0.2 + 0.01, 0.2 + 0.01], rtol=1e-5)


def test_middles_of_months_and_days_are_what_calendars_say() -> None:
    assert middles(np.array(["1970-02"], "M8[M]")).tolist() == [31 + 14.0]
    assert middles(np.array(["1970-02-03"], "M8[D]")).tolist() == [33.5]


@pytest.fixture(scope="module")
def world(make: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve years: our granules of months, a daily rival with gaps, a gridded reference, and daily stations."""
    folder = tmp_path_factory.mktemp("months")
    field, rng = daily(make), np.random.default_rng(1)
    months = by_month(field)
    write_granules(folder / "ours", months + 0.004 * rng.standard_normal(months.shape) + 0.01)
    gappy = np.where(rng.random(field.shape) < 0.7, field + 0.06 * rng.standard_normal(field.shape), np.nan)
    gappy[:25] = np.nan
    make["file"](folder / "rival.nc", gappy, LAT, LON, str(DAYS[0]))
    write_months(folder / "reference.nc", months + 0.004 * rng.standard_normal(months.shape))
    rows, columns = np.unravel_index(np.arange(10), (ROWS, COLUMNS))
    series = field[:, rows, columns].T + 0.01 * rng.standard_normal((10, DAYS.size))
    series[0, :9] = np.nan
    make["stations"](folder / "stations.nc", series, LAT[rows] + 0.05, LON[columns] - 0.05, str(DAYS[0]))
    return folder


def settings(world: Path, **changes: Any) -> Settings:
    given: dict[str, Any] = {
        "product": ("ours", str(world / "ours")), "stations": (world / "stations.nc",),
        "rivals": (("rival", str(world / "rival.nc")),), "references": (("map", str(world / "reference.nc")),),
    }  # fmt: skip
    return Settings(**{**given, **changes})


@pytest.fixture(scope="module")
def run(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    run_validation(settings(world), out)
    return out


@pytest.fixture(scope="module")
def scores(run: Path) -> pd.DataFrame:
    return pd.read_parquet(run / "scores.parquet")


def test_months_meet_monthly_means_of_stations_and_of_daily_rivals(
    run: Path, world: Path, scores: pd.DataFrame
) -> None:
    with xr.open_dataset(world / "stations.nc") as stations, xr.open_dataset(world / "rival.nc") as rival:
        truth = stations["soil_moisture"].to_series().unstack("station").resample("MS").mean()[3]
        cell = rival["sm"].sel(lat=LAT[0], lon=LON[3]).to_series().resample("MS")
        other = cell.mean().where(cell.count() >= 10)
    with xr.open_dataset(run / "matchups.nc") as opened:
        data = opened["values"].sel(station="net/s3").load()
    assert data["time"].dt.strftime("%Y-%m").values.tolist()[:2] == ["2001-01", "2001-02"]
    stations_only = data.isel(station=0) if "station" in data.dims else data
    np.testing.assert_allclose(stations_only.sel(series="reference"), truth, rtol=1e-5)
    np.testing.assert_allclose(stations_only.sel(series="rival"), other, rtol=1e-5)
    assert np.isnan(other.iloc[0])
    x = stations_only.sel(series="ours").values.astype(float)
    chosen = scores[scores["stratum"].eq("net/s3") & scores["product"].eq("ours") & scores["subset"].eq("own")]
    chosen = chosen[chosen["signal"].eq("raw")].set_index("metric")
    assert chosen.loc["bias", "value"] == pytest.approx(np.mean(x - truth.to_numpy()), rel=1e-4)
    assert chosen.loc["r", "value"] == pytest.approx(np.corrcoef(x, truth)[0, 1], rel=1e-5)
    assert chosen.loc["bias", "n"] == 12 * YEARS


def test_signals_of_days_are_not_applicable_and_the_climatology_is_one_of_months(
    run: Path, scores: pd.DataFrame
) -> None:
    rows = scores[scores["stratum"].eq("net/s3") & scores["product"].eq("ours") & scores["subset"].eq("common")]
    rows = rows[rows["metric"].eq("r")].set_index("signal")
    assert rows.loc["anomaly_35d", "status"] == "not_applicable"
    with xr.open_dataset(run / "matchups.nc") as opened:
        data = opened["values"].sel(station="net/s3").to_pandas().T
    common = data[data.notna().all(axis=1)]
    apart = common - common.groupby(common.index.month).transform("mean")
    assert rows.loc["anomaly_climatology", "value"] == pytest.approx(apart["ours"].corr(apart["reference"]), rel=1e-4)
    everywhere = scores[scores["stratum_kind"].eq("all") & scores["signal"].eq("anomaly_35d")]
    assert set(everywhere["status"]) == {"not_applicable"}
    lag = scores[scores["metric"].eq("lag_months") & scores["product"].eq("ours")]
    assert set(lag["status"]) <= {"ok", "few_stations"}
    assert "lag_days" not in set(scores["metric"])


def test_days_lost_on_the_way_to_months_are_counted_and_the_run_says_the_rule(run: Path) -> None:
    told = json.loads((run / "run.json").read_text())
    funnel = told["funnel"]["stations"]
    # Nine of the 31 days of January 2001 are missing at one station, so that its other 22 make no month.
    assert funnel["rejected_month_incomplete"] == 22
    assert funnel["funnel_days_in_months"] + 22 == 10 * DAYS.size - 9
    assert told["products"]["ours"]["months"] == {"product_days": 10, "station_share_of_days": 0.75}
    assert "events" in told["notes"]["events_left_out"]["stations"]


def test_a_climatology_of_other_years_and_stability_are_made_of_months(run: Path, scores: pd.DataFrame) -> None:
    with xr.open_dataset(run / "matchups.nc") as opened:
        data = opened["values"].sel(station="net/s3").to_pandas().T
    march = data.loc[data.index.month == 3, ["ours", "climatology"]]
    others = (march["ours"].sum() - march["ours"]) / (len(march) - 1)
    np.testing.assert_allclose(march["climatology"], others, rtol=1e-5)
    trends = scores[scores["metric"].eq("trend") & scores["stratum_kind"].eq("network") & scores["product"].eq("ours")]
    assert set(trends["n"]) == {12 * YEARS}
    compared = pd.read_parquet(run / "comparisons.parquet")
    assert set(compared["signal"]) == {"raw", "anomaly_climatology"}
    worse = compared[compared["rival"].eq("rival") & compared["stratum_kind"].eq("all") & compared["metric"].eq("r")]
    assert set(worse["outcome"]) == {"better"}


def test_a_product_that_is_a_month_late_is_found(world: Path, make: Any, tmp_path: Path) -> None:
    # Random months: a planted shift by one month must show in the lag of highest correlation.
    noise = pd.DataFrame(np.random.default_rng(3).uniform(0.1, 0.4, (12 * YEARS, ROWS * COLUMNS)), by_month(daily(make)).index)  # fmt: skip # noqa: E501
    write_months(tmp_path / "late.nc", noise.shift(1), cut=1)
    series = np.repeat(noise.to_numpy().T[:10], np.diff(np.searchsorted(DAYS, np.append(noise.index, DAYS[-1] + 1))), axis=1)  # fmt: skip # noqa: E501
    rows, columns = np.unravel_index(np.arange(10), (ROWS, COLUMNS))
    make["stations"](tmp_path / "stations.nc", series, LAT[rows], LON[columns], str(DAYS[0]))
    given = Settings(product=("late", str(tmp_path / "late.nc")), stations=(tmp_path / "stations.nc",))
    run_validation(given, tmp_path / "out")
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    lag = scores[scores["metric"].eq("lag_months") & scores["product"].eq("late")].iloc[0]
    assert (lag["status"], round(lag["value"])) == ("day_shift", 1)


def test_months_beside_a_daily_product_are_refused(world: Path) -> None:
    given = settings(world, product=("ours", str(world / "rival.nc")), rivals=(("months", str(world / "ours")),))
    with pytest.raises(UsageError, match="months holds months, ours days"):
        open_all(given)


def test_a_large_map_of_months_gives_the_scores_of_the_small_one(world: Path, run: Path, tmp_path: Path) -> None:
    run_validation(settings(world, stations=(), memory_bytes=1), tmp_path / "out")
    one, other = (pd.read_parquet(folder / "scores.parquet") for folder in (run, tmp_path / "out"))
    key = ["product", "reference", "stratum_kind", "stratum", "subset", "signal", "metric", "aggregate"]
    chosen = [frame[frame["reference"].eq("map") & frame["stratum_kind"].eq("station")] for frame in (one, other)]
    both = chosen[0].merge(chosen[1], on=key)
    assert len(both) == len(chosen[1]) > 50
    np.testing.assert_allclose(both["value_x"], both["value_y"], rtol=1e-6)
