"""Events at stations: dry-downs, wet-ups, droughts and memory of a product against the reference (section 12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.statistics import words
from vadose.statistics.aggregates import spread
from vadose.statistics.droughts import PERCENTILES, Contingency, contingency, dry_days
from vadose.statistics.events import drydown_ratio, response_to_rain, share_of_falls, wetups
from vadose.statistics.memory import memory_ratio
from vadose.statistics.status import CODE
from vadose.validation.facts import facts, frame
from vadose.validation.network import Network
from vadose.validation.strata import SEASONS

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]

SUBSET = "events"
# Above this many stations, events are left out: each needs fits and percentiles of its own.
MOST_STATIONS = 100
_NOTHING = (np.nan, np.nan, np.nan, 0, CODE["few_samples"])
Cell = tuple[float, float, float, int, int]


def event_rows(
    x: Floats, r: Floats, days: Days, network: Network, stations: npt.NDArray[np.str_], head: Mapping[str, str],
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Rows of `scores.parquet`: event metrics of every station, and their medians.

    Parameters
    ----------
    x, r
        Product and reference, (station, time), NaN = missing; their common days count.
    days
        Consecutive days, (time,).
    network, stations
        Clusters, and ids.
    head
        Key columns of the rows: product, version, reference, split.
    seed
        Of the bootstrap over events.
    """
    common = np.isfinite(x) & np.isfinite(r)
    x, r = (np.where(common, one, np.nan) for one in (x, r))
    columns: dict[str, list[Cell]] = {}
    for one, truth in zip(x, r, strict=True):
        for name, cell in _of_station(one, truth, days, seed).items():
            columns.setdefault(name, []).append(cell)
    memory = memory_ratio(x, r, seed=seed)
    ends = (memory.ratio, memory.ci_low, memory.ci_high, memory.n, memory.status)
    columns["memory_ratio"] = [
        (float(a), float(b), float(c), int(n), int(status)) for a, b, c, n, status in zip(*ends, strict=True)
    ]
    return pd.concat(
        [_rows(name, cells, network, stations, head) for name, cells in columns.items()], ignore_index=True
    )


def _of_station(x: Floats, r: Floats, days: Days, seed: int) -> dict[str, Cell]:
    """Metrics of one station: value, interval, number of events, status."""
    rises = wetups(x, r, seed=seed)
    scored = {
        "drydown_log_ratio": drydown_ratio(x, r, seed=seed), "wetup_hit_rate": rises.hit_rate,
        "wetup_false_alarm_ratio": rises.false_alarm_ratio, "wetup_lag_days": rises.lag_days,
    }  # fmt: skip
    out: dict[str, Cell] = {
        name: (one.value, one.ci_low, one.ci_high, one.events, one.status) for name, one in scored.items()
    }
    for percentile in PERCENTILES:
        table = _drought(x, r, days, percentile)
        for name in ("pod", "far", "csi", "sedi"):
            out[f"drought_{percentile}_{name}"] = _cell(table, name)
    return out


def _drought(x: Floats, r: Floats, days: Days, percentile: float) -> Contingency | None:
    """Days of drought in both series; None where the climatology needs more years."""
    says, known = dry_days(x, days, percentile)
    is_so, also = dry_days(r, days, percentile)
    valid = known & also
    return contingency(says, is_so, valid) if valid.any() else None


def _cell(table: Contingency | None, name: str) -> Cell:
    if table is None:
        return (np.nan, np.nan, np.nan, 0, CODE["few_years"])
    value, n = float(getattr(table, name)), int(table.hits + table.misses)
    # Days of one drought are no independent events: the figure is given without an interval.
    return (value, np.nan, np.nan, n, CODE["ok"] if np.isfinite(value) else CODE["not_applicable"])


def _rows(
    name: str, cells: list[Cell], network: Network, stations: npt.NDArray[np.str_], head: Mapping[str, str]
) -> pd.DataFrame:
    value, low, high = (np.array([cell[k] for cell in cells], float) for k in range(3))
    shown = np.isfinite(low)
    keys = {
        "method": "", "seed": "", "fold": "", "scaling": "none", **head, "subset": SUBSET, "signal": "raw",
        "metric": name, "coverage": np.nan, "n_eff": np.nan,
    }  # fmt: skip
    single = pd.DataFrame({
        **keys, "stratum_kind": "station", "stratum": stations, "aggregate": "", "value": value, "ci_low": low,
        "ci_high": high, "ci_method": np.where(shown, "bootstrap", ""), "ci_scope": np.where(shown, "time", ""),
        "n": [cell[3] for cell in cells], "status": words(np.array([cell[4] for cell in cells])),
    })  # fmt: skip
    valid = np.isfinite(value)
    row: dict[str, Any] = {
        **keys, "stratum_kind": SUBSET, "stratum": "all", "aggregate": "median", "value": np.nan, "ci_low": np.nan,
        "ci_high": np.nan, "ci_method": "", "ci_scope": "", "n": int(valid.sum()), "status": "few_samples",
    }  # fmt: skip
    if valid.any():
        one = spread("median", value[valid], network.weights(valid)[valid], network.draws(valid), network.count(valid))
        inside = np.isfinite(one.ci_low)
        row |= {
            "value": one.value, "ci_low": one.ci_low, "ci_high": one.ci_high, "status": one.status,
            "ci_method": "cluster_bootstrap" if inside else "", "ci_scope": "time_space" if inside else "",
        }  # fmt: skip
    return pd.concat([single, pd.DataFrame([row])], ignore_index=True)


def drought_facts(x: Floats, r: Floats, days: Days, label: str) -> pd.DataFrame:
    """Table `droughts`: hits, misses and false alarms of all stations by season, below the 20th percentile."""
    month = days.astype("datetime64[M]").astype(np.int64) % 12
    season = (month + 1) % 12 // 3
    common = np.isfinite(x) & np.isfinite(r)
    totals: dict[str, Contingency] = {}
    for row in range(len(x)):
        one, truth = (np.where(common[row], values[row], np.nan) for values in (x, r))
        says, known = dry_days(one, days, PERCENTILES[0])
        is_so, also = dry_days(truth, days, PERCENTILES[0])
        for number, name in enumerate(SEASONS):
            table = contingency(says, is_so, known & also & (season == number))
            totals[name] = totals[name] + table if name in totals else table
    rows = {
        f"{label} {name}": {
            "hits": float(one.hits), "misses": float(one.misses), "false_alarms": float(one.false_alarms),
            "negatives": float(one.negatives), "pod": float(one.pod), "far": float(one.far), "csi": float(one.csi),
            "sedi": float(one.sedi),
        }
        for name, one in totals.items()
    }  # fmt: skip
    return facts("droughts", rows) if rows else frame()


def sign_facts(series: Mapping[str, Floats], precipitation: npt.NDArray[np.float32], label: str) -> pd.DataFrame:
    """Table `process_signs`, no score: share of rises with rain and of falls without, of every data set."""
    rain = precipitation.astype(float)
    rows = {}
    for name, values in series.items():
        figures = [
            (response_to_rain(one, wet), share_of_falls(one, wet)) for one, wet in zip(values, rain, strict=True)
        ]
        known = np.array(figures, float)
        rows[f"{label} {name}"] = {"rise_with_rain": _median(known[:, 0]), "fall_without_rain": _median(known[:, 1])}
    return facts("process_signs", rows)


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")
