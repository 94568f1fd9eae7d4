"""Reading the two files of a product's folder that say which versions there are and which is the latest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from vadose.common import InputError, read_json

VERSIONS, LATEST = "versions.json", "latest.json"
NUMBER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


def read_versions(root: Path) -> list[dict[str, Any]]:
    """Entries of `versions.json`, oldest first; none if there is no such file, another document is an `InputError`."""
    path = root / VERSIONS
    if not path.is_file():
        return []
    return check_versions(read_json(path), str(path))


def check_versions(document: Any, where: str) -> list[dict[str, Any]]:
    """Entries of a parsed `versions.json`; another document is an `InputError`."""
    entries = document.get("versions") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and _is_number(entry) for entry in entries):
        raise InputError("not a list of versions", where=where, next="restore it from a copy of the product")
    return entries


def read_latest(root: Path) -> str | None:
    """The version in `latest.json`; `None` if no version stands, another document is an `InputError`."""
    path = root / LATEST
    if not path.is_file():
        return None
    document = read_json(path)
    if not isinstance(document, dict) or not _is_number(document):
        raise InputError(
            "does not name a version", where=str(path), next="delete it, then vadose release publish the newest version"
        )
    return str(document["version"])


def _is_number(entry: dict[str, Any]) -> bool:
    return NUMBER.fullmatch(str(entry.get("version"))) is not None
