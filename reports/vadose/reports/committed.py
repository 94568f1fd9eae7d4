"""The committed results of the site project, `site/data/`: skill, and the experiments about the validation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from vadose.common import InputError, read_json
from vadose.reports.sheets import read_sheets

CURVE_COLUMNS = ("figure", "panel", "series", "x", "y", "low", "high", "unit")


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

    @cached_property
    def density(self) -> pd.DataFrame | None:
        """`density.parquet`: counts of test values by what was observed and what was predicted."""
        path = self.folder / "density.parquet"
        return read_table(path) if path.is_file() else None


@dataclass(frozen=True)
class Experiment:
    """One committed experiment: what was run, its tables, and the file of its maps."""

    name: str
    about: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    maps: Path | None = None


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
        frames = {name: read_table(path.parent / f"{name}.parquet") for name in listed}
        return Experiment(path.stem, about, frames, _maps(path))
    names = {one.stem for one in path.parent.glob("*.json")}
    tables = {}
    for file in sorted(path.parent.glob(f"{path.stem}*.parquet")):
        rest = file.stem.removeprefix(path.stem)
        if file.stem == path.stem or (rest.startswith(("-", "_")) and file.stem not in names):
            tables[file.stem] = read_table(file)
    return Experiment(path.stem, about, tables, _maps(path))


def _maps(path: Path) -> Path | None:
    maps = path.with_name(f"{path.stem}_maps.nc")
    return maps if maps.is_file() else None


def is_curves(frame: pd.DataFrame) -> bool:
    """Whether a table holds curves to be drawn."""
    return set(CURVE_COLUMNS) <= set(frame.columns)


@dataclass(frozen=True)
class System:
    """One published system: the folder `site/data/experiments/<recipe>/`."""

    folder: Path

    @property
    def recipe(self) -> str:
        """Name of its recipe."""
        return self.folder.name

    @cached_property
    def paper(self) -> dict[str, Any]:
        """`paper.yaml`: what the paper states, which methods are its own, and where each of its outputs is."""
        path = self.folder / "paper.yaml"
        try:
            found = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"not valid YAML: {' '.join(str(error).split())}", where=str(path)) from error
        lacking = [key for key in ("title", "citation", "claim", "questions", "outputs") if key not in (found or {})]
        if lacking:
            raise InputError(f"no {', '.join(lacking)} in the description of a system", where=str(path))
        return dict(found)

    @cached_property
    def experiments(self) -> list[Experiment]:
        """What was run for it: every JSON file of its folder with its tables."""
        found = (experiment(path) for path in sorted(self.folder.glob("*.json")))
        return [one for one in found if one is not None]

    @property
    def words(self) -> set[str]:
        """Every table and figure that an output of the paper may be found in."""
        tables = {name: frame for one in self.experiments for name, frame in one.tables.items()}
        drawn = {str(f) for frame in tables.values() if is_curves(frame) for f in frame["figure"].unique()}
        mapped = {name for one in self.experiments if one.maps for name in read_sheets(one.maps).names}
        return {*tables, *drawn, *mapped}


def systems(data: Path) -> list[System]:
    """The systems below `site/data/experiments/`."""
    return [System(path.parent) for path in sorted((data / "experiments").glob("*/paper.yaml"))]
