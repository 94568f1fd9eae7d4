"""Predictions of slabs, kept in a scratch folder until their granules are written."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from vadose.common import InputError, Progress, UsageError, whole_file
from vadose.producer.build.slabs import BLOCK_CELLS, Slab, cell_blocks, cube_span
from vadose.producer.cube import Cube
from vadose.producer.finishing import Finished, finish
from vadose.producer.granules import Cells, Identity
from vadose.producer.granules.flags import NO_VALID_INPUT
from vadose.producer.granules.periods import Step, period_number, period_of
from vadose.producer.methods.base import Block, Prediction
from vadose.producer.months import Months, finish_months
from vadose.producer.recipe import Recipe

SCRATCH = ".scratch"
PREDICTED = np.dtype([("sm", "<f4"), ("sm_uncertainty", "<f4"), ("flag", "<i2")])
COUNTED = np.dtype([*PREDICTED.descr, ("number_of_observations", "<i2")])


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
class Job:
    """What a build works with.

    Attributes
    ----------
    recipe, cube, model, origin
        The product, its inputs, the fitted model, and what the granules say that they were made from.
    directory
        Where the granules go.
    memory_bytes
        How much prediction and assembly may hold at once.
    progress
        Where to report.
    """

    recipe: Recipe
    cube: Cube
    model: Predictor
    origin: Identity
    directory: Path
    memory_bytes: int
    progress: Progress


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


def predict_slab(job: Job, slab: Slab, last: np.datetime64, scratch: Scratch) -> None:
    """Predict the days of a slab from its first to `last`, for every block of cells that is not in the scratch yet.

    Days of the record that the cube does not hold get no prediction.
    """
    recipe, cube = job.recipe, job.cube
    span = cube_span(cube, slab, last)
    if span is None:
        return
    length = span.stop - span.start
    monthly = recipe.product.step == "monthly"
    rows = np.unique(period_of(cube.days[span], recipe.product.step)).size
    check_memory(recipe, cube, job.model, length, job.memory_bytes)
    blocks = cell_blocks(cube)
    with job.progress.step(f"predict {slab.days[0]}..{last}", len(blocks)) as step:
        for number, cells in enumerate(blocks):
            known = scratch.load(slab, number)
            if known is None or known.shape[0] < rows:
                prediction = job.model.predict(Block(cube, span, cells))
                finishing = finish_months if monthly else finish
                scratch.save(slab, number, packed(finishing(recipe, cube, prediction, span, cells)))
            step.advance()


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


class Slices:
    """The finished predictions of one slab, opened for reading period by period."""

    def __init__(self, cube: Cube, slab: Slab, scratch: Scratch, step: Step) -> None:
        self._cube = cube
        self._step = step
        self._start = period_number(max(slab.days[0], cube.days[0]), step)
        self._blocks = [scratch.load(slab, number) for number in range(len(cell_blocks(cube)))]

    def cells(self, first: np.datetime64) -> Cells:
        """The values of the day or month that begins on `first`."""
        position = period_number(first, self._step) - self._start
        return period_cells(self._cube, self._blocks, position, counted=self._step == "monthly")


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
