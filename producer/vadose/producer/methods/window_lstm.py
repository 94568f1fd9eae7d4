"""An LSTM over a window of days: in one or both directions, its last states or all of them pooled by attention."""

from __future__ import annotations

from typing import Literal

import pydantic
import torch
from torch import Tensor, nn
from torch.nn import functional

from vadose.producer.methods.attention import AttentionScore
from vadose.producer.methods.network import clamped
from vadose.producer.methods.sequence import Drop, SequenceMethod, SequenceNetwork, SequenceSettings


class WindowLstmSettings(SequenceSettings):
    """Size of the LSTM.

    Its states are pooled by attention with `score`, or with `last` those at the end of each direction are read.
    `forget_bias` is the first bias of the forget gates.
    """

    hidden: int = pydantic.Field(default=128, ge=1, le=2048)
    layers: int = pydantic.Field(default=2, ge=1, le=4)
    bidirectional: bool = False
    pooling: Literal["last", "relu", "additive"] = "last"
    forget_bias: float = 1.0


class WindowLstm(SequenceNetwork):
    """Linear, ReLU, LSTM layers in one or both directions, attention pooling or the last states, Gaussian head."""

    def __init__(self, daily: int, static: int, settings: WindowLstmSettings) -> None:
        super().__init__()
        self.days, self.hidden = settings.sequence_days, settings.hidden
        self.inputs = nn.Linear(daily + static, settings.hidden)
        width = settings.hidden * (2 if settings.bidirectional else 1)
        sizes = [settings.hidden] + [width] * (settings.layers - 1)
        self.layers = nn.ModuleList(
            nn.LSTM(size, settings.hidden, batch_first=True, bidirectional=settings.bidirectional) for size in sizes
        )
        self.score = None if settings.pooling == "last" else AttentionScore(width, settings.pooling)
        self.head = nn.Linear(width, 2)
        with torch.no_grad():
            for name, parameter in self.layers.named_parameters():
                if "bias_ih" in name:
                    parameter[settings.hidden : 2 * settings.hidden] = settings.forget_bias

    def embed(self, daily: Tensor, static: Tensor) -> Tensor:
        """What enters the LSTM on each day."""
        count = daily.shape[-1]
        seen = functional.linear(daily, self.inputs.weight[:, :count])
        constant = functional.linear(static, self.inputs.weight[:, count:], self.inputs.bias)
        return torch.relu(seen + constant[..., None, :])

    def summarise(self, embedded: Tensor, *, drop: Drop, reduced: bool) -> Tensor:
        """Mean and log variance (window, 2)."""
        states = self._states(embedded, drop, reduced)
        if self.score is not None:
            weights = torch.softmax(self.score(states), dim=1)
            return clamped(self.head((weights[..., None] * states).sum(dim=1)))
        # The backward direction ends on the first day of the window.
        ends = [states[:, -1, : self.hidden], states[:, 0, self.hidden :]]
        return clamped(self.head(torch.cat(ends, dim=-1)))

    def attention(self, daily: Tensor, static: Tensor) -> Tensor | None:
        """Weight of each day of windows, (window, day); they sum to one."""
        if self.score is None:
            return None
        states = self._states(self.embed(daily, static), lambda values: values, reduced=False)
        return torch.softmax(self.score(states), dim=1)

    def _states(self, values: Tensor, drop: Drop, reduced: bool) -> Tensor:
        for layer in self.layers:
            with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
                values, _ = layer(values)
            values = drop(values.float())
        return values


class WindowLstmMethod(SequenceMethod):
    """A method whose network is a `WindowLstm`."""

    def network(self, daily: int, static: int, settings: SequenceSettings) -> SequenceNetwork:
        """An untrained network."""
        assert isinstance(settings, WindowLstmSettings), "settings of another method"
        return WindowLstm(daily, static, settings)
