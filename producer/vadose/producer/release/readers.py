"""What other programs make of the granules: GDAL, ncdump, plain h5py and xarray."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import h5py
import numpy as np
import numpy.typing as npt
import xarray as xr

from vadose.common import VadoseError
from vadose.producer.granules.flags import WITHOUT_VALUE
from vadose.producer.granules.reading import Granule, read_granule
from vadose.producer.recipe import Recipe

Floats = npt.NDArray[np.float64]

PROGRAMS = {"ncdump": "netcdf-bin", "gdalinfo": "gdal-bin"}
TOGETHER = 31


def missing_programs() -> list[str]:
    """Programs and packages that could not be asked, in words."""
    lacking = [f"{name} (Debian package {package})" for name, package in PROGRAMS.items() if shutil.which(name) is None]
    return lacking if importlib.util.find_spec("rasterio") else [*lacking, "rasterio (pip package)"]


def check(folder: Path, recipe: Recipe, paths: Sequence[str]) -> Iterator[str]:
    """Reasons why a reader fails or disagrees; first and last granule, and up to 31 opened as one dataset."""
    if not paths:
        return
    for path in sorted({paths[0], paths[-1]}):
        yield from _programs(folder / path)
        try:
            yield from _plain_hdf5(folder / path)
            if importlib.util.find_spec("rasterio"):
                yield from _gdal(recipe, read_granule(folder / path))
        except (OSError, KeyError, VadoseError) as error:
            yield f"{PurePosixPath(path).name} cannot be read: {error}"
    yield from _together([folder / path for path in paths[:TOGETHER]])


def _programs(path: Path) -> Iterator[str]:
    for command in (["ncdump", "-h", str(path)], ["gdalinfo", f'NETCDF:"{path}":sm']):
        if shutil.which(command[0]) is None:
            continue
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            yield f"{command[0]} does not open {path.name}: {answer.stderr.strip()[-200:]}"


def _plain_hdf5(path: Path) -> Iterator[str]:
    with h5py.File(path, "r") as file:
        if file["sm"][...].shape[0] != 1:
            yield f"h5py reads {file['sm'].shape[0]} times from {path.name}"


def _gdal(recipe: Recipe, granule: Granule) -> Iterator[str]:
    """CRS, transform and values by rasterio, in the northernmost, southernmost and westernmost cell with a value."""
    import rasterio

    grid = recipe.product.grid.grid()
    stored = granule.values["sm"][0]
    x, y = (grid.x, grid.y) if grid.is_ease2 else (grid.lon, grid.lat)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(f"netcdf:{granule.path}:sm") as file:
            if file.crs is None or file.crs.to_epsg() != grid.epsg:
                yield f"GDAL reads the CRS {file.crs} instead of EPSG:{grid.epsg}"
            read = file.read(1)
            for row, column in _probes(granule, grid.lat, grid.lon):
                if file.index(x[column], y[row]) != (row, column):
                    yield f"GDAL puts row {row}, column {column} at {file.index(x[column], y[row])}"
                if read[row, column] != stored[row, column]:
                    values = f"{read[row, column]}, stored is {stored[row, column]}"
                    yield f"GDAL reads in row {row}, column {column} {values}"


def _probes(granule: Granule, lat: Floats, lon: Floats) -> Iterator[tuple[int, int]]:
    """The northernmost and southernmost cell with a value, and the westernmost one."""
    given = np.argwhere((granule.values["flag"][0] & WITHOUT_VALUE) == 0)
    if not given.size:
        return
    for place in (
        given[np.argmax(lat[given[:, 0]])],
        given[np.argmin(lat[given[:, 0]])],
        given[np.argmin(lon[given[:, 1]])],
    ):
        yield int(place[0]), int(place[1])


def _together(paths: Sequence[Path]) -> Iterator[str]:
    try:
        with xr.open_mfdataset(
            paths,
            data_vars="minimal",
            coords="minimal",
            compat="equals",
            join="exact",
            combine="nested",
            concat_dim="time",
        ) as ds:
            if ds.sizes["time"] != len(paths) or ds["crs"].dims:
                yield f"xarray opens {len(paths)} granules as {dict(ds.sizes)} with crs{ds['crs'].dims}"
    except (ValueError, OSError) as error:
        yield f"xarray does not open {len(paths)} granules as one dataset: {error}"
