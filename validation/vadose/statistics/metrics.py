"""The metric table: every metric is a formula of means, with its gradient for the interval.

The sign is e = product - reference everywhere: a positive bias means too wet. All second moments have ddof 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from vadose.statistics.sums import Moments

Floats = npt.NDArray[np.float64]
Scale = Literal["identity", "log", "fisher", "chi_square"]


@dataclass(frozen=True)
class Gradient:
    """Derivatives of a metric, on the scale of its interval, by each mean of `Moments`."""

    mean_x: Floats | float = 0.0
    mean_r: Floats | float = 0.0
    var_x: Floats | float = 0.0
    var_r: Floats | float = 0.0
    cov: Floats | float = 0.0
    mean_abs: Floats | float = 0.0

    def scaled(self, factor: Floats | float) -> Gradient:
        """All derivatives times `factor`."""
        return Gradient(*(factor * part for part in self.parts()))

    def plus(self, other: Gradient) -> Gradient:
        """Sum of two gradients."""
        return Gradient(*(a + b for a, b in zip(self.parts(), other.parts(), strict=True)))

    def parts(self) -> tuple[Floats | float, ...]:
        """The derivatives in the order of the fields."""
        return (self.mean_x, self.mean_r, self.var_x, self.var_r, self.cov, self.mean_abs)


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes
    ----------
    name
        Id in files and options.
    units
        `m3 m-3` or `1`, for soil moisture.
    of
        Formula of the means.
    better
        `low`, `high`, `zero` (nearest to zero) or `one` (nearest to one).
    scale
        Scale on which the interval is symmetric; None where no interval is defined.
    gradient
        Derivatives on that scale: identity g, log g, Fisher z of g, and for chi_square log g.
    varies
        Which of `x`, `r`, `error` must not be constant.
    """

    name: str
    units: str
    of: Callable[[Moments], Floats]
    better: Literal["low", "high", "zero", "one"]
    scale: Scale | None = None
    gradient: Callable[[Moments], Gradient] | None = None
    varies: tuple[str, ...] = ()


def _correlation_gradient(m: Moments) -> Gradient:
    r = m.correlation
    return Gradient(var_x=-r / (2.0 * m.var_x), var_r=-r / (2.0 * m.var_r), cov=1.0 / (m.std_x * m.std_r))


def _fisher_gradient(m: Moments) -> Gradient:
    return _correlation_gradient(m).scaled(1.0 / np.maximum(1.0 - m.correlation**2, 1e-12))


def _mse_gradient(m: Moments) -> Gradient:
    return Gradient(2.0 * m.bias, -2.0 * m.bias, 1.0, 1.0, -2.0)


def _log_rmse_gradient(m: Moments) -> Gradient:
    return _mse_gradient(m).scaled(1.0 / (2.0 * m.mse))


def _log_ubrmsd_gradient(m: Moments) -> Gradient:
    return Gradient(var_x=1.0, var_r=1.0, cov=-2.0).scaled(1.0 / (2.0 * m.var_error))


def _explained_gradient(m: Moments) -> Gradient:
    return _mse_gradient(m).scaled(-1.0 / m.var_r).plus(Gradient(var_r=m.mse / m.var_r**2))


def _kge_distance(m: Moments) -> Floats:
    return np.sqrt((m.correlation - 1.0) ** 2 + (m.std_x / m.std_r - 1.0) ** 2 + (m.mean_x / m.mean_r - 1.0) ** 2)


def _kge_gradient(m: Moments) -> Gradient:
    spread, level = m.std_x / m.std_r, m.mean_x / m.mean_r
    by_spread = Gradient(var_x=spread / (2.0 * m.var_x), var_r=-spread / (2.0 * m.var_r)).scaled(spread - 1.0)
    by_level = Gradient(mean_x=1.0 / m.mean_r, mean_r=-level / m.mean_r).scaled(level - 1.0)
    inside = _correlation_gradient(m).scaled(m.correlation - 1.0).plus(by_spread).plus(by_level)
    return inside.scaled(-1.0 / np.maximum(_kge_distance(m), 1e-12))


