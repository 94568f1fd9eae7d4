"""Writes a world: daily CF NetCDF files, one folder and one product card per product, stations, and the truth apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt
import yaml

from vadose.common import Progress, UsageError, read_json, silent, whole_file, write_json, write_text
from vadose.common.files import readable_os_errors
from vadose.producer.grids import Grid
from vadose.producer.simulate import classic
from vadose.producer.simulate.observed import DAY_COMMENTS, LICENCE, PRODUCER, VERSION, Layer, Observed
from vadose.producer.simulate.products import PRODUCTS, observe
from vadose.producer.simulate.settings import Settings
from vadose.producer.simulate.simulation import World, make_world
from vadose.producer.simulate.stations import write_stations
from vadose.producer.vocabulary import SOIL_MOISTURE

FILL = np.float32(-9999.0)
FLAG_FILL = np.int16(32767)
EPOCH = np.datetime64("1970-01-01", "D")
TIME_UNITS = "days since 1970-01-01 00:00:00"
STATIONS = "stations"
# The settings are the first file, the list of what there is the last.
BEGUN, DONE = "settings.json", "world.json"
STATIC_FILE = "static_maps.nc"
# What the demo's recipe and its validation read.
DEMO_PRODUCTS = (
    "smap_sm_am",
    "precipitation",
    "land_surface_temperature_all_weather",
    "albedo",
    "ndvi",
    "air_temperature",
    "soil_temperature",
    "snow_water_equivalent",
    "static",
    "cci_sm",
    "land_model_a_sm",
    "land_model_b_sm",
)


def write_world(
    settings: Settings, folder: Path, progress: Progress = silent, products: Sequence[str] | None = None
) -> None:
    """Simulate a world and write it to `folder`.

    The same call again goes on where it was stopped, and does nothing if all is there. Every file appears
    whole; `world.json` is the last one.

    Parameters
    ----------
    settings
        The world.
    folder
        `workspace/native/simulated/<world>/`.
    products
        Names in `PRODUCTS`; all if None. Stations and truth are always written.

    Raises
    ------
    UsageError
        For an unknown product, or if `folder` holds a world of other settings.
    InputError
        If the folder cannot be written.
    """
    wanted = set(PRODUCTS) if products is None else set(products)
    for name in sorted(wanted - set(PRODUCTS)):
        raise UsageError(f"the simulated world has no product {name!r}; known: {', '.join(PRODUCTS)}")
    there = _products_there(settings, folder)
    if there and wanted <= there:
        progress.say(f"the simulated world {settings.name} is complete")
        return
    write_json(folder / BEGUN, settings.model_dump(mode="json"))
    progress.say(f"simulating {settings.name}: {settings.start}..{settings.end}, seed {settings.seed}")
    world = make_world(settings)
    with_errors: list[Observed] = []
    names = [name for name in PRODUCTS if name in wanted | there]
    for name in names:
        observed = observe(world, name)
        write_product(observed, folder / name, progress)
        if observed.error_std is not None:
            with_errors.append(observed)
    write_stations(world, folder / STATIONS, progress)
    write_truth(world, with_errors, folder / "truth" / "truth.nc")
    origin = {"producer": PRODUCER, "version": VERSION, "licence": LICENCE}
    write_json(folder / DONE, {"settings": settings.model_dump(mode="json"), "products": sorted(names), **origin})


def _products_there(settings: Settings, folder: Path) -> set[str]:
    """Products of the finished world in `folder`; none if it is not finished."""
    if (folder / BEGUN).exists() and read_json(folder / BEGUN) != settings.model_dump(mode="json"):
        raise UsageError(
            "the folder holds a world of other settings",
            where=str(folder),
            next="choose another name, or remove the folder",
        )
    return set(read_json(folder / DONE)["products"]) if (folder / DONE).exists() else set()


def write_product(observed: Observed, folder: Path, progress: Progress = silent) -> None:
    """Write the files of a product that are not there yet, and its card."""
    if observed.period_days == 0:
        files: Iterator[tuple[str, dict[str, npt.NDArray[Any]]]] = iter([(STATIC_FILE, _static_values(observed))])
        total = 1
    else:
        files, total = _dated_values(observed), observed.starts.size
    template = _template(observed)
    with readable_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for year in np.unique(observed.starts.astype("datetime64[Y]")):
            if observed.period_days:
                (folder / str(year)).mkdir(exist_ok=True)
        for name, values in progress.track(files, observed.name, total):
            path = folder / name
            if not path.exists():
                part = path.with_name(f".{path.name}.part")
                part.write_bytes(template.render(values))
                part.replace(path)
    write_text(folder / "card.yaml", yaml.safe_dump(observed.card(), sort_keys=False, allow_unicode=True))


def file_name(observed: Observed, start: np.datetime64) -> str:
    """`<YYYY>/<product>_<YYYYMMDD>.nc` of the period that begins on a day."""
    text = str(start.astype("datetime64[D]"))
    return f"{text[:4]}/{observed.name}_{text.replace('-', '')}.nc"


def _spread(layer: Layer, observed: Observed) -> npt.NDArray[Any]:
    """Values on all cells of the grid with fill values, big-endian, (..., rows x columns)."""
    rows, columns = observed.grid.shape
    fill = FLAG_FILL if layer.values.dtype == np.int16 else FILL
    dtype = layer.values.dtype.newbyteorder(">")
    full = np.full((*layer.values.shape[:-1], rows * columns), fill, dtype)
    values = layer.values if layer.values.dtype == np.int16 else np.where(np.isfinite(layer.values), layer.values, FILL)
    full[..., observed.index] = values
    return full


def _static_values(observed: Observed) -> dict[str, npt.NDArray[Any]]:
    return {layer.name: _spread(layer, observed) for layer in observed.layers}


def _dated_values(observed: Observed) -> Iterator[tuple[str, dict[str, npt.NDArray[Any]]]]:
    days = (observed.starts - EPOCH).astype(float)
    full = {layer.name: _spread(layer, observed) for layer in observed.layers}
    for position, start in enumerate(observed.starts):
        values: dict[str, npt.NDArray[Any]] = {name: array[position] for name, array in full.items()}
        values["time"] = np.array([days[position] + observed.period_days / 2])
        if observed.day_convention in ("utc", "composite"):
            values["time_bnds"] = np.array([days[position], days[position] + observed.period_days])
        yield file_name(observed, start), values


def _template(observed: Observed) -> classic.Template:
    """Header and coordinates of a product's files."""
    grid = observed.grid
    dims = {**({"time": 1} if observed.period_days else {}), **dict(zip(grid.dims, grid.shape, strict=True)), "bnds": 2}
    variables, constants = _coordinates(grid)
    if observed.depth_m:
        low, high = observed.depth_m
        variables["depth"] = classic.Variable(
            "f8",
            (),
            {
                "standard_name": "depth",
                "long_name": "middle of the soil layer",
                "units": "m",
                "positive": "down",
                "axis": "Z",
                "bounds": "depth_bnds",
            },
        )
        variables["depth_bnds"] = classic.Variable("f8", ("bnds",))
        constants |= {"depth": np.asarray((low + high) / 2), "depth_bnds": np.array([low, high])}
    if observed.period_days:
        bounds = observed.day_convention in ("utc", "composite")
        variables["time"] = classic.Variable(
            "f8",
            ("time",),
            {
                "standard_name": "time",
                "long_name": "centre of the period" if bounds else "UTC day that holds the moment of observation",
                "units": TIME_UNITS,
                "calendar": "standard",
                "axis": "T",
            }
            | ({"bounds": "time_bnds"} if bounds else {}),
        )
        if bounds:
            variables["time_bnds"] = classic.Variable("f8", ("time", "bnds"))
    for layer in observed.layers:
        variables[layer.name] = _field(layer, observed, tuple(name for name in dims if name != "bnds"))
    return classic.make_template(dims, variables, constants, _global_attributes(observed))


