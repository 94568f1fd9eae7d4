"""Copies of releases at a URL: any folder or S3-compatible store that fsspec reaches."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec

from vadose.common import GateError, InputError, Progress, file_sha256
from vadose.producer.release.folder import MANIFEST, SUMS, Folder

LAST = (SUMS, MANIFEST)
ROOT_FILES = ("KNOWN_ISSUES.md", "versions.json", "latest.json")


def reach(to: str, *parts: str) -> tuple[Any, str]:
    """The file system of a URL, and the place of `parts` in it."""
    try:
        system, base = fsspec.core.url_to_fs("/".join((to.rstrip("/"), *parts)))
    except (ImportError, ValueError) as error:
        raise InputError(
            f"cannot write to this address: {error}", where=to,
            next="name a folder, or install what fsspec asks for: pip install s3fs",
        ) from error  # fmt: skip
    return system, base


def copy(folder: Folder, to: str, progress: Progress) -> bool:
    """Copy a version to a URL, sums and manifest last, and read it back; whether anything was copied."""
    system, base = reach(to, folder.root.name, folder.path.name)
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
    """Copy a file under a temporary name, rename it and read it back; the same bytes there are left alone."""
    sha256 = file_sha256(local)
    if system.exists(target) and remote_sha256(system, target) == sha256:
        return False
    system.makedirs(target.rpartition("/")[0], exist_ok=True)
    partial = f"{target}.part"
    with local.open("rb") as source, system.open(partial, "wb") as sink:
        shutil.copyfileobj(source, sink)
    system.mv(partial, target)
    if remote_sha256(system, target) != sha256:
        raise InputError(f"{local.name} was damaged on its way", where=target, next="run the same command again")
    return True


def copy_rolling(folder: Folder, to: str, progress: Progress) -> bool:
    """Bring the copy of a rolling folder up to date: new files, sums and manifest, then what has left is deleted."""
    system, base = reach(to, folder.root.name, folder.path.name)
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
    """Copy the product's root files, `latest.json` last."""
    system, base = reach(to, root.name)
    with readable_errors(base):
        for name in ROOT_FILES:
            if (root / name).is_file():
                system.pipe_file(f"{base}/{name}", (root / name).read_bytes())


@contextlib.contextmanager
def readable_errors(place: str) -> Iterator[None]:
    """Turn what a store says of a lost connection, a missing bucket or a lack of rights into an `InputError`."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot be written: {error or type(error).__name__}", where=place,
            next="look at the address and the rights, then run the same command again",
        ) from error  # fmt: skip
