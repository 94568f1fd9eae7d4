"""Arrays in safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from vadose.common import whole_file


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays by name, whole or not at all.

    The library writes memory as it lies, so that a transposed array would come back scrambled; all are made contiguous.
    """
    with whole_file(path) as part:
        safetensors.numpy.save_file({name: np.ascontiguousarray(values) for name, values in arrays.items()}, part)
