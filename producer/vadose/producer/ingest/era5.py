"""ERA5 and ERA5-Land analyses in NetCDF, of the old and the new Climate Data Store.

Times may be called `time` or `valid_time`, longitudes run 0..360 or -180..180, latitudes in either direction, and
final and preliminary data may lie along a dimension `expver`. Centres lie on whole steps, half a cell off our grids,
so that values become area-weighted means. Small negative soil moisture is real (packing). In ERA5 the ocean holds
5e-6, not missing: a land-sea mask must be among the fields, in a file of its own, or not needed (ERA5-Land).
Accumulated variables (tp, ssrd) are left out: their intervals differ between ERA5 and ERA5-Land.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import netCDF4
import numpy as np
import numpy.typing as npt

from vadose.common import InputError, Progress
from vadose.producer.ingest.base import Ingester, Order, Origin
from vadose.producer.ingest.gridded import Cells, Lattice, write_cube
from vadose.producer.ingest.latlon import Field, LatLonSource, axes, field_at
from vadose.producer.ingest.native import Floats, open_netcdf

LAND_ABOVE = 0.5
MASK_NAMES = ("lsm", "land")
ORIGIN = Origin("ECMWF, Copernicus Climate Change Service", "ERA5", "CC-BY-4.0", True, True)

FIELDS = {
    "era5_sm": Field("swvl1", layer_m=(0.0, 0.07)),
    "era5_sm_layer2": Field("swvl2", layer_m=(0.07, 0.28)),
    "soil_temperature": Field("stl1", layer_m=(0.0, 0.07)),
    "land_surface_temperature_all_weather": Field("skt"),
    "air_temperature": Field("t2m"),
    "eastward_wind": Field("u10"),
    "northward_wind": Field("v10"),
    "snow_water_equivalent": Field("sd"),
    "albedo": Field("fal"),
}


class Era5Source(LatLonSource):
    """ERA5 files day by day.

    Options: `steps` that a day needs (default: as many as the fullest day has), `mask` for a file with the
    land-sea mask `lsm` or `land` on the same grid.
    """

    def __init__(self, order: Order) -> None:
        steps = order.options.get("steps")
        super().__init__(order, FIELDS, None if steps is None else int(steps))
        mask = order.options.get("mask")
        self._mask_file = None if mask is None else Path(mask)

    @cached_property
    def is_land(self) -> npt.NDArray[np.bool_] | None:
        """Land of the lattice, (row, column) in the order of the files; None where the fields are missing at sea.

        Raises
        ------
        InputError
            Where the fields are complete everywhere and there is no mask.
        """
        path = self._mask_file or self.files[0]
        with open_netcdf(path) as dataset:
            for name in MASK_NAMES:
                if name in dataset.variables:
                    values = field_at(dataset, name, 0, path)
                    return self._in_order(dataset, values, path) > LAND_ABOVE
            if self._mask_file is not None:
                raise InputError(f"no mask named {' or '.join(MASK_NAMES)}", where=str(path))
            native = FIELDS[self.names[0]].native
            if np.isfinite(field_at(dataset, native, 0, path)).all():
                raise InputError(
                    "no land-sea mask, and the sea is not missing",
                    where=f"{path}, variable {native}",
                    why="ERA5 holds 5e-6 at sea",
                    next="request lsm with the data, or name a file that holds it with --mask",
                )
        return None

    def _in_order(self, dataset: netCDF4.Dataset, values: Floats, path: Path) -> Floats:
        """Mask values put into the row and column order of the data files."""
        theirs = Lattice.of_centres(*axes(dataset, path), str(path))
        mine = self.lattice
        if theirs.shape != mine.shape or not (
            np.allclose(theirs.lat, mine.lat, atol=1e-4) and np.allclose(theirs.lon, mine.lon, atol=1e-4)
        ):
            raise InputError("the mask lies on another grid than the data", where=f"{path}; {self.files[0]}")
        placed = np.empty_like(values)
        placed[np.ix_(mine.rows, mine.columns)] = values[np.ix_(theirs.rows, theirs.columns)]
        return placed

    def land(self, cells: Cells) -> npt.NDArray[np.bool_]:
        """Land cells by the mask, else cells with a value."""
        if self.is_land is None:
            return super().land(cells)
        land: npt.NDArray[np.bool_] = self.is_land.ravel()[self.lattice.in_file(cells)]
        return land

    def refused(self, taken: Cells) -> npt.NDArray[np.bool_] | None:
        """The sea."""
        if self.is_land is None:
            return None
        sea: npt.NDArray[np.bool_] = ~self.is_land.ravel()[taken]
        return sea


def ingest(order: Order, progress: Progress) -> None:
    """Write the cube of ERA5 files."""
    write_cube([(Era5Source(order), order)], progress)


INGESTER = Ingester(
    name="era5",
    summary="ERA5 and ERA5-Land analyses, NetCDF of the Climate Data Store",
    write=ingest,
    origin=ORIGIN,
    source=Era5Source,
    gives=tuple(FIELDS),
    options={
        "steps": "time steps that a day needs, default as many as the fullest day has",
        "mask": "file with the land-sea mask `lsm` or `land` on the same grid",
    },
)
