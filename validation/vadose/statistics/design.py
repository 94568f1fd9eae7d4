"""Which pairs of data sets a collocation uses, and how their covariances give the signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Design:
    """Which pairs of N data sets enter, and the matrix that turns log covariances into a_i (see `collocation`)."""

    pairs: tuple[tuple[int, int], ...]
    named: tuple[tuple[int, int], ...]
    solution: Floats
    equations: Floats


@lru_cache(maxsize=64)
def design_of(members: int, named: tuple[tuple[int, int], ...]) -> Design:
    """The pairs of so many data sets without the named ones; more of these than can be told is a `ValueError`."""
    pairs = tuple(pair for pair in combinations(range(members), 2) if pair not in named)
    equations = np.zeros((len(pairs), members))
    for row, pair in enumerate(pairs):
        equations[row, list(pair)] = 1.0
    if np.linalg.matrix_rank(equations) < members:
        raise ValueError(
            f"{members} data sets cannot tell the error covariances {list(named)} apart from their signal: every data "
            "set must be linked by pairs of independent errors to a triangle of three such pairs; name fewer pairs"
        )
    return Design(pairs, named, np.asarray(np.linalg.pinv(equations), np.float64), equations)


def triple_design() -> Design:
    """Three data sets of independent errors."""
    return design_of(3, ())


def ordered_pairs(pairs: Pairs, members: int) -> tuple[tuple[int, int], ...]:
    """Distinct pairs of positions, the smaller first; a position that does not exist is a `ValueError`."""
    out = tuple(sorted({(min(pair), max(pair)) for pair in pairs}))
    for i, j in out:
        if not 0 <= i < j < members:
            raise ValueError(f"({i}, {j}) is no pair of {members} data sets; positions count from 0")
    return out
