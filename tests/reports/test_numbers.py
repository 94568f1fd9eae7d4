"""Every score on every page equals its row of scores.parquet, and every required row is on a page."""

import html
import json
import math
import re
import struct
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from vadose.reports.data import Run
from vadose.reports.facts import fact_id, fact_text
from vadose.reports.formats import row_id, score_text, status_text
from vadose.reports.tables import outcomes

HEADLINE = {("r", "raw"), ("r", "anomaly_35d"), ("ubrmsd", "raw"), ("bias", "raw")}


class ScoreTables(HTMLParser):
    """Collects (source, row id, value, text) of every score and fact, and numbers in score tables that are neither."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.facts_source, self.data, self.small, self.cell = "", "", None, 0, None
        self.beside = ""
        self.scores: list[tuple[str, str, str, str]] = []
        self.facts: list[tuple[str, str, str, str]] = []
        self.bare: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        given = dict(attrs)
        if tag == "table":
            self.source, self.facts_source = given.get("data-scores", ""), given.get("data-facts", "")
        elif tag == "td":
            self.cell = given.get("class", "")
        elif tag == "small":
            self.small += 1
        elif tag == "data" and (self.source or "data-source" in given):
            self.data = ("data-fact" in given, given.get("data-fact") or given["data-score"], given["value"])
            self.beside = given.get("data-source", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self.source = ""
        elif tag == "small":
            self.small -= 1
        elif tag == "data":
            self.data = None
        elif tag == "td":
            self.cell = None

    def handle_data(self, text: str) -> None:
        if self.data is not None:
            fact, key, value = self.data
            kept, source = (self.facts, self.facts_source) if fact else (self.scores, self.beside or self.source)
            kept.append((source, key, value, text))
        elif self.source and self.cell == "number" and not self.small and re.search(r"\d", text):
            self.bare.append(text)


def faults(page: str, files: dict[str, dict[str, dict]]) -> list[str]:
    """What is wrong with the scores of a page, given the rows by id of each score file that it names."""
    found = ScoreTables()
    found.feed(page)
    wrong = [f"bare number {text!r}" for text in found.bare]
    for source, key, value, text in found.scores:
        row = files[source].get(key)
        if row is None:
            wrong.append(f"no row {key}")
        elif float(value) != row["value"]:
            wrong.append(f"{key}: {value} is not {row['value']}")
        elif text != score_text(row["metric"], row["value"]):
            wrong.append(f"{key}: {text!r} is not {row['value']} as it is written")
    for source, key, value, text in found.facts:
        row = files[source].get(key)
        if row is None or float(value) != row["value"] or text != fact_text(row["column"], row["value"]):
            wrong.append(f"fact {key}: {value} {text!r} is not {row}")
    return wrong


def by_id(path: Path) -> dict[str, dict]:
    """The rows of a file of scores or of facts by their id."""
    rows = pd.read_parquet(path).to_dict("records")
    if path.name == "tables.parquet":
        return {fact_id(row["table"], row["row"], row["column"]): row for row in rows}
    return {row_id(row): row for row in rows}


def pages_with_scores(site: Path) -> Iterator[tuple[Path, str, dict[str, dict[str, dict]]]]:
    """Each built page with score tables, its text and the rows of the score files that it names."""
    for path in sorted(site.rglob("*.html")):
        page = path.read_text(encoding="utf-8")
        sources = sorted(set(re.findall(r'data-(?:scores|facts|source)="([^"]+)"', page)))
        if sources:
            yield path, page, {source: by_id(path.parent / source) for source in sources}


def test_every_score_on_every_page_is_its_row(built) -> None:
    pages = list(pages_with_scores(built.site))
    for path, page, files in pages:
        assert faults(page, files) == [], path
    assert len(pages) >= 14
    shown = {path.parent.name for path, page, _ in pages if "data-fact=" in page}
    assert shown == {"collocation", "error-budget", "events", "maps-rivals", "stability"}


def test_one_changed_number_is_found(built) -> None:
    _, page, files = next(pages_with_scores(built.site))
    value = re.search(r'<data value="([^"]+)" data-score', page)
    assert value is not None
    assert faults(page.replace(value[1], str(float(value[1]) + 1e-9), 1), files)
    assert faults(re.sub(r'(data-score="[0-9a-f]{12}"[^>]*>)[^<]+', r"\g<1>0.123", page, count=1), files)


def test_one_changed_fact_is_found(built) -> None:
    pages = {path.parent.name: (page, files) for path, page, files in pages_with_scores(built.site)}
    page, files = pages["collocation"]
    assert faults(re.sub(r'(data-fact="[0-9a-f]{12}">)[^<]+', r"\g<1>0.123", page, count=1), files)
    assert faults(re.sub(r'(<data value=")[^"]+(" data-fact)', r"\g<1>0.5\g<2>", page, count=1), files)


TABLE = re.compile(r"<table [^>]*data-(evidence|comparisons|coverage)=\"([^\"]+)\"[^>]*>(.*?)</table>", re.DOTALL)
DATA = re.compile(r'<data value="([^"]+)"(?: data-cell="([^"]+)")?>([^<]*)')


def other_faults(path: Path, page: str) -> list[str]:
    """What is wrong in the tables of committed results, of comparisons and of coverage."""
    wrong = []
    for kind, address, table in TABLE.findall(page):
        file = path.parent / html.unescape(address)
        for value, place, text in DATA.findall(table):
            if kind == "evidence":
                row, _, column = html.unescape(place).partition(" ")
                right = json.loads(file.read_text())["columns"][column][int(row)] == float(value)
            elif kind == "comparisons":
                right = float(value) in set(pd.read_parquet(file)["difference"])
            else:
                right = any(math.isclose(float(value), known, rel_tol=1e-12) for known in shares(file))
            shown = float(text.replace("−", "-").replace("\u202f", ""))
            rounding = 0.051 if kind == "coverage" else 0.00051
            if not right or not math.isclose(shown, float(value), rel_tol=0.006, abs_tol=rounding):
                wrong.append(f"{kind}: {value} {text!r}")
    return wrong


def shares(file: Path) -> list[float]:
    """Per cent of the expected cells by year, least of a year, mean and largest by flag, counted line by line."""
    lines = pd.read_csv(file).to_dict("records")
    found = []
    for year in {str(line["day"])[:4] for line in lines}:
        mine = [line for line in lines if str(line["day"]).startswith(year)]
        cells = sum(line["cells_expected"] for line in mine)
        names = ("cells_given", "cells_recommended")
        found += [100 * sum(line.get(name, 0) for line in mine) / cells for name in names]
        found.append(min(100 * line["cells_given"] / line["cells_expected"] for line in mine))
    for name in (name for name in lines[0] if name.startswith("share_")):
        values = [line[name] for line in lines]
        found += [100 * sum(values) / len(values), 100 * max(values)]
    return found


def page_faults(path: Path, page: str) -> list[str]:
    """Everything that is wrong with the numbers of a page."""
    sources = sorted(set(re.findall(r'data-(?:scores|facts|source)="([^"]+)"', page)))
    return [*faults(page, {one: by_id(path.parent / one) for one in sources}), *other_faults(path, page)]


NUMBER = re.compile(r'(<data value=")([^"]+)("[^>]*>)')


@pytest.mark.parametrize("name", ["built", "paired"])
def test_one_changed_number_of_any_page_is_found(name: str, request: pytest.FixtureRequest) -> None:
    site = request.getfixturevalue(name).site
    kinds = set()
    for path in sorted(site.rglob("index.html")):
        page = path.read_text(encoding="utf-8")
        first: dict[str, re.Match] = {}
        for match in NUMBER.finditer(page):
            start = page.rfind("<table", 0, match.start())
            table = "".join(re.findall(r" data-(\w+)=", page[start : page.index(">", start)]))
            first.setdefault(table + "".join(re.findall(r" data-(\w+)=", match[3])), match)
        if not first:
            continue
        assert page_faults(path, page) == [], path
        for kind, match in first.items():
            changed = f"{match[1]}{float(match[2]) * 1.001 + 1e-7!r}{match[3]}"
            assert page_faults(path, page[: match.start()] + changed + page[match.end() :]), (path, kind)
        kinds.add(path.parent.relative_to(site).as_posix().rpartition("/")[2])
    wanted = {
        "built": {"collocation", "error-budget", "events", "maps-rivals", "stability", "uncertainty", "evidence",
                  "skill", "small-system", "strata", "stations", "rivals", "coverage", "latest", "compare", "."},
        "paired": {"v1.1.0", "v1.0.0-to-v1.1.0", "rivals", "strata", "stations", "coverage", "compare", "demo-0p25deg"},
    }  # fmt: skip
    assert wanted[name] <= kinds


def test_one_changed_number_of_the_costs_and_of_the_speed_is_found(built) -> None:
    project = built.workspace.parent / "project" / "data"
    costs = pd.read_parquet(project / "skill" / "costs.parquet").iloc[0]
    columns = (("seconds_train", 1), ("parameters", 0), ("predictions_per_second", 0))
    speed = json.loads((project / "speed" / "speed.json").read_text())["results"][0]
    wanted = {
        "skill": [f"{costs[name]:.{digits}f}" for name, digits in columns],
        "speed": [f"{speed[name]:.3g}" for name in ("ratio", "goal", "unit_seconds", "rival_seconds")],
    }
    for name, numbers in wanted.items():
        page = (built.site / name / "index.html").read_text(encoding="utf-8")
        rows = [re.findall(r'<td class="number"[^>]*>([^<]*)</td>', row) for row in page.split("<tr>")]
        plain = [[cell.replace("\u202f", "") for cell in row] for row in rows]
        assert numbers in plain, name


FURTHER = {
    "rivals": ("own", "lag"),
    "uncertainty": ("uncertainty",),
    "collocation": ("triplet",),
    "error-budget": ("budget",),
    "stability": ("stability",),
    "maps-rivals": ("map",),
    "events": ("events",),
}


@pytest.mark.parametrize("name", FURTHER)
def test_every_row_of_a_further_page_is_on_it(built, name: str) -> None:
    page = (built.site / "demo-0p25deg" / "v1.0.0" / name / "index.html").read_text(encoding="utf-8")
    rows = by_id(built.site / "data" / "demo-0p25deg" / "v1.0.0" / "scores.parquet")
    wanted = {
        key
        for key, row in rows.items()
        if any(word in (row["stratum_kind"], row["subset"].partition(" ")[0]) for word in FURTHER[name])
        and not math.isnan(row["value"])
        and (row["stratum_kind"], row["metric"]) != ("station", "tc_error")
        and ("own" not in FURTHER[name] or row["stratum_kind"] in ("all", "lag"))
    }
    assert wanted
    assert wanted <= set(re.findall(r'data-score="([0-9a-f]{12})"', page))


def test_a_station_without_a_budget_is_counted_with_its_reason(built) -> None:
    page = html.unescape((built.site / "demo-0p25deg/v1.0.0/error-budget/index.html").read_text(encoding="utf-8"))
    assert "Without a budget: 1 too few days." in page


def test_outcomes_by_stratum_are_those_of_the_run(built) -> None:
    page = (built.site / "demo-0p25deg/v1.0.0/rivals/index.html").read_text(encoding="utf-8")
    table = page.partition("data-comparisons")[2].partition("</table>")[0]
    compared = pd.read_parquet(built.site / "data/demo-0p25deg/v1.0.0/comparisons.parquet")
    row = compared[
        (compared["stratum_kind"] == "network") & (compared["metric"] == "r") & (compared["signal"] == "raw")
    ]
    assert [float(v) for v in re.findall(r'<data value="([^"]+)"', table)] == row["difference"].tolist()
    assert "▲ better" in table


@pytest.mark.parametrize(
    ("figure", "file", "axis"),
    [
        ("pit", "uncertainty/pit-stations", "y"),
        ("spread_skill", "uncertainty/spread-skill-stations", "y"),
        ("monthly_difference", "stability/months-stations", "y"),
        ("zonal_mean", "maps/grid/zonal-means", "x"),
        ("spectrum", "maps/grid/spectra", "y"),
        ("lag_increments", "rivals/lags-stations", "y"),
    ],
)
def test_further_figures_draw_the_diagnostics(built, figure: str, file: str, axis: str) -> None:
    spec = json.loads((built.site / f"data/figures/demo-0p25deg/v1.0.0/{file}.json").read_text())
    curves = pd.read_parquet(built.site / "data/demo-0p25deg/v1.0.0/curves.parquet")
    for name, part in curves[curves["figure"] == figure].groupby("series"):
        drawn = [trace[axis] for trace in spec["data"] if trace.get("name", name) == name]
        assert part["y"].tolist() in drawn


def test_scores_by_date_are_drawn_on_their_days(built) -> None:
    spec = json.loads((built.site / "data/figures/demo-0p25deg/v1.0.0/maps/grid/spatial-r.json").read_text())
    ours = spec["data"][0]
    assert (ours["name"], ours["x0"], ours["dx"]) == ("vadose", "2020-03-01", 86_400_000)
    assert ours["y"] == [0.51, 0.62, None, 0.73]


def test_pictures_hold_a_pixel_for_each_cell_in_the_colours_of_the_scale(built) -> None:
    folder = built.site / "data/figures/demo-0p25deg/v1.0.0/maps/grid"
    picture = pixels((folder / "difference-vadose-djf.png").read_bytes())
    scale = {tuple(colour) for colour in pixels((folder / "scale-bias-raw-difference.png").read_bytes())[0].tolist()}
    with xr.open_dataset(built.site / "data/demo-0p25deg/v1.0.0/maps.nc") as maps:
        field = maps["difference_grid"].sel(product="vadose", season="DJF").to_numpy()
    assert picture.shape == (6, 8, 4)
    for i, j in np.ndindex(field.shape):
        assert (tuple(picture[i, j].tolist()) in scale) == np.isfinite(field[i, j])
    # Wetter is greener: the greatest difference has more green than red, the least more red.
    least, most = (np.unravel_index(f(field), field.shape) for f in (np.nanargmin, np.nanargmax))
    assert picture[least][0] > picture[least][2]
    assert picture[most][0] < picture[most][1]


def pixels(png: bytes) -> np.ndarray:
    """Red, green, blue and opacity of an unfiltered PNG with a palette, read chunk by chunk."""
    columns, rows = struct.unpack(">II", png[16:24])
    start, parts = 8, {}
    while start < len(png):
        (size,) = struct.unpack(">I", png[start : start + 4])
        parts[png[start + 4 : start + 8]] = png[start + 8 : start + 8 + size]
        start += size + 12
    lines = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(rows, 1 + columns)
    assert (lines[:, 0] == 0).all()
    palette = np.frombuffer(parts[b"PLTE"], np.uint8).reshape(-1, 3)
    return np.column_stack([palette, np.frombuffer(parts[b"tRNS"], np.uint8)])[lines[:, 1:]]


def test_every_figure_of_the_evidence_is_in_its_file(built) -> None:
    page = (built.site / "evidence" / "index.html").read_text(encoding="utf-8")
    tables = re.findall(r'<table class="scores[^"]*" data-evidence="([^"]+)">(.*?)</table>', page, re.DOTALL)
    checked = 0
    for address, table in tables:
        columns = json.loads((built.site / "evidence" / address).read_text())["columns"]
        for value, cell in re.findall(r'<data value="([^"]+)" data-cell="([^"]+)"', table):
            row, _, column = html.unescape(cell).partition(" ")
            assert columns[column][int(row)] == float(value)
            checked += 1
    # Two models, two lengths, ours and the textbook's, and the textbook's alone twice; then the tables of experiments.
    assert checked == 2 * 2 * 2 * 2 + 2 + (4 + 1) + (6 + 9 + 4 + 2 + 24 + 2 + 3)


def test_evidence_says_how_it_was_made_and_what_it_found(built) -> None:
    page = html.unescape((built.site / "evidence" / "index.html").read_text(encoding="utf-8"))
    for words in (
        "nox -s skill",
        "cccccccccccc",
        "2026-01-15",
        "A core site",
        "0.812",
        "✗ no",
        "no interval",
        "8 of 10 rows",
    ):
        assert words in page
    nav = (built.workspace / "build" / "mkdocs.yml").read_text()
    assert nav.index("speed.md") < nav.index("evidence.md") < nav.index("Guide")


def test_required_rows_are_on_the_pages_of_their_version(built) -> None:
    folder = built.site / "demo-0p25deg" / "v1.0.0"
    shown = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.html"))
    for key, row in by_id(built.site / "data" / "demo-0p25deg" / "v1.0.0" / "scores.parquet").items():
        if row["stratum_kind"] in ("all", "network") and (row["metric"], row["signal"]) in HEADLINE:
            expected = status_text(row["status"], row["n"]) if math.isnan(row["value"]) else f'data-score="{key}"'
            assert expected.replace("(", "&#40;").replace(")", "&#41;") in shown, row


def test_station_rows_are_in_the_station_list(built) -> None:
    folder = built.site / "data" / "demo-0p25deg" / "v1.0.0"
    rows = {k: r for k, r in by_id(folder / "scores.parquet").items() if r["stratum_kind"] == "station"}
    listing, ids = (json.loads((folder / f"{name}.json").read_text()) for name in ("stations", "stations-rows"))
    found = {
        key: value
        for metric, scores in listing["scores"].items()
        for key, value in zip(ids[metric], scores["values"], strict=True)
    }
    ours = {
        k: round(row["value"], 6) for k, row in rows.items() if (row["product"], row["subset"]) == ("vadose", "common")
    }
    assert found == ours


def test_csv_json_and_parquet_hold_the_same_scores(built) -> None:
    folder = built.site / "data" / "demo-0p25deg" / "v1.0.0"
    parquet = pd.read_parquet(folder / "scores.parquet")
    csv = pd.read_csv(folder / "scores.csv", keep_default_na=False, dtype=str)
    listed = json.loads((folder / "scores.json").read_text())["columns"]
    for name in parquet:
        if parquet[name].dtype.kind == "f":
            values = [None if math.isnan(v) else v for v in parquet[name]]
            assert listed[name] == values
            assert [float(v) if v else None for v in csv[name]] == values
        else:
            assert listed[name] == parquet[name].tolist()
            assert csv[name].tolist() == [str(v) for v in parquet[name]]


def test_figures_of_scores_hold_the_scores(built) -> None:
    spec = json.loads((built.site / "data/figures/demo-0p25deg/v1.0.0/scores-1.json").read_text())
    drawn = sorted(value for trace in spec["data"] for value in trace["x"])
    scores = pd.read_parquet(built.workspace / "runs" / "first" / "scores.parquet")
    overall = scores[(scores["stratum_kind"] == "all") & (scores["subset"] == "common")]
    shown = [pair in HEADLINE for pair in zip(overall["metric"], overall["signal"], strict=True)]
    assert drawn == sorted(overall[shown]["value"])


def test_curves_hold_the_diagnostics(built) -> None:
    spec = json.loads((built.site / "data/figures/demo-0p25deg/v1.0.0/seasonal-cycle-stations.json").read_text())
    curves = pd.read_parquet(built.workspace / "runs" / "first" / "diagnostics" / "curves.parquet")
    cycles = curves[curves["figure"] == "seasonal_cycle"]
    assert len(spec["data"]) == 2
    for trace in spec["data"]:
        assert trace["y"] == cycles[cycles["series"] == trace["name"]]["y"].tolist()


def test_density_counts_the_days_of_the_diagnostics(built) -> None:
    spec = json.loads((built.site / "data/figures/demo-0p25deg/v1.0.0/density-stations.json").read_text())
    heat = spec["data"][0]
    counted = {
        (heat["x"][j], heat["y"][i]): days for i, row in enumerate(heat["text"]) for j, days in enumerate(row) if days
    }
    assert counted == {(0.1, 0.1): 10.0, (0.112, 0.1): 20.0, (0.148, 0.136): 30.0}


def test_gates_equal_the_verdict(built) -> None:
    page = (built.site / "demo-0p25deg" / "v1.0.0" / "gates" / "index.html").read_text(encoding="utf-8")
    rows = re.findall(r'<tr><th scope="row">(\w+)</th><td class="count">(\w+)</td><td class="count">([^<]+)</td>', page)
    assert rows == [
        ("complete", "required", "✓ passed"),
        ("coverage", "advisory", "✗ failed"),
        ("stability", "advisory", "– not applicable"),
    ]


@pytest.mark.parametrize(
    ("metric", "outcome"),
    [("R", "▲ better"), ("anomaly R (35 days)", "▼ worse"), ("ubRMSD", "= equal")],
)
def test_outcomes_are_those_of_the_run(built, metric: str, outcome: str) -> None:
    page = (built.site / "demo-0p25deg" / "v1.0.0" / "index.html").read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if f"<td>{metric}</td>" in line and "outcome" in line)
    assert outcome in line
    assert "– not tested in this run: bias." in page


def test_a_rival_that_no_run_compared_is_not_tested(small, tmp_path) -> None:
    run = Run(small.write_run(tmp_path / "run"))
    run.comparisons["rival"] = "another"
    found = outcomes(run)
    assert {entry.outcome for entry in found} == {"– not tested"}
    assert len(found) == 3
