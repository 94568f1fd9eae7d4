"""The residual autoencoders: TsSMNet with a convolution along its features, and ResAutoNet of dense layers alone.

A row is a cell and day; its features of the day come first, those of the cell after them. Both networks give the
mean of the standardised target and, from values that the mean does not learn by, its log variance.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from vadose.producer.methods.network import LOG_VARIANCE, seeded

# Neighbouring features that one output of the two convolutions reads on each side.
REACH = 2


@dataclass(frozen=True)
class RowShape:
    """Size of a network of rows.

    `channels` of the two convolutions, none for a network without; `widths` of the encoder, the last is the bottleneck.
    """

    daily: int
    static: int
    channels: tuple[int, int] | None
    widths: tuple[int, ...]

    @property
    def features(self) -> int:
        """Features of a row."""
        return self.daily + self.static


class Folded(Protocol):
    """A network made ready for prediction: moments of training are part of its weights."""

    def cells(self, static: Tensor) -> tuple[Tensor, ...]:
        """What depends on the cell alone, computed once for all days, out of (cell, feature)."""
        ...

    def rows(self, daily: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
        """Mean and log variance, (time, cell, 2), of features (time, cell, feature) beside the cells' parts."""
        ...


class TsSmNetwork(nn.Module):
    """Two convolutions along the feature vector, then a dense autoencoder with additive skips (METHODS of TsSMNet)."""

    def __init__(self, shape: RowShape) -> None:
        super().__init__()
        assert shape.channels is not None, "the network begins with convolutions"
        self.shape = shape
        first, second = shape.channels
        self.conv1, self.norm1 = nn.Conv1d(1, first, 3, padding=1), nn.BatchNorm1d(first)
        self.conv2, self.norm2 = nn.Conv1d(first, second, 3, padding=1), nn.BatchNorm1d(second)
        self.skip = nn.Conv1d(1, second, 1)
        sizes = [shape.features * second, *shape.widths]
        self.encoder = _dense_stack(sizes)
        self.decoder = _dense_stack(shape.widths[::-1])
        self.restore = nn.Linear(shape.widths[0], shape.features)
        self.mean, self.spread = nn.Linear(shape.features, 1), nn.Linear(shape.features, 1)

    def forward(self, rows: Tensor, keep: Tensor | None = None) -> Tensor:
        """Mean and log variance (row, 2) of rows (row, feature); `keep` are dropout factors of the bottleneck."""
        signal = rows[:, None, :]
        inner = functional.relu(self.norm1(self.conv1(signal)))
        wide = functional.relu(self.norm2(self.conv2(inner)) + self.skip(signal))
        hidden, levels = wide.transpose(1, 2).flatten(1), []
        for block in self.encoder:
            hidden = functional.relu(block(hidden))
            levels.append(hidden)
        if keep is not None:
            hidden = hidden * keep
        for block, level in zip(self.decoder, levels[-2::-1], strict=True):
            hidden = functional.relu(block(hidden)) + level
        return _heads(self.restore(hidden) + rows, self.mean, self.spread)

    def folded(self) -> FoldedTsSm:
        """The network for prediction."""
        return FoldedTsSm(self)


class ResAutoNetwork(nn.Module):
    """Dense autoencoder with additive skips and normalisation on both sides of the activation (METHODS of ResAutoNet).

    Encoder blocks are Dense, normalise, ReLU, normalise; after each decoder block the encoder's output of the same
    width is added, then normalise and ReLU.
    """

    def __init__(self, shape: RowShape) -> None:
        super().__init__()
        self.shape = shape
        sizes = [shape.features, *shape.widths]
        self.encoder, self.decoder = _dense_stack(sizes), _dense_stack(shape.widths[::-1])
        self.encoded = nn.ModuleList(nn.BatchNorm1d(width) for width in shape.widths)
        self.decoded = nn.ModuleList(nn.BatchNorm1d(width) for width in shape.widths[-2::-1])
        self.joined = nn.ModuleList(nn.BatchNorm1d(width) for width in shape.widths[-2::-1])
        self.restore = nn.Linear(shape.widths[0], shape.features)
        self.restored, self.summed = nn.BatchNorm1d(shape.features), nn.BatchNorm1d(shape.features)
        self.mean, self.spread = nn.Linear(shape.features, 1), nn.Linear(shape.features, 1)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
        nn.init.kaiming_normal_(self.restore.weight)

    def forward(self, rows: Tensor, keep: Tensor | None = None) -> Tensor:
        """Mean and log variance (row, 2) of rows (row, feature); `keep` are dropout factors of the bottleneck."""
        hidden, levels = rows, []
        for block, norm in zip(self.encoder, self.encoded, strict=True):
            hidden = norm(functional.relu(block(hidden)))
            levels.append(hidden)
        if keep is not None:
            hidden = hidden * keep
        for block, norm, join, level in zip(self.decoder, self.decoded, self.joined, levels[-2::-1], strict=True):
            hidden = functional.relu(join(norm(functional.relu(block(hidden))) + level))
        restored = self.restored(functional.relu(self.restore(hidden)))
        return _heads(self.summed(restored + rows), self.mean, self.spread)

    def folded(self) -> FoldedResAuto:
        """The network for prediction."""
        return FoldedResAuto(self)


