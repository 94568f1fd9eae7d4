"""One process at a time on a version or on a product's root files."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from vadose.common import GateError
from vadose.common.files import readable_os_errors


@contextlib.contextmanager
def only_one(place: Path, verb: str) -> Iterator[None]:
    """Hold `place` for the block; the kernel lets go of it when the process ends, however it ends.

    Parameters
    ----------
    place
        A version folder or a product's folder; the lock is the hidden file `.<name>.lock` beside a version, inside
        a product.
    verb
        What the block does, for the message of the other process: `published`.

    Raises
    ------
    GateError
        If another process holds it.
    """
    path = lock_path(place)
    with readable_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _locked(path)
    if handle is None:
        holder = path.read_text(encoding="utf-8") if path.is_file() else ""
        raise GateError(
            f"{place.name} is in the hands of another process{f', {holder}' if holder else ''}",
            where=str(place),
            why=f"a version is {verb} by one process at a time",
            next="wait until it ends and run the same command again",
        )
    try:
        with readable_os_errors(path):
            os.ftruncate(handle, 0)
            os.write(handle, f"process {os.getpid()}, which began first".encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(handle)


def lock_path(place: Path) -> Path:
    """The lock of a version folder or the rolling one, or of a product's root files."""
    is_version = (place.name.startswith("v") and place.name[1:2].isdigit()) or place.name == "nrt"
    return place.parent / f".{place.name}.lock" if is_version else place / ".root.lock"


def _locked(path: Path) -> int | None:
    """A locked handle of the file that has the name; `None` if another process holds it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before may have removed the name between the two calls.
            if path.is_file() and os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except FileNotFoundError:
            pass
        os.close(handle)
