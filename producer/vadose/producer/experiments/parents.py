"""`python -m vadose.producer.experiments.parents CUBE WORLD OUT`: merging by collocation where the truth is known.

The cube is that of the recipe `simulated-tc-merge`, the world the folder that it was made of. Errors, correlations and
weights by collocation on the training days stand beside the true ones; the merges are judged by the truth of the test
days. About two minutes on one core.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.producer.correction.densities import density_rows
from vadose.producer.cube import Cube, open_cube
from vadose.producer.experiments import parent_maps
from vadose.producer.experiments.gapfilling import read_truth
from vadose.producer.experiments.judging import SAME, Judge, said
from vadose.producer.experiments.maps import month_sheets
from vadose.producer.experiments.tables import publish, records
from vadose.producer.methods import Inputs
from vadose.producer.methods.collocations import SOURCES
from vadose.producer.methods.leastsquares import least_squares_weights
from vadose.producer.methods.steps import month_means, rolling_means
from vadose.producer.methods.tcmerge import SEASONS, TcMerge, TcMergeModel, TcMergeSettings
from vadose.producer.recipe import Predictors
from vadose.producer.training.maps import Sheet
from vadose.producer.training.points import COLUMNS
from vadose.producer.training.splits import make_folds
from vadose.statistics.status import STATUS

Doubles = npt.NDArray[np.float64]

COMMAND = "python -m vadose.producer.experiments.parents CUBE WORLD site/data/experiments/tc-lstm-downscaling"
RADIOMETER, SCATTEROMETER, MODEL_A, MODEL_B = "smap_sm_am", "ascat_ssm", "land_model_a_sm", "land_model_b_sm"
THREE, TWINS = (RADIOMETER, SCATTEROMETER, MODEL_A), (RADIOMETER, MODEL_A, MODEL_B)
CLEAN, LAND_MODELS, FOUR = "collocation", "two land models", "four products"
BASE: Mapping[str, Any] = {"parents": THREE, "reference": RADIOMETER}
# A triplet of independent errors; one with two land models that share their weather, as in the paper; both of them with
# their covariance estimated; weights of each season; and equal weights.
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    CLEAN: BASE,
    "plain mean": {**BASE, "weighting": "equal"},
    "weights by season": {**BASE, "seasonal": True},
    LAND_MODELS: {"parents": TWINS, "reference": RADIOMETER},
    FOUR: {"parents": (*THREE, MODEL_B), "reference": RADIOMETER, "dependent": ((MODEL_A, MODEL_B),)},
}
MONTHLY: Mapping[str, Mapping[str, Any]] = {
    "errors of 30-day means": {**BASE, "aggregation": "monthly"},
    "plain mean": {**BASE, "aggregation": "monthly", "weighting": "equal"},
}
OF_DAYS = "errors of days"
UNIT = "m3 m-3"
NAMES = {RADIOMETER: "radiometer", SCATTEROMETER: "scatterometer", MODEL_A: "land model A", MODEL_B: "land model B"}
BLOCK_DEGREES = 2.0
SEASON_NAMES = ("December to February", "March to May", "June to August", "September to November")


@dataclass(frozen=True)
class Known:
    """The cube and its truth, with the training and the test days, (time,)."""

    cube: Cube
    truth: Doubles
    train: npt.NDArray[np.bool_]
    test: npt.NDArray[np.bool_]


def main(cube: Path, world: Path, out: Path, command: str) -> None:
    """Fit all merges and write the tables."""
    opened = open_cube(cube)
    fold = make_folds("P1", opened, RADIOMETER)[0]
    known = Known(opened, read_truth(world, opened).astype(np.float64), fold.dates["train"], fold.dates["test"])
    models = {name: fitted(known, values) for name, values in VARIANTS.items()}
    monthly = {name: fitted(known, values) for name, values in MONTHLY.items()}
    monthly[OF_DAYS] = replace(models[CLEAN], settings=monthly["plain mean"].settings)
    daily_solved = models[CLEAN].estimate.source[0] == 0
    monthly_solved = daily_solved & (monthly["errors of 30-day means"].estimate.source[0] == 0)
    judges = {"daily": judge_of(known, "daily", daily_solved), "monthly": judge_of(known, "monthly", monthly_solved)}
    fields = {"daily": merged(known, models, "daily"), "monthly": merged(known, monthly, "monthly")}
    scores = pd.DataFrame([
        {"step": step, "field": name, **judges[step].row(mean), "unit": UNIT}
        for step in fields for name, mean in fields[step].items()
    ])  # fmt: skip
    apart = pd.DataFrame([
        {"step": step, **row} for step, against in (("daily", CLEAN), ("monthly", "errors of 30-day means"))
        for row in judges[step].differences(fields[step], against, ("ubrmsd", "r"))
    ])  # fmt: skip
    found = {name: models[name] for name in (CLEAN, LAND_MODELS, FOUR)} | {"monthly": monthly["errors of 30-day means"]}
    cells = pd.concat([told_and_true(known, name, model) for name, model in found.items()], ignore_index=True)
    errors = error_table(cells)
    tables = {
        "parents_errors": errors, "parents_scores": scores, "parents_differences": apart,
        "parents_validity": validity(models), "parents_seasons": seasons(models["weights by season"]),
        "parents_pairs": pairs(known), "parents_curves": violins(cells),
    }  # fmt: skip
    told = {
        "title": "Merging with a known truth",
        "question": "Are errors and weights by triple collocation the true ones, what do two land models in one "
                    "triplet do to them, and is the merge better than the plain mean and than its parents?",
        "what": f"A radiometer, a scatterometer and two land models of a simulated land of {opened.index.size} cells "
                "of 0.25 degree, all rescaled to the radiometer. Collocation on the days before the last year, scores "
                "against the truth of the last year on days that all three parents have, in the cells that the triplet "
                "resolves (in the others the merge is the plain mean). Monthly: means of calendar months, with "
                "weights by the errors of 30-day means, or by those of days. Medians over cells, "
                f"intervals by drawing blocks of {BLOCK_DEGREES:g} degrees.",
        "finding": finding(errors, apart),
        "figures": {
            "violin_error": {"x": f"error ({UNIT})", "caption": "Error of each parent over the cells"},
            "violin_r": {"x": "R with the truth", "caption": "R of each parent with the truth over the cells"},
            "violin_weight": {"x": "weight", "caption": "Weight of each parent over the cells"},
            **parent_maps.FIGURES,
        },
    }  # fmt: skip
    publish(out, "parents", told, tables, command, (opened, [
        *parent_maps.cell_sheets(cells[cells["triplet"] == CLEAN], opened.index.size, UNIT),
        *parent_maps.validity_sheets({name: models[name] for name in (CLEAN, LAND_MODELS, FOUR)}),
        *two_months(known, fields["monthly"]),
    ]))  # fmt: skip


def fitted(known: Known, values: Mapping[str, Any]) -> TcMergeModel:
    """A merge of the training days."""
    inputs = Inputs({"main": known.cube}, RADIOMETER, Predictors(daily=THREE))
    fold = make_folds("P1", known.cube, RADIOMETER)[0]
    return TcMerge().fit(inputs, fold, TcMergeSettings.model_validate(dict(values)), seed=0)


def raw_steps(known: Known, parents: Sequence[str], step: str) -> tuple[Doubles, npt.NDArray[np.datetime64], Doubles]:
    """Parents (parent, step, cell), stamps (step,), and the truth (step, cell) of the test days."""
    span = slice(int(np.flatnonzero(known.test)[0]), int(np.flatnonzero(known.test)[-1]) + 1)
    days = known.cube.days[span]
    raw = np.stack([known.cube.read(name, span).astype(np.float64) for name in parents])
    if step == "daily":
        return raw, days, known.truth[span]
    means = np.stack([month_means(one, days, 5)[0] for one in raw])
    return means, np.unique(days.astype("datetime64[M]")), month_means(known.truth[span], days, 5)[0]


def judge_of(known: Known, step: str, solved: npt.NDArray[np.bool_]) -> Judge:
    """The truth of the test steps that all three parents have, in resolved cells; months are few, and fewer do."""
    raw, _, truth = raw_steps(known, THREE, step)
    there = np.isfinite(raw).all(axis=0) & solved
    judge = Judge.of(known.cube, np.where(there, truth, np.nan), BLOCK_DEGREES)
    return judge if step == "daily" else replace(judge, fewest=8)


def merged(known: Known, models: Mapping[str, TcMergeModel], step: str) -> dict[str, Doubles]:
    """The merges, and each parent alone in the scale of the reference, (step, cell)."""
    found: dict[str, Doubles] = {}
    everywhere, there = np.arange(known.cube.index.size), np.ones(known.cube.index.size, bool)
    for name, model in models.items():
        raw, stamps, _ = raw_steps(known, model.settings.parents, step)
        found[name] = model.merge_steps(raw, stamps, everywhere, there)[0]
    first = next(iter(models.values()))
    raw, stamps, _ = raw_steps(known, first.settings.parents, step)
    for k, parent in enumerate(first.settings.parents):
        alone = np.where(np.arange(len(raw))[:, None, None] == k, raw, np.nan)
        found[NAMES[parent]] = first.merge_steps(alone, stamps, everywhere, there)[0]
    return found


def two_months(known: Known, fields: Mapping[str, Doubles]) -> Iterator[Sheet]:
    """Maps of the truth, the parents, the plain mean and the merge."""
    _, stamps, truth = raw_steps(known, THREE, "monthly")
    names = {**{NAMES[name]: NAMES[name] for name in THREE}, "plain mean": "plain mean",
             "errors of 30-day means": "merged"}  # fmt: skip
    shown = {"truth": truth, **{label: fields[name] for name, label in names.items()}}
    return month_sheets("month_map", shown, stamps, UNIT)


def told_and_true(known: Known, name: str, model: TcMergeModel) -> pd.DataFrame:
    """Error, R and weight of each parent in each resolved cell in training, by collocation and by the truth."""
    parents, days = model.settings.parents, np.flatnonzero(known.train)
    raw = np.stack([known.cube.read(one)[days].astype(np.float64) for one in parents])
    truth = known.truth[days]
    if model.settings.aggregation == "monthly":
        raw = np.stack([rolling_means(one, 30, model.settings.fewest_days) for one in raw])
        truth = rolling_means(truth, 30, 30)
    scaled = np.stack([maps(values.T).T for maps, values in zip(model.estimate.maps, raw, strict=True)]).astype(float)
    there = np.isfinite(scaled).all(axis=0) & np.isfinite(truth)
    solved = (model.estimate.source[0] == 0) & (there.sum(axis=0) >= 100)
    told_errors, true_errors = model.estimate.errors[0], true_covariance(scaled, truth, there)
    variance = (centred(scaled, there) ** 2).sum(axis=1) / np.maximum(there.sum(axis=0), 1)
    told_weights, true_weights = (least_squares_weights(errors[solved])[0] for errors in (told_errors, true_errors))
    parts = []
    for k, parent in enumerate(parents):
        told, true = told_errors[solved, k, k], true_errors[solved, k, k]
        parts.append(pd.DataFrame({
            "triplet": name, "parent": NAMES[parent], "cell": np.flatnonzero(solved), "error": np.sqrt(told),
            "true_error": np.sqrt(true), "r": np.sqrt(np.clip(1.0 - told / variance[k, solved], 0.0, 1.0)),
            "true_r": np.sqrt(np.clip(1.0 - true / variance[k, solved], 0.0, 1.0)),
            "weight": told_weights[:, k], "true_weight": true_weights[:, k],
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def true_covariance(scaled: Doubles, truth: Doubles, there: npt.NDArray[np.bool_]) -> Doubles:
    """Covariance of what is left of rescaled parents (parent, time, cell) after a line in the truth, (cell, p, p)."""
    count, aim = np.maximum(there.sum(axis=0), 1), centred(truth, there)
    power = np.maximum((aim**2).sum(axis=0), 1e-12)
    left = [one - (one * aim).sum(axis=0) / power * aim for one in centred(scaled, there)]
    covariance = np.array([[(a * b).sum(axis=0) / count for a in left] for b in left])
    eye = np.eye(len(scaled))[None]
    return np.asarray(covariance.transpose(2, 0, 1) + 1e-12 * eye)


def centred(values: Doubles, there: npt.NDArray[np.bool_]) -> Doubles:
    """Values (..., time, cell) less the mean of their cell, zero where they do not count."""
    known_values = np.where(there, values, 0.0)
    mean = known_values.sum(axis=-2, keepdims=True) / np.maximum(there.sum(axis=0), 1)
    return np.where(there, known_values - mean, 0.0)


def error_table(cells: pd.DataFrame) -> pd.DataFrame:
    """Medians over the resolved cells by triplet and parent, with the mean weights of the paper's table."""
    rows = []
    for (name, parent), part in cells.groupby(["triplet", "parent"], sort=False):
        rows.append({
            "triplet": name, "parent": parent, "cells": len(part),
            **{key: float(part[key].median()) for key in ("error", "true_error", "r", "true_r")},
            "error_ratio": float((part["error"] / part["true_error"]).median()),
            "weight": float(part["weight"].mean()), "true_weight": float(part["true_weight"].mean()),
            "weight_apart": float((part["weight"] - part["true_weight"]).abs().median()), "unit": UNIT,
        })  # fmt: skip
    return pd.DataFrame(rows)


