"""What goes beyond the scores of a reference: relations of products, collocation, stability, events, maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import xarray as xr

from vadose.common import Progress
from vadose.validation import diagnostics, scores
from vadose.validation.facts import FACT_COLUMNS, facts
from vadose.validation.gates import NetworkTrend
from vadose.validation.opening import Opened
from vadose.validation.relations import Relation, relations
from vadose.validation.suite import Tables


@dataclass(frozen=True)
class Further:
    """Rows for the tables of a run, and evidence for its gates."""

    scores: pd.DataFrame
    curves: pd.DataFrame
    facts: pd.DataFrame
    maps: xr.Dataset | None = None
    trends: tuple[NetworkTrend, ...] | None = None
    notes: dict[str, Any] = field(default_factory=dict)


def analyse(opened: Opened, tables: Mapping[str, Tables], progress: Progress) -> Further:
    """Everything beyond the scores."""
    known = relations(opened.cards)
    return Further(
        scores=pd.DataFrame(columns=scores.COLUMNS), curves=pd.DataFrame(columns=diagnostics.COLUMNS),
        facts=pd.concat([_relation_facts(known)], ignore_index=True)[list(FACT_COLUMNS)],
    )  # fmt: skip


def _relation_facts(known: list[Relation]) -> pd.DataFrame:
    """Product by product: the class of their relation, and what they share."""
    rows: dict[str, dict[str, Any]] = {}
    for one in known:
        shared = f" ({', '.join(one.shared)})" if one.shared else ""
        rows.setdefault(one.one, {})[one.other] = one.kind + shared
        rows.setdefault(one.other, {})[one.one] = one.kind + shared
    return facts("product_relations", rows)
