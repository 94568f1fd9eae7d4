"""Experiments: every method under the same splits, one job a fit, each resumable."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from vadose.common import InputError, Progress, UsageError, read_json, silent, write_json
from vadose.common.processes import process_pool
from vadose.producer.cube import Cube, open_cube
from vadose.producer.methods import METHODS, Block, Inputs, Method, Model, Settings, method, method_settings
from vadose.producer.methods.blend import BlendSettings, blended
from vadose.producer.recipe import Predictors, Recipe, unknown_word
from vadose.producer.tensors import write_arrays
from vadose.producer.training.dataset import cell_slices
from vadose.producer.training.splits import NOWCASTS, UNSEEN_CELLS, Fold, make_folds

Floats = npt.NDArray[np.float32]

SEVERAL_SEEDS = ("P1", "P1-purged")


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
class Contender:
    """What is compared under one name: a method with its settings and predictors."""

    method: str
    settings: Mapping[str, Any]
    predictors: Predictors

    @property
    def chosen(self) -> Method:
        """The method."""
        return method(self.method)

    @property
    def checked(self) -> Settings:
        """All settings, defaults included."""
        return method_settings(self.chosen, self.settings)

    @property
    def parts(self) -> list[Contender]:
        """What a blend is the mean of; nothing for any other method."""
        settings = self.checked
        if not isinstance(settings, BlendSettings):
            return []
        return [replace(self, method=part.method, settings=part.settings) for part in settings.parts]

    def runs(self, split: str) -> bool:
        """Whether a split makes sense: nowcasts stand apart, and a cell's own past says nothing of unseen cells."""
        if parts := self.parts:
            return all(part.runs(split) for part in parts)
        if self.chosen.splits is not None:
            return split in self.chosen.splits
        return split not in NOWCASTS and not (self.chosen.needs_own_history and split in UNSEEN_CELLS)


@dataclass(frozen=True)
class Experiment:
    """What all jobs share; small enough to travel to another process."""

    cube: Path
    target: str
    contenders: Mapping[str, Contender]
    folder: Path
    content_hash: str
    threads: int = 1

    def contender(self, name: str) -> Contender:
        """What is compared under a name; an unknown name is a `UsageError` that names the nearest."""
        if name not in self.contenders:
            raise UsageError(unknown_word(name, self.contenders, "method or variant"))
        return self.contenders[name]

    def named(self, wanted: Contender) -> str | None:
        """The name under which an equal contender takes part, if one does."""
        equal = (
            name for name, one in self.contenders.items()
            if (one.method, one.predictors) == (wanted.method, wanted.predictors) and one.checked == wanted.checked
        )  # fmt: skip
        return next(equal, None)

    def key(self, name: str) -> str:
        """Short hash of all that decides the results of a method; results of other inputs are not taken for these."""
        contender = self.contender(name)
        known = {
            "settings": contender.checked.model_dump(mode="json"),
            "predictors": contender.predictors.model_dump(mode="json"),
            "target": self.target, "cube": self.content_hash,
        }  # fmt: skip
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:8]


def experiment(recipes: Sequence[Recipe], cube: Path, folder: Path) -> Experiment:
    """The experiment of some recipes of one cube and target.

    Each recipe gives its method and its variants, under the method's name or the variant's, with its predictors; where
    two recipes have one method, the later one goes by the name of its recipe. All other methods take part untuned, with
    the predictors of the first recipe.

    Raises
    ------
    UsageError
        Where the recipes have not one cube and one target.
    """
    first = recipes[0]
    for recipe in recipes[1:]:
        if (recipe.cube, recipe.target) != (first.cube, first.target):
            raise UsageError(f"{recipe.recipe} has cube {recipe.cube!r} and target {recipe.target!r}",
                             why=f"{first.recipe} has {first.cube!r} and {first.target!r}; one is needed",
                             next="compare recipes of one benchmark")  # fmt: skip
    found: dict[str, Contender] = {}
    for recipe in recipes:
        own, predictors = recipe.method, recipe.predictors
        found[own.name if own.name not in found else recipe.recipe] = Contender(own.name, own.settings, predictors)
        for name, variant in own.variants.items():
            found[name] = Contender(variant.method, variant.settings, predictors)
    rest = {known.name: Contender(known.name, {}, first.predictors) for known in METHODS if known.name not in found}
    return Experiment(cube, first.target, {**found, **rest}, folder, open_cube(cube).content_hash)


def everyday(plan: Experiment, recipes: Sequence[Recipe]) -> list[str]:
    """The contenders that a comparison runs unless told otherwise: those of the recipes, and all cheap methods."""
    own = {name for recipe in recipes for name in (recipe.method.name, recipe.recipe, *recipe.method.variants)}
    return [name for name, one in plan.contenders.items() if name in own or not one.chosen.costly]


