"""Where the site project is: the checkout's `site/`, or the copy inside an installed package."""

from __future__ import annotations

from pathlib import Path

from vadose.common import InputError


def site_project() -> Path:
    """The folder that holds the site's mkdocs.yml, docs, overrides and data."""
    here = Path(__file__).resolve().parent
    candidates = (here / "site", here.parents[2] / "site")
    for folder in candidates:
        if (folder / "mkdocs.yml").is_file():
            return folder
    raise InputError(
        "no site project", where=" or ".join(map(str, candidates)), next="install vadose again; the wheel holds it"
    )
