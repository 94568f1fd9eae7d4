"""The complete header of a granule as plain values: dimensions, variables, attributes, storage."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.producer.granules.crs import crs_attributes, geospatial
from vadose.producer.granules.flags import ALL, FLAGS
from vadose.producer.granules.names import GranuleName
from vadose.producer.granules.periods import is_mean, is_native_monthly, period_end
from vadose.producer.granules.rounding import ALGORITHM, IMPLEMENTATION, KEPT_BITS
from vadose.producer.granules.wording import (
    SOLAR_COMMENT,
    cell_methods,
    flag_comment,
    layer,
    moisture_comment,
    moment,
    uncertainty_comment,
)
from vadose.producer.grids import Grid
from vadose.producer.recipe import Product, Recipe
from vadose.producer.vocabulary import SOIL_MOISTURE

FORMAT_VERSION = "1.0"
FILL = np.float32(-9999.0)
DEFLATE_LEVEL = 4
UNITS = "m3 m-3"
EPOCH = np.datetime64("1970-01-01", "D")

# The attributes that differ between the periods of one build; their lengths do not.
PER_PERIOD = ("id", "tracking_id", "time_coverage_start", "time_coverage_end")


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


def granule_name(product: Product, first: np.datetime64) -> GranuleName:
    """Name of the granule of the day or month that begins on `first` (datetime64[D])."""
    monthly = product.step == "monthly"
    return GranuleName(
        product=product.token, grid=product.grid.token, step="MONTHLY" if monthly else "DAILY",
        when=str(first).replace("-", "")[: 6 if monthly else 8], stream=product.stream, version=product.version,
    )  # fmt: skip


def granule_header(recipe: Recipe, identity: Identity, first: np.datetime64) -> Header:
    """Header of the granule of the day or month that begins on `first` (datetime64[D])."""
    product = recipe.product
    grid = product.grid.grid()
    rows, columns = grid.dims
    return Header(
        dims={"time": None, rows: grid.shape[0], columns: grid.shape[1], "bnds": 2},
        variables=(
            *_fields(recipe, grid), *_containers(grid), *_time(product, first), *_horizontal(grid),
            *_depth(product.depth_m),
        ),
        attributes=_globals(recipe, identity, grid) | period_attributes(product, first),
    )  # fmt: skip


def period_attributes(product: Product, first: np.datetime64) -> dict[str, str]:
    """The global attributes of a day or month (`PER_PERIOD`)."""
    name = granule_name(product, first)
    return {
        "id": name.id,
        "tracking_id": tracking_id(product, name.text),
        "time_coverage_start": f"{first}T00:00:00Z",
        "time_coverage_end": f"{period_end(first, product.step)}T00:00:00Z",
    }


def day_number(day: np.datetime64) -> float:
    """Days since 1970-01-01 of 00:00 UTC of a day."""
    return float((day - EPOCH).astype(int))


def period_values(product: Product, first: np.datetime64) -> dict[str, npt.NDArray[np.float64]]:
    """Values of time and, for a mean, of its bounds."""
    start, end = day_number(first), day_number(period_end(first, product.step))
    bounds = {"time_bnds": np.array([[start, end]])} if is_mean(product) else {}
    return {"time": np.array([(start + end) / 2.0]), **bounds}


def tracking_id(product: Product, name: str) -> str:
    """Version 5 UUID of the landing page's address and the file name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{product.landing_url.rstrip('/')}/{name}"))


