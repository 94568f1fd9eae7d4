"""Removal of features that others already tell, by what the training fold shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

MAXIMUM_R = 0.95
MAXIMUM_VIF = 10.0
# Below this share of its magnitude a spread is rounding.
CONSTANT = 1e-6


@dataclass(frozen=True)
class Dropped:
    """A feature that is left out, why, and the figure that decided: |r| with `partner`, or the inflation factor."""

    name: str
    reason: str
    figure: float
    partner: str = ""


@dataclass(frozen=True)
class Selection:
    """Names of the features that stay, in their order, and those that go, in the order of their removal."""

    kept: tuple[str, ...]
    dropped: tuple[Dropped, ...]


def select(table: npt.NDArray[np.floating], target: npt.NDArray[np.floating], names: Sequence[str], *,
           collinear: bool = True) -> Selection:  # fmt: skip
    """Features that are neither constant nor collinear in a table.

    Of each pair with |r| > 0.95, the strongest pair first, the one that is less correlated with the target goes; then
    the feature with the greatest variance inflation factor goes until all are below 10.

    Parameters
    ----------
    table, target
        Features (row, feature) and target (row,) of the training fold; missing features count as their mean.
    names
        Of the features, in order.
    collinear
        Whether to remove collinear features; constant ones always go.
    """
    standard, spread = _standardised(np.asarray(table, np.float64))
    dropped = [Dropped(name, "constant", 0.0) for name, moves in zip(names, spread, strict=True) if not moves]
    kept = [k for k, moves in enumerate(spread) if moves]
    if not collinear or not kept:
        return Selection(tuple(names[k] for k in kept), tuple(dropped))
    goal, _ = _standardised(np.asarray(target, np.float64)[:, None])
    correlation = standard.T @ standard / len(standard)
    worth = np.abs(standard.T @ goal[:, 0]) / len(standard)
    kept = _without_pairs(kept, correlation, worth, names, dropped)
    while len(kept) > 1:
        factors = inflation(correlation[np.ix_(kept, kept)])
        worst = int(np.argmax(factors))
        if factors[worst] < MAXIMUM_VIF:
            break
        dropped.append(Dropped(names[kept[worst]], "variance inflation", float(factors[worst])))
        del kept[worst]
    return Selection(tuple(names[k] for k in kept), tuple(dropped))


def inflation(correlation: Doubles) -> Doubles:
    """Variance inflation factors, 1 / (1 - R2) of each feature on all others: the diagonal of the inverse."""
    values, vectors = np.linalg.eigh(correlation)
    # An exact linear relation has an eigenvalue of zero and an infinite factor.
    return np.asarray((vectors**2 / np.maximum(values, 1e-12)).sum(axis=1))


def _without_pairs(
    kept: list[int], correlation: Doubles, worth: Doubles, names: Sequence[str], dropped: list[Dropped]
) -> list[int]:
    size = np.abs(np.triu(correlation, 1))
    first, second = np.nonzero(size > MAXIMUM_R)
    gone: set[int] = set()
    for k in np.argsort(-size[first, second], kind="stable"):
        a, b = int(first[k]), int(second[k])
        if a in gone or b in gone:
            continue
        loser, winner = (a, b) if worth[a] < worth[b] else (b, a)
        gone.add(loser)
        dropped.append(Dropped(names[loser], "correlated", float(size[a, b]), names[winner]))
    return [k for k in kept if k not in gone]


def _standardised(table: Doubles) -> tuple[Doubles, npt.NDArray[np.bool_]]:
    """Columns with mean 0 and standard deviation 1, missing values 0, and which columns vary at all."""
    present = np.isfinite(table)
    count = np.maximum(present.sum(axis=0), 1)
    centre = np.where(present, table, 0.0).sum(axis=0) / count
    apart = np.where(present, table - centre, 0.0)
    spread = np.sqrt((apart**2).mean(axis=0))
    moves = spread > CONSTANT * np.maximum(np.abs(centre), 1e-12)
    return apart / np.where(moves, spread, 1.0), moves
