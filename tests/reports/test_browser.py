"""The built site in chromium, under its own Content-Security-Policy: navigated, not only opened."""

import hashlib
import urllib.request
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.browser

VERSION = "demo-0p25deg/v1.0.0/"
PAGES = (
    "",
    "demo-0p25deg/",
    "demo-0p25deg/latest/",
    "demo-0p25deg/changelog/",
    "demo-0p25deg/issues/",
    VERSION,
    f"{VERSION}rivals/",
    f"{VERSION}strata/",
    f"{VERSION}stations/",
    f"{VERSION}maps-rivals/",
    f"{VERSION}uncertainty/",
    f"{VERSION}collocation/",
    f"{VERSION}error-budget/",
    f"{VERSION}stability/",
    f"{VERSION}events/",
    f"{VERSION}gates/",
    f"{VERSION}coverage/",
    f"{VERSION}download/",
    f"{VERSION}provenance/",
    "demo-0p25deg/v1.1.0/",
    "demo-0p25deg/compare/",
    "demo-0p25deg/compare/v1.0.0-to-v1.1.0/",
    "choose/",
    "skill/",
    "speed/",
    "evidence/",
    "experiments/",
    "experiments/small-system/",
    "methods/",
    "validation/",
    "user-guide/",
    "file-format/",
    "cite/",
    "contributing/",
)
FIRST = "neta-s0-0-05-probe"


@pytest.fixture
def desktop(browser, built, visits) -> Iterator[object]:
    """A visit at 1280 pixels in light colours; no fault may be left at its end."""
    found = visits.visit(browser, built)
    yield found
    found.page.context.close()
    assert found.faults == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_opens_whole_readable_and_accessible(browser, built, visits, width: int, scheme: str) -> None:
    found = visits.visit(browser, built, width, scheme)
    for address in PAGES:
        found.open(address)
        found.drawn()
        overflow = found.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, (address, overflow)
        assert found.violations() == [], address
        assert found.faint() == [], address
    found.page.context.close()
    assert found.faults == []


def test_navigation_by_clicks_draws_every_plot_and_loads_plotly_once(desktop) -> None:
    page = desktop.page
    desktop.open("")
    page.evaluate("window.still = true")
    assert desktop.drawn() >= 1
    for words in ("scoreboard", "Stations", "Download"):
        page.get_by_role("link", name=words, exact=True).first.click()
        desktop.until(f"document.querySelector('h1').textContent.toLowerCase().includes('{words.lower()}')")
        count = desktop.drawn()
        assert count >= (0 if words == "Download" else 1), words
    page.go_back()
    desktop.until("document.querySelector('h1').textContent.includes('Stations')")
    assert desktop.drawn() >= 1
    assert page.evaluate("window.still") is True
    loads = page.evaluate(
        "performance.getEntriesByType('resource').filter((e) => e.name.includes('plotly-vadose')).length"
    )
    assert loads == 1


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_the_tabs_of_a_version_lead_to_every_page(browser, built, visits, width: int, scheme: str) -> None:
    found = visits.visit(browser, built, width, scheme)
    found.open(VERSION)
    tabs = found.page.locator("nav.pages a").all_inner_texts()
    assert tabs == [
        "Scoreboard", "Rivals", "Strata", "Stations", "Maps", "Uncertainty", "Collocation", "Error budget", "Stability",
        "Events", "Gates", "Coverage", "Download", "Provenance",
    ]  # fmt: skip
    for words in tabs[1:]:
        found.page.locator("nav.pages a", has_text=words).first.click()
        found.until(f"document.querySelector('nav.pages [aria-current]').textContent === '{words}'")
        found.drawn()
        pictures = "[...document.querySelectorAll('figure.maps img')].every((e) => e.complete && e.naturalWidth > 0)"
        found.until(pictures)
    found.page.context.close()
    assert found.faults == []


