"""What the release gates look at, taken from the finished tables of all references."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from vadose.statistics.aggregates import FEWEST_CLUSTERS
from vadose.validation.baselines import CLIMATOLOGY, PERSISTENCE
from vadose.validation.gates import Evidence, Hidden, NetworkTrend
from vadose.validation.products import Product
from vadose.validation.suite import Suite
from vadose.validation.tables import Tables

_MISSION = re.compile(r"era5|smap", re.IGNORECASE)
CORE = "core"


def headline(tables: Mapping[str, Tables]) -> list[str]:
    """References in the order in which they count: point stations with five clusters, other stations, then maps."""
    return sorted(
        tables, key=lambda name: (not _enough(tables[name]), tables[name].kind == "cells", not _point(tables[name]))
    )


def _enough(tables: Tables) -> bool:
    matched = tables.stations["funnel_matched"].to_numpy() > 0
    return bool(np.unique(tables.network.clusters[matched]).size >= FEWEST_CLUSTERS)


def _point(tables: Tables) -> bool:
    return bool(tables.stations["reference_class"].eq("point").any())


def evidence_of(
    suite: Suite, tables: Mapping[str, Tables], target: str | None,
    trends: Mapping[str, tuple[NetworkTrend, ...]] | None = None, hidden: Hidden | None = None,
) -> Evidence:  # fmt: skip
    """Collect the evidence.

    Parameters
    ----------
    suite, tables
        What was compared, and what came out.
    target
        Name of the gridded reference that our product was taught by, if it is among the references.
    trends, hidden
        Stability of our product at the networks of each reference, and filled against hidden values.
    """
    names = headline(tables)
    first = tables[names[0]]
    fresh = first.independent & (first.stations["funnel_matched"].to_numpy() > 0)
    # A stated uncertainty is one with respect to the training target, so that is where it is judged.
    judged = tables.get(target or "", first)
    notes = {"calibration": judged.reference}
    if CLIMATOLOGY not in first.names:
        notes[CLIMATOLOGY] = "the product has less than two years, so it has no climatology of other years"
    if suite.nowcast is not None and PERSISTENCE not in first.names:
        notes[PERSISTENCE] = "the input of the nowcast is not among the rivals"
    core = [name for name in names if tables[name].stations["reference_class"].eq(CORE).all()]
    return Evidence(
        ours=suite.product.name, previous=suite.previous.name if suite.previous else None,
        scores=pd.concat([one.scores for one in tables.values()], ignore_index=True),
        comparisons=pd.concat([one.comparisons for one in tables.values()], ignore_index=True),
        headline=tuple(names), split=suite.ledger.split if suite.ledger else "", hits=judged.hits,
        stations=int(fresh.sum()), clusters=int(np.unique(first.network.clusters[fresh]).size),
        core=core[0] if core else "", trends=(trends or {}).get(first.reference), hidden=hidden,
        version=suite.product.version,
        mission_rivals=tuple(product.name for product in suite.rivals if _is_mission(product)), notes=notes,
    )  # fmt: skip


def _is_mission(product: Product) -> bool:
    stated = product.card.product if product.card else ""
    return bool(_MISSION.search(product.name) or _MISSION.search(stated))
