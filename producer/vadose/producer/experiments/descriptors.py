"""`python -m vadose.producer.experiments.descriptors CUBE OUT [HOURS]`: what temporal descriptors are worth on SMAP.

The cube is that of CONUS-412 (`vadose ingest conus412-atlstm`). Every fit is kept in `runs/descriptors` beside the
folder of the cube, so that the same command does what is left. About half an hour on one core.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.common import Progress, silent, whole_file
from vadose.producer.cube import open_cube
from vadose.producer.experiments.descriptor_fits import (
    NOWCAST,
    Fitted,
    Laboratory,
    Trial,
    field,
    network_fit,
    places,
    predicted,
)
from vadose.producer.experiments.judging import METRICS, SAME, Judge, said
from vadose.producer.experiments.tables import publish, records
from vadose.producer.features.descriptors import NAMES
from vadose.producer.recipefile import load_recipe
from vadose.producer.training.points import COLUMNS, curve_row

Doubles = npt.NDArray[np.float64]

RECIPE = "conus412-atlstm"
COMMAND = "python -m vadose.producer.experiments.descriptors CUBE site/data/experiments/tssmnet-smap"
SEEDS = 2
ORDERS = 5
UNIT = "m3 m-3"
# Features that are drawn, those that matter most.
DRAWN = 20
# Of so many test values one is used for the importance.
EVERY = 3

OURS = "descriptors of training"
NONE = "no descriptors"
LEAKY = "descriptors of the whole record (leaky)"
CAUSAL = "descriptors of the year before the day"
FULL = "descriptors of training, collinear kept"
NONE_FULL, RANDOM_FULL = "no descriptors, collinear kept", "random numbers alone, collinear kept"
COORDINATES = "coordinates alone"
RANDOM = "random numbers alone"
DENSE = "dense layers alone (ResAutoNet)"
SHUFFLED = "features in random orders"
TREES, TREES_NONE, TREES_LEAKY = (f"boosted trees, {name}" for name in (OURS, NONE, LEAKY))
WATCHED, WATCHED_DENSE = "watched", "watched, dense"

# The contenders that are run with several seeds, and those with one.
SEVERAL: tuple[Trial, ...] = (
    Trial(OURS), Trial(NONE, descriptors="none"), Trial(RANDOM, identity="random"),
    Trial(COORDINATES, identity="coordinates"), Trial(FULL, collinear="keep"), Trial(LEAKY, descriptors="global"),
    Trial(DENSE, kind="dense"),
)  # fmt: skip
ONCE: tuple[Trial, ...] = (
    Trial(NONE_FULL, descriptors="none", collinear="keep"),
    Trial(RANDOM_FULL, identity="random", collinear="keep"),
    Trial(CAUSAL, NOWCAST, "causal"), Trial(NONE, NOWCAST, "none"),
    Trial(TREES, kind="trees", collinear="keep"),
    Trial(TREES_NONE, descriptors="none", kind="trees", collinear="keep"),
    *(Trial(SHUFFLED, order=order) for order in range(1, ORDERS + 1)),
    Trial(WATCHED, tuned=True), Trial(WATCHED_DENSE, kind="dense", tuned=True),
    Trial(LEAKY, "P0", "global"), Trial(NONE, "P0", "none"), Trial(DENSE, "P0", "global", kind="dense"),
    Trial(TREES_LEAKY, descriptors="global", kind="trees", collinear="keep"),
)  # fmt: skip
# What matters most first: one seed of each, then the others.
TRIALS: tuple[Trial, ...] = (
    *SEVERAL, *ONCE, *(replace(trial, seed=seed) for seed in range(1, SEEDS) for trial in SEVERAL),
)  # fmt: skip
PAIRS: tuple[tuple[str, str, str], ...] = (
    ("P1", OURS, NONE), ("P1", OURS, COORDINATES), ("P1", OURS, RANDOM), ("P1", FULL, OURS), ("P1", LEAKY, OURS),
    ("P1", FULL, NONE_FULL), ("P1", FULL, RANDOM_FULL), ("P1", NONE_FULL, NONE), ("P1", TREES, FULL),
    ("P1", SHUFFLED, OURS), ("P1", DENSE, OURS), ("P1", TREES, OURS), ("P1", TREES_NONE, OURS),
    ("P1", TREES, TREES_NONE), ("P1", TREES_LEAKY, TREES), (NOWCAST, CAUSAL, NONE), ("P0", LEAKY, NONE),
)  # fmt: skip
GROUPS = ("descriptors", "maps", "weather and season")


def main(cube: Path, out: Path, command: str, hours: float = np.inf, progress: Progress = silent,
         trials: Sequence[Trial] = TRIALS, laboratory: Laboratory | None = None) -> None:  # fmt: skip
    """Run what is left until the hours are over, and write the tables of what is there."""
    until = time.monotonic() + 3600.0 * hours
    lab = laboratory or Laboratory(open_cube(cube), load_recipe(RECIPE), cube.parent.parent / "runs" / "descriptors")
    lab.folder.mkdir(parents=True, exist_ok=True)
    found, missing = [], []
    for trial in trials:
        if lab.path(trial).is_file() or time.monotonic() < until:
            found.append(lab.run(trial, progress))
        else:
            missing.append(trial.slug)
    judge = Judge.of(lab.cube, lab.target)
    watched = [one for one in found if one.trial.tuned]
    scored = [one for one in found if not one.trial.tuned]
    scores, apart = score_table(lab, judge, scored), differences(lab, judge, scored)
    growth = importance(lab, judge, scored)
    tables = {
        "descriptors_scores": scores, "descriptors_differences": apart,
        "descriptors_training": training_table(lab, scored), "descriptors_importance": growth,
        "descriptors_selection": selection(lab, scored), "descriptors_gain": gain(scored),
        "descriptors_curves": pd.DataFrame([*loss_rows(watched), *drawn(growth)], columns=COLUMNS),
    }  # fmt: skip
    told = {
        "title": "Descriptors on real SMAP",
        "question": "Do the 31 temporal descriptors of a cell's record tell more than which cell it is, which of them "
                    "matter, and does the order of the features matter to a convolution along them?",
        "what": "The network of the paper, made small, on CONUS-412: weather of the day and before, maps, and "
                "descriptors of the training year, of the whole record (leaky), or of the year before the day (with "
                "observations up to the day before, P1-nowcast-1, a column of its own); coordinates and random "
                "numbers as controls. P1 is a later year, P0 random samples (leaky). Scores of a cell are averaged "
                f"over {SEEDS} seeds where so many were run; medians over cells, intervals by drawing 5-degree blocks. "
                "Importance is the growth of a cell's RMSE in the later year when a feature, or all of a group, is "
                "shuffled between rows. Seconds of training are wall time on a machine shared with other work.",
        "finding": finding(apart, growth), "partial": missing,
        "figures": {
            "training": {"x": "step", "caption": "Loss by step, with the last quarter of the year kept aside"},
            "feature importance": {"x": "feature", "y": "growth of RMSE",
                                   "caption": f"The {DRAWN} features that matter most in the later year"},
        },
    }  # fmt: skip
    publish(out, "descriptors", told, tables, command)


def contenders(found: Sequence[Fitted]) -> dict[tuple[str, str], list[Fitted]]:
    """The fits of each split and contender."""
    groups: dict[tuple[str, str], list[Fitted]] = {}
    for one in found:
        groups.setdefault((one.trial.split, one.trial.contender), []).append(one)
    return groups


def of_cells(lab: Laboratory, judge: Judge, fits: Sequence[Fitted], name: str) -> Doubles:
    """A metric of each cell, averaged over the seeds or orders of a contender, (cell,)."""
    return np.asarray(np.mean([judge.cells(field(lab, one.trial.split, one.mean), name) for one in fits], axis=0))


def score_table(lab: Laboratory, judge: Judge, found: Sequence[Fitted]) -> pd.DataFrame:
    """Median scores of each contender; `seed_spread` is the standard deviation of its median RMSE over the fits."""
    rows = []
    for (split, contender), fits in contenders(found).items():
        row: dict[str, Any] = {"split": split, "contender": contender, "fits": len(fits)}
        for name in METRICS:
            middle = judge.median(of_cells(lab, judge, fits, name))
            row[name] = middle.value
            if name in ("rmse", "r"):
                row |= {f"{name}_low": middle.ci_low, f"{name}_high": middle.ci_high}
        each = [float(np.nanmedian(of_cells(lab, judge, [one], "rmse"))) for one in fits]
        row["seed_spread"] = float(np.std(each, ddof=1)) if len(each) > 1 else float("nan")
        covered = np.mean([np.isfinite(one.mean).mean() for one in fits])
        rows.append({**row, "coverage": float(covered), "unit": UNIT})
    table = pd.DataFrame(rows)
    table["order"] = table["split"].map({"P1": 0, NOWCAST: 1, "P0": 2})
    return table.sort_values(["order", "rmse"], kind="stable", ignore_index=True).drop(columns="order")


def differences(lab: Laboratory, judge: Judge, found: Sequence[Fitted]) -> pd.DataFrame:
    """One contender less another: the median difference over cells of a cell's RMSE and R."""
    groups = contenders(found)
    rows = []
    for split, ours, other in PAIRS:
        if (split, ours) in groups and (split, other) in groups:
            for name in ("rmse", "r"):
                apart = of_cells(lab, judge, groups[split, ours], name) - of_cells(
                    lab, judge, groups[split, other], name
                )
                rows.append({"split": split, "contender": ours, "against": other, "metric": name,
                             **judge.difference(apart, name)})  # fmt: skip
    return pd.DataFrame(rows)


