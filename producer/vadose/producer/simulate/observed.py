"""What an instrument or a model delivers of a world: values on its own grid, with its product card."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.producer.grids import Grid
from vadose.producer.simulate.simulation import World
from vadose.producer.simulate.weather import Days
from vadose.producer.vocabulary import SOIL_MOISTURE, VOCABULARY

PRODUCER = "Vadose simulated world"
VERSION = "1.0"
LICENCE = "CC0-1.0"

# Day conventions in the words of product cards; a composite has time bounds of its own.
CARD_DAYS = {"solar06": "solar06", "utc": "daily_mean", "clear_noon": "instant"}

DAY_COMMENTS = {
    "solar06": "Values hold at 06:00 local mean solar time, "
    "that is (6 - longitude/15) modulo 24 h UTC of this UTC day.",
    "utc": "Mean or sum of the UTC day.",
    "clear_noon": "Values hold near local noon of this UTC day.",
    "composite": "Composite of the days in the time bounds.",
    "static": "Does not change.",
}


@dataclass(frozen=True)
class Layer:
    """One variable of a product: values (period, cell), or (cell,) of a static product."""

    name: str
    values: npt.NDArray[Any]
    units: str
    long_name: str
    standard_name: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Observed:
    """A product of the simulated world.

    Attributes
    ----------
    name
        Its name in the vocabulary, and its folder.
    grid, index
        The grid of the files, and the flat index of the cells that `layers` hold.
    starts, period_days
        First UTC day of each period, and its nominal length (1, 8, 16; 0 for static).
    day_convention
        `solar06`, `utc`, `clear_noon`, `composite` or `static`.
    layers
        The variables; the first is the product itself.
    depth_m
        Bounds of the soil layer, if it has one.
    quality
        How flags make a value unfit: the `variable`, and `clear_bits` (numbers of bits that must be 0) or `keep`
        (allowed values).
    error_std
        True standard deviation of the random error of each cell, in the product's units; None where no soil moisture.
    gain, offset
        True linear response of each cell to the soil moisture of the world, (cell,).
    """

    name: str
    title: str
    grid: Grid
    index: npt.NDArray[np.int64]
    starts: Days
    period_days: int
    day_convention: str
    layers: tuple[Layer, ...]
    sensors: tuple[str, ...]
    inputs: tuple[str, ...]
    depth_m: tuple[float, float] | None = None
    quality: dict[str, Any] | None = None
    error_std: npt.NDArray[np.float64] | None = None
    gain: npt.NDArray[np.float64] | None = None
    offset: npt.NDArray[np.float64] | None = None

    def card(self) -> dict[str, Any]:
        """The product card: what a reader must know beside the files."""
        main = self.layers[0]
        described = self.layers if self.period_days == 0 else (main,)
        variables: dict[str, Any] = {}
        for layer in described:
            entry: dict[str, Any] = {"name": layer.name if self.period_days == 0 else self.name, "units": layer.units}
            if self.depth_m:
                entry["layer_m"] = list(self.depth_m)
            if self.day_convention in CARD_DAYS:
                entry["day"] = CARD_DAYS[self.day_convention]
            if self.quality:
                entry["flags"] = self.quality
            variables[layer.name] = entry
        return {
            "product": self.title,
            "producer": PRODUCER,
            "version": VERSION,
            "licence": LICENCE,
            "passing_on": True,
            "commercial_use": True,
            "variables": variables,
            "sensors": list(self.sensors),
            "forcing": list(self.inputs),
        }


def daily(
    world: World,
    name: str,
    values: npt.NDArray[np.float32],
    *,
    convention: str = "utc",
    sensors: tuple[str, ...] = (),
    inputs: tuple[str, ...] = (),
) -> Observed:
    """A plain daily product of one variable on the grid of the world, named and described by the vocabulary."""
    spec = VOCABULARY[name]
    layer = Layer(name, values.astype(np.float32, copy=False), spec.units, spec.long_name, spec.standard_name)
    return Observed(
        name,
        f"Simulated {spec.long_name}",
        world.grid,
        world.index,
        world.days,
        1,
        convention,
        (layer,),
        sensors,
        inputs,
    )


def moisture_layer(values: npt.NDArray[np.float32], long_name: str, units: str = "m3 m-3") -> Layer:
    """The main variable of a soil-moisture product; percent of saturation has no standard name."""
    return Layer(
        "soil_moisture",
        values.astype(np.float32, copy=False),
        units,
        long_name,
        SOIL_MOISTURE if units == "m3 m-3" else None,
    )
