"""Merging by triple collocation: parents rescaled to one of them and weighted by their error variances.

Gruber et al. (2017, doi 10.1109/TGRS.2017.2734070) and Ming et al. (2022, doi 10.3390/rs14071744): without a truth,
three data sets of independent errors tell the error variance of each, and least squares the weights. Here the parents
are rescaled before they are merged, and the variances are those of the means that are merged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pydantic
import safetensors
import safetensors.numpy

from vadose.common import InputError, Progress, UsageError, read_json, silent, write_json
from vadose.producer.cube import Cube
from vadose.producer.methods.base import Block, Inputs, Prediction, Settings
from vadose.producer.methods.collocations import (
    SOURCES,
    Estimate,
    Question,
    Unresolved,
    estimate,
    from_neighbours,
    with_equal_weights,
    without_gaps,
)
from vadose.producer.methods.leastsquares import least_squares_weights, merge
from vadose.producer.methods.mergemaps import merge_sheets
from vadose.producer.methods.rescaling import RESCALED, Rescale
from vadose.producer.methods.steps import MONTH_DAYS, Step, month_means, rolling_means, whole_months
from vadose.producer.methods.tables import lookup
from vadose.producer.recipe import unknown_word
from vadose.producer.tensors import write_arrays
from vadose.producer.training.dataset import cell_slices
from vadose.producer.training.maps import Sheet
from vadose.producer.training.splits import Fold, global_index
from vadose.producer.vocabulary import VOCABULARY
from vadose.statistics.distribution import DistributionMaps
from vadose.statistics.status import STATUS

ARRAYS = "tcmerge.safetensors"
CARD = "member.json"
NO_VALID_INPUT = 256
CELLS_AT_ONCE = 256
# Months of the year in each season: December to February first.
SEASONS = ((12, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11))


class TcMergeSettings(Settings):
    """What is merged and how.

    `parents` are three or more soil-moisture variables of the cube, one of them the `reference` of the scale.
    `dependent` names pairs whose errors are known to be correlated: with four parents and more their covariance is
    estimated and used (at most two of four), with three they are marked in the validity map. `aggregation: monthly`
    merges means of calendar months with the errors of rolling 30-day means, of at least `fewest_days` days each.
    `unresolved` cells take the median variances of their resolved neighbours, or equal weights. `weighting: equal`
    gives all cells equal weights, the plain mean of the rescaled parents, to compare with.
    """

    parents: tuple[str, ...] = pydantic.Field(
        default=("smap_sm_am", "ascat_ssm", "land_model_a_sm"), min_length=3, max_length=6
    )
    reference: str = "land_model_a_sm"
    rescale: Rescale = "beta"
    unresolved: Unresolved = "mean"
    weighting: Literal["collocation", "equal"] = "collocation"
    aggregation: Step = "daily"
    fewest_days: int = pydantic.Field(default=5, ge=1, le=MONTH_DAYS)
    dependent: tuple[tuple[str, str], ...] = ()
    seasonal: bool = False

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> TcMergeSettings:
        for name in self.parents:
            if name not in VOCABULARY:
                raise ValueError(unknown_word(name, VOCABULARY, "variable"))
        if len(set(self.parents)) < len(self.parents):
            raise ValueError(f"a parent is named twice: {', '.join(self.parents)}")
        if self.reference not in self.parents:
            raise ValueError(f"the reference {self.reference!r} is none of the parents: {', '.join(self.parents)}")
        for pair in self.dependent:
            if len(set(pair) & set(self.parents)) < 2:
                raise ValueError(f"{' and '.join(pair)} are not two of the parents: {', '.join(self.parents)}")
        return self

    @property
    def question(self) -> Question:
        """The same in positions of the parents."""
        pairs = tuple((self.parents.index(one), self.parents.index(other)) for one, other in self.dependent)
        return Question(self.parents.index(self.reference), self.rescale, pairs)


@dataclass(frozen=True)
class TcMergeModel:
    """Rescaling, error covariances and their validity for each cell.

    Attributes
    ----------
    settings
        What was merged and how.
    index
        Cells of the tables, flat indices in the global grid, (cell,).
    estimate
        Rescaling, error covariances, validity and sources.
    """

    settings: TcMergeSettings
    index: npt.NDArray[np.int64]
    estimate: Estimate
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def past_days(self) -> int:
        """Days before a block that are read: a month's, or none."""
        return 0 if self.settings.aggregation == "daily" else 30

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """Weights where all parents have a value, (season, cell, parent)."""
        return least_squares_weights(self.estimate.errors)[0]

    def predict(self, block: Block) -> Prediction:
        """The merge of the parents that have a value on the day, or in the month of the day.

        Its variance is the mean of two that have the same expectation: that of the weights, and that of the parents
        about the merged value on the day.
        """
        _, column, known = lookup(self.index, block)
        span, month = self._steps(block)
        raw = np.stack([self._raw(block.cube, name, span, block.cells) for name in self.settings.parents])
        stamps = block.cube.days[span]
        if self.settings.aggregation == "monthly":
            stamps = np.unique(stamps.astype("datetime64[M]"))
        mean, variance = self.merge_steps(raw, stamps, column, known)
        merged, deviation = mean[month].astype(np.float32), np.sqrt(variance)[month].astype(np.float32)
        flags = np.where(np.isnan(merged), NO_VALID_INPUT, 0).astype(np.int16)
        return Prediction(merged, deviation, flags)

    def merge_steps(
        self, raw: npt.NDArray[np.float64], stamps: npt.NDArray[np.datetime64], column: npt.NDArray[np.int64],
        known: npt.NDArray[np.bool_],
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:  # fmt: skip
        """Merge parents that are already means of days or months.

        Parameters
        ----------
        raw
            Parents as delivered, (parent, step, cell).
        stamps
            Day or month of each step, (step,).
        column, known
            Position of each cell in the tables, and whether it is there, (cell,).

        Returns
        -------
        mean, variance
            (step, cell); the variance is that of `predict`.
        """
        scaled = np.stack([self._scaled(k, values, column) for k, values in enumerate(raw)])
        mean, variance, spread = (np.full(scaled.shape[1:], np.nan) for _ in range(3))
        season = season_of(stamps) if self.settings.seasonal else np.zeros(stamps.size, np.int64)
        for number in np.unique(season):
            rows = season == number
            errors = np.where(known[:, None, None], self.estimate.errors[number][column], np.nan)
            mean[rows], variance[rows], spread[rows] = merge(scaled[:, rows], errors)
        return mean, (variance + spread) / 2.0

    def _steps(self, block: Block) -> tuple[slice, npt.NDArray[np.int64]]:
        """Days to read, and for each day of the block the step that it belongs to."""
        days = block.cube.days
        begin, end, _ = block.days.indices(days.size)
        if self.settings.aggregation == "daily":
            return slice(begin, end), np.arange(end - begin)
        span = whole_months(days, slice(begin, end))
        number = days[span].astype("datetime64[M]").astype(np.int64)
        return span, (number - number[0])[begin - span.start : end - span.start]

    def _raw(self, cube: Cube, name: str, span: slice, cells: slice) -> npt.NDArray[np.float64]:
        values = cube.read(name, span, cells).astype(np.float64)
        if self.settings.aggregation == "daily":
            return values
        return month_means(values, cube.days[span], self.settings.fewest_days)[0]

    def _scaled(
        self, parent: int, values: npt.NDArray[np.float64], column: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """A parent in the scale of the reference, (step, cell)."""
        mapped = self.estimate.maps[parent].take(column)(values.T).T.astype(np.float64)
        return np.where(self._comparable(parent)[column], mapped, np.nan)

    def _comparable(self, parent: int) -> npt.NDArray[np.bool_]:
        """Cells in which a parent is in the units of the reference, (cell,)."""
        mine, reference = (VOCABULARY[name].units for name in (self.settings.parents[parent], self.settings.reference))
        return np.asarray((self.estimate.kind[parent] > 0) | (mine == reference))

    def sheets(self, cube: Cube) -> Iterator[Sheet]:
        """Maps of weights, errors and validity."""
        _, column, known = lookup(self.index, Block(cube, slice(0, 0), slice(0, cube.index.size)))
        unit = VOCABULARY[self.settings.reference].units
        return merge_sheets(self.estimate, self.settings.parents, unit, column, known)

    def save(self, directory: Path) -> None:
        """Write `tcmerge.safetensors` and `member.json`."""
        found = self.estimate
        arrays: dict[str, npt.NDArray[Any]] = {
            "index": self.index, "kind": found.kind, "errors": found.errors, "validity": found.validity,
            "source": found.source,
        }  # fmt: skip
        for k, maps in enumerate(found.maps):
            arrays |= {f"map.{k}.{name}": values for name, values in maps.arrays().items()}
        write_arrays(directory / ARRAYS, arrays)
        write_json(directory / CARD, {"settings": self.settings.model_dump(mode="json"), "facts": self.facts})


class TcMerge:
    """Least-squares merge of three or more products by their error variances."""

    name: ClassVar[str] = "tcmerge"
    settings_type: ClassVar[type[Settings]] = TcMergeSettings
    needs_own_history: ClassVar[bool] = True
    seeded: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> TcMergeModel:  # fmt: skip
        """Collocate the parents on the training days of the training cells.

        Raises
        ------
        UsageError
            Where the settings ask for more error covariances than the parents can tell, or leave different units.
        InputError
            Where the cube lacks a parent.
        """
        assert isinstance(settings, TcMergeSettings), "settings of another method"
        check_settings(settings)
        cube = inputs.cube
        parts = []
        with progress.step(f"train {self.name}", cube.index.size) as bar:
            for cells in cell_slices(cube, CELLS_AT_ONCE):
                values = training_steps(cube, fold, settings, inputs.target, cells)
                parts.append(estimate_cells(values, cube.days[fold.dates["train"]], settings))
                bar.advance(cells.stop - cells.start)
        row, column = np.divmod(cube.index, cube.grid.shape[1])
        model = merge_model(settings, parts, global_index(cube.grid, cube.index), row, column)
        progress.say(f"collocation by cell: {', '.join(f'{n} {word}' for word, n in model.facts['validity'].items())}; "
                     f"{model.facts['sources'][SOURCES[-1]]} with equal weights")  # fmt: skip
        return model

    def load(self, directory: Path) -> TcMergeModel:
        """Load what `TcMergeModel.save` wrote."""
        card = read_json(directory / CARD)
        settings = TcMergeSettings.model_validate(card["settings"])
        try:
            arrays = dict(safetensors.numpy.load_file(directory / ARRAYS))
        except (OSError, safetensors.SafetensorError) as error:
            raise InputError(f"weights cannot be read: {error}", where=str(directory / ARRAYS),
                             next="vadose train RECIPE") from error  # fmt: skip
        maps = tuple(DistributionMaps.of_arrays(_under(f"map.{k}.", arrays)) for k in range(len(settings.parents)))
        found = Estimate(maps, *(arrays[name] for name in ("kind", "errors", "validity", "source")))
        return TcMergeModel(settings, arrays["index"], found, card["facts"])


def _under(prefix: str, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def check_settings(settings: TcMergeSettings) -> None:
    """Refuse settings that no data can satisfy."""
    units = {VOCABULARY[name].units for name in settings.parents}
    if settings.rescale == "none" and len(units) > 1:
        raise UsageError(f"parents in different units ({', '.join(sorted(units))}) cannot be merged as they are",
                         where="method.settings.rescale", next="choose beta, mean_std or cdf")  # fmt: skip
    if len(settings.parents) > 3:
        try:
            estimate(np.full((1, len(settings.parents), 2), np.nan), settings.question)
        except ValueError as error:
            raise UsageError(str(error), where="method.settings.dependent") from error


def training_steps(
    cube: Cube, fold: Fold, settings: TcMergeSettings, target: str, cells: slice
) -> npt.NDArray[np.float64]:
    """Parents on the training days at the time scale of the merge, (cell, parent, time); NaN outside the training."""
    inside = fold.dates["train"]
    days = np.flatnonzero(inside)
    span = slice(int(days[0]), int(days[-1]) + 1)
    parts = []
    for name in settings.parents:
        values = cube.read(name, span, cells).astype(np.float64)
        allowed = fold.mask("train")[span, cells] if name == target else fold.dates["train"][span][:, None]
        values = np.where(allowed & fold.cells["train"][cells], values, np.nan)
        if settings.aggregation == "monthly":
            values = rolling_means(values, MONTH_DAYS, settings.fewest_days)
        parts.append(values[inside[span]].T)
    return np.stack(parts, axis=1)


def estimate_cells(
    values: npt.NDArray[np.float64], days: npt.NDArray[np.datetime64], settings: TcMergeSettings
) -> Estimate:
    """Collocate the steps of some cells, (cell, parent, time), that stand for the days `days`."""
    seasons = [season_of(days) == k for k in range(len(SEASONS))] if settings.seasonal else []
    return estimate(values, settings.question, seasons)


def merge_model(
    settings: TcMergeSettings, parts: list[Estimate], index: npt.NDArray[np.int64], row: npt.NDArray[np.int64],
    column: npt.NDArray[np.int64],
) -> TcMergeModel:  # fmt: skip
    """The model of all cells, with unresolved ones filled as the settings say.

    Parameters
    ----------
    parts
        Estimates of slices of cells, in order.
    index
        Flat indices of all cells in the global grid, (cell,).
    row, column
        Place of each cell in a grid, to find its neighbours, (cell,).
    """
    found = _joined(parts)
    if settings.weighting == "equal":
        found = with_equal_weights(found)
    elif settings.unresolved == "neighbour":
        errors, source = from_neighbours(found.errors, found.source, row, column)
        found = replace(found, errors=errors, source=source)
    found = replace(found, errors=without_gaps(found.errors))
    return TcMergeModel(settings, index, found, facts(settings, found))


def facts(settings: TcMergeSettings, found: Estimate) -> dict[str, Any]:
    """What is worth keeping about a merge: how many cells were resolved and why not, mean weights and errors."""
    solved = found.source <= SOURCES.index("whole year")
    weights = least_squares_weights(found.errors)[0]
    std = np.sqrt(np.diagonal(found.errors, axis1=2, axis2=3))
    names = settings.parents
    return {
        "parameters": int(found.errors[0].size),
        "resolved": float(solved.mean()),
        "validity": {STATUS[code]: int((found.validity == code).sum()) for code in np.unique(found.validity)},
        "sources": {name: int((found.source == code).sum()) for code, name in enumerate(SOURCES)},
        "rescaled": {
            name: {kind: int((found.kind[k] == code).sum()) for code, kind in enumerate(RESCALED)}
            for k, name in enumerate(names)
        },
        "mean_weights": _by_name(names, weights, solved),
        "mean_error_std": _by_name(names, std, solved),
    }


def _by_name(
    names: tuple[str, ...], values: npt.NDArray[np.float64], chosen: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """Mean of each parent over the chosen (season, cell); empty without any."""
    return {name: float(values[..., k][chosen].mean()) for k, name in enumerate(names)} if chosen.any() else {}


def _joined(parts: list[Estimate]) -> Estimate:
    """The estimates of all slices of cells."""
    maps = tuple(_one_width([part.maps[k] for part in parts]) for k in range(len(parts[0].maps)))
    return Estimate(
        maps, np.concatenate([part.kind for part in parts], axis=1),
        *(np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("errors", "validity", "source")),
    )  # fmt: skip


def _one_width(maps: list[DistributionMaps]) -> DistributionMaps:
    """Maps of several slices as one, knots padded to the largest number."""
    width = max(one.x.shape[1] for one in maps)
    parts: dict[str, list[npt.NDArray[Any]]] = {}
    for one in maps:
        for name, values in one.arrays().items():
            lacking = width - values.shape[1] if name in ("x", "r") else 0
            parts.setdefault(name, []).append(np.pad(values, ((0, 0), (0, lacking))) if lacking else values)
    return DistributionMaps.of_arrays({name: np.concatenate(values) for name, values in parts.items()})


def season_of(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """Position in `SEASONS` of each day or month."""
    month = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    return np.asarray(month % 12 // 3, np.int64)
