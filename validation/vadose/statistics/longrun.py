"""Long-run variance of a mean of dependent days with gaps: what every interval rests on.

`tail_model` is the default; the others are offered for comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from vadose.statistics import lags as loops

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Model = Literal["tail_model", "lag1", "ar2", "hac", "iid"]

LONGEST_LAG = 400
# Beyond the longest lag, pairs of days are counted in blocks of this many lags.
_TAIL_BLOCK = 20
DAYS_PER_YEAR = 365.25
# An annual cycle can be told from slow noise only when it was seen about twice.
_FEWEST_CYCLES = 700 / DAYS_PER_YEAR
# n to this power are the cosines that stand for the lowest frequencies.
_COSINES = 0.45
_FEWEST_COSINES = 6


@dataclass(frozen=True)
class Gaps:
    """What the pattern of matched days says about pairs of days; shared by all metrics of one match-up.

    Attributes
    ----------
    mask
        Matched days, (series, time).
    n, span
        Matched days, and days from the first to the last of them, (series,).
    pairs
        Number of pairs of matched days at each lag 0..lags, (series, lags + 1).
    far_pairs, far_lags
        Pairs at longer lags, in blocks, (series, blocks), and the middle lag of each block.
    year
        Steps in a year: 365.25 of days, 12 of months.
    """

    mask: Booleans
    n: Floats
    span: Floats
    pairs: Floats
    far_pairs: Floats
    far_lags: Floats
    year: float = DAYS_PER_YEAR

    @classmethod
    def of(cls, mask: Booleans, year: float = DAYS_PER_YEAR) -> Gaps:
        """Count pairs of days of the mask, (series, time)."""
        days = mask.shape[1]
        lags = min(LONGEST_LAG, max(days // 3, 1))
        pairs = loops.pairs_of_days(mask)
        far = np.arange(lags + 1, days)
        starts = np.arange(0, far.size, _TAIL_BLOCK)
        far_pairs = np.add.reduceat(pairs[:, lags + 1 :], starts, axis=1) if far.size else np.zeros((len(mask), 0))
        far_lags = np.add.reduceat(far, starts) / np.diff([*starts, far.size]) if far.size else np.zeros(0)
        any_day = mask.any(axis=1)
        span = np.where(any_day, days - mask[:, ::-1].argmax(axis=1) - mask.argmax(axis=1), 0)
        n = mask.sum(axis=1).astype(float)
        return cls(mask, n, span.astype(float), pairs[:, : lags + 1], far_pairs, far_lags, year)

    @cached_property
    def wave_products(self) -> Floats:
        """Inner products of the yearly waves over the matched days, (series, waves, waves), never singular."""
        waves = _yearly_waves(self.mask.shape[1], self.year)
        first, second = np.triu_indices(len(waves))
        upper = loops.along_waves(self.mask, waves[first] * waves[second])
        out = np.empty((len(upper), len(waves), len(waves)))
        out[:, first, second] = out[:, second, first] = upper
        return out + 1e-9 * np.maximum(self.n, 1.0)[:, None, None] * np.eye(len(waves))

    def rows(self, chosen: Booleans) -> Gaps:
        """The chosen series only."""
        return Gaps(
            self.mask[chosen], self.n[chosen], self.span[chosen], self.pairs[chosen],
            self.far_pairs[chosen], self.far_lags, self.year,
        )  # fmt: skip


@dataclass(frozen=True)
class LongRun:
    """Variance of a mean of dependent days, all (series,).

    Attributes
    ----------
    variance
        Of the mean.
    n_eff
        Independent days that would give it, and not more than the independent pieces of its slowest part; in [3, n].
    dof
        Degrees of freedom of the estimate of the variance, for the quantile of the interval.
    """

    variance: Floats
    n_eff: Floats
    dof: Floats


@lru_cache(maxsize=64)
def _yearly_waves(days: int, year: float) -> Floats:
    """Constant, annual and semiannual harmonics, (5, time)."""
    phase = 2.0 * np.pi * np.arange(days) / year
    return np.stack([np.ones_like(phase), np.cos(phase), np.sin(phase), np.cos(2.0 * phase), np.sin(2.0 * phase)])


def autocovariance(psi: Floats, gaps: Gaps) -> Floats:
    """Mean product of pairs of days at each lag, (series, lags + 1); 0 where no pair exists."""
    lags = gaps.pairs.shape[1] - 1
    # Single precision errs by 1e-6 of the variance, far below the noise of any autocorrelation; the variance is exact.
    product = loops.lagged_products(psi, lags)
    product[:, 0] = np.einsum("st,st->s", psi, psi)
    return np.asarray(product / np.maximum(gaps.pairs, 1.0))


def tail_model(psi: Floats, gaps: Gaps) -> LongRun:
    """Long-run variance: the empirical autocorrelation while it is above noise, a fitted exponential tail beyond.

    A slow part under white noise can be too weak to be seen lag by lag. The power of the series at its lowest
    frequencies holds it, and where that gives the larger variance, it counts.

    Parameters
    ----------
    psi
        Influence series, (series, time), 0 on unmatched days, mean 0 over the matched ones.
    gaps
        `Gaps.of` the matched days.

    Returns
    -------
    LongRun
        NaN for series without variance.

    Notes
    -----
    The projection on the lowest cosines and its degrees of freedom are those of Lazarus et al. 2018,
    doi 10.1080/07350015.2018.1506926.
    """
    rest, tail = _without_cycle(psi, gaps)
    return _with_low_frequencies(tail, rest, gaps)


@dataclass(frozen=True)
class _Tail:
    """Variance by the tail model, its n_eff and degrees of freedom, and the variance of a single day, (series,)."""

    variance: Floats
    n_eff: Floats
    dof: Floats
    single: Floats


def _without_cycle(psi: Floats, gaps: Gaps, *, squared: bool = False) -> tuple[Floats, _Tail]:
    """Series without their yearly cycle, where that is more than noise, and their tail model."""
    tail = _tail_variance(psi, gaps, squared=squared)
    cycle, share = _yearly_cycle(psi, gaps)
    candidate = (share > 0.05) & (gaps.span >= _FEWEST_CYCLES * gaps.year)
    if not candidate.any():
        return psi, tail
    without = psi[candidate] - cycle(candidate)
    some = gaps.rows(candidate)
    rest = _tail_variance(without, some, squared=squared)
    removed = share[candidate] > 0.05 + 12.0 / rest.n_eff
    chosen = np.flatnonzero(candidate)[removed]
    out = psi.copy()
    out[chosen] = without[removed]
    return out, _replaced(tail, chosen, rest, removed)


def _replaced(tail: _Tail, chosen: npt.NDArray[np.int64], other: _Tail, rows: Booleans) -> _Tail:
    out = []
    for mine, theirs in zip(_columns(tail), _columns(other), strict=True):
        mine = mine.copy()
        mine[chosen] = theirs[rows]
        out.append(mine)
    return _Tail(*out)


def _columns(tail: _Tail) -> tuple[Floats, Floats, Floats, Floats]:
    return tail.variance, tail.n_eff, tail.dof, tail.single


def _with_low_frequencies(tail: _Tail, psi: Floats, gaps: Gaps) -> LongRun:
    n = np.maximum(gaps.n, 1.0)
    count = np.maximum(np.round(n**_COSINES), _FEWEST_COSINES).astype(np.int64)
    first = gaps.mask.argmax(axis=1)
    low = np.minimum(loops.cosine_variance(psi, gaps.mask, first, gaps.span, count), tail.single / 2.0)
    larger = low > np.nan_to_num(tail.variance, nan=np.inf)
    variance = np.where(larger, low, tail.variance)
    n_eff = np.clip(
        np.minimum(tail.single / np.where(variance > 0, variance, 1.0), tail.dof + 1.0), np.minimum(3.0, n), n
    )
    n_eff = np.where(np.isfinite(variance), n_eff, np.nan)
    dof = np.minimum(n_eff - 1.0, np.where(larger, np.minimum(tail.dof, count), tail.dof))
    return LongRun(variance, n_eff, np.maximum(dof, 1.0))


def _yearly_cycle(psi: Floats, gaps: Gaps) -> tuple[Callable[[Booleans], Floats], Floats]:
    """The annual and semiannual harmonics of matched days: a function that gives them for series, and their share."""
    waves = _yearly_waves(psi.shape[1], gaps.year)
    right = loops.along_waves(psi, waves)
    coefficients = np.linalg.solve(gaps.wave_products, right[..., None])[..., 0]
    total = np.einsum("st,st->s", psi, psi)
    share = (coefficients * right).sum(axis=1) / np.where(total > 0, total, np.inf)

    def cycle(chosen: Booleans) -> Floats:
        return np.asarray(np.where(gaps.mask[chosen], coefficients[chosen] @ waves, 0.0))

    return cycle, share


def of_squares(errors: Floats, gaps: Gaps) -> LongRun:
    """Variance of log of the standard deviation of a Gaussian series, from the autocorrelation of the series itself.

    The squares of a series have the squares of its autocorrelation, which white noise hides first. `errors` is
    centred, 0 on unmatched days; a yearly cycle is fixed and no part of the noise.
    """
    noise, tail = _without_cycle(errors, gaps, squared=True)
    n_eff = np.minimum(tail.n_eff, tail.dof + 1.0)
    share = (noise**2).sum(axis=1) / np.maximum((errors**2).sum(axis=1), 1e-300)
    return LongRun(share**2 * tail.variance / (2.0 * tail.single), n_eff, np.maximum(n_eff - 1.0, 1.0))


def larger(one: LongRun, two: LongRun) -> LongRun:
    """For every series the larger variance, with its n_eff and degrees of freedom."""
    take = two.variance > np.nan_to_num(one.variance, nan=np.inf)
    pairs = ((one.variance, two.variance), (one.n_eff, two.n_eff), (one.dof, two.dof))
    return LongRun(*(np.where(take, b, a) for a, b in pairs))


def _tail_variance(psi: Floats, gaps: Gaps, *, squared: bool = False) -> _Tail:
    """Tail model of a series, or with `squared` of the squares of a Gaussian one."""
    power = 2 if squared else 1
    return _Tail(*loops.tail_variance(psi, gaps.span, gaps.pairs, gaps.far_pairs, gaps.far_lags, power))


def _of_correlations(total: Floats, gamma: Floats, gaps: Gaps) -> LongRun:
    """From n + 2 sum over lags of (pairs x autocorrelation)."""
    n = np.maximum(gaps.n, 1.0)
    single = np.where(gamma[:, 0] > 0, gamma[:, 0], np.nan)
    n_eff = np.clip(n**2 / np.maximum(total, 1e-9 * n), np.minimum(3.0, n), n)
    n_eff = np.where(np.isfinite(single), n_eff, np.nan)
    return LongRun(single / n_eff, n_eff, np.maximum(n_eff - 1.0, 1.0))


def _rho(gamma: Floats) -> Floats:
    return np.asarray(gamma / np.where(gamma[:, :1] > 0, gamma[:, :1], np.nan))


def lag1(psi: Floats, gaps: Gaps) -> LongRun:
    """AR(1) model: n_eff = n (1 - rho_1) / (1 + rho_1), from the influence series."""
    gamma = autocovariance(psi, gaps)
    rho = np.clip(_rho(gamma)[:, 1], 0.0, 0.9999)
    return _of_correlations(gaps.n * (1.0 + rho) / (1.0 - rho), gamma, gaps)


def ar2(psi: Floats, gaps: Gaps) -> LongRun:
    """AR(2) model by Yule and Walker, from the influence series."""
    gamma = autocovariance(psi, gaps)
    one, two = (np.clip(_rho(gamma)[:, lag], -0.9999, 0.9999) for lag in (1, min(2, gamma.shape[1] - 1)))
    phi1, phi2 = one * (1.0 - two) / (1.0 - one**2), (two - one**2) / (1.0 - one**2)
    phi2 = np.clip(phi2, -0.9999, 0.9999)
    # Inside the triangle of stationary processes.
    phi1 = np.clip(phi1, -(1.0 - phi2) * 0.9999, (1.0 - phi2) * 0.9999)
    ratio = (1.0 - phi1 * one - phi2 * two) / (1.0 - phi1 - phi2) ** 2
    return _of_correlations(gaps.n * np.maximum(ratio, 1.0), gamma, gaps)


def hac(psi: Floats, gaps: Gaps) -> LongRun:
    """Flat-top window with the bandwidth of Politis and White 2004, doi 10.1081/ETC-120028836."""
    gamma = autocovariance(psi, gaps)
    rho, lags = np.nan_to_num(_rho(gamma)), np.arange(gamma.shape[1])
    bandwidth = 2.0 * _last_correlated_lag(rho, gaps)[:, None]
    window = np.clip(2.0 - 2.0 * lags / np.maximum(bandwidth, 1.0), 0.0, 1.0)
    total = gaps.n + 2.0 * (gaps.pairs * window * rho)[:, 1:].sum(axis=1)
    return _of_correlations(np.maximum(total, gaps.n), gamma, gaps)


def _last_correlated_lag(rho: Floats, gaps: Gaps) -> Floats:
    """Smallest lag m after which several lags in a row are within noise (Politis and White 2004)."""
    n = np.maximum(gaps.n, 10.0)
    noise = (2.0 * np.sqrt(np.log10(n) / n))[:, None]
    usable = gaps.pairs >= 0.1 * n[:, None]
    quiet = (np.abs(rho) < noise) | ~usable
    run = int(max(5, np.ceil(np.sqrt(np.log10(rho.shape[1] * 3)))))
    together = np.lib.stride_tricks.sliding_window_view(
        np.pad(quiet[:, 1:], ((0, 0), (0, run)), constant_values=True), run, axis=1
    )
    return np.asarray(np.maximum(together.all(axis=2).argmax(axis=1), 1).astype(float))


def block_length(psi: Floats, gaps: Gaps) -> Floats:
    """Mean length in days of the blocks of a stationary bootstrap, (series,).

    Politis and White 2004 with the correction of Patton, Politis and White 2009, doi 10.1080/07474930802459016.
    """
    gamma = autocovariance(psi, gaps)
    rho, lags = np.nan_to_num(_rho(gamma)), np.arange(gamma.shape[1])
    bandwidth = 2.0 * _last_correlated_lag(rho, gaps)[:, None]
    window = np.clip(2.0 - 2.0 * lags / np.maximum(bandwidth, 1.0), 0.0, 1.0)
    g = 2.0 * (window * lags * rho).sum(axis=1)
    spectrum = 1.0 + 2.0 * (window * rho)[:, 1:].sum(axis=1)
    length = (g**2 / np.maximum(spectrum**2, 1e-9)) ** (1.0 / 3.0) * gaps.n ** (1.0 / 3.0)
    return np.asarray(np.clip(length, 1.0, np.ceil(np.minimum(3.0 * np.sqrt(gaps.n), gaps.n / 3.0)).clip(1.0)))


def iid(psi: Floats, gaps: Gaps) -> LongRun:
    """Independent days, for comparison with other tools only."""
    gamma = (psi**2).sum(axis=1, keepdims=True) / np.maximum(gaps.n, 1.0)[:, None]
    return _of_correlations(gaps.n, gamma, gaps)


MODELS: dict[str, Callable[[Floats, Gaps], LongRun]] = {
    "tail_model": tail_model, "lag1": lag1, "ar2": ar2, "hac": hac, "iid": iid,
}  # fmt: skip
