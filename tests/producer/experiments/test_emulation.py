"""The emulation experiment on a tiny land: what is scored against what, and that nothing is run twice."""

import json
from datetime import date
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from vadose.producer.cube import open_cube
from vadose.producer.experiments import emulation_fits as fits
from vadose.producer.experiments.emulation import main, partial_correlations, pooled
from vadose.producer.simulate.settings import Settings

LAND = Settings(
    name="tiny", token=fits.FINE, box=(-41.0, 40.0, -40.0, 41.0), start=date(2016, 1, 1), end=date(2017, 6, 30),
    seed=7, spin_up_days=60,
)  # fmt: skip
NETWORK = {"sequence_days": 4, "hidden": 4, "layers": 1, "pooling": "relu", "training": {"steps": 6, "batch": 64}}
TREES = {"maximum_trees": 20, "maximum_rows": 5000}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folder of the fits and folder of the tables."""
    folder = tmp_path_factory.mktemp("emulation")
    main(folder / "fits", folder / "out", "a command", settings=LAND, network=NETWORK, trees=TREES, lengths=(1, 4),
         rainy=(4,))  # fmt: skip
    return folder / "fits", folder / "out"


def test_every_contender_is_scored_against_target_and_truth(out: tuple[Path, Path]) -> None:
    scores = pd.read_parquet(out[1] / "emulation_scores.parquet")
    keys = scores[scores["stratum"] == "all"].groupby(["target", "split", "reference"])["contender"].nunique()
    assert keys.loc[fits.RETRIEVAL, "P1"].tolist() == keys.loc[fits.PRODUCT, "P1"].tolist() == [7, 7]
    assert keys.loc[fits.RETRIEVAL, "P5"].tolist() == [4, 4]
    values = scores[scores["stratum"] == "all"].groupby(["target", "split"])["values"].nunique()
    assert (values == 1).all()


def test_trees_come_nearer_to_a_product_of_trees_than_to_the_radiometer(out: tuple[Path, Path]) -> None:
    scores = pd.read_parquet(out[1] / "emulation_scores.parquet").query("stratum == 'all' and split == 'P1'")
    r2 = scores.set_index(["target", "reference", "contender"])["r2_explained"]
    assert r2[fits.PRODUCT, "target", fits.TREES_ALL] > r2[fits.RETRIEVAL, "target", fits.TREES_ALL]
    assert r2[fits.PRODUCT, "target", fits.TREES_ALL] > r2[fits.PRODUCT, "truth", fits.TREES_ALL]
    told = json.loads((out[1] / "emulation.json").read_text())
    assert told["partial"] == []
    assert f"{fits.TREES_ALL} {r2[fits.PRODUCT, 'truth', fits.TREES_ALL]:.3f}" in told["finding"]


def test_curves_hold_lengths_attention_and_bands(out: tuple[Path, Path]) -> None:
    curves = pd.read_parquet(out[1] / "emulation_curves.parquet")
    lengths = curves[curves["figure"] == "sequence length"].groupby("series")["x"].unique()
    assert sorted(lengths["no rain"]) == [1, 4]
    assert sorted(lengths["with rain"]) == [4]
    attention = curves[(curves["figure"] == "attention") & (curves["panel"] == "all days")]
    assert attention["y"].sum() == pytest.approx(1.0, abs=1e-5)
    assert set(curves["figure"]) == {"sequence length", "attention", "predicted by reference", "series"}


def test_a_second_call_fits_nothing_and_writes_the_same(out: tuple[Path, Path], tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in out[0].iterdir()}
    main(out[0], tmp_path, "a command", hours=-1.0, settings=LAND, network=NETWORK, trees=TREES, lengths=(1, 4, 8),
         rainy=(4,))  # fmt: skip
    assert {path: path.stat().st_mtime_ns for path in out[0].iterdir()} == before
    first, second = (pd.read_parquet(folder / "emulation_scores.parquet") for folder in (out[1], tmp_path))
    pd.testing.assert_frame_equal(first, second)
    assert json.loads((tmp_path / "emulation.json").read_text())["partial"] == ["no rain, 8 d, radiometer, P1"]


def test_partial_correlation_is_that_of_residuals_of_two_regressions() -> None:
    rng = np.random.default_rng(5)
    given = rng.normal(size=(80, 3))
    one, other = given + rng.normal(size=given.shape), 0.5 * given + rng.normal(size=given.shape)
    other[:, 1] += one[:, 1]
    where = rng.random(given.shape) < 0.9
    where[15:, 2] = False
    found = partial_correlations(one, other, given, where)
    for cell in range(2):
        rows = where[:, cell]
        left = [values[rows, cell] - np.polyval(np.polyfit(given[rows, cell], values[rows, cell], 1), given[rows, cell])
                for values in (one, other)]  # fmt: skip
        assert found[cell] == pytest.approx(np.corrcoef(left)[0, 1], abs=1e-9)
    assert np.isnan(found[2])
    assert np.isnan(partial_correlations(2 * given + 1, other, given, where)[:2]).all()


def test_pooled_scores_are_those_of_all_values_together() -> None:
    reference = np.array([0.1, 0.2, 0.3, 0.4])
    found = pooled(reference + np.array([0.01, -0.01, 0.01, 0.03]), reference)
    assert found["rmse"] == pytest.approx(np.sqrt(0.0012 / 4))
    assert found["bias"] == pytest.approx(0.01)
    assert found["r2_explained"] == pytest.approx(1 - 0.0003 / 0.0125)


def test_maps_hold_the_truth_of_a_month_and_the_bias_of_the_later_year(out: tuple[Path, Path]) -> None:
    with netCDF4.Dataset(out[1] / "emulation_maps.nc") as file:
        labels = [tuple(file[name][k] for name in ("figure", "row", "column")) for k in range(len(file["figure"]))]
        value = {label: np.ma.filled(file["value"][k], np.nan) for k, label in enumerate(labels)}
    cube = open_cube(out[0] / "tiny.zarr")
    truth = load_file(out[0] / "tiny-truth.safetensors")["truth"]
    # The last day without an observation belongs to no test.
    june = (cube.days >= np.datetime64("2017-06-01")) & (cube.days <= np.datetime64("2017-06-29"))
    assert np.isclose(np.nanmean(value["field_map", "June 2017", "truth"]), truth[june].mean(), atol=1e-5)
    later = (cube.days >= np.datetime64("2016-10-01")) & (cube.days <= np.datetime64("2017-06-29"))
    apart = cube.read(fits.LAND_MODEL)[later] - truth[later]
    assert np.isclose(np.nanmean(value["bias_map", "", "land model as it is"]), apart.mean(), atol=1e-5)
