"""Files that users write in YAML: strict models, whose faults are named with the key and what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml

from vadose.common import UsageError, read_short


class Strict(pydantic.BaseModel):
    """A part of a declaration: frozen, and an unknown key is a fault."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


Declaration = TypeVar("Declaration", bound=Strict)


def read_yaml(path: Path, what: str) -> Any:
    """The content of a YAML file, which is called `what` in the message of a `UsageError`."""
    try:
        raw = read_short(path)
    except OSError as error:
        raise UsageError(f"cannot read the {what}: {error.strerror}", where=str(path)) from error
    return parsed_yaml(raw, str(path))


def parsed_yaml(raw: bytes, where: str) -> Any:
    """The content of YAML text; anything else is a `UsageError` at `where`."""
    try:
        return yaml.safe_load(raw.decode())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"not valid YAML: {error}", where=where) from error


def declared(model: type[Declaration], values: Any, where: str, parts: Sequence[type[Strict]] = ()) -> Declaration:
    """Values as a model; every fault in one `UsageError`.

    Parameters
    ----------
    model, values
        What is declared.
    where
        The file, for the message.
    parts
        Models inside this one, whose keys are proposed for unknown ones, too.
    """
    try:
        return model.model_validate(values)
    except pydantic.ValidationError as error:
        models: list[type[Strict]] = [model, *parts]
        known = [key for one in models for key in one.model_fields]
        faults = "; ".join(_fault(fault, known) for fault in error.errors())
        raise UsageError(faults, where=where, next=f"keys: {', '.join(model.model_fields)}") from error


def _fault(fault: Any, known: Sequence[str]) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] != "extra_forbidden":
        return f"{path}: {fault['msg']}"
    near = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
    return f"{path}: unknown key" + (f"; did you mean {near[0]!r}?" if near else "")
