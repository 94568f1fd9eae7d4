"""Series out of the rechunked cube of a release, local or at a URL: few chunks, in which the days of a cell lie."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from vadose.common import InputError
from vadose.producer.granules.names import parse_name
from vadose.producer.recipe import Recipe
from vadose.producer.release.folder import published_granules
from vadose.producer.release.rechunked import BLOCKS, METADATA, block_hashes, cube_name

Cells = npt.NDArray[np.int64]
# A file of the release, or a part of it: first byte and number of bytes.
Read = Callable[[str, "tuple[int, int] | None"], bytes]

# What the fields of the cells of one block may take.
BLOCK_BYTES = 1 << 28
BYTES_PER_CELL = 10
# What zarr raises for damaged chunks and metadata.
DAMAGED = (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class CubeSeries:
    """The fields of a release's cube."""

    group: zarr.Group
    days: npt.NDArray[np.datetime64]
    where: str

    def is_better(self, days: npt.NDArray[np.datetime64], rows: Cells, columns: Cells, chunk: tuple[int, int]) -> bool:
        """Whether these days and cells lie in fewer chunks of the cube than of the granules, whose chunks these are."""
        if not np.isin(days, self.days).all():
            return False
        length, height, width = self._chunk
        blocks = np.unique(np.searchsorted(self.days, days) // length).size
        return bool(
            rows.size * length * BYTES_PER_CELL <= BLOCK_BYTES
            and blocks * _count(rows // height, columns // width)
            <= days.size * _count(rows // chunk[0], columns // chunk[1])
        )

    def fields(self, days: npt.NDArray[np.datetime64], rows: Cells, columns: Cells,
               names: Iterable[str]) -> Iterator[dict[str, npt.NDArray[Any]]]:  # fmt: skip
        """The fields of the cells as stored, each (cell,), day by day.

        Raises
        ------
        InputError
            If a chunk is damaged or missing.
        """
        positions = np.searchsorted(self.days, days)
        blocks = positions // self._chunk[0]
        for block in np.unique(blocks):
            inside = positions[blocks == block]
            try:
                found = {name: self._block(name, int(block), rows, columns) for name in names}
            except DAMAGED as error:
                raise InputError(
                    f"the cube cannot be read: {error}", where=self.where, next="look at the release with vadose verify"
                ) from error
            for position in inside - block * self._chunk[0]:
                yield {name: values[position] for name, values in found.items()}

    @property
    def _chunk(self) -> tuple[int, int, int]:
        length, height, width = _array(self.group, "sm").chunks
        return length, height, width

    def _block(self, name: str, block: int, rows: Cells, columns: Cells) -> npt.NDArray[Any]:
        """All days of a block, (time, cell), by one read for each chunk that holds any of the cells."""
        array = _array(self.group, name)
        length, height, width = array.chunks
        span = slice(block * length, min((block + 1) * length, self.days.size))
        found = np.empty((span.stop - span.start, rows.size), array.dtype)
        places, member = np.unique(rows // height * (1 << 32) + columns // width, return_inverse=True)
        for number, place in enumerate(places):
            inside = np.flatnonzero(member == number)
            top, left = int(place >> 32) * height, int(place & 0xFFFFFFFF) * width
            values = np.asarray(array[span, top : top + height, left : left + width])
            found[:, inside] = values[:, rows[inside] - top, columns[inside] - left]
        return found


def _count(rows: Cells, columns: Cells) -> int:
    return int(np.unique(rows * (1 << 32) + columns).size)


def _array(group: zarr.Group, name: str) -> Any:
    return group[name]


def open_cube(listed: Mapping[str, Mapping[str, Any]], recipe: Recipe, read: Read, where: str) -> CubeSeries | None:
    """The cube of a release; `None` where it has none that opens, or one of other granules than the manifest lists.

    Parameters
    ----------
    listed
        The manifest's entries of what is published, by path.
    recipe
        The recipe of the version.
    read
        Reads a file of the version.
    where
        The version, for messages.
    """
    place = cube_name(recipe)
    if f"{place}/{METADATA}" not in listed:
        return None
    paths = sorted(published_granules({"files": list(listed.values())}), key=_day)
    store = _Listed({path.removeprefix(f"{place}/"): entry for path, entry in listed.items()
                     if path.startswith(f"{place}/")}, lambda name, part: read(f"{place}/{name}", part))  # fmt: skip
    try:
        group = zarr.open_group(store, mode="r")
        if group.attrs.get(BLOCKS) != block_hashes([str(listed[path]["content_sha256"]) for path in paths]):
            return None
        days = np.array([_day(path) for path in paths], "datetime64[D]")
        if _array(group, "sm").shape[0] != days.size:
            return None
    except (InputError, *DAMAGED):
        # The granules have the same values.
        return None
    return CubeSeries(group, days, f"{where}/{place}")


def _day(path: str) -> Any:
    return parse_name(PurePosixPath(path).name).day


class _Listed(Store):
    """The files of a cube that a manifest lists; one that it lists and that is not there is an error, not a hole."""

    supports_writes = False
    supports_deletes = False
    supports_listing = False

    def __init__(self, listed: Mapping[str, Mapping[str, Any]], read: Read) -> None:
        super().__init__(read_only=True)
        self._listed = listed
        self._read = read

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """A file or a part of it; a whole one has the bytes that the manifest says."""
        entry = self._listed.get(key)
        if entry is None:
            return None
        part = _part(byte_range, int(entry["bytes"]))
        raw = await asyncio.to_thread(self._read, key, part)
        if part is None and hashlib.sha256(raw).hexdigest() != entry["sha256"]:
            raise ValueError(f"{key} has other bytes than the manifest says")
        if part is not None and len(raw) != part[1]:
            raise ValueError(f"{key} is shorter than the manifest says")
        return prototype.buffer.from_bytes(raw)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Several parts."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether the manifest lists it."""
        return key in self._listed

    async def set(self, key: str, value: Buffer) -> None:
        """Never."""
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        """Never."""
        raise NotImplementedError

    async def list(self) -> AsyncIterator[str]:
        """All keys."""
        for key in self._listed:
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Keys that begin so."""
        for key in self._listed:
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Names right below a folder."""
        start = f"{prefix.rstrip('/')}/" if prefix else ""
        for name in sorted(
            {key.removeprefix(start).partition("/")[0] for key in self._listed if key.startswith(start)}
        ):
            yield name


def _part(request: ByteRequest | None, size: int) -> tuple[int, int] | None:
    """First byte and number of bytes of a request."""
    if isinstance(request, RangeByteRequest):
        return request.start, request.end - request.start
    if isinstance(request, OffsetByteRequest):
        return request.offset, size - request.offset
    if isinstance(request, SuffixByteRequest):
        return size - request.suffix, request.suffix
    return None
