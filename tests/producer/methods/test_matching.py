"""A matched product has the distribution of the target, cell by cell or of all cells together."""

from collections.abc import Iterator

import numpy as np
import pytest

from vadose.common import InputError, UsageError
from vadose.producer.cube import Cube
from vadose.producer.methods import Block, Inputs, Prediction, method, method_settings
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import Fold, make_folds
from vadose.statistics.distribution import fit_maps

TARGET = "smap_sm_am"


def inputs(cube: Cube) -> Inputs:
    return Inputs({"main": cube}, TARGET, Predictors(daily=("cci_sm",)))


def matched(cube: Cube, fold: Fold, **settings: str) -> Prediction:
    chosen = method("cdf-matching")
    values = method_settings(chosen, {"product": "cci_sm", **settings})
    return chosen.fit(inputs(cube), fold, values, seed=0).predict(Block(cube, slice(0, 420), slice(0, 60)))


@pytest.fixture
def folds(rainy_cube: Cube) -> Iterator[Fold]:
    return iter(make_folds("P2", rainy_cube, TARGET))


def test_cells_without_training_take_the_map_of_all_cells_together(rainy_cube: Cube, folds: Iterator[Fold]) -> None:
    fold = next(folds)
    product, target = rainy_cube.read("cci_sm"), rainy_cube.read(TARGET)
    common = fold.mask("train") & np.isfinite(product) & np.isfinite(target)
    cell = int(np.flatnonzero(fold.cells["test"])[0])
    expected = fit_maps(product[common][None], target[common][None])(product[:, cell][None])[0]
    np.testing.assert_allclose(matched(rainy_cube, fold).mean[:, cell], expected[:420], rtol=1e-6)


def test_trained_cells_have_maps_of_their_own(rainy_cube: Cube) -> None:
    fold = make_folds("P1", rainy_cube, TARGET)[0]
    product, target = (rainy_cube.read(name)[fold.dates["train"], 7] for name in ("cci_sm", TARGET))
    expected = fit_maps(product[None], target[None])(rainy_cube.read("cci_sm")[:420, 7][None])[0]
    np.testing.assert_allclose(matched(rainy_cube, fold).mean[:, 7], expected, rtol=1e-6)
    together = matched(rainy_cube, fold, maps="all").mean[:, 7]
    assert np.abs(together - expected).max() > 0.005


def test_a_product_cannot_be_matched_to_itself_or_to_nothing(rainy_cube: Cube) -> None:
    fold = make_folds("P1", rainy_cube, TARGET)[0]
    with pytest.raises(UsageError, match="matched to itself"):
        matched(rainy_cube, fold, product=TARGET)
    empty = rainy_cube.hiding("cci_sm", np.ones((rainy_cube.days.size, rainy_cube.index.size), bool))
    with pytest.raises(InputError, match="0 common values in training"):
        matched(empty, fold)
