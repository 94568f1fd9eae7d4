"""Building some granules of a version again, and comparing."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vadose.common import Progress, file_sha256
from vadose.common.software import Software
from vadose.producer.build import build
from vadose.producer.cube import open_cube
from vadose.producer.granules.names import parse_name
from vadose.producer.granules.reading import read_granule
from vadose.producer.provenance import recorded_identity
from vadose.producer.release.folder import Folder

Outcome = Literal["same bytes", "same content", "differs"]


@dataclass(frozen=True)
class Rebuilt:
    """One granule and what came of it."""

    name: str
    outcome: Outcome


def rebuild(folder: Folder, workspace: Path, sample: int, memory_bytes: int, progress: Progress) -> list[Rebuilt]:
    """Build `sample` granules again, chosen by the manifest's own hash, in a temporary folder.

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
    """
    from vadose.producer.training.models import load_model

    recipe = folder.recipe()
    entries = [entry for entry in folder.manifest()["files"] if entry["role"] == "granule"]
    chosen = random.Random(file_sha256(folder.path / "manifest.json")).sample(entries, min(sample, len(entries)))
    days = [np.datetime64(parse_name(Path(entry["path"]).name).day, "D") for entry in chosen]
    cube = open_cube(workspace / "cubes" / f"{recipe.cube}.zarr")
    models = workspace / "models" / recipe.recipe
    model = load_model(models, recipe.predictors)
    origin = recorded_identity(recipe, folder.path)
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / folder.root.name / folder.path.name
        build(
            recipe,
            cube,
            model,
            models,
            target,
            memory_bytes,
            progress,
            days,
            made_by=Software(origin.software, origin.commit),
        )
        return [Rebuilt(Path(entry["path"]).name, _outcome(target / entry["path"], entry)) for entry in chosen]


def _outcome(path: Path, entry: dict[str, str]) -> Outcome:
    if file_sha256(path) == entry["sha256"]:
        return "same bytes"
    return "same content" if read_granule(path).content_sha256 == entry["content_sha256"] else "differs"
