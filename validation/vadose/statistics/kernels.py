"""Loops over days, compiled: means of a pair of series, and influence series.

The compiled code is kept in the cache of numba, so that only the first use after an installation takes a second.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# NaN must stay NaN: no other fast-math flag.
_FAST = {"reassoc", "contract"}


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def pair_means(x: Any, r: Any) -> Any:
    """Count, mean of x and r, their variances, covariance and mean absolute difference, (7, series).

    Over the days on which both, (series, time), are finite; moments are taken about the first such pair.
    """
    series, days = x.shape
    out = np.full((7, series), np.nan)
    for s in range(series):
        cx, cr = 0.0, 0.0
        for t in range(days):
            if np.isfinite(x[s, t]) and np.isfinite(r[s, t]):
                cx, cr = x[s, t], r[s, t]
                break
        n, sx, sr, sxx, srr, sxr, apart = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(days):
            ok = np.isfinite(x[s, t]) and np.isfinite(r[s, t])
            dx = x[s, t] - cx if ok else 0.0
            dr = r[s, t] - cr if ok else 0.0
            n += 1.0 if ok else 0.0
            sx += dx
            sr += dr
            sxx += dx * dx
            srr += dr * dr
            sxr += dx * dr
            apart += abs(x[s, t] - r[s, t]) if ok else 0.0
        out[0, s] = n
        if n > 0:
            mx, mr = sx / n, sr / n
            out[1, s] = cx + mx
            out[2, s] = cr + mr
            out[3, s] = max(sxx / n - mx * mx, 0.0)
            out[4, s] = max(srr / n - mr * mr, 0.0)
            out[5, s] = sxr / n - mx * mr
            out[6, s] = apart / n
    return out


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def influence(x: Any, r: Any, means: Any, gradient: Any) -> Any:
    """Influence series of a metric, (series, time), 0 on unmatched days.

    `means` is `pair_means`, (7, series); `gradient` holds the derivatives by the six means, (6, series).
    """
    series, days = x.shape
    psi = np.zeros((series, days))
    for s in range(series):
        a, b, c, d, e, f = (
            gradient[0, s], gradient[1, s], gradient[2, s], gradient[3, s], gradient[4, s], gradient[5, s],
        )  # fmt: skip
        mx, mr = means[1, s], means[2, s]
        centre = c * means[3, s] + d * means[4, s] + e * means[5, s] + f * means[6, s]
        for t in range(days):
            ok = np.isfinite(x[s, t]) and np.isfinite(r[s, t])
            dx, dr = x[s, t] - mx, r[s, t] - mr
            value = a * dx + b * dr + c * dx * dx + d * dr * dr + e * dx * dr + f * abs(x[s, t] - r[s, t]) - centre
            psi[s, t] = value if ok else 0.0
    return psi


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def moving_mean(values: Any, half: int, minimum: int) -> Any:
    """Centred mean over 2 `half` + 1 days, (series, time); NaN with fewer than `minimum` values."""
    series, days = values.shape
    out = np.full((series, days), np.nan)
    total, count = np.zeros(days + 1), np.zeros(days + 1)
    for s in range(series):
        for t in range(days):
            ok = np.isfinite(values[s, t])
            total[t + 1] = total[t] + (values[s, t] if ok else 0.0)
            count[t + 1] = count[t] + (1.0 if ok else 0.0)
        for t in range(days):
            low, high = max(t - half, 0), min(t + half + 1, days)
            n = count[high] - count[low]
            if n >= minimum:
                out[s, t] = (total[high] - total[low]) / n
    return out
