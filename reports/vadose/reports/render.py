"""The whole site as a folder of Markdown and JSON with an mkdocs.yml: the public function `report`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vadose.common import Progress, silent
from vadose.reports.change_pages import change_pages
from vadose.reports.data import Content, collect, newest
from vadose.reports.evidence import evidence_page
from vadose.reports.faults import trials
from vadose.reports.feed import affecting, atom
from vadose.reports.mathml import with_mathml
from vadose.reports.output import Output, write_if_changed
from vadose.reports.pages import Page, PlacedFigure, Renderer
from vadose.reports.products import check_paths, home_page, month_figure, product_issues, product_pages
from vadose.reports.project import site_project
from vadose.reports.results import skill_page, speed_page, truth_page
from vadose.reports.selector import choose_page
from vadose.reports.station_pages import own_column, station_series
from vadose.reports.stations import series_document, station_columns
from vadose.reports.systems import system_page, systems_page
from vadose.reports.version_pages import version_pages
from vadose.reports.versions import Version, release_version, run_version

DEFAULT_SITE_URL = "http://127.0.0.1:8000/"


@dataclass(frozen=True)
class Report:
    """What was rendered."""

    docs: Path
    config: Path
    pages: int
    written: int
    removed: int
    addresses: tuple[str, ...]
    issued: str


def report(
    workspace: Path,
    names: Sequence[str] = (),
    *,
    site_url: str = DEFAULT_SITE_URL,
    files_url: str = "",
    progress: Progress = silent,
    project: Path | None = None,
) -> Report:
    """Render releases and runs into `workspace/build/docs` and `workspace/build/mkdocs.yml`.

    Parameters
    ----------
    workspace
        Where releases and runs are found and `build/` is written.
    names
        Releases and runs; none means all of the workspace.
    site_url
        The address at which the site will be served, with a final slash.
    files_url
        The address under which the folder `releases/` is served; default: `files/` below the site.
    project
        The site project; default: the checkout's or the installed one.

    Raises
    ------
    UsageError, InputError
        If a name is unknown or a file is missing or broken; nothing is written then.
    """
    site_url = site_url.rstrip("/") + "/"
    project = project or site_project()
    content = collect(workspace, project, names)
    output = Output()
    renderer = Renderer(output)
    copy_documents(project / "docs", output)
    pages = build_pages(content, renderer, site_url, files_url or f"{site_url}files/", progress)
    for page in pages:
        renderer.render(page)
    build = workspace / "build"
    written, removed = output.write(build / "docs")
    config = yaml.safe_dump(configuration(content, pages, build, project), sort_keys=False, allow_unicode=True)
    written += write_if_changed(build / "mkdocs.yml", config.encode())
    issued = max((str(release.manifest["issued"]) for release in content.releases), default="")
    return Report(
        build / "docs", build / "mkdocs.yml", len(pages), written, removed, tuple(page.path for page in pages), issued
    )


def copy_documents(docs: Path, output: Output) -> None:
    """The hand-written pages with their equations as MathML, and the assets as they are."""
    for path in sorted(docs.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(docs).as_posix()
        if path.suffix == ".md":
            output.add(name, with_mathml(path.read_text(encoding="utf-8"), name))
        else:
            output.add(name, path.read_bytes())


def build_pages(content: Content, renderer: Renderer, site_url: str, files_url: str, progress: Progress) -> list[Page]:
    """All generated pages; their data files go to the renderer's output."""
    for release in content.releases:
        check_paths(release)
    found = {name: product_issues(releases) for name, releases in content.products.items()}
    versions = {
        release.address: release_version(release, affecting(found[release.product_id], release.version))
        for releases in content.products.values()
        for release in releases
    }
    everything = [*versions.values(), *(run_version(run) for run in content.runs)]
    pages: list[Page] = []
    maps: dict[str, PlacedFigure] = {}
    for name, releases in progress.track(content.products.items(), "products", len(content.products)):
        month = month_figure(newest(releases))
        if month is not None:
            maps[name] = renderer.place(month, name)
        pages += [*product_pages(releases, versions, renderer, site_url), *change_pages(releases, versions, renderer)]
    for version in progress.track(everything, "versions and runs"):
        pages += version_pages(version, renderer, files_url)
    write_series(everything, renderer.output)
    if content.skill is not None:
        pages.append(skill_page(content.skill, renderer))
    if content.systems:
        pages.append(systems_page(content.systems))
        pages += [system_page(one, content.skill, renderer) for one in content.systems]
    if content.speed is not None:
        pages.append(speed_page(content.speed, trials(content.project / "data", renderer.output)))
    evidence = evidence_page(content.evidence, renderer)
    if evidence is not None:
        pages.append(evidence)
    choose, truth = choose_page(everything), truth_page(everything)
    public = [r for releases in content.products.values() for r in releases if not r.preview]
    renderer.output.add("feed.xml", atom(public, found, site_url))
    renderer.output.add_json("versions.json", version_list(content))
    return [
        home_page(content, versions, maps, has_choice=choose is not None),
        *pages,
        *(page for page in (choose, truth) if page),
    ]


