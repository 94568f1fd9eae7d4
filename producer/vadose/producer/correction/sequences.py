"""The LSTM of the correction, trained on sequences of days that begin anywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pydantic
import torch
from torch import Tensor, nn

from vadose.common import Progress
from vadose.producer.training.drawing import dropout_factors, seeded
from vadose.producer.training.optimiser import OptimiserSettings, Run, optimise

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
State = tuple[Tensor, Tensor] | None

HIDDEN = 100
# Fixed shape of a stretch of a prediction, so that no byte depends on how much is asked for.
CELLS_AT_ONCE = 128
DAYS_AT_ONCE = 32
CHECKS = 8


class Hyper(pydantic.BaseModel):
    """How one network of the correction is trained.

    An epoch shows every training day of every cell once on average. The loss counts in the second half of a sequence,
    where at least half of its days lie before (our choice: the paper does not say).
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    learning_rate: float = pydantic.Field(default=1e-3, gt=0)
    batch: int = pydantic.Field(default=64, ge=1)
    epochs: int = pydantic.Field(default=200, ge=1)
    sequence: int = pydantic.Field(default=180, ge=2)
    dropout: float = pydantic.Field(default=0.2, ge=0, lt=1)
    activation: Literal["linear", "sigmoid", "relu"] = "linear"
    patience: int | None = pydantic.Field(default=5, ge=1)
    hidden: int = pydantic.Field(default=HIDDEN, ge=1)

    @property
    def spin_up(self) -> int:
        """Days at the begin of a sequence that the loss leaves out."""
        return self.sequence // 2

    def optimiser(self, days: int, cells: int) -> OptimiserSettings:
        """The schedule for so many training days and cells."""
        steps = max(1, math.ceil(self.epochs * days * cells / (self.batch * (self.sequence - self.spin_up))))
        return OptimiserSettings(steps=steps, learning_rate=self.learning_rate, average=0.99, patience=self.patience,
                                 check_every=max(1, steps // CHECKS))  # fmt: skip


class SequenceNetwork(nn.Module):
    """One LSTM layer, dropout over its states, a linear output and its activation."""

    def __init__(self, channels: int, hidden: int, activation: str) -> None:
        super().__init__()
        self.channels, self.hidden, self.activation = channels, hidden, activation
        self.lstm = nn.LSTM(channels, hidden)
        self.head = nn.Linear(hidden, 1)
        with torch.no_grad():
            # A positive output at first: under ReLU a negative one has no gradient.
            self.head.bias.fill_(0.5 if activation != "sigmoid" else 0.0)

    def forward(self, inputs: Tensor, state: State = None, keep: Tensor | None = None) -> tuple[Tensor, State]:
        """Scaled output (time, cell) of channels (time, cell, channel), and the state after the last day."""
        states, state = self.lstm(inputs, state)
        if keep is not None:
            states = states * keep
        raw = self.head(states)[..., 0]
        if self.activation == "sigmoid":
            return torch.sigmoid(raw), state
        return (torch.relu(raw) if self.activation == "relu" else raw), state

    def shape(self) -> dict[str, Any]:
        """What makes an equal network."""
        return {"channels": self.channels, "hidden": self.hidden, "activation": self.activation}


@dataclass(frozen=True)
class Lessons:
    """What a network is trained on: channels (time, cell, channel), and targets between 0 and 1, (time, cell).

    `fit` and `tune` say where `target` and `check` count; `check` may be another target, such as the stations
    themselves. Missing targets are 0.
    """

    inputs: Floats
    target: Floats
    fit: Mask
    check: Floats
    tune: Mask


def fit_network(lessons: Lessons, hyper: Hyper, *, seed: int, fingerprint: str, checkpoint: Path | None,
                progress: Progress, label: str) -> Run[SequenceNetwork]:  # fmt: skip
    """Train one network; see `optimise`. Without anything to tune on the whole schedule runs."""
    days = np.flatnonzero(lessons.fit.any(axis=1))
    first, last = max(int(days[0]) - hyper.spin_up, 0), int(days[-1]) + 1
    cells = np.flatnonzero(lessons.fit.any(axis=0))
    inputs, target = (torch.from_numpy(one[first:last]) for one in (lessons.inputs, lessons.target))
    counts = torch.from_numpy(lessons.fit[first:last].astype(np.float32))
    if not lessons.tune.any():
        hyper = hyper.model_copy(update={"patience": None})
    length = min(hyper.sequence, last - first)
    with seeded(seed):
        network = SequenceNetwork(lessons.inputs.shape[2], hyper.hidden, hyper.activation)

    def loss_of_step(generator: np.random.Generator) -> Tensor:
        chosen = torch.from_numpy(generator.choice(cells, hyper.batch))
        begin = generator.integers(0, last - first - length + 1, hyper.batch)
        span = torch.from_numpy(begin[None, :] + np.arange(length)[:, None])
        weight = counts[span, chosen]
        weight[: min(hyper.spin_up, length - 1)] = 0.0
        keep = dropout_factors(generator, (length, hyper.batch, hyper.hidden), hyper.dropout)
        outputs, _ = network(inputs[span, chosen], keep=keep)
        error: Tensor = weight * (outputs - target[span, chosen]) ** 2
        return error.sum() / weight.sum().clamp(min=1.0)

    columns = np.flatnonzero(lessons.tune.any(axis=0))
    end = int(np.flatnonzero(lessons.tune.any(axis=1))[-1]) + 1 if columns.size else 0
    looked_at, wanted = lessons.inputs[:end, columns], lessons.tune[:end, columns]

    def score(net: SequenceNetwork) -> float:
        error = run_network(net, looked_at, looked_at.shape[1])[wanted] - lessons.check[:end, columns][wanted]
        return float(np.sqrt(np.mean(error.astype(np.float64) ** 2)))

    return optimise(
        network, loss_of_step, hyper.optimiser(days.size, cells.size), seed=seed, fingerprint=fingerprint,
        score=None if hyper.patience is None else score, checkpoint=checkpoint, progress=progress, label=label,
    )  # fmt: skip


def run_network(network: SequenceNetwork, inputs: Floats, width: int = CELLS_AT_ONCE) -> Floats:
    """Scaled outputs (time, cell) of channels (time, cell, channel), from the first day on, `width` cells at once."""
    size, cells = inputs.shape[:2]
    outputs = np.empty((size, cells), np.float32)
    for left in range(0, cells, width):
        part = inputs[:, left : left + width]
        state: State = None
        for first in range(0, size, DAYS_AT_ONCE):
            stretch = np.zeros((DAYS_AT_ONCE, width, inputs.shape[2]), np.float32)
            given = part[first : first + DAYS_AT_ONCE]
            stretch[: given.shape[0], : given.shape[1]] = given
            with torch.inference_mode():
                values, state = network(torch.from_numpy(stretch), state)
            outputs[first : first + given.shape[0], left : left + given.shape[1]] = values[
                : given.shape[0], : given.shape[1]
            ].numpy()
    return outputs
