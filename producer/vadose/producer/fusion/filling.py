"""Whole days, fused: every cell of a lattice from the windows of both products."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import RLock

import numpy as np
import numpy.typing as npt
import torch

from vadose.producer.cube import Cube
from vadose.producer.fusion.frames import HALF_RANGE, Ages, Reach, make_frame
from vadose.producer.fusion.lattice import Lattice
from vadose.producer.fusion.networks import Generator
from vadose.producer.fusion.samples import Fields
from vadose.producer.fusion.training import fuse

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Day:
    """A fused day: soil moisture, m3 m-3, NaN where the continuous field is missing, and distances, both (cell,)."""

    mean: Floats
    age: Ages


def fused_day(generator: Generator, lattice: Lattice, fields: Fields, day: int, reach: Reach) -> Day:
    """Fuse one day of all cells; the result does not depend on any other day that is asked for."""
    cells = np.arange(lattice.row.size)
    frame = make_frame(*fields.window(day, reach.days, cells), reach)
    channels = lattice.fields(frame.channels)[None]
    halo = min(generator.halo, lattice.shape[1]) if lattice.wraps else 0
    if halo:
        channels = np.concatenate([channels[..., -halo:], channels, channels[..., :halo]], axis=-1)
    with torch.inference_mode():
        fused = fuse(generator, torch.from_numpy(channels).contiguous(memory_format=torch.channels_last))[0].numpy()
    inner = fused[:, halo : halo + lattice.shape[1]]
    mean = (lattice.gathered(inner) + np.float32(1.0)) * HALF_RANGE
    return Day(np.where(frame.known, mean, np.float32(np.nan)), frame.age)


@dataclass
class Store:
    """Fused days of one cube, the oldest of which are forgotten when they take more than `limit_bytes`."""

    limit_bytes: int
    lock: RLock = field(default_factory=RLock)
    cube: Cube | None = None
    days: OrderedDict[int, Day] = field(default_factory=OrderedDict)

    def of(self, cube: Cube) -> OrderedDict[int, Day]:
        """The days of a cube; those of another one, or with other hidden values, are forgotten."""
        if cube is not self.cube:
            self.cube, self.days = cube, OrderedDict()
        return self.days

    def keep(self, position: int, day: Day) -> None:
        """Add a day."""
        self.days[position] = day
        while len(self.days) > 1 and len(self.days) * (day.mean.nbytes + day.age.nbytes) > self.limit_bytes:
            self.days.popitem(last=False)
