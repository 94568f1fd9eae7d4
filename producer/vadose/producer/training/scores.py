"""Score tables of an experiment: per-cell metrics, their medians over cells, and intervals by blocks of 5 degrees."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.common import read_json, whole_file
from vadose.producer.cube import Cube
from vadose.producer.training.experiment import Experiment, Job, cost_path, read_result, result_path
from vadose.producer.training.intervals import intervals
from vadose.producer.training.splits import blocks, make_folds
from vadose.statistics import anomaly_35d, evaluate, metric, moments
from vadose.statistics.aggregates import resampled_weights, spread
from vadose.statistics.shares import Share

Mask = npt.NDArray[np.bool_]
Doubles = npt.NDArray[np.float64]

# The benchmark's own least number of test values for a cell.
MINIMUM_VALUES = 20
# Cells with at most so many distinct values of the target: a correlation says nothing there.
FEW_DISTINCT = 4
CELL_METRICS = ("rmse", "ubrmsd", "r", "bias", "mae", "nrmsd", "r2_explained", "kge")
POOLED_METRICS = ("rmse", "bias", "r2_explained")
# Soils wetter than this, m3 m-3, are a stratum of their own. It is chosen by the target, not by the prediction: its
# figures are conditioned on the reference, so that noise of the reference looks like a dry bias of the method.
HIGH_MOISTURE = 0.4
HIGH_STRATUM = ("wet", "reference > 0.4 m3 m-3, conditioned on the reference")
SUBSETS = ("all_cells", "without_near_constant_cells")
ANOMALY = "anomaly_35d"
ENSEMBLE = "ensemble"
SEED = 412
# With fewer blocks the interval of a coverage says nothing about other places.
FEWEST_CLUSTERS = 10

KEYS = ["product", "version", "method", "fold", "seed", "reference", "stratum_kind", "stratum", "subset", "split",
        "signal", "scaling", "aggregate", "metric"]  # fmt: skip
NUMBERS = ["value", "ci_low", "ci_high", "n", "n_eff", "coverage"]
COLUMNS = [*KEYS, "value", "ci_low", "ci_high", "ci_method", "ci_scope", "n", "n_eff", "coverage", "status"]


@dataclass(frozen=True)
class Truth:
    """The target and the cells of an experiment.

    Attributes
    ----------
    values
        Target, (time, cell).
    block
        5-degree block of each cell.
    near_constant
        Cells whose target has hardly any distinct values.
    land_cover
        Class code of each cell, -1 where unknown.
    """

    cube: Cube
    target: str
    values: Doubles
    block: npt.NDArray[np.int64]
    near_constant: Mask
    land_cover: npt.NDArray[np.int64]


def read_truth(cube: Cube, target: str) -> Truth:
    """Read the target of an experiment."""
    values = cube.read(target)
    distinct = [np.unique(column[np.isfinite(column)]).size for column in values.T]
    cover = cube.read_static("land_cover") if "land_cover" in cube.names else np.full(cube.index.size, np.nan)
    codes = np.nan_to_num(cover, nan=-1).astype(np.int64)
    near_constant = np.array(distinct) <= FEW_DISTINCT
    return Truth(cube, target, values.astype(np.float64), blocks(cube.lat, cube.lon), near_constant, codes)


@dataclass(frozen=True)
class Series:
    """Predictions of one method and seed under one split, all folds together."""

    split: str
    method: str
    seed: str
    mean: Doubles
    deviation: Doubles
    complete: bool


def score_table(
    truth: Truth, plan: Experiment, jobs: Iterable[Job], *, product: str, version: str
) -> tuple[pd.DataFrame, list[str]]:
    """All score rows of the finished jobs, and the names of what is unfinished."""
    rows: list[dict[str, Any]] = []
    partial: list[str] = []
    for series in assembled(truth, plan, jobs):
        if not series.complete:
            partial.append(f"{series.method} {series.split} seed {series.seed}")
        if np.isfinite(series.mean).any():
            common = {
                "product": product, "version": version, "method": series.method, "seed": series.seed,
                "split": series.split, "reference": truth.target,
            }  # fmt: skip
            rows += [{**common, **row} for row in series_rows(truth, series)]
    return tidy(rows), partial


def assembled(truth: Truth, plan: Experiment, jobs: Iterable[Job]) -> Iterable[Series]:
    """One series for each seed on splits with several seeds, one for all folds elsewhere, and ensembles of seeds."""
    groups: dict[tuple[str, str], list[Job]] = defaultdict(list)
    for job in jobs:
        groups[job.split, job.method].append(job)
    for (split, name), members in groups.items():
        masks = [fold.mask("test") for fold in make_folds(split, truth.cube, truth.target)]
        if len({job.fold for job in members}) == 1 and len(members) > 1:
            yield from _seeds(truth, plan, members, masks[members[0].fold])
        else:
            mean, deviation = np.full(truth.values.shape, np.nan), np.full(truth.values.shape, np.nan)
            done = [_fill(mean, deviation, plan, job, masks[job.fold]) for job in members]
            label = str(members[0].seed) if len(members) == 1 else "by_fold"
            yield Series(split, name, label, mean, deviation, all(done))


def _seeds(truth: Truth, plan: Experiment, members: list[Job], mask: npt.NDArray[np.bool_]) -> Iterable[Series]:
    found = []
    for job in members:
        mean, deviation = np.full(truth.values.shape, np.nan), np.full(truth.values.shape, np.nan)
        done = _fill(mean, deviation, plan, job, mask)
        yield Series(job.split, job.method, str(job.seed), mean, deviation, done)
        if done:
            found.append((mean, deviation))
    if len(found) > 1:
        means, deviations = (np.stack(parts) for parts in zip(*found, strict=True))
        deviation = np.sqrt((deviations**2).mean(axis=0) + means.var(axis=0))
        first = members[0]
        yield Series(first.split, first.method, ENSEMBLE, means.mean(axis=0), deviation, len(found) == len(members))


def _fill(mean: Doubles, deviation: Doubles, plan: Experiment, job: Job, mask: npt.NDArray[np.bool_]) -> bool:
    """Put the result of a job where its fold is tested; whether there is one."""
    if not result_path(plan, job).is_file():
        return False
    result = read_result(plan, job)
    mean[mask], deviation[mask] = result["mean"], result["deviation"]
    return True


def series_rows(truth: Truth, series: Series) -> Iterable[dict[str, Any]]:
    """Medians and quartiles over cells with intervals, pooled figures, and the coverage of 90 % intervals."""
    predicted, observed = series.mean.T, truth.values.T
    cells = moments(predicted, observed)
    enough = cells.n >= MINIMUM_VALUES
    for subset in SUBSETS:
        chosen = enough & (np.ones_like(enough) if subset == SUBSETS[0] else ~truth.near_constant)
        for name in CELL_METRICS:
            values = np.where(chosen, evaluate(metric(name), cells), np.nan)
            yield from _aggregates(truth, subset, name, values, cells.n)
        pooled = moments(predicted[chosen].reshape(1, -1), observed[chosen].reshape(1, -1))
        for name in POOLED_METRICS:
            value = float(evaluate(metric(name), pooled)[0])
            yield _row(
                subset, "pooled", name, value, n=int(pooled.n[0]), status="ok" if np.isfinite(value) else "no_data"
            )
        yield from _high_rows(subset, predicted[chosen], observed[chosen])
        yield from _anomaly_rows(truth, subset, chosen, predicted, observed)
        yield from _interval_rows(truth, subset, chosen, series)


def _anomaly_rows(
    truth: Truth, subset: str, chosen: Mask, predicted: Doubles, observed: Doubles
) -> Iterable[dict[str, Any]]:
    """Median correlation of deviations from the centred 35-day mean, over the days that both have, (cell, time)."""
    both = np.isfinite(predicted) & np.isfinite(observed)
    ours, theirs = (anomaly_35d(np.where(both, values, np.nan)) for values in (predicted, observed))
    cells = moments(ours, theirs)
    values = np.where(chosen & (cells.n >= MINIMUM_VALUES), evaluate(metric("r"), cells), np.nan)
    for row in _aggregates(truth, subset, "r", values, cells.n):
        yield {**row, "signal": ANOMALY}


def _high_rows(subset: str, predicted: Doubles, observed: Doubles) -> Iterable[dict[str, Any]]:
    """Pooled figures where the target says that the soil is wet, (cell, time)."""
    wet = np.where(observed > HIGH_MOISTURE, observed, np.nan)
    pooled = moments(predicted.reshape(1, -1), wet.reshape(1, -1))
    for name in POOLED_METRICS:
        value = float(evaluate(metric(name), pooled)[0]) if pooled.n[0] else float("nan")
        status = "ok" if np.isfinite(value) else "no_data"
        row = _row(subset, "pooled", name, value, n=int(pooled.n[0]), status=status)
        yield {**row, "stratum_kind": HIGH_STRATUM[0], "stratum": HIGH_STRATUM[1]}


def _aggregates(truth: Truth, subset: str, name: str, values: Doubles, counts: Doubles) -> Iterable[dict[str, Any]]:
    valid = np.isfinite(values)
    n = int(counts[valid].sum())
    if not valid.any():
        yield _row(subset, "median", name, float("nan"), n=0, status="constant_series")
        return
    names = np.unique(truth.block[valid])
    # Every cell counts the same: the median of the benchmark. Whole blocks are drawn for the interval.
    weights = np.where(valid, 1.0, 0.0)
    replicates = resampled_weights(truth.block, weights, SEED)
    found = spread("median", values, weights, replicates, names.size)
    yield _row(subset, "median", name, found.value, low=found.ci_low, high=found.ci_high, n=n, status=found.status,
               method="block_bootstrap", scope="space")  # fmt: skip
    for share in (25, 75):
        yield _row(subset, f"quantile_{share}", name, float(np.percentile(values[valid], share)), n=n)
    yield _row(subset, "mean", name, float(values[valid].mean()), n=n)


def _interval_rows(truth: Truth, subset: str, chosen: Mask, series: Series) -> Iterable[dict[str, Any]]:
    """Coverage and mean width of 90 % intervals, as they come and calibrated; by land cover where calibrated."""
    predicted, observed, deviation = (part.T[chosen] for part in (series.mean, truth.values, series.deviation))
    block, cover = truth.block[chosen], truth.land_cover[chosen]
    for scaling in ("none", "block_conformal"):
        calibrated = scaling != "none"
        found = intervals(predicted, observed, deviation, block, cover, calibrated=calibrated)
        everywhere = _coverage_row(subset, found.coverage())
        status = "ok" if found.score.size else "no_data"
        width = _row(subset, "pooled", "interval_width", found.width(), n=found.score.size, status=status)
        yield from ({**row, "scaling": scaling} for row in (everywhere, width))
        for code in np.unique(found.codes) if calibrated else ():
            row = _coverage_row(subset, found.coverage(found.codes == code))
            yield {**row, "scaling": scaling, "stratum_kind": "land_cover", "stratum": str(code)}


def _coverage_row(subset: str, found: Share) -> dict[str, Any]:
    """Coverage of 90 % intervals with its own interval, which holds what days and blocks share."""
    status = "no_data" if not found.n else "few_stations" if found.clusters < FEWEST_CLUSTERS else "ok"
    row = _row(subset, "pooled", "coverage_90", found.value, low=found.ci_low, high=found.ci_high, n=found.n,
               status=status, method="tail_model", scope="time_space")  # fmt: skip
    return {**row, "n_eff": found.n_eff if found.n else float("nan")}


def _row(
    subset: str,
    aggregate: str,
    name: str,
    value: float,
    *,
    n: int,
    low: float = float("nan"),
    high: float = float("nan"),
    status: str = "ok",
    method: str = "",
    scope: str = "",
) -> dict[str, Any]:
    return {
        "fold": "", "stratum_kind": "all", "stratum": "all", "subset": subset, "signal": "raw", "scaling": "none",
        "aggregate": aggregate, "metric": name, "value": value, "ci_low": low, "ci_high": high, "ci_method": method,
        "ci_scope": scope, "n": n, "n_eff": float("nan"), "coverage": float("nan"), "status": status,
    }  # fmt: skip


def tidy(rows: Sequence[dict[str, Any]] | pd.DataFrame) -> pd.DataFrame:
    """Rows in the columns and order of `scores.parquet`."""
    table = pd.DataFrame(rows, columns=COLUMNS)
    kinds = {name: "float64" if name in NUMBERS else "object" for name in COLUMNS}
    return table.astype({**kinds, "n": "int64"}).sort_values(KEYS, kind="stable", ignore_index=True)


def cost_table(plan: Experiment, jobs: Iterable[Job]) -> pd.DataFrame:
    """Costs of all finished jobs."""
    columns = ["method", "split", "seed", "fold", "seconds_train", "parameters", "predictions_per_second"]
    rows = [read_json(cost_path(plan, job)) for job in jobs if result_path(plan, job).is_file()]
    return pd.DataFrame(rows, columns=columns).sort_values(columns[:4], ignore_index=True)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as parquet, whole or not at all."""
    with whole_file(path) as part:
        table.to_parquet(part, index=False)


def headline(table: pd.DataFrame) -> str:
    """The medians of RMSE, ubRMSD, R and anomaly R over all cells as text, one line a split, method and seed."""
    medians = table[
        (table["aggregate"] == "median") & (table["stratum_kind"] == "all") & (table["subset"] == SUBSETS[0])
    ]
    if medians.empty:
        return "no job is finished"
    named = medians["metric"].where(medians["signal"] == "raw", medians["signal"] + " " + medians["metric"])
    keys = ["split", "method", "seed"]
    wide = medians.assign(metric=named).pivot_table(index=keys, columns="metric", values="value")
    lines = [f"{'split':<14} {'method':<22} {'seed':<9}   RMSE ubRMSD      R  anom R"]
    for key, row in wide.iterrows():
        split, name, seed = key if isinstance(key, tuple) else (key, "", "")
        shown = ("rmse", "ubrmsd", "r", f"{ANOMALY} r")
        figures = " ".join(f"{row.get(metric, float('nan')):6.4f}" for metric in shown)
        lines.append(f"{split:<14} {name:<22} {seed:<9} {figures}")
    return "\n".join(lines)
