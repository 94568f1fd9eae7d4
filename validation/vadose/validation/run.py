"""A run: one validation, its directory whole or not at all; a finished run is never done again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vadose.common import InputError, Progress, UsageError, read_json, silent, whole_directory
from vadose.common.allocation import freed_memory_kept
from vadose.validation import further
from vadose.validation.evidence import evidence_of
from vadose.validation.gates import verdict
from vadose.validation.hidden import hidden_values
from vadose.validation.maps import MapComparison, compare_maps, window_of
from vadose.validation.months import MONTHLY
from vadose.validation.opening import Opened, open_all
from vadose.validation.products import Product
from vadose.validation.references import Reference, cell_reference, station_references
from vadose.validation.run_files import Results, write_run
from vadose.validation.settings import STATIONS, Settings
from vadose.validation.sources import (
    CellSource,
    Kept,
    MapReference,
    Streamed,
    fingerprinted,
    kept,
    map_reference,
    spill,
    streamed,
    taken,
)
from vadose.validation.stations import open_stations
from vadose.validation.suite import MANY_CELLS, evaluate
from vadose.validation.tables import Tables


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
    with freed_memory_kept():
        results = _results(settings, opened, work, progress)
    with whole_directory(out) as part:
        write_run(part, opened, results)
    shutil.rmtree(work.parent)
    return results.verdict


def _results(settings: Settings, opened: Opened, work: Path, progress: Progress) -> Results:
    one = opened.suite
    stations = _station_references(settings, opened)
    small, large = _gridded_references(settings, opened, work, progress)
    references = [*stations, *small]
    read = kept(one.products, references, work, progress) if references else None
    spilled = _spilled(one.products, work, progress) if large else {}
    tables: dict[str, Tables] = {}
    compared: dict[str, MapComparison] = {}
    left_out: dict[str, str] = {}
    for reference in references:
        assert read is not None, "what was read belongs to these references"
        try:
            tables[reference.name] = evaluate(one, reference, read, progress)
        except InputError as error:
            # One class of stations without a common day is no reason to lose the others.
            if reference.kind == "cells" or len(references) + len(large) == 1:
                raise
            progress.say(f"{reference.name} is left out: {error}")
            left_out[reference.name] = str(error)
    for source in large:
        tables[source.name] = evaluate(one, source, Streamed(one.products, spilled), progress)
    if settings.maps:
        for other in opened.references:
            found = _maps(other, opened, tables[other.name], read, small, spilled, progress)
            compared |= {other.name: found} if found is not None else {}
    if not tables:
        raise InputError("nothing could be compared", why="; ".join(left_out.values()))
    target = opened.recipe.target if opened.recipe else None
    taught = next((product.name for product in opened.references if product.variable == target), None)
    more = further.analyse(one, tables, compared, progress)
    evidence = evidence_of(one, tables, taught, more.trends or None, hidden_values(settings, one, stations, progress))
    judged = verdict(
        opened.recipe.gates if opened.recipe else (), evidence, opened.recipe.waivers if opened.recipe else ()
    )
    more.notes["references_left_out"] = left_out
    return Results(tables, judged, evidence.headline[0], more)


def _maps(
    other: Product, opened: Opened, tables: Tables, read: Kept | None, small: Sequence[Reference],
    spilled: Mapping[str, CellSource], progress: Progress,
) -> MapComparison | None:  # fmt: skip
    """Maps of the products with values against one gridded reference; None where one is no map."""
    products = [opened.suite.products[row] for row in tables.present if row < len(opened.suite.products)]
    held = next((one for one in small if one.name == other.name), None)
    cells = {product.name: product.all_cells() for product in (*products, other)}
    take = streamed(spilled)
    if held is not None and held.flat is not None:
        assert read is not None, "a small reference was read"
        cells = {product.name: read.read[product.name].cells for product in products} | {other.name: held.flat}
        take = taken(read.read, small)
    windows = [window_of(product, cells[product.name]) for product in (*products, other)]
    known = [one for one in windows if one is not None]
    if len(known) < len(windows) or len(known) < 2:
        return None
    return compare_maps(known, take, tables.days, progress)


def _station_references(settings: Settings, opened: Opened) -> list[Reference]:
    out: list[Reference] = []
    for path in settings.stations:
        name = STATIONS if len(settings.stations) == 1 else f"{STATIONS}-{path.stem}"
        out += station_references(open_stations(path), opened.suite.product, name, settings.options.sensors)
    return [one.of_months() for one in out] if opened.suite.product.step == MONTHLY else out


def _gridded_references(
    settings: Settings, opened: Opened, work: Path, progress: Progress
) -> tuple[list[Reference], list[MapReference]]:
    """Gridded references that fit into memory, read, and those that are streamed."""
    small: list[Reference] = []
    large: list[MapReference] = []
    for other in opened.references:
        source = map_reference(opened.suite.product, other, None)
        fits = _bytes(source, opened.suite.products) <= settings.memory_bytes / 2
        if fits and source.flat.size <= MANY_CELLS:
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
