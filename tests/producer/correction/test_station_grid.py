"""Stations become the target of a cube, and whoever was learnt from is named."""

from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest

from vadose.common import InputError, read_json
from vadose.producer.cube import Cube
from vadose.producer.methods.base import Inputs
from vadose.producer.training.models import fit_recipe
from vadose.producer.training.splits import make_folds
from vadose.producer.training.stations import read_stations
from vadose.validation.audit import ledger_of, station_labels


def test_a_cell_holds_the_mean_of_its_stations_on_that_day(bare: Cube, station_files, tmp_path: Path) -> None:
    low, high = np.full(bare.days.size, 0.1), np.full(bare.days.size, 0.3)
    high[5] = np.nan
    path = station_files(tmp_path / "two.nc", bare, {7: low, 8: high}, lon=[bare.lon[7], bare.lon[7]])
    mean, count = read_stations([path], bare, "solar06").on_grid(bare.index.size)
    assert mean[4, 7] == pytest.approx(0.2)
    assert mean[5, 7] == pytest.approx(0.1)
    assert (count[4, 7], count[5, 7], count[4, 8]) == (2, 1, 0)
    assert np.isnan(np.delete(mean, 7, axis=1)).all()


def test_deep_and_faulty_stations_are_left_out(bare: Cube, station_files, tmp_path: Path) -> None:
    series = {cell: np.full(bare.days.size, 0.2) for cell in (1, 2, 3)}
    path = station_files(tmp_path / "s.nc", bare, series, status=["ok", "ok", "no_coordinates"],
                         depth_class=["surface", "deep", "surface"])  # fmt: skip
    assert read_stations([path], bare, "daily_mean").cell.tolist() == [1]


def test_stations_of_other_years_or_places_are_an_error_that_says_both(
    bare: Cube, station_files, tmp_path: Path
) -> None:
    series = {1: np.full(bare.days.size, 0.2)}
    early = station_files(tmp_path / "early.nc", bare, series, days=bare.days - 4000)
    with pytest.raises(InputError, match=r"early.nc.*stations 2005.*cube 2016-01-01\.\.2017-05-31"):
        read_stations([early], bare, "solar06")
    far = station_files(tmp_path / "far.nc", bare, series, lat=[-60.0])
    with pytest.raises(InputError, match="1 are good at the surface, 0 of these in a cell"):
        read_stations([far], bare, "solar06")


def test_a_file_that_is_no_station_dataset_is_refused(bare: Cube, tmp_path: Path) -> None:
    (tmp_path / "text.nc").write_text("no")
    with pytest.raises(InputError, match="cannot be read"):
        read_stations([tmp_path / "text.nc"], bare, "solar06")
    netCDF4.Dataset(tmp_path / "other.nc", "w").close()
    with pytest.raises(InputError, match="no station dataset of layout 2"):
        read_stations([tmp_path / "other.nc"], bare, "solar06")
    with pytest.raises(InputError, match="name one in the recipe"):
        read_stations([], bare, "solar06")


def test_hidden_station_values_cannot_be_read(land: Inputs) -> None:
    fold = make_folds("P2", land.cube, land.target)[0]
    seen = land.hiding(fold.unseen()).cube.read(land.target)
    assert np.isfinite(land.cube.read(land.target)[fold.mask("test")]).any()
    assert not np.isfinite(seen[fold.mask("test")]).any()
    assert np.isfinite(seen[fold.mask("train")]).any()


def test_stations_of_a_model_are_no_independent_test_of_its_product(worlds, land: Inputs, tmp_path: Path) -> None:
    predictors = {"daily": ["cci_sm", "precipitation"], "static": ["porosity"]}
    recipe = worlds.small_recipe(
        target="in_situ_sm", predictors=predictors, stations={"insitu": "x"},
        method={"name": "ridge", "split": "P2"}, cube="land",
    )  # fmt: skip
    fit_recipe(recipe, land, tmp_path / "m")
    card = read_json(tmp_path / "m" / "model.json")
    used = {entry["station_id"] for entry in card["ledger"]["stations"]["fit"]}
    tested = {entry["station_id"] for entry in card["ledger"]["stations"]["test"]}
    assert used
    assert tested
    assert not used & tested
    with netCDF4.Dataset(land.stations["insitu"]) as file:
        table = pd.DataFrame({name: file[name][:] for name in ("station_id", "network", "station_name", "lat", "lon")})
    labels = station_labels(ledger_of(card, tmp_path), table)
    assert set(table["station_id"][labels == "independent"]) == tested
