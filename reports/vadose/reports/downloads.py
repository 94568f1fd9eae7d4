"""The download page: files with size and sum, addresses, and commands that go on after a break."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from vadose.reports.data import Release
from vadose.reports.formats import size

# Files that the manifest does not list, since they are about it.
ABOUT = ("manifest.json", "SHA256SUMS")


@dataclass(frozen=True)
class File:
    """One line of the listing."""

    path: str
    url: str
    size: str
    sha256: str
    start: str


@dataclass(frozen=True)
class Download:
    """Everything that the download page shows of one version."""

    root: str
    files: tuple[File, ...]
    granules: tuple[tuple[str, tuple[File, ...]], ...]
    total: str
    cut: int

    @property
    def urls(self) -> str:
        """`urls.txt`: one address a line."""
        return "".join(f"{file.url}\n" for file in self.files)


def download(release: Release, files_url: str) -> Download:
    """The listing of a release whose product folders are served under `files_url`."""
    root = f"{files_url.rstrip('/')}/{release.address}/"
    entries = [e for e in release.manifest["files"] if e.get("status", "published") != "withdrawn"]
    files = [_file(entry, root) for entry in entries]
    about = [_file({"path": name, "bytes": 0, "sha256": ""}, root) for name in ABOUT]
    years: dict[str, list[File]] = {}
    for entry, file in zip(entries, files, strict=True):
        if entry.get("role") == "granule":
            years.setdefault(str(entry.get("start") or "static")[:4], []).append(file)
    total = sum(int(entry["bytes"]) for entry in entries)
    cut = len([part for part in urlsplit(files_url).path.split("/") if part])
    by_year = tuple((year, tuple(found)) for year, found in sorted(years.items()))
    return Download(root, (*files, *about), by_year, size(total), cut)


def _file(entry: dict[str, Any], root: str) -> File:
    path = str(entry["path"])
    return File(
        path,
        root + quote(path, safe="/"),
        size(int(entry["bytes"])) if entry["sha256"] else "",
        str(entry["sha256"]),
        str(entry.get("start") or "")[:10],
    )
