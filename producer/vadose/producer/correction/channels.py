"""What a network of the correction sees of a cube: variables between 0 and 1 on the training data, and their gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.producer.cube import Cube
from vadose.producer.training.dataset import cell_slices, transformed
from vadose.producer.vocabulary import variable

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Channels:
    """Min-max scaling of some daily variables; missing is 0 with a channel that says so.

    Attributes
    ----------
    names
        Variables of the cube in order; precipitation is seen as its logarithm.
    low, high
        Least and greatest training value of each, (name,).
    gappy
        Variables with gaps in training: each has a channel that is 1 where it has a value.
    """

    names: tuple[str, ...]
    low: Floats
    high: Floats
    gappy: tuple[str, ...]

    @property
    def count(self) -> int:
        """Number of channels."""
        return len(self.names) + len(self.gappy)

    @property
    def titles(self) -> tuple[str, ...]:
        """What each channel tells, in order."""
        return (*self.names, *(f"{name} present" for name in self.gappy))

    def of(self, values: Floats) -> Floats:
        """Channels (time, cell, channel) of raw values (time, cell, name)."""
        scaled = (values - self.low) / (self.high - self.low)
        there = np.isfinite(scaled)
        flags = there[..., [self.names.index(name) for name in self.gappy]]
        return np.concatenate([np.where(there, scaled, 0.0), flags], axis=-1).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """For the card of a model."""
        return {"names": list(self.names), "low": self.low.tolist(), "high": self.high.tolist(),
                "gappy": list(self.gappy)}  # fmt: skip

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Channels:
        """What `to_json` described."""
        low, high = (np.array(value[name], np.float32) for name in ("low", "high"))
        return cls(tuple(value["names"]), low, high, tuple(value["gappy"]))


def fit_channels(names: tuple[str, ...], values: Floats, mask: Mask, *, where: str) -> Channels:
    """Fit the scaling where `mask` (time, cell) of raw values (time, cell, name).

    Raises
    ------
    InputError
        Where a variable has no value, or always the same, in training.
    """
    low, high, gappy = [], [], []
    for k, name in enumerate(names):
        inside = values[..., k][mask]
        finite = inside[np.isfinite(inside)]
        if not finite.size:
            raise InputError(f"{name!r} has no value on the training days of the stations", where=where,
                             next="ingest a source that holds it, or choose a combination without it")  # fmt: skip
        if float(finite.min()) == float(finite.max()):
            raise InputError(f"{name!r} is constant on the training days of the stations, {finite[0]:g}", where=where,
                             why="a constant says nothing of soil moisture and cannot be scaled",
                             next="choose a combination without it, or more training days")  # fmt: skip
        low.append(finite.min())
        high.append(finite.max())
        if finite.size < inside.size:
            gappy.append(name)
    return Channels(names, np.array(low, np.float32), np.array(high, np.float32), tuple(gappy))


def raw_values(cube: Cube, names: tuple[str, ...], days: slice, cells: slice, *, transform: bool = True) -> Floats:
    """Variables as the channels are scaled from, (time, cell, name); without `transform` precipitation in mm d-1."""
    values = [moisture(cube, name, days, cells) for name in names]
    return np.stack([transformed(*pair) for pair in zip(names, values, strict=True)] if transform else values, axis=-1)


def raw_values_of(
    cube: Cube, names: tuple[str, ...], days: slice, chosen: Integers, *, transform: bool = True
) -> Floats:
    """`raw_values` of some cells, ascending positions, which may lie far apart."""
    parts = []
    for cells in cell_slices(cube):
        mine = chosen[(chosen >= cells.start) & (chosen < cells.stop)]
        if mine.size:
            parts.append(raw_values(cube, names, days, cells, transform=transform)[:, mine - cells.start])
    return np.concatenate(parts, axis=1)


def moisture(cube: Cube, name: str, days: slice, cells: slice) -> Floats:
    """A daily variable (time, cell); percent of saturation becomes m3 m-3 by the porosity of the cell."""
    values = cube.read(name, days, cells)
    if variable(name).units != "percent":
        return values
    return np.asarray(values * (cube.read_static("porosity", cells) / np.float32(100.0)), np.float32)
