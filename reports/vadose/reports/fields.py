"""The field of the newest day, read from a granule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from vadose.common import InputError
from vadose.reports.data import Release

# Bits 1, 2, 4, 8, 128 and 256 of the flag: outside the domain, ice, frozen, snow, interference, no valid input.
RECOMMENDED_MASK = 399


@dataclass(frozen=True)
class Field:
    """Soil moisture of one day: values of shape (lat, lon), m3 m-3, NaN where a recommended flag is set."""

    day: str
    lat: npt.NDArray[np.float64]
    lon: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    long_name: str


def latest_field(release: Release) -> Field | None:
    """The newest granule of the release that has at least half of the usual number of values.

    Winter days of a product that does not cover snow would else be an almost empty map.
    """
    dated = [e for e in release.granules if e.get("start") and e.get("status", "published") == "published"]
    best: Field | None = None
    most = 0
    for entry in sorted(dated, key=lambda e: str(e["start"]), reverse=True)[:200:20]:
        path = release.folder / str(entry["path"])
        if not path.is_file():
            continue
        field = _read(release, entry["path"], str(entry["start"])[:10])
        found = int(np.isfinite(field.values).sum())
        if best is None or found > 2 * most:
            best, most = field, found
    return best


def _read(release: Release, path: str, day: str) -> Field:
    place = release.folder / path
    try:
        with xr.open_dataset(place) as granule:
            values = granule["sm"].isel(time=0).to_numpy().astype(float)
            flag = granule["flag"].isel(time=0).to_numpy()
            lat, lon = granule["lat"].to_numpy().astype(float), granule["lon"].to_numpy().astype(float)
            name = str(granule["sm"].attrs.get("long_name", "soil moisture"))
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"not a readable granule: {error}", where=str(place)) from error
    return Field(day, lat, lon, np.where((flag.astype(int) & RECOMMENDED_MASK) == 0, values, np.nan), name)
