"""Model and cube to granules: block by block, in fixed slabs of days, resumable at any point."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from vadose.common import GateError, InputError, Progress, UsageError, read_json, whole_file, write_text
from vadose.common.software import Software
from vadose.producer.cube import Cube
from vadose.producer.finishing import Finished, check_rules, finish
from vadose.producer.granules import Cells, GranuleWriter, Identity, granule_name, read_attributes
from vadose.producer.granules.flags import NO_VALID_INPUT
from vadose.producer.granules.periods import period_end, period_number, period_of, product_periods
from vadose.producer.granules.static import write_static
from vadose.producer.lock import only_one
from vadose.producer.methods.base import Block, Prediction
from vadose.producer.months import Months, finish_months
from vadose.producer.provenance import FOLDER, identity, provenance_texts, recorded_identity
from vadose.producer.recipe import Recipe

Days = npt.NDArray[np.datetime64]

# The partition of a build is fixed, since the last bits of a matrix product depend on its shape.
BLOCK_CELLS = 4096
SCRATCH = ".scratch"
PREDICTED = np.dtype([("sm", "<f4"), ("sm_uncertainty", "<f4"), ("flag", "<i2")])
COUNTED = np.dtype([*PREDICTED.descr, ("number_of_observations", "<i2")])
ONE_DAY = np.timedelta64(1, "D")
LONGEST_MONTH = 31
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


class Predictor(Protocol):
    """What a build needs of a model: one member or a calibrated ensemble."""

    @property
    def past_days(self) -> int:
        """Days before a block that its prediction reads."""
        ...

    def predict(self, block: Block) -> Prediction:
        """Predict a block; a cell's day depends on nothing but the cube and the first day of the block."""
        ...


@dataclass(frozen=True)
class Slab:
    """Periods that are predicted together, by their first days, and all the days that they hold."""

    number: int
    periods: Days
    days: Days


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


def wanted_periods(recipe: Recipe, days: Sequence[np.datetime64] | Days | None) -> Days:
    """First days of the days or months to write, ascending; days outside the product's record are refused."""
    record = product_periods(recipe.product)
    if days is None:
        return record
    chosen = np.unique(np.asarray(days, "datetime64[D]"))
    end = period_end(record[-1], recipe.product.step)
    outside = chosen[(chosen < record[0]) | (chosen >= end)]
    if outside.size:
        raise UsageError(f"{outside[0]} is not a day of the product, which runs {record[0]}..{end - ONE_DAY}")
    return np.unique(period_of(chosen, recipe.product.step))


def slabs(recipe: Recipe) -> list[Slab]:
    """The fixed partition of the record; it depends on the recipe alone."""
    step = recipe.product.step
    record = product_periods(recipe.product)
    length = recipe.build.slab_days if step == "daily" else max(1, recipe.build.slab_days // LONGEST_MONTH)
    parts = [record[first : first + length] for first in range(0, record.size, length)]
    return [Slab(k, part, np.arange(part[0], period_end(part[-1], step))) for k, part in enumerate(parts)]


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


class Scratch:
    """Predictions under way, beside the granules; each file appears whole, and those of another origin are dropped."""

    def __init__(self, folder: Path, recipe: Recipe, cube: Cube, origin: Identity) -> None:
        text = "\n".join(
            (origin.history(recipe.product.issued), origin.inputs_sha256, cube.content_hash, recipe.sha256)
        )
        self.root = folder
        self.folder = folder / hashlib.sha256(text.encode()).hexdigest()[:16]
        for other in folder.glob("*"):
            if other != self.folder:
                shutil.rmtree(other, ignore_errors=True)

    def path(self, slab: Slab, block: int) -> Path:
        """The file of one slab and block of cells."""
        return self.folder / f"{slab.number:05d}-{block:06d}.npy"

    def load(self, slab: Slab, block: int) -> npt.NDArray[Any] | None:
        """The finished predictions of a block, (day or month, cell) of `PREDICTED` or `COUNTED`, as a memory map."""
        path = self.path(slab, block)
        if not path.is_file():
            return None
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))

    def save(self, slab: Slab, block: int, values: npt.NDArray[Any]) -> None:
        """Keep the predictions of a block."""
        with whole_file(self.path(slab, block)) as part, part.open("wb") as file:
            np.save(file, values, allow_pickle=False)

    def drop(self, slab: Slab) -> None:
        """Forget a slab whose granules are all written."""
        for path in self.folder.glob(f"{slab.number:05d}-*"):
            path.unlink()

    def remove(self) -> None:
        """Forget everything."""
        shutil.rmtree(self.root, ignore_errors=True)


