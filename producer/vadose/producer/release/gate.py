"""What must hold before a version may be published; the result is `gate.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from vadose.common import file_sha256, read_json
from vadose.producer.granules.header import granule_name
from vadose.producer.granules.names import parse_name
from vadose.producer.granules.periods import as_date, product_periods
from vadose.producer.provenance import as_json
from vadose.producer.recipe import Recipe, unknown_word
from vadose.producer.release import checker, coverage, lineage, readers, schemas
from vadose.producer.release.folder import GATE, MANIFEST, SUMS, UNLISTED, Folder, order, published_granules
from vadose.producer.release.survey import Surveyed

LISTED_REASONS = 20
WAIVERS = "waivers_in_force"
REQUIRED_NAMES = (
    "README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "KNOWN_ISSUES.md", "datacite.json", "stac/collection.json",
    "dataset.jsonld", "provenance/inputs.json", "provenance/recipe.yaml", "provenance/model.json",
    "provenance/software.json",
    "provenance/environment.lock", "provenance/prov.json", "quality/coverage.csv", "quality/validation/run.json",
    "quality/validation/verdict.json", "quality/validation/scores.parquet",
)  # fmt: skip
DATED_NAMES = ("README.md", "CITATION.cff", "CHANGELOG.md", "datacite.json", "dataset.jsonld", "stac/collection.json")


@dataclass
class Result:
    """One check: the reasons why it failed, none if it passed."""

    check: str
    reasons: list[str] = field(default_factory=list)
    waiver: str | None = None

    @property
    def passed(self) -> bool:
        """Whether it passed, or has a waiver."""
        return not self.reasons or self.waiver is not None

    def as_json(self) -> dict[str, Any]:
        """For `gate.json`: the first reasons, and how many there are."""
        return {
            "check": self.check, "passed": self.passed, "failures": len(self.reasons),
            "reasons": self.reasons[:LISTED_REASONS], "waiver": self.waiver,
        }  # fmt: skip


def gate(folder: Folder, recipe: Recipe, surveyed: Sequence[Surveyed]) -> list[Result]:
    """All checks of a version whose manifest is written.

    Parameters
    ----------
    folder, recipe
        The version and its recipe.
    surveyed
        One pass over its granules.
    """
    manifest = folder.manifest()
    paths = [item.path for item in surveyed]
    results = list(granule_results(surveyed))
    results += [
        Result("compliance_checker", list(checker.check(folder.path, checker.chosen(surveyed)))),
        Result("readers", list(readers.check(folder.path, recipe, paths))),
        Result("days", list(expected_periods(recipe, manifest))),
        Result("header_equality", list(equal_headers(surveyed))),
        Result("day_outlier", list(coverage.outliers([item.coverage for item in surveyed]))),
        Result("day_step", list(coverage.steps(in_time([item.coverage for item in surveyed])))),
        Result("run_granules", list(run_granules(folder, manifest))),
        Result("verdict", list(verdict(folder))),
        Result("licence", list(licences(recipe))),
        Result("names", list(names(folder, recipe))),
        Result("schemas", list(schemas.check(folder.path))),
        Result("listed_files", list(listed_files(folder, manifest))),
        Result("previous_version", list(previous_files(folder, manifest))),
        Result("version_number", list(lineage.check(folder, manifest))),
        Result("stream_overlap", list(lineage.overlap(folder, recipe))),
        Result("references", list(references(folder, manifest))),
        Result("cube", list(cube(folder, recipe, manifest))),
    ]
    results.append(Result(WAIVERS, list(wrong_waivers(recipe, {result.check for result in results}))))
    excuse(results, recipe)
    return results


def excuse(results: Sequence[Result], recipe: Recipe) -> None:
    """Give each result the waiver that is in force for it; the check of the waivers themselves has none."""
    now = order(recipe.product.version)
    waivers = {waiver.check: waiver.reason for waiver in recipe.waivers if now < order(waiver.expires)}
    for result in results:
        result.waiver = waivers.get(result.check) if result.check != WAIVERS else None


def write_gate(folder: Folder, recipe: Recipe, results: Sequence[Result]) -> dict[str, Any]:
    """Write `gate.json`; it names the manifest that it is about."""
    document = {
        "schema_version": 1, "product_id": recipe.product.id, "version": recipe.product.version,
        "manifest_sha256": file_sha256(folder.path / MANIFEST), "passed": all(result.passed for result in results),
        "checks": [result.as_json() for result in results], "not_asked": readers.missing_programs(),
        "waivers": [waiver.model_dump() for waiver in recipe.waivers],
    }  # fmt: skip
    folder.put(GATE, as_json(document))
    return document


def in_time(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of coverage in the order of their days; those of two streams follow each other by path."""
    return sorted(rows, key=lambda row: str(row["day"]))


