"""Maps among the diagnostics: fields of the cells of a cube in one CF file, `maps.nc`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import netCDF4
import numpy as np
import numpy.typing as npt

from vadose.common import whole_file
from vadose.producer.cube import Cube

LABELS = ("figure", "row", "column", "unit")


@dataclass(frozen=True)
class Sheet:
    """One map of a figure.

    Attributes
    ----------
    figure
        Sheets of a figure share a colour scale.
    row, column
        Where the sheet stands in its figure: what its row shows, and what the sheet itself does.
    unit
        Unit of the values, `1` without one.
    values
        (cell,), missing is NaN.
    """

    figure: str
    row: str
    column: str
    unit: str
    values: npt.NDArray[np.floating[Any]]


@runtime_checkable
class Mapped(Protocol):
    """A model with maps of its own."""

    def sheets(self, cube: Cube) -> Iterable[Sheet]:
        """Maps of the cells of the cube."""
        ...


def write_maps(path: Path, cube: Cube, sheets: Iterable[Sheet]) -> None:
    """Write sheets as `value` (sheet, lat, lon) with their labels (sheet,), whole or not at all.

    The grid is that of the cube without the rows and columns that hold no cell.
    """
    told = list(sheets)
    columns = cube.grid.shape[1]
    row, y = np.unique(cube.index // columns, return_inverse=True)
    column, x = np.unique(cube.index % columns, return_inverse=True)
    field = np.full((len(told), row.size, column.size), np.nan, np.float32)
    for k, sheet in enumerate(told):
        field[k, y, x] = sheet.values
    lat, lon = np.empty(row.size), np.empty(column.size)
    lat[y], lon[x] = cube.lat, cube.lon
    with whole_file(path) as part, netCDF4.Dataset(part, "w") as file:
        file.setncatts({"Conventions": "CF-1.11", "title": "maps of diagnostics"})
        for name, size in (("sheet", len(told)), ("lat", row.size), ("lon", column.size)):
            file.createDimension(name, size)
        for name in LABELS:
            labels = file.createVariable(name, str, ("sheet",))
            for k, sheet in enumerate(told):
                labels[k] = getattr(sheet, name)
        for name, values, standard, unit in (("lat", lat, "latitude", "degrees_north"),
                                             ("lon", lon, "longitude", "degrees_east")):  # fmt: skip
            axis = file.createVariable(name, "f8", (name,))
            axis.setncatts({"standard_name": standard, "units": unit})
            axis[:] = values
        value = file.createVariable("value", "f4", ("sheet", "lat", "lon"), zlib=True, complevel=4, shuffle=True,
                                    fill_value=np.float32(np.nan))  # fmt: skip
        value.setncatts({"long_name": "value of a sheet, in its unit", "coordinates": " ".join(LABELS)})
        value[:] = field
