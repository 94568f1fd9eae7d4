"""Finding a method by its name and reading its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pydantic

from vadose.common import UsageError
from vadose.producer.methods.base import Method, Settings
from vadose.producer.recipe import describe, unknown_word


def chosen_method(name: str, methods: Sequence[Method]) -> Method:
    """The method called `name`; an unknown name is a `UsageError` that lists the known ones."""
    known = {method.name: method for method in methods}
    if name not in known:
        raise UsageError(unknown_word(name, known, "method"), where="method.name")
    return known[name]


def method_settings(method: Method, values: Mapping[str, Any], *, where: str = "method.settings") -> Settings:
    """The settings of a method out of a recipe; a typo is a `UsageError` with the nearest known key."""
    try:
        return method.settings_type.model_validate(dict(values))
    except pydantic.ValidationError as error:
        raise UsageError(describe(error, method.settings_type), where=where) from error
