"""The page of a published system: its claims, our numbers, and every output either there or missing by name."""

import html
import json
import re
import shutil
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from vadose.common import InputError
from vadose.reports import report, site_project
from vadose.reports.committed import systems
from vadose.reports.systems import curve_figures


@pytest.fixture(scope="module")
def page(built) -> str:
    return (built.site / "experiments" / "small-system" / "index.html").read_text(encoding="utf-8")


def test_the_page_says_what_is_claimed_stated_run_and_missing(page: str) -> None:
    words = html.unescape(re.sub(r"<[^>]+>", " ", page))
    for said in ("It is better.", ".987", "not here", "vadose compare small", "– missing", "inputs are not public"):
        assert said in words


def test_every_number_of_an_experiment_is_in_its_file(built, page: str) -> None:
    checked = 0
    for address, table in re.findall(r'data-evidence="([^"]+)">(.*?)</table>', page, re.DOTALL):
        columns = json.loads((built.site / "experiments" / "small-system" / address).read_text())["columns"]
        for value, place in re.findall(r'<data value="([^"]+)" data-cell="([^"]+)"', table):
            row, _, column = place.partition(" ")
            assert columns[column][int(row)] == float(value)
            checked += 1
    assert checked == 2


def test_curves_are_drawn_by_panel_and_the_skill_of_its_methods_stands_there(built, page: str) -> None:
    specs = re.findall(r'data-spec="([^"]+attention[^"]+)"', page)
    assert len(specs) == 2
    spec = json.loads((built.site / "experiments" / "small-system" / specs[0]).read_text())
    assert spec["data"][0]["y"] == [0.5 / (lag + 1) for lag in range(4)]
    assert spec["layout"]["xaxis"]["title"]["text"] == "lag (days)"
    assert "xgboost" in page
    assert "Split P1" in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"where": "nowhere"}, "no table or figure named 'nowhere'"),
        ({"where": "missing", "why": ""}, "missing without a reason"),
    ],
)
def test_an_output_is_there_or_missing_with_a_reason(small, tmp_path: Path, change, message: str) -> None:
    project = small.write_project(tmp_path / "project")
    path = project / "data" / "experiments" / "small-system" / "paper.yaml"
    paper = yaml.safe_load(path.read_text())
    paper["outputs"][0] |= change
    path.write_text(yaml.safe_dump(paper))
    with pytest.raises(InputError, match=message):
        report(tmp_path / "workspace", project=project)


def test_the_committed_systems_make_pages_whose_captions_are_their_own(small, tmp_path: Path) -> None:
    names = [system.recipe for system in systems(site_project() / "data")]
    assert names == ["glass-avhrr-sm", "mlstm-correction", "stsg-sm", "tc-lstm-downscaling", "tssmnet-smap"]
    project = small.write_project(tmp_path / "project")
    shutil.rmtree(project / "data")
    shutil.copytree(site_project() / "data", project / "data")
    docs = report(tmp_path / "workspace", project=project).docs
    pages = {path.stem: html.unescape(path.read_text()) for path in (docs / "experiments").glob("*.md")}
    assert set(pages) == {"index", *names}
    for words in ("one value a station and year", "over the cells of each network"):
        assert [name for name, text in pages.items() if words in text] == ["mlstm-correction"]


def curves(figure: str, panels: dict[str, str], series: int, points: int, start: int = 0) -> pd.DataFrame:
    """Curves in the layout of a file of diagnostics; `panels` gives units."""
    rows = [
        {"figure": figure, "panel": panel, "series": f"s{k}", "x": float(start * k + i), "y": 0.1, "unit": unit}
        for panel, unit in panels.items()
        for k in range(series)
        for i in range(points)
    ]
    return pd.DataFrame(rows).assign(low=np.nan, high=np.nan)


