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
class Evidence:
    """The committed results of experiments about the validation itself: `skill/coverage.*` and `validation/*`."""

    data: Path
