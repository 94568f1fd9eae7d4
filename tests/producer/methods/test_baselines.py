"""Baselines are what their one-line definitions say."""

import numpy as np
import pytest

from vadose.producer.cube import Cube
from vadose.producer.methods import Block, Inputs, method, method_settings
from vadose.producer.methods.baselines import day_of_year
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import make_folds

TARGET = "smap_sm_am"
EVERYTHING = slice(0, 60)


def fitted(name: str, cube: Cube, split: str, number: int = 0, **settings):
    chosen = method(name)
    inputs = Inputs({"main": cube}, TARGET, Predictors(daily=("precipitation",)))
    fold = make_folds(split, cube, TARGET, purge_days=30)[number]
    return chosen.fit(inputs, fold, method_settings(chosen, settings), seed=0), fold


def test_cell_mean_is_the_mean_of_training(rainy_cube: Cube) -> None:
    model, fold = fitted("cell-mean", rainy_cube, "P1")
    expected = np.nanmean(np.where(fold.mask("train"), rainy_cube.read(TARGET), np.nan), axis=0)
    found = model.predict(Block(rainy_cube, slice(300, 302), EVERYTHING)).mean
    np.testing.assert_allclose(found, np.stack([expected, expected]), rtol=1e-5)


def test_unseen_cells_get_the_mean_of_their_land_cover(rainy_cube: Cube) -> None:
    model, fold = fitted("cell-mean", rainy_cube, "P3", 1)
    mean = np.nanmean(np.where(fold.mask("train"), rainy_cube.read(TARGET), np.nan)[:, fold.cells["train"]], axis=0)
    cover = rainy_cube.read_static("land_cover")
    found = model.predict(Block(rainy_cube, slice(0, 1), EVERYTHING)).mean[0]
    for code in (1, 2):
        expected = mean[cover[fold.cells["train"]] == code].mean()
        np.testing.assert_allclose(found[fold.cells["test"] & (cover == code)], expected, rtol=1e-4)


def test_climatology_is_the_mean_of_the_days_around_the_day_of_the_year(rainy_cube: Cube) -> None:
    model, fold = fitted("climatology", rainy_cube, "P1")
    target = np.where(fold.mask("train"), rainy_cube.read(TARGET), np.nan)
    days = day_of_year(rainy_cube.days)
    later = np.flatnonzero(rainy_cube.days == np.datetime64("2016-04-20"))[0]
    near = np.abs((days - days[later] + 183) % 366 - 183) <= 15
    found = model.predict(Block(rainy_cube, slice(later, later + 1), EVERYTHING)).mean[0]
    with np.errstate(invalid="ignore"):
        expected = np.nansum(target[near], axis=0) / np.isfinite(target[near]).sum(axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("latency", [1, 3])
def test_persistence_is_the_last_observation_that_is_old_enough(rainy_cube: Cube, latency: int) -> None:
    model, _ = fitted("persistence", rainy_cube, "P1-nowcast-1", latency_days=latency)
    target = rainy_cube.read(TARGET)
    prediction = model.predict(Block(rainy_cube, slice(250, 270), EVERYTHING))
    for day in (250, 259, 269):
        for cell in (0, 31, 59):
            past = np.flatnonzero(np.isfinite(target[: day - latency + 1, cell]))[-1]
            assert prediction.mean[day - 250, cell] == target[past, cell]
            assert prediction.diagnostics["age_days"][day - 250, cell] == day - past


def test_day_of_year_has_one_number_for_a_date_in_every_year() -> None:
    dates = np.array(["2015-03-01", "2016-03-01", "2016-02-29", "2015-01-01", "2016-12-31"], "datetime64[D]")
    assert day_of_year(dates).tolist() == [60, 60, 59, 0, 365]
