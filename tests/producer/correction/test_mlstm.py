"""The correction learns from some stations and is judged at others."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vadose.common import InputError, UsageError
from vadose.producer.correction import sequences
from vadose.producer.correction.channels import fit_channels, moisture
from vadose.producer.correction.corrector import corrected
from vadose.producer.cube import Cube
from vadose.producer.methods import Block, Inputs, method, method_settings
from vadose.producer.methods.mlstm import COMBINATIONS, PAPER, MlstmModel, MlstmSettings, lessons
from vadose.producer.training.splits import Fold, make_folds

SMALL = {"epochs": 25, "sequence": 30, "hidden": 16, "learning_rate": 0.01, "batch": 32}
BLOCK = (slice(200, 260), slice(0, 36))


def fitted(land: Inputs, fold: Fold, **changes: Any) -> MlstmModel:
    values = {"product": "cci_sm", "pooled": True, "shared": SMALL, **changes}
    model = method("mlstm").fit(land.hiding(fold.unseen()), fold, method_settings(method("mlstm"), values), seed=0)
    assert isinstance(model, MlstmModel)
    return model


@pytest.fixture(scope="module")
def fold(land: Inputs) -> Fold:
    return make_folds("P2", land.cube, land.target)[0]


@pytest.fixture(scope="module")
def model(land: Inputs, fold: Fold) -> MlstmModel:
    return fitted(land, fold)


@pytest.mark.parametrize("reading", ["residual", "direct"])
def test_correction_beats_the_product_at_stations_it_never_saw(
    land: Inputs, fold: Fold, model: MlstmModel, reading: str
) -> None:
    own = model if reading == "residual" else fitted(land, fold, reading=reading)
    stations = np.where(fold.mask("test"), land.cube.read(land.target), np.nan)[100:]
    values = own.predict(Block(land.cube, slice(100, land.cube.days.size), slice(0, 36))).mean
    there = np.isfinite(values) & np.isfinite(stations)
    before = (land.cube.read("cci_sm")[100:] - stations)[there]
    after = (values - stations)[there]
    # Noise of product and stations leaves 0.43 of the error.
    assert np.sqrt((after**2).mean()) < 0.6 * np.sqrt((before**2).mean())


def test_nothing_is_invented_on_days_without_the_product_or_outside_the_boxes(land: Inputs, model: MlstmModel) -> None:
    prediction = model.predict(Block(land.cube, *BLOCK))
    gaps = np.isnan(land.cube.read("cci_sm", *BLOCK))
    boxes = model.correctors[0].boxes
    inside = np.zeros(36, bool)
    for west, south, east, north in boxes:
        lon, lat = land.cube.lon, land.cube.lat
        inside |= (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    assert 0 < inside.sum() < 36
    np.testing.assert_array_equal(np.isnan(prediction.mean), gaps | ~inside)
    np.testing.assert_array_equal((prediction.flags & 2048) > 0, np.broadcast_to(~inside, gaps.shape))


def test_residual_of_zero_leaves_the_product_as_it_is() -> None:
    product = np.array([[0.1, np.nan, 0.3]], np.float32)
    np.testing.assert_array_equal(corrected(product, np.zeros_like(product), "residual"), product)
    direct = corrected(product, np.full_like(product, 0.2), "direct")
    np.testing.assert_array_equal(direct, np.array([[0.2, np.nan, 0.2]], np.float32))


def test_each_network_has_its_own_networks_unless_pooled(land: Inputs, fold: Fold) -> None:
    shapes = {pooled: [(one.name, one.raw.shape[1]) for one in lessons(land, fold, settings(pooled=pooled))]
              for pooled in (True, False)}  # fmt: skip
    assert shapes[True] == [("all", 12)]
    assert [name for name, _ in shapes[False]] == ["NORTH", "SOUTH"]
    assert sum(count for _, count in shapes[False]) == 12


def settings(**changes: Any) -> MlstmSettings:
    return MlstmSettings.model_validate({"product": "cci_sm", "shared": SMALL, **changes})


def test_best_combination_is_the_one_with_the_smallest_inner_error(land: Inputs, fold: Fold) -> None:
    quick = fitted(land, fold, combination="best", shared={**SMALL, "epochs": 1})
    tried = quick.facts["inner_split_rmse"]["all"]
    assert set(tried) == set(COMBINATIONS)
    assert quick.correctors[0].combination == min(tried, key=lambda name: tried[name])


def test_percent_of_saturation_is_converted_by_porosity(bare: Cube) -> None:
    part = (slice(0, 50), slice(0, 5))
    expected = bare.read("ascat_ssm", *part) * 0.5 / 100
    np.testing.assert_allclose(moisture(bare, "ascat_ssm", *part), expected, rtol=1e-6)


def test_constant_driver_is_refused_by_name() -> None:
    values = np.stack([np.ones((20, 2)), np.arange(40.0).reshape(20, 2)], axis=-1).astype(np.float32)
    with pytest.raises(InputError, match=r"'fvc' is constant on the training days of the stations, 1"):
        fit_channels(("fvc", "precipitation"), values, np.ones((20, 2), bool), where="s.nc")
    values[..., 0] = np.nan
    with pytest.raises(InputError, match="'fvc' has no value"):
        fit_channels(("fvc", "precipitation"), values, np.ones((20, 2), bool), where="s.nc")


def test_channels_lie_between_zero_and_one_and_say_what_is_missing() -> None:
    values = np.array([[[2.0, 5.0]], [[4.0, np.nan]], [[3.0, 7.0]]], np.float32)
    found = fit_channels(("fvc", "precipitation"), values, np.ones((3, 1), bool), where="s.nc")
    expected = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.5, 1.0, 1.0]]
    np.testing.assert_allclose(found.of(values)[:, 0], expected)
    assert found.titles == ("fvc", "precipitation", "precipitation present")


def test_too_few_station_days_are_an_error_that_counts_them(land: Inputs, fold: Fold) -> None:
    with pytest.raises(InputError, match=r"the network NORTH has \d+ station days with cci_sm.*100000 are needed"):
        lessons(land, fold, settings(least_days=100_000))
    with pytest.raises(InputError, match="has 0 station days"):
        lessons(land, fold, settings(pooled=True, least_stations=2))


def test_impossible_settings_are_refused(land: Inputs, fold: Fold) -> None:
    with pytest.raises(UsageError, match="combination 'FXE'"):
        method_settings(method("mlstm"), {"combination": "FXE"})
    with pytest.raises(UsageError, match="none for all together"):
        method_settings(method("mlstm"), {"preset": "paper", "pooled": True})
    with pytest.raises(UsageError, match=r"no settings for the network 'NORTH'; it has CTP-SMTMN"):
        fitted(land, fold, preset="paper", pooled=False)
    with pytest.raises(UsageError, match="the networks are NORTH, SOUTH"):
        lessons(land, fold, settings(boxes={"EAST": (0, 0, 1, 1)}))


def test_settings_of_the_paper_are_those_it_prints() -> None:
    printed = {
        "CTP-SMTMN": (0.001, 1, 100, 180, 0.2, "sigmoid"), "HOBE": (0.001, 4, 100, 90, 0.0, "relu"),
        "OzNet": (0.01, 2, 110, 180, 0.2, "sigmoid"), "SNOTEL": (0.001, 3, 130, 50, 0.2, "sigmoid"),
    }  # fmt: skip
    names = ("learning_rate", "batch", "epochs", "sequence", "dropout", "activation")
    assert {key: tuple(getattr(one, name) for name in names) for key, one in PAPER.items()} == printed
    assert {one.hidden for one in PAPER.values()} == {100}


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "linear"])
def test_network_equals_the_textbook_formula(activation: str) -> None:
    torch.manual_seed(1)
    network = sequences.SequenceNetwork(3, 5, activation)
    inputs = torch.randn(7, 1, 3)
    weights = {name: value.detach().double().numpy() for name, value in network.named_parameters()}
    h, c = np.zeros(5), np.zeros(5)
    for x in inputs[:, 0].double().numpy():
        gates = (weights["lstm.weight_ih_l0"] @ x + weights["lstm.weight_hh_l0"] @ h
                 + weights["lstm.bias_ih_l0"] + weights["lstm.bias_hh_l0"])  # fmt: skip
        i, f, g, o = np.split(gates, 4)
        sigmoid = [1 / (1 + np.exp(-gate)) for gate in (i, f, o)]
        c = sigmoid[1] * c + sigmoid[0] * np.tanh(g)
        h = sigmoid[2] * np.tanh(c)
    raw = float(weights["head.weight"][0] @ h + weights["head.bias"][0])
    expected = {"sigmoid": 1 / (1 + np.exp(-raw)), "relu": max(raw, 0.0), "linear": raw}[activation]
    assert sequences.run_network(network, inputs.numpy())[-1, 0] == pytest.approx(expected, abs=1e-6)


def test_killed_fit_goes_on_and_ends_with_the_same_weights(
    land: Inputs, fold: Fold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = method_settings(method("mlstm"), {"product": "cci_sm", "pooled": True, "shared": {**SMALL, "epochs": 4}})
    whole = method("mlstm").fit(land, fold, few, seed=0)
    kept = sequences.run_network
    calls = []

    def dying(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return kept(*given)

    monkeypatch.setattr(sequences, "run_network", dying)
    checkpoint = tmp_path / "c.safetensors"
    with pytest.raises(KeyboardInterrupt):
        method("mlstm").fit(land, fold, few, seed=0, checkpoint=checkpoint)
    assert list(tmp_path.glob("c-*.safetensors"))
    monkeypatch.undo()
    again = method("mlstm").fit(land, fold, few, seed=0, checkpoint=checkpoint)
    for mine, other in zip(whole.correctors, again.correctors, strict=True):  # type: ignore[attr-defined]
        assert all(torch.equal(value, other.weights()[name]) for name, value in mine.weights().items())
    assert list(tmp_path.iterdir()) == []


def test_inner_split_without_the_product_still_gives_an_uncertainty(land: Inputs, fold: Fold) -> None:
    hidden = land.cube.hiding("cci_sm", fold.mask("tune"))
    few = {**SMALL, "epochs": 1}
    model = fitted(replace(land, cubes={"main": hidden}), fold, shared=few)
    assert 0 < model.correctors[0].uncertainty < 1


def test_diagnostics_tell_which_driver_and_lag_stage_one_answers_to(model: MlstmModel) -> None:
    rows = list(model.curves())
    sizes = {panel: y for figure, panel, _, y, _ in rows if figure == "attributions"}
    # Of the drivers only precipitation fills the store of the land.
    assert max(sizes, key=lambda panel: sizes[panel]) == "all, P"
    rain = [y for figure, panel, _, y, _ in rows if (figure, panel) == ("attributions_by_lag", "all, P")]
    assert len(rain) == SMALL["sequence"]
    assert np.mean(rain[:10]) > 2 * np.mean(rain[-10:])
    assert {panel for figure, panel, *_ in rows if figure == "training"} >= {
        "all, stage 1, training loss", "all, stage 2, error on the inner split"
    }  # fmt: skip


def test_record_shorter_than_a_sequence_has_no_attributions(land: Inputs, fold: Fold) -> None:
    assert fitted(land, fold, shared={**SMALL, "epochs": 1, "sequence": 600}).facts["attributions"] == []


def test_test_stations_do_not_change_the_fit(land: Inputs, fold: Fold, model: MlstmModel) -> None:
    target = land.cube.read(land.target).copy()
    target[fold.mask("test")] = 0.9
    other = replace(land, cubes={"main": land.cube.having(land.target, target)})
    again = fitted(other, fold)
    for name, value in model.correctors[0].weights().items():
        assert torch.equal(value, again.correctors[0].weights()[name])
