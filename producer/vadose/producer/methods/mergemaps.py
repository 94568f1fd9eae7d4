"""Maps of a merge: weights, error standard deviations and validity of every cell, by season and parent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from vadose.producer.methods.collocations import SOURCES, Estimate
from vadose.producer.methods.leastsquares import least_squares_weights
from vadose.producer.training.maps import Sheet
from vadose.statistics.status import STATUS

SEASON_NAMES = ("December to February", "March to May", "June to August", "September to November")
WHOLE_YEAR = "whole year"


def merge_sheets(
    found: Estimate, parents: Sequence[str], unit: str, column: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]
) -> Iterator[Sheet]:
    """Sheets `weight`, `error` and `validity` of a merge.

    A weight is the one that is used; an error is missing where no collocation tells it.

    Parameters
    ----------
    unit
        Unit of the reference.
    column, known
        Position of each cell of the map in the tables, and whether it is there, (cell,).
    """
    rows = SEASON_NAMES if len(found.errors) > 1 else (WHOLE_YEAR,)
    for season, row in enumerate(rows):
        weights = least_squares_weights(found.errors[season])[0]
        told = found.source[season] < SOURCES.index("equal weights")
        errors = np.where(told[:, None], np.sqrt(np.diagonal(found.errors[season], axis1=1, axis2=2)), np.nan)
        for k, parent in enumerate(parents):
            yield Sheet("weight", row, parent, "1", np.where(known, weights[column, k], np.nan))
            yield Sheet("error", row, parent, unit, np.where(known, errors[column, k], np.nan))
        codes = found.validity[season]
        yield Sheet("validity", row, "", classes(codes), np.where(known, codes[column], np.nan))


def classes(codes: npt.NDArray[np.integer]) -> str:
    """The unit of a map of status codes: what each code says."""
    return "class " + ", ".join(f"{code} {STATUS[code]}" for code in np.unique(codes))
