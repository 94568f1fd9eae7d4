"""Copies of releases at a URL: any folder or S3-compatible store that fsspec reaches."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from vadose.common import GateError, InputError, Progress, file_sha256
from vadose.producer.release.folder import MANIFEST, SUMS, Folder
from vadose.producer.release.stores import is_object_store, open_store, readable_errors

LAST = (SUMS, MANIFEST)
ROOT_FILES = ("KNOWN_ISSUES.md", "versions.json", "latest.json")


def copy(folder: Folder, to: str, progress: Progress) -> bool:
    """Copy a version to a URL, sums and manifest last, and read it back; whether anything was copied."""
    system, base = open_store(f"{to.rstrip('/')}/{folder.root.name}/{folder.path.name}")
    manifest = f"{base}/{MANIFEST}"
    with readable_errors(manifest):
        if system.exists(manifest) and remote_sha256(system, manifest) != folder.manifest_sha256:
            raise GateError(
                f"version {folder.version} is published there with other bytes", where=manifest,
                next="raise product.version and product.issued in the recipe and build again",
            )  # fmt: skip
        return copy_files(folder, system, base, progress, to)


def copy_files(folder: Folder, system: Any, base: str, progress: Progress, to: str) -> bool:
    """Copy every file that is not there with the same bytes; sums and manifest last."""
    names = [name for name in folder.files() if name not in LAST]
    copied = False
    for name in progress.track([*names, *LAST], f"copy to {to}"):
        copied |= copy_file(folder.path / name, system, f"{base}/{name}")
    return copied


def copy_file(local: Path, system: Any, target: str) -> bool:
    """Copy a file so that it appears whole, and read it back; the same bytes there are left alone."""
    sha256 = file_sha256(local)
    if system.exists(target) and remote_sha256(system, target) == sha256:
        return False
    whole = is_object_store(system)
    place = target if whole else f"{target}.part"
    if not whole:
        system.makedirs(target.rpartition("/")[0], exist_ok=True)
    with local.open("rb") as source, system.open(place, "wb") as sink:
        shutil.copyfileobj(source, sink)
    if not whole:
        system.mv(place, target)
    if remote_sha256(system, target) != sha256:
        raise InputError(f"{local.name} was damaged on its way", where=target, next="run the same command again")
    return True


def copy_rolling(folder: Folder, to: str, progress: Progress) -> bool:
    """Bring the copy of a rolling folder up to date: new files, sums and manifest, then what has left is deleted."""
    system, base = open_store(f"{to.rstrip('/')}/{folder.root.name}/{folder.path.name}")
    with readable_errors(base):
        copied = copy_files(folder, system, base, progress, to)
        kept = {f"{base}/{name}" for name in folder.files()}
        for path in system.find(base):
            if path not in kept:
                system.rm_file(path)
                copied = True
    return copied


def remote_sha256(system: Any, path: str) -> str:
    """SHA-256 of a file there."""
    with system.open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_root(root: Path, to: str) -> None:
    """Copy the product's root files, `latest.json` last; one that no version stands for any more is removed."""
    system, base = open_store(f"{to.rstrip('/')}/{root.name}")
    with readable_errors(base):
        for name in ROOT_FILES:
            if (root / name).is_file():
                copy_file(root / name, system, f"{base}/{name}")
            elif system.exists(f"{base}/{name}"):
                system.rm_file(f"{base}/{name}")
