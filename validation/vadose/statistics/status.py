"""The words that say why a number is there, marked, or missing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Position in this tuple is the code in integer arrays; the order is part of the run format.
STATUS: tuple[str, ...] = (
    "ok",
    "short",
    "few_effective",
    "few_samples",
    "few_stations",
    "few_years",
    "constant_series",
    "not_applicable",
    "anticorrelated",
    "no_overlap",
    "no_cell",
    "no_reference",
    "day_mismatch",
    "scaling_failed",
    "unreadable",
    "failed",
    "negative_covariance",
    "weak_correlation",
    "negative_error_variance",
    "r2_out_of_range",
    "dependent_errors",
)

CODE: dict[str, int] = {word: code for code, word in enumerate(STATUS)}

Codes = npt.NDArray[np.int8]


def words(codes: npt.NDArray[np.integer]) -> npt.NDArray[np.str_]:
    """The words of an array of codes, same shape."""
    return np.asarray(np.asarray(STATUS)[codes])
