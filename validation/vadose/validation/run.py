"""A run directory: one validation, whole or not at all; a finished run is never done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from vadose.common import Progress, UsageError, file_sha256, read_json, silent, whole_directory, write_json
from vadose.validation import comparisons, diagnostics, scores, suite
from vadose.validation.audit import find_ledger
from vadose.validation.cards import Card, load_card
from vadose.validation.gates import verdict
from vadose.validation.matching import Reference, cell_reference, read_cells, station_reference
from vadose.validation.products import Product, open_product
from vadose.validation.recipes import Recipe, load_recipe
from vadose.validation.stations import open_stations

SCHEMA_VERSION = 1
STATIONS = "stations"
LIBRARIES = ("numpy", "pandas", "pyarrow", "xarray", "netCDF4", "zarr")
# Larger products are told apart by the names and sizes of their files.
_HASHED_BYTES = 2 * 10**9


@dataclass(frozen=True)
class Settings:
    """What is compared with what; all paths as given, products as (name, path).

    Attributes
    ----------
    product, previous, rivals, references
        Names and paths; a path may end in `::variable`.
    stations
        Station files.
    recipe
        Name or path of the recipe whose gates are asked.
    cards
        Product cards: `NAME=FILE`, or a file whose `product` is the name of a product.
    models
        Where a `model.json` may lie when the product's provenance has none.
    """

    product: tuple[str, str]
    stations: tuple[Path, ...] = ()
    recipe: str | None = None
    previous: tuple[str, str] | None = None
    rivals: tuple[tuple[str, str], ...] = ()
    references: tuple[tuple[str, str], ...] = ()
    cards: tuple[str, ...] = ()
    models: tuple[Path, ...] = ()
    allow_day_mismatch: bool = False
    seed: int = 0

    @property
    def every_product(self) -> tuple[tuple[str, str], ...]:
        """All names and paths: ours, previous, rivals, references."""
        return (self.product, *([self.previous] if self.previous else []), *self.rivals, *self.references)


@dataclass(frozen=True)
class Opened:
    """Everything that a run reads, opened."""

    suite: suite.Suite
    references: tuple[Product, ...]
    recipe: Recipe | None
    identity: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides the result."""
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()


def open_all(settings: Settings) -> Opened:
    """Open all products and compute what identifies the run.

    Raises
    ------
    UsageError
        Two things with one name, neither stations nor a reference, an unknown recipe or card.
    InputError
        Something is missing or is no soil-moisture product.
    """
    names = [name for name, _ in settings.every_product]
    repeated = sorted({name for name in names if names.count(name) > 1 or name in (STATIONS, "climatology", "")})
    if repeated:
        raise UsageError(f"names {', '.join(map(repr, repeated))} are given twice or kept for other things")
    if not settings.stations and not settings.references:
        raise UsageError("nothing to compare with", next="add --stations FILE or --reference NAME=PATH")
    recipe = load_recipe(settings.recipe) if settings.recipe else None
    cards = _cards(settings.cards, names)
    prefer = recipe.target if recipe else None
    opened = {name: open_product(name, path, cards=cards, prefer=prefer) for name, path in settings.every_product}
    ours = opened[settings.product[0]]
    one = suite.Suite(
        product=ours, previous=opened[settings.previous[0]] if settings.previous else None,
        rivals=tuple(opened[name] for name, _ in settings.rivals), ledger=find_ledger(ours.path, settings.models),
        allow_day_mismatch=settings.allow_day_mismatch, seed=settings.seed,
    )  # fmt: skip
    identity = {
        "schema_version": SCHEMA_VERSION,
        "code": _version("vadose"),
        "products": {name: _described(product) for name, product in opened.items()},
        "roles": {
            "product": settings.product[0], "previous": settings.previous[0] if settings.previous else None,
            "rivals": [name for name, _ in settings.rivals], "references": [name for name, _ in settings.references],
        },
        "stations": {path.name: file_sha256(path) for path in settings.stations if path.is_file()},
        "recipe": {"name": recipe.name, "sha256": recipe.sha256} if recipe else None,
        "ledger": asdict(one.ledger) if one.ledger else None,
        "settings": {"allow_day_mismatch": settings.allow_day_mismatch, "seed": settings.seed},
    }  # fmt: skip
    return Opened(one, tuple(opened[name] for name, _ in settings.references), recipe, identity)


def _cards(given: Sequence[str], names: Sequence[str]) -> dict[str, Card]:
    out: dict[str, Card] = {}
    for text in given:
        name, equals, file = text.partition("=")
        card = load_card(Path(file if equals else text))
        owner = name if equals else card.product
        if owner not in names:
            raise UsageError(
                f"card {text!r} belongs to no product; products: {', '.join(names)}", next="write --card NAME=FILE"
            )
        out[owner] = card
    return out


def _described(product: Product) -> dict[str, Any]:
    """What `run.json` says of a product; two products with equal values have equal descriptions."""
    return {
        "name": product.name, "variable": product.variable, "version": product.version, "doi": product.doi,
        "licence": product.licence, "day_convention": product.day_convention, "depth_class": product.depth_class,
        "layer_m": [None if not np.isfinite(one) else one for one in product.layer],
        "quality": asdict(product.quality) if product.quality else None,
        "files": len(product.files), "content": _content(product),
        "card": product.card.model_dump(mode="json") if product.card else None,
        "differs_from_file": list(product.differs),
    }  # fmt: skip


