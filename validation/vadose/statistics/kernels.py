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
# Days that are summed in the precision of the data.
_RUN = 512


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def _sums(a: Any, b: Any, start: int, stop: int, shift_a: float, shift_b: float) -> Any:
    """Sums of 1, da, db, da da, db db, da db and abs(a - b), da and db being distances from the shifts.

    Over the days from `start` to `stop` on which a and b, (time,), are both finite.
    """
    zero = np.float64(0.0)
    n, sa, sb, saa, sbb, sab, apart = 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    between = shift_a - shift_b
    for t in range(start, stop):
        da, db = np.float64(a[t]) - shift_a, np.float64(b[t]) - shift_b
        difference = da - db
        ok = abs(difference) < np.inf
        da = da if ok else zero
        db = db if ok else zero
        n += 1 if ok else 0
        sa += da
        sb += db
        saa += da * da
        sbb += db * db
        sab += da * db
        apart += abs(difference + between) if ok else 0.0
    return n, sa, sb, saa, sbb, sab, apart


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def pair_means(x: Any, r: Any) -> Any:
    """Count, mean of x and r, their variances, covariance and mean absolute difference, (7, series).

    Over the days on which both, (series, time), are finite; moments are taken about the first such pair.
    """
    series, days = x.shape
    out = np.full((7, series), np.nan)
    if days == 0:
        return out
    for s in range(series):
        a, b = x[s], r[s]
        first = 0
        while first < days - 1 and not (np.isfinite(a[first]) and np.isfinite(b[first])):
            first += 1
        shift_a, shift_b = np.float64(a[first]), np.float64(b[first])
        n, sa, sb, saa, sbb, sab, apart = _sums(a, b, 0, days, shift_a, shift_b)
        out[0, s] = n
        if n > 0:
            mean_a, mean_b = sa / n, sb / n
            out[1, s] = shift_a + mean_a
            out[2, s] = shift_b + mean_b
            out[3, s] = max(saa / n - mean_a * mean_a, 0.0)
            out[4, s] = max(sbb / n - mean_b * mean_b, 0.0)
            out[5, s] = sab / n - mean_a * mean_b
            out[6, s] = apart / n
    return out


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def block_sums(x: Any, r: Any, mean_x: Any, mean_r: Any, base: int) -> Any:
    """Sums over blocks of `base` days of 1, dx, dr, dx dx, dr dr, dx dr and abs(x - r), (series, 7, blocks), float32.

    dx and dr are distances from the means, (series,); over the days on which both x and r, (series, time), are finite.
    """
    series, days = x.shape
    blocks = (days + base - 1) // base
    out = np.zeros((series, 7, blocks), np.float32)
    for s in range(series):
        a, b, mean_a, mean_b = x[s], r[s], mean_x[s], mean_r[s]
        for block in range(blocks):
            n, sx, sr, sxx, srr, sxr, apart = _sums(a, b, block * base, min((block + 1) * base, days), mean_a, mean_b)
            out[s, 0, block], out[s, 1, block], out[s, 2, block] = n, sx, sr
            out[s, 3, block], out[s, 4, block], out[s, 5, block], out[s, 6, block] = sxx, srr, sxr, apart
    return out


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def influence(x: Any, r: Any, means: Any, gradient: Any) -> Any:
    """Influence series of a metric, (series, time), 0 on unmatched days.

    `means` is `pair_means`, (7, series); `gradient` holds the derivatives by the six means, (6, series).
    """
    series, days = x.shape
    psi = np.empty((series, days))
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
def weighted_middles(values: Any, weights: Any, order: Any) -> Any:
    """Weighted medians, (columns,), of ascending values (n,) for columns of weights, (m, columns).

    `order`, (n,), names the rows of weights of the values.
    """
    columns = weights.shape[1]
    total, share = np.zeros(columns), np.zeros(columns)
    for row in order:
        for column in range(columns):
            total[column] += weights[row, column]
    half, tiny = total / 2.0, 1e-12 * total
    # The share only rises: the first value that reaches the half comes after as many as do not.
    low, high = np.zeros(columns, np.int64), np.zeros(columns, np.int64)
    for row in order:
        for column in range(columns):
            share[column] += weights[row, column]
            low[column] += share[column] < half[column] - tiny[column]
            high[column] += share[column] <= half[column] + tiny[column]
    out = np.full(columns, np.nan)
    for column in range(columns):
        if total[column] > 0.0 and high[column] < values.size:
            out[column] = (values[low[column]] + values[high[column]]) / 2.0
    return out


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


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def shifted_means(values: Any, shifts: Any, half: int, minimum: int) -> Any:
    """Mean over `half` days to each side of t + every shift, (series, time); NaN with fewer than `minimum` values."""
    series, days = values.shape
    out = np.empty((series, days))
    total, count = np.zeros(days + 1), np.zeros(days + 1)
    window, number = np.empty(days), np.empty(days)
    for s in range(series):
        for t in range(days):
            ok = np.isfinite(values[s, t])
            total[t + 1] = total[t] + (values[s, t] if ok else 0.0)
            count[t + 1] = count[t] + (1.0 if ok else 0.0)
        window[:], number[:] = 0.0, 0.0
        for shift in shifts:
            for t in range(max(0, -shift - half), min(days, days - shift + half)):
                low, high = max(t + shift - half, 0), min(t + shift + half + 1, days)
                window[t] += total[high] - total[low]
                number[t] += count[high] - count[low]
        for t in range(days):
            out[s, t] = window[t] / number[t] if number[t] >= minimum else np.nan
    return out


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def joint_means(series: Any) -> Any:
    """Count (cells,), means (cells, K) and covariances (cells, K, K), ddof 0, of K aligned series (cells, K, time).

    Over the days on which all K are finite, about the first such day; NaN without one.
    """
    cells, members, days = series.shape
    count = np.zeros(cells)
    mean = np.full((cells, members), np.nan)
    covariance = np.full((cells, members, members), np.nan)
    valid = np.empty(days)
    shifted = np.empty((members, days))
    for s in range(cells):
        valid[:] = 1.0
        for k in range(members):
            for t in range(days):
                valid[t] = valid[t] if np.isfinite(series[s, k, t]) else 0.0
        n = valid.sum()
        count[s] = n
        if n == 0:
            continue
        first = 0
        while valid[first] == 0.0:
            first += 1
        for k in range(members):
            shift = float(series[s, k, first])
            total = 0.0
            for t in range(days):
                shifted[k, t] = float(series[s, k, t]) - shift if valid[t] > 0.0 else 0.0
            # Apart from the stores: in one loop the order of a sum would depend on where the arrays lie in memory.
            for t in range(days):
                total += shifted[k, t]
            mean[s, k] = total / n
        for k in range(members):
            for j in range(k + 1):
                total = 0.0
                for t in range(days):
                    total += shifted[k, t] * shifted[j, t]
                covariance[s, k, j] = covariance[s, j, k] = total / n - mean[s, k] * mean[s, j]
        for k in range(members):
            mean[s, k] += float(series[s, k, first])
    return count, mean, covariance


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def quadratic_influence(series: Any, mean: Any, covariance: Any, gradient: Any) -> Any:
    """Influence series sum_ij G_ij (d_i d_j - C_ij) of a function of covariances, (cells, time), 0 on missing days.

    `gradient` G is symmetric, (cells, K, K), d = `series` - `mean`.
    """
    cells, members, days = series.shape
    psi = np.zeros((cells, days))
    for s in range(cells):
        centre = (gradient[s] * covariance[s]).sum()
        for t in range(days):
            psi[s, t] = -centre
        for i in range(members):
            for j in range(i + 1):
                weight = gradient[s, i, j] * (1.0 if i == j else 2.0)
                if weight != 0.0:
                    for t in range(days):
                        psi[s, t] += weight * (series[s, i, t] - mean[s, i]) * (series[s, j, t] - mean[s, j])
        for k in range(members):
            for t in range(days):
                psi[s, t] = psi[s, t] if np.isfinite(series[s, k, t]) else 0.0
    return psi


