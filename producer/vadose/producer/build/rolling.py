"""Stream NRT: a rolling folder outside all versions, in which each day is produced once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vadose.common import GateError, InputError, Progress, read_json, write_text
from vadose.common.software import Software
from vadose.producer.build.building import Built, granules_there, write_slab
from vadose.producer.build.prediction import SCRATCH, Job, Predictor, Scratch, Slices, predict_slab
from vadose.producer.build.slabs import ONE_DAY, Days, slabs, wanted_periods
from vadose.producer.cube import Cube
from vadose.producer.finishing import check_rules
from vadose.producer.granules import GranuleWriter, Identity, parse_name, read_granule
from vadose.producer.granules.periods import period_end
from vadose.producer.granules.static import static_name, write_static
from vadose.producer.lock import only_one
from vadose.producer.provenance import FOLDER, identity, provenance_texts
from vadose.producer.recipe import Recipe
from vadose.producer.release.finals import final_periods
from vadose.producer.release.folder import MANIFEST

ORIGIN_DIGITS = 16


@dataclass(frozen=True)
class Rolled(Built):
    """What a build of stream NRT did.

    Attributes
    ----------
    superseded
        Wanted periods that a published version has, for which no NRT granule is made.
    """

    superseded: int = 0


def build_rolling(recipe: Recipe, cube: Cube, model: Predictor, model_directory: Path, directory: Path,
                  memory_bytes: int, progress: Progress, days: Sequence[np.datetime64] | Days | None = None, *,
                  made_by: Software | None = None) -> Rolled:  # fmt: skip
    """Write the NRT granules that are not there yet; one that is there stays as it is, whatever has changed since.

    Parameters
    ----------
    recipe, cube, model, model_directory, memory_bytes, progress, made_by
        As for `build`; the recipe's stream is NRT.
    directory
        `releases/<product>/nrt/`.
    days
        UTC days to write, datetime64[D]; all of the recipe's by default.

    Raises
    ------
    GateError
        If another process works on the folder.
    InputError
        If the domain is not that of the granules of the same version number, or the cube lacks what the recipe needs.
    """
    check_rules(recipe, cube)
    wanted = wanted_periods(recipe, days)
    texts = provenance_texts(recipe, cube, model_directory, made_by)
    origin = identity(recipe, texts)
    job = Job(recipe, cube, model, origin, directory, memory_bytes, progress)
    with only_one(directory, "built"):
        there = {*granules_there(directory), *listed(directory)}
        final = final_periods(directory.parent)
        todo = [first for first in wanted if first not in there and first not in final]
        if todo:
            place_origin(directory, recipe, origin, texts)
            _write_domain(job)
            _write(job, todo)
    kept = sum(first in there for first in wanted)
    return Rolled(directory, len(todo), kept, superseded=wanted.size - len(todo) - kept)


def listed(directory: Path) -> set[np.datetime64]:
    """First days of all periods that the rolling manifest knows, withdrawn ones too."""
    path = directory / MANIFEST
    files = read_json(path)["files"] if path.is_file() else []
    names = (Path(entry["path"]).name for entry in files if entry["role"] == "granule")
    return {np.datetime64(parse_name(name).day, "D") for name in names}


def origin_name(history: str, inputs_sha256: str) -> str:
    """Folder below `provenance/` of what granules with these two attributes were made from."""
    return hashlib.sha256(f"{history}\n{inputs_sha256}".encode()).hexdigest()[:ORIGIN_DIGITS]


def place_origin(directory: Path, recipe: Recipe, origin: Identity, texts: dict[str, str]) -> None:
    """Keep what the granules of this call are made from, beside that of earlier calls."""
    place = directory / FOLDER / origin_name(origin.history(recipe.product.issued), origin.inputs_sha256)
    for name, text in texts.items():
        if not (place / name).is_file():
            write_text(place / name, text)


def _write_domain(job: Job) -> None:
    """The static file of the version number, once; another domain under the same number is refused."""
    path = job.directory / static_name(job.recipe).path
    if not path.is_file():
        write_static(job.recipe, job.cube, job.origin, job.directory)
        return
    index = np.flatnonzero(read_granule(path).values["domain_mask"])
    if not np.array_equal(index, job.cube.index):
        raise InputError(
            f"the cube has other cells ({job.cube.index.size}) than version {job.recipe.product.version} has",
            where=str(path),
            next="ingest the domain of the version that the NRT stream follows",
        )


def _write(job: Job, todo: Sequence[np.datetime64]) -> None:
    scratch = Scratch(job.directory / SCRATCH, job.recipe, job.cube, job.origin)
    writer = GranuleWriter(job.recipe, job.origin)
    step = job.recipe.product.step
    with job.progress.step("granules", len(todo)) as bar:
        for slab in slabs(job.recipe):
            inside = np.array([first for first in todo if slab.days[0] <= first <= slab.days[-1]], "datetime64[D]")
            if inside.size:
                predict_slab(job, slab, period_end(inside[-1], step) - ONE_DAY, scratch)
                for _ in write_slab(job, writer, Slices(job.cube, slab, scratch, step), inside):
                    bar.advance()
                scratch.drop(slab)
    scratch.remove()
    for part in job.directory.rglob(".*.part"):
        part.unlink()


def forget_rolling(directory: Path, periods: Days) -> None:
    """Remove granules that no manifest lists yet; a day that was issued is never issued again."""
    issued = listed(directory) & set(periods)
    if issued:
        raise GateError(
            f"{min(issued)} was issued; a day of stream NRT is produced once", where=str(directory),
            next="withdraw the granule with a reason, or wait for its ICDR granule",
        )  # fmt: skip
    for first, paths in granules_there(directory).items():
        if first in set(periods):
            for path in paths:
                (directory / path).unlink()
