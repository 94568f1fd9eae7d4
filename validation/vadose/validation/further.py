"""What goes beyond the scores of a reference: relations of products, collocation, stability, events, maps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from vadose.common import Progress
from vadose.validation import collocations, diagnostics, eventful, scores
from vadose.validation.baselines import BASELINES
from vadose.validation.collocations import Members
from vadose.validation.facts import FACT_COLUMNS, facts, frame
from vadose.validation.gates import NetworkTrend
from vadose.validation.maps import MapComparison
from vadose.validation.months import is_months
from vadose.validation.products import Product
from vadose.validation.relations import IN_SITU, Relation
from vadose.validation.stability import stability, yearly_trends
from vadose.validation.suite import Suite
from vadose.validation.tables import Tables

Floats = npt.NDArray[np.float64]

# Collocation on maps is drawn, not tested: one triplet, without intervals.
_TRIPLETS_ON_MAPS = 1
# A window with more places for each cell than this is no grid, and would not fit into memory.
_SPARSEST = 100
# Of many stations fewer triplets are made.
_MANY_STATIONS, _TRIPLETS_OF_MANY = 300, 2


@dataclass(frozen=True)
class Further:
    """Rows for the tables of a run, and evidence for its gates."""

    scores: pd.DataFrame
    curves: pd.DataFrame
    facts: pd.DataFrame
    maps: xr.Dataset | None = None
    trends: Mapping[str, tuple[NetworkTrend, ...]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Collected:
    """Parts of the tables while they are made."""

    scores: list[pd.DataFrame] = field(default_factory=list)
    curves: list[pd.DataFrame] = field(default_factory=list)
    facts: list[pd.DataFrame] = field(default_factory=list)
    maps: list[xr.Dataset] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, other: _Collected) -> None:
        """Append what another one collected."""
        self.scores += other.scores
        self.curves += other.curves
        self.facts += other.facts
        self.left_out |= other.left_out


def analyse(
    suite: Suite, tables: Mapping[str, Tables], compared: Mapping[str, MapComparison], progress: Progress
) -> Further:
    """Everything beyond the scores.

    Parameters
    ----------
    suite
        What was compared.
    tables
        What the scores of each reference gave.
    compared
        Map comparisons, by the name of the gridded reference.
    progress
        Where to report.
    """
    out = _Collected(facts=[_relation_facts(suite.relations)])
    trends: dict[str, tuple[NetworkTrend, ...]] = {}
    for name, one in tables.items():
        before = len(out.scores)
        if one.matched is not None:
            progress.say(f"collocation, stability and events at {name}")
            trends |= {name: found} if (found := _in_memory(out, suite, one)) else {}
        if name in compared:
            _map_tables(out, one, compared[name])
        if one.kind == "cells":
            out.maps.append(cell_maps(suite, one))
        if one.label:
            out.scores[before:] = [rows.assign(subset=rows["subset"] + one.label) for rows in out.scores[before:]]
    return Further(
        scores=_concatenated(out.scores, scores.COLUMNS), curves=_concatenated(out.curves, diagnostics.COLUMNS),
        facts=pd.concat([*out.facts, frame()], ignore_index=True)[list(FACT_COLUMNS)],
        maps=xr.merge(out.maps, join="outer", compat="no_conflicts") if out.maps else None, trends=trends,
        notes={"events_left_out": out.left_out},
    )  # fmt: skip


def _concatenated(frames: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    filled = [one for one in frames if len(one)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))


def _relation_facts(known: Sequence[Relation]) -> pd.DataFrame:
    """Product by product: the class of their relation, and what they share."""
    rows: dict[str, dict[str, Any]] = {}
    for one in known:
        shared = f" ({', '.join(one.shared)})" if one.shared else ""
        rows.setdefault(one.one, {})[one.other] = one.kind + shared
        rows.setdefault(one.other, {})[one.one] = one.kind + shared
    return facts("product_relations", rows)


def members_of(suite: Suite, tables: Tables) -> Members | None:
    """The data sets of a reference that may be collocated; None with fewer than three."""
    matched, r = tables.matched, tables.r
    assert matched is not None, "series that fit into memory"
    assert r is not None, "the reference of these series"
    rows = [row for row, name in enumerate(matched.names) if name not in BASELINES and row in tables.present]
    names = [matched.names[row] for row in rows]
    truth = IN_SITU if tables.kind == "stations" else tables.reference
    if len(names) < 2:
        return None
    values = np.concatenate([matched.values[rows].astype(float), r[None]])
    return Members((*names, truth), values, suite.relations, days=tables.days)


def _collocate(out: _Collected, suite: Suite, tables: Tables) -> None:
    members = members_of(suite, tables)
    if members is None:
        return
    stations = tables.stations["station_id"].to_numpy(str)
    on_stations = tables.kind == "stations"
    ours, model = suite.product.name, suite.options.model
    keys = tables.keys
    versions = {product.name: product.version for product in suite.products}
    most = collocations.MOST_TRIPLETS if on_stations else _TRIPLETS_ON_MAPS
    if len(stations) > _MANY_STATIONS:
        most = min(most, _TRIPLETS_OF_MANY)
    found = list(collocations.collocated(members, ours, model, intervals=on_stations, most=most))
    for one in found:
        out.scores.append(
            collocations.score_rows(one, keys, versions, tables.network, stations, model, stations_too=on_stations)
        )
    out.facts.append(collocations.validity_facts(tables.reference, found))
    if on_stations:
        rows = collocations.budgets(members, ours, keys, suite.product.version, tables.network, stations, model)
        out.scores.append(rows.scores)
        out.facts.append(rows.facts)


def _in_memory(out: _Collected, suite: Suite, tables: Tables) -> tuple[NetworkTrend, ...] | None:
    """What needs all series at once, side by side; returns the trends of our product."""
    parts = [_Collected() for _ in range(3)]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        trends = pool.submit(_stability, parts[1], suite, tables)
        others = [pool.submit(_collocate, parts[0], suite, tables)]
        if tables.kind == "stations":
            others.append(pool.submit(_events, parts[2], suite, tables))
        for one in others:
            one.result()
        found = trends.result()
    for part in parts:
        out.add(part)
    return found


def _products(suite: Suite, tables: Tables) -> Iterator[tuple[Product, Floats]]:
    """Products with a day in common, and their series on the common sample of each with the reference."""
    assert tables.matched is not None, "series that fit into memory"
    for row, product in enumerate(suite.products):
        if row in tables.present:
            yield product, tables.matched.values[row].astype(float)


def _stability(out: _Collected, suite: Suite, tables: Tables) -> tuple[NetworkTrend, ...] | None:
    """Trends of every product; those of ours are evidence for the gate."""
    assert tables.r is not None, "the reference of these series"
    ours = None
    stations = tables.stations["station_id"].to_numpy(str)
    for product, x in _products(suite, tables):
        head = {**tables.keys, "product": product.name, "version": product.version}
        changes = product.card.changes if product.card else ()
        found = stability(
            x - tables.r, tables.days, tables.network, tables.stations["network"].to_numpy(str), head, stations,
            changes=changes, seed=suite.options.seed,
            breaks=tables.kind == "stations" and product in (suite.product, suite.previous),
        )  # fmt: skip
        if found.networks is None:
            continue
        keep = found.scores["stratum_kind"].ne("station") | (tables.kind == "stations")
        out.scores += [found.scores[keep], yearly_trends(x, tables.r, tables.days, tables.network, head)]
        out.facts.append(found.facts)
        out.curves.append(found.curves)
        ours = found.networks if product.name == suite.product.name else ours
    return ours


def _events(out: _Collected, suite: Suite, tables: Tables) -> None:
    """Dry-downs, wet-ups, droughts and memory of every product, and process signs."""
    assert tables.r is not None, "the reference of these series"
    stations = tables.stations["station_id"].to_numpy(str)
    if is_months(tables.days):
        out.left_out[tables.reference] = "events are those of days, the product holds months"
        return
    if len(stations) > eventful.MOST_STATIONS:
        out.left_out[tables.reference] = f"{len(stations)} stations, events are made of {eventful.MOST_STATIONS}"
        return
    series: dict[str, Floats] = {}
    for product, x in _products(suite, tables):
        head = {**tables.keys, "product": product.name, "version": product.version}
        out.scores.append(
            eventful.event_rows(x, tables.r, tables.days, tables.network, stations, head, suite.options.seed)
        )
        out.facts.append(eventful.drought_facts(x, tables.r, tables.days, f"{tables.reference} {product.name}"))
        series[product.name] = x
    assert tables.matched is not None, "series that fit into memory"
    rain = tables.matched.reference.daily.get("precipitation")
    if rain is not None:
        out.facts.append(eventful.sign_facts({**series, IN_SITU: tables.r}, rain, tables.reference))


def _map_tables(out: _Collected, tables: Tables, compared: MapComparison) -> None:
    keys = {name: {**tables.keys, "product": name, "version": tables.versions[name]} for name in compared.names}
    out.scores.append(compared.rows(keys))
    out.curves.append(compared.curves())
    detail = {
        f"{compared.reference} {name}": {"std_below_coarse_cell": value} for name, value in compared.detail().items()
    }
    out.facts.append(facts("map_detail", detail) if detail else frame())
    out.maps.append(compared.dataset())


def cell_maps(suite: Suite, tables: Tables) -> xr.Dataset:
    """Scores of every cell of a gridded reference on the window of its own grid; nothing where cells lie scattered."""
    table, name = tables.stations, tables.reference
    lat, lon = (np.unique(table[key].to_numpy(float)) for key in ("lat", "lon"))
    if lat.size * lon.size > _SPARSEST * len(table):
        return xr.Dataset()
    lat = lat[::-1]
    row = np.searchsorted(-lat, -table["lat"].to_numpy(float))
    column = np.searchsorted(lon, table["lon"].to_numpy(float))
    products = [product.name for product in suite.products]
    data: dict[str, Any] = {}
    dims = ("product", f"cell_lat_{name}", f"cell_lon_{name}")
    for case, scored in tables.found.scored.items():
        if case.averaged or case.subset != "common" or case.scaling != "none" or case.row >= len(products):
            continue
        for one in scored:
            key = f"cell_{one.metric.name}{'' if one.signal == 'raw' else '_' + one.signal}_{name}"
            if key not in data:
                data[key] = (dims, np.full((len(products), lat.size, lon.size), np.nan, np.float32))
            data[key][1][case.row, row, column] = one.estimate.value
    coords = {
        "product": np.array(products, object),
        dims[1]: (dims[1], lat, {"standard_name": "latitude", "units": "degrees_north"}),
        dims[2]: (dims[2], lon, {"standard_name": "longitude", "units": "degrees_east"}),
    }  # fmt: skip
    return xr.Dataset(data, coords=coords)
