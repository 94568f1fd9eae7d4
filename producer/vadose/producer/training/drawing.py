"""What a training draws at random: first weights of layers, and dropped states."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

# PyTorch's generator is one for all threads, and every new layer draws from it.
_DRAWING = threading.RLock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """PyTorch's generator starts from a seed, as long as the block lasts, and is then what it was."""
    with _DRAWING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def dropout_factors(generator: np.random.Generator, shape: tuple[int, ...], rate: float) -> Tensor | None:
    """0 for dropped states, 1/(1 - rate) for kept ones; the rate is rounded to a 256th."""
    steps = round(rate * 256)
    if not steps:
        return None
    kept = generator.integers(0, 256, shape, np.uint8) >= steps
    return torch.from_numpy(kept).float() * (256.0 / (256.0 - steps))
