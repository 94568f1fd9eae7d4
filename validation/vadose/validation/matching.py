"""Who is compared with whom, on which day: cells for stations, day conventions, coverage, clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse
import xarray as xr

from vadose.common import InputError, Progress, UsageError, silent
from vadose.validation.extraction import Series, extract
from vadose.validation.geometry import AnyGeometry, Geometry, distance_km
from vadose.validation.products import Product
from vadose.validation.regridding import overlapped
from vadose.validation.stations import station_days

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]

SMALLEST_CLUSTER_DEGREES = 0.25
CELL_CLUSTER_DEGREES = 5.0
# A footprint of several cells needs values in this share of its area.
LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Reference:
    """What products are compared with: stations of one class, or cells of a gridded reference.

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
    daily
        Further series where the stations have them, (station, time): `precipitation`, `frozen`, `standard_error`.
    cells
        For a gridded reference: the edges of each station's cell, (station, 4): south, north, west, east; else None.
    flat
        For a gridded reference: flat index of each station's cell in its own grid; else None.
    """

    name: str
    kind: str
    table: pd.DataFrame
    days: Days
    values: Floats
    conventions: tuple[str, ...]
    utc_offsets: npt.NDArray[np.float64]
    daily: Mapping[str, Floats] = field(default_factory=dict)
    cells: npt.NDArray[np.float64] | None = None
    flat: Integers | None = None

    @property
    def footprint(self) -> str:
        """The one reference class of the stations."""
        return str(self.table["reference_class"].iloc[0]) if len(self.table) else "point"

    def rows(self, chosen: slice | Integers) -> Reference:
        """Some of the stations, by slice or position."""
        keep = np.arange(len(self.table))[chosen]
        return replace(
            self, table=self.table.iloc[keep].reset_index(drop=True), values=self.values[keep],
            conventions=tuple(self.conventions[one] for one in keep), utc_offsets=self.utc_offsets[keep],
            daily={name: one[keep] for name, one in self.daily.items()},
            cells=None if self.cells is None else self.cells[keep],
            flat=None if self.flat is None else self.flat[keep],
        )  # fmt: skip


class Located(Protocol):
    """A reference of which only the places are asked: its values may not be read yet."""

    @property
    def kind(self) -> str:
        """`stations` or `cells`."""

    @property
    def table(self) -> pd.DataFrame:
        """One row for each station."""


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

    def with_product(self, name: str, values: Floats) -> Matched:
        """One more product, placed as ours."""
        return replace(
            self, names=(*self.names, name), values=np.concatenate([self.values, values[None]]),
            placed=(*self.placed, self.placed[0]),
        )  # fmt: skip


def station_references(
    dataset: xr.Dataset, product: Product, name: str, sensors: str = "primary"
) -> tuple[Reference, ...]:
    """The stations of a dataset as one reference for each footprint class; classes are never pooled.

    Parameters
    ----------
    dataset
        The canonical station dataset.
    product
        Ours: stations of its depth class are taken; cosmic-ray probes see a depth of their own and are all taken.
    name
        Name of the point class, or of the only one; others are called `<name>-<class>`.
    sensors
        `primary`: per network, station and depth class the longest record; `separate`: all.

    Raises
    ------
    InputError
        If no station is at the depth of the product.
    """
    classes = dataset["depth_class"].values.astype(str)
    kinds = reference_classes(dataset)
    wanted = product.depth_class
    chosen = (classes == wanted) | (wanted == "unknown") | (classes == "unknown") | (kinds == "cosmic-ray")
    if not chosen.any():
        raise InputError(
            f"no station at the depth of {product.name} ({wanted})", where=name,
            why=f"depths in the file: {', '.join(sorted(set(classes)))}",
        )  # fmt: skip
    if sensors == "primary":
        chosen &= _longest(dataset, chosen)
    present = [kind for kind in dict.fromkeys(["point", *sorted(set(kinds))]) if (chosen & (kinds == kind)).any()]
    first = "point" if "point" in present else present[0]
    return tuple(
        _reference_of(
            dataset.isel(station=np.flatnonzero(chosen & (kinds == kind))), product,
            name if kind == first else f"{name}-{kind}",
        )
        for kind in present
    )  # fmt: skip


def reference_classes(dataset: xr.Dataset) -> npt.NDArray[np.str_]:
    """`point`, `cosmic-ray`, `core`, `candidate` or `cvs-like` of each station: never pooled with one another."""
    kinds = dataset["footprint_kind"].values.astype(str)
    if "site_class" not in dataset:
        return np.where(kinds == "core-site", "core", kinds)
    stated = dataset["site_class"].values.astype(str)
    return np.where(kinds == "core-site", np.where(stated == "", "core", stated), kinds)


def station_reference(dataset: xr.Dataset, product: Product, name: str) -> Reference:
    """All stations of a dataset at the depth class of a product, which must be of one footprint class."""
    every = station_references(dataset, product, name, "separate")
    if len(every) > 1:
        raise ValueError(f"{name} holds the classes {', '.join(one.footprint for one in every)}")
    return every[0]


def _longest(dataset: xr.Dataset, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Per network, station, depth class and footprint the sensor with most days; nameless stations are all kept."""
    days = np.isfinite(dataset["soil_moisture"].transpose("station", "time").values).sum(axis=1)
    out = np.zeros(chosen.size, bool)
    best: dict[tuple[str, ...], int] = {}
    names = [dataset[key].values.astype(str) for key in ("network", "station_name", "depth_class")]
    names.append(reference_classes(dataset))
    for row in np.flatnonzero(chosen):
        key = tuple(str(one[row]) for one in names)
        if key[1] in ("", "unknown"):
            out[row] = True
        elif key not in best or days[row] > days[best[key]]:
            best[key] = int(row)
    out[list(best.values())] = True
    return out


