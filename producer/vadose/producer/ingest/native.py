"""The mechanics of one native file: opening it, its provenance, its units, and the funnel of its values."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import numpy.typing as npt

from vadose.common import UNREADABLE, InputError, file_sha256
from vadose.common.deadline import opening
from vadose.common.reading import brief_reading, reading
from vadose.producer.cube import CubeWriter
from vadose.producer.ingest.base import Origin
from vadose.producer.ingest.card import CardVariable
from vadose.producer.vocabulary import check_plausible, conversion, screen, variable

Floats = npt.NDArray[np.float32]
Days = npt.NDArray[np.datetime64]

# Below this share of whole values, a field in percent is taken for a fraction that is called percent.
PERCENT_CEILING = 1.0
PERCENT_MINIMUM_COUNT = 100


@dataclass
class Funnel:
    """Where the values of one variable went: read = missing + outside_range + flagged + kept."""

    read: int = 0
    missing: int = 0
    outside_range: int = 0
    flagged: int = 0
    kept: int = 0

    def __add__(self, other: Funnel) -> Funnel:
        return Funnel(
            self.read + other.read,
            self.missing + other.missing,
            self.outside_range + other.outside_range,
            self.flagged + other.flagged,
            self.kept + other.kept,
        )


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the HDF5 and NetCDF libraries say of a damaged file into an `InputError` that names it."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError("no such file", where=str(path)) from error
    except UNREADABLE as error:
        size = f"{path.stat().st_size:,} bytes" if path.is_file() else "not a file"
        raise InputError(
            f"the file cannot be read: {error}",
            where=f"{path} ({size})",
            why="it is damaged, not complete or of another format",
            next="get the file again, then run the same command",
        ) from error


@contextlib.contextmanager
def open_netcdf(path: Path) -> Iterator[netCDF4.Dataset]:
    """A NetCDF file of any format; masking and scaling are left to the reader's own rules."""
    with readable(path), reading(path), _opened(path) as dataset:
        dataset.set_auto_maskandscale(True)
        yield dataset


def _opened(path: Path) -> netCDF4.Dataset:
    with opening(path):
        return netCDF4.Dataset(str(path))


