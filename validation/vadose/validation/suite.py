"""One validation: all references, all products, every table of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.common import InputError, Progress, silent
from vadose.statistics import other_years_climatology
from vadose.statistics.aggregates import FEWEST_CLUSTERS
from vadose.validation import comparisons, diagnostics, scores
from vadose.validation.audit import Ledger, global_index, seen, station_labels
from vadose.validation.gates import CLIMATOLOGY, Evidence
from vadose.validation.matching import CellSeries, Matched, Reference, clusters, match, trimmed
from vadose.validation.products import Product
from vadose.validation.scores import Network, Sample

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

PERIOD_SEEN = "period_seen"


@dataclass(frozen=True)
class Suite:
    """What is compared with what.

    Attributes
    ----------
    product, previous, rivals
        Opened products; ours first.
    ledger
        What our model learnt from, or None.
    target
        Name of the gridded reference that our product was taught by, if it is among the references.
    """

    product: Product
    previous: Product | None
    rivals: tuple[Product, ...]
    ledger: Ledger | None
    allow_day_mismatch: bool = False
    seed: int = 0

    @property
    def products(self) -> tuple[Product, ...]:
        """Ours, the previous version, the rivals."""
        return (self.product, *([self.previous] if self.previous else []), *self.rivals)


@dataclass(frozen=True)
class Tables:
    """What one reference gives."""

    matched: Matched
    scores: pd.DataFrame
    comparisons: pd.DataFrame
    stations: pd.DataFrame
    curves: pd.DataFrame
    hits: tuple[diagnostics.Hits, ...] | None
    independent: Booleans
    clusters: npt.NDArray[np.int64]
    notes: dict[str, Any] = field(default_factory=dict)


def evaluate(
    suite: Suite,
    reference: Reference,
    read: Mapping[str, CellSeries],
    progress: Progress = silent,
) -> Tables:
    """Score all products at one reference.

    Parameters
    ----------
    suite
        Products and ledger.
    reference
        Stations, or cells of a gridded reference.
    read
        Series of all products; the reference is trimmed to the days of ours.
    progress
        Where to report.
    """
    days = read[suite.product.name].series.days
    matched = match(
        trimmed(reference, days[0], days[-1]), suite.products, read=read, allow_day_mismatch=suite.allow_day_mismatch
    )
    matched = _with_climatology(matched)
    reference = matched.reference
    usable = ~matched.mismatch | suite.allow_day_mismatch
    r = np.where(usable[:, None], reference.values.astype(float), np.nan)
    labels, fresh = _independence(suite, matched)
    network = _network(reference, suite.products, labels, suite.seed)
    values = matched.values.astype(float)
    absent = [name for row, name in enumerate(matched.names) if not (np.isfinite(values[row]) & np.isfinite(r)).any()]
    present = [row for row, name in enumerate(matched.names) if name not in absent]
    if matched.names[0] in absent:
        raise InputError(
            f"{matched.names[0]} has no day in common with {reference.name}", where=str(suite.product.path),
            why=_why_no_day(matched, usable), next="add --allow-day-mismatch to compare across day conventions",
        )  # fmt: skip
    label = suite.ledger.split if suite.ledger else "unknown"
    tables = _Scoring(suite, matched, r, fresh, labels, network, label, progress)
    common = np.logical_and.reduce([np.isfinite(values[row]) for row in present])
    frames = [tables.rows(row, common) for row in present]
    compared = [tables.compared(row) for row in present[1:]]
    curves, hits = tables.curves(present)
    notes = {
        "stations": len(reference.table), "matched": int((matched.placed[0].row >= 0).sum()),
        "day_mismatch": int(matched.mismatch.sum()), "products_without_common_days": absent,
        "common_sample": _taken(matched, r, common, present),
    }  # fmt: skip
    return Tables(
        matched=matched, scores=pd.concat(frames, ignore_index=True),
        comparisons=pd.concat(compared, ignore_index=True) if compared else pd.DataFrame(columns=comparisons.COLUMNS),
        stations=_stations(matched, r, common, labels), curves=curves, hits=hits,
        independent=(labels == "independent") | (labels == "unknown"), clusters=network.clusters, notes=notes,
    )  # fmt: skip


def _with_climatology(matched: Matched) -> Matched:
    """Our product's own climatology of other years as one more rival, where it has other years."""
    values = other_years_climatology(matched.values[0].astype(float)).astype(np.float32)
    return matched.with_product(CLIMATOLOGY, values) if np.isfinite(values).any() else matched


def _why_no_day(matched: Matched, usable: Booleans) -> str:
    if not usable.any():
        return "all stations hold another day convention than the product"
    placed = int((matched.placed[0].row >= 0).sum())
    return f"{placed} of {len(matched.reference.table)} stations meet a cell with values"


