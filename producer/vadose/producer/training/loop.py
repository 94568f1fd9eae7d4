"""The training of recurrent networks: windows of days, dropout over states, the loss after a spin-up."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pydantic
import torch
from torch import Tensor

from vadose.common import Progress
from vadose.producer.methods.network import RecurrentNetwork, beta_nll, dropout_factors
from vadose.producer.training.dataset import TrainingSet
from vadose.producer.training.optimiser import OptimiserSettings, Run, Score, optimise


class LoopSettings(OptimiserSettings):
    """How a recurrent network is trained.

    Each step takes a batch of `batch` windows of `window_days` days; the loss counts after the first `spin_up_days` of
    each. `dropout` acts on the states of the LSTM, `input_dropout` on what enters it.
    """

    batch: int = pydantic.Field(default=64, ge=1)
    window_days: int = pydantic.Field(default=90, ge=1)
    spin_up_days: int = pydantic.Field(default=15, ge=0)
    dropout: float = pydantic.Field(default=0.3, ge=0, lt=1)
    input_dropout: float = pydantic.Field(default=0.2, ge=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    maximum_cells: int | None = pydantic.Field(default=None, ge=1)


def train(network: RecurrentNetwork, data: TrainingSet, settings: LoopSettings, *, seed: int, fingerprint: str,
          score: Score[RecurrentNetwork] | None, checkpoint: Path | None, progress: Progress,
          label: str) -> Run[RecurrentNetwork]:  # fmt: skip
    """Train a recurrent network in place and return the finished run; see `optimise`."""
    reduced = reduced_precision(settings.precision)
    tensors = [torch.from_numpy(array) for array in (data.daily, data.static, data.target)]
    counts = torch.from_numpy(data.fit.astype(np.float32))

    def loss_of_step(generator: np.random.Generator) -> Tensor:
        return batch_loss(network, tensors, counts, settings, generator, reduced)

    return optimise(
        network, loss_of_step, settings, seed=seed, fingerprint=fingerprint, score=score, checkpoint=checkpoint,
        progress=progress, label=label,
    )  # fmt: skip


def batch_loss(network: RecurrentNetwork, tensors: list[Tensor], counts: Tensor, settings: LoopSettings,
               generator: np.random.Generator, reduced: bool) -> Tensor:  # fmt: skip
    """The loss of one batch of windows; `tensors` are daily and static channels and the target."""
    days, cells = windows(generator, counts.shape, settings)
    daily, static, target = tensors
    wanted = counts[days, cells].clone()
    wanted[: settings.spin_up_days] = 0.0
    size = (days.shape[0], cells.numel(), network.shape.hidden)
    keep = (
        dropout_factors(generator, size, settings.input_dropout),
        dropout_factors(generator, size, settings.dropout),
    )
    outputs, _ = network(daily[days, cells], static[cells], network.start(cells.numel()), keep=keep, reduced=reduced)
    return beta_nll(outputs, target[days, cells], wanted)


def windows(generator: np.random.Generator, shape: torch.Size, settings: LoopSettings) -> tuple[Tensor, Tensor]:
    """Days (window, batch) and cells (batch,) of a batch, drawn evenly."""
    length = min(settings.window_days, shape[0])
    cells = generator.choice(shape[1], settings.batch, replace=settings.batch > shape[1])
    begin = generator.integers(0, shape[0] - length + 1, settings.batch)
    days = begin[None, :] + np.arange(length)[:, None]
    return torch.from_numpy(days), torch.from_numpy(cells)


def reduced_precision(precision: Literal["auto", "float32", "bfloat16"]) -> bool:
    """Whether the LSTM trains in bfloat16; `auto` where the processor multiplies in it."""
    if precision == "auto":
        return bool(torch.cpu._is_avx512_bf16_supported())
    return precision == "bfloat16"
