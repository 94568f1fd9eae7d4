"""Sorting inside compiled loops.

Sorts of numpy are not called from compiled code that is kept in a cache: numba makes those of values and those of
positions from one template, and two cached functions, compiled in different processes, can hold both under one
symbol. Whichever is loaded first then stands for both (numba issue 10486). A function of this module has one body.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

# Runs of so many values are sorted by insertion, and longer ones merged from them.
_RUN = 24


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def positions(values: Any) -> Any:
    """Positions of values, (n,), in ascending order; equal values keep theirs. NaN is not allowed."""
    n = values.size
    order, spare = np.empty(n, np.int64), np.empty(n, np.int64)
    for start in range(0, n, _RUN):
        for k in range(start, min(start + _RUN, n)):
            at = k
            while at > start and values[order[at - 1]] > values[k]:
                order[at] = order[at - 1]
                at -= 1
            order[at] = k
    width = _RUN
    while width < n:
        for start in range(0, n, 2 * width):
            middle, stop = min(start + width, n), min(start + 2 * width, n)
            i, j = start, middle
            for k in range(start, stop):
                if i < middle and (j >= stop or values[order[i]] <= values[order[j]]):
                    spare[k] = order[i]
                    i += 1
                else:
                    spare[k] = order[j]
                    j += 1
        order, spare = spare, order
        width *= 2
    return order


# Inlined: numba cannot call it from Python once a compiled caller that holds a copy of it has come from the cache.
@numba.njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def ascending(values: Any) -> Any:
    """Values, (n,), in ascending order, as a new array. NaN is not allowed."""
    return values[positions(values)]
