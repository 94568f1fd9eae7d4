"""The network of the downscaling: two LSTM layers of different size, dropout after each, one value out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from vadose.producer.methods.network import dropout_factors, seeded
from vadose.producer.parallel import spread

Floats = npt.NDArray[np.float32]

# Sequences are computed in portions of fixed shape, so that no byte depends on how many are asked for.
PORTION = 2048


class TwoLayerLstm(nn.Module):
    """Standardised soil moisture at the end of a sequence (Ming et al. 2022, doi 10.3390/rs14071744)."""

    def __init__(self, inputs: int, hidden: tuple[int, int]) -> None:
        super().__init__()
        self.first = nn.LSTM(inputs, hidden[0])
        self.second = nn.LSTM(hidden[0], hidden[1])
        self.head = nn.Linear(hidden[1], 1)
        with torch.no_grad():
            for layer, size in ((self.first, hidden[0]), (self.second, hidden[1])):
                dict(layer.named_parameters())["bias_ih_l0"][size : 2 * size] = 1.0

    def forward(self, sequences: Tensor, rate: float = 0.0, generator: np.random.Generator | None = None) -> Tensor:
        """(batch,) from (step, batch, channel); with a generator, `rate` of the states are dropped."""
        states, _ = self.first(sequences)
        states, _ = self.second(_dropped(states, rate, generator))
        last = _dropped(states[-1], rate, generator)
        out: Tensor = self.head(last)[:, 0]
        return out


def _dropped(states: Tensor, rate: float, generator: np.random.Generator | None) -> Tensor:
    keep = None if generator is None else dropout_factors(generator, tuple(states.shape), rate)
    return states if keep is None else states * keep


def two_layers(inputs: int, hidden: tuple[int, int], seed: int) -> TwoLayerLstm:
    """A network whose first weights depend only on the seed."""
    with seeded(seed):
        return TwoLayerLstm(inputs, hidden)


def run_sequences(network: TwoLayerLstm, daily: Floats, static: Floats, first: int, length: int) -> Floats:
    """Output for the steps from `first` on, (step, cell).

    Parameters
    ----------
    daily
        Channels (channel, step, cell); the steps before the beginning are the first one again.
    static
        Channels (channel, cell), the same at every step.
    first
        First step with an output.
    length
        Steps in a sequence, the one of the output included.
    """
    count, cells = daily.shape[1], daily.shape[2]
    out = np.empty((count - first, cells), np.float32)

    def portion(start: int) -> None:
        part = slice(start, min(start + PORTION, cells))
        width = part.stop - part.start
        constant = np.broadcast_to(static[:, None, part], (static.shape[0], count, width))
        channels = np.zeros((count, PORTION, daily.shape[0] + static.shape[0]), np.float32)
        channels[:, :width] = np.moveaxis(np.concatenate([daily[:, :, part], constant]), 0, -1)
        whole = torch.from_numpy(channels)
        with torch.inference_mode():
            for step in range(first, count):
                at = np.maximum(np.arange(step - length + 1, step + 1), 0)
                out[step - first, part] = network(whole[at])[:width].numpy()

    spread(portion, range(0, cells, PORTION))
    return out
