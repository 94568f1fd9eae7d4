"""Training of generators and discriminator in turn, with checkpoints that resume bit for bit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pydantic
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from vadose.common import InputError, Progress, whole_file
from vadose.producer.fusion.frames import DIFFERENCE, HALF_RANGE, Reach
from vadose.producer.fusion.losses import (
    LossWeights,
    discriminator_loss,
    masked_l1,
    real_score_loss,
    target_weight,
    texture_loss,
)
from vadose.producer.fusion.networks import Generator, Networks
from vadose.producer.fusion.samples import Sample, Sampler
from vadose.producer.parallel import one_thread

GRADIENT_NORM = 1.0
BETAS = (0.5, 0.999)
# What a generator gives is in units of the differences that it sees.
UNIT = float(DIFFERENCE / HALF_RANGE)
Optimizers = dict[str, torch.optim.Optimizer]


class GanSettings(pydantic.BaseModel):
    """How the networks are trained.

    `steps` batches of `batch` patches. The rate falls in a line to zero over the second half, in which the weights of
    the forward generator are averaged with decay `average`. Without `adversarial` there is no discriminator, without
    `cycle` no backward generator.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    steps: int = pydantic.Field(default=500, ge=1)
    batch: int = pydantic.Field(default=8, ge=1)
    learning_rate: float = pydantic.Field(default=1e-3, gt=0)
    average: float = pydantic.Field(default=0.99, ge=0, lt=1)
    adversarial: bool = True
    cycle: bool = True
    weights: LossWeights = LossWeights()
    check_every: int = pydantic.Field(default=250, ge=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


@dataclass
class Run:
    """A training under way: everything that a checkpoint holds."""

    networks: Networks
    optimizers: Optimizers
    step: int = 0
    average: list[Tensor] | None = None
    losses: list[tuple[int, dict[str, float]]] = field(default_factory=list)


def train(networks: Networks, sampler: Sampler, settings: GanSettings, *, seed: int, fingerprint: str,
          checkpoint: Path | None, progress: Progress, label: str) -> Run:  # fmt: skip
    """Train in place; the forward generator ends with its averaged weights.

    The draws of a step depend on the seed and the number of the step alone, so that a run that was killed and goes on
    from its checkpoint ends with the same bytes. A checkpoint of another `fingerprint` is left alone.
    """
    networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = Run(networks, _optimizers(networks, settings))
    if checkpoint is not None and checkpoint.is_file():
        restore(run, checkpoint, fingerprint)
    reduced = settings.precision == "bfloat16" or (
        settings.precision == "auto" and torch.cpu._is_avx512_bf16_supported()
    )
    with one_thread(), _deterministic(), progress.step(label, settings.steps) as bar:
        bar.advance(run.step)
        while run.step < settings.steps:
            sample = sampler.draw(np.random.Generator(np.random.Philox(key=[seed, run.step])), settings.batch)
            found = _one_step(run, sample, sampler.reach, settings, reduced)
            run.step += 1
            bar.advance(1, f"loss {found['target']:.3f}" if run.step % 50 == 0 else "")
            if run.step % settings.check_every == 0 or run.step == settings.steps:
                run.losses.append((run.step, found))
                if checkpoint is not None:
                    save(run, checkpoint, fingerprint)
    if run.average is not None:
        _assign(networks.forward_generator, run.average)
    return run


def fuse(generator: Generator, channels: Tensor) -> Tensor:
    """The fused field, scaled, (batch, row, column), from a batch of frames (batch, channel, row, column)."""
    added: Tensor = generator(channels)
    return channels[:, 0] + UNIT * added.float() * channels[:, 1]


def _one_step(run: Run, sample: Sample, reach: Reach, settings: GanSettings, reduced: bool) -> dict[str, float]:
    networks = run.networks
    channels = torch.from_numpy(sample.channels).contiguous(memory_format=torch.channels_last)
    target, hidden, shown = (torch.from_numpy(part) for part in (sample.target, sample.hidden, sample.shown))
    known, observed = channels[:, 1], hidden + shown
    losses: dict[str, Tensor] = {}
    _schedule(run, settings)
    with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
        fused = fuse(networks.forward_generator, channels)
        if settings.cycle:
            backward, cycle = _cycle_losses(networks, channels, fused, reach)
            losses |= {"backward": backward, "cycle": cycle}
    losses["target"] = masked_l1(fused, target, target_weight(hidden, shown))
    losses["texture"] = texture_loss(fused, channels[:, 0], known * (1.0 - observed))
    if settings.adversarial:
        networks.discriminator.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            losses["adversarial"] = real_score_loss(networks.discriminator(fused * known))
        networks.discriminator.requires_grad_(True)
    total = sum((getattr(settings.weights, name) * loss for name, loss in losses.items()), fused.new_zeros(()))
    _descend(run.optimizers["generators"], networks.generators(), total)
    if settings.adversarial:
        free = fused.detach()
        real = torch.where(observed > 0, target, free) * known
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            loss = discriminator_loss(networks.discriminator(real), networks.discriminator(free * known))
        _descend(run.optimizers["discriminator"], list(networks.discriminator.parameters()), loss)
        losses["discriminator"] = loss
    _average(run, settings)
    return {name: float(loss.detach()) for name, loss in losses.items()}


def _cycle_losses(networks: Networks, channels: Tensor, fused: Tensor, reach: Reach) -> tuple[Tensor, Tensor]:
    """How far the regenerated continuous field is from the given one, and the field fused from it from the first."""
    known, there = channels[:, 1], channels[:, 4]
    last = (channels[:, 3] + UNIT * channels[:, 2]) * there
    inputs = torch.stack([fused * known, last, there], dim=1)
    regenerated = fused + UNIT * networks.backward_generator(inputs).float() * known
    again = fuse(networks.forward_generator, with_background(channels, regenerated, reach))
    return masked_l1(regenerated, channels[:, 0], known), masked_l1(again, fused, known)


def with_background(channels: Tensor, background: Tensor, reach: Reach) -> Tensor:
    """The frames under another continuous field of the day, scaled, (batch, row, column)."""
    known = channels[:, 1]
    parts = list(channels.unbind(dim=1))
    if reach.same_day:
        parts[-2] = parts[-2] + (parts[0] - background * known) / UNIT * parts[-1]
    parts[0] = background * known
    return torch.stack(parts, dim=1)


def _optimizers(networks: Networks, settings: GanSettings) -> Optimizers:
    groups = {"generators": networks.generators(), "discriminator": list(networks.discriminator.parameters())}
    return {name: torch.optim.Adam(group, settings.learning_rate, BETAS) for name, group in groups.items()}


def _schedule(run: Run, settings: GanSettings) -> None:
    share = min(1.0, 2.0 * (1.0 - run.step / settings.steps))
    for optimizer in run.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * share


def _descend(optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)
    optimizer.step()


def _average(run: Run, settings: GanSettings) -> None:
    if not settings.average or run.step < settings.steps // 2:
        return
    weights = [parameter.detach() for parameter in run.networks.forward_generator.parameters()]
    if run.average is None:
        run.average = [weight.clone() for weight in weights]
    else:
        torch._foreach_lerp_(run.average, weights, 1.0 - settings.average)


def _assign(network: nn.Module, values: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), values, strict=True):
            parameter.copy_(value)


@contextmanager
def _deterministic() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def save(run: Run, path: Path, fingerprint: str) -> None:
    """Write a checkpoint, whole or not at all."""
    tensors = {f"networks.{name}": value.detach() for name, value in run.networks.state_dict().items()}
    tensors |= {f"average.{k}": value for k, value in enumerate(run.average or [])}
    for name, optimizer in run.optimizers.items():
        for k, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}.{k}.{key}": value for key, value in state.items()}
    journal = json.dumps({"step": run.step, "losses": run.losses})
    with whole_file(path) as part:
        whole = {name: value.clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}
        safetensors.torch.save_file(whole, part, {"fingerprint": fingerprint, "journal": journal})


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
    run.networks.load_state_dict(_below(tensors, "networks"))
    for name, optimizer in run.optimizers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in _below(tensors, name).items():
            number, _, part = key.partition(".")
            state.setdefault(int(number), {})[part] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    average = _below(tensors, "average")
    run.average = [average[str(k)] for k in range(len(average))] or None
    run.step = journal["step"]
    run.losses = [(int(step), dict(parts)) for step, parts in journal["losses"]]


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