def _fields(recipe: Recipe, grid: Grid) -> tuple[VariableHeader, ...]:
    product = recipe.product
    dims = ("time", *grid.dims)
    chunk = (1, *grid.chunk)
    coordinates = "depth lat lon" if grid.is_ease2 else "depth"
    valid_range = np.array([0.0, 1.0], np.float32)
    ancillary = " ".join(name for name in field_names(product) if name != "sm")

    def stored(name: str, dtype: str, attributes: dict[str, Any]) -> VariableHeader:
        return VariableHeader(name, dtype, dims, attributes, chunk, deflated=True)

    fields = (
        stored("sm", "f4", {
            "_FillValue": FILL, "standard_name": SOIL_MOISTURE,
            "long_name": f"volumetric soil moisture, {layer(product.depth_m)}, {moment(product)}",
            "units": UNITS, "valid_range": valid_range, "cell_methods": cell_methods(product), "grid_mapping": "crs",
            "coordinates": coordinates, "ancillary_variables": ancillary, **_quantization("sm"),
            "coverage_content_type": "physicalMeasurement",
            "comment": moisture_comment(recipe),
        }),
        stored("sm_uncertainty", "f4", {
            "_FillValue": FILL, "standard_name": f"{SOIL_MOISTURE} standard_error",
            "long_name": f"standard uncertainty (1 sigma) of volumetric soil moisture with respect to {product.target}",
            "units": UNITS, "valid_range": valid_range, "cell_methods": cell_methods(product), "grid_mapping": "crs",
            "coordinates": coordinates, **_quantization("sm_uncertainty"),
            "coverage_content_type": "qualityInformation",
            "comment": uncertainty_comment(recipe),
        }),
        stored("flag", "i2", {
            "standard_name": "status_flag", "long_name": "status of volumetric soil moisture, bit field, 0 = nominal",
            "flag_masks": np.array([flag.mask for flag in FLAGS], np.int16),
            "flag_meanings": " ".join(flag.name for flag in FLAGS),
            "valid_range": np.array([0, ALL], np.int16), "grid_mapping": "crs", "coordinates": coordinates,
            "coverage_content_type": "qualityInformation", "comment": flag_comment(recipe),
        }),
    )  # fmt: skip
    if product.step == "daily":
        return fields
    counted = "days of the month with every required input" if is_native_monthly(recipe) else "days in the monthly mean"
    return (
        *fields,
        stored("number_of_observations", "i2", {
            "standard_name": "number_of_observations", "long_name": counted, "units": "1",
            "valid_range": np.array([0, 31], np.int16), "grid_mapping": "crs", "coordinates": coordinates,
            "coverage_content_type": "qualityInformation",
        }),
    )  # fmt: skip


def field_names(product: Product) -> tuple[str, ...]:
    """Gridded variables of a granule, in the order of the file."""
    fields = ("sm", "sm_uncertainty", "flag")
    return (*fields, "number_of_observations") if product.step == "monthly" else fields


def _quantization(name: str) -> dict[str, Any]:
    return {"quantization": "quantization_info", "quantization_nsb": np.int32(KEPT_BITS[name])}


def _containers(grid: Grid) -> tuple[VariableHeader, ...]:
    return (
        VariableHeader("crs", "i4", (), crs_attributes(grid), values=np.array(0, np.int32)),
        VariableHeader("quantization_info", "i4", (), {
            "long_name": "how the float variables are rounded before compression", "algorithm": ALGORITHM,
            "implementation": IMPLEMENTATION,
        }, values=np.array(0, np.int32)),
    )  # fmt: skip


def _time(product: Product, first: np.datetime64) -> tuple[VariableHeader, ...]:
    values = period_values(product, first)
    moment_of_day = not is_mean(product)
    if moment_of_day:
        long_name = "UTC day that holds 06:00 local solar time of each cell"
    else:
        long_name = "centre of the month" if product.step == "monthly" else "centre of the UTC day"
    attributes = {
        "standard_name": "time", "long_name": long_name, "axis": "T", "units": "days since 1970-01-01 00:00:00",
        "calendar": "standard", "units_metadata": "leap_seconds: none",
        **({} if moment_of_day else {"bounds": "time_bnds"}), "coverage_content_type": "coordinate",
        **({"comment": SOLAR_COMMENT} if moment_of_day else {}),
    }  # fmt: skip
    time = VariableHeader("time", "f8", ("time",), attributes, (1,), values=values["time"])
    if moment_of_day:
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


def duration(product: Product) -> str:
    """Length of a period as ISO 8601 writes it."""
    return "P1M" if product.step == "monthly" else "P1D"


def source(recipe: Recipe) -> str:
    """What the product was made from; of stream NRT it says which inputs are preliminary."""
    early = ", ".join(item.name for item in recipe.inputs if item.preliminary)
    return f"{recipe.product.source}; preliminary: {early}" if early else recipe.product.source


def _globals(recipe: Recipe, identity: Identity, grid: Grid) -> dict[str, Any]:
    product = recipe.product
    link = f"https://doi.org/{product.concept_doi}" if product.concept_doi else product.landing_url
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
        "source": source(recipe),
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
        "time_coverage_duration": duration(product),
        "time_coverage_resolution": duration(product),
        **geospatial(grid, product.depth_m),
    }
