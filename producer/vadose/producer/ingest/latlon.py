"""Sub-daily or daily fields on latitude and longitude in NetCDF files, gathered to UTC days."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.producer.cube import Days
from vadose.producer.grids import Grid
from vadose.producer.ingest.base import Order
from vadose.producer.ingest.gridded import Cells, Lattice, covering_grid
from vadose.producer.ingest.native import (
    Floats,
    Funnel,
    files_below,
    in_days,
    open_netcdf,
    require,
    stated_units,
    to_vocabulary,
)

LATITUDES = ("lat", "latitude")
LONGITUDES = ("lon", "longitude")
TIMES = ("time", "valid_time")
REGULAR_TOLERANCE = 0.01  # of a step


@dataclass(frozen=True)
class Field:
    """A variable of the vocabulary in the files of a provider.

    `looks_back_hours` is how long before its time stamp the interval begins that a value speaks for; the value
    belongs to the UTC day of that beginning. 0 means the instant.
    """

    native: str
    units: str | None = None
    looks_back_hours: int = 0
    layer_m: tuple[float, float] | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One time step of one file."""

    path: Path
    position: int
    stamp: np.datetime64


class LatLonSource:
    """NetCDF files of one provider, averaged to UTC days.

    Parameters
    ----------
    fields
        What the provider's variables are, by name in the vocabulary.
    steps_a_day
        Steps that a day needs to get a value; None means as many as the fullest day has.
    """

    def __init__(self, order: Order, fields: Mapping[str, Field], steps_a_day: int | None) -> None:
        self.files: Sequence[Path] = files_below(order.files, (".nc", ".nc4"))
        self._fields = fields
        self._card = order.card
        self._steps = self._read_steps()
        self.names = order.selected(self._held(), fields)
        self._plan = {name: self._days_of(name, steps_a_day) for name in self.names}
        held = sorted({day for plan in self._plan.values() for day in plan})
        self.days: Days = np.array(held)[in_days(np.array(held), order.days, str(self.files[0]))]

    @cached_property
    def lattice(self) -> Lattice:
        """Where the cells of the files lie; all files must agree."""
        with open_netcdf(self.files[0]) as dataset:
            lat, lon = axes(dataset, self.files[0])
        return Lattice.of_centres(lat, lon, str(self.files[0]))

    @property
    def grid(self) -> Grid | None:
        """The smallest latitude-longitude grid of ours around the files, if their step is one of ours."""
        return covering_grid(self.lattice)

    def attributes(self, name: str) -> Mapping[str, Any]:
        """Layer and cell methods."""
        item = self._fields[name]
        layer = {} if item.layer_m is None else {"vadose_layer_m": list(item.layer_m)}
        return {"cell_methods": "time: mean", **layer, **item.attributes}

    def land(self, cells: Cells) -> npt.NDArray[np.bool_]:
        """Cells with a value of the first variable on the first day."""
        first = next(name for name in self.names if self.days[0] in self._plan[name])
        step = self._plan[first][self.days[0]][0]
        with open_netcdf(step.path) as dataset:
            values = field_at(dataset, self._fields[first].native, step.position, step.path)
        return np.isfinite(values.ravel()[self.lattice.in_file(cells)])

    def read(self, day: np.datetime64, cells: Cells) -> Mapping[str, tuple[Floats, Funnel]]:
        """Means of a day; a variable without enough steps on it is left out.

        The physical range is that of daily values, so that it is the mean that is screened. A cell without a value
        in one of the steps has no mean.
        """
        steps = {name: plan[day] for name, plan in self._plan.items() if day in plan}
        taken = self.lattice.in_file(cells)
        totals = {name: np.zeros(cells.size) for name in steps}
        units: dict[str, str] = {}
        for path in dict.fromkeys(step.path for chosen in steps.values() for step in chosen):
            with open_netcdf(path) as dataset:
                self._check_axes(dataset, path)
                for name, chosen in steps.items():
                    for step in chosen:
                        if step.path == path:
                            values = field_at(dataset, self._fields[name].native, step.position, path)
                            totals[name] += values.ravel()[taken]
                            self._note_units(dataset, name, path, units)
        return {name: self._screened(name, totals[name] / len(steps[name]), units[name], steps[name][0].path, taken)
                for name in steps}  # fmt: skip

    def _note_units(self, dataset: netCDF4.Dataset, name: str, path: Path, units: dict[str, str]) -> None:
        item = self._fields[name]
        card = self._card.of(item.native) if self._card else None
        stated = stated_units(item.native, getattr(dataset[item.native], "units", None), card, item.units, path)
        if units.setdefault(name, stated) != stated:
            raise InputError(
                f"units {stated!r} here and {units[name]!r} in another file of the day",
                where=f"{path}, variable {item.native}",
            )

    def _screened(
        self, name: str, means: npt.NDArray[np.float64], units: str, path: Path, taken: Cells
    ) -> tuple[Floats, Funnel]:
        item = self._fields[name]
        card = self._card.of(item.native) if self._card else None
        layer = card.layer_m if card and card.layer_m else item.layer_m
        return to_vocabulary(
            means,
            name,
            units,
            where=f"{path}, variable {item.native}",
            flagged=self.refused(taken),
            layer_thickness_m=layer[1] - layer[0] if layer else None,
            card=card,
        )

    def refused(self, taken: Cells) -> npt.NDArray[np.bool_] | None:
        """Cells, by their flat position in the file, whose values a mask refuses; None where there is no mask."""
        return None

    def _held(self) -> tuple[str, ...]:
        """Known variables that the first file holds."""
        with open_netcdf(self.files[0]) as dataset:
            held = tuple(name for name, item in self._fields.items() if item.native in dataset.variables)
            if not held:
                known = [item.native for item in self._fields.values()]
                raise InputError(
                    f"none of the variables {', '.join(known)}; the file holds {', '.join(dataset.variables)}",
                    where=str(self.files[0]),
                )
            return held

    def _read_steps(self) -> list[Step]:
        """All time steps in ascending order; two of the same time are refused."""
        steps = []
        for path in self.files:
            with open_netcdf(path) as dataset:
                stamps = times(dataset, path)
            steps += [Step(path, position, stamp) for position, stamp in enumerate(stamps)]
        steps.sort(key=lambda step: step.stamp)
        for before, after in itertools.pairwise(steps):
            if before.stamp == after.stamp:
                both = str(before.path) if before.path == after.path else f"{before.path} and {after.path}"
                raise InputError(
                    f"{before.stamp} appears twice", where=both, next="remove one of them, then run the same command"
                )
        return steps

    def _days_of(self, name: str, steps_a_day: int | None) -> dict[np.datetime64, list[Step]]:
        """Days with enough steps of a variable, and those steps."""
        back = np.timedelta64(self._fields[name].looks_back_hours, "h")
        days: dict[np.datetime64, list[Step]] = {}
        for step in self._steps:
            days.setdefault((step.stamp - back).astype("datetime64[D]"), []).append(step)
        fullest = max(days, key=lambda day: len(days[day]))
        needed = len(days[fullest]) if steps_a_day is None else steps_a_day
        enough = {day: steps for day, steps in days.items() if len(steps) >= needed}
        if not enough:
            raise InputError(
                f"{name} has no day with {needed} steps; {fullest} has {len(days[fullest])}",
                where=f"{self.files[0].parent}, variable {self._fields[name].native}",
                next=f"get the missing files, or accept such days with --steps {len(days[fullest])}",
            )
        return enough

    def _check_axes(self, dataset: netCDF4.Dataset, path: Path) -> None:
        lat, lon = axes(dataset, path)
        same = Lattice.of_centres(lat, lon, str(path))
        mine = self.lattice
        if same.shape != mine.shape or not (
            np.allclose(same.lat, mine.lat, atol=1e-4) and np.allclose(same.lon, mine.lon, atol=1e-4)
            and np.array_equal(same.rows, mine.rows) and np.array_equal(same.columns, mine.columns)
        ):  # fmt: skip
            raise InputError(
                "latitude and longitude differ from those of the first file", where=f"{path}; {self.files[0]}"
            )


