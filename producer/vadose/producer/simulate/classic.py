"""NetCDF classic files (CDF-1) as bytes: a header made once, then one cheap file a day; and a reader of the same."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

_TAGS = {"dimension": 10, "variable": 11, "attribute": 12}
# NetCDF external type -> numpy big-endian type.
_TYPES = {1: ">i1", 2: "S1", 3: ">i2", 4: ">i4", 5: ">f4", 6: ">f8"}
_CODES = {"i1": 1, "i2": 3, "i4": 4, "f4": 5, "f8": 6}


class NotClassicError(ValueError):
    """The bytes are not a whole CDF-1 file."""


@dataclass(frozen=True)
class Variable:
    """A variable to be: type (`i2`, `i4`, `f4`, `f8`), names of its dimensions, attributes."""

    dtype: str
    dims: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Template:
    """A file whose header and constant variables are ready; `render` adds the changing ones."""

    prefix: bytes
    changing: tuple[tuple[str, str, tuple[int, ...]], ...]

    def render(self, values: Mapping[str, npt.NDArray[Any]]) -> bytes:
        """The bytes of a whole file; `values` holds every changing variable in its shape."""
        parts = [self.prefix]
        for name, dtype, shape in self.changing:
            array = np.asarray(values[name])
            if array.size != math.prod(shape):
                raise ValueError(f"{name} needs {math.prod(shape)} values, got {array.size}")
            parts.append(_padded(array.astype(f">{dtype}", copy=False).tobytes()))
        return b"".join(parts)


def make_template(
    dims: Mapping[str, int],
    variables: Mapping[str, Variable],
    constants: Mapping[str, npt.NDArray[Any]],
    attributes: Mapping[str, Any],
) -> Template:
    """Lay out a file: constant variables first, the others after them in their order."""
    order = [name for name in variables if name in constants] + [name for name in variables if name not in constants]
    sizes = {name: _padded_size(variables[name], dims) for name in order}
    length = len(_header(dims, variables, order, dict.fromkeys(order, 0), attributes))
    begins, position = {}, length
    for name in order:
        begins[name] = position
        position += sizes[name]
    if position >= 2**31:
        raise ValueError(f"a classic file ends before 2 GiB, this one would be {position} bytes")
    header = _header(dims, variables, order, begins, attributes)
    fixed = b"".join(
        _padded(np.asarray(constants[name]).astype(f">{variables[name].dtype}").tobytes())
        for name in order
        if name in constants
    )
    changing = tuple(
        (name, variables[name].dtype, _shape(variables[name], dims)) for name in order if name not in constants
    )
    return Template(header + fixed, changing)


def _shape(variable: Variable, dims: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(dims[name] for name in variable.dims)


def _padded_size(variable: Variable, dims: Mapping[str, int]) -> int:
    return -(-np.dtype(variable.dtype).itemsize * math.prod(_shape(variable, dims)) // 4) * 4


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _name(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">i", len(data)) + _padded(data)


def _attributes(attributes: Mapping[str, Any]) -> bytes:
    if not attributes:
        return struct.pack(">ii", 0, 0)
    parts = [struct.pack(">ii", _TAGS["attribute"], len(attributes))]
    for name, value in attributes.items():
        if isinstance(value, str):
            data, code, count = value.encode(), 2, len(value.encode())
        else:
            array = np.atleast_1d(np.asarray(value))
            code, count = _CODES[array.dtype.str[1:]], array.size
            data = array.astype(array.dtype.newbyteorder(">")).tobytes()
        parts.append(_name(name) + struct.pack(">ii", code, count) + _padded(data))
    return b"".join(parts)


def _header(
    dims: Mapping[str, int],
    variables: Mapping[str, Variable],
    order: list[str],
    begins: Mapping[str, int],
    attributes: Mapping[str, Any],
) -> bytes:
    numbers = {name: number for number, name in enumerate(dims)}
    parts = [b"CDF\x01", struct.pack(">i", 0), struct.pack(">ii", _TAGS["dimension"], len(dims))]
    parts += [_name(name) + struct.pack(">i", size) for name, size in dims.items()]
    parts += [_attributes(attributes), struct.pack(">ii", _TAGS["variable"], len(order))]
    for name in order:
        variable = variables[name]
        ids = [numbers[dim] for dim in variable.dims]
        parts += [_name(name), struct.pack(f">i{len(ids)}i", len(ids), *ids), _attributes(variable.attributes)]
        parts.append(struct.pack(">iii", _CODES[variable.dtype], _padded_size(variable, dims), begins[name]))
    return b"".join(parts)


@dataclass(frozen=True)
class Placed:
    """A variable of a file: numpy type, shape, attributes, and where its values begin."""

    dtype: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    attributes: dict[str, Any]
    begin: int

    def read(self, data: bytes) -> npt.NDArray[Any]:
        """Its values, big-endian, a view of `data`."""
        return np.frombuffer(data, self.dtype, math.prod(self.shape), self.begin).reshape(self.shape)


@dataclass(frozen=True)
class Header:
    """The parsed header of a CDF-1 file without a record dimension."""

    length: int
    size: int
    attributes: dict[str, Any]
    variables: dict[str, Placed]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        part = self.data[self.position : self.position + count]
        if len(part) < count:
            raise NotClassicError(f"the header ends at byte {len(self.data)}")
        self.position += count
        return part

    def integer(self) -> int:
        return int(struct.unpack(">i", self.take(4))[0])

    def name(self) -> str:
        length = self.integer()
        return self.take(length + -length % 4)[:length].decode()

    def count(self, tag: str) -> int:
        found, count = self.integer(), self.integer()
        if found not in (0, _TAGS[tag]):
            raise NotClassicError(f"expected a list of {tag}s at byte {self.position - 8}")
        return count

    def attributes(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for _ in range(self.count("attribute")):
            name, code, count = self.name(), self.integer(), self.integer()
            size = np.dtype(_TYPES[code]).itemsize * count
            raw = self.take(size + -size % 4)[:size]
            result[name] = raw.decode() if code == 2 else np.frombuffer(raw, _TYPES[code]).astype(_TYPES[code][1:])
        return result


def parse_header(data: bytes) -> Header:
    """Parse the header of a CDF-1 file.

    Raises
    ------
    NotClassicError
        For any other format, a record dimension, or a header that is cut off.
    """
    reader = _Reader(data)
    if reader.take(4) != b"CDF\x01":
        raise NotClassicError("not a CDF-1 file")
    if reader.integer() != 0:
        raise NotClassicError("files with a record dimension are read by netCDF4")
    dims = [(reader.name(), reader.integer()) for _ in range(reader.count("dimension"))]
    attributes = reader.attributes()
    variables, end = {}, 0
    for _ in range(reader.count("variable")):
        name = reader.name()
        ids = [reader.integer() for _ in range(reader.integer())]
        own = reader.attributes()
        code, size, begin = reader.integer(), reader.integer(), reader.integer()
        variables[name] = Placed(
            _TYPES[code], tuple(dims[i][0] for i in ids), tuple(dims[i][1] for i in ids), own, begin
        )
        end = max(end, begin + size)
    return Header(reader.position, end, attributes, variables)
