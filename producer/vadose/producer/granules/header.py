"""The complete header of a granule as plain values: dimensions, variables, attributes, storage."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.producer.granules.flags import ALL, FLAGS, RECOMMENDED
from vadose.producer.granules.names import GranuleName
from vadose.producer.granules.rounding import ALGORITHM, IMPLEMENTATION, KEPT_BITS
from vadose.producer.grids import INVERSE_FLATTENING, SEMI_MAJOR_AXIS_M, STANDARD_PARALLEL_DEG, Grid
from vadose.producer.recipe import Product, Recipe
from vadose.producer.vocabulary import SOIL_MOISTURE, VOCABULARY

FORMAT_VERSION = "1.0"
FILL = np.float32(-9999.0)
DEFLATE_LEVEL = 4
UNITS = "m3 m-3"
EPOCH = np.datetime64("1970-01-01", "D")

# The attributes that differ between the days of one build; their lengths do not.
PER_DAY = ("id", "tracking_id", "time_coverage_start", "time_coverage_end")

SOLAR_COMMENT = (
    "Values hold at 06:00 local mean solar time, that is (6 - longitude/15) modulo 24 h UTC of this UTC day."
)
WATER_COMMENT = (
    "The inputs see liquid water; where the soil is frozen (see flag) the value is not the total water content."
)

_WGS84 = (
    'DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563,LENGTHUNIT["metre",1]]],'
    'PRIMEM["Greenwich",0,ANGLEUNIT["degree",0.0174532925199433]]'
)
_DEGREE = 'ANGLEUNIT["degree",0.0174532925199433]'
CRS_WKT = {
    4326: f'GEOGCRS["WGS 84",{_WGS84},CS[ellipsoidal,2],AXIS["geodetic latitude (Lat)",north,ORDER[1],{_DEGREE}],'
    f'AXIS["geodetic longitude (Lon)",east,ORDER[2],{_DEGREE}],ID["EPSG",4326]]',
    6933: f'PROJCRS["WGS 84 / NSIDC EASE-Grid 2.0 Global",BASEGEOGCRS["WGS 84",{_WGS84},ID["EPSG",4326]],'
    'CONVERSION["US NSIDC EASE-Grid 2.0 Global",METHOD["Lambert Cylindrical Equal Area",ID["EPSG",9835]],'
    f'PARAMETER["Latitude of 1st standard parallel",30,{_DEGREE},ID["EPSG",8823]],'
    f'PARAMETER["Longitude of natural origin",0,{_DEGREE},ID["EPSG",8802]],'
    'PARAMETER["False easting",0,LENGTHUNIT["metre",1],ID["EPSG",8806]],'
    'PARAMETER["False northing",0,LENGTHUNIT["metre",1],ID["EPSG",8807]]],CS[Cartesian,2],'
    'AXIS["easting (X)",east,ORDER[1],LENGTHUNIT["metre",1]],AXIS["northing (Y)",north,ORDER[2],LENGTHUNIT["metre",1]],'
    'ID["EPSG",6933]]',
}


@dataclass(frozen=True)
class VariableHeader:
    """One variable: type, dimensions, typed attributes, chunk shape if chunked, values if they are fixed."""

    name: str
    dtype: str
    dims: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    chunk: tuple[int, ...] | None = None
    deflated: bool = False
    values: npt.NDArray[Any] | None = None


@dataclass(frozen=True)
class Header:
    """A whole header; `dims` gives `None` for the unlimited dimension."""

    dims: Mapping[str, int | None]
    variables: tuple[VariableHeader, ...]
    attributes: Mapping[str, Any]

    def variable(self, name: str) -> VariableHeader:
        """The variable called `name`."""
        return next(variable for variable in self.variables if variable.name == name)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a granule was made from: full hashes, software version and commit."""

    recipe_sha256: str
    model_sha256: str
    inputs_sha256: str
    software: str
    commit: str

    def history(self, issued: str) -> str:
        """The one line of the attribute `history`."""
        return (
            f"{issued} vadose build: vadose {self.software}, commit {self.commit[:12]}, "
            f"recipe {self.recipe_sha256[:12]}, model {self.model_sha256[:12]}"
        )


