"""The split by time of the correction: 70 % to fit, 15 % to tune, 15 % to test, with days between them left out."""

from __future__ import annotations

import numpy as np

from vadose.common import UsageError
from vadose.producer.cube import Cube
from vadose.producer.training.splits import ROLES, Fold, Role, global_index, valid_values

CHRONOLOGICAL = "chronological"
SHARES = (0.7, 0.15)


def chronological(cube: Cube, target: str, purge_days: int) -> Fold:
    """Fit, tune and test one after the other on all cells.

    The satellite's past is an input, so that `purge_days` lie before the tuning and before the test days.

    Raises
    ------
    UsageError
        Where the record is too short for the days left out.
    """
    recorded = np.flatnonzero(valid_values(cube, target).any(axis=1))
    first, length = int(recorded[0]), int(recorded[-1]) + 1 - int(recorded[0])
    borders = [first, *(first + round(length * share) for share in np.cumsum(SHARES)), first + length]
    if min(np.diff(borders)) <= purge_days:
        raise UsageError(f"{length} days are too few for a split by time with {purge_days} days left out",
                         where=str(cube.path), next="use shorter sequences, or a longer record")  # fmt: skip
    dates = {role: np.zeros(cube.days.size, bool) for role in ROLES}
    parts: list[tuple[Role, int, int]] = [
        ("fit", borders[0], borders[1]), ("tune", borders[1] + purge_days, borders[2]),
        ("test", borders[2] + purge_days, borders[3]),
    ]  # fmt: skip
    for role, begin, end in parts:
        dates[role][begin:end] = True
    dates["train"] = dates["fit"] | dates["tune"]
    everywhere = np.ones(cube.index.size, bool)
    index = global_index(cube.grid, cube.index)
    return Fold(CHRONOLOGICAL, 0, cube.days, index, cube.grid.token, dict.fromkeys(ROLES, everywhere), dates)
