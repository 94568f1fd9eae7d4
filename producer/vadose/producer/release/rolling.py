"""The rolling folder of stream NRT: new granules pass the gate once, old ones leave when they have long been final."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vadose.common import GateError, InputError, Progress, UsageError, file_sha256, read_json
from vadose.producer.build.rolling import origin_name
from vadose.producer.granules.header import FORMAT_VERSION
from vadose.producer.granules.names import parse_name
from vadose.producer.granules.reading import read_attributes
from vadose.producer.lock import only_one
from vadose.producer.provenance import FOLDER, as_json, recorded_identity
from vadose.producer.recipe import Recipe
from vadose.producer.release import checker, readers, schemas
from vadose.producer.release.checks import Context, read_domain
from vadose.producer.release.citing import how_to_cite
from vadose.producer.release.documents import licence
from vadose.producer.release.finals import final_periods
from vadose.producer.release.folder import GATE, MANIFEST, SUMS, UNLISTED, Folder
from vadose.producer.release.gate import Result, excuse, granule_results, licences
from vadose.producer.release.manifest import SCHEMA_VERSION, environment_lock, role, write_manifest
from vadose.producer.release.quicklook import FOLDER as QUICKLOOK
from vadose.producer.release.quicklook import png, with_bar
from vadose.producer.release.survey import Surveyed, survey

LIFETIME = np.timedelta64(90, "D")
READ_ONLY = 0o444


@dataclass(frozen=True)
class Roll:
    """What came of a roll: the gate's results, granules that came in and that left."""

    folder: Folder
    results: tuple[Result, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(result.passed for result in self.results)


def roll(recipe: Recipe, directory: Path, progress: Progress, *, dry_run: bool = False) -> Roll:
    """Check and list what is new in `nrt/`, and remove what has had its final granule for 90 days.

    The days are counted to the recipe's `issued`, never to the clock. If a check fails nothing changes. Where nothing
    is new nothing is written, unless `gate.json` is not of this manifest: then all granules are checked again.

    Raises
    ------
    UsageError
        If the recipe is of another stream.
    GateError
        If the recipe says `publish: false`, or another process works on the folder.
    InputError
        If there is no granule, or one that was issued is not there any more or has other bytes.
    """
    if recipe.product.stream != "NRT":
        raise UsageError(
            f"stream {recipe.product.stream} is released in versions, only NRT rolls",
            next=f"vadose release {recipe.recipe} --run RUN",
        )
    if not recipe.product.publish:
        raise GateError("the recipe says publish: false", where=str(directory), why=recipe.product.licence)
    with only_one(directory, "rolled"):
        return _roll(recipe, Folder(directory), progress, dry_run)


def _roll(recipe: Recipe, folder: Folder, progress: Progress, dry_run: bool) -> Roll:
    known = {entry["path"]: entry for entry in _listed(folder) if entry["role"] == "granule"}
    _check_issued(folder, known)
    paths = [path for path in folder.files() if path.endswith(".nc") and not path.startswith("static/")]
    if not paths:
        raise InputError("no granules", where=str(folder.path), next=f"vadose build {recipe.recipe}")
    leaving = set(_expired(recipe, folder, {*paths, *known}))
    new = [path for path in paths if path not in known and path not in leaving]
    gated = _is_gated(folder)
    again = [] if gated else [path for path in paths if path in known and path not in leaving]
    surveyed = list(_surveyed(folder, sorted([*new, *again]), progress))
    results = tuple(_results(recipe, folder, surveyed, known))
    changes = bool(new or leaving) or not gated
    if all(result.passed for result in results) and changes and not dry_run:
        entries = {path: entry for path, entry in known.items() if path not in leaving}
        _write(recipe, folder, surveyed, entries, leaving)
        write_gate(folder, results)
    return Roll(folder, results, tuple(new), tuple(sorted(leaving)))


def _is_gated(folder: Folder) -> bool:
    """Whether the last roll came to its end: its `gate.json` names the manifest that is there."""
    if not ((folder.path / GATE).is_file() and (folder.path / MANIFEST).is_file()):
        return False
    return bool(read_json(folder.path / GATE).get("manifest_sha256") == folder.manifest_sha256)


def _listed(folder: Folder) -> list[dict[str, Any]]:
    return list(folder.manifest()["files"]) if (folder.path / MANIFEST).is_file() else []


def _check_issued(folder: Folder, known: dict[str, dict[str, Any]]) -> None:
    """A granule that was issued is there with its bytes."""
    for path, entry in known.items():
        place = folder.path / path
        if entry["status"] == "published" and (not place.is_file() or file_sha256(place) != entry["sha256"]):
            raise InputError(
                f"{place.name} was issued and {'has other bytes' if place.is_file() else 'is missing'}",
                where=str(place), why="a day of stream NRT is produced once", next="restore it from a copy",
            )  # fmt: skip


def _expired(recipe: Recipe, folder: Folder, paths: set[str]) -> Iterator[str]:
    """Granules whose period had its final granule 90 days or more before the recipe's `issued`."""
    now = _time(recipe.product.issued)
    final = final_periods(folder.root)
    for path in paths:
        first = np.datetime64(parse_name(PurePosixPath(path).name).day, "D")
        if first in final and _time(final[first]) + LIFETIME <= now:
            yield path


def _time(stamp: str) -> np.datetime64:
    return np.datetime64(stamp.removesuffix("Z"), "s")


def _origin(folder: Folder, path: str) -> str:
    """Folder below `provenance/` of what a granule was made from."""
    found = read_attributes(folder.path / path, ("history", "input_manifest_sha256"))
    return origin_name(found["history"], found["input_manifest_sha256"]) if found else "none"


def _surveyed(folder: Folder, paths: Sequence[str], progress: Progress) -> Iterator[Surveyed]:
    """The new granules, each compared with what it was made from."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        groups.setdefault(f"{FOLDER}/{_origin(folder, path)}", []).append(path)
    for place, group in sorted(groups.items()):
        if not (folder.path / place).is_dir():
            raise InputError(
                f"{PurePosixPath(group[0]).name} was made from what no build here used",
                where=str(folder.path),
                next="remove it and build again",
            )
        recipe = folder.recipe(place)
        domain = read_domain(folder.path, recipe)
        context = Context(folder.path, recipe, recorded_identity(recipe, folder.path, place), domain)
        yield from survey(context, group, progress)


def _results(
    recipe: Recipe, folder: Folder, surveyed: Sequence[Surveyed], known: dict[str, dict[str, Any]]
) -> Iterator[Result]:
    """The checks of granules, of what other programs make of them, of headers and licences."""
    paths = [item.path for item in surveyed]
    found = [*granule_results(surveyed), Result("licence", list(licences(recipe)))]
    if paths:
        found.append(Result("compliance_checker", list(checker.check(folder.path, checker.chosen(surveyed)))))
        found.append(Result("readers", list(readers.check(folder.path, recipe, paths))))
    headers: dict[str, str] = {}
    unlike = Result("header_equality")
    for entry in (*known.values(), *(item.entry for item in surveyed)):
        if headers.setdefault(entry["since"], entry["header_sha256"]) != entry["header_sha256"]:
            unlike.reasons.append(f"{PurePosixPath(entry['path']).name} has another header than those issued before")
    found.append(unlike)
    excuse(found, recipe)
    yield from found


def _write(
    recipe: Recipe, folder: Folder, surveyed: Sequence[Surveyed], entries: dict[str, dict[str, Any]], leaving: set[str]
) -> None:
    """Pictures and documents, then manifest and sums; what leaves is deleted last."""
    for item in surveyed:
        folder.put(_picture(item.path), png(with_bar(item.picture)))
    folder.put("README.md", readme(recipe))
    folder.put("LICENSE", licence(recipe))
    folder.put(f"{FOLDER}/environment.lock", environment_lock())
    entries = {**entries, **{item.path: item.entry for item in surveyed}}
    write_listing(recipe, folder, entries)
    staying = {path for path, entry in entries.items() if entry["status"] == "published"}
    for path in leaving:
        (folder.path / path).unlink(missing_ok=True)
        (folder.path / _picture(path)).unlink(missing_ok=True)
    _drop_origins(folder, staying)
    for path in staying:
        (folder.path / path).chmod(READ_ONLY)


def _picture(path: str) -> str:
    return f"{QUICKLOOK}/{PurePosixPath(path).with_suffix('.png')}"


def _drop_origins(folder: Folder, staying: set[str]) -> None:
    used = {_origin(folder, path) for path in staying}
    for place in (folder.path / FOLDER).iterdir():
        if place.is_dir() and place.name not in used:
            shutil.rmtree(place)


def write_listing(recipe: Recipe, folder: Folder, entries: dict[str, dict[str, Any]]) -> None:
    """Manifest and sums of the granules `entries` and of the side files that belong to them."""
    present = sorted(path for path, entry in entries.items() if entry["status"] == "published")
    if not present:
        raise InputError("no granule would be left", where=str(folder.path), next="build a newer day first")
    newest = f"{FOLDER}/{_origin(folder, present[-1])}"
    own = recorded_identity(recipe, folder.path, newest)
    origins = {_origin(folder, path) for path in present}
    days = sorted(parse_name(PurePosixPath(path).name).day for path in present)
    files = [*entries.values(), *(_side_file(recipe, folder, path) for path in _side_files(folder, present, origins))]
    manifest = {
        "schema_version": SCHEMA_VERSION, "product_id": recipe.product.id, "version": recipe.product.version,
        "previous": None, "format_version": FORMAT_VERSION, "issued": recipe.product.issued,
        "code": {"vadose": own.software, "commit": own.commit},
        "hardware": read_json(folder.path / newest / "software.json")["hardware"], "writer": recipe.build.writer,
        "recipe_sha256": own.recipe_sha256, "model_sha256": own.model_sha256, "inputs_sha256": own.inputs_sha256,
        "environment_sha256": file_sha256(folder.path / FOLDER / "environment.lock"),
        "expected": {recipe.product.step: [str(day)[: 7 if recipe.product.step == "monthly" else 10]
                                           for day in (days[0], days[-1])]},
        "files": sorted(files, key=lambda entry: str(entry["path"])),
    }  # fmt: skip
    wrong = schemas.faults("manifest.json", manifest)
    if wrong:
        raise AssertionError(f"the manifest does not follow its schema: {wrong[0]}")
    write_manifest(folder, manifest)


def _side_files(folder: Folder, present: Sequence[str], origins: set[str]) -> Iterator[str]:
    """Files beside the granules that go on belonging to the folder."""
    pictures = {_picture(path) for path in present}
    for path in folder.files():
        parts = PurePosixPath(path).parts
        if path in UNLISTED or (path.endswith(".nc") and parts[0] != "static"):
            continue
        if (parts[0] == QUICKLOOK and path not in pictures) or (
            parts[0] == FOLDER and len(parts) > 2 and parts[1] not in origins
        ):
            continue
        yield path


def _side_file(recipe: Recipe, folder: Folder, path: str) -> dict[str, Any]:
    place = folder.path / path
    return {
        "path": path, "role": role(path), "bytes": place.stat().st_size, "sha256": file_sha256(place),
        "since": recipe.product.version, "status": "published", "replaces": None, "reason": None,
    }  # fmt: skip


def readme(recipe: Recipe) -> str:
    """What the rolling folder is, and for how long its granules stay."""
    product = recipe.product
    early = "\n".join(f"- {source.name}, {source.version}" for source in recipe.inputs if source.preliminary)
    return f"""# {product.title}, stream NRT

Near real time, made from preliminary inputs by the code, model and parameters of version {product.version}. Not for
climate studies: each day is produced once, is never corrected, and leaves this folder 90 days after its final granule
has come out in a version.

Preliminary inputs:

{early}

Licence: {product.licence}

`sha256sum -c {SUMS}`, or `vadose verify .`, checks a copy.

{how_to_cite(recipe)}
"""


def withdraw_rolling(folder: Folder, granule: str, reason: str) -> None:
    """Take a granule out of the rolling folder; its day stays listed with the reason and is not produced again."""
    entries = {entry["path"]: entry for entry in _listed(folder) if entry["role"] == "granule"}
    path = next((path for path in entries if PurePosixPath(path).name == granule), None)
    if path is None:
        raise InputError(
            f"no granule {granule!r} in stream NRT", where=str(folder.path), next="name one of the manifest"
        )
    entries[path] = {**entries[path], "status": "withdrawn", "reason": reason}
    present = [other for other in sorted(entries) if entries[other]["status"] == "published"]
    if not present:
        raise InputError("it is the only granule", where=str(folder.path), next="build and roll a newer day first")
    recipe = folder.recipe(f"{FOLDER}/{_origin(folder, present[-1])}")
    write_listing(recipe, folder, entries)
    (folder.path / path).unlink(missing_ok=True)
    (folder.path / _picture(path)).unlink(missing_ok=True)


def write_gate(folder: Folder, results: Sequence[Result]) -> None:
    """`gate.json` of the last roll that passed."""
    document = {"schema_version": 1, "manifest_sha256": folder.manifest_sha256,
                "passed": all(result.passed for result in results), "checks": [item.as_json() for item in results],
                "not_asked": readers.missing_programs()}  # fmt: skip
    folder.put(GATE, as_json(document))
