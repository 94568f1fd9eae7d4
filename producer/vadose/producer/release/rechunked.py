"""The rechunked cube: all granules of a version as one Zarr store, in which the series of a cell lies together."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import ZstdCodec

from vadose.common import GateError, InputError, Progress, read_json
from vadose.common.files import readable_os_errors
from vadose.producer.granules.names import parse_name
from vadose.producer.granules.reading import Granule, read_granule
from vadose.producer.recipe import Recipe
from vadose.producer.release.folder import Folder

FOLDER = "cube"
METADATA = "zarr.json"
# Periods, rows and columns of a chunk, counted from the first period of the record, and cells of a shard on a side.
CHUNK = (92, 60, 60)
SHARD_CELLS = 600
ZSTD_LEVEL = 3
# The hash of the granules of each block of `CHUNK[0]` periods, in the attributes of the store.
BLOCKS = "vadose_blocks"
# Attributes of the store that are its own, and not those of the last granule.
OWN = frozenset({"id", "tracking_id", "time_coverage_start", "time_coverage_end", "product_version", BLOCKS})


@dataclass(frozen=True)
class Plan:
    """What a cube holds: its granules in the order of time, by path, with the hash of their content."""

    folder: Folder
    recipe: Recipe
    contents: Mapping[str, str]

    @property
    def paths(self) -> list[str]:
        """Paths of the granules inside the version, in the order of time."""
        return sorted(self.contents, key=lambda path: parse_name(Path(path).name).day)

    @property
    def name(self) -> str:
        """Place inside the version: `cube/daily.zarr`."""
        return cube_name(self.recipe)

    def blocks(self) -> list[list[str]]:
        """The granules of each block."""
        paths = self.paths
        return [paths[first : first + CHUNK[0]] for first in range(0, len(paths), CHUNK[0])]

    def hashes(self) -> list[str]:
        """One hash for each block; blocks of equal hashes have the same bytes in any version."""
        return block_hashes([self.contents[path] for path in self.paths])


def block_hashes(contents: Sequence[str]) -> list[str]:
    """The hash of each block, from those of the content of its granules in the order of time."""
    blocks = [contents[first : first + CHUNK[0]] for first in range(0, len(contents), CHUNK[0])]
    lines = ["".join(f"{content}\n" for content in block) for block in blocks]
    return [hashlib.sha256(text.encode()).hexdigest() for text in lines]


def cube_name(recipe: Recipe) -> str:
    """Place of the cube inside a version: `cube/daily.zarr`."""
    return f"{FOLDER}/{recipe.product.step}.zarr"


def update_cube(recipe: Recipe, folder: Folder, contents: Mapping[str, str], previous: Folder | None,
                progress: Progress) -> None:  # fmt: skip
    """Write the cube of a version where the recipe asks for one, and remove one that it does not ask for."""
    if recipe.build.cube:
        write_cube(Plan(folder, recipe, contents), previous, progress)
    elif (folder.path / FOLDER).is_dir() and not folder.published:
        shutil.rmtree(folder.path / FOLDER)


def write_cube(plan: Plan, previous: Folder | None, progress: Progress) -> int:
    """Write the cube, or go on where a stop left it; the number of blocks that were made and not linked.

    Parameters
    ----------
    plan
        The version and its granules.
    previous
        The version before: the shards of its blocks of the same granules are linked, not made again.
    progress
        Where to report.

    Raises
    ------
    GateError
        If the version is published and its cube would change.
    """
    target = plan.folder.path / plan.name
    part, journal = target.with_name(f".{target.name}.part"), target.with_name(f".{target.name}.done")
    expected = plan.hashes()
    if stored_hashes(target) == expected:
        journal.unlink(missing_ok=True)
        return 0
    if plan.folder.published:
        raise GateError(
            f"{plan.name} would change in the published version {plan.folder.version}", where=str(plan.folder.path),
            next="raise product.version and product.issued in the recipe and build again",
        )  # fmt: skip
    first = read_granule(plan.folder.path / plan.paths[-1])
    with readable_os_errors(target):
        if stored_hashes(part) != expected or not journal.is_file():
            shutil.rmtree(part, ignore_errors=True)
            journal.unlink(missing_ok=True)
            _declare(plan, first, part)
            journal.touch()
        made = _fill(plan, previous, part, journal, first, progress)
        shutil.rmtree(target, ignore_errors=True)
        part.replace(target)
        journal.unlink()
    return made


def stored_hashes(place: Path) -> list[str] | None:
    """The hashes of the blocks of a cube; `None` where there is no whole one."""
    try:
        document = json.loads((place / METADATA).read_text(encoding="utf-8"))
        return list(document["attributes"][BLOCKS])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _fill(plan: Plan, previous: Folder | None, part: Path, journal: Path, first: Granule, progress: Progress) -> int:
    """Write or link block after block; the number of those that were written."""
    done = set(journal.read_text(encoding="utf-8").split("\n")[:-1])
    before = previous.path / plan.name if previous is not None else None
    known = (stored_hashes(before) if before is not None else None) or []
    group = zarr.open_group(str(part), mode="r+")
    made = 0
    with journal.open("a", encoding="utf-8") as notes:
        for number, (paths, sha256) in enumerate(
            progress.track(zip(plan.blocks(), plan.hashes(), strict=True), "cube", len(plan.blocks()))
        ):
            if before is not None and number < len(known) and known[number] == sha256:
                _link(before, part, _fields(first), number)
                continue
            if str(number) not in done:
                _write_block(plan.folder.path, paths, group, _fields(first), number)
                _sync(part, _fields(first), number)
                notes.write(f"{number}\n")
                notes.flush()
            made += 1
    return made


def _fields(granule: Granule) -> list[str]:
    """The gridded variables."""
    return [
        name for name, stored in granule.variables.items() if stored.dims[:1] == ("time",) and len(stored.dims) == 3
    ]


def _declare(plan: Plan, granule: Granule, part: Path) -> None:
    """The store without its fields: attributes, coordinates and empty arrays."""
    count = len(plan.paths)
    part.mkdir(parents=True)
    group = zarr.create_group(str(part), zarr_format=3)
    for name, stored in granule.variables.items():
        shape = tuple(count if dim == "time" else granule.dims[dim] for dim in stored.dims)
        gridded = name in _fields(granule)
        inner = (CHUNK[0], *(min(a, b) for a, b in zip(CHUNK[1:], shape[1:], strict=True))) if gridded else None
        shard = (CHUNK[0], *(_shard(a, b) for a, b in zip(inner[1:], shape[1:], strict=True))) if inner else None
        attributes = dict(stored.attributes)
        fill = attributes.pop("_FillValue", None)
        array = group.create_array(
            name, shape=shape, dtype=stored.dtype, chunks=inner or "auto", shards=shard, dimension_names=stored.dims,
            # No flag is -1: readers that take it for missing lose nothing.
            fill_value=fill if fill is not None else (-1 if gridded else 0),
            compressors=ZstdCodec(level=ZSTD_LEVEL, checksum=True) if gridded else None,
        )  # fmt: skip
        array.attrs.update({key: _plain(value) for key, value in attributes.items()} | _fill_attribute(fill))
        if not gridded:
            array[...] = _stacked(plan, granule, name)
    group.attrs.update(_attributes(plan, granule))
    with warnings.catch_warnings():
        # Consolidated metadata is not yet part of the Zarr v3 specification; readers that do not know it ignore it.
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(str(part))


def _shard(chunk: int, size: int) -> int:
    """Cells of a shard on a side: whole chunks, no more than `SHARD_CELLS` or than the grid needs."""
    return chunk * min(max(SHARD_CELLS // chunk, 1), -(-size // chunk))


def _fill_attribute(fill: Any) -> dict[str, str]:
    """`_FillValue` as xarray writes it into Zarr v3: the bytes of a float64."""
    return {} if fill is None else {"_FillValue": base64.b64encode(struct.pack("<d", float(fill))).decode()}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else np.asarray(value).tolist()


def _stacked(plan: Plan, granule: Granule, name: str) -> npt.NDArray[Any]:
    """Values of a variable that is no field; those of time are calculated from the periods."""
    from vadose.producer.granules.header import period_values

    if "time" not in granule.variables[name].dims:
        return granule.values[name]
    days = [np.datetime64(parse_name(Path(path).name).day, "D") for path in plan.paths]
    return np.concatenate([period_values(plan.recipe.product, day)[name] for day in days])


def _attributes(plan: Plan, granule: Granule) -> dict[str, Any]:
    """Global attributes: those of the last granule, and the store's own."""
    from vadose.producer.granules.header import period_attributes

    product = plan.recipe.product
    ends = [np.datetime64(parse_name(Path(path).name).day, "D") for path in (plan.paths[0], plan.paths[-1])]
    start, end = (period_attributes(product, day) for day in ends)
    return {key: _plain(value) for key, value in granule.attributes.items() if key not in OWN} | {
        "id": f"{product.id}-{product.step}-cube-v{product.version}", "product_version": product.version,
        "time_coverage_start": start["time_coverage_start"], "time_coverage_end": end["time_coverage_end"],
        BLOCKS: plan.hashes(),
    }  # fmt: skip


