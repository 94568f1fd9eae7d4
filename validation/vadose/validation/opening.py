"""Everything that a run reads, opened, and what identifies the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from vadose.common import UsageError, file_sha256
from vadose.validation.audit import find_ledger
from vadose.validation.baselines import nowcast_of
from vadose.validation.cards import Card, load_card
from vadose.validation.months import MONTHLY, stated
from vadose.validation.products import Product, open_product
from vadose.validation.recipes import Recipe, load_recipe
from vadose.validation.relations import relations
from vadose.validation.settings import Settings
from vadose.validation.stations import reader_notes
from vadose.validation.suite import Suite

SCHEMA_VERSION = 2
# Larger products are told apart by the names and sizes of their files.
_HASHED_BYTES = 2 * 10**9


@dataclass(frozen=True)
class Opened:
    """Everything that a run reads, opened."""

    suite: Suite
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
        An unknown recipe or card.
    InputError
        Something is missing or is no soil-moisture product.
    """
    names = [name for name, _ in settings.every_product]
    recipe = load_recipe(settings.recipe) if settings.recipe else None
    cards = _cards(settings.cards, names)
    prefer = recipe.target if recipe else None
    opened = {name: open_product(name, path, cards=cards, prefer=prefer) for name, path in settings.every_product}
    ours = opened[settings.product[0]]
    opened = {name: _in_step_with(ours, product) for name, product in opened.items()}
    ledger = find_ledger(ours.path, settings.models)
    rivals = tuple(opened[name] for name, _ in settings.rivals)
    one = Suite(
        product=ours, previous=opened[settings.previous[0]] if settings.previous else None, rivals=rivals,
        ledger=ledger, nowcast=nowcast_of(ours, rivals, ledger.split if ledger else "", prefer),
        options=settings.options, relations=tuple(relations({name: product.card for name, product in opened.items()})),
    )  # fmt: skip
    identity = {
        "schema_version": SCHEMA_VERSION,
        "code": version_of("vadose"),
        "products": {name: _described(product) for name, product in opened.items()},
        "roles": {
            "product": settings.product[0], "previous": settings.previous[0] if settings.previous else None,
            "rivals": [name for name, _ in settings.rivals], "references": [name for name, _ in settings.references],
        },
        "stations": {path.name: file_sha256(path) for path in settings.stations if path.is_file()},
        "station_files": {path.name: _lost_files(path) for path in settings.stations if path.is_file()},
        "recipe": {"name": recipe.name, "sha256": recipe.sha256} if recipe else None,
        "ledger": asdict(one.ledger) if one.ledger else None,
        "hidden": file_sha256(settings.hidden) if settings.hidden else None,
        "settings": {**settings.options.stated(), "maps": settings.maps},
    }  # fmt: skip
    references = tuple(opened[name] for name, _ in settings.references)
    return Opened(one, references, recipe, identity)


def _in_step_with(ours: Product, other: Product) -> Product:
    """A daily product as months where ours holds months; months beside a daily product are a `UsageError`."""
    if ours.step == other.step:
        return other
    if ours.step == MONTHLY:
        return replace(other, as_months=True)
    raise UsageError(
        f"{other.name} holds months, {ours.name} days",
        where=str(other.path),
        next=f"leave {other.name} out, or compare it with the monthly granules of {ours.name}",
    )


def _lost_files(path: Path) -> dict[str, Any]:
    """The end of the funnel's other side: files and sensors that gave no station at all, with the reason."""
    notes = reader_notes(path)
    lost = {"file_unreadable": notes.get("unreadable", {}), "sensors_not_taken": notes.get("left_out", {})}
    return {name: found for name, found in lost.items() if found}


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
        "step": product.step, **({"months": stated()} if product.as_months or product.step == MONTHLY else {}),
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


def version_of(name: str) -> str:
    """Version of an installed distribution, `unknown` without one."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
