"""What a method sees of a cube: predictors encoded with scalers that were fitted inside the fold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.producer.cube import Cube
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import Fold

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# Heavy-tailed predictors, seen as log(1 + value).
LOGARITHMIC = frozenset({"precipitation"})
# Class codes, seen as one channel a class that occurs in training.
CLASSES = frozenset({"land_cover", "koeppen", "soil_class", "soil_texture"})
CELLS_AT_ONCE = 4096
# How far a predictor may lie outside its training range, as a share of that range.
MARGIN = 0.1


@dataclass(frozen=True)
class Encoder:
    """Turns predictors into standardised channels; missing is 0 with a channel that says so.

    Attributes
    ----------
    predictors
        Names in order.
    center, scale, low, high
        For each daily predictor (after the logarithm) and then each static one: mean, standard deviation, least and
        greatest value in training; the last two are in standard deviations.
    gappy
        Daily predictors with gaps in training: each gets a validity channel.
    classes
        For class codes, the classes that occur in training.
    """

    predictors: Predictors
    center: Floats
    scale: Floats
    low: Floats
    high: Floats
    gappy: tuple[str, ...] = ()
    classes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def daily_channels(self) -> int:
        """Number of channels that change with the day."""
        return len(self.predictors.daily) + len(self.gappy)

    @property
    def static_channels(self) -> int:
        """Number of channels of a cell."""
        return sum(len(self.classes.get(name, (0,))) for name in self.predictors.static)

    def daily(self, cube: Cube, days: slice, cells: slice) -> Floats:
        """Channels (time, cell, channel)."""
        return self.daily_with_gaps(cube, days, cells)[0]

    def daily_with_gaps(self, cube: Cube, days: slice, cells: slice) -> tuple[Floats, Mask]:
        """Channels (time, cell, channel), and where no daily predictor has a value, (time, cell)."""
        names = self.predictors.daily
        count = len(names)
        values = np.stack([transformed(name, cube.read(name, days, cells)) for name in names], axis=-1)
        values = (values - self.center[:count]) / self.scale[:count]
        present = np.isfinite(values)
        flags = [present[..., names.index(name)].astype(np.float32) for name in self.gappy]
        filled = np.where(present, values, np.float32(0.0)).astype(np.float32)
        channels = np.concatenate([filled, *[flag[..., None] for flag in flags]], axis=-1) if flags else filled
        return channels, np.asarray(~present.any(axis=-1))

    def beyond(self, daily: Floats) -> Mask:
        """Days on which a daily predictor lies well outside its training range, (time, cell)."""
        count = len(self.predictors.daily)
        low, high = self.low[:count], self.high[:count]
        margin = MARGIN * (high - low)
        values = daily[..., :count]
        return np.asarray(((values < low - margin) | (values > high + margin)).any(axis=-1))

    def unseen(self, cube: Cube, cells: slice) -> Mask:
        """Cells of a class that does not occur in training, (cell,)."""
        found = np.zeros(len(range(*cells.indices(cube.index.size))), bool)
        for name, codes in self.classes.items():
            raw = cube.read_static(name, cells)
            found |= np.isfinite(raw) & ~np.isin(raw, codes)
        return found

    def static(self, cube: Cube, cells: slice) -> Floats:
        """Channels (cell, channel)."""
        count = len(self.predictors.daily)
        columns = []
        for k, name in enumerate(self.predictors.static, count):
            raw = cube.read_static(name, cells)
            if name in self.classes:
                columns += [(raw == code).astype(np.float32) for code in self.classes[name]]
            else:
                columns.append(np.nan_to_num((raw - self.center[k]) / self.scale[k], nan=0.0))
        size = len(range(*cells.indices(cube.index.size)))
        return np.stack(columns, axis=-1).astype(np.float32) if columns else np.zeros((size, 0), np.float32)

    def to_json(self) -> dict[str, Any]:
        """The scalers, for `model.json`."""
        arrays = {name: getattr(self, name).tolist() for name in ("center", "scale", "low", "high")}
        return {
            **arrays,
            "gappy": list(self.gappy),
            "classes": {name: list(codes) for name, codes in self.classes.items()},
        }

    @classmethod
    def from_json(cls, value: dict[str, Any], predictors: Predictors) -> Encoder:
        """The encoder that `to_json` described."""
        center, scale, low, high = (np.array(value[name], np.float32) for name in ("center", "scale", "low", "high"))
        classes = {name: tuple(codes) for name, codes in value["classes"].items()}
        return cls(predictors, center, scale, low, high, tuple(value["gappy"]), classes)


def fit_encoder(cube: Cube, predictors: Predictors, fold: Fold, target: str | None = None) -> Encoder:
    """Fit scalers on the training cells and days of a fold.

    With a `target` a class occurs in training only where a training value of the target lies in it: a channel that no
    value has taught would say something random.

    Raises
    ------
    InputError
        Where a predictor has no value at all in training.
    """
    days = np.flatnonzero(fold.dates["train"])
    chosen = slice(int(days[0]), int(days[-1]) + 1)
    inside = fold.dates["train"][chosen]
    sums = [_Moments() for _ in predictors.daily]
    for cells in cell_slices(cube):
        keep = fold.cells["train"][cells]
        for name, moments in zip(predictors.daily, sums, strict=True):
            moments.add(transformed(name, cube.read(name, chosen, cells))[inside][:, keep])
    gappy = tuple(name for name, moments in zip(predictors.daily, sums, strict=True) if moments.missing)
    classes: dict[str, tuple[int, ...]] = {}
    taught = fold.cells["train"]
    if target is not None and CLASSES & set(predictors.static):
        taught = _taught(cube, target, fold)
    for name in predictors.static:
        every = cube.read_static(name)
        moments = _Moments()
        moments.add(every[fold.cells["train"]])
        sums.append(moments)
        if name in CLASSES:
            values = every[taught]
            classes[name] = tuple(int(code) for code in np.unique(values[np.isfinite(values)]))
    for name, moments in zip((*predictors.daily, *predictors.static), sums, strict=True):
        if not moments.n:
            raise InputError(
                f"the predictor {name!r} has no value in the training cells and days",
                where=str(cube.path),
                next="ingest a source that holds it, or leave it out of the recipe's predictors",
            )
    columns = np.array([moments.summary() for moments in sums], np.float64).T
    center, scale = columns[0], columns[1]
    low, high = (columns[2] - center) / scale, (columns[3] - center) / scale
    arrays = [np.asarray(part, np.float32) for part in (center, scale, low, high)]
    return Encoder(predictors, arrays[0], arrays[1], arrays[2], arrays[3], gappy, classes)


def _taught(cube: Cube, target: str, fold: Fold) -> Mask:
    """Cells with a value of the target in training, (cell,)."""
    mask = fold.mask("train")
    parts = [(mask[:, cells] & np.isfinite(cube.read(target, cells=cells))).any(axis=0) for cells in cell_slices(cube)]
    return np.concatenate(parts)


def transformed(name: str, values: Floats) -> Floats:
    """Values as they are standardised: precipitation as log(1 + mm per day)."""
    return np.log1p(np.maximum(values, 0.0)) if name in LOGARITHMIC else values


def cell_slices(cube: Cube, size: int = CELLS_AT_ONCE) -> Iterator[slice]:
    """All cells of a cube, in slices."""
    for start in range(0, cube.index.size, size):
        yield slice(start, min(start + size, cube.index.size))


class _Moments:
    """Count, sums about the first value and range of the finite values."""

    def __init__(self) -> None:
        self.n = self.missing = 0
        self.shift = self.total = self.square = 0.0
        self.least, self.greatest = np.inf, -np.inf

    def add(self, values: Floats) -> None:
        finite = values[np.isfinite(values)].astype(np.float64)
        self.missing += values.size - finite.size
        if not finite.size:
            return
        if not self.n:
            self.shift = float(finite.flat[0])
        self.n += finite.size
        self.total += float((finite - self.shift).sum())
        self.square += float(((finite - self.shift) ** 2).sum())
        self.least, self.greatest = min(self.least, float(finite.min())), max(self.greatest, float(finite.max()))

    def summary(self) -> tuple[float, float, float, float]:
        """Mean, standard deviation (1 where it is zero), least and greatest value."""
        mean = self.total / self.n
        deviation = float(np.sqrt(max(self.square / self.n - mean**2, 0.0)))
        return self.shift + mean, deviation if deviation > 1e-9 else 1.0, self.least, self.greatest


@dataclass(frozen=True)
class TrainingSet:
    """Encoded arrays of the cells that are trained on or tuned with.

    Attributes
    ----------
    encoder
        Fitted inside the fold.
    cells
        Position in the cube of each kept cell, (cell,).
    first
        Position in the cube of the first kept day.
    daily, static
        Channels (time, cell, channel) and (cell, channel).
    target
        Standardised target, 0 where missing, (time, cell).
    fit, tune
        Where the loss and the tuning score count, (time, cell).
    center, scale
        Mean and standard deviation of the target over `fit`.
    """

    encoder: Encoder
    cells: npt.NDArray[np.int64]
    first: int
    daily: Floats
    static: Floats
    target: Floats
    fit: Mask
    tune: Mask
    center: float
    scale: float


def training_set(cube: Cube, predictors: Predictors, target: str, fold: Fold, *, maximum_cells: int | None = None,
                 seed: int = 0) -> TrainingSet:  # fmt: skip
    """Read what one fit needs; with `maximum_cells` a random sample of the training cells.

    Raises
    ------
    InputError
        Where a predictor or the target has no value in training.
    """
    encoder = fit_encoder(cube, predictors, fold, target)
    cells = np.flatnonzero(fold.cells["train"])
    if maximum_cells is not None and cells.size > maximum_cells:
        cells = np.sort(np.random.default_rng([seed, 5]).permutation(cells)[:maximum_cells])
    days = np.flatnonzero(fold.dates["train"])
    span = slice(int(days[0]), int(days[-1]) + 1)
    parts: list[tuple[Floats, Floats, Floats]] = []
    for part in cell_slices(cube):
        keep = cells[(cells >= part.start) & (cells < part.stop)] - part.start
        if keep.size:
            daily = encoder.daily(cube, span, part)[:, keep]
            parts.append((daily, encoder.static(cube, part)[keep], cube.read(target, span, part)[:, keep]))
    daily, static, raw = (
        np.concatenate(arrays, axis=axis) for arrays, axis in zip(zip(*parts, strict=True), (1, 0, 1), strict=True)
    )
    valid = np.isfinite(raw)
    fit, tune = (fold.mask(role)[span][:, cells] & valid for role in ("fit", "tune"))
    if not fit.any():
        raise InputError(f"the target {target!r} has no value in the training cells and days", where=str(cube.path))
    center, scale = float(raw[fit].mean(dtype=np.float64)), float(raw[fit].std(dtype=np.float64)) or 1.0
    standard = np.where(fit | tune, (raw - center) / scale, 0.0).astype(np.float32)
    return TrainingSet(encoder, cells, span.start, daily, static, standard, fit, tune, center, scale)