def axes(dataset: netCDF4.Dataset, path: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Latitude and longitude in the order of the file, under any of their usual names."""
    return (
        regular_axis(dataset[coordinate(dataset, LATITUDES, path)][:], f"{path}, latitude"),
        regular_axis(dataset[coordinate(dataset, LONGITUDES, path)][:], f"{path}, longitude"),
    )


def coordinate(dataset: netCDF4.Dataset, names: Sequence[str], path: Path) -> str:
    """The first of the names that the file has."""
    for name in names:
        if name in dataset.variables:
            return name
    require(dataset.variables, " or ".join(names), path)
    raise AssertionError("require raises where no name is known")


def regular_axis(stored: npt.NDArray[Any], where: str) -> npt.NDArray[np.float64]:
    """A regular axis; positions that hold the fill value are restored from the others.

    Raises
    ------
    InputError
        Where fewer than two values are known, or missing ones cannot be restored because the axis is not regular.
    """
    values: npt.NDArray[np.float64] = np.ma.filled(np.ma.asarray(stored).astype(np.float64), np.nan).ravel()
    known = np.flatnonzero(np.isfinite(values) & (np.abs(values) <= 360.0))
    if known.size == values.size and values.size > 1:
        return np.asarray(values)
    if known.size < 2:
        raise InputError("fewer than two coordinates are known", where=where)
    step = (values[known[-1]] - values[known[0]]) / (known[-1] - known[0])
    restored = values[known[0]] + (np.arange(values.size) - known[0]) * step
    if np.abs(restored[known] - values[known]).max() > REGULAR_TOLERANCE * abs(step):
        raise InputError("coordinates are missing and the others are not regular", where=where)
    return np.asarray(restored)


def times(dataset: netCDF4.Dataset, path: Path) -> npt.NDArray[np.datetime64]:
    """Time stamps, UTC, to the minute; unsorted or repeated ones within the file are refused."""
    variable = dataset[coordinate(dataset, TIMES, path)]
    units = str(getattr(variable, "units", "")).strip()
    try:
        stamps = netCDF4.num2date(
            np.ma.filled(np.atleast_1d(variable[...])).astype(np.float64), units,
            getattr(variable, "calendar", "standard"), only_use_cftime_datetimes=False, only_use_python_datetimes=True,
        )  # fmt: skip
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"time units {units!r} or values are not understood: {error}", where=f"{path}, variable time"
        ) from error
    found = np.asarray(stamps, "datetime64[s]").astype("datetime64[m]")
    for before, after in itertools.pairwise(found):
        if after <= before:
            what = "appears twice" if after == before else f"stands after {before}"
            raise InputError(
                f"times must be unique and ascending: {after} {what}",
                where=f"{path}, variable {variable.name}",
                next="sort the file, or remove the double times, then run the same command",
            )
    return found


def field_at(dataset: netCDF4.Dataset, name: str, position: int, path: Path) -> Floats:
    """A variable at one time step, (row, column) in the order of the file, missing is NaN.

    Along a dimension `expver` the lowest version that has a value counts: 1 is final, 5 preliminary. Other
    dimensions must have one element.
    """
    require(dataset.variables, name, path)
    variable = dataset[name]
    horizontal = {*LATITUDES, *LONGITUDES}
    chosen = tuple(
        position if dimension in TIMES else slice(None) if dimension in horizontal or dimension == "expver" else 0
        for dimension in variable.dimensions
    )
    for dimension, size in zip(variable.dimensions, variable.shape, strict=True):
        if dimension not in {*horizontal, *TIMES, "expver"} and size != 1:
            raise InputError(
                f"dimension {dimension!r} has {size} elements, expected one",
                where=f"{path}, variable {name}",
                next="choose one of them before ingest",
            )
    values: Floats = np.ma.filled(np.ma.asarray(variable[chosen]).astype(np.float32), np.nan)
    left = [dimension for dimension in variable.dimensions if dimension in horizontal or dimension == "expver"]
    if "expver" in left:
        versions = np.asarray(dataset["expver"][:]).astype(float) if "expver" in dataset.variables else np.arange(9.0)
        layers = np.moveaxis(values, left.index("expver"), 0)
        values = layers[np.argsort(versions[: len(layers)])[0]]
        for layer in layers[np.argsort(versions[: len(layers)])[1:]]:
            values = np.where(np.isnan(values), layer, values)
        left.remove("expver")
    return values.T if left and left[0] in LONGITUDES else values