def granule_results(surveyed: Sequence[Surveyed]) -> Iterator[Result]:
    """One result for each check of granules, with the granules that failed it."""
    from vadose.producer.release.checks import CHECKS

    for name in (*(name for name, _ in CHECKS), "size"):
        yield Result(
            name,
            [f"{Path(item.path).name}: {why}" for item in surveyed for check, why in item.problems if check == name],
        )


def expected_periods(recipe: Recipe, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Expected days or months minus manifest, and the other way round; none twice, each in its stream."""
    days = {as_date(first) for first in product_periods(recipe.product)}
    expected = {(day, recipe.product.stream_of(day)): granule_name(recipe.product, np.datetime64(day, "D")).text
                for day in days}  # fmt: skip
    found: dict[tuple[date, str], str] = {}
    for path in published_granules(manifest):
        name = parse_name(Path(path).name)
        if (name.day, name.stream) not in expected or name.product != recipe.product.token:
            yield f"{name.text} is not expected"
        elif (name.day, name.stream) in found:
            yield f"{found[name.day, name.stream]} and {name.text} are of the same period"
        found[name.day, name.stream] = name.text
    yield from (f"no granule {expected[key]}" for key in sorted(set(expected) - set(found)))


def equal_headers(surveyed: Sequence[Surveyed]) -> Iterator[str]:
    """All headers are equal apart from the closed list."""
    kinds: dict[str, str] = {}
    for item in surveyed:
        kinds.setdefault(str(item.entry["header_sha256"]), item.path)
    for path in list(kinds.values())[1:]:
        yield f"{Path(path).name} has another header than {Path(surveyed[0].path).name}"


def run_granules(folder: Folder, manifest: Mapping[str, Any]) -> Iterator[str]:
    """The run saw exactly these granules."""
    path = folder.path / "quality" / "validation" / "run.json"
    if not path.is_file():
        yield "the release has no run"
        return
    run = read_json(path)
    ours = run["products"][run["roles"]["product"]]
    kind = str(ours["content"]).rpartition(" ")[0]
    expected = granules_content(manifest, sizes_only=kind != "files")
    if ours["content"] != expected:
        count = len(published_granules(manifest))
        yield (
            f"the run saw {ours['files']} granules ({ours['content'][-12:]}), the release has {count} "
            f"({expected[-12:]}); validate again"
        )


def granules_content(manifest: Mapping[str, Any], *, sizes_only: bool) -> str:
    """The word for the granules' content that a run writes into `run.json`, from the manifest.

    A hash over one line for each granule in the order of names: name and SHA-256, or name and size for products
    that are too large to be hashed by every run.
    """
    granules = [entry for entry in manifest["files"] if entry["role"] == "granule" and entry["status"] == "published"]
    digest = hashlib.sha256()
    for entry in sorted(granules, key=lambda entry: Path(entry["path"]).name):
        digest.update(f"{Path(entry['path']).name} {entry['bytes'] if sizes_only else entry['sha256']}\n".encode())
    return f"{'names and sizes' if sizes_only else 'files'} {digest.hexdigest()}"


def verdict(folder: Folder) -> Iterator[str]:
    """No required gate of the run failed without a waiver."""
    path = folder.path / "quality" / "validation" / "verdict.json"
    if not path.is_file():
        yield "the run has no verdict.json"
        return
    document = read_json(path)
    for item in document["gates"]:
        failed = item.get("applicable", True) and not item["passed"] and item.get("level") == "required"
        if failed and not item.get("waiver"):
            yield f"{item['name']}: {item.get('reason', '')} (figure {item.get('figure')}, limit {item.get('limit')})"
    if not document["passed"] and not document["gates"]:
        yield "the run did not pass"


def licences(recipe: Recipe) -> Iterator[str]:
    """A published product allows nothing that one of its inputs does not; an unknown licence allows nothing."""
    if not recipe.product.publish:
        return
    for source in recipe.inputs:
        if not source.passing_on:
            yield f"{source.name} ({source.licence}) does not allow passing on derived data"
        if allows_commercial_use(recipe.product.licence) and not source.commercial_use:
            yield f"{source.name} ({source.licence}) does not allow commercial use, {recipe.product.licence} does"


def allows_commercial_use(licence: str) -> bool:
    """Whether a licence, by its SPDX name, allows commercial use."""
    return "NC" not in licence.upper().replace("_", "-").split("-") and "NON-COMMERCIAL" not in licence.upper()


def names(folder: Folder, recipe: Recipe) -> Iterator[str]:
    """Every required name is there, JSON is valid, documents name the right version."""
    for name in REQUIRED_NAMES:
        if not (folder.path / name).is_file():
            yield f"{name} is missing"
    for path in folder.files():
        if path.endswith((".json", ".jsonld")):
            try:
                json.loads((folder.path / path).read_text(encoding="utf-8"))
            except (UnicodeDecodeError, json.JSONDecodeError) as error:
                yield f"{path} is not valid JSON: {error}"
    for name in DATED_NAMES:
        place = folder.path / name
        if place.is_file() and recipe.product.version not in place.read_text(encoding="utf-8"):
            yield f"{name} does not name version {recipe.product.version}"


def listed_files(folder: Folder, manifest: Mapping[str, Any]) -> Iterator[str]:
    """No file outside the manifest, and none in it that is not there."""
    listed = {entry["path"] for entry in manifest["files"] if entry["status"] == "published"}
    found = {path for path in folder.files() if path not in UNLISTED}
    yield from (f"{path} is not in the manifest" for path in sorted(found - listed))
    yield from (f"{path} is in the manifest and not in the folder" for path in sorted(listed - found))
    if not (folder.path / SUMS).is_file():
        yield f"{SUMS} is missing"


def previous_files(folder: Folder, manifest: Mapping[str, Any]) -> Iterator[str]:
    """In a MINOR or PATCH, every granule shared with the previous version has the same bytes."""
    previous = manifest["previous"]
    if previous is None or order(previous)[0] != order(folder.version)[0]:
        return
    path = folder.root / f"v{previous}" / MANIFEST
    if not path.is_file():
        yield f"the manifest of the previous version {previous} is missing"
        return
    before = {
        Path(entry["path"]).name: entry["sha256"] for entry in read_json(path)["files"] if entry["role"] == "granule"
    }
    for entry in manifest["files"]:
        name = Path(entry["path"]).name
        if name in before and before[name] != entry["sha256"]:
            yield f"{name} has other bytes than in version {previous}"


def references(folder: Folder, manifest: Mapping[str, Any]) -> Iterator[str]:
    """References equal the granules, variable by variable, type and value, in the first and last day of each year."""
    from vadose.producer.release.references import compare

    yield from compare(folder.path, published_granules(manifest))


def cube(folder: Folder, recipe: Recipe, manifest: Mapping[str, Any]) -> Iterator[str]:
    """The cube, where the recipe asks for one, equals the granules in type, attribute and value."""
    from vadose.producer.release.rechunked import Plan, compare

    if recipe.build.cube:
        listed = (entry for entry in manifest["files"] if entry["role"] == "granule")
        published = {entry["path"]: entry["content_sha256"] for entry in listed if entry["status"] == "published"}
        yield from compare(Plan(folder, recipe, published))


def wrong_waivers(recipe: Recipe, checks: Set[str]) -> Iterator[str]:
    """No waiver has expired, and each names a check of this gate or of the validation run."""
    known = {*checks, *(gate.name for gate in recipe.gates)}
    for waiver in recipe.waivers:
        if order(waiver.expires) <= order(recipe.product.version):
            yield f"the waiver for {waiver.check} expired with version {waiver.expires}"
        if waiver.check not in known:
            yield unknown_word(waiver.check, known, "check in a waiver")


def failures(results: Iterable[Result]) -> list[str]:
    """Failed checks in words, one line each."""
    return [
        f"{r.check}: {r.reasons[0]}{f' (and {len(r.reasons) - 1} more)' if len(r.reasons) > 1 else ''}"
        for r in results
        if not r.passed
    ]
