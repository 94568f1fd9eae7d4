"""Metrics with confidence intervals that know autocorrelation and gaps.

A smooth metric of means has an influence series, zero on unmatched days; the long-run variance of that series
is the variance of the metric.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vadose.statistics import kernels
from vadose.statistics.distributions import chi_square_ratio, t_quantile
from vadose.statistics.longrun import DAYS_PER_YEAR, MODELS, Gaps, Model, larger, of_squares, tail_model
from vadose.statistics.metrics import Metric, Scale, evaluate, is_constant, metric
from vadose.statistics.ranking import kendall_tau, paired_ranks
from vadose.statistics.status import CODE, Codes
from vadose.statistics.sums import Moments, moments

__all__ = [
    "MINIMUM_DAYS",
    "Estimate",
    "Gaps",
    "Pairing",
    "estimate",
    "kendall",
    "limits",
    "spearman",
    "status_of",
    "tail_model",
]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

MINIMUM_DAYS = 30


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


def limits(value: Floats, variance: Floats, dof: Floats, scale: Scale, level: float = 0.95) -> tuple[Floats, Floats]:
    """Lower and upper end of an interval whose variance, known with `dof` degrees of freedom, holds on `scale`."""
    quantile = t_quantile(level, np.nan_to_num(dof, nan=1.0))
    if scale == "chi_square":
        wider = (quantile / t_quantile(level, 1e7)) ** 2
        free = 1.0 / (2.0 * wider * np.where(variance > 0, variance, np.nan))
        low = value / np.sqrt(chi_square_ratio((1.0 + level) / 2.0, free))
        return low, value / np.sqrt(chi_square_ratio((1.0 - level) / 2.0, free))
    half = quantile * np.sqrt(variance)
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
    year: float = DAYS_PER_YEAR

    @classmethod
    def of(cls, x: Floats, r: Floats, m: Moments | None = None, year: float = DAYS_PER_YEAR) -> Pairing:
        """Pair x with r, both (series, time), float64, NaN = unmatched.

        `m` are their moments if already known; `year` is the number of steps in a year: 12 where they are months.
        """
        return cls(x, r, m if m is not None else moments(x, r), year)

    @cached_property
    def mask(self) -> Booleans:
        """Matched days, (series, time)."""
        return np.isfinite(self.x) & np.isfinite(self.r)

    @cached_property
    def gaps(self) -> Gaps:
        """Pairs of matched days, counted when an interval is asked for."""
        return Gaps.of(self.mask, self.year)

    @cached_property
    def errors(self) -> Floats:
        """Product minus reference without the bias, (series, time); 0 on unmatched days."""
        return np.asarray(np.where(self.mask, self.x - self.r - self.moments.bias[:, None], 0.0))

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

    @cached_property
    def corrected_ubrmsd(self) -> Floats:
        """The unbiased difference without the bias that dependence gives it, for averages, (series,).

        A short dependent record varies less than the process: u^2 n_eff / (n_eff - 1), n_eff of the error, and the
        variance of log u is added to the logarithm, whose mean it lowers. NaN where n_eff is below 3.
        """
        error = tail_model(self.errors, self.gaps)
        log = tail_model(self.influence(metric("ubrmsd")), self.gaps)
        enough = error.n_eff > 3.0
        n_eff = np.where(enough, error.n_eff, np.nan)
        return np.sqrt(self.moments.var_error * n_eff / (n_eff - 1.0)) * np.exp(log.variance)

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
        if metric.scale == "chi_square" and model == "tail_model":
            run = larger(run, of_squares(self.errors, self.gaps))
        status = status_of(m.n, run.n_eff, constant, minimum)
        low, high = limits(value, run.variance, run.dof, metric.scale, level)
        shown = (status == CODE["ok"]) | (status == CODE["short"])
        return Estimate(
            _from(value, m.n, minimum), np.where(shown, low, np.nan), np.where(shown, high, np.nan),
            m.n, np.where(constant, np.nan, run.n_eff), status,
        )  # fmt: skip


def _from(value: Floats, n: Floats, minimum: int) -> Floats:
    return np.where(n >= minimum, value, np.nan)


def spearman(
    x: npt.ArrayLike, r: npt.ArrayLike, model: Model = "tail_model", level: float = 0.95, minimum: int = MINIMUM_DAYS
) -> Estimate:
    """Spearman's rho of x and r, both (series, time), with its interval; the metric `rho` of the tables."""
    one, two = (np.asarray(ranked, np.float64) for ranked in paired_ranks(x, r))
    return Pairing.of(one, two).estimate(metric("r"), model, level, minimum)


def kendall(
    x: npt.ArrayLike, r: npt.ArrayLike, model: Model = "tail_model", level: float = 0.95, minimum: int = MINIMUM_DAYS
) -> Estimate:
    """Kendall's tau-b of x and r, both (series, time), with its interval; the metric `tau` of the tables."""
    one, two = np.asarray(x, float), np.asarray(r, float)
    tau, psi = kendall_tau(one, two)
    gaps = Gaps.of(np.isfinite(one) & np.isfinite(two))
    run = MODELS[model](psi, gaps)
    status = status_of(gaps.n, run.n_eff, ~np.isfinite(tau), minimum)
    low, high = limits(tau, run.variance, run.dof, "fisher", level)
    shown = (status == CODE["ok"]) | (status == CODE["short"])
    low, high = (np.where(shown, end, np.nan) for end in (low, high))
    return Estimate(_from(tau, gaps.n, minimum), low, high, gaps.n, run.n_eff, status)


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
