"""The continuous field that observations are fused with: a variable of the cube, or a fitted model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.producer.cube import Cube
from vadose.producer.methods.base import Block, Inputs
from vadose.producer.methods.linear import Ridge, RidgeModel
from vadose.producer.training.splits import Fold

Floats = npt.NDArray[np.float32]

# Days that a model predicts at once, which bounds the memory.
DAYS_AT_ONCE = 256
FOLDER = "background"
RIDGE = Ridge.name


class Background(Protocol):
    """A field without gaps, day by day."""

    @property
    def past_days(self) -> int:
        """Days before a day that the field depends on."""
        ...

    def read(self, cube: Cube, days: slice) -> Floats:
        """The field of all cells, (time, cell), m3 m-3, NaN where it is missing."""
        ...

    def save(self, directory: Path) -> None:
        """Write what a fit gave it."""
        ...


@dataclass(frozen=True)
class Variable:
    """A variable of the cube, such as the soil moisture of a land model."""

    name: str
    past_days: int = 0

    def read(self, cube: Cube, days: slice) -> Floats:
        """The variable as it is."""
        return cube.read(self.name, days)

    def save(self, directory: Path) -> None:
        """Nothing was fitted."""


@dataclass(frozen=True)
class Fitted:
    """A ridge regression on the recipe's predictors, fitted inside the fold."""

    model: RidgeModel

    @property
    def past_days(self) -> int:
        """Days of predictors before a day."""
        return self.model.past_days

    def read(self, cube: Cube, days: slice) -> Floats:
        """The prediction for all cells."""
        span = range(*days.indices(cube.days.size))
        parts = [
            self.model.predict(Block(cube, slice(first, min(first + DAYS_AT_ONCE, span.stop)), slice(None))).mean
            for first in range(span.start, span.stop, DAYS_AT_ONCE)
        ]
        return np.concatenate(parts)

    def save(self, directory: Path) -> None:
        """Write the model into a folder of its own."""
        self.model.save(directory / FOLDER)


def fit_background(name: str, inputs: Inputs, fold: Fold, seed: int) -> Background:
    """The field called `name`: `ridge` is fitted inside the fold, anything else is a variable of the cube.

    Raises
    ------
    InputError
        Where the cube lacks the variable.
    """
    if name == RIDGE:
        method = Ridge()
        return Fitted(method.fit(inputs, fold, method.settings_type(), seed=seed))
    if name not in inputs.cube.names:
        raise InputError(
            f"no continuous field {name!r}; the cube holds {', '.join(inputs.cube.names)}",
            where=f"{inputs.cube.path}, method.settings.land_model",
            next=f"ingest a land model and name its variable, or name {RIDGE!r} for a regression on the predictors",
        )
    return Variable(name)


def load_background(name: str, directory: Path) -> Background:
    """The field that `Background.save` wrote."""
    return Fitted(Ridge().load(directory / FOLDER)) if name == RIDGE else Variable(name)
