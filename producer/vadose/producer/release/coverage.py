"""`quality/coverage.csv`, and days that stand out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

COLUMNS_AFTER_DAY = ("cells_expected", "cells_given", "cells_recommended")
ROBUST_DEVIATIONS = 5.0
# Rain makes steps from day to day larger than their usual ones.
ROBUST_STEPS = 10.0
# Gaussian standard deviation over median absolute deviation.
MAD_FACTOR = 1.4826
# Robust deviations below these say nothing: shares and m3 m-3.
FLOORS = {"coverage": 0.01, "mean": 0.005}
# The mean of fewer cells than this share of the domain is not compared.
FEWEST_SHARE = 0.1


def coverage_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table, one day a line; numbers with six digits, missing ones empty."""
    columns = [name for name in rows[0] if name != "cells_cold"] if rows else ["day", *COLUMNS_AFTER_DAY]
    lines = [",".join(columns), *(",".join(_text(row[name]) for name in columns) for row in rows)]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)


def outliers(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Days whose coverage or mean lies more than five robust deviations off the record's median.

    Coverage is counted over the cells that are neither frozen nor under snow, since cold days are weather.
    """
    days = [str(row["day"]) for row in rows]
    expected = np.array([row["cells_expected"] for row in rows], float)
    open_cells = expected - np.array([row["cells_cold"] for row in rows], float)
    given = np.array([row["cells_given"] for row in rows], float)
    with np.errstate(invalid="ignore", divide="ignore"):
        coverage = np.where(open_cells >= FEWEST_SHARE * expected, np.minimum(given / open_cells, 1.0), np.nan)
    mean = np.where(given >= FEWEST_SHARE * expected, np.array([row["mean"] for row in rows], float), np.nan)
    for name, values in (("coverage", coverage), ("mean", mean)):
        for k in standing_out(values, FLOORS[name]):
            yield f"{days[k]}: {name} {values[k]:.3f}, the record's median is {float(np.nanmedian(values)):.3f}"


def steps(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Days or months whose mean differs from the one before by more than ten robust deviations of such steps."""
    enough = [row["cells_given"] >= max(FEWEST_SHARE * row["cells_expected"], 1) for row in rows]
    mean = np.where(enough, np.array([row["mean"] for row in rows], float), np.nan)
    step = np.diff(mean)
    known = np.abs(step[np.isfinite(step)])
    if known.size == 0:
        return
    limit = ROBUST_STEPS * max(MAD_FACTOR * float(np.median(known)), FLOORS["mean"])
    for k in np.flatnonzero(np.abs(step) > limit).tolist():
        yield f"{rows[k + 1]['day']}: the mean steps by {step[k]:+.3f} from {rows[k]['day']}, at most {limit:.3f}"


def standing_out(values: npt.NDArray[np.float64], floor: float) -> list[int]:
    """Positions more than five robust deviations from the median; missing values do not count."""
    known = values[np.isfinite(values)]
    if known.size == 0:
        return []
    middle = np.median(known)
    deviation = max(MAD_FACTOR * float(np.median(np.abs(known - middle))), floor)
    return [int(k) for k in np.flatnonzero(np.abs(values - middle) > ROBUST_DEVIATIONS * deviation)]
