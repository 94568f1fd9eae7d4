"""`python -m vadose.producer.experiments.design OUT RECIPE…`: what a recipe is made of, as the paper's data table.

`OUT` holds one folder a recipe. Nothing is run: tables of the data sets, of the variables and of the settings of the
method and its variants.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from vadose.producer.experiments.tables import publish
from vadose.producer.methods import method, method_settings
from vadose.producer.recipe import Recipe
from vadose.producer.recipefile import load_recipe
from vadose.producer.vocabulary import VOCABULARY

COMMAND = "python -m vadose.producer.experiments.design site/data/experiments"
STATED = {True: "yes", False: "no", None: "not stated"}


def main(out: Path, names: list[str]) -> None:
    """Write the tables of each recipe into its folder."""
    for name in names:
        recipe = load_recipe(name)
        tables = {
            "design_inputs": pd.DataFrame(input_rows(recipe)),
            "design_variables": pd.DataFrame(variable_rows(recipe)),
            "design_settings": pd.DataFrame(setting_rows(recipe)),
        }
        days = recipe.product.days
        told = {
            "title": "Data and settings of the recipe", "question": "What is the product made of?",
            "what": f"The packaged recipe {name}, in full size: {recipe.product.step} fields of {days[0]} to {days[1]} "
                    f"on {recipe.product.grid.token}. Nothing is run; experiments on this page use smaller settings "
                    "where they say so.",
            "finding": f"{len(recipe.inputs)} data sets, {len(tables['design_variables'])} variables and "
                       f"{len(recipe.method.variants)} variants of the method.",
        }  # fmt: skip
        publish(out / name, "design", told, tables, f"{COMMAND} {name}")


def input_rows(recipe: Recipe) -> Iterator[dict[str, Any]]:
    """One row a data set, with what its licence allows for derived data."""
    for one in recipe.inputs:
        yield {
            "data_set": one.name, "producer": one.producer, "version": one.version, "licence": one.licence,
            "passing_on": STATED[one.passing_on], "commercial_use": STATED[one.commercial_use],
        }  # fmt: skip


def variable_rows(recipe: Recipe) -> Iterator[dict[str, Any]]:
    """One row a variable: the target, the predictors of each day and those of each cell, and what sets flags."""
    roles = [(recipe.target, "target"), *((name, "of each day") for name in recipe.predictors.daily),
             *((name, "of each cell") for name in recipe.predictors.static),
             *((rule.variable, f"flag {rule.flag}") for rule in recipe.build.flags)]  # fmt: skip
    for name, role in dict.fromkeys(roles):
        known = VOCABULARY[name]
        yield {"variable": name, "role": role, "meaning": known.long_name, "units": known.units}


def setting_rows(recipe: Recipe) -> Iterator[dict[str, Any]]:
    """One row a setting of the method with its value, and what the variants of the same method have in its place."""
    chosen = recipe.method.name
    main = _flat(method_settings(method(chosen), recipe.method.settings).model_dump(mode="json"))
    variants = {
        name: _flat(method_settings(method(chosen), one.settings).model_dump(mode="json"))
        for name, one in recipe.method.variants.items() if one.method == chosen
    }  # fmt: skip
    for key, value in main.items():
        changed = {name: one[key] for name, one in variants.items() if one.get(key, value) != value}
        words = "; ".join(f"{name}: {_shown(other)}" for name, other in changed.items())
        yield {"setting": key, chosen: _shown(value), "variants": words}


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{before}{key}.") if isinstance(value, dict) and value else {f"{before}{key}": value}
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
