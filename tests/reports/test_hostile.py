"""Hostile words in chromium: pages stay whole, nothing is executed or asked for, nothing overflows."""

from collections.abc import Iterator
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.browser

NAME = "<img src=x onerror=alert(1)>"
NETWORK = 'NET "/../" \\ & 🌱'
TITLE = "# **Bold** [link](javascript:alert(1)) | {{7*7}} <b>& `code`"
LONG = "n" * 500
# Drawn by plotly, whose texts are a small HTML, this would ask another host for a picture.
PRODUCT = '<span style="background:url(https://evil.example/x.png)">rival</span>'
V1, V2 = "demo-0p25deg/v1.0.0/", "demo-0p25deg/v1.1.0/"
PAGES = ("", "demo-0p25deg/", V1, f"{V1}stations/", f"{V1}rivals/", f"{V1}strata/", f"{V1}collocation/",
         f"{V1}error-budget/", f"{V1}stability/", f"{V1}download/", f"{V1}provenance/", "demo-0p25deg/changelog/",
         "demo-0p25deg/issues/", "demo-0p25deg/compare/v1.0.0-to-v1.1.0/", "speed/", "evidence/",
         "experiments/small-system/")  # fmt: skip
KEYS = {"image": "neta-x-0-05-probe", "long": "neta-y-0-05-probe", "one": "neta-one-0-05-probe",
        "none": "neta-none-0-05-probe"}  # fmt: skip


def places(small) -> list:
    """Stations of hostile names and networks, one with a single value and one with none."""
    return [
        small.Station("NETA/x/0.05/probe", NAME, NETWORK),
        small.Station("NETA/y/0.05/probe", LONG, "L" * 300),
        small.Station("NETA/one/0.05/probe", "one value"),
        small.Station("NETA/none/0.05/probe", "no value"),
    ]


def emptied(run: Path, small) -> None:
    """Leave one value at the third station and none at the fourth; neither has a score there."""
    with netCDF4.Dataset(run / "matchups.nc", "a") as file:
        values = file["values"]
        values[:, 2, 1:] = np.nan
        values[:, 3, :] = np.nan
    scores = pd.read_parquet(run / "scores.parquet")
    few = scores["stratum"].isin(["NETA/one/0.05/probe", "NETA/none/0.05/probe"]) & (
        scores["stratum_kind"] == "station"
    )
    scores.loc[few, ["value", "ci_low", "ci_high"]] = np.nan
    scores.loc[few, "status"] = "few_samples"
    scores.loc[few, "n"] = [int("one" in name) for name in scores.loc[few, "stratum"]]
    scores.to_parquet(run / "scores.parquet", index=False)


def renamed(run: Path) -> None:
    """Give a rival a hostile name in a figure."""
    path = run / "diagnostics" / "curves.parquet"
    curves = pd.read_parquet(path)
    curves["series"] = curves["series"].where(curves["series"] != "rival", PRODUCT)
    curves.to_parquet(path, index=False)


def without_stations(run: Path) -> None:
    """Take every station out of a run."""
    pd.read_parquet(run / "stations.parquet").iloc[:0].to_parquet(run / "stations.parquet", index=False)
    scores = pd.read_parquet(run / "scores.parquet")
    scores[scores["stratum_kind"] != "station"].to_parquet(run / "scores.parquet", index=False)
    (run / "matchups.nc").unlink()


@pytest.fixture(scope="module")
def hostile(small, tmp_path_factory):
    """A served site of everything that is hostile."""
    workspace = tmp_path_factory.mktemp("hostile") / "workspace"
    stations = places(small)
    first = small.write_further(small.write_run(workspace / "runs" / "first", stations), stations)
    emptied(first, small)
    renamed(first)
    second = small.write_run(workspace / "runs" / "second", version="1.1.0")
    without_stations(second)
    for version, run in (("1.0.0", first), ("1.1.0", second)):
        folder = small.write_release(workspace, version, run, title=TITLE)
        (folder / "CHANGELOG.md").write_text(f"# {version}\n\n{NAME} **b** [x](javascript:alert(1)) {LONG}\n")
        small.publish(folder)
    (folder.parent / "KNOWN_ISSUES.md").write_text(f"# Known issues\n\n## {NAME} {LONG}\n\nAffects v1.0.0. {TITLE}\n")
    return small.served(workspace)


