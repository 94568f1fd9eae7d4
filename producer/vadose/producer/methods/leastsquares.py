"""Least-squares weights: the merge of smallest error variance, whichever of its parents have a value."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Values = npt.NDArray[np.floating]


def least_squares_weights(errors: Doubles) -> tuple[Doubles, Doubles]:
    """Weights that sum to one and leave the smallest error variance.

    w = E⁻¹1 / (1ᵀE⁻¹1) and σ² = 1 / (1ᵀE⁻¹1); with independent errors w_i is proportional to 1/σ_i².

    Parameters
    ----------
    errors
        Error covariance of the parents in one common scale, (..., parent, parent), positive definite.

    Returns
    -------
    weights, variance
        (..., parent), and the error variance of the merge, (...).
    """
    raw = np.linalg.solve(errors, np.ones((*errors.shape[:-1], 1)))[..., 0]
    total = raw.sum(axis=-1)
    return raw / total[..., None], 1.0 / total


def merge(values: Values, errors: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Merge the parents of each day that have a value.

    Parameters
    ----------
    values
        Parents in one common scale, (parent, time, cell), NaN = missing.
    errors
        Error covariance of each cell, (cell, parent, parent); a cell with NaN stays missing.

    Returns
    -------
    mean, variance, spread
        (time, cell) each: the merged value, its error variance by the weights, and the weighted variance of the
        parents about the merged value over their number less one. With the right error covariance of independent
        errors the last two have the same expectation; a single parent has no spread and gets the variance.
    """
    parents = values.shape[0]
    there = np.isfinite(values)
    pattern = np.tensordot(1 << np.arange(parents), there.astype(np.int64), axes=1)
    known = np.isfinite(errors).all(axis=(1, 2))
    mean, variance, spread = (np.full(pattern.shape, np.nan) for _ in range(3))
    filled = np.where(there, values, 0.0).astype(np.float64)
    for code in np.unique(pattern[:, known]):
        members = np.flatnonzero(code >> np.arange(parents) & 1)
        if not members.size:
            continue
        chosen = np.asarray((pattern == code) & known)
        cells = np.flatnonzero(chosen.any(axis=0))
        weights, least = least_squares_weights(errors[cells][:, members][:, :, members])
        days, columns = np.nonzero(chosen[:, cells])
        at = cells[columns]
        parts = filled[members[:, None], days, at]
        own = weights[columns].T
        merged = (own * parts).sum(axis=0)
        mean[days, at], variance[days, at] = merged, least[columns]
        about = (own * (parts - merged) ** 2).sum(axis=0) / max(members.size - 1, 1)
        spread[days, at] = np.maximum(about, 0.0) if members.size > 1 else least[columns]
    return mean, variance, spread
