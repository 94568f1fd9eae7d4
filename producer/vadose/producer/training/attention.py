"""The weight of each lag in a model's attention, over all days and over those of wet soil."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube

CELLS = 256
DAYS = 365
HIGH_MOISTURE = 0.4
PANELS = ("weight by lag", f"weight by lag, soil moisture > {HIGH_MOISTURE} m3 m-3")

Floats = npt.NDArray[np.float32]


@runtime_checkable
class Attentive(Protocol):
    """A model that can say what its attention weighs."""

    def attention(self, cube: Cube, days: slice, cells: slice) -> Floats | None:
        """Weight of each lag, (time, cell, lag), lag 0 first, NaN where unknown; nothing without attention."""
        ...


def attention_by_lag(model: Attentive, cube: Cube, target: str) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """Mean weights (lag,) of each panel over the first cells and year of a cube; panels without any day are left out.

    Wet soil is where the target in the cube exceeds 0.4 m3 m-3; days that are hidden in the cube do not count there.
    """
    days, cells = slice(0, min(DAYS, cube.days.size)), slice(0, min(CELLS, cube.index.size))
    weights = model.attention(cube, days, cells)
    if weights is None:
        return
    known = np.isfinite(weights).all(axis=-1)
    strata = (known, known & (cube.read(target, days, cells) > HIGH_MOISTURE))
    for panel, chosen in zip(PANELS, strata, strict=True):
        if chosen.any():
            yield panel, weights[chosen].mean(axis=0, dtype=np.float64)
