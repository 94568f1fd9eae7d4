"""A bucket: soil moisture from rain and potential evaporation with five parameters, for each cell or for all."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numba
import numpy as np
import numpy.typing as npt
import pydantic

from vadose.common import InputError, Progress, read_json, silent
from vadose.producer.cube import Cube
from vadose.producer.features.evaporation import TEMPERATURE, potential_evaporation
from vadose.producer.methods.base import Block, Floats, Inputs, Prediction, Settings
from vadose.producer.methods.tables import global_cells, lookup, prediction, read_arrays, save_arrays
from vadose.producer.training.dataset import cell_slices
from vadose.producer.training.splits import Fold

RAIN = "precipitation"
CARD = "member.json"
CELLS_AT_ONCE = 512
SPIN_UP_DAYS = 365
# Of the logarithms of capacity (mm), exponent, and leakage (1/d): the range that is searched and the first candidates.
LOWEST = np.log(np.array([3.0, 0.2, 1e-4]))
HIGHEST = np.log(np.array([500.0, 12.0, 0.7]))
CAPACITIES = (8.0, 20.0, 45.0, 100.0, 220.0)
EXPONENTS = (0.5, 1.5, 4.0)
LEAKAGES = (0.003, 0.03, 0.15)
FIRST_STEP, LAST_STEP = 0.5, 0.02


class BucketSettings(Settings):
    """Cells with fewer training values than `fewest_values` get the shared set, which `shared_cells` cells teach."""

    fewest_values: int = pydantic.Field(default=30, ge=5)
    shared_cells: int = pydantic.Field(default=200, ge=1)


@dataclass(frozen=True)
class BucketModel:
    """Parameters (cell, 5): capacity in mm, exponent, leakage in 1/d, residual moisture and range; and errors, (cell,).

    The last row is the shared set.
    """

    index: npt.NDArray[np.int64]
    parameters: npt.NDArray[np.float64]
    error: Floats
    facts: dict[str, Any] = field(default_factory=dict)
    past_days: int = SPIN_UP_DAYS

    def predict(self, block: Block) -> Prediction:
        """Fill and empty the bucket over the block, after a year before it (of the first year where there is none)."""
        days, column, known = lookup(self.index, block)
        row = np.where(known, column, len(self.parameters) - 1)
        first = block.cube.day_index(days[0])
        begin = max(first - SPIN_UP_DAYS, 0)
        again = SPIN_UP_DAYS - (first - begin)
        whole = slice(begin, min(max(first + days.size, begin + again), block.cube.days.size))
        cells = range(*block.cells.indices(block.cube.index.size))
        mean = np.empty((days.size, len(cells)), np.float32)
        for start in range(0, len(cells), CELLS_AT_ONCE):
            part = slice(start, min(start + CELLS_AT_ONCE, len(cells)))
            these = slice(cells[part.start], cells[part.stop - 1] + 1)
            rain, evaporation = forcing(block.cube, whole, these)
            chosen = self.parameters[row[part]]
            share = _shares(rain, evaporation, chosen, min(again, rain.shape[1]))
            share = share[:, first - begin :][:, : days.size]
            mean[:, part] = (chosen[:, 3:4] + chosen[:, 4:5] * share).T
        deviation = np.where(np.isnan(mean), np.float32(np.nan), self.error[row][None, :])
        return prediction(mean, deviation)

    def save(self, directory: Path) -> None:
        """Write the table and `member.json`."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "index": self.index, "parameters": self.parameters, "error": self.error,
        }  # fmt: skip
        save_arrays(directory, arrays, {"facts": self.facts})


