"""The parts of a recipe that validation reads: its name, its target, its gates and waivers. Only the file is read."""

from __future__ import annotations

import importlib.resources
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vadose.common import UsageError, file_sha256
from vadose.validation.declarations import read_yaml

LEVELS = ("required", "advisory")


@dataclass(frozen=True)
class ListedGate:
    """A gate as a recipe lists it."""

    name: str
    level: str
    limits: dict[str, float]


@dataclass(frozen=True)
class Recipe:
    """What validation takes from a recipe."""

    name: str
    target: str | None
    gates: tuple[ListedGate, ...]
    waivers: tuple[dict[str, Any], ...]
    sha256: str


def load_recipe(name_or_path: str) -> Recipe:
    """Read a packaged recipe by name, or a YAML file."""
    path = Path(name_or_path) if Path(name_or_path).is_file() else _packaged(name_or_path)
    values = read_yaml(path, "recipe")
    try:
        gates = tuple(
            ListedGate(str(gate["name"]), str(gate["level"]), dict(gate.get("limits") or {}))
            for gate in values.get("gates") or []
        )
        name = str(values["recipe"])
    except (AttributeError, KeyError, TypeError) as error:
        raise UsageError(f"not a recipe: {error!r}", where=str(path)) from error
    wrong = [gate.name for gate in gates if gate.level not in LEVELS]
    if wrong:
        raise UsageError(f"gates {', '.join(wrong)} have a level other than {', '.join(LEVELS)}", where=str(path))
    return Recipe(name, values.get("target"), gates, tuple(values.get("waivers") or ()), file_sha256(path))


def _packaged(name: str) -> Path:
    known = _packaged_recipes()
    if name not in known:
        raise UsageError(
            f"no recipe {name!r}", why=f"packaged recipes: {', '.join(known) or 'none installed'}",
            next="name a packaged recipe or a YAML file",
        )  # fmt: skip
    return known[name]


def _packaged_recipes() -> dict[str, Path]:
    """The recipes that come with the producer, by name; none where only validation is installed."""
    try:
        folder = importlib.resources.files("vadose.producer.recipes")
    except ModuleNotFoundError:
        return {}
    files = sorted(Path(str(file)) for file in folder.iterdir())
    return {path.stem: path for path in files if path.suffix == ".yaml"}
