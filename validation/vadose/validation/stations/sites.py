"""Core-site files: which stations make a site, in which cell or polygon, with which weights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pydantic
import pyproj
from scipy.spatial import Voronoi

from vadose.common import UsageError
from vadose.validation.declarations import Strict, declared, parsed_yaml
from vadose.validation.stations.lines import cells, decoded
from vadose.validation.stations.sources import Member

Floats = npt.NDArray[np.float64]

# EASE-Grid 2.0, global: EPSG 6933; half the width and height of the grid, m.
EASE2 = "EPSG:6933"
_EASE2_X, _EASE2_Y = 17367530.4451615, 7314540.8306386
# Cell size in m by token; 33 km cells are 3 x 11 cells of 3 km, placed by the row and column of their grid.
CELL_SIZES = {"EASE2M03": 3002.6863, "EASE2M09": 9008.0552, "EASE2M33": 33029.5353, "EASE2M36": 36032.2208}
WEIGHTS_SUM_WITHIN = 1e-6
# Fewest stations of a core site; fewer make a candidate.
FEWEST_STATIONS = {"EASE2M03": 3, "EASE2M09": 8, "EASE2M33": 15, "EASE2M36": 15}


class Cell(Strict):
    """A cell of the EASE-Grid 2.0, rows from the north."""

    token: Literal["EASE2M03", "EASE2M09", "EASE2M33", "EASE2M36"]
    row: int = pydantic.Field(ge=0)
    column: int = pydantic.Field(ge=0)

    def corners(self) -> Floats:
        """The four corners in EASE-Grid metres, (corner, 2)."""
        size = CELL_SIZES[self.token]
        x, y = -_EASE2_X + self.column * size, _EASE2_Y - self.row * size
        return np.array([(x, y), (x + size, y), (x + size, y - size), (x, y - size)])


class SiteStation(Strict):
    """A station of a site; the series are found by network and station name."""

    network: str
    station: str
    lat: float = pydantic.Field(ge=-90, le=90)
    lon: float = pydantic.Field(ge=-180, le=360)
    weight: float | None = pydantic.Field(default=None, ge=0)


class CoreSite(Strict):
    """A site of the SMAP core-site protocol, or a dense cluster in its manner.

    `weighting` is `arithmetic`, `voronoi` (Thiessen areas inside the cell or polygon) or `file` (the owner's weights,
    in `weights_file` beside the site file, else `<site>_stations.csv`). `missing` says what a day with missing
    stations becomes: `anomaly` keeps the site mean from jumping, `mean` is the plain mean of those present.
    """

    site: str
    name: str = ""
    cell: Cell | None = None
    polygon: tuple[tuple[float, float], ...] | None = None
    weighting: Literal["arithmetic", "voronoi", "file"] = "arithmetic"
    weights_file: str | None = None
    missing: Literal["anomaly", "mean"] = "anomaly"
    minimum_weight: float = pydantic.Field(default=0.7, gt=0, le=1)
    period: tuple[date, date] | None = None
    depth_m: tuple[float, float] = (0.0, 0.05)
    contact: str = ""
    producer: str = ""
    licence: str
    redistributable: bool
    # A dense cluster of other networks, made a site by ourselves, is never `core`.
    own: bool = False
    # Number of places that the stations were drawn from at random, for the finite-population factor.
    population: int | None = pydantic.Field(default=None, ge=1)
    stations: tuple[SiteStation, ...] = pydantic.Field(min_length=1)

    @pydantic.model_validator(mode="after")
    def _bounded(self) -> CoreSite:
        if (self.cell is None) == (self.polygon is None):
            raise ValueError("give either cell or polygon")
        if self.polygon is not None and len(self.polygon) < 3:
            raise ValueError("polygon needs at least three corners (longitude, latitude)")
        if self.population is not None and self.population < len(self.stations):
            raise ValueError(f"population {self.population} is less than the {len(self.stations)} stations")
        return self

    @property
    def site_class(self) -> str:
        """`core`, `candidate` with too few stations, or `cvs-like` for a cluster of our own."""
        if self.own:
            return "cvs-like"
        fewest = FEWEST_STATIONS[self.cell.token] if self.cell else FEWEST_STATIONS["EASE2M09"]
        return "core" if len(self.stations) >= fewest else "candidate"

    def outline(self) -> Floats:
        """Corners of the cell or polygon in EASE-Grid metres, which are equal-area; (corner, 2)."""
        if self.cell is not None:
            return self.cell.corners()
        assert self.polygon is not None, "a site has a cell or a polygon"
        lon, lat = np.array(self.polygon).T
        return projected(lat, lon)

    def centre(self) -> tuple[float, float]:
        """Latitude and longitude of the centroid of the outline."""
        x, y = centroid(self.outline())
        lon, lat = pyproj.Transformer.from_crs(EASE2, "EPSG:4326", always_xy=True).transform(x, y)
        return float(lat), float(lon)

    def radius_m(self) -> float:
        """Radius of the circle with the outline's area."""
        return float(np.sqrt(area(self.outline()) / np.pi))


def projected(lat: npt.ArrayLike, lon: npt.ArrayLike) -> Floats:
    """EASE-Grid 2.0 metres of places, (place, 2)."""
    longitude = (np.asarray(lon, float) + 180.0) % 360.0 - 180.0
    x, y = pyproj.Transformer.from_crs("EPSG:4326", EASE2, always_xy=True).transform(longitude, np.asarray(lat, float))
    return np.column_stack([x, y])


