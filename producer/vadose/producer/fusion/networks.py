"""Generators of residual blocks and the patch discriminator (METHODS of DrcGAN: Jiang, Shen, Li 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

RESIDUAL_SCALE = 0.1
LEAK = 0.2
SMALLEST_SIDE = 4


@dataclass(frozen=True)
class Sizes:
    """Width of the generators, their numbers of residual blocks, and the first width of the discriminator."""

    width: int
    blocks: int
    backward_blocks: int
    discriminator_width: int


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution, a tenth of it added to the input; no normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, values: Tensor) -> Tensor:
        """(batch, width, row, column) to the same."""
        added: Tensor = self.second(torch.relu(self.first(values)))
        return values + RESIDUAL_SCALE * added


class Generator(nn.Module):
    """What is added to a field; nothing before training, since the last layer begins with zeros."""

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(channels, width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)), nn.Conv2d(width, width, 3, padding=1))
        self.tail = nn.Conv2d(width, 1, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        assert self.tail.bias is not None, "the last layer has a bias"
        nn.init.zeros_(self.tail.bias)

    @property
    def halo(self) -> int:
        """How many places away an input can still matter."""
        return 3 + 2 * (len(self.body) - 1)

    def forward(self, channels: Tensor) -> Tensor:
        """(batch, channel, row, column) to (batch, row, column)."""
        head = self.head(channels)
        added: Tensor = self.tail(head + self.body(head))
        return added[:, 0]


class Discriminator(nn.Module):
    """Four convolutions of stride 2 with spectral norm, as many as the field is large enough for, then one score."""

    def __init__(self, width: int, shape: tuple[int, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        side, channels = min(shape), 1
        for k in range(4):
            if side < SMALLEST_SIDE:
                break
            layers += [spectral_norm(nn.Conv2d(channels, width * 2**k, 4, stride=2, padding=1)), nn.LeakyReLU(LEAK)]
            side, channels = side // 2, width * 2**k
        layers.append(nn.Conv2d(channels, 1, 3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, field: Tensor) -> Tensor:
        """(batch, row, column) to a score for each piece of the field."""
        scores: Tensor = self.layers(field[:, None])
        return scores


class Networks(nn.Module):
    """Forward and backward generator and discriminator, initialised by a seed alone."""

    def __init__(self, channels: int, sizes: Sizes, shape: tuple[int, int], seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.forward_generator = Generator(channels, sizes.width, sizes.blocks)
            # It sees the fused field, the last observation before it, and where there is one.
            self.backward_generator = Generator(3, sizes.width, sizes.backward_blocks)
            self.discriminator = Discriminator(sizes.discriminator_width, shape)

    def generators(self) -> list[nn.Parameter]:
        """Weights of both generators."""
        return [*self.forward_generator.parameters(), *self.backward_generator.parameters()]
