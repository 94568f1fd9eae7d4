"""What holds for the whole site: terms of the stations, hostile input, links, weight, previews, repetition."""

import gzip
import html
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from vadose.common import InputError, UsageError
from vadose.reports import build_site, collect, policy, report, site_project
from vadose.reports.downloads import download

TRACES = {"scatter", "bar", "box", "heatmap", "histogram", "scattergeo", "choropleth", "scatterpolar"}


def texts(folder: Path) -> dict[Path, str]:
    """Every text file of a folder."""
    ends = {".html", ".md", ".json", ".csv", ".txt", ".xml"}
    return {p: p.read_text(encoding="utf-8") for p in sorted(folder.rglob("*")) if p.suffix in ends}


def test_values_of_closed_stations_are_in_no_file(built, small) -> None:
    with netCDF4.Dataset(built.workspace / "runs" / "first" / "matchups.nc") as file:
        assert (np.asarray(file["values"][2]) == small.SECRET).any()
    for path, text in texts(built.site).items():
        assert "0.2718" not in text, path
        assert f"{float(small.SECRET):.9f}"[:8] not in text, path


def test_a_closed_station_keeps_the_products_own_series_and_its_scores(built) -> None:
    series = json.loads((built.site / "data/series/demo-0p25deg/netb-closed-0-05-probe.json").read_text())
    assert sorted(series["columns"]) == ["rival", "v1.0.0", "v1.1.0"]
    open_one = json.loads((built.site / "data/series/demo-0p25deg/neta-s0-0-05-probe.json").read_text())
    assert sorted(open_one["columns"]) == ["in situ", "rival", "v1.0.0", "v1.1.0"]
    assert open_one["columns"]["v1.0.0"][5] is None


def test_series_equal_the_match_ups(built) -> None:
    series = json.loads((built.site / "data/series/demo-0p25deg/neta-s1-0-05-probe.json").read_text())
    with netCDF4.Dataset(built.workspace / "runs" / "first" / "matchups.nc") as file:
        values = np.ma.filled(file["values"][:, 1, :], np.nan)
    for row, name in enumerate(("v1.0.0", "rival", "in situ")):
        column = np.array([np.nan if v is None else v for v in series["columns"][name]])
        np.testing.assert_allclose(column, values[row], atol=5.001e-5)


@pytest.fixture(scope="module")
def hostile(small, tmp_path_factory) -> Path:
    """A site of a hostile title, station, network, gate and granule attribute."""
    workspace = tmp_path_factory.mktemp("hostile")
    places = [
        small.Station("NETA/x/0.05/probe", small.HOSTILE, 'NET "/../" 🌱'),
        small.Station("NETA/y/0.05/probe", "n" * 500),
        small.Station(small.HOSTILE, "../../etc/passwd"),
    ]
    run = small.write_further(small.write_run(workspace / "runs" / "first", places), places)
    small.write_release(workspace, "1.0.0", run, title=f"# {small.HOSTILE} </title>")
    done = report(workspace)
    build_site(done.config, "http://127.0.0.1:8000/")
    return workspace / "build" / "site"