def _content(product: Product) -> str:
    """Hash of the content: of a cube's identity, else of all files by name; the release gate repeats it.

    The manifest of a release does not count, since it lists the run.
    """
    if product.gathered is not None:
        return f"zarr {file_sha256(product.path / 'zarr.json')}"
    digest = hashlib.sha256()
    small = sum(path.stat().st_size for path in product.files) <= _HASHED_BYTES
    for path in product.files:
        digest.update(f"{path.name} {file_sha256(path) if small else path.stat().st_size}\n".encode())
    return f"{'files' if small else 'names and sizes'} {digest.hexdigest()}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


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
    references = _references(settings, opened, progress)
    read = {product.name: read_cells(product, references, progress) for product in opened.suite.products}
    tables: dict[str, suite.Tables] = {}
    for reference in references:
        tables[reference.name] = suite.evaluate(opened.suite, reference, read, progress)
    target = opened.recipe.target if opened.recipe else None
    taught = next((one.name for one in opened.references if one.variable == target), None)
    evidence = suite.evidence(opened.suite, tables, taught)
    judged = verdict(
        opened.recipe.gates if opened.recipe else (), evidence, opened.recipe.waivers if opened.recipe else ()
    )
    with whole_directory(out) as part:
        _write(part, opened, tables, judged)
    return judged


def _references(settings: Settings, opened: Opened, progress: Progress) -> list[Reference]:
    out = []
    for path in settings.stations:
        name = STATIONS if len(settings.stations) == 1 else f"{STATIONS}-{path.stem}"
        out.append(station_reference(open_stations(path), opened.suite.product, name))
    out += [cell_reference(opened.suite.product, other, progress) for other in opened.references]
    return out


def _write(part: Path, opened: Opened, tables: Mapping[str, suite.Tables], judged: dict[str, Any]) -> None:
    every = list(tables.values())
    write_parquet(scores.tidy(pd.concat([one.scores for one in every], ignore_index=True)), part / "scores.parquet")
    compared = [one.comparisons for one in every if len(one.comparisons)]
    frame = pd.concat(compared, ignore_index=True) if compared else every[0].comparisons
    write_parquet(comparisons.tidy(frame), part / "comparisons.parquet")
    write_parquet(_stations(every), part / "stations.parquet")
    (part / "diagnostics").mkdir()
    curves = pd.concat([one.curves for one in every], ignore_index=True)[list(diagnostics.COLUMNS)]
    write_parquet(curves, part / "diagnostics" / "curves.parquet")
    _write_matchups(every, part / "matchups.nc")
    write_json(part / "verdict.json", judged)
    described = {
        **opened.identity, "fingerprint": opened.fingerprint,
        "references": {name: one.notes for name, one in tables.items()},
        "headline": suite.evidence(opened.suite, tables, None).headline[0],
        "libraries": {name: _version(name) for name in LIBRARIES},
        "funnel": _funnel(every),
    }  # fmt: skip
    write_json(part / "run.json", json.loads(json.dumps(described, default=str)))


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a table without index and without anything that depends on the library's pandas metadata."""
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None), path)


def _stations(every: Sequence[suite.Tables]) -> pd.DataFrame:
    table = pd.concat([one.stations for one in every], ignore_index=True)
    for name in table.columns:
        if name.startswith(("funnel_", "rejected_")):
            table[name] = table[name].fillna(0).astype(np.int64)
        elif table[name].dtype == object:
            table[name] = table[name].fillna("").astype(str)
    return table


def _funnel(every: Sequence[suite.Tables]) -> dict[str, dict[str, int]]:
    out = {}
    for one in every:
        columns = [name for name in one.stations.columns if name.startswith(("funnel_", "rejected_"))]
        out[one.matched.reference.name] = {name: int(one.stations[name].sum()) for name in columns}
    return out


def _write_matchups(every: Sequence[suite.Tables], path: Path) -> None:
    """Values of all series at all stations: our product first, the reference last."""
    names = list(dict.fromkeys(name for one in every for name in one.matched.names))
    first = min(one.matched.reference.days[0] for one in every)
    last = max(one.matched.reference.days[-1] for one in every)
    days = np.arange(first, last + 1)
    parts, ids, references = [], [], []
    for one in every:
        reference = one.matched.reference
        block = np.full((len(names) + 1, len(reference.table), days.size), np.nan, np.float32)
        at = slice(*(int((day - first).astype(int)) for day in (reference.days[0], reference.days[-1] + 1)))
        for row, name in enumerate(one.matched.names):
            block[names.index(name), :, at] = one.matched.values[row]
        block[-1, :, at] = reference.values
        parts.append(block)
        ids += reference.table["station_id"].tolist()
        references += [reference.name] * len(reference.table)
    attributes = {"standard_name": "volume_fraction_of_condensed_water_in_soil", "units": "m3 m-3"}
    time = {"standard_name": "time", "units": "days since 1970-01-01 00:00:00", "calendar": "standard"}
    dataset = xr.Dataset(
        {"values": (("series", "station", "time"), np.concatenate(parts, axis=1), attributes)},
        coords={
            "series": ("series", np.array([*names, "reference"], object)),
            "station": ("station", np.array(ids, object)), "reference": ("station", np.array(references, object)),
            "time": ("time", (days - np.datetime64("1970-01-01")).astype(float) + 0.5, time),
        },
        attrs={"Conventions": "CF-1.11", "title": "match-ups of products and references"},
    )  # fmt: skip
    encoding: dict[str, dict[str, Any]] = {
        "values": {"zlib": True, "complevel": 1, "shuffle": True, "_FillValue": np.float32(np.nan)},
        "time": {"_FillValue": None},
    }
    dataset.to_netcdf(path, engine="netcdf4", encoding=encoding)
