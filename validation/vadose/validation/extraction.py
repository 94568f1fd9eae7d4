"""Series of chosen cells of a product, read with as few bytes as the storage allows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.common import UNREADABLE, InputError, Progress, silent
from vadose.validation.layout import CELL, COLUMN, ROW, TIME, level_of
from vadose.validation.months import MONTHLY, months_of, product_months
from vadose.validation.products import Product
from vadose.validation.stored import Stored, open_stored
from vadose.validation.units import contradiction, steps_in_a_day

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]

# Cells are read in boxes of at most this many rows and columns, the size of a chunk of our granules.
_BOX = 600
# Points farther apart than this in a file are read one by one.
_GAP = 2048
_SLAB_VALUES = 2**25
# Beyond this many days from its reference a time is no date of any record.
_MOST_DAYS = 1e6
_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
_LONG_BOUNDS_DAYS = 0.75
# So many values, each so many days from the next, are those of months.
_FEWEST_MONTHS, _SHORTEST_MONTH = 6, 28


@dataclass(frozen=True)
class Series:
    """Daily or monthly values of cells, m3 m-3, NaN where missing or not for use.

    Attributes
    ----------
    days
        Consecutive days or months, datetime64[D] or [M], (time,).
    values
        Soil moisture, (cell, time).
    uncertainty
        Standard uncertainty, (cell, time), or None.
    flagged
        Values that the quality rule took away, (cell,).
    filled
        Values that are gap-filled, (cell, time), or None where the product does not say.
    """

    days: Days
    values: Floats
    uncertainty: Floats | None
    flagged: Integers
    filled: Booleans | None = None

    def months(self) -> Series:
        """Means of months with at least ten days; as filled counts a month of which half of those days are filled.

        Errors of the days of a month are taken as fully dependent, as in our granules.
        """
        values = product_months(self.values, self.days)
        known = np.isfinite(self.values)
        errors, filled = None, None
        if self.uncertainty is not None:
            errors = product_months(np.where(known, self.uncertainty, np.nan), self.days)
        if self.filled is not None:
            filled = product_months(np.where(known, self.filled, np.nan), self.days) >= 0.5
        return Series(months_of(self.days), values, errors, np.zeros_like(self.flagged), filled)


def extract(product: Product, rows: Integers, columns: Integers, progress: Progress = silent) -> Series:
    """Read the series of cells, given by row and column of the product's grid.

    Raises
    ------
    InputError
        If a file is broken, two files hold the same day, or the values contradict their units.
    """
    windows = windows_of(product, rows, columns)
    pieces: list[Piece] = []
    for file in progress.track(product.files, f"reading {product.name}", len(product.files)):
        pieces.extend(pieces_of(product, file, windows, rows.size))
    found = _joined(product, pieces, rows.size)
    why = contradiction(found.values)
    if why:
        raise InputError(
            f"values contradict the units: {why}", where=f"{product.path}, variable {product.variable}",
            next="state the right units in a product card",
        )  # fmt: skip
    return found.months() if product.as_months else found


def pieces_of(product: Product, path: Path, windows: Sequence[Window], cells: int) -> list[Piece]:
    """What one file of a product holds at some cells, whose windows are `windows_of` them."""
    try:
        with open_stored(path) as stored:
            return list(_pieces(stored, path, product, windows, cells))
    except UNREADABLE as error:
        raise InputError(f"cannot be read: {error}", where=f"{path}, variable {product.variable}") from error


def file_days(product: Product, path: Path) -> Days:
    """The days or months of one file of a product."""
    try:
        with open_stored(path) as stored:
            return _days(stored, path, product)
    except UNREADABLE as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from error


@dataclass(frozen=True)
class Window:
    """A contiguous part of the horizontal dimensions, and where the cells lie in it."""

    keys: dict[str, slice]
    cells: Integers
    inside: tuple[Integers, ...]

    @property
    def area(self) -> int:
        """Cells of the window, wanted or not."""
        return int(np.prod([key.stop - key.start for key in self.keys.values()]))


def windows_of(product: Product, rows: Integers, columns: Integers) -> list[Window]:
    """Contiguous parts of a file that together hold all of some cells."""
    if CELL not in product.roles:
        return _boxes(rows, columns)
    flat = rows * product.geometry.shape[1] + columns
    position = flat if product.gathered is None else product.gathered_position[flat]
    order = np.argsort(position, kind="stable")
    order = order[position[order] >= 0]
    splits = np.flatnonzero(np.diff(position[order]) > _GAP) + 1
    out = []
    for cells in np.split(order, splits):
        if cells.size:
            low, high = int(position[cells[0]]), int(position[cells[-1]]) + 1
            out.append(Window({CELL: slice(low, high)}, cells, (position[cells] - low,)))
    return out


def _boxes(rows: Integers, columns: Integers) -> list[Window]:
    tile = (rows // _BOX) * 10**6 + columns // _BOX
    out = []
    for one in np.unique(tile):
        cells = np.flatnonzero(tile == one)
        r, c = rows[cells], columns[cells]
        keys = {ROW: slice(int(r.min()), int(r.max()) + 1), COLUMN: slice(int(c.min()), int(c.max()) + 1)}
        out.append(Window(keys, cells, (r - keys[ROW].start, c - keys[COLUMN].start)))
    return out


@dataclass(frozen=True)
class Piece:
    """Some days of all cells, each array (cell, day)."""

    days: Days
    values: Floats
    flagged: Integers
    uncertainty: Floats | None
    filled: Booleans | None


def _pieces(file: Stored, path: Path, product: Product, windows: Sequence[Window], cells: int) -> Iterator[Piece]:
    if not file.has(product.variable):
        raise InputError(f"no variable {product.variable!r}; the file holds {', '.join(file.names())}", where=str(path))
    days = _days(file, path, product)
    for slab in _slabs(file, product, windows, days.size):
        values = _scaled(_read(file, product.variable, product, slab, windows, cells), product)
        flagged, filled = np.zeros(cells, np.int64), None
        if product.quality is not None and file.has(product.quality.variable):
            flags = _read(file, product.quality.variable, product, slab, windows, cells)
            good = product.quality.good(flags)
            flagged = (~good & np.isfinite(values)).sum(axis=1)
            values = np.where(good, values, np.float32(np.nan))
            filled = product.quality.filled(flags) if product.quality.gap else None
        uncertainty = None
        if product.uncertainty is not None and file.has(product.uncertainty):
            stored = _read(file, product.uncertainty, product, slab, windows, cells)
            uncertainty = _missing(stored, file.attribute(product.uncertainty, "_FillValue"))
        yield Piece(days[slab], values, flagged, uncertainty, filled)


def _slabs(file: Stored, product: Product, windows: Sequence[Window], days: int) -> list[slice]:
    """Parts of the time axis that fit into memory, whole chunks where the file has chunks."""
    area = sum(window.area for window in windows)
    step = max(int(_SLAB_VALUES // max(area, 1)), 1)
    chunks = file.chunks(product.variable)
    if chunks is not None and TIME in product.roles:
        chunk = chunks[product.roles.index(TIME)]
        step = max(step // chunk, 1) * chunk
    return [slice(start, min(start + step, days)) for start in range(0, days, step)]


def _read(
    file: Stored, name: str, product: Product, slab: slice, windows: Sequence[Window], cells: int
) -> npt.NDArray[Any]:
    """Stored values of the cells, (cell, day)."""
    array = file.array(name)
    roles = product.roles
    level = level_of(roles)
    kept = [role for role in roles if role in (TIME, ROW, COLUMN, CELL)]
    fill: float = np.nan if array.dtype.kind == "f" else 0
    out = np.full((cells, slab.stop - slab.start), fill, array.dtype.newbyteorder("="))
    for window in windows:
        keys: dict[str, Any] = {TIME: slab, **window.keys}
        key = tuple(keys[role] if role in keys else level if role.startswith("level") else 0 for role in roles)
        block = np.asarray(array[key])
        space = [kept.index(role) for role in window.keys]
        block = block.transpose(*space, *([kept.index(TIME)] if TIME in kept else []))
        if TIME not in kept:
            block = block[..., None]
        out[window.cells] = block[window.inside]
    if CELL in roles and product.gathered is not None:
        there = np.zeros(cells, bool)
        for window in windows:
            there[window.cells] = True
        if out.dtype.kind != "f" and not there.all():
            out = out.astype(np.float64)
        out[~there] = np.nan if out.dtype.kind == "f" else 0
    return out


def _scaled(stored: npt.NDArray[Any], product: Product) -> Floats:
    values = stored.astype(np.float32)
    for fill in product.fill:
        if np.isfinite(fill):
            values[stored == np.asarray(fill).astype(stored.dtype)] = np.nan
    if product.factor == 1.0 and product.offset == 0.0:
        return values
    return values * np.float32(product.factor) + np.float32(product.offset)


def _missing(stored: npt.NDArray[Any], fill: Any) -> Floats:
    values = stored.astype(np.float32)
    if fill is not None:
        values[stored == fill] = np.nan
    return values


def _days(file: Stored, path: Path, product: Product) -> Days:
    """Days or months of a file from its time coordinate, else from the digits in its name.

    A mean over an interval belongs to the day or month in which the middle of its time bounds lies, wherever its stamp
    is.
    """
    if product.step == MONTHLY:
        return _dated(file, path, product, r"(?<!\d)(\d{4})(\d{2})(?:\d{2})?(?!\d)").astype("datetime64[M]")
    return _dated(file, path, product, r"(?<!\d)(\d{4})(\d{2})(\d{2})(?!\d)")


def _dated(file: Stored, path: Path, product: Product, in_name: str) -> Days:
    name = product.time
    if name and file.has(name):
        units = str(file.attribute(name, "units", "")).strip()
        if " since " in units:
            calendar = str(file.attribute(name, "calendar", "standard"))
            stamps = np.atleast_1d(np.asarray(file.array(name)[...], float))
            return _decoded(_middles(file, product, stamps, units), units, calendar, path)
    match = re.search(in_name, path.name)
    if match is None:
        asked = "YYYYMM" if product.step == MONTHLY else "YYYYMMDD"
        raise InputError(f"no time coordinate and no {asked} in the file name", where=str(path))
    try:
        return np.array(["-".join([*match.groups(), "01"][:3])], "datetime64[D]")
    except ValueError as error:
        raise InputError(f"{match[0]} in the file name is no day", where=str(path)) from error


def _middles(file: Stored, product: Product, stamps: npt.NDArray[np.float64], units: str) -> npt.NDArray[np.float64]:
    bounds = str(file.attribute(product.time, "bounds", ""))
    if not bounds or not file.has(bounds) or tuple(file.array(bounds).shape) != (stamps.size, 2):
        return stamps
    pairs = np.asarray(file.array(bounds)[...], float)
    length = (pairs[:, 1] - pairs[:, 0]) / steps_in_a_day(units)
    is_mean = "mean" in str(file.attribute(product.variable, "cell_methods", "")).partition("time:")[2]
    if not (is_mean or float(np.median(length)) >= _LONG_BOUNDS_DAYS):
        return stamps
    # A hair before the end of the interval: the middle of [0 h, 0 h] is that very instant.
    return np.asarray(pairs.mean(axis=1))


def _decoded(values: npt.NDArray[np.float64], units: str, calendar: str, path: Path) -> Days:
    since, per_day = units.partition(" since ")[2], steps_in_a_day(units)
    if not np.isfinite(per_day) or calendar not in _CALENDARS:
        raise InputError(f"time units {units!r} or calendar {calendar!r} are not known", where=str(path))
    try:
        reference = np.datetime64(since.strip().split("+")[0].removesuffix("UTC").strip().replace(" ", "T"), "s")
    except ValueError as error:
        raise InputError(f"time units {units!r} have no readable date", where=str(path)) from error
    days = values / per_day
    if not (np.abs(days) < _MOST_DAYS).all():
        raise InputError("time holds a value that is no date", where=str(path), why=f"units {units!r}")
    seconds = np.round(days * 86400.0).astype("timedelta64[s]")
    return np.asarray((reference + seconds).astype("datetime64[D]"))


def _joined(product: Product, pieces: Sequence[Piece], cells: int) -> Series:
    every = np.concatenate([piece.days for piece in pieces])
    if not every.size:
        raise InputError("the product has no day", where=str(product.path))
    distinct, counts = np.unique(every, return_counts=True)
    several = bool((counts > 1).any())
    if several and not product.averaged:
        day = distinct[counts.argmax()]
        raise InputError(
            f"{day} comes {counts.max()} times", where=str(product.path),
            why=f"a {product.step} product has one value a {'month' if product.step == MONTHLY else 'day'} here",
            next="keep one file a day, or say `day: daily_mean` in a product card: then they are averaged",
        )  # fmt: skip
    apart = np.diff(distinct).astype(int)
    if product.step != MONTHLY and distinct.size >= _FEWEST_MONTHS and apart.min() >= _SHORTEST_MONTH:
        raise InputError(
            f"one value a month: {distinct.size} days, none nearer to the next than {apart.min()} days",
            where=str(product.path), next="say `step: monthly` of the variable in a product card",
        )  # fmt: skip
    days = np.arange(distinct[0], distinct[-1] + 1)
    whole = len(pieces) == 1 and not several and pieces[0].days.size == days.size
    if whole and (np.diff(pieces[0].days).astype(int) == 1).all():
        one = pieces[0]
        return Series(days, one.values, one.uncertainty, one.flagged, one.filled)
    joined = _Sum.of(product, cells, days, several)
    for piece in pieces:
        joined.add(piece)
    return joined.series()


@dataclass
class _Sum:
    """Values on consecutive days; the mean where a day has several."""

    days: Days
    values: Floats
    uncertainty: Floats | None
    flagged: Integers
    filled: Booleans | None
    count: npt.NDArray[np.int16] | None

    @classmethod
    def of(cls, product: Product, cells: int, days: Days, several: bool) -> _Sum:
        shape = (cells, days.size)
        nothing = np.full(shape, np.nan, np.float32)
        return cls(
            days, np.zeros(shape, np.float32) if several else nothing,
            np.full(shape, np.nan, np.float32) if product.uncertainty else None, np.zeros(cells, np.int64),
            np.zeros(shape, bool) if product.quality is not None and product.quality.gap else None,
            np.zeros(shape, np.int16) if several else None,
        )  # fmt: skip

    def add(self, piece: Piece) -> None:
        at = (piece.days - self.days[0]).astype(np.int64)
        self.flagged += piece.flagged
        if self.count is None:
            self.values[:, at] = piece.values
        else:
            for position, day in enumerate(at):
                one = piece.values[:, position]
                known = np.isfinite(one)
                self.values[known, day] += one[known]
                self.count[known, day] += 1
        if self.uncertainty is not None and piece.uncertainty is not None:
            self.uncertainty[:, at] = piece.uncertainty
        if self.filled is not None and piece.filled is not None:
            self.filled[:, at] = piece.filled

    def series(self) -> Series:
        values = self.values
        if self.count is not None:
            values = np.where(self.count > 0, values / np.maximum(self.count, 1), np.nan).astype(np.float32)
        return Series(self.days, values, self.uncertainty, self.flagged, self.filled)
