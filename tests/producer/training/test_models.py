"""A recipe's model: trained once, resumed, loaded, refused where it does not fit."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vadose.cli.main import run
from vadose.common import InputError, UsageError
from vadose.producer.cube import Cube
from vadose.producer.methods import Block, Inputs
from vadose.producer.recipe import Predictors, Recipe
from vadose.producer.training import fit_recipe, load_model, models
from vadose.producer.training.models import recipe_model
from vadose.producer.uncertainty import Ensemble

SETTINGS = {"hidden": 8, "past_days": 30, "training": {"steps": 60, "batch": 16, "window_days": 30, "spin_up_days": 5}}


@pytest.fixture(scope="module")
def recipe(worlds) -> Recipe:
    return make_recipe(worlds)


def fit(recipe: Recipe, cube: Cube, directory: Path) -> Ensemble:
    return fit_recipe(recipe, Inputs({"main": cube}, recipe.target, recipe.predictors), directory)


def make_recipe(worlds, **changes: Any) -> Recipe:
    method = {"name": "atlstm", "settings": SETTINGS, "ensemble": 2, "seed": 3, **changes}
    return worlds.small_recipe(
        cube="rainy", method=method, predictors={"daily": ["precipitation", "air_temperature"], "static": ["clay"]}
    )


@pytest.fixture(scope="module")
def directory(recipe: Recipe, rainy_cube: Cube, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("models") / "small-world"
    fit(recipe, rainy_cube, target)
    return target


def contents(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_model_directory_says_what_was_used_for_what(directory: Path, rainy_cube: Cube) -> None:
    card = json.loads((directory / "model.json").read_text())
    assert card["seeds"] == [3, 4]
    ledger = card["ledger"]
    used = {role: set(ledger["cells"][role]) for role in ("fit", "tune", "calibrate", "test")}
    assert len(used["fit"]) == 60
    assert used["tune"] == set()
    assert used["calibrate"]
    assert not used["calibrate"] & used["test"]
    assert ledger["days"]["fit"][0][0] == "2015-04-01"
    assert ledger["days"]["fit"][-1][1] < ledger["days"]["test"][0][0]
    assert card["predictors"] == {"daily": ["precipitation", "air_temperature"], "static": ["clay"]}
    assert set(card["sha256"]) == {f"member-{k}/weights.safetensors" for k in (3, 4)} | {"support.safetensors"}
    assert "never seen, for tests" in (directory / "MODEL_CARD.md").read_text()
    curves = pd.read_parquet(directory / "diagnostics" / "curves.parquet")
    assert {"training", "attention"} == set(curves["figure"])


def test_loaded_model_predicts_like_the_trained_one(recipe: Recipe, directory: Path, rainy_cube: Cube) -> None:
    trained, loaded = fit(recipe, rainy_cube, directory), load_model(directory, recipe.predictors)
    block = Block(rainy_cube, slice(215, 260), slice(0, 60))
    mine, again = trained.predict(block), loaded.predict(block)
    np.testing.assert_array_equal(mine.mean, again.mean)
    np.testing.assert_array_equal(mine.uncertainty, again.uncertainty)
    part = loaded.predict(Block(rainy_cube, slice(215, 230), slice(41, 44)))
    np.testing.assert_array_equal(mine.uncertainty[:15, 41:44], part.uncertainty)
    parts = mine.diagnostics["aleatoric"] ** 2 + mine.diagnostics["epistemic"] ** 2
    factor = mine.uncertainty / np.sqrt(parts)
    expected = loaded.calibration.factors(rainy_cube, slice(0, 60)) / 1.645
    np.testing.assert_allclose(factor, np.broadcast_to(expected, factor.shape), rtol=1e-5)


def test_killed_training_of_a_recipe_ends_with_the_same_bytes(
    recipe: Recipe, directory: Path, rainy_cube: Cube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(*_: Any) -> None:
        raise KeyboardInterrupt

    target = tmp_path / "small-world"
    monkeypatch.setattr(models, "_calibration", dying)
    with pytest.raises(KeyboardInterrupt):
        fit(recipe, rainy_cube, target)
    assert not target.exists()
    monkeypatch.undo()
    fit(recipe, rainy_cube, target)
    assert contents(target) == contents(directory)
    assert [path.name for path in tmp_path.iterdir()] == ["small-world"]


def test_model_of_other_predictors_is_refused(directory: Path) -> None:
    other = Predictors(daily=("precipitation",), static=("clay",))
    with pytest.raises(InputError, match="made for other predictors"):
        load_model(directory, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "other-world"}, "other recipe: small-world"),
        ({"target": "cci_sm"}, "other target: smap_sm_am"),
        ({"method__settings": {**SETTINGS, "hidden": 9}}, "other settings: hidden 8"),
        ({"method__name": "cell-mean", "method__settings": {}}, "other method: atlstm"),
    ],
)
def test_a_checkpoint_of_another_recipe_is_refused(directory: Path, worlds, changes, message: str) -> None:
    predictors = {"daily": ["precipitation", "air_temperature"], "static": ["clay"]}
    method = {"name": "atlstm", "settings": SETTINGS, "ensemble": 2, "seed": 3}
    other = worlds.small_recipe(**{"cube": "rainy", "method": method, "predictors": predictors, **changes})
    with pytest.raises(InputError, match=message) as caught:
        recipe_model(directory, other)
    assert caught.value.next == f"vadose train {other.recipe}"


def test_the_model_of_a_recipe_flags_cells_of_an_unseen_class(worlds, rainy_cube: Cube, tmp_path: Path) -> None:
    dry = rainy_cube.read_static("land_cover") == 1
    cube = rainy_cube.hiding("smap_sm_am", np.broadcast_to(dry, (rainy_cube.days.size, dry.size)))
    recipe = worlds.small_recipe(
        cube="rainy", method={"name": "ridge", "settings": {}},
        predictors={"daily": ["precipitation"], "static": ["land_cover"]},
    )  # fmt: skip
    model = fit(recipe, cube, tmp_path / "m")
    flags = model.predict(Block(cube, slice(230, 235), slice(0, 60))).flags
    assert (flags[:, dry] & 2048 > 0).all()
    assert not (flags[:, ~dry] & 2048 > 0).all()


def test_changed_weights_are_refused(recipe: Recipe, rainy_cube: Cube, tmp_path: Path) -> None:
    quick = recipe.model_copy(update={"method": recipe.method.model_copy(update={"name": "cell-mean", "settings": {}})})
    fit(quick, rainy_cube, tmp_path / "m")
    path = next((tmp_path / "m").rglob("table.safetensors"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="was changed"):
        load_model(tmp_path / "m")


def test_missing_model_tells_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="vadose train"):
        load_model(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["xgboost", "ridge", "climatology"])
def test_other_methods_make_models_too(worlds, rainy_cube: Cube, tmp_path: Path, name: str) -> None:
    settings = {"maximum_trees": 20} if name == "xgboost" else {}
    recipe = make_recipe(worlds, name=name, settings=settings, ensemble=1)
    fit(recipe, rainy_cube, tmp_path / "m")
    prediction = load_model(tmp_path / "m", recipe.predictors).predict(Block(rainy_cube, slice(100, 130), slice(0, 60)))
    assert np.isfinite(prediction.uncertainty[np.isfinite(prediction.mean)]).all()
    assert (prediction.uncertainty[np.isfinite(prediction.mean)] > 0).mean() > 0.9


def test_wrong_settings_and_predictors_are_refused_before_any_work(worlds, rainy_cube: Cube, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'hidden'"):
        fit(make_recipe(worlds, settings={"hiden": 3}), rainy_cube, tmp_path / "m")
    other = worlds.small_recipe(method={"name": "lstm"}, predictors={"daily": ["era5_sm"]})
    with pytest.raises(InputError, match="no variable 'era5_sm'"):
        fit(other, rainy_cube, tmp_path / "m")


def test_train_command_trains_and_tells_where(
    recipe: Recipe, rainy_cube: Cube, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = tmp_path / "w"
    (workspace / "cubes").mkdir(parents=True)
    (workspace / "cubes" / "rainy.zarr").symlink_to(rainy_cube.path)
    (tmp_path / "r.yaml").write_text(recipe.model_dump_json())
    words = ["train", str(tmp_path / "r.yaml"), "--workspace", str(workspace), "--seeds", "1", "--json", "--quiet"]
    assert run([*words, "--dry-run"]) == 0
    assert not (workspace / "models").exists()
    capsys.readouterr()
    assert run(words) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert result["members"] == 1
    assert (workspace / "models" / "small-world" / "model.json").is_file()


def test_build_refuses_a_model_that_was_copied_from_another_recipe(
    recipe: Recipe, directory: Path, rainy_cube: Cube, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, source in (("cubes/rainy.zarr", rainy_cube.path), ("models/other-world", directory)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).symlink_to(source)
    (tmp_path / "r.yaml").write_text(recipe.model_copy(update={"recipe": "other-world"}).model_dump_json())
    assert run(["build", str(tmp_path / "r.yaml"), "--workspace", str(tmp_path), "--quiet"]) == 3
    assert "made with other recipe: small-world" in capsys.readouterr().err
    assert not (tmp_path / "releases").exists()
