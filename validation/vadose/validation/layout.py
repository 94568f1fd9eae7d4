"""How the values of a variable lie in a file: which dimension is what, and where its cells are on the Earth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cf_xarray  # noqa: F401  (registers the accessor `.cf`)
import numpy as np
import numpy.typing as npt
import pyproj
import xarray as xr

from vadose.common import InputError
from vadose.validation.geometry import AnyGeometry, Geometry, Points, edges

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

EASE2 = {
    "EASE2M36": (406, 964, 36032.220840584), "EASE2M25": (584, 1388, 25025.259811),
    "EASE2M09": (1624, 3856, 9008.055210), "EASE2M03": (4872, 11568, 3002.685070),
    "EASE2M01": (14616, 34704, 1000.895023),
}  # fmt: skip
EASE2_EPSG = 6933
NORTHERN_LIMIT_M = 7314540.83
TIME, ROW, COLUMN, CELL, ONE = "time", "row", "column", "cell", "one"
_SHORT = {"latitude": ("lat", "latitude", "nav_lat"), "longitude": ("lon", "longitude", "nav_lon")}
_SAME_DEGREES = 1e-3


@dataclass(frozen=True)
class Layout:
    """Roles of the dimensions of a variable.

    Attributes
    ----------
    geometry
        Grid or points.
    roles
        For each dimension `time`, `row`, `column`, `cell`, `one` (a single value) or `level<k>` (take that position).
    gathered
        For `cell` dimensions that are a compression by gathering: flat index of each cell in the grid, C order.
    time
        Name of the time variable, "" if the file has none.
    """

    geometry: AnyGeometry
    roles: tuple[str, ...]
    gathered: Integers | None = None
    time: str = ""


def layout_of(
    dataset: xr.Dataset, values: xr.DataArray, where: str, *, grid: str | None = None,
    layer: tuple[float, float] | None = None,
) -> Layout:  # fmt: skip
    """Find the layout of a variable by the CF conventions, or on a named grid.

    Parameters
    ----------
    dataset, values
        The opened file, not decoded, and the variable.
    where
        File and variable, for messages.
    grid
        Token of a global grid that a card states, such as `EASE2M36` or `0P25DEG`; then coordinates are not read.
    layer
        Bounds in m of the layer that is wanted, where the variable has several.

    Raises
    ------
    InputError
        If there is neither latitude and longitude nor a grid mapping, or dimensions are left over.
    """
    roles = dict.fromkeys(map(str, values.dims), "")
    time = _time(dataset, values)
    if time in roles:
        roles[time] = TIME
    geometry, gathered = _placed(dataset, values, where, grid, roles)
    for name, role in roles.items():
        if not role:
            roles[name] = ONE if values.sizes[name] == 1 else _level(dataset, name, layer, where)
    return Layout(geometry, tuple(roles.values()), gathered, time)


def _time(dataset: xr.Dataset, values: xr.DataArray) -> str:
    names = [str(name) for name in (*values.dims, *dataset.cf.standard_names.get("time", []), "time")]
    for name in names:
        if name in dataset.variables and " since " in str(dataset[name].attrs.get("units", "")):
            return name
    return next((name for name in ("time", "valid_time") if name in values.dims), "")


def _placed(
    dataset: xr.Dataset, values: xr.DataArray, where: str, grid: str | None, roles: dict[str, str]
) -> tuple[AnyGeometry, Integers | None]:
    """The geometry; fills the roles of horizontal dimensions."""
    if grid is not None:
        return _named_grid(grid, values, where, roles), None
    gathering = [name for name in roles if name in dataset.variables and "compress" in dataset[name].attrs]
    if gathering:
        return _gathered(dataset, gathering[0], where, roles)
    found = {key: _coordinate(dataset, values, key) for key in ("latitude", "longitude")}
    lat, lon = found["latitude"], found["longitude"]
    if lat is None or lon is None:
        return _projected(dataset, values, where, roles), None
    if lat.dims == lon.dims and lat.ndim == 1:
        roles[str(lat.dims[0])] = CELL
        return Points.of(np.asarray(lat, float), np.asarray(lon, float), _reach(dataset)), None
    if lat.ndim == lon.ndim == 1:
        roles[str(lat.dims[0])], roles[str(lon.dims[0])] = ROW, COLUMN
        return grid_of(dataset, lat, lon, where), None
    return _two_dimensional(dataset, lat, lon, where, roles), None


def _reach(dataset: xr.Dataset) -> float | None:
    stated = dataset.attrs.get("cell_size_km")
    return float(stated) if stated is not None else None


def _coordinate(dataset: xr.Dataset, values: xr.DataArray, key: str) -> xr.DataArray | None:
    """Latitude or longitude on dimensions of the variable: by standard name, by units, else by its usual names."""
    units = {"latitude": ("degrees_north", "degree_north"), "longitude": ("degrees_east", "degree_east")}[key]
    every = [str(name) for name in dataset.cf.standard_names.get(key, [])]
    every += [str(name) for name in dataset.variables if dataset[name].attrs.get("units") in units]
    every += [name for name in _SHORT[key] if name in dataset.variables]
    fitting = [
        name for name in dict.fromkeys(every)
        if 1 <= dataset[name].ndim <= 2 and set(dataset[name].dims) <= set(values.dims)
    ]  # fmt: skip
    listed = str(values.attrs.get("coordinates", values.encoding.get("coordinates", ""))).split()
    fitting.sort(key=lambda name: (name not in values.dims, name not in listed))
    return dataset[fitting[0]] if fitting else None


def _two_dimensional(
    dataset: xr.Dataset, lat: xr.DataArray, lon: xr.DataArray, where: str, roles: dict[str, str]
) -> AnyGeometry:
    """Two-dimensional coordinates: a grid where rows are parallels and columns meridians, else points."""
    if lat.ndim != 2 or lat.dims != lon.dims:
        raise InputError(f"latitude on {lat.dims}, longitude on {lon.dims}", where=where, next="give both one shape")
    a, b = (_with_nan(one) for one in (lat, lon))
    for axes in ((0, 1), (1, 0)):
        rows, columns = _constant_along(a, axes[1]), _constant_along(b, axes[0])
        if rows is not None and columns is not None:
            roles[str(lat.dims[axes[0]])], roles[str(lat.dims[axes[1]])] = ROW, COLUMN
            return _grid(rows, columns)
    roles[str(lat.dims[0])], roles[str(lat.dims[1])] = ROW, COLUMN
    return Points.of(a, b, _reach(dataset))


def _with_nan(coordinate: xr.DataArray) -> Floats:
    values = np.asarray(coordinate, float)
    return np.where(np.abs(values) <= 360.0, values, np.nan)


def _constant_along(values: Floats, axis: int) -> Floats | None:
    """The one value of each row or column; None where they differ or one has none."""
    known = np.isfinite(values).any(axis=axis)
    if not known.all():
        return None
    low, high = np.nanmin(values, axis=axis), np.nanmax(values, axis=axis)
    return (low + high) / 2.0 if float((high - low).max()) <= _SAME_DEGREES else None


def _named_grid(token: str, values: xr.DataArray, where: str, roles: dict[str, str]) -> Geometry:
    geometry = global_geometry(token)
    if geometry is None:
        raise InputError(
            f"no grid {token!r}", where=where, why=f"known: {', '.join(EASE2)} and global ones such as 0P25DEG",
            next="correct `grid` in the product card",
        )  # fmt: skip
    long = [name for name, role in roles.items() if not role and values.sizes[name] > 1]
    shape = tuple(values.sizes[name] for name in long)
    if shape != geometry.shape:
        raise InputError(f"shape {shape}, but the grid {token} has {geometry.shape}", where=where)
    roles[long[0]], roles[long[1]] = ROW, COLUMN
    return geometry


def global_geometry(token: str) -> Geometry | None:
    """A global grid by its token; None for an unknown one."""
    if token in EASE2:
        rows, columns, step = EASE2[token]
        northing = np.asarray((rows / 2 - 0.5 - np.arange(rows)) * step, np.float64)
        lat_edges = projected_edges(northing)
        lat = _latitudes(northing)
        lon_edges = np.linspace(-180.0, 180.0, columns + 1)
        return Geometry(lat, (lon_edges[:-1] + lon_edges[1:]) / 2, lat_edges, lon_edges)
    try:
        step = float(token.removesuffix("DEG").replace("P", "."))
    except ValueError:
        return None
    if not token.endswith("DEG") or not 0 < step <= 30:
        return None
    lat_edges = np.linspace(90.0, -90.0, round(180 / step) + 1)
    lon_edges = np.linspace(-180.0, 180.0, round(360 / step) + 1)
    return Geometry((lat_edges[:-1] + lat_edges[1:]) / 2, (lon_edges[:-1] + lon_edges[1:]) / 2, lat_edges, lon_edges)


def _gathered(dataset: xr.Dataset, name: str, where: str, roles: dict[str, str]) -> tuple[AnyGeometry, Integers]:
    """A compression by gathering (CF section 8.2) of a grid."""
    rows, columns = str(dataset[name].attrs["compress"]).split()
    found = []
    for dimension, key in ((rows, "latitude"), (columns, "longitude")):
        every = [*dataset.cf.standard_names.get(key, []), *_SHORT[key]]
        fitting = [one for one in every if one in dataset.variables and dataset[one].dims == (dimension,)]
        if not fitting:
            raise InputError(f"no {key} on dimension {dimension} of the gathered grid", where=where)
        found.append(dataset[fitting[0]])
    roles[name] = CELL
    return grid_of(dataset, found[0], found[1], where), np.asarray(dataset[name]).astype(np.int64)


def grid_of(dataset: xr.Dataset, lat: xr.DataArray, lon: xr.DataArray, where: str) -> Geometry:
    """The grid of one-dimensional centres, with edges from bounds, the projection, or half-way between."""
    centres = [np.asarray(one, float) for one in (lat, lon)]
    if (np.abs(centres[0]) > 90.0).any():
        raise InputError(
            f"latitudes from {np.nanmin(centres[0]):g} to {np.nanmax(centres[0]):g}, expected -90 to 90",
            where=f"{where}, variable {lat.name}", next="correct the file; latitude and longitude may be swapped",
        )  # fmt: skip
    bounds = [_bounds(dataset, one) for one in (lat, lon)]
    if any(one is None and values.size < 2 for one, values in zip(bounds, centres, strict=True)):
        raise InputError("one row or column without bounds has no cell size", where=where, next="add bounds (CF 7.1)")
    return _grid(*centres, *bounds)


def _grid(lat: Floats, lon: Floats, lat_edges: Floats | None = None, lon_edges: Floats | None = None) -> Geometry:
    if lat_edges is None:
        lat_edges = _row_edges(lat)
    return Geometry(lat, lon, lat_edges, edges(lon) if lon_edges is None else lon_edges)


def _bounds(dataset: xr.Dataset, centres: xr.DataArray) -> Floats | None:
    bounds = dataset.variables.get(centres.attrs.get("bounds", ""))
    if bounds is None or bounds.shape != (centres.size, 2):
        return None
    pairs = np.asarray(bounds, float)
    forward = np.concatenate([pairs[:, 0], pairs[-1:, 1]])
    backward = np.concatenate([pairs[:, 1], pairs[-1:, 0]])
    return forward if np.all(np.diff(forward) > 0) or np.all(np.diff(forward) < 0) else backward


def _row_edges(lat: Floats) -> Floats:
    """Edges half-way in latitude, for rows of EASE-Grid 2.0 half-way in the projection, not beyond the poles."""
    if lat.size > 2 and np.abs(lat).max() < 90.0:
        steps = np.diff(lat)
        northing = np.asarray(pyproj.Transformer.from_crs(4326, EASE2_EPSG, always_xy=True).transform(0 * lat, lat)[1])
        even = np.ptp(np.diff(northing)) < 1e-3 * abs(np.diff(northing).mean())
        if even and np.ptp(steps) > 1e-3 * abs(steps.mean()):
            return projected_edges(northing)
    return np.clip(edges(lat), -90.0, 90.0)


def projected_edges(northing: Floats) -> Floats:
    """Latitudes of the edges between rows of EPSG:6933 with these northings in m."""
    return _latitudes(np.clip(edges(northing), -NORTHERN_LIMIT_M, NORTHERN_LIMIT_M))


def _latitudes(northing: Floats) -> Floats:
    to_degrees = pyproj.Transformer.from_crs(EASE2_EPSG, 4326, always_xy=True)
    return np.asarray(to_degrees.transform(np.zeros(northing.size), northing)[1])


def _projected(dataset: xr.Dataset, values: xr.DataArray, where: str, roles: dict[str, str]) -> AnyGeometry:
    """A variable with only projection coordinates and a grid mapping."""
    axes = {
        key: [name for name in roles if _is_axis(dataset, name, key)] for key in ("y", "x")
    }  # fmt: skip
    mapping = str(values.attrs.get("grid_mapping", values.encoding.get("grid_mapping", "")))
    crs = _crs(dataset, mapping)
    if crs is None or len(axes["y"]) != 1 or len(axes["x"]) != 1:
        raise InputError(
            "no latitude and longitude of the cells, and no grid mapping that could be turned into them", where=where,
            why=f"dimensions {', '.join(roles)}, coordinates {', '.join(map(str, dataset.coords))}",
            next="add lat and lon, or a grid mapping with crs_wkt, or state `grid` in a product card",
        )  # fmt: skip
    y, x = (np.asarray(dataset[axes[key][0]], float) for key in ("y", "x"))
    roles[axes["y"][0]], roles[axes["x"][0]] = ROW, COLUMN
    to_degrees = pyproj.Transformer.from_crs(crs, 4326, always_xy=True)
    lon, lat = (np.asarray(one) for one in to_degrees.transform(*np.meshgrid(x, y)))
    rows, columns = _constant_along(lat, 1), _constant_along(lon, 0)
    if rows is None or columns is None:
        return Points.of(np.where(np.isfinite(lat), lat, np.nan), lon, _reach(dataset))
    lat_edges = np.asarray(to_degrees.transform(np.full(y.size + 1, x[0]), edges(y))[1])
    return _grid(rows, columns, lat_edges if np.isfinite(lat_edges).all() else None)


def _is_axis(dataset: xr.Dataset, name: str, key: str) -> bool:
    attributes = dataset[name].attrs if name in dataset.variables else {}
    return attributes.get("standard_name") == f"projection_{key}_coordinate" or attributes.get("axis") == key.upper()


def _crs(dataset: xr.Dataset, mapping: str) -> Any:
    if mapping not in dataset.variables:
        return None
    attributes = dict(dataset[mapping].attrs)
    try:
        for key in ("crs_wkt", "spatial_ref", "epsg_code"):
            if key in attributes:
                return pyproj.CRS.from_user_input(attributes[key])
        return pyproj.CRS.from_cf(attributes)
    except (pyproj.exceptions.CRSError, KeyError, ValueError):
        return None


def _level(dataset: xr.Dataset, name: str, layer: tuple[float, float] | None, where: str) -> str:
    """The level of a vertical dimension: that of the wanted layer, else the uppermost."""
    depth = dataset[name] if name in dataset.variables else None
    if depth is None or not _is_depth(depth):
        raise InputError(
            f"dimension {name} of length {dataset.sizes[name]} is neither time nor place", where=where,
            why=f"dimensions {', '.join(f'{key} {size}' for key, size in dataset.sizes.items())}",
            next="select one position of it before",
        )  # fmt: skip
    centres = np.abs(np.asarray(depth, float))
    if layer is not None and np.isfinite(layer).all():
        inside = np.flatnonzero((centres >= layer[0] - 1e-6) & (centres <= layer[1] + 1e-6))
        if inside.size:
            return f"level{inside[0]}"
    return f"level{int(centres.argmin())}"


def _is_depth(depth: xr.DataArray) -> bool:
    return depth.attrs.get("standard_name") == "depth" or depth.attrs.get("axis") == "Z" or depth.name == "depth"


def level_of(roles: Sequence[str]) -> int | None:
    """The position that a `level<k>` role takes, None without one."""
    found = [int(role.removeprefix("level")) for role in roles if role.startswith("level")]
    return found[0] if found else None
