"""The training loop: windows of days, one-cycle AdamW, averaged weights, checkpoints that resume bit for bit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pydantic
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from vadose.common import InputError, Progress, whole_file
from vadose.producer.methods.network import RecurrentNetwork, beta_nll, dropout_factors
from vadose.producer.parallel import one_thread
from vadose.producer.training.dataset import TrainingSet

GRADIENT_NORM = 1.0
WARM_UP = 0.2


class LoopSettings(pydantic.BaseModel):
    """How a recurrent network is trained.

    `steps` batches of `batch` windows of `window_days` days; the loss counts after the first `spin_up_days` of each.
    `dropout` acts on the states of the LSTM, `input_dropout` on what enters it. `average` is the decay of the averaged
    weights. With `patience` the inner split stops the training after so many checks without gain and the best weights
    are restored; without it the whole schedule runs on all training data.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    steps: int = pydantic.Field(default=3000, ge=1)
    batch: int = pydantic.Field(default=64, ge=1)
    window_days: int = pydantic.Field(default=90, ge=1)
    spin_up_days: int = pydantic.Field(default=15, ge=0)
    learning_rate: float = pydantic.Field(default=3e-3, gt=0)
    weight_decay: float = pydantic.Field(default=1e-2, ge=0)
    dropout: float = pydantic.Field(default=0.3, ge=0, lt=1)
    input_dropout: float = pydantic.Field(default=0.2, ge=0, lt=1)
    average: float = pydantic.Field(default=0.998, ge=0, lt=1)
    patience: int | None = pydantic.Field(default=None, ge=1)
    check_every: int = pydantic.Field(default=250, ge=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    maximum_cells: int | None = pydantic.Field(default=None, ge=1)


@dataclass
class Run:
    """A training under way: everything that a checkpoint holds."""

    network: RecurrentNetwork
    optimizer: torch.optim.Optimizer
    step: int = 0
    average: list[Tensor] | None = None
    best: list[Tensor] | None = None
    best_score: float = math.inf
    without_gain: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    checks: list[tuple[int, float]] = field(default_factory=list)


Score = Callable[[RecurrentNetwork], float]


def train(network: RecurrentNetwork, data: TrainingSet, settings: LoopSettings, *, seed: int, fingerprint: str,
          score: Score | None, checkpoint: Path | None, progress: Progress, label: str) -> Run:  # fmt: skip
    """Train a network in place and return the finished run.

    All random draws of a step depend on the seed and the number of the step alone, so that a run that was killed and
    goes on from its checkpoint ends with the same bytes.

    Parameters
    ----------
    network, data, settings
        What is trained, on what and how.
    fingerprint
        Identifies the inputs; a checkpoint of other inputs is not used.
    score
        For early stopping: the error on the inner split, smaller is better.
    checkpoint
        A safetensors file, written every `check_every` steps and removed by the caller.
    """
    run = Run(network, _optimizer(network, settings))
    if checkpoint is not None and checkpoint.is_file():
        restore(run, checkpoint, fingerprint)
    reduced = reduced_precision(settings.precision)
    tensors = [torch.from_numpy(array) for array in (data.daily, data.static, data.target)]
    counts = torch.from_numpy(data.fit.astype(np.float32))
    with one_thread(), deterministic(), progress.step(label, settings.steps) as bar:
        bar.advance(run.step)
        while run.step < settings.steps and not _stopped(run, settings):
            loss = _one_step(run, tensors, counts, settings, seed, reduced)
            run.step += 1
            bar.advance(1, f"loss {loss:.3f}" if run.step % 50 == 0 else "")
            if run.step % settings.check_every == 0 or run.step == settings.steps:
                run.losses.append((run.step, loss))
                if score is not None:
                    _check(run, score)
                if checkpoint is not None:
                    save(run, checkpoint, fingerprint)
    _install(run)
    return run


def _one_step(
    run: Run, tensors: list[Tensor], counts: Tensor, settings: LoopSettings, seed: int, reduced: bool
) -> float:
    generator = np.random.Generator(np.random.Philox(key=[seed, run.step]))
    days, cells = windows(generator, counts.shape, settings)
    daily, static, target = tensors
    wanted = counts[days, cells].clone()
    wanted[: settings.spin_up_days] = 0.0
    size = (days.shape[0], cells.numel(), run.network.shape.hidden)
    keep = (
        dropout_factors(generator, size, settings.input_dropout),
        dropout_factors(generator, size, settings.dropout),
    )
    _schedule(run, settings)
    outputs, _ = run.network(
        daily[days, cells], static[cells], run.network.start(cells.numel()), keep=keep, reduced=reduced
    )
    loss = beta_nll(outputs, target[days, cells], wanted)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), GRADIENT_NORM)
    run.optimizer.step()
    _average(run, settings)
    return float(loss.detach())


