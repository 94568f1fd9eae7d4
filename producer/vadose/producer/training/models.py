"""The model of a recipe: trained members, calibration and support, in a directory without any pickle."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from vadose.common import (
    InputError,
    Progress,
    file_sha256,
    read_json,
    silent,
    whole_directory,
    write_json,
    write_text,
)
from vadose.producer.cube import Cube
from vadose.producer.methods import Block, Inputs, Method, Model, Settings, method, method_settings
from vadose.producer.methods.network import FORMAT
from vadose.producer.parallel import spread
from vadose.producer.recipe import Predictors, Recipe
from vadose.producer.tensors import write_arrays
from vadose.producer.training.card import model_card
from vadose.producer.training.curves import write_diagnostics
from vadose.producer.training.dataset import Encoder, cell_slices, fit_encoder
from vadose.producer.training.filled import FILE, filled_by_cosines, filled_values, hides_observations, write_filled
from vadose.producer.training.splits import NOWCASTS, ROLES, Fold, blocks, make_folds
from vadose.producer.training.stations import read_stations
from vadose.producer.uncertainty import (
    BLOCK_DAYS,
    UNCALIBRATED,
    Calibration,
    Ensemble,
    Support,
    calibrate,
    fit_support,
    predict_ensemble,
)
from vadose.producer.vocabulary import IN_SITU

MODEL = "model.json"
SUPPORT = "support.safetensors"
CALIBRATION_SHARE = 0.2
LIBRARIES = ("numpy", "torch", "xgboost-cpu", "safetensors", "zarr")


def fit_recipe(recipe: Recipe, inputs: Inputs, directory: Path, progress: Progress = silent, *,
               split: str | None = None, seeds: int | None = None) -> Ensemble:  # fmt: skip
    """Train the recipe's ensemble, calibrate it and write `directory`; a finished one of the same inputs is kept.

    A run that was stopped goes on from its last checkpoint and ends with the same bytes. Under P6 the directory also
    holds `filled.nc`, what the hidden observations are filled with.

    Parameters
    ----------
    recipe, inputs
        What to train, and on what (`recipe_inputs`).
    directory
        `models/<recipe>/`; checkpoints and finished members of an unfinished run lie beside it.
    split, seeds
        Split and number of members, if not those of the recipe.
    """
    chosen = method(recipe.method.name)
    settings = method_settings(chosen, recipe.method.settings, where=f"{recipe.recipe}: method.settings")
    cube = inputs.cube
    fold = check_recipe(recipe, cube, split)
    numbers = [recipe.method.seed + k for k in range(seeds or recipe.method.ensemble)]
    identity = _identity(recipe, inputs, fold, settings, numbers)
    if (directory / MODEL).is_file() and read_json(directory / MODEL).get("identity") == identity:
        progress.say(f"model {recipe.recipe} is finished")
        return load_model(directory)
    work = directory.with_name(f".{directory.name}.work")
    _open_work(work, identity)
    # Neither a fit nor a prediction for the calibration sees a value of the target that is not for training.
    visible = inputs.hiding(fold.unseen())
    members = spread(lambda seed: _member(chosen, visible, fold, settings, seed, work, progress), numbers)
    encoder = fit_encoder(cube, recipe.predictors, fold, recipe.target)
    progress.say("calibrate")
    observed = cube if fold.split in NOWCASTS else visible.cube
    calibration, metrics = _calibration(members, encoder, inputs, observed, fold)
    ensemble = Ensemble(tuple(members), calibration, encoder, _support(inputs, fold, encoder))
    with whole_directory(directory) as part:
        _write(part, ensemble, recipe, settings, fold, inputs, numbers, metrics, identity)
    shutil.rmtree(work, ignore_errors=True)
    return ensemble


def check_recipe(recipe: Recipe, cube: Cube, split: str | None = None) -> Fold:
    """The fold that a training would use; wrong settings, predictors or splits are refused before any work."""
    chosen = method(recipe.method.name)
    method_settings(chosen, recipe.method.settings, where=f"{recipe.recipe}: method.settings")
    for name in (*recipe.predictors.daily, *recipe.predictors.static, recipe.target):
        if name not in cube.names:
            raise InputError(f"no variable {name!r}; the cube holds {', '.join(cube.names)}", where=str(cube.path),
                             next=f"vadose ingest {recipe.recipe}")  # fmt: skip
    return make_folds(split or recipe.method.split, cube, recipe.target, calibration=CALIBRATION_SHARE)[0]


def recipe_model(directory: Path, recipe: Recipe) -> Ensemble:
    """The model that a recipe is built with.

    Raises
    ------
    InputError
        As `load_model`, and where the model was trained by another recipe, method, target or settings.
    """
    model = load_model(directory, recipe.predictors)
    card = read_json(directory / MODEL)
    settings = method_settings(method(recipe.method.name), recipe.method.settings,
                               where=f"{recipe.recipe}: method.settings")  # fmt: skip
    wanted: dict[str, Any] = {"recipe": recipe.recipe, "method": recipe.method.name, "target": recipe.target,
              "settings": settings.model_dump(mode="json")}  # fmt: skip
    for name, value in wanted.items():
        if card[name] != value:
            own, mine = _apart(card[name], value) if name == "settings" else (card[name], value)
            raise InputError(f"the model was made with other {name}: {own}", where=str(directory),
                             why=f"the recipe's: {mine}",
                             next=f"vadose train {recipe.recipe}")  # fmt: skip
    return model


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, str]:
    """Those settings that differ, of each of two."""
    every = [_leaves(some) for some in (one, other)]
    names = sorted(name for name in {*every[0], *every[1]} if every[0].get(name) != every[1].get(name))
    first, second = (", ".join(f"{name} {some.get(name)}" for name in names) for some in every)
    return first, second


def _leaves(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= _leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def load_model(directory: Path, predictors: Predictors | None = None) -> Ensemble:
    """The calibrated ensemble of a model directory.

    Parameters
    ----------
    directory
        What `fit_recipe` wrote.
    predictors
        Those of the recipe that is going to use it; others than the model's are refused.

    Raises
    ------
    InputError
        Where the model is missing or damaged, or was made for other predictors.
    """
    if not (directory / MODEL).is_file():
        raise InputError("no trained model", where=str(directory), next="vadose train RECIPE")
    card = read_json(directory / MODEL)
    own = Predictors.model_validate(card["predictors"])
    if predictors is not None and predictors != own:
        raise InputError(
            f"the model was made for other predictors: {', '.join((*own.daily, *own.static))}",
            where=str(directory),
            why=f"the recipe has {', '.join((*predictors.daily, *predictors.static))}",
            next="vadose train RECIPE",
        )
    for name, expected in card["sha256"].items():
        if not (directory / name).is_file() or file_sha256(directory / name) != expected:
            raise InputError(f"{name} is missing or was changed", where=str(directory), next="vadose train RECIPE")
    chosen = method(card["method"])
    members = tuple(chosen.load(directory / f"member-{seed}") for seed in card["seeds"])
    encoder = Encoder.from_json(card["scalers"], own)
    return Ensemble(
        members, Calibration.from_json(card["calibration"]), encoder, _load_support(directory, card["support"])
    )


def _identity(recipe: Recipe, inputs: Inputs, fold: Fold, settings: Settings, seeds: list[int]) -> str:
    known = {
        "format": FORMAT, "method": recipe.method.name, "settings": settings.model_dump(mode="json"), "seeds": seeds,
        "predictors": recipe.predictors.model_dump(mode="json"), "target": recipe.target,
        "cube": inputs.cube.content_hash, "ledger": fold.ledger(), "versions": _versions(),
        "others": {part: cube.content_hash for part, cube in inputs.cubes.items() if part != "main"},
        "stations": {part: file_sha256(path) for part, path in inputs.stations.items()},
    }  # fmt: skip
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def _versions() -> dict[str, str]:
    found = {name: _version(name) for name in ("vadose", *LIBRARIES)}
    return {**found, "python": platform.python_version()}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _open_work(work: Path, identity: str) -> None:
    """The folder of an unfinished run; that of other inputs is emptied."""
    note = work / "identity.json"
    if note.is_file() and read_json(note) == identity:
        return
    shutil.rmtree(work, ignore_errors=True)
    write_json(note, identity)


def _member(
    chosen: Method, inputs: Inputs, fold: Fold, settings: Settings, seed: int, work: Path, progress: Progress
) -> Model:
    folder = work / f"member-{seed}"
    if folder.is_dir():
        return chosen.load(folder)
    model = chosen.fit(
        inputs, fold, settings, seed=seed, checkpoint=work / f"checkpoint-{seed}.safetensors", progress=progress
    )
    with whole_directory(folder) as part:
        model.save(part)
    return chosen.load(folder)


def _calibration(
    members: list[Model], encoder: Encoder, inputs: Inputs, seen: Cube, fold: Fold
) -> tuple[Calibration, dict[str, Any]]:
    """Conformal factors from the calibration blocks, and what the ensemble scores there before and after.

    `seen` is the cube that the members predict from.
    """
    mask = fold.mask("calibrate")
    cube = inputs.cube
    if not mask.any():
        return UNCALIBRATED, {}
    days = np.flatnonzero(mask.any(axis=1))
    span = slice(int(days[0]), int(days[-1]) + 1)
    place = blocks(cube.lat, cube.lon)
    length = span.stop - span.start
    period = np.minimum(np.arange(length) // BLOCK_DAYS, max(length // BLOCK_DAYS - 1, 0))
    variable = "land_cover" if "land_cover" in cube.names else None
    scores, block, codes, errors = [], [], [], []
    for cells in cell_slices(cube, 256):
        chosen = mask[span, cells]
        if not chosen.any():
            continue
        combined, _ = predict_ensemble(members, encoder, Block(seen, span, cells))
        error = cube.read(inputs.target, span, cells) - combined.mean
        chosen &= np.isfinite(error) & (combined.deviation > 0)
        scores.append((np.abs(error) / np.where(chosen, combined.deviation, 1.0))[chosen].astype(np.float64))
        errors.append(error[chosen].astype(np.float64))
        block.append((place[None, cells] * 10_000 + period[:, None])[chosen])
        if variable:
            cover = np.nan_to_num(cube.read_static(variable, cells), nan=-1).astype(np.int64)
            codes.append(np.broadcast_to(cover[None, :], chosen.shape)[chosen])
    together = [np.concatenate(parts) if parts else np.zeros(0) for parts in (scores, block, errors)]
    result = calibrate(together[0], together[1].astype(np.int64), np.concatenate(codes) if codes else None, variable)
    if not together[2].size:
        return result, {}
    metrics = {
        "calibration_values": int(together[2].size),
        "calibration_rmse": float(np.sqrt((together[2] ** 2).mean())),
        "calibration_bias": float(-together[2].mean()),
        "coverage_90_before": float((together[0] <= UNCALIBRATED.overall).mean()),
        "coverage_90_after": float((together[0] <= result.overall).mean()),
    }
    return result, metrics


def _support(inputs: Inputs, fold: Fold, encoder: Encoder) -> Support | None:
    cube = inputs.cube
    mask = fold.mask("train")
    static, level = [], []
    for cells in cell_slices(cube):
        values = np.where(mask[:, cells], cube.read(inputs.target, cells=cells), np.nan)
        count = np.isfinite(values).sum(axis=0)
        level.append(np.nansum(values, axis=0, dtype=np.float64) / np.where(count > 0, count, np.nan))
        static.append(encoder.static(cube, cells))
    mean = np.concatenate(level)
    known = np.isfinite(mean)
    return fit_support(np.concatenate(static)[known], mean[known], blocks(cube.lat, cube.lon)[known])


def _write(part: Path, ensemble: Ensemble, recipe: Recipe, settings: Settings, fold: Fold, inputs: Inputs,
           seeds: list[int], metrics: Mapping[str, Any], identity: str) -> None:  # fmt: skip
    for seed, member in zip(seeds, ensemble.members, strict=True):
        member.save(part / f"member-{seed}")
    support = ensemble.support
    if support is not None:
        write_arrays(part / SUPPORT, {"weights": support.weights, "points": support.points})
    names = sorted(str(path.relative_to(part)) for path in part.rglob("*") if path.suffix in {".safetensors", ".ubj"})
    card = {
        "recipe": recipe.recipe, "recipe_sha256": recipe.sha256, "method": recipe.method.name,
        "settings": settings.model_dump(mode="json"), "predictors": recipe.predictors.model_dump(mode="json"),
        "target": recipe.target, "scalers": ensemble.encoder.to_json(), "seeds": seeds, "versions": _versions(),
        "metrics": dict(metrics), "calibration": ensemble.calibration.to_json(),
        "support": None if support is None else {"scale": support.scale, "threshold": support.threshold},
        "past_days": ensemble.past_days, "parameters": _parameters(ensemble),
        "ledger": _ledger(fold, ensemble, inputs), "cube": inputs.cube.content_hash, "identity": identity,
        "sha256": {name: file_sha256(part / name) for name in names},
    }  # fmt: skip
    write_json(part / MODEL, card)
    write_text(part / "MODEL_CARD.md", model_card(card))
    write_diagnostics(part / "diagnostics", ensemble, inputs.hiding(fold.unseen()).cube, inputs.target)
    if hides_observations(fold.split):
        filled, cosines = filled_values(ensemble, inputs, fold), filled_by_cosines(inputs, fold)
        write_filled(part / FILE, inputs.cube, inputs.target, fold.split, filled, cosines)


def _ledger(fold: Fold, ensemble: Ensemble, inputs: Inputs) -> dict[str, Any]:
    """What the members really used: not all stop on the inner split, and some are fitted again on all of it.

    Where the target is the soil moisture of stations, those of each role are named.
    """
    facts = [getattr(member, "facts", {}) for member in ensemble.members]
    ledger = fold.ledger(refitted=not any(fact.get("stopped_on_inner_split") for fact in facts))
    if not any(fact.get("tuned") or fact.get("stopped_on_inner_split") for fact in facts):
        ledger = {**ledger, **{key: {**ledger[key], "tune": []} for key in ("cells", "days")}}
    if inputs.target != IN_SITU:
        return {**ledger, "stations": {}}
    found = read_stations(inputs.stations.values(), inputs.cube, inputs.day)
    seen = fold if ledger["days"]["tune"] else fold.whole()
    return {**ledger, "stations": {role: found.used(seen, role) for role in ROLES if role != "train"}}


def _parameters(ensemble: Ensemble) -> int:
    return sum(int(getattr(member, "facts", {}).get("parameters", 0)) for member in ensemble.members)


def _load_support(directory: Path, facts: Mapping[str, float] | None) -> Support | None:
    if facts is None:
        return None
    arrays = safetensors.numpy.load_file(directory / SUPPORT)
    return Support(arrays["weights"], arrays["points"], facts["scale"], facts["threshold"])
