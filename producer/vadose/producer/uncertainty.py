"""Uncertainty: ensembles of Gaussian members, block-conformal calibration, and the support of the training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube
from vadose.producer.methods.base import Block, Floats, Model, Prediction
from vadose.producer.methods.recurrent import CELLS_AT_ONCE, RecurrentModel, predict_members
from vadose.producer.support import Support as Support
from vadose.producer.support import fit_support as fit_support
from vadose.producer.training.dataset import Encoder

LEVEL = 0.9
# Half the width of the central 90 % of a Gaussian, in standard deviations.
HALF_WIDTH = 1.645
# Number of blocks at which a class counts as much as all classes together.
CLASS_BLOCKS = 10
BLOCK_DAYS = 90
NO_VALID_INPUT = 256
OUTSIDE_SUPPORT = 2048

Mask = npt.NDArray[np.bool_]
Doubles = npt.NDArray[np.float64]

# Cells whose members' predictions are held at once: enough of the networks' own portions for every core.
PORTION = 16 * CELLS_AT_ONCE


@dataclass(frozen=True)
class Combined:
    """An ensemble's mean, and the two parts of its variance, all (time, cell)."""

    mean: Floats
    aleatoric: Floats
    epistemic: Floats

    @property
    def deviation(self) -> Floats:
        """Root of the sum of both variances."""
        return np.asarray(np.sqrt(self.aleatoric + self.epistemic))


def combine(means: Floats, deviations: Floats) -> Combined:
    """Mean of the members' variances, and variance (ddof 0) of their means; members come first."""
    return Combined(means.mean(axis=0), (deviations**2).mean(axis=0), means.var(axis=0))


def predict_ensemble(members: Sequence[Model], encoder: Encoder, block: Block) -> tuple[Combined, Mask]:
    """Combined prediction of all members, and where a daily predictor is out of its training range, (time, cell).

    Networks of the same predictors read them once.
    """
    networks = [member for member in members if isinstance(member, RecurrentModel)]
    if len(networks) == len(members):
        means, deviations, beyond = predict_members(networks, block)
        return combine(means, deviations), beyond
    predictions = [member.predict(block) for member in members]
    beyond = encoder.beyond(encoder.daily(block.cube, block.days, block.cells))
    return combine(np.stack([p.mean for p in predictions]), np.stack([p.uncertainty for p in predictions])), beyond


