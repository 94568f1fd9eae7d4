"""Ways to damage a file: bytes, lines, and values of JSON and YAML."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml

Generator = np.random.Generator

STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, float("nan"), "", " ", "NaN", "../../../escape", "/escape", "a" * 5000, [], {}, [[[]]],
    {"x": None}, "2015-13-45", "1e999", "\u202e\x00", -(2**63), "<b>", "%s%n", 2**70,
)  # fmt: skip

# Share of the inputs that are a link: to a file outside, to nothing, to a folder, to itself, to bytes without an end.
LINKED = 0.02
LINKS = ("/etc/passwd", "../../../escape", "/escape", "..", None, "/dev/zero", "/dev/null")


def mutated(path: Path, text: bool, generator: Generator) -> None:
    """Damage a file in place, in one to four ways, or put a link in its place."""
    if generator.random() < LINKED:
        target = LINKS[int(generator.integers(len(LINKS)))]
        path.unlink()
        path.symlink_to(path if target is None else target)
        return
    for _ in range(int(generator.integers(1, 5))):
        if generator.random() < 0.6 and (structured(path, generator) if text else container(path, generator)):
            continue
        ways = (*BYTES, *(TEXT if text else ()))
        data = path.read_bytes()
        path.write_bytes(ways[int(generator.integers(len(ways)))](data, generator))


def structured(path: Path, generator: Generator) -> bool:
    """Change one value or key of a JSON or YAML file; False where it is none any more."""
    read, write = (json.loads, json.dumps) if "json" in path.suffix else (yaml.safe_load, yaml.safe_dump)
    if path.suffix not in (".json", ".yaml", ".yml", ".geojson"):
        return False
    try:
        document = read(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError, RecursionError):
        return False
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place))) if isinstance(place, list) else []
        if not keys:
            return False
        key = keys[int(generator.integers(len(keys)))]
        if isinstance(place[key], dict | list) and place[key] and generator.random() < 0.85:
            place = place[key]
            continue
        break
    choice = generator.random()
    if choice < 0.6:
        place[key] = STRANGE[int(generator.integers(len(STRANGE)))]
    elif choice < 0.8:
        del place[key]
    elif isinstance(place, dict):
        place[f"{key}x"] = place.pop(key)
    else:
        place.append(place[key])
    try:
        path.write_text(write(document), encoding="utf-8")
    except (UnicodeEncodeError, yaml.YAMLError, OverflowError):
        return False
    return True


def container(path: Path, generator: Generator) -> bool:
    """Change one attribute, value or name inside an HDF5 file; False where it can no longer be opened."""
    try:
        with h5py.File(path, "r+") as file:
            names: list[str] = []
            file.visit(names.append)
            target = file[names[int(generator.integers(len(names)))]] if generator.random() < 0.85 else file
            CONTAINER[int(generator.integers(len(CONTAINER)))](target, generator)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError):
        return False
    return True


def _attribute(target: h5py.HLObject, generator: Generator) -> None:
    known = [name for name in target.attrs if not name.isupper()] or ["units"]
    name = known[int(generator.integers(len(known)))]
    value = STRANGE[int(generator.integers(len(STRANGE)))]
    if value is None:
        del target.attrs[name]
    else:
        target.attrs[name] = value if isinstance(value, str | int | float | bool) else str(value)


def _values(target: h5py.HLObject, generator: Generator) -> None:
    if not isinstance(target, h5py.Dataset) or not target.size or target.dtype.kind not in "iuf":
        return
    strange = (np.nan, np.inf, -np.inf, 1e30, -1.0, 0.0, 1e9)[int(generator.integers(7))]
    share = (1.0, 0.1)[int(generator.integers(2))]
    values = target[()]
    with np.errstate(all="ignore"):
        target[...] = np.where(generator.random(values.shape) < share, np.nan_to_num(strange).astype(target.dtype)
                               if target.dtype.kind in "iu" else strange, values)  # fmt: skip


def _renamed(target: h5py.HLObject, generator: Generator) -> None:
    parent = target.parent
    if target.name != "/":
        name = target.name.rpartition("/")[2]
        parent.move(name, f"{name}_{int(generator.integers(9))}")


def _removed(target: h5py.HLObject, _: Generator) -> None:
    if target.name != "/":
        del target.parent[target.name]


CONTAINER = (_attribute, _attribute, _values, _values, _renamed, _removed)


def _flip(data: bytes, generator: Generator) -> bytes:
    values = bytearray(data)
    for _ in range(int(generator.integers(1, 20))):
        if values:
            values[int(generator.integers(len(values)))] ^= 1 << int(generator.integers(8))
    return bytes(values)


def _cut(data: bytes, generator: Generator) -> bytes:
    return data[: int(generator.integers(len(data) + 1))]


def _zeros(data: bytes, generator: Generator) -> bytes:
    if not data:
        return data
    start = int(generator.integers(len(data)))
    length = int(generator.integers(1, 256))
    return data[:start] + b"\0" * len(data[start : start + length]) + data[start + length :]


def _inserted(data: bytes, generator: Generator) -> bytes:
    start = int(generator.integers(len(data) + 1))
    return data[:start] + generator.bytes(int(generator.integers(1, 64))) + data[start:]


def _doubled(data: bytes, generator: Generator) -> bytes:
    start = int(generator.integers(len(data) + 1))
    piece = data[start : start + int(generator.integers(1, 2000))]
    return data[:start] + piece + piece + data[start + len(piece) :]


def _lines(data: bytes, generator: Generator) -> bytes:
    lines = data.split(b"\n")
    generator.shuffle(lines)  # type: ignore[arg-type]
    return b"\n".join(lines)


def _words(data: bytes, generator: Generator) -> bytes:
    words = data.split(b" ")
    if len(words) > 1:
        place = int(generator.integers(len(words)))
        words[place] = str(STRANGE[int(generator.integers(len(STRANGE)))]).encode("utf-8", "surrogatepass")
    return b" ".join(words)


Way = Callable[[bytes, Generator], bytes]
BYTES: tuple[Way, ...] = (_flip, _flip, _cut, _zeros, _inserted, _doubled)
TEXT: tuple[Way, ...] = (_lines, _words, _words, _words)