def _independence(suite: Suite, matched: Matched) -> tuple[npt.NDArray[np.str_], Booleans]:
    """The label of every station, and the station-days that the model has not seen."""
    reference = matched.reference
    nothing_seen = np.ones(reference.values.shape, bool)
    if suite.ledger is None:
        return np.full(len(reference.table), "unknown"), nothing_seen
    if reference.kind == "stations":
        return station_labels(suite.ledger, reference.table), nothing_seen
    lat, lon = (reference.table[name].to_numpy(float) for name in ("lat", "lon"))
    used = seen(suite.ledger, reference, global_index(suite.ledger.grid, lat, lon))
    with_days = np.isfinite(reference.values)
    wholly = ~(with_days & ~used).any(axis=1)
    return np.where(wholly, PERIOD_SEEN, "independent"), ~used


def _network(reference: Reference, products: Sequence[Product], labels: npt.NDArray[np.str_], seed: int) -> Network:
    groups: list[tuple[str, str, Booleans]] = []
    for column in ("land_cover", "climate"):
        words = reference.table[column].astype(str).to_numpy()
        known = sorted({word for word in words if word != "unknown"})
        groups += [(column, word, words == word) for word in known]
    # Published figures on maps are averages over cells: there every cell weighs the same.
    equal = reference.kind == "cells"
    return Network(clusters(reference, products), tuple(groups), equal, seed)


def _taken(matched: Matched, r: Floats, common: Booleans, present: Sequence[int]) -> dict[str, Any]:
    """How many days of our product the common sample keeps, and which product takes more than half, if any."""
    ours = int((np.isfinite(matched.values[0]) & np.isfinite(r)).sum())
    kept = int((common & np.isfinite(r)).sum())
    taken = {}
    for row in present[1:]:
        both = int((np.isfinite(matched.values[0]) & np.isfinite(matched.values[row]) & np.isfinite(r)).sum())
        if both < 0.5 * ours:
            taken[matched.names[row]] = both
    return {"days_of_ours": ours, "days_common": kept, "takes_more_than_half": taken}


def _stations(matched: Matched, r: Floats, common: Booleans, labels: npt.NDArray[np.str_]) -> pd.DataFrame:
    """The table of stations with their cell and the last stages of the funnel."""
    reference, placed = matched.reference, matched.placed[0]
    table = reference.table.copy()
    table["reference"], table["independence"] = reference.name, labels
    table["cell_row"], table["cell_col"] = placed.row, placed.column
    table["distance_km"], table["contains"] = placed.distance_km, placed.contains
    table["day_mismatch"] = matched.mismatch
    valid = np.isfinite(reference.values)
    ours = np.isfinite(matched.values[0]) & np.isfinite(r)
    in_period, hit = valid.sum(axis=1), ours.sum(axis=1)
    no_cell = placed.row < 0
    table["funnel_in_product_period"], table["funnel_matched"] = in_period, hit
    table["funnel_common"] = (ours & common).sum(axis=1)
    lost = in_period - hit
    other_day = matched.mismatch & ~no_cell & (hit == 0)
    table["rejected_no_cell"] = np.where(no_cell, lost, 0)
    table["rejected_day_mismatch"] = np.where(other_day, lost, 0)
    rest = np.where(no_cell | other_day, 0, lost)
    table["rejected_product_flagged"] = np.minimum(matched.flagged, rest)
    table["rejected_product_missing"] = rest - table["rejected_product_flagged"]
    table["rejected_not_common"] = hit - table["funnel_common"]
    return table


