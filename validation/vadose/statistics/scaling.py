"""Scaling of a product to a reference, fitted on their common days; extra to the unscaled scores, never instead."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vadose.statistics.metrics import is_constant
from vadose.statistics.status import CODE, Codes
from vadose.statistics.sums import moments

Floats = npt.NDArray[np.float64]

SCALINGS: tuple[str, ...] = ("none", "mean_std", "linear", "cdf")
_FEWEST_CDF_DAYS = 200


def scale(name: str, x: npt.ArrayLike, r: npt.ArrayLike) -> tuple[Floats, Codes]:
    """Scale x to r.

    Parameters
    ----------
    name
        `none`; `mean_std`: mean and standard deviation of the reference; `linear`: signed regression of r on x;
        `cdf`: piecewise-linear map of percentiles.
    x, r
        Product and reference, (..., time), NaN = missing.

    Returns
    -------
    scaled, status
        The scaled product, (..., time), NaN for series that cannot be scaled, and codes of shape (...).
    """
    product, reference = np.broadcast_arrays(np.asarray(x, float), np.asarray(r, float))
    if name not in SCALINGS:
        raise ValueError(f"no scaling named {name!r}; known: {', '.join(SCALINGS)}")
    if name == "none":
        return product.copy(), np.zeros(product.shape[:-1], np.int8)
    return _cdf(product, reference) if name == "cdf" else _moments(name, product, reference)


def _moments(name: str, x: Floats, r: Floats) -> tuple[Floats, Codes]:
    m = moments(x, r)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = m.cov / m.var_x if name == "linear" else np.sqrt(m.var_r / m.var_x)
        scaled = m.mean_r[..., None] + (x - m.mean_x[..., None]) * gain[..., None]
    status = np.where(m.cov <= 0, CODE["anticorrelated"], CODE["ok"]) if name == "linear" else np.zeros(m.n.shape)
    status = np.where(is_constant(m, "x") | is_constant(m, "r"), CODE["constant_series"], status)
    status = np.where(m.n < 2, CODE["few_samples"], status).astype(np.int8)
    return np.asarray(np.where(status[..., None] == CODE["ok"], scaled, np.nan)), np.asarray(status, np.int8)


def _cdf(x: Floats, r: Floats) -> tuple[Floats, Codes]:
    scaled = np.full(x.shape, np.nan)
    status = np.zeros(x.shape[:-1], np.int8)
    for index in np.ndindex(x.shape[:-1]):
        common = np.isfinite(x[index]) & np.isfinite(r[index])
        if common.sum() < _FEWEST_CDF_DAYS:
            status[index] = CODE["few_samples"]
            continue
        knots = _percentiles(x[index][common]), _percentiles(r[index][common])
        if np.ptp(knots[0]) == 0 or np.ptp(knots[1]) == 0:
            status[index] = CODE["constant_series"]
            continue
        scaled[index] = _interpolate(x[index], *_increasing(*knots))
    return scaled, status


def _percentiles(values: Floats) -> Floats:
    """Percentiles with the plotting position (i - 0.5) / n, in min(100, n // 20) bins."""
    n = values.size
    probabilities = np.linspace(0.0, 1.0, min(100, n // 20) + 1)
    return np.interp(probabilities, (np.arange(1, n + 1) - 0.5) / n, np.sort(values))


def _increasing(x: Floats, r: Floats) -> tuple[Floats, Floats]:
    """Knots with distinct x; tied ones share the mean of r."""
    distinct, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    return distinct, np.bincount(inverse, weights=r) / counts


def _interpolate(values: Floats, x: Floats, r: Floats) -> Floats:
    """Linear between the knots; beyond them along a line through the five outermost."""
    out = np.interp(values, x, r)
    outer = min(5, x.size)
    for side, beyond, at in (
        (slice(None, outer), values < x[0], 0),
        (slice(-outer, None), values > x[-1], -1),
    ):
        slope = max(np.polyfit(x[side], r[side], 1)[0], 0.0)
        out = np.where(beyond, r[at] + slope * (values - x[at]), out)
    return np.where(np.isfinite(values), out, np.nan)
