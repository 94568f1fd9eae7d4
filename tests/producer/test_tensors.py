"""Arrays in safetensors files."""

from pathlib import Path

import numpy as np
import safetensors.numpy

from vadose.producer.tensors import write_arrays


def test_arrays_come_back_as_they_were_however_they_lie_in_memory(tmp_path: Path) -> None:
    plain = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    arrays = {"plain": plain, "turned": plain.T, "every_other": plain[:, :, ::2], "column": plain[0, :, 1]}
    write_arrays(tmp_path / "a.safetensors", arrays)
    found = safetensors.numpy.load_file(tmp_path / "a.safetensors")
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)
