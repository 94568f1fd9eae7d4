"""The tables of the correction experiment: scores at held-out stations and against the truth, differences, violins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt
import pandas as pd
import safetensors.numpy

from vadose.common import InputError, read_json
from vadose.producer.correction.corrector import fit_first
from vadose.producer.correction.densities import density_rows
from vadose.producer.correction.folds import chronological
from vadose.producer.correction.interpretation import attribution_rows, correlation_facts, scores, training_rows
from vadose.producer.experiments import correction_fits as run
from vadose.producer.experiments.tables import publish
from vadose.producer.methods import Inputs
from vadose.producer.methods.mlstm import COMBINATIONS, PAPER, MlstmSettings, lessons, owners
from vadose.producer.training.points import COLUMNS, curve_row
from vadose.producer.training.stations import read_stations

Floats = npt.NDArray[np.float32]

METRICS = ("r", "mae", "rmse", "ubrmsd", "bias")
COMPARED = ("rmse", "ubrmsd", "r")
OURS = "mlstm-FPLE"
BEST = "mlstm-best"
ORIGINAL = "original"
OTHERS = ("mlstm-FPLE-direct", "mlstm-FPLE-by-network", *(f"mlstm-FPLE-seed-{seed}" for seed in run.SEEDS))
REPLICATES = 2000
SAME = "no different"
DENSITIES = "one value a station and year, stations left out (P2), smoothed by a Gaussian kernel"
KEY = ["split", "product", "contender", "network", "cell", "reference"]


@dataclass(frozen=True)
class Results:
    """Everything that was run on the cells with stations, (time, cell) each, and what it is judged by."""

    inputs: Inputs
    folder: Path
    references: Mapping[str, Floats]
    networks: npt.NDArray[np.str_]


def read_results(workspace: Path) -> Results:
    """Open the results of the experiment in a workspace."""
    inputs = run.opened(workspace)
    stations = read_stations(inputs.stations.values(), inputs.cube, inputs.day)
    names = np.array(sorted(set(stations.network)))
    references = {"stations": inputs.cube.read(inputs.target), "truth": truth(workspace, inputs)}
    return Results(inputs, run.results(workspace), references,
                   names[owners(stations, inputs.cube.index.size)])  # fmt: skip


def truth(workspace: Path, inputs: Inputs) -> Floats:
    """True soil moisture of the simulated world in the cells, (time, cell); it is opened for scores alone."""
    path = workspace / "native" / "simulated" / "demo" / "truth" / "truth.nc"
    if not path.is_file():
        raise InputError("no truth of the simulated world", where=str(path), next="vadose fetch simulated")
    cube = inputs.cube
    with netCDF4.Dataset(path) as file:
        row = np.abs(file["lat"][:][:, None] - cube.lat).argmin(axis=0)
        column = np.abs(file["lon"][:][:, None] - cube.lon).argmin(axis=0)
        first = int(np.floor(float(file["time"][0])))
        skipped = int((cube.days[0] - np.datetime64("1970-01-01", "D")).astype(int)) - first
        values = file["soil_moisture"][skipped : skipped + cube.days.size]
    return np.ma.filled(values[:, row, column].astype(np.float32), np.nan)


def together(found: Results, split: str, product: str, name: str) -> tuple[Floats | None, int]:
    """The tested values of all finished folds, (time, cell), NaN elsewhere; and the number of folds."""
    paths = sorted(found.folder.glob(f"{split}-[0-9]-{product}-{name}.safetensors"))
    values = None
    for path in paths:
        one = safetensors.numpy.load_file(path)["mean"]
        values = one if values is None else np.where(np.isfinite(one), one, values)
    return values, len(paths)


def best(found: Results, split: str, product: str) -> tuple[Floats | None, int]:
    """Of each fold the combination with the smallest error on its inner split, of all five."""
    values, count = None, 0
    for path in sorted(found.folder.glob(f"{split}-[0-9]-{product}-{OURS}.safetensors")):
        paths = {one: path.with_name(path.name.replace(OURS, f"mlstm-{one}")) for one in COMBINATIONS}
        if not all(one.is_file() for one in paths.values()):
            continue
        errors = {one: max(read_json(other.with_suffix(".json")).values()) for one, other in paths.items()}
        one = safetensors.numpy.load_file(paths[min(errors, key=lambda name: errors[name])])["mean"]
        values = one if values is None else np.where(np.isfinite(one), one, values)
        count += 1
    return values, count


def contenders(found: Results, split: str, product: str) -> dict[str, Floats]:
    """All contenders that have every fold that `mlstm-FPLE` has, with the original product, on their common values."""
    ours, folds = together(found, split, product, OURS)
    if ours is None:
        return {}
    names = [*run.BASELINES, *(f"mlstm-{one}" for one in COMBINATIONS), *OTHERS]
    several = {name: together(found, split, product, name) for name in names} | {BEST: best(found, split, product)}
    whole = {name: values for name, (values, count) in several.items() if values is not None and count == folds}
    original = found.inputs.cube.read(product)
    whole = {ORIGINAL: np.where(np.isfinite(ours), original, np.float32(np.nan)), **whole}
    common = np.logical_and.reduce([np.isfinite(values) for values in whole.values()])
    return {name: np.where(common, values, np.float32(np.nan)) for name, values in whole.items()}


def cell_scores(found: Results) -> pd.DataFrame:
    """One row for each split, product, contender, cell and reference; a score needs 30 values."""
    rows = []
    for split in run.SPLITS:
        for product in run.PRODUCTS:
            for name, values in contenders(found, split, product).items():
                for reference, right in found.references.items():
                    for cell, network in enumerate(found.networks):
                        one = scores(values[:, cell], right[:, cell], METRICS)
                        if np.isfinite(one["rmse"]):
                            n = int((np.isfinite(values[:, cell]) & np.isfinite(right[:, cell])).sum())
                            rows.append({"split": split, "product": product, "contender": name, "network": network,
                                         "cell": cell, "reference": reference, "n": n, **one})  # fmt: skip
    return pd.DataFrame(rows, columns=[*KEY, "n", *METRICS])


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Medians over the cells, and the median difference in RMSE to the original product with its 95 % interval."""
    rows = []
    for (split, product, contender, reference), part in frame.groupby(KEY[:3] + KEY[-1:], sort=False):
        row = {"split": split, "product": product, "contender": contender, "reference": reference,
               **part[list(METRICS)].median(), "cells": len(part)}  # fmt: skip
        there = (frame["split"] == split) & (frame["product"] == product) & (frame["reference"] == reference)
        original = frame[there & (frame["contender"] == ORIGINAL)]
        if contender != ORIGINAL:
            row |= difference(part, original, "rmse", "rmse_less_original")
        rows.append(row)
    return pd.DataFrame(rows)


