"""The Ingester contract: an order for a cube, and who can carry it out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vadose.common import Progress, UsageError
from vadose.producer.grids import Grid, box
from vadose.producer.ingest.card import Card
from vadose.producer.recipe import Recipe, unknown_word

if TYPE_CHECKING:
    from vadose.producer.ingest.gridded import Source


@dataclass(frozen=True)
class Origin:
    """Who made the files, and on which terms."""

    producer: str
    version: str
    licence: str
    passing_on: bool | None = None
    commercial_use: bool | None = None

    def with_card(self, card: Card | None) -> Origin:
        """The origin as the card states it, if there is one."""
        if card is None:
            return self
        return Origin(card.producer, card.version, card.licence, card.passing_on, card.commercial_use)


@dataclass(frozen=True)
class Order:
    """A cube to be made of native files.

    Attributes
    ----------
    files
        Files, or folders that hold them.
    grid
        Window of a global grid; None means the reader's own grid, whole.
    box
        West, south, east, north in degrees: the part of the grid to keep.
    days
        First and last UTC day; None means all days of the files.
    names
        Variables of the vocabulary that are wanted; empty means all that the files hold.
    required
        Variables that must have at least one value.
    options
        What only the reader knows, such as `permissive`.
    recipe
        The recipe that the cube is for, if there is one.
    """

    files: tuple[Path, ...]
    cube: Path
    title: str
    origin: Origin
    grid: Grid | None = None
    box: tuple[float, float, float, float] | None = None
    days: tuple[np.datetime64, np.datetime64] | None = None
    names: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    card: Card | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    recipe: Recipe | None = None

    def window(self, own: Grid) -> Grid:
        """The window of the cube, on the grid that is asked for or else on the reader's own."""
        grid = self.grid or own
        return grid if self.box is None else box(grid.token, *self.box)

    def wants(self, name: str) -> bool:
        """Whether a variable of the vocabulary is asked for."""
        return not self.names or name in self.names

    def selected(self, default: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
        """Variables to read, of those that a reader knows: the ones named, else what the recipe uses, else `default`.

        Raises
        ------
        UsageError
            Where a variable is named that the reader does not know, or the recipe uses none that it knows.
        """
        for name in self.names:
            if name not in known:
                raise UsageError(unknown_word(name, known, "variable"), next="name variables of the vocabulary")
        if self.names or self.recipe is None:
            return self.names or tuple(default)
        recipe = self.recipe
        flags = [rule.variable for rule in recipe.build.flags]
        used = dict.fromkeys([recipe.target, *recipe.predictors.daily, *recipe.predictors.static, *flags])
        chosen = tuple(name for name in used if name in known)
        if not chosen:
            raise UsageError(f"the recipe uses none of {', '.join(sorted(known))}", where=recipe.recipe)
        return chosen


@dataclass(frozen=True)
class Ingester:
    """A reader of one provider's native files.

    Attributes
    ----------
    write
        Makes the cube of an order; it appears whole or not at all.
    source
        Opens the files of an order day by day, so that several readers can fill one cube; None where a reader only
        makes whole cubes.
    gives
        Variables of the vocabulary that it can give; empty where the files decide.
    held
        Those that the files or folders named hold; None where `source` tells, or the files by their names.
    options
        Options of an order that the reader knows, with what they mean.
    from_files
        Whether it can make a cube without a recipe.
    watched
        Pattern of the files whose hashes stand for all inputs; they are written last.
    """

    name: str
    summary: str
    write: Callable[[Order, Progress], None]
    origin: Origin
    source: Callable[[Order], Source] | None = None
    gives: Collection[str] = ()
    held: Callable[[tuple[Path, ...]], Collection[str]] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    from_files: bool = True
    watched: str = "*"