def training_table(lab: Laboratory, found: Sequence[Fitted]) -> pd.DataFrame:
    """Loss and R² in training and test as the paper prints them, pooled, with hours and parameters; first seeds."""
    rows = []
    for (split, contender), fits in contenders(found).items():
        first = fits[0]
        observed = lab.target[lab.wanted(split)].astype(np.float64)
        both = np.isfinite(first.mean)
        fold = lab.fold(split).mask("train") & np.isfinite(lab.target)
        variance = float(lab.target[fold].var(dtype=np.float64))
        squared = float(np.mean((first.mean[both] - observed[both]) ** 2))
        loss = first.facts.get("training_loss", first.facts.get("training_rmse", np.nan) ** 2 / variance)
        rows.append({
            "split": split, "contender": contender, "features": first.facts["features"],
            "training_loss": loss, "training_r2": 1.0 - loss, "test_loss": squared / variance,
            "test_r2": 1.0 - squared / float(observed[both].var()), "parameters": first.facts["parameters"],
            "seconds_train": first.facts["seconds"],
        })  # fmt: skip
    return pd.DataFrame(rows)


def importance(lab: Laboratory, judge: Judge, found: Sequence[Fitted]) -> pd.DataFrame:
    """Growth of the RMSE of cells when features are shuffled between the test rows, groups first, then each feature."""
    chosen = [one.trial for one in found if one.trial.contender in (OURS, FULL)
              and one.trial.seed == 0 and one.trial.split == "P1"]  # fmt: skip
    rows = []
    for trial in chosen:
        path = lab.path(trial).with_suffix(".importance.parquet")
        if not path.is_file():
            with whole_file(path) as part:
                pd.DataFrame(growths(lab, judge, trial)).to_parquet(part, index=False)
        rows.append(pd.read_parquet(path))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def growths(lab: Laboratory, judge: Judge, trial: Trial) -> list[dict[str, Any]]:
    """The rows of one network, which is trained again, the greatest growth first within groups and features.

    Every third test value is enough; single features are shuffled where collinear ones are gone, since what one of
    them tells another would tell, too.
    """
    _, facts, network = network_fit(lab, trial)
    rowed = lab.rowed(trial)
    names = rowed.data.encoder.names
    rows, place = rowed.test[::EVERY], places(lab, trial.split, rowed)[::EVERY]
    order = np.random.default_rng(31).permutation(len(rows))
    count = int(lab.wanted(trial.split).sum())

    def rmse(columns: list[int]) -> Doubles:
        changed = rows.copy()
        changed[:, columns] = rows[order][:, columns]
        mean = np.full(count, np.nan, np.float32)
        mean[place] = predicted(network, changed, facts["center"], facts["scale"])
        return judge.cells(field(lab, trial.split, mean), "rmse")

    before = rmse([])
    members = {group: [k for k, name in enumerate(names) if group_of(name, lab) == group] for group in GROUPS}
    every = [("group", group, columns) for group, columns in members.items() if columns]
    if trial.collinear == "remove":
        every += [("feature", name, [k]) for k, name in enumerate(names)]
    found: list[dict[str, Any]] = []
    for kind, name, columns in every:
        middle = judge.median(rmse(columns) - before)
        group = name if kind == "group" else group_of(name, lab)
        found.append({"contender": trial.contender, "kind": kind, "feature": name, "group": group,
                      "features": len(columns), "rmse_growth": middle.value, "ci_low": middle.ci_low,
                      "ci_high": middle.ci_high})  # fmt: skip
    return sorted(found, key=lambda row: (row["kind"] == "feature", -row["rmse_growth"]))