Autoencoder = TsSmNetwork | ResAutoNetwork


def initialised(shape: RowShape, seed: int) -> Autoencoder:
    """A network whose first weights depend only on the seed."""
    with seeded(seed):
        return TsSmNetwork(shape) if shape.channels else ResAutoNetwork(shape)


@dataclass(frozen=True)
class Layer:
    """A layer of a network: its name and kind, the size of its output for one row, and how many weights it has."""

    name: str
    kind: str
    output: tuple[int, ...]
    weights: int


KINDS = {nn.Conv1d: "convolution", nn.Linear: "dense", nn.BatchNorm1d: "batch normalisation"}


def layers(network: Autoencoder) -> list[Layer]:
    """Every layer, in the order of computation."""
    found: list[Layer] = []

    def noting(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def note(module: nn.Module, _inputs: Any, output: Tensor) -> None:
            weights = sum(one.numel() for one in module.parameters())
            found.append(Layer(name, KINDS[type(module)], tuple(output.shape[1:]), weights))

        return note

    leaves = [(name, one) for name, one in network.named_modules() if not list(one.children())]
    handles = [one.register_forward_hook(noting(name)) for name, one in leaves]
    with torch.inference_mode():
        network.eval()(torch.zeros(1, network.shape.features))
    for handle in handles:
        handle.remove()
    return found


class FoldedTsSm:
    """TsSMNet with normalisation folded into weights; what reads features of the cell alone is computed once a cell.

    Outputs of the convolutions from position `daily + 2` on depend on the cell alone. The others are products of three
    taps with a buffer (row, position, channel) that holds, beside the channels of the first convolution, the positive
    and the negative part of the feature itself for the skip.
    """

    def __init__(self, network: TsSmNetwork) -> None:
        shape, self.width = network.shape, network.shape.features
        self.daily = shape.daily
        self.near = min(shape.daily + REACH, self.width)
        self.first, self.first_bias = _folded(network.conv1.weight, network.conv1.bias, network.norm1)
        self.second, self.second_bias = _folded(network.conv2.weight, network.conv2.bias, network.norm2)
        self.skip = network.skip.weight.detach()[:, 0, 0]
        assert network.skip.bias is not None, "a skip with a bias"
        self.second_bias = self.second_bias + network.skip.bias.detach()
        self.spread_matrix, self.spread_bias = self._first_layer()
        self.taps = self._taps()
        dense = _folded_stack(network.encoder)
        channels = self.second.shape[0]
        weight, self.dense_bias = dense[0]
        by_position = weight.reshape(weight.shape[0], self.width, channels)
        self.far = by_position[:, self.near :].flatten(1).t().contiguous()
        # The last two positions of the buffer hold what crosses from one row to the next: their weights are zero.
        self.close = functional.pad(by_position[:, : self.near], (0, 0, 0, 2)).flatten(1).t().contiguous()
        self.encoder = [(weight.t().contiguous(), bias) for weight, bias in dense[1:]]
        self.decoder = [(weight.t().contiguous(), bias) for weight, bias in _folded_stack(network.decoder)]
        heads = torch.cat([network.mean.weight, network.spread.weight]).detach()
        self.heads = heads.t().contiguous()
        self.last = (heads @ network.restore.weight.detach()).t().contiguous()
        biases = torch.cat([network.mean.bias, network.spread.bias]).detach()
        self.last_bias = biases + heads @ network.restore.bias.detach()

    def cells(self, static: Tensor) -> tuple[Tensor, ...]:
        """Part of the first dense layer, the features next to those of the day, and part of the heads."""
        rows = functional.pad(static, (self.daily, 0))
        inner = functional.relu(functional.conv1d(rows[:, None, :], self.first, self.first_bias, padding=1))
        wide = functional.conv1d(inner, self.second, self.second_bias, padding=1)
        wide = functional.relu(wide + self.skip[:, None] * rows[:, None, :])
        part = wide.transpose(1, 2)[:, self.near :].flatten(1) @ self.far + self.dense_bias
        halo = static[:, : self._inputs() - self.daily].contiguous()
        return part, halo, static @ self.heads[self.daily :] + self.last_bias

    def rows(self, daily: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
        """Mean and log variance, (time, cell, 2)."""
        part, halo, tail = parts
        days, cells = daily.shape[:2]
        near = torch.cat([daily, halo.expand(days, *halo.shape)], dim=-1).flatten(0, 1)
        buffer = torch.addmm(self.spread_bias, near, self.spread_matrix).relu_().view(-1, self.taps.shape[1])
        # An output stands at the place of its left tap.
        wide = buffer.new_zeros(buffer.shape[0], self.taps.shape[2])
        size = buffer.shape[0] - 2
        inside = wide[:size]
        torch.addmm(self.second_bias, buffer[:size], self.taps[0], out=inside)
        inside.addmm_(buffer[1 : size + 1], self.taps[1]).addmm_(buffer[2:], self.taps[2]).relu_()
        hidden = (wide.view(days * cells, -1) @ self.close).view(days, cells, -1).add_(part).relu_().flatten(0, 1)
        levels = [hidden]
        for weight, bias in self.encoder:
            levels.append(torch.addmm(bias, levels[-1], weight).relu_())
        hidden = levels[-1]
        for (weight, bias), level in zip(self.decoder, levels[-2::-1], strict=True):
            hidden = torch.addmm(bias, hidden, weight).relu_().add_(level)
        outputs = hidden @ self.last
        outputs.addmm_(daily.flatten(0, 1), self.heads[: self.daily])
        return _clamped(outputs.view(days, cells, 2).add_(tail))

    def _inputs(self) -> int:
        """Features that the outputs near those of the day read."""
        return min(self.daily + 2 * REACH, self.width)

    def _first_layer(self) -> tuple[Tensor, Tensor]:
        """The first convolution and both parts of the features, as one matrix: (input, place in the buffer)."""
        inputs, channels = self._inputs(), self.first.shape[0]
        matrix = torch.zeros(inputs, self.near + 2, channels + 2)
        bias = torch.zeros(self.near + 2, channels + 2)
        for place in range(self.near + 2):
            position = place - 1
            if 0 <= position < self.width:
                bias[place, :channels] = self.first_bias
                for tap in range(3):
                    if 0 <= position + tap - 1 < inputs:
                        matrix[position + tap - 1, place, :channels] = self.first[:, 0, tap]
                if position < inputs:
                    matrix[position, place, channels], matrix[position, place, channels + 1] = 1.0, -1.0
        return matrix.flatten(1), bias.flatten()

    def _taps(self) -> Tensor:
        """The second convolution and the skip, (tap, channel of the buffer, channel)."""
        channels, outputs = self.first.shape[0], self.second.shape[0]
        taps = torch.zeros(3, channels + 2, outputs)
        taps[:, :channels] = self.second.permute(2, 1, 0)
        taps[1, channels], taps[1, channels + 1] = self.skip, -self.skip
        return taps


class FoldedResAuto:
    """ResAutoNet with the inner normalisation folded into weights; the cell's part of the first layer comes once."""

    def __init__(self, network: ResAutoNetwork) -> None:
        self.daily = network.shape.daily
        folded = [*_folded_stack(network.encoder), *_folded_stack(network.decoder)]
        dense = [(weight.t().contiguous(), bias) for weight, bias in folded]
        depth = len(network.encoder)
        self.encoder, self.decoder = dense[:depth], dense[depth:]
        self.encoded = _affines(network.encoded)
        self.decoded = _affines(network.decoded)
        self.joined = _affines(network.joined)
        restored, summed = _affine(network.restored), _affine(network.summed)
        self.restore = network.restore.weight.detach().t().contiguous(), network.restore.bias.detach()
        heads = torch.cat([network.mean.weight, network.spread.weight]).detach()
        biases = torch.cat([network.mean.bias, network.spread.bias]).detach()
        self.heads = (heads * summed[0]).t().contiguous()
        self.after = (heads * summed[0] * restored[0]).t().contiguous()
        self.last_bias = biases + heads @ (summed[1] + summed[0] * restored[1])

    def cells(self, static: Tensor) -> tuple[Tensor, ...]:
        """Part of the first dense layer and of the heads."""
        weight, bias = self.encoder[0]
        return static @ weight[self.daily :] + bias, static @ self.heads[self.daily :] + self.last_bias

    def rows(self, daily: Tensor, parts: tuple[Tensor, ...]) -> Tensor:
        """Mean and log variance, (time, cell, 2)."""
        part, tail = parts
        days, cells = daily.shape[:2]
        flat = daily.flatten(0, 1)
        hidden = (flat @ self.encoder[0][0][: self.daily]).view(days, cells, -1).add_(part).relu_().flatten(0, 1)
        levels = [_moved(hidden, self.encoded[0])]
        for (weight, bias), norm in zip(self.encoder[1:], self.encoded[1:], strict=True):
            levels.append(_moved(torch.addmm(bias, levels[-1], weight).relu_(), norm))
        hidden = levels[-1]
        layers = zip(self.decoder, self.decoded, self.joined, levels[-2::-1], strict=True)
        for (weight, bias), norm, join, level in layers:
            hidden = _moved(torch.addmm(bias, hidden, weight).relu_(), norm).add_(level)
            hidden = _moved(hidden, join).relu_()
        restored = torch.addmm(self.restore[1], hidden, self.restore[0]).relu_()
        outputs = restored @ self.after
        outputs.addmm_(flat, self.heads[: self.daily])
        return _clamped(outputs.view(days, cells, 2).add_(tail))


def _dense_stack(sizes: Sequence[int]) -> nn.ModuleList:
    return nn.ModuleList(
        nn.Sequential(nn.Linear(before, after), nn.BatchNorm1d(after)) for before, after in itertools.pairwise(sizes)
    )


def _heads(hidden: Tensor, mean: nn.Linear, spread: nn.Linear) -> Tensor:
    return _clamped(torch.cat([mean(hidden), spread(hidden.detach())], dim=-1))


def _clamped(outputs: Tensor) -> Tensor:
    mean, log_variance = outputs.unbind(dim=-1)
    return torch.stack([mean, log_variance.clamp(*LOG_VARIANCE)], dim=-1)


def _affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Factor and offset of a normalisation with the moments of training."""
    assert norm.running_var is not None, "a normalisation with moments"
    assert norm.running_mean is not None, "a normalisation with moments"
    factor = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
    return factor, norm.bias.detach() - norm.running_mean * factor


def _affines(norms: nn.ModuleList) -> list[tuple[Tensor, Tensor]]:
    return [_affine(norm) for norm in norms if isinstance(norm, nn.BatchNorm1d)]


def _moved(values: Tensor, norm: tuple[Tensor, Tensor]) -> Tensor:
    return torch.addcmul(norm[1], values, norm[0], out=values)


def _folded(weight: Tensor, bias: Tensor | None, norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Weights and bias of a layer together with the normalisation after it."""
    factor, offset = _affine(norm)
    assert bias is not None, "a layer with a bias"
    return weight.detach() * factor.view(-1, *[1] * (weight.dim() - 1)), bias.detach() * factor + offset


def _folded_stack(stack: nn.ModuleList) -> list[tuple[Tensor, Tensor]]:
    """Weights and bias of each dense block of a stack."""
    folded = []
    for linear, norm in (block.children() for block in stack):
        assert isinstance(linear, nn.Linear), "a dense block"
        assert isinstance(norm, nn.BatchNorm1d), "a dense block"
        folded.append(_folded(linear.weight, linear.bias, norm))
    return folded
