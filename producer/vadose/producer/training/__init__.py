"""Training: splits, data sets inside the fold, the loop, and the model of a recipe."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vadose.producer.training.models import fit_recipe, load_model

__all__ = ["fit_recipe", "load_model"]


def __getattr__(name: str) -> Any:
    # Methods import `training.splits`, and `training.models` imports the methods: the public names load late.
    if name in __all__:
        return getattr(importlib.import_module("vadose.producer.training.models"), name)
    raise AttributeError(name)
