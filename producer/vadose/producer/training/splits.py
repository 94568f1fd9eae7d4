"""Splits: which cells and days are used for fitting, tuning, calibrating and testing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from vadose.common import InputError, UsageError
from vadose.producer.cube import Cube
from vadose.producer.grids import Grid, global_shape
from vadose.producer.training.gaps import GAP_KINDS, hidden_points

Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

# `train` is everything that may be learnt from; its inner split gives `fit` and `tune`.
Role = Literal["train", "fit", "tune", "calibrate", "test"]
ROLES: tuple[Role, ...] = get_args(Role)

GAP_SPLITS = tuple(f"P6-{kind}" for kind in GAP_KINDS)
NOWCASTS = ("P1-nowcast-1", "P1-nowcast-3")
# Splits that test cells of which nothing was trained on.
UNSEEN_CELLS = ("P2", "P3", "P4", "P5")
SPLITS = ("P0", "P1", "P1-purged", *NOWCASTS, *UNSEEN_CELLS, *GAP_SPLITS)

FOLDS = 5
YEAR_DAYS = 365
PURGE_DAYS = 90
BLOCK_DEGREES = 5.0


@dataclass(frozen=True)
class Fold:
    """One fold of a split: for each role the cells times the days, and where needed single values.

    Attributes
    ----------
    split, number
        The id of the split and the number of the fold, from 0.
    days, index, token
        Days of the cube, flat indices of its cells in the global grid, and the token of that grid.
    cells, dates
        For each role which cells, (cell,), and which days, (time,).
    points
        For splits that hide single values (P0, P6): for each role a mask, (time, cell).
    """

    split: str
    number: int
    days: npt.NDArray[np.datetime64]
    index: Integers
    token: str
    cells: Mapping[Role, Mask]
    dates: Mapping[Role, Mask]
    points: Mapping[Role, Mask] | None = None

    def mask(self, role: Role) -> Mask:
        """Where values of the target may be used in a role, (time, cell)."""
        product = self.dates[role][:, None] & self.cells[role][None, :]
        return product if self.points is None else product & self.points[role]

    def unseen(self) -> Mask:
        """Where nothing may be learnt from the target, (time, cell): all that is not for training."""
        return ~self.mask("train")

    def whole(self) -> Fold:
        """The same fold without an inner split: everything of `train` is for fitting."""
        points = None if self.points is None else {**self.points, "fit": self.points["train"]}
        nothing = np.zeros_like(self.dates["tune"])
        return replace(
            self,
            cells={**self.cells, "fit": self.cells["train"]},
            dates={**self.dates, "fit": self.dates["train"], "tune": nothing},
            points=points,
        )

    def ledger(self, *, refitted: bool = False) -> dict[str, Any]:
        """Cells (flat indices in the global grid) and day ranges of each role, for `model.json`.

        With `refitted`, the last fit used all of `train`.
        """
        if refitted:
            whole = self.whole()
            return {
                **self.ledger(),
                **{key: {**self.ledger()[key], "fit": whole.ledger()[key]["fit"]} for key in ("cells", "days")},
            }
        roles: tuple[Role, ...] = ("fit", "tune", "calibrate", "test")
        used = {role: bool(self.cells[role].any() and self.dates[role].any()) for role in roles}
        return {
            "split": self.split,
            "fold": self.number,
            "grid": self.token,
            "cells": {role: self.index[self.cells[role]].tolist() if used[role] else [] for role in roles},
            "days": {role: day_ranges(self.days[self.dates[role]]) if used[role] else [] for role in roles},
            "single_values": self.points is not None,
        }


def day_ranges(days: npt.NDArray[np.datetime64]) -> list[list[str]]:
    """Ascending days as inclusive ranges of consecutive days."""
    if days.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(days).astype(int) > 1)
    firsts = days[np.concatenate([[0], breaks + 1])]
    lasts = days[np.concatenate([breaks, [days.size - 1]])]
    return [[str(first), str(last)] for first, last in zip(firsts, lasts, strict=True)]


def make_folds(
    split: str, cube: Cube, target: str, *, calibration: float = 0.0, purge_days: int = PURGE_DAYS
) -> tuple[Fold, ...]:
    """All folds of a split.

    Later periods (P1, P4) test the last year of the target, or a fifth of it in whole years where that is more, and
    train on what comes before. The random folds are those of the CONUS-412 benchmark: cells are numbered by column,
    then by row, blocks of 5 degrees by latitude, then by longitude.

    Parameters
    ----------
    split
        One of `SPLITS`, or `P6` for all kinds of gaps.
    cube, target
        The cube and the name of the target in it.
    calibration
        Share of the test blocks of 5 degrees that is taken out of the test, for calibrating intervals.
    purge_days
        Days between training and test in P1-purged and the nowcast splits.

    Raises
    ------
    UsageError
        For an unknown split, or one for which the cube is too small.
    """
    if split == "P6":
        return tuple(fold for gaps in GAP_SPLITS for fold in make_folds(gaps, cube, target, calibration=calibration))
    if split not in SPLITS:
        raise UsageError(f"no split named {split!r}; known splits: {', '.join(SPLITS)}, P6")
    plan = _Plan(cube, target, purge_days)
    if split in GAP_SPLITS:
        folds: tuple[Fold, ...] = (plan.gaps(split),)
    elif split == "P0":
        folds = (plan.random_points(),)
    elif split.startswith("P1"):
        folds = (plan.later(split),)
    elif split == "P4":
        folds = plan.regions(split, plan.block_folds(), later=True)
    elif split == "P5":
        folds = plan.regions(split, plan.groups(), later=False)
    else:
        folds = plan.regions(split, plan.cell_folds() if split == "P2" else plan.block_folds(), later=False)
    return tuple(_calibrated(fold, plan.block, calibration) for fold in folds)


def blocks(lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64]) -> Integers:
    """Number of the 5-degree block of each cell, counted over the occupied blocks sorted by latitude and longitude."""
    keys = np.stack([np.floor(lat / BLOCK_DEGREES), np.floor(lon / BLOCK_DEGREES)], axis=1)
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def global_index(grid: Grid, index: Integers) -> Integers:
    """Flat index in the whole global grid of flat indices in a window of it."""
    columns = grid.shape[1]
    return (index // columns + grid.row0) * global_shape(grid.token)[1] + index % columns + grid.col0


def valid_values(cube: Cube, target: str, *, cells_at_once: int = 4096) -> Mask:
    """Where the target has a value, (time, cell)."""
    valid = np.empty((cube.days.size, cube.index.size), bool)
    for start in range(0, cube.index.size, cells_at_once):
        part = slice(start, min(start + cells_at_once, cube.index.size))
        valid[:, part] = np.isfinite(cube.read(target, cells=part))
    if not valid.any():
        raise InputError(
            f"the target {target!r} has no value at all", where=str(cube.path), next="vadose ingest RECIPE"
        )
    return valid


class _Plan:
    """What all splits of one cube share: the period, the border between years, blocks, and the random folds."""

    def __init__(self, cube: Cube, target: str, purge_days: int) -> None:
        self.cube = cube
        self.purge_days = purge_days
        self.valid = valid_values(cube, target)
        recorded = np.flatnonzero(self.valid.any(axis=1))
        self.first, self.last = int(recorded[0]), int(recorded[-1]) + 1
        span = self.last - self.first
        test = YEAR_DAYS * max(1, round(span / 5 / YEAR_DAYS)) if span >= 2 * YEAR_DAYS else span // 2
        self.border = self.last - test
        self.block = blocks(cube.lat, cube.lon)
        columns = cube.grid.shape[1]
        self.row, self.column = cube.index // columns, cube.index % columns
        self.numbered = np.lexsort((self.row, self.column))
        self.generator = np.random.default_rng(0)
        self.cell_draw = self.generator.permutation(cube.index.size)
        self.block_draw = self.generator.permutation(int(self.block.max()) + 1)

    def span(self, first: int, last: int) -> Mask:
        mask = np.zeros(self.cube.days.size, bool)
        mask[first:last] = True
        return mask

    def fold(self, split: str, number: int, cells: Mapping[Role, Mask], dates: Mapping[Role, Mask],
             points: Mapping[Role, Mask] | None = None) -> Fold:  # fmt: skip
        index = global_index(self.cube.grid, self.cube.index)
        fold = Fold(split, number, self.cube.days, index, self.cube.grid.token, cells, dates, points)
        for role in ("fit", "test"):
            if not (fold.mask(role) & self.valid).any():
                raise UsageError(f"split {split} leaves no target value for {role!r} in fold {number}",
                                 where=str(self.cube.path), next="choose another split")  # fmt: skip
        return fold

    def later(self, split: str) -> Fold:
        """Another period of the same cells; the inner split is the last quarter of the training period."""
        gap = self.purge_days if split != "P1" else 0
        end = self.border - gap
        if end - self.first < 8:
            raise UsageError(f"split {split} needs more than {gap + 8} days before {self.cube.days[self.border]}")
        dates = self.period_roles(end)
        everywhere = np.ones(self.cube.index.size, bool)
        return self.fold(split, 0, dict.fromkeys(ROLES, everywhere), dates)

    def period_roles(self, end: int) -> dict[Role, Mask]:
        inner = end - (end - self.first) // 4
        return {
            "train": self.span(self.first, end),
            "fit": self.span(self.first, inner),
            "tune": self.span(inner, end),
            "calibrate": self.span(0, 0),
            "test": self.span(self.border, self.last),
        }

    def cell_folds(self) -> Integers:
        number = np.empty(self.cube.index.size, np.int64)
        number[self.numbered] = self.cell_draw % FOLDS
        return number

    def block_folds(self) -> Integers:
        return np.asarray((self.block_draw % FOLDS)[self.block], np.int64)

    def groups(self) -> Integers:
        """Koeppen main classes where the cube has them, else thirds of the longitude range."""
        if "koeppen" in self.cube.names:
            codes = self.cube.read_static("koeppen")
            return np.digitize(np.nan_to_num(codes), [3.5, 7.5, 16.5, 28.5]).astype(np.int64)
        lon = self.cube.lon
        thirds = (lon - lon.min()) / max(float(np.ptp(lon)), 1e-9) * 3
        return np.asarray(np.minimum(thirds, 2), np.int64)

    def regions(self, split: str, number: Integers, *, later: bool) -> tuple[Fold, ...]:
        """One group of cells out at a time; with `later` in the later period as well."""
        names = np.unique(number)
        if names.size < 2:
            raise UsageError(f"split {split} needs at least two groups of cells", where=str(self.cube.path))
        units = np.arange(self.cube.index.size) if split == "P2" else self.block
        record = self.span(self.first, self.last)
        dates: dict[Role, Mask] = (
            self.period_roles(self.border)
            if later
            else {**dict.fromkeys(ROLES, record), "calibrate": np.zeros_like(record)}
        )
        folds = []
        for k, name in enumerate(names):
            test = number == name
            tune = _share(units, ~test, 0.2, k)
            everywhere: dict[Role, Mask] = {
                "train": ~test, "fit": ~test & ~tune, "tune": tune, "calibrate": np.zeros_like(test), "test": test,
            }  # fmt: skip
            folds.append(self.fold(split, k, everywhere, dates))
        return tuple(folds)

    def random_points(self) -> Fold:
        """30 % of the values at random; leaky, only to imitate papers."""
        valid = self.valid[:, self.numbered].T
        kept = np.zeros(valid.shape, bool)
        kept[valid] = self.generator.random(int(valid.sum())) < 0.7
        train = np.empty_like(self.valid)
        train[:, self.numbered] = kept.T
        tune = train & (np.random.default_rng([412, 0]).random(train.shape) < 0.2)
        return self.hidden("P0", self.valid & ~train, train, tune)

    def gaps(self, split: str) -> Fold:
        """Structured gaps; the inner split hides the next windows of the same kind."""
        kind = split.removeprefix("P6-")
        test, withheld = hidden_points(
            kind, self.cube.days, self.valid, self.first, self.block, self.row, self.column, self.cube.lat
        )
        inner, near = hidden_points(
            kind, self.cube.days, self.valid, self.first, self.block, self.row, self.column, self.cube.lat, inner=True
        )
        train = self.valid & ~test & ~withheld
        tune = inner & train
        return self.hidden(split, test, train, tune, fit=train & ~tune & ~near)

    def hidden(self, split: str, test: Mask, train: Mask, tune: Mask, fit: Mask | None = None) -> Fold:
        record = self.span(self.first, self.last)
        points: dict[Role, Mask] = {
            "train": train, "fit": train & ~tune if fit is None else fit, "tune": tune,
            "calibrate": np.zeros_like(test), "test": test,
        }  # fmt: skip
        everywhere = np.ones(self.cube.index.size, bool)
        return self.fold(split, 0, dict.fromkeys(ROLES, everywhere), dict.fromkeys(ROLES, record), points)


def _share(units: Integers, among: Mask, share: float, number: int) -> Mask:
    """A random share of the units (blocks or cells) that lie in `among`, at least one of two or more."""
    names = np.unique(units[among])
    if names.size < 2:
        return np.zeros_like(among)
    count = max(1, round(share * names.size))
    drawn = np.random.default_rng([412, number]).permutation(names)[:count]
    return np.isin(units, drawn) & among


def _calibrated(fold: Fold, block: Integers, share: float) -> Fold:
    """The fold with a share of its test blocks taken out for calibration."""
    if share <= 0.0:
        return fold
    chosen = _share(block, fold.cells["test"], share, 1000 + fold.number)
    points = None
    if fold.points is not None:
        points = {**fold.points, "calibrate": fold.points["test"]}
    return replace(
        fold,
        cells={**fold.cells, "calibrate": chosen, "test": fold.cells["test"] & ~chosen},
        dates={**fold.dates, "calibrate": fold.dates["test"]},
        points=points,
    )
