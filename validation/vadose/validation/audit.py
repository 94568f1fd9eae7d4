"""The leakage ledger: which stations and days of a reference the model has seen in training."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.common import InputError, read_json
from vadose.validation.cards import Card
from vadose.validation.geometry import AnyGeometry, distance_km
from vadose.validation.references import Reference

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
            # A month counts as seen where any of its days was.
            begin, end = (np.datetime64(one).astype(reference.days.dtype) for one in (first, last))
            days |= (reference.days >= begin) & (reference.days <= end)
        out |= cells[:, None] & days
    return out


def station_labels(
    ledger: Ledger | None, table: pd.DataFrame, geometry: AnyGeometry | None = None
) -> npt.NDArray[np.str_]:
    """What our model knows of each station, (station,).

    `station_seen`: by id, by network and name, or within 1 km of a place in the ledger; `cell_seen`: another station
    in the same cell of our grid was used; `independent`; `unknown` without a ledger.
    """
    if ledger is None:
        return np.full(len(table), "unknown")
    return _labels([entry for role in USED_ROLES for entry in ledger.stations.get(role, [])], table, geometry)


def upstream_labels(card: Card | None, table: pd.DataFrame) -> npt.NDArray[np.str_]:
    """`upstream_seen` where a card lists a station among those that the product learnt from, else `independent`.

    `unknown` without a card that lists any.
    """
    if card is None or not card.training_stations:
        return np.full(len(table), "unknown")
    labels = _labels(list(card.training_stations), table, None)
    return np.where(labels == "station_seen", "upstream_seen", labels)


def _labels(used: Sequence[Any], table: pd.DataFrame, geometry: AnyGeometry | None) -> npt.NDArray[np.str_]:
    places = [entry for entry in used if isinstance(entry, Mapping)]
    names = {_plain(entry) for entry in used if isinstance(entry, str)}
    names |= {_plain(str(entry["station_id"])) for entry in places if "station_id" in entry}
    ids = [_plain(one) for one in table["station_id"].astype(str)]
    # Networks go by several spellings, and a ledger may list a station without its sensor.
    aliases = [
        _plain(f"{network}/{name}")
        for network, name in zip(table["network"].astype(str), table["station_name"].astype(str), strict=True)
    ]
    hit = np.array([one in names or alias in names for one, alias in zip(ids, aliases, strict=True)], bool)
    lat, lon = (table[name].to_numpy(float) for name in ("lat", "lon"))
    near = [entry for entry in places if "lat" in entry and "lon" in entry]
    for entry in near:
        hit |= distance_km(lat, lon, float(entry["lat"]), float(entry["lon"])) <= SAME_STATION_KM
    cells = np.zeros(len(table), bool)
    if geometry is not None:
        used_lat = np.concatenate([lat[hit], [float(entry["lat"]) for entry in near]])
        used_lon = np.concatenate([lon[hit], [float(entry["lon"]) for entry in near]])
        there = _cell(geometry, used_lat, used_lon)
        cells = np.isin(_cell(geometry, lat, lon), there[there >= 0])
    return np.where(hit, "station_seen", np.where(cells, "cell_seen", "independent"))


def _plain(name: str) -> str:
    """An id without percent-encoding, case, and the signs in which spellings of networks differ."""
    return re.sub(r"[\s_\-]+", "", unquote(name)).lower()


def _cell(geometry: AnyGeometry, lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    row, column = geometry.containing(lat, lon)
    return np.where(row >= 0, row * geometry.shape[1] + column, -np.arange(1, row.size + 1))


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
