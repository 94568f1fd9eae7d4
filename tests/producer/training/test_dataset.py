"""Predictors are encoded with what the training fold knows, and with nothing else."""

import numpy as np
import pytest

from vadose.common import InputError
from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.recipe import Predictors
from vadose.producer.training.dataset import Encoder, fit_encoder, training_set
from vadose.producer.training.splits import make_folds

TARGET = "smap_sm_am"
PREDICTORS = Predictors(daily=("precipitation", "air_temperature"), static=("clay", "land_cover"))
EVERYTHING = slice(None)


def test_training_channels_have_mean_zero_and_spread_one(rainy_cube: Cube) -> None:
    data = training_set(rainy_cube, PREDICTORS, TARGET, make_folds("P1", rainy_cube, TARGET)[0])
    rain = data.daily[..., 0].astype(np.float64)
    assert abs(rain.mean()) < 1e-5
    assert abs(rain.std() - 1) < 1e-5
    expected = np.log1p(rainy_cube.read("precipitation"))[: len(rain)]
    assert np.corrcoef(rain.ravel(), expected.ravel())[0, 1] > 1 - 1e-9
    fitted = data.target[data.fit].astype(np.float64)
    assert abs(fitted.mean()) < 1e-5
    assert abs(fitted.std() - 1) < 1e-5


def test_missing_values_become_zero_with_a_channel_that_says_so(rainy_cube: Cube) -> None:
    encoder = fit_encoder(rainy_cube, PREDICTORS, make_folds("P1", rainy_cube, TARGET)[0])
    assert encoder.gappy == ("air_temperature",)
    channels = encoder.daily(rainy_cube, slice(0, 50), EVERYTHING)
    missing = np.isnan(rainy_cube.read("air_temperature", slice(0, 50)))
    assert (channels[..., 1][missing] == 0).all()
    assert ((channels[..., 2] == 0) == missing).all()


def test_classes_get_one_channel_each(rainy_cube: Cube) -> None:
    encoder = fit_encoder(rainy_cube, PREDICTORS, make_folds("P1", rainy_cube, TARGET)[0])
    channels = encoder.static(rainy_cube, EVERYTHING)
    assert channels.shape == (60, encoder.static_channels) == (60, 3)
    assert (channels[:, 1:].sum(axis=1) == 1).all()
    assert (channels[:, 1] == (rainy_cube.read_static("land_cover") == 1)).all()


def test_encoder_comes_back_from_json_as_it_was(rainy_cube: Cube) -> None:
    encoder = fit_encoder(rainy_cube, PREDICTORS, make_folds("P1", rainy_cube, TARGET)[0])
    again = Encoder.from_json(encoder.to_json(), PREDICTORS)
    part = (slice(5, 9), slice(3, 8))
    np.testing.assert_array_equal(again.daily(rainy_cube, *part), encoder.daily(rainy_cube, *part))
    np.testing.assert_array_equal(again.static(rainy_cube, part[1]), encoder.static(rainy_cube, part[1]))


def test_a_predictor_without_values_is_named(rainy_cube: Cube, tmp_path) -> None:
    with new_cube(tmp_path / "c.zarr", rainy_cube.grid, rainy_cube.index, rainy_cube.days, title="x") as writer:
        writer.add("precipitation", np.full((rainy_cube.days.size, 60), np.nan, np.float32))
        writer.add(TARGET, rainy_cube.read(TARGET))
    cube = open_cube(tmp_path / "c.zarr")
    with pytest.raises(InputError, match="'precipitation' has no value"):
        fit_encoder(cube, Predictors(daily=("precipitation",)), make_folds("P1", cube, TARGET)[0])


def test_values_far_from_training_are_seen(rainy_cube: Cube) -> None:
    encoder = fit_encoder(rainy_cube, PREDICTORS, make_folds("P1", rainy_cube, TARGET)[0])
    channels = encoder.daily(rainy_cube, slice(0, 3), slice(0, 2))
    assert not encoder.beyond(channels).any()
    channels[1, 0, 0] = 50.0
    assert np.argwhere(encoder.beyond(channels)).tolist() == [[1, 0]]


def test_a_class_without_any_training_value_is_unseen(rainy_cube: Cube) -> None:
    fold = make_folds("P1", rainy_cube, TARGET)[0]
    wet = rainy_cube.read_static("land_cover") == 2
    hidden = rainy_cube.hiding(TARGET, np.broadcast_to(wet, (rainy_cube.days.size, wet.size)))
    encoder = fit_encoder(hidden, PREDICTORS, fold, TARGET)
    assert encoder.classes == {"land_cover": (1,)}
    np.testing.assert_array_equal(encoder.unseen(rainy_cube, slice(10, 40)), wet[10:40])
    assert not fit_encoder(rainy_cube, PREDICTORS, fold, TARGET).unseen(rainy_cube, EVERYTHING).any()
    assert training_set(hidden, PREDICTORS, TARGET, fold).static.shape[-1] == 2
