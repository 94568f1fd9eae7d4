"""Who is compared with whom, on which day: cells for stations, day conventions, coverage, clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from vadose.common import InputError, Progress, UsageError, silent
from vadose.validation.extraction import Series, extract
from vadose.validation.geometry import Geometry
from vadose.validation.products import Product
from vadose.validation.stations import station_days

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]

SMALLEST_CLUSTER_DEGREES = 0.25
CELL_CLUSTER_DEGREES = 5.0


@dataclass(frozen=True)
class Reference:
    """What products are compared with: stations, or cells of a gridded reference.

    Attributes
    ----------
    name, kind
        Name in the scores, and `stations` or `cells`.
    table
        One row per station: at least station_id, key, lat, lon, network, station_name, footprint_kind, land_cover.
    days, values
        Consecutive days, (time,), and soil moisture in m3 m-3, (station, time).
    conventions, utc_offsets
        Day convention and hours from UTC of each station.
    """

    name: str
    kind: str
    table: pd.DataFrame
    days: Days
    values: Floats
    conventions: tuple[str, ...]
    utc_offsets: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Placed:
    """Where each station met a product: row and column of its grid (-1: no_cell) and the distance in km."""

    row: Integers
    column: Integers
    distance_km: npt.NDArray[np.float64]
    contains: npt.NDArray[np.bool_]


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
    """

    reference: Reference
    names: tuple[str, ...]
    values: Floats
    uncertainty: Floats | None
    placed: tuple[Placed, ...]
    mismatch: npt.NDArray[np.bool_]
    flagged: Integers

    def with_product(self, name: str, values: Floats) -> Matched:
        """One more product, placed as ours."""
        return replace(
            self, names=(*self.names, name), values=np.concatenate([self.values, values[None]]),
            placed=(*self.placed, self.placed[0]),
        )  # fmt: skip


def station_reference(dataset: xr.Dataset, product: Product, name: str) -> Reference:
    """The stations of a dataset at the depth class of a product, in its day convention.

    A product at 06:00 local solar time meets `soil_moisture_solar06` where a station has it.
    """
    wanted = product.depth_class
    classes = dataset["depth_class"].values.astype(str)
    chosen = (classes == wanted) | (wanted == "unknown") | (classes == "unknown")
    if not chosen.any():
        raise InputError(
            f"no station at the depth of {product.name} ({wanted})", where=name,
            why=f"depths in the file: {', '.join(sorted(set(classes)))}",
        )  # fmt: skip
    dataset = dataset.isel(station=np.flatnonzero(chosen))
    values = np.array(dataset["soil_moisture"].transpose("station", "time"), np.float32)
    conventions = dataset["day_convention"].values.astype(str).tolist()
    if product.day_convention == "solar06" and "soil_moisture_solar06" in dataset:
        morning = np.array(dataset["soil_moisture_solar06"].transpose("station", "time"), np.float32)
        has: npt.NDArray[np.bool_] = np.asarray(np.isfinite(morning).any(axis=1))
        values = np.where(has[:, None], morning, values)
        conventions = ["solar06" if one else old for one, old in zip(has, conventions, strict=True)]
    return Reference(
        name, "stations", _station_table(dataset), station_days(dataset), values, tuple(conventions),
        np.asarray(dataset["utc_offset"], float),
    )  # fmt: skip


_TABLE = (
    "station_id", "key", "network", "station_name", "lat", "lon", "altitude", "depth_from", "depth_to", "depth_class",
    "footprint_kind", "licence", "redistributable", "land_cover", "climate", "day_convention",
)  # fmt: skip


def _station_table(dataset: xr.Dataset) -> pd.DataFrame:
    table = pd.DataFrame({name: dataset[name].values for name in _TABLE if name in dataset})
    table["redistributable"] = table["redistributable"].astype(bool)
    for prefix, variable, dimension in (("funnel", "funnel", "stage"), ("rejected", "rejected", "reason")):
        if variable in dataset:
            for position, word in enumerate(dataset[dimension].values):
                table[f"{prefix}_{word}"] = dataset[variable].values[:, position].astype(np.int64)
    return table


