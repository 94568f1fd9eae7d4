"""All triplets of many data sets, and how far they agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from vadose.statistics.collocation import Collocation, collocate
from vadose.statistics.design import Pairs, ordered_pairs
from vadose.statistics.longrun import Model

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """What the valid triplets say about each of N data sets, all (..., N): their number, median and range."""

    count: Floats
    median: Floats
    lowest: Floats
    highest: Floats


def triplets(members: int, dependent: Pairs = ()) -> tuple[tuple[int, int, int], ...]:
    """All triplets of N data sets without a pair of dependent errors."""
    banned = set(ordered_pairs(dependent, members))
    return tuple(
        (i, j, k) for i, j, k in combinations(range(members), 3) if not banned & {(i, j), (i, k), (j, k)}
    )  # fmt: skip


def all_triplets(
    series: npt.ArrayLike, dependent: Pairs = (), *, common: bool = True, intervals: bool = True,
    model: Model = "tail_model", level: float = 0.95,
) -> Iterator[tuple[tuple[int, int, int], Collocation]]:  # fmt: skip
    """Collocate every triplet of independent errors.

    Parameters
    ----------
    series
        (..., N, time), NaN = missing.
    dependent
        Pairs of data sets that never meet in a triplet.
    common
        Whether all triplets use the days that all N data sets have, so that only their members differ.
    intervals, model, level
        As in `collocate`.

    Yields
    ------
    triplet, collocation
        Positions of the three members, and their result.
    """
    values = np.asarray(series)
    if common:
        values = np.where(np.isfinite(values).all(axis=-2, keepdims=True), values, np.nan)
    for chosen in triplets(values.shape[-2], dependent):
        yield chosen, collocate(values[..., list(chosen), :], intervals=intervals, model=model, level=level)


def spread_of(found: Sequence[tuple[tuple[int, int, int], Collocation]], members: int) -> Spread:
    """Median and range of the error standard deviation over the triplets with a value, of `all_triplets`."""
    if not found:
        raise ValueError("no triplet of independent errors")
    shape = found[0][1].n.shape
    table = np.full((len(found), *shape, members), np.nan)
    for row, (chosen, one) in enumerate(found):
        for position, member in enumerate(chosen):
            table[row, ..., member] = one.error_std[..., position]
    count = np.isfinite(table).sum(axis=0)
    known = count > 0
    # A column without a value is filled before the reduction, so that nothing warns, and emptied after it.
    table = np.where(known, table, 0.0)
    median, low, high = (
        np.where(known, reduce(table, axis=0), np.nan) for reduce in (np.nanmedian, np.nanmin, np.nanmax)
    )
    return Spread(count.astype(float), median, low, high)
