"""Who is compared with whom, on which day: series of products at stations, and day conventions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from vadose.common import InputError, Progress, UsageError, silent
from vadose.validation.extraction import Series, extract
from vadose.validation.placing import CellsTaken, Placed, candidate_cells, cells_taken
from vadose.validation.products import Product
from vadose.validation.references import Reference

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]

# A footprint of several cells needs values in this share of its area.
LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Matched:
    """All products at all stations of one reference, on the reference's days.

    Attributes
    ----------
    reference
        What they are compared with.
    names
        Products in the order of `values`, ours first.
    values
        (product, station, time), NaN where a product has no value.
    uncertainty
        Standard uncertainty of our product, (station, time), or None.
    placed
        One entry per product.
    mismatch
        Stations whose day convention cannot be brought to our product's, (station,).
    flagged
        Values of our product that the quality rule took, (station,).
    filled
        Which values of a product are gap-filled, by its name, (station, time); only products that say so.
    """

    reference: Reference
    names: tuple[str, ...]
    values: Floats
    uncertainty: Floats | None
    placed: tuple[Placed, ...]
    mismatch: npt.NDArray[np.bool_]
    flagged: Integers
    filled: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)

    def with_product(self, name: str, values: Floats, placed: int = 0) -> Matched:
        """One more product, placed as another, by its position; as ours unless said otherwise."""
        return replace(
            self, names=(*self.names, name), values=np.concatenate([self.values, values[None]]),
            placed=(*self.placed, self.placed[placed]),
        )  # fmt: skip


@dataclass(frozen=True)
class CellSeries:
    """Series of some cells of a product; `cells` are flat indices of its grid, ascending."""

    cells: Integers
    series: Series


def read_cells(product: Product, references: Sequence[Reference], progress: Progress = silent) -> CellSeries:
    """Read every cell that any station of the references may meet, each file once."""
    cells = np.unique(np.concatenate([candidate_cells(one, product) for one in references]))
    columns = product.geometry.shape[1]
    if cells.size == 0:
        nothing = Series(references[0].days[:1], np.zeros((0, 1), np.float32), None, np.zeros(0, np.int64))
        return CellSeries(cells.astype(np.int64), nothing)
    return CellSeries(cells, extract(product, cells // columns, cells % columns, progress))


def match(
    reference: Reference,
    products: Sequence[Product],
    *,
    read: Mapping[str, CellSeries] | None = None,
    allow_day_mismatch: bool = False,
    empty_allowed: bool = False,
    progress: Progress = silent,
) -> Matched:
    """Bring every product to the stations and days of a reference.

    A station takes the cell that contains it; where that has no value at all, the nearest cell with values whose
    centre lies within one cell size, and the distance is kept. Without any it has `no_cell`. A footprint larger than
    the cells (a coarser gridded reference, a site) takes the area-weighted mean of those it overlaps, of which half
    must have a value that day. `read` holds the series by product where they are read already; with `empty_allowed`
    a block of stations may meet no cell of ours.

    Raises
    ------
    InputError
        If no station meets any cell of our product.
    UsageError
        If the day convention of no station can be converted to that of our product.
    """
    read = read or {product.name: read_cells(product, [reference], progress) for product in products}
    found = [_AtStations.of(reference, product, read[product.name]) for product in products]
    if (found[0].taken.placed.row < 0).all() and not empty_allowed:
        raise InputError(
            f"no station lies in or near a cell of {products[0].name} with values", where=reference.name,
            why=f"{len(reference.table)} stations, nearest-cell matching reaches one cell size",
        )  # fmt: skip
    mismatch = np.array([not _convertible(products[0].day_convention, one) for one in reference.conventions])
    if mismatch.all() and not allow_day_mismatch and reference.kind == "cells":
        raise UsageError(
            f"{products[0].name} holds at {products[0].day_convention}, {reference.name} at {reference.conventions[0]}",
            next="add --allow-day-mismatch; every row will say so",
        )
    values = [
        _blended(one.on(reference.days), product.day_convention, reference.conventions, reference.utc_offsets)
        for one, product in zip(found, products, strict=True)
    ]
    filled = {product.name: one.filled_on(reference.days) for one, product in zip(found, products, strict=True)}
    return Matched(
        reference=reference, names=tuple(product.name for product in products), values=np.stack(values),
        uncertainty=found[0].uncertainty_on(reference.days), placed=tuple(one.taken.placed for one in found),
        mismatch=mismatch, flagged=_flagged(found[0]),
        filled={name: one for name, one in filled.items() if one is not None},
    )  # fmt: skip


@dataclass(frozen=True)
class _AtStations:
    """A product's series of the cells that were needed, and which of them each station takes."""

    series: Series
    taken: CellsTaken

    @classmethod
    def of(cls, reference: Reference, product: Product, read: CellSeries) -> _AtStations:
        filled = np.asarray(np.isfinite(read.series.values).any(axis=1))
        return cls(read.series, cells_taken(reference, product, read.cells, filled))

    def on(self, days: Days) -> Floats:
        values = self._of(self.series.values)
        return _on(values, self.series.days, days)

    def uncertainty_on(self, days: Days) -> Floats | None:
        # The errors of the cells of one footprint are taken as fully dependent: their mean is that of the mean.
        found = self.series.uncertainty
        return None if found is None else _on(self._of(found), self.series.days, days)

    def filled_on(self, days: Days) -> npt.NDArray[np.bool_] | None:
        found = self.series.filled
        if found is None:
            return None
        return _on(self._of(found.astype(np.float32)), self.series.days, days) >= 0.5

    def _of(self, values: Floats) -> Floats:
        mixed = self.taken.mixed
        if mixed is None:
            return _taken_rows(values, self.taken.index)
        known = np.isfinite(values)
        total = mixed @ np.where(known, values, 0.0).astype(np.float32)
        share = mixed @ known.astype(np.float32)
        with np.errstate(invalid="ignore"):
            return np.where(share >= LEAST_SHARE, total / np.maximum(share, 1e-6), np.nan).astype(np.float32)


