"""TsSMNet and its kin: folding for prediction, what they may read, and answers where a cell has no history."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vadose.common import InputError, UsageError, read_json, write_json
from vadose.producer.cube import Cube
from vadose.producer.methods import Block, Inputs, Model, method, method_settings
from vadose.producer.methods.autoencoder import Autoencoder, Layer, RowShape, initialised, layers
from vadose.producer.methods.rowmodel import CARD, RowModel
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import Fold, make_folds

TARGET = "smap_sm_am"
PREDICTORS = Predictors(daily=("precipitation", "air_temperature"), static=("clay", "land_cover"))
TINY: dict[str, Any] = {"memory": True, "widths": (16, 8), "training": {"steps": 40, "batch": 128}}
WHOLE = slice(0, 60)


def fitted(cube: Cube, name: str = "tssmnet", *, fold: Fold | None = None, **changes: Any) -> RowModel:
    fold = fold or make_folds("P1", cube, TARGET)[0]
    chosen = method(name)
    settings = {**TINY, **({} if name == "resautonet" else {"channels": (4, 4)}), **changes}
    model = chosen.fit(Inputs({"main": cube}, TARGET, PREDICTORS), fold, method_settings(chosen, settings), seed=1)
    assert isinstance(model, RowModel)
    return model


def trained(shape: RowShape) -> Autoencoder:
    """A network whose normalisations have moments of their own."""
    network = initialised(shape, 3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        network(2 * torch.randn(64, shape.features, generator=generator) + 1)
    return network.eval()


def rmse(model: Model, cube: Cube, days: slice) -> float:
    return float(np.sqrt(np.nanmean((model.predict(Block(cube, days, WHOLE)).mean - cube.read(TARGET, days)) ** 2)))


@pytest.mark.parametrize("channels", [(5, 6), None], ids=["convolutions", "dense"])
@pytest.mark.parametrize(("daily", "static"), [(4, 20), (3, 0), (1, 1), (4, 2), (2, 3), (12, 4)])
def test_prediction_in_parts_equals_the_network_on_whole_rows(
    daily: int, static: int, channels: tuple[int, int] | None
) -> None:
    network = trained(RowShape(daily, static, channels, (12, 8, 5)))
    generator = torch.Generator().manual_seed(1)
    of_day, of_cell = torch.randn(3, 7, daily, generator=generator), torch.randn(7, static, generator=generator)
    with torch.inference_mode():
        folded = network.folded()
        found = folded.rows(of_day, folded.cells(of_cell))
        rows = torch.cat([of_day, of_cell.expand(3, 7, static)], dim=-1).flatten(0, 1)
        expected = network(rows).view(3, 7, 2)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-6)


def test_variance_learns_from_the_error_but_the_mean_does_not_learn_from_the_variance() -> None:
    network = initialised(RowShape(3, 2, (3, 3), (6, 4)), 0)
    network(torch.randn(16, 5, generator=torch.Generator().manual_seed(2)))[:, 1].sum().backward()
    moved = {name for name, value in network.named_parameters() if value.grad is not None and value.grad.any()}
    assert moved == {"spread.weight", "spread.bias"}


def test_it_beats_the_mean_of_each_cell_and_knows_its_error(rainy_cube: Cube) -> None:
    fold = make_folds("P1", rainy_cube, TARGET)[0]
    model = fitted(rainy_cube, fold=fold, training={"steps": 300, "batch": 256})
    mean = method("cell-mean")
    inputs = Inputs({"main": rainy_cube}, TARGET, PREDICTORS)
    base = mean.fit(inputs, fold, method_settings(mean, {}), seed=0)
    later = slice(220, 420)
    assert rmse(model, rainy_cube, later) < 0.75 * rmse(base, rainy_cube, later)
    told = model.predict(Block(rainy_cube, later, WHOLE)).uncertainty
    assert 0.5 < np.nanmean(told) / rmse(model, rainy_cube, later) < 2


def corrupted(cube: Cube, mask: np.ndarray) -> Cube:
    """The same cube in which the marked observations are 0.9."""
    wrong = np.where(mask & np.isfinite(cube.read(TARGET)), np.float32(0.9), cube.read(TARGET))

    class Corrupted(Cube):
        def read(self, name: str, days: slice = slice(None), cells: slice = slice(None)) -> np.ndarray:
            return wrong[days, cells] if name == TARGET else super().read(name, days, cells)

    return Corrupted(cube.path, cube.group)


@pytest.mark.parametrize(("mode", "leaks"), [("train", False), ("global", True)])
def test_descriptors_of_the_training_part_do_not_know_hidden_observations(
    rainy_cube: Cube, mode: str, leaks: bool
) -> None:
    fold = make_folds("P6-15d", rainy_cube, TARGET)[0]
    clean = fitted(rainy_cube, fold=fold, descriptors=mode, training={"steps": 1, "batch": 8})
    wrong = fitted(corrupted(rainy_cube, ~fold.mask("train")), fold=fold, descriptors=mode,
                   training={"steps": 1, "batch": 8})  # fmt: skip
    assert clean.encoder.table is not None
    assert wrong.encoder.table is not None
    same = np.array_equal(clean.encoder.table.values, wrong.encoder.table.values, equal_nan=True)
    assert same != leaks
    block = Block(rainy_cube, slice(200, 260), WHOLE)
    assert np.array_equal(clean.predict(block).mean, wrong.predict(block).mean, equal_nan=True) != leaks


def test_nowcast_reads_yesterday_but_neither_today_nor_tomorrow(rainy_cube: Cube) -> None:
    model = fitted(rainy_cube, "tssmnet-nowcast", fold=make_folds("P1", rainy_cube, TARGET)[0])
    assert model.past_days == 365
    block = Block(rainy_cube, slice(250, 301), WHOLE)
    days = np.broadcast_to(np.arange(rainy_cube.days.size)[:, None], (rainy_cube.days.size, 60))
    clean, today, yesterday = (
        model.predict(replace(block, cube=cube)).mean
        for cube in (rainy_cube, corrupted(rainy_cube, days >= 300), corrupted(rainy_cube, days >= 299))
    )
    np.testing.assert_array_equal(clean, today)
    np.testing.assert_array_equal(clean[:-1], yesterday[:-1])
    assert not np.array_equal(clean[-1], yesterday[-1])


def test_an_observation_of_the_day_is_kept_where_wanted(rainy_cube: Cube) -> None:
    block, training = Block(rainy_cube, slice(300, 320), WHOLE), {"steps": 5, "batch": 64}
    model, keeping = (fitted(rainy_cube, training=training, keep_observed=keep) for keep in (False, True))
    observed = rainy_cube.read(TARGET, block.days)
    known = np.isfinite(observed)
    kept, free = keeping.predict(block), model.predict(block)
    np.testing.assert_array_equal(kept.mean, np.where(known, observed, free.mean))
    assert not np.array_equal(free.mean[known], observed[known])
    assert np.isfinite(kept.uncertainty[known]).all()


@pytest.mark.parametrize(
    ("name", "small"), [("xgboost-descriptors", {"maximum_trees": 20}), ("forest-descriptors", {"trees": 10})]
)
def test_trees_keep_an_observation_of_the_day_where_wanted(
    rainy_cube: Cube, tmp_path: Path, name: str, small: dict[str, Any]
) -> None:
    unseen = np.zeros((rainy_cube.days.size, rainy_cube.index.size), bool)
    unseen[:, 7] = True
    hidden, block = rainy_cube.hiding(TARGET, unseen), Block(rainy_cube, slice(300, 320), WHOLE)
    fold, chosen = make_folds("P1", hidden, TARGET)[0], method(name)
    inputs = Inputs({"main": hidden}, TARGET, PREDICTORS)
    models = []
    for keep in (False, True):
        settings = method_settings(chosen, {**small, "keep_observed": keep})
        chosen.fit(inputs, fold, settings, seed=1).save(tmp_path / str(keep))
        models.append(chosen.load(tmp_path / str(keep)))
    free, kept = (model.predict(block) for model in models)
    observed = rainy_cube.read(TARGET, block.days)
    known = np.isfinite(observed)
    np.testing.assert_array_equal(kept.mean, np.where(known, observed, free.mean))
    assert not np.array_equal(free.mean[known], observed[known])
    # A cell without history has what was observed, with the error of the trees, and nothing on other days.
    assert np.isnan(free.mean[:, 7]).all()
    assert known[:, 7].any()
    assert not known[:, 7].all()
    assert np.isfinite(kept.uncertainty[known]).all()
    np.testing.assert_array_equal(kept.flags == 256, np.isnan(kept.mean))
    # Trees that were saved without the word predict every day.
    card = tmp_path / "True" / CARD
    write_json(card, {key: value for key, value in read_json(card).items() if key != "keep_observed"})
    np.testing.assert_array_equal(chosen.load(tmp_path / "True").predict(block).mean, free.mean)


def test_a_cell_without_history_has_no_prediction_but_smnet_has_one(rainy_cube: Cube) -> None:
    unseen = np.zeros((rainy_cube.days.size, rainy_cube.index.size), bool)
    unseen[:, 7] = True
    cube, training = rainy_cube.hiding(TARGET, unseen), {"steps": 5, "batch": 64}
    block = Block(cube, slice(300, 310), WHOLE)
    with_history = fitted(cube, training=training).predict(block)
    assert np.isnan(with_history.mean[:, 7]).all()
    assert (with_history.flags[:, 7] == 256).all()
    assert np.isfinite(fitted(cube, "smnet", training=training).predict(block).mean[:, 7]).any()


def test_controls_take_the_place_of_the_descriptors(rainy_cube: Cube) -> None:
    few = {"steps": 2, "batch": 16}
    names = {kind: set(fitted(rainy_cube, identity=kind, training=few).encoder.static_names)
             for kind in ("none", "coordinates", "random")}  # fmt: skip
    assert {"latitude", "longitude"} <= names["coordinates"]
    assert {"sampen", "p2p"} <= names["none"]
    assert "random_30" in names["random"]
    assert not {"sampen"} & (names["coordinates"] | names["random"])


def test_settings_that_would_leak_or_contradict_are_refused() -> None:
    for name, wrong in (("tssmnet-nowcast", {"keep_observed": True}), ("smnet", {"descriptors": "train"})):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            method_settings(method(name), wrong)


def test_too_short_a_record_says_that_descriptors_need_thirty_observations(rainy_cube: Cube) -> None:
    late = np.zeros((rainy_cube.days.size, rainy_cube.index.size), bool)
    late[:370] = True
    with pytest.raises(InputError, match="30 observations"):
        fitted(rainy_cube.hiding(TARGET, late))


def test_curves_name_what_each_feature_is_worth_and_why_others_were_left_out(rainy_cube: Cube) -> None:
    model = fitted(rainy_cube, "smnet", training={"steps": 150, "batch": 128})
    points = list(model.curves())
    worth = {panel: y for figure, panel, _, y, _ in points if figure == "feature importance"}
    assert set(worth) == set(model.encoder.names)
    best = max(worth, key=lambda name: worth[name])
    assert "precipitation" in best or best == "clay"
    assert worth[best] > 0.1
    left = [panel for figure, panel, *_ in points if figure == "features left out"]
    assert len(left) + len(worth) == len(model.encoder.daily_names) + len(model.encoder.static_names)


def test_layers_are_those_that_the_paper_s_table_would_list() -> None:
    """Five features, two and three channels, widths 4 and 2: counted by hand."""
    found = layers(initialised(RowShape(2, 3, (2, 3), (4, 2)), 0))
    assert [(one.name, one.output, one.weights) for one in found[:5]] == [
        ("conv1", (2, 5), 2 * 3 + 2), ("norm1", (2, 5), 4), ("conv2", (3, 5), 3 * 2 * 3 + 3), ("norm2", (3, 5), 6),
        ("skip", (3, 5), 3 + 3),
    ]  # fmt: skip
    assert Layer("restore", "dense", (5,), 4 * 5 + 5) in found
    assert [(one.name, one.weights) for one in found[-2:]] == [("mean", 6), ("spread", 6)]
    dense = initialised(RowShape(2, 3, None, (4, 2)), 0)
    assert sum(one.weights for one in layers(dense)) == sum(one.numel() for one in dense.parameters())
