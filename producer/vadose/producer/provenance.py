"""What a version was made from, written into its `provenance/` before the first granule."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vadose.common import InputError, read_json
from vadose.common.software import Software, software
from vadose.producer.cube import Cube
from vadose.producer.granules.header import Identity
from vadose.producer.recipe import Recipe

FOLDER = "provenance"


def as_json(value: Any) -> str:
    """JSON text with sorted keys, the same for equal values."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def provenance_texts(
    recipe: Recipe, cube: Cube, model_directory: Path, made_by: Software | None = None
) -> dict[str, str]:
    """Texts of `provenance/` by file name: inputs, recipe, model with its ledger, and software (the running one)."""
    inputs = {
        "schema_version": 1,
        "cube": {"name": recipe.cube, "content_hash": cube.content_hash},
        "sources": [source.model_dump(mode="json", exclude={"options", "card"}) for source in recipe.inputs],
        "files": cube.provenance,
    }
    values = recipe.model_dump(mode="json", exclude_none=True)
    made_by = made_by or software()
    return {
        "inputs.json": as_json(inputs),
        "recipe.yaml": yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120),
        "model.json": as_json(read_json(model_directory / "model.json")),
        "software.json": as_json(
            {
                "vadose": made_by.version,
                "commit": made_by.commit,
                "hardware": hardware(),
                "recipe_sha256": recipe.sha256,
            }
        ),
    }


def identity(recipe: Recipe, texts: Mapping[str, str]) -> Identity:
    """The hashes that every granule of a version carries, from the texts of its `provenance/`."""
    made_by = json.loads(texts["software.json"])
    return Identity(
        # Later software may know more keys of a recipe, and would hash them too.
        recipe_sha256=made_by.get("recipe_sha256", recipe.sha256),
        model_sha256=hashlib.sha256(texts["model.json"].encode()).hexdigest(),
        inputs_sha256=hashlib.sha256(texts["inputs.json"].encode()).hexdigest(),
        software=made_by["vadose"],
        commit=made_by["commit"],
    )


def recorded_identity(recipe: Recipe, directory: Path, place: str = FOLDER) -> Identity:
    """The identity that a version folder records in `place`; a missing file is an `InputError`."""
    texts = {}
    for name in ("inputs.json", "model.json", "software.json"):
        path = directory / place / name
        if not path.is_file():
            raise InputError(f"no {name} in the provenance", where=str(path), next="vadose build RECIPE")
        texts[name] = path.read_text(encoding="utf-8")
    return identity(recipe, texts)


def hardware() -> str:
    """The kind of hardware that predictions are made on."""
    return f"cpu {platform.machine()}"
