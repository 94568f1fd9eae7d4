"""Every method fits, predicts, saves and loads behind the one contract."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vadose.common import UsageError
from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.methods import METHODS, Block, Inputs, Method, Model, method, method_settings
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import Fold, make_folds

TARGET = "smap_sm_am"
PREDICTORS = Predictors(daily=("precipitation", "air_temperature"), static=("clay",))
SMALL: dict[str, dict[str, Any]] = {
    name: {
        "hidden": 16,
        "past_days": 40,
        "training": {"steps": 400, "batch": 32, "window_days": 45, "learning_rate": 0.01},
    }
    for name in ("lstm", "atlstm")
}
SMALL |= {
    name: {"sequence_days": 12, **size, "training": {"steps": 120, "batch": 128, "learning_rate": 0.01}}
    for name, size in {"atlstm-window": {"hidden": 16}, "bilstm": {"hidden": 16}, "transformer": {"width": 16}}.items()
}
SMALL["mlstm"] = {
    "product": "cci_sm", "drivers": {"P": "precipitation", "L": "air_temperature"}, "combination": "LP",
    "shared": {"epochs": 10, "sequence": 30, "hidden": 16, "learning_rate": 0.01},
}  # fmt: skip
SMALL["drcgan"] = {
    "land_model": "land_model_a_sm", "width": 4, "blocks": 1, "backward_blocks": 1, "discriminator_width": 4,
    "patch": 32, "training": {"steps": 3, "batch": 2},
}  # fmt: skip
SMALL["cdf-matching"] = {"product": "cci_sm"}
SMALL |= {
    name: {"memory": True, "widths": (16, 8), "training": {"steps": 40, "batch": 128}}
    for name in ("tssmnet", "smnet", "resautonet", "tssmnet-nowcast")
}
SMALL["xgboost-descriptors"] = {"maximum_trees": 50, "minimum_child_weight": 5, "depth": 4}
SMALL["forest-descriptors"] = {"trees": 10, "depth": 6}
SMALL["forest"] = {"trees": 20}
SMALL |= {name: {"maximum_trees": 40, "minimum_child_weight": 5} for name in ("xgboost-nowcast-1", "xgboost-nowcast-3")}
SMALL["downscale"] = {
    "coarse": "1P00DEG", "step": "daily", "sequence": 3, "hidden": [8, 8], "training": {"steps": 20},
}  # fmt: skip
SMALL["dct-pls"] = {"smoothing": 0.1, "iterations": 10}
SMALL["tcmerge"] = {"parents": [TARGET, "cci_sm", "land_model_a_sm"]}
SMALL["blend"] = {
    "parts": [{"method": "ridge"}, {"method": "xgboost", "settings": {"maximum_trees": 40, "depth": 4}}],
}  # fmt: skip
SMALL["xgboost"] = {"maximum_trees": 150, "minimum_child_weight": 5, "depth": 4}


def fitted(chosen: Method, cube: Cube, fold: Fold, **changes: Any) -> Model:
    settings = {**SMALL.get(chosen.name, {}), **changes}
    return chosen.fit(Inputs({"main": cube}, TARGET, PREDICTORS), fold, method_settings(chosen, settings), seed=1)


@pytest.fixture(scope="module")
def models(rainy_cube: Cube) -> dict[str, Model]:
    fold = make_folds("P1", rainy_cube, TARGET)[0]
    return {chosen.name: fitted(chosen, rainy_cube, fold) for chosen in METHODS}


def error_of(model: Model, cube: Cube) -> float:
    days = slice(220, 420)
    return float(
        np.sqrt(np.nanmean((model.predict(Block(cube, days, slice(0, 60))).mean - cube.read(TARGET, days)) ** 2))
    )


@pytest.mark.parametrize("chosen", METHODS, ids=lambda m: m.name)
def test_saved_model_predicts_the_same_bytes(
    rainy_cube: Cube, models: dict[str, Model], chosen: Method, tmp_path: Path
) -> None:
    model = models[chosen.name]
    model.save(tmp_path)
    block = Block(rainy_cube, slice(130, 200), slice(3, 40))
    mine, again = model.predict(block), chosen.load(tmp_path).predict(block)
    np.testing.assert_array_equal(mine.mean, again.mean)
    np.testing.assert_array_equal(mine.uncertainty, again.uncertainty)
    assert np.isfinite(mine.mean).mean() > 0.9
    assert (np.isnan(mine.mean) == ((mine.flags & 256) > 0)).all()
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} <= {".safetensors", ".ubj", ".json"}


@pytest.mark.parametrize("chosen", METHODS, ids=lambda m: m.name)
def test_prediction_does_not_depend_on_how_much_is_asked_for(
    rainy_cube: Cube, models: dict[str, Model], chosen: Method
) -> None:
    model = models[chosen.name]
    whole = model.predict(Block(rainy_cube, slice(200, 330), slice(0, 60)))
    part = model.predict(Block(rainy_cube, slice(200, 281), slice(17, 18)))
    np.testing.assert_array_equal(whole.mean[:81, 17:18], part.mean)
    np.testing.assert_array_equal(whole.uncertainty[:81, 17:18], part.uncertainty)


@pytest.mark.parametrize("name", ["atlstm", "lstm", "atlstm-window", "bilstm", "transformer", "xgboost", "ridge"])
def test_methods_that_see_rain_beat_the_mean_of_each_cell(
    rainy_cube: Cube, models: dict[str, Model], name: str
) -> None:
    assert error_of(models[name], rainy_cube) < 0.75 * error_of(models["cell-mean"], rainy_cube)


@pytest.mark.parametrize("chosen", METHODS, ids=lambda m: m.name)
def test_corrupted_test_targets_leave_the_fitted_model_unchanged(
    rainy_cube: Cube, chosen: Method, tmp_path: Path
) -> None:
    fold = make_folds("P1", rainy_cube, TARGET)[0]
    target = rainy_cube.read(TARGET)
    target[fold.mask("test") & np.isfinite(target)] = 0.9
    static = {"clay", "land_cover"}
    with new_cube(tmp_path / "c.zarr", rainy_cube.grid, rainy_cube.index, rainy_cube.days, title="corrupt") as writer:
        for name in sorted({*rainy_cube.names} - {TARGET}):
            writer.add(name, rainy_cube.read_static(name) if name in static else rainy_cube.read(name))
        writer.add(TARGET, target)
    few = (
        {"training": {"steps": 5, "window_days": 30, "patience": 1}, "hidden": 4}
        if "window_days" in SMALL.get(chosen.name, {}).get("training", {})
        else {"training": {"steps": 5, "patience": 1}}
        if "sequence_days" in SMALL.get(chosen.name, {})
        else {}
    )
    for cube, folder in ((rainy_cube, "clean"), (open_cube(tmp_path / "c.zarr"), "corrupt")):
        fitted(chosen, cube, make_folds("P1", cube, TARGET)[0], **few).save(tmp_path / folder)
    for path in (tmp_path / "clean").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "corrupt" / path.relative_to(tmp_path / "clean")).read_bytes()


def test_early_stopping_restores_the_best_weights_of_the_inner_split(rainy_cube: Cube) -> None:
    loop = {**SMALL["lstm"]["training"], "patience": 1, "check_every": 20}
    model = fitted(method("lstm"), rainy_cube, make_folds("P1", rainy_cube, TARGET)[0], training=loop)
    checks = dict(model.facts["checks"])  # type: ignore[attr-defined]
    assert model.facts["stopped_on_inner_split"]  # type: ignore[attr-defined]
    assert len(checks) >= 2
    assert error_of(model, rainy_cube) < 0.06


def test_days_without_any_daily_predictor_are_not_predicted(
    rainy_cube: Cube, models: dict[str, Model], tmp_path: Path
) -> None:
    with new_cube(tmp_path / "c.zarr", rainy_cube.grid, rainy_cube.index, rainy_cube.days, title="gap") as writer:
        for name in PREDICTORS.daily:
            values = rainy_cube.read(name)
            values[250, 7] = np.nan
            writer.add(name, values)
        writer.add("clay", rainy_cube.read_static("clay"))
    block = Block(open_cube(tmp_path / "c.zarr"), slice(245, 255), slice(0, 60))
    for name in ("atlstm", "bilstm", "transformer", "xgboost"):
        mean = models[name].predict(block).mean
        assert np.isnan(mean[5, 7])
        assert np.isfinite(np.delete(mean[5], 7)).any()


def test_attention_by_lag_sums_to_one(rainy_cube: Cube, models: dict[str, Model]) -> None:
    for name, lags in (("atlstm", 15), ("atlstm-window", 12)):
        weights = models[name].attention(rainy_cube, slice(0, 100), slice(0, 20))  # type: ignore[attr-defined]
        assert weights.shape == (100, 20, lags)
        np.testing.assert_allclose(weights[lags:].sum(axis=-1), 1.0, rtol=1e-5)


def test_a_typo_in_settings_names_the_nearest_key() -> None:
    with pytest.raises(UsageError, match="did you mean 'hidden'"):
        method_settings(method("atlstm"), {"hiden": 3})
    with pytest.raises(UsageError, match="did you mean 'steps'"):
        method_settings(method("lstm"), {"training": {"step": 3}})


def test_unknown_method_names_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'atlstm'"):
        method("atlstmm")


def test_same_seed_gives_the_same_bytes_and_another_seed_others(rainy_cube: Cube) -> None:
    fold = make_folds("P1", rainy_cube, TARGET)[0]
    few = {"training": {"steps": 5, "window_days": 30}, "hidden": 4}
    block = Block(rainy_cube, slice(230, 240), slice(0, 60))
    first, second = (fitted(method("lstm"), rainy_cube, fold, **few).predict(block).mean for _ in range(2))
    np.testing.assert_array_equal(first, second)
    inputs = Inputs({"main": rainy_cube}, TARGET, PREDICTORS)
    other = method("lstm").fit(inputs, replace(fold), method_settings(method("lstm"), few), seed=2).predict(block).mean
    assert not np.array_equal(first, other)
