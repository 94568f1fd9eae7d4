"""Comparison of versions: one better, worse, equal, undecided and missing class each, stations, metadata, any two."""

import html
import json
import re

import pandas as pd
import pytest

from vadose.reports import report
from vadose.reports.changes import turned

FIRST = "demo-0p25deg/compare/v1.0.0-to-v1.1.0"
OUTCOME_OF = {
    "all": "· undecided", "grassland": "▲ better", "cropland, rainfed": "= equal", "Cfb": "▼ worse",
    "Dfb": "· undecided", "tree cover, broadleaved, deciduous": "– not tested", "June to August": "– not tested",
}  # fmt: skip


@pytest.fixture(scope="module")
def page(paired) -> str:
    """The page of the first two neighbours."""
    return html.unescape((paired.docs / f"{FIRST}.md").read_text(encoding="utf-8"))


def outcomes(page: str, number: int) -> dict[str, str]:
    """The outcome of each class in one table of the page."""
    table = page.split('<table class="scores"')[number]
    rows = re.findall(r'<th scope="row">([^<]+)<.*?<span class="outcome[^>]*>([^<]+)</span>', table, re.DOTALL)
    return dict(rows)


@pytest.mark.parametrize("number", [1, 2])
def test_each_class_has_its_outcome_and_a_missing_one_is_not_tested(page: str, number: int) -> None:
    assert outcomes(page, number) == OUTCOME_OF


def test_the_caption_counts_all_five(page: str) -> None:
    counts = "1 ▲ better, 1 ▼ worse, 1 = equal, 2 · undecided, 2 – not tested"
    assert f"<caption>R against stations: {counts}</caption>" in page
    assert f"<caption>ubRMSD against stations: {counts}</caption>" in page


def test_a_class_of_one_version_alone_is_not_scored_in_the_other(page: str) -> None:
    row = re.search(r"<tr><th[^>]*>tree cover, broadleaved, deciduous.*?</tr>", page, re.DOTALL)
    assert row is not None
    assert row[0].count("not scored") == 1
    assert row[0].count("data-score") == 1


def test_differences_and_intervals_are_those_of_the_run(page: str, paired) -> None:
    rows = pd.read_parquet(paired.workspace / "runs/run-1.1.0/comparisons.parquet")
    rows = rows[(rows["rival"] == "before") & (rows["stratum_kind"] != "station") & (rows["metric"] == "r")]
    table = page.split('<table class="scores"')[1]
    shown = [float(v) for v in re.findall(r'<data value="([^"]+)">', table)]
    assert sorted(shown) == sorted(rows["difference"])
    assert "[−0.170, +0.230]" in table


def test_stations_are_counted_and_mapped_by_outcome(page: str, paired) -> None:
    assert "1 ▲ better, 1 ▼ worse, 1 = equal, 1 · undecided, 2 – not tested" in page.partition("## Stations")[2]
    figure = pd.read_csv(paired.site / f"data/figures/{FIRST}/change-r-raw.csv")
    assert figure["outcome"].tolist() == ["▲ better", "▼ worse", "= equal", "· undecided", *["– not tested"] * 2]
    assert figure["difference"].tolist()[:4] == [0.05, -0.05, 0.0005, 0.03]
    spec = json.loads((paired.site / f"data/figures/{FIRST}/change-r-raw.json").read_text())
    assert [trace["marker"]["symbol"] for trace in spec["data"]] == [
        "triangle-up", "triangle-down", "square", "circle", "x",
    ]  # fmt: skip
    assert sum(trace["marker"].get("showscale", False) for trace in spec["data"]) == 1


def test_coverage_headers_and_metadata_are_told(page: str, small) -> None:
    assert '<th scope="row">share given</th><td class="number">89.0 %</td><td class="number">97.1 %</td>' in page
    assert "+" not in page.partition("mean difference</th>")[2][:30]
    assert "0.00125 m³ m⁻³" in page
    assert "variable quality is new" in page
    assert small.HOSTILE in page
    assert "The recipes differ in nothing but the version and its date." in page


def test_changed_fields_of_the_recipe_are_listed(small, pairs, tmp_path) -> None:
    pairs.write_workspace(small, tmp_path)
    path = tmp_path / "releases/demo-0p25deg/v2.0.0/provenance/recipe.yaml"
    path.write_text(path.read_text().replace("ensemble: 2", "ensemble: 5").replace("- sand", "- sand\n  - clay"))
    done = report(tmp_path, project=small.write_project(tmp_path / "project"))
    page = html.unescape((done.docs / "demo-0p25deg/compare/v1.1.0-to-v2.0.0.md").read_text())
    assert '<th scope="row">method.ensemble</th><td>2</td><td>5</td>' in page
    assert '<th scope="row">predictors.static</th><td>sand</td><td>sand, clay</td>' in page