def trimmed(reference: Reference, first: np.datetime64, last: np.datetime64) -> Reference:
    """The reference from the first to the last day of a product; coverage counts these days."""
    inside = (reference.days >= first) & (reference.days <= last)
    if not inside.any():
        raise InputError(
            f"no day in common: the product has {first}..{last}",
            where=f"{reference.name}, which has {reference.days[0]}..{reference.days[-1]}",
        )  # fmt: skip
    return replace(reference, days=reference.days[inside], values=reference.values[:, inside])


def cell_reference(product: Product, other: Product, progress: Progress = silent) -> Reference:
    """The cells of a gridded reference that lie in our product's grid, each as a station.

    Parameters
    ----------
    product
        Ours: cells of the reference whose centre lies outside its grid are left out.
    other
        The gridded reference.
    """
    rows, columns = _all_cells(other)
    lat, lon = other.geometry.lat[rows], other.geometry.lon[columns]
    lon = np.where(lon > 180.0, lon - 360.0, lon)
    inside = product.geometry.containing(lat, lon)[0] >= 0
    if product.gathered is None and product.attributes.get("geospatial_lat_min") is None and not inside.any():
        raise InputError(f"no cell of {other.name} lies in the grid of {product.name}", where=str(other.path))
    rows, columns, lat, lon = rows[inside], columns[inside], lat[inside], lon[inside]
    series = extract(other, rows, columns, progress)
    filled = np.isfinite(series.values).any(axis=1)
    if not filled.any():
        raise InputError(f"{other.name} has no value in the grid of {product.name}", where=str(other.path))
    rows, columns, lat, lon = rows[filled], columns[filled], lat[filled], lon[filled]
    ids = [f"{other.name}/{row}/{column}" for row, column in zip(rows, columns, strict=True)]
    table = pd.DataFrame(
        {
            "station_id": ids, "key": [text.replace("/", "-") for text in ids], "network": other.name,
            "station_name": ids, "lat": lat, "lon": lon, "altitude": np.nan,
            "depth_from": other.layer[0], "depth_to": other.layer[1], "depth_class": other.depth_class,
            "footprint_kind": "cell", "licence": other.licence, "redistributable": False,
            "land_cover": "unknown", "climate": "unknown", "day_convention": other.day_convention,
        }
    )  # fmt: skip
    return Reference(
        other.name, "cells", table, series.days, series.values[filled],
        (other.day_convention,) * len(table), np.zeros(len(table)),
    )  # fmt: skip


def _all_cells(product: Product) -> tuple[Integers, Integers]:
    rows, columns = product.geometry.shape
    if product.gathered is not None:
        return product.gathered // columns, product.gathered % columns
    grid = np.indices((rows, columns)).reshape(2, -1)
    return grid[0], grid[1]


@dataclass(frozen=True)
class CellSeries:
    """Series of some cells of a product; `cells` are flat indices of its grid, ascending."""

    cells: Integers
    series: Series


def read_cells(product: Product, references: Sequence[Reference], progress: Progress = silent) -> CellSeries:
    """Read every cell that any station of the references may meet, each file once."""
    cells = np.unique(np.concatenate([flat for one in references for flat, _ in _candidates(one, product)]))
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
    progress: Progress = silent,
) -> Matched:
    """Bring every product to the stations and days of a reference.

    A station takes the cell that contains it; where that has no value at all, the nearest cell with values whose
    centre lies within one cell size, and the distance is kept. Without any it has `no_cell`. `read` holds the series
    by product where they are read already.

    Raises
    ------
    InputError
        If no station meets any cell of our product.
    UsageError
        If the day convention of no station can be converted to that of our product.
    """
    read = read or {product.name: read_cells(product, [reference], progress) for product in products}
    found = [_at_stations(reference, product, read[product.name]) for product in products]
    if (found[0].placed.row < 0).all():
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
    ours = found[0]
    uncertainty = ours.series.uncertainty
    return Matched(
        reference=reference, names=tuple(product.name for product in products), values=np.stack(values),
        uncertainty=None if uncertainty is None else _on(uncertainty, ours.series.days, reference.days, ours.index),
        placed=tuple(one.placed for one in found), mismatch=mismatch,
        flagged=_flagged(ours),
    )  # fmt: skip


@dataclass(frozen=True)
class _AtStations:
    """A product's series of the cells that were needed, and for each station which of them, -1 for none."""

    series: Series
    index: Integers
    placed: Placed

    def on(self, days: Days) -> Floats:
        return _on(self.series.values, self.series.days, days, self.index)


