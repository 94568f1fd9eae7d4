"""Baselines of one table a cell: the training mean, the seasonal climatology, and persistence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pydantic

from vadose.common import Progress, read_json, silent
from vadose.producer.methods.base import Block, Floats, Inputs, Prediction, Settings
from vadose.producer.methods.tables import CARD, global_cells, lookup, prediction, read_arrays, save_arrays
from vadose.producer.training.dataset import cell_slices
from vadose.producer.training.splits import Fold

LEAP_YEAR_DAYS = 366


class MeanSettings(Settings):
    """The per-cell mean has no settings."""


class ClimatologySettings(Settings):
    """Half the width of the window over the year."""

    half_window_days: int = pydantic.Field(default=15, ge=0, le=182)


class PersistenceSettings(Settings):
    """Age in days of the newest observation that may be read, and the longest age that still counts."""

    latency_days: int = pydantic.Field(default=1, ge=1)
    longest_days: int = pydantic.Field(default=366, ge=1)


@dataclass(frozen=True)
class TableModel:
    """Means (day of the year or 1, cell) and one standard deviation a cell."""

    index: npt.NDArray[np.int64]
    mean: Floats
    deviation: Floats
    facts: dict[str, Any] = field(default_factory=dict)
    past_days: int = 0

    def predict(self, block: Block) -> Prediction:
        """The table's value; NaN where the cell or the day of the year is unknown."""
        days, column, known = lookup(self.index, block)
        row = day_of_year(days) if self.mean.shape[0] > 1 else np.zeros(days.size, np.int64)
        mean = np.where(known[None, :], self.mean[row][:, column], np.float32(np.nan))
        deviation = np.where(np.isnan(mean), np.float32(np.nan), self.deviation[None, column])
        return prediction(mean, deviation)

    def save(self, directory: Path) -> None:
        """Write `table.safetensors` and `member.json`."""
        save_arrays(
            directory, {"index": self.index, "mean": self.mean, "deviation": self.deviation}, {"facts": self.facts}
        )


@dataclass(frozen=True)
class PersistenceModel:
    """The last observation before the day; reads the target up to `latency_days` before it."""

    target: str
    index: npt.NDArray[np.int64]
    deviation: Floats
    latency_days: int
    longest_days: int
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def past_days(self) -> int:
        """Days of the target before the block that are read."""
        return self.longest_days

    def predict(self, block: Block) -> Prediction:
        """The last valid observation that is old enough, with its age in days among the diagnostics."""
        days, column, known = lookup(self.index, block)
        first = block.cube.day_index(days[0])
        begin = max(first - self.longest_days, 0)
        seen = block.cube.read(self.target, slice(begin, first + days.size), block.cells)
        place = np.where(np.isfinite(seen), np.arange(seen.shape[0])[:, None], -1)
        last = np.maximum.accumulate(place, axis=0)
        today = np.arange(first - begin, seen.shape[0])
        newest = np.where((today >= self.latency_days)[:, None], last[np.maximum(today - self.latency_days, 0)], -1)
        age = np.where(newest >= 0, today[:, None] - newest, np.iinfo(np.int16).max)
        good = (newest >= 0) & (age <= self.longest_days)
        mean = np.where(good, np.take_along_axis(seen, np.maximum(newest, 0), axis=0), np.float32(np.nan))
        deviation = np.where(good & known[None, :], self.deviation[None, column], np.float32(np.nan))
        return prediction(mean, deviation, {"age_days": age.astype(np.int16)})

    def save(self, directory: Path) -> None:
        """Write `table.safetensors` and `member.json`."""
        card = {
            "target": self.target,
            "latency_days": self.latency_days,
            "longest_days": self.longest_days,
            "facts": self.facts,
        }
        save_arrays(directory, {"index": self.index, "deviation": self.deviation}, card)


class CellMean:
    """Mean of the training period; of training cells of the same land cover where a cell is unseen."""

    name: ClassVar[str] = "cell-mean"
    settings_type: ClassVar[type[Settings]] = MeanSettings
    needs_own_history: ClassVar[bool] = False
    seeded: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> TableModel:  # fmt: skip
        """One mean and standard deviation a cell."""
        progress.say(f"train {self.name}")
        mean, deviation = cell_moments(inputs, fold)
        cover = inputs.cube.read_static("land_cover") if "land_cover" in inputs.cube.names else np.zeros(mean.size)
        mean, deviation = (filled_by_class(values, cover) for values in (mean, deviation))
        return TableModel(global_cells(inputs.cube), mean[None], deviation, {"parameters": mean.size})

    def load(self, directory: Path) -> TableModel:
        """Load what `TableModel.save` wrote."""
        return _load_table(directory)


