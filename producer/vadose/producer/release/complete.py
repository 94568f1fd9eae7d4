"""`vadose release`: all other files of a version beside its granules, then the gate. May be repeated."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vadose.common import GateError, InputError, Progress, file_sha256, read_json
from vadose.producer.lock import only_one
from vadose.producer.provenance import as_json, recorded_identity
from vadose.producer.recipe import Recipe
from vadose.producer.release.changelog import change_log
from vadose.producer.release.checks import read_context
from vadose.producer.release.coverage import coverage_csv
from vadose.producer.release.differences import difference, granule_paths
from vadose.producer.release.documents import documents
from vadose.producer.release.folder import MANIFEST, Folder, published_granules
from vadose.producer.release.gate import Result, gate, write_gate
from vadose.producer.release.lineage import OVERLAP
from vadose.producer.release.manifest import environment_lock, make_manifest, previous_version, write_manifest
from vadose.producer.release.origins import earlier_origins
from vadose.producer.release.origins import previous as note_of
from vadose.producer.release.quicklook import quicklooks
from vadose.producer.release.rechunked import METADATA, cube_name, update_cube
from vadose.producer.release.references import write_years
from vadose.producer.release.stac import COLLECTION, stac
from vadose.producer.release.survey import Surveyed, survey

VALIDATION = "quality/validation"
# Station values may not be passed on, so match-ups stay in the workspace.
FROM_RUN = ("run.json", "stations.parquet", "scores.parquet", "comparisons.parquet", "verdict.json")


@dataclass(frozen=True)
class Completed:
    """A version that is complete: its manifest's hash and the gate's results."""

    folder: Folder
    manifest_sha256: str
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(result.passed for result in self.results)


def complete(recipe: Recipe, directory: Path, run: Path, progress: Progress) -> Completed:
    """Write all names of a release beside its granules, then the gate's result.

    Parameters
    ----------
    recipe
        The recipe; it must be the one that the version was built from.
    directory
        The version folder, with granules.
    run
        The folder of the validation run.
    progress
        Where to report.

    Raises
    ------
    GateError
        If the version is published and anything would change, or another process works on it.
    InputError
        If there are no granules or the run is not finished.
    """
    folder = Folder(directory)
    if folder.recipe() != recipe:
        raise InputError(
            "the granules were built from another recipe", where=str(directory), next=f"vadose build {recipe.recipe}"
        )
    if folder.published:
        return _published(folder, run)
    with only_one(directory, "completed"):
        return _complete(recipe, folder, run, progress)


def _complete(recipe: Recipe, folder: Folder, run: Path, progress: Progress) -> Completed:
    directory = folder.path
    identity = recorded_identity(recipe, directory)
    paths = granule_paths(folder)
    if not paths:
        raise InputError("no granules", where=str(directory), next=f"vadose build {recipe.recipe}")
    copy_run(folder, run)
    context = read_context(directory, recipe)
    surveyed = survey(context, paths, progress)
    write_side_files(folder, recipe, surveyed, progress)
    progress.say("manifest and gate")
    manifest = make_manifest(folder, recipe, identity, {item.path: item.entry for item in surveyed})
    sha256 = write_manifest(folder, manifest)
    results = gate(folder, recipe, surveyed)
    write_gate(folder, recipe, results)
    return Completed(folder, sha256, tuple(results))


def _published(folder: Folder, run: Path) -> Completed:
    """A published version stays as it is; another run is refused."""
    for name in FROM_RUN:
        mine, other = folder.path / VALIDATION / name, run / name
        if mine.is_file() and other.is_file() and mine.read_bytes() != other.read_bytes():
            raise GateError(
                f"version {folder.version} is published with another {name}", where=str(folder.path),
                next="raise product.version and product.issued in the recipe and build again",
            )  # fmt: skip
    checks = read_json(folder.path / "gate.json")["checks"]
    results = tuple(Result(item["check"], list(item["reasons"]), item["waiver"]) for item in checks)
    return Completed(folder, file_sha256(folder.path / MANIFEST), results)


def repeat_gate(path: Path, progress: Progress) -> list[Result]:
    """The whole gate again, on a version or a copy of it; nothing is written."""
    folder = Folder(path)
    recipe = folder.recipe()
    context = read_context(path, recipe)
    return gate(folder, recipe, survey(context, published_granules(folder.manifest()), progress))


def copy_run(folder: Folder, run: Path) -> None:
    """The run's tables and diagnostics, without match-ups."""
    if not (run / "run.json").is_file():
        raise InputError("no finished run", where=str(run), next="vadose validate --recipe RECIPE …")
    shutil.rmtree(folder.path / VALIDATION, ignore_errors=True)
    diagnostics = sorted((run / "diagnostics").rglob("*")) if (run / "diagnostics").is_dir() else []
    for path in [run / name for name in FROM_RUN] + diagnostics:
        if path.is_file():
            folder.put(f"{VALIDATION}/{path.relative_to(run).as_posix()}", path.read_bytes())


def write_side_files(folder: Folder, recipe: Recipe, surveyed: Sequence[Surveyed], progress: Progress) -> None:
    """Documents, coverage, difference, references and quicklooks."""
    previous = previous_version(folder)
    changed: dict[str, Any] | None = None
    if previous is not None:
        changed = difference(Folder(folder.root / f"v{previous}"), folder)
        folder.put("quality/diff.json", as_json(changed))
    overlap = folder.path / OVERLAP
    issues = folder.root / "KNOWN_ISSUES.md"
    ways = write_ways(folder, recipe, surveyed, previous, progress)
    texts = documents(
        recipe, surveyed, read_json(folder.path / "provenance" / "inputs.json"), ways, previous=previous,
        change_log=change_log(
            recipe, previous, changed, note=note_of(folder.path),
            overlap=read_json(overlap) if overlap.is_file() else None,
        ),
        issues=issues.read_text(encoding="utf-8") if issues.is_file() else None,
    )  # fmt: skip
    texts |= {"quality/coverage.csv": coverage_csv([item.coverage for item in surveyed])}
    texts |= {"provenance/environment.lock": environment_lock()}
    for name, text in texts.items():
        folder.put(name, text)
    made = list(quicklooks(surveyed))
    for name, image in progress.track(made, "quicklooks"):
        folder.put(name, image)
    _remove_stale(folder, {name for name, _ in made})


def write_ways(
    folder: Folder, recipe: Recipe, surveyed: Sequence[Surveyed], previous: str | None, progress: Progress
) -> dict[str, str]:
    """Write what leads to all granules: references, cube and STAC; texts of those that a catalogue names, by path."""
    progress.say("references")
    texts = write_years(folder.path, [item.path for item in surveyed])
    issued = {version: origin.recipe.product.issued for version, origin in earlier_origins(folder.path).items()}
    catalogue = stac(recipe, surveyed, issued)
    for name, text in (texts | catalogue).items():
        folder.put(name, text)
    contents = {item.path: str(item.entry["content_sha256"]) for item in surveyed}
    update_cube(recipe, folder, contents, Folder(folder.root / f"v{previous}") if previous else None, progress)
    named = texts | {COLLECTION: catalogue[COLLECTION]}
    if recipe.build.cube:
        root = f"{cube_name(recipe)}/{METADATA}"
        named[root] = (folder.path / root).read_text(encoding="utf-8")
    return named


def _remove_stale(folder: Folder, quicklook_names: set[str]) -> None:
    for name in folder.files():
        if name.startswith("quicklook/") and name not in quicklook_names:
            (folder.path / name).unlink()