def planned_jobs(
    plan: Experiment, names: Sequence[str], splits: Sequence[str], seeds: int, folds: Mapping[str, int]
) -> list[Job]:
    """All jobs, the cheap ones of each split first.

    Several seeds on P1 for methods that have any randomness; elsewhere one seed a fold, another in every fold.
    """
    order = sorted(names, key=lambda name: (plan.contender(name).chosen.costly, plan.contender(name).chosen.seeded))
    jobs = []
    for split in splits:
        for name in order:
            contender = plan.contender(name)
            if not contender.runs(split):
                continue
            several = split in SEVERAL_SEEDS and contender.chosen.seeded
            pairs = [(k, 0) for k in range(seeds)] if several else [(k, k) for k in range(folds[split])]
            jobs += [Job(split, name, seed, fold) for seed, fold in pairs]
    return jobs


@dataclass(frozen=True)
class Left:
    """Jobs without a result: those still to be run, and those that the cube does not allow, with the reason."""

    unfinished: tuple[Job, ...]
    refused: Mapping[Job, str]


def run_jobs(
    plan: Experiment, jobs: Iterable[Job], *, processes: int, until: float, progress: Progress = silent
) -> Left:
    """Run the jobs that have no result yet, and return what has none in the end.

    Parameters
    ----------
    processes
        How many jobs run at a time, each with one thread.
    until
        Time of `time.monotonic()` after which no job is begun.
    """
    refused: dict[Job, str] = {}
    waiting = [job for job in jobs if not result_path(plan, job).is_file()]
    with progress.step("compare", len(waiting)) as bar, process_pool(processes) as pool:
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
                try:
                    note = f"{future.result():.1f} s"
                except (InputError, UsageError) as error:
                    note = refused[job] = str(error)
                bar.advance(1, job.slug)
                progress.say(f"{job.slug}: {note}")
    without = [job for job in waiting if not result_path(plan, job).is_file()]
    return Left(tuple(job for job in without if job not in refused), refused)


def run_job(plan: Experiment, job: Job) -> float:
    """Fit, predict the test fold, write the result; returns the seconds of the fit.

    A blend of contenders that take part themselves is the mean of their results.
    """
    limit_threads(plan.threads)
    cube, contender = open_cube(plan.cube), plan.contender(job.method)
    names = [plan.named(part) for part in contender.parts]
    if names and None not in names:
        return blend_results(plan, job, [replace(job, method=name) for name in names if name])
    fold = make_folds(job.split, cube, plan.target)[job.fold]
    inputs = Inputs({"main": cube}, plan.target, contender.predictors).hiding(fold.unseen())
    checkpoint = plan.folder / "checkpoints" / f"{job.slug}.safetensors"
    clock = plan.folder / "checkpoints" / f"{job.slug}.json"
    before = float(read_json(clock)) if clock.is_file() and checkpoint.is_file() else 0.0
    started = time.perf_counter()
    try:
        model = contender.chosen.fit(inputs, fold, contender.checked, seed=job.seed, checkpoint=checkpoint)
    finally:
        seconds = before + time.perf_counter() - started
        write_json(clock, seconds)
    # A nowcast reads the target up to its latency, in the test period too; nothing else sees a test value.
    write_result(plan, job, model, cube if job.split in NOWCASTS else inputs.cube, fold, seconds)
    checkpoint.unlink(missing_ok=True)
    clock.unlink(missing_ok=True)
    return seconds


def blend_results(plan: Experiment, job: Job, parts: Sequence[Job]) -> float:
    """Write the mean of the results of other jobs, which are run where they are not finished, and what they cost."""
    for part in parts:
        if not result_path(plan, part).is_file():
            run_job(plan, part)
    results, costs = [read_result(plan, part) for part in parts], [read_json(cost_path(plan, part)) for part in parts]
    mean, deviation = blended(*([one[name] for one in results] for name in ("mean", "deviation")))
    seconds = sum(float(cost["seconds_train"]) for cost in costs)
    write_json(cost_path(plan, job), {
        "method": job.method, "split": job.split, "seed": job.seed, "fold": job.fold, "seconds_train": seconds,
        "parameters": sum(int(cost["parameters"]) for cost in costs),
        "predictions_per_second": 1.0 / sum(1.0 / float(cost["predictions_per_second"]) for cost in costs),
    })  # fmt: skip
    write_arrays(result_path(plan, job), {"mean": mean, "deviation": deviation})
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
    write_arrays(result_path(plan, job), {"mean": mean, "deviation": deviation})


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
