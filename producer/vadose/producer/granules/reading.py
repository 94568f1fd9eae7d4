"""Reads a granule back with plain h5py: its header, its fields, and the two hashes that stand in the manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.producer.granules.header import CLOSED_LIST

# What netCDF-4 keeps in HDF5 attributes for itself.
HIDDEN = frozenset(
    {
        "CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates", "_nc3_strict",
        "_NCProperties", "DIMENSION_LABELS",
    }
)  # fmt: skip
DIMENSION_ONLY = b"This is a netCDF dimension but not a netCDF variable"


@dataclass(frozen=True)
class Stored:
    """A variable as it is stored: numpy type, dimensions, attributes, chunk shape, filters."""

    dtype: str
    dims: tuple[str, ...]
    attributes: Mapping[str, Any]
    chunk: tuple[int, ...] | None
    shuffle: bool
    deflate: int | None


@dataclass(frozen=True)
class Granule:
    """A granule read back.

    `values` holds every variable as stored (fill values included), `dims` the sizes of the dimensions.
    """

    path: Path
    attributes: Mapping[str, Any]
    dims: Mapping[str, int]
    variables: Mapping[str, Stored]
    values: Mapping[str, npt.NDArray[Any]]

    @property
    def header_sha256(self) -> str:
        """SHA-256 of the header without the attributes that may differ between granules of a release."""
        variables = {
            name: {
                "dtype": stored.dtype, "dims": stored.dims, "attrs": _typed(stored.attributes), "chunk": stored.chunk,
                "shuffle": stored.shuffle, "deflate": stored.deflate,
            }
            for name, stored in self.variables.items()
        }  # fmt: skip
        attributes = {name: value for name, value in self.attributes.items() if name not in CLOSED_LIST}
        return hashlib.sha256(
            _line({"globals": _typed(attributes), "dims": self.dims, "variables": variables})
        ).hexdigest()

    @property
    def content_sha256(self) -> str:
        """SHA-256 over attributes and values, which survives recompression and rechunking.

        `history` and the `date_*` attributes are left out.
        """
        kept = {
            name: _plain(value)
            for name, value in self.attributes.items()
            if name != "history" and not name.startswith("date_")
        }
        digest = hashlib.sha256(_line({"globals": kept, "dims": self.dims}))
        for name in sorted(self.variables):
            stored = self.variables[name]
            attributes = {key: _plain(value) for key, value in stored.attributes.items()}
            digest.update(_line({"name": name, "dtype": stored.dtype, "dims": stored.dims, "attrs": attributes}))
            values = self.values[name]
            digest.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).data)
        return digest.hexdigest()


def read_granule(path: Path, *, values: bool = True) -> Granule:
    """Read a granule; anything that is not a readable NetCDF-4 file is an `InputError`.

    Parameters
    ----------
    path
        The file.
    values
        Also read the values of every variable; without them only the header.
    """
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file, values)
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise InputError(
            f"not a readable granule: {error}",
            where=str(path),
            next="restore the file from another copy of the release",
        ) from error


def read_attributes(path: Path, names: tuple[str, ...]) -> dict[str, str] | None:
    """Some global text attributes of a granule, or `None` if the file is missing, unreadable or lacks one."""
    try:
        with h5py.File(path, "r") as file:
            return {name: str(_value(file, name)) for name in names}
    except (OSError, KeyError, RuntimeError):
        return None


def _read(path: Path, file: h5py.File, with_values: bool) -> Granule:
    dims: dict[str, int] = {}
    variables: dict[str, Stored] = {}
    values: dict[str, npt.NDArray[Any]] = {}
    for name, dataset in file.items():
        if "CLASS" in dataset.attrs:
            dims[name] = int(dataset.shape[0])
            if DIMENSION_ONLY in bytes(dataset.attrs["NAME"]):
                continue
        variables[name] = Stored(
            str(dataset.dtype), _dims(name, dataset), _attributes(dataset), dataset.chunks, bool(dataset.shuffle),
            dataset.compression_opts if dataset.compression == "gzip" else None,
        )  # fmt: skip
        if with_values:
            values[name] = dataset[()] if dataset.shape else np.asarray(dataset[()])
    return Granule(path, _attributes(file), dims, variables, values)


def _dims(name: str, dataset: h5py.Dataset) -> tuple[str, ...]:
    if "CLASS" in dataset.attrs:
        return (name,)
    if not dataset.shape:
        return ()
    paths = [h5py.h5r.get_name(references[0], dataset.id).decode() for references in dataset.attrs["DIMENSION_LIST"]]
    return tuple(path.lstrip("/") for path in paths)


def _attributes(item: h5py.HLObject) -> dict[str, Any]:
    return {name: _value(item, name) for name in item.attrs if name not in HIDDEN}


def _value(item: h5py.HLObject, name: str) -> Any:
    """Text as `str`, a single number as a numpy scalar, several as an array."""
    attribute = h5py.h5a.open(item.id, name.encode())
    kind = attribute.get_type()
    if isinstance(kind, h5py.h5t.TypeStringID) and not kind.is_variable_str():
        raw = np.empty((), f"S{max(kind.get_size(), 1)}")
        attribute.read(raw, mtype=kind)
        return bytes(raw[()]).decode("utf-8")
    value = np.asarray(item.attrs[name])
    return value.reshape(-1)[0] if value.size == 1 else value


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else np.asarray(value).tolist()


def _typed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, str) else [str(np.asarray(value).dtype), np.asarray(value).tolist()]
        for name, value in attributes.items()
    }


def _line(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() + b"\n"