def _slope_gradient(m: Moments) -> Gradient:
    return Gradient(cov=1.0 / m.var_r, var_r=-m.cov / m.var_r**2)


def _intercept_gradient(m: Moments) -> Gradient:
    return Gradient(mean_x=1.0, mean_r=-m.cov / m.var_r).plus(_slope_gradient(m).scaled(-m.mean_r))


WATER = "m3 m-3"

METRICS: tuple[Metric, ...] = (
    Metric("bias", WATER, lambda m: m.bias, "zero", "identity", lambda m: Gradient(mean_x=1.0, mean_r=-1.0)),
    Metric("mae", WATER, lambda m: m.mean_abs, "low", "identity", lambda m: Gradient(mean_abs=1.0)),
    Metric("rmse", WATER, lambda m: np.sqrt(m.mse), "low", "log", _log_rmse_gradient, ("error",)),
    Metric("ubrmsd", WATER, lambda m: np.sqrt(m.var_error), "low", "chi_square", _log_ubrmsd_gradient, ("error",)),
    Metric(
        "nrmsd", "1", lambda m: np.sqrt(m.mse) / m.std_r, "low", "log",
        lambda m: _log_rmse_gradient(m).plus(Gradient(var_r=-0.5 / m.var_r)), ("r", "error"),
    ),
    Metric("mse", "m6 m-6", lambda m: m.mse, "low", "identity", _mse_gradient),
    Metric("mse_bias", "m6 m-6", lambda m: m.bias**2, "low"),
    Metric("mse_variance", "m6 m-6", lambda m: (m.std_x - m.std_r) ** 2, "low"),
    # Twice sigma_x sigma_r (1 - R), written without the quotient so that a constant series gives 0.
    Metric("mse_correlation", "m6 m-6", lambda m: 2.0 * (m.std_x * m.std_r - m.cov), "low"),
    Metric("r", "1", lambda m: m.correlation, "high", "fisher", _fisher_gradient, ("x", "r")),
    Metric("r2_explained", "1", lambda m: 1.0 - m.mse / m.var_r, "high", "identity", _explained_gradient, ("r",)),
    Metric("kge", "1", lambda m: 1.0 - _kge_distance(m), "high", "identity", _kge_gradient, ("x", "r")),
    Metric("slope", "1", lambda m: m.cov / m.var_r, "one", "identity", _slope_gradient, ("r",)),
    Metric(
        "intercept", WATER, lambda m: m.mean_x - m.cov / m.var_r * m.mean_r, "zero", "identity",
        _intercept_gradient, ("r",),
    ),
    Metric(
        "std_ratio", "1", lambda m: m.std_x / m.std_r, "one", "log",
        lambda m: Gradient(var_x=0.5 / m.var_x, var_r=-0.5 / m.var_r), ("x", "r"),
    ),
)  # fmt: skip

_BY_NAME = {metric.name: metric for metric in METRICS}


def metric(name: str) -> Metric:
    """The metric called `name`; an unknown name is a `ValueError` that lists the known ones."""
    if name not in _BY_NAME:
        raise ValueError(f"no metric named {name!r}; known metrics: {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def is_constant(m: Moments, which: str) -> npt.NDArray[np.bool_]:
    """Whether `x`, `r` or their difference (`error`) does not vary beyond rounding; False without days."""
    return {"x": m.constant_x, "r": m.constant_r}[which] if which != "error" else m.var_error <= m.smallest_variance


def evaluate(metric: Metric, m: Moments) -> Floats:
    """Value of a metric; NaN where there is no day or where a series that must vary is constant."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = metric.of(m)
    # A perfect product has a constant error: its RMSE and ubRMSD are a value, without an interval.
    for which in metric.varies:
        if which != "error" and (constant := is_constant(m, which)).any():
            value = np.where(constant, np.nan, value)
    return np.asarray(value)
