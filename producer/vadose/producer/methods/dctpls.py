"""DCT-PLS: gaps of the target filled by a smooth field in time and space, penalised least squares by cosines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pydantic
import scipy.fft

from vadose.common import InputError, Progress, read_json, silent
from vadose.producer.cube import Cube
from vadose.producer.methods.base import Block, Floats, Inputs, Prediction, Settings
from vadose.producer.methods.baselines import cell_moments
from vadose.producer.methods.filling import held_out_error, interpolated
from vadose.producer.methods.tables import CARD, global_cells, lookup, prediction, read_arrays, save_arrays
from vadose.producer.training.splits import GAP_SPLITS, Fold

Doubles = npt.NDArray[np.float64]
Place = tuple[slice, slice, slice]

# Over-relaxation and end of the iteration, as in the author's program.
RELAXATION = 1.75
TOLERANCE = 1e-3
SMOOTHEST, ROUGHEST = 1e4, 1e-3


class DctPlsSettings(Settings):
    """Sizes of the windows, neighbours overlapping by half of the days and a quarter of the cells.

    `smoothing` is s; by default it is found by generalised cross-validation on training data.
    """

    window_days: int = pydantic.Field(default=240, ge=8)
    window_cells: int = pydantic.Field(default=64, ge=4)
    smoothing: float | None = pydantic.Field(default=None, gt=0)
    iterations: int = pydantic.Field(default=100, ge=1)


@dataclass(frozen=True)
class DctPlsModel:
    """The mean of each known cell, (cell,), and the smoothness with which differences from it are filled."""

    settings: DctPlsSettings
    target: str
    index: npt.NDArray[np.int64]
    mean: Floats
    smoothing: float
    error: float
    facts: dict[str, Any] = field(default_factory=dict)
    _kept: dict[str, tuple[Cube, tuple[int, int], Floats]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def past_days(self) -> int:
        """Days before the block that are read; as many after it are."""
        return self.settings.window_days

    def predict(self, block: Block) -> Prediction:
        """The smooth field, in the windows that hold the block."""
        days, column, known = lookup(self.index, block)
        first = block.cube.day_index(days[0])
        whole = self._whole(block.cube, first, first + days.size)
        normal = np.where(known, self.mean[column], np.float32(np.nan))
        mean = normal[None, :] + whole[:, block.cells]
        deviation = np.where(np.isnan(mean), np.float32(np.nan), np.float32(self.error))
        return prediction(mean.astype(np.float32), deviation)

    def _whole(self, cube: Cube, first: int, last: int) -> Floats:
        """Differences from the mean on the days from first to last, (time, cell), kept until other days are asked."""
        kept = self._kept.get("last")
        if kept is None or kept[0] is not cube or kept[1] != (first, last):
            kept = cube, (first, last), self._blended(cube, first, last)
            self._kept["last"] = kept
        return kept[2]

    def _blended(self, cube: Cube, first: int, last: int) -> Floats:
        """Windows that touch the days, each with weights that fall towards its inner borders."""
        row, column = compact(cube)
        shape = (cube.days.size, int(row.max()) + 1, int(column.max()) + 1)
        size = (self.settings.window_days, self.settings.window_cells, self.settings.window_cells)
        total, weights = np.zeros((2, last - first, cube.index.size))
        normal = self.mean[np.minimum(np.searchsorted(self.index, global_cells(cube)), self.index.size - 1)]
        for place in windows(shape, size):
            days = slice(max(place[0].start, first), min(place[0].stop, last))
            inside = np.flatnonzero(_within(row, place[1]) & _within(column, place[2]))
            if days.start >= days.stop or not inside.size:
                continue
            cells = slice(int(inside[0]), int(inside[-1]) + 1)
            seen = cube.read(self.target, place[0], cells)[:, inside - cells.start] - normal[inside]
            y = np.full([part.stop - part.start for part in place], np.nan, np.float32)
            y[:, row[inside] - place[1].start, column[inside] - place[2].start] = seen
            z = filled(y, self.smoothing, self.settings.iterations)
            taper = _taper(place, shape, size)
            here = (slice(days.start - place[0].start, days.stop - place[0].start), row[inside] - place[1].start,
                    column[inside] - place[2].start)  # fmt: skip
            there = (slice(days.start - first, days.stop - first), inside)
            total[there] += (z * taper)[here]
            weights[there] += taper[here]
        return (total / weights).astype(np.float32)

    def save(self, directory: Path) -> None:
        """Write `table.safetensors` and `member.json`."""
        card = {"settings": self.settings.model_dump(mode="json"), "target": self.target, "smoothing": self.smoothing,
                "error": self.error, "facts": self.facts}  # fmt: skip
        save_arrays(directory, {"index": self.index, "mean": self.mean}, card)


class DctPls:
    """Garcia 2010, doi 10.1016/j.csda.2009.09.020, about the mean of each cell, on the un-gathered grid."""

    name: ClassVar[str] = "dct-pls"
    settings_type: ClassVar[type[Settings]] = DctPlsSettings
    needs_own_history: ClassVar[bool] = True
    seeded: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...] | None] = ("P0", *GAP_SPLITS)

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> DctPlsModel:  # fmt: skip
        """Means of the cells, the smoothness by cross-validation, and the error on gaps of the inner split."""
        assert isinstance(settings, DctPlsSettings), "settings of another method"
        progress.say(f"train {self.name}")
        mean = cell_moments(inputs, fold)[0]
        smoothing = settings.smoothing or self._smoothing(inputs, fold, settings, mean)
        parts = (settings, inputs.target, global_cells(inputs.cube), mean, smoothing)
        error = held_out_error(DctPlsModel(*parts, np.nan), inputs, fold)
        return DctPlsModel(*parts, error, {"parameters": mean.size + 1, "smoothing": smoothing})

    def _smoothing(self, inputs: Inputs, fold: Fold, settings: DctPlsSettings, mean: Floats) -> float:
        """The s of the window with most training values."""
        row, column = compact(inputs.cube)
        shape = (inputs.cube.days.size, int(row.max()) + 1, int(column.max()) + 1)
        mask, best, most = fold.mask("train"), None, 0
        for place in windows(shape, (settings.window_days, settings.window_cells, settings.window_cells)):
            inside = np.flatnonzero(_within(row, place[1]) & _within(column, place[2]))
            count = int(mask[place[0]][:, inside].sum()) if inside.size else 0
            if count > most:
                best, most = (place, inside), count
        if best is None:
            raise InputError("no training value", where=str(inputs.cube.path), next="choose another split")
        place, inside = best
        cells = slice(int(inside[0]), int(inside[-1]) + 1)
        seen = inputs.cube.read(inputs.target, place[0], cells)[:, inside - cells.start] - mean[inside]
        y = np.full([part.stop - part.start for part in place], np.nan, np.float32)
        y[:, row[inside] - place[1].start, column[inside] - place[2].start] = np.where(
            mask[place[0]][:, inside], seen, np.float32(np.nan)
        )
        return best_smoothing(y, settings.iterations)

    def load(self, directory: Path) -> DctPlsModel:
        """Load what `DctPlsModel.save` wrote."""
        card, arrays = read_json(directory / CARD), read_arrays(directory)
        return DctPlsModel(DctPlsSettings.model_validate(card["settings"]), card["target"], arrays["index"],
                           arrays["mean"], card["smoothing"], card["error"], card["facts"])  # fmt: skip


def filled(y: Floats, smoothing: float, iterations: int) -> Floats:
    """Penalised least squares of a gappy array, by discrete cosines.

    Parameters
    ----------
    y
        Values, (time, row, column), NaN = missing.
    smoothing
        s: the larger, the smoother.
    iterations
        At most so many.

    Returns
    -------
    z
        Without gaps: z <- IDCT(G DCT(W (y - z) + z)), G = 1 / (1 + s L^2), L the eigenvalues of the Laplacian, W = 1 at
        values and 0 in gaps; over-relaxed by 1.75, begun with lines in time, until a step changes it by less than a
        thousandth.
    """
    values = np.isfinite(y)
    z = np.nan_to_num(interpolated(y.reshape(len(y), -1), len(y))).reshape(y.shape)
    if not values.any():
        return z
    gain = 1.0 / (1.0 + np.float32(smoothing) * _eigenvalues(y.shape) ** 2)
    for _ in range(iterations):
        smooth = scipy.fft.idctn(gain * scipy.fft.dctn(np.where(values, y, z), norm="ortho"), norm="ortho")
        step = np.float32(RELAXATION) * (smooth - z)
        z = z + step
        if np.linalg.norm(step) <= TOLERANCE * np.linalg.norm(z):
            break
    return np.asarray(scipy.fft.idctn(gain * scipy.fft.dctn(np.where(values, y, z), norm="ortho"), norm="ortho"))


def best_smoothing(y: Floats, iterations: int) -> float:
    """The s with the least score of generalised cross-validation, by halving a range of its logarithm.

    The score is m RSS / (m - tr H)^2 over the m values. With gaps the gains of the cosines say nothing of the trace of
    H, the matrix that turns values into fitted ones; it is estimated as u' H u with random signs u (Girard 1989,
    doi 10.1007/BF01395775).
    """
    values = np.isfinite(y)
    count = int(values.sum())
    signs = np.random.Generator(np.random.Philox(412)).integers(0, 2, y.shape).astype(np.float32) * 2.0 - 1.0
    probe = np.where(values, signs, np.float32(np.nan)).astype(np.float32)

    def score(log: float) -> float:
        residual = (y - filled(y, 10.0**log, iterations))[values].astype(np.float64)
        trace = float((probe * filled(probe, 10.0**log, iterations))[values].astype(np.float64).sum())
        return float(count * (residual**2).sum() / max(count - trace, 1e-6 * count) ** 2)

    low, high = np.log10(ROUGHEST), np.log10(SMOOTHEST)
    tried = {log: score(log) for log in np.linspace(low, high, 8)}
    step = (high - low) / 7
    while step > 0.3:
        step /= 2
        middle = min(tried, key=lambda log: tried[log])
        tried.update({log: score(log) for log in (middle - step, middle + step) if low <= log <= high})
    return float(10.0 ** min(tried, key=lambda log: tried[log]))


@lru_cache(maxsize=8)
def _eigenvalues(shape: tuple[int, ...]) -> Floats:
    """Of the Laplacian with mirrored borders: the sum over the axes of -2 + 2 cos(pi i / n)."""
    total = np.zeros(shape)
    for axis, n in enumerate(shape):
        wave = -2.0 + 2.0 * np.cos(np.pi * np.arange(n) / n)
        total += wave.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return total.astype(np.float32)


def compact(cube: Cube) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row and column of each cell, counted over those that have any cell, (cell,).

    So a grid of every fourth cell has neighbours.
    """
    columns = cube.grid.shape[1]
    row, column = (np.unique(part, return_inverse=True)[1] for part in (cube.index // columns, cube.index % columns))
    return row.astype(np.int64), column.astype(np.int64)


def windows(shape: tuple[int, ...], size: tuple[int, ...]) -> Iterator[Place]:
    """Windows that cover an array; neighbours overlap by half in time and by a quarter in space."""
    axes = []
    for axis, (n, length) in enumerate(zip(shape, size, strict=True)):
        step = length // 2 if axis == 0 else length - length // 4
        starts = range(0, max(n - length, 0) + step, step) if n > length else (0,)
        axes.append([slice(min(k, max(n - length, 0)), min(min(k, max(n - length, 0)) + length, n)) for k in starts])
    seen = set()
    for days, rows, columns in product(*axes):
        key = tuple((part.start, part.stop) for part in (days, rows, columns))
        if key not in seen:
            seen.add(key)
            yield days, rows, columns


def _taper(place: Place, shape: tuple[int, ...], size: tuple[int, ...]) -> Doubles:
    """Weights of a window: 1 in its middle, falling towards borders that are not those of the array."""
    out = np.ones([part.stop - part.start for part in place])
    for axis, (part, n) in enumerate(zip(place, shape, strict=True)):
        length = part.stop - part.start
        margin = size[axis] // 2 if axis == 0 else size[axis] // 4
        from_first = np.arange(length) + 1.0 if part.start > 0 else np.full(length, np.inf)
        from_last = length - np.arange(length) + 0.0 if part.stop < n else np.full(length, np.inf)
        ramp = np.minimum(np.minimum(from_first, from_last) / max(margin, 1), 1.0)
        out *= ramp.reshape([-1 if k == axis else 1 for k in range(out.ndim)])
    return out


def _within(position: npt.NDArray[np.int64], part: slice) -> npt.NDArray[np.bool_]:
    return np.asarray((position >= part.start) & (position < part.stop))