def cell_blocks(cube: Cube) -> list[slice]:
    """The fixed partition of the cells."""
    return [slice(first, min(first + BLOCK_CELLS, cube.index.size)) for first in range(0, cube.index.size, BLOCK_CELLS)]


def predict_slab(recipe: Recipe, cube: Cube, model: Predictor, slab: Slab, last: np.datetime64, scratch: Scratch,
                 memory_bytes: int, progress: Progress) -> None:  # fmt: skip
    """Predict the days of a slab from its first to `last`, for every block of cells that is not in the scratch yet.

    Days of the record that the cube does not hold get no prediction.
    """
    span = cube_span(cube, slab, last)
    if span is None:
        return
    length = span.stop - span.start
    monthly = recipe.product.step == "monthly"
    rows = np.unique(period_of(cube.days[span], recipe.product.step)).size
    check_memory(recipe, cube, model, length, memory_bytes)
    blocks = cell_blocks(cube)
    with progress.step(f"predict {slab.days[0]}..{last}", len(blocks)) as step:
        for number, cells in enumerate(blocks):
            known = scratch.load(slab, number)
            if known is None or known.shape[0] < rows:
                prediction = model.predict(Block(cube, span, cells))
                finishing = finish_months if monthly else finish
                scratch.save(slab, number, packed(finishing(recipe, cube, prediction, span, cells)))
            step.advance()


def cube_span(cube: Cube, slab: Slab, last: np.datetime64) -> slice | None:
    """Positions in the cube of the slab's days up to `last`, or `None` where the cube holds none of them."""
    first, last = max(slab.days[0], cube.days[0]), min(last, cube.days[-1])
    if first > last:
        return None
    return slice(cube.day_index(first), cube.day_index(last) + 1)


def check_memory(recipe: Recipe, cube: Cube, model: Predictor, length: int, memory_bytes: int) -> None:
    """Refuse a limit that one block of cells does not fit into."""
    cells = min(BLOCK_CELLS, cube.index.size)
    read = (len(recipe.predictors.daily) + len(recipe.build.flags)) * 4 * (length + model.past_days) * cells
    needed = read + 4 * PREDICTED.itemsize * length * cells
    if needed > memory_bytes:
        raise UsageError(
            f"a block of {cells} cells and {length} days takes {needed / 1e6:.0f} MB, "
            f"--memory allows {memory_bytes / 1e6:.0f} MB",
            next="give more memory, or set build.slab_days lower in the recipe",
        )


def packed(finished: Finished | Months) -> npt.NDArray[Any]:
    """The fields in one array, (day or month, cell)."""
    values = np.empty(finished.sm.shape, COUNTED if isinstance(finished, Months) else PREDICTED)
    for name in values.dtype.names or ():
        values[name] = getattr(finished, name)
    return values


def write_slab(cube: Cube, writer: GranuleWriter, directory: Path, slab: Slab, todo: Days, scratch: Scratch,
               memory_bytes: int) -> Iterator[Path]:  # fmt: skip
    """Write the granules of the periods `todo`; threads hide the time that the disk takes to confirm a file."""
    # netCDF-C must not be called by two threads at once; h5py takes turns by itself.
    threads = QUEUE if writer.recipe.build.writer == "libdeflate" else 1
    blocks = [scratch.load(slab, number) for number in range(len(cell_blocks(cube)))]
    step = writer.recipe.product.step
    start = period_number(max(slab.days[0], cube.days[0]), step)
    period_bytes = cube.index.size * COUNTED.itemsize
    queue = max(1, min(QUEUE, memory_bytes // (8 * period_bytes)))
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[Path]] = []
        for first in todo:
            cells = period_cells(cube, blocks, period_number(first, step) - start, counted=step == "monthly")
            waiting.append(pool.submit(writer.write, directory, first, cells))
            if len(waiting) >= queue:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def period_cells(cube: Cube, blocks: Sequence[npt.NDArray[Any] | None], position: int, *, counted: bool) -> Cells:
    """The values of one day or month of a slab; one without prediction has no valid input anywhere."""
    size = cube.index.size
    rows = [block[position] for block in blocks if block is not None and 0 <= position < block.shape[0]]
    if not rows:
        missing = np.full(size, np.nan, np.float32)
        number = np.zeros(size, np.int16) if counted else None
        return Cells(cube.index, missing, missing, np.full(size, NO_VALID_INPUT, np.int16), number)
    values = np.concatenate(rows)
    if values.size != size:
        raise InputError(
            f"scratch holds {values.size} of {size} cells", next="remove the folder .scratch and build again"
        )
    return Cells(cube.index, *(np.ascontiguousarray(values[name]) for name in values.dtype.names or ()))
