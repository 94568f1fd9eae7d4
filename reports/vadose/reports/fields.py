"""Fields and headers read from granules: the newest day, the mean of the newest month, variables and flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from vadose.common import InputError
from vadose.reports.data import Release

# Bits 1, 2, 4, 8, 128 and 256 of the flag: outside the domain, ice, frozen, snow, interference, no valid input.
RECOMMENDED_MASK = 399
OUTSIDE = 1
# Days that are read for the picture of the gaps: a whole record of granules would take hours.
SAMPLED_DAYS = 60
# Rows of that picture.
BANDS = 60
# Variables of a granule that carry no data of the product.
_FRAME = ("bnds", "bounds", "crs", "quantization")

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Field:
    """Soil moisture of a day or month: values of shape (lat, lon), m3 m-3, NaN where a recommended flag is set."""

    day: str
    lat: Array
    lon: Array
    values: Array
    long_name: str


@dataclass(frozen=True)
class Gaps:
    """Share of the cells of the domain with a recommended value: shape (band, day), bands from north to south."""

    days: tuple[str, ...]
    lat: Array
    share: Array


@dataclass(frozen=True)
class Variable:
    """One variable of a granule as its header names it."""

    name: str
    long_name: str
    units: str
    comment: str


@dataclass(frozen=True)
class Flag:
    """One bit of the flag."""

    bit: int
    meaning: str
    kept: bool


def latest_field(release: Release) -> Field | None:
    """The newest granule of the release that has at least half of the usual number of values.

    Winter days of a product that does not cover snow would else be an almost empty map.
    """
    best: Field | None = None
    most = 0
    for entry in sorted(_published(release), key=lambda e: str(e["start"]), reverse=True)[:200:20]:
        if not (release.folder / str(entry["path"])).is_file():
            continue
        field = _read(release, entry["path"], str(entry["start"])[:10])
        found = int(np.isfinite(field.values).sum())
        if best is None or found > 2 * most:
            best, most = field, found
    return best


def latest_month(release: Release) -> Field | None:
    """The mean of each cell over the days with a value in the newest month whose granules are here."""
    here = _daily(release)
    if not here:
        return None
    month = max(str(entry["start"])[:7] for entry in here)
    days = [entry for entry in here if str(entry["start"])[:7] == month]
    first = _read(release, days[0]["path"], month)
    total, n = np.zeros(first.values.shape), np.zeros(first.values.shape, dtype=int)
    for entry in days:
        values = _read(release, entry["path"], month).values
        valid = np.isfinite(values)
        total += np.where(valid, values, 0.0)
        n += valid
    mean = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    words = f"mean of the days with a value in {month}, {len(days)} granules"
    return Field(words, first.lat, first.lon, mean, first.long_name)


def sampled_gaps(release: Release) -> Gaps | None:
    """Where values are missing by latitude and time, from days evenly spread over the record; None below two days."""
    here = sorted(_daily(release), key=lambda entry: str(entry["start"]))
    chosen = [here[k] for k in np.unique(np.linspace(0, len(here) - 1, SAMPLED_DAYS).astype(int))] if here else []
    if len(chosen) < 2:
        return None
    columns: list[Array] = []
    lat: Array = np.empty(0)
    for entry in chosen:
        lat, values, flag = _arrays(release, entry["path"])
        step = -(-len(lat) // BANDS)
        starts = np.arange(0, len(lat), step)
        inside = (flag & OUTSIDE) == 0
        kept = np.isfinite(values) & ((flag & RECOMMENDED_MASK) == 0)
        cells, found = (np.add.reduceat(part.sum(1), starts) for part in (inside, kept))
        columns.append(np.where(cells > 0, found / np.maximum(cells, 1), np.nan))
        lat = np.array([lat[start : start + step].mean() for start in starts])
    return Gaps(tuple(str(entry["start"])[:10] for entry in chosen), lat, np.column_stack(columns))


def variables(release: Release) -> tuple[list[Variable], list[Flag]]:
    """The data variables and the bits of the flag that the header of the newest granule names."""
    here = [entry for entry in _published(release) if (release.folder / str(entry["path"])).is_file()]
    if not here:
        return [], []
    place = release.folder / str(max(here, key=lambda entry: str(entry["start"]))["path"])
    try:
        with xr.open_dataset(place) as granule:
            found = {str(name): dict(granule[name].attrs) for name in granule.data_vars}
    except (OSError, ValueError) as error:
        raise InputError(f"not a readable granule: {error}", where=str(place)) from error
    listed = [
        Variable(name, str(a.get("long_name", "")), str(a.get("units", "")), str(a.get("comment", "")))
        for name, a in found.items()
        if not any(word in name for word in _FRAME)
    ]
    given = found.get("flag", {})
    masks = np.atleast_1d(given.get("flag_masks", [])).tolist()
    meanings = str(given.get("flag_meanings", "")).split()
    bits = [
        Flag(int(bit), words.replace("_", " "), not int(bit) & RECOMMENDED_MASK)
        for bit, words in zip(masks, meanings, strict=False)
    ]
    return listed, bits


def _published(release: Release) -> list[dict[str, Any]]:
    return [e for e in release.granules if e.get("start") and e.get("status", "published") == "published"]


def _daily(release: Release) -> list[dict[str, Any]]:
    """Granules that are here; those of days where a release has both days and months."""
    here = [entry for entry in _published(release) if (release.folder / str(entry["path"])).is_file()]
    return _of_step(here, "DAILY") or here


def _of_step(entries: Sequence[dict[str, Any]], step: str) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry.get("step") == step]


def _arrays(release: Release, path: str) -> tuple[Array, Array, npt.NDArray[np.int64]]:
    place = release.folder / path
    try:
        with xr.open_dataset(place) as granule:
            lat = granule["lat"].to_numpy().astype(float)
            values = granule["sm"].isel(time=0).to_numpy().astype(float)
            flag = granule["flag"].isel(time=0).to_numpy().astype(np.int64)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"not a readable granule: {error}", where=str(place)) from error
    return lat, values, flag


def _read(release: Release, path: str, day: str) -> Field:
    place = release.folder / path
    lat, values, flag = _arrays(release, path)
    try:
        with xr.open_dataset(place) as granule:
            lon = granule["lon"].to_numpy().astype(float)
            name = str(granule["sm"].attrs.get("long_name", "soil moisture"))
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"not a readable granule: {error}", where=str(place)) from error
    return Field(day, lat, lon, np.where((flag & RECOMMENDED_MASK) == 0, values, np.nan), name)
