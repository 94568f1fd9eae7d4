"""Every score on every page equals its row of scores.parquet, and every required row is on a page."""

import json
import math
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from vadose.reports.data import Run
from vadose.reports.formats import row_id, score_text, status_text
from vadose.reports.tables import outcomes

HEADLINE = {("r", "raw"), ("r", "anomaly_35d"), ("ubrmsd", "raw"), ("bias", "raw")}


class ScoreTables(HTMLParser):
    """Collects (source, row id, value, text) of every score, and numbers in score tables that are none."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.data, self.small, self.cell = "", None, 0, None
        self.scores: list[tuple[str, str, str, str]] = []
        self.bare: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        given = dict(attrs)
        if tag == "table":
            self.source = given.get("data-scores", "")
        elif tag == "td":
            self.cell = given.get("class", "")
        elif tag == "small":
            self.small += 1
        elif tag == "data" and self.source:
            self.data = (given["data-score"], given["value"])

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
            self.scores.append((self.source, *self.data, text))
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
    return wrong


def by_id(path: Path) -> dict[str, dict]:
    """The rows of a score file by their id."""
    return {row_id(row): row for row in pd.read_parquet(path).to_dict("records")}


def pages_with_scores(site: Path) -> Iterator[tuple[Path, str, dict[str, dict[str, dict]]]]:
    """Each built page with score tables, its text and the rows of the score files that it names."""
    for path in sorted(site.rglob("*.html")):
        page = path.read_text(encoding="utf-8")
        sources = sorted(set(re.findall(r'data-scores="([^"]+)"', page)))
        if sources:
            yield path, page, {source: by_id(path.parent / source) for source in sources}


def test_every_score_on_every_page_is_its_row(built) -> None:
    pages = list(pages_with_scores(built.site))
    for path, page, files in pages:
        assert faults(page, files) == [], path
    assert len(pages) >= 8


def test_one_changed_number_is_found(built) -> None:
    _, page, files = next(pages_with_scores(built.site))
    value = re.search(r'<data value="([^"]+)" data-score', page)
    assert value is not None
    assert faults(page.replace(value[1], str(float(value[1]) + 1e-9), 1), files)
    assert faults(re.sub(r'(data-score="[0-9a-f]{12}">)[^<]+', r"\g<1>0.123", page, count=1), files)


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
    listing = json.loads((folder / "stations.json").read_text())
    found = {
        key: value
        for scores in listing["scores"].values()
        for key, value in zip(scores["rows"], scores["values"], strict=True)
    }
    ours = {key: row["value"] for key, row in rows.items() if row["product"] == "vadose"}
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
    overall = scores[scores["stratum_kind"] == "all"]
    assert drawn == sorted(overall["value"])


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
