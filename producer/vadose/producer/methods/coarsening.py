"""Cubes as time steps of coarse blocks: means of days or months, of fine cells or of the blocks that they lie in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.producer.cube import CHUNK_DAYS, Cube
from vadose.producer.methods.blocks import Blocks
from vadose.producer.methods.steps import Step
from vadose.producer.training.dataset import CLASSES, transformed

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Timeline:
    """The steps of a cube, numbered from its first day or month."""

    days: Days
    step: Step

    @cached_property
    def number(self) -> Integers:
        """Step of each day, (time,)."""
        whole = self.days.astype("datetime64[M]" if self.step == "monthly" else "datetime64[D]").astype(np.int64)
        return np.asarray(whole - whole[0], np.int64)

    @property
    def count(self) -> int:
        """Number of steps."""
        return int(self.number[-1]) + 1

    @property
    def stamps(self) -> Days:
        """Day or month of each step."""
        unit = "datetime64[M]" if self.step == "monthly" else "datetime64[D]"
        return np.asarray(self.days[0].astype(unit) + np.arange(self.count))

    def span(self, first: int, last: int) -> slice:
        """Days of the steps `first` to `last`, the last excluded, as positions."""
        return slice(*(int(np.searchsorted(self.number, one)) for one in (first, last)))

    def portions(self) -> list[tuple[int, int]]:
        """Steps that are read together: those of about as many days as a chunk of a cube has."""
        width = 3 if self.step == "monthly" else CHUNK_DAYS
        return [(first, min(first + width, self.count)) for first in range(0, self.count, width)]

    def means(self, values: npt.NDArray[np.floating], first: int, last: int, fewest: int = 1) -> Doubles:
        """Means of the valid days of each step, (time, ...) to (step, ...), for the days of `span(first, last)`."""
        number = self.number[self.span(first, last)]
        begin = np.searchsorted(number, np.arange(first, last))
        valid = np.isfinite(values)
        count = np.add.reduceat(valid, begin, axis=0, dtype=np.int64)
        total = np.add.reduceat(np.where(valid, values, 0.0).astype(np.float64), begin, axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(count >= fewest, total / count, np.nan)


def fine_steps(cube: Cube, names: tuple[str, ...], timeline: Timeline, first: int, last: int) -> Floats:
    """Means of daily variables by step, heavy-tailed ones as logarithms, (variable, step, cell)."""
    span = timeline.span(first, last)
    parts = [transformed(name, timeline.means(cube.read(name, span), first, last).astype(np.float32)) for name in names]
    return np.stack(parts).astype(np.float32)


def fine_static(cube: Cube, names: tuple[str, ...]) -> Floats:
    """Static variables, (variable, cell).

    Raises
    ------
    InputError
        For a variable of class codes, which have no mean.
    """
    for name in names:
        if name in CLASSES:
            raise InputError(f"{name!r} holds class codes, which have no mean over a block", where=str(cube.path),
                             next="leave it out of the recipe's predictors")  # fmt: skip
    if not names:
        return np.zeros((0, cube.index.size), np.float32)
    return np.stack([cube.read_static(name) for name in names])


def block_days(cube: Cube, name: str, blocks: Blocks, span: slice, allowed: Mask | None = None) -> Doubles:
    """Block means of a daily variable, (day, block), of the values that `allowed`, (time, cell), lets be read."""
    values = cube.read(name, span)
    return blocks.mean(values if allowed is None else np.where(allowed[span], values, np.float32(np.nan)))