@dataclass(frozen=True)
class _Scoring:
    """The pieces of one reference, while its tables are made."""

    suite: Suite
    matched: Matched
    r: Floats
    fresh: Booleans
    labels: npt.NDArray[np.str_]
    network: Network
    label: str
    progress: Progress

    @property
    def stations(self) -> npt.NDArray[np.str_]:
        return self.matched.reference.table["station_id"].to_numpy(str)

    @property
    def own_label(self) -> str:
        mixed = self.suite.allow_day_mismatch and self.matched.mismatch.any()
        return " day_mismatch" if mixed else ""

    def _version(self, row: int) -> str:
        products = self.suite.products
        return products[row].version if row < len(products) else products[0].version

    def _sample(self, row: int, subset: str, split: str, keep: Booleans) -> Sample:
        x = np.where(keep, self.matched.values[row].astype(float), np.nan)
        r = np.where(self.fresh if split != PERIOD_SEEN else ~self.fresh, self.r, np.nan)
        r = np.where((self.labels != "station_seen")[:, None], r, np.nan)
        valid = np.isfinite(r).sum(axis=1)
        hit = (np.isfinite(x) & np.isfinite(r)).sum(axis=1)
        keys = {
            "product": self.matched.names[row], "version": self._version(row),
            "reference": self.matched.reference.name, "subset": subset + self.own_label, "split": split,
        }  # fmt: skip
        share = np.where(valid > 0, hit / np.maximum(valid, 1), np.nan)
        return Sample(x, r, keys, share, self.stations)

    def rows(self, row: int, common: Booleans) -> pd.DataFrame:
        """Score rows of one product: own sample, common sample, and days that the model has seen."""
        name = self.matched.names[row]
        self.progress.say(f"scoring {name} at {self.matched.reference.name}")
        everything = np.ones(common.shape, bool)
        own = self._sample(row, "own", self.label, everything)
        both = self._sample(row, "common", self.label, common)
        frames = [scores.sample_rows(own, self.network)]
        if np.array_equal(np.isfinite(own.x) & np.isfinite(own.r), np.isfinite(both.x) & np.isfinite(both.r)):
            frames.append(frames[0].assign(subset=both.keys["subset"]))
        else:
            frames.append(scores.sample_rows(both, self.network))
        frames.append(scores.day_rows(both, self.network, self.matched.reference.days))
        if not self.fresh.all():
            frames.append(scores.overall_rows(self._sample(row, "common", PERIOD_SEEN, common), self.network))
        return _marked(pd.concat(frames, ignore_index=True), self.matched, row, self.suite.allow_day_mismatch)

    def compared(self, row: int) -> pd.DataFrame:
        """Comparison rows of ours with one other product."""
        r = np.where(self.fresh & (self.labels != "station_seen")[:, None], self.r, np.nan)
        pair = comparisons.Pair.of(self.matched.values[0].astype(float), self.matched.values[row].astype(float), r)
        names = {
            "ours": self.matched.names[0], "rival": self.matched.names[row], "reference": self.matched.reference.name,
            "subset": "common" + self.own_label,
        }  # fmt: skip
        return comparisons.compare(pair, self.network, self.stations, names)

    def curves(self, present: Sequence[int]) -> tuple[pd.DataFrame, tuple[diagnostics.Hits, ...] | None]:
        """Figures of this reference, and the coverage of the stated uncertainty."""
        reference, matched = self.matched.reference, self.matched
        fresh = np.where(self.fresh, self.r, np.nan)
        series = {matched.names[row]: matched.values[row].astype(float) for row in present}
        truth = "in situ" if reference.kind == "stations" else reference.name
        ours = matched.values[0].astype(float)
        frames = [
            diagnostics.seasonal_cycles({**series, truth: fresh}, reference.days, reference.name),
            *(diagnostics.scatter_density(x, fresh, f"{reference.name}/{name}", name) for name, x in series.items()),
        ]
        if matched.uncertainty is None:
            return pd.concat(frames, ignore_index=True), None
        u = matched.uncertainty.astype(float)
        frames.append(diagnostics.reliability(ours, fresh, u, reference.name, matched.names[0]))
        everywhere = ("all", np.ones(len(ours), bool))
        covers = [(f"{kind} {name}", rows) for kind, name, rows in self.network.groups if kind == "land_cover"]
        hits = diagnostics.calibration(ours, fresh, u, [everywhere, *covers], self.network.clusters)
        return pd.concat(frames, ignore_index=True), tuple(hits)


def _marked(frame: pd.DataFrame, matched: Matched, row: int, allowed: bool) -> pd.DataFrame:
    """Say `no_cell` or `day_mismatch` where that is why a station has no value."""
    ids = matched.reference.table["station_id"].to_numpy(str)
    bare = frame["stratum_kind"].eq("station") & frame["n"].eq(0)
    frame.loc[bare & frame["stratum"].isin(ids[matched.placed[row].row < 0]), "status"] = "no_cell"
    if not allowed:
        frame.loc[bare & frame["stratum"].isin(ids[matched.mismatch]), "status"] = "day_mismatch"
    return frame


def evidence(suite: Suite, tables: Mapping[str, Tables], target: str | None) -> Evidence:
    """What the gates look at: stations are the headline where they form five clusters, else the first map."""
    names = sorted(tables, key=lambda name: (not _enough(tables[name]), tables[name].matched.reference.kind == "cells"))
    first = tables[names[0]]
    fresh = first.independent & (first.stations["funnel_matched"].to_numpy() > 0)
    # A stated uncertainty is one with respect to the training target, so that is where it is judged.
    judged = tables.get(target or "", first)
    notes = {"calibration": judged.matched.reference.name}
    if CLIMATOLOGY not in first.matched.names:
        notes[CLIMATOLOGY] = "the product has less than two years, so it has no climatology of other years"
    return Evidence(
        ours=suite.product.name, previous=suite.previous.name if suite.previous else None,
        scores=pd.concat([one.scores for one in tables.values()], ignore_index=True),
        comparisons=pd.concat([one.comparisons for one in tables.values()], ignore_index=True),
        headline=tuple(names), split=suite.ledger.split if suite.ledger else "", hits=judged.hits,
        stations=int(fresh.sum()), clusters=int(np.unique(first.clusters[fresh]).size), notes=notes,
    )  # fmt: skip


def _enough(tables: Tables) -> bool:
    matched = tables.stations["funnel_matched"].to_numpy() > 0
    return bool(np.unique(tables.clusters[matched]).size >= FEWEST_CLUSTERS)
