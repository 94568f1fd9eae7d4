"""The fitted downscaling: an LSTM of fine predictors, plus what the blocks lack, kriged to the cells."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import safetensors.numpy
import safetensors.torch

from vadose.common import whole_file, write_json
from vadose.producer.cube import Cube
from vadose.producer.grids import global_grid
from vadose.producer.methods.base import Block, Prediction
from vadose.producer.methods.blocks import Blocks, cube_blocks
from vadose.producer.methods.coarse_moisture import CoarseMoisture
from vadose.producer.methods.coarsening import Timeline, fine_static, fine_steps
from vadose.producer.methods.kriging import SPARE, Kriging, Prepared, Weights, bilinear, corrected, enough
from vadose.producer.methods.steps import Step
from vadose.producer.methods.twolayer import TwoLayerLstm, run_sequences
from vadose.producer.methods.variogram import Variogram, empirical, fit_variogram
from vadose.producer.recipe import Predictors
from vadose.producer.support import Support
from vadose.producer.tensors import write_arrays

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

Residual = Literal["area-to-point", "kriging", "bilinear"]
Closure = Literal["fine", "coarse"]

WEIGHTS = "weights.safetensors"
ARRAYS = "scalers.safetensors"
CARD = "member.json"
MERGE = "merge"
NO_VALID_INPUT = 256
OUTSIDE_SUPPORT = 2048
# How far a fine predictor may lie outside the coarse range, as a share of it, before it is clipped.
MARGIN = 0.05
# Whole fields are kept, since kriging needs them and the next block of cells asks for the same steps.
CACHE_BYTES = 2 << 30


@dataclass(frozen=True)
class Scaler:
    """Standardisation by the coarse training values; missing becomes 0.

    Attributes
    ----------
    center, scale
        Of each daily predictor and then each static one, (channel,).
    low, high
        Least and greatest coarse training value, in standard deviations, (channel,).
    """

    center: Floats
    scale: Floats
    low: Floats
    high: Floats

    def __call__(self, values: Floats, channels: slice) -> Floats:
        """Standardised and clipped values of some channels, (channel, ...)."""
        shape = (-1, *(1,) * (values.ndim - 1))
        low, high = (one[channels].reshape(shape) for one in (self.low, self.high))
        margin = MARGIN * (high - low)
        return np.clip(np.nan_to_num(self.standard(values, channels)), low - margin, high + margin)

    def standard(self, values: Floats, channels: slice) -> Floats:
        """Standardised values of some channels as they are, (channel, ...)."""
        shape = (-1, *(1,) * (values.ndim - 1))
        return np.asarray((values - self.center[channels].reshape(shape)) / self.scale[channels].reshape(shape))


@dataclass(frozen=True)
class Plan:
    """How the result is made: coarse grid, steps, sequence, and how the residual gets to the cells."""

    coarse: str
    step: Step
    sequence: int
    residual: Residual
    block_correction: bool
    closure: Closure
    neighbours: int
    by_step: bool


@dataclass(frozen=True)
class Field:
    """Results of some steps on all cells of a cube, (step, cell)."""

    mean: Floats
    deviation: Floats
    flags: npt.NDArray[np.int16]

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return self.mean.nbytes + self.deviation.nbytes + self.flags.nbytes


@dataclass
class Memory:
    """Fields of the cube that was asked for last, newest last."""

    cube: Cube | None = None
    blocks: Blocks | None = None
    fields: OrderedDict[int, Field] = field(default_factory=OrderedDict)
    prepared: tuple[tuple[Variogram, bool], Prepared] | None = None
    weights: tuple[bytes, Weights] | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def open(self, cube: Cube, token: str) -> Blocks:
        """Forget another cube; the blocks of this one."""
        if self.cube is not cube or self.blocks is None:
            self.cube, self.blocks = cube, cube_blocks(cube, token)
            self.prepared = self.weights = None
            self.fields.clear()
        return self.blocks

    def keep(self, number: int, value: Field) -> None:
        """Remember a field, and forget the oldest ones if they are too large together."""
        self.fields[number] = value
        while len(self.fields) > 1 and sum(one.bytes for one in self.fields.values()) > CACHE_BYTES:
            self.fields.popitem(last=False)


@dataclass(frozen=True)
class DownscaleModel:
    """A network trained on coarse blocks, with what it takes to apply it to the cells of a fine cube.

    A prediction is made for whole fields of the block's cube, whose grid may be finer than the one of the training: it
    needs the predictors on its own grid and the soil moisture, which counts by block. Days of a month share its value.

    Attributes
    ----------
    center, spread
        Mean and standard deviation of the coarse soil moisture in training.
    variogram
        Of the training residuals.
    residual_variance
        Of the same, where nothing is there to krige from.
    """

    plan: Plan
    predictors: Predictors
    moisture: CoarseMoisture
    network: TwoLayerLstm
    scaler: Scaler
    center: float
    spread: float
    variogram: Variogram
    residual_variance: float
    support: Support | None
    facts: dict[str, Any] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory, repr=False, compare=False)

    @property
    def past_days(self) -> int:
        """Days before a block that its prediction reads."""
        return (self.plan.sequence - 1) * (31 if self.plan.step == "monthly" else 1) + (
            30 if self.plan.step == "monthly" else 0
        )

    def predict(self, block: Block) -> Prediction:
        """Downscaled soil moisture; the uncertainty is that of the kriging and of the merge.

        Flagged as outside the training support are cells that resemble no training block, steps without a whole
        sequence before them, and steps with too few blocks for kriging.
        """
        timeline = Timeline(block.cube.days, self.plan.step)
        wanted = timeline.number[block.days]
        with self.memory.lock:
            self.memory.open(block.cube, self.plan.coarse)
            parts = []
            for number, (first, last) in enumerate(timeline.portions()):
                inside = wanted[(wanted >= first) & (wanted < last)]
                if inside.size:
                    found = self._field(number, timeline, first, last)
                    rows = inside - first
                    parts.append([one[rows][:, block.cells] for one in (found.mean, found.deviation, found.flags)])
        mean, deviation, flags = (np.concatenate(one) for one in zip(*parts, strict=True))
        return Prediction(mean, deviation, flags)

    def _field(self, number: int, timeline: Timeline, first: int, last: int) -> Field:
        if number not in self.memory.fields:
            self.memory.keep(number, self._computed(timeline, first, last))
        return self.memory.fields[number]

    def _computed(self, timeline: Timeline, first: int, last: int) -> Field:
        cube, blocks = self.memory.cube, self.memory.blocks
        assert cube is not None, "a cube is open"
        assert blocks is not None, "its blocks are known"
        fine, absent = self.fine(cube, timeline, first, last)
        moisture, error = self.moisture.steps(cube, blocks, timeline, first, last)
        fine = np.where(absent, np.float32(np.nan), fine)
        paper = self.plan.closure == "coarse"
        lacking = moisture - (self.coarse(cube, blocks, timeline, first, last) if paper else blocks.mean(fine))
        rest, variance, poor = self._residuals(lacking, blocks)
        mean = fine + rest
        if self.plan.block_correction:
            mean = corrected(mean, np.where(np.isfinite(lacking), moisture, np.nan), blocks)
        total = variance + np.nan_to_num(error)[:, blocks.block]
        early = np.arange(first, last) < self.plan.sequence - 1
        flagged = self._outside(cube)[None, :] | poor[:, None] | early[:, None]
        return Field(
            np.asarray(mean, np.float32),
            np.where(absent, np.nan, np.sqrt(total)).astype(np.float32),
            np.where(absent, NO_VALID_INPUT, np.where(flagged, OUTSIDE_SUPPORT, 0)).astype(np.int16),
        )

    def _outside(self, cube: Cube) -> npt.NDArray[np.bool_]:
        """Cells that resemble no training block, (cell,)."""
        if self.support is None:
            return np.zeros(cube.index.size, bool)
        raw = self.scaler.standard(fine_static(cube, self.predictors.static), slice(len(self.predictors.daily), None))
        return self.support.outside(np.nan_to_num(raw).T)

    def fine(self, cube: Cube, timeline: Timeline, first: int, last: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """What the network says of each cell, and where no daily predictor is there, both (step, cell)."""
        begin = max(first - self.plan.sequence + 1, 0)
        raw = fine_steps(cube, self.predictors.daily, timeline, begin, last)
        absent = np.asarray(~np.isfinite(raw[:, first - begin :]).any(axis=0))
        count = len(self.predictors.daily)
        static = self.scaler(fine_static(cube, self.predictors.static), slice(count, None))
        out = run_sequences(self.network, self.scaler(raw, slice(0, count)), static, first - begin, self.plan.sequence)
        return np.asarray(out * self.spread + self.center, np.float32), absent

    def coarse(self, cube: Cube, blocks: Blocks, timeline: Timeline, first: int, last: int) -> Floats:
        """What the network says of the block means of the predictors, (step, block)."""
        begin = max(first - self.plan.sequence + 1, 0)
        count = len(self.predictors.daily)
        raw = blocks.mean(fine_steps(cube, self.predictors.daily, timeline, begin, last)).astype(np.float32)
        fixed = blocks.mean(fine_static(cube, self.predictors.static)).astype(np.float32)
        daily, static = self.scaler(raw, slice(0, count)), self.scaler(fixed, slice(count, None))
        out = run_sequences(self.network, daily, static, first - begin, self.plan.sequence)
        return np.asarray(out * self.spread + self.center, np.float32)

    def _residuals(self, lacking: Doubles, blocks: Blocks) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
        """Residuals of cells and their variance, (step, cell), and the steps with too few of them, (step,)."""
        valid = np.isfinite(lacking)
        rest = np.zeros((len(lacking), blocks.lat.size), np.float32)
        variance = np.full(rest.shape, self.residual_variance, np.float32)
        few = np.array([not enough(row) for row in valid])
        smooth = few | (self.plan.residual == "bilinear")
        if smooth.any():
            rest[smooth] = bilinear(lacking[smooth], blocks, *corners(blocks, self.plan.coarse))
        for k in np.flatnonzero(~smooth):
            weights = self._weights(blocks, lacking[k], valid[k])
            rest[k], variance[k] = weights.apply(np.nan_to_num(lacking[k : k + 1]))[0], weights.variance
        return rest, variance, few

    def _weights(self, blocks: Blocks, lacking: Doubles, valid: npt.NDArray[np.bool_]) -> Weights:
        """Weights for the blocks that have a residual; those of the step before serve again where nothing changed."""
        variogram = self.variogram
        if self.plan.by_step:
            lat, lon = blocks.centre(blocks.lat)[valid], blocks.centre(blocks.lon)[valid]
            variogram = fit_variogram(empirical(lat, lon, lacking[valid]), float(lacking[valid].var()))
        whole = bool(valid.all())
        memory = self.memory
        if memory.prepared is None or memory.prepared[0] != (variogram, whole):
            assert self.plan.residual != "bilinear", "bilinear needs no weights"
            kriging = Kriging(blocks, self.plan.residual, self.plan.neighbours)
            prepared = kriging.prepare(variogram, None if whole else SPARE * self.plan.neighbours)
            memory.prepared, memory.weights = ((variogram, whole), prepared), None
        if memory.weights is None or memory.weights[0] != valid.tobytes():
            memory.weights = (valid.tobytes(), memory.prepared[1].weights(valid))
        return memory.weights[1]

    def closure(self, cube: Cube) -> float:
        """Root mean square of block mean less coarse soil moisture, over all steps and blocks of a cube, m3 m-3."""
        timeline, total, count = Timeline(cube.days, self.plan.step), 0.0, 0
        with self.memory.lock:
            blocks = self.memory.open(cube, self.plan.coarse)
            for number, (first, last) in enumerate(timeline.portions()):
                mean = blocks.mean(self._field(number, timeline, first, last).mean)
                error = mean - self.moisture.steps(cube, blocks, timeline, first, last)[0]
                total, count = total + float(np.nansum(error**2)), count + int(np.isfinite(error).sum())
        return float(np.sqrt(total / max(count, 1)))

    def save(self, directory: Path) -> None:
        """Write the network, the scalers, `member.json`, and the merge in a folder of its own where there is one."""
        tensors = {name: value.detach().contiguous() for name, value in self.network.state_dict().items()}
        arrays = {name: getattr(self.scaler, name) for name in ("center", "scale", "low", "high")}
        if self.support is not None:
            arrays |= {"support.weights": self.support.weights, "support.points": self.support.points}
        with whole_file(directory / WEIGHTS) as part:
            safetensors.torch.save_file(tensors, part)
        write_arrays(directory / ARRAYS, arrays)
        write_json(directory / CARD, {
            "plan": vars(self.plan), "predictors": self.predictors.model_dump(mode="json"),
            "target": self.moisture.target, "fewest_days": self.moisture.fewest_days,
            "hidden": [self.network.first.hidden_size, self.network.second.hidden_size],
            "center": self.center, "spread": self.spread, "variogram": vars(self.variogram),
            "residual_variance": self.residual_variance,
            "support": None if self.support is None else [self.support.scale, self.support.threshold],
            "facts": self.facts,
        })  # fmt: skip
        if self.moisture.merge is not None:
            (directory / MERGE).mkdir(exist_ok=True)
            self.moisture.merge.save(directory / MERGE)


def corners(blocks: Blocks, token: str) -> tuple[tuple[int, int], Doubles]:
    """Shape of the global coarse grid, and the place of each cell in its rows and columns, (cell, 2)."""
    grid = global_grid(token)
    row, column = grid.locate(blocks.lat, blocks.lon)
    share = []
    for edges, place, at in ((grid.lat_edges, row, blocks.lat), (grid.lon_edges, column, blocks.lon)):
        share.append(place + (at - edges[place]) / (edges[place + 1] - edges[place]) - 0.5)
    return grid.shape, np.stack(share, axis=-1)