def write_series(versions: Sequence[Version], output: Output) -> None:
    """One file for each station with the series of all versions; in situ only where the licence allows."""
    for folder, members in station_series(versions).items():
        parts: dict[str, list[Any]] = {}
        for version, group, series in members:
            for row in group.rows.to_dict("records"):
                found = station_columns(
                    series, str(row["station_id"]), own_column(version), redistributable=bool(row["redistributable"])
                )
                if found is not None:
                    parts.setdefault(str(row["key"]), []).append((series.days, found))
        for key, columns in sorted(parts.items()):
            output.add(f"{folder}/{key}.json", series_document(columns))


def version_list(content: Content) -> dict[str, Any]:
    """The machine list of published versions."""
    products = {
        name: [
            {"version": r.version, "issued": r.manifest["issued"], "status": r.status, "address": f"{r.address}/"}
            for r in releases
            if not r.preview
        ]
        for name, releases in content.products.items()
    }
    return {"schema_version": 1, "products": products}


def configuration(content: Content, pages: Sequence[Page], build: Path, project: Path) -> dict[str, Any]:
    """`build/mkdocs.yml`: local paths and an explicit nav."""

    def local(path: Path) -> str:
        return Path(os.path.relpath(path.resolve(), build.resolve())).as_posix()

    return {
        "INHERIT": local(project / "mkdocs.yml"),
        "docs_dir": "docs",
        "site_dir": "site",
        "theme": {"custom_dir": local(project / "overrides")},
        "extra": {"feed": True},
        "nav": navigation(content, pages, project),
    }


def navigation(content: Content, pages: Sequence[Page], project: Path) -> list[dict[str, Any]]:
    """Home, products with their versions, runs, results, then the hand-written pages."""
    paths = [page.path for page in pages]

    def titled(prefix: str) -> list[dict[str, str]]:
        names = [path for path in paths if path.startswith(prefix) and "/" not in path[len(prefix) :]]
        return [{_nav_title(path[len(prefix) :]): path} for path in names]

    nav: list[dict[str, Any]] = [{"Home": "index.md"}]
    for product, releases in content.products.items():
        versions = [{f"v{r.version}": titled(f"{r.address}/")} for r in releases]
        compared = titled(f"{product}/compare/")
        nav.append({product: [*titled(f"{product}/"), *versions, *([{"Compare": compared}] if compared else [])]})
    if content.runs:
        nav.append({"Runs": [{run.id: titled(f"runs/{run.id}/")} for run in content.runs]})
    results = [
        {_nav_title(path): path}
        for path in ("choose.md", "skill.md", "speed.md", "evidence.md", "truth.md")
        if path in paths
    ]
    nav += [*results]
    if content.systems:
        nav.append({"Experiments": titled("experiments/")})
    with (project / "mkdocs.yml").open(encoding="utf-8") as file:
        guide = yaml.load(file, Loader=_Tolerant)["nav"]  # noqa: S506  (a safe loader that skips MkDocs' own tags)
    nav.append({"Guide": guide})
    return nav


def _nav_title(name: str) -> str:
    titles = {
        "index": "Overview",
        "choose": "Choose",
        "evidence": "Validation evidence",
        "truth": "What we know here",
        "changelog": "Change log",
        "issues": "Known issues",
        "latest": "Current version",
    }
    stem = name.removesuffix(".md")
    if stem.startswith("v") and "-to-" in stem:
        return stem.replace("-to-", " to ")
    return titles.get(stem, stem.replace("-", " ").capitalize())


class _Tolerant(yaml.SafeLoader):
    """Reads `!ENV` and the like as nothing."""


_Tolerant.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