def _coordinates(grid: Grid) -> tuple[dict[str, classic.Variable], dict[str, npt.NDArray[Any]]]:
    rows, columns = grid.dims
    variables = {
        "lat": classic.Variable(
            "f8",
            (rows,),
            {"standard_name": "latitude", "long_name": "latitude of the cell centre", "units": "degrees_north"},
        ),
        "lon": classic.Variable(
            "f8",
            (columns,),
            {"standard_name": "longitude", "long_name": "longitude of the cell centre", "units": "degrees_east"},
        ),
    }
    constants: dict[str, npt.NDArray[Any]] = {"lat": grid.lat, "lon": grid.lon, "crs": np.asarray(0, np.int32)}
    shape: dict[str, Any] = {
        "semi_major_axis": 6378137.0,
        "inverse_flattening": 298.257223563,
        "longitude_of_prime_meridian": 0.0,
    }
    if grid.is_ease2:
        for name, word, axis in (("y", "northing", "Y"), ("x", "easting", "X")):
            attributes = {
                "standard_name": f"projection_{name}_coordinate",
                "long_name": word,
                "units": "m",
                "axis": axis,
            }
            variables[name] = classic.Variable("f8", (name,), attributes)
        constants |= {"y": grid.y, "x": grid.x}
        shape |= {
            "grid_mapping_name": "lambert_cylindrical_equal_area",
            "standard_parallel": 30.0,
            "longitude_of_central_meridian": 0.0,
            "false_easting": 0.0,
            "false_northing": 0.0,
        }
    else:
        for name, axis in (("lat", "Y"), ("lon", "X")):
            variables[name] = classic.Variable("f8", variables[name].dims, {**variables[name].attributes, "axis": axis})
        shape["grid_mapping_name"] = "latitude_longitude"
    variables["crs"] = classic.Variable("i4", (), {**shape, "epsg_code": f"EPSG:{grid.epsg}"})
    return variables, constants