class Climatology:
    """Mean over the days of the training years that lie near the day of the year; unknown for unseen cells."""

    name: ClassVar[str] = "climatology"
    settings_type: ClassVar[type[Settings]] = ClimatologySettings
    needs_own_history: ClassVar[bool] = True
    seeded: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> TableModel:  # fmt: skip
        """Sums a day of the year, added over the window around the year."""
        assert isinstance(settings, ClimatologySettings), "settings of another method"
        progress.say(f"train {self.name}")
        cells = inputs.cube.index.size
        total, square, count = (np.zeros((LEAP_YEAR_DAYS, cells)) for _ in range(3))
        row = day_of_year(inputs.cube.days)
        for part, values, used in training_values(inputs, fold):
            for sums, terms in ((total, values), (square, values**2), (count, used)):
                np.add.at(sums[:, part], row, np.where(used, terms, 0.0))
        half = settings.half_window_days
        total, square, count = (around_the_year(sums, half) for sums in (total, square, count))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(count > 0, total / count, np.nan)
            variance = np.nanmean(np.where(count > 0, square / count - mean**2, 0.0), axis=0)
        deviation = np.sqrt(np.maximum(variance, 0.0)).astype(np.float32)
        return TableModel(global_cells(inputs.cube), mean.astype(np.float32), deviation, {"parameters": mean.size})

    def load(self, directory: Path) -> TableModel:
        """Load what `TableModel.save` wrote."""
        return _load_table(directory)


class Persistence:
    """The last observation before the day: a nowcast, never beside projections."""

    name: ClassVar[str] = "persistence"
    settings_type: ClassVar[type[Settings]] = PersistenceSettings
    needs_own_history: ClassVar[bool] = True
    seeded: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...] | None] = ("P1-nowcast-1",)

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> PersistenceModel:  # fmt: skip
        """Nothing is learnt but the spread of each cell."""
        assert isinstance(settings, PersistenceSettings), "settings of another method"
        progress.say(f"train {self.name}")
        deviation = cell_moments(inputs, fold)[1]
        return PersistenceModel(inputs.target, global_cells(inputs.cube), np.nan_to_num(deviation),
                                settings.latency_days, settings.longest_days, {"parameters": 0})  # fmt: skip

    def load(self, directory: Path) -> PersistenceModel:
        """Load what `PersistenceModel.save` wrote."""
        card, arrays = read_json(directory / CARD), read_arrays(directory)
        return PersistenceModel(card["target"], arrays["index"], arrays["deviation"], card["latency_days"],
                                card["longest_days"], card["facts"])  # fmt: skip


def training_values(inputs: Inputs, fold: Fold) -> Any:
    """For slices of cells: the slice, the target (time, cell) as float64, and where it is used in training."""
    mask = fold.mask("train")
    for part in cell_slices(inputs.cube):
        values = inputs.cube.read(inputs.target, cells=part).astype(np.float64)
        yield part, values, mask[:, part] & np.isfinite(values)


def cell_moments(inputs: Inputs, fold: Fold) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the training values of each cell, (cell,); NaN where there is none."""
    mean = np.full(inputs.cube.index.size, np.nan)
    deviation = mean.copy()
    for part, values, used in training_values(inputs, fold):
        count = used.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            middle = np.where(used, values, 0.0).sum(axis=0) / count
            mean[part] = middle
            deviation[part] = np.sqrt(np.where(used, (values - middle) ** 2, 0.0).sum(axis=0) / count)
    return mean.astype(np.float32), deviation.astype(np.float32)


def filled_by_class(values: Floats, classes: npt.NDArray[Any]) -> Floats:
    """NaN replaced by the mean over the cells of the same class, else over all cells."""
    filled = values.copy()
    overall = float(np.nanmean(values, dtype=np.float64))
    for name in np.unique(classes):
        same = (classes == name) & np.isfinite(values)
        level = float(values[same].mean(dtype=np.float64)) if same.any() else overall
        filled[(classes == name) & np.isnan(values)] = level
    return np.nan_to_num(filled, nan=overall).astype(np.float32)


def around_the_year(sums: npt.NDArray[np.float64], half: int) -> npt.NDArray[np.float64]:
    """Sums over the days within `half` days of each day of the year, (day of year, cell)."""
    return np.asarray(sum(np.roll(sums, shift, axis=0) for shift in range(-half, half + 1)))


def day_of_year(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """0 for 1 January; 29 February and what follows it in other years share the numbers of a leap year."""
    months = days.astype("datetime64[M]")
    month = months.astype(int) % 12
    begin = np.array([0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335])
    return np.asarray(begin[month] + (days - months).astype(int), np.int64)


def _load_table(directory: Path) -> TableModel:
    arrays = read_arrays(directory)
    return TableModel(arrays["index"], arrays["mean"], arrays["deviation"], read_json(directory / CARD)["facts"])