def windows(generator: np.random.Generator, shape: torch.Size, settings: LoopSettings) -> tuple[Tensor, Tensor]:
    """Days (window, batch) and cells (batch,) of a batch, drawn evenly."""
    length = min(settings.window_days, shape[0])
    cells = generator.choice(shape[1], settings.batch, replace=settings.batch > shape[1])
    begin = generator.integers(0, shape[0] - length + 1, settings.batch)
    days = begin[None, :] + np.arange(length)[:, None]
    return torch.from_numpy(days), torch.from_numpy(cells)


def _optimizer(network: RecurrentNetwork, settings: LoopSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )


def _schedule(run: Run, settings: LoopSettings) -> None:
    """One cycle: up by a cosine from 1/25 of the rate, down to almost nothing; momentum the other way round."""
    warm = max(WARM_UP * settings.steps - 1, 1.0)
    if run.step <= warm:
        share, low = run.step / warm, 1.0 / 25.0
    else:
        share, low = (settings.steps - 1 - run.step) / max(settings.steps - 1 - warm, 1.0), 4e-6
    high = 0.5 - 0.5 * math.cos(math.pi * share)
    for group in run.optimizer.param_groups:
        group["lr"] = settings.learning_rate * (low + (1.0 - low) * high)
        group["betas"] = (0.95 - 0.1 * high, 0.999)


def _average(run: Run, settings: LoopSettings) -> None:
    """Exponential average of the weights over the second half of the schedule."""
    if not settings.average or run.step < settings.steps // 2:
        return
    weights = [parameter.detach() for parameter in run.network.parameters()]
    if run.average is None:
        run.average = [weight.clone() for weight in weights]
    else:
        torch._foreach_lerp_(run.average, weights, 1.0 - settings.average)


def _check(run: Run, score: Score) -> None:
    with averaged(run):
        error = score(run.network)
        run.checks.append((run.step, error))
        if error < run.best_score:
            run.best_score, run.without_gain = error, 0
            run.best = [parameter.detach().clone() for parameter in run.network.parameters()]
        else:
            run.without_gain += 1


def _stopped(run: Run, settings: LoopSettings) -> bool:
    return settings.patience is not None and run.without_gain >= settings.patience


def _install(run: Run) -> None:
    """Put the best weights, else the averaged ones, into the network."""
    chosen = run.best if run.best is not None else run.average
    if chosen is not None:
        _assign(run.network, chosen)


@contextmanager
def averaged(run: Run) -> Iterator[None]:
    """The network with its averaged weights, for a moment."""
    if run.average is None:
        yield
        return
    kept = [parameter.detach().clone() for parameter in run.network.parameters()]
    _assign(run.network, run.average)
    try:
        yield
    finally:
        _assign(run.network, kept)


def _assign(network: RecurrentNetwork, values: list[Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), values, strict=True):
            parameter.copy_(value)


@contextmanager
def deterministic() -> Iterator[None]:
    """Only deterministic algorithms, as long as the block lasts."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def reduced_precision(precision: Literal["auto", "float32", "bfloat16"]) -> bool:
    """Whether the LSTM trains in bfloat16; `auto` where the processor multiplies in it."""
    if precision == "auto":
        return bool(torch.cpu._is_avx512_bf16_supported())
    return precision == "bfloat16"


def save(run: Run, path: Path, fingerprint: str) -> None:
    """Write a checkpoint, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    lists = {"weights": list(run.network.parameters()), "average": run.average, "best": run.best}
    for name, values in lists.items():
        tensors |= {f"{name}.{k}": value.detach().clone() for k, value in enumerate(values or [])}
    for k, state in run.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{k}.{key}": value.clone() for key, value in state.items()}
    journal = {
        "step": run.step, "without_gain": run.without_gain, "losses": run.losses, "checks": run.checks,
        "best_score": run.best_score if math.isfinite(run.best_score) else None,
    }  # fmt: skip
    with whole_file(path) as part:
        safetensors.torch.save_file(tensors, part, {"fingerprint": fingerprint, "journal": json.dumps(journal)})


def restore(run: Run, path: Path, fingerprint: str) -> None:
    """Go on from a checkpoint of the same inputs; one of other inputs is left alone."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            f"checkpoint cannot be read: {error}", where=str(path), next="remove it and train again"
        ) from error
    if metadata.get("fingerprint") != fingerprint:
        return
    journal = json.loads(metadata["journal"])
    count = len(list(run.network.parameters()))
    _assign(run.network, [tensors[f"weights.{k}"] for k in range(count)])
    run.average = [tensors[f"average.{k}"] for k in range(count)] if "average.0" in tensors else None
    run.best = [tensors[f"best.{k}"] for k in range(count)] if "best.0" in tensors else None
    state = {k: {} for k in range(count)}  # type: dict[int, dict[str, Tensor]]
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, k, key = name.split(".")
            state[int(k)][key] = value
    groups = run.optimizer.state_dict()["param_groups"]
    run.optimizer.load_state_dict({"state": state, "param_groups": groups})
    run.step, run.without_gain = journal["step"], journal["without_gain"]
    run.best_score = journal["best_score"] if journal["best_score"] is not None else math.inf
    run.losses = [(int(step), float(loss)) for step, loss in journal["losses"]]
    run.checks = [(int(step), float(loss)) for step, loss in journal["checks"]]