def daily_name(product: Product, day: np.datetime64) -> GranuleName:
    """Name of the granule of a UTC day."""
    return GranuleName(
        product=product.token, grid=product.grid.token, step="DAILY", when=str(day).replace("-", ""),
        stream=product.stream, version=product.version,
    )  # fmt: skip


def granule_header(recipe: Recipe, identity: Identity, day: np.datetime64) -> Header:
    """Header of the daily granule of a UTC day (datetime64[D])."""
    product = recipe.product
    grid = product.grid.grid()
    rows, columns = grid.dims
    return Header(
        dims={"time": None, rows: grid.shape[0], columns: grid.shape[1], "bnds": 2},
        variables=(
            *_fields(recipe, grid), *_containers(grid), *_time(product, day), *_horizontal(grid),
            *_depth(product.depth_m),
        ),
        attributes=_globals(recipe, identity, grid) | day_attributes(product, day),
    )  # fmt: skip


def day_attributes(product: Product, day: np.datetime64) -> dict[str, str]:
    """The global attributes of a day (`PER_DAY`)."""
    name = daily_name(product, day)
    return {
        "id": name.id,
        "tracking_id": tracking_id(product, name.text),
        "time_coverage_start": f"{day}T00:00:00Z",
        "time_coverage_end": f"{day + np.timedelta64(1, 'D')}T00:00:00Z",
    }


def day_number(day: np.datetime64) -> float:
    """Days since 1970-01-01 of 00:00 UTC of a day."""
    return float((day - EPOCH).astype(int))


def day_values(product: Product, day: np.datetime64) -> dict[str, npt.NDArray[np.float64]]:
    """Values of time and, for a mean, of its bounds."""
    start = day_number(day)
    bounds = {} if product.day == "solar06" else {"time_bnds": np.array([[start, start + 1.0]])}
    return {"time": np.array([start + 0.5]), **bounds}


