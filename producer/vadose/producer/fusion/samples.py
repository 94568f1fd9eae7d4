"""Training samples: patches of days on which part of the observations is hidden as real swaths hide it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.producer.fusion.frames import Reach, make_frame, scaled
from vadose.producer.fusion.lattice import Lattice

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Fields:
    """The two products on all days of a cube.

    Attributes
    ----------
    seen
        Observations that may be learnt from, (time, cell), m3 m-3, NaN elsewhere.
    background
        The continuous field, matched to the observations, (time, cell), m3 m-3.
    """

    seen: Floats
    background: Floats

    def window(self, day: int, reach: int, cells: npt.NDArray[np.integer]) -> tuple[Floats, Floats]:
        """Both products from `reach` days before a day to as many after it, (window day, cell); NaN off the record."""
        low, high = max(day - reach, 0), min(day + reach + 1, len(self.seen))
        parts = [field[low:high, cells] for field in (self.seen, self.background)]
        before, after = low - (day - reach), day + reach + 1 - high
        if before or after:
            parts = [np.pad(part, ((before, after), (0, 0)), constant_values=np.nan) for part in parts]
        return parts[0], parts[1]


@dataclass(frozen=True)
class Sample:
    """Patches, (patch, ..., row, column).

    `channels` as in `Frame`; `target` is scaled; `hidden` and `shown` mark observations of the day that the frame does
    not and does show; `age` is the distance to the nearest observation that it shows; `cell` is the number of the cell,
    -1 where there is none; `day` the position of the day, (patch,).
    """

    channels: Floats
    target: Floats
    hidden: Floats
    shown: Floats
    age: npt.NDArray[np.int8]
    cell: npt.NDArray[np.int32]
    day: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sampler:
    """Draws patches with simulated gaps.

    On the day itself only what the real swath of another day would have seen is shown. On a share `boxes` of the
    samples a box of the patch is hidden for some days around the day, too, as a longer gap would.
    """

    fields: Fields
    lattice: Lattice
    reach: Reach
    size: int
    stride: int
    boxes: float = 0.5

    @cached_property
    def windows(self) -> list[npt.NDArray[np.int32]]:
        """Cells of all patches."""
        return self.lattice.patches(self.size, self.stride)

    @cached_property
    def days(self) -> npt.NDArray[np.int64]:
        """Days with any observation."""
        days = np.flatnonzero(np.isfinite(self.fields.seen).any(axis=1))
        if not days.size:
            raise InputError("no observation is left in the training part", next="choose another split")
        return np.asarray(days, np.int64)

    def draw(self, generator: np.random.Generator, count: int) -> Sample:
        """Some patches of random days."""
        drawn = [self._one(generator) for _ in range(count)]
        return Sample(**{name: np.stack([one[name] for one in drawn]) for name in drawn[0]})

    def _one(self, generator: np.random.Generator) -> dict[str, npt.NDArray[Any]]:
        window = self.windows[int(generator.integers(len(self.windows)))]
        day, donor = (int(self.days[k]) for k in generator.integers(0, self.days.size, 2))
        cells = window[window >= 0]
        seen, background = self.fields.window(day, self.reach.days, cells)
        observed = np.isfinite(seen[self.reach.days])
        shown = observed & np.isfinite(self.fields.seen[donor, cells])
        seen[self.reach.days] = np.where(shown, seen[self.reach.days], np.nan)
        if generator.random() < self.boxes:
            hide, before, after = _box(generator, window, self.reach.days)
            span = slice(self.reach.days - before, self.reach.days + after + 1)
            seen[span] = np.where(hide, np.float32(np.nan), seen[span])
            shown &= ~hide
        frame = make_frame(seen, background, self.reach)
        target = np.where(observed, self.fields.seen[day, cells], np.float32(0.0))
        usable = observed & frame.known
        hidden = usable & ~shown if self.reach.same_day else usable
        parts = {"channels": frame.channels, "target": scaled(target) * usable, "hidden": hidden,
                 "shown": usable & ~hidden, "age": frame.age}  # fmt: skip
        placed = {name: _placed(window, np.asarray(values)) for name, values in parts.items()}
        return {**placed, "cell": window, "day": np.array(day, np.int64)}


def _placed(window: npt.NDArray[np.int32], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values (..., cell) at their places in a patch, 0 elsewhere; marks become numbers."""
    kind = values.dtype if values.dtype != np.bool_ else np.dtype(np.float32)
    result = np.zeros((*values.shape[:-1], *window.shape), kind)
    result[..., window >= 0] = values
    return result


def _box(generator: np.random.Generator, window: npt.NDArray[np.int32], reach: int) -> tuple[Mask, int, int]:
    """Cells of the patch inside a random box, and for how many days before and after they are hidden."""
    inside = np.zeros(window.shape, bool)
    spans = []
    for size in window.shape:
        length = int(generator.integers(max(size // 8, 1), size + 1))
        begin = int(generator.integers(0, size - length + 1))
        spans.append(slice(begin, begin + length))
    inside[spans[0], spans[1]] = True
    before, after = (int(days) for days in generator.integers(0, reach + 1, 2))
    return inside[window >= 0], before, after
