"""`vadose verify`: sums, signature and headers of a release, of any copy of it or at a URL; h5py is all it needs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from vadose.common import InputError, Progress, file_sha256, read_json
from vadose.common.files import readable_os_errors
from vadose.producer.release.fetching import Fetch, NotThereError, fetcher
from vadose.producer.release.root_files import read_versions

MANIFEST, SUMS, SIGNATURE, SIGNERS = "manifest.json", "SHA256SUMS", "SHA256SUMS.sig", "allowed_signers"
# Their sums stand in the product's `versions.json`.
BESIDE = frozenset({SIGNATURE, "gate.json", "signoff.json"})
UNLISTED = frozenset({MANIFEST, SUMS}) | BESIDE
IDENTITY = "vadose-release"
# Of files at a URL.
REQUESTS_AT_ONCE = 8
PART_BYTES = 1 << 24
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass
class Verified:
    """What was found: damaged files in words, and what could not be checked."""

    files: int = 0
    granules: int = 0
    damaged: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)


def verify(
    path: Path, progress: Progress, *, signers: Path | None = None, headers: bool = True, contents: bool = False,
    journal: Path | None = None,
) -> Verified:  # fmt: skip
    """Check a release.

    Parameters
    ----------
    path
        A version folder, local or copied.
    progress
        Where to report.
    signers
        `allowed_signers` of OpenSSH for the signature, where there is one.
    headers
        Also open every granule and compare its header with the manifest.
    contents
        Also compare the content hash of every granule.
    journal
        Sums that are found right are written here as they are found, and not computed again by another run.

    Raises
    ------
    InputError
        If there is no list of sums, or no manifest that could be one.
    """
    listed = read_sums(path / SUMS)
    result = Verified(files=len(listed))
    check_sums(lambda name: local_sha256(path / name), listed, result, progress, journal=journal)
    check_beside(path, result)
    check_signature(path, signers, result)
    if f"{MANIFEST} has other bytes" in result.damaged:
        result.not_checked.append(f"headers and listing: {MANIFEST} is damaged")
        return result
    entries = published_entries(path / MANIFEST)
    check_listing(path, entries, listed, result)
    if headers:
        check_headers(path, entries, result, progress, contents=contents)
    return result


def verify_url(url: str, progress: Progress, *, journal: Path | None = None) -> Verified:
    """Check sums and listing of a release at a URL; each file is read once, in parts.

    Parameters
    ----------
    url
        A version: `https://…/PRODUCT/vM.m.p`.
    progress, journal
        As for `verify`.
    """
    fetch = fetcher(url)
    listed = parse_sums(fetch(SUMS, None), f"{url}/{SUMS}")
    result = Verified(files=len(listed))
    raw = fetch(MANIFEST, None)
    if hashlib.sha256(raw).hexdigest() != listed.get(MANIFEST):
        result.damaged.append(f"{MANIFEST} has other bytes")
        return result
    entries = manifest_entries(_parsed(raw, f"{url}/{MANIFEST}"), f"{url}/{MANIFEST}")
    sizes = {entry["path"]: int(entry["bytes"]) for entry in entries}
    check_entries(entries, listed, result)
    others = {name: sha256 for name, sha256 in listed.items() if name != MANIFEST}
    check_sums(
        lambda name: remote_sha256(fetch, name, sizes.get(name)), others, result, progress, journal=journal,
        threads=REQUESTS_AT_ONCE,
    )  # fmt: skip
    result.not_checked.append("headers, signature, gate, sign-off and files that are not listed: only in a copy")
    return result


def _parsed(raw: bytes, where: str) -> Any:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise InputError("not the manifest of a release", where=where) from error


def published_entries(path: Path) -> list[dict[str, Any]]:
    """The published files of a manifest; another kind of JSON is an `InputError`."""
    if not is_there(path):
        raise InputError("no manifest of a release", where=str(path), next="restore it from another copy")
    return manifest_entries(read_json(path), str(path))


def manifest_entries(manifest: Any, where: str) -> list[dict[str, Any]]:
    """The published files of a parsed manifest; another kind of document is an `InputError`."""
    try:
        entries = [entry for entry in manifest["files"] if entry["status"] == "published"]
        complete = all(
            {"path", "sha256", "role", "bytes"} <= entry.keys()
            and (entry["role"] != "granule" or {"header_sha256", "content_sha256", "tracking_id"} <= entry.keys())
            for entry in entries
        )
    except (KeyError, TypeError, AttributeError):
        complete = False
    if not complete:
        raise InputError("not the manifest of a release", where=where)
    return entries


def read_sums(path: Path) -> dict[str, str]:
    """Hash by path from a `SHA256SUMS`."""
    if not is_there(path):
        raise InputError("no readable SHA256SUMS", where=str(path), next="vadose release RECIPE --run RUN")
    return parse_sums(path.read_bytes(), str(path))


def parse_sums(raw: bytes, where: str) -> dict[str, str]:
    """Hash by path from the bytes of a `SHA256SUMS`, which must be written exactly as `vadose release` writes it."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise InputError("no readable SHA256SUMS", where=where, next="vadose release RECIPE --run RUN") from error
    pairs = [line.partition("  ") for line in text.split("\n")[:-1]]
    named = all(SHA256.fullmatch(sha256) and name and name.isprintable() for sha256, _, name in pairs)
    if not text.endswith("\n") or not named:
        raise InputError("not a list of SHA-256 sums", where=where)
    return {name: sha256 for sha256, _, name in pairs}


