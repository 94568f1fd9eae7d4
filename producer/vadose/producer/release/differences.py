"""What changed between two versions: headers, coverage and values."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.producer.granules.flags import FLAGS
from vadose.producer.granules.names import parse_name
from vadose.producer.granules.reading import CLOSED_LIST, Granule, read_granule
from vadose.producer.release.folder import Folder


def granule_paths(folder: Folder) -> list[str]:
    """Paths of all granules inside a version, the static file apart, in the order of their names."""
    return [path for path in folder.files() if path.endswith(".nc") and ("/DAILY/" in path or "/MONTHLY/" in path)]


def granules_by_period(folder: Folder) -> dict[date, Path]:
    """Granules of a version by the first day of their day or month, ascending."""
    found = {parse_name(Path(path).name).day: folder.path / path for path in granule_paths(folder)}
    return dict(sorted(found.items()))


def difference(old: Folder, new: Folder) -> dict[str, Any]:
    """Difference of two versions over the days in both.

    Returns
    -------
    dict
        `days` in both; `coverage` old and new (share of the expected cells given); `values`: mean difference,
        mean absolute difference, root mean square and largest difference of `sm`, new minus old, m3 m-3, where
        both give one; `flags`: share of the cells whose bit differs; `headers`: differences in words.
    """
    before, after = granules_by_period(old), granules_by_period(new)
    common = sorted(set(before) & set(after))
    total, count, largest = np.zeros(3), 0, 0.0
    cells = np.zeros(3)
    flags = np.zeros(len(FLAGS))
    headers: list[str] = []
    for day in common:
        one, other = read_granule(before[day]), read_granule(after[day])
        headers = headers or header_difference(one, other)
        change = _change(one, other)
        total += [change.sum(), np.abs(change).sum(), (change**2).sum()]
        count += change.size
        largest = max(largest, float(np.abs(change).max(initial=0.0)))
        expected = (other.values["flag"] & FLAGS[0].mask) == 0
        cells += [expected.sum(), (one.values["sm"] >= 0).sum(), (other.values["sm"] >= 0).sum()]
        differing = one.values["flag"] ^ other.values["flag"]
        flags += [float(((differing & item.mask) != 0)[expected].sum()) for item in FLAGS]
    mean = total / max(count, 1)
    return {
        "old": old.version, "new": new.version, "days": len(common),
        "coverage": {"old": float(cells[1] / max(cells[0], 1)), "new": float(cells[2] / max(cells[0], 1))},
        "values": {
            "mean_difference": float(mean[0]), "mean_absolute_difference": float(mean[1]),
            "root_mean_square_difference": float(np.sqrt(mean[2])), "largest_difference": largest,
        },
        "flags": {item.name: float(flags[k] / max(cells[0], 1)) for k, item in enumerate(FLAGS)},
        "headers": headers,
    }  # fmt: skip


def _change(one: Granule, other: Granule) -> npt.NDArray[np.float64]:
    both = (one.values["sm"] >= 0) & (other.values["sm"] >= 0)
    return np.asarray(other.values["sm"][both].astype(np.float64) - one.values["sm"][both])


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


def markdown(found: dict[str, Any]) -> str:
    """The difference as a table."""
    rows = [("days in both", f"{found['days']}")]
    rows += [(f"coverage, {which}", f"{found['coverage'][which]:.4%}") for which in ("old", "new")]
    rows += [(key.replace("_", " "), f"{value:.6f} m3 m-3") for key, value in found["values"].items()]
    rows += [(f"{name} differs in", f"{share:.4%} of the cells") for name, share in found["flags"].items() if share]
    lines = [
        f"| {found['new']} against {found['old']} | |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in rows),
    ]
    return "\n".join([*lines, *(f"- {line}" for line in found["headers"])])
