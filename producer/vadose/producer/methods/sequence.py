"""What the methods share that read a window of days: fitting, predicting in fixed shapes, saving and loading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pydantic
import safetensors.torch
import torch
from torch import Tensor, nn

from vadose.common import InputError, Progress, read_json, silent, whole_file, write_json
from vadose.common.allocation import freed_memory_kept
from vadose.producer.cube import Cube
from vadose.producer.methods.base import Block, Floats, Inputs, Prediction, Settings
from vadose.producer.methods.network import beta_nll, dropout_factors, seeded
from vadose.producer.methods.recurrent import facts, fingerprint, gaussian, padded, read_slices
from vadose.producer.parallel import spread
from vadose.producer.recipe import Predictors
from vadose.producer.training.dataset import Encoder, TrainingSet, training_set
from vadose.producer.training.loop import reduced_precision
from vadose.producer.training.optimiser import OptimiserSettings, optimise
from vadose.producer.training.splits import Fold

WEIGHTS = "weights.safetensors"
CARD = "member.json"
LONGEST = 365
# Predictions are computed in stretches of fixed shape, so that no byte depends on how many cells or days are asked for.
CELLS_AT_ONCE = 128
DAYS_AT_ONCE = 32
# Days of all windows of a stretch that are computed together; they stay in the second-level cache of a core.
TOKENS_AT_ONCE = 4096
TUNING_WINDOWS = 20_000

Drop = Callable[[Tensor], Tensor]


class SequenceTraining(OptimiserSettings):
    """How a network of windows is trained: `batch` windows a step, `dropout` on the states between its layers."""

    learning_rate: float = pydantic.Field(default=2e-3, gt=0)
    batch: int = pydantic.Field(default=512, ge=1)
    dropout: float = pydantic.Field(default=0.2, ge=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    maximum_cells: int | None = pydantic.Field(default=None, ge=1)


class SequenceSettings(Settings):
    """Days of the window, the target day last; `precision` is that of the prediction (`auto`: the processor's own)."""

    sequence_days: int = pydantic.Field(default=4, ge=1, le=LONGEST)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    training: SequenceTraining = SequenceTraining()


class SequenceNetwork(nn.Module):
    """A network from a window of days to mean and log variance of the standardised target on its last day."""

    days: int

    def embed(self, daily: Tensor, static: Tensor) -> Tensor:
        """What is made of each day alone, (..., day, width), from (..., day, channel) and (..., channel)."""
        raise NotImplementedError

    def summarise(self, embedded: Tensor, *, drop: Drop, reduced: bool) -> Tensor:
        """Mean and log variance (window, 2) of embedded windows (window, day, width)."""
        raise NotImplementedError

    def forward(self, daily: Tensor, static: Tensor, *, drop: Drop | None = None, reduced: bool = False) -> Tensor:
        """Mean and log variance (window, 2).

        Parameters
        ----------
        daily, static
            Channels (window, day, channel) and (window, channel).
        drop
            Applies dropout to a tensor; nothing for none.
        reduced
            Multiply matrices in bfloat16.
        """
        return self.summarise(self.embed(daily, static), drop=drop or unchanged, reduced=reduced)

    def series(self, daily: Tensor, static: Tensor, *, reduced: bool) -> Tensor:
        """Outputs (cell, day, 2) of all windows in series (cell, day, channel), which are `days` - 1 fewer."""
        embedded = self.embed(daily, static)
        windows = embedded.unfold(1, self.days, 1).transpose(2, 3)
        outputs = self.summarise(windows.reshape(-1, *windows.shape[2:]), drop=unchanged, reduced=reduced)
        return outputs.view(*windows.shape[:2], 2)

    def attention(self, daily: Tensor, static: Tensor) -> Tensor | None:
        """Weight of each day of windows, (window, day), the last day last; nothing where no pooling has weights."""
        return None


def unchanged(values: Tensor) -> Tensor:
    """No dropout."""
    return values


def dropping(generator: np.random.Generator, rate: float) -> Drop:
    """Dropout whose draws come from a generator."""

    def drop(values: Tensor) -> Tensor:
        factors = dropout_factors(generator, tuple(values.shape), rate)
        return values if factors is None else values * factors

    return drop


@dataclass(frozen=True)
class SequenceModel:
    """A trained network of windows with the encoder of its predictors."""

    network: SequenceNetwork
    encoder: Encoder
    settings: SequenceSettings
    center: float
    scale: float
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def past_days(self) -> int:
        """Days before a block that its prediction reads."""
        return self.settings.sequence_days - 1

    def predict(self, block: Block) -> Prediction:
        """Mean and standard deviation for a block.

        Days before the cube begins are taken for days without any value. A day on which no daily predictor has a
        value has no prediction.
        """
        days = range(*block.days.indices(block.cube.days.size))
        cells = range(*block.cells.indices(block.cube.index.size))
        result = np.full((2, len(days), len(cells)), np.nan, np.float32)
        values = (len(days) + self.past_days) * self.encoder.daily_channels
        with freed_memory_kept():
            for group in read_slices(block.cube, cells, values, CELLS_AT_ONCE):
                self._predict_cells(block.cube, days, cells, group, result)
        mean = result[0] * np.float32(self.scale) + np.float32(self.center)
        return gaussian(mean, np.exp(np.float32(0.5) * result[1]) * np.float32(self.scale))

    def _predict_cells(self, cube: Cube, days: range, cells: range, group: slice, result: Floats) -> None:
        """Put the standardised outputs (2, day, cell) of those of the cells that a group read together holds."""
        series, absent = windowed_series(self.encoder, cube, days, group, self.past_days)
        static = self.encoder.static(cube, group)

        def portion(start: int) -> None:
            low, high = max(start, cells.start), min(start + CELLS_AT_ONCE, cells.stop)
            here = slice(start - group.start, start - group.start + CELLS_AT_ONCE)
            outputs = self._run(series[here], static[here], slice(low - start, high - start))
            result[:, :, low - cells.start : high - cells.start] = outputs.transpose(2, 1, 0)

        spread(portion, range(group.start, group.stop, CELLS_AT_ONCE))
        inside = slice(max(group.start, cells.start), min(group.stop, cells.stop))
        place = result[:, :, inside.start - cells.start : inside.stop - cells.start]
        place[:, absent[:, inside.start - group.start : inside.stop - group.start]] = np.nan

    def _run(self, series: Floats, static: Floats, wanted: slice) -> Floats:
        """Standardised outputs (cell, day, 2) of the wanted cells of a portion, in groups of fixed shape."""
        group = max(TOKENS_AT_ONCE // (DAYS_AT_ONCE * self.settings.sequence_days), 1)
        count = series.shape[1] - self.past_days
        outputs = np.empty((series.shape[0], count, 2), np.float32)
        reduced = reduced_precision(self.settings.precision)
        with torch.inference_mode():
            for start in range(wanted.start // group * group, wanted.stop, group):
                constant = torch.from_numpy(padded(static[start : start + group], group, 0))
                rows = padded(series[start : start + group], group, 0)
                for first in range(0, count, DAYS_AT_ONCE):
                    size = DAYS_AT_ONCE + self.past_days
                    stretch = torch.from_numpy(padded(rows[:, first : first + size], size, 1))
                    values = self.network.series(stretch, constant, reduced=reduced).numpy()
                    place = outputs[start : start + group, first : first + DAYS_AT_ONCE]
                    place[...] = values[: place.shape[0], : place.shape[1]]
        return outputs[wanted]

    def attention(self, cube: Cube, days: slice, cells: slice) -> Floats | None:
        """Attention weight of each lag, (time, cell, lag), lag 0 first; nothing where the pooling has no weights."""
        span = range(*days.indices(cube.days.size))
        series, _ = windowed_series(self.encoder, cube, span, cells, self.past_days)
        static = torch.from_numpy(self.encoder.static(cube, cells))
        parts = []
        with torch.inference_mode():
            for first in range(len(span)):
                window = torch.from_numpy(np.ascontiguousarray(series[:, first : first + self.past_days + 1]))
                weights = self.network.attention(window, static)
                if weights is None:
                    return None
                parts.append(weights.flip(1).numpy())
        return np.stack(parts)

    def save(self, directory: Path) -> None:
        """Write `weights.safetensors` and `member.json`."""
        tensors = {name: value.detach().contiguous() for name, value in self.network.state_dict().items()}
        with whole_file(directory / WEIGHTS) as part:
            safetensors.torch.save_file(tensors, part)
        write_json(directory / CARD, {
            "settings": self.settings.model_dump(mode="json"),
            "predictors": self.encoder.predictors.model_dump(mode="json"), "scalers": self.encoder.to_json(),
            "center": self.center, "scale": self.scale, "facts": self.facts,
        })  # fmt: skip


def windowed_series(
    encoder: Encoder, cube: Cube, days: range, cells: slice, past_days: int
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Channels (cell, past + day, channel), zeros before the cube begins, and where a day has no value, (day, cell)."""
    begin = max(days.start - past_days, 0)
    daily, absent = encoder.daily_with_gaps(cube, slice(begin, days.stop), cells)
    before = past_days - (days.start - begin)
    series = np.pad(daily, ((before, 0), (0, 0), (0, 0))).transpose(1, 0, 2)
    return np.ascontiguousarray(series), absent[days.start - begin :]


class SequenceMethod:
    """Fit and load of a method whose network is a `SequenceNetwork`."""

    name: ClassVar[str]
    settings_type: ClassVar[type[Settings]]
    needs_own_history: ClassVar[bool] = False
    seeded: ClassVar[bool] = True
    costly: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...] | None] = None

    def network(self, daily: int, static: int, settings: SequenceSettings) -> SequenceNetwork:
        """An untrained network for so many daily and static channels."""
        raise NotImplementedError

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> SequenceModel:  # fmt: skip
        """Train one network inside the fold; resumes from `checkpoint`."""
        assert isinstance(settings, SequenceSettings), "settings of another method"
        loop = settings.training
        if loop.patience is None or not fold.mask("tune").any():
            fold, loop = fold.whole(), loop.model_copy(update={"patience": None})
        data = training_set(
            inputs.cube, inputs.predictors, inputs.target, fold, maximum_cells=loop.maximum_cells, seed=seed
        )
        with seeded(seed):
            network = self.network(data.daily.shape[2], data.static.shape[1], settings)
        windows = Windows(data, settings.sequence_days)
        score = None if loop.patience is None else windows.tuning_error
        run = optimise(
            network, windows.loss(network, loop), loop, seed=seed, score=score, checkpoint=checkpoint,
            fingerprint=fingerprint(self.name, inputs, fold, settings, seed), progress=progress,
            label=f"train {self.name} seed {seed}",
        )  # fmt: skip
        return SequenceModel(network, data.encoder, settings, data.center, data.scale, facts(run, loop))

    def load(self, directory: Path) -> SequenceModel:
        """Load what `SequenceModel.save` wrote."""
        card = read_json(directory / CARD)
        settings = self.settings_type.model_validate(card["settings"])
        assert isinstance(settings, SequenceSettings), "settings of another method"
        encoder = Encoder.from_json(card["scalers"], Predictors.model_validate(card["predictors"]))
        with seeded(0):
            network = self.network(encoder.daily_channels, encoder.static_channels, settings)
        try:
            network.load_state_dict(safetensors.torch.load_file(directory / WEIGHTS))
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            raise InputError(
                f"weights cannot be read: {error}", where=str(directory / WEIGHTS), next="vadose train RECIPE"
            ) from error
        network.eval()
        return SequenceModel(network, encoder, settings, card["center"], card["scale"], card["facts"])


class Windows:
    """The windows of a training set, cut from its series only when a batch needs them."""

    def __init__(self, data: TrainingSet, days: int) -> None:
        self._daily, self._static, self._target = (
            torch.from_numpy(array) for array in (data.daily, data.static, data.target)
        )
        self._fit, self._tune = np.flatnonzero(data.fit), np.flatnonzero(data.tune)
        self._days = days

    def cut(self, chosen: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Daily (window, day, channel) and static channels, and target, of flat positions in (time, cell).

        Days before the training begins are days without any value.
        """
        last, cells = np.divmod(chosen, self._target.shape[1])
        days = torch.from_numpy(last[:, None] + np.arange(1 - self._days, 1)[None, :])
        place = torch.from_numpy(cells)
        daily = self._daily[days.clamp(min=0), place[:, None]]
        return daily * (days >= 0)[..., None], self._static[place], self._target[torch.from_numpy(last), place]

    def loss(self, network: SequenceNetwork, loop: SequenceTraining) -> Callable[[np.random.Generator], Tensor]:
        """The loss of a batch of windows, drawn evenly from the values that are trained on."""
        reduced = reduced_precision(loop.precision)

        def loss_of_step(generator: np.random.Generator) -> Tensor:
            daily, static, target = self.cut(self._fit[generator.integers(0, self._fit.size, loop.batch)])
            outputs = network(daily, static, drop=dropping(generator, loop.dropout), reduced=reduced)
            return beta_nll(outputs, target, torch.ones_like(target))

        return loss_of_step

    def tuning_error(self, network: SequenceNetwork) -> float:
        """Root mean square error (standardised) over evenly spaced values of the inner split."""
        chosen = self._tune[:: max(self._tune.size // TUNING_WINDOWS, 1)]
        total = 0.0
        with torch.inference_mode():
            for first in range(0, chosen.size, 1024):
                daily, static, target = self.cut(chosen[first : first + 1024])
                total += float(((network(daily, static)[:, 0] - target).double() ** 2).sum())
        return float(np.sqrt(total / max(chosen.size, 1)))
