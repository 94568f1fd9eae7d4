"""A run: one validation, its directory whole or not at all; a finished run is never done again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vadose.common import Progress, UsageError, read_json, silent, whole_directory
from vadose.validation import further
from vadose.validation.evidence import evidence_of
from vadose.validation.gates import verdict
from vadose.validation.hidden import hidden_values
from vadose.validation.matching import Reference, cell_reference, station_references
from vadose.validation.opening import Opened, open_all
from vadose.validation.products import Product
from vadose.validation.run_files import Results, write_run
from vadose.validation.settings import STATIONS, Settings
from vadose.validation.sources import CellSource, MapReference, Streamed, fingerprinted, kept, map_reference, spill
from vadose.validation.stations import open_stations
from vadose.validation.suite import Tables, evaluate


def finished(out: Path, opened: Opened) -> dict[str, Any] | None:
    """The verdict of the same run if it is there; another run in the folder is a `UsageError`."""
    if not (out / "run.json").is_file():
        return None
    if read_json(out / "run.json").get("fingerprint") != opened.fingerprint:
        raise UsageError(
            "the folder holds another run", where=str(out), why="product, stations, recipe or settings differ",
            next="choose another --out, or remove the folder",
        )  # fmt: skip
    found: dict[str, Any] = read_json(out / "verdict.json")
    return found


def run_validation(
    settings: Settings, out: Path, progress: Progress = silent, opened: Opened | None = None
) -> dict[str, Any]:
    """Carry out a validation and write its run directory; return the verdict.

    Parameters
    ----------
    settings
        What is compared with what.
    out
        The run directory; it appears whole. A finished run of the same inputs is only read.
    progress
        Where to report.
    opened
        `open_all(settings)` if the caller has it already.
    """
    opened = opened or open_all(settings)
    before = finished(out, opened)
    if before is not None:
        progress.say(f"{out} is finished")
        return before
    work = fingerprinted(out.with_name(f".{out.name}.work"), opened.fingerprint)
    results = _results(settings, opened, work, progress)
    with whole_directory(out) as part:
        write_run(part, opened, results)
    shutil.rmtree(work.parent)
    return results.verdict


def _results(settings: Settings, opened: Opened, work: Path, progress: Progress) -> Results:
    one = opened.suite
    stations = _station_references(settings, opened)
    small, large = _gridded_references(settings, opened, stations, work, progress)
    read = kept(one.products, [*stations, *small], work, progress) if stations or small else None
    tables: dict[str, Tables] = {}
    for reference in [*stations, *small]:
        assert read is not None, "what was read belongs to these references"
        tables[reference.name] = evaluate(one, reference, read, progress)
    for source in large:
        spilled = _spilled([*one.products], work, progress)
        tables[source.name] = evaluate(one, source, Streamed(one.products, spilled), progress)
    target = opened.recipe.target if opened.recipe else None
    taught = next((product.name for product in opened.references if product.variable == target), None)
    found = further.analyse(opened, tables, progress)
    evidence = evidence_of(one, tables, taught, found.trends, hidden_values(settings, one, stations, progress))
    judged = verdict(
        opened.recipe.gates if opened.recipe else (), evidence, opened.recipe.waivers if opened.recipe else ()
    )
    return Results(tables, judged, evidence.headline[0], found)


def _station_references(settings: Settings, opened: Opened) -> list[Reference]:
    out: list[Reference] = []
    for path in settings.stations:
        name = STATIONS if len(settings.stations) == 1 else f"{STATIONS}-{path.stem}"
        out += station_references(open_stations(path), opened.suite.product, name, settings.options.sensors)
    return out


def _gridded_references(
    settings: Settings, opened: Opened, stations: Sequence[Reference], work: Path, progress: Progress
) -> tuple[list[Reference], list[MapReference]]:
    """Gridded references that fit into memory, read, and those that are streamed."""
    small: list[Reference] = []
    large: list[MapReference] = []
    for other in opened.references:
        source = map_reference(opened.suite.product, other, None)
        if _bytes(source, opened.suite.products) <= settings.memory_bytes / 2:
            small.append(cell_reference(opened.suite.product, other, progress))
        else:
            spilled = _spilled([other], work, progress)
            large.append(replace(source, spilled=spilled.get(other.name)))
    return small, large


def _bytes(source: MapReference, products: Sequence[Product]) -> float:
    """What the series of all products at all cells of a map would take."""
    days = max(product.days_stored for product in (*products, source.product))
    return float(source.flat.size) * days * (len(products) + 1) * 4


def _spilled(products: Sequence[Product], work: Path, progress: Progress) -> dict[str, CellSource]:
    """Copies of the products of many files."""
    many = [product for product in products if len(product.files) > 1]
    return {product.name: spill(product, work, progress) for product in many}
