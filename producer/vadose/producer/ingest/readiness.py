"""What the inputs of a recipe are, what of them is there and what is missing, before any hour is spent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vadose.common import InputError, VadoseError
from vadose.producer.cube import open_cube
from vadose.producer.ingest.base import Ingester, Order
from vadose.producer.ingest.card import load_card
from vadose.producer.ingest.native import files_below, open_netcdf, require, stated_units
from vadose.producer.ingest.simulated import ALWAYS, DAYFILES, DEFAULT_WORLD, INGESTER, LAND, STATIC, STATIC_FILE
from vadose.producer.recipe import InputSource, Recipe
from vadose.producer.vocabulary import IN_SITU, VOCABULARY, conversion

_DAY = re.compile(r"_(\d{4})(\d{2})(\d{2})\.nc$")
LONGEST_COMPOSITE_DAYS = 16
BY_VARIABLE = (INGESTER.name, DAYFILES.name)


@dataclass(frozen=True)
class InputState:
    """One input of a recipe and what is there of it.

    Attributes
    ----------
    name, reader
        Variable of the vocabulary (or data set, where nobody can read it), and who reads it.
    units
        Units in the cube, and those that the files state if they differ.
    expected, files
        Where the files are looked for, and how many there are.
    days
        First and last day of the files, and how many of the product's days they cover; `static` for maps.
    missing
        What is missing, in words; empty if nothing is.
    """

    name: str
    reader: str
    units: str
    expected: str
    files: int
    days: str
    missing: str


def input_states(recipe: Recipe, find: Callable[[str], Ingester], workspace: Path) -> list[InputState]:
    """The state of every input of a recipe; what is missing or broken is told, never raised.

    A target that covers only a part of the product's days misses nothing: it is what the method learns from.

    Parameters
    ----------
    find
        The ingester of a name.
    """
    readers: list[Ingester] = []
    states: list[InputState] = []
    for item in recipe.inputs:
        try:
            reader = find(item.reader)
        except VadoseError:
            why = "no reader of that name; make day files of it and name the reader dayfiles"
            states.append(InputState(item.name, item.reader, "", "", 0, "", why))
            continue
        if reader not in readers:
            readers.append(reader)
    names, native = needed(recipe), workspace / "native"
    given = {name for reader in readers for name in reader.gives}
    for reader in readers:
        folder = native / reader.name
        if reader.name in BY_VARIABLE:
            states += product_states(recipe, reader.name, folder, [name for name in names if name not in given])
        else:
            states += file_states(recipe, reader, folder, [name for name in names if name in reader.gives])
    if all(item.reader in {reader.name for reader in readers} - set(BY_VARIABLE) for item in recipe.inputs):
        lost = "no input of the recipe gives it"
        states += [
            InputState(name, "-", VOCABULARY[name].units, "", 0, "", lost) for name in names if name not in given
        ]
    return [*states, *made_states(recipe, workspace)]


def needed(recipe: Recipe) -> list[str]:
    """All variables that the cube of a recipe must hold, the target first."""
    build = recipe.build
    names = [recipe.target, *recipe.predictors.daily, *recipe.predictors.static]
    names += [rule.variable for rule in build.flags]
    names += [name for name in (build.observing_input, build.porosity_variable) if name]
    return [name for name in dict.fromkeys(names) if name != IN_SITU]


def product_states(recipe: Recipe, reader: str, folder: Path, names: Sequence[str]) -> Iterator[InputState]:
    """The state of each variable in a folder of products, and of what every such folder holds."""
    options = {key: value for item in recipe.inputs for key, value in item.options.items()}
    if reader == INGESTER.name and not (folder / "world.json").exists():
        folder = folder / str(options.get("world", DEFAULT_WORLD))
    for name in dict.fromkeys([*names, *ALWAYS, *options.get("also", ()), LAND]):
        if name not in VOCABULARY:
            yield InputState(name, reader, "", "", 0, "", "no variable of the vocabulary")
        elif VOCABULARY[name].static:
            yield static_state(reader, folder, name)
        else:
            yield daily_state(recipe, reader, folder / name)


def daily_state(recipe: Recipe, reader: str, folder: Path) -> InputState:
    """The state of the files of a daily variable: card, names, days and units."""
    name, card = folder.name, folder / "card.yaml"
    expected, units = f"{folder}/YYYY/*_YYYYMMDD.nc, card.yaml", VOCABULARY[folder.name].units
    dated = sorted((match.groups(), path) for path in folder.glob("*/*.nc") if (match := _DAY.search(path.name)))
    lacking = ["no card.yaml"] * (not card.exists()) + ["no files"] * (not dated)
    days, count = "", len(dated)
    if not lacking:
        try:
            main = [native for native, spec in load_card(card).variables.items() if spec.name == name]
            if not main:
                raise InputError(f"the card describes no variable {name!r}")
            units = units_of(dated[0][1], card, main[0], name)
            found = np.array(["-".join(parts) for parts, _ in dated], "datetime64[D]")
            days, gap = coverage(recipe, found)
            lacking = [gap] if gap and name != recipe.target else []
        except VadoseError as error:
            lacking = [error.what]
        except ValueError:
            lacking = ["a file name ends in no day of the calendar"]
    return InputState(name, reader, units, expected, count, days, ", ".join(lacking))


def coverage(recipe: Recipe, days: npt.NDArray[np.datetime64]) -> tuple[str, str]:
    """First and last day and how many of the product's days the files cover; and what is missing of them.

    A composite covers the days up to the next one, 16 at most.
    """
    first, last = (np.datetime64(day, "D") for day in recipe.product.days)
    wanted = np.arange(first, last + 1)
    steps = np.diff(days).astype(int)
    period = min(int(np.median(steps)) if steps.size else 1, LONGEST_COMPOSITE_DAYS)
    covered = np.isin(wanted, days[:, None] + np.arange(period))
    text = f"{days[0]}..{days[-1]}, {covered.sum():,} of {wanted.size:,} days"
    return text, "" if covered.all() else f"{(~covered).sum():,} days, the first is {wanted[~covered][0]}"


def units_of(path: Path, card: Path, native: str, name: str) -> str:
    """Units in the cube, with those of the file or its card if they are others.

    Raises
    ------
    InputError
        Where the file cannot be read, lacks the variable, or has units that nothing converts.
    UsageError
        For a card that cannot be read.
    """
    units = VOCABULARY[name].units
    with open_netcdf(path) as dataset:
        require(dataset.variables, native, path)
        own = stated_units(native, getattr(dataset.variables[native], "units", None), load_card(card).of(native), None,
                           path)  # fmt: skip
    conversion(own, units, where=str(path))
    return units if own == units else f"{units} (files: {own})"


def static_state(reader: str, folder: Path, name: str) -> InputState:
    """The state of a static map."""
    path = folder / STATIC / STATIC_FILE
    card, units, missing = path.with_name("card.yaml"), VOCABULARY[name].units, ""
    if not path.exists():
        missing = "no file"
    elif not card.exists():
        missing = "no card.yaml"
    else:
        try:
            units = units_of(path, card, name, name)
        except VadoseError as error:
            missing = error.what
    return InputState(name, reader, units, f"{path}, card.yaml", int(path.exists()), "static", missing)


def file_states(recipe: Recipe, reader: Ingester, folder: Path, names: Sequence[str]) -> Iterator[InputState]:
    """The state of each variable that a reader of native files gives."""
    items = [item for item in recipe.inputs if item.reader == reader.name]
    if not names:
        why = "the recipe uses none of the variables of this reader"
        yield from (InputState(item.name, reader.name, "", str(folder), 0, "", why) for item in items)
        return
    count, days, gap, held, broken = 0, "", "", set(names), ""
    try:
        count = len(files_below((folder,), pattern=reader.watched))
        if reader.source is not None:
            source = reader.source(_order(recipe, reader, items, folder))
            days, gap = coverage(recipe, source.days)
            held = set(source.read(source.days[source.days.size // 2], np.zeros(1, np.int64)))
        elif reader.held is not None:
            held = set(reader.held((folder,)))
    except VadoseError as error:
        broken = error.what
    for name in names:
        lost = "" if name in held else "the files do not hold it"
        missing = broken or lost or ("" if name == recipe.target else gap)
        yield InputState(name, reader.name, VOCABULARY[name].units, f"{folder}/{reader.watched}", count, days, missing)


def _order(recipe: Recipe, reader: Ingester, items: Sequence[InputSource], folder: Path) -> Order:
    """What opens the files of a reader; nothing is written."""
    cards = [load_card(folder / item.card) for item in items if item.card]
    options = {key: value for item in items for key, value in item.options.items()}
    card = cards[0] if cards else None
    return Order((folder,), Path(), "", reader.origin, card=card, options=options, recipe=recipe)


def made_states(recipe: Recipe, workspace: Path) -> Iterator[InputState]:
    """The state of the station datasets and further cubes that a recipe reads."""
    for name in recipe.stations.values():
        path = workspace / "stations" / f"{name}.nc"
        missing = "" if path.is_file() else f"not there: vadose ingest stations SOURCE --name {name}"
        yield InputState(name, "stations", "m3 m-3", str(path), int(path.is_file()), "", missing)
    for name in recipe.other_cubes.values():
        path = workspace / "cubes" / f"{name}.zarr"
        missing = ""
        try:
            open_cube(path)
        except VadoseError as error:
            missing = error.what
        yield InputState(name, "cube", "", str(path), int(not missing), "", missing)
