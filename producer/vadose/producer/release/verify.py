"""`vadose verify`: sums, signature and headers of a release or of any copy of it; h5py is all it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadose.common import InputError, Progress, file_sha256, read_json

MANIFEST, SUMS, SIGNATURE, SIGNERS = "manifest.json", "SHA256SUMS", "SHA256SUMS.sig", "allowed_signers"
# Their sums stand in the product's `versions.json`.
BESIDE = frozenset({SIGNATURE, "gate.json", "signoff.json"})
UNLISTED = frozenset({MANIFEST, SUMS}) | BESIDE
IDENTITY = "vadose-release"
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass
class Verified:
    """What was found: damaged files in words, and what could not be checked."""

    files: int = 0
    granules: int = 0
    damaged: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)


def verify(
    path: Path, progress: Progress, *, signers: Path | None = None, headers: bool = True, contents: bool = False
) -> Verified:
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

    Raises
    ------
    InputError
        If there is no list of sums, or no manifest that could be one.
    """
    listed = read_sums(path / SUMS)
    result = Verified(files=len(listed))
    check_sums(path, listed, result, progress)
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


def published_entries(path: Path) -> list[dict[str, Any]]:
    """The published files of a manifest; another kind of JSON is an `InputError`."""
    manifest = read_json(path)
    try:
        entries = [entry for entry in manifest["files"] if entry["status"] == "published"]
        complete = all(
            {"path", "sha256", "role"} <= entry.keys()
            and (entry["role"] != "granule" or {"header_sha256", "content_sha256", "tracking_id"} <= entry.keys())
            for entry in entries
        )
    except (KeyError, TypeError, AttributeError):
        complete = False
    if not complete:
        raise InputError("not the manifest of a release", where=str(path))
    return entries


def read_sums(path: Path) -> dict[str, str]:
    """Hash by path from a `SHA256SUMS`, which must be written exactly as `vadose release` writes it."""
    try:
        text = path.read_bytes().decode()
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise InputError("no readable SHA256SUMS", where=str(path), next="vadose release RECIPE --run RUN") from error
    pairs = [line.partition("  ") for line in text.split("\n")[:-1]]
    if not text.endswith("\n") or not all(SHA256.fullmatch(sha256) and name.isprintable() for sha256, _, name in pairs):
        raise InputError("not a list of SHA-256 sums", where=str(path))
    return {name: sha256 for sha256, _, name in pairs}


def is_there(place: Path) -> bool:
    """Whether a listed file is there; a name that no file can have is not."""
    try:
        return place.is_file()
    except (OSError, ValueError):
        return False


def check_sums(path: Path, listed: dict[str, str], result: Verified, progress: Progress) -> None:
    """Every listed file has its bytes."""
    for name, expected in progress.track(listed.items(), "sums", len(listed)):
        place = path / name
        if not is_there(place):
            result.damaged.append(f"{name} is missing")
        elif file_sha256(place) != expected:
            result.damaged.append(f"{name} has other bytes")


def check_beside(path: Path, result: Verified) -> None:
    """Gate, sign-off and signature have the bytes with which the version was published."""
    listing = path.parent / "versions.json"
    entries = read_json(listing).get("versions", []) if listing.is_file() else []
    known = next((item.get("beside") for item in entries if f"v{item['version']}" == path.name), None)
    if known is None:
        result.not_checked.append(f"{', '.join(sorted(BESIDE))}: no versions.json beside the version has their sums")
        return
    for name in sorted(BESIDE):
        there = is_there(path / name)
        if name in known and not there:
            result.damaged.append(f"{name} is missing")
        elif there and known.get(name) != file_sha256(path / name):
            result.damaged.append(f"{name} has other bytes than when it was published")


def check_listing(path: Path, files: list[dict[str, Any]], listed: dict[str, str], result: Verified) -> None:
    """Manifest, sums and folder name the same files."""
    entries = {entry["path"]: entry["sha256"] for entry in files}
    for name in sorted(set(entries) | set(listed) - {MANIFEST}):
        if entries.get(name) != listed.get(name):
            result.damaged.append(f"{name} differs between manifest and {SUMS}")
    found = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    hidden = {name for name in found if any(part.startswith(".") for part in name.split("/"))}
    for name in sorted(found - hidden - set(listed) - UNLISTED):
        result.damaged.append(f"{name} is not listed")


def check_signature(path: Path, signers: Path | None, result: Verified) -> None:
    """The signature of the sums, where there is one."""
    signature = path / SIGNATURE
    if not signature.is_file():
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