def group_of(name: str, lab: Laboratory) -> str:
    """The group of a feature."""
    if name in NAMES:
        return GROUPS[0]
    static = lab.recipe.predictors.static
    return GROUPS[1] if name.partition("=")[0] in static else GROUPS[2]


def selection(lab: Laboratory, found: Sequence[Fitted]) -> pd.DataFrame:
    """For each descriptor whether it stays where collinear features are removed, and what decided."""
    rows = []
    for contender in (OURS, LEAKY):
        trial = next((one.trial for one in found if one.trial.contender == contender and one.trial.split == "P1"), None)
        if trial is None:
            continue
        chosen = lab.rowed(trial).data.selection
        gone = {one.name: one for one in chosen.dropped}
        for name in NAMES:
            drop = gone.get(name)
            rows.append({
                "contender": contender, "descriptor": name, "stays": drop is None,
                "reason": "" if drop is None else drop.reason, "partner": "" if drop is None else drop.partner,
                "figure": np.nan if drop is None else drop.figure,
            })  # fmt: skip
    return pd.DataFrame(rows)


def gain(found: Sequence[Fitted]) -> pd.DataFrame:
    """The descriptors' part of the gain of the trees, and what share of all gain falls to descriptors."""
    rows = []
    for one in found:
        if one.trial.kind != "trees" or one.trial.descriptors == "none":
            continue
        gains: Mapping[str, float] = one.facts["gain"]
        total = sum(gains.values())
        own = {name: gains[name] / total for name in NAMES if name in gains}
        rows.append({"contender": one.trial.contender, "feature": "all descriptors", "share": sum(own.values())})
        rows += [{"contender": one.trial.contender, "feature": name, "share": share}
                 for name, share in sorted(own.items(), key=lambda item: -item[1])]  # fmt: skip
    return pd.DataFrame(rows)


