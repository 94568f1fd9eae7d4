"""Files that appear whole or not at all, and their hashes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vadose.common.errors import InputError

# Far more than any text here has; a device never ends.
MOST_TEXT_BYTES = 1 << 28


def file_sha256(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def readable_os_errors(target: Path) -> Iterator[None]:
    """Turn a full disk, a read-only folder and the like into an `InputError` that names `target`."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot write: {error.strerror or error}",
            where=str(target),
            why=_free_space(target),
            next="free space or choose a folder that can be written, then run the same command again",
        ) from error


def _free_space(target: Path) -> str:
    """How much space is left where `target` should go; numpy and HDF5 do not say that a disk is full."""
    for folder in target.parents:
        if folder.is_dir():
            return f"{shutil.disk_usage(folder).free / 1e6:,.1f} MB are free there"
    return ""


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; after the block it is synced and renamed to `target`.

    The temporary name is `.<name>.part`. If the block raises, `target` is as it was before
    and the temporary file is removed; a killed process leaves only the temporary name.
    """
    part = target.with_name(f".{target.name}.part")
    with readable_os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_directory(target: Path) -> Iterator[Path]:
    """Like `whole_file`, for a directory; an existing `target` is replaced."""
    part = target.with_name(f".{target.name}.part")
    with readable_os_errors(target):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            yield part
            if target.exists():
                old = target.with_name(f".{target.name}.old")
                shutil.rmtree(old, ignore_errors=True)
                target.rename(old)
                part.rename(target)
                shutil.rmtree(old)
            else:
                part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with whole_file(target) as part:
        part.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write `value` as JSON with sorted keys and a final newline; NaN is refused."""
    write_text(target, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_short(path: Path) -> bytes:
    """Read a whole file or pipe of text; an `OSError` where it does not end within 256 MiB."""
    with path.open("rb") as file:
        raw = file.read(MOST_TEXT_BYTES + 1)
    if len(raw) > MOST_TEXT_BYTES:
        raise OSError(errno.EFBIG, f"more than {MOST_TEXT_BYTES >> 20} MiB of text", str(path))
    return raw


def read_json(path: Path) -> Any:
    """Read a JSON file; a missing or broken one is an `InputError` that names it."""
    try:
        return json.loads(read_short(path).decode("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"no file {path.name}", where=str(path)) from error
    except (OSError, ValueError) as error:
        # A folder in its place, no right to read, another encoding, broken JSON or a number with too many digits.
        raise InputError(f"not valid JSON: {error}", where=str(path)) from error
