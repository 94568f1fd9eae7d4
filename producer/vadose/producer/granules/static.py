"""The static file of a version: domain mask, cell area, and the static maps that went in."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from vadose.common import whole_file
from vadose.producer.cube import Cube
from vadose.producer.granules.header import (
    FILL,
    Header,
    Identity,
    VariableHeader,
    granule_header,
    tracking_id,
)
from vadose.producer.granules.names import GranuleName
from vadose.producer.granules.writer import define, netcdf_errors
from vadose.producer.grids import SEMI_MAJOR_AXIS_M, Grid, global_shape
from vadose.producer.recipe import Recipe
from vadose.producer.vocabulary import VOCABULARY

# Global attributes of a granule that say nothing of a static file.
TIMELY = (
    "time_coverage_start",
    "time_coverage_end",
    "time_coverage_duration",
    "time_coverage_resolution",
    "product_record",
)


def static_name(recipe: Recipe) -> GranuleName:
    """Name of the static file of a version."""
    product = recipe.product
    return GranuleName(
        product=product.token, grid=product.grid.token, step="STATIC", when="", stream="", version=product.version
    )


def write_static(recipe: Recipe, cube: Cube, identity: Identity, directory: Path) -> Path:
    """Write the static file; the same bytes again leave the file alone."""
    target = directory / static_name(recipe).path
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, target.name)
        _write(made, static_header(recipe, cube, identity))
        image = made.read_bytes()
    if not target.is_file() or target.read_bytes() != image:
        with whole_file(target) as part:
            part.write_bytes(image)
    return target


def static_header(recipe: Recipe, cube: Cube, identity: Identity) -> Header:
    """Header and values of the static file."""
    daily = granule_header(recipe, identity, np.datetime64(recipe.product.days[0], "D"))
    grid = cube.grid
    containers = [
        v
        for v in daily.variables
        if "time" not in v.dims and v.name not in ("time", "depth", "depth_bnds", "quantization_info")
    ]
    name = static_name(recipe)
    attributes = {key: value for key, value in daily.attributes.items() if key not in TIMELY and "vertical" not in key}
    attributes |= {
        "title": f"{recipe.product.title}: static maps", "id": name.id,
        "tracking_id": tracking_id(recipe.product, name.text),
        "key_variables": "domain_mask",
        "summary": "Domain mask, cell area and the static maps that went into the product, which do not change.",
        "comment": "Cells outside the domain have no value in any granule.",
    }  # fmt: skip
    dims = {key: size for key, size in daily.dims.items() if key != "time"}
    return Header(dims, (*_fields(cube, grid), *containers), attributes)


def cell_area(grid: Grid) -> npt.NDArray[np.float32]:
    """Area of each cell on the WGS 84 ellipsoid, (rows, columns), m2."""
    share = grid.cell_areas() * SEMI_MAJOR_AXIS_M**2 / 2.0
    width = 2.0 * np.pi / global_shape(grid.token)[1]
    return np.repeat((share * width)[:, None], grid.shape[1], axis=1).astype(np.float32)


def _fields(cube: Cube, grid: Grid) -> list[VariableHeader]:
    coordinates = {"coordinates": "lat lon"} if grid.is_ease2 else {}
    common = {"grid_mapping": "crs", **coordinates}

    def gathered(values: npt.NDArray[Any], fill: Any) -> npt.NDArray[Any]:
        field = np.full(grid.shape[0] * grid.shape[1], fill, values.dtype)
        field[cube.index] = values
        return field.reshape(grid.shape)

    mask = {
        "long_name": "domain of the product", "flag_values": np.array([0, 1], np.int16),
        "flag_meanings": "outside inside",
        "coverage_content_type": "qualityInformation", **common,
    }  # fmt: skip
    area = {
        "standard_name": "cell_area", "long_name": "area of the grid cell", "units": "m2",
        "coverage_content_type": "referenceInformation", **common,
    }  # fmt: skip
    fields = [
        VariableHeader(
            "domain_mask",
            "i2",
            grid.dims,
            mask,
            grid.chunk,
            deflated=True,
            values=gathered(np.ones(cube.index.size, np.int16), 0),
        ),
        VariableHeader("cell_area", "f4", grid.dims, area, grid.chunk, deflated=True, values=cell_area(grid)),
    ]
    for name in cube.names:
        spec = VOCABULARY[name]
        if not spec.static:
            continue
        values = cube.read_static(name).astype(np.float32)
        known = {"standard_name": spec.standard_name, "long_name": spec.long_name, "units": spec.units}
        attributes = {
            "_FillValue": FILL,
            **{k: v for k, v in known.items() if v},
            "coverage_content_type": "auxiliaryInformation",
            **common,
        }
        field = gathered(np.where(np.isnan(values), FILL, values), FILL)
        fields.append(VariableHeader(name, "f4", grid.dims, attributes, grid.chunk, deflated=True, values=field))
    return fields


def _write(path: Path, header: Header) -> None:
    with netcdf_errors(path), netCDF4.Dataset(path, "w", format="NETCDF4_CLASSIC") as file:
        for name, size in header.dims.items():
            file.createDimension(name, size)
        for variable in header.variables:
            define(file, variable)
            file[variable.name].set_auto_mask(False)
        file.setncatts(dict(header.attributes))
        for variable in header.variables:
            file[variable.name][...] = variable.values
