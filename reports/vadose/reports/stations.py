"""What the station page needs: one list in columns, and one file of series for each station."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from vadose.common import InputError
from vadose.reports.classes import land_cover
from vadose.reports.data import Run
from vadose.reports.figures.series import IN_SITU
from vadose.reports.formats import display, metric_label, row_id, status_text
from vadose.reports.tables import finite, headline_metrics, records, unscaled

# Cells of a gridded reference count as stations; above this many, their series stay in the run.
MAX_CELL_SERIES = 500
STATIONS = "stations"

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StationGroup:
    """The series of one reference in one run: stations, or the cells of a gridded reference."""

    run: Run
    reference: str
    rows: pd.DataFrame

    @property
    def gridded(self) -> bool:
        """Whether the series are cells of a gridded reference."""
        return not self.reference.startswith(STATIONS)

    @property
    def with_series(self) -> bool:
        """Whether single series are written to the site."""
        return self.run.matchups is not None and not (self.gridded and len(self.rows) > MAX_CELL_SERIES)


def station_groups(run: Run) -> list[StationGroup]:
    """The groups of a run, real stations first."""
    frame = run.stations
    reference = frame["reference"].astype(str) if "reference" in frame else pd.Series(STATIONS, index=frame.index)
    names = sorted(set(reference), key=lambda name: (not name.startswith(STATIONS), name))
    return [StationGroup(run, name, frame[reference == name]) for name in names]


def station_list(group: StationGroup, series: set[str]) -> tuple[dict[str, Any], dict[str, list[str | None]]]:
    """`stations.json`: columns of metadata and, by metric, values and statuses of our product; and its rows' ids.

    The ids have a file of their own, `stations-rows.json`: they cannot be packed and no view needs them.

    `series` holds the keys of the stations whose series are on the site.
    """
    rows = group.rows
    columns = {
        "key": [str(v) for v in rows["key"]],
        "name": [_clean(v) for v in rows["station_name"]],
        "network": [_clean(v) for v in rows["network"]],
        "lat": [round(float(v), 4) for v in rows["lat"]],
        "lon": [round(float(v), 4) for v in rows["lon"]],
        "depth": [depth_text(a, b) for a, b in zip(rows["depth_from"], rows["depth_to"], strict=True)],
        "land_cover": [land_cover(_clean(v)) for v in rows.get("land_cover", [""] * len(rows))],
        "climate": [_clean(v) for v in rows.get("climate", [""] * len(rows))],
        "distance_km": [_rounded(v) for v in rows.get("distance_km", [math.nan] * len(rows))],
        "licence": [_clean(v) for v in rows["licence"]],
        "redistributable": [bool(v) for v in rows["redistributable"]],
        "series": [str(key) in series for key in rows["key"]],
    }
    scores, counts, rows_of = station_scores(group)
    columns["n"] = counts
    return {"reference": group.reference, "product": group.run.ours, "columns": columns, "scores": scores}, rows_of


def short(listing: dict[str, Any]) -> dict[str, Any]:
    """The list as a page loads it: values with six decimals, two more than any page shows."""
    scores = {
        name: {**found, "values": [None if v is None else round(v, 6) for v in found["values"]]}
        for name, found in listing["scores"].items()
    }
    return {**listing, "scores": scores}


def funnel(group: StationGroup) -> dict[str, dict[str, list[int]]]:
    """What was left of each station after each step, and what was rejected by what, if anything."""
    kept, rejected = "funnel_", "rejected_"
    counts = {str(name): group.rows[name].fillna(0).astype(int).tolist() for name in group.rows if _is_count(str(name))}
    return {
        "kept": {_step(name, kept): values for name, values in counts.items() if name.startswith(kept)},
        "rejected": {
            _step(name, rejected): values
            for name, values in counts.items()
            if name.startswith(rejected) and any(values)
        },
    }


def _is_count(name: str) -> bool:
    return name.startswith(("funnel_", "rejected_"))


def _step(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).replace("_", " ")


def station_scores(group: StationGroup) -> tuple[dict[str, Any], list[int], dict[str, list[str | None]]]:
    """Scores of our product at each station, by metric; the days behind them; the ids of their rows."""
    run = group.run
    frame = unscaled(run.scores)
    frame = frame[(frame["stratum_kind"] == "station") & (frame["product"] == run.ours)]
    frame = frame[frame["reference"] == group.reference]
    subset = "common" if (frame["subset"] == "common").any() else next(iter(sorted(set(frame["subset"]))), "")
    frame = frame[frame["subset"] == subset]
    ids = [str(v) for v in group.rows["station_id"]]
    result: dict[str, Any] = {}
    rows_of: dict[str, list[str | None]] = {}
    counts = [0] * len(ids)
    for metric, signal in headline_metrics(frame):
        part = frame[(frame["metric"] == metric) & (frame["signal"] == signal)].drop_duplicates("stratum")
        by_station = {str(row["stratum"]): row for row in records(part)}
        rows = [by_station.get(name) for name in ids]
        how, name = display(metric), metric if signal == "raw" else f"{metric}:{signal}"
        rows_of[name] = [None if row is None else row_id(row) for row in rows]
        result[name] = {
            "label": metric_label(metric, signal),
            "unit": how.unit,
            "decimals": how.decimals,
            "signed": how.signed,
            "values": [None if row is None else finite(row["value"]) for row in rows],
            "status": [_status(row) for row in rows],
        }
        counts = [max(n, int(row["n"])) if row is not None else n for n, row in zip(counts, rows, strict=True)]
    return result, counts, rows_of


def _status(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not in this run"
    return "" if finite(row["value"]) is not None else status_text(str(row["status"]), finite(row.get("n")))


def depth_text(low: Any, high: Any) -> str:
    """The depths of a sensor in centimetres: `0–5 cm`."""
    a, b = finite(low), finite(high)
    if a is None or b is None:
        return "unknown"
    return f"{100 * b:g} cm" if a == b else f"{100 * a:g}–{100 * b:g} cm"


def _clean(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "unknown"
    return " ".join(str(value).split()) or "unknown"


def _rounded(value: Any) -> float | None:
    number = finite(value)
    return None if number is None else round(number, 1)


@dataclass(frozen=True)
class Series:
    """The series of one run: our product, rivals, reference."""

    names: tuple[str, ...]
    stations: tuple[str, ...]
    days: npt.NDArray[np.datetime64]
    values: npt.NDArray[np.float32]

    @cached_property
    def index(self) -> dict[str, int]:
        """The position of each station."""
        return {name: i for i, name in enumerate(self.stations)}

    @property
    def rivals(self) -> tuple[str, ...]:
        """Names between our product and the reference."""
        return self.names[1:-1]


def read_series(run: Run) -> Series | None:
    """The match-ups of a run: `values` has the shape (series, station, time), m3 m-3, reference last.

    None where the run holds none, or only groups whose series stay in the run.
    """
    if run.matchups is None or not any(group.with_series for group in station_groups(run)):
        return None
    try:
        with xr.open_dataset(run.matchups) as dataset:
            order = dataset["values"].transpose("series", "station", "time")
            return Series(
                tuple(_words(dataset, "series")),
                tuple(_words(dataset, "station", "station_id")),
                dataset["time"].to_numpy().astype("datetime64[D]"),
                order.to_numpy().astype(np.float32),
            )
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"not a readable match-up file: {error}", where=str(run.matchups)) from error


def _words(dataset: xr.Dataset, *names: str) -> list[str]:
    for name in names:
        if name in dataset.variables and dataset[name].dtype.kind in "OUS":
            return [v.decode() if isinstance(v, bytes) else str(v) for v in dataset[name].to_numpy()]
    raise KeyError(" or ".join(names))


def station_columns(series: Series, station: str, own: str, *, redistributable: bool) -> dict[str, Array] | None:
    """The arrays of one station: our product as `own`, rivals, and the station itself where its licence allows."""
    if station not in series.index:
        return None
    block = series.values[:, series.index[station], :].astype(float)
    columns = {own: block[0]}
    columns |= {name: block[1 + i] for i, name in enumerate(series.rivals)}
    if redistributable:
        columns[IN_SITU] = block[-1]
    return columns


def series_document(parts: Sequence[tuple[npt.NDArray[np.datetime64], dict[str, Array]]]) -> str:
    """One station's JSON from the columns of one or more runs, on the days that any of them has."""
    first = min(days[0] for days, _ in parts)
    last = max(days[-1] for days, _ in parts)
    n = int((last - first).astype(int)) + 1
    columns: dict[str, Array] = {}
    for days, found in parts:
        index = (days - first).astype(int)
        for name, values in found.items():
            line = columns.setdefault(name, np.full(n, np.nan))
            empty = np.isnan(line[index])
            line[index] = np.where(empty, values, line[index])
    given = np.any([np.isfinite(v) for v in columns.values()], axis=0)
    if not given.any():
        return _series_json(str(first), 0, {name: values[:0] for name, values in columns.items()})
    begin, end = int(np.argmax(given)), n - int(np.argmax(given[::-1]))
    return _series_json(str(first + begin), end - begin, {name: v[begin:end] for name, v in columns.items()})


def _series_json(start: str, n: int, columns: dict[str, Array]) -> str:
    listed = ",".join(f"{json.dumps(name, ensure_ascii=False)}:[{_four_decimals(v)}]" for name, v in columns.items())
    return f'{{"t0":"{start}","n":{n},"unit":"m3 m-3","columns":{{{listed}}}}}\n'


# Soil moisture with four decimals takes 10,001 values: each is written once. The last one is a missing value.
_WRITTEN = np.array([*(repr(k / 10_000) for k in range(10_001)), "null"], dtype=object)


def _four_decimals(values: Array) -> str:
    scaled = np.rint(values * 10_000)
    known = np.isfinite(scaled)
    if (known & ((scaled < 0) | (scaled > 10_000))).any():
        return ",".join("null" if v != v else repr(v) for v in np.round(values, 4).tolist())
    return ",".join(_WRITTEN[np.where(known, scaled, 10_001).astype(np.int64)])