def _field(layer: Layer, observed: Observed, dims: tuple[str, ...]) -> classic.Variable:
    is_flag = layer.values.dtype == np.int16
    attributes: dict[str, Any] = {"standard_name": layer.standard_name} if layer.standard_name else {}
    attributes |= {"long_name": layer.long_name, "units": layer.units}
    # Bits of a complete flag field leave no value free for missing.
    if not is_flag or bool((layer.values == FLAG_FILL).any()) or observed.index.size < np.prod(observed.grid.shape):
        attributes["_FillValue"] = FLAG_FILL if is_flag else FILL
    if is_flag:
        attributes.pop("units")
    attributes |= layer.attributes | {"grid_mapping": "crs"}
    scalars = (["depth"] if observed.depth_m and layer is observed.layers[0] else []) + (
        ["lat", "lon"] if observed.grid.is_ease2 else []
    )
    if scalars:
        attributes["coordinates"] = " ".join(scalars)
    if layer is observed.layers[0] and observed.quality:
        attributes["ancillary_variables"] = observed.quality["variable"]
    if observed.period_days and not is_flag:
        attributes["cell_methods"] = (
            "time: point area: mean"
            if observed.day_convention in ("solar06", "clear_noon")
            else "time: mean area: mean"
        )
    return classic.Variable("i2" if is_flag else "f4", dims, attributes)


def _global_attributes(observed: Observed) -> dict[str, str]:
    return {
        "Conventions": "CF-1.11",
        "title": observed.title,
        "institution": PRODUCER,
        "source": "simulated, no real observation",
        "product": observed.name,
        "product_version": VERSION,
        "license": LICENCE,
        "comment": DAY_COMMENTS[observed.day_convention],
    }


def write_truth(world: World, products: Sequence[Observed], path: Path) -> None:
    """Write the true soil moisture and the true errors of each product to one compressed file.

    `soil_moisture(time, lat, lon)` is 0-5 cm at 06:00 local solar time, `soil_moisture_daily_mean` the mean of the UTC
    day. For each product, `<name>_error_std`, `<name>_gain` and `<name>_offset` describe its random error and its
    linear response, in its own units; those of the footprints are given at the cells that lie nearest.
    """
    with whole_file(path) as part, netCDF4.Dataset(part, "w", format="NETCDF4_CLASSIC") as file:
        file.setncatts(
            {
                "Conventions": "CF-1.11",
                "title": f"Truth of the simulated world {world.settings.name}",
                "institution": PRODUCER,
                "source": "simulated, no real observation",
                "license": LICENCE,
                "comment": DAY_COMMENTS["solar06"],
            }
        )
        rows, columns = world.grid.dims
        file.createDimension("time", world.days.size)
        variables, constants = _coordinates(world.grid)
        for name, size in zip((rows, columns), world.grid.shape, strict=True):
            file.createDimension(name, size)
        for name, spec in variables.items():
            file.createVariable(name, spec.dtype, spec.dims).setncatts(dict(spec.attributes))
            file[name][...] = constants[name]
        time = file.createVariable("time", "f8", ("time",))
        time.setncatts({"standard_name": "time", "units": TIME_UNITS, "calendar": "standard", "axis": "T"})
        time[:] = (world.days - EPOCH).astype(float) + 0.5
        moisture = {
            "soil_moisture": world.land.soil_moisture,
            "soil_moisture_daily_mean": world.land.soil_moisture_mean,
        }
        holds = {"soil_moisture": "solar06", "soil_moisture_daily_mean": "utc"}
        for name, values in moisture.items():
            method = "point" if holds[name] == "solar06" else "mean"
            _truth_variable(
                file,
                world,
                name,
                values,
                ("time", rows, columns),
                standard_name=SOIL_MOISTURE,
                units="m3 m-3",
                cell_methods=f"time: {method} depth: mean area: mean where land",
                comment=DAY_COMMENTS[holds[name]],
            )
        for product in products:
            _truth_of(file, world, product)


def _truth_of(file: netCDF4.Dataset, world: World, product: Observed) -> None:
    if product.grid == world.grid:
        cells = np.arange(product.index.size)
    else:
        row, column = product.grid.locate(world.lat, world.lon)
        cells = row * product.grid.shape[1] + column
    facts = {"error_std": product.error_std, "gain": product.gain, "offset": product.offset}
    for word, values in facts.items():
        if values is not None:
            units = "1" if word == "gain" and product.layers[0].units != "percent" else product.layers[0].units
            _truth_variable(
                file,
                world,
                f"{product.name}_{word}",
                values[cells],
                world.grid.dims,
                units=units,
                long_name=f"true {word} of {product.title}",
            )


def _truth_variable(
    file: netCDF4.Dataset, world: World, name: str, values: npt.NDArray[Any], dims: tuple[str, ...], **attributes: str
) -> None:
    full = np.full((*values.shape[:-1], np.prod(world.grid.shape)), FILL, np.float32)
    full[..., world.index] = values
    chunks = tuple(min(92, world.days.size) if dim == "time" else file.dimensions[dim].size for dim in dims)
    variable = file.createVariable(
        name, "f4", dims, fill_value=FILL, zlib=True, complevel=1, shuffle=True, chunksizes=chunks
    )
    variable.setncatts({**attributes, "grid_mapping": "crs"})
    variable[...] = full.reshape(*values.shape[:-1], *world.grid.shape)
