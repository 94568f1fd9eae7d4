"""Self-attention within windows of days: with a gradient, and faster without one."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

# From so many days on, PyTorch's batched products are faster than its fused attention, whose blocks are larger, and
# than compiled loops.
LONG = 12
ROW = 8
# No other fast-math flag.
_FAST = {"reassoc", "contract"}


def positioned(values: Tensor, position: Tensor) -> Tensor:
    """Windows (window, day, width) of a series (cell, time, width), with what belongs to the position added."""
    days, width = position.shape
    windows = values.unfold(1, days, 1).transpose(2, 3)
    result = torch.empty(windows.shape, dtype=values.dtype)
    torch.add(windows, position, out=result)
    return result.view(-1, days, width)


def attended(queries: Tensor, heads: int) -> Tensor:
    """Scaled dot-product attention of (window, day, 3 width), computed in float32; (window, day, width)."""
    windows, days, width = queries.shape
    size = width // 3 // heads
    split = queries.view(windows, days, 3, heads, size).permute(2, 0, 3, 1, 4)
    query, key, value = torch.empty(split.shape).copy_(split)
    if days < LONG:
        mixed = functional.scaled_dot_product_attention(query, key, value)
    else:
        query, key, value = (part.view(windows * heads, days, size) for part in (query, key, value))
        with torch.autocast("cpu", enabled=False):
            scores = torch.baddbmm(query.new_empty(1), query, key.transpose(1, 2), beta=0.0, alpha=1 / math.sqrt(size))
            mixed = torch.bmm(torch.softmax(scores, dim=-1), value).view(windows, heads, days, size)
    return mixed.transpose(1, 2).reshape(windows, days, width // 3)


def attended_without_gradient(queries: Tensor, heads: int, kind: torch.dtype) -> Tensor:
    """What `attended` gives, in `kind`.

    PyTorch spends most of its time on the call of each product where windows are short, and on the softmax of short
    rows where they are long.
    """
    windows, days, width = queries.shape
    size = width // 3 // heads
    if days < LONG:
        values = queries.float().numpy()
        shares = np.empty((windows, heads, days, days), np.float32)
        _scores(values, shares)
        torch.from_numpy(shares).exp_()
        mixed = np.empty((windows, days, width // 3), np.float32)
        _mixed(values, shares, mixed)
        return torch.from_numpy(mixed).to(kind)
    split = queries.view(windows, days, 3, heads, size).permute(2, 0, 3, 1, 4)
    query = torch.zeros(windows, heads, vectors(days), size)
    query[:, :, :days] = split[0]
    key, value = torch.empty(split[1:].shape).copy_(split[1:])
    scores = scaled_products(key.flatten(0, 1), query.flatten(0, 1))
    return pooled(scores, value, kind)


def attended_series(series: Tensor, position: Tensor, heads: int, kind: torch.dtype) -> Tensor:
    """What `attended_without_gradient` gives for all windows of a series (cell, time, 3 width).

    `position` (day, 3 width) is added to the days of each window. The product of a query and a key is then the sum of
    four, each of a day or a position with a day or a position, and every one of them is shared by windows.
    """
    cells, span, width = series.shape
    days, size = position.shape[0], width // 3 // heads
    if days < LONG:
        return attended_without_gradient(positioned(series, position), heads, kind)
    filled = functional.pad(position, (0, 0, 0, vectors(days) - days)).expand(cells, -1, -1)
    both = torch.cat([series, filled], dim=1)[..., : 2 * heads * size]
    split = both.view(cells, -1, 2, heads, size).permute(2, 0, 3, 1, 4)
    query, key = torch.empty(split.shape).copy_(split).flatten(1, 2)
    products = scaled_products(key, query).view(cells, heads, *2 * both.shape[1:2])
    scores = torch.empty(cells, span - days + 1, heads, days, vectors(days))
    _windowed(products.numpy(), scores.numpy())
    values = positioned(series[..., -heads * size :], position[:, -heads * size :])
    heads_first = values.view(-1, days, heads, size).transpose(1, 2)
    return pooled(scores.flatten(0, 2), torch.empty(heads_first.shape).copy_(heads_first), kind)


def scaled_products(key: Tensor, query: Tensor) -> Tensor:
    """Products (n, key, query) of keys and queries (n, ..., size), divided by the root of their size."""
    scale = 1 / math.sqrt(key.shape[-1])
    return torch.baddbmm(query.new_empty(1), key, query.transpose(1, 2), beta=0.0, alpha=scale)


def pooled(scores: Tensor, value: Tensor, kind: torch.dtype) -> Tensor:
    """Values (window, head, day, size) pooled by the softmax of scores, which change; (window, day, width)."""
    windows, heads, days, size = value.shape
    _softmax(scores.numpy())
    mixed = torch.bmm(scores.transpose(1, 2), value.flatten(0, 1))
    together = torch.empty((windows, days, heads, size), dtype=kind)
    together.copy_(mixed.view(windows, heads, -1, size)[:, :, :days].transpose(1, 2))
    return together.view(windows, days, heads * size)


def vectors(days: int) -> int:
    """The days and zeros behind them that make a whole number of vectors."""
    return -(-days // ROW) * ROW


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def _scores(queries: Any, out: Any) -> None:
    """Scaled products of queries and keys, less the largest of each query; (window, head, day, day).

    `queries` holds queries, keys and values, (window, day, 3 width).
    """
    windows, heads, days, _ = out.shape
    width = queries.shape[2] // 3
    size = width // heads
    scale = np.float32(1.0 / np.sqrt(size))
    for w in range(windows):
        for h in range(heads):
            low, high = h * size, (h + 1) * size
            for q in range(days):
                query, row, top = queries[w, q, low:high], out[w, h, q], np.float32(-np.inf)
                for k in range(days):
                    key, total = queries[w, k, width + low : width + high], np.float32(0.0)
                    for d in range(size):
                        total += query[d] * key[d]
                    row[k] = total * scale
                    top = max(top, row[k])
                for k in range(days):
                    row[k] -= top


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def _mixed(queries: Any, shares: Any, out: Any) -> None:
    """Values pooled by shares (window, head, day, day) that need not sum to one; (window, day, width)."""
    windows, heads, days, _ = shares.shape
    width = queries.shape[2] // 3
    size = width // heads
    for w in range(windows):
        for h in range(heads):
            low, high = 2 * width + h * size, 2 * width + (h + 1) * size
            for q in range(days):
                row, total = shares[w, h, q], np.float32(0.0)
                for k in range(days):
                    total += row[k]
                pooled, part = out[w, q, h * size : (h + 1) * size], np.float32(1.0) / total
                for d in range(size):
                    pooled[d] = np.float32(0.0)
                for k in range(days):
                    share, value = row[k] * part, queries[w, k, low:high]
                    for d in range(size):
                        pooled[d] += share * value[d]


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def _windowed(products: Any, out: Any) -> None:
    """Scores (cell, window, head, key, query) from products (cell, head, key, query) of days and then positions."""
    cells, count, heads, days, queries = out.shape
    span = count + days - 1
    for c in range(cells):
        for t in range(count):
            for h in range(heads):
                for k in range(days):
                    day, position, row = products[c, h, t + k], products[c, h, span + k], out[c, t, h, k]
                    for q in range(queries):
                        row[q] = (day[t + q] + position[t + q]) + (day[span + q] + position[span + q])


@numba.njit(cache=True, nogil=True, fastmath={*_FAST, "nnan", "nsz"})  # type: ignore[untyped-decorator]
def _softmax(scores: Any) -> None:
    """Softmax of scores (..., key, query) over the keys, in place, to an error of 1e-6.

    The exponential is 2^n p(f) of the whole part n and the rest f, with the polynomial of degree 5 that is nearest on
    [0, 1): a loop that a compiler makes vectors of, as it does not of calls of `exp`.
    """
    count, keys, queries = scores.shape
    top, total = np.empty(queries, np.float32), np.empty(queries, np.float32)
    bits = np.empty(queries, np.int32)
    power = bits.view(np.float32)
    for n in range(count):
        for q in range(queries):
            top[q], total[q] = scores[n, 0, q], np.float32(0.0)
        for k in range(1, keys):
            for q in range(queries):
                top[q] = max(top[q], scores[n, k, q])
        for k in range(keys):
            for q in range(queries):
                exponent = max((scores[n, k, q] - top[q]) * np.float32(1.44269504), np.float32(-126.0))
                whole = np.floor(exponent)
                rest = exponent - whole
                bits[q] = (np.int32(whole) + np.int32(127)) << np.int32(23)
                part = np.float32(1.8775767e-3) * rest + np.float32(8.9893397e-3)
                part = part * rest + np.float32(5.5826318e-2)
                part = part * rest + np.float32(2.4015361e-1)
                part = part * rest + np.float32(6.9315308e-1)
                scores[n, k, q] = part * rest + np.float32(9.9999994e-1)
            for q in range(queries):
                share = scores[n, k, q] * power[q]
                scores[n, k, q] = share
                total[q] += share
        for q in range(queries):
            total[q] = np.float32(1.0) / total[q]
        for k in range(keys):
            for q in range(queries):
                scores[n, k, q] *= total[q]
