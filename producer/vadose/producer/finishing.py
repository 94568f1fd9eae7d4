"""From a prediction to what a granule holds: physical limits and status flags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.producer.cube import Cube
from vadose.producer.granules.flags import MASK, NO_VALID_INPUT, WITHOUT_VALUE
from vadose.producer.methods.base import Prediction
from vadose.producer.recipe import FlagRule, Recipe
from vadose.producer.vocabulary import VOCABULARY

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.int16]

# Bits that only the model knows; all others come from the cube by the recipe's rules.
FROM_MODEL = np.int16(MASK["no_valid_input"] | MASK["outside_training_support"])
COLD = np.int16(MASK["frozen_soil"] | MASK["snow_cover"])


@dataclass(frozen=True)
class Finished:
    """Soil moisture, uncertainty (m3 m-3, NaN where missing) and flag, each (time, cell)."""

    sm: Floats
    sm_uncertainty: Floats
    flag: Flags


def check_rules(recipe: Recipe, cube: Cube) -> None:
    """Refuse a recipe whose flags or limits name a variable that the cube lacks."""
    build = recipe.build
    names = [rule.variable for rule in build.flags]
    names += [name for name in (build.porosity_variable, build.observing_input) if name]
    missing = sorted(set(names) - set(cube.names))
    if missing:
        raise InputError(
            f"the recipe's build section names {', '.join(missing)}; the cube holds {', '.join(cube.names)}",
            where=str(cube.path),
            next=f"ingest the source that holds it, or change the recipe {recipe.recipe}",
        )


def finish(recipe: Recipe, cube: Cube, prediction: Prediction, days: slice, cells: slice) -> Finished:
    """Clip a prediction and set every flag; the order is predict, clip, flag, round, write.

    Parameters
    ----------
    recipe
        Its build section holds limits and flag rules.
    prediction
        Of the block, (time, cell).
    days, cells
        The block's positions in the cube.
    """
    build = recipe.build
    flag = rule_flags(build.flags, cube, days, cells, prediction.mean.shape)
    flag |= prediction.flags & FROM_MODEL
    if build.observing_input:
        observed = np.isfinite(cube.read(build.observing_input, days, cells))
        flag |= np.where(observed, 0, MASK["gap_filled"]).astype(np.int16)
    unknown = ~(np.isfinite(prediction.mean) & np.isfinite(prediction.uncertainty))
    if not build.covers_frozen:
        unknown |= (flag & COLD) != 0
    flag |= np.where(unknown, NO_VALID_INPUT, np.int16(0))
    missing = (flag & WITHOUT_VALUE) != 0
    maximum = _maximum(recipe, cube, cells)
    with np.errstate(invalid="ignore"):
        outside = (prediction.mean < build.minimum) | (prediction.mean > maximum)
    flag |= np.where(outside & ~missing, MASK["value_clipped_to_physical_range"], 0).astype(np.int16)
    flag &= np.where(missing, ~np.int16(MASK["outside_training_support"]), np.int16(-1))
    sm = np.clip(prediction.mean, np.float32(build.minimum), maximum)
    sm[missing] = np.nan
    uncertainty = np.clip(prediction.uncertainty, np.float32(0.0), np.float32(1.0))
    uncertainty[missing] = np.nan
    return Finished(sm, uncertainty, flag)


def rule_flags(rules: tuple[FlagRule, ...], cube: Cube, days: slice, cells: slice, shape: tuple[int, ...]) -> Flags:
    """The bits that the recipe's rules set, (time, cell). A missing variable sets no bit."""
    flag = np.zeros(shape, np.int16)
    for rule in rules:
        static = VOCABULARY[rule.variable].static
        values = cube.read_static(rule.variable, cells) if static else cube.read(rule.variable, days, cells)
        with np.errstate(invalid="ignore"):
            on = np.zeros(values.shape, bool)
            if rule.above is not None:
                on |= values > rule.above
            if rule.below is not None:
                on |= values < rule.below
        flag |= np.where(on, np.int16(MASK[rule.flag]), np.int16(0))
    return flag


def _maximum(recipe: Recipe, cube: Cube, cells: slice) -> Floats:
    """Upper limit of each cell, (cell,): its porosity where that is named and known, else the recipe's maximum."""
    name = recipe.build.porosity_variable
    if name is None:
        return np.full(len(range(*cells.indices(cube.index.size))), recipe.build.maximum, np.float32)
    porosity = cube.read_static(name, cells)
    return np.where(np.isfinite(porosity), porosity, np.float32(recipe.build.maximum)).astype(np.float32)
