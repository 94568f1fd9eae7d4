"""Stations on the grid of a cube: the mean of the good ones in each cell, and which they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import netCDF4
import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.common.deadline import opening
from vadose.common.reading import reading
from vadose.producer.cube import Cube
from vadose.producer.training.splits import Fold, Role

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

# Layout of the station datasets that are read, as their attribute `vadose_stations` states it.
LAYOUT = 2
EPOCH = np.datetime64("1970-01-01", "D")
# Which series of a station dataset holds the values of a product's day.
SERIES = {"solar06": "soil_moisture_solar06", "daily_mean": "soil_moisture"}
AGAIN = "vadose ingest stations SOURCE --name NAME"

Day = Literal["solar06", "daily_mean"]


@dataclass(frozen=True)
class Stations:
    """Good surface stations inside the cells of a cube.

    Attributes
    ----------
    ids, network
        Id and network of each, (station,).
    lat, lon, weight
        Place, and its share among the sensors of one place, (station,).
    cell
        Position in the cube of the cell that it stands in, (station,).
    values
        m3 m-3 on the days of the cube, (time, station), NaN where missing.
    """

    ids: tuple[str, ...]
    network: tuple[str, ...]
    lat: Doubles
    lon: Doubles
    weight: Doubles
    cell: npt.NDArray[np.int64]
    values: Floats

    def on_grid(self, size: int) -> tuple[Floats, npt.NDArray[np.int16]]:
        """Weighted mean and number of the stations with a value, (time, cell) each, for a cube of `size` cells."""
        total, weight = (np.zeros((self.values.shape[0], size)) for _ in range(2))
        count = np.zeros(total.shape, np.int16)
        for column, cell in enumerate(self.cell):
            there = np.isfinite(self.values[:, column])
            total[there, cell] += self.weight[column] * self.values[there, column]
            weight[there, cell] += self.weight[column]
            count[there, cell] += 1
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(weight > 0, total / weight, np.nan)
        return mean.astype(np.float32), count

    def cells_of(self, network: str) -> npt.NDArray[np.int64]:
        """Positions in the cube of the cells with a station of a network, ascending."""
        mine = [name == network for name in self.network]
        return np.unique(self.cell[np.array(mine, bool)])

    def used(self, fold: Fold, role: Role) -> list[dict[str, Any]]:
        """The stations with a value in a role of a fold, for the ledger: id and place."""
        mask = fold.mask(role)
        return [
            {"station_id": self.ids[k], "lat": float(self.lat[k]), "lon": float(self.lon[k])}
            for k, cell in enumerate(self.cell)
            if (mask[:, cell] & np.isfinite(self.values[:, k])).any()
        ]


def read_stations(paths: Iterable[Path], cube: Cube, day: Day) -> Stations:
    """Read the good surface stations of station datasets that stand in a cell of a cube.

    Good is what the dataset calls `ok` in a depth class of `surface`; bad days are missing in it already.

    Parameters
    ----------
    paths
        Canonical station datasets, `stations/<name>.nc`.
    day
        Whether a day's value is that at 06:00 local solar time or the mean of the UTC day.

    Raises
    ------
    InputError
        For a file that cannot be read or is no station dataset, and where no good station has a value in any cell on
        any day of the cube.
    """
    found = [_read(path, cube, day) for path in paths]
    if not found:
        raise InputError("no station dataset", why="the target is the soil moisture of stations",
                         next="name one in the recipe's `stations`")  # fmt: skip
    ids = tuple(name for one in found for name in one.ids)
    network = tuple(name for one in found for name in one.network)
    numbers = [np.concatenate([getattr(one, part) for one in found]) for part in ("lat", "lon", "weight")]
    cell = np.concatenate([one.cell for one in found])
    return Stations(ids, network, numbers[0], numbers[1], numbers[2], cell,
                    np.concatenate([one.values for one in found], axis=1))  # fmt: skip


def _read(path: Path, cube: Cube, day: Day) -> Stations:
    try:
        with opening(path):
            opened = netCDF4.Dataset(path)
        with reading(path), opened as file:
            if int(getattr(file, "vadose_stations", 0)) != LAYOUT:
                raise InputError(f"no station dataset of layout {LAYOUT}", where=str(path), next=AGAIN)
            columns = {name: file[name][:] for name in ("station_id", "network", "status", "depth_class")}
            places = [np.ma.filled(file[name][:].astype(float), np.nan) for name in ("lat", "lon", "station_weight")]
            days = EPOCH + np.floor(np.asarray(file["time"][:])).astype("timedelta64[D]")
            series = np.ma.filled(file[SERIES[day]][:].astype(np.float32), np.nan)
    except (OSError, IndexError, KeyError, RuntimeError) as error:
        raise InputError(f"station dataset cannot be read: {error}", where=str(path), next=AGAIN) from error
    words = {name: [str(word) for word in values] for name, values in columns.items()}
    lat, lon, weight = places
    good = np.array([status == "ok" and depth == "surface" for status, depth in
                     zip(words["status"], words["depth_class"], strict=True)], bool)  # fmt: skip
    cell = cells_containing(cube, lat, lon)
    place = (days - cube.days[0]).astype(int)
    common = (place >= 0) & (place < cube.days.size)
    values = np.full((cube.days.size, good.size), np.nan, np.float32)
    values[place[common]] = series[:, common].T
    kept = np.flatnonzero(good & (cell >= 0) & np.isfinite(values).any(axis=0))
    if not kept.size:
        surface, inside = int(good.sum()), int((good & (cell >= 0)).sum())
        raise InputError(
            "no good surface station has a value in the cells and days of the cube", where=str(path),
            why=f"of {good.size} stations {surface} are good at the surface, {inside} of these in a cell; "
            f"stations {days[0]}..{days[-1]}, cube {cube.days[0]}..{cube.days[-1]}",
            next="ingest stations of the region and years of the cube",
        )  # fmt: skip
    ids, network = (tuple(words[name][k] for k in kept) for name in ("station_id", "network"))
    return Stations(ids, network, lat[kept], lon[kept], weight[kept], cell[kept], values[:, kept])


def cells_containing(cube: Cube, lat: Doubles, lon: Doubles) -> npt.NDArray[np.int64]:
    """Position in the cube of the cell that contains each point, -1 where the cube has none."""
    known = np.isfinite(lat) & np.isfinite(lon)
    row, column = cube.grid.locate(np.where(known, lat, 0.0), np.where(known, lon, 0.0))
    flat = row * cube.grid.shape[1] + column
    place = np.minimum(np.searchsorted(cube.index, flat), cube.index.size - 1)
    return np.where(known & (row >= 0) & (cube.index[place] == flat), place, -1)
