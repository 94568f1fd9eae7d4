"""The daily (or composite) files of one product, read in the order of their days, with what identifies them."""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.common.progress import Step
from vadose.producer.grids import nearest_cells
from vadose.producer.ingest.card import Card, CardVariable, load_card
from vadose.producer.ingest.native import one_file_a_day, open_netcdf, require, stated_units
from vadose.producer.simulate.classic import Header, NotClassicError, parse_header

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.int32]
Days = npt.NDArray[np.datetime64]

EPOCH = np.datetime64("1970-01-01", "D")
AGAIN = "get the file again; of a simulated world, remove it, then vadose fetch simulated"
_NAME = re.compile(r"_(\d{4})(\d{2})(\d{2})\.nc$")


@dataclass(frozen=True)
class DayFiles:
    """The files of one product in the order of their days, its card and the cells to take from each."""

    name: str
    card: Card
    variable: str
    starts: Days
    paths: tuple[Path, ...]
    take: npt.NDArray[np.int64]
    inside: npt.NDArray[np.bool_]

    @property
    def spec(self) -> CardVariable:
        """What the card says of the variable."""
        return self.card.variables[self.variable]


def nearest_source(
    source_lat: npt.NDArray[Any], source_lon: npt.NDArray[Any], lat: npt.NDArray[Any], lon: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Flat position of the nearest source centre of each point, and whether it lies within one source cell."""
    rows, columns = nearest_cells(source_lat, source_lon, lat, lon)
    height = np.abs(np.gradient(source_lat)) if source_lat.size > 1 else np.array([180.0])
    width = np.abs(np.gradient(source_lon)) if source_lon.size > 1 else np.array([360.0])
    inside = (np.abs(source_lat[rows] - lat) <= 0.51 * height[rows]) & (
        np.abs((source_lon[columns] - lon + 180.0) % 360.0 - 180.0) <= 0.51 * width[columns]
    )
    return rows * source_lon.size + columns, inside


def list_files(folder: Path, lat: npt.NDArray[Any], lon: npt.NDArray[Any]) -> DayFiles:
    """The files below `folder`, and which of their cells lie nearest to the points `lat`, `lon`.

    Raises
    ------
    InputError
        For no files, a name without a day, two files of one day, or a card that does not describe the product.
    """
    card = load_card(folder / "card.yaml")
    main = [native for native, spec in card.variables.items() if spec.name == folder.name]
    if not main:
        raise InputError(f"the card describes no variable {folder.name!r}", where=str(folder / "card.yaml"))
    found = []
    for path in folder.glob("*/*.nc"):
        if path.name.startswith("."):
            continue
        match = _NAME.search(path.name)
        if match is None:
            raise InputError("a file name does not end in _YYYYMMDD.nc", where=str(path))
        found.append((np.datetime64("-".join(match.groups()), "D"), path))
    if not found:
        raise InputError("no files", where=str(folder), next="vadose build RECIPE --check-inputs")
    ordered = one_file_a_day(found)
    with open_netcdf(ordered[0][1]) as dataset:
        take, inside = nearest_source(
            np.asarray(dataset.variables["lat"][:]), np.asarray(dataset.variables["lon"][:]), lat, lon
        )
    return DayFiles(
        folder.name,
        card,
        main[0],
        np.array([day for day, _ in ordered]),
        tuple(path for _, path in ordered),
        take,
        inside,
    )


class Reading:
    """The files of one product, read once each in the order of their days; their hashes are taken on the way.

    Attributes
    ----------
    units, period_days
        Of the stored values, and how many days one file speaks for: those of the first file.
    bytes
        Size of the files read so far.
    """

    def __init__(self, product: DayFiles, bar: Step) -> None:
        first = product.paths[0]
        self.product, self.bytes = product, 0
        self.units, self.period_days = _facts(first, product.variable, product.spec)
        self._digests: list[str] = []
        self._known, self._header = b"", cast("Header | None", None)
        self._files, self._bar = iter(enumerate(product.paths)), bar

    @property
    def sha256(self) -> str:
        """What identifies the files read so far."""
        return digest(self._digests)

    def next(self, count: int) -> tuple[Floats, Flags | None]:
        """Stored values and flags of the next `count` files, (file, cell); missing is NaN, and so are cells outside."""
        product, flag_name = self.product, self.product.spec.flags.variable if self.product.spec.flags else None
        values = np.empty((count, product.take.size), np.float32)
        flags = np.empty(values.shape, np.int32) if flag_name else None
        for position, (row, path) in enumerate(itertools.islice(self._files, count)):
            fields = self._fields(path)
            require(fields, product.variable, path)
            _check_day(fields["time"], product.starts[row], self.period_days, path)
            values[position] = fields[product.variable][product.take]
            if flags is not None:
                require(fields, str(flag_name), path)
                flags[position] = fields[str(flag_name)][product.take]
            self._bar.advance(1)
        values[:, ~product.inside] = np.nan
        return values, flags

    def _fields(self, path: Path) -> dict[str, npt.NDArray[Any]]:
        data = path.read_bytes()
        self._digests.append(hashlib.sha256(data).hexdigest())
        self.bytes += len(data)
        if self._header is None or data[: self._header.length] != self._known:
            self._header = _header(data, path)
            self._known = data[: self._header.length] if self._header else b""
        return _classic_fields(self._header, data, path) if self._header else _other_fields(path)


def _header(data: bytes, path: Path) -> Header | None:
    """The header of one of our own classic files; None for any other format."""
    try:
        return parse_header(data)
    except NotClassicError as error:
        if data[:4] == b"CDF\x01" and len(data) < 512:
            raise InputError(f"the file is cut off: {error}", where=str(path), next=AGAIN) from error
        return None


def _facts(path: Path, name: str, spec: CardVariable) -> tuple[str, int]:
    """Units and length of the period of a file."""
    with open_netcdf(path) as dataset:
        require(dataset.variables, name, path)
        units = stated_units(name, getattr(dataset.variables[name], "units", None), spec, None, path)
        bounds = dataset.variables.get("time_bnds")
        period = round(float(np.diff(np.asarray(bounds[0]))[0])) if bounds is not None else 1
    return units, period


def _classic_fields(header: Header, data: bytes, path: Path) -> dict[str, npt.NDArray[Any]]:
    """Flat variables of a classic file, floats with NaN for missing."""
    if len(data) < header.size:
        raise InputError(
            f"the file is cut off: {len(data):,} of {header.size:,} bytes",
            where=str(path),
            next=AGAIN,
        )
    fields = {}
    for name, placed in header.variables.items():
        if "time" not in placed.dims or name == "time_bnds":
            continue
        flat = placed.read(data).ravel()
        fill = placed.attributes.get("_FillValue")
        if placed.dtype == ">f4" and fill is not None:
            flat = np.where(flat == fill[0], np.float32(np.nan), flat)
        fields[name] = flat
    return fields


def _other_fields(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The same of a NetCDF file in any format."""
    fields = {}
    with open_netcdf(path) as dataset:
        for name, variable in dataset.variables.items():
            if "time" in variable.dimensions and name != "time_bnds":
                values = np.ma.asarray(variable[:])
                fields[name] = (values.filled(np.nan) if values.dtype.kind == "f" else np.ma.getdata(values)).ravel()
    return fields


def _check_day(time: npt.NDArray[Any], start: np.datetime64, period: int, path: Path) -> None:
    stated = EPOCH + int(np.floor(float(time[0]) - period / 2 + 1e-6))
    if time.size != 1 or stated != start:
        raise InputError(
            f"the file says it begins on {stated}, its name says {start}",
            where=str(path),
            next=AGAIN,
        )


def digest(digests: list[str]) -> str:
    """SHA-256 over the sorted SHA-256 of each file, one a line."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
