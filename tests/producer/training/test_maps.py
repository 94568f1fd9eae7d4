"""Maps of diagnostics: every cell's value stands at its place, and a trained merge leaves its maps."""

from pathlib import Path

import netCDF4
import numpy as np

from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.grids import Grid
from vadose.producer.methods import Inputs
from vadose.producer.recipe import Predictors
from vadose.producer.training import fit_recipe
from vadose.producer.training.maps import Sheet, write_maps

GRID = Grid("0P25DEG", 190, 196, 560, 568)
PARENTS = ("smap_sm_am", "land_model_a_sm", "land_model_b_sm")
DAYS = np.arange(np.datetime64("2015-04-01"), np.datetime64("2016-12-31"))


def merged_cube(path: Path, cells: np.ndarray) -> Cube:
    """Three products of one truth with errors .02, .03 and .04; the first is all but missing in the first cell."""
    rng = np.random.default_rng(4)
    truth = 0.25 + 0.06 * rng.standard_normal((DAYS.size, cells.size))
    with new_cube(path, GRID, cells, DAYS, title="maps") as cube:
        for name, error in zip(PARENTS, (0.02, 0.03, 0.04), strict=True):
            values = (truth + error * rng.standard_normal(truth.shape)).astype("f4")
            if name == PARENTS[0]:
                values[30:, 0] = np.nan
            cube.add(name, values)
    return open_cube(path)


def test_each_cell_stands_at_its_latitude_and_longitude(tmp_path: Path) -> None:
    cells = np.array([1, 3, 25, 27, 43])
    cube = merged_cube(tmp_path / "c.zarr", cells)
    write_maps(tmp_path / "maps.nc", cube, [Sheet("weight", "a", "b", "1", np.arange(5.0))])
    with netCDF4.Dataset(tmp_path / "maps.nc") as file:
        found = {(round(float(file["lat"][i]), 4), round(float(file["lon"][j]), 4)): float(file["value"][0, i, j])
                 for i, j in zip(*np.nonzero(~np.ma.getmaskarray(file["value"][0])), strict=True)}  # fmt: skip
        assert [file[name][0] for name in ("figure", "row", "column", "unit")] == ["weight", "a", "b", "1"]
        assert file["value"].shape[1:] == (3, 2)
    expected = {(round(float(cube.lat[k]), 4), round(float(cube.lon[k]), 4)): float(k) for k in range(5)}
    assert found == expected


def test_a_trained_merge_leaves_maps_of_its_weights_errors_and_validity(tmp_path: Path, worlds) -> None:
    cells = np.arange(48)
    cube = merged_cube(tmp_path / "c.zarr", cells)
    method = {"name": "tcmerge", "settings": {"parents": PARENTS, "reference": PARENTS[0]}}
    predictors = {"daily": list(PARENTS), "static": []}
    recipe = worlds.small_recipe(cube="maps", method=method, predictors=predictors, target=PARENTS[0])
    fit_recipe(recipe, Inputs({"main": cube}, PARENTS[0], Predictors(daily=PARENTS)), tmp_path / "model")
    with netCDF4.Dataset(tmp_path / "model" / "diagnostics" / "maps.nc") as file:
        labels = [tuple(file[name][k] for name in ("figure", "column", "unit")) for k in range(len(file["figure"]))]
        value = {label[:2]: np.ma.filled(file["value"][k], np.nan).ravel() for k, label in enumerate(labels)}
    weights = 1 / np.array([0.02, 0.03, 0.04]) ** 2
    for k, name in enumerate(PARENTS):
        assert abs(np.median(value["weight", name]) - weights[k] / weights.sum()) < 0.05
        assert abs(np.median(value["error", name][1:]) - (0.02, 0.03, 0.04)[k]) < 0.003
    assert abs(value["weight", PARENTS[0]][0] - 1 / 3) < 1e-6
    assert np.isnan(value["error", PARENTS[0]][0])
    (unit,) = (label[2] for label in labels if label[0] == "validity")
    assert f"{int(value['validity', ''][0])} few_samples" in unit
