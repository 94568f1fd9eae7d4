"""Where the series of a run come from: read once and kept, or block by block for maps larger than memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.common import InputError, Progress, read_json, silent, whole_file, write_json
from vadose.validation.extraction import Series, extract, file_days, pieces_of, windows_of
from vadose.validation.maps import Take
from vadose.validation.matching import CellSeries, read_cells
from vadose.validation.placing import candidate_cells
from vadose.validation.products import Product
from vadose.validation.references import Reference, cell_edges, cell_table

Integers = npt.NDArray[np.int64]

_SYNC_FILES = 50


@dataclass(frozen=True)
class MapReference:
    """A gridded reference whose cells are read when they are asked for; it stands in for a `Reference`."""

    product: Product
    flat: Integers
    table: pd.DataFrame
    cells: npt.NDArray[np.float64] | None
    spilled: CellSource | None = None
    kind: str = "cells"

    @property
    def name(self) -> str:
        """Name in the scores."""
        return self.product.name

    def rows(self, chosen: slice) -> Reference:
        """Some of the cells, read."""
        flat = self.flat[chosen]
        if self.spilled is not None:
            series = self.spilled.take(flat)
        else:
            columns = self.product.geometry.shape[1]
            series = extract(self.product, flat // columns, flat % columns)
        table = self.table.iloc[chosen].reset_index(drop=True)
        return Reference(
            self.name, self.kind, table, series.days, series.values, (self.product.day_convention,) * flat.size,
            np.zeros(flat.size), cells=None if self.cells is None else self.cells[chosen],
        )  # fmt: skip


def map_reference(product: Product, other: Product, spilled: CellSource | None) -> MapReference:
    """The cells of a gridded reference that lie in our product's grid, none of them read."""
    flat = other.all_cells()
    lat, lon = other.geometry.centres(flat)
    flat = flat[product.geometry.containing(lat, lon)[0] >= 0]
    if not flat.size:
        raise InputError(f"no cell of {other.name} lies in the grid of {product.name}", where=str(other.path))
    return MapReference(other, flat, cell_table(other, flat), cell_edges(other, flat), spilled)


class Kept:
    """Series of all products at all stations, read at once and kept in memory."""

    def __init__(self, read: Mapping[str, CellSeries]) -> None:
        self.read = read

    def __call__(self, part: Reference) -> Mapping[str, CellSeries]:
        """The same series for every part of every reference."""
        return self.read


class Streamed:
    """Series of all products at the cells of a block, read when they are asked for."""

    def __init__(self, products: Sequence[Product], spilled: Mapping[str, CellSource]) -> None:
        self.products, self.spilled = products, spilled

    def __call__(self, part: Reference) -> Mapping[str, CellSeries]:
        """Read what a block needs; products of many files come from their spilled copy."""
        out = {}
        for product in self.products:
            if product.name in self.spilled:
                cells = candidate_cells(part, product)
                out[product.name] = CellSeries(cells, self.spilled[product.name].take(cells))
            else:
                out[product.name] = read_cells(product, [part])
        return out


def kept(products: Sequence[Product], references: Sequence[Reference], work: Path, progress: Progress) -> Kept:
    """Read every product once; what is read stays in `work`, so that an interrupted run goes on from there."""
    return Kept({product.name: _kept(product, references, work, progress) for product in products})


def _kept(product: Product, references: Sequence[Reference], work: Path, progress: Progress) -> CellSeries:
    file = work / f"{product.name}.npz"
    if file.is_file():
        progress.say(f"{product.name} was read before")
        return _loaded(file)
    found = read_cells(product, references, progress)
    # Files that open quickly are not worth a copy.
    if len(product.files) > _SYNC_FILES:
        _save(file, found)
    return found


def _save(file: Path, found: CellSeries) -> None:
    series = found.series
    arrays = {
        "cells": found.cells,
        "days": series.days.astype(np.int64),
        "unit": np.array(np.datetime_data(series.days.dtype)[0]),
        "values": series.values,
        "flagged": series.flagged,
    }
    arrays |= {} if series.uncertainty is None else {"uncertainty": series.uncertainty}
    arrays |= {} if series.filled is None else {"filled": series.filled}
    with whole_file(file) as part, part.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def _loaded(file: Path) -> CellSeries:
    with np.load(file, allow_pickle=False) as arrays:
        days = arrays["days"].astype(f"datetime64[{arrays['unit']}]")
        optional = [arrays.get(name) for name in ("uncertainty", "filled")]
        series = Series(days, arrays["values"], optional[0], arrays["flagged"], optional[1])
        return CellSeries(arrays["cells"], series)