def test_a_station_in_the_address_is_shown_by_all_three_views(desktop) -> None:
    page = desktop.page
    desktop.open(f"{VERSION}stations/?station={FIRST}")
    page.wait_for_selector(".series[data-drawn]:not([hidden])")
    assert page.eval_on_selector("select[name=station]", "e => e.value") == FIRST
    assert page.locator("tr[aria-current]").get_attribute("data-key") == FIRST
    assert "R 0." in page.locator(".summary").inner_text()
    names = page.eval_on_selector(".series", "e => e.data.map((t) => t.name)")
    assert names == ["in situ", "rival", "v1.0.0", "difference"]


def test_table_and_select_change_the_address_and_keep_the_state(desktop) -> None:
    page = desktop.page
    desktop.open(f"{VERSION}stations/")
    page.wait_for_selector("tr[data-key] a[data-key]")
    page.locator(f"tr[data-key={FIRST}] a").click()
    page.wait_for_selector(".series[data-drawn]:not([hidden])")
    assert page.url.endswith(f"?station={FIRST}")
    page.locator("select[name=station]").select_option("netb-closed-0-05-probe")
    desktop.until("document.querySelector('.summary').textContent.includes('does not allow')")
    assert page.url.endswith("?station=netb-closed-0-05-probe")
    desktop.until("document.querySelector('.series').data.every((t) => t.name !== 'in situ')")
    page.reload()
    desktop.until("document.querySelector('.summary').textContent.includes('does not allow')")


def test_a_click_on_the_map_chooses_a_station(desktop) -> None:
    page = desktop.page
    desktop.open(f"{VERSION}stations/")
    point = page.locator(".plot[data-stations] .scattergeo path.point").first
    point.wait_for()
    point.evaluate("e => e.scrollIntoView({block: 'center'})")
    box = point.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2 + 1, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_timeout(200)
    page.mouse.down()
    page.mouse.up()
    desktop.until("location.search.startsWith('?station=')")


@pytest.mark.parametrize("key", ["nowhere", "../../../secret", "%3Cimg%20src=x%20onerror=alert(1)%3E"])
def test_an_unknown_station_says_so_and_asks_for_nothing(desktop, key: str) -> None:
    asked: list[str] = []
    desktop.page.on("request", lambda r: asked.append(r.url) if "/series/" in r.url else None)
    desktop.open(f"{VERSION}stations/?station={key}")
    desktop.until("document.querySelector('.summary').textContent.startsWith('Unknown station')")
    assert asked == []
    assert desktop.page.locator("article img").count() == 0


def test_the_filter_narrows_the_table(desktop) -> None:
    page = desktop.page
    desktop.open(f"{VERSION}stations/")
    page.wait_for_selector("tr[data-key] a[data-key]")
    page.locator("select[name=network]").select_option("NETB")
    desktop.until("document.querySelectorAll('table.scores tbody tr[data-key]').length === 1")
    assert "1 of 1 matching" in page.locator(".shown").inner_text()


def test_switching_the_scheme_redraws_the_figures(desktop) -> None:
    page = desktop.page
    desktop.open(VERSION)
    desktop.drawn()
    before = page.eval_on_selector(".plot", "e => e.layout.font.color")
    page.locator("label[title='Switch to dark mode']").click()
    desktop.until(f"document.querySelector('.plot').layout.font.color !== '{before}'")


def test_tables_are_sorted_by_their_heads(desktop) -> None:
    page = desktop.page
    desktop.open(VERSION)
    head = page.locator("table.sortable th", has_text="difference").first
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    values = page.eval_on_selector_all("table.sortable td data", "found => found.map((e) => Number(e.value))")
    assert values == sorted(values)


