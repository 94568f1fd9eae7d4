"""The selector: a better, an equal and an undecided product, classes without pairs, keyboard, no script."""

import html
import re

import pandas as pd
import pytest

from vadose.reports import report
from vadose.reports.data import Run

OURS = "demo-0p25deg v2.0.0"


@pytest.fixture(scope="module")
def page(paired) -> str:
    """The selector as Markdown with its references resolved."""
    return html.unescape((paired.docs / "choose.md").read_text(encoding="utf-8"))


def rows(page: str, ranking: str, cls: str) -> list[list[str]]:
    """Place, product, outcomes, coverage and series of each row of a class."""
    table = page.partition(f'data-ranking="{ranking}"')[2].partition("</section>")[0]
    found = re.findall(rf'<tr data-class="{re.escape(cls)}".*?</tr>', table, re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in found]
    return [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in row] for row in cells]


@pytest.mark.parametrize("metric", ["r-raw", "ubrmsd-raw"])
def test_products_stand_in_the_order_of_their_paired_outcomes(page: str, metric: str) -> None:
    found = rows(page, f"stations.{metric}", "land_cover.130")
    assert [(row[0], row[1]) for row in found] == [
        ("1", OURS), ("1", "beta 2"), ("3", "alpha 2"), ("· undecided", "gamma 2"),
    ]  # fmt: skip
    assert found[0][2] == "▲ better than alpha 2 = equal to beta 2 · undecided beside gamma 2"
    assert found[2][2] == f"▼ worse than {OURS} – not tested beside beta 2, gamma 2"


def test_coverage_is_of_the_own_sample_and_series_are_counted(page: str) -> None:
    assert {tuple(row[3:]) for row in rows(page, "stations.r-raw", "land_cover.130")} == {("80.0 %", "6")}


def test_a_class_that_was_scored_and_not_paired_is_not_tested(page: str) -> None:
    for cls in ("season.jja", "climate.cfb"):
        (row,) = rows(page, "stations.r-raw", cls)
        assert row[0].startswith("– not tested")


def test_no_single_score_is_on_the_page(page: str, paired) -> None:
    assert "data-score" not in page
    for value in pd.read_parquet(paired.workspace / "runs/run-2.0.0/scores.parquet")["value"]:
        assert repr(float(value)) not in page


def test_only_the_latest_version_of_a_product_is_ranked(page: str) -> None:
    assert "v1.1.0" not in page
    assert "v1.0.0" not in page


def test_places_follow_the_outcomes_and_not_the_scores(small, pairs, tmp_path) -> None:
    run = Run(pairs.write_run(small, tmp_path / "runs" / "one", "2.0.0", None))
    turned = run.comparisons.assign(outcome=run.comparisons["outcome"].replace({"better": "worse"}))
    turned.to_parquet(run.folder / "comparisons.parquet", index=False)
    done = report(tmp_path, project=small.write_project(tmp_path / "project"))
    page = html.unescape((done.docs / "choose.md").read_text(encoding="utf-8"))
    assert [row[:2] for row in rows(page, "stations.r-raw", "all.all")][:2] == [["1", "alpha 2"], ["2", "beta 2"]]


def test_without_any_pair_there_is_no_selector(small, tmp_path) -> None:
    run = small.write_run(tmp_path / "runs" / "one")
    (run / "comparisons.parquet").unlink()
    assert "choose.md" not in report(tmp_path, project=small.write_project(tmp_path / "project")).addresses


SHOWN = (
    "[...document.querySelectorAll('tr[data-class]')].filter((e) => e.checkVisibility()).map((e) => e.dataset.class)"
)


@pytest.mark.browser
def test_the_keyboard_chooses_a_class_and_the_address_keeps_it(browser, paired, visits) -> None:
    visit = visits.visit(browser, paired)
    visit.open("choose/")
    assert set(visit.page.evaluate(SHOWN)) == {"all.all"}
    visit.page.locator("select[name=land_cover]").focus()
    visit.page.keyboard.type("gra")
    visit.until("location.search === '?land_cover=land_cover.130'")
    assert visit.page.evaluate(SHOWN) == ["land_cover.130"] * 4
    words = visit.page.locator(".summary").inner_text()
    assert words == f"grassland: {OURS} and beta 2 in place 1; undecided: gamma 2."
    visit.page.reload()
    visit.until("document.querySelector('.summary').textContent.startsWith('grassland')")
    visit.page.locator("select[name=season]").select_option("season.jja")
    assert "June to August: not tested." in visit.page.locator(".summary").inner_text()
    visit.page.context.close()
    assert visit.faults == []


@pytest.mark.browser
def test_without_script_the_whole_table_stands(browser, paired) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{paired.url}choose/")
    assert page.locator("tr[data-class]:visible").count() == page.locator("tr[data-class]").count() > 20
    assert not page.locator("form.pick").is_visible()
    context.close()
