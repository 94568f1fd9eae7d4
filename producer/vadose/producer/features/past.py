"""Features of a day made of past values of the target, nothing newer than a latency."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube
from vadose.producer.features.antecedent import PAST_DAYS

Floats = npt.NDArray[np.float32]

# How many of the newest values are seen one by one, each with its age.
NEWEST = 4
MEAN_DAYS = (10, 30, PAST_DAYS)


def past_names(target: str) -> list[str]:
    """Names of the features, in order."""
    newest = [f"{target}_{word}{k}" for k in range(1, NEWEST + 1) for word in ("newest", "age")]
    return [*newest, *(f"{target}_mean{days}" for days in MEAN_DAYS)]


def past_features(cube: Cube, target: str, latency_days: int, days: slice, cells: slice) -> Floats:
    """Newest values of the target with their ages in days, and means of its values, (time, cell, feature).

    Parameters
    ----------
    cube, target
        The cube and its variable.
    latency_days
        Age in days of the newest value that counts, at least 1; a day sees values from `PAST_DAYS` to so many days
        before it.
    days, cells
        Which features.
    """
    begin = max(days.start - PAST_DAYS, 0)
    seen = cube.read(target, slice(begin, max(days.stop - latency_days, begin)), cells)
    count = days.stop - days.start
    return np.asarray(_past(seen, days.start - begin, count, latency_days, PAST_DAYS, NEWEST, np.array(MEAN_DAYS)))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _past(seen: Any, skip: int, count: int, latency: int, longest: int, newest: int, means: Any) -> Any:
    """As `past_features`; row `skip` of the values `seen`, (time, cell), would be the first day."""
    rows, cells = seen.shape
    out = np.full((count, cells, 2 * newest + means.size), np.float32(np.nan), np.float32)
    place = np.empty(longest + 1, np.int64)
    for cell in range(cells):
        for t in range(count):
            today, known = skip + t, 0
            for age in range(latency, longest + 1):
                row = today - age
                if row < 0:
                    break
                if row < rows and np.isfinite(seen[row, cell]):
                    place[known] = row
                    known += 1
            for k in range(min(known, newest)):
                out[t, cell, 2 * k] = seen[place[k], cell]
                out[t, cell, 2 * k + 1] = today - place[k]
            for m in range(means.size):
                total, number = 0.0, 0
                while number < known and today - place[number] < means[m] + latency:
                    total += seen[place[number], cell]
                    number += 1
                if number:
                    out[t, cell, 2 * newest + m] = total / number
    return out