def _flagged(ours: _AtStations) -> Integers:
    if ours.series.flagged.size == 0:
        return np.zeros(ours.index.size, np.int64)
    return np.where(ours.index >= 0, ours.series.flagged[np.maximum(ours.index, 0)], 0)


def _on(values: Floats, own: Days, wanted: Days, index: Integers) -> Floats:
    """Values of the chosen rows on other days, (station, time)."""
    out = np.full((index.size, wanted.size), np.nan, np.float32)
    offset = int((wanted[0] - own[0]).astype(int))
    first, last = max(offset, 0), min(offset + wanted.size, own.size)
    if first < last and values.size:
        out[:, first - offset : last - offset] = values[np.maximum(index, 0), first:last]
    out[index < 0] = np.nan
    return out


def _own_cells(reference: Reference, product: Product) -> Integers:
    """Flat index of the cell that contains each station, -1 outside the grid."""
    lat, lon = (reference.table[name].to_numpy(float) for name in ("lat", "lon"))
    row, column = product.geometry.containing(lat, lon)
    return np.where(row >= 0, row * product.geometry.shape[1] + column, -1)


def _candidates(reference: Reference, product: Product) -> list[tuple[Integers, npt.NDArray[np.float64]]]:
    """For each station the cells that it may take, nearest first, with their distances in km."""
    lat, lon = (reference.table[name].to_numpy(float) for name in ("lat", "lon"))
    near = _nearby(product.geometry, lat, lon)
    if reference.kind != "cells":
        return near
    # A map is compared cell by cell: a neighbour is another cell of the same map.
    own = _own_cells(reference, product)
    return [(flat[flat == one], apart[flat == one]) for (flat, apart), one in zip(near, own, strict=True)]


def _at_stations(reference: Reference, product: Product, read: CellSeries) -> _AtStations:
    lat = reference.table["lat"].to_numpy(float)
    columns = product.geometry.shape[1]
    own, near = _own_cells(reference, product), _candidates(reference, product)
    cells, series = read.cells, read.series
    filled: npt.NDArray[np.bool_] = np.asarray(np.isfinite(series.values).any(axis=1))
    index = np.full(lat.size, -1, np.int64)
    distance = np.full(lat.size, np.nan)
    contains = np.zeros(lat.size, bool)
    for station, (flat, apart) in enumerate(near):
        at = np.searchsorted(cells, flat)
        ordered = [*at[flat == own[station]], *at[flat != own[station]]]
        apart_of = dict(zip(at.tolist(), apart.tolist(), strict=True))
        chosen = next((int(one) for one in ordered if filled[one]), -1)
        if chosen >= 0:
            index[station], distance[station] = chosen, apart_of[chosen]
            contains[station] = cells[chosen] == own[station]
    flat = np.where(index >= 0, cells[np.maximum(index, 0)], -1) if cells.size else index
    placed = Placed(
        np.where(flat >= 0, flat // columns, -1), np.where(flat >= 0, flat % columns, -1), distance, contains
    )
    return _AtStations(series, index, placed)


def _nearby(
    geometry: Geometry, lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64]
) -> list[tuple[Integers, npt.NDArray[np.float64]]]:
    columns = geometry.shape[1]
    out = []
    for y, x in zip(lat, lon, strict=True):
        row, column, apart = geometry.nearby(float(y), float(x))
        out.append((row * columns + column, apart))
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


def clusters(reference: Reference, products: Sequence[Product]) -> npt.NDArray[np.int64]:
    """Cluster number of each station: one cell of the coarsest grid, at least 0.25 degree.

    Cells of a gridded reference form clusters of 5 degrees: neighbours share weather and training.
    """
    lat, lon = (reference.table[name].to_numpy(float) for name in ("lat", "lon"))
    step = CELL_CLUSTER_DEGREES
    if reference.kind == "stations":
        steps = [float(np.nanmax(np.abs(np.diff(product.geometry.lat_edges)))) for product in products]
        step = max(SMALLEST_CLUSTER_DEGREES, *steps)
    block = np.floor((lat + 90.0) / step) * 10**6 + np.floor((lon + 180.0) / step)
    return np.unique(block, return_inverse=True)[1].astype(np.int64)
