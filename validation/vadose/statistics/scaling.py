"""Scaling of a product to a reference, fitted on their common days; extra to the unscaled scores, never instead."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from vadose.statistics.metrics import is_constant
from vadose.statistics.status import CODE, Codes
from vadose.statistics.sums import moments

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[np.floating]

SCALINGS: tuple[str, ...] = ("none", "mean_std", "min_max", "linear", "cdf")
# What a scaling sets by construction: such a metric says nothing of the product (`not_applicable`).
SET_BY_SCALING: dict[str, tuple[str, ...]] = {
    "mean_std": ("bias", "mse_bias", "mse_variance", "std_ratio"),
    "linear": ("bias", "mse_bias"),
}
FEWEST_CDF_DAYS = 200
_DAYS_IN_BIN = 20
_MOST_BINS = 100
# Knots of the line along which values beyond the inner bins are mapped.
_TAIL_KNOTS = 5
_BLOCK = 64
_STEPS = 1024


def scale(name: str, x: npt.ArrayLike, r: npt.ArrayLike) -> tuple[Values, Codes]:
    """Scale x to r.

    Parameters
    ----------
    name
        `none`; `mean_std`: mean and standard deviation of the reference; `min_max`: its range, sensitive to outliers;
        `linear`: signed regression of r on x, which damps the variance by R; `cdf`: piecewise-linear map of
        percentiles.
    x, r
        Product and reference, (..., time), NaN = missing. The map is fitted on their common days and applied to all
        of x.

    Returns
    -------
    scaled, status
        The scaled product, (..., time), NaN for series that cannot be scaled, and codes of shape (...):
        `few_samples`, `constant_series`, and `anticorrelated` where the regression falls.
    """
    product, reference = np.broadcast_arrays(*(np.asarray(one) for one in (x, r)))
    if product.dtype != np.float32 or reference.dtype != np.float32:
        product, reference = product.astype(np.float64, copy=False), reference.astype(np.float64, copy=False)
    if name not in SCALINGS:
        raise ValueError(f"no scaling named {name!r}; known: {', '.join(SCALINGS)}")
    if name == "none":
        return product.copy(), np.zeros(product.shape[:-1], np.int8)
    return _cdf(product, reference) if name == "cdf" else _line(name, product, reference)


def _line(name: str, x: Values, r: Values) -> tuple[Values, Codes]:
    m = moments(x, r)
    at_x, at_r = m.mean_x, m.mean_r
    with np.errstate(divide="ignore", invalid="ignore"):
        if name == "min_max":
            common = np.isfinite(x) & np.isfinite(r)
            (at_x, top_x), (at_r, top_r) = (_range(one, common) for one in (x, r))
            gain = (top_r - at_r) / (top_x - at_x)
        else:
            gain = m.cov / m.var_x if name == "linear" else m.std_r / m.std_x
        scaled = at_r[..., None] + (x - at_x[..., None]) * gain[..., None]
    status = np.where(m.cov <= 0, CODE["anticorrelated"], CODE["ok"]) if name == "linear" else np.zeros(m.n.shape)
    status = np.where(is_constant(m, "x") | is_constant(m, "r"), CODE["constant_series"], status)
    status = np.where(m.n < 2, CODE["few_samples"], status).astype(np.int8)
    return np.asarray(np.where(status[..., None] == CODE["ok"], scaled, np.nan), x.dtype), np.asarray(status, np.int8)


def _range(values: Values, common: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    low = np.where(common, values, np.inf).min(axis=-1).astype(np.float64)
    return low, np.where(common, values, -np.inf).max(axis=-1).astype(np.float64)


def _cdf(x: Values, r: Values) -> tuple[Values, Codes]:
    days = x.shape[-1]
    product, reference = x.reshape(-1, days), r.reshape(-1, days)
    scaled, status = np.empty(product.shape, x.dtype), np.empty(len(product), np.int8)
    codes = np.array([CODE["ok"], CODE["few_samples"], CODE["constant_series"]], np.int8)
    for start in range(0, len(product), _BLOCK):
        rows = slice(start, start + _BLOCK)
        one, two, count = _common(product[rows], reference[rows])
        # Missing values sort behind all others.
        one.sort(axis=1)
        two.sort(axis=1)
        scaled[rows], status[rows] = _matched(product[rows], one, two, count, codes)
    return scaled.reshape(x.shape), status.reshape(x.shape[:-1])


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _common(x: Any, r: Any) -> Any:
    """Both series with their values of common days only, (rows, time), and their number."""
    rows, days = x.shape
    one, two, count = np.empty_like(x), np.empty_like(r), np.zeros(rows, np.int64)
    nothing = x.dtype.type(np.nan)
    for s in range(rows):
        for t in range(days):
            ok = abs(x[s, t] + r[s, t]) < np.inf
            one[s, t] = x[s, t] if ok else nothing
            two[s, t] = r[s, t] if ok else nothing
            count[s] += 1 if ok else 0
    return one, two, count


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _matched(values: Any, ordered_x: Any, ordered_r: Any, count: Any, codes: Any) -> Any:
    """Values mapped by the percentiles of two ordered series, (rows, time), and codes."""
    rows, days = values.shape
    out = np.empty((rows, days), values.dtype)
    status = np.empty(rows, np.int8)
    for s in range(rows):
        n = count[s]
        x, r = ordered_x[s], ordered_r[s]
        status[s] = codes[0]
        if n < FEWEST_CDF_DAYS:
            status[s] = codes[1]
        elif x[0] == x[n - 1] or r[0] == r[n - 1]:
            status[s] = codes[2]
        if status[s] != codes[0]:
            out[s] = np.nan
            continue
        bins = min(_MOST_BINS, n // _DAYS_IN_BIN)
        knots_x, knots_r = _knots(_percentiles(x, n, bins), _percentiles(r, n, bins))
        low, high = (
            _tail(knots_x[: _TAIL_KNOTS + 1], knots_r[: _TAIL_KNOTS + 1], 1),
            _tail(knots_x[-_TAIL_KNOTS - 1 :], knots_r[-_TAIL_KNOTS - 1 :], -2),
        )
        _map(values[s], knots_x, knots_r, low, high, out[s])
    return out, status


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _percentiles(ordered: Any, n: int, bins: int) -> Any:
    """Percentiles 0, 1 / bins, ..., 1 with the plotting position (i - 0.5) / n."""
    out = np.empty(bins + 1)
    for k in range(bins + 1):
        position = min(max(k / bins * n - 0.5, 0.0), n - 1.0)
        below = int(position)
        above = min(below + 1, n - 1)
        out[k] = ordered[below] + (position - below) * (np.float64(ordered[above]) - ordered[below])
    return out


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _knots(x: Any, r: Any) -> Any:
    """Strictly increasing knots: tied x share the mean of r, and r rises evenly through its ties to the next value."""
    knots_x, knots_r = np.empty(x.size), np.empty(x.size)
    size, i = 0, 0
    while i < x.size:
        j = i
        total = 0.0
        while j < x.size and x[j] == x[i]:
            total += r[j]
            j += 1
        knots_x[size], knots_r[size] = x[i], total / (j - i)
        size += 1
        i = j
    i = 0
    while i < size:
        j = i + 1
        while j < size and knots_r[j] == knots_r[i]:
            j += 1
        if j == size and j - i > 1 and i > 0:
            # The highest value is tied: r rises to it from the knot before.
            bottom, first = knots_r[i - 1], i - 1
            for k in range(i, size):
                knots_r[k] = bottom + (knots_r[size - 1] - bottom) * (k - first) / (size - 1 - first)
        elif j < size and j - i > 1:
            bottom, top = knots_r[i], knots_r[j]
            for k in range(i + 1, j):
                knots_r[k] = bottom + (top - bottom) * (k - i) / (j - i)
        i = j
    return knots_x[:size], knots_r[:size]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _tail(x: Any, r: Any, anchor: int) -> float:
    """Slope of the line by least squares through the inner one of two outermost knots and those next to it."""
    first, last = (1, x.size) if anchor == 1 else (0, x.size - 1)
    if last - first < 2:
        first, last = 0, x.size
    mean_x, mean_r = x[first:last].mean(), r[first:last].mean()
    above, below = 0.0, 0.0
    for k in range(first, last):
        above += (x[k] - mean_x) * (r[k] - mean_r)
        below += (x[k] - mean_x) ** 2
    return above / below


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _map(values: Any, x: Any, r: Any, low: float, high: float, out: Any) -> None:
    """Linear between the inner knots, and along lines of slope `low` and `high` beyond them."""
    size = x.size
    inner = 1 if size > 3 else 0
    top = size - 1 - inner
    # A table of equal steps says near which knot to begin, so that few comparisons are left for a value.
    step = (x[size - 1] - x[0]) / _STEPS
    start = np.empty(_STEPS + 1, np.int64)
    knot = 0
    for k in range(_STEPS + 1):
        while knot < size - 2 and x[knot + 1] <= x[0] + k * step:
            knot += 1
        start[k] = knot
    for t in range(values.size):
        value = np.float64(values[t])
        place = min(max((value - x[0]) / step, 0.0), _STEPS + 0.0) if np.isfinite(value) else 0.0
        below = start[int(place)]
        while below < size - 2 and x[below + 1] <= value:
            below += 1
        between = r[below] + (r[below + 1] - r[below]) / (x[below + 1] - x[below]) * (value - x[below])
        between = r[inner] + low * (value - x[inner]) if value < x[inner] else between
        out[t] = r[top] + high * (value - x[top]) if value > x[top] else between
