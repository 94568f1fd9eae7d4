"""Building some granules of a version again, and comparing: bytes in the locked environment, content in another."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vadose.common import InputError, Progress, file_sha256, read_json
from vadose.common.software import Software
from vadose.producer.build import Predictor, build
from vadose.producer.cube import Cube, open_cube
from vadose.producer.granules.names import parse_name
from vadose.producer.granules.reading import read_granule
from vadose.producer.provenance import FOLDER, hardware, identity, provenance_texts, recorded_identity
from vadose.producer.recipe import Predictors, Recipe
from vadose.producer.release.folder import Folder
from vadose.producer.release.manifest import environment_lock

Outcome = Literal["same bytes", "same content", "differs"]
LoadModel = Callable[[Path, Predictors], Predictor]


@dataclass(frozen=True)
class Rebuilt:
    """One granule and what came of it."""

    name: str
    outcome: Outcome


@dataclass(frozen=True)
class Comparison:
    """What came of a rebuild.

    Attributes
    ----------
    granules
        One each.
    environment
        How the running environment differs from the version's, in words; none in the locked one.
    """

    granules: tuple[Rebuilt, ...]
    environment: tuple[str, ...]

    @property
    def expected(self) -> tuple[Outcome, ...]:
        """Outcomes that are right: the same bytes in the locked environment, in another the same content will do."""
        return ("same bytes", "same content") if self.environment else ("same bytes",)

    @property
    def failed(self) -> tuple[Rebuilt, ...]:
        """Granules that are not as they should be."""
        return tuple(item for item in self.granules if item.outcome not in self.expected)


def rebuild(folder: Folder, workspace: Path, sample: int, memory_bytes: int, progress: Progress,
            load: LoadModel | None = None) -> Comparison:  # fmt: skip
    """Build `sample` granules again, chosen by the manifest's own hash, in a temporary folder.

    Granules that were taken over from an earlier version are left to that version.

    Parameters
    ----------
    folder
        The version.
    workspace
        Where its cube and model are.
    sample
        How many granules; all if there are fewer.
    memory_bytes, progress
        As for `build`.
    load
        What makes a model of a model directory; that of `vadose train` by default.

    Raises
    ------
    InputError
        If cube or model of the workspace are not those of the version.
    """
    from vadose.producer.training.models import load_model

    recipe = folder.recipe()
    entries = [entry for entry in folder.manifest()["files"] if _is_own(entry, folder.version)]
    if not entries:
        others = ", ".join(
            sorted({entry["since"] for entry in folder.manifest()["files"] if entry["role"] == "granule"})
        )
        raise InputError(
            f"all granules of version {folder.version} are those of {others}", where=str(folder.path),
            next=f"vadose release rebuild {folder.root.name}/v{others.partition(',')[0]}",
        )  # fmt: skip
    chosen = random.Random(file_sha256(folder.path / "manifest.json")).sample(entries, min(sample, len(entries)))
    days = [np.datetime64(parse_name(Path(entry["path"]).name).day, "D") for entry in chosen]
    cube = open_cube(workspace / "cubes" / f"{recipe.cube}.zarr")
    models = workspace / "models" / recipe.recipe
    made_by = check_origin(folder, recipe, cube, models)
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / folder.root.name / folder.path.name
        model = (load or load_model)(models, recipe.predictors)
        build(recipe, cube, model, models, target, memory_bytes, progress, days, made_by=made_by)
        found = tuple(Rebuilt(Path(entry["path"]).name, _outcome(target / entry["path"], entry)) for entry in chosen)
    return Comparison(found, tuple(environment_differences(folder)))


def _is_own(entry: dict[str, str], version: str) -> bool:
    """Whether a granule first appeared in this version; others are rebuilt where they did."""
    return entry["role"] == "granule" and entry["status"] == "published" and entry["since"] == version


def check_origin(folder: Folder, recipe: Recipe, cube: Cube, models: Path) -> Software:
    """The version's own software; a cube or model of the workspace that is not the version's is an `InputError`."""
    recorded = recorded_identity(recipe, folder.path)
    made_by = Software(recorded.software, recorded.commit)
    present = identity(recipe, provenance_texts(recipe, cube, models, made_by))
    pairs = (("model", models), ("inputs", cube.path))
    for what, place in pairs:
        old, new = getattr(recorded, f"{what}_sha256"), getattr(present, f"{what}_sha256")
        if old != new:
            raise InputError(
                f"{what} of version {folder.version}: hash {old[:12]}, here {new[:12]}",
                where=str(place),
                next="name the workspace in which the version was built: --workspace DIR",
            )
    return made_by


def environment_differences(folder: Folder) -> list[str]:
    """How the running environment differs from the version's `environment.lock` and hardware, in words."""
    there = set((folder.path / FOLDER / "environment.lock").read_text(encoding="utf-8").splitlines())
    here = set(environment_lock().splitlines())
    lines = [f"{line.removeprefix('# ')} then" for line in sorted(there - here)]
    lines += [f"{line.removeprefix('# ')} now" for line in sorted(here - there)]
    built_on = str(read_json(folder.path / FOLDER / "software.json")["hardware"])
    return lines if built_on == hardware() else [*lines, f"{built_on} then", f"{hardware()} now"]


def _outcome(path: Path, entry: dict[str, str]) -> Outcome:
    if file_sha256(path) == entry["sha256"]:
        return "same bytes"
    return "same content" if read_granule(path).content_sha256 == entry["content_sha256"] else "differs"
