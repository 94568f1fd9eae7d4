"""CONUS-412: SMAP soil moisture, NLDAS-2 forcing and soil of 412 EASE-Grid 2.0 cells, as CF NetCDF or as CSV tables.

The CSV layout is that of github mhpi/hydroDL, `example/data/CONUSv4f1`: `<year>/<VAR>.csv` with cells in rows and
the days from 1 April in columns, `<year>/time.csv` with MATLAB day numbers, `const/<VAR>.csv` and `crd.csv`.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.common import InputError, Progress
from vadose.producer.cube import CubeWriter, new_cube
from vadose.producer.grids import Grid
from vadose.producer.ingest.base import Ingester, Order, Origin
from vadose.producer.ingest.gridded import check_given
from vadose.producer.ingest.latlon import times
from vadose.producer.ingest.native import (
    Days,
    Floats,
    Funnel,
    check_days,
    check_not_empty,
    in_days,
    open_netcdf,
    readable,
    record,
    require,
    stated_units,
    to_vocabulary,
)

WINDOW = Grid("EASE2M36", 47, 116, 151, 300)
ORIGIN = Origin(
    producer="NASA NSIDC (SMAP), NASA GES DISC (NLDAS-2), The Pennsylvania State University (compilation)",
    version="CONUSv4f1",
    licence="Penn State non-commercial licence",
    passing_on=True,
    commercial_use=False,
)
MISSING = -9999.0
MATLAB_EPOCH = 719529  # MATLAB's number of 1970-01-01
COORDINATE_TOLERANCE_DEGREES = 1e-3

# Name in the source, name in the vocabulary, units as its provider documents them.
DAILY: tuple[tuple[str, str, str], ...] = (
    ("SMAP_AM", "smap_sm_am", "m3 m-3"),
    ("APCP_FORA", "precipitation", "kg m-2 h-1"),
    ("TMP_2_FORA", "air_temperature", "K"),
    ("SPFH_2_FORA", "specific_humidity", "kg kg-1"),
    ("DSWRF_FORA", "shortwave_radiation", "W m-2"),
    ("DLWRF_FORA", "longwave_radiation", "W m-2"),
    ("UGRD_10_FORA", "eastward_wind", "m s-1"),
    ("VGRD_10_FORA", "northward_wind", "m s-1"),
)
STATIC: tuple[tuple[str, str, str], ...] = (
    ("Bulk", "bulk_density", "g cm-3"),
    ("Capa", "available_capacity", "1"),
    ("Clay", "clay", "percent"),
    ("NDVI", "ndvi_mean", "1"),
    ("Sand", "sand", "percent"),
    ("Silt", "silt", "percent"),
    ("flag_albedo", "smap_flag_albedo", "1"),
    ("flag_extraOrd", "smap_flag_extra_ordinary", "1"),
    ("flag_landcover", "smap_flag_landcover", "1"),
    ("flag_roughness", "smap_flag_roughness", "1"),
    ("flag_vegDense", "smap_flag_dense_vegetation", "1"),
    ("flag_waterbody", "smap_flag_waterbody", "1"),
    ("elevation", "elevation", "m"),
    ("slope", "slope", "degree"),
    ("igbp_mode", "land_cover", "1"),
)
# SMAP ends before the forcing does; every other variable is there in every year.
TARGET = "SMAP_AM"
# Made for the NetCDF file only.
NETCDF_ONLY = frozenset({"elevation", "slope", "igbp_mode"})


@dataclass(frozen=True)
class Table:
    """The content of either layout: values (day, cell) or (cell,) with their units, in the order of the source."""

    where: Path
    days: Days
    lat: npt.NDArray[np.float64]
    lon: npt.NDArray[np.float64]
    values: Mapping[str, tuple[Floats, str]]


def ingest(order: Order, progress: Progress) -> None:
    """Write the cube; the group attribute `vadose_source_cell` holds each cell's number in the source.

    Both layouts give the same values; elevation, slope and land cover exist in the NetCDF file only.
    """
    source = find_source(order.files)
    progress.say(f"reading {source}")
    table, files = _read(source)
    keep = in_days(table.days, order.days, str(source))
    grid = order.window(WINDOW)
    cells, index = place(table, grid)
    days = np.arange(table.days[keep][0], table.days[keep][-1] + 1)
    position = (table.days[keep] - days[0]).astype(int)
    check_given([name for native, name, _ in (*DAILY, *STATIC) if native in table.values], order)
    with new_cube(order.cube, grid, index, days, title=order.title) as writer:
        writer.attribute("vadose_source_cell", [int(cell) for cell in cells])
        for native, name, _ in (*DAILY, *STATIC):
            if native in table.values and order.wants(name):
                values, units = table.values[native]
                where = f"{source}, variable {native}"
                chosen = values[cells] if values.ndim == 1 else values[keep][:, cells]
                card = order.card.of(native) if order.card else None
                converted, funnel = to_vocabulary(chosen, name, units, where=where, card=card)
                check_not_empty(name, funnel, order.required, where)
                _write(writer, name, converted, funnel, days.size, position)
        for path in files:
            record(writer, path, order.origin, roots=(source,))


def find_source(paths: tuple[Path, ...]) -> Path:
    """The NetCDF file, else the folder with `crd.csv`, else the archive, among the files and folders given.

    Raises
    ------
    InputError
        Where there is none, or more than one of a kind.
    """
    for paths_of_kind in (_netcdf_files(paths), _trees(paths), _archives(paths)):
        if len(paths_of_kind) > 1:
            raise InputError(
                f"more than one CONUS-412 source: {', '.join(path.name for path in paths_of_kind)}",
                where=", ".join(map(str, paths)),
                next="name one of them with --native",
            )
        if paths_of_kind:
            return paths_of_kind[0]
    raise InputError(
        "no CONUS-412 data: neither a .nc file, nor a folder with crd.csv, nor a .tar.gz",
        where=", ".join(map(str, paths)),
        next="vadose fetch conus412",
    )


def held(paths: tuple[Path, ...]) -> list[str]:
    """Variables of the vocabulary that the one source among files and folders holds, by its layout.

    Raises
    ------
    InputError
        For none, more than one, or a file that cannot be read.
    """
    source = find_source(paths)
    there = {native for native, _, _ in (*DAILY, *STATIC)} - NETCDF_ONLY
    if source.suffix == ".nc":
        with open_netcdf(source) as dataset:
            there = set(dataset.variables)
    return [name for native, name, _ in (*DAILY, *STATIC) if native in there]


def _netcdf_files(paths: tuple[Path, ...]) -> list[Path]:
    files = [path for path in paths if path.is_file() and path.suffix == ".nc"]
    return files + [file for path in paths if path.is_dir() for file in sorted(path.glob("*.nc"))]


def _trees(paths: tuple[Path, ...]) -> list[Path]:
    return [file.parent for path in paths if path.is_dir() for file in sorted(path.rglob("crd.csv"))]


def _archives(paths: tuple[Path, ...]) -> list[Path]:
    files = [path for path in paths if path.is_file() and path.name.endswith((".tar.gz", ".tgz"))]
    return files + [file for path in paths if path.is_dir() for file in sorted(path.glob("*.tar.gz"))]


def _read(source: Path) -> tuple[Table, list[Path]]:
    if source.is_dir():
        files = sorted(source.rglob("*.csv"))
        texts = {file.relative_to(source).as_posix(): file.read_bytes() for file in files}
        return read_tables(texts, source), files
    if source.suffix == ".nc":
        return read_netcdf(source), [source]
    return read_tables(_members(source), source), [source]


def _members(archive: Path) -> dict[str, bytes]:
    """The CSV files of the archive, by their path below the folder of `crd.csv`."""
    with readable(archive):
        try:
            with tarfile.open(archive) as tar:
                files = {item.name: tar.extractfile(item) for item in tar if item.isfile()}
                contents = {name: file.read() for name, file in files.items() if file and name.endswith(".csv")}
        except (tarfile.TarError, EOFError) as error:
            raise OSError(str(error)) from error
    roots = [name.removesuffix("crd.csv") for name in contents if Path(name).name == "crd.csv"]
    if len(roots) != 1:
        raise InputError(f"the archive holds {len(roots)} files crd.csv, expected one", where=str(archive))
    return {name.removeprefix(roots[0]): text for name, text in contents.items() if name.startswith(roots[0])}


def read_netcdf(path: Path) -> Table:
    """The CF NetCDF file, `(cell, time)`."""
    with open_netcdf(path) as dataset:
        for name in ("time", "lat", "lon", *(native for native, _, _ in (*DAILY, *STATIC))):
            require(dataset.variables, name, path)
        days = times(dataset, path).astype("datetime64[D]")
        check_days(days, f"{path}, variable time")
        values = {}
        for native, _, documented in (*DAILY, *STATIC):
            item = dataset[native]
            stored = np.ma.filled(item[:].astype(np.float32), np.nan)
            units = stated_units(native, getattr(item, "units", None), None, documented, path)
            values[native] = (stored.T if stored.ndim == 2 else stored, units)
        lat, lon = (np.asarray(dataset[name][:], np.float64) for name in ("lat", "lon"))
    return Table(path, days, lat, lon, values)


def read_tables(texts: Mapping[str, bytes], where: Path) -> Table:
    """The CSV layout: contents by path, such as `2015/APCP_FORA.csv`; years may lack SMAP only."""
    crd = _parse(texts, "crd.csv", where)
    cells = len(crd)
    years = sorted({match[1] for name in texts if (match := re.match(r"(\d{4})/", name))})
    if not years:
        raise InputError("no folder of a year, such as 2015/", where=str(where), next="vadose fetch conus412")
    by_year = {year: _days_of(texts, year, where) for year in years}
    days = np.concatenate(list(by_year.values()))
    check_days(days, f"{where}, time.csv")
    values: dict[str, tuple[Floats, str]] = {}
    for native, _, units in DAILY:
        present = [year for year in years if f"{year}/{native}.csv" in texts]
        lacking = [year for year in years if year not in present]
        if lacking and (native != TARGET or not present):
            raise InputError(f"no file {lacking[0]}/{native}.csv", where=str(where), next="vadose fetch conus412")
        parts = [
            _parse(texts, f"{year}/{native}.csv", where, (cells, by_year[year].size)).T
            if year in present
            else np.full((by_year[year].size, cells), np.nan, np.float32)
            for year in years
        ]
        values[native] = (np.concatenate(parts), units)
    for native, _, units in STATIC:
        if native not in NETCDF_ONLY:
            values[native] = (_parse(texts, f"const/{native}.csv", where, (cells, 1))[:, 0], units)
    lat, lon = (np.asarray(_doubles(texts, "crd.csv", where)[:, column]) for column in (0, 1))
    return Table(where, days, lat, lon, values)


def _days_of(texts: Mapping[str, bytes], year: str, where: Path) -> Days:
    numbers = _doubles(texts, f"{year}/time.csv", where)[:, 0].astype(np.int64) - MATLAB_EPOCH
    return numbers.astype("datetime64[D]")


def _doubles(texts: Mapping[str, bytes], name: str, where: Path) -> npt.NDArray[np.float64]:
    if name not in texts:
        raise InputError(f"no file {name}", where=str(where), next="vadose fetch conus412")
    try:
        return pd.read_csv(io.BytesIO(texts[name]), header=None, dtype=np.float64).to_numpy()
    except ValueError as error:
        raise InputError(f"not a table of numbers: {error}", where=f"{where}, {name}") from error


def _parse(texts: Mapping[str, bytes], name: str, where: Path, shape: tuple[int, int] | None = None) -> Floats:
    """A table as float32 with NaN for -9999; another shape than expected is an `InputError`."""
    numbers = _doubles(texts, name, where)
    if shape is not None and numbers.shape != shape:
        raise InputError(
            f"{numbers.shape[0]} rows and {numbers.shape[1]} columns, expected {shape[0]} (cells) and {shape[1]}",
            where=f"{where}, {name}",
            next="get the file again: vadose fetch conus412 --force",
        )
    values: Floats = np.where(numbers == MISSING, np.nan, numbers).astype(np.float32)
    return values


def place(table: Table, grid: Grid) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Source cells in the window, in ascending order of their flat index, and that index, both (cell,)."""
    rows, columns = grid.locate(table.lat, table.lon)
    inside = np.flatnonzero(rows >= 0)
    if inside.size == 0:
        raise InputError("no cell of the source lies in the window of the grid", where=str(table.where))
    off = np.maximum(
        np.abs(grid.lat[rows[inside]] - table.lat[inside]), np.abs(grid.lon[columns[inside]] - table.lon[inside])
    )
    if off.max() > COORDINATE_TOLERANCE_DEGREES:
        cell = inside[off.argmax()]
        raise InputError(
            f"cell {cell} at {table.lat[cell]:.5f}, {table.lon[cell]:.5f} is {off.max():.4f} degrees off its centre",
            where=str(table.where),
            why=f"the source should lie on {grid.token}",
        )
    flat = rows[inside] * grid.shape[1] + columns[inside]
    order = np.argsort(flat, kind="stable")
    if (np.diff(flat[order]) == 0).any():
        raise InputError("two cells of the source lie in the same grid cell", where=str(table.where))
    return inside[order], flat[order]


def _write(
    writer: CubeWriter, name: str, values: Floats, funnel: Funnel, days: int, position: npt.NDArray[np.int64]
) -> None:
    if values.ndim == 2 and position.size != days:
        whole = np.full((days, values.shape[1]), np.nan, np.float32)
        whole[position] = values
        values = whole
    writer.add(name, values)
    writer.count(name, **vars(funnel))


INGESTER = Ingester(
    name="conus412",
    summary="SMAP, NLDAS-2 forcing and soil of 412 cells over the conterminous United States (NetCDF or CSV)",
    write=ingest,
    origin=ORIGIN,
    gives=tuple(name for _, name, _ in (*DAILY, *STATIC)),
    held=held,
)
