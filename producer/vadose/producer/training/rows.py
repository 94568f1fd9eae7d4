"""Rows of a cell and day for networks: features in a fixed order, chosen and scaled inside the fold."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pydantic

from vadose.common import InputError
from vadose.producer.cube import Cube
from vadose.producer.features import antecedent, tvdi
from vadose.producer.features.cells import (
    COORDINATES,
    RANDOM_NAMES,
    CellTable,
    Descriptors,
    Identity,
    coordinates,
    described,
    random_names,
)
from vadose.producer.features.collinear import Selection, select
from vadose.producer.features.descriptors import NAMES, TRAILING_DAYS, trailing_descriptors
from vadose.producer.features.tvdi import TvdiSettings
from vadose.producer.recipe import Predictors
from vadose.producer.training.dataset import CLASSES, cell_slices
from vadose.producer.training.splits import Fold, Role, global_index

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

TEMPERATURES = ("land_surface_temperature_all_weather", "land_surface_temperature")
RAIN = ("precipitation", "antecedent_precipitation")
CELLS_AT_ONCE = 256
# Days whose edges are fitted together, since a cube is stored in slabs of days.
EDGE_DAYS = 46
SELECTION_ROWS = 50_000


class RowSettings(pydantic.BaseModel):
    """Which features a row has.

    `descriptors` of the cell's observations, and from which of them; an `identity` other than none takes their place,
    as a control of what they tell beyond the name of the cell. `per_n` and `entropy` as in `features.descriptors`.
    `memory` adds lags, trailing means and season to the day's values. `collinear` features are removed or kept. `tvdi`
    applies where land surface temperature, NDVI and elevation are predictors.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    descriptors: Descriptors = "train"
    identity: Identity = "none"
    per_n: bool = True
    entropy: bool = True
    memory: bool = False
    collinear: Literal["remove", "keep"] = "remove"
    tvdi: TvdiSettings | None = TvdiSettings()

    @property
    def describes(self) -> Descriptors:
        """The descriptors that are really used."""
        return "none" if self.identity != "none" else self.descriptors


