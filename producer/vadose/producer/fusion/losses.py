"""The losses of the generators and of the discriminator."""

from __future__ import annotations

import pydantic
import torch
from torch import Tensor

# Observed places that the frame shows count less than hidden ones: the network could only copy them.
SHOWN_WEIGHT = 0.1


class LossWeights(pydantic.BaseModel):
    """Weights of the generators' losses; those of the cycle follow the practice of CycleGAN.

    `target`: fused field against observations. `backward`: regenerated continuous field against the given one.
    `cycle`: the field fused from the regenerated one against the fused field. `adversarial`: least-squares score of the
    discriminator. `texture`: gradients of the fused field against those of the continuous one outside observations.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    target: float = pydantic.Field(default=10.0, gt=0)
    backward: float = pydantic.Field(default=5.0, ge=0)
    cycle: float = pydantic.Field(default=5.0, ge=0)
    adversarial: float = pydantic.Field(default=1.0, ge=0)
    texture: float = pydantic.Field(default=0.1, ge=0)


def masked_l1(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of the absolute difference."""
    return (weight * (first - second).abs()).sum() / weight.sum().clamp(min=1.0)


def target_weight(hidden: Tensor, shown: Tensor) -> Tensor:
    """Weight of each place in the target loss."""
    return hidden + SHOWN_WEIGHT * shown


def texture_loss(fused: Tensor, background: Tensor, where: Tensor) -> Tensor:
    """Mean absolute difference of the gradients along rows and columns where both neighbours are in `where`."""
    difference = fused - background
    total = fused.new_zeros(())
    for axis in (-2, -1):
        size = difference.shape[axis] - 1
        both = where.narrow(axis, 1, size) * where.narrow(axis, 0, size)
        step = difference.narrow(axis, 1, size) - difference.narrow(axis, 0, size)
        total = total + (both * step.abs()).sum() / both.sum().clamp(min=1.0)
    return total


def real_score_loss(scores: Tensor) -> Tensor:
    """Least-squares loss of scores that should be 1."""
    return torch.mean((scores.float() - 1.0) ** 2)


def discriminator_loss(real: Tensor, fused: Tensor) -> Tensor:
    """Least-squares loss: 1 for a field with observations, 0 for a fused one."""
    return 0.5 * (real_score_loss(real) + torch.mean(fused.float() ** 2))
