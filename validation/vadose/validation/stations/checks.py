"""Our own checks of soil moisture, for sources that carry no quality flags of the ISMN.

Each marks rows that no check before it has marked; the order is range, frost, spike, plateau.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from vadose.validation.stations.sensor import MINUTES_PER_DAY, Floats, Times

Check = Literal["range", "frozen", "spike", "plateau"]
CHECKS: tuple[Check, ...] = get_args(Check)

HIGHEST_WITHOUT_POROSITY = 0.6
FROST_BELOW_C = 1.0
SPIKE = 0.1
PLATEAU_DAYS = 10
# A spike returns: what is left of it after the next value is at most this share.
_RETURNS = 0.5
_DAY = np.timedelta64(MINUTES_PER_DAY, "m")


def checked(
    stamps: Times,
    values: Floats,
    reasons: npt.NDArray[np.str_],
    *,
    porosity: float = float("nan"),
    soil_celsius: Floats | None = None,
    snow: npt.NDArray[np.bool_] | None = None,
    checks: Sequence[Check] = CHECKS,
) -> npt.NDArray[np.str_]:
    """The reasons of rows after our own checks.

    Parameters
    ----------
    stamps, values, reasons
        Rows of one sensor in any order, m3 m-3, and why each is rejected already ("" if not).
    porosity
        Highest possible value; 0.6 where it is NaN.
    soil_celsius, snow
        Soil temperature at the sensor in degree Celsius and whether snow lies, one a row, if known.
    checks
        Which to make.

    Returns
    -------
    numpy.ndarray
        `own_range`, `own_frozen`, `own_spike` and `own_plateau` added where a row fails.
    """
    order = np.argsort(stamps, kind="stable")
    out = reasons[order].astype("U24")
    time, value = stamps[order].astype("datetime64[m]"), values[order]

    def mark(name: Check, bad: npt.NDArray[np.bool_]) -> None:
        if name in checks:
            out[(out == "") & bad] = f"own_{name}"

    highest = porosity if np.isfinite(porosity) else HIGHEST_WITHOUT_POROSITY
    mark("range", (value < 0.0) | (value > highest))
    frost = np.zeros(value.size, bool)
    if soil_celsius is not None:
        frost |= soil_celsius[order] < FROST_BELOW_C
    if snow is not None:
        frost |= snow[order]
    mark("frozen", frost)
    good = np.flatnonzero(out == "")
    mark("spike", _scattered(value.size, good, spikes(time[good], value[good])))
    good = np.flatnonzero(out == "")
    mark("plateau", _scattered(value.size, good, plateaus(time[good], value[good])))
    back = np.empty_like(out)
    back[order] = out
    return back


def _scattered(size: int, at: npt.NDArray[np.int64], found: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    whole = np.zeros(size, bool)
    whole[at] = found
    return whole


def spikes(time: Times, value: Floats) -> npt.NDArray[np.bool_]:
    """Values more than 0.1 above or below both neighbours, one step away each, that agree with each other."""
    out = np.zeros(value.size, bool)
    if value.size < 3:
        return out
    before, after = value[1:-1] - value[:-2], value[1:-1] - value[2:]
    steps = np.diff(time)
    positive = steps[steps > np.timedelta64(0, "m")]
    step = np.median(positive.astype(np.int64)) if positive.size else 1
    adjacent = (steps[:-1].astype(np.int64) <= step) & (steps[1:].astype(np.int64) <= step)
    least = np.minimum(np.abs(before), np.abs(after))
    out[1:-1] = adjacent & (before * after > 0) & (least > SPIKE) & (np.abs(before - after) <= _RETURNS * least)
    return out


def plateaus(time: Times, value: Floats) -> npt.NDArray[np.bool_]:
    """Values in a run of equal ones over ten days or more; a gap of more than a day ends a run."""
    if value.size < 2:
        return np.zeros(value.size, bool)
    new = (np.diff(value) != 0) | (np.diff(time) > _DAY)
    run = np.concatenate([[0], np.cumsum(new)])
    first = np.concatenate([[0], np.flatnonzero(new) + 1])
    last = np.concatenate([np.flatnonzero(new), [value.size - 1]])
    days = time.astype("datetime64[D]")
    long = (days[last] - days[first]).astype(np.int64) + 1 >= PLATEAU_DAYS
    return np.asarray(long[run])
