"""Loops over lags and frequencies, compiled: pairs of days, their products, and the slowest waves of a record."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba.extending import intrinsic

from vadose.statistics.sorting import positions

Floats = npt.NDArray[np.float64]

# NaN must stay NaN: no other fast-math flag.
_FAST = {"reassoc", "contract"}
# Most series are within noise after a few weeks, so that longer lags are looked at only where needed.
_LAGS_AT_ONCE = 32
_SLOWEST = float(np.log(0.9995))


@intrinsic  # type: ignore[untyped-decorator]
def _ones(typing: Any, word: Any) -> Any:
    """Number of bits that are set in a word."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return numba.uint64(numba.uint64), generate


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def pairs_of_days(mask: Any) -> Any:
    """Number of pairs of days of a mask (series, time) at each lag, (series, time): one bit a day, 64 days at once."""
    series, days = mask.shape
    words = (days + 63) // 64
    out = np.empty((series, days))
    # Row k holds the days from the k-th on.
    ahead = np.zeros((64, words + 1), np.uint64)
    for s in range(series):
        now = ahead[0]
        now[:] = 0
        for t in range(days):
            now[t >> 6] |= np.uint64(mask[s, t]) << np.uint64(t & 63)
        for k in range(1, 64):
            for w in range(words):
                ahead[k, w] = (now[w] >> np.uint64(k)) | (now[w + 1] << np.uint64(64 - k))
        for lag in range(days):
            later, jump = ahead[lag & 63], lag >> 6
            total = np.uint64(0)
            for w in range(words - jump):
                total += _ones(now[w] & later[w + jump])
            out[s, lag] = total
    return out


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def _products(row: Any, days: int, start: int, total: Any) -> None:
    """Sums of products of days at the lags from `start` on, into `total` (lags,).

    `row` is padded with zeros beyond `days`. Eight days at a time, so that a sum is read and written once for eight.
    """
    lags = total.size
    eights = days - days % 8
    total[:] = 0.0
    for t in range(0, eights, 8):
        a, b, c, d, e, f, g, h = (
            row[t], row[t + 1], row[t + 2], row[t + 3], row[t + 4], row[t + 5], row[t + 6], row[t + 7],
        )  # fmt: skip
        x = row[t + start : t + start + lags + 8]
        for k in range(lags):
            total[k] += (a * x[k] + b * x[k + 1] + c * x[k + 2] + d * x[k + 3]) + (
                e * x[k + 4] + f * x[k + 5] + g * x[k + 6] + h * x[k + 7]
            )
    for t in range(eights, days):
        for k in range(lags):
            total[k] += row[t] * row[t + start + k]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def lagged_products(psi: Any, lags: int) -> Any:
    """Sums of products of days at lags 0..lags of series (series, time), (series, lags + 1), in single precision."""
    series, days = psi.shape
    out = np.empty((series, lags + 1))
    row, total = np.zeros(days + lags + 8, np.float32), np.empty(lags + 1, np.float32)
    for s in range(series):
        row[:days] = psi[s]
        _products(row, days, 0, total)
        out[s] = total
    return out


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fitted_tail(rho: Any, pairs: Any) -> Any:
    """Level A <= 1 and log of the decay r of A r^k, by least squares of log rho on k, with weights rho^2 x pairs.

    `rho` holds the lags 1, 2, ... that count; NaN is left out.
    """
    s0, sk, sy, skk, sky = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(rho.size):
        if rho[j] > 0.0:
            lag, weight, log = j + 1.0, rho[j] * rho[j] * pairs[j], np.log(rho[j])
            s0 += weight
            sk += weight * lag
            sy += weight * log
            skk += weight * lag * lag
            sky += weight * lag * log
    if s0 <= 0.0:
        return 0.0, _SLOWEST
    spread = s0 * skk - sk * sk
    if spread > 1e-9 * s0 * skk:
        slope = (s0 * sky - sk * sy) / spread
        intercept = (sy - slope * sk) / s0
        if intercept <= 0.0:
            return np.exp(intercept), min(slope, _SLOWEST)
    # A level above 1, or a single lag, leaves the decay through rho(0) = 1.
    return 1.0, min(sky / skk, _SLOWEST)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sum_of_pairs(rho: Any, pairs: Any, far_pairs: Any, far_lags: Any, level: float, log_decay: float) -> float:
    """Sum over lags 1, 2, ... of pairs x autocorrelation: `rho` where it is known, the tail elsewhere."""
    total, tail, decay = 0.0, level, np.exp(log_decay)
    for j in range(pairs.size):
        tail *= decay
        total += pairs[j] * (rho[j] if j < rho.size and rho[j] > 0.0 else tail)
    if level > 0.0:
        for j in range(far_lags.size):
            total += far_pairs[j] * level * np.exp(log_decay * far_lags[j])
    return total


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _variance_of_mean(single: float, n: float, total: float) -> float:
    """From the variance of a day and the sum over lags of pairs x autocorrelation; at least n, at most 2 days count."""
    return min(max(single / n**2 * (n + 2.0 * total), single / n), max(single / 2.0, single / n))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def tail_variance(psi: Any, span: Any, pairs: Any, far_pairs: Any, far_lags: Any, power: int) -> Any:
    """Tail model of series: variance of the mean, n_eff, degrees of freedom and variance of a single day, (4, series).

    The autocorrelation counts as it is before the first lag at which it is noise or less than 0.05; elsewhere stands
    the tail that is fitted to it. Lags with few pairs, or beyond a third of the record, are not used.

    `psi` is (series, time); `span`, `pairs`, `far_pairs` and `far_lags` are those of `longrun.Gaps`; with `power` 2 it
    is the model of the squares of a Gaussian series.
    """
    series, days = psi.shape
    lags = pairs.shape[1] - 1
    out = np.full((4, series), np.nan)
    row, some = np.zeros(days + lags + 2 * _LAGS_AT_ONCE, np.float32), np.empty(_LAGS_AT_ONCE, np.float32)
    gamma, rho = np.empty(lags + _LAGS_AT_ONCE), np.empty(lags)
    for s in range(series):
        row[:days] = psi[s]
        count = pairs[s, 1:]
        n = max(pairs[s, 0], 1.0)
        least, longest, threshold = 0.1 * n, max(span[s] / 3.0, 1.0), max(0.05, 2.0 / np.sqrt(n))
        own = (psi[s] * psi[s]).sum() / n
        known, near, variance, zero, level, log_decay = 0, 0, 0.0, own, 0.0, 0.0
        # The mean was removed with the same days, which lowers every autocovariance by about its variance.
        for _ in range(3):
            zero = own + variance
            safe = zero if zero > 0.0 else 1.0
            near = 0
            while near < lags:
                if near == known:
                    _products(row, days, known + 1, some)
                    gamma[known : known + _LAGS_AT_ONCE] = some
                    known += _LAGS_AT_ONCE
                rho[near] = np.nan
                if count[near] >= least and near + 1 <= longest:
                    rho[near] = (gamma[near] / max(count[near], 1.0) + variance) / safe
                    if rho[near] < threshold:
                        break
                near += 1
            level, log_decay = _fitted_tail(rho[:near], count)
            variance = _variance_of_mean(
                zero, n, _sum_of_pairs(rho[:near], count, far_pairs[s], far_lags, level, log_decay)
            )
        if power == 2:
            level, log_decay = level * level, 2.0 * log_decay
            total = _sum_of_pairs(rho[:near] ** 2, count, far_pairs[s], far_lags, level, log_decay)
            variance = _variance_of_mean(zero, n, total)
        if own <= 0.0:
            variance = np.nan
        # The slow part is known from as many independent pieces as fit into the record, the white part from every day.
        decay = np.exp(log_decay)
        pieces = max(span[s] * (1.0 - decay) / (1.0 + decay), 1.0)
        white = (1.0 - level) * zero / n
        slow = max(variance - white, 0.0)
        out[0, s] = variance
        if variance > 0.0:
            out[1, s] = min(max(zero / variance, min(3.0, n)), n)
            out[2, s] = variance**2 / (white**2 / n + slow**2 / pieces)
        out[3, s] = zero
    return out


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def cosine_variance(psi: Any, mask: Any, first: Any, span: Any, count: Any) -> Any:
    """Variance of the mean of matched days from the power at the lowest frequencies, (series,).

    `psi` (series, time) is 0 off the `mask`; the record begins on day `first` and lasts `span` days; the `count`
    lowest cosines of that span are used, each without its mean over the matched days. Single precision; the waves
    themselves are made in double.
    """
    series, days = psi.shape
    out = np.full(series, np.nan)
    most = 0
    for s in range(series):
        most = max(most, count[s])
    waves = np.empty((most, days), np.float32)
    wave, before, twice = np.empty(days), np.empty(days), np.empty(days)
    row, present = np.empty(days, np.float32), np.empty(days, np.float32)
    zero, made_for = np.float32(0.0), -1
    # Records of one length have the same waves.
    for s in positions(span):
        length, begin = int(span[s]), int(first[s])
        n, mean = 0.0, 0.0
        for t in range(length):
            row[t] = psi[s, begin + t]
            present[t] = 1.0 if mask[s, begin + t] else 0.0
        # Apart from the stores: in one loop the order of a sum would depend on where the arrays lie in memory.
        for t in range(length):
            n += present[t]
        for t in range(length):
            mean += psi[s, begin + t]
        if n < 2.0:
            continue
        mean /= n
        if length != made_for:
            made_for = length
            for t in range(length):
                wave[t] = np.cos(np.pi * (t + 0.5) / length)
                twice[t] = 2.0 * wave[t]
                before[t] = 1.0
            for k in range(most):
                for t in range(length):
                    value = wave[t]
                    waves[k, t] = value
                    wave[t] = twice[t] * value - before[t]
                    before[t] = value
        power = 0.0
        for k in range(count[s]):
            along, total, square = zero, zero, zero
            for t in range(length):
                value32 = waves[k, t]
                masked = value32 * present[t]
                along += row[t] * value32
                total += masked
                square += masked * value32
            centred = np.float64(along) - mean * total
            power += centred * centred / max(square - np.float64(total) * total / n, 1e-9 * n)
        out[s] = power / count[s] / n
    return out


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def along_waves(series: Any, waves: Any) -> Any:
    """Inner products of series (rows, time) with waves (count, time), (rows, count)."""
    rows, days = series.shape
    out = np.empty((rows, waves.shape[0]))
    for s in range(rows):
        for k in range(waves.shape[0]):
            total = 0.0
            for t in range(days):
                total += series[s, t] * waves[k, t]
            out[s, k] = total
    return out