def _reference_of(dataset: xr.Dataset, product: Product, name: str) -> Reference:
    """Stations in the day convention of a product; one at 06:00 local solar time meets `soil_moisture_solar06`."""
    values = np.array(dataset["soil_moisture"].transpose("station", "time"), np.float32)
    conventions = dataset["day_convention"].values.astype(str).tolist()
    if product.day_convention == "solar06" and "soil_moisture_solar06" in dataset:
        morning = np.array(dataset["soil_moisture_solar06"].transpose("station", "time"), np.float32)
        has: npt.NDArray[np.bool_] = np.asarray(np.isfinite(morning).any(axis=1))
        values = np.where(has[:, None], morning, values)
        conventions = ["solar06" if one else old for one, old in zip(has, conventions, strict=True)]
    daily = {
        key: np.array(dataset[key].transpose("station", "time"), np.float32)
        for key in ("precipitation", "frozen", "standard_error")
        if key in dataset and set(dataset[key].dims) == {"station", "time"}
    }
    return Reference(
        name, "stations", _station_table(dataset), station_days(dataset), values, tuple(conventions),
        np.asarray(dataset["utc_offset"], float), {key: one for key, one in daily.items() if np.isfinite(one).any()},
    )  # fmt: skip


_TABLE = (
    "station_id", "key", "network", "station_name", "lat", "lon", "altitude", "depth_from", "depth_to", "depth_class",
    "footprint_kind", "footprint_radius", "licence", "redistributable", "land_cover", "climate", "sand", "clay",
    "flag_dialect", "day_convention",
)  # fmt: skip


def _station_table(dataset: xr.Dataset) -> pd.DataFrame:
    table = pd.DataFrame({name: dataset[name].values for name in _TABLE if name in dataset})
    table["redistributable"] = table["redistributable"].astype(bool)
    table["reference_class"] = reference_classes(dataset)
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
    return replace(
        reference, days=reference.days[inside], values=reference.values[:, inside],
        daily={name: values[:, inside] for name, values in reference.daily.items()},
    )  # fmt: skip


def cell_reference(product: Product, other: Product, progress: Progress = silent) -> Reference:
    """The cells of a gridded reference that lie in our product's grid, each as a station.

    Parameters
    ----------
    product
        Ours: cells of the reference whose centre lies outside its grid are left out.
    other
        The gridded reference.
    """
    flat = other.all_cells()
    lat, lon = other.geometry.centres(flat)
    flat = flat[product.geometry.containing(lat, lon)[0] >= 0]
    if not flat.size:
        raise InputError(f"no cell of {other.name} lies in the grid of {product.name}", where=str(other.path))
    columns = other.geometry.shape[1]
    series = extract(other, flat // columns, flat % columns, progress)
    filled = np.isfinite(series.values).any(axis=1)
    if not filled.any():
        raise InputError(f"{other.name} has no value in the grid of {product.name}", where=str(other.path))
    table = cell_table(other, flat[filled])
    return Reference(
        other.name, "cells", table, series.days, series.values[filled],
        (other.day_convention,) * len(table), np.zeros(len(table)), cells=cell_edges(other, flat[filled]),
        flat=flat[filled],
    )  # fmt: skip


def cell_table(other: Product, flat: Integers) -> pd.DataFrame:
    """The cells of a gridded reference as a table of stations."""
    columns = other.geometry.shape[1]
    lat, lon = other.geometry.centres(flat)
    ids = [f"{other.name}/{one // columns}/{one % columns}" for one in flat.tolist()]
    return pd.DataFrame(
        {
            "station_id": ids, "key": [text.replace("/", "-") for text in ids], "network": other.name,
            "station_name": ids, "lat": lat, "lon": lon, "altitude": np.nan,
            "depth_from": other.layer[0], "depth_to": other.layer[1], "depth_class": other.depth_class,
            "footprint_kind": "cell", "reference_class": "cell", "footprint_radius": np.nan, "licence": other.licence,
            "redistributable": False,
            "land_cover": "unknown", "climate": "unknown", "day_convention": other.day_convention,
        }
    )  # fmt: skip


def cell_edges(other: Product, flat: Integers) -> npt.NDArray[np.float64] | None:
    """South, north, west and east edge of cells, (cell, 4); None for points."""
    geometry = other.geometry
    if not isinstance(geometry, Geometry):
        return None
    row, column = flat // geometry.shape[1], flat % geometry.shape[1]
    ends = [
        np.stack([edges[at], edges[at + 1]]) for edges, at in ((geometry.lat_edges, row), (geometry.lon_edges, column))
    ]
    return np.stack([ends[0].min(axis=0), ends[0].max(axis=0), ends[1].min(axis=0), ends[1].max(axis=0)], axis=1)


@dataclass(frozen=True)
class CellSeries:
    """Series of some cells of a product; `cells` are flat indices of its grid, ascending."""

    cells: Integers
    series: Series


def candidate_cells(reference: Reference, product: Product) -> Integers:
    """Flat index of every cell of a product that some station may meet, ascending."""
    return np.unique(_candidates(reference, product).cells)


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
    found = [_at_stations(reference, product, read[product.name]) for product in products]
    if (found[0].placed.row < 0).all() and not empty_allowed:
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
        uncertainty=found[0].uncertainty_on(reference.days), placed=tuple(one.placed for one in found),
        mismatch=mismatch, flagged=_flagged(found[0]),
        filled={name: one for name, one in filled.items() if one is not None},
    )  # fmt: skip


