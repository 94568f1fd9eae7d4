"""What the autoencoders share: fitting on rows inside a fold, predicting in fixed shapes, saving and loading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydantic
import safetensors.numpy
import safetensors.torch
import torch
from torch import Tensor

from vadose.common import InputError, Progress, read_json, silent, whole_file, write_json
from vadose.producer.methods.autoencoder import Autoencoder, Folded, RowShape, initialised
from vadose.producer.methods.base import Block, Floats, Inputs, Prediction, Settings
from vadose.producer.methods.network import dropout_factors
from vadose.producer.parallel import spread
from vadose.producer.tensors import write_arrays
from vadose.producer.training.optimiser import LossOfStep, OptimiserSettings, Run, optimise
from vadose.producer.training.rows import RowEncoder, Rows, RowSet, RowSettings, row_set
from vadose.producer.training.splits import Fold

WEIGHTS = "weights.safetensors"
ROWS = "rows.safetensors"
CARD = "member.json"
# Raised when the same settings make another network, so that old checkpoints are not taken for new ones.
FORMAT = 1
# Rows are computed in tiles of fixed shape at fixed places of the cube, so that no byte depends on what is asked for.
CELLS_AT_ONCE = 128
DAYS_AT_ONCE = 8
NO_VALID_INPUT = 256
# Rows whose features are shuffled one by one, to see which of them the network needs.
IMPORTANCE_ROWS = 4096


class RowTraining(OptimiserSettings):
    """How a network of rows is trained: `steps` batches of `batch` rows, out of at most `maximum_rows`.

    `dropout` acts on the bottleneck.
    """

    steps: int = pydantic.Field(default=4000, ge=1)
    learning_rate: float = pydantic.Field(default=2e-3, gt=0)
    batch: int = pydantic.Field(default=1024, ge=2)
    dropout: float = pydantic.Field(default=0.2, ge=0, lt=1)
    maximum_rows: int = pydantic.Field(default=1_000_000, ge=1)


class AutoencoderSettings(Settings, RowSettings):
    """Features, size and training of an autoencoder; with `keep_observed` an observation of the day is the answer."""

    widths: tuple[int, ...] = pydantic.Field(default=(256, 128, 64, 32), min_length=2)
    training: RowTraining = RowTraining()
    keep_observed: bool = False

    @property
    def rows(self) -> RowSettings:
        """The settings of the rows alone."""
        return RowSettings.model_validate({name: getattr(self, name) for name in RowSettings.model_fields})


@dataclass(frozen=True)
class RowModel:
    """A trained autoencoder with the encoder of its rows."""

    network: Autoencoder
    encoder: RowEncoder
    center: float
    scale: float
    keep_observed: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def past_days(self) -> int:
        """Days before a block that its prediction reads."""
        return self.encoder.past_days

    @cached_property
    def folded(self) -> Folded:
        """The network for prediction."""
        with torch.inference_mode():
            return self.network.folded()

    def predict(self, block: Block) -> Prediction:
        """Mean and standard deviation for a block.

        Nothing is predicted where no daily predictor has a value, or the cell has no descriptors. A kept observation
        has the deviation of the model's own estimate: its error is not known better.
        """
        days = range(*block.days.indices(block.cube.days.size))
        cells = range(*block.cells.indices(block.cube.index.size))
        result = np.full((2, len(days), len(cells)), np.nan, np.float32)

        def portion(start: int) -> None:
            batch = slice(start, min(start + CELLS_AT_ONCE, block.cube.index.size))
            low, high = max(start, cells.start), min(batch.stop, cells.stop)
            outputs = self._outputs(block, range(days.start, days.stop), batch)
            result[:, :, low - cells.start : high - cells.start] = outputs[:, :, low - start : high - start]

        spread(portion, range(cells.start // CELLS_AT_ONCE * CELLS_AT_ONCE, cells.stop, CELLS_AT_ONCE))
        mean, deviation = result
        if self.keep_observed:
            mean, deviation = with_observed(
                block, self.encoder.target, mean, deviation, self.facts["tuning_error"] * self.scale
            )
        return Prediction(mean, deviation, np.where(np.isnan(mean), NO_VALID_INPUT, 0).astype(np.int16))

    def curves(self) -> Iterator[tuple[str, str, float, float, str]]:
        """How much the error grows when a feature is shuffled, and what decided against those that were left out."""
        for k, (name, growth) in enumerate(self.facts["importance"].items()):
            yield "feature importance", name, k, growth, "standard deviations"
        for k, drop in enumerate(self.facts["dropped"]):
            yield (
                "features left out",
                f"{drop['name']}: {drop['reason']} {drop['partner']}".strip(),
                k,
                drop["figure"],
                "1",
            )

    def _outputs(self, block: Block, days: range, cells: slice) -> Floats:
        """Mean and deviation (2, time, cell) of at most `CELLS_AT_ONCE` cells."""
        daily, absent = self.encoder.daily(block.cube, slice(days.start, days.stop), cells)
        size = cells.stop - cells.start
        static = np.zeros((CELLS_AT_ONCE, self.network.shape.static), np.float32)
        static[:size] = self.encoder.static(block.cube, cells)
        outputs = np.empty((len(days), size, 2), np.float32)
        with torch.inference_mode():
            parts = self.folded.cells(torch.from_numpy(static))
            for first in range(days.start // DAYS_AT_ONCE * DAYS_AT_ONCE, days.stop, DAYS_AT_ONCE):
                low, high = max(first, days.start), min(first + DAYS_AT_ONCE, days.stop)
                tile = np.zeros((DAYS_AT_ONCE, CELLS_AT_ONCE, daily.shape[-1]), np.float32)
                tile[low - first : high - first, :size] = daily[low - days.start : high - days.start]
                values = self.folded.rows(torch.from_numpy(tile), parts).numpy()
                outputs[low - days.start : high - days.start] = values[low - first : high - first, :size]
        outputs[absent] = np.nan
        mean = outputs[..., 0] * np.float32(self.scale) + np.float32(self.center)
        return np.stack([mean, np.exp(np.float32(0.5) * outputs[..., 1]) * np.float32(self.scale)])

    def save(self, directory: Path) -> None:
        """Write `weights.safetensors`, `rows.safetensors` and `member.json`."""
        tensors = {name: value.detach().contiguous() for name, value in self.network.state_dict().items()}
        with whole_file(directory / WEIGHTS) as part:
            safetensors.torch.save_file(tensors, part)
        write_arrays(directory / ROWS, self.encoder.arrays())
        write_json(directory / CARD, {
            "shape": asdict(self.network.shape), "rows": self.encoder.to_json(), "center": self.center,
            "scale": self.scale, "keep_observed": self.keep_observed, "facts": self.facts,
        })  # fmt: skip


def load_row_model(directory: Path) -> RowModel:
    """Load what `RowModel.save` wrote."""
    card = read_json(directory / CARD)
    shape = card["shape"]
    channels = None if shape["channels"] is None else (int(shape["channels"][0]), int(shape["channels"][1]))
    network = initialised(RowShape(shape["daily"], shape["static"], channels, tuple(shape["widths"])), 0)
    try:
        network.load_state_dict(safetensors.torch.load_file(directory / WEIGHTS))
        arrays = safetensors.numpy.load_file(directory / ROWS)
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise InputError(
            f"weights cannot be read: {error}", where=str(directory), next="vadose train RECIPE"
        ) from error
    network.eval()
    encoder = RowEncoder.restored(card["rows"], arrays)
    return RowModel(network, encoder, card["center"], card["scale"], card["keep_observed"], card["facts"])


class AutoencoderMethod:
    """Fit and load of a method whose network is an autoencoder of rows."""

    name: ClassVar[str]
    settings_type: ClassVar[type[Settings]]
    needs_own_history: ClassVar[bool] = True
    seeded: ClassVar[bool] = True
    costly: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...] | None] = None

    def channels(self, settings: AutoencoderSettings) -> tuple[int, int] | None:
        """Channels of the convolutions, or nothing."""
        return None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> RowModel:  # fmt: skip
        """Train one network inside the fold; resumes from `checkpoint`."""
        assert isinstance(settings, AutoencoderSettings), "settings of another method"
        training = settings.training
        if training.patience is None or not fold.mask("tune").any():
            fold, training = fold.whole(), training.model_copy(update={"patience": None})
        data = row_set(inputs.cube, inputs.predictors, inputs.target, fold, settings.rows,
                       maximum_rows=training.maximum_rows, seed=seed)  # fmt: skip
        center, scale = float(data.fit.target.mean(dtype=np.float64)), float(data.fit.target.std(dtype=np.float64))
        scale = scale if scale > 0.0 else 1.0
        network = initialised(self.shape(data.encoder, settings), seed)
        score = None if training.patience is None else lambda net: error_of(net, data.tune, center, scale)
        run = optimise(
            network, steps(network, data.fit, center, scale, training), training, seed=seed,
            fingerprint=fingerprint(self.name, inputs, fold, settings, seed), score=score, checkpoint=checkpoint,
            progress=progress, label=f"train {self.name}, seed {seed}",
        )  # fmt: skip
        return RowModel(network, data.encoder, center, scale, settings.keep_observed,
                        facts(run, data, center, scale, seed))  # fmt: skip

    def shape(self, encoder: RowEncoder, settings: AutoencoderSettings) -> RowShape:
        """Size of the network of some rows."""
        daily = encoder.daily_count
        return RowShape(daily, encoder.kept.size - daily, self.channels(settings), settings.widths)

    def load(self, directory: Path) -> RowModel:
        """Load a saved model."""
        return load_row_model(directory)


def steps(network: Autoencoder, rows: Rows, center: float, scale: float, training: RowTraining) -> LossOfStep:
    """The loss of a step: squared error of the mean, and the likelihood of a variance that the mean does not see."""
    features = torch.from_numpy(rows.features)
    target = torch.from_numpy(((rows.target - center) / scale).astype(np.float32))
    bottleneck = network.shape.widths[-1]

    def loss_of_step(generator: np.random.Generator) -> Tensor:
        chosen = torch.from_numpy(generator.integers(0, target.numel(), training.batch))
        keep = dropout_factors(generator, (training.batch, bottleneck), training.dropout)
        outputs = network(features[chosen], keep)
        squared = (outputs[:, 0] - target[chosen]) ** 2
        spread_loss = 0.5 * (squared.detach() * torch.exp(-outputs[:, 1]) + outputs[:, 1])
        loss: Tensor = (squared + spread_loss).mean()
        return loss

    return loss_of_step


def error_of(network: Autoencoder, rows: Rows, center: float, scale: float) -> float:
    """Root mean square error of rows, in standard deviations of the target."""
    if not rows.target.size:
        return float("nan")
    total = 0.0
    with torch.inference_mode():
        for first in range(0, rows.target.size, IMPORTANCE_ROWS):
            part = slice(first, first + IMPORTANCE_ROWS)
            found = network(torch.from_numpy(rows.features[part]))[:, 0].numpy()
            total += float(((found - (rows.target[part] - center) / scale).astype(np.float64) ** 2).sum())
    return float(np.sqrt(total / rows.target.size))


def facts(run: Run[Autoencoder], data: RowSet, center: float, scale: float, seed: int) -> dict[str, Any]:
    """What is worth keeping about a training."""
    judged = data.tune if data.tune.target.size else data.fit
    some = np.random.default_rng([seed, 13]).permutation(judged.target.size)[:IMPORTANCE_ROWS]
    judged = Rows(judged.features[some], judged.target[some])
    names = data.encoder.names
    return {
        "steps": run.step,
        "stopped_on_inner_split": bool(run.checks),
        "losses": run.losses,
        "checks": run.checks,
        "parameters": sum(parameter.numel() for parameter in run.network.parameters()),
        "tuning_error": error_of(run.network, judged, center, scale),
        "importance": importance(run.network, judged, names, center, scale, seed),
        "features": names,
        "dropped": [asdict(drop) for drop in data.selection.dropped],
    }


def importance(
    network: Autoencoder, rows: Rows, names: list[str], center: float, scale: float, seed: int
) -> dict[str, float]:
    """How much the error grows, in standard deviations of the target, when one feature is shuffled between rows."""
    before = error_of(network, rows, center, scale)
    order = np.random.default_rng([seed, 17]).permutation(rows.target.size)
    found = {}
    for k, name in enumerate(names):
        shuffled = rows.features.copy()
        shuffled[:, k] = shuffled[order, k]
        found[name] = error_of(network, Rows(shuffled, rows.target), center, scale) - before
    return found


def fingerprint(name: str, inputs: Inputs, fold: Fold, settings: Settings, seed: int) -> str:
    """Hash of everything that decides a training."""
    identity = {
        "format": FORMAT, "method": name, "settings": settings.model_dump(mode="json"), "seed": seed,
        "cube": inputs.cube.content_hash, "target": inputs.target,
        "predictors": inputs.predictors.model_dump(mode="json"), "torch": torch.__version__,
        "fit": hashlib.sha256(np.packbits(fold.mask("fit")).tobytes()).hexdigest(),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def with_observed(block: Block, target: str, mean: Floats, deviation: Floats, error: float) -> tuple[Floats, Floats]:
    """Mean and deviation with the observations of a block for the mean; `error` where only an observation is."""
    observed = block.cube.read(target, block.days, block.cells)
    known = np.isfinite(observed)
    return np.where(known, observed, mean), np.where(known & np.isnan(mean), np.float32(error), deviation)
