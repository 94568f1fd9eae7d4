"""Every number that a figure draws is in the files that it is made of, and one changed number is found."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vadose.reports import figures
from vadose.reports.classed import strata_figures
from vadose.reports.data import Run
from vadose.reports.figures.diagrams import density_curve


@pytest.fixture(scope="module")
def drawn(load_module):
    """What figures draw and where it comes from."""
    return load_module("drawn")


@pytest.fixture(scope="module", params=["built", "paired"])
def checked(request: pytest.FixtureRequest, drawn) -> list:
    """Each figure of a site with its specification and the numbers that it may draw."""
    built = request.getfixturevalue(request.param)
    project = built.workspace.parent / "project"
    paths = sorted((built.site / "data" / "figures").rglob("*.json"))
    found = [(path, drawn.known_of(path, built.site, built.workspace, project)) for path in paths]
    return [(path, json.loads(path.read_text(encoding="utf-8")), known) for path, known in found if known is not None]


def test_every_figure_draws_numbers_of_its_files(checked, drawn) -> None:
    wrong = {path.name: found for path, spec, known in checked if (found := drawn.faults(spec, known))}
    assert wrong == {}
    assert len(checked) >= 40


def test_one_changed_number_of_any_figure_is_found(checked, drawn) -> None:
    for path, spec, known in checked:
        first = {}
        for field, kept, place, value in drawn.numbers(spec):
            if value != 0:
                first.setdefault(field, (kept, place, value))
        assert first, path
        for field, (kept, place, value) in first.items():
            kept[place] = value * 1.01 + 0.0137
            assert drawn.faults(spec, known), (path, field)
            kept[place] = value


def test_every_figure_has_a_page_a_caption_and_titled_axes(built, paired) -> None:
    for site in (built.site, paired.site):
        pages = "".join(path.read_text(encoding="utf-8") for path in site.rglob("index.html"))
        for path in sorted((site / "data" / "figures").rglob("*.json")):
            name = path.relative_to(site).as_posix()
            spec = json.loads(path.read_text(encoding="utf-8"))
            assert name in pages, name
            for axis, given in spec["layout"].items():
                named = given.get("type") == "category" if axis.startswith("yaxis") else False
                # Panels side by side share the names of the first one.
                shared = axis.startswith("yaxis") and given.get("showticklabels") is False
                if axis[1:5] == "axis" and not named and not shared:
                    assert given["title"]["text"], (name, axis)


def test_a_density_holds_one_and_its_bandwidth_is_that_of_silverman() -> None:
    values = np.random.default_rng(4).normal(0.7, 0.05, 60)
    x, curve, width = density_curve(values, 0.3, 1.1)
    assert np.trapezoid(curve, x) == pytest.approx(1.0, abs=1e-3)
    quartiles = np.percentile(values, [25, 75])
    assert width == pytest.approx(0.9 * min(np.std(values, ddof=1), np.ptp(quartiles) / 1.34) / 60**0.2)


def test_boxes_are_drawn_for_classes_with_enough_stations(small, tmp_path: Path) -> None:
    sizes = {"NETA": 7, "NETB": 6, "NETC": 4}
    places = [small.Station(f"{net}/S{i}/0.05/probe", f"S{i}", net) for net, n in sizes.items() for i in range(n)]
    run = Run(small.write_run(tmp_path / "run", places))
    drawn = {figure.name: figure for figure in strata_figures(run, ("stations", "P1", "common"))}
    assert set(drawn) == {"violin-r", "box-r-network", "violin-ubrmsd", "box-ubrmsd-network"}
    box = drawn["box-r-network"]
    rows = run.scores[(run.scores["stratum_kind"] == "station") & (run.scores["product"] == "vadose")]
    rows = rows[(rows["metric"] == "r") & (rows["signal"] == "raw")]
    for label, n, median in zip(box.data["label"], box.data["n"], box.data["p50"], strict=True):
        mine = rows[rows["stratum"].str.startswith(label)]["value"]
        assert (n, median) == (sizes[label], pytest.approx(mine.median()))
    assert "NETC" not in box.data["label"]
    assert "13 series" in box.caption


def test_a_product_without_correlation_is_named_and_not_drawn() -> None:
    found = {"ours": (0.8, 0.9), "noise": (-0.1, 1.2)}
    figure = figures.taylor_figure("taylor", found, reference="stations", caption="Diagram.")
    assert [trace["name"] for trace in figure.spec["data"] if "name" in trace] == ["ours"]
    assert figure.caption.endswith("Not drawn, since R is below 0: noise.")


def test_the_target_is_left_of_the_middle_where_a_product_varies_too_little() -> None:
    found = {"calm": (0.04, 0.01, 0.8), "lively": (0.05, -0.02, 1.3)}
    figure = figures.target_figure("target", found, reference="stations", caption="Diagram.")
    points = {trace["name"]: (trace["x"], trace["y"]) for trace in figure.spec["data"] if "name" in trace}
    assert points == {"calm": ([-0.04], [0.01]), "lively": ([0.05], [-0.02])}


def test_a_year_on_an_axis_has_no_separator_of_thousands() -> None:
    rows = pd.DataFrame({"series": "a", "x": [2019.0, 2019.5], "y": [0.1, 0.2], "low": np.nan, "high": np.nan})
    for title, expected in (("year", ".2~f"), ("days", None)):
        figure = figures.curve_figure("f", rows, x_title=title, y_title="R", caption="c")
        assert figure.spec["layout"]["xaxis"].get("tickformat") == expected


def test_series_of_a_second_round_of_colours_differ_in_dash_and_symbol() -> None:
    rows = pd.DataFrame(
        {"series": [f"s{k}" for k in range(12) for _ in range(2)], "x": [0.0, 1.0] * 12, "y": 0.1, "low": np.nan,
         "high": np.nan}
    )  # fmt: skip
    figure = figures.curve_figure("many", rows, x_title="days", y_title="R", caption="Many.")
    styles = [(t["line"]["color"], t["line"]["dash"], t["marker"]["symbol"]) for t in figure.spec["data"]]
    assert len(set(styles)) == 12
    assert figure.spec["layout"]["legend"]["yref"] == "container"
    assert figure.height > 500
