"""Series of places out of a release: one small read a day, or few out of its cube."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
import numpy.typing as npt

from vadose.common import InputError, Progress, UsageError
from vadose.common.reading import brief_reading
from vadose.producer.granules.header import FILL
from vadose.producer.grids import Grid
from vadose.producer.recipe import Recipe
from vadose.producer.release.cube_series import CubeSeries, open_cube
from vadose.producer.release.differences import granules_by_period
from vadose.producer.release.folder import MANIFEST, Folder
from vadose.producer.release.rechunked import METADATA, cube_name
from vadose.producer.release.verify import published_entries

Cells = npt.NDArray[np.int64]
Fields = dict[str, npt.NDArray[Any]]

FIELDS = ("sm", "sm_uncertainty", "flag")


@dataclass(frozen=True)
class Series:
    """Values of some cells or areas, each (time, place); m3 m-3, missing is NaN.

    `name`, `lat` and `lon` are of the place asked for, an area's are those of its centroid; `cell_lat` and `cell_lon`
    of the centre of its cell.

    Attributes
    ----------
    share
        Cells of areas only: share of each cell that its area covers, (place,).
    domain_share, coverage
        Means of areas only: share of each area inside the product's domain, (place,), and share of that with a value
        in the mean, (time, place).
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
    share: npt.NDArray[np.float64] | None = None
    domain_share: npt.NDArray[np.float64] | None = None
    coverage: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Places:
    """Places asked for, in degrees; `share` as in `Series`."""

    name: tuple[str, ...]
    lat: npt.NDArray[np.float64]
    lon: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64] | None = None


def read_points(path: Path) -> Places:
    """Places from a CSV with the columns name (optional), lat and lon; names that come twice get a number."""
    if path.exists() and not path.is_file():
        raise InputError("not a file", where=str(path), next="write a CSV with name, lat, lon")
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
        lat = np.array([float(row["lat"]) for row in rows])
        lon = np.array([float(row["lon"]) for row in rows])
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError, csv.Error) as error:
        why = f"no column {error}" if isinstance(error, KeyError) else getattr(error, "strerror", None) or error
        raise InputError(
            f"not a table of points: {why}", where=str(path), next="write a CSV with name, lat, lon"
        ) from error
    if not rows:
        raise InputError("a table of points without a line", where=str(path), next="write a CSV with name, lat, lon")
    wrong = np.flatnonzero(~((np.abs(lat) <= 90.0) & (lon >= -180.0) & (lon <= 360.0)))
    if wrong.size:
        k = int(wrong[0])
        swapped = " (are the two swapped?)" if abs(lat[k]) <= 180.0 and abs(lon[k]) <= 90.0 else ""
        raise InputError(f"lat {lat[k]:g}, lon {lon[k]:g} is no place{swapped}", where=f"{path}, line {k + 2}")
    names: list[str] = []
    for k, row in enumerate(rows, 1):
        name = row.get("name") or str(k)
        names.append(name if name not in names else f"{name} {k}")
    return Places(tuple(names), lat, lon)


def box_places(grid: Grid, west: float, south: float, east: float, north: float) -> Places:
    """The centres of all cells in a box; one whose west is more than its east goes over the antimeridian."""
    if not (-90.0 <= south <= north <= 90.0):
        raise UsageError(
            f"south {south:g} and north {north:g} make no box", where="--box", next="write it as W,S,E,N in degrees"
        )
    if not (-360.0 <= west <= 360.0 and -360.0 <= east <= 360.0):
        raise UsageError(f"west {west:g} and east {east:g} make no box", where="--box", next="write W,S,E,N in degrees")
    width = east - west if 0.0 <= east - west <= 360.0 else (east - west) % 360.0
    rows = np.flatnonzero((grid.lat >= south) & (grid.lat <= north))
    columns = np.flatnonzero((grid.lon - west) % 360.0 <= width)
    lat, lon = (field.ravel() for field in np.meshgrid(grid.lat[rows], grid.lon[columns], indexing="ij"))
    if lat.size == 0:
        raise UsageError("no cell centre lies in the box", where="--box", next="write it as W,S,E,N in degrees")
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

    def cube(self) -> CubeSeries | None:
        """The rechunked cube of the same values, where there is one."""
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

    def cube(self) -> CubeSeries | None:
        """The cube, unless a granule of an unpublished version was written after it."""
        made = self.folder.path / cube_name(self.recipe()) / METADATA
        if not made.is_file() or not (self.folder.published or self._is_newest(made)):
            return None
        try:
            listed = {str(entry["path"]): entry for entry in published_entries(self.folder.path / MANIFEST)}
        except InputError:
            return None
        return open_cube(listed, self.recipe(), self._part, str(self.folder.path))

    def _is_newest(self, made: Path) -> bool:
        latest = max((Path(path).stat().st_mtime_ns for path in self.granules().values()), default=0)
        return latest <= made.stat().st_mtime_ns

    def _part(self, name: str, part: tuple[int, int] | None) -> bytes:
        with (self.folder.path / name).open("rb") as file:
            file.seek(part[0] if part else 0)
            return file.read(part[1] if part else -1)

    def values(self, granule: str, rows: Cells, columns: Cells) -> dict[str, npt.NDArray[Any]]:
        """The fields of some cells, by one read in each chunk that holds any of them."""
        try:
            with brief_reading(granule), h5py.File(granule, "r") as file:
                return {name: _cells(file[name], rows, columns) for name in FIELDS}
        except (OSError, KeyError) as error:
            raise InputError(
                f"not a readable granule: {error}", where=granule, next=f"vadose verify {self.folder.path}"
            ) from error


