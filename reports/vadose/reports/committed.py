"""The committed results of the site project, `site/data/`: skill, and the experiments about the validation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from vadose.common import InputError, read_json


def read_table(path: Path) -> pd.DataFrame:
    """A parquet file; a missing or broken one is an `InputError` that names it."""
    try:
        return pd.read_parquet(path)
    except FileNotFoundError as error:
        raise InputError(f"no file {path.name}", where=str(path)) from error
    except (OSError, ValueError) as error:
        raise InputError(f"not a readable parquet file: {error}", where=str(path)) from error


@dataclass(frozen=True)
class Skill:
    """The committed results of the experiments, `site/data/skill/`."""

    folder: Path

    @cached_property
    def about(self) -> dict[str, Any]:
        """`skill.json`: command, commit, machine, date, what is partial."""
        document: dict[str, Any] = read_json(self.folder / "skill.json")
        return document

    @cached_property
    def scores(self) -> pd.DataFrame:
        """`scores.parquet`."""
        return read_table(self.folder / "scores.parquet")

    @cached_property
    def memory(self) -> pd.DataFrame | None:
        """`memory.parquet`: error against length of the past."""
        path = self.folder / "memory.parquet"
        return read_table(path) if path.is_file() else None

    @cached_property
    def costs(self) -> pd.DataFrame | None:
        """`costs.parquet`."""
        path = self.folder / "costs.parquet"
        return read_table(path) if path.is_file() else None


@dataclass(frozen=True)
class Experiment:
    """One committed experiment: what was run, and its tables."""

    name: str
    about: dict[str, Any]
    tables: dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Evidence:
    """Experiments about the validation itself: `skill/coverage.*` and `validation/`, below `site/data`."""

    data: Path

    @cached_property
    def coverage(self) -> Experiment | None:
        """The trial of the intervals."""
        return experiment(self.data / "skill" / "coverage.json")

    @cached_property
    def experiments(self) -> list[Experiment]:
        """Experiments on real data, by the name of their description."""
        found = (experiment(path) for path in sorted((self.data / "validation").glob("*.json")))
        return [one for one in found if one is not None]


def experiment(path: Path) -> Experiment | None:
    """A JSON file that says what was run, with its tables; None without it.

    Its tables are those that it names under `tables`, else the parquet files whose names begin as its own.
    """
    if not path.is_file():
        return None
    about = read_json(path)
    if not isinstance(about, dict):
        raise InputError("holds no description of an experiment", where=str(path))
    if "tables" in about:
        listed = sorted(str(name) for name in about["tables"])
        return Experiment(path.stem, about, {name: read_table(path.parent / f"{name}.parquet") for name in listed})
    names = {one.stem for one in path.parent.glob("*.json")}
    tables = {}
    for file in sorted(path.parent.glob(f"{path.stem}*.parquet")):
        rest = file.stem.removeprefix(path.stem)
        if file.stem == path.stem or (rest.startswith(("-", "_")) and file.stem not in names):
            tables[file.stem] = read_table(file)
    return Experiment(path.stem, about, tables)