def validity(models: Mapping[str, TcMergeModel]) -> pd.DataFrame:
    """How many cells were resolved, and the reasons of the others."""
    rows = []
    for name in (CLEAN, LAND_MODELS, FOUR):
        codes, source = models[name].estimate.validity[0], models[name].estimate.source[0]
        rows += [{"triplet": name, "validity": STATUS[code], "weights_from": SOURCES[origin],
                  "cells": int(((codes == code) & (source == origin)).sum())}
                 for code in np.unique(codes) for origin in np.unique(source[codes == code])]  # fmt: skip
    return pd.DataFrame(rows)


def seasons(model: TcMergeModel) -> pd.DataFrame:
    """Mean weight of each parent by season, over the cells that the season resolves."""
    rows = []
    for k in range(len(SEASONS)):
        solved = model.estimate.source[k] == 0
        for j, parent in enumerate(model.settings.parents):
            weight = float(model.weights[k][solved, j].mean()) if solved.any() else float("nan")
            error = np.sqrt(np.median(model.estimate.errors[k][solved, j, j])) if solved.any() else float("nan")
            rows.append({"season": SEASON_NAMES[k], "parent": NAMES[parent], "cells": int(solved.sum()),
                         "weight": weight, "error": float(error)})  # fmt: skip
    return pd.DataFrame(rows)


