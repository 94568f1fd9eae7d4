"""Transformer: encoder layers over a window of days, mean pooling."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numba
import numpy as np
import pydantic
import torch
from torch import Tensor, nn
from torch.nn import functional

from vadose.producer.methods.base import Settings
from vadose.producer.methods.network import clamped
from vadose.producer.methods.sequence import Drop, SequenceMethod, SequenceNetwork, SequenceSettings

# From so many days on, PyTorch's batched products are faster than its fused attention, whose blocks are larger, and
# than compiled loops.
LONG = 12
ROW = 8
# No other fast-math flag.
_FAST = {"reassoc", "contract"}


class TransformerSettings(SequenceSettings):
    """Size of the encoder."""

    width: int = pydantic.Field(default=64, ge=4, le=1024)
    heads: int = pydantic.Field(default=4, ge=1, le=32)
    layers: int = pydantic.Field(default=2, ge=1, le=8)
    feed_forward: int = pydantic.Field(default=128, ge=1, le=4096)

    @pydantic.model_validator(mode="after")
    def _divisible(self) -> TransformerSettings:
        if self.width % self.heads:
            raise ValueError(f"heads must divide width, got {self.heads} and {self.width}")
        return self


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward network, each added to its input and normalised (Vaswani 2017)."""

    def __init__(self, width: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.wide = nn.Linear(width, feed_forward)
        self.narrow = nn.Linear(feed_forward, width)
        self.after_attention = nn.LayerNorm(width)
        self.after_feed_forward = nn.LayerNorm(width)

    def forward(self, values: Tensor, drop: Drop) -> Tensor:
        """From (window, day, width) to the same shape."""
        mixed = attended(self.queries(values), self.heads)
        values = self.after_attention(values + drop(self.mix(mixed).float()))
        seen = self.narrow(drop(torch.relu(self.wide(values)).float()))
        return torch.as_tensor(self.after_feed_forward(values + drop(seen.float())))

    def finish(self, values: Tensor, queries: Tensor, kind: torch.dtype) -> Tensor:
        """The same from the queries, keys and values of the attention on, with products in `kind`; `values` change."""
        mixed = attended_without_gradient(queries, self.heads, kind)
        values += product(self.mix, mixed, kind)
        values = normalised(self.after_attention, values)
        wide = product(self.wide, values.to(kind), kind)
        values += product(self.narrow, torch.relu_(wide), kind)
        return normalised(self.after_feed_forward, values)


class Transformer(SequenceNetwork):
    """Linear embedding plus a learned position, encoder layers, the mean over the days, a Gaussian head."""

    def __init__(self, daily: int, static: int, settings: TransformerSettings) -> None:
        super().__init__()
        self.days = settings.sequence_days
        self.inputs = nn.Linear(daily + static, settings.width)
        self.position = nn.Parameter(0.1 * torch.randn(settings.sequence_days, settings.width))
        self.layers = nn.ModuleList(
            EncoderLayer(settings.width, settings.heads, settings.feed_forward) for _ in range(settings.layers)
        )
        self.head = nn.Linear(settings.width, 2)

    def embed(self, daily: Tensor, static: Tensor) -> Tensor:
        """Each day alone, without its position in a window."""
        count = daily.shape[-1]
        seen = functional.linear(daily, self.inputs.weight[:, :count])
        return seen + functional.linear(static, self.inputs.weight[:, count:], self.inputs.bias)[..., None, :]

    def summarise(self, embedded: Tensor, *, drop: Drop, reduced: bool) -> Tensor:
        """Mean and log variance (window, 2)."""
        values = drop(embedded + self.position)
        for layer in self.layers:
            with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
                values = layer(values, drop)
        return clamped(self.head(values.float().mean(dim=1)))

    def series(self, daily: Tensor, static: Tensor, *, reduced: bool) -> Tensor:
        """Outputs (cell, day, 2) of all windows in series (cell, day, channel).

        A day is embedded once for all windows that hold it, and so are its queries, keys and values in the first
        layer: they are linear, so that those of its position in the window are added.
        """
        kind = torch.bfloat16 if reduced else torch.float32
        first = self.layers[0]
        assert isinstance(first, EncoderLayer), "the layers are encoder layers"
        embedded = self.embed(daily, static)
        shared = product(first.queries, embedded.to(kind), kind)
        own = functional.linear(self.position.to(kind), first.queries.weight.to(kind))
        values, queries = positioned(embedded, self.position), positioned(shared, own)
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, EncoderLayer), "the layers are encoder layers"
            if number:
                queries = product(layer.queries, values.to(kind), kind)
            values = layer.finish(values, queries, kind)
        return clamped(self.head(values.mean(dim=1))).view(daily.shape[0], -1, 2)


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
    # Rows of a whole number of vectors; queries of zeros fill them.
    parts = torch.zeros(3, windows, heads, -(-days // ROW) * ROW, size)
    parts[:, :, :, :days] = queries.view(windows, days, 3, heads, size).permute(2, 0, 3, 1, 4)
    query, key, value = parts.flatten(1, 2)
    scores = torch.baddbmm(
        query.new_empty(1), key[:, :days], query.transpose(1, 2), beta=0.0, alpha=1 / math.sqrt(size)
    )
    _softmax(scores.numpy())
    pooled = torch.bmm(scores.transpose(1, 2), value[:, :days])
    together = torch.empty((windows, days, heads, size), dtype=kind)
    together.copy_(pooled.view(windows, heads, -1, size)[:, :, :days].transpose(1, 2))
    return together.view(windows, days, width // 3)


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


def product(layer: nn.Linear, values: Tensor, kind: torch.dtype) -> Tensor:
    """A linear layer with its weights in `kind`, that of the values."""
    return functional.linear(values, layer.weight.to(kind), layer.bias.to(kind))


def normalised(norm: nn.LayerNorm, values: Tensor) -> Tensor:
    """A layer normalisation of (..., width)."""
    return functional.layer_norm(values, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


class TransformerMethod(SequenceMethod):
    """An encoder of the days x_{t-L+1}...x_t; it sees no day after t."""

    name: ClassVar[str] = "transformer"
    settings_type: ClassVar[type[Settings]] = TransformerSettings

    def network(self, daily: int, static: int, settings: SequenceSettings) -> SequenceNetwork:
        """An untrained network."""
        assert isinstance(settings, TransformerSettings), "settings of another method"
        return Transformer(daily, static, settings)
