"""What changed from one version to another: paired outcomes, scores of both, stations, metadata, coverage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vadose.reports.classes import class_name, class_order, kind_name, kind_order
from vadose.reports.data import Release, Run
from vadose.reports.formats import NOT_TESTED, OUTCOMES, count, metric_label, percent
from vadose.reports.stations import StationGroup, station_groups
from vadose.reports.tables import (
    HEADLINE,
    Cell,
    Outcome,
    finite,
    groups,
    headline_aggregate,
    outcome_of,
    records,
    score_cell,
)
from vadose.reports.versions import Version

COMMON = "common"
KINDS = ("all", "network", "climate_main", "climate", "land_cover", "soil", "depth", "season", "local_season")
WORDS = (*OUTCOMES.values(), NOT_TESTED)
PLACE = ("station_id", "key", "network", "station_name", "lat", "lon")
_TURNED = {"better": "worse", "worse": "better"}
# Said by the version itself, so that it differs in every pair.
_OF_EVERY_VERSION = ("product.version", "product.issued", "version", "issued")

Key = tuple[str, str, str, str, str]  # reference, kind, class, metric, signal


@dataclass(frozen=True)
class Line:
    """One class in one metric: the score of each version, and the outcome of their comparison if a run holds both."""

    kind: str
    label: str
    old: Cell
    new: Cell
    outcome: Outcome
    series: str


@dataclass(frozen=True)
class Changes:
    """All classes of one reference and metric, with the counts of the four outcomes and their absence."""

    reference: str
    metric: str
    lines: tuple[Line, ...]
    counts: str


@dataclass(frozen=True)
class StationChange:
    """One station in one metric; `difference` is None where no run compared the versions there."""

    key: str
    label: str
    lat: float
    lon: float
    difference: float | None
    outcome: str


def paired(old: Version, new: Version) -> pd.DataFrame | None:
    """Comparisons of `new` with `old` on the common sample, new minus old; None where no run holds both."""
    for ours, other, turn in ((new, old, False), (old, new, True)):
        name = _as_rival(ours.run, other)
        if ours.run is None or name is None or ours.run.comparisons is None:
            continue
        frame = ours.run.comparisons
        frame = frame[(frame["ours"] == ours.run.ours) & (frame["rival"] == name) & (frame["subset"] == COMMON)]
        if len(frame):
            return turned(frame) if turn else frame
    return None


def _as_rival(run: Run | None, other: Version) -> str | None:
    """The name that a run gives to another version of its product."""
    if run is None or other.release is None:
        return None
    name = run.roles.get("previous")
    return str(name) if name and run.versions.get(str(name)) == other.release.version else None


def turned(frame: pd.DataFrame) -> pd.DataFrame:
    """The same comparisons told from the other side."""
    return frame.assign(
        difference=-frame["difference"], ci_low=-frame["ci_high"], ci_high=-frame["ci_low"],
        outcome=frame["outcome"].replace(_TURNED), better=frame["worse"], worse=frame["better"],
    )  # fmt: skip


def score_rows(run: Run | None) -> dict[Key, dict[str, Any]]:
    """Headline scores of our product on the common sample by class, of the first split of each reference."""
    if run is None:
        return {}
    splits: dict[str, str] = {}
    for reference, split, subset in groups(run):
        if subset == COMMON:
            splits.setdefault(reference, split)
    frame = run.overall
    frame = frame[(frame["product"] == run.ours) & (frame["subset"] == COMMON) & frame["stratum_kind"].isin(KINDS)]
    frame = frame[frame["split"] == frame["reference"].map(splits)]
    frame = frame[frame["aggregate"] == headline_aggregate(frame)]
    return {_key(row): row for row in records(frame) if (row["metric"], row["signal"]) in HEADLINE}


def _key(row: Mapping[str, Any]) -> Key:
    names = ("reference", "stratum_kind", "stratum", "metric", "signal")
    return tuple(str(row.get(name, "stations")) for name in names)  # type: ignore[return-value]


def compared_rows(frame: pd.DataFrame | None) -> dict[Key, dict[str, Any]]:
    """Comparisons by class."""
    if frame is None:
        return {}
    return {_key(row): row for row in records(frame[frame["stratum_kind"].isin(KINDS)])}


def changes(old: Version, new: Version) -> list[Changes]:
    """Every class that either version was scored in, for each reference and headline metric."""
    before, after = score_rows(old.run), score_rows(new.run)
    between = compared_rows(paired(old, new))
    found: dict[tuple[str, str, str], list[Key]] = {}
    for key in {**after, **before}:
        found.setdefault((key[0], key[3], key[4]), []).append(key)
    order = {pair: k for k, pair in enumerate(HEADLINE)}
    result = []
    for reference, metric, signal in sorted(found, key=lambda k: (not k[0].startswith("stations"), k[0], order[k[1:]])):
        keys = sorted(found[reference, metric, signal], key=lambda k: (_kind_place(k[1]), class_order(k[1], k[2])))
        lines = tuple(_line(key, before.get(key), after.get(key), between.get(key)) for key in keys)
        result.append(Changes(reference, metric_label(metric, signal), lines, tally(o.outcome.outcome for o in lines)))
    return result


def _kind_place(kind: str) -> tuple[bool, tuple[int, str]]:
    return (kind != "all", kind_order(kind))


def _line(key: Key, old: dict[str, Any] | None, new: dict[str, Any] | None, row: dict[str, Any] | None) -> Line:
    reference, kind, name, metric, signal = key
    outcome = outcome_of(row, metric, signal, "", reference)
    label = "all" if kind == "all" else class_name(kind, name)
    series = count(finite(row["n"])) if row else ""
    return Line("" if kind == "all" else kind_name(kind), label, _cell(old), _cell(new), outcome, series)


def _cell(row: dict[str, Any] | None) -> Cell:
    return Cell(None, "not scored") if row is None else score_cell(row)


def tally(words: Iterator[str] | Sequence[str]) -> str:
    """The counts of all five words: `1 ▲ better, 0 ▼ worse, …`."""
    found = Counter(words)
    return ", ".join(f"{found[word]} {word}" for word in WORDS)


def station_changes(old: Version, new: Version, metric: str, signal: str) -> list[StationChange]:
    """The stations of the new version's first reference; outcomes only where a run holds both versions."""
    group = _first_group(new.run)
    if group is None:
        return []
    frame = paired(old, new)
    rows: dict[str, dict[str, Any]] = {}
    if frame is not None:
        frame = frame[(frame["stratum_kind"] == "station") & (frame["metric"] == metric) & (frame["signal"] == signal)]
        rows = {str(row["stratum"]): row for row in records(frame)}
    return [_station(place, rows.get(str(place["station_id"]))) for place in records(group.rows[list(PLACE)])]


