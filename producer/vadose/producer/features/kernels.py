"""The temporal descriptors of one series, compiled.

Order statistics are found by counting instead of sorting: counting how many values lie below a threshold runs over all
lanes of the processor, and a few thresholds, guessed by interpolation, are enough.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

# NaN must stay NaN: no other fast-math flag where one may come out.
FAST = {"reassoc", "contract", "arcp"}
# For functions that neither see nor return NaN.
FINITE = {*FAST, "nnan", "nsz"}

COUNT = 31
MINIMUM = 30
SEGMENT = 30
TEMPLATE = 2
TOLERANCE = 0.2
ENTROPY_VALUES = 1000
POWER = 3.0
# Thresholds that are guessed by interpolation before the search goes on bit by bit.
GUESSES = 24
# The product of so many numbers in [1, 2) stays finite in double precision.
MANTISSAS = 512
ENTROPY = 17


@numba.njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def as_key(bits: Any) -> Any:
    """An integer that is ordered as the single-precision number with these bits."""
    return bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))


@numba.njit(cache=True, nogil=True, fastmath=FINITE)  # type: ignore[untyped-decorator]
def at_most(x: Any, n: int, threshold: Any) -> Any:
    """How many of the first n values are at most the threshold."""
    count = np.int32(0)
    for i in range(n):
        count += np.int32(x[i] <= threshold)
    return count


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def bounds(x: Any, n: int, threshold: Any, pair: Any) -> Any:
    """Greatest value at most the threshold, and least value above it; `pair` is scratch of two numbers."""
    keys, found = x[:n].view(np.int32), pair.view(np.int32)
    pair[0] = threshold
    limit, below, above = as_key(found[0]), np.int32(-(2**31)), np.int32(2**31 - 1)
    for i in range(n):
        key = as_key(keys[i])
        inside = key <= limit
        below = max(below, key if inside else np.int32(-(2**31)))
        above = min(above, np.int32(2**31 - 1) if inside else key)
    found[0], found[1] = as_key(below), as_key(above)
    return pair[0], pair[1]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def extremes(x: Any, n: int, pair: Any) -> Any:
    """Least and greatest of the first n values; `pair` is scratch of two numbers."""
    keys, found = x[:n].view(np.int32), pair.view(np.int32)
    least, greatest = np.int32(2**31 - 1), np.int32(-(2**31))
    for i in range(n):
        key = as_key(keys[i])
        least, greatest = min(least, key), max(greatest, key)
    found[0], found[1] = as_key(least), as_key(greatest)
    return pair[0], pair[1]


@numba.njit(cache=True, nogil=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def bit_by_bit(x: Any, n: int, wanted: int) -> Any:
    """The value of rank `wanted` (1 is the least), also among ties."""
    keys = x[:n].view(np.int32)
    low, high = np.int64(-(2**31)), np.int64(2**31 - 1)
    while low < high:
        middle = (low + high) >> 1
        count = np.int32(0)
        threshold = np.int32(middle)
        for i in range(n):
            count += np.int32(as_key(keys[i]) <= threshold)
        if count >= wanted:
            high = middle
        else:
            low = middle + 1
    found = np.empty(1, np.int32)
    found[0] = as_key(np.int32(low))
    return found.view(np.float32)[0]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def ranked(x: Any, n: int, wanted: int, least: Any, greatest: Any, pair: Any) -> Any:
    """The values of rank `wanted` and `wanted` + 1 of the first n, which lie in [least, greatest]."""
    low, high = float(least), float(greatest)
    count_low, count_high = 0, n
    for guess in range(GUESSES):
        share = (wanted - count_low + 0.5) / (count_high - count_low + 1.0)
        if guess % 5 == 4:
            share = 0.5
        threshold = np.float32(low + share * (high - low))
        count = at_most(x, n, threshold)
        if count == wanted:
            return bounds(x, n, threshold, pair)
        if count < wanted:
            low, count_low = float(threshold), count
        else:
            high, count_high = float(threshold), count
    value = bit_by_bit(x, n, wanted)
    if at_most(x, n, value) > wanted:
        return value, value
    return value, bounds(x, n, value, pair)[1]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def quantile(x: Any, n: int, share: float, least: Any, greatest: Any, pair: Any) -> Any:
    """Linear interpolation between the closest ranks, as numpy does by default."""
    place = (n - 1) * share
    rank = int(place)
    below, above = ranked(x, n, rank + 1, least, greatest, pair)
    if place == rank:
        return np.float64(below)
    return below + (place - rank) * (np.float64(above) - below)


@numba.njit(cache=True, nogil=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def mean_logarithm(x: Any, n: int) -> Any:
    """Mean of the logarithms of positive values, with one logarithm for many of them."""
    exponents = np.int64(0)
    total = 0.0
    bits = x[:n].view(np.int32)
    scratch = np.empty(MANTISSAS, np.float32)
    whole = scratch.view(np.int32)
    for first in range(0, n, MANTISSAS):
        size = min(MANTISSAS, n - first)
        for i in range(size):
            b = bits[first + i]
            exponents += (b >> np.int32(23)) - np.int32(127)
            whole[i] = (b & np.int32(0x7FFFFF)) | np.int32(0x3F800000)
        product = 1.0
        for i in range(size):
            product *= np.float64(scratch[i])
        total += math.log(product)
    return (total + exponents * math.log(2.0)) / n


@numba.njit(cache=True, nogil=True, fastmath=FAST)  # type: ignore[untyped-decorator]
def segment_correlation(c: Any, n: int) -> Any:
    """Mean correlation of consecutive segments of a centred series; NaN where none is defined."""
    total, pairs = 0.0, 0
    mean_before, square_before = 0.0, 0.0
    for k in range(n // SEGMENT):
        first = k * SEGMENT
        s, ss, sp = 0.0, 0.0, 0.0
        before = max(first - SEGMENT, 0)
        for i in range(SEGMENT):
            v = c[first + i]
            s += v
            ss += v * v
            sp += v * c[before + i]
        mean = s / SEGMENT
        square = ss / SEGMENT - mean * mean
        product = sp / SEGMENT - mean * mean_before
        if k > 0 and square > 1e-18 and square_before > 1e-18:
            total += product / math.sqrt(square * square_before)
            pairs += 1
        mean_before, square_before = mean, square
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
def describe(x: Any, day: Any, w: Any, n: int, weighted: bool, entropy: bool, per_n: bool, c: Any, d: Any, a: Any,
             out: Any) -> None:  # fmt: skip
    """Write the descriptors of the first n values into `out`, (31,), in the order of `descriptors.NAMES`.

    x holds single-precision values without gaps, day and w their days and weights; c (double), d and a (single) are
    scratch of the same length.
    """
    out[:] = np.nan
    if n < MINIMUM:
        return
    pair = np.empty(2, np.float32)
    least, greatest = extremes(x, n, pair)
    constant = least == greatest
    total, squares, cubes = 0.0, 0.0, 0.0
    for i in range(n):
        v = np.float64(x[i])
        total += v
        squares += v * v
        cubes += v * v * v
    mean = np.float64(x[0]) if constant else total / n
    m2, m3, m4, apart = 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        v = np.float64(x[i]) - mean
        c[i] = v
        vv = v * v
        m2 += vv
        m3 += vv * v
        m4 += vv * vv
        apart += abs(v)
    lagged, steps = 0.0, 0.0
    for i in range(n - 1):
        d[i] = x[i + 1] - x[i]
        a[i] = abs(d[i])
        lagged += c[i] * c[i + 1]
        steps += np.float64(a[i])
    above, below = np.int64(0), np.int64(0)
    for i in range(n):
        above += np.int64(c[i] > 0.0)
        below += np.int64(c[i] < 0.0)
    variance = m2 / n
    deviation = math.sqrt(variance)
    median = quantile(x, n, 0.5, least, greatest, pair)
    q1, q3 = quantile(x, n, 0.25, least, greatest, pair), quantile(x, n, 0.75, least, greatest, pair)
    down, up = extremes(d, n - 1, pair)
    median_step = quantile(d, n - 1, 0.5, down, up, pair)
    median_size = quantile(a, n - 1, 0.5, np.float32(0.0), max(up, -down), pair)
    for i in range(n):
        a[i] = np.float32(abs(np.float64(x[i]) - median))
    out[0], out[1] = mean, median
    if least > 0.0:
        if weighted:
            out[2], out[3], out[4] = weighted_means(x, w, n)
        else:
            inverse = 0.0
            for i in range(n):
                inverse += 1.0 / np.float64(x[i])
            out[2], out[3], out[4] = n / inverse, math.exp(mean_logarithm(x, n)), (cubes / n) ** (1.0 / POWER)
    out[5], out[6], out[8] = deviation, variance, apart / n
    out[7] = deviation / mean if mean != 0.0 else np.nan
    farthest = np.float32(max(np.float64(greatest) - median, median - np.float64(least)))
    out[9] = quantile(a, n, 0.5, np.float32(0.0), farthest, pair)
    out[10], out[11] = q3 - q1, math.sqrt(squares / n)
    out[12], out[13], out[16] = least, greatest, q1
    if not constant:
        out[14], out[15] = m3 / n / (variance * deviation), m4 / n / (variance * variance) - 3.0
        out[22] = lagged / m2
    if entropy:
        last = x[max(n - ENTROPY_VALUES, 0) : n]
        out[ENTROPY] = sample_entropy(last, last.size, np.float32(TOLERANCE * deviation))
    difference = np.float64(x[n - 1]) - np.float64(x[0])
    turn = (np.float64(x[n - 1]) - np.float64(x[n - 2])) - (np.float64(x[1]) - np.float64(x[0]))
    out[18], out[19], out[20], out[21] = difference / (n - 1), median_step, steps / (n - 1), median_size
    # The second differences of a series sum to its last difference minus its first.
    out[23] = turn / 2.0 / (n - 2)
    out[24], out[25] = segment_correlation(c, n), peak_distance(x, day, n)
    share = 1.0 / n if per_n else 1.0
    out[26], out[27], out[28] = squares * share, total * share, steps * share
    out[29], out[30] = above * share, below * share


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def describe_all(values: Any, weights: Any, entropy: bool, per_n: bool) -> Any:
    """Descriptors (series, 31) of (series, time) values with gaps; weights of the same shape or of size 0."""
    series, days = values.shape
    out = np.empty((series, COUNT))
    x, d, a = np.empty(days, np.float32), np.empty(days, np.float32), np.empty(days, np.float32)
    w, c = np.empty(days), np.empty(days)
    day = np.empty(days, np.int32)
    weighted = weights.size > 0
    for s in range(series):
        n = 0
        for t in range(days):
            v = np.float32(values[s, t])
            x[n], day[n] = v, t
            if weighted:
                w[n] = weights[s, t]
            n += 1 if abs(v) < np.inf else 0
        describe(x, day, w, n, weighted, entropy, per_n, c, d, a, out[s])
    return out


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def describe_trailing(values: Any, weights: Any, first: int, length: int, entropy: bool, per_n: bool) -> Any:
    """Descriptors (series, days from `first` on, 31) of the `length` days before each day.

    A window with the observations of the day before has the same descriptors, which are then copied.
    """
    series, days = values.shape
    out = np.empty((series, days - first, COUNT))
    x, d, a = np.empty(days, np.float32), np.empty(days, np.float32), np.empty(days, np.float32)
    w, c = np.empty(days), np.empty(days)
    day = np.empty(days, np.int32)
    weighted = weights.size > 0
    for s in range(series):
        n = 0
        for t in range(days):
            v = np.float32(values[s, t])
            if abs(v) < np.inf:
                x[n], day[n] = v, t
                if weighted:
                    w[n] = weights[s, t]
                n += 1
        begin, end, begin_before, end_before = 0, 0, -1, -1
        for t in range(first, days):
            while end < n and day[end] < t:
                end += 1
            while begin < end and day[begin] < t - length:
                begin += 1
            row = out[s, t - first]
            if begin == begin_before and end == end_before:
                row[:] = out[s, t - first - 1]
            else:
                describe(
                    x[begin:end], day[begin:end], w[begin:end], end - begin, weighted, entropy, per_n, c, d, a, row
                )
            begin_before, end_before = begin, end
    return out