class Bucket:
    """A conceptual bucket: S = min(capacity, S + rain), loss = PET (S / capacity)^exponent + leakage S.

    Moisture is residual + range S / capacity, S at the end of the UTC day.
    """

    name: ClassVar[str] = "bucket"
    settings_type: ClassVar[type[Settings]] = BucketSettings
    needs_own_history: ClassVar[bool] = False
    seeded: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> BucketModel:  # fmt: skip
        """Least squares for each cell with enough training values, and for some cells together.

        Residual moisture and range follow from a regression; capacity, exponent and leakage are searched from the best
        of 45 candidates along the axes of their logarithms, with steps that are halved (Kolda et al. 2003,
        doi 10.1137/S003614450242889).
        """
        assert isinstance(settings, BucketSettings), "settings of another method"
        cube = inputs.cube
        for name in (RAIN, TEMPERATURE):
            if name not in cube.names:
                raise InputError(f"the bucket needs {name!r}; the cube holds {', '.join(cube.names)}",
                                 where=str(cube.path), next="choose another method, or ingest it")  # fmt: skip
        mask = fold.mask("train")
        days = np.flatnonzero(mask.any(axis=1))
        span = slice(0, int(days[-1]) + 1)
        candidates = _candidates()
        found = np.full((cube.index.size + 1, 6), np.nan)
        step = max(cube.index.size // settings.shared_cells, 1)
        shared: list[tuple[npt.NDArray[np.float64], ...]] = []
        with progress.step(f"train {self.name}", cube.index.size) as bar:
            for cells in cell_slices(cube, CELLS_AT_ONCE):
                target = cube.read(inputs.target, span, cells).astype(np.float64)
                target = np.ascontiguousarray(np.where(mask[span, cells], target, np.nan).T)
                enough = np.isfinite(target).sum(axis=1) >= settings.fewest_values
                water = forcing(cube, span, cells)
                some = enough & ((np.arange(*cells.indices(cube.index.size)) % step) == 0)
                shared.append(tuple(one[some] for one in (*water, target)))
                own = np.full((len(target), 6), np.nan)
                own[enough] = _fitted(*(one[enough] for one in (*water, target)), candidates, LOWEST, HIGHEST)
                found[cells] = own
                bar.advance(len(target))
        together = tuple(np.concatenate(parts) for parts in zip(*shared, strict=True))
        if not together[0].size:
            raise InputError(f"no cell has {settings.fewest_values} training values", where=str(cube.path),
                             next="choose another split or a longer record")  # fmt: skip
        found[-1] = _fitted_together(*together, candidates, LOWEST, HIGHEST)
        found = np.where(np.isfinite(found[:, :1]), found, found[-1])
        facts = {"parameters": 5 * len(found), "shared_from": len(together[0])}
        return BucketModel(global_cells(cube), found[:, :5], found[:, 5].astype(np.float32), facts)

    def load(self, directory: Path) -> BucketModel:
        """Load what `BucketModel.save` wrote."""
        arrays, card = read_arrays(directory), read_json(directory / CARD)
        return BucketModel(arrays["index"], arrays["parameters"], arrays["error"], card["facts"])


def forcing(cube: Cube, days: slice, cells: slice) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Rain and potential evaporation in mm d-1, both (cell, time); a missing day is dry and evaporates as the last."""
    rain = np.nan_to_num(cube.read(RAIN, days, cells).astype(np.float64))
    evaporation = potential_evaporation(cube, days, cells)
    return np.ascontiguousarray(rain.T), np.ascontiguousarray(_carried_on(evaporation).T)


def _carried_on(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Missing values replaced by the last one before, at the beginning by 0, (time, cell)."""
    place = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values))[:, None], -1), axis=0)
    carried: npt.NDArray[np.float64] = np.where(
        place >= 0, np.take_along_axis(values, np.maximum(place, 0), axis=0), 0.0
    )
    return carried


