"""Features of a day made of the days before it: lags, trailing means, antecedent precipitation, season, statics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube
from vadose.producer.recipe import Predictors

Floats = npt.NDArray[np.float32]

LAGS = (0, 1, 2, 3)
TRAILING_DAYS = (7, 30, 90)
MEMORY = 0.9
YEAR_DAYS = 365.2425
# After so many days what was before weighs less than 0.1 % in the antecedent precipitation, and all means are full.
PAST_DAYS = 90


def feature_names(predictors: Predictors) -> list[str]:
    """Names of the features, in order: 64 for the seven forcings and twelve statics of CONUS-412."""
    names = [f"{name}_lag{lag}" for name in predictors.daily for lag in LAGS]
    names += [f"{name}_mean{days}" for name in predictors.daily for days in TRAILING_DAYS]
    if "precipitation" in predictors.daily:
        names.append("antecedent_precipitation")
    return [*names, "day_of_year_sine", "day_of_year_cosine", *predictors.static]


def features(cube: Cube, predictors: Predictors, days: slice, cells: slice) -> Floats:
    """Features (time, cell, feature) in the units of the cube; NaN where there is no value.

    Reads `PAST_DAYS` days before the first one; where the cube begins later, means are over what there is.
    """
    begin = max(days.start - PAST_DAYS, 0)
    skip = days.start - begin
    series = [cube.read(name, slice(begin, days.stop), cells) for name in predictors.daily]
    columns = [lagged(values, lag)[skip:] for values in series for lag in LAGS]
    columns += [trailing_mean(values, length)[skip:] for values in series for length in TRAILING_DAYS]
    if "precipitation" in predictors.daily:
        columns.append(antecedent_precipitation(series[predictors.daily.index("precipitation")])[skip:])
    shape = columns[0].shape
    day = cube.days[days.start : days.stop]
    angle = 2.0 * np.pi * (day - day.astype("datetime64[Y]")).astype(int) / YEAR_DAYS
    columns += [np.broadcast_to(wave[:, None], shape) for wave in (np.sin(angle), np.cos(angle))]
    columns += [np.broadcast_to(cube.read_static(name, cells)[None, :], shape) for name in predictors.static]
    return np.stack(columns, axis=-1).astype(np.float32)


def lagged(values: Floats, lag: int) -> Floats:
    """The value `lag` days before, (time, cell); NaN before the first."""
    if not lag:
        return values
    shifted = np.full_like(values, np.nan)
    shifted[lag:] = values[:-lag]
    return shifted


def trailing_mean(values: Floats, length: int) -> Floats:
    """Mean of the valid values of the last `length` days including the day itself, (time, cell)."""
    present = np.isfinite(values)
    zero = np.zeros((1, values.shape[1]))
    total = np.concatenate([zero, np.cumsum(np.where(present, values, 0.0), axis=0, dtype=np.float64)])
    count = np.concatenate([zero, np.cumsum(present, axis=0, dtype=np.float64)])
    end = np.arange(1, values.shape[0] + 1)
    start = np.maximum(end - length, 0)
    number = count[end] - count[start]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(number > 0, (total[end] - total[start]) / number, np.nan).astype(np.float32)


def antecedent_precipitation(rain: Floats) -> Floats:
    """API_t = 0.9 API_{t-1} + P_t, (time, cell), mm; a missing day counts as dry."""
    index = np.zeros_like(rain)
    previous = np.zeros(rain.shape[1], np.float64)
    for t, today in enumerate(np.nan_to_num(rain)):
        previous = MEMORY * previous + today
        index[t] = previous
    return index