def _flagged(ours: _AtStations) -> Integers:
    index = ours.taken.index
    if ours.series.flagged.size == 0:
        return np.zeros(index.size, np.int64)
    return np.where(index >= 0, ours.series.flagged[np.maximum(index, 0)], 0)


def _taken_rows(values: Floats, index: Integers) -> Floats:
    if not values.size:
        return np.full((index.size, values.shape[1]), np.nan, np.float32)
    out = values[np.maximum(index, 0)]
    out[index < 0] = np.nan
    return out


def _on(values: Floats, own: Days, wanted: Days) -> Floats:
    """Series on other days, (station, time)."""
    offset = int((wanted[0] - own[0]).astype(int))
    first, last = max(offset, 0), min(offset + wanted.size, own.size)
    if (first, last) == (offset, own.size) and wanted.size == last - first:
        return values[:, first:last]
    out = np.full((len(values), wanted.size), np.nan, np.float32)
    if first < last:
        out[:, first - offset : last - offset] = values[:, first:last]
    return out


def _convertible(product: str, station: str) -> bool:
    return station == product or (product == "utc" and station == "local_standard")


def _blended(values: Floats, product: str, conventions: Sequence[str], offsets: npt.NDArray[np.float64]) -> Floats:
    """UTC-day values as local standard days: (1 - |h|/24) P(d) + (|h|/24) P(d + s), s = +1 for h < 0, else -1.

    Both days must be present. Only stations of that convention change.
    """
    if product != "utc":
        return values
    out = values.copy()
    for station, (convention, hours) in enumerate(zip(conventions, offsets, strict=True)):
        if convention == "local_standard" and hours:
            other = np.full_like(values[station], np.nan)
            if hours < 0:
                other[:-1] = values[station, 1:]
            else:
                other[1:] = values[station, :-1]
            share = np.float32(abs(hours) / 24.0)
            out[station] = (1 - share) * values[station] + share * other
    return out
