"""Two real networks: the dense cluster of Yanco against SMAP and ERA5, and a year of USCRN with what was lost where."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
import yaml

from vadose.statistics import Estimate, estimate, metric, words
from vadose.validation.stations import read_stations, station_days

OZNET = "OZNET"
LICENCE = "OzNet terms not found"
# Row and column of EASE-Grid 2.0, 36 km, that hold half of the stations each.
CORE_CELLS = {"318-873": (318, 873), "319-873": (319, 873)}
# Of 13 stations of a cell at least three report on a day of its mean.
LEAST_SHARE = 3 / 13
MAPPING: dict[str, Any] = {
    "network": OZNET, "licence": LICENCE, "redistributable": False, "station_column": "sitename", "lat": "lat",
    "lon": "lon", "time": {"column": "time", "utc_offset": 0}, "checks": [],
    "values": [{"column": "insitu_sm", "units": "m3 m-3", "depth_m": [0.0, 0.05]}],
}  # fmt: skip
SHOWN = ("r", "bias", "ubrmsd")


def site_values(
    name: str, stations: pd.DataFrame, *, missing: str = "mean", share: float = LEAST_SHARE
) -> dict[str, Any]:
    """Site file of a core cell: the plain mean of its stations, or the one that does not jump (`anomaly`).

    Parameters
    ----------
    name
        Key of `CORE_CELLS`.
    stations
        Columns sitename, lat, lon, row, column.
    missing, share
        How missing stations are treated, and the least weight that must be there on a day.
    """
    row, column = CORE_CELLS[name]
    inside = stations[stations["row"].eq(row) & stations["column"].eq(column)]
    return {
        "site": f"Yanco {name}", "cell": {"token": "EASE2M36", "row": row, "column": column}, "own": True,
        "weighting": "arithmetic", "missing": missing, "minimum_weight": share, "licence": LICENCE,
        "redistributable": False, "depth_m": [0.0, 0.05],
        "stations": [
            {"network": OZNET, "station": str(name), "lat": float(lat), "lon": float(lon)}
            for name, lat, lon in zip(inside["sitename"], inside["lat"], inside["lon"], strict=True)
        ],
    }  # fmt: skip


def yanco_datasets(data: Path, means: Sequence[tuple[str, float]] = (("mean", LEAST_SHARE),)) -> list[xr.Dataset]:
    """The stations of Yanco, then for each way of upscaling the two core cells as sites."""
    source, stations = data / "yanco" / "oznet_yanco_daily_2016_2021.csv.gz", pd.read_csv(data / "yanco/stations.csv")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mapping = folder / "oznet.yaml"
        mapping.write_text(yaml.safe_dump(MAPPING))
        out = [read_stations([source], mapping=mapping)]
        for number, (missing, share) in enumerate(means):
            place = folder / str(number)
            place.mkdir()
            for cell in CORE_CELLS:
                values = site_values(cell, stations, missing=missing, share=share)
                (place / f"{cell}.yaml").write_text(yaml.safe_dump(values))
            out.append(read_stations([source, place], mapping=mapping))
    return out


def yanco_windows(data: Path, name: str) -> pd.DataFrame:
    """Means of SMAP (`soil_moisture`) and ERA5 (`era5_swvl1`) over windows of three days in a core cell."""
    table = pd.read_csv(data / "yanco" / "smap_era5_3day_windows_Australia.csv.gz", parse_dates=["start", "end"])
    cells = pd.read_csv(data / "yanco" / "smap_cells.csv")
    row, column = CORE_CELLS[name]
    place = cells[cells["row"].eq(row) & cells["column"].eq(column)]
    near = np.isclose(table["latitude"], place["latitude"]) & np.isclose(table["longitude"], place["longitude"])
    return table[near]


def yanco_scores(data: Path) -> pd.DataFrame:
    """R, bias and ubRMSD at the two core cells, with intervals.

    Returns
    -------
    pandas.DataFrame
        One row for each cell, series and metric: SMAP and ERA5 against the mean of the cell's stations, window by
        window, and each station against that mean, day by day.
    """
    stations, sites = yanco_datasets(data)
    table = pd.read_csv(data / "yanco" / "stations.csv")
    rows: list[dict[str, Any]] = []
    for cell, (row, column) in CORE_CELLS.items():
        site = _series(sites, f"Yanco {cell}")
        windows = yanco_windows(data, cell)
        for name, source in (("SMAP L3", "soil_moisture"), ("ERA5 0-7 cm", "era5_swvl1")):
            product, reference = _by_window(windows, windows[source].to_numpy(float), site)
            rows += _rows(cell, name, "windows of 3 days", product, reference)
        inside = table.loc[table["row"].eq(row) & table["column"].eq(column), "sitename"]
        for name in inside:
            one = _series(stations, str(name)).reindex(site.index)
            rows += _rows(cell, f"station {name}", "days", one.to_numpy(), site.to_numpy())
    return pd.DataFrame(rows)


def _series(dataset: xr.Dataset, name: str) -> pd.Series:
    position = dataset["station_name"].values.tolist().index(name)
    return pd.Series(dataset["soil_moisture"].values[position].astype(float), pd.DatetimeIndex(station_days(dataset)))


def _by_window(
    windows: pd.DataFrame, product: npt.NDArray[np.float64], site: pd.Series
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Both series on a daily axis: the value of a window stands on its middle day."""
    middle = windows["start"] + (windows["end"] - windows["start"]) / 2
    days = pd.date_range(middle.min(), middle.max())
    spans = zip(windows["start"], windows["end"], strict=True)
    means = [site[start:end].mean() for start, end in spans]
    return tuple(pd.Series(one, middle).reindex(days).to_numpy(float) for one in (product, means))  # type: ignore[return-value]


def _rows(
    cell: str, series: str, sample: str, product: npt.NDArray[np.float64], reference: npt.NDArray[np.float64]
) -> Iterator[dict[str, Any]]:
    for name in SHOWN:
        found: Estimate = estimate(metric(name), product, reference)
        yield {
            "cell": cell, "series": series, "sample": sample, "metric": name, "value": float(found.value),
            "ci_low": float(found.ci_low), "ci_high": float(found.ci_high), "n": float(found.n),
            "n_eff": float(found.n_eff), "status": str(words(found.status)),
        }  # fmt: skip


def uscrn_funnel(data: Path) -> pd.DataFrame:
    """Values of USCRN 2020 at each stage of the funnel and lost for each reason, over all stations and depths.

    Returns
    -------
    pandas.DataFrame
        Columns depth_cm, kind (`stage` or `rejected`), name, count, stations.
    """
    dataset = read_stations([data / "uscrn_2020"], sensors="separate")
    depth = np.round(dataset["depth_to"].values * 100).astype(int)
    rows = []
    for centimetres in np.unique(depth):
        part = dataset.isel(station=depth == centimetres)
        for kind, variable, key in (("stage", "funnel", "stage"), ("rejected", "rejected", "reason")):
            counts = part[variable].sum("station").values
            for name, count in zip(part[key].values.tolist(), counts.tolist(), strict=True):
                if kind == "stage" or count:
                    rows.append((int(centimetres), kind, str(name), int(count), part.sizes["station"]))
    return pd.DataFrame(rows, columns=["depth_cm", "kind", "name", "count", "stations"])
