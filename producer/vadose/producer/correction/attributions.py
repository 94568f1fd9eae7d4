"""What each driver and each day before contributes to a network's output: expected gradients (gradient SHAP)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vadose.producer.parallel import one_thread

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SAMPLES = 64
WINDOWS_AT_ONCE = 16
REPLICATES = 1000


def expected_gradients(output: Callable[[Tensor], Tensor], inputs: Floats, baselines: Floats, *, seed: int,
                       samples: int = SAMPLES) -> Doubles:  # fmt: skip
    """Attributions of an output to its inputs (Erion et al. 2021, doi 10.1038/s42256-021-00343-w).

    phi = E[(x - x') df/dx at x' + a (x - x')] over baselines x' and a uniform in 0..1: Shapley values of a linear
    function; for any smooth one they sum to f(x) minus its mean over the baselines. Every baseline is drawn equally
    often, and a from strata of equal width, which leaves little noise.

    Parameters
    ----------
    output
        Gives the outputs (window,) of inputs (day, window, channel).
    inputs, baselines
        (day, window, channel) each.

    Returns
    -------
    (day, window, channel), in the units of the output.
    """
    generator = np.random.default_rng(seed)
    order = np.concatenate([generator.permutation(baselines.shape[1])
                            for _ in range(-(-samples // baselines.shape[1]))])[:samples]  # fmt: skip
    share = (generator.permutation(samples) + generator.random(samples)) / samples
    total = np.zeros(inputs.shape)
    with one_thread():
        for first in range(0, inputs.shape[1], WINDOWS_AT_ONCE):
            part = slice(first, first + WINDOWS_AT_ONCE)
            chosen = torch.from_numpy(inputs[:, part])
            for number, alpha in zip(order, share, strict=True):
                base = torch.from_numpy(baselines[:, number : number + 1])
                between = (base + float(alpha) * (chosen - base)).requires_grad_(True)
                gradient = torch.autograd.grad(output(between).sum(), between)[0]
                total[:, part] += ((chosen - base) * gradient).numpy()
    return total / samples


@dataclass(frozen=True)
class Bar:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


def block_bars(values: Doubles, block: Integers, *, seed: int, replicates: int = REPLICATES) -> list[Bar]:
    """Means of columns with intervals by drawing whole blocks of rows.

    Parameters
    ----------
    values
        (row, column).
    block
        Block of each row, such as a cell and a season; rows of one block are drawn together.
    """
    names, inverse = np.unique(block, return_inverse=True)
    sums = np.stack([np.bincount(inverse.reshape(-1), column, names.size) for column in values.T], axis=1)
    sizes = np.bincount(inverse.reshape(-1), minlength=names.size)
    drawn = np.random.default_rng(seed).integers(0, names.size, (replicates, names.size))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)[:, None]
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return [Bar(float(mean), float(a), float(b)) for mean, a, b in zip(values.mean(axis=0), low, high, strict=True)]