class Elements(HTMLParser):
    """Collects every element with its attributes, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, dict(attrs)))


def test_hostile_text_makes_no_element_and_no_link(hostile: Path) -> None:
    for path in sorted(hostile.rglob("*.html")):
        for tag, given in Elements(path.read_text(encoding="utf-8")).found:
            assert not any(name.startswith("on") for name in given), (path, tag, given)
            assert tag != "img" or given.get("src") != "x", path
            for name in ("href", "src", "data-spec", "action"):
                address = (given.get(name) or "").partition("#")[0].partition("?")[0]
                assert "evil" not in address, (path, given)
                assert not address.strip().startswith("javascript"), (path, given)


def test_hostile_text_is_shown_as_it_is(hostile: Path, small) -> None:
    page = html.unescape((hostile / "demo-0p25deg" / "v1.0.0" / "stations" / "index.html").read_text(encoding="utf-8"))
    assert small.HOSTILE in page
    assert 'NET "/../" 🌱' in page


def test_hostile_text_is_escaped_for_plotly(hostile: Path) -> None:
    for path in sorted((hostile / "data" / "figures").rglob("*.json")):
        for words in re.findall(
            r'"(?:text|name|hovertext)":("(?:[^"\\]|\\.)*"|\[[^\]]*\])', path.read_text(encoding="utf-8")
        ):
            assert "<img" not in words, path
            assert "<a href" not in words, path


def test_keys_in_addresses_are_our_own_slugs(hostile: Path) -> None:
    for path in (hostile / "data" / "series").rglob("*.json"):
        assert re.fullmatch(r"[a-z0-9-]{1,80}\.json", path.name)


def test_json_ld_cannot_close_its_element(built) -> None:
    page = (built.site / "demo-0p25deg" / "index.html").read_text(encoding="utf-8")
    block = re.search(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    assert block is not None
    assert json.loads(block[1])["description"] == "</script><script>alert(1)</script>"


def test_a_manifest_path_that_leaves_its_folder_is_refused(small, tmp_path) -> None:
    folder = small.write_release(tmp_path, "1.0.0", small.write_run(tmp_path / "runs" / "first"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][0]["path"] = "../../secret; rm -rf x"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="is not allowed"):
        report(tmp_path)
    assert not (tmp_path / "build").exists()


def test_every_link_and_specification_leads_to_a_file(built) -> None:
    for path, page in texts(built.site).items():
        if path.suffix != ".html" or path.name == "404.html":
            continue
        for target in re.findall(
            r'(?:href|src|data-spec|data-scores|data-stations-list|data-skeleton)="([^"]+)"', page
        ):
            if re.match(r"(https?:|mailto:|#|\?|data:)", target) or target.startswith("/"):
                assert not target.startswith("/"), (path, target)
                continue
            place = (path.parent / re.split(r"[#?]", target)[0]).resolve()
            assert place.is_file() or (place / "index.html").is_file(), (path, target)


def test_links_to_other_hosts_are_only_those_of_the_written_pages(built) -> None:
    allowed = (
        "https://doi.org/",
        "https://squidfunk.github.io/mkdocs-material/",
        "http://127.0.0.1",
        "http://www.w3.org/",
    )
    for path, page in texts(built.site).items():
        if path.suffix == ".html":
            for address in re.findall(r'(?:href|src)="(https?://[^"]+)"', page):
                assert address.startswith(allowed), (path, address)


def test_no_script_of_ours_stands_inside_a_page(built) -> None:
    for path, page in texts(built.docs).items():
        if path.suffix == ".md":
            body = page.partition("\n---\n")[2]
            assert "<script" not in body, path
            assert not re.search(r"<[^>]+\son\w+=", body), path


def test_the_policy_names_hashes_and_nothing_unsafe_for_scripts(built) -> None:
    header = policy(built.site)
    scripts = header.partition("script-src")[2]
    assert scripts.count("'sha256-") >= 3
    assert "unsafe" not in scripts


def test_sources_of_the_script_build_no_html_from_text() -> None:
    for path in sorted((site_project() / "js").glob("*.js")):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", source), (
            path
        )


def test_the_vendored_bundle_stays_small_and_licensed() -> None:
    vendor = site_project() / "docs" / "assets" / "vendor"
    assert (vendor / "plotly-vadose.min.js").stat().st_size <= 1_630_000
    assert len(gzip.compress((vendor / "plotly-vadose.min.js").read_bytes(), 9, mtime=0)) <= 542_000
    licences = (vendor / "LICENSES").read_text(encoding="utf-8")
    assert "plotly.js 4.1.1 (MIT)" in licences
    assert "d3-geo" in licences


def test_figures_use_bundled_traces_written_scales_and_titled_axes(built) -> None:
    for path in sorted((built.site / "data" / "figures").rglob("*.json")):
        spec = json.loads(path.read_text(encoding="utf-8"))
        assert "template" not in spec["layout"]
        for trace in spec["data"]:
            assert trace["type"] in TRACES, path
            scale = trace.get("colorscale") or trace.get("marker", {}).get("colorscale")
            assert scale is None or isinstance(scale, list), path
        for name, axis in spec["layout"].items():
            if name.startswith("xaxis"):
                assert axis["title"]["text"], path


def test_a_preview_is_marked_and_in_no_list(built) -> None:
    preview = built.site / "demo-0p25deg" / "v1.1.0"
    for path in sorted(preview.rglob("index.html")):
        page = path.read_text(encoding="utf-8")
        assert "<strong>Preview.</strong>" in page, path
        assert '<meta name="robots" content="noindex">' in page, path
    assert "1.1.0" not in (built.site / "feed.xml").read_text()
    listed = json.loads((built.site / "versions.json").read_text())["products"]["demo-0p25deg"]
    assert [entry["version"] for entry in listed] == ["1.0.0"]
    assert "v1.1.0" not in (built.site / "demo-0p25deg" / "latest" / "index.html").read_text().partition("<article")[2]


def test_latest_names_the_version_as_canonical(built) -> None:
    page = (built.site / "demo-0p25deg" / "latest" / "index.html").read_text(encoding="utf-8")
    assert f'<link rel="canonical" href="{built.url}demo-0p25deg/v1.0.0/">' in page


def test_an_issue_stands_on_every_page_of_the_versions_that_it_names(built) -> None:
    for name, expected in (("v1.0.0", True), ("v1.1.0", False)):
        for path in (built.site / "demo-0p25deg" / name).rglob("index.html"):
            assert ("Too wet in spring" in path.read_text(encoding="utf-8")) == expected, path


def test_the_feed_is_atom_with_an_entry_for_each_release_and_issue(built) -> None:
    root = ET.fromstring((built.site / "feed.xml").read_text(encoding="utf-8"))
    space = {"a": "http://www.w3.org/2005/Atom"}
    assert root.findtext("a:id", namespaces=space) == built.url
    assert len(root.findall("a:entry", space)) == 2
    for entry in root.findall("a:entry", space):
        assert all(entry.findtext(f"a:{name}", namespaces=space) for name in ("title", "id", "updated"))


def test_downloads_list_the_manifest(built, small) -> None:
    release = next(r for r in collect(built.workspace, site_project()).releases if r.version == "1.0.0")
    listing = download(release, "https://files.example/data")
    assert [f.path for f in listing.files][:3] == [e["path"] for e in release.manifest["files"]]
    assert listing.files[0].url.startswith("https://files.example/data/demo-0p25deg/v1.0.0/CDR/")
    urls = (built.site / "data/demo-0p25deg/v1.0.0/urls.txt").read_text().splitlines()
    assert len(urls) == 5
    assert all(url.startswith(f"{built.url}files/demo-0p25deg/v1.0.0/") for url in urls)


def test_many_granules_are_listed_year_by_year_in_files(built) -> None:
    release = next(r for r in collect(built.workspace, site_project()).releases if r.version == "1.1.0")
    found = {}
    for path in sorted((built.site / "data/demo-0p25deg/v1.1.0/granules").glob("*.json")):
        year = json.loads(path.read_text())
        for month in year["months"]:
            assert month["look"].endswith(".png")
            found |= dict(zip(month["path"], month["sha256"], strict=True))
    assert found == {e["path"]: e["sha256"] for e in release.manifest["files"] if e["role"] == "granule"}
    assert "SHA-256</th>" not in (built.site / "demo-0p25deg/v1.1.0/download/index.html").read_text(encoding="utf-8")


def test_a_superseded_version_links_its_manifest_in_place_of_a_long_list(small, tmp_path) -> None:
    for version in ("1.0.0", "1.1.0"):
        folder = small.write_release(tmp_path, version, small.write_run(tmp_path / "runs" / version, version=version))
        small.many(folder, 120, "2020-03-04")
        small.publish(folder)
    docs = report(tmp_path, project=small.write_project(tmp_path / "project")).docs
    old, new = ((docs / f"demo-0p25deg/v{v}/download.md").read_text(encoding="utf-8") for v in ("1.0.0", "1.1.0"))
    assert 'v1.0.0/manifest.json">' in old
    assert "123 granules from 2020 to 2020" in old
    assert "data-granules" in new
    assert not (docs / "data/demo-0p25deg/v1.0.0/granules").exists()
    assert len((docs / "data/demo-0p25deg/v1.0.0/SHA256SUMS.txt").read_text().splitlines()) == 128


def test_skill_page_marks_what_is_partial_and_says_how_it_was_made(built) -> None:
    page = (built.site / "skill" / "index.html").read_text(encoding="utf-8")
    for words in (
        "<strong>Partial.</strong>",
        "P2 has two of five folds",
        "nox &#45;s skill",
        "2026&#45;01&#45;15",
        "5 seeds",
        "vadose compare a &#60;b&#62;",
        "2026&#45;02&#45;20",
        "8 cores",
    ):
        assert words.replace("&#45;", "-") in page.replace("&#45;", "-")


def test_the_same_input_gives_the_same_bytes_and_writes_nothing_twice(small, tmp_path) -> None:
    first = report(small.write_workspace(tmp_path / "a"))
    again = report(tmp_path / "a")
    other = report(small.write_workspace(tmp_path / "b"))
    assert first.written > 50
    assert (again.written, again.removed) == (0, 0)
    files = {p.relative_to(first.docs): p.read_bytes() for p in first.docs.rglob("*") if p.is_file()}
    assert files == {p.relative_to(other.docs): p.read_bytes() for p in other.docs.rglob("*") if p.is_file()}


def test_what_is_gone_is_removed(small, tmp_path) -> None:
    first = report(small.write_workspace(tmp_path))
    (first.docs / "old.md").write_text("old")
    second = report(tmp_path, ["demo-0p25deg/v1.0.0"])
    assert not (second.docs / "old.md").exists()
    assert not (second.docs / "demo-0p25deg" / "v1.1.0").exists()


def test_an_empty_workspace_gives_a_site_that_says_so(tmp_path) -> None:
    done = report(tmp_path)
    build_site(done.config, "http://127.0.0.1:8000/")
    assert "vadose demo" in (tmp_path / "build" / "site" / "index.html").read_text()


def test_an_unknown_name_lists_what_there_is(small, tmp_path) -> None:
    small.write_run(tmp_path / "runs" / "first")
    with pytest.raises(UsageError, match="first"):
        report(tmp_path, ["second"])


@pytest.mark.parametrize("name", ["run.json", "scores.parquet", "stations.parquet", "matchups.nc"])
def test_a_broken_file_is_named_and_nothing_is_written(small, tmp_path, name: str) -> None:
    run = small.write_run(tmp_path / "runs" / "first")
    (run / name).write_bytes((run / name).read_bytes()[:40])
    with pytest.raises(InputError) as caught:
        report(tmp_path)
    assert name in caught.value.where
    assert not (tmp_path / "build").exists()


FURTHER = ("rivals", "maps-rivals", "uncertainty", "collocation", "error-budget", "stability", "events")


def test_a_page_that_lacks_its_input_is_left_out(built) -> None:
    first, second = (built.site / "demo-0p25deg" / name for name in ("v1.0.0", "v1.1.0"))
    assert all((first / name / "index.html").is_file() for name in FURTHER)
    kept = [name for name in FURTHER if (second / name).exists()]
    assert kept == ["rivals", "uncertainty"]
    page = (second / "index.html").read_text(encoding="utf-8")
    for name in FURTHER:
        assert (f'href="{name}/"' in page) == (name in kept)


def test_scattered_cells_have_no_page_of_maps(small, tmp_path) -> None:
    run = small.write_further(small.write_run(tmp_path / "runs" / "first"))
    maps = run / "diagnostics" / "maps.nc"
    with xr.open_dataset(maps) as dataset:
        kept = dataset.drop_vars("difference_grid").load()
    kept.to_netcdf(maps, engine="netcdf4")
    done = report(tmp_path)
    assert "runs/first/maps-rivals.md" not in done.addresses
    assert "maps-rivals" not in (done.docs / "runs" / "first" / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["tables.parquet", "curves.parquet", "maps.nc"])
def test_a_broken_file_of_diagnostics_is_named(small, tmp_path, name: str) -> None:
    run = small.write_further(small.write_run(tmp_path / "runs" / "first"))
    file = run / "diagnostics" / name
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(InputError) as caught:
        report(tmp_path)
    assert name in caught.value.where
    assert not (tmp_path / "build").exists()


def test_further_pages_stand_without_any_station(small, tmp_path) -> None:
    run = small.write_further(small.write_run(tmp_path / "runs" / "first"))
    pd.read_parquet(run / "stations.parquet").iloc[:0].to_parquet(run / "stations.parquet", index=False)
    scores = pd.read_parquet(run / "scores.parquet")
    scores[scores["stratum_kind"] != "station"].to_parquet(run / "scores.parquet", index=False)
    (run / "matchups.nc").unlink()
    done = report(tmp_path)
    build_site(done.config, "http://127.0.0.1:8000/")
    names = {path.parent.name for path in (tmp_path / "build/site/runs/first").rglob("index.html")}
    assert names >= set(FURTHER) - {"error-budget"}


def test_a_run_without_stations_has_whole_pages(small, tmp_path) -> None:
    run = small.write_run(tmp_path / "runs" / "first")
    pd.read_parquet(run / "stations.parquet").iloc[:0].to_parquet(run / "stations.parquet", index=False)
    scores = pd.read_parquet(run / "scores.parquet")
    scores[scores["stratum_kind"] != "station"].to_parquet(run / "scores.parquet", index=False)
    (run / "matchups.nc").unlink()
    done = report(tmp_path)
    build_site(done.config, "http://127.0.0.1:8000/")
    assert "The run holds no stations." in (done.docs / "runs" / "first" / "stations.md").read_text()
