"""Quantiles and tail probabilities of the normal, Student's t and chi-square for real degrees of freedom."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_TABLE = np.linspace(0.0, 1.0, 2001)
_LARGEST_DOF = 1e7


def _integral(log_density: Floats, width: Floats) -> Floats:
    return (np.exp(log_density) @ _WEIGHTS) * width / 2.0


def t_tail(t: npt.ArrayLike, dof: npt.ArrayLike) -> Floats:
    """Probability that Student's t exceeds `t` (>= 0), for `dof` >= 1.

    With t = sqrt(dof) tan(a) the density is proportional to cos(a)^(dof - 1), which Gauss-Legendre
    quadrature integrates to about 1e-12.
    """
    t, dof = np.broadcast_arrays(np.asarray(t, float), np.minimum(np.asarray(dof, float), _LARGEST_DOF))
    end = np.minimum(np.pi / 2, 14.0 / np.sqrt(dof))
    angle = np.minimum(np.arctan(t / np.sqrt(dof)), end)

    def between(low: Floats, high: Floats) -> Floats:
        at = low[..., None] + (high - low)[..., None] * (_NODES + 1.0) / 2.0
        return _integral((dof[..., None] - 1.0) * np.log(np.maximum(np.cos(at), 1e-300)), high - low)

    return np.asarray(between(angle, end) / (2.0 * between(np.zeros_like(end), end)))


def t_p_value(t: npt.ArrayLike, dof: npt.ArrayLike) -> Floats:
    """Two-sided p-value of Student's t; NaN stays NaN."""
    t = np.abs(np.asarray(t, float))
    p = 2.0 * t_tail(np.nan_to_num(t, nan=0.0, posinf=1e30), np.nan_to_num(np.maximum(dof, 1.0), nan=1.0))
    return np.where(np.isfinite(t) | np.isinf(t), np.clip(p, 0.0, 1.0), np.nan)


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)


def normal_p_value(z: npt.ArrayLike) -> Floats:
    """Two-sided p-value of a standard normal; NaN stays NaN."""
    return t_p_value(z, _LARGEST_DOF)


@lru_cache(maxsize=8)
def _t_table(level: float) -> Floats:
    dof = 1.0 / np.maximum(_TABLE, 1.0 / _LARGEST_DOF)
    low, high = np.zeros_like(dof), np.full_like(dof, 1e4)
    for _ in range(60):
        middle = (low + high) / 2.0
        above = t_tail(middle, dof) > (1.0 - level) / 2.0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray((low + high) / 2.0)


def t_quantile(level: float, dof: npt.ArrayLike) -> Floats:
    """Half-width in standard errors of a two-sided interval, for `dof` >= 1.

    Examples
    --------
    >>> float(t_quantile(0.95, 10.0).round(3))
    2.228
    """
    inverse = 1.0 / np.maximum(np.asarray(dof, float), 1.0)
    return np.asarray(np.interp(inverse, _TABLE, _t_table(level)), float)


@lru_cache(maxsize=16)
def _chi_table(probability: float) -> Floats:
    # y = cube root of chi-square / dof; its density is proportional to y^(3 dof/2 - 1) exp(-dof y^3 / 2).
    s = np.maximum(_TABLE, 1.0 / np.sqrt(_LARGEST_DOF))
    dof = 1.0 / s**2
    spread = np.sqrt(2.0 / 9.0) * s
    bottom, top = np.maximum(1.0 - spread**2 - 10.0 * spread, 0.0), 1.0 + 12.0 * spread

    def below(y: Floats) -> Floats:
        at = bottom[:, None] + (y - bottom)[:, None] * (_NODES + 1.0) / 2.0
        log_density = (1.5 * dof[:, None] - 1.0) * np.log(at) - dof[:, None] * (at**3 - 1.0) / 2.0
        return _integral(log_density, y - bottom)

    whole = below(top)
    low, high = bottom.copy(), top.copy()
    for _ in range(60):
        middle = (low + high) / 2.0
        short = below(middle) < probability * whole
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.asarray((low + high) / 2.0)


def chi_square_ratio(probability: float, dof: npt.ArrayLike) -> Floats:
    """Quantile of chi-square divided by its degrees of freedom, for `dof` >= 1.

    Examples
    --------
    >>> float((chi_square_ratio(0.95, 10.0) * 10).round(2))
    18.31
    """
    s = 1.0 / np.sqrt(np.maximum(np.asarray(dof, float), 1.0))
    return np.asarray(np.interp(s, _TABLE, _chi_table(probability)), float) ** 3
