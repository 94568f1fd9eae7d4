"""Transformer: encoder layers over a window of days, mean pooling."""

from __future__ import annotations

from typing import Any, ClassVar

import numba
import numpy as np
import pydantic
import torch
from torch import Tensor, nn
from torch.nn import functional

from vadose.producer.methods.base import Settings
from vadose.producer.methods.network import clamped
from vadose.producer.methods.selfattention import attended, attended_series, attended_without_gradient, positioned
from vadose.producer.methods.sequence import Drop, SequenceMethod, SequenceNetwork, SequenceSettings

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

    def finish(self, values: Tensor, mixed: Tensor) -> None:
        """Make of `values`, in place, what `forward` gives, from what the attention mixed; products in its kind."""
        kind = mixed.dtype
        values += product(self.mix, mixed, kind)
        normalise(self.after_attention, values)
        wide = product(self.wide, values.to(kind), kind)
        values += product(self.narrow, positive(wide), kind)
        normalise(self.after_feed_forward, values)


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
        values, mixed = positioned(embedded, self.position), attended_series(shared, own, first.heads, kind)
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, EncoderLayer), "the layers are encoder layers"
            if number:
                mixed = attended_without_gradient(product(layer.queries, values.to(kind), kind), layer.heads, kind)
            layer.finish(values, mixed)
        return clamped(self.head(values.mean(dim=1))).view(daily.shape[0], -1, 2)


def product(layer: nn.Linear, values: Tensor, kind: torch.dtype) -> Tensor:
    """A linear layer with its weights in `kind`, that of the values."""
    return functional.linear(values, layer.weight.to(kind), layer.bias.to(kind))


def positive(values: Tensor) -> Tensor:
    """Values and zeros for negative ones, in place; the sign of a bfloat16 is that of an integer of its bits."""
    torch.relu_(values.view(torch.int16) if values.dtype is torch.bfloat16 else values)
    return values


def normalise(norm: nn.LayerNorm, values: Tensor) -> None:
    """Layer normalisation of (..., width), in place."""
    gain, bias = norm.weight.detach().numpy(), norm.bias.detach().numpy()
    _normalise(values.view(-1, values.shape[-1]).numpy(), gain, bias, np.float32(norm.eps))


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def _normalise(values: Any, gain: Any, bias: Any, eps: Any) -> None:
    rows, width = values.shape
    part = np.float32(1.0) / np.float32(width)
    for n in range(rows):
        row, mean, square = values[n], np.float32(0.0), np.float32(0.0)
        for d in range(width):
            mean += row[d]
        mean *= part
        for d in range(width):
            square += (row[d] - mean) * (row[d] - mean)
        factor = np.float32(1.0) / np.sqrt(square * part + eps)
        for d in range(width):
            row[d] = (row[d] - mean) * factor * gain[d] + bias[d]


class TransformerMethod(SequenceMethod):
    """An encoder of the days x_{t-L+1}...x_t; it sees no day after t."""

    name: ClassVar[str] = "transformer"
    settings_type: ClassVar[type[Settings]] = TransformerSettings

    def network(self, daily: int, static: int, settings: SequenceSettings) -> SequenceNetwork:
        """An untrained network."""
        assert isinstance(settings, TransformerSettings), "settings of another method"
        return Transformer(daily, static, settings)
