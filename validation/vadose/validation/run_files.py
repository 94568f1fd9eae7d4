"""The files of a run directory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from vadose.common import write_json
from vadose.statistics.status import CODE, STATUS
from vadose.validation import comparisons, diagnostics, scores
from vadose.validation.facts import FACT_COLUMNS
from vadose.validation.further import Further
from vadose.validation.months import middles
from vadose.validation.opening import Opened, version_of
from vadose.validation.tables import Tables

# Bits of `subset`, with what they say of a day of a station.
_SUBSETS = {
    "long_name": "what a day of a station counts in", "flag_masks": np.array([1, 2, 4], np.int8),
    "flag_meanings": "matched_with_ours common_to_all_products seen_in_training",
}  # fmt: skip
LIBRARIES = ("numpy", "numba", "pandas", "pyarrow", "scipy", "xarray", "netCDF4", "zarr")


@dataclass(frozen=True)
class Results:
    """All that a run found, by reference, and what its gates say."""

    tables: Mapping[str, Tables]
    verdict: dict[str, Any]
    headline: str
    further: Further


def write_run(part: Path, opened: Opened, results: Results) -> None:
    """Write all files of a run into a folder."""
    every = list(results.tables.values())
    rows = pd.concat([*(one.scores for one in every), results.further.scores], ignore_index=True)
    write_parquet(scores.tidy(rows), part / "scores.parquet")
    compared = [one.comparisons for one in every if len(one.comparisons)]
    frame = pd.concat(compared, ignore_index=True) if compared else every[0].comparisons
    write_parquet(comparisons.tidy(frame), part / "comparisons.parquet")
    write_parquet(_stations(every), part / "stations.parquet")
    (part / "diagnostics").mkdir()
    curves = pd.concat([*(one.curves for one in every), results.further.curves], ignore_index=True)
    write_parquet(curves[list(diagnostics.COLUMNS)], part / "diagnostics" / "curves.parquet")
    write_parquet(results.further.facts[list(FACT_COLUMNS)], part / "diagnostics" / "tables.parquet")
    if results.further.maps is not None:
        write_maps(results.further.maps, part / "diagnostics" / "maps.nc")
    kept = [one for one in every if one.matched is not None]
    _write_matchups(kept, part / "matchups.nc")
    write_json(part / "verdict.json", results.verdict)
    described = {
        **opened.identity, "fingerprint": opened.fingerprint,
        "references": {name: one.notes for name, one in results.tables.items()},
        "headline": results.headline, "notes": results.further.notes,
        "libraries": {name: version_of(name) for name in LIBRARIES}, "funnel": _funnel(every),
    }  # fmt: skip
    write_json(part / "run.json", json.loads(json.dumps(described, default=str)))


def write_maps(maps: xr.Dataset, path: Path) -> None:
    """Write `maps.nc`, compressed."""
    encoding: dict[str, dict[str, Any]] = {
        str(name): {"zlib": True, "complevel": 1, "shuffle": True, "_FillValue": np.float32(np.nan)}
        for name in maps.data_vars
        if maps[name].dtype == np.float32
    }
    for name in maps.variables:
        if maps[name].dtype.kind == "f" and str(name) not in encoding:
            encoding[str(name)] = {"_FillValue": None}
    maps.to_netcdf(path, engine="netcdf4", encoding=encoding)


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a table without index and without anything that depends on the library's pandas metadata."""
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None), path)


def _stations(every: Sequence[Tables]) -> pd.DataFrame:
    table = pd.concat([one.stations for one in every], ignore_index=True)
    for name in table.columns:
        if name.startswith(("funnel_", "rejected_")):
            table[name] = table[name].fillna(0).astype(np.int64)
        elif table[name].dtype == object:
            table[name] = table[name].fillna("").astype(str)
    return table


def _funnel(every: Sequence[Tables]) -> dict[str, dict[str, int]]:
    out = {}
    for one in every:
        columns = [name for name in one.stations.columns if name.startswith(("funnel_", "rejected_"))]
        out[one.reference] = {name: int(one.stations[name].sum()) for name in columns}
    return out


