"""Fill gaps of the target in time alone: linearly, or about the climatology of each cell."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pydantic

from vadose.common import Progress, read_json, silent
from vadose.producer.methods.base import Block, Floats, Inputs, Prediction, Settings
from vadose.producer.methods.baselines import Climatology, ClimatologySettings, cell_moments, day_of_year
from vadose.producer.methods.tables import CARD, global_cells, lookup, prediction, read_arrays, save_arrays
from vadose.producer.training.dataset import cell_slices
from vadose.producer.training.splits import GAP_SPLITS, Fold


class LinearSettings(Settings):
    """Days from the nearest observation beyond which it says nothing."""

    longest_gap_days: int = pydantic.Field(default=366, ge=1)


class AnomalySettings(LinearSettings):
    """The same, and half the width of the climatology's window over the year."""

    half_window_days: int = pydantic.Field(default=15, ge=0, le=182)


@dataclass(frozen=True)
class FillingModel:
    """Observations as they are, gaps between them filled linearly in the difference from a normal value.

    Attributes
    ----------
    target
        The variable that is filled.
    index
        Cells that are known, flat in the global grid, (cell,).
    normal
        What a cell has on a day of the year, (366, cell); or 0 on all days, (1, cell).
    error
        Root mean square error of filled values.
    longest_gap_days
        Days before and after a block that are read.
    """

    target: str
    index: npt.NDArray[np.int64]
    normal: Floats
    error: float
    longest_gap_days: int
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def past_days(self) -> int:
        """Days before the block that are read; as many after it are."""
        return self.longest_gap_days

    def predict(self, block: Block) -> Prediction:
        """Fill a block; where no observation is near enough a climatology still has its value."""
        days, column, known = lookup(self.index, block)
        first = block.cube.day_index(days[0])
        begin = max(first - self.longest_gap_days, 0)
        end = min(first + days.size + self.longest_gap_days, block.cube.days.size)
        row = day_of_year(block.cube.days[begin:end]) if len(self.normal) > 1 else np.zeros(end - begin, np.int64)
        normal = np.where(known[None, :], self.normal[row][:, column], np.float32(np.nan))
        apart = interpolated(block.cube.read(self.target, slice(begin, end), block.cells) - normal,
                             self.longest_gap_days)  # fmt: skip
        if len(self.normal) > 1:
            apart = np.nan_to_num(apart)
        mean = (normal + apart)[first - begin :][: days.size]
        deviation = np.where(np.isnan(mean), np.float32(np.nan), np.float32(self.error))
        return prediction(mean, deviation)

    def save(self, directory: Path) -> None:
        """Write `table.safetensors` and `member.json`."""
        card = {"target": self.target, "error": self.error, "longest_gap_days": self.longest_gap_days,
                "facts": self.facts}  # fmt: skip
        save_arrays(directory, {"index": self.index, "normal": self.normal}, card)


class LinearInTime:
    """A straight line between the observations of a cell before and after a gap."""

    name: ClassVar[str] = "linear-in-time"
    settings_type: ClassVar[type[Settings]] = LinearSettings
    needs_own_history: ClassVar[bool] = True
    seeded: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...] | None] = ("P0", *GAP_SPLITS)

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> FillingModel:  # fmt: skip
        """Nothing is learnt but the error, from gaps of the inner split."""
        assert isinstance(settings, LinearSettings), "settings of another method"
        progress.say(f"train {self.name}")
        return self.measured(inputs, fold, settings, seed)

    def normal(self, inputs: Inputs, fold: Fold, settings: LinearSettings, seed: int) -> Floats:
        """What gaps are filled about, (1 or 366, cell)."""
        return np.zeros((1, inputs.cube.index.size), np.float32)

    def measured(self, inputs: Inputs, fold: Fold, settings: LinearSettings, seed: int) -> FillingModel:
        """The model, with the error that one without the inner split makes there."""
        index, longest = global_cells(inputs.cube), settings.longest_gap_days
        trial = FillingModel(
            inputs.target, index, self.normal(inputs, _without_tune(fold), settings, seed), np.nan, longest
        )
        error = held_out_error(trial, inputs, fold)
        normal = self.normal(inputs, fold, settings, seed)
        return FillingModel(inputs.target, index, normal, error, longest, {"parameters": normal.size})

    def load(self, directory: Path) -> FillingModel:
        """Load what `FillingModel.save` wrote."""
        card, arrays = read_json(directory / CARD), read_arrays(directory)
        return FillingModel(card["target"], arrays["index"], arrays["normal"], card["error"], card["longest_gap_days"],
                            card["facts"])  # fmt: skip