def test_every_trace_type_of_the_bundle_is_drawn(desktop) -> None:
    page = desktop.page
    desktop.open(VERSION)
    desktop.drawn()
    kinds = page.evaluate("""async () => {
      const specs = {
        scatter: {x: [1, 2], y: [1, 2]}, bar: {x: [1, 2], y: [1, 2]},
        box: {q1: [1], median: [2], q3: [3], lowerfence: [0], upperfence: [4]},
        heatmap: {z: [[1, 2], [3, 4]]}, histogram: {x: [1, 2, 2]}, scattergeo: {lat: [1], lon: [2]},
        choropleth: {locations: ["FRA"], z: [1]}, scatterpolar: {r: [1, 2], theta: [0, 90]},
      };
      const drawn = [];
      for (const [type, trace] of Object.entries(specs)) {
        const div = document.createElement("div");
        document.querySelector("article").append(div);
        await window.Plotly.newPlot(div, [{type, ...trace}], {width: 300, height: 200});
        drawn.push(div._fullData[0].type);
      }
      return drawn;
    }""")
    assert kinds == ["scatter", "bar", "box", "heatmap", "histogram", "scattergeo", "choropleth", "scatterpolar"]


def test_a_granule_is_served_beside_the_site_and_a_cut_download_goes_on(built) -> None:
    address = (built.site / "data/demo-0p25deg/v1.0.0/urls.txt").read_text().splitlines()[0]
    whole = urllib.request.urlopen(address).read()
    rest = urllib.request.urlopen(urllib.request.Request(address, headers={"Range": "bytes=1000-"})).read()
    file = built.workspace / "releases" / address.partition("/files/")[2]
    assert hashlib.sha256(whole).digest() == hashlib.sha256(file.read_bytes()).digest()
    assert whole[1000:] == rest


def test_the_station_chosen_shows_scatter_cycle_and_funnel(desktop) -> None:
    page = desktop.page
    desktop.open(f"{VERSION}stations/?station={FIRST}")
    page.wait_for_selector("figure[data-detail=cycle] .plot[data-drawn]")
    points = page.eval_on_selector("figure[data-detail=scatter] .plot", "e => [e.data[0].x, e.data[0].y]")
    series = page.eval_on_selector(
        ".series", "e => ['in situ', 'v1.0.0'].map((n) => e.data.find((t) => t.name === n).y)"
    )
    both = [(x, y) for x, y in zip(*series, strict=True) if x is not None and y is not None]
    assert list(zip(*points, strict=True)) == both
    assert f"{len(both)} days." in page.locator("figure[data-detail=scatter] figcaption").inner_text()
    cycle = page.eval_on_selector("figure[data-detail=cycle] .plot", "e => e.data.map((t) => t.y)")
    march = [y for (_, y), _ in zip(both, range(30), strict=False)]
    assert cycle[0][2] == pytest.approx(sum(march) / 30)
    assert cycle[0][6] is None
    page.locator("details.funnel summary").click()
    assert page.locator("tbody[data-funnel=kept]").inner_text().split("\t") == ["read", "100"]
    assert page.locator("tbody[data-funnel=rejected]").inner_text().split("\t") == ["missing", "10"]


def test_a_closed_station_shows_its_cycle_and_no_scatter(desktop) -> None:
    desktop.open(f"{VERSION}stations/?station=netb-closed-0-05-probe")
    desktop.page.wait_for_selector("figure[data-detail=cycle] .plot[data-drawn]")
    assert not desktop.page.locator("figure[data-detail=scatter]").is_visible()
    names = desktop.page.eval_on_selector("figure[data-detail=cycle] .plot", "e => e.data.map((t) => t.name)")
    assert names == ["v1.0.0"]


def test_axe_and_the_contrast_see_a_fault(desktop, visits) -> None:
    desktop.open(VERSION)
    desktop.drawn()
    desktop.page.evaluate(
        "document.querySelector('h1').insertAdjacentElement('afterend', document.createElement('img'))"
    )
    desktop.page.evaluate("document.querySelector('.plot svg text').style.fill = '#999999'")
    assert any(found.startswith("image-alt") for found in desktop.violations())
    assert any(found.startswith("text") for found in desktop.faint())
    assert visits.contrast([0, 0, 0], [255, 255, 255]) == pytest.approx(21.0)
    assert visits.contrast([118, 118, 118], [255, 255, 255]) == pytest.approx(4.54, abs=0.005)


