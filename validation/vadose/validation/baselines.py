"""Rivals that a run adds by itself: our product's own climatology, and for a nowcast the last retrieval it had."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.statistics import other_years_climatology, other_years_of_months
from vadose.validation.matching import Matched
from vadose.validation.months import is_months
from vadose.validation.products import Product

Floats = npt.NDArray[np.float32]
Booleans = npt.NDArray[np.bool_]

CLIMATOLOGY, PERSISTENCE = "climatology", "persistence"
BASELINES = (CLIMATOLOGY, PERSISTENCE)
_NOWCAST_SPLIT = re.compile(r"P1-nowcast-(\d+)")


@dataclass(frozen=True)
class Nowcast:
    """A product made for the same day: it had the retrievals of an input up to `latency_days` before.

    `source` is the name in the run of the product that holds those retrievals; "" where the run has none.
    """

    latency_days: int
    source: str


def nowcast_of(ours: Product, rivals: Sequence[Product], split: str, target: str | None) -> Nowcast | None:
    """What makes our product a nowcast: its card, or the split of its ledger; None where neither says so.

    Parameters
    ----------
    ours, rivals
        Our product, and the other products of the run, among which the input is looked for.
    split
        Of the ledger; `P1-nowcast-<days>` states the latency.
    target
        Variable that the recipe was taught by: without a card, the input is the rival that holds it.
    """
    stated = ours.card.nowcast if ours.card else None
    if stated is not None:
        named = [one.name for one in rivals if stated.input in (one.name, one.card.product if one.card else "")]
        return Nowcast(stated.latency_days, named[0] if named else "")
    found = _NOWCAST_SPLIT.fullmatch(split)
    if found is None:
        return None
    taught = [one.name for one in rivals if target is not None and one.variable == target]
    return Nowcast(int(found[1]), taught[0] if taught else "")


def last_value(values: Floats, latency_days: int) -> Floats:
    """For each day the last value at least `latency_days` before, (..., time); NaN before the first."""
    days = values.shape[-1]
    known = np.isfinite(values)
    latest = np.maximum.accumulate(np.where(known, np.arange(days), -1), axis=-1)
    at = np.full(values.shape, -1, np.int64)
    if latency_days < days:
        at[..., latency_days:] = latest[..., : days - latency_days]
    return np.where(at >= 0, np.take_along_axis(values, np.maximum(at, 0), axis=-1), np.float32(np.nan))


def with_baselines(matched: Matched, nowcast: Nowcast | None) -> Matched:
    """Our product's climatology of other years, where it has any, and persistence of a nowcast's input."""
    ours, days = matched.values[0].astype(float), matched.reference.days
    others = other_years_of_months(ours, days) if is_months(days) else other_years_climatology(ours)
    climatology = others.astype(np.float32)
    if np.isfinite(climatology).any():
        matched = matched.with_product(CLIMATOLOGY, climatology)
    if nowcast is None or is_months(days) or nowcast.source not in matched.names or PERSISTENCE in matched.names:
        return matched
    row = matched.names.index(nowcast.source)
    retrieved = matched.values[row]
    filled = matched.filled.get(nowcast.source)
    if filled is not None:
        retrieved = np.where(filled, np.float32(np.nan), retrieved)
    return matched.with_product(PERSISTENCE, last_value(retrieved, nowcast.latency_days), placed=row)