@dataclass(frozen=True)
class Calibration:
    """Factors that turn a standard deviation into the half-width of a 90 % interval.

    Attributes
    ----------
    overall
        Factor for every class that is not in `classes`.
    variable
        Class variable of the cube, or nothing.
    classes
        Factor for each class code.
    blocks
        Number of calibration blocks, of all classes and of each.
    """

    overall: float
    variable: str | None
    classes: dict[int, float]
    blocks: dict[str, int]

    def factors(self, cube: Cube, cells: slice) -> Floats:
        """Factor of each cell, (cell,)."""
        size = len(range(*cells.indices(cube.index.size)))
        result = np.full(size, self.overall, np.float32)
        if self.variable is not None and self.variable in cube.names:
            codes = cube.read_static(self.variable, cells)
            for code, factor in self.classes.items():
                result[codes == code] = factor
        return result

    def to_json(self) -> dict[str, Any]:
        """For `model.json`."""
        classes = {str(code): factor for code, factor in self.classes.items()}
        return {
            "overall": self.overall,
            "variable": self.variable,
            "classes": classes,
            "blocks": self.blocks,
            "level": LEVEL,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Calibration:
        """The calibration that `to_json` described."""
        classes = {int(code): float(factor) for code, factor in value["classes"].items()}
        return cls(float(value["overall"]), value["variable"], classes, dict(value["blocks"]))


UNCALIBRATED = Calibration(HALF_WIDTH, None, {}, {"all": 0})


def block_quantile(
    scores: Doubles, block: npt.NDArray[np.integer], level: float = LEVEL, *, corrected: bool = True
) -> float:
    """The quantile of scores in which every block has equal weight, at ceil((K + 1) level) / K for K blocks.

    With so few blocks that this exceeds 1 (8 or fewer at 0.9) no finite quantile could promise the level: then the
    quantile at the level itself, which is right on average over draws of the blocks but not for each. The same if not
    `corrected`.
    """
    names, inverse, counts = np.unique(block, return_inverse=True, return_counts=True)
    share = np.ceil((names.size + 1) * level - 1e-9) / names.size
    order = np.argsort(scores, kind="stable")
    mass = np.cumsum(1.0 / (names.size * counts[inverse.reshape(-1)][order]))
    place = int(np.searchsorted(mass, (share if corrected and share <= 1.0 else level) - 1e-12))
    return float(scores[order][min(place, scores.size - 1)])


def calibrate(scores: Doubles, block: npt.NDArray[np.integer], codes: npt.NDArray[np.integer] | None,
              variable: str | None = None, level: float = LEVEL) -> Calibration:  # fmt: skip
    """Block-conformal factors, one a class, each drawn to the overall one by n / (n + 10) for n blocks in the class.

    The overall factor is corrected for the number of blocks. Those of the classes are not: with 10 to 20 blocks the
    correction asks for the greatest of many values, and intervals cover 96 % instead of 90 %.

    Parameters
    ----------
    scores
        Absolute error in standard deviations of the calibration values, (value,).
    block, codes
        Block and class of each value, (value,).
    """
    if scores.size == 0:
        return UNCALIBRATED
    overall = block_quantile(scores, block, level)
    classes: dict[int, float] = {}
    counts = {"all": int(np.unique(block).size)}
    for code in [] if codes is None else np.unique(codes):
        same = codes == code
        number = int(np.unique(block[same]).size)
        weight = number / (number + CLASS_BLOCKS)
        alone = block_quantile(scores[same], block[same], level, corrected=False)
        classes[int(code)] = weight * alone + (1.0 - weight) * overall
        counts[str(int(code))] = number
    return Calibration(overall, variable, classes, counts)


@dataclass(frozen=True)
class Ensemble:
    """A calibrated ensemble with the support of its training; obeys the `Model` protocol."""

    members: tuple[Model, ...]
    calibration: Calibration
    encoder: Encoder
    support: Support | None

    @property
    def past_days(self) -> int:
        """Days before a block that its prediction reads."""
        return max(member.past_days for member in self.members)

    def predict(self, block: Block) -> Prediction:
        """Mean, calibrated standard uncertainty and flags; aleatoric and epistemic parts among the diagnostics.

        The uncertainty is the half-width of the calibrated 90 % interval over 1.645.
        """
        cells = range(*block.cells.indices(block.cube.index.size))
        parts = [self._part(replace(block, cells=part)) for part in _portions(cells)]
        fields = ("mean", "uncertainty", "flags")
        mean, uncertainty, flags = (np.concatenate([getattr(p, name) for p in parts], axis=1) for name in fields)
        names = parts[0].diagnostics
        diagnostics = {name: np.concatenate([p.diagnostics[name] for p in parts], axis=1) for name in names}
        return Prediction(mean, uncertainty, flags, diagnostics)

    def _part(self, block: Block) -> Prediction:
        combined, outside = predict_ensemble(self.members, self.encoder, block)
        factor = self.calibration.factors(block.cube, block.cells) / HALF_WIDTH
        outside = outside | self.encoder.unseen(block.cube, block.cells)[None, :]
        if self.support is not None:
            outside = outside | self.support.outside(self.encoder.static(block.cube, block.cells))[None, :]
        missing = np.isnan(combined.mean)
        flags = np.where(missing, NO_VALID_INPUT, np.where(outside, OUTSIDE_SUPPORT, 0)).astype(np.int16)
        parts = {"aleatoric": np.sqrt(combined.aleatoric), "epistemic": np.sqrt(combined.epistemic)}
        return Prediction(combined.mean, (combined.deviation * factor).astype(np.float32), flags, parts)


def _portions(cells: range) -> list[slice]:
    """Cells in portions whose borders do not depend on what was asked for, which bounds the memory."""
    borders = range(cells.start // PORTION * PORTION, cells.stop, PORTION)
    return [slice(max(low, cells.start), min(low + PORTION, cells.stop)) for low in borders]