@pytest.fixture
def visit(browser, hostile, visits) -> Iterator[object]:
    """A visit on a phone; nothing may have gone wrong, no dialog may have been opened."""
    found = visits.visit(browser, hostile, 390, "light")
    found.page.on("dialog", lambda dialog: (found.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    yield found
    found.page.context.close()
    assert found.faults == []


def overflow(page) -> int:
    """Pixels by which the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def planted(page) -> int:
    """Elements that only hostile words could have made."""
    return page.locator("img[src='x'], [onerror], a[href^='javascript'], a[href*='evil'], article h1 strong").count()


@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_stays_whole_and_runs_nothing(visit, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 900})
    for address in PAGES:
        visit.open(address)
        visit.drawn()
        assert overflow(visit.page) <= 0, address
        assert planted(visit.page) == 0, address
        assert visit.page.locator("article h1").count() == 1, address


def test_a_station_called_an_image_is_shown_as_it_is_written(visit) -> None:
    visit.open(f"{V1}stations/?station={KEYS['image']}")
    visit.page.wait_for_selector(".series[data-drawn]:not([hidden])")
    visit.drawn()
    assert visit.page.locator("tr[aria-current] th").inner_text() == NAME
    chosen = visit.page.eval_on_selector("select[name=station]", "e => e.selectedOptions[0].textContent")
    assert NAME in chosen
    assert NAME in visit.page.locator(".summary").inner_text()
    texts = visit.page.eval_on_selector(".plot[data-stations]", "e => e.data.flatMap((t) => t.text)")
    assert any("&lt;img src=x" in text for text in texts)
    assert planted(visit.page) == 0


def test_a_product_called_a_picture_of_another_host_asks_for_nothing(visit) -> None:
    visit.open(f"{V1}rivals/")
    visit.drawn()
    names = visit.page.locator(".plot .legend text").all_text_contents()
    assert PRODUCT in [" ".join(name.split()) for name in names]


def test_a_network_of_quotes_slashes_and_emoji_can_be_chosen(visit) -> None:
    visit.open(f"{V1}stations/")
    visit.page.wait_for_selector("tr[data-key] a[data-key]")
    visit.page.locator("select[name=network]").select_option(label=NETWORK)
    visit.until("document.querySelectorAll('table.scores tbody tr[data-key]').length === 1")
    assert visit.page.locator("tr[data-key] td", has_text="🌱").inner_text() == NETWORK


def test_a_title_of_markdown_is_a_heading_of_these_words(visit) -> None:
    visit.open("demo-0p25deg/")
    assert visit.page.locator("article h1").inner_text().removesuffix("¶").strip() == TITLE
    visit.open("")
    assert TITLE in visit.page.locator("article h2").first.inner_text()
    assert visit.page.locator("article h2 :is(strong, b, code)").count() == 0


def test_a_name_of_500_characters_breaks_in_its_cell(visit) -> None:
    visit.open(f"{V1}stations/?station={KEYS['long']}")
    visit.page.wait_for_selector(".series[data-drawn]:not([hidden])")
    assert overflow(visit.page) <= 0
    cell = visit.page.locator("tr[aria-current] th").bounding_box()
    assert visit.page.locator("tr[aria-current] th").inner_text() == LONG
    assert cell["width"] <= 390
    assert cell["height"] > 100
    assert visit.page.locator("select[name=station]").bounding_box()["width"] <= 390
    assert visit.page.locator(".summary").evaluate("e => e.scrollWidth - e.clientWidth") <= 0


@pytest.mark.parametrize(("which", "days"), [("one", 1), ("none", 0)])
def test_a_station_of_one_value_or_none_has_a_whole_page(visit, which: str, days: int) -> None:
    visit.open(f"{V1}stations/?station={KEYS[which]}")
    visit.page.wait_for_selector("tr[aria-current]")
    visit.until("document.querySelector('.summary').textContent !== 'No station chosen yet.'")
    assert "too few days" in visit.page.locator("tr[aria-current]").inner_text()
    if days:
        visit.page.wait_for_selector(".series[data-drawn]:not([hidden])")
        drawn = visit.page.eval_on_selector(".series", "e => e.data.map((t) => t.y.filter((v) => v !== null).length)")
        assert max(drawn) == days
    assert "NaN" not in visit.page.locator("article").inner_text()
    assert "undefined" not in visit.page.locator("article").inner_text()


def test_a_version_without_any_station_has_whole_pages(visit) -> None:
    visit.open(f"{V2}stations/")
    assert "The run holds no stations." in visit.page.locator("article").inner_text()
    for words in visit.page.locator("nav.pages a").all_inner_texts():
        visit.page.locator("nav.pages a", has_text=words).first.click()
        visit.until(f"document.querySelector('nav.pages [aria-current]').textContent === '{words}'")
        visit.drawn()
        assert overflow(visit.page) <= 0, words
