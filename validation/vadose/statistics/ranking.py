"""Ranks of daily series: mid-ranks on the days that count, and Kendall's tau-b.

A row is ranked by one sort of 32-bit words that hold a coarse value above the day it belongs to; the few days whose
coarse values agree are then put in order by their exact values.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from vadose.statistics.sorting import positions

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[np.floating]

# Rows are worked on in blocks that fit into a processor's cache.
_BLOCK = 64
_LONGEST = 1 << 20


def ranks(values: npt.ArrayLike) -> Values:
    """Mid-ranks 1..n along time, (..., time); ties share their mean rank, NaN stays NaN.

    Spearman's rho is the metric `r` of ranks. float32 stays float32, all else becomes float64.
    """
    array = _floating(values)
    return paired_ranks(array, array)[0]


def paired_ranks(x: npt.ArrayLike, r: npt.ArrayLike) -> tuple[Values, Values]:
    """Mid-ranks of x and of r, both (..., time), over the days on which both have a value; NaN elsewhere."""
    one, two = np.broadcast_arrays(_floating(x), _floating(r))
    days = one.shape[-1]
    if days >= _LONGEST:
        raise ValueError(f"series of fewer than {_LONGEST} days can be ranked, got {days}")
    same = x is r
    rows = one.reshape(-1, days), two.reshape(-1, days)
    out = [np.empty(rows[0].shape, row.dtype) for row in rows[: 1 if same else 2]]
    bits = max(int(days - 1).bit_length(), 1)
    for start in range(0, len(rows[0]), _BLOCK):
        block = [row[start : start + _BLOCK] for row in rows]
        for mine, other, ranked in zip(block, block[::-1], out, strict=False):
            words, count = _words(mine, other, bits)
            words.sort(axis=1)
            _unpacked(words, count, mine, bits, ranked[start : start + _BLOCK])
    first, last = out[0].reshape(one.shape), out[-1].reshape(one.shape)
    return first, last


def _floating(values: npt.ArrayLike) -> Values:
    array = np.asarray(values)
    return array if array.dtype == np.float32 else np.asarray(array, np.float64)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _words(values: Any, other: Any, bits: int) -> Any:
    """A word for each day, its coarse value above the `bits` of the day; the largest words where a value is missing."""
    rows, days = values.shape
    words = np.empty((rows, days), np.uint32)
    count = np.empty(rows, np.int64)
    largest = np.uint32(0xFFFFFFFF)
    top = np.float64((1 << (32 - bits)) - 2)
    plain = np.empty(days, np.float32)
    for s in range(rows):
        row, beside = values[s], other[s]
        n, first = 0, 0.0
        for t in range(days):
            if np.isfinite(row[t]) and np.isfinite(beside[t]):
                first = np.float64(row[t])
                break
        # Single precision is enough to find the range, and a running extreme without branches is fast.
        for t in range(days):
            ok = abs(row[t] + beside[t]) < np.inf
            plain[t] = np.float32(np.float64(row[t]) - first) if ok else np.float32(0.0)
            n += ok
        count[s] = n
        low, high = _range(plain.view(np.int32))
        low, high = 1.000001 * low, 1.000001 * high
        scale = top / (high - low) if high > low else 0.0
        shift = first + low
        for t in range(days):
            ok = abs(row[t] + beside[t]) < np.inf
            coarse = np.int32((np.float64(row[t]) - shift) * scale if ok else 0.0)
            word = (np.uint32(coarse) << np.uint32(bits)) | np.uint32(t)
            words[s, t] = word if ok else largest
    return words, count


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _range(pattern: Any) -> Any:
    """Smallest value below and largest above zero of the floats with these bit patterns, else zero."""
    low, high = np.int32(0), np.int32(0)
    for t in range(pattern.size):
        bits = pattern[t]
        # Without its sign, the pattern of a negative float grows with its size.
        high = max(high, bits)
        below = bits & np.int32(0x7FFFFFFF) if bits < 0 else np.int32(0)
        low = max(low, below)
    found = np.empty(2, np.int32)
    found[0], found[1] = low, high
    sizes = found.view(np.float32)
    return -np.float64(sizes[0]), np.float64(sizes[1])


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _unpacked(words: Any, count: Any, values: Any, bits: int, out: Any) -> None:
    """Mid-ranks from sorted words, written to `out`, (rows, days); days whose coarse values agree are ordered here."""
    rows, days = values.shape
    shift, low = np.uint32(bits), np.uint32((1 << bits) - 1)
    for s in range(rows):
        n = count[s]
        row = words[s]
        for t in range(days):
            out[s, t] = np.nan
        i = 0
        while i < n:
            key = row[i] >> shift
            j = i + 1
            if j == n or (row[j] >> shift) != key:
                out[s, row[i] & low] = i + 1
                i = j
                continue
            while j < n and (row[j] >> shift) == key:
                j += 1
            same = np.empty(j - i, np.float64)
            for k in range(j - i):
                same[k] = values[s, row[i + k] & low]
            order = positions(same)
            first = 0
            while first < j - i:
                last = first + 1
                while last < j - i and same[order[last]] == same[order[first]]:
                    last += 1
                for k in range(first, last):
                    out[s, row[i + order[k]] & low] = i + 0.5 * (first + last + 1)
                first = last
            i = j


def kendall_tau(x: npt.ArrayLike, r: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Kendall's tau-b of x and r, both (series, time), over their common days, and its influence series.

    The influence is that of Fisher z of tau, 0 on unmatched days. NaN for fewer than two days or a constant series.
    The cost is quadratic in the days.
    """
    one, two = np.broadcast_arrays(np.asarray(x, float), np.asarray(r, float))
    tau, psi = np.full(len(one), np.nan), np.zeros(one.shape)
    for s in range(len(one)):
        common = np.isfinite(one[s]) & np.isfinite(two[s])
        if common.sum() < 2:
            continue
        score, tied_x, tied_r = _concordance(one[s][common], two[s][common])
        n = score.size
        pairs = n * (n - 1) / 2.0
        spread = np.sqrt((pairs - tied_x) * (pairs - tied_r))
        if spread > 0:
            tau[s] = score.sum() / 2.0 / spread
            slope = 2.0 / max(1.0 - tau[s] ** 2, 1e-12)
            psi[s, common] = slope * (score / (n - 1) * pairs / spread - tau[s])
    return tau, psi


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})  # type: ignore[untyped-decorator]
def _concordance(a: Any, b: Any) -> Any:
    """Concordant minus discordant partners of each day, and the tied pairs of a and of b."""
    n = a.size
    score, tied_a, tied_b = np.zeros(n), 0, 0
    for i in range(n):
        total, same_a, same_b = 0, 0, 0
        for j in range(n):
            up, right = int(a[j] > a[i]) - int(a[j] < a[i]), int(b[j] > b[i]) - int(b[j] < b[i])
            total += up * right
            same_a += int(a[j] == a[i])
            same_b += int(b[j] == b[i])
        score[i] = total
        tied_a += same_a - 1
        tied_b += same_b - 1
    return score, tied_a / 2.0, tied_b / 2.0
