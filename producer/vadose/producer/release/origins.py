"""What the granules of a version were made from: those of its own build, and those of each earlier version."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vadose.common import read_json
from vadose.producer.granules.header import Identity
from vadose.producer.provenance import FOLDER, recorded_identity
from vadose.producer.recipe import Recipe
from vadose.producer.release.folder import NOTE, Folder


@dataclass(frozen=True)
class Origin:
    """Recipe and hashes of the build in which a granule first appeared."""

    recipe: Recipe
    identity: Identity


def earlier_origins(directory: Path) -> dict[str, Origin]:
    """Origins of the granules that a version took over, by the version in which they first appeared."""
    found = {}
    for place in sorted((directory / FOLDER).glob("v[0-9]*")):
        recipe = Folder(directory).recipe(f"{FOLDER}/{place.name}")
        found[place.name[1:]] = Origin(recipe, recorded_identity(recipe, directory, f"{FOLDER}/{place.name}"))
    return found


@dataclass(frozen=True)
class Previous:
    """What a version goes on from.

    Attributes
    ----------
    version
        The earlier version.
    kind
        What the number says of the change: MAJOR, MINOR or PATCH.
    replaced
        Replaced granules by their new name: `replaces`, the old name, and the `reason`.
    withdrawn
        Manifest entries of withdrawn granules, each with its reason.
    """

    version: str
    kind: str
    replaced: dict[str, dict[str, str]]
    withdrawn: tuple[dict[str, object], ...]


def previous(directory: Path) -> Previous | None:
    """What a version goes on from; `None` if it was built by itself."""
    path = directory / NOTE
    if not path.is_file():
        return None
    note = read_json(path)
    return Previous(note["version"], note["kind"], dict(note["replaced"]), tuple(note["withdrawn"]))