def differences(frame: pd.DataFrame) -> pd.DataFrame:
    """The correction with all drivers less each simpler method and the other reading."""
    rows = []
    for (split, product, reference), part in frame.groupby(["split", "product", "reference"], sort=False):
        for other in [ORIGINAL, *run.BASELINES, OTHERS[0]]:
            if other in set(part["contender"]):
                ours, theirs = (part[part["contender"] == name] for name in (OURS, other))
                rows += [{"split": split, "product": product, "reference": reference, "contender": OURS,
                          "against": other, "metric": name, **difference(ours, theirs, name, "difference")}
                         for name in COMPARED]  # fmt: skip
    return pd.DataFrame(rows)


def difference(ours: pd.DataFrame, theirs: pd.DataFrame, name: str, title: str) -> dict[str, Any]:
    """Median difference of a metric over the cells that both have, with its 95 % interval and what it says.

    Whole cells are drawn again.
    """
    delta = (ours.set_index("cell")[name] - theirs.set_index("cell")[name]).dropna().to_numpy()
    drawn = np.median(np.random.default_rng(412).choice(delta, (REPLICATES, delta.size)), axis=1)
    low, high = (float(limit) for limit in np.quantile(drawn, [0.025, 0.975]))
    return {title: float(np.median(delta)), "ci_low": low, "ci_high": high, "cells": delta.size,
            "verdict": verdict(low, high, greater_is_better=name == "r")}  # fmt: skip


