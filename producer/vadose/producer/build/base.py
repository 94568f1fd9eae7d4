"""The published version that a build goes on from, and what of it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vadose.common import GateError, InputError, UsageError, file_sha256
from vadose.producer.build.signatures import read_signatures
from vadose.producer.granules import parse_name
from vadose.producer.recipe import Recipe
from vadose.producer.release.folder import MANIFEST, STANDING, Folder, order, versions
from vadose.producer.release.numbers import kind_of


@dataclass(frozen=True)
class Base:
    """A published version and its granules.

    Attributes
    ----------
    folder, recipe
        The version and what it was built from.
    granules
        Manifest entries of the granules that stand, by the first day of their day or month.
    withdrawn
        Manifest entries of withdrawn granules, with their reason, likewise.
    signatures
        Of its periods, by first day; none where the version keeps none.
    """

    folder: Folder
    recipe: Recipe
    granules: Mapping[np.datetime64, dict[str, Any]]
    withdrawn: Mapping[np.datetime64, dict[str, Any]]
    signatures: Mapping[str, str]

    @property
    def version(self) -> str:
        """Its number."""
        return self.folder.version

    def path(self, first: np.datetime64) -> Path:
        """The granule of a period."""
        return self.folder.path / str(self.granules[first]["path"])


def open_base(folder: Folder, recipe: Recipe) -> Base:
    """Open the version that a build goes on from.

    Raises
    ------
    UsageError
        If it is of another product, unpublished, or not the newest one that stands below the recipe's number.
    GateError
        If it was withdrawn.
    InputError
        If its manifest is not the published one.
    """
    where = str(folder.path)
    if folder.root.name != recipe.product.id:
        raise UsageError(f"{folder.root.name} is another product than {recipe.product.id}", where=where)
    entry = folder.entry
    if entry is None:
        raise UsageError(f"version {folder.version} is not published", where=where, next="name a published version")
    if entry["status"] == "withdrawn":
        raise GateError(f"version {folder.version} was withdrawn: {entry['reason']}", where=where,
                        next="name a version that stands")  # fmt: skip
    kind_of(folder.version, recipe.product.version)
    newest = newest_below(folder.root, recipe.product.version)
    if newest is not None and newest != folder.version:
        raise UsageError(f"version {newest} is newer than {folder.version} and stands", where=where,
                         next=f"--previous {folder.root.name}/v{newest}")  # fmt: skip
    if file_sha256(folder.path / MANIFEST) != entry["manifest_sha256"]:
        raise InputError("the manifest is not the published one", where=where, next="vadose verify, and restore it")
    granules, withdrawn = _entries(folder.manifest(), entry.get("withdrawn_granules", {}))
    return Base(folder, folder.recipe(), granules, withdrawn, read_signatures(folder.path))


def _entries(
    manifest: Mapping[str, Any], reasons: Mapping[str, str]
) -> tuple[dict[np.datetime64, dict[str, Any]], dict[np.datetime64, dict[str, Any]]]:
    """Granules that stand and those that do not, by first day."""
    standing: dict[np.datetime64, dict[str, Any]] = {}
    gone: dict[np.datetime64, dict[str, Any]] = {}
    for entry in manifest["files"]:
        if entry["role"] != "granule":
            continue
        name = PurePosixPath(entry["path"]).name
        first = np.datetime64(parse_name(name).day, "D")
        if name in reasons:
            gone[first] = {**entry, "status": "withdrawn", "reason": reasons[name]}
        elif entry["status"] == "withdrawn":
            gone.setdefault(first, entry)
        else:
            standing[first] = entry
    return standing, gone


def newest_below(root: Path, version: str) -> str | None:
    """The newest version of a product that stands below a number."""
    found = [item["version"] for item in versions(root) if item["status"] in STANDING]
    return max((number for number in found if order(number) < order(version)), key=order, default=None)
