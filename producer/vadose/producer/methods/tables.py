"""Models that hold one row of numbers a cell: finding the row, and the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from vadose.common import InputError, write_json
from vadose.producer.cube import Cube
from vadose.producer.methods.base import Block, Floats, Prediction
from vadose.producer.tensors import write_arrays
from vadose.producer.training.splits import global_index

ARRAYS = "table.safetensors"
CARD = "member.json"
NO_VALID_INPUT = 256


def lookup(
    index: npt.NDArray[np.int64], block: Block
) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Days of a block, and for each of its cells the column in a model's table and whether it is there."""
    wanted = global_cells(block.cube)[block.cells]
    column = np.minimum(np.searchsorted(index, wanted), index.size - 1)
    return block.cube.days[block.days], column, index[column] == wanted


def global_cells(cube: Cube) -> npt.NDArray[np.int64]:
    """Flat index in the whole global grid of each cell, (cell,)."""
    return global_index(cube.grid, cube.index)


def prediction(mean: Floats, deviation: Floats, diagnostics: dict[str, npt.NDArray[Any]] | None = None) -> Prediction:
    """A prediction with the flag for missing values, from mean and deviation (time, cell)."""
    missing = np.isnan(mean)
    flags = np.where(missing, NO_VALID_INPUT, 0).astype(np.int16)
    return Prediction(mean.astype(np.float32), deviation.astype(np.float32), flags, diagnostics or {})


def save_arrays(directory: Path, arrays: dict[str, npt.NDArray[Any]], card: dict[str, Any]) -> None:
    """Write `table.safetensors` and `member.json`."""
    write_arrays(directory / ARRAYS, arrays)
    write_json(directory / CARD, card)


def read_arrays(directory: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of `save_arrays`; a missing or damaged file is an `InputError`."""
    try:
        return dict(safetensors.numpy.load_file(directory / ARRAYS))
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            f"table cannot be read: {error}", where=str(directory / ARRAYS), next="vadose train RECIPE"
        ) from error