def verdict(low: float, high: float, *, greater_is_better: bool) -> str:
    """What an interval of a difference says."""
    if low <= 0 <= high:
        return SAME
    return "better" if (low > 0) == greater_is_better else "worse"


def stage_one(found: Results, split: str) -> pd.DataFrame:
    """Stage 1 at held-out stations, all days and cells of a network together."""
    rows = []
    for combination in COMBINATIONS:
        values, _ = together(found, split, run.STAGE, combination)
        if values is None:
            continue
        for network in (*np.unique(found.networks), "all"):
            mine = slice(None) if network == "all" else found.networks == network
            one = scores(values[:, mine], found.references["stations"][:, mine], METRICS)
            rows.append({"split": split, "network": network, "combination": combination, **one})
    return pd.DataFrame(rows)


def final_table(frame: pd.DataFrame, split: str) -> pd.DataFrame:
    """Median RMSE at held-out stations, original against the five combinations, product by network."""
    names = [ORIGINAL, *(f"mlstm-{one}" for one in COMBINATIONS)]
    part = frame[(frame["split"] == split) & (frame["reference"] == "stations") & frame["contender"].isin(names)]
    table = part.groupby(["product", "network", "contender"], sort=False)["rmse"].median().unstack("contender")
    return table.reindex(columns=[name for name in names if name in table]).reset_index()


def violins(found: Results, split: str) -> list[dict[str, Any]]:
    """Densities of RMSE and R of each year and station, network x combination, of the first product."""
    rows = []
    years = found.inputs.cube.days.astype("datetime64[Y]").astype(int)
    several = contenders(found, split, run.PRODUCTS[0])
    right = found.references["stations"]
    for name in [ORIGINAL, *(f"mlstm-{one}" for one in COMBINATIONS)]:
        if name not in several:
            continue
        for network in np.unique(found.networks):
            parts = [scores(several[name][years == year][:, cell], right[years == year][:, cell], ("rmse", "r"))
                     for cell in np.flatnonzero(found.networks == network) for year in np.unique(years)]  # fmt: skip
            for metric, unit in (("rmse", "per m3 m-3"), ("r", "1")):
                values = np.array([one[metric] for one in parts])
                rows += density_rows(f"violin_{metric}", str(network), name.removeprefix("mlstm-"), values, unit)
    return rows


def series(found: Results) -> list[dict[str, Any]]:
    """Monthly means of drivers and soil moisture over the cells of each network."""
    rows = []
    cube = found.inputs.cube
    month = cube.days.astype("datetime64[M]")
    drivers = MlstmSettings().drivers
    several = {letter: (cube.read(name), run.UNITS[letter]) for letter, name in drivers.items()}
    several["SM"] = found.references["stations"], "m3 m-3"
    for letter, (values, unit) in several.items():
        for network in np.unique(found.networks):
            mine = values[:, found.networks == network]
            for when in np.unique(month):
                part = mine[month == when]
                if np.isfinite(part).any():
                    year = 1970 + int(when.astype(int)) / 12
                    rows.append(curve_row("series", letter, str(network), year, float(np.nanmean(part)), unit))
    return rows


