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
from vadose.common.reading import brief_reading

# The attributes that may differ between granules of a release.
CLOSED_LIST = frozenset(
    {
        "id", "tracking_id", "product_version", "product_record", "doi", "source", "history", "input_manifest_sha256",
        "date_created", "date_modified", "date_issued", "date_metadata_modified", "time_coverage_start",
        "time_coverage_end",
    }
)  # fmt: skip
# What netCDF-4 keeps in HDF5 attributes for itself.
HIDDEN = frozenset(
    {
        "CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates", "_nc3_strict",
        "_NCProperties", "DIMENSION_LABELS",
    }
)  # fmt: skip
# The default of the low-level call is to open for writing, which marks the file.
READ_ONLY = h5py.h5f.ACC_RDONLY
DIMENSION_ONLY = "This is a netCDF dimension but not a netCDF variable"


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


def read_granule(path: Path, *, values: bool = True, image: bytes | None = None) -> Granule:
    """Read a granule; anything that is not a readable NetCDF-4 file is an `InputError`.

    Parameters
    ----------
    path
        The file.
    values
        Also read the values of every variable; without them only the header.
    image
        The file's bytes, where they are in memory already.
    """
    try:
        with brief_reading(path):
            file = h5py.h5f.open(str(path).encode(), READ_ONLY) if image is None else h5py.h5f.open_file_image(image)
            try:
                return _read(path, file, values)
            finally:
                file.close()
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise InputError(
            f"not a readable granule: {error}",
            where=str(path),
            next="restore the file from another copy of the release",
        ) from error


def read_attributes(path: Path, names: tuple[str, ...]) -> dict[str, str] | None:
    """Some global text attributes of a granule, or `None` if the file is missing, unreadable or lacks one."""
    try:
        file = h5py.h5f.open(str(path).encode(), READ_ONLY)
    except OSError:
        return None
    try:
        return {name: str(_value(h5py.h5a.open(file, name.encode()))) for name in names}
    except (KeyError, OSError, RuntimeError):
        return None
    finally:
        file.close()


def _read(path: Path, file: h5py.h5f.FileID, with_values: bool) -> Granule:
    dims: dict[str, int] = {}
    variables: dict[str, Stored] = {}
    values: dict[str, npt.NDArray[Any]] = {}
    root = h5py.h5g.open(file, b"/")
    for raw_name in root:
        name = raw_name.decode()
        dataset = h5py.h5d.open(file, raw_name)
        hidden = h5py.h5a.exists(dataset, b"CLASS")
        if hidden:
            dims[name] = int(dataset.shape[0])
            if DIMENSION_ONLY in str(_value(h5py.h5a.open(dataset, b"NAME"))):
                continue
        variables[name] = Stored(
            str(dataset.dtype), (name,) if hidden else _dims(dataset), _attributes(dataset), *_storage(dataset)
        )
        if with_values:
            values[name] = np.empty(dataset.shape, dataset.dtype)
            dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, values[name])
    return Granule(path, _attributes(file), dims, variables, values)


def _storage(dataset: h5py.h5d.DatasetID) -> tuple[tuple[int, ...] | None, bool, int | None]:
    """Chunk shape, whether bytes are shuffled, and the level of deflate."""
    plan = dataset.get_create_plist()
    if plan.get_layout() != h5py.h5d.CHUNKED:
        return None, False, None
    filters = {code: settings for code, _, settings, _ in (plan.get_filter(k) for k in range(plan.get_nfilters()))}
    level = filters.get(h5py.h5z.FILTER_DEFLATE)
    return tuple(plan.get_chunk()), h5py.h5z.FILTER_SHUFFLE in filters, None if level is None else int(level[0])


def _dims(dataset: h5py.h5d.DatasetID) -> tuple[str, ...]:
    if not dataset.shape:
        return ()
    references = h5py.Dataset(dataset).attrs["DIMENSION_LIST"]
    return tuple(h5py.h5r.get_name(entry[0], dataset).decode().lstrip("/") for entry in references)


def _attributes(item: h5py.h5d.DatasetID | h5py.h5f.FileID) -> dict[str, Any]:
    names: list[bytes] = []
    # To open by name is several times faster than by position, and a header has 150 attributes.
    h5py.h5a.iterate(item, lambda name, *_: names.append(name))
    return {name.decode(): _value(h5py.h5a.open(item, name)) for name in names if name.decode() not in HIDDEN}


def _value(attribute: h5py.h5a.AttrID) -> Any:
    """Text as `str`, a single number as a numpy scalar, several as an array."""
    kind = attribute.get_type()
    if isinstance(kind, h5py.h5t.TypeStringID):
        raw = np.empty((), f"S{max(kind.get_size(), 1)}")
        attribute.read(raw, mtype=kind)
        return bytes(raw[()]).decode("utf-8")
    value = np.empty(attribute.shape, attribute.dtype)
    attribute.read(value)
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