def pairs(known: Known) -> pd.DataFrame:
    """Correlation of each pair of products on the training days: median over cells, and the quartiles."""
    days = np.flatnonzero(known.train)
    values = {name: known.cube.read(name)[days].astype(np.float64) for name in NAMES}
    rows = []
    for one, other in combinations(NAMES, 2):
        judge = Judge(values[other], np.zeros(known.cube.index.size, np.int64))
        r = judge.cells(values[one], "r")
        low, middle, high = (float(value) for value in np.nanquantile(r, (0.25, 0.5, 0.75)))
        rows.append({"pair": f"{NAMES[one]}, {NAMES[other]}", "r": middle, "quarter": low, "three_quarters": high,
                     "cells": int(np.isfinite(r).sum())})  # fmt: skip
    return pd.DataFrame(rows)


def violins(cells: pd.DataFrame) -> pd.DataFrame:
    """Densities over the cells, by collocation and by the truth, a panel for each parent and triplet."""
    rows: list[dict[str, Any]] = []
    for name, key, unit in (("violin_error", "error", UNIT), ("violin_r", "r", "1"), ("violin_weight", "weight", "1")):
        for triplet in (CLEAN, LAND_MODELS):
            for parent, part in cells[cells["triplet"] == triplet].groupby("parent", sort=False):
                for series, column in (("by collocation", key), ("by the truth", f"true_{key}")):
                    rows += density_rows(name, f"{triplet}: {parent}", series, part[column].to_numpy(float), unit)
    return pd.DataFrame(rows, columns=COLUMNS)


def finding(errors: pd.DataFrame, apart: pd.DataFrame) -> str:
    """What came out, in sentences."""
    return " ".join([*_told_errors(errors), *_told_differences(apart)])


def _told_errors(errors: pd.DataFrame) -> Iterator[str]:
    for name in dict.fromkeys(errors["triplet"]):
        rows = [row for row in records(errors) if row["triplet"] == name]
        told = ", ".join(f"{row['parent']} {row['error']:.4f} ({row['true_error']:.4f}), weight {row['weight']:.2f} "
                         f"({row['true_weight']:.2f})" for row in rows)  # fmt: skip
        yield f"{name[:1].upper()}{name[1:]}: median error by collocation (true) {told}."


def _told_differences(apart: pd.DataFrame) -> Iterator[str]:
    for row in records(apart):
        if row["metric"] == "ubrmsd":
            end = "no difference is shown" if row["verdict"] == SAME else row["verdict"]
            told = said(row["difference"], row["ci_low"], row["ci_high"])
            yield f"{row['step'].capitalize()}, ubRMSD of {row['contender']} less {row['against']}: {told}, {end}."


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), COMMAND)
