"""The Ingester contract: an order for a cube, and who can carry it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vadose.common import Progress
from vadose.producer.grids import Grid
from vadose.producer.ingest.card import Card
from vadose.producer.recipe import Recipe


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
    days: tuple[np.datetime64, np.datetime64] | None = None
    names: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    card: Card | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    recipe: Recipe | None = None

    def wants(self, name: str) -> bool:
        """Whether a variable of the vocabulary is asked for."""
        return not self.names or name in self.names


@dataclass(frozen=True)
class Ingester:
    """A reader of one provider's native files.

    Attributes
    ----------
    write
        Makes the cube of an order; it appears whole or not at all.
    options
        Options of an order that the reader knows, with what they mean.
    from_files
        Whether it can make a cube without a recipe.
    """

    name: str
    summary: str
    write: Callable[[Order, Progress], None]
    origin: Origin
    options: Mapping[str, str] = field(default_factory=dict)
    from_files: bool = True