def _write_block(folder: Path, paths: Sequence[str], group: zarr.Group, names: Sequence[str], number: int) -> None:
    """Read the granules of a block shard by shard; memory is one shard of one variable."""
    start = number * CHUNK[0]
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(_opened(folder / path)) for path in paths]
        for name in names:
            array = group[name]
            assert isinstance(array, zarr.Array)
            for window in windows(array):
                values = np.stack([file[name][(0, *window)] for file in files])
                array[(slice(start, start + len(paths)), *window)] = values


def _opened(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"not a readable granule: {error}", where=str(path), next="vadose build RECIPE") from error


def windows(array: zarr.Array[Any]) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of each shard."""
    assert array.shards is not None
    (height, width), (rows, columns) = array.shards[1:], array.shape[1:]
    for top in range(0, rows, height):
        for left in range(0, columns, width):
            yield slice(top, min(top + height, rows)), slice(left, min(left + width, columns))


def _shards(place: Path, names: Sequence[str], number: int) -> Iterator[Path]:
    """Files of the shards of a block; where all values are fill there is none."""
    for name in names:
        yield from sorted(path for path in (place / name / "c" / str(number)).rglob("*") if path.is_file())


def _sync(place: Path, names: Sequence[str], number: int) -> None:
    for path in _shards(place, names, number):
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _link(before: Path, part: Path, names: Sequence[str], number: int) -> None:
    for path in _shards(before, names, number):
        link = part / path.relative_to(before)
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(path, link)
            except OSError:
                shutil.copyfile(path, link)


def compare(plan: Plan) -> Iterator[str]:
    """Differences between the cube and the granules: types, dimensions, attributes, times, and values.

    Values are compared in the first and last granule of each block, in one shard after the other in turn.
    """
    place = plan.folder.path / plan.name
    if stored_hashes(place) != plan.hashes():
        yield f"{plan.name} is missing or made from other granules"
        return
    # The consolidated metadata are a copy, of which `_compare_copy` says whether it is one.
    group = zarr.open_group(str(place), mode="r", use_consolidated=False)
    last = read_granule(plan.folder.path / plan.paths[-1])
    yield from _compare_headers(plan, group, last)
    yield from _compare_copy(plan, place)
    if missing := [name for name in _fields(last) if name not in group]:
        yield f"{plan.name}: no {', '.join(missing)}"
        return
    for name in _fields(last):
        array = group[name]
        assert isinstance(array, zarr.Array)
        places = list(windows(array))
        for number, paths in enumerate(plan.blocks()):
            window = places[number % len(places)]
            for offset in sorted({0, len(paths) - 1}):
                with _opened(plan.folder.path / paths[offset]) as file:
                    expected = file[name][(0, *window)]
                if not np.array_equal(array[(number * CHUNK[0] + offset, *window)], expected):
                    yield f"{plan.name}, {name}: values differ from {Path(paths[offset]).name}"


def _compare_copy(plan: Plan, place: Path) -> Iterator[str]:
    copies = read_json(place / METADATA).get("consolidated_metadata", {}).get("metadata", {})
    own = {path.parent.name: read_json(path) for path in place.glob("*/zarr.json")}
    for name in sorted(copies.keys() | own.keys()):
        if copies.get(name) != own.get(name):
            yield f"{plan.name}, {name}: the consolidated metadata differ from its own"


def _dims(array: zarr.Array[Any]) -> tuple[str | None, ...]:
    return tuple(getattr(array.metadata, "dimension_names", None) or ())


def _compare_headers(plan: Plan, group: zarr.Group, granule: Granule) -> Iterator[str]:
    mine = {key: value for key, value in group.attrs.items() if key not in OWN}
    theirs = {key: _plain(value) for key, value in granule.attributes.items() if key not in OWN}
    for key in sorted(mine.keys() | theirs.keys()):
        if mine.get(key) != theirs.get(key):
            yield f"{plan.name}: attribute {key} differs"
    for name in sorted(set(group.array_keys()) ^ set(granule.variables)):
        yield f"{plan.name}, {name}: in one of cube and granule only"
    for name in sorted(set(group.array_keys()) & set(granule.variables)):
        array, stored = group[name], granule.variables[name]
        assert isinstance(array, zarr.Array)
        if np.dtype(array.dtype) != np.dtype(stored.dtype) or _dims(array) != stored.dims:
            yield f"{plan.name}, {name}: type or dimensions differ"
        fill = stored.attributes.get("_FillValue")
        expected = {key: _plain(value) for key, value in stored.attributes.items() if key != "_FillValue"}
        if dict(array.attrs) != expected | _fill_attribute(fill) or (fill is not None and array.fill_value != fill):
            yield f"{plan.name}, {name}: attributes differ"
        if name not in _fields(granule) and not np.array_equal(array[...], _stacked(plan, granule, name)):
            yield f"{plan.name}, {name}: values differ"
