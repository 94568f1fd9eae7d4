"""The files of an experiment: scores, costs, the memory curve, and what was run where."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vadose.producer.cube import open_cube
from vadose.producer.training.curves import curve_table
from vadose.producer.training.density import density_table
from vadose.producer.training.experiment import Experiment, Job
from vadose.producer.training.filled import RIVAL, hides_observations, write_filled
from vadose.producer.training.memory import all_points, memory_rows
from vadose.producer.training.published import Tables, check_same, joined, read_tables
from vadose.producer.training.scores import Truth, assembled, cost_table, headline, read_truth, score_table


def publish(plan: Experiment, jobs: Sequence[Job], *, product: str, version: str, command: str, curve: str,
            to: Path | None = None, add: bool = False, refused: Mapping[Job, str] | None = None,
            ) -> tuple[str, list[str]]:  # fmt: skip
    """Write the tables into the folder of the experiment, and into `to`.

    The values that fill hidden observations stay in the folder of the experiment.

    Parameters
    ----------
    curve
        Method of the memory curve.
    to
        Folder of the published tables.
    add
        Whether to keep what is published there and not finished here.
    refused
        Jobs that the cube does not allow.

    Returns
    -------
    The headline table of what was finished here as text, and what is unfinished.

    Raises
    ------
    UsageError, InputError
        As `addable`, where something is to be added.
    """
    truth = read_truth(open_cube(plan.cube), plan.target)
    reasons = {(job.method, job.split): reason for job, reason in (refused or {}).items()}
    jobs = [job for job in jobs if (job.method, job.split) not in reasons]
    tables = make_tables(plan, jobs, truth, reasons, product=product, version=version, command=command, curve=curve)
    tables.write(plan.folder)
    if to is not None:
        (joined(tables, addable(plan, jobs, to, product, version)) if add else tables).write(to)
    write_filled_files(plan, jobs, truth)
    return headline(tables.scores), list(tables.facts["partial"])


def addable(plan: Experiment, jobs: Sequence[Job], folder: Path, product: str, version: str) -> Tables:
    """The published tables of a folder, to which results of the jobs can be added.

    Raises
    ------
    UsageError
        If the tables there are of another benchmark, product or settings of a method.
    InputError
        If they cannot be read.
    """
    cube = open_cube(plan.cube)
    found = read_tables(folder)
    check_same(found, benchmark=benchmark(cube.content_hash, plan, cube.index.size),
               settings=used_settings(plan, jobs), product=product, version=version)  # fmt: skip
    return found


def make_tables(plan: Experiment, jobs: Sequence[Job], truth: Truth, reasons: Mapping[tuple[str, str], str], *,
                product: str, version: str, command: str, curve: str) -> Tables:  # fmt: skip
    """The tables of the finished jobs, and what was run where."""
    scores, partial = score_table(truth, plan, jobs, product=product, version=version)
    points = all_points(plan, curve)
    facts = {
        "command": command, "commit": commit(), "date": last_change(plan.folder), "machine": machine(),
        "benchmark": benchmark(truth.cube.content_hash, plan, truth.values.shape[1]), "complete": not partial,
        "partial": partial,
        "not_applicable": [{"method": m, "split": s, "reason": reasons[m, s]} for m, s in sorted(reasons)],
        "settings": used_settings(plan, jobs), "near_constant_cells": near_constant(truth),
        "memory_curve_complete": all(point.done for point in points),
    }  # fmt: skip
    memory = curve_table(memory_rows(truth, points))
    density = density_table(truth, assembled(truth, plan, jobs))
    return Tables(scores, cost_table(plan, jobs).assign(machine=machine()), density, memory, facts)


def write_filled_files(plan: Experiment, jobs: Sequence[Job], truth: Truth) -> None:
    """Write `filled/<method>-<split>.nc` of the finished fillings into the folder of the experiment."""
    hiding = [job for job in jobs if hides_observations(job.split)]
    series = {(one.split, one.method): one.mean.astype("f4") for one in assembled(truth, plan, hiding) if one.complete}
    for (split, name), values in series.items():
        if name != RIVAL:
            path = plan.folder / "filled" / f"{name}-{split}.nc"
            write_filled(path, truth.cube, plan.target, split, values, series.get((split, RIVAL)))


def benchmark(content_hash: str, plan: Experiment, cells: int) -> dict[str, Any]:
    """What was learnt from what."""
    return {
        "cube": plan.cube.stem, "content_hash": content_hash, "cells": cells, "target": plan.target,
    }  # fmt: skip


def used_settings(plan: Experiment, jobs: Sequence[Job]) -> dict[str, Any]:
    """Method, predictors and all settings of every contender, defaults included."""
    found = {name: plan.contender(name) for name in sorted({job.method for job in jobs})}
    return {
        name: {
            "method": one.method, "predictors": one.predictors.model_dump(mode="json"),
            "settings": one.checked.model_dump(mode="json"),
        }
        for name, one in found.items()
    }  # fmt: skip


def near_constant(truth: Any) -> list[dict[str, float]]:
    """Place of the cells that the subset without near-constant cells leaves out."""
    cube = truth.cube
    return [{"lat": float(cube.lat[k]), "lon": float(cube.lon[k])} for k in truth.near_constant.nonzero()[0]]


def machine() -> str:
    """Processor and libraries, without any name of the machine."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, torch {importlib.metadata.version('torch')}"


def commit() -> str:
    """The commit of the checkout that the package lies in, or nothing."""
    try:
        words = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def last_change(folder: Path) -> str:
    """UTC day of the newest prediction, so that writing the tables again changes nothing."""
    times = [path.stat().st_mtime for path in (folder / "predictions").glob("*.safetensors")]
    return str(datetime.datetime.fromtimestamp(max(times), datetime.UTC).date()) if times else ""