def interpretation(found: Results) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Attributions and training of stage 1 on the split by time, and correlations of drivers with the stations.

    One stage 1 for all networks of stations, and one for each.
    """
    inputs = found.inputs
    fold = chronological(inputs.cube, inputs.target, run.SEQUENCE)
    seen = inputs.hiding(fold.unseen())
    settings = MlstmSettings(product=run.PRODUCTS[0], pooled=True, shared=run.HYPER)
    several = [*lessons(seen, fold, settings), *lessons(seen, fold, settings.model_copy(update={"pooled": False}))]
    rows: list[dict[str, Any]] = []
    for lesson in several:
        stage = fit_first(lesson, "FPLE", run.HYPER, seed=run.SEED, fingerprint="experiment")
        rows += attribution_rows(stage, lesson, "FPLE", run.SEQUENCE, seed=run.SEED)
        rows += training_rows(stage, lesson.name) if lesson is several[0] else []
    facts = pd.DataFrame([row for lesson in several for row in correlation_facts(lesson)])
    table = facts.pivot(index="row", columns="column", values="value")
    return rows, table.reindex(columns=list(settings.drivers)).rename_axis("network").reset_index()


def hyper_table() -> pd.DataFrame:
    """Hyper-parameters of the paper's networks, and those of this experiment."""
    return pd.DataFrame([{"network": name, **hyper.model_dump()} for name, hyper in
                         {**PAPER, "this experiment": run.HYPER}.items()])  # fmt: skip


def write_tables(workspace: Path, out: Path, command: str) -> None:
    """Write all tables."""
    found = read_results(workspace)
    frame = cell_scores(found)
    medians, compared = summary(frame), differences(frame)
    rows, correlations = interpretation(found)
    curves = pd.DataFrame([*rows, *violins(found, "P2"), *series(found)], columns=COLUMNS)
    tables = {
        "correction_summary": medians, "correction_differences": compared,
        "correction_final": final_table(frame, "P2"),
        "correction_stage1": pd.concat([stage_one(found, split) for split in run.FULL]),
        "correction_correlations": correlations, "correction_hyper": hyper_table(),
        "correction_search": run.search(found.inputs), "correction_scores": frame, "correction_curves": curves,
    }  # fmt: skip
    told = {
        "title": "Correction towards stations on the simulated world",
        "question": "Does the correction beat CDF matching and boosted trees at stations that it never saw, and is it "
        "nearer to the truth?",
        "what": f"Simulated radiometer, merged product and scatterometer (percent of saturation times porosity) in "
        f"{found.networks.size} cells of three station networks, corrected towards simulated stations by MLSTM and by "
        "simpler methods on the same inputs; linear regression and trees also see means of the drivers over the days "
        "before. P2 leaves stations out, the split by time takes 70, 15 and 15 % with days between, P4 leaves regions "
        "and years out, P0 is leaky. Raw stations are the reference; the truth of the world is a second one. Only "
        "values that all contenders have; medians over cells, intervals by drawing cells.",
        "finding": finding(medians), "settings": run.HYPER.model_dump(),
        "figures": {
            "attributions": {"x": "driver", "caption": "Contribution of each driver to stage 1 (gradient SHAP)"},
            "attributions_by_lag": {"x": "days before", "caption": "Contribution of each driver to stage 1 by lag"},
            "training": {"x": "step", "caption": "Training of stage 1, output between 0 and 1"},
            "violin_rmse": {"x": "RMSE (m3 m-3)", "caption": f"Density of RMSE, {DENSITIES}"},
            "violin_r": {"x": "R", "caption": f"Density of R, {DENSITIES}"},
            "series": {"x": "year",
                       "caption": "Drivers and soil moisture, monthly means over the cells of each network"},
        },
    }  # fmt: skip
    publish(out, "correction", told, tables, command)


def finding(medians: pd.DataFrame) -> str:
    """What came out at held-out stations, in words that follow from the numbers."""
    part = medians[(medians["split"] == "P2")]
    words = []
    for reference, rows in part.groupby("reference", sort=False):
        told = []
        for name in (OURS, OTHERS[0], *run.BASELINES):
            mine = rows[rows["contender"] == name]
            if len(mine):
                counts = [int((mine["verdict"] == word).sum()) for word in ("better", SAME, "worse")]
                told.append(f"{name} {counts[0]} better, {counts[1]} no different, {counts[2]} worse")
        words.append(f"Against the {reference!s}: {'; '.join(told)}.")
    return ("Stations left out (P2): products whose RMSE is better than, no different from or worse than that of the "
            "original by the 95 % interval of the median difference over cells. " + " ".join(words))  # fmt: skip