def _places(stations: pd.DataFrame) -> dict[str, Any]:
    """Where our product met each station, and in which status."""
    status = np.where(stations["cell_row"].to_numpy() < 0, CODE["no_cell"], CODE["ok"])
    status = np.where((status == CODE["ok"]) & stations["day_mismatch"].to_numpy(bool), CODE["day_mismatch"], status)
    none = (status == CODE["ok"]) & (stations["funnel_matched"].to_numpy() == 0)
    words = {
        "long_name": "status of the match with our product", "flag_values": np.arange(len(STATUS), dtype=np.int8),
        "flag_meanings": " ".join(STATUS),
    }  # fmt: skip
    ratio = {"units": "1", "long_name": "area of the cell over that of the footprint"}
    distance = {"units": "km", "long_name": "distance to the centre of the cell that was taken"}
    return {
        "status": ("station", np.where(none, CODE["no_overlap"], status).astype(np.int8), words),
        "cell_row": ("station", stations["cell_row"].to_numpy(np.int32), {"long_name": "row of the cell, -1 without"}),
        "cell_column": ("station", stations["cell_col"].to_numpy(np.int32), {"long_name": "its column"}),
        "distance": ("station", stations["distance_km"].to_numpy(float), distance),
        "scale_ratio": ("station", stations["scale_ratio"].to_numpy(float), ratio),
    }  # fmt: skip


def _write_matchups(kept: Sequence[Tables], path: Path) -> None:
    """Values of all series at all stations, our product first, the reference last; and what was scored of them."""
    every = [one.matched for one in kept if one.matched is not None]
    samples = [one.sampled for one in kept if one.sampled is not None]
    if not every:
        return
    names = list(dict.fromkeys(name for one in every for name in one.names))
    first = min(one.reference.days[0] for one in every)
    last = max(one.reference.days[-1] for one in every)
    days = np.arange(first, last + 1)
    parts, ids, references, subsets = [], [], [], []
    for one, block in zip(every, samples, strict=True):
        reference = one.reference
        part = np.full((len(names) + 1, len(reference.table), days.size), np.nan, np.float32)
        subset = np.zeros(part.shape[1:], np.int8)
        at = slice(*(int((day - first).astype(int)) for day in (reference.days[0], reference.days[-1] + 1)))
        for row, name in enumerate(one.names):
            part[names.index(name), :, at] = one.values[row]
        part[-1, :, at] = reference.values
        subset[:, at] = block
        parts.append(part)
        subsets.append(subset)
        ids += reference.table["station_id"].tolist()
        references += [reference.name] * len(reference.table)
    attributes = {"standard_name": "volume_fraction_of_condensed_water_in_soil", "units": "m3 m-3"}
    time = {"standard_name": "time", "units": "days since 1970-01-01 00:00:00", "calendar": "standard"}
    dataset = xr.Dataset(
        {
            "values": (("series", "station", "time"), np.concatenate(parts, axis=1), attributes),
            "subset": (("station", "time"), np.concatenate(subsets), _SUBSETS),
            **_places(pd.concat([one.stations for one in kept], ignore_index=True)),
        },
        coords={
            "series": ("series", np.array([*names, "reference"], object)),
            "station": ("station", np.array(ids, object)), "reference": ("station", np.array(references, object)),
            "time": ("time", middles(days), time),
        },
        attrs={"Conventions": "CF-1.11", "title": "match-ups of products and references"},
    )  # fmt: skip
    encoding: dict[str, dict[str, Any]] = {
        "values": {"zlib": True, "complevel": 1, "shuffle": True, "_FillValue": np.float32(np.nan)},
        "subset": {"zlib": True, "complevel": 1},
        "time": {"_FillValue": None},
    }
    dataset.to_netcdf(path, engine="netcdf4", encoding=encoding)
