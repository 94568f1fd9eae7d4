"""The inputs of a cube: orders out of a recipe, the files they read, and whether the cube is already made of them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vadose.common import InputError, Progress, UsageError, VadoseError, read_json, write_json
from vadose.producer.cube import open_cube
from vadose.producer.ingest.base import Ingester, Order, Origin
from vadose.producer.ingest.card import load_card
from vadose.producer.ingest.gridded import write_cube
from vadose.producer.ingest.native import files_below, input_sha256
from vadose.producer.recipe import InputSource, Recipe, unknown_word

# Raised when a reader makes another cube of the same files, so that old cubes are made anew.
READERS_VERSION = 1

Request = tuple[Ingester, Order]


def recipe_orders(
    recipe: Recipe,
    find: Callable[[str], Ingester],
    native: Callable[[str], Path],
    cube: Path,
    *,
    days: tuple[np.datetime64, np.datetime64] | None = None,
    card: Path | None = None,
) -> list[Request]:
    """What to read for the cube of a recipe: one order for each reader that its inputs name.

    Parameters
    ----------
    find
        The ingester of a name.
    native
        Folder of the native files of a reader.
    card
        Product card; it wins over the ones that the recipe names.

    Raises
    ------
    UsageError
        Where inputs of one reader state different options or cards, or readers cannot fill a cube together.
    """
    names = list(dict.fromkeys(item.reader for item in recipe.inputs))
    readers = [find(name) for name in names]
    alone = [reader.name for reader in readers if reader.source is None]
    if len(readers) > 1 and alone:
        raise UsageError(f"reader {alone[0]} makes whole cubes and cannot share one", where=recipe.recipe)
    return [(reader, _order(recipe, reader, native(reader.name), cube, days, card)) for reader in readers]


def _order(
    recipe: Recipe,
    reader: Ingester,
    native: Path,
    cube: Path,
    days: tuple[np.datetime64, np.datetime64] | None,
    card: Path | None,
) -> Order:
    inputs = [item for item in recipe.inputs if item.reader == reader.name]
    cards = dict.fromkeys([card] if card else [native / item.card for item in inputs if item.card])
    if len(cards) > 1:
        raise UsageError(f"inputs of reader {reader.name} name different cards", where=recipe.recipe)
    chosen = next((load_card(path) for path in cards), None)
    return Order(
        files=(native,),
        cube=cube,
        title=f"Inputs of {recipe.product.title}",
        origin=_origin(inputs).with_card(chosen),
        grid=recipe.product.grid.grid(),
        days=days,
        required=(*recipe.predictors.daily, *recipe.predictors.static),
        card=chosen,
        options=_options(inputs, reader, recipe),
        recipe=recipe,
    )


def _options(inputs: Sequence[InputSource], reader: Ingester, recipe: Recipe) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for item in inputs:
        for key, value in item.options.items():
            if key not in reader.options:
                raise UsageError(unknown_word(key, reader.options, f"option of reader {reader.name}"), where=item.name)
            if options.setdefault(key, value) != value:
                raise UsageError(f"inputs of reader {reader.name} disagree on the option {key!r}", where=recipe.recipe)
    return options


def _origin(inputs: Sequence[InputSource]) -> Origin:
    return Origin(
        producer="; ".join(dict.fromkeys(item.producer for item in inputs)),
        version="; ".join(dict.fromkeys(item.version for item in inputs)),
        licence="; ".join(dict.fromkeys(item.licence for item in inputs)),
        passing_on=_all([item.passing_on for item in inputs]),
        commercial_use=_all([item.commercial_use for item in inputs]),
    )


def _all(answers: Sequence[bool | None]) -> bool | None:
    """Allowed only where every input allows it; unknown where one does not say and none forbids."""
    if False in answers:
        return False
    return None if None in answers else True


def input_files(requests: Sequence[Request]) -> list[Path]:
    """All files that stand for the inputs, sorted; a missing path is an `InputError`."""
    return sorted({file for reader, order in requests for file in files_below(order.files, pattern=reader.watched)})


def make_cube(requests: Sequence[Request], progress: Progress) -> bool:
    """Make the cube of one order, or of several that share it, unless it is already made of the same inputs.

    Returns whether it was made. A hidden file beside the cube remembers the hashes of the inputs;
    a file of the same size and time of change is not hashed again.
    """
    cube = requests[0][1].cube
    memory = cube.with_name(f".{cube.stem}.inputs.json")
    known = _remembered(memory)
    hashes = _hashes(input_files(requests), known, progress)
    fingerprint = _fingerprint(requests, hashes)
    if known.get("fingerprint") == fingerprint and _is_whole(cube, known.get("content_hash")):
        progress.say(f"{cube} is already made of the same {len(hashes)} files")
        return False
    _write(requests, progress)
    files = {str(path): [*_stamp(path), digest] for path, digest in hashes.items()}
    write_json(memory, {"fingerprint": fingerprint, "content_hash": open_cube(cube).content_hash, "files": files})
    return True


def _write(requests: Sequence[Request], progress: Progress) -> None:
    if len(requests) == 1:
        reader, order = requests[0]
        reader.write(order, progress)
        return
    write_cube([(reader.source(order), order) for reader, order in requests if reader.source], progress)


def _remembered(memory: Path) -> Mapping[str, Any]:
    try:
        value = read_json(memory)
    except (InputError, OSError):
        return {}
    return value if isinstance(value, dict) else {}


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _hashes(files: Sequence[Path], known: Mapping[str, Any], progress: Progress) -> dict[Path, str]:
    old = known.get("files", {})
    hashes = {}
    for path in progress.track(files, "checking inputs"):
        entry = old.get(str(path), [])
        hashes[path] = entry[2] if entry[:2] == _stamp(path) else input_sha256(path)
    return hashes


def _fingerprint(requests: Sequence[Request], hashes: Mapping[Path, str]) -> str:
    """Hash of all that decides the cube."""
    identity = {
        "version": READERS_VERSION,
        "files": sorted((path.name, digest) for path, digest in hashes.items()),
        "orders": [(reader.name, _identity(order)) for reader, order in requests],
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()


def _identity(order: Order) -> dict[str, Any]:
    recipe = order.recipe
    return {
        "title": order.title,
        "origin": dataclasses.asdict(order.origin),
        "grid": None if order.grid is None else dataclasses.asdict(order.grid),
        "box": order.box,
        "days": None if order.days is None else [str(day) for day in order.days],
        "names": order.names,
        "required": order.required,
        "card": None if order.card is None else order.card.model_dump(mode="json"),
        "options": dict(order.options),
        "recipe": None
        if recipe is None
        else recipe.model_dump(
            mode="json", include={"target": True, "predictors": True, "build": {"flags", "observing_input"}}
        ),
    }


def _is_whole(cube: Path, content_hash: str | None) -> bool:
    try:
        return open_cube(cube).content_hash == content_hash
    except VadoseError:
        return False