def _first_group(run: Run | None) -> StationGroup | None:
    found = station_groups(run) if run is not None else []
    return found[0] if found else None


def _station(place: dict[str, Any], row: dict[str, Any] | None) -> StationChange:
    return StationChange(
        str(place["key"]), f"{place['network']}: {place['station_name']}", float(place["lat"]), float(place["lon"]),
        None if row is None else finite(row["difference"]),
        NOT_TESTED if row is None else OUTCOMES.get(str(row["outcome"]), NOT_TESTED),
    )  # fmt: skip


def metadata_changes(old: Release, new: Release) -> list[tuple[str, str, str]]:
    """Fields of the recipes that differ: path, old and new value in words."""
    before, after = dict(_flat(old.recipe)), dict(_flat(new.recipe))
    return [
        (name, before.get(name, "–"), after.get(name, "–"))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name) and name not in _OF_EVERY_VERSION
    ]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _flat(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        yield path, ", ".join(map(str, value)) or "none"
    else:
        yield path, "none" if value in (None, {}) else str(value)


def release_difference(old: Release, new: Release) -> dict[str, Any] | None:
    """`quality/diff.json` of the new version, if it was made against the old one."""
    found = new.difference
    return found if found is not None and str(found.get("old")) == old.version else None


def difference_words(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The numbers of a release's difference with their units."""
    rows = [("days in both", count(found["days"]))]
    rows += [
        (f"expected cells given on these days, {when}", percent(found["coverage"][when])) for when in ("old", "new")
    ]
    rows += [
        (name.replace("_", " "), f"{value:.5f} m³ m⁻³".replace("-", "−")) for name, value in found["values"].items()
    ]
    rows += [
        (f"cells whose flag {name.replace('_', ' ')} differs", percent(share))
        for name, share in found["flags"].items()
        if share
    ]
    return rows


def coverage_rows(old: Release, new: Release) -> list[tuple[str, str, str]]:
    """Days and cells of both versions from `quality/coverage.csv`; days that only one of them has."""
    frames = [_coverage(release) for release in (old, new)]
    if any(frame is None for frame in frames):
        return []
    days = [set(frame["day"].astype(str)) for frame in frames if frame is not None]
    sums = [(int(f["given"].sum()), int(f["expected"].sum())) for f in frames if f is not None]
    (a, b), ((given_a, expected_a), (given_b, expected_b)) = days, sums
    return [
        ("days", count(len(a)), count(len(b))),
        ("days that the other has not", count(len(a - b)), count(len(b - a))),
        ("cells expected", count(expected_a), count(expected_b)),
        ("cells given", count(given_a), count(given_b)),
        ("share given", _share(given_a, expected_a), _share(given_b, expected_b)),
    ]


def _share(given: int, expected: int) -> str:
    return percent(given / expected if expected else None)


def _coverage(release: Release) -> pd.DataFrame | None:
    frame = release.coverage
    if frame is None:
        return None
    known = {"cells_expected": "expected", "cells_given": "given", "cells": "given"}
    frame = frame.rename(columns=known)
    return frame if {"day", "expected", "given"} <= set(frame) else None
