"""The fusion of a tiny simulated world: trained, built and scored on its gap days through the program."""

import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from vadose.cli.main import run
from vadose.producer import simulate
from vadose.producer.cube import open_cube
from vadose.producer.experiments import gapfilling
from vadose.producer.experiments.ablations import ablation_rows
from vadose.producer.experiments.gapfilling import Scene, distance_days, edge_steps, score_rows
from vadose.producer.fusion.lattice import Lattice
from vadose.producer.grids import Grid
from vadose.producer.recipefile import load_recipe
from vadose.producer.simulate import Network, Settings

WORLD = Settings(
    name="tiny",
    box=(-43.0, 40.0, -41.0, 42.0),
    start=date(2016, 4, 1),
    end=date(2017, 9, 30),
    seed=5,
    spin_up_days=30,
    network=Network(stations=1, clusters=0, cosmic_ray=0),
)
PRODUCTS = ("smap_sm_am", "land_model_a_sm", "land_model_b_sm", "soil_temperature", "snow_water_equivalent", "static")
FEW = {"width": 6, "blocks": 1, "discriminator_width": 4, "training": {"steps": 4, "batch": 2}}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A workspace with cube and model of a tiny world, the world's folder, and the recipe's file."""
    folder = tmp_path_factory.mktemp("tiny")
    world = folder / "native" / "simulated" / "tiny"
    simulate.write_world(WORLD, world, products=PRODUCTS)
    values = load_recipe("simulated-stsg-sm").model_dump(mode="json")
    grid = WORLD.grid
    window = {"token": grid.token, "rows": [grid.row0, grid.row1], "columns": [grid.col0, grid.col1]}
    values["product"] |= {"grid": window, "days": ["2016-06-01", "2016-06-06"]}
    values["inputs"][0]["options"]["world"] = "tiny"
    values["method"] |= {"ensemble": 1, "settings": {**values["method"]["settings"], **FEW}}
    plain = {"adversarial": False, "cycle": False, **FEW["training"]}
    values["method"]["variants"] = {
        name: variant | {"settings": {**values["method"]["settings"], "training": plain}}
        for name, variant in values["method"]["variants"].items()
        if name == "drcgan-l1-only"
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(values))
    verb("ingest", str(path), "--native", str(world.parent), "--workspace", str(folder))
    verb("train", str(path), "--workspace", str(folder))
    return folder, world, str(path)


def verb(*words: str) -> None:
    assert run([*words, "--quiet"]) == 0


def test_the_cube_holds_the_radiometer_and_both_land_models(workspace: tuple[Path, Path, str]) -> None:
    cube = open_cube(workspace[0] / "cubes" / "simulated-fusion.zarr")
    assert {"smap_sm_am", "land_model_a_sm", "land_model_b_sm"} <= set(cube.names)
    assert np.isfinite(cube.read("land_model_a_sm")).all()


def test_the_product_has_no_gap_and_says_where_it_was_filled(workspace: tuple[Path, Path, str]) -> None:
    folder, _, recipe = workspace
    verb("build", recipe, "--workspace", str(folder))
    cube = open_cube(folder / "cubes" / "simulated-fusion.zarr")
    paths = sorted((folder / "releases").rglob("*2016060*.nc"))
    assert len(paths) == 6
    for path in paths:
        with xr.open_dataset(path, mask_and_scale=True) as granule:
            day = granule.isel(time=0)
            seen = cube.read(
                "smap_sm_am", *[slice(k, k + 1) for k in [cube.day_index(day.time.values.astype("M8[D]"))]]
            )
            values, flag = (day[name].values.ravel()[cube.index] for name in ("sm", "flag"))
        cold = (flag.astype(int) & (1 | 2)) > 0
        assert np.isfinite(values[~cold]).all()
        np.testing.assert_array_equal((flag.astype(int) & 512 > 0), np.isnan(seen[0]))
        both = np.isfinite(seen[0]) & np.isfinite(values)
        np.testing.assert_allclose(values[both], seen[0][both], atol=2e-3)


def test_the_model_has_curves_of_its_losses_and_of_its_uncertainty(workspace: tuple[Path, Path, str]) -> None:
    model = workspace[0] / "models" / "simulated-stsg-sm"
    curves = pd.read_parquet(model / "diagnostics" / "curves.parquet")
    assert {"training", "parts of the loss", "uncertainty by distance"} == set(curves["figure"])
    assert {"target", "backward", "cycle", "adversarial", "texture", "discriminator"} <= set(curves["panel"])
    assert (curves["y"] > 0).all()


def test_gap_days_are_scored_and_what_was_run_is_kept(workspace: tuple[Path, Path, str], tmp_path: Path) -> None:
    folder, world, recipe = workspace
    for _ in range(2):
        gapfilling.main(folder, world, tmp_path, "command", splits=("P6-swath",), recipe_name=recipe)
        kept = {path: path.stat().st_mtime_ns for path in (folder / "runs" / "gapfilling").glob("*.safetensors")}
    assert {path.stat().st_mtime_ns for path in kept} == set(kept.values())
    scores = pd.read_parquet(tmp_path / "gapfilling_scores.parquet")
    assert {"drcgan", "drcgan-l1-only", "land-model", "linear-in-time", "dct-pls"} <= set(scores["method"])
    kept_days = scores[(scores["stratum"] == "observed") & (scores["metric"] == "rmse")].set_index("method")["value"]
    assert kept_days["drcgan"] == kept_days["linear-in-time"]
    assert kept_days["drcgan-observations-not-kept"] != kept_days["drcgan"]
    edges = pd.read_parquet(tmp_path / "gapfilling_edges.parquet").set_index("method")
    assert abs(edges.loc["drcgan", "truth_excess"]) < edges.loc["drcgan", "step_at_borders"]
    curves = pd.read_parquet(tmp_path / "gapfilling_curves.parquet")
    one = scores[(scores["metric"] == "ubrmsd") & (scores["reference"] == "truth") & (scores["method"] == "drcgan")]
    expected = one[one["stratum"].isin(["1", "2", "3"])].set_index("stratum")["value"].dropna()
    mine = curves[curves["series"] == "drcgan"].set_index("x")["y"]
    assert all(mine[float(stratum)] == value for stratum, value in expected.items())
    summary = pd.read_parquet(tmp_path / "gapfilling_summary.parquet")
    assert summary["ubrmsd_truth"].is_monotonic_increasing
    ablations = pd.read_parquet(tmp_path / "gapfilling_ablations.parquet").set_index("method")
    medians = summary.set_index("method")["ubrmsd_truth"]
    assert ablations["ubrmsd"].drop("land-model").to_dict() == pytest.approx(
        medians.drop("land-model").to_dict(), rel=0.02
    )
    assert ablations.loc["drcgan-observations-not-kept", "less_drcgan"] == 0.0
    told = json.loads((tmp_path / "gapfilling.json").read_text())
    assert told["partial"] == []
    assert "P6-swath against the truth: " in told["finding"]


def test_nothing_is_begun_after_the_hours_and_the_rest_is_named(
    workspace: tuple[Path, Path, str], tmp_path: Path
) -> None:
    folder, world, recipe = workspace
    gapfilling.main(folder, world, tmp_path, "command", hours=-1.0, splits=("P6-15d",), recipe_name=recipe)
    told = json.loads((tmp_path / "gapfilling.json").read_text())
    assert "drcgan under P6-15d" in told["partial"]
    assert set(pd.read_parquet(tmp_path / "gapfilling_scores.parquet")["method"]) == {"land-model"}


def test_distance_is_that_of_a_loop() -> None:
    seen = np.random.default_rng(1).random((40, 3)) < 0.3
    seen[:, 2] = False
    distance = distance_days(seen)
    for cell in range(2):
        days = np.flatnonzero(seen[:, cell])
        assert distance[:, cell].tolist() == [np.abs(days - day).min() for day in range(40)]
    assert (distance[:, 2] > 10_000).all()


def scene(days: int = 30) -> tuple[Lattice, Scene]:
    """A flat truth on 6 x 6 cells; the three western columns are seen on even days, the others on the second day."""
    index = np.arange(36)
    lattice = Lattice.of_cube(SimpleNamespace(grid=Grid("0P25DEG", 0, 6, 0, 6), index=index))  # type: ignore[arg-type]
    truth = np.broadcast_to(np.linspace(0.1, 0.4, days)[:, None], (days, 36)).astype("f4")
    day, west = np.arange(days)[:, None], (lattice.column < 3)[None]
    visible = np.where((west & (day % 2 == 0)) | (~west & (day == 1)), truth, np.nan)
    hidden = np.zeros((days, 36), bool)
    hidden[:, 20:] = True
    return lattice, Scene("P6-swath", visible.astype("f4"), hidden, truth, truth, distance_days(np.isfinite(visible)))


def test_a_step_at_the_swath_border_is_the_excess_of_a_flat_field() -> None:
    lattice, made = scene()
    stepped = made.truth + np.where(lattice.column < 3, np.float32(0.05), np.float32(0.0))
    found = edge_steps(lattice, made, stepped)
    assert found["step_at_borders"] == pytest.approx(0.05, abs=1e-6)
    assert found["excess"] == pytest.approx(0.05, abs=1e-6)
    assert found["truth_excess"] == pytest.approx(0.0, abs=1e-7)


def test_stripes_along_the_rows_are_steps_from_row_to_row() -> None:
    lattice, made = scene()
    rough = made.truth + np.float32(0.01) * lattice.column + np.float32(0.04) * (lattice.row % 2)
    found = edge_steps(lattice, made, rough.astype("f4"))
    assert found["stripes"] == pytest.approx(4.0, rel=1e-4)


def test_cells_that_are_never_seen_move_no_step() -> None:
    lattice, made = scene()
    made.visible[:, lattice.row == 5] = np.nan
    wild = np.where(lattice.row == 5, np.float32(80.0), np.float32(0.01) * lattice.column)
    found = edge_steps(lattice, made, (made.truth + wild).astype("f4"))
    assert found["step_in_gaps"] < 0.01


def test_an_ablation_is_told_from_the_full_network_by_its_own_errors() -> None:
    lattice, made = scene(60)
    rng = np.random.default_rng(6)
    noise = rng.normal(0, 0.02, made.truth.shape).astype("f4")
    fields = {"drcgan": made.truth + noise, "worse": made.truth + 2 * noise, "land-model-matched": made.truth}
    cube = SimpleNamespace(lat=40 + lattice.row * 2.1, lon=10 + lattice.column * 2.1)
    steps = {name: edge_steps(lattice, made, values) for name, values in fields.items()}
    seen = np.isfinite(made.visible)
    found = {row["method"]: row for row in ablation_rows(cube, made.truth, made.hidden, seen, fields, steps,  # type: ignore[arg-type]
                                                         gapfilling.COMPARED)}  # fmt: skip
    assert found["worse"]["less_drcgan"] == pytest.approx(found["drcgan"]["ubrmsd"], rel=0.1)
    assert found["worse"]["against_drcgan"] == "worse"
    assert found["drcgan"]["against_land-model-matched"] == "worse"
    assert found["worse"]["step_in_gaps"] > found["drcgan"]["step_in_gaps"]


def test_scores_of_a_shifted_field_are_its_shift() -> None:
    _, made = scene()
    rows = pd.DataFrame(score_rows(made, made.truth + np.float32(0.02)))
    hidden = rows[(rows["stratum"] == "hidden") & (rows["reference"] == "truth")].set_index("metric")["value"]
    assert hidden["bias"] == pytest.approx(0.02, abs=1e-6)
    assert hidden["ubrmsd"] == pytest.approx(0.0, abs=1e-4)
    assert hidden["r"] == pytest.approx(1.0, abs=1e-5)