@dataclass(frozen=True)
class _AtStations:
    """A product's series of the cells that were needed, and which of them each station takes.

    `index` is the position of the one cell, -1 for none; `mixed` has a weight for each station and cell where some
    footprint is larger than a cell, else it is None.
    """

    series: Series
    index: Integers
    placed: Placed
    mixed: scipy.sparse.csr_array | None = None

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
        if self.mixed is None:
            return _taken_rows(values, self.index)
        known = np.isfinite(values)
        total = self.mixed @ np.where(known, values, 0.0).astype(np.float32)
        share = self.mixed @ known.astype(np.float32)
        with np.errstate(invalid="ignore"):
            return np.where(share >= LEAST_SHARE, total / np.maximum(share, 1e-6), np.nan).astype(np.float32)


def _flagged(ours: _AtStations) -> Integers:
    if ours.series.flagged.size == 0:
        return np.zeros(ours.index.size, np.int64)
    return np.where(ours.index >= 0, ours.series.flagged[np.maximum(ours.index, 0)], 0)


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


@dataclass(frozen=True)
class _Candidates:
    """Cells that stations may take, as a list of pairs ordered by station and then by preference.

    `weight` is 0 for cells of which the first with values is taken, else the share of the footprint, (pair,).
    """

    station: Integers
    cells: Integers
    distance_km: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    own: Integers


def _own_cells(reference: Reference, product: Product) -> Integers:
    """Flat index of the cell that contains each station, -1 outside the grid."""
    lat, lon = (reference.table[name].to_numpy(float) for name in ("lat", "lon"))
    row, column = product.geometry.containing(lat, lon)
    return np.where(row >= 0, row * product.geometry.shape[1] + column, -1)


def _candidates(reference: Reference, product: Product) -> _Candidates:
    """The containing cell first, then neighbours within one cell size; for large footprints all overlapped cells."""
    lat, lon = (reference.table[name].to_numpy(float) for name in ("lat", "lon"))
    own = _own_cells(reference, product)
    geometry = product.geometry
    if reference.kind == "cells":
        # A map is compared cell by cell: a neighbour is another cell of the same map.
        if reference.cells is not None and isinstance(geometry, Geometry) and _coarser(reference, geometry):
            station, cells, weight = overlapped(geometry, reference.cells)
            return _Candidates(station, cells, np.zeros(cells.size), weight, own)
        station = np.flatnonzero(own >= 0)
        y, x = geometry.centres(own[station])
        apart = distance_km(lat[station], lon[station], y, x)
        return _Candidates(station, own[station], apart, np.zeros(station.size), own)
    radius = np.full(lat.size, np.nan)
    if "footprint_radius" in reference.table:
        radius = reference.table["footprint_radius"].to_numpy(float) / 1000.0
    pairs: list[tuple[int, int, float, float]] = []
    for number, (y, x) in enumerate(zip(lat.tolist(), lon.tolist(), strict=True)):
        pairs += [(number, *one) for one in _near(geometry, y, x, int(own[number]), float(radius[number]))]
    columns = np.array(pairs, float).reshape(-1, 4).T
    return _Candidates(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2], columns[3], own)


