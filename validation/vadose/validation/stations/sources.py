"""Files behind a source: a file, a folder tree, a zip, a zip of zips; and the licence stated beside them."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vadose.common import InputError, UsageError

LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
# A member that unpacks to more is a mistake or an attack: the largest hourly series of 40 years has 30 MB.
_LARGEST_MEMBER = 2 * 10**9
_LARGEST_RATIO = 200.0
_RATIO_APPLIES_FROM = 10**8
_DEEPEST = 3


@dataclass(frozen=True)
class Member:
    """One file of a source; `name` is its path as the user sees it, `folder` groups files of one station."""

    name: str
    folder: str
    _read: Callable[[], bytes]

    def read(self) -> bytes:
        """The bytes, unpacked; gzip too."""
        raw = self._raw()
        if raw[:2] != b"\x1f\x8b":
            return raw
        try:
            return gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"broken gzip file: {error}", where=self.name) from error

    def sha256(self) -> str:
        """Hash of the stored bytes."""
        return hashlib.sha256(self._raw()).hexdigest()

    def _raw(self) -> bytes:
        try:
            return self._read()
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
            raise InputError(f"cannot read: {error}", where=self.name) from error


@dataclass(frozen=True)
class Terms:
    """Licence of station values, and whether they may be passed on."""

    licence: str
    redistributable: bool


def members(source: Path) -> Iterator[Member]:
    """All files of a source in the order of their names, litter left out.

    Raises
    ------
    InputError
        If the source does not exist, or a zip is broken or unpacks to an absurd size.
    """
    if not source.exists():
        raise InputError("no such file or folder", where=str(source))
    if source.is_dir():
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            yield from _file(path)
    else:
        yield from _file(source)


def _file(path: Path) -> Iterator[Member]:
    if _is_litter(path.name):
        return
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PK\x03\x04" and path.suffix.lower() != ".xlsx":
        yield from _zipped(str(path), path.read_bytes(), 1)
    else:
        yield Member(str(path), str(path.parent), path.read_bytes)


def _zipped(name: str, raw: bytes, depth: int) -> Iterator[Member]:
    if depth > _DEEPEST:
        raise InputError(f"zip files inside zip files, more than {_DEEPEST} deep", where=name)
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
    except zipfile.BadZipFile as error:
        raise InputError(f"broken zip file: {error}", where=name) from error
    for info in sorted(archive.infolist(), key=lambda info: info.filename):
        full = f"{name}/{info.filename}"
        if info.is_dir() or _is_litter(info.filename):
            continue
        ratio = info.file_size / max(info.compress_size, 1)
        if info.file_size > _LARGEST_MEMBER or (info.file_size > _RATIO_APPLIES_FROM and ratio > _LARGEST_RATIO):
            raise InputError(
                f"unpacks to {info.file_size / 1e6:.0f} MB from {info.compress_size / 1e6:.2f} MB", where=full,
                why="no station file is that large", next="remove it from the archive",
            )  # fmt: skip
        read = _Reader(archive, info.filename)
        if info.filename.lower().endswith(".zip"):
            yield from _zipped(full, Member(full, "", read).read(), depth + 1)
        else:
            yield Member(full, full.rpartition("/")[0], read)


@dataclass(frozen=True)
class _Reader:
    """Reads one member into memory; nothing is ever unpacked to disk, so that `../` in a name is only a name."""

    archive: zipfile.ZipFile
    name: str

    def __call__(self) -> bytes:
        return self.archive.read(self.name)


def _is_litter(name: str) -> bool:
    parts = name.split("/")
    return parts[-1] in LITTER or "__MACOSX" in parts or parts[-1].startswith("._")


def stated_terms(source: Path) -> Terms | None:
    """The licence in a `card.yaml` at the top of a folder, if there is one (`licence`, `passing_on`)."""
    path = source / "card.yaml" if source.is_dir() else source.with_name("card.yaml")
    if not path.is_file():
        return None
    try:
        card: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"not valid YAML: {error}", where=str(path)) from error
    if not isinstance(card, dict) or "licence" not in card:
        raise UsageError("a card beside stations states `licence` and `passing_on`", where=str(path))
    return Terms(str(card["licence"]), bool(card.get("passing_on", False)))
