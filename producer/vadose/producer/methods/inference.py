"""A recurrent network run over whole series without gradients: what surrounds its LSTM is compiled.

PyTorch multiplies the few channels of a day, and the two columns of a head, many times slower than it runs the LSTM.
The values are those of `RecurrentNetwork.forward` within rounding.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vadose.producer.methods.base import Floats
from vadose.producer.methods.network import HIGHEST_SCORE, LOG_VARIANCE, RecurrentNetwork

# Days that are computed together; the gates of so many days of a portion of cells stay in a core's caches.
DAYS_AT_ONCE = 64

# No other fast-math flag; a sum is never formed in a loop that also stores, where its order could depend on the memory.
_FAST = {"reassoc", "contract"}


def run_series(network: RecurrentNetwork, daily: Floats, static: Floats) -> Floats:
    """Mean and log variance of the standardised target, (2, time, cell), from a fresh state.

    The LSTM sees stretches of a fixed number of days, so that a day depends on nothing after it.

    Parameters
    ----------
    network
        In evaluation.
    daily, static
        Channels (time, cell, channel) and (cell, channel).
    """
    size, cells, channels = daily.shape
    with torch.inference_mode():
        weight = network.inputs.weight
        constant = functional.linear(torch.from_numpy(static), weight[:, channels:], network.inputs.bias).numpy()
        columns, offsets = _columns(network)
        read = np.empty((len(columns), size, cells), np.float32)
        scores = np.empty((size, cells), np.float32)
        state = network.start(cells)
        carried = state.hidden, state.cell
        stretch = torch.zeros(DAYS_AT_ONCE, cells, network.shape.hidden)
        own = np.ascontiguousarray(weight[:, :channels].t().numpy())
        for first in range(0, size, DAYS_AT_ONCE):
            part = slice(first, min(first + DAYS_AT_ONCE, size))
            _embedded(daily[part], constant, own, stretch.numpy())
            hidden, carried = network.lstm(stretch, carried)
            _read(hidden[: part.stop - first].numpy(), columns, offsets, read[:, part])
            if network.shape.attention:
                scores[part] = network.score(hidden).numpy()[: part.stop - first]
    if network.shape.attention:
        _pooled(read, scores.clip(-HIGHEST_SCORE, HIGHEST_SCORE), network.lag_bias.detach().exp().numpy())
    np.clip(read[1], *LOG_VARIANCE, out=read[1])
    return read[:2]


def _columns(network: RecurrentNetwork) -> tuple[Floats, Floats]:
    """What is read out of a state: mean and log variance, and with attention what is pooled; (column, hidden)."""
    weights: list[Tensor] = [network.head.weight]
    if network.shape.attention:
        weights.append(network.context.weight)
    together = torch.cat(weights)
    offsets = np.zeros(len(together), np.float32)
    offsets[:2] = network.head.bias.numpy()
    return together.numpy(), offsets


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def _embedded(daily: Any, constant: Any, weight: Any, out: Any) -> None:
    """ReLU of the product of daily channels (time, cell, channel) and (channel, hidden) plus a constant of the cell."""
    size, cells, channels = daily.shape
    hidden = weight.shape[1]
    for t in range(size):
        for cell in range(cells):
            row, given = out[t, cell], constant[cell]
            for j in range(hidden):
                row[j] = given[j]
            for k in range(channels):
                value, factors = daily[t, cell, k], weight[k]
                for j in range(hidden):
                    row[j] += value * factors[j]
            for j in range(hidden):
                row[j] = max(row[j], np.float32(0.0))


@numba.njit(cache=True, nogil=True, fastmath=_FAST)  # type: ignore[untyped-decorator]
def _read(states: Any, columns: Any, offsets: Any, out: Any) -> None:
    """Products of states (time, cell, hidden) with columns (column, hidden), plus offsets, (column, time, cell)."""
    size, cells, hidden = states.shape
    for t in range(size):
        for cell in range(cells):
            state = states[t, cell]
            for k in range(columns.shape[0]):
                column, total = columns[k], np.float32(0.0)
                for j in range(hidden):
                    total += state[j] * column[j]
                out[k, t, cell] = total + offsets[k]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _pooled(read: Any, scores: Any, factors: Any) -> None:
    """Add to the first two columns of `read` (4, time, cell) the other two, pooled over the last days by attention.

    `factors` are those of the lags, the present day last; no day before the first has a share.
    """
    lags = factors.size
    size, cells = scores.shape
    strength = np.exp(scores)
    for t in range(size):
        total, mean, spread = np.zeros((3, cells), np.float32)
        for past in range(max(t - lags + 1, 0), t + 1):
            factor = factors[past - t + lags - 1]
            for cell in range(cells):
                share = factor * strength[past, cell]
                total[cell] += share
                mean[cell] += share * read[2, past, cell]
                spread[cell] += share * read[3, past, cell]
        for cell in range(cells):
            read[0, t, cell] += mean[cell] / total[cell]
            read[1, t, cell] += spread[cell] / total[cell]
