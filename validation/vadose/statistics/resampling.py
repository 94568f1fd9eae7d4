"""Block bootstrap with weights that all series, stations and products share, so that differences keep their dependence.

Days form base blocks of five. A replicate draws runs of base blocks (stationary bootstrap, Politis and Romano 1994,
doi 10.1080/01621459.1994.10476870) of a mean length on a ladder; how often it holds every base block is its weight.
Replicates of any metric of means are products of the weights with sums over base blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numba
import numpy as np
import numpy.typing as npt

from vadose.statistics import kernels
from vadose.statistics.differences import on_scale
from vadose.statistics.distributions import t_quantile
from vadose.statistics.intervals import MINIMUM_DAYS, Estimate, Pairing, limits, status_of
from vadose.statistics.longrun import Gaps, LongRun, block_length, tail_model
from vadose.statistics.metrics import METRICS, Metric, evaluate, is_constant, metric
from vadose.statistics.status import CODE
from vadose.statistics.sums import Moments

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

BASE_DAYS = 5
LADDER: tuple[int, ...] = (5, 10, 20, 40, 80, 160, 320)
REPLICATES = 1000
# Replicates of so many series at once stay in a processor's cache.
_SERIES = 16


def rung(psi: Floats, gaps: Gaps) -> int:
    """Mean block length in days of the ladder, from the largest that any of the influence series asks for."""
    lengths = block_length(psi, gaps)
    longest = float(np.nanmax(lengths)) if np.isfinite(lengths).any() else 0.0
    return next((step for step in LADDER if step >= longest), LADDER[-1])


@lru_cache(maxsize=16)
def block_weights(days: int, mean_length: int, seed: int = 0, replicates: int = REPLICATES) -> Singles:
    """How often each replicate holds each base block of five days, (replicates, blocks).

    Every replicate has its own stream of random numbers, keyed by seed, mean length and its number, so that the weights
    depend on nothing else. The array is read-only.
    """
    blocks = -(-days // BASE_DAYS)
    go_on = max(1.0 - BASE_DAYS / mean_length, 0.0)
    out = np.empty((replicates, blocks), np.float32)
    for replicate in range(replicates):
        generator = np.random.Generator(np.random.Philox(key=[seed, (mean_length << 32) | replicate]))
        starts = generator.integers(blocks, size=blocks)
        fresh = generator.random(blocks) >= go_on
        fresh[0] = True
        first = np.maximum.accumulate(np.where(fresh, np.arange(blocks), 0))
        chosen = (starts[first] + np.arange(blocks) - first) % blocks
        out[replicate] = np.bincount(chosen, minlength=blocks)
    out.setflags(write=False)
    return out


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator]
def _become_moments(drawn: Any, mean_x: Any, mean_r: Any) -> None:
    """Turn sums of `kernels.block_sums`, (series, 7, replicates), into the parts of `Moments`, in place."""
    series, _, count = drawn.shape
    nothing, zero = np.float32(np.nan), np.float32(0.0)
    for s in range(series):
        a, b = mean_x[s], mean_r[s]
        n, x, r, xx, rr, xr, apart = (
            drawn[s, 0], drawn[s, 1], drawn[s, 2], drawn[s, 3], drawn[s, 4], drawn[s, 5], drawn[s, 6],
        )  # fmt: skip
        for k in range(count):
            share = np.float32(1.0) / n[k] if n[k] > zero else nothing
            dx, dr = x[k] * share, r[k] * share
            var_x, var_r = xx[k] * share - dx * dx, rr[k] * share - dr * dr
            x[k], r[k] = a + dx, b + dr
            # Comparisons with NaN are false, and leave it.
            xx[k], rr[k] = zero if var_x < zero else var_x, zero if var_r < zero else var_r
            xr[k] = xr[k] * share - dx * dr
            apart[k] = apart[k] * share


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator]
def _spread(values: Any) -> Any:
    """Standard deviation of each row, ddof 0, about its first value; NaN where one is missing."""
    rows, count = values.shape
    out = np.empty(rows)
    for s in range(rows):
        row, shift = values[s], values[s, 0]
        total, square = 0.0, 0.0
        for k in range(count):
            apart = row[k] - shift
            total += apart
            square += apart * apart
        out[s] = np.sqrt(max(square / count - (total / count) ** 2, 0.0))
    return out


def replicate_moments(x: npt.ArrayLike, r: npt.ArrayLike, m: Moments, weights: Singles) -> Moments:
    """Moments of all replicates, each of shape (series, replicates), in single precision.

    Parameters
    ----------
    x, r
        Product and reference, (series, time), NaN = unmatched.
    m
        Their moments, about whose means single precision is enough.
    weights
        `block_weights`, (replicates, blocks).
    """
    one, two = np.asarray(x), np.asarray(r)
    sums = kernels.block_sums(one, two, np.nan_to_num(m.mean_x), np.nan_to_num(m.mean_r), BASE_DAYS)
    series, parts, blocks = sums.shape
    drawn = (sums.reshape(series * parts, blocks) @ weights.T).reshape(series, parts, -1)
    _become_moments(drawn, np.asarray(m.mean_x, np.float32), np.asarray(m.mean_r, np.float32))
    return Moments(*(cast("Floats", drawn[:, part]) for part in range(parts)))


@dataclass(frozen=True)
class Bootstrapped:
    """Bootstrap of several metrics of the same series.

    Attributes
    ----------
    estimates
        For each metric its value and calibrated interval.
    replicates
        For each metric its values in all replicates, (series, replicates).
    mean_length
        Mean block length in days.
    factor
        What the standard error of every metric is multiplied with: how much larger that of the mean Fisher z is by
        `tail_model` than by the bootstrap, at least 1.
    dof
        Degrees of freedom of the interval of a figure of all series.
    """

    estimates: dict[str, Estimate]
    replicates: dict[str, Singles]
    mean_length: int
    factor: float
    dof: float


def bootstrap(
    pairing: Pairing, metrics: Sequence[Metric] = METRICS, *, seed: int = 0, mean_length: int | None = None,
    level: float = 0.95, replicates: int = REPLICATES, minimum: int = MINIMUM_DAYS,
) -> Bootstrapped:  # fmt: skip
    """Intervals of any metric of means by the shared weights, calibrated by the tail model.

    Parameters
    ----------
    pairing
        Product and reference, (series, time).
    metrics
        Which ones; those without influence series, too.
    seed, mean_length, replicates
        Of `block_weights`; the mean length defaults to the largest that R and the error ask for, up the ladder.
    """
    m = pairing.moments
    psi = pairing.influence(metric("r"))
    length = mean_length or max(rung(psi, pairing.gaps), rung(pairing.errors, pairing.gaps))
    weights = block_weights(pairing.x.shape[1], length, seed, replicates)
    chosen = {one.name: one for one in (*metrics, metric("r"))}
    drawn = {name: np.empty((len(m.n), replicates), np.float32) for name in chosen}
    errors = {name: np.empty(len(m.n)) for name in chosen}
    z = np.zeros((len(m.n), replicates), np.float32)
    for start in range(0, len(m.n), _SERIES):
        rows = slice(start, start + _SERIES)
        moments = replicate_moments(pairing.x[rows], pairing.r[rows], m.rows(rows), weights)
        for name, one in chosen.items():
            values = evaluate(one, moments)
            scaled = on_scale(one, values)
            drawn[name][rows], errors[name][rows] = values, _spread(scaled)
            if name == "r":
                z[rows] = scaled
    run = tail_model(psi, pairing.gaps)
    factor, dof = _calibration(psi, z, pairing)
    free = np.where(np.isfinite(run.dof), run.dof, 1.0)
    estimates = {one.name: _estimate(one, factor * errors[one.name], m, run, free, level, minimum) for one in metrics}
    return Bootstrapped(estimates, drawn, length, factor, dof)


def _calibration(psi: Floats, z: Singles, pairing: Pairing) -> tuple[float, float]:
    """Ratio of two standard errors of the mean z of all series, at least 1, and the degrees of freedom of the first."""
    n = pairing.moments.n
    known: npt.NDArray[np.bool_] = (n > 0) & np.isfinite(z.sum(axis=1)) & psi.any(axis=1)
    if not known.any():
        return 1.0, 1.0
    share = known / known.sum()
    present: npt.NDArray[np.bool_] = np.asarray((pairing.mask if known.all() else pairing.mask[known]).any(axis=0))
    mean = (share / np.maximum(n, 1.0)) @ psi * present.sum()
    run = tail_model(np.where(present, mean, 0.0)[None], Gaps.of(present[None], pairing.year))
    ours = float((share.astype(np.float32) @ np.where(known[:, None], z, np.float32(0.0))).std())
    ratio = float(np.sqrt(run.variance[0])) / ours if ours > 0 and np.isfinite(run.variance[0]) else 1.0
    return max(1.0, ratio), float(np.nan_to_num(run.dof[0], nan=1.0))


def _estimate(
    one: Metric, error: Floats, m: Moments, run: LongRun, dof: Floats, level: float, minimum: int
) -> Estimate:  # fmt: skip
    value = np.where(m.n >= minimum, evaluate(one, m), np.nan)
    constant = np.zeros(m.n.shape, bool)
    for which in one.varies:
        constant |= is_constant(m, which)
    status = status_of(m.n, run.n_eff, constant, minimum)
    shown = ((status == CODE["ok"]) | (status == CODE["short"])) & np.isfinite(value)
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = limits(value, error**2, dof, "log" if one.scale == "chi_square" else one.scale or "identity", level)
    low, high = (np.where(shown, end, np.nan) for end in (low, high))
    return Estimate(value, low, high, m.n, run.n_eff, status)


def figure_interval(
    value: float, drawn: npt.ArrayLike, found: Bootstrapped, level: float = 0.95
) -> tuple[float, float]:
    """Interval of a figure of all series, such as their median, from its values in all replicates, (replicates,)."""
    half = float(t_quantile(level, found.dof)) * float(np.nanstd(np.asarray(drawn, float))) * found.factor
    return value - half, value + half
