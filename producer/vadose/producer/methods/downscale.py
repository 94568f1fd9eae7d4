"""Downscaling: a two-layer LSTM learns soil moisture on coarse blocks, and its residual is kriged to the cells.

Ming et al. (2022, doi 10.3390/rs14071744). The network sees block means of the predictors in training and the fine
predictors with the same scaler in prediction; what the blocks then lack is spread over their cells so that their means
are those of the coarse soil moisture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pydantic
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from torch.nn import functional

from vadose.common import InputError, Progress, UsageError, read_json, silent
from vadose.producer.cube import Cube
from vadose.producer.grids import global_grid, global_shape
from vadose.producer.methods.base import Inputs, Settings
from vadose.producer.methods.blocks import Blocks, cube_blocks
from vadose.producer.methods.coarse_moisture import CoarseMoisture, fit_moisture
from vadose.producer.methods.coarsening import Timeline, fine_static, fine_steps
from vadose.producer.methods.downscaled import (
    ARRAYS,
    CARD,
    MERGE,
    WEIGHTS,
    Closure,
    DownscaleModel,
    Plan,
    Residual,
    Scaler,
)
from vadose.producer.methods.kriging import NEIGHBOURS
from vadose.producer.methods.recurrent import fingerprint
from vadose.producer.methods.steps import MONTH_DAYS, Step
from vadose.producer.methods.tcmerge import TcMerge, TcMergeSettings
from vadose.producer.methods.twolayer import TwoLayerLstm, run_sequences, two_layers
from vadose.producer.methods.variogram import Variogram, empirical, fit_variogram
from vadose.producer.recipe import Predictors
from vadose.producer.support import Support, fit_support
from vadose.producer.training.optimiser import OptimiserSettings, optimise
from vadose.producer.training.splits import Fold
from vadose.producer.training.splits import blocks as region_of

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


class DownscaleSettings(Settings):
    """What is downscaled and how.

    `coarse` is the grid of the blocks; `merge` merges parents on it first, in place of the target itself. `step` and
    `sequence` are the time step and how many of them the network reads; a month needs `fewest_days` days.
    `closure` says what a block lacks: its soil moisture less the mean over its cells (`fine`), which conserves it, or
    less what the network makes of its mean predictors (`coarse`, as in the paper). `residual` and `block_correction`
    say how that gets to the cells. `variogram` is one of all training steps, whose weights serve for every step with
    the same blocks, or one of each `step`.
    """

    coarse: str = "0P25DEG"
    step: Step = "monthly"
    sequence: int = pydantic.Field(default=12, ge=1, le=400)
    fewest_days: int = pydantic.Field(default=5, ge=1, le=MONTH_DAYS)
    hidden: tuple[int, int] = (80, 100)
    dropout: float = pydantic.Field(default=0.2, ge=0, lt=1)
    batch: int = pydantic.Field(default=64, ge=1)
    closure: Closure = "fine"
    residual: Residual = "area-to-point"
    block_correction: bool = False
    neighbours: int = pydantic.Field(default=NEIGHBOURS, ge=1, le=256)
    variogram: str = pydantic.Field(default="pooled", pattern="^(pooled|step)$")
    merge: TcMergeSettings | None = None
    training: OptimiserSettings = OptimiserSettings(steps=2000)

    @pydantic.field_validator("coarse")
    @classmethod
    def _known(cls, token: str) -> str:
        try:
            global_shape(token)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return token

    @property
    def plan(self) -> Plan:
        """The part that a prediction needs."""
        return Plan(self.coarse, self.step, self.sequence, self.residual, self.block_correction, self.closure,
                    self.neighbours, self.variogram == "step")  # fmt: skip


class Downscale:
    """LSTM at the coarse scale, residual kriging to the fine one."""

    name: ClassVar[str] = "downscale"
    settings_type: ClassVar[type[Settings]] = DownscaleSettings
    needs_own_history: ClassVar[bool] = False
    seeded: ClassVar[bool] = True
    costly: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> DownscaleModel:  # fmt: skip
        """Train on the blocks of the main cube, which may itself lie on the coarse grid.

        Raises
        ------
        InputError
            Where the target or a predictor has no value in training, or a predictor holds class codes.
        """
        assert isinstance(settings, DownscaleSettings), "settings of another method"
        loop = settings.training
        if loop.patience is None or not fold.mask("tune").any():
            fold, loop = fold.whole(), loop.model_copy(update={"patience": None})
        cube, timeline = inputs.cube, Timeline(inputs.cube.days, settings.step)
        blocks = cube_blocks(cube, settings.coarse)
        moisture = fit_moisture(cube, inputs.target, fold, blocks, timeline, settings.merge, settings.fewest_days,
                                global_grid(settings.coarse).shape[1])  # fmt: skip
        daily, static = block_predictors(cube, inputs.predictors, blocks, timeline)
        wanted, tune = (block_target(cube, moisture, blocks, timeline, fold, role) for role in ("fit", "tune"))
        if not np.isfinite(wanted).any():
            raise InputError(f"the target {inputs.target!r} has no value in the training cells and days",
                             where=str(cube.path))  # fmt: skip
        scaler = fit_scaler(daily, static, wanted, inputs.predictors, cube)
        count = len(inputs.predictors.daily)
        channels, constant = scaler(daily, slice(0, count)), scaler(static, slice(count, None))
        center, spread = float(np.nanmean(wanted)), float(np.nanstd(wanted)) or 1.0
        network = two_layers(len(daily) + len(static), settings.hidden, seed)
        run = optimise(
            network, _loss(network, channels, constant, (wanted - center) / spread, settings), loop, seed=seed,
            fingerprint=fingerprint(self.name, inputs, fold, settings, seed),
            score=None if loop.patience is None else lambda net: _error(net, channels, constant,
                                                                        (tune - center) / spread, settings.sequence),
            checkpoint=checkpoint, progress=progress, label=f"train {self.name}, seed {seed}",
        )  # fmt: skip
        said = run_sequences(network, channels, constant, 0, settings.sequence) * spread + center
        lacking = wanted - said
        centres = blocks.centre(blocks.lat), blocks.centre(blocks.lon)
        variogram = fit_variogram(empirical(*centres, lacking), float(np.nanvar(lacking)))
        facts: dict[str, Any] = {
            "parameters": sum(parameter.numel() for parameter in network.parameters()), "steps": run.step,
            "stopped_on_inner_split": loop.patience is not None, "losses": run.losses, "checks": run.checks,
            "coarse_rmse": float(np.sqrt(np.nanmean(lacking**2))), "blocks": blocks.count,
            **({} if moisture.merge is None else {"merge": moisture.merge.facts}),
        }  # fmt: skip
        return DownscaleModel(
            settings.plan, inputs.predictors, moisture, network, scaler, center, spread, variogram,
            float(np.nanvar(lacking)), _support(constant, wanted, *centres), facts,
        )  # fmt: skip

    def load(self, directory: Path) -> DownscaleModel:
        """Load what `DownscaleModel.save` wrote."""
        card = read_json(directory / CARD)
        predictors = Predictors.model_validate(card["predictors"])
        try:
            arrays = safetensors.numpy.load_file(directory / ARRAYS)
            network = two_layers(arrays["center"].size, tuple(card["hidden"]), 0)
            network.load_state_dict(safetensors.torch.load_file(directory / WEIGHTS))
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            raise InputError(f"weights cannot be read: {error}", where=str(directory / WEIGHTS),
                             next="vadose train RECIPE") from error  # fmt: skip
        network.eval()
        merge = TcMerge().load(directory / MERGE) if (directory / MERGE).is_dir() else None
        support = None
        if card["support"] is not None:
            support = Support(arrays["support.weights"], arrays["support.points"], *card["support"])
        return DownscaleModel(
            Plan(**card["plan"]), predictors, CoarseMoisture(card["target"], card["fewest_days"], merge), network,
            Scaler(*(arrays[name] for name in ("center", "scale", "low", "high"))), card["center"], card["spread"],
            Variogram(**card["variogram"]), card["residual_variance"], support, card["facts"],
        )  # fmt: skip


def block_predictors(cube: Cube, predictors: Predictors, blocks: Blocks, timeline: Timeline) -> tuple[Floats, Floats]:
    """Block means of the predictors by step: daily (variable, step, block), and static (variable, block)."""
    parts = [blocks.mean(fine_steps(cube, predictors.daily, timeline, *portion)) for portion in timeline.portions()]
    static = blocks.mean(fine_static(cube, predictors.static))
    return np.concatenate(parts, axis=1).astype(np.float32), static.astype(np.float32)


def block_target(
    cube: Cube, moisture: CoarseMoisture, blocks: Blocks, timeline: Timeline, fold: Fold, role: Any
) -> Doubles:
    """Soil moisture of the blocks by step where a role may see it, (step, block); NaN elsewhere."""
    allowed = fold.mask(role)
    parts = []
    for portion in timeline.portions():
        span = timeline.span(*portion)
        found = moisture.steps(cube, blocks, timeline, *portion, allowed=allowed)[0]
        # A step belongs to a role where most of its days and most of the cells of the block do.
        share = timeline.means(blocks.mean(allowed[span].astype(np.float32)), *portion)
        parts.append(np.where(share > 0.5, found, np.nan) if fold.points is None else found)
    return np.concatenate(parts)


def fit_scaler(daily: Floats, static: Floats, target: Doubles, predictors: Predictors, cube: Cube) -> Scaler:
    """Moments and ranges of the coarse predictors over the steps and blocks with a training target."""
    used = np.isfinite(target)
    steps, places = used.any(axis=1), used.any(axis=0)
    columns = []
    values = [*(one[steps][:, places] for one in daily), *(one[places] for one in static)]
    for name, one in zip((*predictors.daily, *predictors.static), values, strict=True):
        finite = one[np.isfinite(one)].astype(np.float64)
        if not finite.size:
            raise InputError(f"the predictor {name!r} has no value in the training cells and days",
                             where=str(cube.path), next="leave it out of the recipe's predictors")  # fmt: skip
        scale = float(finite.std())
        # A predictor that is constant in training says nothing: it stays where it is.
        scale = scale if scale > 1e-9 else 1.0
        mean = float(finite.mean())
        columns.append((mean, scale, (finite.min() - mean) / scale, (finite.max() - mean) / scale))
    return Scaler(*np.array(columns, np.float32).T)


def _loss(network: TwoLayerLstm, daily: Floats, static: Floats, target: Doubles, settings: DownscaleSettings) -> Any:
    """The mean squared error of a random batch of blocks and steps."""
    rows = np.argwhere(np.isfinite(target))
    lags = np.arange(settings.sequence - 1, -1, -1)

    def loss(generator: np.random.Generator) -> torch.Tensor:
        step, place = rows[generator.integers(0, len(rows), settings.batch)].T
        at = np.maximum(step[None, :] - lags[:, None], 0)
        seen = np.moveaxis(daily[:, at, place[None, :]], 0, -1)
        constant = np.broadcast_to(static[:, place].T, (*seen.shape[:2], static.shape[0]))
        sequences = torch.from_numpy(np.concatenate([seen, constant], axis=-1).astype(np.float32))
        wanted = torch.from_numpy(target[step, place].astype(np.float32))
        return functional.mse_loss(network(sequences, settings.dropout, generator), wanted)

    return loss


def _error(network: TwoLayerLstm, daily: Floats, static: Floats, target: Doubles, length: int) -> float:
    """Root mean square error on the inner split, in standard deviations."""
    return float(np.sqrt(np.nanmean((run_sequences(network, daily, static, 0, length) - target) ** 2)))


def _support(static: Floats, target: Doubles, lat: Doubles, lon: Doubles) -> Support | None:
    """Which static predictors the training blocks have; none without static predictors.

    Distances are taken to blocks of other regions of 5 degrees; where all lie in one, to any other block.
    """
    known = np.isfinite(target).any(axis=0)
    level = np.nansum(target[:, known], axis=0) / np.isfinite(target[:, known]).sum(axis=0)
    region = region_of(lat[known], lon[known])
    return fit_support(static.T[known], level, region if np.unique(region).size > 1 else np.arange(region.size))