def _candidates() -> npt.NDArray[np.float64]:
    grid = np.meshgrid(CAPACITIES, EXPONENTS, LEAKAGES, indexing="ij")
    return np.asarray(np.log(np.stack([axis.ravel() for axis in grid], axis=1)), np.float64)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _after(storage: Any, rain: Any, evaporation: Any, capacity: Any, exponent: Any, leakage: Any) -> Any:
    """Storage at the end of a day."""
    storage = min(capacity, storage + rain)
    if storage <= 0.0:
        return 0.0
    loss = evaporation * np.exp(exponent * np.log(storage / capacity)) + leakage * storage
    return max(storage - loss, 0.0)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _start(rain: Any, evaporation: Any, capacity: float, exponent: float, leakage: float, days: int) -> float:
    """Storage after so many days from a half full bucket."""
    storage = 0.5 * capacity
    for t in range(days):
        storage = _after(storage, rain[t], evaporation[t], capacity, exponent, leakage)
    return storage


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _shares(rain: Any, evaporation: Any, parameters: Any, again: int) -> Any:
    """Filled share of the bucket at the end of each day, (cell, time), the first `again` days having gone before."""
    out = np.empty(rain.shape)
    for cell in range(rain.shape[0]):
        capacity, exponent, leakage = parameters[cell, 0], parameters[cell, 1], parameters[cell, 2]
        storage = _start(rain[cell], evaporation[cell], capacity, exponent, leakage, again)
        for t in range(rain.shape[1]):
            storage = _after(storage, rain[cell, t], evaporation[cell, t], capacity, exponent, leakage)
            out[cell, t] = storage / capacity
    return out


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _regression(rain: Any, evaporation: Any, target: Any, logs: Any) -> Any:
    """Residual moisture, range and squared error of cells, (cell, time), for capacity, exponent and leakage."""
    capacity, exponent, leakage = np.exp(logs[0]), np.exp(logs[1]), np.exp(logs[2])
    n, ss, sy, sss, ssy, syy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for cell in range(rain.shape[0]):
        again = min(365, rain.shape[1])
        storage = _start(rain[cell], evaporation[cell], capacity, exponent, leakage, again)
        for t in range(rain.shape[1]):
            storage = _after(storage, rain[cell, t], evaporation[cell, t], capacity, exponent, leakage)
            y = target[cell, t]
            if np.isfinite(y):
                share = storage / capacity
                n += 1.0
                ss += share
                sy += y
                sss += share * share
                ssy += share * y
                syy += y * y
    spread = sss - ss * ss / n
    level, extent = sy / n, 0.0
    if spread > 1e-12 * n:
        extent = max((ssy - ss * sy / n) / spread, 0.0)
        level = (sy - extent * ss) / n
        # Soil holds no less than no water, and no more than its volume.
        if level < 0.0:
            level, extent = 0.0, ssy / sss
        if extent > 1.0:
            level, extent = max((sy - ss) / n, 0.0), 1.0
    error = syy - 2.0 * (level * sy + extent * ssy) + n * level * level + 2.0 * level * extent * ss
    return level, extent, max(error + extent * extent * sss, 0.0) / n


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fitted_together(rain: Any, evaporation: Any, target: Any, candidates: Any, lowest: Any, highest: Any) -> Any:
    """One set of parameters for all cells, (cell, time), and its root mean square error, (6,)."""
    best, least = candidates[0].copy(), np.inf
    for k in range(candidates.shape[0]):
        error = _regression(rain, evaporation, target, candidates[k])[2]
        if error < least:
            best, least = candidates[k].copy(), error
    step = FIRST_STEP
    while step > LAST_STEP:
        moved = False
        for axis in range(3):
            for sign in (-1.0, 1.0):
                trial = best.copy()
                trial[axis] = min(max(trial[axis] + sign * step, lowest[axis]), highest[axis])
                error = _regression(rain, evaporation, target, trial)[2]
                if error < least * (1.0 - 1e-6):
                    best, least, moved = trial, error, True
        if not moved:
            step *= 0.5
    level, extent, error = _regression(rain, evaporation, target, best)
    return np.array([np.exp(best[0]), np.exp(best[1]), np.exp(best[2]), level, extent, np.sqrt(error)])


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fitted(rain: Any, evaporation: Any, target: Any, candidates: Any, lowest: Any, highest: Any) -> Any:
    """Parameters and root mean square error of each cell alone, (cell, 6)."""
    out = np.empty((rain.shape[0], 6))
    for cell in range(rain.shape[0]):
        alone = slice(cell, cell + 1)
        out[cell] = _fitted_together(rain[alone], evaporation[alone], target[alone], candidates, lowest, highest)
    return out