def taken(read: Mapping[str, CellSeries], references: Sequence[Reference]) -> Take:
    """Series of cells out of what is in memory; NaN for cells that were not read."""
    every = dict(read)
    for one in references:
        if one.flat is not None:
            every[one.name] = CellSeries(
                one.flat, Series(one.days, one.values, None, np.zeros(one.flat.size, np.int64))
            )

    def take(product: Product, cells: Integers) -> Series:
        source = every[product.name]
        order = np.argsort(source.cells, kind="stable")
        known = source.cells[order]
        at = np.minimum(np.searchsorted(known, cells), max(known.size - 1, 0))
        there = known[at] == cells if known.size else np.zeros(cells.size, bool)
        values = np.full((cells.size, source.series.days.size), np.nan, np.float32)
        values[there] = source.series.values[order[at[there]]]
        return replace(source.series, values=values, uncertainty=None, filled=None)

    return take


def streamed(spilled: Mapping[str, CellSource]) -> Take:
    """Series of cells read when they are asked for."""

    def take(product: Product, cells: Integers) -> Series:
        if product.name in spilled:
            return spilled[product.name].take(cells)
        columns = product.geometry.shape[1]
        return extract(product, cells // columns, cells % columns)

    return take


@dataclass(frozen=True)
class CellSource:
    """A copy of a product of many files with one file for each field, (time, cell), from which blocks are cut."""

    cells: Integers
    days: npt.NDArray[np.datetime64]
    values: npt.NDArray[np.float32]
    uncertainty: npt.NDArray[np.float32] | None
    filled: npt.NDArray[np.bool_] | None
    as_months: bool = False

    def take(self, cells: Integers) -> Series:
        """Series of some cells; NaN for those that the product does not store."""
        at = np.minimum(np.searchsorted(self.cells, cells), self.cells.size - 1)
        there = self.cells[at] == cells
        values = np.ascontiguousarray(self.values[:, at].T)
        values[~there] = np.nan
        fields = [
            None if one is None else np.ascontiguousarray(one[:, at].T) for one in (self.uncertainty, self.filled)
        ]
        flagged = np.zeros(cells.size, np.int64)
        series = Series(self.days, values, fields[0], flagged, fields[1])  # type: ignore[arg-type]
        return series.months() if self.as_months else series


def spill(product: Product, folder: Path, progress: Progress = silent) -> CellSource:
    """Copy a product of many files to files from which blocks of cells are cut; goes on where it was interrupted."""
    first, last = (file_days(product, file) for file in (product.files[0], product.files[-1]))
    days = np.arange(first[0], last[-1] + 1)
    cells = product.all_cells()
    target = folder / product.name
    target.mkdir(parents=True, exist_ok=True)
    state = target / "state.json"
    begun = state.is_file()
    done = int(read_json(state)["done"]) if begun else 0
    shape = (days.size, cells.size)

    def field(name: str, dtype: str, fill: float) -> npt.NDArray[np.float32]:
        array = np.memmap(target / name, dtype, "r+" if begun else "w+", shape=shape)
        if not begun:
            array[:] = fill
        return array

    source = CellSource(
        cells, days, field("values", "f4", np.nan),
        field("uncertainty", "f4", np.nan) if product.uncertainty else None,
        field("filled", "?", 0).view(bool) if product.quality is not None and product.quality.gap else None,
        product.as_months,
    )  # fmt: skip
    write_json(state, {"done": done})
    columns = product.geometry.shape[1]
    rest, windows = product.files[done:], windows_of(product, cells // columns, cells % columns)
    for number, file in enumerate(progress.track(rest, f"copying {product.name}", len(rest)), done + 1):
        for piece in pieces_of(product, file, windows, cells.size):
            at = (piece.days - days[0]).astype(np.int64)
            source.values[at] = piece.values.T
            if source.uncertainty is not None and piece.uncertainty is not None:
                source.uncertainty[at] = piece.uncertainty.T
            if source.filled is not None and piece.filled is not None:
                source.filled[at] = piece.filled.T
        if number % _SYNC_FILES == 0:
            write_json(state, {"done": number})
    write_json(state, {"done": len(product.files)})
    return source


def fingerprinted(work: Path, fingerprint: str) -> Path:
    """The folder of unfinished work of exactly this run; that of another run is left alone and not used."""
    folder = work / fingerprint[:16]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "about.json").write_text(json.dumps({"fingerprint": fingerprint}) + "\n", encoding="utf-8")
    return folder
