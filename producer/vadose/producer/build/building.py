"""Writing the granules of a version, slab by slab; what is there already with the same origin is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vadose.common import GateError, Progress, read_json, write_text
from vadose.common.software import Software
from vadose.producer.build.prediction import COUNTED, SCRATCH, Predictor, Scratch, Slices, predict_slab
from vadose.producer.build.slabs import ONE_DAY, Days, Slab, slabs, wanted_periods
from vadose.producer.cube import Cube
from vadose.producer.finishing import check_rules
from vadose.producer.granules import GranuleWriter, Identity, granule_name, read_attributes
from vadose.producer.granules.periods import period_end
from vadose.producer.granules.static import write_static
from vadose.producer.lock import only_one
from vadose.producer.provenance import FOLDER, identity, provenance_texts, recorded_identity
from vadose.producer.recipe import Recipe

# Granules that wait for the disk while the next ones are compressed; file systems confirm many files at once.
QUEUE = 16


@dataclass(frozen=True)
class Built:
    """What a build did.

    Attributes
    ----------
    directory
        The version folder.
    written, kept
        Granules that this call wrote, and those that were already there with the same origin.
    """

    directory: Path
    written: int
    kept: int


def build(recipe: Recipe, cube: Cube, model: Predictor, model_directory: Path, directory: Path, memory_bytes: int,
          progress: Progress, days: Sequence[np.datetime64] | Days | None = None, *,
          made_by: Software | None = None) -> Built:  # fmt: skip
    """Write the granules of a version; what is there already with the same origin is kept.

    Parameters
    ----------
    recipe, cube, model
        The product, its inputs and a fitted model of the recipe's method.
    model_directory
        Where the model was saved; its `model.json` goes into the provenance.
    directory
        `releases/<product>/v<M.m.p>/`.
    memory_bytes
        How much prediction and assembly may hold at once; it does not change the result.
    days
        UTC days to write, datetime64[D], of a monthly product the months that hold them; the whole record by default.
    made_by
        Software to name in granules and provenance, if not the running one.

    Raises
    ------
    GateError
        If the version is published and the build would change it, or another process works on it.
    InputError
        If the cube lacks what the recipe needs, or the folder cannot be written.
    """
    check_rules(recipe, cube)
    wanted = wanted_periods(recipe, days)
    texts = provenance_texts(recipe, cube, model_directory, made_by)
    origin = identity(recipe, texts)
    if is_published(directory):
        # The same recipe, model and inputs by other software are still the published version.
        recorded = recorded_identity(recipe, directory)
        origin = replace(origin, software=recorded.software, commit=recorded.commit)
    waiting = [first for first in wanted if not is_current(directory, recipe, origin, first)]
    if is_published(directory):
        if waiting:
            raise GateError(
                f"version {recipe.product.version} is published; {len(waiting)} granules would change or be added",
                where=str(directory),
                next="raise product.version and product.issued in the recipe",
            )
        return Built(directory, 0, wanted.size)
    with only_one(directory, "built"):
        for name, text in texts.items():
            write_if_new(directory / FOLDER / name, text)
        _write_periods(recipe, cube, model, origin, directory, memory_bytes, progress, wanted, waiting)
    return Built(directory, len(waiting), wanted.size - len(waiting))


def _write_periods(recipe: Recipe, cube: Cube, model: Predictor, origin: Identity, directory: Path, memory_bytes: int,
                progress: Progress, wanted: Days, waiting: Sequence[np.datetime64]) -> None:  # fmt: skip
    """The static file and the granules of `waiting`, slab by slab."""
    write_static(recipe, cube, origin, directory)
    scratch = Scratch(directory / SCRATCH, recipe, cube, origin)
    writer = GranuleWriter(recipe, origin)
    with progress.step("granules", wanted.size) as step:
        step.advance(wanted.size - len(waiting))
        for slab in slabs(recipe):
            todo = np.array([first for first in waiting if slab.days[0] <= first <= slab.days[-1]], "datetime64[D]")
            if todo.size:
                last = period_end(todo[-1], recipe.product.step) - ONE_DAY
                predict_slab(recipe, cube, model, slab, last, scratch, memory_bytes, progress)
                for _ in write_slab(cube, writer, directory, slab, todo, scratch, memory_bytes):
                    step.advance()
                scratch.drop(slab)
    scratch.remove()
    for part in directory.rglob(".*.part"):
        part.unlink()


def is_published(directory: Path) -> bool:
    """Whether the product's `versions.json` lists this version."""
    listing = directory.parent / "versions.json"
    if not listing.is_file():
        return False
    return any(f"v{entry['version']}" == directory.name for entry in read_json(listing)["versions"])


def is_current(directory: Path, recipe: Recipe, origin: Identity, first: np.datetime64) -> bool:
    """Whether the granule that begins on `first` is there, made from the same recipe, model, inputs and software."""
    path = directory / granule_name(recipe.product, first).path
    if not path.is_file():
        return False
    found = read_attributes(path, ("history", "input_manifest_sha256"))
    return found == {"history": origin.history(recipe.product.issued), "input_manifest_sha256": origin.inputs_sha256}


def forget(directory: Path, recipe: Recipe, periods: Days) -> None:
    """Remove granules so that the next build writes them again; a published version is refused."""
    if is_published(directory):
        raise GateError(f"version {recipe.product.version} is published", where=str(directory))
    for first in periods:
        (directory / granule_name(recipe.product, first).path).unlink(missing_ok=True)


def write_if_new(path: Path, text: str) -> None:
    """Write a text unless the file holds it already."""
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


def write_slab(cube: Cube, writer: GranuleWriter, directory: Path, slab: Slab, todo: Days, scratch: Scratch,
               memory_bytes: int) -> Iterator[Path]:  # fmt: skip
    """Write the granules of the periods `todo`; threads hide the time that the disk takes to confirm a file."""
    # netCDF-C must not be called by two threads at once; h5py takes turns by itself.
    threads = QUEUE if writer.recipe.build.writer != "netcdf4" else 1
    slices = Slices(cube, slab, scratch, writer.recipe.product.step)
    period_bytes = cube.index.size * COUNTED.itemsize
    queue = max(1, min(QUEUE, memory_bytes // (8 * period_bytes)))
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[Path]] = []
        for first in todo:
            waiting.append(pool.submit(writer.write, directory, first, slices.cells(first)))
            if len(waiting) >= queue:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
