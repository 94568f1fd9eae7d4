"""Sealing a version: read-only, copied and verified if asked, then named in the product's root files."""

from __future__ import annotations

import re
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

from vadose.common import GateError, InputError, Progress, UsageError, file_sha256, read_json, whole_file, write_json
from vadose.producer.lock import only_one
from vadose.producer.release.copies import copy, copy_root
from vadose.producer.release.differences import granule_paths
from vadose.producer.release.folder import (
    GATE,
    SIGNATURE,
    SIGNOFF,
    STANDING,
    SUMS,
    Folder,
    order,
    versions,
)
from vadose.producer.release.rolling import withdraw_rolling
from vadose.producer.release.root_files import LATEST, VERSIONS, read_latest
from vadose.producer.release.verify import verify

NONE_KNOWN = "None is known."
DAY = re.compile(r"\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])")
NAMESPACE = "vadose-release"
READ_ONLY_FILE, READ_ONLY_FOLDER = 0o444, 0o555
# What is about the manifest and therefore in no list of sums of the version; `versions.json` holds their sums.
BESIDE = (GATE, SIGNOFF, SIGNATURE)


def publish(folder: Folder, progress: Progress, *, to: str | None = None, key: Path | None = None) -> bool:
    """Publish a gated version; return whether anything happened.

    A stop at any point leaves the old release current, and the same call goes on.

    Raises
    ------
    GateError
        If the recipe forbids it, the gate or the sign-off is missing or about another manifest, a version of this
        number with other bytes is published, or another process publishes the product.
    """
    if folder.path.name == "nrt":
        raise UsageError(
            "stream NRT is in no version", where=str(folder.path), next="vadose release roll RECIPE [--to URL]"
        )
    with only_one(folder.root, "published"), only_one(folder.path, "published"):
        return _publish(folder, progress, to, key)


def _publish(folder: Folder, progress: Progress, to: str | None, key: Path | None) -> bool:
    sha256 = folder.manifest_sha256
    entry = folder.entry
    check_may_stand(folder, sha256)
    happened = entry is None or read_latest(folder.root) is None
    if entry is None:
        if key is not None:
            sign(folder, key)
        # The gate has read every header of the bytes whose sums are checked here.
        found = verify(folder.path, progress, headers=False)
        if found.damaged:
            raise InputError(
                f"{len(found.damaged)} files are damaged: {found.damaged[0]}",
                where=str(folder.path),
                next="vadose build RECIPE",
            )
        seal(folder.path)
    if to is not None:
        happened |= copy(folder, to, progress)
    if entry is None:
        announce(folder, sha256)
    elif happened:
        point_to(folder)
    if to is not None:
        copy_root(folder.root, to)
    return happened


def check_may_stand(folder: Folder, sha256: str) -> None:
    """Refuse what may not be published, and a published version with other bytes or one that was withdrawn."""
    entry = folder.entry
    if entry is None:
        check_allowed(folder, sha256)
        return
    if entry.get("manifest_sha256") != sha256:
        raise GateError(
            f"version {folder.version} is published with other bytes", where=str(folder.path),
            next="raise product.version and product.issued in the recipe and build again, or restore the manifest",
        )  # fmt: skip
    if entry["status"] == "withdrawn":
        raise GateError(f"version {folder.version} was withdrawn: {entry['reason']}", where=str(folder.path),
                        next="build a new version")  # fmt: skip


def check_allowed(folder: Folder, sha256: str) -> None:
    """Refuse a version whose recipe, gate or sign-off does not allow publication."""
    recipe = folder.recipe()
    where = str(folder.path)
    if not recipe.product.publish:
        raise GateError("the recipe says publish: false", where=where, why=recipe.product.licence)
    gate = read_json(folder.path / GATE) if (folder.path / GATE).is_file() else None
    if gate is None or gate["manifest_sha256"] != sha256:
        raise GateError(
            "gate.json is missing or about another manifest",
            where=where,
            next=f"vadose release {recipe.recipe} --run RUN",
        )
    if not gate["passed"]:
        failed = [item["check"] for item in gate["checks"] if not item["passed"]]
        raise GateError(
            f"the gate failed: {', '.join(failed)}", where=where, next="mend what gate.json lists and release again"
        )
    if recipe.product.stream == "CDR":
        check_signoff(folder, sha256)


