"""What the experiments take from simulated worlds: products as daily series of cells, and the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.ingest.composites import daily_from_composites
from vadose.producer.simulate.observed import Observed
from vadose.producer.simulate.products import observe
from vadose.producer.simulate.simulation import World

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


def daily_product(world: World, name: str) -> Floats:
    """A product of the world in its cells, (time, cell): fit values alone, composites made daily as by ingest.

    A product on another grid gives each cell its nearest value.
    """
    seen = observe(world, name)
    values = np.where(fit_values(seen), seen.layers[0].values, np.nan).astype(np.float32)
    if seen.grid != world.grid:
        values = nearest_values(values, seen, world)
    if seen.period_days == 1:
        return values
    return daily_from_composites(values, seen.starts, seen.period_days, world.days)


def fit_values(seen: Observed) -> Mask:
    """Where the flags of a product let its values be used, (period, cell)."""
    main = seen.layers[0].values
    if seen.quality is None:
        return np.ones(main.shape, bool)
    flags = next(layer.values for layer in seen.layers if layer.name == seen.quality["variable"]).astype(np.int64)
    if "keep" in seen.quality:
        return np.isin(flags, seen.quality["keep"])
    bad = sum(1 << bit for bit in seen.quality["clear_bits"])
    return np.asarray((flags & bad) == 0)


def nearest_values(values: Floats, seen: Observed, world: World) -> Floats:
    """The values of the nearest cells of the product's grid, missing where it has none."""
    row, column = seen.grid.locate(world.lat, world.lon)
    wanted = np.where((row >= 0) & (column >= 0), row * seen.grid.shape[1] + column, -1)
    place = np.minimum(np.searchsorted(seen.index, wanted), seen.index.size - 1)
    known = seen.index[place] == wanted
    return np.where(known, values[..., place], np.float32(np.nan))


def write_cube(world: World, path: Path, daily: tuple[str, ...], static: tuple[str, ...], title: str) -> Cube:
    """A cube of some products of the world, all its cells and days."""
    with new_cube(path, world.grid, world.index, world.days, title=title) as writer:
        for name in daily:
            writer.add(name, daily_product(world, name))
        maps = {layer.name: layer.values for layer in observe(world, "static").layers}
        for name in static:
            writer.add(name, maps[name].astype(np.float32))
    return open_cube(path)
