"""`vadose report --serve`: a change of a source is seen in the open page, and only what changed is rewritten."""

import threading
from pathlib import Path

import pandas as pd
import pytest

from vadose.reports import build_site, following, report
from vadose.reports.generator import mirror
from vadose.reports.live import fingerprint, follow, sources, with_client


@pytest.fixture
def followed(small, tmp_path: Path):
    """A small site that follows its sources on a running server, the project that it is made with, what it said."""
    workspace, project = tmp_path / "workspace", small.write_project(tmp_path / "project")
    small.write_run(workspace / "runs" / "first")
    # The port is known before the pages are made, as instant navigation needs it.
    with small.server(tmp_path, tmp_path, 0) as taken:
        port = taken.server_address[1]
    url = f"http://127.0.0.1:{port}/"
    done = report(workspace, site_url=url, project=project)
    build_site(done.config, url)
    said: list[str] = []
    with following(workspace, port, site_url=url, project=project, say=said.append) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield small.Built(workspace, done.docs, workspace / "build" / "site", url), project, said
        listener.shutdown()


@pytest.mark.browser
def test_an_edited_score_and_an_edited_page_load_the_open_page_anew(followed, browser, visits) -> None:
    built, project, said = followed
    found = visits.visit(browser, built)
    found.open("runs/first/")
    answer = found.page.request.get(built.url + "runs/first/")
    assert "script-src 'self' 'sha256-" in answer.headers["content-security-policy"]
    path = built.workspace / "runs" / "first" / "scores.parquet"
    scores = pd.read_parquet(path)
    row = (scores["stratum_kind"] == "all") & (scores["metric"] == "r") & (scores["product"] == "vadose")
    scores.loc[row & (scores["signal"] == "raw"), "value"] = 0.123456
    scores.to_parquet(path, index=False)
    found.page.locator("data[value='0.123456']").first.wait_for(timeout=60_000)
    path.write_bytes(b"half")
    pause, fault = threading.Event(), f"where: {path}"
    while not any(fault in words for words in said):
        assert not pause.wait(0.1)
    assert "0.123456" in found.page.request.get(built.url + "runs/first/").text()
    scores.to_parquet(path, index=False)
    guide = project / "docs" / "cite.md"
    guide.write_text(guide.read_text() + "\nAn added sentence.\n")
    found.open("cite/")
    found.page.get_by_text("An added sentence.").wait_for(timeout=60_000)
    found.page.context.close()
    assert found.faults == []


def test_the_client_is_in_the_answer_and_never_on_the_disk() -> None:
    page = b"<html><body><p>a</p></body></html>"
    assert with_client(page, 3).endswith(b'<script src="/vadose-live.js" data-build="3"></script></body></html>')
    assert with_client(b"no page", 3) == b"no page"


def test_pages_are_made_of_everything_but_granules(small, tmp_path: Path) -> None:
    workspace, project = small.write_workspace(tmp_path / "workspace"), small.write_project(tmp_path / "project")
    found = set(sources(workspace, project))
    release = workspace / "releases" / small.PRODUCT / "v1.0.0"
    wanted = ("manifest.json", "CHANGELOG.md", "quality/coverage.csv", "provenance/recipe.yaml")
    assert {release / name for name in wanted} <= found
    assert workspace / "runs" / "first" / "diagnostics" / "curves.parquet" in found
    assert project / "data" / "speed" / "speed.json" in found
    assert any(path.name == "home.md.jinja" for path in found)
    assert not any(path.suffix == ".nc" and "CDR" in path.parts for path in found)


def test_a_failed_rebuild_is_said_and_the_next_change_is_built(tmp_path: Path) -> None:
    file, stop, said, done = tmp_path / "a", threading.Event(), [], []
    file.write_text("one")

    def rebuild() -> None:
        done.append(file.read_text())
        if done[-1] == "three":
            stop.set()
        else:
            raise ValueError("half edited")

    looks = iter(["two", "two!", "three", "three"])

    def look() -> dict:
        words = next(looks, None)
        if words is not None and done == ([] if words.startswith("two") else ["two!"]):
            file.write_text(words)
        return fingerprint(iter([file]))

    file.write_text("one")
    follow(look, rebuild, said.append, stop, seconds=0.01)
    assert done == ["two!", "three"]
    assert said == ["not rebuilt: half edited"]


def test_only_what_differs_is_moved_into_the_site(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for folder, files in ((source, {"a": "1", "b/c": "2", "d": "4"}), (target, {"a": "1", "b/c": "3", "e/f": "5"})):
        for name, words in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(words)
    before = (target / "a").stat().st_ino
    assert mirror(source, target) == (2, 1)
    assert {p.relative_to(target).as_posix(): p.read_text() for p in target.rglob("*") if p.is_file()} == {
        "a": "1", "b/c": "2", "d": "4",
    }  # fmt: skip
    assert (target / "a").stat().st_ino == before


def test_one_changed_score_rewrites_only_the_files_that_hold_it(small, tmp_path: Path) -> None:
    workspace, project = small.write_workspace(tmp_path / "workspace"), small.write_project(tmp_path / "project")
    done = report(workspace, project=project)
    before = {path: path.stat().st_mtime_ns for path in done.docs.rglob("*") if path.is_file()}
    release = workspace / "releases" / small.PRODUCT / "v1.1.0" / "quality" / "validation"
    scores = pd.read_parquet(release / "scores.parquet")
    scores.loc[scores["stratum_kind"] == "network", "ci_high"] += 0.001
    for folder in (release, workspace / "runs" / "second"):
        scores.to_parquet(folder / "scores.parquet", index=False)
    assert 0 < report(workspace, project=project).written < 15
    changed = {file for file, moment in before.items() if file.stat().st_mtime_ns != moment}
    assert changed
    assert all("v1.1.0" in file.as_posix() for file in changed), changed
