"""The download page: files with size and sum, addresses, and commands that go on after a break."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from vadose.reports.data import Release
from vadose.reports.formats import size

# Files that the manifest does not list, since they are about it.
ABOUT = ("manifest.json", "SHA256SUMS")
SUPERSEDED = "superseded"
# More granules than these are no part of the page: a year of them is loaded when it is opened.
STATIC_GRANULES = 100
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


@dataclass(frozen=True)
class File:
    """One line of the listing; `look` is the path of its picture, empty where the release has none."""

    path: str
    url: str
    size: str
    sha256: str
    start: str
    look: str = ""

    @property
    def name(self) -> str:
        """The name without its folders."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Month:
    """The granules of a month, in words such as `April`; `look` is the address of its sheet of pictures, or empty."""

    name: str
    files: tuple[File, ...]
    look: str


@dataclass(frozen=True)
class Year:
    """The granules of a year; `name` is `static` for granules without a day."""

    name: str
    months: tuple[Month, ...]
    size: str

    @property
    def count(self) -> int:
        """The number of its granules."""
        return sum(len(month.files) for month in self.months)

    def document(self, root: str) -> dict[str, Any]:
        """The year as a page loads it: paths below `root`, sizes in words, sums."""
        months = [
            {
                "name": month.name,
                "look": month.look,
                "path": [file.path for file in month.files],
                "size": [file.size for file in month.files],
                "sha256": [file.sha256 for file in month.files],
                "look_of": [file.look for file in month.files],
            }
            for month in self.months
        ]
        return {"schema_version": 1, "year": self.name, "root": root, "months": months}


@dataclass(frozen=True)
class Download:
    """Everything that the download page shows of one version."""

    root: str
    files: tuple[File, ...]
    years: tuple[Year, ...]
    total: str
    cut: int
    superseded: bool

    @property
    def urls(self) -> str:
        """`urls.txt`: one address a line."""
        return "".join(f"{file.url}\n" for file in self.files)

    @property
    def granules(self) -> int:
        """The number of granules."""
        return sum(year.count for year in self.years)

    @property
    def listed(self) -> bool:
        """Whether the page itself lists all granules."""
        return self.granules <= STATIC_GRANULES


def download(release: Release, files_url: str) -> Download:
    """The listing of a release whose product folders are served under `files_url`."""
    root = f"{files_url.rstrip('/')}/{release.address}/"
    entries = [e for e in release.manifest["files"] if e.get("status", "published") != "withdrawn"]
    looks = {str(entry["path"]) for entry in entries if entry.get("role") == "quicklook"}
    files = [_file(entry, root, looks) for entry in entries]
    about = [_file({"path": name, "bytes": 0, "sha256": ""}, root, looks) for name in ABOUT]
    granules = [(e, file) for e, file in zip(entries, files, strict=True) if e.get("role") == "granule"]
    granules.sort(key=lambda pair: (_start(pair[0]), pair[1].path))
    years = tuple(
        _year(name, list(found), root, looks) for name, found in groupby(granules, lambda pair: _start(pair[0])[:4])
    )
    total = sum(int(entry["bytes"]) for entry in entries)
    cut = len([part for part in urlsplit(files_url).path.split("/") if part])
    return Download(root, (*files, *about), years, size(total), cut, release.status == SUPERSEDED)


def _start(entry: Mapping[str, Any]) -> str:
    return str(entry.get("start") or "static")


def _year(name: str, found: list[tuple[dict[str, Any], File]], root: str, looks: set[str]) -> Year:
    months = []
    for when, group in groupby(found, lambda pair: _start(pair[0])[:7]):
        members = list(group)
        sheet = _sheet(members[0][0])
        words = MONTHS[int(when[5:7]) - 1] if when[5:7].isdigit() else when
        look = root + quote(sheet, safe="/") if sheet in looks else ""
        months.append(Month(words, tuple(file for _, file in members), look))
    return Year("static" if name == "stat" else name, tuple(months), size(sum(int(e["bytes"]) for e, _ in found)))


def _sheet(entry: Mapping[str, Any]) -> str:
    """The picture of all days of the month of a small granule: its name with the month in place of the day."""
    day = _start(entry)[:10].replace("-", "")
    name = PurePosixPath(str(entry["path"])).stem.replace(day, day[:6])
    return f"quicklook/{entry.get('stream')}/{entry.get('step')}/{day[:4]}/{name}.png"


def _file(entry: Mapping[str, Any], root: str, looks: set[str]) -> File:
    path = str(entry["path"])
    look = f"quicklook/{PurePosixPath(path).with_suffix('.png')}"
    return File(
        path,
        root + quote(path, safe="/"),
        size(int(entry["bytes"])) if entry["sha256"] else "",
        str(entry["sha256"]),
        str(entry.get("start") or "")[:10],
        look if look in looks else "",
    )
