"""Virtual references: one JSON a year through which xarray opens all granules as one dataset."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from vadose.common import read_json
from vadose.producer.granules.names import parse_name
from vadose.producer.granules.reading import Granule, Stored, read_granule

ROOT = "{{root}}"
FOLDER = "refs"


def write_years(folder: Path, paths: Sequence[str]) -> dict[str, str]:
    """Texts of `refs/<YYYY>.json` by name, from granules that have one header (paths inside the version folder)."""
    years: dict[str, list[str]] = {}
    for path in paths:
        years.setdefault(parse_name(Path(path).name).when[:4], []).append(path)
    return {f"{FOLDER}/{year}.json": _text(_references(folder, found)) for year, found in sorted(years.items())}


def _text(refs: dict[str, Any]) -> str:
    document = {"version": 1, "templates": {"root": ".."}, "refs": refs}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"


def _references(folder: Path, paths: Sequence[str]) -> dict[str, Any]:
    first = read_granule(folder / paths[0])
    own = {"id", "tracking_id", "time_coverage_start", "time_coverage_end", "time_coverage_duration"}
    attributes = {key: _plain(value) for key, value in first.attributes.items() if key not in own}
    refs: dict[str, Any] = {".zgroup": json.dumps({"zarr_format": 2}), ".zattrs": json.dumps(attributes)}
    for name, stored in first.variables.items():
        refs[f"{name}/.zarray"] = json.dumps(_array(first, name, stored, len(paths)))
        refs[f"{name}/.zattrs"] = json.dumps({"_ARRAY_DIMENSIONS": list(stored.dims), **_attributes(stored)})
        if "time" not in stored.dims:
            refs[f"{name}/{'.'.join('0' for _ in stored.dims) or '0'}"] = _inline(first.values[name])
    for position, path in enumerate(paths):
        refs |= dict(_chunks(folder / path, path, position, first))
    return refs


def _array(granule: Granule, name: str, stored: Stored, days: int) -> dict[str, Any]:
    shape = [days if dim == "time" else granule.dims[dim] for dim in stored.dims]
    # A missing fill value would be read as one that the library makes up.
    fill = stored.attributes.get("_FillValue")
    filters = [{"id": "shuffle", "elementsize": np.dtype(stored.dtype).itemsize}] if stored.shuffle else None
    return {
        "zarr_format": 2, "shape": shape, "chunks": list(stored.chunk or shape), "order": "C",
        "dtype": np.dtype(stored.dtype).newbyteorder("<").str, "fill_value": None if fill is None else float(fill),
        "compressor": None if stored.deflate is None else {"id": "zlib", "level": stored.deflate}, "filters": filters,
    }  # fmt: skip


def _attributes(stored: Stored) -> dict[str, Any]:
    return {key: _plain(value) for key, value in stored.attributes.items() if key != "_FillValue"} | (
        {"_FillValue": float(stored.attributes["_FillValue"])} if "_FillValue" in stored.attributes else {}
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else np.asarray(value).tolist()


def _inline(values: npt.NDArray[Any]) -> str:
    raw = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
    return "base64:" + base64.b64encode(raw).decode()


def _chunks(path: Path, place: str, position: int, first: Granule) -> Iterator[tuple[str, list[Any]]]:
    """Place and size of every chunk of a day; only offsets differ between granules."""
    with h5py.File(path, "r") as file:
        for name, stored in first.variables.items():
            if "time" not in stored.dims or stored.chunk is None:
                continue
            found: list[tuple[tuple[int, ...], int, int]] = []
            file[name].id.chunk_iter(
                lambda chunk, found=found: found.append((chunk.chunk_offset, chunk.byte_offset, chunk.size))
            )
            for offset, start, size in found:
                key = [offset[k] // stored.chunk[k] for k in range(1, len(offset))]
                yield f"{name}/{'.'.join(map(str, [position, *key]))}", [f"{ROOT}/{place}", int(start), int(size)]


def compare(folder: Path, paths: Sequence[str]) -> Iterator[str]:
    """Differences between references and granules in type, attribute or value, first and last day of each year."""
    years: dict[str, list[str]] = {}
    for path in paths:
        years.setdefault(parse_name(Path(path).name).when[:4], []).append(path)
    for year, found in sorted(years.items()):
        place = folder / FOLDER / f"{year}.json"
        if not place.is_file():
            yield f"{FOLDER}/{year}.json is missing"
            continue
        refs = read_json(place)["refs"]
        for position in sorted({0, len(found) - 1}):
            yield from _compare_day(folder, year, refs, found[position], position)


def _compare_day(folder: Path, year: str, refs: dict[str, Any], path: str, position: int) -> Iterator[str]:
    granule = read_granule(folder / path)
    for name, stored in granule.variables.items():
        where = f"{FOLDER}/{year}.json, {name}"
        if f"{name}/.zarray" not in refs:
            yield f"{where}: missing"
            continue
        array = json.loads(refs[f"{name}/.zarray"])
        attributes = json.loads(refs[f"{name}/.zattrs"])
        if np.dtype(array["dtype"]) != np.dtype(stored.dtype) or attributes.pop("_ARRAY_DIMENSIONS") != list(
            stored.dims
        ):
            yield f"{where}: type or dimensions differ"
        if attributes != _attributes(stored):
            yield f"{where}: attributes differ"
        if not np.array_equal(_decoded(folder, refs, name, array, granule, position), granule.values[name]):
            yield f"{where}: values differ from {Path(path).name}"


def _decoded(
    folder: Path, refs: dict[str, Any], name: str, array: dict[str, Any], granule: Granule, position: int
) -> npt.NDArray[Any]:
    """The values of one day through the references, by nothing but zlib and numpy."""
    stored = granule.variables[name]
    shape = granule.values[name].shape
    dtype = np.dtype(array["dtype"])
    if "time" not in stored.dims:
        text = refs[f"{name}/{'.'.join('0' for _ in stored.dims) or '0'}"]
        return np.frombuffer(base64.b64decode(text.removeprefix("base64:")), dtype).reshape(shape)
    result = np.empty(shape, dtype)
    chunk = array["chunks"]
    for corner in np.ndindex(*(-(-size // part) for size, part in zip(shape, chunk, strict=True))):
        target, start, size = refs[f"{name}/{'.'.join(map(str, [position, *corner[1:]]))}"]
        with (folder / target.removeprefix(f"{ROOT}/")).open("rb") as file:
            file.seek(start)
            raw = file.read(size)
        block = decoded_chunk(array, raw)
        begin = [k * part for k, part in zip(corner, chunk, strict=True)]
        end = [min(b + part, n) for b, part, n in zip(begin, chunk, shape, strict=True)]
        window = tuple(slice(b, e) for b, e in zip(begin, end, strict=True))
        result[window] = block[tuple(slice(0, e - b) for b, e in zip(begin, end, strict=True))]
    return result


def decoded_chunk(array: dict[str, Any], raw: bytes) -> npt.NDArray[Any]:
    """The values of a stored chunk, of the shape `chunks` of its `.zarray`; other bytes are a `ValueError`."""
    dtype = np.dtype(array["dtype"])
    size = int(np.prod(array["chunks"])) * dtype.itemsize
    if array["compressor"]:
        unpacked = zlib.decompressobj()
        try:
            raw = unpacked.decompress(raw, size + 1)
        except zlib.error as error:
            raise ValueError(f"not a stream of zlib: {error}") from error
        if not unpacked.eof:
            raise ValueError("the stream does not end with the chunk")
    if len(raw) != size:
        raise ValueError(f"{len(raw)} bytes instead of {size}")
    if array["filters"]:
        raw = np.frombuffer(raw, np.uint8).reshape(dtype.itemsize, -1).T.tobytes()
    return np.frombuffer(raw, dtype).reshape(array["chunks"])