@pytest.mark.parametrize(
    ("figure", "panels", "about", "titles"),
    [
        ("attention", {"here": "m3 m-3", "there": "m3 m-3"}, {}, ["Attention (m³ m⁻³)"] * 2),
        ("violin_r", {"here": "1", "there": "1"}, {}, ["Density"] * 2),
        ("drivers", {"L": "K", "P": "mm d-1"}, {}, ["L (K)", "P (mm d⁻¹)"]),
        ("scores", {"r": "1", "ubrmsd": "m3 m-3"}, {}, ["R", "ubRMSD (m³ m⁻³)"]),
        ("weights", {"here": "1"}, {"figures": {"weights": {"y": "share"}}}, ["share"]),
    ],
)
def test_axes_name_the_quantity_and_not_the_place(figure: str, panels, about, titles: list[str]) -> None:
    drawn = curve_figures(curves(figure, panels, 2, 3), about)
    assert [one.spec["layout"]["yaxis"]["title"]["text"] for one in drawn] == titles


def test_single_points_are_categories_and_many_points_lose_their_markers() -> None:
    (bars,) = curve_figures(curves("shap", {"all": "1"}, 3, 1, start=1), {})
    assert bars.spec["layout"]["xaxis"]["ticktext"] == ["s0", "s1", "s2"]
    assert bars.spec["layout"]["showlegend"] is False
    (few,), (many,) = (curve_figures(curves("lags", {"all": "1"}, 2, n), {}) for n in (40, 41))
    assert [one.spec["data"][0]["mode"] for one in (few, many)] == ["lines+markers", "lines"]
    assert "ticktext" not in few.spec["layout"]["xaxis"]


def write_maps_file(path: Path, sheets: list[tuple[str, str, str, str, list[list[float]]]]) -> None:
    """A file in the layout of `maps.nc` on a grid of two by three cells."""
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("sheet", len(sheets)), ("lat", 2), ("lon", 3)):
            file.createDimension(name, size)
        for place, name in enumerate(("figure", "row", "column", "unit")):
            file.createVariable(name, str, ("sheet",))[:] = np.array([sheet[place] for sheet in sheets], object)
        file.createVariable("lat", "f8", ("lat",))[:] = [40.0, 41.0]
        file.createVariable("lon", "f8", ("lon",))[:] = [5.0, 6.0, 7.0]
        value = file.createVariable("value", "f4", ("sheet", "lat", "lon"), fill_value=np.float32(np.nan))
        value[:] = [sheet[4] for sheet in sheets]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGBA"))


def test_maps_of_an_experiment_share_a_scale_and_stand_north_up(small, tmp_path: Path) -> None:
    project = small.write_project(tmp_path / "project")
    folder = project / "data" / "experiments" / "small-system"
    nan, low, high = np.nan, [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]
    write_maps_file(folder / "gap_maps.nc", [
        ("weight", "model", "one", "1", [low, high]), ("weight", "model", "two", "1", [low, [nan, 0.0, 1.0]]),
        ("validity", "", "", "class 0 ok, 3 few_samples", [[0, 3, 3], [0, 0, nan]]),
    ])  # fmt: skip
    paper = yaml.safe_load((folder / "paper.yaml").read_text())
    paper["outputs"][3] = {"output": "weights", "where": "weight"}
    (folder / "paper.yaml").write_text(yaml.safe_dump(paper))
    docs = report(tmp_path / "workspace", project=project).docs
    page = html.unescape((docs / "experiments" / "small-system.md").read_text())
    assert "From dark to light: ok, few samples." in page
    assert 'alt="validity: ok 3 cells, few samples 2 cells"' in page
    assert (docs / "data" / "experiments" / "small-system" / "gap_maps.nc").is_file()
    pictures = docs / "data" / "figures" / "experiments" / "small-system" / "gap"
    one, two = (pixels(pictures / f"map-weight-{k}.png") for k in (1, 2))
    scale = pixels(pictures / "map-weight-scale.png")
    assert (one[0] == scale[0, -1]).all()
    assert (one[1] == scale[0, 0]).all()
    assert two[0].tolist() == [[128, 128, 128, 90], scale[0, 0].tolist(), scale[0, -1].tolist()]


def test_a_broken_file_of_maps_is_named(small, tmp_path: Path) -> None:
    project = small.write_project(tmp_path / "project")
    (project / "data" / "experiments" / "small-system" / "gap_maps.nc").write_bytes(b"not a file of maps")
    with pytest.raises(InputError, match="not a readable file of maps") as caught:
        report(tmp_path / "workspace", project=project)
    assert "gap_maps.nc" in str(caught.value.where)
