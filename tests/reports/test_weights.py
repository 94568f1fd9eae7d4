"""Every kind of page, and the station page of 2,000 stations, against its budget in bytes on the way."""

import gzip
from pathlib import Path

import pytest

from vadose.reports import report


@pytest.fixture(scope="module")
def weights(load_module):
    """What a page transfers."""
    return load_module("weights")


@pytest.mark.parametrize("name", ["built", "paired"])
def test_every_page_stays_within_its_budget(name: str, request: pytest.FixtureRequest, weights) -> None:
    site = request.getfixturevalue(name).site
    pages = sorted(site.rglob("index.html"), key=lambda page: -weights.weight(site, page))
    for page in pages[:3]:
        print(f"{page.parent.relative_to(site)}: {weights.weight(site, page) / 1e3:.0f} kB")
    heavy = [page for page in pages if weights.weight(site, page) > weights.limit(page)]
    assert heavy == []
    assert weights.weight(site, site / "demo-0p25deg/v1.0.0/index.html") > 550_000


def test_two_thousand_stations_stay_within_the_budget(built, weights, load_module, small, tmp_path: Path) -> None:
    scale = load_module("scale")
    scale.write_run(tmp_path / "runs" / "many", "1.0.0", 2000)
    docs = report(tmp_path, project=small.write_project(tmp_path / "project")).docs
    page = built.site / "demo-0p25deg/v1.0.0/stations/index.html"
    of_few = [path for path in weights.files(built.site, page) if "data" in path.parts or path == page.resolve()]
    shell = weights.weight(built.site, page) - sum(map(weights.transferred, of_few))
    (folded,) = {path.name for path in (docs / "data/figures/runs/many/stations").glob("u*.json")}
    text = (docs / "runs/many/stations.md").read_text(encoding="utf-8")
    assert folded in text.partition("<details><summary>")[2]  # loaded when it is opened
    figure = docs / "data/figures/runs/many/stations/r.json"
    own = [docs / "runs/many/stations.md", docs / "data/runs/many/stations.json", figure]
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 6)) for path in own}
    total = shell + sum(sizes.values())
    print(f"2,000 stations: {total / 1e3:.0f} kB of 800, of them", sizes)
    assert total <= weights.STATIONS