def test_versions_that_no_run_holds_together_are_not_tested(paired) -> None:
    page = html.unescape((paired.docs / "demo-0p25deg/compare/v1.1.0-to-v2.0.0.md").read_text(encoding="utf-8"))
    assert set(outcomes(page, 1).values()) == {"– not tested"}
    assert "No run holds both versions" in page
    assert "<data value" in page
    assert "## Stations" not in page


def test_a_version_without_a_run_or_stations_has_whole_pages(small, pairs, tmp_path) -> None:
    pairs.write_workspace(small, tmp_path)
    for folder in (tmp_path / "runs/run-2.0.0", tmp_path / "releases/demo-0p25deg/v2.0.0/quality/validation"):
        for file in sorted(folder.rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()
    done = report(tmp_path, project=small.write_project(tmp_path / "project"))
    page = (done.docs / "demo-0p25deg/compare/v1.1.0-to-v2.0.0.md").read_text(encoding="utf-8")
    assert "not scored" in page
    assert "no run" in (done.docs / "demo-0p25deg/compare/index.md").read_text(encoding="utf-8")


def test_the_other_side_tells_the_same(pairs, small) -> None:
    frame = pairs.comparisons(small, "1.0.0")
    back = turned(frame)
    assert (back["ci_low"] <= back["difference"]).all()
    assert (back["ci_high"] == -frame["ci_low"]).all()
    pd.testing.assert_frame_equal(turned(back), frame)


def test_files_of_versions_hold_scores_and_outcomes_of_both_sides(paired) -> None:
    folder = paired.site / "data/demo-0p25deg"
    old, new = (json.loads((folder / f"v{version}/compare.json").read_text()) for version in ("1.0.0", "1.1.0"))
    key = "stations|climate|Cfb|r|raw"
    assert new["pairs"]["1.0.0"][key]["outcome"] == "▼ worse"
    assert old["pairs"]["1.1.0"][key]["outcome"] == "▲ better"
    assert old["pairs"]["1.1.0"][key]["value"] == -new["pairs"]["1.0.0"][key]["value"]
    assert "stations|land_cover|60|r|raw" not in old["scores"]


@pytest.mark.browser
def test_any_two_versions_are_put_side_by_side(browser, paired, visits) -> None:
    visit = visits.visit(browser, paired)
    visit.open("demo-0p25deg/compare/?a=v1.0.0&b=v1.1.0")
    visit.until("document.querySelectorAll('[data-versions] tbody tr').length === 7")
    told = visit.page.locator(".summary").inner_text()
    assert told == "v1.1.0 beside v1.0.0: 1 ▲ better, 1 ▼ worse, 1 = equal, 2 · undecided, 2 – not tested."
    row = visit.page.locator("[data-versions] tbody tr", has_text="grassland")
    assert "+0.050" in row.inner_text()
    visit.page.locator("select[name=a]").select_option("v1.1.0")
    visit.page.locator("select[name=b]").select_option("v1.0.0")
    visit.until("location.search.startsWith('?a=v1.1.0&b=v1.0.0')")
    visit.until("document.querySelector('.summary').textContent.startsWith('v1.0.0 beside')")
    assert "−0.050" in row.inner_text()
    assert "▼ worse" in row.inner_text()
    visit.page.locator("select[name=b]").select_option("v2.0.0")
    visit.until("document.querySelector('.summary').textContent.includes('7 – not tested')")
    visit.page.context.close()
    assert visit.faults == []


@pytest.mark.browser
def test_an_unknown_version_is_said_and_asks_for_nothing(browser, paired, visits) -> None:
    visit = visits.visit(browser, paired)
    asked: list[str] = []
    visit.page.on("request", lambda r: asked.append(r.url) if "compare.json" in r.url else None)
    visit.open("demo-0p25deg/compare/?a=../../secret&b=v1.1.0")
    visit.until("document.querySelector('.summary').textContent.startsWith('Unknown version')")
    assert asked == []
    visit.page.context.close()
    assert visit.faults == []


@pytest.mark.browser
def test_without_script_all_versions_stand_in_a_table(browser, paired) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{paired.url}demo-0p25deg/compare/")
    assert page.locator("table.scores:visible tbody tr").all_inner_texts()[2].startswith("v2.0.0")
    context.close()