def loss_rows(found: Sequence[Fitted]) -> list[dict[str, Any]]:
    """Loss of the batches by step, and mean square error on what was kept aside."""
    rows = []
    for one in found:
        panel = "dense layers alone (ResAutoNet)" if one.trial.kind == "dense" else "convolution along the features"
        for step, error in one.facts["checks"]:
            rows.append(curve_row("training", panel, "mean square error, kept aside", step, error**2, "1"))
        for step, loss in one.facts["losses"]:
            rows.append(curve_row("training", panel, "loss of the batch with its variance term", step, loss, "1"))
    return rows


def drawn(growth: pd.DataFrame) -> list[dict[str, Any]]:
    """The features that matter most, a category each."""
    rows: list[dict[str, Any]] = []
    every = records(growth)
    for contender in dict.fromkeys(row["contender"] for row in every):
        part = [row for row in every if row["contender"] == contender and row["kind"] == "feature"]
        for k, one in enumerate(part[:DRAWN]):
            rows.append(curve_row("feature importance", contender, one["feature"], k, one["rmse_growth"], UNIT,
                                  one["ci_low"], one["ci_high"]))  # fmt: skip
    return rows


def finding(apart: pd.DataFrame, growth: pd.DataFrame) -> str:
    """What came out, in sentences."""
    words = []
    for row in records(apart):
        if row["metric"] == "rmse":
            told = said(row["difference"], row["ci_low"], row["ci_high"])
            end = "no difference is shown" if row["verdict"] == SAME else row["verdict"]
            words.append(f"{row['split']}, {row['contender']} less {row['against']}: {told}, {end}.")
    for row in records(growth):
        if row["kind"] == "group":
            told = said(row["rmse_growth"], row["ci_low"], row["ci_high"])
            words.append(f"Shuffled {row['group']} ({row['features']} features; {row['contender']}): {told}.")
    return f"Differences of RMSE in {UNIT} with 95 % intervals. " + " ".join(words)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), COMMAND, float(sys.argv[3]) if len(sys.argv) > 3 else np.inf,
         Progress("plain"))  # fmt: skip
