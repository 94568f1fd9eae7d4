"""Recipes as files: those that come with the package, those of a user, and those that extend another one."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import Any

import pydantic
import yaml

from vadose.common import UsageError
from vadose.producer.recipe import Recipe, describe, unknown_word


def packaged_recipes() -> dict[str, Path]:
    """The recipes that come with the package, by name."""
    folder = importlib.resources.files("vadose.producer.recipes")
    return {
        Path(str(file)).stem: Path(str(file))
        for file in sorted(folder.iterdir(), key=str)
        if str(file).endswith(".yaml")
    }


def load_recipe(name_or_path: str) -> Recipe:
    """Load a packaged recipe by name, or a YAML file.

    Raises
    ------
    UsageError
        For an unknown name, YAML that does not parse, an unknown key (with the nearest known one) or a bad value.
    """
    packaged = packaged_recipes()
    path = packaged.get(name_or_path, Path(name_or_path))
    if not _is_file(path):
        raise UsageError(unknown_word(name_or_path, packaged, "recipe"), next="name a packaged recipe or a YAML file")
    values = _read(path, ())
    try:
        return Recipe.model_validate(values)
    except pydantic.ValidationError as error:
        raise UsageError(describe(error, Recipe), where=str(path)) from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # A name that is too long, say.
        return False


def _read(path: Path, below: tuple[Path, ...]) -> dict[str, Any]:
    """The values of a recipe's file laid over those of the recipe that it extends; `below` are the files that led here.

    `extends` is a packaged name or a file beside this one; mappings are laid over mappings, all else is replaced, and a
    method that is named brings its own settings. `variant` is a variant of the extended recipe: it becomes the method,
    and the method a variant under its own name.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"not valid YAML: {' '.join(str(error).split())}", where=str(path)) from error
    if not isinstance(values, dict):
        raise UsageError("a recipe is a mapping of keys", where=str(path))
    extended, variant = values.pop("extends", None), values.pop("variant", None)
    if extended is None:
        if variant is not None:
            raise UsageError("variant: names a variant of the recipe that is extended, and there is none",
                             where=str(path), next="say extends: RECIPE")  # fmt: skip
        return values
    packaged = packaged_recipes()
    base = packaged.get(str(extended), path.parent / str(extended))
    if not _is_file(base):
        raise UsageError(f"extends: {unknown_word(str(extended), packaged, 'recipe')}", where=str(path))
    if base.resolve() in (path.resolve(), *below):
        raise UsageError(f"extends: {extended} extends this recipe in turn", where=str(path))
    found = _read(base, (path.resolve(), *below))
    if variant is not None:
        found = _with_variant(found, str(variant), path)
    own = values.get("method")
    if isinstance(own, dict) and "name" in own and isinstance(found.get("method"), dict):
        # The settings of one method say nothing of another.
        found = {**found, "method": {**found["method"], "settings": {}}}
    return _laid_over(found, values)


def _with_variant(values: dict[str, Any], variant: str, path: Path) -> dict[str, Any]:
    """The values with a variant for the method; what is no mapping has no variants."""
    method = _mapping(values.get("method"))
    variants = _mapping(method.get("variants"))
    if variant not in variants:
        raise UsageError(f"variant: {unknown_word(variant, variants, 'variant')}", where=str(path))
    taken = _mapping(variants[variant])
    chosen = {"name": taken.get("method"), "settings": taken.get("settings", {})}
    own = {"method": method.get("name"), "settings": method.get("settings", {})}
    others = {name: one for name, one in variants.items() if name != variant}
    return {**values, "method": {**method, **chosen, "variants": {str(method.get("name")): own, **others}}}


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {name: _laid_over(below[name], value) for name, value in above.items()
            if isinstance(value, dict) and isinstance(below.get(name), dict)}  # fmt: skip
    return {**below, **above, **both}