def _cells(stored: h5py.Dataset, rows: Cells, columns: Cells) -> npt.NDArray[Any]:
    found = np.empty(rows.size, stored.dtype)
    for _, inside in by_chunk(rows, columns, stored.chunks[1:]):
        top, left = int(rows[inside].min()), int(columns[inside].min())
        window = (0, slice(top, int(rows[inside].max()) + 1), slice(left, int(columns[inside].max()) + 1))
        found[inside] = stored[window][rows[inside] - top, columns[inside] - left]
    return found


def by_chunk(rows: Cells, columns: Cells, chunk: tuple[int, int]) -> Iterator[tuple[tuple[int, int], Cells]]:
    """Number of each chunk that holds any of the cells, by row and column of chunks, and the cells in it."""
    width = int(columns.max()) // chunk[1] + 1
    number = rows // chunk[0] * width + columns // chunk[1]
    order = np.argsort(number, kind="stable")
    for inside in np.split(order, np.flatnonzero(np.diff(number[order])) + 1):
        yield divmod(int(number[inside[0]]), width), inside


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
        west, east, south, north = *grid.lon_edges[[0, -1]], *grid.lat_edges[[-1, 0]]
        raise UsageError(
            f"lat {places.lat[k]:g}, lon {places.lon[k]:g} lies outside the product's window", where=source.name,
            why=f"the window is {west:g} to {east:g} degrees east, {south:g} to {north:g} degrees north",
            next="give a place inside it",
        )  # fmt: skip
    days, found = read_days(source, rows, columns, first, last, progress, threads, lambda fields: fields)
    for name in ("sm", "sm_uncertainty"):
        found[name][found[name] == FILL] = np.nan
    return Series(
        days, places.name, places.lat, places.lon, grid.lat[rows], grid.lon[columns], found["sm"],
        found["sm_uncertainty"], found["flag"], places.share,
    )  # fmt: skip


def read_days(source: Source, rows: Cells, columns: Cells, first: np.datetime64 | None, last: np.datetime64 | None,
              progress: Progress, threads: int, reduced: Callable[[Fields], Fields]) -> tuple[Any, Fields]:  # fmt: skip
    """First days of the periods, and what `reduced` makes of the fields of the cells, stacked over them.

    The fields come out of the cube, where the release has one and they lie in fewer chunks of it.
    """
    granules = _between(source, first, last)
    days = np.array(list(granules), "datetime64[D]")
    stacked: Fields = {}
    found: Iterator[Fields]
    cube = source.cube() if days.size > 1 else None
    with ThreadPoolExecutor(threads) as pool:
        if cube is not None and cube.is_better(days, rows, columns, source.recipe().product.grid.grid().chunk):
            found = map(reduced, cube.fields(days, rows, columns, FIELDS))
        else:
            found = pool.map(lambda granule: reduced(source.values(granule, rows, columns)), granules.values())
        for k, fields in enumerate(progress.track(found, "read", days.size)):
            for name, values in fields.items():
                stacked.setdefault(name, np.empty((days.size, *values.shape), values.dtype))[k] = values
    return days, stacked


def _between(source: Source, first: np.datetime64 | None, last: np.datetime64 | None) -> dict[date, str]:
    granules = source.granules()
    found = {
        day: granule for day, granule in granules.items()
        if (first is None or np.datetime64(day) >= first) and (last is None or np.datetime64(day) <= last)
    }  # fmt: skip
    if not found:
        record = f"the record is {min(granules)} to {max(granules)}" if granules else "it has none at all"
        raise InputError("no granules of these days", where=source.name, why=record, next="name other days")
    return found


def points(lat: Sequence[float], lon: Sequence[float]) -> Places:
    """Places without names of their own."""
    return Places(tuple(str(k + 1) for k in range(len(lat))), np.array(lat, float), np.array(lon, float))
