"""What the LSTM methods share: fitting a network inside a fold, predicting in fixed shapes, saving and loading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydantic
import safetensors.torch
import torch

from vadose.common import InputError, Progress, read_json, silent, whole_file, write_json
from vadose.producer.cube import Cube
from vadose.producer.methods.base import Block, Floats, Inputs, Prediction, Settings
from vadose.producer.methods.inference import run_series
from vadose.producer.methods.network import FORMAT, RecurrentNetwork, Shape, State, initialised
from vadose.producer.parallel import spread
from vadose.producer.recipe import Predictors
from vadose.producer.training.dataset import Encoder, Mask, TrainingSet, training_set
from vadose.producer.training.loop import LoopSettings, train
from vadose.producer.training.optimiser import OptimiserSettings, Run
from vadose.producer.training.splits import Fold

WEIGHTS = "weights.safetensors"
CARD = "member.json"
# Predictions are computed in portions of fixed shape, so that no byte depends on how many cells or days are asked for.
CELLS_AT_ONCE = 128
# Encoded values of a cube that are held at once, 128 MB.
VALUES_AT_ONCE = 1 << 25
NO_VALID_INPUT = 256


class RecurrentSettings(Settings):
    """Size of the network, how it is trained, and how many days before the first one it reads when it predicts."""

    hidden: int = pydantic.Field(default=128, ge=1, le=2048)
    layers: int = pydantic.Field(default=1, ge=1, le=4)
    past_days: int = pydantic.Field(default=180, ge=0)
    training: LoopSettings = LoopSettings()


@dataclass(frozen=True)
class RecurrentModel:
    """A trained network with the encoder of its predictors."""

    network: RecurrentNetwork
    encoder: Encoder
    past_days: int
    center: float
    scale: float
    facts: dict[str, Any] = field(default_factory=dict)

    def predict(self, block: Block) -> Prediction:
        """Mean and standard deviation for a block.

        The network starts `past_days` before the first day of the block, or where the cube begins.
        A day on which no daily predictor has a value has no prediction.
        """
        mean, deviation, _ = predict_members([self], block)
        return gaussian(mean[0], deviation[0])

    def attention(self, cube: Cube, days: slice, cells: slice) -> Floats | None:
        """Attention weight of each lag, (time, cell, lag), lag 0 first; nothing where the network has no attention.

        The network starts on the first of the days, so that the weights of the first `lag` days are NaN.
        """
        lags = self.network.shape.attention
        if not lags:
            return None
        daily = torch.from_numpy(self.encoder.daily(cube, days, cells))
        static = torch.from_numpy(self.encoder.static(cube, cells))
        with torch.inference_mode():
            weights = self.network.attention(daily, static, self.network.start(static.shape[0])).flip(2).numpy()
        return np.concatenate([np.full_like(weights[: lags - 1], np.nan), weights[lags - 1 :]])

    def save(self, directory: Path) -> None:
        """Write `weights.safetensors` and `member.json`."""
        tensors = {name: value.detach().contiguous() for name, value in self.network.state_dict().items()}
        with whole_file(directory / WEIGHTS) as part:
            safetensors.torch.save_file(tensors, part)
        shape = self.network.shape
        write_json(directory / CARD, {
            "shape": asdict(shape),
            "predictors": self.encoder.predictors.model_dump(mode="json"),
            "scalers": self.encoder.to_json(),
            "past_days": self.past_days, "center": self.center, "scale": self.scale, "facts": self.facts,
        })  # fmt: skip


def gaussian(mean: Floats, deviation: Floats) -> Prediction:
    """A prediction with the flag for what could not be predicted."""
    return Prediction(mean, deviation, np.where(np.isnan(mean), NO_VALID_INPUT, 0).astype(np.int16))


def predict_members(models: Sequence[RecurrentModel], block: Block) -> tuple[Floats, Floats, Mask]:
    """Means and standard deviations of networks of the same predictors, and where a predictor is out of range.

    The first two are (member, time, cell), the last is (time, cell). The predictors are read and encoded once for all
    networks, and computed in portions of fixed shape.
    """
    days = range(*block.days.indices(block.cube.days.size))
    cells = range(*block.cells.indices(block.cube.index.size))
    encoder, past_days = models[0].encoder, max(model.past_days for model in models)
    begin = max(days.start - past_days, 0)
    result = np.full((2, len(models), len(days), len(cells)), np.nan, np.float32)
    beyond = np.zeros((len(days), len(cells)), bool)

    values = (days.stop - begin) * encoder.daily_channels
    for group in read_slices(block.cube, cells, values, CELLS_AT_ONCE):
        daily, absent = encoder.daily_with_gaps(block.cube, slice(begin, days.stop), group)
        static = encoder.static(block.cube, group)

        def portion(
            start: int, group: slice = group, daily: Floats = daily, static: Floats = static, absent: Mask = absent
        ) -> None:
            low, high = max(start, cells.start), min(start + CELLS_AT_ONCE, cells.stop)
            here = slice(start - group.start, start - group.start + CELLS_AT_ONCE)
            part, wanted = slice(low - cells.start, high - cells.start), slice(low - start, high - start)
            channels = padded(daily[:, here], CELLS_AT_ONCE, 1)
            constant = padded(static[here], CELLS_AT_ONCE, 0)
            missing = absent[days.start - begin :, here][:, wanted]
            for k, model in enumerate(models):
                outputs = run_series(model.network, channels, constant)[:, days.start - begin :, wanted]
                result[:, k, :, part] = np.where(missing, np.float32(np.nan), outputs)
            beyond[:, part] = encoder.beyond(channels[days.start - begin :, wanted])

        spread(portion, range(group.start, group.stop, CELLS_AT_ONCE))
    for k, model in enumerate(models):
        result[0, k] = result[0, k] * np.float32(model.scale) + np.float32(model.center)
        result[1, k] = np.exp(np.float32(0.5) * result[1, k]) * np.float32(model.scale)
    return result[0], result[1], beyond


def read_slices(cube: Cube, cells: range, values: int, portion: int) -> list[slice]:
    """Cells that are read together, in whole portions: many, since a chunk of the cube is read as a whole.

    `values` is how many are held of a cell.
    """
    size, first = max(VALUES_AT_ONCE // (portion * values), 1) * portion, cells.start // portion * portion
    last = min(-(-cells.stop // portion) * portion, cube.index.size)
    return [slice(start, min(start + size, last)) for start in range(first, last, size)]


def load_recurrent(directory: Path) -> RecurrentModel:
    """Load what `RecurrentModel.save` wrote."""
    card = read_json(directory / CARD)
    network = initialised(Shape(**card["shape"]), 0)
    try:
        network.load_state_dict(safetensors.torch.load_file(directory / WEIGHTS))
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise InputError(
            f"weights cannot be read: {error}", where=str(directory / WEIGHTS), next="vadose train RECIPE"
        ) from error
    encoder = Encoder.from_json(card["scalers"], Predictors.model_validate(card["predictors"]))
    return RecurrentModel(network, encoder, card["past_days"], card["center"], card["scale"], card["facts"])


class RecurrentMethod:
    """Fit and load of a method whose network is a `RecurrentNetwork`."""

    name: ClassVar[str]
    settings_type: ClassVar[type[Settings]]
    needs_own_history: ClassVar[bool] = False
    seeded: ClassVar[bool] = True
    costly: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...] | None] = None

    def shape(self, daily: int, static: int, settings: RecurrentSettings) -> Shape:
        """Size of the network for so many daily and static channels."""
        return Shape(daily, static, settings.hidden, settings.layers)

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> RecurrentModel:  # fmt: skip
        """Train one network inside the fold; resumes from `checkpoint`."""
        assert isinstance(settings, RecurrentSettings), "settings of another method"
        loop = settings.training
        if loop.patience is None or not fold.mask("tune").any():
            fold, loop = fold.whole(), loop.model_copy(update={"patience": None})
        data = training_set(
            inputs.cube, inputs.predictors, inputs.target, fold, maximum_cells=loop.maximum_cells, seed=seed
        )
        shape = self.shape(data.daily.shape[2], data.static.shape[1], settings)
        network = initialised(shape, seed)
        score = None if loop.patience is None else lambda net: tuning_error(net, data, loop.spin_up_days)
        run = train(
            network, data, loop, seed=seed, fingerprint=fingerprint(self.name, inputs, fold, settings, seed),
            score=score, checkpoint=checkpoint, progress=progress, label=f"train {self.name}, seed {seed}",
        )  # fmt: skip
        return RecurrentModel(network, data.encoder, settings.past_days, data.center, data.scale, facts(run, loop))

    def load(self, directory: Path) -> RecurrentModel:
        """Load a saved model."""
        return load_recurrent(directory)


def facts(run: Run[Any], loop: OptimiserSettings) -> dict[str, Any]:
    """What is worth keeping about a training."""
    return {
        "steps": run.step,
        "stopped_on_inner_split": loop.patience is not None,
        "losses": run.losses,
        "checks": run.checks,
        "parameters": sum(parameter.numel() for parameter in run.network.parameters()),
    }


def tuning_error(network: RecurrentNetwork, data: TrainingSet, spin_up_days: int) -> float:
    """Root mean square error (standardised) on the inner split, in one run over the whole series."""
    total, count = 0.0, 0
    with torch.inference_mode():
        for start in range(0, data.cells.size, CELLS_AT_ONCE):
            part = slice(start, min(start + CELLS_AT_ONCE, data.cells.size))
            wanted = data.tune[:, part].copy()
            wanted[:spin_up_days] = False
            if not wanted.any():
                continue
            state: State = network.start(part.stop - start)
            outputs, _ = network(torch.from_numpy(data.daily[:, part]), torch.from_numpy(data.static[part]), state)
            error = outputs[..., 0].numpy()[wanted] - data.target[:, part][wanted]
            total, count = total + float((error.astype(np.float64) ** 2).sum()), count + error.size
    return float(np.sqrt(total / max(count, 1)))


def padded(values: Floats, size: int, axis: int) -> Floats:
    """Zeros appended along an axis up to a size."""
    lacking = size - values.shape[axis]
    if not lacking:
        return values
    widths = [(0, lacking if k == axis else 0) for k in range(values.ndim)]
    return np.pad(values, widths)


def fingerprint(name: str, inputs: Inputs, fold: Fold, settings: Settings, seed: int) -> str:
    """Hash of everything that decides a training."""
    identity = {
        "format": FORMAT, "method": name, "settings": settings.model_dump(mode="json"),
        "seed": seed, "cube": inputs.cube.content_hash,
        "target": inputs.target, "predictors": inputs.predictors.model_dump(mode="json"), "torch": torch.__version__,
        "fit": hashlib.sha256(np.packbits(fold.mask("fit")).tobytes()).hexdigest(),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
