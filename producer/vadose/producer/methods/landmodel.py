"""A land model without its bias: the baseline that any method which reads that land model must beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from vadose.common import InputError, Progress, UsageError, read_json, silent, write_json
from vadose.producer.cube import Cube
from vadose.producer.methods.base import Block, Floats, Inputs, Prediction, Settings
from vadose.producer.methods.matching import joined
from vadose.producer.tensors import write_arrays
from vadose.producer.training.dataset import cell_slices
from vadose.producer.training.splits import Fold, global_index
from vadose.statistics.distribution import FEWEST_LINE_DAYS, DistributionMaps, fit_maps

ARRAYS = "corrections.safetensors"
CARD = "member.json"
NO_VALID_INPUT = 256
# The first of these that a cube holds is corrected unless the settings name one.
LAND_MODELS = ("era5_sm", "noah_sm", "land_model_b_sm", "land_model_a_sm")
# Common values of a class that its map is fitted on at most, drawn evenly.
CLASS_VALUES = 200_000


class LandModelSettings(Settings):
    """What is corrected (`""` for the first land model that the cube holds), and whether by moments or percentiles."""

    product: str = ""
    scaling: Literal["mean_std", "cdf"] = "mean_std"


@dataclass(frozen=True)
class LandModel:
    """Maps of a land model onto the target: one a cell, then one a land cover class, then that of all cells.

    Attributes
    ----------
    cells, classes
        Flat index in the global grid of the cells, and codes of the classes, of the first maps; ascending.
    """

    settings: LandModelSettings
    cells: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]
    maps: DistributionMaps
    uncertainty: float
    facts: dict[str, Any] = field(default_factory=dict)
    past_days: int = 0

    def predict(self, block: Block) -> Prediction:
        """The corrected land model; missing where it is."""
        values = block.cube.read(self.settings.product, block.days, block.cells)
        mean = self.maps.take(self.place(block.cube, block.cells))(values.T).T
        missing = np.isnan(mean)
        deviation = np.where(missing, np.nan, self.uncertainty).astype(np.float32)
        return Prediction(mean, deviation, np.where(missing, NO_VALID_INPUT, 0).astype(np.int16))

    def place(self, cube: Cube, cells: slice) -> npt.NDArray[np.int64]:
        """Number of the map of each cell: its own, else that of its land cover, else that of all cells."""
        place = np.full(cube.index[cells].size, self.cells.size + self.classes.size)
        known = found(self.classes, land_cover(cube, cells))
        place = np.where(known >= 0, self.cells.size + known, place)
        own = found(self.cells, global_index(cube.grid, cube.index[cells]))
        return np.where(own >= 0, own, place)

    def save(self, directory: Path) -> None:
        """Write `corrections.safetensors` and `member.json`."""
        arrays = {**self.maps.arrays(), "cells": self.cells, "classes": self.classes}
        write_arrays(directory / ARRAYS, arrays)
        write_json(directory / CARD, {"settings": self.settings.model_dump(mode="json"),
                                      "uncertainty": self.uncertainty, "facts": self.facts})  # fmt: skip


class LandModelBiasCorrected:
    """Mean and standard deviation, or percentiles, of a land model made those of the target in training."""

    name: ClassVar[str] = "land-model-bias-corrected"
    settings_type: ClassVar[type[Settings]] = LandModelSettings
    needs_own_history: ClassVar[bool] = False
    seeded: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> LandModel:  # fmt: skip
        """Fit on the common values in training; a cell with fewer than 30 gets the map of its land cover.

        Raises
        ------
        InputError
            Where the cube holds no such land model, or it has too few common values with the target.
        UsageError
            Where the land model is the target itself.
        """
        assert isinstance(settings, LandModelSettings), "settings of another method"
        name = settings.product or chosen_product(inputs)
        if name == inputs.target:
            raise UsageError(f"{name} cannot be corrected towards itself", where="method.settings.product",
                             next="name a land model of the cube")  # fmt: skip
        progress.say(f"train {self.name}")
        parts: list[tuple[npt.NDArray[np.int64], DistributionMaps]] = []
        pairs: list[tuple[npt.NDArray[np.int64], Floats, Floats]] = []
        for part, x, r, used in common_values(inputs, name, fold):
            enough = np.flatnonzero(used.sum(axis=1) >= FEWEST_LINE_DAYS)
            index = global_index(inputs.cube.grid, inputs.cube.index[part])
            parts.append((index[enough], corrections(x[enough], r[enough], settings.scaling)))
            row, _ = np.nonzero(used)
            pairs.append((land_cover(inputs.cube, part)[row], x[used], r[used]))
        code, x, r = (np.concatenate(values) for values in zip(*pairs, strict=True))
        if x.size < FEWEST_LINE_DAYS:
            raise InputError(f"{name} and {inputs.target} have {x.size} common values in training",
                             where=str(inputs.cube.path), why=f"a correction needs {FEWEST_LINE_DAYS}",
                             next="choose another split or land model")  # fmt: skip
        classes = np.array([one for one in np.unique(code) if (code == one).sum() >= FEWEST_LINE_DAYS], np.int64)
        maps = parts[0][1]
        for _, more in parts[1:]:
            maps = joined(maps, more)
        for chosen in (*(code == one for one in classes), np.ones(code.size, bool)):
            step = max(int(chosen.sum()) // CLASS_VALUES, 1)
            maps = joined(maps, corrections(x[chosen][None, ::step], r[chosen][None, ::step], settings.scaling))
        cells = np.concatenate([index for index, _ in parts])
        facts = {"parameters": int(maps.size.sum()), "cells": int(cells.size), "classes": int(classes.size)}
        settings = settings.model_copy(update={"product": name})
        model = LandModel(settings, cells, classes, maps, 0.0, facts)
        return LandModel(settings, cells, classes, maps, training_error(model, inputs, fold), facts)

    def load(self, directory: Path) -> LandModel:
        """Load what `LandModel.save` wrote."""
        card = read_json(directory / CARD)
        try:
            arrays = dict(safetensors.numpy.load_file(directory / ARRAYS))
        except (OSError, safetensors.SafetensorError) as error:
            raise InputError(f"corrections cannot be read: {error}", where=str(directory / ARRAYS),
                             next="vadose train RECIPE") from error  # fmt: skip
        return LandModel(LandModelSettings.model_validate(card["settings"]), arrays.pop("cells"), arrays.pop("classes"),
                         DistributionMaps.of_arrays(arrays), card["uncertainty"], card["facts"])  # fmt: skip


def chosen_product(inputs: Inputs) -> str:
    """The first land model that the cube holds and that is not the target."""
    for name in LAND_MODELS:
        if name in inputs.cube.names and name != inputs.target:
            return name
    raise InputError(f"the cube holds no land model: none of {', '.join(LAND_MODELS)}", where=str(inputs.cube.path),
                     next="ingest a source that holds one, or name a variable as the setting `product`")  # fmt: skip


def common_values(
    inputs: Inputs, name: str, fold: Fold
) -> Iterator[tuple[slice, Floats, Floats, npt.NDArray[np.bool_]]]:
    """For slices of cells: the slice, product and target (cell, time), and where both count in training."""
    mask = fold.mask("train")
    for part in cell_slices(inputs.cube):
        x, r = (inputs.cube.read(variable, cells=part).T for variable in (name, inputs.target))
        used = np.isfinite(x) & np.isfinite(r) & mask[:, part].T
        yield part, x, np.where(used, r, np.float32(np.nan)), used


def corrections(x: Floats, r: Floats, scaling: Literal["mean_std", "cdf"]) -> DistributionMaps:
    """One map a series (series, time); a line through the moments of the common values, or percentiles.

    A series that never changes is shifted only.
    """
    if scaling == "cdf":
        return fit_maps(x, r)
    common = np.isfinite(x) & np.isfinite(r)
    count = np.maximum(common.sum(axis=1), 1)
    means, spreads = [], []
    for values in (x, r):
        inside = np.where(common, values, 0.0).astype(np.float64)
        mean = inside.sum(axis=1) / count
        means.append(mean)
        spreads.append(np.sqrt((np.where(common, inside - mean[:, None], 0.0) ** 2).sum(axis=1) / count))
    slope = np.where(spreads[0] > 1e-9, spreads[1] / np.maximum(spreads[0], 1e-9), 1.0)
    offset = means[1] - slope * means[0]
    knots = np.tile([0.0, 1.0], (slope.size, 1))
    kind = np.ones(slope.size, np.int8)
    values = offset[:, None] + slope[:, None] * knots
    outside = np.stack([slope, slope], axis=1)
    return DistributionMaps(knots, values, outside, np.full(slope.size, 2, np.int32), kind, np.zeros_like(kind))


def training_error(model: LandModel, inputs: Inputs, fold: Fold) -> float:
    """Root mean square error of the corrected land model in training."""
    total, count = 0.0, 0
    for part, x, r, used in common_values(inputs, model.settings.product, fold):
        error = model.maps.take(model.place(inputs.cube, part))(x)[used].astype(np.float64) - r[used]
        total, count = total + float((error**2).sum()), count + error.size
    return float(np.sqrt(total / max(count, 1)))


def land_cover(cube: Cube, cells: slice) -> npt.NDArray[np.int64]:
    """Class of each cell, -1 where unknown."""
    if "land_cover" not in cube.names:
        return np.full(cube.index[cells].size, -1, np.int64)
    return np.nan_to_num(cube.read_static("land_cover", cells), nan=-1).astype(np.int64)


def found(ordered: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Position in an ascending array of each value, -1 where it is not there."""
    if not ordered.size:
        return np.full(wanted.size, -1, np.int64)
    place = np.minimum(np.searchsorted(ordered, wanted), ordered.size - 1)
    return np.where(ordered[place] == wanted, place, -1)
