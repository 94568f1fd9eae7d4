"""What is compared with what: the settings of a run, from the command line or one YAML file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadose.common import UsageError
from vadose.validation.declarations import read_yaml
from vadose.validation.options import Options

STATIONS = "stations"
_RESERVED = (STATIONS, "climatology", "in situ", "")


@dataclass(frozen=True)
class Settings:
    """What is compared with what; all paths as given, products as (name, path).

    Attributes
    ----------
    product, previous, rivals, references
        Names and paths; a path may end in `::variable`.
    stations
        Station files.
    recipe
        Name or path of the recipe whose gates are asked.
    cards
        Product cards: `NAME=FILE`, or a file whose `product` is the name of a product.
    models
        Where a `model.json` may lie when the product's provenance has none.
    hidden
        File of filled and hidden values of a training under P6, for the gate `gap_days`.
    options
        How to score.
    maps
        Whether maps are compared with each other, where there is a gridded reference.
    memory_bytes
        What series may take in memory; larger maps are read block by block. It changes no figure.
    """

    product: tuple[str, str]
    stations: tuple[Path, ...] = ()
    recipe: str | None = None
    previous: tuple[str, str] | None = None
    rivals: tuple[tuple[str, str], ...] = ()
    references: tuple[tuple[str, str], ...] = ()
    cards: tuple[str, ...] = ()
    models: tuple[Path, ...] = ()
    hidden: Path | None = None
    options: Options = field(default_factory=Options)
    maps: bool = True
    memory_bytes: int = 2 * 2**30

    def __post_init__(self) -> None:
        names = [name for name, _ in self.every_product]
        repeated = sorted({name for name in names if names.count(name) > 1 or name in _RESERVED})
        if repeated:
            raise UsageError(f"names {', '.join(map(repr, repeated))} are given twice or kept for other things")
        if not self.stations and not self.references:
            raise UsageError("nothing to compare with", next="add --stations FILE or --reference NAME=PATH")

    @property
    def every_product(self) -> tuple[tuple[str, str], ...]:
        """All names and paths: ours, previous, rivals, references."""
        return (self.product, *([self.previous] if self.previous else []), *self.rivals, *self.references)


# Keys of a settings file, with what a value of each is.
KEYS: Mapping[str, str] = {
    "product": "text", "stations": "list", "recipe": "text", "previous": "text", "rivals": "list",
    "references": "list", "cards": "list", "model": "text", "hidden": "text", "allow_day_mismatch": "yes or no",
    "seed": "number", "interval": "text", "scalings": "list", "cross_fit": "yes or no",
    "anomaly_before_matching": "yes or no", "margins": "numbers", "adjust": "text", "sensors": "text",
    "strict": "yes or no", "maps": "yes or no", "out": "text",
}  # fmt: skip
_SINGULAR = {
    "rival": "rivals",
    "reference": "references",
    "card": "cards",
    "scaling": "scalings",
    "station": "stations",
    "margin": "margins",
}


def read_settings(path: Path) -> dict[str, Any]:
    """The keys of a settings file; an unknown one is a `UsageError` with the nearest known one.

    Products may be written as `NAME=PATH` or, for lists of them, as a mapping of names to paths.
    """
    values = read_yaml(path, "settings")
    if not isinstance(values, dict):
        raise UsageError("settings are a mapping of keys", where=str(path))
    out: dict[str, Any] = {}
    for key, value in values.items():
        name = _SINGULAR.get(str(key), str(key))
        if name not in KEYS:
            near = difflib.get_close_matches(name, [*KEYS, *_SINGULAR], n=1)
            raise UsageError(f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""), where=str(path))
        out[name] = _checked(name, value, path)
    return out


def _checked(name: str, value: Any, path: Path) -> Any:
    kind = KEYS[name]
    if kind == "list":
        if isinstance(value, dict):
            return [f"{key}={item}" for key, item in value.items()]
        return [str(item) for item in value] if isinstance(value, list) else [str(value)]
    if kind == "numbers":
        return _numbers(name, value, path)
    truth = isinstance(value, bool)
    right = {"text": isinstance(value, str), "number": isinstance(value, int) and not truth, "yes or no": truth}
    if not right[kind]:
        raise UsageError(f"{name}: {value!r} is no {kind}", where=str(path))
    return value


def _numbers(name: str, value: Any, path: Path) -> dict[str, float]:
    """A mapping of names to numbers."""
    if not isinstance(value, dict):
        raise UsageError(f"{name}: {value!r} is no mapping of names to numbers", where=str(path))
    wrong = [key for key, one in value.items() if isinstance(one, bool) or not isinstance(one, int | float)]
    if wrong:
        raise UsageError(f"{name}: {wrong[0]}: {value[wrong[0]]!r} is no number", where=str(path))
    return {str(key): float(one) for key, one in value.items()}


def named_numbers(texts: Sequence[str], option: str) -> dict[str, float]:
    """Numbers by name of `NAME=NUMBER`, as typed."""
    out: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            out[name] = float(number)
        except ValueError:
            raise UsageError(f"{option} {text!r} is not NAME=NUMBER", next=f"write it like {option} r=0.02") from None
    return out
