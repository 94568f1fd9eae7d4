"""Optimising a network: one-cycle AdamW, averaged weights, early stopping, checkpoints that resume bit for bit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import pydantic
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from vadose.common import InputError, Progress, silent, whole_file
from vadose.producer.parallel import one_thread

GRADIENT_NORM = 1.0
WARM_UP = 0.2

Network = TypeVar("Network", bound=nn.Module)
LossOfStep = Callable[[np.random.Generator], Tensor]
Score = Callable[[Network], float]


class OptimiserSettings(pydantic.BaseModel):
    """How weights are found, whatever the network.

    `steps` steps of AdamW; `average` is the decay of the averaged weights. With `patience` the inner split stops the
    training after so many checks without gain and the best weights are restored; without it the whole schedule runs.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    steps: int = pydantic.Field(default=3000, ge=1)
    learning_rate: float = pydantic.Field(default=3e-3, gt=0)
    weight_decay: float = pydantic.Field(default=1e-2, ge=0)
    average: float = pydantic.Field(default=0.998, ge=0, lt=1)
    patience: int | None = pydantic.Field(default=None, ge=1)
    check_every: int = pydantic.Field(default=250, ge=1)


@dataclass
class Run(Generic[Network]):
    """A training under way: everything that a checkpoint holds.

    `average` and `best` are values of all parameters and then all buffers of the network.
    """

    network: Network
    optimizer: torch.optim.Optimizer
    step: int = 0
    average: list[Tensor] | None = None
    best: list[Tensor] | None = None
    best_score: float = math.inf
    without_gain: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    checks: list[tuple[int, float]] = field(default_factory=list)


def optimise(network: Network, loss_of_step: LossOfStep, settings: OptimiserSettings, *, seed: int, fingerprint: str,
             score: Score[Network] | None = None, checkpoint: Path | None = None, progress: Progress = silent,
             label: str = "train") -> Run[Network]:  # fmt: skip
    """Train a network in place, on one thread and with deterministic algorithms, and return the finished run.

    The network is in training mode in `loss_of_step`, in evaluation mode in `score` and at the end.

    Parameters
    ----------
    network
        What is trained; it ends with the best weights on the inner split, else with the averaged ones.
    loss_of_step
        Called with the random generator of a step, gives the loss of one batch. All its draws (batches, dropout) must
        come from that generator, which depends on the seed and the number of the step alone: then a run that was
        killed and goes on from its checkpoint ends with the same bytes.
    settings
        Schedule, averaging and early stopping.
    seed
        Seed of all steps.
    fingerprint
        Identifies the inputs; a checkpoint of other inputs is not used.
    score
        For early stopping: the error on the inner split, smaller is better; it sees the averaged weights.
    checkpoint
        A safetensors file, written every `check_every` steps and removed by the caller.

    Raises
    ------
    InputError
        Where the checkpoint cannot be read.
    """
    run = Run(network, _optimizer(network, settings))
    if checkpoint is not None and checkpoint.is_file():
        restore(run, checkpoint, fingerprint)
    network.train()
    with one_thread(), deterministic(), progress.step(label, settings.steps) as bar:
        bar.advance(run.step)
        while run.step < settings.steps and not _stopped(run, settings):
            loss = _one_step(run, loss_of_step, settings, seed)
            run.step += 1
            bar.advance(1, f"loss {loss:.3f}" if run.step % 50 == 0 else "")
            if run.step % settings.check_every == 0 or run.step == settings.steps:
                run.losses.append((run.step, loss))
                if score is not None:
                    _check(run, score)
                if checkpoint is not None:
                    save(run, checkpoint, fingerprint)
    _install(run)
    network.eval()
    return run


def _one_step(run: Run[Network], loss_of_step: LossOfStep, settings: OptimiserSettings, seed: int) -> float:
    _schedule(run, settings)
    loss = loss_of_step(np.random.Generator(np.random.Philox(key=[seed, run.step])))
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), GRADIENT_NORM)
    run.optimizer.step()
    _average(run, settings)
    return float(loss.detach())


def _optimizer(network: nn.Module, settings: OptimiserSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )


def _schedule(run: Run[Network], settings: OptimiserSettings) -> None:
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


def _average(run: Run[Network], settings: OptimiserSettings) -> None:
    """Exponential average of the weights over the second half of the schedule."""
    if not settings.average or run.step < settings.steps // 2:
        return
    weights = _values(run.network)
    if run.average is None:
        run.average = [weight.clone() for weight in weights]
        return
    smooth = [k for k, weight in enumerate(weights) if weight.is_floating_point()]
    torch._foreach_lerp_([run.average[k] for k in smooth], [weights[k] for k in smooth], 1.0 - settings.average)
    for k in set(range(len(weights))) - set(smooth):
        run.average[k].copy_(weights[k])


def _check(run: Run[Network], score: Score[Network]) -> None:
    with averaged(run):
        run.network.eval()
        error = score(run.network)
        run.network.train()
        run.checks.append((run.step, error))
        if error < run.best_score:
            run.best_score, run.without_gain = error, 0
            run.best = [value.clone() for value in _values(run.network)]
        else:
            run.without_gain += 1


def _stopped(run: Run[Network], settings: OptimiserSettings) -> bool:
    return settings.patience is not None and run.without_gain >= settings.patience


def _install(run: Run[Network]) -> None:
    """Put the best weights, else the averaged ones, into the network."""
    chosen = run.best if run.best is not None else run.average
    if chosen is not None:
        _assign(run.network, chosen)


@contextmanager
def averaged(run: Run[Network]) -> Iterator[None]:
    """The network with its averaged weights, for a moment."""
    if run.average is None:
        yield
        return
    kept = [value.clone() for value in _values(run.network)]
    _assign(run.network, run.average)
    try:
        yield
    finally:
        _assign(run.network, kept)


def _values(network: nn.Module) -> list[Tensor]:
    """Parameters, then buffers such as the running moments of a batch normalisation."""
    return [value.detach() for value in (*network.parameters(), *network.buffers())]


def _assign(network: nn.Module, values: list[Tensor]) -> None:
    for held, value in zip(_values(network), values, strict=True):
        held.copy_(value)


@contextmanager
def deterministic() -> Iterator[None]:
    """Only deterministic algorithms, as long as the block lasts."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def save(run: Run[Network], path: Path, fingerprint: str) -> None:
    """Write a checkpoint, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    lists = {"weights": _values(run.network), "average": run.average, "best": run.best}
    for name, values in lists.items():
        tensors |= {f"{name}.{k}": value.clone() for k, value in enumerate(values or [])}
    for k, state in run.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{k}.{key}": value.clone() for key, value in state.items()}
    journal = {
        "step": run.step, "without_gain": run.without_gain, "losses": run.losses, "checks": run.checks,
        "best_score": run.best_score if math.isfinite(run.best_score) else None,
    }  # fmt: skip
    with whole_file(path) as part:
        safetensors.torch.save_file(tensors, part, {"fingerprint": fingerprint, "journal": json.dumps(journal)})


def restore(run: Run[Network], path: Path, fingerprint: str) -> None:
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
    count = len(_values(run.network))
    _assign(run.network, [tensors[f"weights.{k}"] for k in range(count)])
    run.average = [tensors[f"average.{k}"] for k in range(count)] if "average.0" in tensors else None
    run.best = [tensors[f"best.{k}"] for k in range(count)] if "best.0" in tensors else None
    state: dict[int, dict[str, Tensor]] = {k: {} for k, _ in enumerate(run.network.parameters())}
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
