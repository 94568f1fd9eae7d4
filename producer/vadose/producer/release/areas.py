"""Areas: polygons in degrees, longitude first, and the cells of a grid that they cover."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from vadose.common import InputError, UsageError
from vadose.producer.grids import Grid, ease2_y

Cells = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ORDER = "GeoJSON and WKT give longitude first, latitude second, in degrees"
# Of a file's coordinate reference systems, those that are longitude and latitude on WGS 84.
GEOGRAPHIC = ("CRS84", "EPSG:4326", "EPSG::4326")
# Text that is GeoJSON or WKT itself, and no name of a file.
SHAPE = re.compile(r"\s*(\{|[A-Za-z]+(\s+Z)?\s*(\(|EMPTY))")
NAMES = ("name", "NAME", "Name", "id", "ID")


@dataclass(frozen=True)
class Area:
    """A polygon, or several as one area, in degrees; its edges are straight in longitude and latitude."""

    name: str
    shape: BaseGeometry

    @property
    def place(self) -> tuple[float, float]:
        """Latitude and longitude of the centroid."""
        return float(self.shape.centroid.y), (float(self.shape.centroid.x) + 180.0) % 360.0 - 180.0


@dataclass(frozen=True)
class Cover:
    """The cells of a window that an area covers, wholly or in part.

    Attributes
    ----------
    rows, columns
        Of the cells in the window, (cell,).
    share
        Share of each cell that is covered, (cell,).
    part
        Share of the area that lies in each cell, (cell,); less than 1 in all where the area reaches beyond the window.
    """

    rows: Cells
    columns: Cells
    share: Floats
    part: Floats


def read_areas(text: str) -> tuple[Area, ...]:
    """Areas from WKT, from GeoJSON, or from a file that holds either.

    Raises
    ------
    InputError
        If the file cannot be read, or is neither.
    UsageError
        For an area that is empty, crosses itself, is no polygon, or has impossible coordinates; it names the area.
    """
    content, where = text, "--polygon"
    if not SHAPE.match(text) or _is_file(text):
        where = text
        if _is_other(text):
            raise InputError("not a file", where=where, next="give GeoJSON or WKT")
        try:
            content = Path(text).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a text in UTF-8"
            raise InputError(f"no readable file of areas: {reason}", where=where, next="give GeoJSON or WKT") from error
    with np.errstate(invalid="ignore"):
        found = list(_geojson(content, where) if content.lstrip().startswith("{") else _wkt(content, where))
    if not found:
        raise UsageError("no area in it", where=where)
    areas: list[Area] = []
    for number, (name, shape) in enumerate(found, 1):
        once = name if name and name not in {area.name for area in areas} else f"{name} {number}".strip()
        areas.append(Area(once, _checked(shape, f"{where}, area {once}")))
    return tuple(areas)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _is_other(text: str) -> bool:
    """Whether the name is of a folder or a device, which may have no end."""
    try:
        return Path(text).exists() and not Path(text).is_file()
    except (OSError, ValueError):
        return False


def cover(grid: Grid, area: Area) -> Cover:
    """The cells of a grid that an area covers, by the areas of intersection on the ellipsoid.

    Cells are rectangles, and areas true, in the plane of longitude and the northing of the cylindrical equal-area
    projection (Snyder 1987, eq. 10-15). Edges of the area are cut into pieces of a quarter of a cell before they are
    projected. Longitudes that differ by 360 degrees are the same.

    Raises
    ------
    UsageError
        If no cell of the window is covered.
    """
    step = float(abs(grid.lon_edges[1] - grid.lon_edges[0]))
    shape = shapely.transform(shapely.segmentize(area.shape, step / 4), _projected)
    found = [piece for turn in (-360.0, 0.0, 360.0) for piece in _rows(grid, _moved(shape, turn))]
    if not found:
        raise UsageError(
            f"area {area.name} lies outside the product's window", why=_window(grid), next=_hint(grid, area)
        )
    rows, columns, covered = (np.concatenate(part) for part in zip(*found, strict=True))
    cells = np.abs(np.diff(ease2_y(grid.lat_edges)))[rows] * step
    return Cover(rows, columns, np.minimum(covered / cells, 1.0), covered / shape.area)


def _rows(grid: Grid, shape: BaseGeometry) -> Iterator[tuple[Cells, Cells, Floats]]:
    """Row, column and covered area of the cells, row by row."""
    x, y = grid.lon_edges, ease2_y(grid.lat_edges)
    west, south, east, north = shape.bounds
    if west >= x[-1] or east <= x[0] or south >= y[0] or north <= y[-1]:
        return
    for row in np.flatnonzero((y[1:] < north) & (y[:-1] > south)):
        strip = shapely.intersection(shape, shapely.box(x[0], y[row + 1], x[-1], y[row]))
        if strip.area == 0.0:
            continue
        first, _, last, _ = strip.bounds
        columns = np.flatnonzero((x[1:] > first) & (x[:-1] < last))
        boxes = shapely.box(x[columns], y[row + 1], x[columns + 1], y[row])
        covered = shapely.area(shapely.intersection(strip, boxes))
        kept = covered > 0.0
        yield np.full(int(kept.sum()), row, np.int64), columns[kept].astype(np.int64), covered[kept]


def _projected(degrees: Floats) -> Floats:
    return np.column_stack([degrees[:, 0], ease2_y(degrees[:, 1])])


def _moved(shape: BaseGeometry, turn: float) -> BaseGeometry:
    return shapely.transform(shape, lambda xy: xy + [turn, 0.0])


def _geojson(content: str, where: str) -> Iterator[tuple[str, BaseGeometry]]:
    try:
        document = json.loads(content)
        crs = document.get("crs")
        if crs is not None and not str(crs["properties"]["name"]).endswith(GEOGRAPHIC):
            raise UsageError(
                f"coordinates in {crs['properties']['name']}", where=where, next="reproject to EPSG:4326 (ogr2ogr)"
            )
        features = document["features"] if document["type"] == "FeatureCollection" else [document]
        for feature in features:
            geometry = feature["geometry"] if feature["type"] == "Feature" else feature
            yield _name(feature), shapely.geometry.shape(geometry) if geometry else shapely.Polygon()
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError, shapely.errors.ShapelyError) as error:
        if isinstance(error, UsageError):
            raise
        raise InputError(f"not GeoJSON: {error}", where=where, next=f"write polygons; {ORDER}") from error


def _name(feature: Mapping[str, Any]) -> str:
    properties = feature.get("properties") or {}
    known = [properties[key] for key in NAMES if properties.get(key) is not None]
    name = str([*known, feature.get("id", "")][0])
    return "".join(letter for letter in name if letter.isprintable()).strip()


def _wkt(content: str, where: str) -> Iterator[tuple[str, BaseGeometry]]:
    try:
        yield "", shapely.from_wkt(content.strip())
    except (shapely.errors.ShapelyError, ValueError) as error:
        raise InputError(f"not WKT: {error}", where=where, next=f"write POLYGON ((lon lat, ...)); {ORDER}") from error


def _checked(shape: BaseGeometry, where: str) -> BaseGeometry:
    """The polygon in two dimensions; anything that has no area on the globe is a `UsageError`."""
    if shape.is_empty:
        raise UsageError("the area is empty", where=where)
    if shape.geom_type not in ("Polygon", "MultiPolygon"):
        raise UsageError(f"a {shape.geom_type} has no area, a Polygon or MultiPolygon is expected", where=where)
    shape = shapely.force_2d(shape)
    points = shapely.get_coordinates(shape)
    if not np.isfinite(points).all():
        raise UsageError("a coordinate is not a number", where=where)
    if np.abs(points[:, 1]).max() > 90.0 or np.abs(points[:, 0]).max() > 360.0:
        worst = points[np.argmax(np.abs(points[:, 1]))] if np.abs(points[:, 1]).max() > 90.0 else points[0]
        swapped = " (are the two swapped?)" if np.abs(points[:, 0]).max() <= 90.0 else ""
        raise UsageError(f"longitude {worst[0]:g}, latitude {worst[1]:g} is no place{swapped}", where=where, next=ORDER)
    for ring in shapely.get_rings(shapely.get_parts(shape)):
        _check_edges(shapely.get_coordinates(ring), where)
    if not shape.is_valid:
        raise UsageError(
            f"not a valid polygon: {shapely.is_valid_reason(shape)}", where=where,
            next="mend it, for example with shapely.make_valid or QGIS's Fix geometries",
        )  # fmt: skip
    if shape.area == 0.0:
        raise UsageError("the area is empty", where=where)
    return shape


def _check_edges(ring: Floats, where: str) -> None:
    """No edge is longer than half the globe: who writes 170 to -170 means the short way, over the antimeridian."""
    long = np.flatnonzero(np.abs(np.diff(ring[:, 0])) > 180.0)
    # A ring all around the globe has such edges along its parallels.
    if long.size and np.ptp(ring[:, 0]) < 360.0:
        start, end = ring[long[0], 0], ring[long[0] + 1, 0]
        raise UsageError(
            f"the edge from longitude {start:g} to {end:g} goes the long way round", where=where,
            next="over the antimeridian write longitudes beyond 180 (190 for -170); else put a point in its middle",
        )  # fmt: skip


def _window(grid: Grid) -> str:
    west, east, north, south = grid.lon_edges[0], grid.lon_edges[-1], grid.lat_edges[0], grid.lat_edges[-1]
    return f"the window is {west:g} to {east:g} degrees east, {south:g} to {north:g} degrees north"


def _hint(grid: Grid, area: Area) -> str:
    points = shapely.get_coordinates(area.shape)
    if np.abs(points[:, 0]).max() <= 90.0:
        rows, _ = grid.locate(points[:, 0], points[:, 1])
        if (rows >= 0).any():
            return f"with the two swapped it would lie inside: {ORDER}"
    return "give an area inside it"
