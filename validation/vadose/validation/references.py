"""What products are compared with: stations of one class, or the cells of a gridded reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from vadose.common import InputError, Progress, silent
from vadose.validation.extraction import extract
from vadose.validation.geometry import Geometry
from vadose.validation.months import months_of, product_months, station_months
from vadose.validation.products import Product
from vadose.validation.stations import station_days

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]

# Daily series that have a meaning in months.
_OF_MONTHS = ("standard_error", "sensor_index")


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
        Consecutive days or months, (time,), and soil moisture in m3 m-3, (station, time).
    conventions, utc_offsets
        Day convention and hours from UTC of each station.
    daily
        Further series where the stations have them, (station, time): `precipitation`, `frozen`, `standard_error`, and
        `sensor_index`, the number of the sensor that supplied the day.
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

    def of_months(self) -> Reference:
        """The same stations in months: means over the days that are not frozen, of three quarters of the month.

        The table says how many days went into means and how many did not. A day of local standard time is at most
        half a day off that of UTC, which a month does not feel. Of several sensors, a month names the commonest.
        """
        frozen = self.daily["frozen"] == 1 if "frozen" in self.daily else np.zeros(self.values.shape, bool)
        valid = np.isfinite(self.values)
        means = station_months(np.where(frozen, np.nan, self.values), self.days)
        months = months_of(self.days)
        whole = np.isfinite(means)[:, (self.days.astype(months.dtype) - months[0]).astype(int)]
        counts = {
            "funnel_days_in_months": valid & ~frozen & whole, "rejected_frozen_days": valid & frozen,
            "rejected_month_incomplete": valid & ~frozen & ~whole,
        }  # fmt: skip
        kept = {name: np.where(valid, self.daily[name], np.nan) for name in _OF_MONTHS if name in self.daily}
        daily = {name: product_months(series, self.days) for name, series in kept.items()}
        if "sensor_index" in daily:
            daily["sensor_index"] = np.round(daily["sensor_index"])
        return replace(
            self, table=self.table.assign(**{name: days.sum(axis=1) for name, days in counts.items()}), days=months,
            values=means, daily=daily,
            conventions=tuple("utc" if one == "local_standard" else one for one in self.conventions),
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
        for key in ("precipitation", "frozen", "standard_error", "sensor_index")
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