def is_there(place: Path) -> bool:
    """Whether a listed file is there; a name that no file can have is not."""
    try:
        return place.is_file()
    except (OSError, ValueError):
        return False


def local_sha256(place: Path) -> str | None:
    """Hash of a file; `None` where there is none."""
    return file_sha256(place) if is_there(place) else None


def remote_sha256(fetch: Fetch, name: str, size: int | None) -> str | None:
    """Hash of a file at a URL, read in parts; `None` where there is none."""
    digest = hashlib.sha256()
    try:
        if size is None or size <= PART_BYTES:
            return hashlib.sha256(fetch(name, None)).hexdigest()
        for start in range(0, size, PART_BYTES):
            digest.update(fetch(name, (start, min(PART_BYTES, size - start))))
    except NotThereError:
        return None
    return digest.hexdigest()


def check_sums(
    sha256_of: Callable[[str], str | None], listed: Mapping[str, str], result: Verified, progress: Progress, *,
    journal: Path | None = None, threads: int | None = None,
) -> None:  # fmt: skip
    """Every listed file has its bytes; several are read at once.

    Parameters
    ----------
    sha256_of
        The hash of a file by name; `None` where there is none.
    listed, result
        Hashes by name, and where damage is noted.
    progress, journal, threads
        Where to report and to remember, and how many to read at once: as many as there are cores by default.
    """
    known = remembered(journal)
    names = [name for name, sha256 in listed.items() if known.get(name) != sha256]
    with Journal(journal) as notes, ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        found = zip(names, pool.map(sha256_of, names), strict=True)
        for name, sha256 in progress.track(found, "sums", len(names)):
            if sha256 is None:
                result.damaged.append(f"{name} is missing")
            elif sha256 != listed[name]:
                result.damaged.append(f"{name} has other bytes")
            else:
                notes.add(name, sha256)


def remembered(journal: Path | None) -> dict[str, str]:
    """Hashes by name that runs before found right; a line that a stop cut off does not count."""
    if journal is None or not journal.is_file():
        return {}
    lines = journal.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return {name: sha256 for sha256, _, name in (line.partition("  ") for line in lines)}


