"""What was broken on purpose: committed counts of kills, full disks and fuzzed inputs, `site/data/faults/*.json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vadose.common import InputError, read_json
from vadose.reports.formats import count
from vadose.reports.output import Output

# What an exit code of the program says, for a reader.
EXITS = {
    "0": "read all the same", "1": "unexpected", "2": "refused as wrong usage", "3": "named as corrupt",
    "4": "a gate failed", "5": "partial, listed", "-9": "stopped after 30 s",
}  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """One file of counts as it stands on the page."""

    title: str
    about: tuple[tuple[str, str], ...]
    counts: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    heads: tuple[tuple[str, str], ...]
    fuzz: tuple[tuple[str, tuple[str, ...], str], ...]
    faults: tuple[str, ...]
    file: str


def trials(data: Path, output: Output) -> list[Trial]:
    """The files below `site/data/faults/`, by name; none where there is no such folder."""
    return [_trial(path, output) for path in sorted((data / "faults").glob("*.json"))]


def _trial(path: Path, output: Output) -> Trial:
    about = read_json(path)
    lacking = [name for name in ("command", "date") if not isinstance(about, dict) or not about.get(name)]
    if lacking:
        raise InputError(f"no {', '.join(lacking)} in the counts of a trial", where=str(path))
    file = f"data/faults/{path.name}"
    output.add(file, path.read_bytes())
    fuzz = about.get("fuzz") or {}
    exits = sorted({str(code) for row in fuzz.values() for code in row}, key=lambda code: (len(code), code))
    return Trial(
        title=_words(path.stem),
        about=tuple((word.capitalize(), str(about[word])) for word in ("command", "date", "seed") if word in about),
        counts=tuple(
            (caption, tuple((_words(name), _written(value)) for name, value in _flat(about[part])))
            for part, caption in (("kills", "Killed in the middle of the work"), ("disks", "Disks that were full"))
            if about.get(part)
        ),
        heads=tuple((code, EXITS.get(code, f"exit {code}")) for code in exits),
        fuzz=tuple(
            (_words(kind), tuple(count(row.get(code, 0)) for code in exits), count(sum(row.values())))
            for kind, row in sorted(fuzz.items())
        ),
        faults=tuple(_sentence(one) for one in about.get("faults") or []),
        file=file,
    )


def _flat(value: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Counts by their path: a count of a part stands behind the name of the whole."""
    rows: list[tuple[str, Any]] = []
    for name, item in value.items():
        path = f"{before}, {name}" if before else str(name)
        rows += _flat(item, path) if isinstance(item, dict) else [(path, item)]
    return rows


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "✓ yes" if value else "✗ no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else "–" if value is None else str(value)


def _sentence(one: Any) -> str:
    """A fault as it is told: a text, or an object whose parts stand one behind the other."""
    return "; ".join(f"{name}: {_written(item)}" for name, item in one.items()) if isinstance(one, dict) else str(one)


def _words(name: str) -> str:
    words = name.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]
