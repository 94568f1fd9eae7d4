"""The manifest of a version and its check sums."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vadose.common import file_sha256, read_json
from vadose.producer.granules.header import FORMAT_VERSION, Identity
from vadose.producer.provenance import as_json
from vadose.producer.recipe import Recipe
from vadose.producer.release.folder import MANIFEST, SUMS, UNLISTED, Folder, order, versions
from vadose.producer.release.origins import Previous, previous

SCHEMA_VERSION = 1
ROLES = {
    "provenance": "provenance",
    "quality": "quality",
    "quicklook": "quicklook",
    "refs": "references",
    "stac": "metadata",
    "static": "static",
    "cube": "cube",
}


def environment_lock() -> str:
    """Python and every installed distribution with its version, one a line.

    What a package carries along and puts on the path while it is imported, as setuptools does, is not installed.
    """
    places = [place for place in sys.path if Path(place).name in ("site-packages", "dist-packages")]
    found = {f"{item.name}=={item.version}" for item in importlib.metadata.distributions(path=places) if item.name}
    return f"# Python {platform.python_version()}\n" + "".join(f"{line}\n" for line in sorted(found, key=str.lower))


def previous_version(folder: Folder) -> str | None:
    """The version that this one goes on from, else the newest published one before it."""
    note = previous(folder.path)
    if note is not None:
        return note.version
    older = [entry["version"] for entry in versions(folder.root) if order(entry["version"]) < order(folder.version)]
    return max(older, key=order) if older else None


def make_manifest(
    folder: Folder, recipe: Recipe, identity: Identity, granules: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """The manifest of the folder as it is.

    Parameters
    ----------
    folder, recipe, identity
        The version and what it was built from.
    granules
        Entries of the granules by path.
    """
    first, last = (str(day)[: 7 if recipe.product.step == "monthly" else 10] for day in recipe.product.days)
    since = _since(folder)
    note = previous(folder.path)
    files = [
        _granule(granules[path], note) if path in granules else _side_file(folder, path, since)
        for path in folder.files()
        if path not in UNLISTED
    ]
    files += note.withdrawn if note else ()
    return {
        "schema_version": SCHEMA_VERSION, "product_id": recipe.product.id, "version": recipe.product.version,
        "previous": previous_version(folder), "format_version": FORMAT_VERSION, "issued": recipe.product.issued,
        "code": {"vadose": identity.software, "commit": identity.commit},
        "hardware": read_json(folder.path / "provenance" / "software.json")["hardware"],
        "writer": recipe.build.writer, "recipe_sha256": identity.recipe_sha256, "model_sha256": identity.model_sha256,
        "inputs_sha256": identity.inputs_sha256,
        "environment_sha256": file_sha256(folder.path / "provenance" / "environment.lock"),
        "expected": {recipe.product.step: [first, last]}, "files": sorted(files, key=lambda entry: str(entry["path"])),
    }  # fmt: skip


def _granule(entry: dict[str, Any], note: Previous | None) -> dict[str, Any]:
    """The entry of a granule, with what it replaces and why."""
    name = entry["path"].rpartition("/")[2]
    return {**entry, **note.replaced[name]} if note and name in note.replaced else entry


def role(path: str) -> str:
    """What a file that is no granule is for, by its place."""
    return ROLES.get(path.partition("/")[0], "document")


def _side_file(folder: Folder, path: str, since: Mapping[str, str]) -> dict[str, Any]:
    place = folder.path / path
    return {
        "path": path, "role": role(path), "bytes": place.stat().st_size,
        "sha256": file_sha256(place), "since": since.get(path, folder.version), "status": "published", "replaces": None,
        "reason": None,
    }  # fmt: skip


def _since(folder: Folder) -> dict[str, str]:
    """The version in which each unchanged file of the previous version first appeared."""
    previous = previous_version(folder)
    path = folder.root / f"v{previous}" / MANIFEST
    if previous is None or not path.is_file():
        return {}
    return {
        entry["path"]: entry["since"]
        for entry in read_json(path)["files"]
        if (folder.path / entry["path"]).is_file() and file_sha256(folder.path / entry["path"]) == entry["sha256"]
    }


def sums(files: Iterable[tuple[str, str]]) -> str:
    """Text of `SHA256SUMS` from pairs of path and hash, for `sha256sum -c`."""
    return "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(files))


def write_manifest(folder: Folder, manifest: dict[str, Any]) -> str:
    """Write `manifest.json` and `SHA256SUMS`; return the manifest's hash."""
    path = folder.put(MANIFEST, as_json(manifest))
    sha256 = file_sha256(path)
    listed = [(entry["path"], entry["sha256"]) for entry in manifest["files"] if entry["status"] == "published"]
    folder.put(SUMS, sums([*listed, (MANIFEST, sha256)]))
    return sha256
