"""Error covariances of parents without a truth: collocation cell by cell, with its reasons and fallbacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from vadose.producer.methods.rescaling import Rescale, fit_rescaling, gains
from vadose.statistics.collocation import Collocation, collocate
from vadose.statistics.design import Pairs
from vadose.statistics.distribution import DistributionMaps, identity
from vadose.statistics.status import CODE, Codes

Doubles = npt.NDArray[np.float64]
Kinds = npt.NDArray[np.int8]

Unresolved = Literal["mean", "neighbour"]
# Where the error covariance of a cell comes from; the position is the code in files.
SOURCES: tuple[str, ...] = ("collocation", "whole year", "neighbours", "equal weights")
_PAIR_DAYS = 30


@dataclass(frozen=True)
class Question:
    """How parents are collocated: the reference, the rescaling, and pairs whose errors depend on each other."""

    reference: int
    rescale: Rescale
    dependent: Pairs = ()


@dataclass(frozen=True)
class Estimate:
    """What is known of the errors of the parents in each of some cells.

    Attributes
    ----------
    maps
        One for each parent, of all cells.
    kind
        Position in `RESCALED`, (parent, cell).
    errors
        Error covariance in the scale of the reference, (season, cell, parent, parent).
    validity
        Why there is no collocation, codes of `vadose.statistics.STATUS`, (season, cell).
    source
        Position in `SOURCES`, (season, cell).
    """

    maps: tuple[DistributionMaps, ...]
    kind: Kinds
    errors: Doubles
    validity: Codes
    source: Kinds


def estimate(values: Doubles, question: Question, seasons: Sequence[npt.NDArray[np.bool_]] = ()) -> Estimate:
    """Errors, rescaling and validity of cells.

    Parameters
    ----------
    values
        Parents at the time scale at which they are merged, (cell, parent, time), NaN = missing.
    question
        How.
    seasons
        Masks of the steps of each season, (time,); without them one set of weights holds for the whole year. A season
        without a valid collocation takes that of the whole year.
    """
    whole = _collocated(values, question)
    good = _resolved(whole)
    maps, kind, matched = _rescaled(values, question, np.where(good[:, None], whole.beta, np.nan))
    scaled = np.stack([one(values[:, k]) for k, one in enumerate(maps)], axis=1).astype(np.float64)
    gain = np.stack([gains(one, kind[k]) for k, one in enumerate(maps)], axis=-1)
    equal = _equal(scaled)
    errors, validity = _errors(values, scaled, question, gain, whole)
    validity = np.where((validity == CODE["negative_covariance"]) & (matched == CODE["anticorrelated"]),
                        CODE["anticorrelated"], validity).astype(np.int8)  # fmt: skip
    source = np.where(np.isfinite(errors[:, 0, 0]), 0, SOURCES.index("equal weights")).astype(np.int8)
    errors = np.where(np.isfinite(errors), errors, equal)
    if not seasons:
        return Estimate(maps, kind, errors[None], validity[None], source[None])
    parts = [_season(values, scaled, question, gain, mask, (errors, source)) for mask in seasons]
    return Estimate(maps, kind, *(np.stack(one) for one in zip(*parts, strict=True)))


def _season(
    values: Doubles, scaled: Doubles, question: Question, gain: Doubles, mask: npt.NDArray[np.bool_],
    year: tuple[Doubles, Kinds],
) -> tuple[Doubles, Codes, Kinds]:  # fmt: skip
    inside = np.where(mask, values, np.nan)
    errors, validity = _errors(inside, np.where(mask, scaled, np.nan), question, gain, _collocated(inside, question))
    own = np.isfinite(errors[:, 0, 0])
    source = np.where(own, 0, np.where(year[1] == 0, SOURCES.index("whole year"), year[1]))
    return np.where(own[:, None, None], errors, year[0]), validity, source.astype(np.int8)


def _collocated(values: Doubles, question: Question) -> Collocation:
    """Collocation with the gains relative to the reference; four data sets and more tell named covariances."""
    several = values.shape[1] > 3
    order = _order(values.shape[1], question.reference)
    place = {int(member): k for k, member in enumerate(order)}
    pairs = [(place[i], place[j]) for i, j in question.dependent]
    return collocate(values[:, order], named=pairs if several else (), dependent=() if several else pairs)


def _order(members: int, reference: int) -> npt.NDArray[np.int64]:
    return np.array([reference, *(k for k in range(members) if k != reference)], np.int64)


def _resolved(found: Collocation) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isin(found.status, (CODE["ok"], CODE["dependent_errors"])).all(axis=1))


def _rescaled(values: Doubles, question: Question, beta: Doubles) -> tuple[tuple[DistributionMaps, ...], Kinds, Codes]:
    """Maps of every parent to the reference, their kinds, and the worst reason of each cell."""
    cells, members = values.shape[:2]
    order = _order(members, question.reference)
    maps, kinds, worst = [], [], np.zeros(cells, np.int8)
    for k in range(members):
        if k == question.reference:
            maps.append(identity(cells))
            kinds.append(np.zeros(cells, np.int8))
            continue
        column = int(np.flatnonzero(order == k)[0])
        one, kind, status = fit_rescaling(
            question.rescale, values[:, k], values[:, question.reference], beta[:, column]
        )
        maps.append(one)
        kinds.append(kind)
        worst = np.maximum(worst, status).astype(np.int8)
    return tuple(maps), np.stack(kinds), worst


def _errors(
    values: Doubles, scaled: Doubles, question: Question, gain: Doubles, found: Collocation
) -> tuple[Doubles, Codes]:
    """Error covariance in the scale of the reference, (cell, parent, parent), NaN where unresolved; the reason."""
    order = _order(values.shape[1], question.reference)
    if question.rescale == "cdf":
        found, gain = _collocated(scaled, question), np.ones_like(gain)
    cells, members = values.shape[0], order.size
    raw = np.zeros((cells, members, members))
    raw[:, np.arange(members), np.arange(members)] = found.error_std**2
    if members > 3:
        place = {int(member): k for k, member in enumerate(order)}
        named = sorted({tuple(sorted((place[i], place[j]))) for i, j in question.dependent})
        for column, (i, j) in enumerate(named):
            raw[:, i, j] = raw[:, j, i] = found.error_covariance[:, column]
    back = np.argsort(order)
    errors = raw[:, back][:, :, back] * gain[:, :, None] * gain[:, None, :]
    good = _resolved(found) & np.isfinite(errors).all(axis=(1, 2))
    errors = _positive_definite(np.where(good[:, None, None], errors, np.eye(members)))
    reason = np.where(found.status == CODE["dependent_errors"], CODE["ok"], found.status).max(axis=1)
    marked = (found.status == CODE["dependent_errors"]).any(axis=1) & (reason == CODE["ok"])
    reason = np.where(marked, CODE["dependent_errors"], reason).astype(np.int8)
    return np.where(good[:, None, None], errors, np.nan), reason


def _positive_definite(errors: Doubles) -> Doubles:
    """Without the covariances where they are too large to be any."""
    least = np.linalg.eigvalsh(errors)[:, 0]
    diagonal = errors * np.eye(errors.shape[1])
    return np.where((least > 1e-3 * np.trace(diagonal, axis1=1, axis2=2))[:, None, None], errors, diagonal)


def _equal(scaled: Doubles) -> Doubles:
    """Equal and independent errors whose size is half the mean variance of the differences of two parents.

    NaN where no two parents share 30 days.
    """
    cells, members, _ = scaled.shape
    total, number = np.zeros(cells), np.zeros(cells)
    for i, j in combinations(range(members), 2):
        difference = scaled[:, i] - scaled[:, j]
        there = np.isfinite(difference)
        count = there.sum(axis=1)
        use = count >= _PAIR_DAYS
        mean = np.where(there, difference, 0.0).sum(axis=1) / np.maximum(count, 1)
        square = np.where(there, difference - mean[:, None], 0.0) ** 2
        total += np.where(use, square.sum(axis=1) / np.maximum(count, 1), 0.0)
        number += use
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.where(number > 0, total / number / 2.0, np.nan)
    return np.asarray(variance[:, None, None] * np.eye(members))


def from_neighbours(
    errors: Doubles, source: Kinds, row: npt.NDArray[np.int64], column: npt.NDArray[np.int64]
) -> tuple[Doubles, Kinds]:
    """Unresolved cells with the median error variances of their resolved neighbours (3 x 3).

    Parameters
    ----------
    errors, source
        (season, cell, parent, parent) and (season, cell).
    row, column
        Place of each cell in the grid, (cell,).
    """
    errors, source = errors.copy(), source.copy()
    at = {place: k for k, place in enumerate(zip(row.tolist(), column.tolist(), strict=True))}
    members = errors.shape[-1]
    for season, cell in np.argwhere(source == SOURCES.index("equal weights")):
        around = [at.get((row[cell] + i, column[cell] + j), -1) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        near = [k for k in around if k >= 0 and source[season, k] <= SOURCES.index("whole year")]
        if near:
            variances = errors[season, near][:, np.arange(members), np.arange(members)]
            errors[season, cell] = np.diag(np.median(variances, axis=0))
            source[season, cell] = SOURCES.index("neighbours")
    return errors, source


def with_equal_weights(found: Estimate) -> Estimate:
    """The same cells with the mean error variance for every parent."""
    members = found.errors.shape[-1]
    mean = np.trace(found.errors, axis1=-2, axis2=-1) / members
    equal = SOURCES.index("equal weights")
    return replace(found, errors=mean[..., None, None] * np.eye(members), source=np.full_like(found.source, equal))


def without_gaps(errors: Doubles) -> Doubles:
    """Cells of which nothing is known get the median equal error of the others, so that they are merged too."""
    empty = ~np.isfinite(errors[..., 0, 0])
    if not empty.any() or empty.all():
        return errors
    variances = np.trace(errors[~empty], axis1=1, axis2=2) / errors.shape[-1]
    return np.where(empty[..., None, None], float(np.median(variances)) * np.eye(errors.shape[-1]), errors)
