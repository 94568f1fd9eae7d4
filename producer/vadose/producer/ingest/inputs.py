"""The inputs of a cube: an order out of a recipe, the files it reads, and whether the cube is already made of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from vadose.common import InputError, Progress, UsageError, VadoseError, file_sha256, read_json, write_json
from vadose.producer.cube import open_cube
from vadose.producer.ingest.base import Ingester, Order, Origin
from vadose.producer.ingest.card import Card, load_card
from vadose.producer.recipe import Recipe

# Raised when a reader makes another cube of the same files, so that old cubes are made anew.
READERS_VERSION = 1


def recipe_order(
    recipe: Recipe,
    reader: Ingester,
    native: Path,
    cube: Path,
    *,
    days: tuple[np.datetime64, np.datetime64] | None = None,
    card: Path | None = None,
) -> Order:
    """The order for the cube of a recipe, whose inputs all have the same reader.

    Parameters
    ----------
    native
        Folder of the native files.
    card
        Product card; it wins over the one that the recipe names.

    Raises
    ------
    UsageError
        Where inputs state different options or cards.
    """
    inputs = recipe.inputs
    options: dict[str, Any] = {}
    for item in inputs:
        for key, value in item.options.items():
            if options.setdefault(key, value) != value:
                raise UsageError(f"inputs of reader {reader.name} disagree on the option {key!r}", where=recipe.recipe)
    cards = [card] if card else [native / item.card for item in inputs if item.card]
    if len(set(cards)) > 1:
        raise UsageError(f"inputs of reader {reader.name} name different cards", where=recipe.recipe)
    chosen: Card | None = load_card(cards[0]) if cards else None
    origin = Origin(
        producer="; ".join(dict.fromkeys(item.producer for item in inputs)),
        version="; ".join(dict.fromkeys(item.version for item in inputs)),
        licence="; ".join(dict.fromkeys(item.licence for item in inputs)),
        passing_on=_all([item.passing_on for item in inputs]),
        commercial_use=_all([item.commercial_use for item in inputs]),
    )
    return Order(
        files=(native,),
        cube=cube,
        title=f"Inputs of {recipe.product.title}",
        origin=origin.with_card(chosen),
        grid=recipe.product.grid.grid(),
        days=days,
        required=(*recipe.predictors.daily, *recipe.predictors.static),
        card=chosen,
        options=options,
        recipe=recipe,
    )


def _all(answers: list[bool | None]) -> bool | None:
    """Allowed only where every input allows it; unknown where one does not say and none forbids."""
    if False in answers:
        return False
    return None if None in answers else True


def native_files(paths: tuple[Path, ...]) -> list[Path]:
    """All files below the paths, sorted; hidden ones are left out, a missing path is an `InputError`."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError("no such file or folder", where=str(path), next="vadose fetch, or name it with --native")
        below = path.rglob("*") if path.is_dir() else [path]
        found += [file for file in below if file.is_file() and not file.name.startswith(".")]
    if not found:
        raise InputError("no files", where=", ".join(map(str, paths)), next="vadose fetch, or name them with --native")
    return sorted(set(found))


def make_cube(reader: Ingester, order: Order, progress: Progress) -> bool:
    """Make the cube of an order, unless it is already made of the same files and settings.

    Returns whether it was made. A hidden file beside the cube remembers the hashes of the inputs;
    a file of the same size and time of change is not hashed again.
    """
    files = native_files(order.files)
    memory = order.cube.with_name(f".{order.cube.stem}.inputs.json")
    known = _remembered(memory)
    hashes = _hashes(files, known, progress)
    fingerprint = _fingerprint(reader, order, hashes)
    if known.get("fingerprint") == fingerprint and _is_whole(order.cube, known.get("content_hash")):
        progress.say(f"{order.cube} is already made of the same {len(files)} files")
        return False
    reader.write(order, progress)
    remembered = {
        "fingerprint": fingerprint,
        "content_hash": open_cube(order.cube).content_hash,
        "files": {str(path): [*_stamp(path), digest] for path, digest in hashes.items()},
    }
    write_json(memory, remembered)
    return True


def _remembered(memory: Path) -> dict[str, Any]:
    try:
        value = read_json(memory)
    except InputError:
        return {}
    return value if isinstance(value, dict) else {}


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _hashes(files: list[Path], known: dict[str, Any], progress: Progress) -> dict[Path, str]:
    old = known.get("files", {})
    hashes = {}
    for path in progress.track(files, "checking inputs"):
        entry = old.get(str(path), [])
        hashes[path] = entry[2] if entry[:2] == _stamp(path) else file_sha256(path)
    return hashes


def _fingerprint(reader: Ingester, order: Order, hashes: dict[Path, str]) -> str:
    recipe = order.recipe
    identity = {
        "version": READERS_VERSION,
        "reader": reader.name,
        "files": sorted((path.name, digest) for path, digest in hashes.items()),
        "title": order.title,
        "origin": vars(order.origin),
        "grid": None if order.grid is None else vars(order.grid) | {},
        "days": None if order.days is None else [str(day) for day in order.days],
        "names": order.names,
        "required": order.required,
        "card": None if order.card is None else order.card.model_dump(mode="json"),
        "options": dict(order.options),
        "predictors": None if recipe is None else recipe.predictors.model_dump(mode="json"),
        "target": None if recipe is None else recipe.target,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()


def _is_whole(cube: Path, content_hash: str | None) -> bool:
    try:
        return open_cube(cube).content_hash == content_hash
    except VadoseError:
        return False
