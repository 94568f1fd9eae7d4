"""SMAP L3 radiometer soil moisture in native HDF5, 36 km (SPL3SMP) or 9 km (SPL3SMP_E), of any release.

Early releases have one group without suffix (6 AM). Later ones have a group for each overpass; in the group of
6 PM every name ends in `_pm`. The arrays are the global EASE-Grid 2.0 itself, so a value's place is its position;
the file's latitude and longitude are missing where nothing was measured and are never used. A file holds the
overpasses of one UTC day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from vadose.common import InputError, Progress
from vadose.producer.cube import Days
from vadose.producer.grids import Grid, global_grid
from vadose.producer.ingest.base import Ingester, Order, Origin
from vadose.producer.ingest.card import Card
from vadose.producer.ingest.gridded import Cells, Lattice, write_cube
from vadose.producer.ingest.native import (
    Floats,
    Funnel,
    files_below,
    in_days,
    one_file_a_day,
    open_hdf5,
    require,
    stated_units,
    to_vocabulary,
)

GROUP = "Soil_Moisture_Retrieval_Data"
GRIDS = {(406, 964): "EASE2M36", (1624, 3856): "EASE2M09"}
FLAG = "retrieval_qual_flag"
FLAG_FILL = 65534
# A bit of 0 is good: bit 0 recommended, bit 1 attempted, bit 2 success.
STRICT_BITS = 0b001
PERMISSIVE_BITS = 0b110
# The header says kg/m**3; the quantity is a column (product specification).
KNOWN_UNITS = {"vegetation_water_content": ("kg/m**3", "kg m-2")}

ORIGIN = Origin("NASA NSIDC DAAC", "SPL3SMP", "NASA data free of restrictions, cite NSIDC", True, True)


@dataclass(frozen=True)
class Field:
    """A variable of the vocabulary in a SMAP file: overpass, name without suffix, whether the quality flag rules it."""

    overpass: str
    native: str
    flagged: bool


FIELDS = {
    "smap_sm_am": Field("am", "soil_moisture", flagged=True),
    "smap_sm_pm": Field("pm", "soil_moisture", flagged=True),
    "vegetation_water_content": Field("am", "vegetation_water_content", flagged=False),
}
DEFAULT = ("smap_sm_am",)


class SmapSource:
    """Native SMAP files, one a UTC day.

    The order's option `permissive` keeps every successful retrieval instead of the recommended ones.
    """

    def __init__(self, order: Order) -> None:
        paths = files_below(order.files, (".h5", ".hdf5"))
        stamped = one_file_a_day([(file_day(path), path) for path in paths])
        keep = in_days(np.array([day for day, _ in stamped]), order.days, str(order.files[0]))
        self._by_day = {day: path for (day, path), kept in zip(stamped, keep, strict=True) if kept}
        self.names = tuple(name for name in order.selected(DEFAULT, FIELDS))
        self._permissive = bool(order.options.get("permissive", False))
        self._card: Card | None = order.card

    @cached_property
    def _token(self) -> str:
        path = self.files[0]
        with open_hdf5(path) as file:
            shape = _array(file, FIELDS[self.names[0]], "soil_moisture", path).shape
        if len(shape) == 1:
            return "EASE2M09" if "_E_" in path.name else "EASE2M36"
        if shape not in GRIDS:
            known = ", ".join(f"{rows} x {columns}" for rows, columns in GRIDS)
            raise InputError(f"an array of {shape}; the global grids have {known}", where=str(path))
        return GRIDS[shape]

    @cached_property
    def grid(self) -> Grid:
        """The global grid of the files."""
        return global_grid(self._token)

    @cached_property
    def lattice(self) -> Lattice:
        """The global grid of the files."""
        return Lattice.of_grid(self.grid)

    @property
    def days(self) -> Days:
        """UTC days, ascending."""
        return np.array(list(self._by_day))

    @property
    def files(self) -> Sequence[Path]:
        """One file a day."""
        return list(self._by_day.values())

    def attributes(self, name: str) -> Mapping[str, Any]:
        """Flag rule, day convention and layer."""
        if not FIELDS[name].flagged:
            return {}
        hour = "06:00" if FIELDS[name].overpass == "am" else "18:00"
        rule = "retrieval successful" if self._permissive else "retrieval recommended"
        return {
            "vadose_flag_rule": f"{'permissive' if self._permissive else 'strict'}: {rule}",
            "vadose_layer_m": [0.0, 0.05],
            "cell_methods": "time: point",
            "comment": f"Values hold at {hour} local solar time of the UTC day.",
        }

    def land(self, cells: Cells) -> npt.NDArray[np.bool_]:
        """Cells with a retrieval, recommended or not, on any day."""
        seen = np.zeros(cells.size, bool)
        for path in self.files:
            with open_hdf5(path) as file:
                for name in self.names:
                    values = _read(file, FIELDS[name], FIELDS[name].native, path, self.grid)
                    seen |= np.isfinite(values.ravel()[cells])
        return seen

    def read(self, day: np.datetime64, cells: Cells) -> Mapping[str, tuple[Floats, Funnel]]:
        """Values of a day; none where there is no file of the day."""
        path = self._by_day.get(day)
        if path is None:
            return {}
        with open_hdf5(path) as file:
            return {name: self._variable(file, name, path, cells) for name in self.names}

    def _variable(self, file: h5py.File, name: str, path: Path, cells: Cells) -> tuple[Floats, Funnel]:
        field = FIELDS[name]
        values = _read(file, field, field.native, path, self.grid).ravel()[cells]
        flagged = None
        if field.flagged:
            flag = _read(file, field, FLAG, path, self.grid).ravel()[cells]
            bits = PERMISSIVE_BITS if self._permissive else STRICT_BITS
            known = np.isfinite(flag)
            flagged = ~known | ((np.where(known, flag, 0).astype(np.int64) & bits) != 0)
        native = _name(field, field.native)
        card = self._card.of(native) if self._card else None
        stated = stated_units(native, _array(file, field, field.native, path).attrs.get("units"), card, None, path)
        wrong, right = KNOWN_UNITS.get(field.native, ("", ""))
        units = right if stated == wrong else stated
        return to_vocabulary(values, name, units, where=f"{path}, variable {native}", flagged=flagged, card=card)


def file_day(path: Path) -> np.datetime64:
    """UTC day of a file, by its metadata, else by its name; a contradiction is an `InputError`."""
    with open_hdf5(path) as file:
        extent = file.get("Metadata/Extent")
        stated = None if extent is None else extent.attrs.get("rangeBeginningDateTime")
    named = re.search(r"_(\d{4})(\d{2})(\d{2})_", path.name)
    of_name = np.datetime64("-".join(named.groups()), "D") if named else None
    if stated is not None:
        text = stated.decode() if isinstance(stated, bytes) else str(stated)
        try:
            of_file = np.datetime64(text[:10], "D")
        except ValueError as error:
            raise InputError(
                f"rangeBeginningDateTime {text[:40]!r} is not a day", where=str(path), next="get the file again"
            ) from error
        if of_name is not None and of_file != of_name:
            raise InputError(f"the file name says {of_name}, the metadata say {of_file}", where=str(path))
        return of_file
    if of_name is None:
        raise InputError("neither the metadata nor the file name state the day", where=str(path))
    return of_name


def _group(file: h5py.File, field: Field, path: Path) -> h5py.Group:
    """The group of an overpass; a group without suffix holds 6 AM."""
    known = [f"{GROUP}_{field.overpass.upper()}"] + ([GROUP] if field.overpass == "am" else [])
    for name in known:
        if name in file:
            return _opened(file, name, path)
    raise InputError(
        f"no group {' or '.join(known)}; the file holds {', '.join(file)}",
        where=str(path),
        why="early releases have 6 AM only" if field.overpass == "pm" else "",
    )


def _opened(parent: h5py.Group, name: str, path: Path) -> Any:
    """A group or variable that is listed; one that cannot be opened is damaged."""
    try:
        return parent[name]
    except KeyError as error:
        raise InputError(f"{name} is damaged: {error.args[0]}", where=str(path), next="get the file again") from error


def _name(field: Field, native: str) -> str:
    return f"{native}_pm" if field.overpass == "pm" else native


def _array(file: h5py.File, field: Field, native: str, path: Path) -> h5py.Dataset:
    group = _group(file, field, path)
    name = _name(field, native)
    require(group, name, path)
    return _opened(group, name, path)


def _read(file: h5py.File, field: Field, native: str, path: Path, grid: Grid) -> Floats:
    """A field on the global grid, float32, missing is NaN; a list of cells is put to its indices."""
    array = _array(file, field, native, path)
    stored = np.asarray(array[...])
    fill = array.attrs.get("_FillValue")
    values = np.where(stored == (FLAG_FILL if fill is None and native == FLAG else fill), np.nan, stored)
    values = values.astype(np.float32)
    rows, columns = (
        np.asarray(_array(file, field, name, path)[...]) if _name(field, name) in _group(file, field, path) else None
        for name in ("EASE_row_index", "EASE_column_index")
    )
    if values.shape == grid.shape:
        _check_position(rows, columns, grid, path)
        return values
    if rows is None or columns is None or not rows.shape == columns.shape == values.shape:
        raise InputError(
            f"an array of {values.shape}, expected {grid.shape} or cells with EASE indices", where=str(path)
        )
    inside = (rows < grid.shape[0]) & (columns < grid.shape[1])
    whole = np.full(grid.shape, np.nan, np.float32)
    whole[rows[inside], columns[inside]] = values[inside]
    return whole


def _check_position(rows: Any, columns: Any, grid: Grid, path: Path) -> None:
    """Refuse a file whose indices say that its array is not the grid in rows from the north."""
    if rows is None or columns is None:
        return
    stored = (rows < grid.shape[0]) & (columns < grid.shape[1])
    at = np.nonzero(stored)
    if not (np.array_equal(rows[stored], at[0]) and np.array_equal(columns[stored], at[1])):
        raise InputError("EASE_row_index and EASE_column_index contradict the positions in the array", where=str(path))


def ingest(order: Order, progress: Progress) -> None:
    """Write the cube of SMAP files."""
    write_cube([(SmapSource(order), order)], progress)


INGESTER = Ingester(
    name="smap",
    summary="SMAP L3 radiometer soil moisture, native HDF5, 36 or 9 km",
    write=ingest,
    origin=ORIGIN,
    source=SmapSource,
    gives=tuple(FIELDS),
    options={"permissive": "keep every successful retrieval, not only the recommended ones"},
)
