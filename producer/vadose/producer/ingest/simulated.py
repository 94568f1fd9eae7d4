"""Reads the products of a simulated world into a cube. The truth beside them is never opened."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.common import InputError, Progress, silent
from vadose.producer.cube import CHUNK_CELLS, CHUNK_DAYS, CubeWriter, ZarrArray, new_cube
from vadose.producer.grids import Grid
from vadose.producer.ingest.base import Ingester, Order, Origin
from vadose.producer.ingest.card import Card, load_card
from vadose.producer.ingest.composites import daily_from_composites
from vadose.producer.ingest.dayfiles import DayFiles, Reading, digest, list_files, nearest_source
from vadose.producer.ingest.native import Funnel, open_netcdf, require, stated_units, to_vocabulary
from vadose.producer.recipe import Recipe
from vadose.producer.vocabulary import IN_SITU, VOCABULARY

Floats = npt.NDArray[np.float32]
Days = npt.NDArray[np.datetime64]

# Granules mask frozen ground and snow by these, whether or not the model sees them.
ALWAYS = ("soil_temperature", "snow_water_equivalent")
# Cells of a cube are those where this map has a value.
LAND = "land_fraction"
STATIC = "static"
STATIC_FILE = "static_maps.nc"
DEFAULT_WORLD = "demo"


def world_folder(native: Path, options: dict[str, Any]) -> Path:
    """The folder of the world: `native` itself, or the one in it that the option `world` names."""
    folder = native if (native / "world.json").exists() else native / str(options.get("world", DEFAULT_WORLD))
    if not (folder / "world.json").exists():
        raise InputError(
            "no finished simulated world",
            where=str(folder),
            why="its last file, world.json, is not there",
            next="vadose fetch simulated",
        )
    return folder


def ingest(recipe: Recipe, native_folder: Path, cube_path: Path, progress: Progress = silent) -> None:
    """Read what a recipe needs of a simulated world into a cube on the recipe's grid.

    Parameters
    ----------
    native_folder
        The folder of the world, or `native/simulated`, which holds it under the name in the input's option `world`.

    Raises
    ------
    InputError
        For a missing, damaged or contradicting file, or a required variable without any value.
    """
    source = recipe.inputs[0]
    options: dict[str, Any] = {}
    for item in recipe.inputs:
        options |= item.options
    order = Order(
        files=(native_folder,),
        cube=cube_path,
        title=f"Inputs of {recipe.product.title}",
        origin=Origin(source.producer, source.version, source.licence),
        grid=recipe.product.grid.grid(),
        required=(*recipe.predictors.daily, *recipe.predictors.static),
        options=options,
        recipe=recipe,
    )
    write(order, progress)


def product_folders(order: Order, folder: Path) -> tuple[Path, ...]:
    """The folders below `folder` that an order needs, the static one last."""
    names = [name for name in _wanted(order, folder) if not VOCABULARY[name].static]
    missing = [name for name in names if not (folder / name / "card.yaml").exists()]
    if missing:
        raise InputError(
            f"the folder lacks {', '.join(missing)}",
            where=str(folder),
            why="a product is a folder of its name with a card.yaml",
            next="vadose build RECIPE --check-inputs lists all that is missing",
        )
    return (*(folder / name for name in names), folder / STATIC)


def write(order: Order, progress: Progress) -> None:
    """Make the cube of an order from a simulated world; the contract of `Ingester.write`."""
    write_products(order, progress, world_folder(order.files[0], dict(order.options)))


def write_files(order: Order, progress: Progress) -> None:
    """Make the cube of an order from product folders in the layout of a simulated world."""
    write_products(order, progress, order.files[0])


def write_products(order: Order, progress: Progress, folder: Path) -> None:
    """Make the cube of an order from the product folders below `folder`."""
    folders = product_folders(order, folder)
    world = folders[-1].parent
    static_file = folders[-1] / STATIC_FILE
    grid, index = _cells(static_file, order.grid)
    lat, lon = grid.lat[index // grid.shape[1]], grid.lon[index % grid.shape[1]]
    products = [list_files(folder, lat, lon) for folder in folders[:-1]]
    days = _days(products, order)
    with new_cube(order.cube, grid, index, days, title=order.title) as writer:
        for product in products:
            with progress.step(f"reading {product.name}", len(product.paths)) as bar:
                reading = Reading(product, bar)
                _add(writer, reading, days, order.cube.parent, required=product.name in order.required)
            _source(writer, world, product.name, product.card, len(product.paths), reading.bytes, reading.sha256)
        _add_static(writer, order, static_file, lat, lon)
        data = static_file.read_bytes()
        _source(
            writer,
            world,
            STATIC,
            load_card(static_file.with_name("card.yaml")),
            1,
            len(data),
            digest([hashlib.sha256(data).hexdigest()]),
        )


def _wanted(order: Order, folder: Path) -> list[str]:
    """Names of the vocabulary to read, daily ones first as the recipe orders them."""
    if order.recipe is None:
        there = [path.parent.name for path in sorted(folder.glob("*/card.yaml"))]
        return [name for name in there if name in VOCABULARY and order.wants(name)]
    recipe = order.recipe
    names = [
        *([recipe.target] if recipe.target != IN_SITU else []),
        *recipe.predictors.daily,
        *ALWAYS,
        *(rule.variable for rule in recipe.build.flags),
        *order.options.get("also", ()),
    ]
    if recipe.build.observing_input:
        names.append(recipe.build.observing_input)
    return [name for name in dict.fromkeys(names) if order.wants(name)]


def _cells(static_file: Path, wanted: Grid | None) -> tuple[Grid, npt.NDArray[np.int64]]:
    """The grid of the cube and the flat index of its land cells."""
    with open_netcdf(static_file) as dataset:
        require(dataset.variables, LAND, static_file)
        field = dataset.variables[LAND]
        land = np.ma.filled(np.ma.asarray(field[:]).astype(float), np.nan)
        lat, lon = np.asarray(dataset.variables["lat"][:]), np.asarray(dataset.variables["lon"][:])
    if wanted is None:
        raise InputError(
            "the grid of the cube is not stated", where=str(static_file), next="name a recipe; it states the grid"
        )
    take, inside = nearest_source(
        lat, lon, np.repeat(wanted.lat, wanted.shape[1]), np.tile(wanted.lon, wanted.shape[0])
    )
    index = np.flatnonzero(inside & np.isfinite(land.ravel()[take]))
    if index.size == 0:
        raise InputError("no land cell of the world lies on the grid of the recipe", where=str(static_file))
    return wanted, index


def _days(products: list[DayFiles], order: Order) -> Days:
    """All days between the first and the last file of any product, or those asked for.

    Composites may begin before all else: where there are files of single days, these decide where the cube begins.
    """
    if order.days is not None:
        return np.arange(order.days[0], order.days[1] + 1)
    starts = [product.starts for product in products]
    single = [days for days in starts if days.size < 2 or np.diff(days).min() == np.timedelta64(1, "D")]
    return np.arange(min(days[0] for days in single or starts), max(days[-1] for days in starts) + 1)


def _add(writer: CubeWriter, reading: Reading, days: Days, folder: Path, *, required: bool) -> None:
    """Read a product and write its daily values; memory: `CHUNK_DAYS` files of all cells.

    Composites wait in an unnamed file of `folder`, since a daily value looks at several of them.
    """
    product, where = reading.product, _where(reading.product)
    attributes = {"cell_methods": "time: point"} if product.spec.day == "solar06" else {}
    array = writer.declare(product.name, attributes=attributes)
    position = (product.starts - days[0]).astype(int)
    if reading.period_days == 1:
        funnel = Funnel()
        for slab, rows in _slabs(position):
            values, part = _screened(reading, rows)
            funnel += part
            if 0 <= slab < days.size:
                buffer = np.full((min(CHUNK_DAYS, days.size - slab), values.shape[1]), np.nan, np.float32)
                there = position[rows] < days.size
                buffer[position[rows][there] - slab] = values[there]
                array[slab : slab + len(buffer)] = buffer
    else:
        funnel = _add_composites(array, reading, days, folder)
    writer.count(product.name, **vars(funnel))
    if required and funnel.kept == 0:
        raise InputError(
            f"no value of the predictor {product.name} is left of {funnel.read:,}",
            where=where,
            why=f"missing {funnel.missing:,}, flagged {funnel.flagged:,}",
        )


def _slabs(position: npt.NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
    """First day of each slab of the cube that files fall into, ascending, and these files; positions ascend."""
    slabs = position // CHUNK_DAYS
    for slab in np.unique(slabs):
        first, last = np.searchsorted(slabs, [slab, slab + 1])
        yield int(slab) * CHUNK_DAYS, slice(int(first), int(last))


def _add_composites(array: ZarrArray, reading: Reading, days: Days, folder: Path) -> Funnel:
    product, funnel = reading.product, Funnel()
    shape = (len(product.paths), product.take.size)
    with tempfile.TemporaryFile(dir=folder) as file:
        composites = np.memmap(file, np.float32, "w+", shape=shape)
        for _, rows in _slabs(np.arange(shape[0])):
            composites[rows], part = _screened(reading, rows)
            funnel += part
        for first in range(0, shape[1], CHUNK_CELLS):
            cells = slice(first, first + CHUNK_CELLS)
            own = np.asarray(composites[:, cells])
            array[:, cells] = daily_from_composites(own, product.starts, reading.period_days, days)
        del composites
    return funnel


def _screened(reading: Reading, rows: slice) -> tuple[Floats, Funnel]:
    """Values of the next files in the units of the vocabulary, and what became of them."""
    product, spec = reading.product, reading.product.spec
    values, flags = reading.next(rows.stop - rows.start)
    flagged = None
    if spec.flags and flags is not None:
        bits = sum(1 << bit for bit in spec.flags.clear_bits)
        flagged = (flags & bits) != 0 if bits else ~np.isin(flags, spec.flags.keep)
    return to_vocabulary(values, product.name, reading.units, where=_where(product), flagged=flagged, card=spec)


def _where(product: DayFiles) -> str:
    return f"{product.paths[0].parent.parent}, variable {product.variable}"


def _add_static(writer: CubeWriter, order: Order, path: Path, lat: npt.NDArray[Any], lon: npt.NDArray[Any]) -> None:
    card = load_card(path.with_name("card.yaml"))
    asked = set()
    if order.recipe is not None:
        build = order.recipe.build
        asked = {*order.recipe.predictors.static, *(rule.variable for rule in build.flags)}
        asked |= {build.porosity_variable} if build.porosity_variable else set()
    with open_netcdf(path) as dataset:
        take, inside = nearest_source(
            np.asarray(dataset.variables["lat"][:]), np.asarray(dataset.variables["lon"][:]), lat, lon
        )
        for name in sorted(
            set(dataset.variables) & set(VOCABULARY) | {name for name in asked if VOCABULARY[name].static}
        ):
            require(dataset.variables, name, path)
            field = np.ma.filled(np.ma.asarray(dataset.variables[name][:]).astype(np.float32), np.nan).ravel()
            raw = np.where(inside, field[take], np.float32(np.nan))
            spec = card.of(name)
            units = stated_units(name, getattr(dataset.variables[name], "units", None), spec, None, path)
            values, funnel = to_vocabulary(raw, name, units, where=f"{path}, variable {name}", card=spec)
            writer.count(
                name,
                read=funnel.read,
                missing=funnel.missing,
                outside_range=funnel.outside_range,
                flagged=0,
                kept=funnel.kept,
            )
            writer.add(name, values)


def _source(writer: CubeWriter, world: Path, name: str, card: Card, count: int, size: int, digest: str) -> None:
    kind = "simulated" if (world / "world.json").exists() else "dayfiles"
    writer.source(
        name=f"{kind}/{world.name}/{name}",
        bytes=size,
        sha256=digest,
        producer=card.producer,
        version=card.version,
        licence=card.licence,
        files=count,
        product=card.product,
    )


INGESTER = Ingester(
    name="simulated",
    summary="products of a simulated world, daily CF NetCDF files with product cards",
    write=write,
    origin=Origin("Vadose simulated world", "1.0", "CC0-1.0", passing_on=True, commercial_use=True),
    options={"world": "name of the world", "also": "further variables to read"},
    from_files=False,
    # All products have an underscore in their file names; the truth has none.
    watched="*_*.nc",
)

DAYFILES = Ingester(
    name="dayfiles",
    summary="NetCDF files of one day or composite each, <variable>/<year>/*_YYYYMMDD.nc, with product cards",
    write=write_files,
    origin=Origin("see the product cards", "see the product cards", "see the product cards"),
    options={"also": "further variables to read"},
    from_files=False,
    watched="*_*.nc",
)
