"""Experiments: every method under the same splits, one job a fit, each resumable."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from vadose.common import InputError, Progress, read_json, silent, whole_file, write_json
from vadose.producer.cube import Cube, open_cube
from vadose.producer.methods import Block, Inputs, Model, method, method_settings
from vadose.producer.recipe import Predictors, Recipe
from vadose.producer.training.dataset import cell_slices
from vadose.producer.training.splits import Fold, make_folds

Floats = npt.NDArray[np.float32]

DEEP = ("atlstm", "lstm")
SEVERAL_SEEDS = ("P1", "P1-purged")
# A method whose features are past values of the target is a nowcast and has its own column.
NOWCASTS = {"persistence": "P1-nowcast-1"}
UNSEEN_CELLS = ("P2", "P3", "P4", "P5")
RATE_DAYS = 64


@dataclass(frozen=True, order=True)
class Job:
    """One fit and its predictions for the test fold."""

    split: str
    method: str
    seed: int
    fold: int

    @property
    def slug(self) -> str:
        """Name of its files."""
        return f"{self.split}-{self.method}-s{self.seed}-f{self.fold}"


@dataclass(frozen=True)
class Experiment:
    """What all jobs share; small enough to travel to another process."""

    cube: Path
    target: str
    predictors: Predictors
    settings: Mapping[str, Mapping[str, Any]]
    folder: Path
    content_hash: str
    threads: int = 1

    def key(self, name: str) -> str:
        """Short hash of all that decides the results of a method; results of other inputs are not taken for these."""
        chosen = method(name)
        known = {
            "settings": method_settings(chosen, self.settings.get(name, {})).model_dump(mode="json"),
            "predictors": self.predictors.model_dump(mode="json"), "target": self.target, "cube": self.content_hash,
        }  # fmt: skip
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:8]


def experiment(recipe: Recipe, cube: Path, folder: Path) -> Experiment:
    """The experiment of a recipe: its method with its settings, networks of the same training, the rest untuned.

    The plain LSTM gets the settings of the recipe's AtLSTM without its attention, so that structure is compared.
    """
    own = dict(recipe.method.settings)
    plain = {key: value for key, value in own.items() if key != "attention_days"}
    settings = {recipe.method.name: own, **({"lstm": plain} if recipe.method.name == "atlstm" else {})}
    return Experiment(cube, recipe.target, recipe.predictors, settings, folder, open_cube(cube).content_hash)


def planned_jobs(methods: Sequence[str], splits: Sequence[str], seeds: int, folds: Mapping[str, int]) -> list[Job]:
    """All jobs, the cheap ones of each split first.

    Several seeds on P1 for methods that have any randomness; elsewhere one seed a fold, another in every fold.
    Methods that need a cell's own past are left out where test cells are unseen.
    """
    jobs = []
    for split in splits:
        for name in sorted(methods, key=lambda name: (name in DEEP, name == "xgboost", list(methods).index(name))):
            if method(name).needs_own_history and split in UNSEEN_CELLS:
                continue
            if (name in NOWCASTS) != (split in NOWCASTS.values()):
                continue
            several = split in SEVERAL_SEEDS and name in (*DEEP, "xgboost")
            pairs = [(k, 0) for k in range(seeds)] if several else [(k, k) for k in range(folds[split])]
            jobs += [Job(split, name, seed, fold) for seed, fold in pairs]
    return jobs


def run_jobs(
    plan: Experiment, jobs: Iterable[Job], *, processes: int, until: float, progress: Progress = silent
) -> list[Job]:
    """Run the jobs that have no result yet, and return those that have none in the end.

    Parameters
    ----------
    processes
        How many jobs run at a time, each with one thread.
    until
        Time of `time.monotonic()` after which no job is begun.
    """
    waiting = [job for job in jobs if not result_path(plan, job).is_file()]
    with progress.step("compare", len(waiting)) as bar, workers(processes) as pool:
        running: dict[Future[float], Job] = {}
        queue = list(waiting)
        while queue or running:
            while queue and len(running) < processes and time.monotonic() < until:
                job = queue.pop(0)
                running[pool.submit(run_job, plan, job)] = job
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                job = running.pop(future)
                bar.advance(1, f"{job.slug} {future.result():.0f} s")
                progress.say(f"{job.slug}: {future.result():.1f} s")
    return [job for job in waiting if not result_path(plan, job).is_file()]


@contextmanager
def workers(processes: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes; they end at once if the block is interrupted."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        try:
            yield pool
        except BaseException:
            for child in active_children():
                child.terminate()
            raise


def run_job(plan: Experiment, job: Job) -> float:
    """Fit, predict the test fold, write the result; returns the seconds of the fit."""
    limit_threads(plan.threads)
    cube = open_cube(plan.cube)
    inputs = Inputs({"main": cube}, plan.target, plan.predictors)
    fold = make_folds(job.split, cube, plan.target)[job.fold]
    chosen = method(job.method)
    settings = method_settings(chosen, plan.settings.get(job.method, {}))
    checkpoint = plan.folder / "checkpoints" / f"{job.slug}.safetensors"
    clock = plan.folder / "checkpoints" / f"{job.slug}.json"
    before = float(read_json(clock)) if clock.is_file() and checkpoint.is_file() else 0.0
    started = time.perf_counter()
    try:
        model = chosen.fit(inputs, fold, settings, seed=job.seed, checkpoint=checkpoint)
    finally:
        seconds = before + time.perf_counter() - started
        write_json(clock, seconds)
    write_result(plan, job, model, cube, fold, seconds)
    checkpoint.unlink(missing_ok=True)
    clock.unlink(missing_ok=True)
    return seconds


def limit_threads(count: int) -> None:
    """Use so many threads for matrix products."""
    import torch

    torch.set_num_threads(count)


def write_result(plan: Experiment, job: Job, model: Model, cube: Cube, fold: Fold, seconds: float) -> None:
    """Predictions for the test values and what they cost."""
    mask = fold.mask("test")
    started = time.perf_counter()
    mean, deviation, count = predict_where(model, cube, mask)
    rate = count / (time.perf_counter() - started)
    costs = {
        "method": job.method, "split": job.split, "seed": job.seed, "fold": job.fold, "seconds_train": seconds,
        "parameters": int(getattr(model, "facts", {}).get("parameters", 0)), "predictions_per_second": rate,
    }  # fmt: skip
    write_json(cost_path(plan, job), costs)
    with whole_file(result_path(plan, job)) as part:
        safetensors.numpy.save_file({"mean": mean, "deviation": deviation}, part)


def predict_where(model: Model, cube: Cube, mask: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, int]:
    """Mean and deviation of the marked values, (value,), in the order of the mask; and how many were computed."""
    days = np.flatnonzero(mask.any(axis=1))
    span = slice(int(days[0]), int(days[-1]) + 1)
    mean, deviation = (np.full((span.stop - span.start, mask.shape[1]), np.nan, np.float32) for _ in range(2))
    count = 0
    for cells in cell_slices(cube, 256):
        if mask[:, cells].any():
            prediction = model.predict(Block(cube, span, cells))
            mean[:, cells], deviation[:, cells] = prediction.mean, prediction.uncertainty
            count += prediction.mean.size
    return mean[mask[span]], deviation[mask[span]], count


def result_path(plan: Experiment, job: Job) -> Path:
    """Where the predictions of a job lie."""
    return plan.folder / "predictions" / f"{job.slug}-{plan.key(job.method)}.safetensors"


def cost_path(plan: Experiment, job: Job) -> Path:
    """Where the costs of a job lie."""
    return plan.folder / "costs" / f"{job.slug}-{plan.key(job.method)}.json"


def read_result(plan: Experiment, job: Job) -> dict[str, Floats]:
    """The arrays `mean` and `deviation` of a finished job, (value,)."""
    path = result_path(plan, job)
    try:
        return dict(safetensors.numpy.load_file(path))
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            f"predictions cannot be read: {error}", where=str(path), next="remove the file and run again"
        ) from error
