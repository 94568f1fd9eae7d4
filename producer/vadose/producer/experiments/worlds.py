"""What the experiments take from simulated worlds: products as daily series of cells, and the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.ingest.composites import daily_from_composites
from vadose.producer.simulate.products import observe
from vadose.producer.simulate.simulation import World

Floats = npt.NDArray[np.float32]


def daily_product(world: World, name: str) -> Floats:
    """A product of the world, (time, cell); composites are made daily as by ingest."""
    seen = observe(world, name)
    values = seen.layers[0].values.astype(np.float32)
    if seen.period_days == 1:
        return values
    return daily_from_composites(values, seen.starts, seen.period_days, world.days)


def write_cube(world: World, path: Path, daily: tuple[str, ...], static: tuple[str, ...], title: str) -> Cube:
    """A cube of some products of the world, all its cells and days."""
    with new_cube(path, world.grid, world.index, world.days, title=title) as writer:
        for name in daily:
            writer.add(name, daily_product(world, name))
        maps = {layer.name: layer.values for layer in observe(world, "static").layers}
        for name in static:
            writer.add(name, maps[name].astype(np.float32))
    return open_cube(path)