@numba.njit(inline="always", fastmath=_FAST)  # type: ignore[untyped-decorator]
def _triple_means(a: Any, b: Any, c: Any) -> Any:
    """As `joint_means` of three series (time,): count, three means, and covariances of aa, bb, cc, ab, ac and bc.

    Runs of days are summed in the precision of the data, the runs in double: single precision errs by 1e-6.
    """
    days = a.size
    zero, one = a.dtype.type(0), a.dtype.type(1)
    first = 0
    while first < days - 1 and not (np.isfinite(a[first]) and np.isfinite(b[first]) and np.isfinite(c[first])):
        first += 1
    shift_a, shift_b, shift_c = a[first], b[first], c[first]
    n, sa, sb, sc = 0.0, 0.0, 0.0, 0.0
    saa, sbb, scc, sab, sac, sbc = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for start in range(0, days, _RUN):
        u, v, w = a[start : start + _RUN], b[start : start + _RUN], c[start : start + _RUN]
        m, ra, rb, rc = zero, zero, zero, zero
        raa, rbb, rcc, rab, rac, rbc = zero, zero, zero, zero, zero, zero
        for t in range(u.size):
            ok = abs(u[t] + v[t] + w[t]) < np.inf
            da = u[t] - shift_a if ok else zero
            db = v[t] - shift_b if ok else zero
            dc = w[t] - shift_c if ok else zero
            m += one if ok else zero
            ra += da
            rb += db
            rc += dc
            raa += da * da
            rbb += db * db
            rcc += dc * dc
            rab += da * db
            rac += da * dc
            rbc += db * dc
        n += m
        sa += ra
        sb += rb
        sc += rc
        saa += raa
        sbb += rbb
        scc += rcc
        sab += rab
        sac += rac
        sbc += rbc
    ma, mb, mc = (sa / n, sb / n, sc / n) if n > 0.0 else (np.nan, np.nan, np.nan)
    per_day = 1.0 / n if n > 0.0 else np.nan
    return (
        n, shift_a + ma, shift_b + mb, shift_c + mc, saa * per_day - ma * ma, sbb * per_day - mb * mb,
        scc * per_day - mc * mc, sab * per_day - ma * mb, sac * per_day - ma * mc, sbc * per_day - mb * mc,
    )  # fmt: skip


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def triple_sums(x: Any, y: Any, z: Any) -> Any:
    """Common days, three means and covariances of xx, yy, zz, xy, xz and yz of series (cells, time), (10, cells)."""
    cells, days = x.shape
    out = np.full((10, cells), np.nan)
    out[0] = 0.0
    if days == 0:
        return out
    for s in range(cells):
        n, ma, mb, mc, aa, bb, cc, ab, ac, bc = _triple_means(x[s], y[s], z[s])
        out[0, s], out[1, s], out[2, s], out[3, s] = n, ma, mb, mc
        out[4, s], out[5, s], out[6, s], out[7, s], out[8, s], out[9, s] = aa, bb, cc, ab, ac, bc
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def triple_values(sums: Any, minimum: float, weakest: float, codes: Any) -> Any:
    """Solution of three data sets from `triple_sums`, without tests of significance.

    `codes` are those of ok, r2_out_of_range, negative_error_variance, weak_correlation, negative_covariance,
    constant_series and few_samples. Gives signal variance, error variance and R2 unchecked, (3, 3, cells); checked the
    standard deviation of error and signal, R2, signal-to-noise ratio in dB and gain, (5, 3, cells); the residual,
    (cells,); codes, (3, cells); and covariances, (cells, 3, 3).
    """
    cells, decibels = sums.shape[1], 10.0 / np.log(10.0)
    unchecked, checked = np.empty((3, 3, cells)), np.full((5, 3, cells), np.nan)
    residual, status, covariance = np.full(cells, np.nan), np.empty((3, cells), np.int8), np.empty((cells, 3, 3))
    for s in range(cells):
        own, pairs = (sums[4, s], sums[5, s], sums[6, s]), (sums[7, s], sums[8, s], sums[9, s])
        negative, weak, constant = False, False, False
        for i, j, pair in ((0, 1, pairs[0]), (0, 2, pairs[1]), (1, 2, pairs[2])):
            covariance[s, i, j] = covariance[s, j, i] = pair
            negative |= not pair > 0.0
            weak |= not (own[i] * own[j] > 0.0 and pair >= weakest * np.sqrt(own[i] * own[j]))
        for k in range(3):
            covariance[s, k, k] = own[k]
            constant |= own[k] <= 1e-14 * max(sums[1 + k, s] ** 2, 1e-6)
        fault = codes[0]
        if sums[0, s] < minimum:
            fault = codes[6]
        elif constant:
            fault = codes[5]
        elif negative:
            fault = codes[4]
        elif weak:
            fault = codes[3]
        for k in range(3):
            near, other, far = pairs[(0, 0, 1)[k]], pairs[(1, 2, 2)[k]], pairs[(2, 1, 0)[k]]
            signal = near * other / far if far != 0.0 else np.nan
            error = own[k] - signal
            r2 = signal / own[k] if own[k] > 0.0 else np.nan
            code = fault
            if fault == codes[0] and not error > 0.0:
                code = codes[2]
            elif fault == codes[0] and not (r2 > 0.0 and r2 < 1.0):
                code = codes[1]
            status[k, s] = code
            unchecked[0, k, s], unchecked[1, k, s], unchecked[2, k, s] = signal, error, r2
            if code == codes[0]:
                residual[s] = 0.0
                checked[0, k, s], checked[1, k, s], checked[2, k, s] = np.sqrt(error), np.sqrt(signal), r2
                checked[3, k, s] = decibels * np.log(signal / error)
        if residual[s] == 0.0:
            checked[4, 0, s], checked[4, 1, s], checked[4, 2, s] = 1.0, pairs[1] / pairs[2], pairs[0] / pairs[2]
    return unchecked, checked, residual, status, covariance


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def seasonal_anomaly(values: Any, season: Any, year: Any, half: int, fewest: int, fewest_years: int) -> Any:
    """Values (series, time) minus the mean of all within `half` days of their day of the year, and years with values.

    `season` is 0 to 364 and `year` counts from 0, (time,).
    """
    series, days = values.shape
    years = year.max() + 1 if days > 0 else 0
    out = np.full((series, days), np.nan)
    seen = np.zeros(series, np.int64)
    for s in range(series):
        total, count = np.zeros(365), np.zeros((years, 365))
        for t in range(days):
            if np.isfinite(values[s, t]):
                total[season[t]] += values[s, t]
                count[year[t], season[t]] += 1.0
        for y in range(years):
            seen[s] += 1 if count[y].sum() > 0 else 0
        mean = np.full(365, np.nan)
        for day in range(365):
            window, n, with_values = 0.0, 0.0, 0
            for y in range(years):
                here = 0.0
                for step in range(-half, half + 1):
                    here += count[y, (day + step) % 365]
                n += here
                with_values += 1 if here > 0 else 0
            for step in range(-half, half + 1):
                window += total[(day + step) % 365]
            if n >= fewest and with_values >= fewest_years:
                mean[day] = window / n
        for t in range(days):
            out[s, t] = values[s, t] - mean[season[t]]
    return out, seen
