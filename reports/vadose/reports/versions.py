"""What the pages of one version have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vadose.reports.contents import RUN_PAGES, has_coverage
from vadose.reports.data import Release, Run
from vadose.reports.feed import Issue
from vadose.reports.pages import Page


@dataclass(frozen=True)
class Version:
    """What the pages of one version have in common."""

    address: str
    title: str
    run: Run | None
    release: Release | None
    issues: Sequence[Issue] = ()
    waivers: Sequence[dict[str, Any]] = ()

    @property
    def preview(self) -> bool:
        """Whether the version is unpublished; a run without a release is always a preview."""
        return self.release is None or self.release.preview

    @property
    def data(self) -> str:
        """Folder of its score files."""
        return f"data/{self.address}"

    @cached_property
    def tabs(self) -> list[tuple[str, str]]:
        """Titles and addresses of its pages."""
        pages = [(title, f"{name}/" if name else "") for title, name, held in RUN_PAGES if self.run and held(self.run)]
        if not self.run:
            pages = [("Overview", "")]
        if self.release and has_coverage(self.release):
            pages.append(("Coverage", "coverage/"))
        if self.release:
            pages += [("Download", "download/"), ("Provenance", "provenance/")]
        return [(title, f"{self.address}/{tail}") for title, tail in pages]


def release_version(release: Release, issues: Sequence[Issue]) -> Version:
    """The version of a release, with the waivers of its recipe and gate."""
    waivers = list(release.recipe.get("waivers") or [])
    return Version(release.address, f"{release.product_id} v{release.version}", release.run, release, issues, waivers)


def run_version(run: Run) -> Version:
    """A run that belongs to no release."""
    return Version(f"runs/{run.id}", f"run {run.id}", run, None)


def version_page(version: Version, name: str, title: str, template: str, values: dict[str, Any]) -> Page:
    """One page of a version; a preview says so to search engines."""
    meta = {"preview": True} if version.preview else {}
    return Page(f"{version.address}/{name}", title, template, {"version": version, **values}, meta)
