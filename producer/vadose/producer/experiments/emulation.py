"""`python -m vadose.producer.experiments.emulation FOLDER OUT [HOURS]`: how much of a score is the land model's own.

In a simulated land of 0.05 degree an AtLSTM learns a radiometer, and a product that boosted trees made out of the same
land model, as the published target was made. The truth of the world tells emulation from skill. Fits are kept in the
folder, so that the same command does what is left. About ten minutes on one core.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.common import Progress, silent
from vadose.producer.experiments.emulation_fits import (
    ALL,
    LAND_MODEL,
    LENGTHS,
    NETWORK,
    NETWORK_ALL,
    NETWORK_ALONE,
    NETWORK_WITHOUT,
    PRODUCT,
    RAINY_LENGTHS,
    STATIONS,
    TARGET,
    TREES,
    TREES_ALL,
    WORLD,
    Scene,
    Trial,
    done,
    kept,
    make_scene,
    path_of,
    planned,
    run,
    whole,
)
from vadose.producer.experiments.judging import Judge, bands, said
from vadose.producer.experiments.maps import mean_of, month_sheets, site_series
from vadose.producer.experiments.tables import publish, records
from vadose.producer.simulate.settings import Settings
from vadose.producer.training.maps import Sheet
from vadose.producer.training.points import COLUMNS, curve_row
from vadose.producer.training.splits import make_folds

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

COMMAND = "python -m vadose.producer.experiments.emulation FOLDER site/data/experiments/glass-avhrr-sm"
WET = 0.4
# Blocks that are drawn for intervals, degrees: the land has three degrees.
BLOCK_DEGREES = 0.5
REFERENCES = ("target", "truth")
UNIT = "m3 m-3"
# Days of the series of single cells.
SHOWN_DAYS = 180
RAW, LINE, SCALED = "land model as it is", "land model, one straight line", "land model, mean and spread of each cell"


def main(folder: Path, out: Path, command: str, hours: float = np.inf, progress: Progress = silent,
         settings: Settings = WORLD, network: Mapping[str, Any] = NETWORK, trees: Mapping[str, Any] = TREES,
         lengths: Sequence[int] = LENGTHS,
         rainy: Sequence[int] = RAINY_LENGTHS) -> None:  # fmt: skip
    """Simulate the land unless it is there, run what is left until the hours are over, and write the tables."""
    until = time.monotonic() + 3600.0 * hours
    scene = make_scene(settings, folder)
    plain, swept = planned(network, trees, lengths, rainy)
    missing = []
    # What matters most first: scores of the later year, lengths, another region.
    for trial in sorted((*plain, *swept), key=lambda one: (one.split != "P1", one in swept)):
        if path_of(scene, trial).is_file() or time.monotonic() < until:
            run(scene, trial, progress)
        else:
            missing.append(f"{trial.contender}, {trial.target}, {trial.split}")
    scores = pd.DataFrame(score_rows(scene, plain))
    shown = shown_fields(scene, plain)
    curves = [*length_rows(scene, swept), *kept_attention(scene, swept), *banded(scene, plain), *series(scene, shown)]
    tables = {
        "emulation_scores": scores, "emulation_differences": pd.DataFrame(difference_rows(scene, plain)),
        "emulation_curves": pd.DataFrame(curves, columns=COLUMNS),
    }  # fmt: skip
    told = {
        "title": "What is skill, and what emulation",
        "question": "How much of a test score is the land model, which is an input, coming back out of a target that "
                    "was made with it? And how many days does the network need?",
        "what": f"A simulated land of {scene.cube.index.size:,} cells of 0.05 degree. Two targets: the retrieval of a "
                f"radiometer, and a product that boosted trees made of albedo, surface temperature, terrain, soil and "
                f"the land model, taught by {STATIONS} stations. P1 is the last year, P5 (where run) a third of the "
                "land that was not learnt from; one seed. R² and RMSE of all values together, as in the paper, and "
                "beside them medians over cells; intervals by drawing blocks of half a degree. The partial correlation "
                "is that of prediction and reference, the land model held fixed.",
        "finding": finding(scores), "partial": missing,
        "figures": {
            "sequence length": {"x": "days of the window", "caption": "Skill by length of the window (P1, radiometer)"},
            "attention": {"x": "days before", "y": "weight", "caption": "Attention by lag, by length of the window"},
            "predicted by reference": {
                "x": "reference (m3 m-3)", "y": "predicted",
                "caption": "Median and 5th to 95th percentile of predictions by what the target holds (P1)",
            },
            "field_map": {"caption": "Soil moisture of two months of the later year: the truth, the product that is "
                                     "learnt, the network that learns it, and the land model among its inputs"},
            "bias_map": {"signed": True, "caption": "Mean of the later year less that of the truth"},
            "series": {"x": "year", "y": "soil moisture", "caption": "The last days of single cells"},
        },
    }  # fmt: skip
    publish(out, "emulation", told, tables, command, (scene.cube, list(sheets(scene, shown))) if shown else None)


def land_models(scene: Scene, target: str, split: str) -> dict[str, Floats]:
    """The land model and its corrections, fitted where the split may learn, (time, cell); missing elsewhere."""
    found = {name: np.full(scene.truth.shape, np.nan, np.float32) for name in (RAW, LINE, SCALED)}
    given = scene.cube.read(LAND_MODEL).astype(np.float64)
    aim = scene.targeted(target).read(TARGET).astype(np.float64)
    for fold in make_folds(split, scene.cube, TARGET):
        known = fold.mask("train") & np.isfinite(aim) & np.isfinite(given)
        slope, offset = np.polyfit(given[known], aim[known], 1)
        wanted = fold.mask("test")
        fields = {RAW: given, LINE: slope * given + offset}
        if split == "P1":
            fields[SCALED] = cell_scaled(given, aim, known)
        for name, values in fields.items():
            found[name] = np.where(wanted, values, found[name]).astype(np.float32)
    return {name: values for name, values in found.items() if np.isfinite(values).any()}


def cell_scaled(given: Doubles, aim: Doubles, known: npt.NDArray[np.bool_]) -> Doubles:
    """Values with the mean and spread that another series of the cell has where both are known, (time, cell)."""
    count = known.sum(axis=0)
    mean_given, mean_aim = (np.where(known, one, 0.0).sum(axis=0) / np.maximum(count, 1) for one in (given, aim))
    spread_given, spread_aim = (np.sqrt((centred(one, known) ** 2).sum(axis=0)) for one in (given, aim))
    usable = (count >= 30) & (spread_given > 0)
    gain = spread_aim / np.where(usable, spread_given, np.nan)
    return np.asarray((given - mean_given) * gain + mean_aim)


def contenders(scene: Scene, trials: Sequence[Trial]) -> Iterator[tuple[str, str, dict[str, Floats]]]:
    """Target, split and the fields of all finished contenders, those of the land model among them."""
    finished = done(scene, trials)
    for target, split in dict.fromkeys((trial.target, trial.split) for trial in finished):
        own: dict[str, list[Trial]] = {}
        for trial in finished:
            if (trial.target, trial.split) == (target, split):
                own.setdefault(trial.contender, []).append(trial)
        fields = {name: whole(scene, members) for name, members in own.items()}
        yield target, split, {**fields, **land_models(scene, target, split)}


def score_rows(scene: Scene, trials: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """Scores of every contender against its target and the truth, all values and those of wet soil."""
    land = scene.cube.read(LAND_MODEL)
    for target, split, fields in contenders(scene, trials):
        aim = scene.targeted(target).read(TARGET)
        common = np.isfinite(aim) & np.isfinite(np.stack(list(fields.values()))).all(axis=0)
        for reference, values in zip(REFERENCES, (aim, scene.truth), strict=True):
            for stratum, where in (("all", common), (f"reference > {WET}", common & (values > WET))):
                judge = Judge.of(scene.cube, np.where(where, values, np.nan), BLOCK_DEGREES)
                for name, mean in fields.items():
                    partial = judge.median(partial_correlations(mean, values, land, where))
                    yield {
                        "target": target, "split": split, "reference": reference, "stratum": stratum,
                        "contender": name, **pooled(mean[where], values[where]),
                        **{f"cell_{key}": value for key, value in judge.row(np.where(where, mean, np.nan)).items()
                           if key in ("rmse", "rmse_low", "rmse_high", "r", "r_low", "r_high")},
                        "partial_r": partial.value, "partial_r_low": partial.ci_low, "partial_r_high": partial.ci_high,
                        "unit": UNIT,
                    }  # fmt: skip


def pooled(predicted: Floats, reference: Floats) -> dict[str, float]:
    """R² (explained), RMSE and bias of all values together."""
    error = predicted.astype(np.float64) - reference
    if error.size < 2:
        return {"r2_explained": float("nan"), "rmse": float("nan"), "bias": float("nan"), "values": int(error.size)}
    return {
        "r2_explained": 1.0 - float(np.mean(error**2) / np.var(reference, dtype=np.float64)),
        "rmse": float(np.sqrt(np.mean(error**2))), "bias": float(error.mean()), "values": int(error.size),
    }  # fmt: skip


def partial_correlations(one: Floats, other: Floats, given: Floats, where: npt.NDArray[np.bool_]) -> Doubles:
    """Correlation of two series of each cell, a third held fixed, (cell,); missing with fewer than 20 days."""
    a, b, c = (centred(values, where) for values in (one, other, given))
    ab, ac, bc = ((x * y).sum(axis=0) for x, y in ((a, b), (a, c), (b, c)))
    aa, bb, cc = ((x**2).sum(axis=0) for x in (a, b, c))
    # What is left of both after a regression on the third; a field that is a line of it has nothing left.
    left_a, left_b = aa - ac**2 / np.where(cc > 0, cc, np.nan), bb - bc**2 / np.where(cc > 0, cc, np.nan)
    enough = (where.sum(axis=0) >= 20) & (left_a > 1e-6 * aa) & (left_b > 1e-6 * bb)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(enough, (ab - ac * bc / cc) / np.sqrt(left_a * left_b), np.nan))


def centred(values: npt.NDArray[np.floating[Any]], where: npt.NDArray[np.bool_]) -> Doubles:
    """Values less the mean of their cell, zero outside `where`."""
    count = np.maximum(where.sum(axis=0), 1)
    kept_values = np.where(where, values, 0.0).astype(np.float64)
    return np.where(where, kept_values - kept_values.sum(axis=0) / count, 0.0)


def difference_rows(scene: Scene, trials: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """Each contender less the land model with one straight line, and less the trees: cells' RMSE and R."""
    for target, split, fields in contenders(scene, trials):
        aim = scene.targeted(target).read(TARGET)
        common = np.isfinite(aim) & np.isfinite(np.stack(list(fields.values()))).all(axis=0)
        for reference, values in zip(REFERENCES, (aim, scene.truth), strict=True):
            judge = Judge.of(scene.cube, np.where(common, values, np.nan), BLOCK_DEGREES)
            for against in (LINE, TREES_ALL):
                if against in fields:
                    for row in judge.differences(fields, against, ("rmse", "r")):
                        yield {"target": target, "split": split, "reference": reference, **row}