class Journal:
    """Appends what is found right, line by line; without a path it does nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Journal:
        """Open the file, and end a line that a stop cut off."""
        if self._path is not None:
            with readable_os_errors(self._path):
                cut = self._path.is_file() and not self._path.read_bytes().endswith(b"\n")
                self._file = self._path.open("a", encoding="utf-8")
                self._file.write("\n" if cut else "")
        return self

    def add(self, name: str, sha256: str) -> None:
        """Remember a file."""
        if self._file is not None:
            self._file.write(f"{sha256}  {name}\n")
            self._file.flush()

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def check_beside(path: Path, result: Verified) -> None:
    """Gate, sign-off and signature have the bytes with which the version was published."""
    entries = read_versions(path.parent)
    known = next((item.get("beside") for item in entries if f"v{item['version']}" == path.name), None)
    if not isinstance(known, dict):
        result.not_checked.append(f"{', '.join(sorted(BESIDE))}: no versions.json beside the version has their sums")
        return
    for name in sorted(BESIDE):
        there = is_there(path / name)
        if name in known and not there:
            result.damaged.append(f"{name} is missing")
        elif there and known.get(name) != file_sha256(path / name):
            result.damaged.append(f"{name} has other bytes than when it was published")


def check_entries(files: list[dict[str, Any]], listed: Mapping[str, str], result: Verified) -> None:
    """Manifest and sums name the same files."""
    entries = {entry["path"]: entry["sha256"] for entry in files}
    for name in sorted(set(entries) | set(listed) - {MANIFEST}):
        if entries.get(name) != listed.get(name):
            result.damaged.append(f"{name} differs between manifest and {SUMS}")


def check_listing(path: Path, files: list[dict[str, Any]], listed: dict[str, str], result: Verified) -> None:
    """Manifest, sums and folder name the same files."""
    check_entries(files, listed, result)
    found = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    hidden = {name for name in found if any(part.startswith(".") for part in name.split("/"))}
    for name in sorted(found - hidden - set(listed) - UNLISTED):
        result.damaged.append(f"{name} is not listed")


def check_signature(path: Path, signers: Path | None, result: Verified) -> None:
    """The signature of the sums, where there is one; who names its signers expects one."""
    signature = path / SIGNATURE
    if not signature.is_file():
        if signers is not None:
            result.damaged.append(f"{SIGNATURE} is missing, though --signers says who signed")
        return
    known = signers or path.parent / SIGNERS
    if not known.is_file() or shutil.which("ssh-keygen") is None:
        result.not_checked.append(f"signature: needs ssh-keygen and a file {SIGNERS} (--signers)")
        return
    command = ["ssh-keygen", "-Y", "verify", "-f", str(known), "-I", IDENTITY, "-n", IDENTITY, "-s", str(signature)]
    with (path / SUMS).open("rb") as sums:
        answer = subprocess.run(command, stdin=sums, capture_output=True, text=True, check=False)
    if answer.returncode:
        result.damaged.append(f"{SIGNATURE} does not verify: {answer.stderr.strip()}")


def check_headers(
    path: Path, files: list[dict[str, Any]], result: Verified, progress: Progress, *, contents: bool
) -> None:
    """Every granule opens and has the header, and if asked the content, that the manifest says."""
    try:
        from vadose.producer.granules.reading import read_granule
    except ImportError as error:
        result.not_checked.append(f"headers: {error.name} is not installed")
        return
    granules = [entry for entry in files if entry["role"] == "granule"]
    for entry in progress.track(granules, "headers"):
        place = path / entry["path"]
        if not is_there(place):
            continue
        result.granules += 1
        try:
            granule = read_granule(place, values=contents)
        except InputError as error:
            result.damaged.append(f"{entry['path']}: {error.what}")
            continue
        if (
            granule.header_sha256 != entry["header_sha256"]
            or granule.attributes.get("tracking_id") != entry["tracking_id"]
        ):
            result.damaged.append(f"{entry['path']} has another header")
        if contents and granule.content_sha256 != entry["content_sha256"]:
            result.damaged.append(f"{entry['path']} has another content")