def tracking_id(product: Product, name: str) -> str:
    """Version 5 UUID of the landing page's address and the file name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{product.landing_url.rstrip('/')}/{name}"))


def cell_methods(product: Product) -> str:
    """`cell_methods` of the soil moisture."""
    time = "point" if product.day == "solar06" else "mean"
    return f"time: {time} depth: mean area: mean where land"


def layer(depth_m: tuple[float, float]) -> str:
    """The layer in words: `0-5 cm`."""
    return f"{depth_m[0] * 100:g}-{depth_m[1] * 100:g} cm"


def _fields(recipe: Recipe, grid: Grid) -> tuple[VariableHeader, ...]:
    product = recipe.product
    dims = ("time", *grid.dims)
    chunk = (1, *grid.chunk)
    coordinates = "depth lat lon" if grid.is_ease2 else "depth"
    when = "at 06:00 local solar time" if product.day == "solar06" else "daily mean"
    valid_range = np.array([0.0, 1.0], np.float32)

    def stored(name: str, dtype: str, attributes: dict[str, Any]) -> VariableHeader:
        return VariableHeader(name, dtype, dims, attributes, chunk, deflated=True)

    return (
        stored("sm", "f4", {
            "_FillValue": FILL, "standard_name": SOIL_MOISTURE,
            "long_name": f"volumetric soil moisture, {layer(product.depth_m)}, {when}",
            "units": UNITS, "valid_range": valid_range, "cell_methods": cell_methods(product), "grid_mapping": "crs",
            "coordinates": coordinates, "ancillary_variables": "sm_uncertainty flag", **_quantization("sm"),
            "coverage_content_type": "physicalMeasurement",
            "comment": f"{WATER_COMMENT} {SOLAR_COMMENT}" if product.day == "solar06" else WATER_COMMENT,
        }),
        stored("sm_uncertainty", "f4", {
            "_FillValue": FILL, "standard_name": f"{SOIL_MOISTURE} standard_error",
            "long_name": f"standard uncertainty (1 sigma) of volumetric soil moisture with respect to {product.target}",
            "units": UNITS, "valid_range": valid_range, "cell_methods": cell_methods(product), "grid_mapping": "crs",
            "coordinates": coordinates, **_quantization("sm_uncertainty"),
            "coverage_content_type": "qualityInformation",
            "comment": f"Calibrated on held-out values of the training target, {product.target}; sm plus or minus "
            "1.645 times this is the calibrated 90 % interval. The error of the target itself is not included.",
        }),
        stored("flag", "i2", {
            "standard_name": "status_flag", "long_name": "status of volumetric soil moisture, bit field, 0 = nominal",
            "flag_masks": np.array([flag.mask for flag in FLAGS], np.int16),
            "flag_meanings": " ".join(flag.name for flag in FLAGS),
            "valid_range": np.array([0, ALL], np.int16), "grid_mapping": "crs", "coordinates": coordinates,
            "coverage_content_type": "qualityInformation", "comment": flag_comment(recipe),
        }),
    )  # fmt: skip


def flag_comment(recipe: Recipe) -> str:
    """What the flag says, the recommended use, and when bit 512 is set."""
    excluded = [str(flag.mask) for flag in FLAGS if flag.excluded]
    bits = f"{', '.join(excluded[:-1])} and {excluded[-1]}"
    use = f"Recommended use: keep cells where (flag & {RECOMMENDED}) == 0, that is bits {bits} unset."
    observing = recipe.build.observing_input
    if observing is None:
        filled = "Bit 512 is never set: no input of this product observes the soil moisture of the day."
    else:
        text = recipe.build.observing_input_text or VOCABULARY[observing].long_name
        filled = f"Bit 512 is set where no {text} of that day went in."
    return f"Several bits may be set; every cell has a value. {use} {filled}"


def _quantization(name: str) -> dict[str, Any]:
    return {"quantization": "quantization_info", "quantization_nsb": np.int32(KEPT_BITS[name])}


def _containers(grid: Grid) -> tuple[VariableHeader, ...]:
    return (
        crs_variable(grid),
        VariableHeader("quantization_info", "i4", (), {
            "long_name": "how the float variables are rounded before compression", "algorithm": ALGORITHM,
            "implementation": IMPLEMENTATION,
        }, values=np.array(0, np.int32)),
    )  # fmt: skip


def crs_variable(grid: Grid) -> VariableHeader:
    """The grid-mapping variable of a window."""
    datum = {
        "semi_major_axis": np.float64(SEMI_MAJOR_AXIS_M), "inverse_flattening": np.float64(INVERSE_FLATTENING),
        "longitude_of_prime_meridian": np.float64(0.0), "reference_ellipsoid_name": "WGS 84",
        "prime_meridian_name": "Greenwich", "horizontal_datum_name": "World Geodetic System 1984",
        "geographic_crs_name": "WGS 84",
    }  # fmt: skip
    first = {"long_name": "coordinate reference system"}
    if grid.is_ease2:
        first = {"grid_mapping_name": "lambert_cylindrical_equal_area"} | first
        projection = {
            "standard_parallel": np.float64(STANDARD_PARALLEL_DEG), "longitude_of_central_meridian": np.float64(0.0),
            "false_easting": np.float64(0.0), "false_northing": np.float64(0.0),
            "projected_crs_name": "WGS 84 / NSIDC EASE-Grid 2.0 Global",
        }  # fmt: skip
    else:
        first = {"grid_mapping_name": "latitude_longitude"} | first
        projection = {}
    last = {"crs_wkt": CRS_WKT[grid.epsg], "GeoTransform": geo_transform(grid)}
    return VariableHeader("crs", "i4", (), first | datum | projection | last, values=np.array(0, np.int32))


def geo_transform(grid: Grid) -> str:
    """West edge, step, 0, north edge, 0, minus step, as GDAL reads it."""
    west = grid.x_edges[0] if grid.is_ease2 else grid.lon_edges[0]
    north = grid.y_edges[0] if grid.is_ease2 else grid.lat_edges[0]
    return f"{float(west)!r} {grid.step!r} 0.0 {float(north)!r} 0.0 {-grid.step!r}"


def _time(product: Product, day: np.datetime64) -> tuple[VariableHeader, ...]:
    solar = product.day == "solar06"
    long_name = "UTC day that holds 06:00 local solar time of each cell" if solar else "centre of the UTC day"
    values = day_values(product, day)
    attributes = {
        "standard_name": "time", "long_name": long_name, "axis": "T", "units": "days since 1970-01-01 00:00:00",
        "calendar": "standard", "units_metadata": "leap_seconds: none",
        **({} if solar else {"bounds": "time_bnds"}), "coverage_content_type": "coordinate",
        **({"comment": SOLAR_COMMENT} if solar else {}),
    }  # fmt: skip
    time = VariableHeader("time", "f8", ("time",), attributes, (1,), values=values["time"])
    if solar:
        return (time,)
    return (
        time,
        VariableHeader("time_bnds", "f8", ("time", "bnds"), {}, (1, 2), values=values["time_bnds"]),
    )


def _horizontal(grid: Grid) -> tuple[VariableHeader, ...]:
    rows, columns = grid.dims
    latitude = {
        "standard_name": "latitude", "long_name": "latitude of grid cell centre", "units": "degrees_north",
        "coverage_content_type": "coordinate", "bounds": "lat_bnds",
    }  # fmt: skip
    longitude = {
        "standard_name": "longitude", "long_name": "longitude of grid cell centre", "units": "degrees_east",
        "coverage_content_type": "coordinate", "bounds": "lon_bnds",
    }  # fmt: skip
    if not grid.is_ease2:
        latitude["axis"], longitude["axis"] = "Y", "X"
    geographic = (
        VariableHeader("lat", "f8", (rows,), latitude, values=grid.lat),
        VariableHeader("lon", "f8", (columns,), longitude, values=grid.lon),
        VariableHeader("lat_bnds", "f8", (rows, "bnds"), values=_bounds(grid.lat_edges)),
        VariableHeader("lon_bnds", "f8", (columns, "bnds"), values=_bounds(grid.lon_edges)),
    )
    if not grid.is_ease2:
        return geographic

    def projected(name: str, word: str, axis: str) -> dict[str, str]:
        return {
            "standard_name": f"projection_{name}_coordinate", "long_name": f"{word} of grid cell centre", "units": "m",
            "coverage_content_type": "coordinate", "bounds": f"{name}_bnds", "axis": axis,
        }  # fmt: skip

    return (
        VariableHeader("y", "f8", ("y",), projected("y", "northing", "Y"), values=grid.y),
        VariableHeader("x", "f8", ("x",), projected("x", "easting", "X"), values=grid.x),
        VariableHeader("y_bnds", "f8", ("y", "bnds"), values=_bounds(grid.y_edges)),
        VariableHeader("x_bnds", "f8", ("x", "bnds"), values=_bounds(grid.x_edges)),
        *geographic,
    )


def _bounds(edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.stack([edges[:-1], edges[1:]], axis=1)


def _depth(depth_m: tuple[float, float]) -> tuple[VariableHeader, ...]:
    attributes = {
        "standard_name": "depth", "long_name": "centre of the soil layer, below the land surface", "units": "m",
        "axis": "Z", "positive": "down", "bounds": "depth_bnds", "coverage_content_type": "coordinate",
    }  # fmt: skip
    middle = round(sum(depth_m) / 2, 9)
    return (
        VariableHeader("depth", "f8", (), attributes, values=np.array(middle)),
        VariableHeader("depth_bnds", "f8", ("bnds",), values=np.array(depth_m)),
    )


def _globals(recipe: Recipe, identity: Identity, grid: Grid) -> dict[str, Any]:
    product = recipe.product
    link = f"https://doi.org/{product.doi}" if product.doi else product.landing_url
    agents: dict[str, str] = {}
    for role, agent in (("creator", product.creator), ("publisher", product.publisher)):
        agents |= {
            f"{role}_name": agent.name, f"{role}_type": agent.type, f"{role}_institution": agent.institution,
            f"{role}_email": agent.email, f"{role}_url": agent.url,
        }  # fmt: skip
    return {
        "Conventions": "CF-1.11, ACDD-1.3",
        "title": product.title,
        "summary": product.summary,
        "keywords": "EARTH SCIENCE > LAND SURFACE > SOILS > SOIL MOISTURE/WATER CONTENT",
        "keywords_vocabulary": "GCMD Science Keywords",
        "standard_name_vocabulary": "CF Standard Name Table v93",
        "id": "",
        "naming_authority": product.naming_authority,
        "tracking_id": "",
        "product_id": product.id,
        "product_version": product.version,
        "format_version": FORMAT_VERSION,
        "key_variables": "sm",
        "product_record": product.stream,
        "processing_level": "L4",
        "cdm_data_type": "Grid",
        "institution": product.institution,
        "source": product.source,
        "history": identity.history(product.issued),
        "input_manifest_sha256": identity.inputs_sha256,
        "references": product.references,
        **({"doi": product.doi} if product.doi else {}),
        "metadata_link": link,
        "license": product.licence,
        "comment": "Values are missing over water and ice sheets and where no valid input exists; see flag.",
        "acknowledgement": product.acknowledgement,
        **{f"date_{word}": product.issued for word in ("created", "modified", "issued", "metadata_modified")},
        **agents,
        "contributor_name": product.creator.name,
        "contributor_role": "author",
        "project": product.project,
        "program": product.program,
        "platform": product.platform,
        "platform_vocabulary": "GCMD Platforms",
        "instrument": product.instrument,
        "instrument_vocabulary": "GCMD Instruments",
        "time_coverage_start": "",
        "time_coverage_end": "",
        "time_coverage_duration": "P1D",
        "time_coverage_resolution": "P1D",
        **geospatial(grid, product.depth_m),
    }


def geospatial(grid: Grid, depth_m: tuple[float, float]) -> dict[str, Any]:
    """The `geospatial_*` attributes: outer edges of the window and bounds of the layer."""
    south, north = float(grid.lat_edges[-1]), float(grid.lat_edges[0])
    west, east = float(grid.lon_edges[0]), float(grid.lon_edges[-1])
    corners = ((south, west), (north, west), (north, east), (south, east), (south, west))
    unit = "m" if grid.is_ease2 else "degree"
    return {
        "geospatial_lat_min": np.float64(south),
        "geospatial_lat_max": np.float64(north),
        "geospatial_lat_units": "degrees_north",
        "geospatial_lon_min": np.float64(west),
        "geospatial_lon_max": np.float64(east),
        "geospatial_lon_units": "degrees_east",
        "geospatial_vertical_min": np.float64(depth_m[0]),
        "geospatial_vertical_max": np.float64(depth_m[1]),
        "geospatial_vertical_units": "m",
        "geospatial_vertical_positive": "down",
        "geospatial_vertical_resolution": f"{round(depth_m[1] - depth_m[0], 9):g} m",
        "geospatial_lat_resolution": f"{grid.step!r} {unit}",
        "geospatial_lon_resolution": f"{grid.step!r} {unit}",
        "geospatial_bounds": "POLYGON ((" + ", ".join(f"{lat:.12g} {lon:.12g}" for lat, lon in corners) + "))",
        "geospatial_bounds_crs": "EPSG:4326",
        "geospatial_bounds_vertical_crs": "depth below the land surface (no EPSG code)",
    }
