"""A version folder: what may be written into it, and whether it is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
import yaml

from vadose.common import GateError, InputError, file_sha256, read_json, whole_file
from vadose.producer.recipe import Recipe, describe
from vadose.producer.release.root_files import read_versions
from vadose.producer.release.verify import manifest_entries

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
GATE = "gate.json"
SIGNOFF = "signoff.json"
# What a version goes on from, if it was built on an earlier one.
NOTE = "provenance/previous.json"
STANDING = ("current", "superseded")
# About the manifest, and therefore not in it.
UNLISTED = frozenset({MANIFEST, SUMS, SIGNATURE, GATE, SIGNOFF})


@dataclass(frozen=True)
class Folder:
    """`releases/<product>/v<M.m.p>/`."""

    path: Path

    @property
    def version(self) -> str:
        """The version without its `v`; `nrt` of the rolling folder."""
        return self.path.name.removeprefix("v")

    @property
    def root(self) -> Path:
        """The product's folder, which holds all versions."""
        return self.path.parent

    @property
    def entry(self) -> dict[str, Any] | None:
        """The version's entry in `versions.json`; `None` if it is not published."""
        return next((entry for entry in versions(self.root) if entry["version"] == self.version), None)

    @property
    def published(self) -> bool:
        """Whether the version is published."""
        return self.entry is not None

    @property
    def manifest_sha256(self) -> str:
        """Hash of the manifest; a version without one is an `InputError`."""
        path = self.path / MANIFEST
        if not path.is_file():
            raise InputError(
                "no manifest: the release is not completed",
                where=str(self.path),
                next="vadose release RECIPE --run RUN",
            )
        return file_sha256(path)

    def recipe(self, place: str = "provenance") -> Recipe:
        """The recipe that the version was built from, or that stands in another place of it."""
        path = self.path / place / "recipe.yaml"
        if not path.is_file():
            raise InputError("no recipe in the release", where=str(path), next="vadose build RECIPE")
        try:
            return Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (yaml.YAMLError, UnicodeDecodeError, pydantic.ValidationError) as error:
            what = describe(error, Recipe) if isinstance(error, pydantic.ValidationError) else str(error)
            raise InputError(
                f"not a recipe that this version of vadose can read: {' '.join(what.split())[:300]}", where=str(path),
                next="use the software of provenance/software.json, or restore the file",
            ) from error  # fmt: skip

    def manifest(self) -> dict[str, Any]:
        """`manifest.json`; another document is an `InputError`."""
        document: dict[str, Any] = read_json(self.path / MANIFEST)
        manifest_entries(document, str(self.path / MANIFEST))
        return document

    def put(self, name: str, content: bytes | str) -> Path:
        """Write a file; the same bytes again do nothing, other bytes in a published version are refused."""
        path = self.path / name
        raw = content.encode() if isinstance(content, str) else content
        if path.is_file() and path.read_bytes() == raw:
            return path
        if self.published:
            raise GateError(
                f"{name} would change in the published version {self.version}",
                where=str(self.path),
                next="raise product.version and product.issued in the recipe and build again",
            )
        with whole_file(path) as part:
            part.write_bytes(raw)
        return path

    def files(self) -> list[str]:
        """Every finished file, as paths inside the folder with forward slashes, sorted."""
        found = (path.relative_to(self.path) for path in self.path.rglob("*") if path.is_file())
        return sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))


def published_granules(manifest: Mapping[str, Any]) -> list[str]:
    """Paths of the granules that a manifest publishes, sorted."""
    entries = [entry for entry in manifest["files"] if entry["role"] == "granule" and entry["status"] == "published"]
    return sorted(str(entry["path"]) for entry in entries)


def versions(root: Path) -> list[dict[str, Any]]:
    """Entries of a product's `versions.json`, oldest first; none if nothing is published."""
    return read_versions(root)


def order(version: str) -> tuple[int, ...]:
    """For sorting versions by number."""
    return tuple(int(part) for part in version.split("."))


def find_release(name: str, workspace: Path) -> Folder:
    """A version folder by path, or by `<product>/v<M.m.p>` in the workspace."""
    for place in (workspace / "releases" / name, Path(name)):
        if place.is_dir():
            return Folder(place.resolve())
    known = sorted(str(path.relative_to(workspace / "releases")) for path in (workspace / "releases").glob("*/v[0-9]*"))
    raise InputError(
        f"no release {name!r}; known: {', '.join(known) or 'none'}",
        where=str(workspace / "releases"),
        next="vadose build RECIPE",
    )