def _near(geometry: AnyGeometry, lat: float, lon: float, own: int, radius_km: float) -> list[tuple[int, float, float]]:
    """Flat index, distance and weight of the cells of one station."""
    row, column, apart = geometry.nearby(lat, lon)
    flat = row * geometry.shape[1] + column
    if own >= 0 and radius_km > 0.75 * float(geometry.size_km(own // geometry.shape[1], own % geometry.shape[1])):
        inside = _within(geometry, lat, lon, radius_km)
        if inside:
            return [(cell, away, 1.0 / len(inside)) for cell, away in inside]
    order = np.argsort(flat != own, kind="stable")
    return [(int(flat[one]), float(apart[one]), 0.0) for one in order]


def _within(geometry: AnyGeometry, lat: float, lon: float, radius_km: float) -> list[tuple[int, float]]:
    """Cells whose centre lies within a radius."""
    if not isinstance(geometry, Geometry):
        return []
    rows = np.flatnonzero(distance_km(lat, 0.0, geometry.lat, 0.0) <= radius_km)
    columns = np.flatnonzero(
        distance_km(lat, lon, lat, geometry.lon) <= 1.5 * radius_km
    )  # fmt: skip
    row, column = (one.ravel() for one in np.meshgrid(rows, columns, indexing="ij"))
    apart = distance_km(lat, lon, geometry.lat[row], geometry.lon[column])
    near = apart <= radius_km
    return list(zip((row * geometry.shape[1] + column)[near].tolist(), apart[near].tolist(), strict=True))


def _coarser(reference: Reference, geometry: Geometry) -> bool:
    """Whether cells of a gridded reference are clearly larger than those of a product."""
    assert reference.cells is not None
    return float(np.median(reference.cells[:, 1] - reference.cells[:, 0])) > 1.3 * geometry.step_degrees


def _at_stations(reference: Reference, product: Product, read: CellSeries) -> _AtStations:
    found = _candidates(reference, product)
    count = len(reference.table)
    index, distance = np.full(count, -1, np.int64), np.full(count, np.nan)
    cells, series = read.cells, read.series
    filled: npt.NDArray[np.bool_] = np.asarray(np.isfinite(series.values).any(axis=1))
    position = np.searchsorted(cells, found.cells)
    if found.cells.size:
        usable = filled[np.minimum(position, max(filled.size - 1, 0))] if filled.size else np.zeros(position.size, bool)
        # Pairs are in order of preference, so the first usable one of each station is the one to take.
        station, first = np.unique(found.station[usable], return_index=True)
        index[station] = position[usable][first]
        distance[station] = found.distance_km[usable][first]
    flat = np.where(index >= 0, cells[np.maximum(index, 0)], -1) if cells.size else index
    columns = product.geometry.shape[1]
    placed = Placed(
        np.where(flat >= 0, flat // columns, -1), np.where(flat >= 0, flat % columns, -1), distance,
        (flat >= 0) & (flat == found.own),
    )  # fmt: skip
    return _AtStations(series, index, placed, _mixing(found, position, index, cells.size))


def _mixing(found: _Candidates, position: Integers, index: Integers, cells: int) -> scipy.sparse.csr_array | None:
    """Weights of cells for each station where a footprint covers several; stations of one cell take that one."""
    if not (found.weight > 0).any():
        return None
    wide = found.weight > 0
    many = np.zeros(index.size, bool)
    many[found.station[wide]] = True
    single = np.flatnonzero((index >= 0) & ~many)
    station = np.concatenate([found.station[wide], single])
    column = np.concatenate([position[wide], index[single]])
    weight = np.concatenate([found.weight[wide], np.ones(single.size)])
    return scipy.sparse.csr_array((weight.astype(np.float32), (station, column)), shape=(index.size, cells))


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


def cell_area_km2(product: Product, placed: Placed) -> npt.NDArray[np.float64]:
    """Area of the cell that each station took; NaN without one."""
    side = product.geometry.size_km(np.maximum(placed.row, 0), np.maximum(placed.column, 0))
    return np.where(placed.row >= 0, side**2, np.nan)


def clusters(reference: Located, products: Sequence[Product]) -> npt.NDArray[np.int64]:
    """Cluster number of each station: one cell of the coarsest grid, at least 0.25 degree.

    Cells of a gridded reference form clusters of 5 degrees: neighbours share weather and training.
    """
    lat, lon = (reference.table[name].to_numpy(float) for name in ("lat", "lon"))
    step = CELL_CLUSTER_DEGREES
    if reference.kind == "stations":
        steps = [product.geometry.step_degrees for product in products]
        step = max(SMALLEST_CLUSTER_DEGREES, *steps)
    block = np.floor((lat + 90.0) / step) * 10**6 + np.floor((lon + 180.0) / step)
    return np.unique(block, return_inverse=True)[1].astype(np.int64)