def length_rows(scene: Scene, swept: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """Median scores of cells by the length of the window, with and without rain, against the radiometer."""
    finished = done(scene, swept)
    if not finished:
        return
    fields = [whole(scene, [trial]) for trial in finished]
    common = np.isfinite(np.stack(fields)).all(axis=0)
    judge = Judge.of(scene.cube, np.where(common, scene.cube.read(TARGET), np.nan), BLOCK_DEGREES)
    for trial, mean in zip(finished, fields, strict=True):
        series = trial.contender.partition(",")[0]
        for name, unit in (("rmse", UNIT), ("ubrmsd", UNIT), ("r", "1")):
            middle = judge.median(judge.cells(mean, name))
            yield curve_row("sequence length", name, series, trial.settings["sequence_days"], middle.value, unit,
                            middle.ci_low, middle.ci_high)  # fmt: skip


def kept_attention(scene: Scene, swept: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """Mean attention weight by lag of networks without rain, over all days and over those of wet soil."""
    for trial in done(scene, swept):
        days = int(trial.settings["sequence_days"])
        if days < 2 or trial.predictors != ALL:
            continue
        arrays = kept(scene, trial)
        for k, panel in enumerate(("all days", f"days with soil moisture > {WET}")):
            for lag, weight in enumerate(arrays.get(f"attention_{k}", ())):
                yield curve_row("attention", panel, f"window of {days} d", lag, float(weight), "1")


def banded(scene: Scene, trials: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    """The scatter of predictions as a band over classes of the target."""
    for target, split, fields in contenders(scene, trials):
        aim = scene.targeted(target).read(TARGET)
        for name in (NETWORK_ALL, TREES_ALL, LINE):
            if split == "P1" and name in fields:
                yield from bands("predicted by reference", f"target: {target}", name, fields[name], aim)


def shown_fields(scene: Scene, trials: Sequence[Trial]) -> dict[str, Floats]:
    """The made product, the network that learns it, and the land model, on all days of the later year; (time, cell)."""
    for target, split, fields in contenders(scene, trials):
        if (target, split) == (PRODUCT, "P1") and NETWORK_ALL in fields:
            mean = fields[NETWORK_ALL]
            inside = np.isfinite(mean).any(axis=1, keepdims=True)
            product = np.where(inside, scene.product, np.float32(np.nan))
            return {"product": product, "AtLSTM": mean, RAW: fields[RAW], LINE: fields[LINE]}
    return {}


def sheets(scene: Scene, shown: Mapping[str, Floats]) -> Iterator[Sheet]:
    """Maps of two months and of the bias over the later year."""
    yield from month_sheets("field_map", {"truth": truth_of(scene, shown), **shown}, scene.cube.days, UNIT)
    everything = np.ones(scene.cube.days.size, bool)
    for name, values in shown.items():
        yield Sheet("bias_map", "", name, UNIT, mean_of(values - scene.truth, everything))


def series(scene: Scene, shown: Mapping[str, Floats]) -> Iterator[dict[str, Any]]:
    """Single cells in the last days."""
    if shown:
        part = slice(-SHOWN_DAYS, None)
        fields = {name: values[part] for name, values in {"truth": truth_of(scene, shown), **shown}.items()}
        level = scene.truth.mean(axis=0, dtype=np.float64)
        yield from site_series("series", fields, scene.cube.days[part], level, UNIT)


def truth_of(scene: Scene, shown: Mapping[str, Floats]) -> Floats:
    """The truth on the days of the later year, (time, cell)."""
    inside = np.isfinite(shown["product"]).any(axis=1, keepdims=True)
    return np.where(inside, scene.truth, np.float32(np.nan))


def finding(scores: pd.DataFrame) -> str:
    """What came out, in sentences."""
    if not len(scores):
        return "Nothing was run."
    every = records(scores[scores["stratum"] == "all"])
    words = []
    for target, split, reference in dict.fromkeys((row["target"], row["split"], row["reference"]) for row in every):
        rows = {row["contender"]: row for row in every
                if (row["target"], row["split"], row["reference"]) == (target, split, reference)}  # fmt: skip
        told = [f"{name} {rows[name]['r2_explained']:.3f} / {rows[name]['rmse']:.4f}"
                for name in (NETWORK_ALL, NETWORK_ALONE, NETWORK_WITHOUT, TREES_ALL, LINE) if name in rows]  # fmt: skip
        sentence = f"{target[:1].upper()}{target[1:]}, {split}, against the {reference}: {'; '.join(told)}"
        if NETWORK_ALL in rows:
            row = rows[NETWORK_ALL]
            partial = said(row["partial_r"], row["partial_r_low"], row["partial_r_high"], 3)
            sentence += f"; partial correlation of the AtLSTM given the land model {partial}"
        words.append(f"{sentence}.")
    return "R² / RMSE of all values. " + " ".join(words)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), COMMAND, float(sys.argv[3]) if len(sys.argv) > 3 else np.inf,
         Progress("plain"))  # fmt: skip