@dataclass(frozen=True)
class SiteFile:
    """A site with the weights of its stations, in their order."""

    site: CoreSite
    weights: Floats
    file: str
    sha256: str


def is_site_file(member: Member, head: bytes) -> bool:
    """Whether a file is a YAML that names a site and its stations."""
    return member.base.endswith((".yaml", ".yml")) and b"site:" in head and b"weighting:" in head


def read_site(member: Member, folder: dict[str, Member]) -> SiteFile:
    """Read a site file.

    Parameters
    ----------
    member
        The YAML.
    folder
        Files beside it by name, for `weights_file`.

    Raises
    ------
    UsageError
        For faults in the file, and weights that do not sum to 1.
    """
    raw, digest = member.hashed()
    site = declared(CoreSite, parsed_yaml(raw, member.name), member.name, (Cell, SiteStation))
    return SiteFile(site, _weights(site, member, folder), member.name, digest)


def _weights(site: CoreSite, member: Member, folder: dict[str, Member]) -> Floats:
    count = len(site.stations)
    if site.weighting == "arithmetic":
        return np.full(count, 1.0 / count)
    if site.weighting == "voronoi":
        return voronoi_weights(
            projected([one.lat for one in site.stations], [one.lon for one in site.stations]),
            site.outline(),
            member.name,
        )
    stated = [one.weight for one in site.stations]
    if any(weight is None for weight in stated):
        stated = _weights_of_file(site, member, folder)
    weights = np.array(stated, float)
    if abs(weights.sum() - 1.0) > WEIGHTS_SUM_WITHIN:
        raise UsageError(f"weights sum to {weights.sum():.8g}, not 1", where=f"{member.name}, site {site.site}")
    return weights


def _weights_of_file(site: CoreSite, member: Member, folder: dict[str, Member]) -> list[float | None]:
    name = site.weights_file or f"{site.site}_stations.csv"
    if name not in folder:
        raise UsageError(
            f"weighting `file` needs {name} beside the site file, or a weight of every station", where=member.name
        )  # fmt: skip
    names, *body = cells(decoded(folder[name].read())[0], ",", folder[name].name) or [[]]
    rows = [dict(zip(names, row, strict=False)) for row in body]
    try:
        found = {(row["network"], row["station"]): float(row["weight"]) for row in rows}
        return [found[one.network, one.station] for one in site.stations]
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"no weight of {error}; columns network, station and weight are needed",
            where=f"{Path(member.name).parent}/{name}",
        ) from error  # fmt: skip


def area(corners: Floats) -> float:
    """Area of a polygon, by the shoelace formula; 0 of fewer than three corners."""
    if len(corners) < 3:
        return 0.0
    # Seen from the first corner, so that large coordinates lose no digits.
    x, y = (corners - corners[0]).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2.0)


def centroid(corners: Floats) -> Floats:
    """Centroid of a polygon."""
    origin = corners.mean(axis=0)
    x, y = (corners - origin).T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    middle = np.array([((x + np.roll(x, -1)) * cross).sum(), ((y + np.roll(y, -1)) * cross).sum()])
    return np.asarray(origin + middle / (3.0 * cross.sum()))


def voronoi_weights(points: Floats, outline: Floats, where: str) -> Floats:
    """Share of an outline's area that lies nearest to each point (Thiessen polygons).

    Parameters
    ----------
    points
        Equal-area coordinates in m, (point, 2); those outside the outline may get no area.
    outline
        Corners in order, (corner, 2); edges may not cross.

    Raises
    ------
    UsageError
        If two points coincide.
    """
    if len(np.unique(points.round(3), axis=0)) != len(points):
        raise UsageError("two stations stand at one place: voronoi weights are not defined", where=where)
    # Points far outside close the regions of all real ones.
    middle, reach = outline.mean(axis=0), 100.0 * np.ptp(outline, axis=0).max()
    frame = reach * np.array([(-1, -1), (-1, 1), (1, -1), (1, 1), (0, -1.5), (0, 1.5), (-1.5, 0), (1.5, 0)])
    cells = Voronoi(np.concatenate([points - middle, frame]))
    regions = [cells.regions[cells.point_region[number]] for number in range(len(points))]
    areas = [area(clipped(outline, in_order(cells.vertices[region] + middle))) for region in regions]
    return np.array(areas) / sum(areas)


def in_order(corners: Floats) -> Floats:
    """Corners of a convex polygon, counter-clockwise."""
    east, north = (corners - corners.mean(axis=0)).T
    return corners[np.argsort(np.arctan2(north, east))]


def clipped(polygon: Floats, window: Floats) -> Floats:
    """The part of a polygon inside a convex window with corners counter-clockwise (Sutherland and Hodgman 1974).

    Parts of a polygon that is not convex stay joined by edges that lie upon each other: its area is right.
    """
    result = polygon
    for start, end in zip(window, np.roll(window, -1, axis=0), strict=True):
        if len(result) == 0:
            break
        edge = end - start
        side = edge[0] * (result[:, 1] - start[1]) - edge[1] * (result[:, 0] - start[0])
        kept = []
        for a, b, side_a, side_b in zip(result, np.roll(result, -1, axis=0), side, np.roll(side, -1), strict=True):
            if side_a >= 0:
                kept.append(a)
            if side_a * side_b < 0:
                kept.append(a + (b - a) * side_a / (side_a - side_b))
        result = np.array(kept).reshape(-1, 2)
    return result
