"""Files behind a source: a file, a folder tree, a zip, a zip of zips; and the licence stated beside them."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

from vadose.common import InputError, UsageError
from vadose.validation.declarations import parsed_yaml

CARD = "card.yaml"
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
# What unpacks to more is a mistake or an attack: the largest series of 40 years has 300 MB in the widest layout.
LARGEST_MEMBER = 10**9
_LARGEST_RATIO = 200.0
_RATIO_APPLIES_FROM = 10**8
_DEEPEST = 3
_HEAD_BYTES = 4096
_GZIP = b"\x1f\x8b"
_UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError)


@dataclass(frozen=True)
class Member:
    """One file of a source; `name` is its path as the user sees it, `folder` groups files of one station."""

    name: str
    folder: str
    _open: Callable[[], IO[bytes]]

    @property
    def base(self) -> str:
        """The name without folders."""
        return PurePosixPath(self.name).name

    def head(self) -> bytes:
        """The first 4 kB or less, unpacked."""
        raw = self._stored(_HEAD_BYTES)
        if raw[:2] != _GZIP:
            return raw
        try:
            return zlib.decompressobj(wbits=31).decompress(raw, _HEAD_BYTES)
        except zlib.error as error:
            raise InputError(f"cannot read: {error}", where=self.name) from error

    def read(self) -> bytes:
        """All bytes, unpacked."""
        return self.hashed()[0]

    def hashed(self) -> tuple[bytes, str]:
        """All bytes, unpacked, and the SHA-256 of the bytes as stored."""
        raw = self._stored(LARGEST_MEMBER + 1)
        if len(raw) > LARGEST_MEMBER:
            self._refuse(f"more than {LARGEST_MEMBER / 1e6:.0f} MB")
        digest = hashlib.sha256(raw).hexdigest()
        if raw[:2] != _GZIP:
            return raw, digest
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
                unpacked = file.read(LARGEST_MEMBER + 1)
        except _UNREADABLE as error:
            raise InputError(f"cannot read: {error}", where=self.name) from error
        if len(unpacked) > LARGEST_MEMBER:
            self._refuse(f"unpacks to more than {LARGEST_MEMBER / 1e6:.0f} MB from {len(raw) / 1e6:.2f} MB")
        return unpacked, digest

    def _stored(self, most: int) -> bytes:
        try:
            with self._open() as file:
                return file.read(most)
        except _UNREADABLE as error:
            raise InputError(f"cannot read: {error}", where=self.name) from error

    def _refuse(self, what: str) -> NoReturn:
        raise InputError(what, where=self.name, why="no station file is that large", next="remove it from the source")


@dataclass(frozen=True)
class Terms:
    """Licence of station values, and whether they may be passed on."""

    licence: str
    redistributable: bool


def members(source: Path) -> Iterator[Member]:
    """All files of a source in the order of their names, litter left out.

    What is not to be trusted is a member that cannot be read: a broken zip, a zip bomb, a name that climbs out of
    its archive. Reading it raises an `InputError` with its name; the others are not touched by that.

    Raises
    ------
    InputError
        If the source does not exist.
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
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        yield _refused(str(path), f"cannot read: {error.strerror or error}", "")
        return
    if start == b"PK\x03\x04" and path.suffix.lower() != ".xlsx":
        yield from _zipped(str(path), path, 1)
    else:
        yield Member(str(path), str(path.parent), lambda: path.open("rb"))


def _zipped(name: str, stored: Path | io.BytesIO, depth: int) -> Iterator[Member]:
    if depth > _DEEPEST:
        yield _refused(name, f"zip files inside zip files, more than {_DEEPEST} deep", "unpack it and give the folder")
        return
    try:
        archive = zipfile.ZipFile(stored)
    except (zipfile.BadZipFile, OSError) as error:
        yield _refused(name, f"broken zip file: {error}", "download it again")
        return
    for info in sorted(archive.infolist(), key=lambda info: info.filename):
        if info.is_dir() or _is_litter(info.filename):
            continue
        full = f"{name}/{info.filename}"
        fault = _fault(info)
        if fault:
            yield _refused(full, fault, "remove it from the archive")
            continue
        member = Member(full, full.rpartition("/")[0], _Opener(archive, info))
        if info.filename.lower().endswith(".zip"):
            try:
                inner = io.BytesIO(member.read())
            except InputError as error:
                yield _refused(full, error.what, error.next)
                continue
            yield from _zipped(full, inner, depth + 1)
        else:
            yield member


def _fault(info: zipfile.ZipInfo) -> str:
    """Why a member of an archive is not touched, or nothing."""
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > LARGEST_MEMBER or (info.file_size > _RATIO_APPLIES_FROM and ratio > _LARGEST_RATIO):
        return f"unpacks to {info.file_size / 1e6:.0f} MB from {info.compress_size / 1e6:.2f} MB, a zip bomb"
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        return "the name leads out of the archive"
    return ""


def _refused(name: str, what: str, following: str) -> Member:
    def refuse() -> NoReturn:
        raise InputError(what, where=name, next=following)

    return Member(name, name.rpartition("/")[0], refuse)


@dataclass(frozen=True)
class _Opener:
    """Opens one member; nothing is ever unpacked to disk."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    def __call__(self) -> IO[bytes]:
        return self.archive.open(self.info)


def _is_litter(name: str) -> bool:
    parts = name.split("/")
    return parts[-1] in LITTER or "__MACOSX" in parts or parts[-1].startswith("._")


def stated_terms(source: Path, members: Sequence[Member]) -> dict[str, Terms]:
    """Licences by folder, as `card.yaml` files state them (`licence`, `passing_on`).

    A card holds for its folder and all below it; one beside a source that is a file holds for that file.

    Raises
    ------
    UsageError
        If a card is no YAML or states no licence.
    """
    out = {member.folder: _terms(member.read(), member.name) for member in members if member.base == CARD}
    beside = source.with_name(CARD)
    if source.is_file() and source.name != CARD and beside.is_file():
        out[str(source.parent)] = _terms(beside.read_bytes(), str(beside))
    return out


def _terms(raw: bytes, where: str) -> Terms:
    card = parsed_yaml(raw, where)
    if not isinstance(card, dict) or "licence" not in card:
        raise UsageError("a card beside stations states `licence` and `passing_on`", where=where)
    return Terms(str(card["licence"]), bool(card.get("passing_on", False)))
