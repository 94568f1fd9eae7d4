"""Stored values of a NetCDF file: HDF5 by h5py, which opens a granule five times faster, else by netCDF4."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import h5py
import netCDF4
import numpy as np

_HDF5 = b"\x89HDF\r\n\x1a\n"


class Stored(Protocol):
    """A file opened for reading; values come as stored, without scale, offset or mask."""

    def names(self) -> list[str]:
        """Names of all variables."""

    def array(self, name: str) -> Any:
        """A variable with shape, ndim, dtype and slicing."""

    def attribute(self, name: str, key: str, default: Any = None) -> Any:
        """An attribute of a variable; text as str, single numbers as scalars."""

    def first_dimension(self, name: str) -> str:
        """Name of the first dimension of a variable, "" if it has none."""


@contextlib.contextmanager
def open_stored(path: Path) -> Iterator[Stored]:
    """Open a file; a broken one raises `OSError`."""
    with path.open("rb") as file:
        is_hdf5 = file.read(8) == _HDF5
    if is_hdf5:
        with h5py.File(path, "r") as file5:
            yield _Hdf5(file5)
    else:
        with netCDF4.Dataset(path) as dataset:
            dataset.set_auto_maskandscale(False)
            yield _Classic(dataset)


class _Hdf5:
    def __init__(self, file: Any) -> None:
        self.file = file

    def names(self) -> list[str]:
        return [name for name, item in self.file.items() if isinstance(item, h5py.Dataset)]

    def array(self, name: str) -> Any:
        return self.file[name]

    def attribute(self, name: str, key: str, default: Any = None) -> Any:
        value = self.file[name].attrs.get(key, default)
        if isinstance(value, bytes):
            return value.decode()
        return value[0] if isinstance(value, np.ndarray) and value.size == 1 else value

    def first_dimension(self, name: str) -> str:
        dataset = self.file[name]
        if dataset.ndim == 0 or len(dataset.dims[0]) == 0:
            return ""
        return str(dataset.dims[0][0].name).rpartition("/")[2]


class _Classic:
    def __init__(self, dataset: netCDF4.Dataset) -> None:
        self.dataset = dataset

    def names(self) -> list[str]:
        return list(self.dataset.variables)

    def array(self, name: str) -> Any:
        return self.dataset[name]

    def attribute(self, name: str, key: str, default: Any = None) -> Any:
        return getattr(self.dataset[name], key, default)

    def first_dimension(self, name: str) -> str:
        return str(next(iter(self.dataset[name].dimensions), ""))
