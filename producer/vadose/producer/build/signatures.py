"""Signatures of periods: equal ones mean that a prediction would give what it gave before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vadose.common import read_json, write_json
from vadose.producer.build.slabs import ONE_DAY, cell_blocks, slabs
from vadose.producer.cube import CHUNK_DAYS, Cube
from vadose.producer.granules.periods import period_end
from vadose.producer.provenance import FOLDER
from vadose.producer.recipe import Recipe
from vadose.producer.vocabulary import VOCABULARY

FILE = f"{FOLDER}/days.json"
# Methods whose prediction of a day reads nothing after it and whose values begin with the slab; any other one is taken
# to read the whole record.
BACKWARD = frozenset({"atlstm", "bilstm", "forest", "lstm", "ridge", "transformer", "xgboost"})
# What of the build section decides nothing about a value.
NOT_VALUES = {"writer", "maximum_granule_mb", "observing_input_text", "cube"}


def signatures(recipe: Recipe, cube: Cube, past_days: int, model_sha256: str) -> dict[str, str]:
    """Signature of every period of the record, by its first day.

    It is a hash over the model, what of the recipe decides values, the static variables, and all daily variables of
    the cube from `past_days` before the slab to the end of the period; of the whole cube where the method may look
    ahead.
    """
    start = hashlib.sha256(json.dumps(_decisive(recipe, model_sha256), sort_keys=True).encode())
    for part in _static(cube):
        start.update(part)
    hashes = day_hashes(cube)
    if recipe.method.name not in BACKWARD:
        for day, found in hashes.items():
            start.update(f"{day}{found}".encode())
    result = {}
    for slab in slabs(recipe):
        chain = start.copy()
        chain.update(str(slab.days[0]).encode())
        days = iter(np.arange(slab.days[0] - past_days, slab.days[-1] + ONE_DAY))
        for first in slab.periods:
            last = period_end(first, recipe.product.step) - ONE_DAY
            for day in days:
                chain.update(f"{day}{hashes.get(str(day), '')}".encode())
                if day == last:
                    break
            result[str(first)] = chain.hexdigest()
    return result


def _decisive(recipe: Recipe, model_sha256: str) -> dict[str, Any]:
    """What of recipe and model decides a value."""
    product = recipe.product
    return {
        "model": model_sha256, "method": recipe.method.model_dump(mode="json", include={"name", "settings"}),
        "target": recipe.target, "predictors": recipe.predictors.model_dump(mode="json"),
        "build": recipe.build.model_dump(mode="json", exclude=NOT_VALUES),
        "product": product.model_dump(mode="json", include={"grid", "step", "day", "depth_m"}),
    }  # fmt: skip


def _static(cube: Cube) -> Iterator[bytes]:
    """Cells and static variables as bytes."""
    yield np.ascontiguousarray(cube.index, "<i8").tobytes()
    for name in sorted(cube.names):
        if VOCABULARY[name].static:
            yield name.encode()
            yield np.ascontiguousarray(cube.read_static(name), "<f4").tobytes()


def day_hashes(cube: Cube) -> dict[str, str]:
    """SHA-256 of all daily variables of each day of the cube, by day; a part of the days is read at a time."""
    names = sorted(name for name in cube.names if not VOCABULARY[name].static)
    found: dict[str, str] = {}
    for first in range(0, cube.days.size, CHUNK_DAYS):
        span = slice(first, min(first + CHUNK_DAYS, cube.days.size))
        parts = [hashlib.sha256() for _ in cube.days[span]]
        for name in names:
            for cells in cell_blocks(cube):
                values = np.ascontiguousarray(cube.read(name, span, cells), "<f4")
                for part, row in zip(parts, values, strict=True):
                    part.update(name.encode())
                    part.update(row.tobytes())
        found |= {str(day): part.hexdigest() for day, part in zip(cube.days[span], parts, strict=True)}
    return found


def kept_signatures(recipe: Recipe, cube: Cube, past_days: int, model_sha256: str, directory: Path) -> dict[str, str]:
    """The same, from the version folder where they were computed for the same cube, model and recipe."""
    decisive = {
        **_decisive(recipe, model_sha256),
        "past_days": past_days,
        "days": [str(d) for d in recipe.product.days],
    }
    key = hashlib.sha256(json.dumps([decisive, cube.content_hash], sort_keys=True).encode()).hexdigest()
    path = directory / FILE
    known = read_json(path) if path.is_file() else {}
    if known.get("of") == key:
        return dict(known["days"])
    return write_signatures(path, key, signatures(recipe, cube, past_days, model_sha256))


def write_signatures(path: Path, key: str, days: dict[str, str]) -> dict[str, str]:
    """Keep signatures with the hash of what they are of."""
    write_json(path, {"schema_version": 1, "of": key, "days": days})
    return days


def read_signatures(directory: Path) -> dict[str, str]:
    """Signatures that a version folder keeps; none where it has none."""
    path = directory / FILE
    return dict(read_json(path)["days"]) if path.is_file() else {}
