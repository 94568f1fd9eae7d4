"""What a product's `versions.json` says against using a version: withdrawn, deprecated, or granules of it withdrawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vadose.common import InputError
from vadose.producer.release.fetching import fetcher, is_url
from vadose.producer.release.root_files import VERSIONS, check_versions, read_versions


def standing(place: str | Path) -> list[str]:
    """Lines that a user of the version in a folder or at a URL must see; none if all is well or nothing is known."""
    if isinstance(place, Path) or not is_url(place):
        path = Path(place).resolve()
        return against(read_versions(path.parent), path.name)
    root, _, name = place.rstrip("/").rpartition("/")
    try:
        raw = fetcher(root)(VERSIONS, None)
        return against(check_versions(json.loads(raw), f"{root}/{VERSIONS}"), name)
    except (InputError, ValueError):
        # A copy of the version alone has no list of versions beside it.
        return []


def against(entries: Sequence[dict[str, Any]], name: str) -> list[str]:
    """What the entries of `versions.json` say against the version of a folder `v<M.m.p>`."""
    entry: dict[str, Any] = next((entry for entry in entries if f"v{entry['version']}" == name), {})
    lines = []
    if entry.get("status") == "withdrawn":
        lines.append(f"version {entry['version']} was withdrawn: {entry.get('reason')}")
    if entry.get("status") == "deprecated":
        lines.append(
            f"version {entry['version']} is deprecated and stays until {entry.get('until')}; use "
            f"{entry.get('obsoleted_by')}: {entry.get('reason')}"
        )
    withdrawn = entry.get("withdrawn_granules") or {}
    return lines + [f"{granule} was withdrawn: {reason}" for granule, reason in sorted(withdrawn.items())]
