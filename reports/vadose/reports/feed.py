"""Known issues and the Atom feed of releases and issues."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from vadose.reports.data import Release

ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True)
class Issue:
    """One entry of a product's KNOWN_ISSUES.md."""

    title: str
    body: str
    versions: tuple[str, ...]


def issues(markdown: str) -> list[Issue]:
    """Entries under second-level headings; each affects the versions that it names."""
    parts = re.split(r"^##\s+", markdown.replace("\r\n", "\n"), flags=re.MULTILINE)[1:]
    result = []
    for part in parts:
        title, _, body = part.partition("\n")
        versions = sorted(set(re.findall(r"\bv?(\d+\.\d+\.\d+)\b", part)))
        result.append(Issue(title.strip(), body.strip(), tuple(versions)))
    return result


def affecting(found: Sequence[Issue], version: str) -> list[Issue]:
    """The issues that name this version."""
    return [issue for issue in found if version in issue.versions]


def atom(releases: Sequence[Release], found: dict[str, list[Issue]], site_url: str) -> str:
    """An Atom feed: one entry for each published version and each issue, newest first.

    An issue carries the date of the newest version that it names: no clock is read.
    """
    shown = sorted(releases, key=lambda r: (str(r.manifest["issued"]), r.product_id, r.order), reverse=True)
    feed = ET.Element("feed", xmlns=ATOM)
    _text(feed, "title", "Vadose: releases and known issues")
    _text(feed, "id", site_url)
    ET.SubElement(feed, "link", rel="self", href=f"{site_url}feed.xml")
    ET.SubElement(feed, "link", href=site_url)
    _text(feed, "updated", str(shown[0].manifest["issued"]) if shown else "1970-01-01T00:00:00Z")
    _text(ET.SubElement(feed, "author"), "name", "Vadose contributors")
    for release in shown:
        _entry(
            feed, f"{site_url}{release.address}/", f"{release.product_id} v{release.version}", release, "New version."
        )
    for product, entries in sorted(found.items()):
        for number, issue in enumerate(entries, 1):
            named = [r for r in shown if r.product_id == product and r.version in issue.versions]
            if named:
                _entry(
                    feed,
                    f"{site_url}{product}/issues/#issue-{number}",
                    f"{product}: {issue.title}",
                    named[0],
                    issue.body,
                )
    ET.indent(feed)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(feed, encoding="unicode") + "\n"


def _entry(feed: ET.Element, address: str, title: str, release: Release, summary: str) -> None:
    entry = ET.SubElement(feed, "entry")
    _text(entry, "title", title)
    _text(entry, "id", address)
    ET.SubElement(entry, "link", href=address)
    _text(entry, "updated", str(release.manifest["issued"]))
    _text(entry, "summary", summary)


def _text(parent: ET.Element, tag: str, value: str) -> None:
    clean = "".join(c for c in value if c.isprintable() or c in "\n\t")
    ET.SubElement(parent, tag).text = clean
