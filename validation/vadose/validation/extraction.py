"""Series of chosen cells of a product, read with as few bytes as the storage allows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from vadose.common import InputError, Progress, silent
from vadose.validation.products import Product
from vadose.validation.stored import Stored, open_stored

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]

EPOCH = np.datetime64("1970-01-01", "D")
# Cells are read in boxes of at most this many rows and columns, the size of a chunk of our granules.
_BOX = 600
_SLAB_VALUES = 2**25
_TIME_UNITS = {"days": 1.0, "hours": 24.0, "minutes": 1440.0, "seconds": 86400.0}
_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
_PLAUSIBLE = (-0.05, 1.0)


@dataclass(frozen=True)
class Series:
    """Daily values of cells, m3 m-3, NaN where missing or not for use.

    Attributes
    ----------
    days
        Consecutive days, (time,).
    values
        Soil moisture, (cell, time).
    uncertainty
        Standard uncertainty, (cell, time), or None.
    flagged
        Values that the quality rule took away, (cell,).
    """

    days: Days
    values: Floats
    uncertainty: Floats | None
    flagged: Integers


def extract(product: Product, rows: Integers, columns: Integers, progress: Progress = silent) -> Series:
    """Read the series of cells, given by row and column of the product's grid.

    Raises
    ------
    InputError
        If a file is broken, two files hold the same day, or the values contradict their units.
    """
    found = _cube_series(product, rows, columns) if product.gathered is not None else _file_series(
        product, rows, columns, progress
    )  # fmt: skip
    _check_plausible(found.values, product)
    return found


def _check_plausible(values: Floats, product: Product) -> None:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return
    outside = float(((finite < _PLAUSIBLE[0]) | (finite > _PLAUSIBLE[1])).mean())
    if outside > 0.5:
        raise InputError(
            f"values contradict the units: {outside:.0%} of them lie outside 0..1 m3 m-3, median {np.median(finite):g}",
            where=f"{product.path}, variable {product.variable}", next="state the right units in a product card",
        )  # fmt: skip


def _cube_series(product: Product, rows: Integers, columns: Integers) -> Series:
    group = zarr.open_group(str(product.path), mode="r")
    time = group["time"]
    position = product.gathered_position[rows * product.geometry.shape[1] + columns]
    present = position >= 0
    days = EPOCH + np.floor(np.asarray(time[:])).astype("timedelta64[D]")  # type: ignore[index]
    values = np.full((rows.size, days.size), np.nan, np.float32)
    if present.any():
        array: Any = group[product.variable]
        low, high = int(position[present].min()), int(position[present].max()) + 1
        values[present] = np.asarray(array[:, low:high])[:, position[present] - low].T
    values = values * np.float32(product.factor) + np.float32(product.offset)
    return Series(days, values, None, np.zeros(rows.size, np.int64))


@dataclass(frozen=True)
class _Box:
    """A window of the grid and the cells in it."""

    rows: slice
    columns: slice
    cells: Integers
    row: Integers
    column: Integers


def _boxes(rows: Integers, columns: Integers) -> list[_Box]:
    tile = (rows // _BOX) * 10**6 + columns // _BOX
    out = []
    for one in np.unique(tile):
        cells = np.flatnonzero(tile == one)
        r, c = rows[cells], columns[cells]
        window = slice(int(r.min()), int(r.max()) + 1), slice(int(c.min()), int(c.max()) + 1)
        out.append(_Box(*window, cells, r - window[0].start, c - window[1].start))
    return out


def _file_series(product: Product, rows: Integers, columns: Integers, progress: Progress) -> Series:
    boxes = _boxes(rows, columns)
    names = [product.variable, *([product.uncertainty] if product.uncertainty else [])]
    pieces: list[tuple[Days, Floats, Integers, list[Floats]]] = []
    for file in progress.track(product.files, f"reading {product.name}", len(product.files)):
        try:
            with open_stored(file) as stored:
                pieces.extend(_file_pieces(stored, file, product, names, boxes, rows.size))
        except (OSError, RuntimeError, IndexError, KeyError) as error:
            raise InputError(f"cannot be read: {error}", where=f"{file}, variable {product.variable}") from error
    return _joined(product, pieces, rows.size)


def _file_pieces(
    file: Stored, path: Path, product: Product, names: Sequence[str], boxes: Sequence[_Box], cells: int
) -> Iterator[tuple[Days, Floats, Integers, list[Floats]]]:
    """For each slab of days of a file: days, values (cell, day), values taken by flags, further variables."""
    there = file.names()
    if product.variable not in there:
        raise InputError(f"no variable {product.variable!r}; the file holds {', '.join(there)}", where=str(path))
    days = _days(file, path, product.variable)
    area = sum((box.rows.stop - box.rows.start) * (box.columns.stop - box.columns.start) for box in boxes)
    step = max(int(_SLAB_VALUES // max(area, 1)), 1)
    for start in range(0, days.size, step):
        slab = slice(start, min(start + step, days.size))
        stored = [_read(file.array(name), slab, boxes, cells) for name in names]
        values = _scaled(stored[0], product)
        flagged = np.zeros(cells, np.int64)
        if product.quality is not None and product.quality.variable in there:
            flags = _read(file.array(product.quality.variable), slab, boxes, cells)
            good = product.quality.good(flags)
            flagged = (~good & np.isfinite(values)).sum(axis=1)
            values = np.where(good, values, np.float32(np.nan))
        extra = [
            _missing(one, file.attribute(name, "_FillValue")) for one, name in zip(stored[1:], names[1:], strict=True)
        ]
        yield days[slab], values, flagged, extra


def _read(variable: Any, slab: slice, boxes: Sequence[_Box], cells: int) -> npt.NDArray[Any]:
    """Stored values of the cells, (cell, day); dimensions other than time and the grid must have length 1."""
    count = slab.stop - slab.start
    out = np.empty((cells, count), variable.dtype)
    extra = variable.ndim - 2
    for box in boxes:
        key: list[Any] = [slab] if extra >= 1 and variable.shape[0] >= slab.stop else [0] * min(extra, 1)
        key += [0] * (extra - len(key))
        window = np.asarray(variable[(*key, box.rows, box.columns)])
        window = window.reshape(-1, *window.shape[-2:])
        out[box.cells] = window[:, box.row, box.column].T
    return out


def _scaled(stored: npt.NDArray[Any], product: Product) -> Floats:
    values = stored.astype(np.float32)
    for fill in product.fill:
        values[stored == np.asarray(fill, stored.dtype)] = np.nan
    return values * np.float32(product.factor) + np.float32(product.offset)


def _missing(stored: npt.NDArray[Any], fill: Any) -> Floats:
    values = stored.astype(np.float32)
    if fill is not None:
        values[stored == fill] = np.nan
    return values


def _days(file: Stored, path: Path, name: str) -> Days:
    """Days of a file from its time coordinate, else from the eight digits in its name."""
    there = file.names()
    for time in (file.first_dimension(name), "time"):
        units = str(file.attribute(time, "units", "")) if time in there else ""
        if " since " in units:
            calendar = str(file.attribute(time, "calendar", "standard"))
            return _decoded(np.atleast_1d(np.asarray(file.array(time)[...], float)), units, calendar, path)
    match = re.search(r"(?<!\d)(\d{4})(\d{2})(\d{2})(?!\d)", path.name)
    if match is None:
        raise InputError("no time coordinate and no YYYYMMDD in the file name", where=str(path))
    return np.array([f"{match[1]}-{match[2]}-{match[3]}"], "datetime64[D]")


def _decoded(values: npt.NDArray[np.float64], units: str, calendar: str, path: Path) -> Days:
    unit, _, since = units.partition(" since ")
    per_day = _TIME_UNITS.get(unit.strip().lower().rstrip("s") + "s")
    if per_day is None or calendar not in _CALENDARS:
        raise InputError(f"time units {units!r} or calendar {calendar!r} are not known", where=str(path))
    try:
        reference = np.datetime64(since.strip().split("+")[0].removesuffix("UTC").strip().replace(" ", "T"), "s")
    except ValueError as error:
        raise InputError(f"time units {units!r} have no readable date", where=str(path)) from error
    seconds = np.round(values / per_day * 86400.0).astype("timedelta64[s]")
    return np.asarray((reference + seconds).astype("datetime64[D]"))


def _joined(product: Product, pieces: Sequence[tuple[Days, Floats, Integers, list[Floats]]], cells: int) -> Series:
    every = np.concatenate([days for days, *_ in pieces])
    distinct, counts = np.unique(every, return_counts=True)
    if (counts > 1).any():
        day = distinct[counts.argmax()]
        raise InputError(
            f"{day} comes {counts.max()} times", where=str(product.path),
            why="a product has one value a day here", next="keep one file a day, or average to days first",
        )  # fmt: skip
    days = np.arange(distinct[0], distinct[-1] + 1)
    values = np.full((cells, days.size), np.nan, np.float32)
    uncertainty = np.full((cells, days.size), np.nan, np.float32) if product.uncertainty else None
    flagged = np.zeros(cells, np.int64)
    for piece_days, piece, taken, extra in pieces:
        at = (piece_days - days[0]).astype(np.int64)
        values[:, at] = piece
        flagged += taken
        if uncertainty is not None:
            uncertainty[:, at] = extra[0]
    return Series(days, values, uncertainty, flagged)