class ClimatologyAnomaly(LinearInTime):
    """The climatology of a cell, and a straight line between the differences of its observations from that."""

    name: ClassVar[str] = "climatology-anomaly"
    settings_type: ClassVar[type[Settings]] = AnomalySettings

    def normal(self, inputs: Inputs, fold: Fold, settings: LinearSettings, seed: int) -> Floats:
        """The mean over the days around the day of the year; the mean of a cell where none of them has a value."""
        assert isinstance(settings, AnomalySettings), "settings of another method"
        window = ClimatologySettings(half_window_days=settings.half_window_days)
        table = Climatology().fit(inputs, fold, window, seed=seed).mean
        return np.where(np.isnan(table), cell_moments(inputs, fold)[0], table).astype(np.float32)


def interpolated(values: Floats, longest_gap_days: int) -> Floats:
    """Linear in time between the values before and after, else the nearer one, (time, cell).

    NaN where no value lies within `longest_gap_days` on either side.
    """
    today = np.arange(len(values))[:, None]
    valid = np.isfinite(values)
    before = np.maximum.accumulate(np.where(valid, today, -1), axis=0)
    after = np.minimum.accumulate(np.where(valid, today, len(values))[::-1], axis=0)[::-1]
    has_before = (before >= 0) & (today - before <= longest_gap_days)
    has_after = (after < len(values)) & (after - today <= longest_gap_days)
    old = np.take_along_axis(values, np.maximum(before, 0), axis=0).astype(np.float64)
    new = np.take_along_axis(values, np.minimum(after, len(values) - 1), axis=0).astype(np.float64)
    share = (today - before) / np.maximum(after - before, 1)
    between = old + np.where(has_before & has_after, share, 0.0) * (new - old)
    out = np.where(has_before & has_after, between, np.where(has_before, old, np.where(has_after, new, np.nan)))
    return out.astype(np.float32)


def held_out_error(model: Any, inputs: Inputs, fold: Fold) -> float:
    """Root mean square error at the inner split of a model that cannot see it.

    Without an inner split it is the deviation of the training values of a cell from their mean.
    """
    tune = fold.mask("tune")
    if not tune.any():
        return float(np.sqrt(np.nanmean(cell_moments(inputs, fold)[1].astype(np.float64) ** 2)))
    days = np.flatnonzero(tune.any(axis=1))
    span = slice(int(days[0]), int(days[-1]) + 1)
    hidden = inputs.cube.hiding(inputs.target, ~fold.mask("fit"))
    total, count = 0.0, 0
    for cells in cell_slices(inputs.cube):
        truth = inputs.cube.read(inputs.target, span, cells)
        error = model.predict(Block(hidden, span, cells)).mean - truth
        error = error[tune[span, cells] & np.isfinite(error)].astype(np.float64)
        total, count = total + float((error**2).sum()), count + error.size
    return float(np.sqrt(total / max(count, 1)))


def _without_tune(fold: Fold) -> Fold:
    """The fold whose training part is that for fitting."""
    points = None if fold.points is None else {**fold.points, "train": fold.points["fit"]}
    return replace(
        fold,
        cells={**fold.cells, "train": fold.cells["fit"]},
        dates={**fold.dates, "train": fold.dates["fit"]},
        points=points,
    )
