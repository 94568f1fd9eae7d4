"""The Method contract: the one extension point of the producer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pydantic

from vadose.common import Progress, silent
from vadose.producer.cube import Cube
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import Fold

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Inputs:
    """What a method may read: cubes by name (`main` always), station datasets and product cards.

    `day` says whether a day's value is that at 06:00 local solar time or the mean of the UTC day.
    """

    cubes: Mapping[str, Cube]
    target: str
    predictors: Predictors
    stations: Mapping[str, Path] = field(default_factory=dict)
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    day: Literal["solar06", "daily_mean"] = "solar06"

    @property
    def cube(self) -> Cube:
        """The main cube."""
        return self.cubes["main"]

    def hiding(self, mask: npt.NDArray[np.bool_]) -> Inputs:
        """The same inputs with the target missing where `mask` says so, (time, cell)."""
        return replace(self, cubes={**self.cubes, "main": self.cube.hiding(self.target, mask)})


@dataclass(frozen=True)
class Block:
    """The target days `days` for the cells `cells` of a cube, both slices of positions."""

    cube: Cube
    days: slice
    cells: slice


@dataclass(frozen=True)
class Prediction:
    """What a model says about a block.

    Attributes
    ----------
    mean
        Soil moisture, (time, cell), m3 m-3; NaN where there is nothing to predict from.
    uncertainty
        Standard uncertainty, 1 sigma, with respect to the training target, (time, cell), m3 m-3.
    flags
        Flag bits that only the model knows (256 no valid input, 2048 outside training support), (time, cell), int16.
    diagnostics
        Arrays by name, such as attention by lag.
    """

    mean: Floats
    uncertainty: Floats
    flags: npt.NDArray[np.int16]
    diagnostics: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


class Settings(pydantic.BaseModel):
    """Settings of a method: frozen, unknown keys refused."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Model(Protocol):
    """A fitted method."""

    @property
    def past_days(self) -> int:
        """Days before a block that its prediction reads."""
        ...

    def predict(self, block: Block) -> Prediction:
        """Predict a block; a cell's values depend on nothing but the cube and the first day of the block."""
        ...

    def save(self, directory: Path) -> None:
        """Write weights and `model.json` with the ledger; no pickle."""
        ...


class Method(Protocol):
    """A way to predict soil moisture.

    Attributes
    ----------
    needs_own_history
        Whether a cell must have been seen in training.
    seeded
        Whether the seed changes the fit.
    costly
        Whether a comparison runs it after the cheap ones.
    splits
        The only splits that it is made for, such as the nowcasts; `None` for all.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type[Settings]]
    needs_own_history: ClassVar[bool]
    seeded: ClassVar[bool]
    costly: ClassVar[bool]
    splits: ClassVar[tuple[str, ...] | None]

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> Model:  # fmt: skip
        """Fit inside the training fold; resume from `checkpoint` if it holds an unfinished fit of the same inputs."""
        ...

    def load(self, directory: Path) -> Model:
        """Load a saved model."""
        ...


Clock = Callable[[], float]
