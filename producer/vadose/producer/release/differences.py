"""What changed between two versions: headers, coverage and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.common import UsageError
from vadose.producer.granules.flags import FLAGS
from vadose.producer.granules.names import parse_name
from vadose.producer.granules.reading import CLOSED_LIST, Granule, read_granule
from vadose.producer.release.folder import Folder
from vadose.producer.release.score_changes import score_changes

Fields = Mapping[str, npt.NDArray[Any]]

BAND_DEGREES = 30


def granule_paths(folder: Folder) -> list[str]:
    """Paths of all granules inside a version, the static file apart, in the order of their names."""
    return [path for path in folder.files() if path.endswith(".nc") and ("/DAILY/" in path or "/MONTHLY/" in path)]


def granules_by_period(folder: Folder) -> dict[date, Path]:
    """Granules of a version by the first day of their day or month, ascending."""
    found = {parse_name(Path(path).name).day: folder.path / path for path in granule_paths(folder)}
    return dict(sorted(found.items()))


@dataclass
class Difference:
    """Sums over pairs of granules of the same day or month, from which the statistics of their difference follow."""

    pairs: int = 0
    count: int = 0
    largest: float = 0.0
    total: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    cells: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    flags: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(FLAGS)))
    by_flag: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((len(FLAGS), 3)))

    def add(self, one: Fields, other: Fields, rows: slice = slice(None)) -> None:
        """Take in the stored fields of a pair, by name, or some rows of them; (row, column) or (time of one, ...)."""
        (sm, flag), (new_sm, new_flag) = (
            tuple(np.reshape(x[name], x[name].shape[-2:])[rows] for name in ("sm", "flag")) for x in (one, other)
        )
        both = (sm >= 0) & (new_sm >= 0)
        change = new_sm[both].astype(np.float64) - sm[both]
        self.pairs += 1
        self.count += change.size
        self.total += [change.sum(), np.abs(change).sum(), (change**2).sum()]
        self.largest = max(self.largest, float(np.abs(change).max(initial=0.0)))
        expected = (new_flag & FLAGS[0].mask) == 0
        self.cells += [expected.sum(), (sm >= 0).sum(), (new_sm >= 0).sum()]
        differing = flag ^ new_flag
        self.flags += [float(((differing & item.mask) != 0)[expected].sum()) for item in FLAGS]
        set_in_either = (flag | new_flag)[both]
        for k, item in enumerate(FLAGS):
            part = change[(set_in_either & item.mask) != 0]
            self.by_flag[k] += [part.size, part.sum(), (part**2).sum()]

    def result(self, old: str = "old", new: str = "new") -> dict[str, Any]:
        """The statistics: `coverage` of both, `values` (second minus first, m3 m-3) and `flags`."""
        mean = self.total / max(self.count, 1)
        expected = max(self.cells[0], 1)
        return {
            "coverage": {old: float(self.cells[1] / expected), new: float(self.cells[2] / expected)},
            "values": {
                "mean_difference": float(mean[0]), "mean_absolute_difference": float(mean[1]),
                "root_mean_square_difference": float(np.sqrt(mean[2])), "largest_difference": self.largest,
            },
            "flags": {item.name: float(self.flags[k] / expected) for k, item in enumerate(FLAGS)},
            "values_where_flagged": {
                item.name: {
                    "values": int(count), "mean_difference": float(total / count),
                    "root_mean_square_difference": float(np.sqrt(squares / count)),
                }
                for item, (count, total, squares) in zip(FLAGS, self.by_flag, strict=True) if count
            },
        }  # fmt: skip


def difference(old: Folder, new: Folder) -> dict[str, Any]:
    """Difference of two versions over the days in both.

    Returns
    -------
    dict
        `days` in both; `coverage` old and new (share of the expected cells given); `values`: mean difference,
        mean absolute difference, root mean square and largest difference of `sm`, new minus old, m3 m-3, where
        both give one; `flags`: share of the cells whose bit differs; `values_where_flagged`: the difference where a bit
        is set in either; `regions`: the same by bands of 30 degrees of latitude; `headers`: differences in words;
        `scores`: those of both runs;
        `streams`, where days of the old version's ICDR are CDR in the new one: the same over those days alone.
    """
    before, after = granules_by_period(old), granules_by_period(new)
    common = sorted(set(before) & set(after))
    whole, streams, bands = Difference(), Difference(), dict[str, Difference]()
    headers: list[str] = []
    for day in common:
        other = read_granule(after[day])
        one = other if before[day].name == after[day].name else read_granule(before[day])
        headers = headers or header_difference(one, other)
        fields, new_fields, lat = common_cells(one.values, other.values)
        whole.add(fields, new_fields)
        for name, rows in latitude_bands(lat):
            bands.setdefault(name, Difference()).add(fields, new_fields, rows)
        if (parse_name(before[day].name).stream, parse_name(after[day].name).stream) == ("ICDR", "CDR"):
            streams.add(fields, new_fields)
    found = {
        "old": old.version, "new": new.version, "days": len(common), **whole.result(), "headers": headers,
        "regions": {name: part.result() for name, part in bands.items()}, "scores": score_changes(old, new),
    }  # fmt: skip
    if streams.pairs:
        found["streams"] = {"days": streams.pairs, **streams.result("icdr", "cdr")}
    return found


def common_cells(one: Fields, other: Fields) -> tuple[Fields, Fields, npt.NDArray[np.float64]]:
    """Stored `sm` and `flag` of the cells in both of two windows of a grid, and their latitudes, from the north.

    Windows without a common cell, and grids of other centres, are a `UsageError`.
    """
    if all(np.array_equal(one[name], other[name]) for name in ("lat", "lon")):
        return one, other, other["lat"]
    kept = [{name: np.isin(part[name], rest[name]) for name in ("lat", "lon")}
            for part, rest in ((one, other), (other, one))]  # fmt: skip
    if not all(inside.any() for part in kept for inside in part.values()):
        raise UsageError("the two versions have no cell in common", next="name two versions of one product")
    cut = [{name: field[name][..., inside["lat"], :][..., inside["lon"]] for name in ("sm", "flag")}
           for field, inside in zip((one, other), kept, strict=True)]  # fmt: skip
    return cut[0], cut[1], other["lat"][kept[1]["lat"]]


def header_difference(one: Granule, other: Granule) -> list[str]:
    """Attributes and variables that are new, gone or changed, in words; the closed list does not count."""
    lines = [f"variable {name} is new" for name in sorted(set(other.variables) - set(one.variables))]
    lines += [f"variable {name} is gone" for name in sorted(set(one.variables) - set(other.variables))]
    pairs = [("", one.attributes, other.attributes)]
    pairs += [
        (name, one.variables[name].attributes, other.variables[name].attributes)
        for name in sorted(set(one.variables) & set(other.variables))
    ]
    for name, before, after in pairs:
        for key in sorted(set(before) | set(after)):
            if name == "" and key in CLOSED_LIST:
                continue
            if not np.array_equal(before.get(key), after.get(key)):  # type: ignore[arg-type]
                lines.append(f"{name}:{key} was {before.get(key)!r}, is {after.get(key)!r}")
    return lines


def header_changes(old: Granule, new: Granule) -> tuple[list[str], list[str]]:
    """What a header gains, and what is lost or changed; the attributes that differ between granules do not count."""
    added = [f"variable {name}" for name in sorted(set(new.variables) - set(old.variables))]
    changed = [f"variable {name} is gone" for name in sorted(set(old.variables) - set(new.variables))]
    places = [("", old.attributes, new.attributes)]
    for name in sorted(set(old.variables) & set(new.variables)):
        one, other = old.variables[name], new.variables[name]
        changed += [
            f"{what} of {name} was {getattr(one, what)}, is {getattr(other, what)}"
            for what in ("dtype", "dims", "chunk", "shuffle", "deflate")
            if getattr(one, what) != getattr(other, what)
        ]
        places.append((name, one.attributes, other.attributes))
    for name, before, after in places:
        for key in sorted(set(before) | set(after)):
            if name == "" and key in CLOSED_LIST:
                continue
            if key not in before:
                added.append(f"{name}:{key}")
            elif key not in after or not np.array_equal(before[key], after[key]):
                changed.append(f"{name}:{key} was {before[key]!r}, is {after.get(key)!r}")
    return added, changed


def latitude_bands(lat: npt.NDArray[np.float64]) -> Iterator[tuple[str, slice]]:
    """Bands of 30 degrees that hold rows, from the north, with those rows; `lat` descends."""
    for top in range(90, -90, -BAND_DEGREES):
        inside = np.flatnonzero((lat < top) & (lat >= top - BAND_DEGREES))
        if inside.size:
            yield f"{_degrees(top)} to {_degrees(top - BAND_DEGREES)}", slice(int(inside[0]), int(inside[-1]) + 1)


def _degrees(lat: int) -> str:
    return f"{abs(lat)} {'N' if lat > 0 else 'S'}" if lat else "0"
