"""Sheets: the labelled maps of a `maps.nc` file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from vadose.common import InputError

LABELS = ("figure", "row", "column", "unit")
CLASSES = "class "

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sheet:
    """One map: the labels of the file and values of shape (lat, lon)."""

    figure: str
    row: str
    column: str
    unit: str
    values: Array

    @property
    def classes(self) -> dict[int, str]:
        """Code and name of each class, in the order of the codes; empty where values are numbers."""
        if not self.unit.startswith(CLASSES):
            return {}
        pairs = (word.partition(" ") for word in self.unit.removeprefix(CLASSES).split(", "))
        return {int(code): name.replace("_", " ") for code, _, name in pairs}


@dataclass(frozen=True)
class Sheets:
    """All maps of a file, on one grid."""

    lat: Array
    lon: Array
    sheets: tuple[Sheet, ...]

    @property
    def names(self) -> list[str]:
        """The figures, in order."""
        return list(dict.fromkeys(sheet.figure for sheet in self.sheets))


def read_sheets(path: Path) -> Sheets:
    """A file of maps; a broken one is an `InputError` that names it."""
    try:
        with xr.open_dataset(path, engine="netcdf4") as file:
            labels = [[str(word) for word in file[name].to_numpy()] for name in LABELS]
            values = file["value"].to_numpy().astype(float)
            told = tuple(Sheet(a, b, c, d, one) for a, b, c, d, one in zip(*labels, values, strict=True))
            return Sheets(file["lat"].to_numpy().astype(float), file["lon"].to_numpy().astype(float), told)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"not a readable file of maps: {error}", where=str(path)) from error
