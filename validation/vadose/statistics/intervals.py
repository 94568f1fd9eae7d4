"""Confidence intervals that know autocorrelation and gaps.

A smooth metric of means has an influence series, zero on unmatched days; the long-run variance of that series
is the variance of the metric. Three models of the autocorrelation are offered; `tail_model` is the default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from vadose.statistics import kernels
from vadose.statistics.distributions import chi_square_ratio, t_quantile
from vadose.statistics.metrics import Metric, Scale, evaluate, is_constant
from vadose.statistics.status import CODE, Codes
from vadose.statistics.sums import Moments, moments

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Model = Literal["tail_model", "lag1", "iid"]

MINIMUM_DAYS = 30
LONGEST_LAG = 400
# Beyond the longest lag, pairs of days are counted in blocks of this many lags.
_TAIL_BLOCK = 20
_LARGEST_DECAY = 0.9995
DAYS_PER_YEAR = 365.25
# An annual cycle can be told from slow noise only when it was seen about twice.
_SHORTEST_CYCLES_DAYS = 700


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
    """

    mask: Booleans
    n: Floats
    span: Floats
    pairs: Floats
    far_pairs: Floats
    far_lags: Floats

    @classmethod
    def of(cls, mask: Booleans) -> Gaps:
        """Count pairs of days by FFT of the mask, (series, time)."""
        days = mask.shape[1]
        lags = min(LONGEST_LAG, max(days // 3, 1))
        present = np.fft.rfft(mask.astype(float), _fft_length(2 * days))
        pairs = np.round(np.fft.irfft(_power(present), _fft_length(2 * days))[:, :days])
        far = np.arange(lags + 1, days)
        starts = np.arange(0, far.size, _TAIL_BLOCK)
        far_pairs = np.add.reduceat(pairs[:, lags + 1 :], starts, axis=1) if far.size else np.zeros((len(mask), 0))
        far_lags = np.add.reduceat(far, starts) / np.diff([*starts, far.size]) if far.size else np.zeros(0)
        any_day = mask.any(axis=1)
        span = np.where(any_day, days - mask[:, ::-1].argmax(axis=1) - mask.argmax(axis=1), 0)
        return cls(mask, mask.sum(axis=1).astype(float), span.astype(float), pairs[:, : lags + 1], far_pairs, far_lags)

    def rows(self, chosen: Booleans) -> Gaps:
        """The chosen series only."""
        return Gaps(
            self.mask[chosen], self.n[chosen], self.span[chosen], self.pairs[chosen],
            self.far_pairs[chosen], self.far_lags,
        )  # fmt: skip


@dataclass(frozen=True)
class LongRun:
    """Variance of a mean of dependent days, and the number of independent days that would give it, (series,)."""

    variance: Floats
    n_eff: Floats


@lru_cache(maxsize=64)
def _fft_length(least: int) -> int:
    best = 1 << (least - 1).bit_length()
    for five in (1, 5, 25, 125):
        for three in (1, 3, 9, 27, 81):
            odd = five * three
            best = min(best, odd << max((-(-least // odd) - 1).bit_length(), 0))
    return best


def _power(spectrum: npt.NDArray[np.complex128]) -> Floats:
    return np.asarray(spectrum.real**2 + spectrum.imag**2)


def autocovariance(psi: Floats, gaps: Gaps) -> Floats:
    """Mean product of pairs of days at each lag, (series, lags + 1); 0 where no pair exists."""
    lags = gaps.pairs.shape[1] - 1
    length = _fft_length(psi.shape[1] + lags)
    # Single precision errs by 1e-6 of the variance, far below the noise of any autocorrelation; the variance is exact.
    spectrum = np.fft.rfft(psi.astype(np.float32), length)
    product = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, length)[:, : lags + 1].astype(np.float64)
    product[:, 0] = np.einsum("st,st->s", psi, psi)
    return np.asarray(product / np.maximum(gaps.pairs, 1.0))


def tail_model(psi: Floats, gaps: Gaps) -> LongRun:
    """Long-run variance: the empirical autocorrelation while it is above noise, a fitted exponential tail beyond.

    Parameters
    ----------
    psi
        Influence series, (series, time), 0 on unmatched days, mean 0 over the matched ones.
    gaps
        `Gaps.of` the matched days.

    Returns
    -------
    LongRun
        n_eff in [3, n]; NaN for series without variance.
    """
    plain = _tail_variance(autocovariance(psi, gaps), gaps)
    cycle, share = _annual_cycle(psi, gaps)
    candidate = (share > 0.05) & (gaps.span >= _SHORTEST_CYCLES_DAYS)
    if not candidate.any():
        return plain
    some = gaps.rows(candidate)
    rest = _tail_variance(autocovariance(psi[candidate] - cycle(candidate), some), some)
    removed = share[candidate] > 0.05 + 8.0 / rest.n_eff
    variance, n_eff = plain.variance.copy(), plain.n_eff.copy()
    variance[candidate] = np.where(removed, rest.variance, variance[candidate])
    n_eff[candidate] = np.where(removed, rest.n_eff, n_eff[candidate])
    return LongRun(variance, n_eff)


def _annual_cycle(psi: Floats, gaps: Gaps) -> tuple[Callable[[Booleans], Floats], Floats]:
    """The annual harmonic of matched days, as a function that gives it for chosen series, and its share."""
    phase = 2.0 * np.pi * np.arange(psi.shape[1]) / DAYS_PER_YEAR
    waves = np.stack([np.ones_like(phase), np.cos(phase), np.sin(phase)])
    mask = gaps.mask.astype(float)
    products = (waves[:, None] * waves[None]).reshape(9, -1)
    normal = (mask @ products.T).reshape(-1, 3, 3)
    right = psi @ waves.T
    ridge = 1e-9 * np.maximum(gaps.n, 1.0)[:, None, None] * np.eye(3)
    coefficients = np.linalg.solve(normal + ridge, right[..., None])[..., 0]
    total = np.einsum("st,st->s", psi, psi)
    share = (coefficients * right).sum(axis=1) / np.where(total > 0, total, np.inf)

    def cycle(chosen: Booleans) -> Floats:
        return np.asarray(np.where(gaps.mask[chosen], coefficients[chosen] @ waves, 0.0))

    return cycle, share


def _tail_variance(gamma: Floats, gaps: Gaps) -> LongRun:
    n = np.maximum(gaps.n, 1.0)
    lags = np.arange(1, gamma.shape[1])
    pairs = gaps.pairs[:, 1:]
    usable = (pairs >= 0.1 * n[:, None]) & (lags <= np.maximum(gaps.span / 3.0, 1.0)[:, None])
    threshold = np.maximum(0.05, 2.0 / np.sqrt(n))[:, None]
    variance = np.zeros(len(gamma))
    # The mean was removed with the same days, which lowers every autocovariance by about the variance.
    for _ in range(3):
        zero = gamma[:, 0] + variance
        safe = np.where(zero > 0, zero, 1.0)
        rho = (gamma[:, 1:] + variance[:, None]) / safe[:, None]
        below = usable & (rho < threshold)
        first = np.where(below.any(axis=1), below.argmax(axis=1), lags.size)
        near = usable & (np.arange(lags.size) < first[:, None])
        level, log_decay = _fit_tail(rho, lags.astype(float), np.where(near, pairs, 0.0))
        tail = level[:, None] * np.exp(log_decay[:, None] * lags)
        far = level[:, None] * np.exp(log_decay[:, None] * gaps.far_lags)
        total = (pairs * np.where(near, rho, tail)).sum(axis=1) + (gaps.far_pairs * far).sum(axis=1)
        variance = np.clip(zero / n**2 * (n + 2.0 * total), zero / n, np.maximum(zero / 2.0, zero / n))
    flat = gamma[:, 0] <= 0
    n_eff = np.clip(zero / np.where(flat, 1.0, variance), np.minimum(3.0, n), n)
    return LongRun(np.where(flat, np.nan, variance), np.where(flat, np.nan, n_eff))


def _fit_tail(rho: Floats, lags: Floats, pairs: Floats) -> tuple[Floats, Floats]:
    """Level A <= 1 and log of the decay r <= 0.9995 of A r^k, by weighted least squares of log rho on k."""
    chosen = pairs > 0
    safe = np.where(chosen, rho, 1.0)
    weight = np.where(chosen, safe**2 * pairs, 0.0)
    log = np.log(safe)
    s0, sk, sy = weight.sum(axis=1), weight @ lags, (weight * log).sum(axis=1)
    skk, sky = weight @ lags**2, (weight * log) @ lags
    spread = s0 * skk - sk**2
    line = spread > 1e-9 * s0 * skk
    slope = np.where(line, (s0 * sky - sk * sy) / np.where(line, spread, 1.0), np.nan)
    intercept = (sy - np.nan_to_num(slope) * sk) / np.where(s0 > 0, s0, 1.0)
    # A level above 1, or a single lag, leaves the decay through rho(0) = 1.
    through_one = ~line | (intercept > 0)
    slope = np.where(through_one, sky / np.where(skk > 0, skk, 1.0), slope)
    slope = np.minimum(slope, np.log(_LARGEST_DECAY))
    level = np.where(through_one, 1.0, np.exp(np.minimum(intercept, 0.0)))
    return np.where(s0 > 0, level, 0.0), slope


def lag1(psi: Floats, gaps: Gaps) -> LongRun:
    """AR(1) model: n_eff = n (1 - rho_1) / (1 + rho_1), from the influence series."""
    gamma = autocovariance(psi, gaps)
    rho = np.clip(gamma[:, 1] / np.where(gamma[:, 0] > 0, gamma[:, 0], np.nan), 0.0, 0.9999)
    n_eff = np.clip(gaps.n * (1.0 - rho) / (1.0 + rho), np.minimum(3.0, gaps.n), gaps.n)
    return LongRun(gamma[:, 0] / n_eff, n_eff)


def iid(psi: Floats, gaps: Gaps) -> LongRun:
    """Independent days, for comparison with other tools only."""
    gamma = (psi**2).sum(axis=1) / np.maximum(gaps.n, 1.0)
    gamma = np.where(gamma > 0, gamma, np.nan)
    return LongRun(gamma / np.maximum(gaps.n, 1.0), np.where(np.isfinite(gamma), gaps.n, np.nan))


MODELS: dict[str, Callable[[Floats, Gaps], LongRun]] = {"tail_model": tail_model, "lag1": lag1, "iid": iid}


@dataclass(frozen=True)
class Estimate:
    """A metric with its interval; every attribute has the leading shape of the series.

    `status` holds codes of `vadose.statistics.status.STATUS`. A value without interval has NaN limits.
    """

    value: Floats
    ci_low: Floats
    ci_high: Floats
    n: Floats
    n_eff: Floats
    status: Codes


def status_of(n: Floats, n_eff: Floats, constant: Booleans, minimum: int = MINIMUM_DAYS) -> Codes:
    """Codes from the number of days: ok from n_eff 30, short from 10, few_effective below, few_samples first."""
    n_eff = np.nan_to_num(n_eff)
    code = np.where(n_eff >= 30, CODE["ok"], np.where(n_eff >= 10, CODE["short"], CODE["few_effective"]))
    code = np.where(constant, CODE["constant_series"], code)
    return np.where(n < minimum, CODE["few_samples"], code).astype(np.int8)


def limits(value: Floats, variance: Floats, n_eff: Floats, scale: Scale, level: float = 0.95) -> tuple[Floats, Floats]:
    """Lower and upper end of an interval whose variance holds on `scale`."""
    if scale == "chi_square":
        dof = 1.0 / (2.0 * np.where(variance > 0, variance, np.nan))
        low = value / np.sqrt(chi_square_ratio((1.0 + level) / 2.0, dof))
        return low, value / np.sqrt(chi_square_ratio((1.0 - level) / 2.0, dof))
    half = t_quantile(level, n_eff - 1.0) * np.sqrt(variance)
    if scale == "log":
        return value * np.exp(-half), value * np.exp(half)
    if scale == "fisher":
        z = np.arctanh(np.clip(value, -1.0 + 1e-15, 1.0 - 1e-15))
        return np.tanh(z - half), np.tanh(z + half)
    return value - half, value + half


@dataclass(frozen=True)
class Pairing:
    """Everything that the metrics of one pair of series share, so that each piece is computed once."""

    x: Floats
    r: Floats
    moments: Moments

    @classmethod
    def of(cls, x: Floats, r: Floats, m: Moments | None = None) -> Pairing:
        """Pair x with r, both (series, time), float64, NaN = unmatched; `m` are their moments if already known."""
        return cls(x, r, m if m is not None else moments(x, r))

    @cached_property
    def mask(self) -> Booleans:
        """Matched days, (series, time)."""
        return np.isfinite(self.x) & np.isfinite(self.r)

    @cached_property
    def gaps(self) -> Gaps:
        """Pairs of matched days, counted when an interval is asked for."""
        return Gaps.of(self.mask)

    def influence(self, metric: Metric) -> Floats:
        """Influence series of a metric on the scale of its interval, (series, time); 0 where it has no value."""
        assert metric.gradient is not None, f"{metric.name} has no interval"
        m = self.moments
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            parts = metric.gradient(m).parts()
            gradient = np.stack([np.broadcast_to(part, m.n.shape) for part in parts])
        known = np.isfinite(gradient).all(axis=0) & (m.n > 0)
        means = np.where(known, m.stacked(), 0.0)
        return np.asarray(kernels.influence(self.x, self.r, means, np.where(known, gradient, 0.0)))

    def estimate(
        self, metric: Metric, model: Model = "tail_model", level: float = 0.95, minimum: int = MINIMUM_DAYS,
        psi: Floats | None = None,
    ) -> Estimate:  # fmt: skip
        """The metric of every series with its interval; `psi` is its influence series if already known."""
        m = self.moments
        constant = np.zeros(m.n.shape, bool)
        for which in metric.varies:
            constant |= is_constant(m, which)
        value = evaluate(metric, m)
        nothing = np.full(m.n.shape, np.nan)
        if metric.scale is None:
            few = status_of(m.n, m.n, constant, minimum)
            return Estimate(_from(value, m.n, minimum), nothing, nothing, m.n, nothing, few)
        run = MODELS[model](self.influence(metric) if psi is None else psi, self.gaps)
        status = status_of(m.n, run.n_eff, constant, minimum)
        low, high = limits(value, run.variance, run.n_eff, metric.scale, level)
        shown = (status == CODE["ok"]) | (status == CODE["short"])
        return Estimate(
            _from(value, m.n, minimum), np.where(shown, low, np.nan), np.where(shown, high, np.nan),
            m.n, np.where(constant, np.nan, run.n_eff), status,
        )  # fmt: skip


def _from(value: Floats, n: Floats, minimum: int) -> Floats:
    return np.where(n >= minimum, value, np.nan)


def estimate(
    metric: Metric,
    x: npt.ArrayLike,
    r: npt.ArrayLike,
    model: Model = "tail_model",
    level: float = 0.95,
    minimum: int = MINIMUM_DAYS,
) -> Estimate:
    """A metric of a product and a reference with its confidence interval.

    Parameters
    ----------
    metric
        One of `vadose.statistics.METRICS`.
    x, r
        Product and reference, (..., time), equal daily steps, NaN = unmatched.
    model
        How dependence between days is taken into account.
    level
        Nominal coverage.
    minimum
        Fewest matched days for a value.

    Returns
    -------
    Estimate
        Arrays of the leading shape (...).
    """
    product, reference = np.broadcast_arrays(np.asarray(x, float), np.asarray(r, float))
    shape, days = product.shape[:-1], product.shape[-1]
    found = Pairing.of(product.reshape(-1, days), reference.reshape(-1, days)).estimate(metric, model, level, minimum)
    return Estimate(
        found.value.reshape(shape), found.ci_low.reshape(shape), found.ci_high.reshape(shape),
        found.n.reshape(shape), found.n_eff.reshape(shape), found.status.reshape(shape),
    )  # fmt: skip