def test_a_folded_map_is_loaded_when_it_is_opened(desktop) -> None:
    desktop.open(f"{VERSION}collocation/")
    asked = "performance.getEntriesByType('resource').filter((e) => e.name.includes('world_110m')).length"
    desktop.page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    desktop.page.wait_for_timeout(300)
    assert desktop.page.evaluate(asked) == 0
    desktop.page.locator("summary", has_text="Map of the error").click()
    desktop.until("document.querySelector('.plot[data-drawn]') !== null")
    assert desktop.page.evaluate(asked) == 1


def test_a_year_of_granules_is_loaded_when_it_is_opened(desktop) -> None:
    page = desktop.page
    desktop.open("demo-0p25deg/v1.1.0/download/")
    assert page.locator("details[data-granules] details").count() == 0
    page.locator("summary", has_text="2020: 123 granules").click()
    desktop.until("document.querySelectorAll('details[data-granules] details').length === 5")
    page.locator("summary", has_text="April: 30 granules").click()
    desktop.until("document.querySelectorAll('details[data-granules] tbody tr').length === 30")
    first = page.locator("details[data-granules] tbody a").first.get_attribute("href")
    assert first.startswith(
        f"{desktop.url}files/demo-0p25deg/v1.1.0/CDR/DAILY/2020/04/VADOSE-DEMO-L4-0P25DEG-DAILY-20200401"
    )
    assert page.get_by_role("link", name="Picture of the days of April 2020").count() == 1
    assert desktop.violations() == []


def test_the_search_finds_a_page_without_another_host(desktop) -> None:
    page = desktop.page
    desktop.open("")
    page.locator("input.md-search__input").click()
    page.keyboard.type("recommended")
    # While the word is being typed, pages with its first letters are listed.
    page.locator(".md-search-result__item", has_text="recommended").first.wait_for()
    assert page.locator(".md-search-result__item a").first.get_attribute("href").startswith(desktop.url)


def test_a_figure_is_saved_as_png_and_svg(desktop) -> None:
    page = desktop.page
    desktop.open(VERSION)
    desktop.drawn()
    for name, first in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with page.expect_download() as waiting:
            page.locator("figcaption").first.get_by_role("button", name=name).click()
        file = waiting.value
        assert file.suggested_filename == f"scores-1.{name.lower()}"
        with file.path().open("rb") as content:
            assert content.read(4) == first


def test_a_granule_is_downloaded_by_a_click_and_has_its_sum(desktop, built) -> None:
    page = desktop.page
    desktop.open("demo-0p25deg/")
    page.get_by_role("link", name="v1.0.0", exact=True).first.click()
    page.locator("nav.pages a", has_text="Download").click()
    desktop.until("document.querySelector('h1').textContent.startsWith('Download')")
    with page.expect_download() as waiting:
        page.locator("tbody th a[href$='.nc']").first.click()
    with waiting.value.path().open("rb") as content:
        found = hashlib.sha256(content.read()).hexdigest()
    original = next((built.workspace / "releases" / VERSION).rglob(waiting.value.suggested_filename))
    assert found == hashlib.sha256(original.read_bytes()).hexdigest()


def test_the_keyboard_alone_sorts_a_table_and_chooses_a_station(desktop) -> None:
    page = desktop.page
    desktop.open(f"{VERSION}stations/")
    page.wait_for_selector("tr[data-key] a[data-key]")
    page.locator("select[name=station]").focus()
    page.keyboard.press("ArrowDown")
    desktop.until("location.search.startsWith('?station=')")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    desktop.open(VERSION)
    page.locator("table.sortable th button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("table.sortable th").first.get_attribute("aria-sort") == "ascending"


def test_print_leaves_out_what_can_only_be_clicked(desktop) -> None:
    page = desktop.page
    desktop.open(VERSION)
    desktop.drawn()
    page.emulate_media(media="print")
    for words in ("nav.pages", "figcaption button.image", ".md-header"):
        assert not page.locator(words).first.is_visible(), words
    assert page.locator("table.scores").first.is_visible()
