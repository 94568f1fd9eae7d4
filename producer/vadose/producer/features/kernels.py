"""The temporal descriptors of windows of observations, compiled.

numpy sorts the windows, many at a time, with the vector instructions of the processor; all order statistics, also
those of distances from the median, are read from the two sorted arrays.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

# NaN must stay NaN: no other fast-math flag where one may come out.
FAST = {"reassoc", "contract", "arcp"}

COUNT = 31
MINIMUM = 30
SEGMENT = 30
PADDED = 32
TEMPLATE = 2
TOLERANCE = 0.2
ENTROPY_VALUES = 1000
POWER = 3.0
# The product of so many numbers in [1, 2) stays finite in double precision.
MANTISSAS = 512
ENTROPY = 17


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def quantile(ordered: Any, n: int, share: float) -> Any:
    """Linear interpolation between the closest ranks of ordered values, as numpy does by default."""
    place = (n - 1) * share
    rank = int(place)
    below = np.float64(ordered[rank])
    return below if place == rank else below + (place - rank) * (np.float64(ordered[rank + 1]) - below)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def nearest(ordered: Any, n: int, centre: float, wanted: int) -> Any:
    """The distance from the centre that has the rank `wanted` (1 is the least), of ordered values."""
    # The `wanted` nearest values lie side by side; their first one is found by halving.
    low, high = 0, n - wanted
    while low < high:
        middle = (low + high) >> 1
        if centre - np.float64(ordered[middle]) > np.float64(ordered[middle + wanted]) - centre:
            low = middle + 1
        else:
            high = middle
    first, last = np.float64(ordered[low]), np.float64(ordered[low + wanted - 1])
    return max(abs(first - centre), abs(last - centre))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def median_distance(ordered: Any, n: int, centre: float) -> Any:
    """Median of the distances of ordered values from the centre."""
    half = (n + 1) // 2
    below = nearest(ordered, n, centre, half)
    return below if n % 2 else (below + nearest(ordered, n, centre, half + 1)) / 2.0


@numba.njit(cache=True, nogil=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def means_of_positive(x: Any, n: int, scratch: Any) -> Any:
    """Harmonic and geometric mean of positive values, with one division for four and one logarithm for many of them.

    `scratch` holds at least n doubles.
    """
    quarter = n // 4
    inverses = 0.0
    for i in range(quarter):
        p, q = np.float64(x[i]), np.float64(x[i + quarter])
        r, s = np.float64(x[i + 2 * quarter]), np.float64(x[i + 3 * quarter])
        pq, rs = p * q, r * s
        scratch[i] = pq * rs
        inverses += ((p + q) * rs + (r + s) * pq) / (pq * rs)
    count = quarter
    for i in range(4 * quarter, n):
        scratch[count] = np.float64(x[i])
        inverses += 1.0 / np.float64(x[i])
        count += 1
    return n / inverses, math.exp(sum_of_logarithms(scratch[:count]) / n)


@numba.njit(cache=True, nogil=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def sum_of_logarithms(values: Any) -> Any:
    """Sum of the logarithms of positive doubles, which are overwritten by their mantissas."""
    bits = values.view(np.int64)
    exponents = np.int64(0)
    for i in range(values.size):
        b = bits[i]
        exponents += (b >> np.int64(52)) - np.int64(1023)
        bits[i] = (b & np.int64(0xFFFFFFFFFFFFF)) | np.int64(0x3FF0000000000000)
    total = 0.0
    for first in range(0, values.size, MANTISSAS):
        part = values[first : first + MANTISSAS]
        product = 1.0
        for i in range(part.size):
            product *= part[i]
        total += math.log(product)
    return total + exponents * math.log(2.0)


@numba.njit(cache=True, nogil=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def segment_correlation(c: Any, n: int, inside: Any, scratch: Any) -> Any:
    """Mean correlation of consecutive segments of a centred series; NaN where none is defined.

    c is at least PADDED - SEGMENT longer than n; `inside` is 1 in a segment and 0 behind it, (PADDED,), so that
    whole vectors of the processor are read; `scratch` holds at least n doubles.
    """
    segments = n // SEGMENT
    squares, products = scratch[:segments], scratch[segments : 2 * segments]
    mean_before = 0.0
    for k in range(segments):
        here, before = c[k * SEGMENT : k * SEGMENT + PADDED], c[max(k - 1, 0) * SEGMENT :]
        s, ss, sp = 0.0, 0.0, 0.0
        for i in range(PADDED):
            v = here[i] * inside[i]
            s += v
            ss += v * v
            sp += v * before[i]
        mean = s / SEGMENT
        squares[k] = ss / SEGMENT - mean * mean
        products[k] = sp / SEGMENT - mean * mean_before
        mean_before = mean
    total, pairs = 0.0, 0
    for k in range(1, segments):
        if squares[k] > 1e-18 and squares[k - 1] > 1e-18:
            total += products[k] / math.sqrt(squares[k] * squares[k - 1])
            pairs += 1
    return total / pairs if pairs else np.nan


@numba.njit(cache=True, nogil=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def sample_entropy(x: Any, n: int, radius: Any) -> Any:
    """-ln(A/B) over the n - 2 templates of two and of three values; NaN where no template of three has a match."""
    two, three = np.int64(0), np.int64(0)
    templates = n - TEMPLATE
    for lag in range(1, templates):
        short, long = np.int32(0), np.int32(0)
        for i in range(templates - lag):
            j = i + lag
            first = abs(x[i] - x[j]) <= radius
            second = abs(x[i + 1] - x[j + 1]) <= radius
            third = abs(x[i + 2] - x[j + 2]) <= radius
            short += np.int32(first & second)
            long += np.int32(first & second & third)
        two += short
        three += long
    return -math.log(three / two) if three > 0 else np.nan


@numba.njit(cache=True, nogil=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def peak_distance(x: Any, day: Any, n: int) -> Any:
    """Mean days between strict local maxima; NaN with fewer than two."""
    count, first, last = np.int32(0), np.int32(n), np.int32(0)
    for i in range(1, n - 1):
        peak = (x[i] > x[i - 1]) & (x[i] > x[i + 1])
        count += np.int32(peak)
        last = max(last, np.int32(i) if peak else np.int32(0))
        first = min(first, np.int32(i) if peak else np.int32(n))
    return (day[last] - day[first]) / (count - 1.0) if count > 1 else np.nan


@numba.njit(cache=True, nogil=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def weighted_means(x: Any, w: Any, n: int) -> Any:
    """Harmonic, geometric and power mean of positive values with weights."""
    weights, inverse, logarithm, power = 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        v = np.float64(x[i])
        weights += w[i]
        inverse += w[i] / v
        logarithm += w[i] * math.log(v)
        power += w[i] * v * v * v
    if not weights > 0.0:
        return np.nan, np.nan, np.nan
    return weights / inverse, math.exp(logarithm / weights), (power / weights) ** (1.0 / POWER)


@numba.njit(cache=True, nogil=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def describe(x: Any, day: Any, w: Any, n: int, ordered: Any, steps: Any, entropy: bool, per_n: bool, c: Any,
             spare: Any, inside: Any, out: Any) -> None:  # fmt: skip
    """Write the descriptors of n values into `out`, (31,), in the order of `descriptors.NAMES`.

    x holds single-precision values without gaps, day their days and w their weights (empty: equal); `ordered` and
    `steps` hold the values and their differences in ascending order; c and spare are scratch of
    n + PADDED doubles, `inside` is what `segment_correlation` reads.
    """
    out[:] = np.nan
    if n < MINIMUM:
        return
    least, greatest = ordered[0], ordered[n - 1]
    constant = least == greatest
    total, squares, cubes = 0.0, 0.0, 0.0
    for i in range(n):
        v = np.float64(x[i])
        total += v
        squares += v * v
        cubes += v * v * v
    mean = np.float64(x[0]) if constant else total / n
    m2, m3, m4, apart = 0.0, 0.0, 0.0, 0.0
    above, below = np.int64(0), np.int64(0)
    for i in range(n):
        v = np.float64(x[i]) - mean
        c[i] = v
        vv = v * v
        m2 += vv
        m3 += vv * v
        m4 += vv * vv
        apart += abs(v)
        above += np.int64(v > 0.0)
        below += np.int64(v < 0.0)
    lagged, travelled = 0.0, 0.0
    for i in range(n - 1):
        lagged += c[i] * c[i + 1]
        travelled += np.float64(abs(x[i + 1] - x[i]))
    variance = m2 / n
    deviation = math.sqrt(variance)
    median, q1 = quantile(ordered, n, 0.5), quantile(ordered, n, 0.25)
    out[0], out[1] = mean, median
    if least > 0.0:
        if w.size > 0:
            out[2], out[3], out[4] = weighted_means(x, w, n)
        else:
            out[2], out[3] = means_of_positive(x, n, spare)
            out[4] = (cubes / n) ** (1.0 / POWER)
    out[5], out[6], out[8] = deviation, variance, apart / n
    out[7] = deviation / mean if mean != 0.0 else np.nan
    out[9] = median_distance(ordered, n, median)
    out[10], out[11] = quantile(ordered, n, 0.75) - q1, math.sqrt(squares / n)
    out[12], out[13], out[16] = least, greatest, q1
    if not constant:
        out[14], out[15] = m3 / n / (variance * deviation), m4 / n / (variance * variance) - 3.0
        out[22] = lagged / m2
    if entropy:
        last = x[max(n - ENTROPY_VALUES, 0) : n]
        out[ENTROPY] = sample_entropy(last, last.size, np.float32(TOLERANCE * deviation))
    difference = np.float64(x[n - 1]) - np.float64(x[0])
    turn = (np.float64(x[n - 1]) - np.float64(x[n - 2])) - (np.float64(x[1]) - np.float64(x[0]))
    out[18], out[19] = difference / (n - 1), quantile(steps, n - 1, 0.5)
    out[20], out[21] = travelled / (n - 1), median_distance(steps, n - 1, 0.0)
    # The second differences of a series sum to its last difference minus its first.
    out[23] = turn / 2.0 / (n - 2)
    out[24], out[25] = segment_correlation(c, n, inside, spare), peak_distance(x, day, n)
    share = 1.0 / n if per_n else 1.0
    out[26], out[27], out[28] = squares * share, total * share, travelled * share
    out[29], out[30] = above * share, below * share


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def gather(values: Any, weights: Any) -> Any:
    """The finite ones of (series, time) values, one series after the other, their days, weights and counts."""
    series, days = values.shape
    x, day = np.empty(series * days, np.float32), np.empty(series * days, np.int32)
    w, counts = np.empty(weights.size), np.zeros(series, np.int64)
    weighted = weights.size > 0
    end = 0
    for s in range(series):
        row, values_here, days_here = values[s], x[end:], day[end:]
        valid = np.int32(0)
        for t in range(days):
            v = np.float32(row[t])
            values_here[t], days_here[t] = v, t
            valid += np.int32(abs(v) < np.inf)
        if weighted:
            w[end : end + days] = weights[s]
        if valid < days:
            n = 0
            for t in range(days):
                v = values_here[t]
                values_here[n], days_here[n] = v, t
                if weighted:
                    w[end + n] = weights[s, t]
                n += int(abs(v) < np.inf)
        counts[s] = valid
        end += int(valid)
    return x[:end], day[:end], w[: end if weighted else 0], counts


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def lay_out(x: Any, begins: Any, ends: Any) -> Any:
    """Values and differences of windows of x as rows, (window, longest) each, filled up with infinity."""
    longest = np.max(ends - begins)
    values = np.empty((begins.size, longest), np.float32)
    steps = np.empty((begins.size, longest), np.float32)
    for k in range(begins.size):
        window, row, differences = x[begins[k] : ends[k]], values[k], steps[k]
        n = window.size
        for i in range(n):
            row[i] = window[i]
        for i in range(n - 1):
            differences[i] = window[i + 1] - window[i]
        row[n:] = np.inf
        differences[max(n - 1, 0) :] = np.inf
    return values, steps


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def describe_windows(x: Any, day: Any, w: Any, begins: Any, ends: Any, ordered: Any, steps: Any, entropy: bool,
                     per_n: bool) -> Any:  # fmt: skip
    """Descriptors (window, 31) of windows of x, whose rows in `ordered` and `steps` are sorted."""
    out = np.empty((begins.size, COUNT))
    c, spare = np.zeros(ordered.shape[1] + PADDED), np.empty(ordered.shape[1] + PADDED)
    inside = (np.arange(PADDED) < SEGMENT).astype(np.float64)
    for k in range(begins.size):
        begin, end = begins[k], ends[k]
        weights = w[begin:end] if w.size > 0 else w
        describe(x[begin:end], day[begin:end], weights, end - begin, ordered[k], steps[k], entropy, per_n, c, spare,
                 inside, out[k])  # fmt: skip
    return out
