"""The leakage ledger: which stations and days of a reference the model has seen in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.common import InputError, read_json
from vadose.validation.geometry import distance_km
from vadose.validation.matching import Reference

Booleans = npt.NDArray[np.bool_]

USED_ROLES = ("fit", "tune", "calibrate")
SAME_STATION_KM = 1.0


@dataclass(frozen=True)
class Ledger:
    """What a model was fitted, tuned and calibrated on.

    Attributes
    ----------
    split, grid
        Id of the split, token of the grid that the cell numbers refer to.
    cells, days
        For each role flat indices in the global grid, and inclusive ranges of days.
    stations
        Ids of stations, by role.
    """

    split: str
    grid: str
    cells: Mapping[str, Sequence[int]]
    days: Mapping[str, Sequence[tuple[str, str]]]
    stations: Mapping[str, Sequence[str]]


def find_ledger(product: Path, models: Sequence[Path]) -> Ledger | None:
    """The ledger of a release's provenance, else of the first given `model.json` that exists."""
    for path in (product / "provenance" / "model.json", *models):
        if path.is_file():
            return ledger_of(read_json(path), path)
    return None


def ledger_of(model: Any, where: Path) -> Ledger:
    """The ledger in a `model.json`."""
    try:
        ledger = model["ledger"]
        return Ledger(
            split=str(ledger["split"]), grid=str(ledger["grid"]), cells=ledger["cells"],
            days={role: [(str(a), str(b)) for a, b in ranges] for role, ranges in ledger["days"].items()},
            stations=ledger.get("stations") or {},
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"no ledger in the model: {error!r}", where=str(where), next="vadose train RECIPE") from error


def seen(ledger: Ledger, reference: Reference, index: npt.NDArray[np.int64]) -> Booleans:
    """Station-days that the model learnt from, (station, time).

    A value is seen if its cell and its day were both used for fitting, tuning or calibrating, whatever the reference:
    the label is about place and time, not about the sensor.

    Parameters
    ----------
    ledger
        The model's.
    reference
        A gridded one: its cells are the stations.
    index
        Flat index of our product's cell in the ledger's global grid for each station, -1 where unknown.
    """
    out = np.zeros(reference.values.shape, bool)
    for role in USED_ROLES:
        cells = np.isin(index, np.asarray(ledger.cells.get(role, []), np.int64)) | (index < 0)
        days = np.zeros(reference.days.size, bool)
        for first, last in ledger.days.get(role, []):
            days |= (reference.days >= np.datetime64(first)) & (reference.days <= np.datetime64(last))
        out |= cells[:, None] & days
    return out


def station_labels(ledger: Ledger | None, table: pd.DataFrame) -> npt.NDArray[np.str_]:
    """`independent`, `station_seen` (by id or within 1 km of a place in the ledger) or `unknown`, (station,)."""
    if ledger is None:
        return np.full(len(table), "unknown")
    used = [entry for role in USED_ROLES for entry in ledger.stations.get(role, [])]
    names = {entry for entry in used if isinstance(entry, str)}
    places = [entry for entry in used if isinstance(entry, Mapping)]
    names |= {str(entry.get("station_id", "")) for entry in places}
    hit = np.array(table["station_id"].isin(names))
    for entry in places:
        if "lat" in entry and "lon" in entry:
            apart = distance_km(table["lat"].to_numpy(float), table["lon"].to_numpy(float), entry["lat"], entry["lon"])
            hit |= apart <= SAME_STATION_KM
    return np.where(hit, "station_seen", "independent")


def global_index(token: str, lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Flat index in C order of the global grid cell that contains each point; -1 for an unknown grid."""
    ease = {"EASE2M36": (406, 964), "EASE2M09": (1624, 3856), "EASE2M03": (4872, 11568), "EASE2M01": (14616, 34704)}
    east = (np.asarray(lon, float) + 180.0) % 360.0
    if token in ease:
        rows, columns = ease[token]
        import pyproj

        northing = pyproj.Transformer.from_crs(4326, 6933, always_xy=True).transform(np.zeros_like(east), lat)[1]
        cell = 2 * 17367530.445161 / columns
        row = np.floor(rows / 2 - np.asarray(northing) / cell)
    elif token.endswith("DEG") and "P" in token:
        step = float(token.removesuffix("DEG").replace("P", "."))
        rows, columns = round(180 / step), round(360 / step)
        row = np.minimum(np.floor((90.0 - np.asarray(lat, float)) / step), rows - 1)
    else:
        return np.full(east.shape, -1, np.int64)
    return np.asarray(row * columns + np.floor(east / 360.0 * columns), np.int64)