def check_signoff(folder: Folder, sha256: str) -> None:
    """Refuse a CDR that nobody signed for: who looked, on which day, at which pages and maps, of this manifest."""
    path = folder.path / SIGNOFF
    note = read_json(path) if path.is_file() else {}
    lacking = [name for name in ("name", "date", "looked_at") if not (isinstance(note, dict) and note.get(name))]
    about = isinstance(note, dict) and note.get("manifest_sha256") == sha256
    if lacking or not about or not DAY.fullmatch(str(note["date"])):
        raise GateError(
            "stream CDR needs a signoff.json about this manifest", where=str(path),
            why=f"it lacks {', '.join(lacking)}" if lacking else "" if not about else f"date is {note['date']!r}",
            next=f"look at the pages and maps, then write name, date (YYYY-MM-DD), looked_at (a list) and "
                 f"manifest_sha256 ({sha256})",
        )  # fmt: skip


def sign(folder: Folder, key: Path) -> None:
    """OpenSSH signature of `SHA256SUMS`."""
    sums = folder.path / SUMS
    (folder.path / SIGNATURE).unlink(missing_ok=True)
    try:
        subprocess.run(
            ["ssh-keygen", "-Y", "sign", "-q", "-f", key, "-n", NAMESPACE, sums],
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise InputError(
            "ssh-keygen is not installed", next="install openssh-client, or publish without --key"
        ) from error
    except subprocess.CalledProcessError as error:
        raise InputError(f"cannot sign: {error.stderr.strip()}", where=str(key)) from error


def seal(path: Path) -> None:
    """Take write permission away from every file and folder of a version."""
    for place in sorted(path.rglob("*"), reverse=True):
        place.chmod(READ_ONLY_FOLDER if place.is_dir() else READ_ONLY_FILE)
    path.chmod(READ_ONLY_FOLDER)


def announce(folder: Folder, sha256: str) -> None:
    """Replace `versions.json`, and last of all `latest.json`."""
    recipe = folder.recipe()
    beside = {name: file_sha256(folder.path / name) for name in BESIDE if (folder.path / name).is_file()}
    entry = {
        "version": folder.version, "issued": recipe.product.issued, "status": "current", "reason": None,
        "doi": recipe.product.doi, "manifest_sha256": sha256, "beside": beside,
    }  # fmt: skip
    others = [dict(item) for item in versions(folder.root) if item["version"] != folder.version]
    write_versions(folder.root, recipe.product.id, [*others, entry])
    point_to(folder)


def point_to(folder: Folder) -> None:
    """The root files after `versions.json`: the live list of issues where there is none, and last `latest.json`."""
    issues = folder.root / "KNOWN_ISSUES.md"
    if not issues.is_file():
        with whole_file(issues) as part:
            part.write_bytes((folder.path / "KNOWN_ISSUES.md").read_bytes())
    write_latest(folder.root)


def write_versions(root: Path, product_id: str, entries: list[dict[str, Any]]) -> None:
    """`versions.json`, oldest version first; the newest that stands is the current one."""
    ordered = sorted(entries, key=lambda item: order(item["version"]))
    standing = [item for item in ordered if item["status"] in STANDING]
    for item in standing:
        item["status"] = "current" if item is standing[-1] else "superseded"
    write_json(root / VERSIONS, {"schema_version": 1, "product_id": product_id, "versions": ordered})


def write_latest(root: Path) -> None:
    """`latest.json`: the newest version that stands; none stands, no file."""
    standing = [item for item in versions(root) if item["status"] in STANDING]
    if not standing:
        (root / LATEST).unlink(missing_ok=True)
        return
    newest = max(standing, key=lambda item: order(item["version"]))
    write_json(root / LATEST, {"version": newest["version"], "manifest_sha256": newest["manifest_sha256"]})


def check_withdrawal(folder: Folder, reason: str, granule: str | None) -> None:
    """Refuse a withdrawal without a reason, or of what is not published."""
    if not reason.strip():
        raise UsageError("a withdrawal needs a reason, which is published", next="--reason TEXT")
    if folder.path.name == "nrt":
        if granule is None:
            raise UsageError("stream NRT is in no version", where=str(folder.path), next="--granule NAME")
    elif folder.entry is None:
        raise GateError(
            f"version {folder.version} is not published", where=str(folder.path), next="delete the folder instead"
        )
    elif granule is not None and granule not in {Path(name).name for name in granule_paths(folder)}:
        raise InputError(
            f"no granule {granule!r} in version {folder.version}", where=str(folder.path),
            next="name one as the manifest does, without its folders",
        )  # fmt: skip


def withdraw(folder: Folder, reason: str, *, granule: str | None = None, to: str | None = None) -> None:
    """Withdraw a published version, or one granule of it; only the product's root files change, of a copy too.

    Of stream NRT a granule leaves the rolling folder, and its day stays listed with the reason.
    """
    check_withdrawal(folder, reason, granule)
    with only_one(folder.root, "withdrawn"):
        if folder.path.name == "nrt":
            _withdraw_rolling(folder, reason, str(granule))
        else:
            _withdraw(folder, reason, granule)
        if to is not None:
            copy_root(folder.root, to)


def deprecate(folder: Folder, reason: str, until: date, *, to: str | None = None) -> None:
    """Announce the end of a version at least twelve months ahead; only the product's root files change.

    Raises
    ------
    GateError
        If the version is not published, or no newer one stands.
    UsageError
        If there is no reason, or the end is less than twelve months after the newest version was issued.
    """
    if not reason.strip():
        raise UsageError("a deprecation needs a reason, which is published", next="--reason TEXT")
    with only_one(folder.root, "deprecated"):
        entries = [dict(item) for item in versions(folder.root)]
        newer = [item for item in entries
                 if item["status"] in STANDING and order(item["version"]) > order(folder.version)]  # fmt: skip
        if folder.entry is None or folder.entry["status"] == "withdrawn" or not newer:
            raise GateError(
                f"version {folder.version} is not published, is withdrawn, or has no newer one that stands",
                where=str(folder.path), next="publish what replaces it first",
            )  # fmt: skip
        newest = max(newer, key=lambda item: order(item["version"]))
        issued = date.fromisoformat(str(newest["issued"])[:10])
        if until < issued.replace(year=issued.year + 1, day=min(issued.day, 28)):
            raise UsageError(f"{until} gives less than twelve months' notice; {newest['version']} was issued {issued}",
                             next="name a later day")  # fmt: skip
        for item in entries:
            if item["version"] == folder.version:
                item |= {
                    "status": "deprecated",
                    "reason": reason,
                    "until": str(until),
                    "obsoleted_by": newest["version"],
                }
        write_versions(folder.root, folder.root.name, entries)
        text = f"{reason}\n\nUse {newest['version']} instead; version {folder.version} stays until {until}."
        note_issue(folder.root, f"## Deprecated: version {folder.version}", text)
        write_latest(folder.root)
        if to is not None:
            copy_root(folder.root, to)


def _withdraw_rolling(folder: Folder, reason: str, granule: str) -> None:
    with only_one(folder.path, "withdrawn"):
        withdraw_rolling(folder, granule, reason)
    note_issue(folder.root, f"## Withdrawn: granule {granule} of stream NRT", reason)


def note_issue(root: Path, title: str, reason: str) -> None:
    """Add an entry to the product's live `KNOWN_ISSUES.md`, once."""
    issues = root / "KNOWN_ISSUES.md"
    text = issues.read_text(encoding="utf-8") if issues.is_file() else "# Known issues\n"
    text = text.replace(NONE_KNOWN, "")
    if title not in text:
        with whole_file(issues) as part:
            part.write_text(f"{text.rstrip()}\n\n{title}\n\n{reason}\n", encoding="utf-8")


def _withdraw(folder: Folder, reason: str, granule: str | None) -> None:
    what = f"granule {granule} of" if granule else "version"
    note_issue(folder.root, f"## Withdrawn: {what} {folder.version}", reason)
    entries = [dict(item) for item in versions(folder.root)]
    for item in entries:
        if item["version"] == folder.version:
            if granule is None:
                item |= {"status": "withdrawn", "reason": reason}
            else:
                item["withdrawn_granules"] = {**item.get("withdrawn_granules", {}), granule: reason}
    write_versions(folder.root, folder.root.name, entries)
    write_latest(folder.root)
