"""The main job on real SMAP: a small network, but every stage, from the native file to a gated preview."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from .conftest import RECIPES, vadose

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workspace(vadose_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a CONUS-412 product of a network that trains in seconds."""
    folder = tmp_path_factory.mktemp("conus412")
    values = yaml.safe_load((RECIPES / "conus412-atlstm.yaml").read_text())
    values["recipe"] = "quick"
    values["method"]["settings"] |= {"hidden": 32, "training": {"steps": 150}}
    values["method"]["ensemble"] = 2
    recipe = folder / "quick.yaml"
    recipe.write_text(yaml.safe_dump(values))
    vadose("ingest", str(recipe), "--native", str(vadose_data / "conus412"), workspace=folder)
    vadose("ingest", "stations", str(vadose_data / "uscrn_manhattan"), "--name", "uscrn", workspace=folder)
    vadose("train", str(recipe), workspace=folder)
    vadose("build", str(recipe), workspace=folder)
    vadose(
        *("validate", "--recipe", str(recipe), "--product", "vadose=conus412-ease2m36/v1.0.0", "--stations", "uscrn"),
        *("--reference", f"smap={folder / 'cubes' / 'conus412.zarr'}", "--out", str(folder / "runs" / "quick")),
        # USCRN gives daily means of local days, SMAP values at 06:00 local solar time; every row says so.
        "--allow-day-mismatch",
        workspace=folder,
    )
    vadose("release", str(recipe), "--run", "quick", workspace=folder)
    return folder


def test_held_out_smap_is_scored_apart_from_the_training_year(workspace: Path) -> None:
    scores = pd.read_parquet(workspace / "runs" / "quick" / "scores.parquet")
    ours = scores[(scores["product"] == "vadose") & (scores.reference == "smap") & (scores.metric == "r")]
    overall = ours[(ours.stratum_kind == "all") & (ours["aggregate"] == "median") & (ours.signal == "raw")]
    held_out = overall[overall.split == "P1"]
    assert len(held_out) >= 1
    assert held_out.value.min() > 0.6


def test_a_baseline_of_the_same_days_takes_none_of_them(workspace: Path) -> None:
    run = json.loads((workspace / "runs" / "quick" / "run.json").read_text())
    assert run["references"]["smap"]["common_sample"]["takes_more_than_half"] == {}


def test_manhattan_is_matched_with_its_distance(workspace: Path) -> None:
    stations = pd.read_parquet(workspace / "runs" / "quick" / "stations.parquet")
    manhattan = stations[stations.station_name.str.contains("Manhattan")]
    assert manhattan.distance_km.tolist() == pytest.approx([27.5] * len(manhattan), abs=0.2)
    assert len(manhattan) >= 1


def test_a_non_commercial_product_is_never_published(workspace: Path) -> None:
    done = vadose("release", "publish", "conus412-ease2m36/v1.0.0", workspace=workspace, code=4)
    assert "publish" in done.stderr
    assert not (workspace / "releases" / "conus412-ease2m36" / "versions.json").exists()


def test_the_gate_of_the_preview_passed(workspace: Path) -> None:
    gate = json.loads((workspace / "releases" / "conus412-ease2m36" / "v1.0.0" / "gate.json").read_text())
    assert gate["passed"] is True