@contextlib.contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file of a day."""
    with readable(path), brief_reading(path), h5py.File(path, "r") as file:
        yield file


def files_below(paths: Sequence[Path], suffixes: Sequence[str] = (), pattern: str = "*") -> list[Path]:
    """Files named, and files below folders named that have one of the suffixes (empty: any); hidden ones left out.

    Raises
    ------
    InputError
        Where a path does not exist, or there is no file.
    """
    found: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise InputError("no such file or folder", where=str(path), next="vadose fetch, or name it with --native")
        if path.is_file():
            found.add(path)
            continue
        below = (file for file in path.rglob(pattern) if file.is_file() and not file.name.startswith("."))
        found.update(file for file in below if not suffixes or file.suffix.lower() in suffixes)
    if not found:
        kind = f"{' or '.join(suffixes)} " if suffixes else ""
        raise InputError(f"no {kind}file", where=", ".join(map(str, paths)), next="vadose fetch, or name them")
    return sorted(found)


def require(available: Iterable[str], wanted: str, path: Path) -> None:
    """Raise an `InputError` with the known names where a file lacks a variable."""
    known = sorted(available)
    if wanted not in known:
        raise InputError(
            f"no variable {wanted!r}; the file holds {', '.join(known) or 'none'}",
            where=str(path),
            next="get the file again, or name it in a product card",
        )


def stated_units(native: str, attribute: Any, card: CardVariable | None, default: str | None, path: Path) -> str:
    """Units of a variable: those of the card, else of the file, else what its provider documents.

    Units that nobody states are an `InputError`: they are never guessed.
    """
    if card is not None and card.units is not None:
        return card.units
    if isinstance(attribute, bytes | np.bytes_):
        attribute = attribute.decode("utf-8", "replace")
    if attribute is not None:
        return str(attribute)
    if default is not None:
        return default
    raise InputError(
        "the file states no units",
        where=f"{path}, variable {native}",
        next="state the units in a product card beside the file",
    )


def to_vocabulary(
    values: npt.NDArray[np.floating[Any]],
    name: str,
    units: str,
    *,
    where: str,
    flagged: npt.NDArray[np.bool_] | None = None,
    layer_thickness_m: float | None = None,
    card: CardVariable | None = None,
) -> tuple[Floats, Funnel]:
    """Values in the units of the vocabulary, with everything impossible or flagged missing.

    Parameters
    ----------
    values
        Stored values in `units`, any shape; missing is NaN.
    flagged
        True where a quality flag refuses the value; same shape.

    Returns
    -------
    values, funnel
        float32 in the units of `name`, and how many went where.

    Raises
    ------
    InputError
        Where no rule leads from `units` to those of the vocabulary, or the values contradict `units`.
    """
    spec = variable(name)
    raw = np.asarray(values)
    if card is not None:
        raw = raw * card.factor + card.offset
        for fill in card.fill:
            raw = np.where(np.asarray(values) == fill, np.nan, raw)
    factor, offset = conversion(units, spec.units, where=where, layer_thickness_m=layer_thickness_m)
    _check_percent(raw, factor, units, name, where)
    converted = raw.astype(np.float32)
    if (factor, offset) != (1.0, 0.0):
        converted = (converted * np.float32(factor) + np.float32(offset)).astype(np.float32)
    check_plausible(converted, spec, units, where=where)
    missing = int(np.isnan(converted).sum())
    inside, outside = screen(converted, spec)
    refused = np.zeros(raw.shape, bool) if flagged is None else flagged & np.isfinite(inside)
    kept = np.where(refused, np.float32(np.nan), inside).astype(np.float32)
    funnel = Funnel(raw.size, missing, outside, int(refused.sum()), int(np.isfinite(kept).sum()))
    return kept, funnel


def _check_percent(raw: npt.NDArray[Any], factor: float, units: str, name: str, where: str) -> None:
    """Refuse a fraction that is declared as percent: no value of many exceeds 1."""
    if factor != 0.01:
        return
    finite = raw[np.isfinite(raw)]
    if finite.size >= PERCENT_MINIMUM_COUNT and finite.max() <= PERCENT_CEILING and finite.max() > 0:
        raise InputError(
            f"values contradict the units: none of {finite.size:,} values exceeds {PERCENT_CEILING:g} {units}",
            where=where,
            why=f"the file declares {units!r}; {name} looks like a fraction",
            next="state the right units in a product card beside the file",
        )


def check_days(days: Days, where: str) -> None:
    """Refuse days that are repeated or out of order, naming the first of them."""
    steps = np.diff(days.astype("datetime64[D]")).astype(int)
    for position in np.flatnonzero(steps <= 0)[:1]:
        what = "appears twice" if steps[position] == 0 else f"stands after {days[position]}"
        raise InputError(
            f"days must be unique and ascending: {days[position + 1]} {what}",
            where=where,
            next="remove or sort the days, then run the same command",
        )


def one_file_a_day(stamped: Sequence[tuple[np.datetime64, Path]]) -> list[tuple[np.datetime64, Path]]:
    """Files in the order of their days, whatever order they were named in; two files of one day are refused."""
    ordered = sorted(stamped, key=lambda item: (item[0], item[1].name))
    for (day, first), (next_day, second) in itertools.pairwise(ordered):
        if day == next_day:
            raise InputError(
                f"two files hold {day}",
                where=f"{first} and {second}",
                next="keep the newer of them",
            )
    return ordered


def in_days(days: Days, wanted: tuple[np.datetime64, np.datetime64] | None, where: str) -> npt.NDArray[np.bool_]:
    """Which days are wanted; none of them is an `InputError`."""
    if wanted is None:
        return np.ones(days.shape, bool)
    inside = (days >= wanted[0]) & (days <= wanted[1])
    if not inside.any():
        held = f"{days.min()}..{days.max()}" if days.size else "no day"
        raise InputError(f"no day of {wanted[0]}..{wanted[1]}; the files hold {held}", where=where)
    return np.asarray(inside)


def check_not_empty(name: str, funnel: Funnel, required: Sequence[str], where: str) -> None:
    """Refuse a required variable without a single value, with the funnel that says where they went."""
    if name in required and funnel.kept == 0:
        raise InputError(
            f"{name} has no value at all",
            where=where,
            why=f"of {funnel.read:,} read, {funnel.missing:,} missing, {funnel.outside_range:,} outside the "
            f"physical range, {funnel.flagged:,} flagged",
            next="choose other days, another region or a weaker flag rule, or leave the variable out",
        )


def input_sha256(path: Path) -> str:
    """SHA-256 of an input file; one that did not change since the last call is not read again."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@functools.cache
def _sha256(path: Path, size: int, changed_ns: int) -> str:  # the last two tell a changed file from a known one
    return file_sha256(path)


def record(writer: CubeWriter, path: Path, origin: Origin, roots: Sequence[Path] = ()) -> None:
    """Put a file into the provenance of a cube; its name is the path below one of `roots`."""
    root = next((root for root in roots if root.is_dir() and path.is_relative_to(root)), path.parent)
    allowed = {"passing_on": origin.passing_on, "commercial_use": origin.commercial_use}
    writer.source(
        name=path.relative_to(root).as_posix(),
        bytes=path.stat().st_size,
        sha256=input_sha256(path),
        producer=origin.producer,
        version=origin.version,
        licence=origin.licence,
        **{key: value for key, value in allowed.items() if value is not None},
    )
