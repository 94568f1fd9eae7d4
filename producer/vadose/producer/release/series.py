"""Series of places out of the granules of a release, one small read a day."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
import numpy.typing as npt

from vadose.common import InputError, Progress, UsageError, whole_file
from vadose.producer.granules.header import FILL
from vadose.producer.grids import Grid
from vadose.producer.recipe import Recipe
from vadose.producer.release.differences import granules_by_period
from vadose.producer.release.folder import Folder

Cells = npt.NDArray[np.int64]

FIELDS = ("sm", "sm_uncertainty", "flag")


@dataclass(frozen=True)
class Series:
    """Values of some cells, each (time, place); m3 m-3, missing is NaN.

    `name`, `lat` and `lon` are of the place asked for; `cell_lat` and `cell_lon` of the centre of its cell.
    """

    days: npt.NDArray[np.datetime64]
    name: tuple[str, ...]
    lat: npt.NDArray[np.float64]
    lon: npt.NDArray[np.float64]
    cell_lat: npt.NDArray[np.float64]
    cell_lon: npt.NDArray[np.float64]
    sm: npt.NDArray[np.float32]
    sm_uncertainty: npt.NDArray[np.float32]
    flag: npt.NDArray[np.int16]


@dataclass(frozen=True)
class Places:
    """Places asked for, in degrees."""

    name: tuple[str, ...]
    lat: npt.NDArray[np.float64]
    lon: npt.NDArray[np.float64]


def read_points(path: Path) -> Places:
    """Places from a CSV with the columns name (optional), lat and lon."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        lat = np.array([float(row["lat"]) for row in rows])
        lon = np.array([float(row["lon"]) for row in rows])
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"not a table of points: {error}", where=str(path), next="write a CSV with name, lat, lon"
        ) from error
    return Places(tuple(row.get("name") or str(k + 1) for k, row in enumerate(rows)), lat, lon)


def box_places(grid: Grid, west: float, south: float, east: float, north: float) -> Places:
    """The centres of all cells in a box."""
    rows = np.flatnonzero((grid.lat >= south) & (grid.lat <= north))
    columns = np.flatnonzero((grid.lon >= west) & (grid.lon <= east))
    lat, lon = (field.ravel() for field in np.meshgrid(grid.lat[rows], grid.lon[columns], indexing="ij"))
    if lat.size == 0:
        raise UsageError("no cell centre lies in the box")
    return Places(tuple(str(k + 1) for k in range(lat.size)), lat, lon)


class Source(Protocol):
    """A release that series are taken from."""

    @property
    def name(self) -> str:
        """Product and version, as `avhrr-0p05deg/v1.0.0`."""
        ...

    def recipe(self) -> Recipe:
        """The recipe that the version was built from."""
        ...

    def granules(self) -> dict[date, str]:
        """Granules by the first day of their day or month, ascending: whatever `values` takes."""
        ...

    def values(self, granule: str, rows: Cells, columns: Cells) -> dict[str, npt.NDArray[Any]]:
        """The `FIELDS` of some cells of a granule as stored, each (cell,)."""
        ...


@dataclass(frozen=True)
class LocalRelease:
    """A version folder, complete or not."""

    folder: Folder

    @property
    def name(self) -> str:
        """Product and version."""
        return f"{self.folder.root.name}/{self.folder.path.name}"

    def recipe(self) -> Recipe:
        """The recipe that the version was built from."""
        return self.folder.recipe()

    def granules(self) -> dict[date, str]:
        """Paths of the granules."""
        return {day: str(path) for day, path in granules_by_period(self.folder).items()}

    def values(self, granule: str, rows: Cells, columns: Cells) -> dict[str, npt.NDArray[Any]]:
        """The fields of some cells, by one read of the smallest window around them."""
        top, left = int(rows.min()), int(columns.min())
        window = (0, slice(top, int(rows.max()) + 1), slice(left, int(columns.max()) + 1))
        try:
            with h5py.File(granule, "r") as file:
                return {name: file[name][window][rows - top, columns - left] for name in FIELDS}
        except (OSError, KeyError) as error:
            raise InputError(
                f"not a readable granule: {error}", where=granule, next=f"vadose verify {self.folder.path}"
            ) from error


