"""Networks of windows: predicting a block of a cube, reading and encoding included, against eager PyTorch."""

import numpy as np
import pytest
import torch
from torch import nn

from vadose.producer.cube import Cube
from vadose.producer.methods import Block, method, method_settings
from vadose.producer.methods.network import seeded
from vadose.producer.methods.sequence import SequenceMethod, SequenceModel
from vadose.producer.methods.transformer import Transformer
from vadose.producer.methods.window_lstm import WindowLstm

# Enough work for a second or more, by days of the window.
CELLS, DAYS = {4: 1024, 30: 256}, 365
BATCHES = (64, 128, 256, 512, 1024)
ROLES = ["ours", "matrix product", *(f"eager PyTorch, batch {batch}" for batch in BATCHES)]


class EagerTransformer(nn.Module):
    """The same sizes out of PyTorch's own layers, with their fused inference path."""

    def __init__(self, network: Transformer, channels: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(channels, 64)
        self.position = network.position
        layer = nn.TransformerEncoderLayer(64, 4, 128, 0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(64, 2)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(self.inputs(windows) + self.position).mean(dim=1))


class EagerLstm(nn.Module):
    """Linear, ReLU and PyTorch's stacked LSTM in both directions."""

    def __init__(self, network: WindowLstm, channels: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(channels, network.hidden)
        self.lstm = nn.LSTM(network.hidden, network.hidden, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * network.hidden, 2)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(torch.relu(self.inputs(windows)))[0][:, -1])


def products(name: str) -> list[tuple[int, int]]:
    """Sizes of the matrices that each day of a window is multiplied with."""
    if name == "transformer":
        return [(64, 192), (64, 64), (64, 128), (128, 64)] * 2
    return [(64, 64), (128, 256), (128, 256), (192, 256), (192, 256)]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("name", "days"), [("transformer", 4), ("transformer", 30), ("bilstm", 30)])
def bench_windows(benchmark, cube: Cube, model, name: str, days: int, role: str) -> None:
    """One network, a year of some cells, one thread."""
    torch.set_num_threads(1)
    encoder, chosen = model.members[0].encoder, method(name)
    assert isinstance(chosen, SequenceMethod)
    settings = method_settings(chosen, {"sequence_days": days})
    channels = encoder.daily_channels + encoder.static_channels
    with seeded(0):
        network = chosen.network(encoder.daily_channels, encoder.static_channels, settings).eval()
        eager = EagerTransformer(network, channels) if name == "transformer" else EagerLstm(network, channels)
    benchmark.group = f"{'Transformer' if name == 'transformer' else 'Bi-LSTM'}, {days} days"
    work = CELLS[days] * DAYS
    if role == "ours":
        fitted = SequenceModel(network, encoder, settings, 0.2, 0.1)
        block = Block(cube, slice(cube.days.size - DAYS, cube.days.size), slice(0, CELLS[days]))
        function = lambda: fitted.predict(block)  # noqa: E731
    elif role == "matrix product":
        work = 65536 // days
        pairs = [(torch.randn(work * days, rows), torch.randn(rows, columns)) for rows, columns in products(name)]
        function = lambda: [left @ right for left, right in pairs]  # noqa: E731
    else:
        batch = int(role.rsplit(" ", 1)[1])
        windows, repeat = torch.randn(batch, days, channels), max(4096 // batch, 1)
        work = batch * repeat
        eager.eval()

        def function() -> None:
            with torch.inference_mode():
                for _ in range(repeat):
                    eager(windows)

    benchmark.extra_info.update({"role": role, "work": work, "unit": "cell-days"})
    benchmark.pedantic(function, rounds=5, iterations=1, warmup_rounds=1)


def bench_bfloat16_moves_no_prediction(cube: Cube, model) -> None:
    """The figures that the speed costs: below a twentieth of a typical error."""
    encoder, chosen = model.members[0].encoder, method("transformer")
    assert isinstance(chosen, SequenceMethod)
    block, means = Block(cube, slice(100, 200), slice(0, 8)), []
    for precision in ("float32", "bfloat16"):
        settings = method_settings(chosen, {"sequence_days": 30, "precision": precision})
        with seeded(0):
            network = chosen.network(encoder.daily_channels, encoder.static_channels, settings)
        means.append(SequenceModel(network.eval(), encoder, settings, 0.2, 0.1).predict(block).mean)
    assert float(np.abs(means[0] - means[1]).max()) < 0.0015