@dataclass(frozen=True)
class RowEncoder:
    """Turns cubes into rows of standardised features: those of the day first, then those of the cell.

    Attributes
    ----------
    predictors, target, settings
        What the features are made of.
    classes
        For class codes, the classes that occur in training.
    kept
        Positions of the features in use among all, ascending.
    center, scale
        Of the features in use.
    known
        Flat indices in the global grid of the cells that the edges of the dryness index are fitted to.
    table
        Descriptors that belong to a cell, unless they change from day to day.
    fills
        Whether missing features are their mean in training; else they stay missing, which trees understand.
    """

    predictors: Predictors
    target: str
    settings: RowSettings
    classes: dict[str, tuple[int, ...]]
    known: Integers
    table: CellTable | None = None
    kept: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    center: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    scale: Floats = field(default_factory=lambda: np.ones(0, np.float32))
    fills: bool = True
    _edges: dict[tuple[str, int], npt.NDArray[np.float64]] = field(default_factory=dict, repr=False, compare=False)
    _lock: Any = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def past_days(self) -> int:
        """Days before the first one that features read."""
        past = antecedent.PAST_DAYS if self.settings.memory else 0
        return max(past, TRAILING_DAYS if self.settings.describes == "causal" else 0)

    @property
    def daily_names(self) -> list[str]:
        """Names of all features that change with the day."""
        names = self._day_names()
        names += ["tvdi"] if self.temperature is not None else []
        return [*names, *NAMES] if self.settings.describes == "causal" else names

    @property
    def static_names(self) -> list[str]:
        """Names of all features of a cell."""
        names = []
        for name in self.predictors.static:
            names += [f"{name}={code}" for code in self.classes[name]] if name in self.classes else [name]
        if self.settings.identity != "none":
            return [*names, *(COORDINATES if self.settings.identity == "coordinates" else RANDOM_NAMES)]
        return [*names, *NAMES] if self.table is not None else names

    @property
    def names(self) -> list[str]:
        """Names of the features in use, in order."""
        every = [*self.daily_names, *self.static_names]
        return [every[k] for k in self.kept]

    @property
    def daily_count(self) -> int:
        """How many features in use change with the day."""
        return int((self.kept < len(self.daily_names)).sum())

    @property
    def temperature(self) -> str | None:
        """The land surface temperature that the dryness index is made of, or nothing if it cannot be made."""
        daily = self.predictors.daily
        if self.settings.tvdi is None or "ndvi" not in daily or "elevation" not in self.predictors.static:
            return None
        return next((name for name in TEMPERATURES if name in daily), None)

    def daily(self, cube: Cube, days: slice, cells: slice) -> tuple[Floats, Mask]:
        """Standardised features of the day in use, (time, cell, feature), and where there is nothing to predict from.

        That is where no daily predictor has a value, or the cell has no descriptors.
        """
        raw, absent = self.raw_daily(cube, days, cells)
        count = self.daily_count
        return self.scaled(raw[..., self.kept[:count]], slice(0, count)), absent

    def static(self, cube: Cube, cells: slice) -> Floats:
        """Standardised features of the cells in use, (cell, feature)."""
        raw, count = self.raw_static(cube, cells), self.daily_count
        return self.scaled(raw[:, self.kept[count:] - len(self.daily_names)], slice(count, None))

    def raw_daily(self, cube: Cube, days: slice, cells: slice) -> tuple[Floats, Mask]:
        """All features of the day before scaling, and where there is nothing to predict from, as in `daily`."""
        today = [cube.read(name, days, cells) for name in self.predictors.daily]
        absent: Mask = np.asarray(np.logical_not(np.isfinite(np.stack(today)).any(axis=0)), bool)
        if self.settings.memory:
            columns = antecedent.features(cube, Predictors(daily=self.predictors.daily), days, cells)
        else:
            columns = np.stack(today, axis=-1)
        rain = [k for k, name in enumerate(self._day_names()) if name.startswith(RAIN)]
        columns[..., rain] = np.log1p(np.maximum(columns[..., rain], 0.0))
        parts = [columns]
        if self.temperature is not None:
            parts.append(self._dryness(cube, days, cells)[..., None])
        if self.settings.describes == "causal":
            parts.append(self._trailing(cube, days, cells))
            absent = absent | ~np.isfinite(parts[-1]).any(axis=-1)
        if self.table is not None:
            absent = absent | ~np.isfinite(self.table.read(cube, cells).T).any(axis=0)
        return np.concatenate(parts, axis=-1).astype(np.float32), absent

    def raw_static(self, cube: Cube, cells: slice) -> Floats:
        """All features of the cells before scaling, (cell, feature)."""
        size = len(range(*cells.indices(cube.index.size)))
        parts: list[Floats] = [np.zeros((size, 0), np.float32)]
        for name in self.predictors.static:
            values = cube.read_static(name, cells)[:, None]
            if name in self.classes:
                # A class that did not occur in training is none of them.
                values = (values == np.array(self.classes[name], np.float32)[None, :]).astype(np.float32)
            parts.append(values)
        if self.settings.identity == "coordinates":
            parts.append(coordinates(cube, cells))
        elif self.settings.identity == "random":
            parts.append(random_names(cube, cells))
        elif self.table is not None:
            parts.append(self.table.read(cube, cells))
        return np.concatenate(parts, axis=1)

    def to_json(self) -> dict[str, Any]:
        """What is not an array, for `member.json`."""
        return {
            "predictors": self.predictors.model_dump(mode="json"), "target": self.target,
            "settings": self.settings.model_dump(mode="json"), "fills": self.fills,
            "classes": {name: list(codes) for name, codes in self.classes.items()},
        }  # fmt: skip

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays, for safetensors."""
        found: dict[str, npt.NDArray[Any]] = {
            "kept": self.kept,
            "center": self.center,
            "scale": self.scale,
            "known": self.known,
        }
        if self.table is None:
            return found
        return {**found, "cell_index": self.table.index, "cell_values": np.ascontiguousarray(self.table.values)}

    @classmethod
    def restored(cls, card: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> RowEncoder:
        """The encoder that `to_json` and `arrays` described."""
        table = CellTable(arrays["cell_index"], arrays["cell_values"]) if "cell_index" in arrays else None
        classes = {name: tuple(codes) for name, codes in card["classes"].items()}
        return cls(Predictors.model_validate(card["predictors"]), card["target"],
                   RowSettings.model_validate(card["settings"]), classes, arrays["known"], table, arrays["kept"],
                   arrays["center"], arrays["scale"], card["fills"])  # fmt: skip

    def _day_names(self) -> list[str]:
        if not self.settings.memory:
            return list(self.predictors.daily)
        return antecedent.feature_names(Predictors(daily=self.predictors.daily))

    def scaled(self, raw: Floats, part: slice) -> Floats:
        """Standardised values of the features in use that `part` tells."""
        standard = (raw - self.center[part]) / self.scale[part]
        return np.asarray(np.nan_to_num(standard, nan=0.0) if self.fills else standard, np.float32)

    def _trailing(self, cube: Cube, days: slice, cells: slice) -> Floats:
        begin = max(days.start - TRAILING_DAYS, 0)
        values = np.ascontiguousarray(cube.read(self.target, slice(begin, days.stop), cells).T)
        found = trailing_descriptors(
            values, first=days.start - begin, per_n=self.settings.per_n, entropy=self.settings.entropy
        )
        return np.moveaxis(found, 0, 1).astype(np.float32)

    def _dryness(self, cube: Cube, days: slice, cells: slice) -> Floats:
        assert self.temperature is not None, "no dryness index"
        assert self.settings.tvdi is not None, "no dryness index"
        place = tvdi.windows(cube.lat, cube.lon, self.settings.tvdi.window_degrees)
        own = replace(place, around=place.around[cells], weight=place.weight[cells])
        lst = tvdi.sea_level(cube.read(self.temperature, days, cells), cube.read_static("elevation", cells))
        ndvi = cube.read("ndvi", days, cells)
        result = np.empty(ndvi.shape, np.float32)
        for k, day in enumerate(range(days.start, days.stop)):
            fitted = self._edges_of(cube, day // EDGE_DAYS, place)[day % EDGE_DAYS]
            result[k] = tvdi.dryness(lst[k], ndvi[k], fitted, own)[0]
        return result

    def _edges_of(self, cube: Cube, slab: int, place: tvdi.Windows) -> npt.NDArray[np.float64]:
        """Edges (day, window, 4) of a slab of days, from the training cells."""
        assert self.temperature is not None, "no dryness index"
        assert self.settings.tvdi is not None, "no dryness index"
        with self._lock:
            key = (cube.content_hash, slab)
            if key not in self._edges:
                days = slice(slab * EDGE_DAYS, min((slab + 1) * EDGE_DAYS, cube.days.size))
                inside = np.isin(global_index(cube.grid, cube.index), self.known)
                lst = tvdi.sea_level(cube.read(self.temperature, days), cube.read_static("elevation"))[:, inside]
                ndvi = cube.read("ndvi", days)[:, inside]
                self._edges[key] = np.stack([
                    tvdi.edges(warm, green, place.own[inside], place.count, self.settings.tvdi)
                    for warm, green in zip(lst, ndvi, strict=True)
                ])  # fmt: skip
            return self._edges[key]


@dataclass(frozen=True)
class Rows:
    """Rows of one role: standardised features (row, feature) and the target in its units, (row,)."""

    features: Floats
    target: Floats


@dataclass(frozen=True)
class RowSet:
    """What one fit needs: the encoder, rows to fit and to tune, and which features went."""

    encoder: RowEncoder
    fit: Rows
    tune: Rows
    selection: Selection


def row_set(cube: Cube, predictors: Predictors, target: str, fold: Fold, settings: RowSettings, *, maximum_rows: int,
            seed: int, fills: bool = True) -> RowSet:  # fmt: skip
    """Fit the encoder inside the fold and read its rows, at most `maximum_rows` of a role at random.

    With `fills` missing features are their mean in training, else they stay missing.

    Raises
    ------
    InputError
        Where a predictor or the target has no value in training, or no cell has enough observations for descriptors.
    """
    encoder = _bare_encoder(cube, predictors, target, fold, settings)
    fit, goal = _raw_rows(encoder, cube, fold, "fit", maximum_rows, seed)
    if not goal.size:
        raise InputError(
            f"no row to fit: the target {target!r} has no value beside a predictor in the training cells and days",
            where=str(cube.path), why="cells with fewer than 30 observations have no descriptors",
            next="train on a longer period, or set descriptors: none",
        )  # fmt: skip
    names = [*encoder.daily_names, *encoder.static_names]
    center, scale = _moments(fit, names, cube)
    some = np.random.default_rng([seed, 11]).permutation(goal.size)[:SELECTION_ROWS]
    chosen = select(fit[some], goal[some], names, collinear=settings.collinear == "remove")
    place = {name: k for k, name in enumerate(names)}
    kept = np.array([place[name] for name in chosen.kept], np.int64)
    fitted = replace(encoder, kept=kept, center=center[kept], scale=scale[kept], fills=fills)
    tune, tune_goal = _raw_rows(encoder, cube, fold, "tune", maximum_rows, seed)
    rows = [Rows(fitted.scaled(raw[:, kept], slice(None)), aim) for raw, aim in ((fit, goal), (tune, tune_goal))]
    return RowSet(fitted, rows[0], rows[1], chosen)


def _bare_encoder(cube: Cube, predictors: Predictors, target: str, fold: Fold, settings: RowSettings) -> RowEncoder:
    inside = fold.cells["train"]
    classes: dict[str, tuple[int, ...]] = {}
    for name in predictors.static:
        if name in CLASSES:
            values = cube.read_static(name)[inside]
            classes[name] = tuple(int(code) for code in np.unique(values[np.isfinite(values)]))
    table = None
    if settings.describes in ("train", "global"):
        visible = fold.mask("fit") if settings.describes == "train" else None
        table = described(cube, target, visible, per_n=settings.per_n, entropy=settings.entropy)
    known = global_index(cube.grid, cube.index)[inside]
    return RowEncoder(predictors, target, settings, classes, known, table)


def _raw_rows(
    encoder: RowEncoder, cube: Cube, fold: Fold, role: Role, maximum: int, seed: int
) -> tuple[Floats, Floats]:
    mask = fold.mask(role)
    wanted, generator = int(mask.sum()), np.random.default_rng([seed, 7])
    tables, goals = [], []
    for days, cells in _stretches(cube, mask):
        target = cube.read(encoder.target, days, cells)
        chosen = mask[days, cells] & np.isfinite(target)
        if wanted > maximum:
            chosen &= generator.random(chosen.shape) < maximum / wanted
        if chosen.any():
            daily, absent = encoder.raw_daily(cube, days, cells)
            chosen &= ~absent
            static = np.broadcast_to(encoder.raw_static(cube, cells), (*chosen.shape, len(encoder.static_names)))
            tables.append(np.concatenate([daily[chosen], static[chosen]], axis=1))
            goals.append(target[chosen])
    if not tables:
        return np.zeros((0, len(encoder.daily_names) + len(encoder.static_names)), np.float32), np.zeros(0, np.float32)
    return np.concatenate(tables), np.concatenate(goals)


def _stretches(cube: Cube, mask: Mask) -> Iterator[tuple[slice, slice]]:
    days = np.flatnonzero(mask.any(axis=1))
    if days.size:
        span = slice(int(days[0]), int(days[-1]) + 1)
        for cells in cell_slices(cube, CELLS_AT_ONCE):
            yield span, cells


def _moments(table: Floats, names: list[str], cube: Cube) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each feature; 1 where it is zero."""
    present = np.isfinite(table)
    count = present.sum(axis=0)
    for name, number in zip(names, count, strict=True):
        if not number and name not in NAMES and name != "tvdi":
            raise InputError(
                f"the predictor {name!r} has no value in the training cells and days", where=str(cube.path),
                next="ingest a source that holds it, or leave it out of the recipe's predictors",
            )  # fmt: skip
    number = np.maximum(count, 1)
    center = np.where(present, table, 0.0).sum(axis=0, dtype=np.float64) / number
    spread = np.sqrt(np.where(present, (table - center) ** 2, 0.0).sum(axis=0) / number)
    return center.astype(np.float32), np.where(spread > 1e-9, spread, 1.0).astype(np.float32)