def read_series(source: Source, places: Places, first: np.datetime64 | None, last: np.datetime64 | None,
                progress: Progress, threads: int = 1) -> Series:  # fmt: skip
    """Read the cells that contain the places.

    Parameters
    ----------
    source
        The release.
    places
        Points in degrees; one outside the product's window is a `UsageError`.
    first, last
        UTC days, both included; the whole record by default.
    progress, threads
        Where to report, and how many granules to read at once.
    """
    grid = source.recipe().product.grid.grid()
    rows, columns = grid.locate(places.lat, places.lon)
    outside = np.flatnonzero(rows < 0)
    if outside.size:
        k = int(outside[0])
        raise UsageError(f"{places.lat[k]:g}, {places.lon[k]:g} lies outside the product's window", where=source.name)
    granules = _between(source, first, last)
    shape = (len(granules), rows.size)
    values: dict[str, npt.NDArray[Any]] = {
        "sm": np.empty(shape, "f4"),
        "sm_uncertainty": np.empty(shape, "f4"),
        "flag": np.empty(shape, "i2"),
    }
    with ThreadPoolExecutor(threads) as pool:
        found = pool.map(lambda granule: source.values(granule, rows, columns), granules.values())
        for k, fields in enumerate(progress.track(found, "read", len(granules))):
            for name in FIELDS:
                values[name][k] = fields[name]
    for name in ("sm", "sm_uncertainty"):
        values[name][values[name] == FILL] = np.nan
    days = np.array(list(granules), "datetime64[D]")
    return Series(days, places.name, places.lat, places.lon, grid.lat[rows], grid.lon[columns], **values)


def _between(source: Source, first: np.datetime64 | None, last: np.datetime64 | None) -> dict[date, str]:
    found = {
        day: granule for day, granule in source.granules().items()
        if (first is None or np.datetime64(day) >= first) and (last is None or np.datetime64(day) <= last)
    }  # fmt: skip
    if not found:
        raise InputError("no granules of these days", where=source.name, next="vadose status")
    return found


def as_csv(series: Series) -> str:
    """One line for each day and place; missing values are empty."""
    lines = ["day,name,lat,lon,cell_lat,cell_lon,sm,sm_uncertainty,flag"]
    for k, day in enumerate(series.days):
        for j, name in enumerate(series.name):
            place = f"{series.lat[j]:.6f},{series.lon[j]:.6f},{series.cell_lat[j]:.6f},{series.cell_lon[j]:.6f}"
            numbers = (
                "" if np.isnan(value) else f"{value:.4f}" for value in (series.sm[k, j], series.sm_uncertainty[k, j])
            )
            quoted = f'"{name}"' if "," in name else name
            lines.append(f"{day},{quoted},{place},{','.join(numbers)},{series.flag[k, j]}")
    return "\n".join(lines) + "\n"


def write_series(series: Series, target: Path, form: str, source: str) -> None:
    """Write a series as csv, parquet or netcdf.

    Parameters
    ----------
    series
        What was read.
    target
        The file; it appears whole.
    form
        `csv`, `parquet` or `netcdf`.
    source
        Name of the release, for the attribute `source`.
    """
    with whole_file(target) as part:
        if form == "csv":
            part.write_text(as_csv(series), encoding="utf-8")
        elif form == "parquet":
            import pandas as pd

            table = pd.read_csv(io.StringIO(as_csv(series)), converters={"name": str})
            table.astype({"flag": "int16"}).to_parquet(part, index=False)
        else:
            _dataset(series, source).to_netcdf(part)


def _dataset(series: Series, source: str) -> Any:
    import xarray as xr

    place, both = ("place",), ("time", "place")
    units = {"units": "m3 m-3", "coordinates": "lat lon place_name"}
    standard = "volume_fraction_of_condensed_water_in_soil"
    return xr.Dataset(
        {
            "sm": (both, series.sm, {"standard_name": standard, **units}),
            "sm_uncertainty": (both, series.sm_uncertainty, {"standard_name": f"{standard} standard_error", **units}),
            "flag": (both, series.flag, {"standard_name": "status_flag", "coordinates": "lat lon place_name"}),
            "place_name": (place, np.array(series.name, "S"), {"cf_role": "timeseries_id"}),
            "lat": (place, series.cell_lat, {"standard_name": "latitude", "units": "degrees_north"}),
            "lon": (place, series.cell_lon, {"standard_name": "longitude", "units": "degrees_east"}),
        },
        coords={"time": series.days.astype("datetime64[ns]")},
        attrs={"Conventions": "CF-1.11", "featureType": "timeSeries", "source": source},
    )


def points(lat: Sequence[float], lon: Sequence[float]) -> Places:
    """Places without names of their own."""
    return Places(tuple(str(k + 1) for k in range(len(lat))), np.array(lat, float), np.array(lon, float))
