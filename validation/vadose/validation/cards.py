"""Product cards: what a foreign file's own metadata lack or state wrongly. The card wins over the file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pydantic

from vadose.common import InputError, UsageError, read_json
from vadose.validation.declarations import Strict, declared, read_yaml

BESIDE = "card.yaml"


class CardFlags(Strict):
    """A value is kept where the bits numbered `clear_bits` (from 0) of `variable` are 0, or where that is in `keep`.

    A value is gap-filled, not observed, where one of `gap_bits` is set.
    """

    variable: str
    clear_bits: tuple[int, ...] = ()
    keep: tuple[int, ...] = ()
    gap_bits: tuple[int, ...] = ()


class CardVariable(Strict):
    """One variable: `value units = stored * factor + offset`, after the file's own scale and offset.

    `step` says whether a value stands for a day or for a calendar month, where the file does not.
    """

    name: str
    units: str | None = None
    factor: float = 1.0
    offset: float = 0.0
    layer_m: tuple[float, float] | None = None
    day: Literal["solar06", "solar18", "daily_mean", "instant"] | None = None
    step: Literal["daily", "monthly"] | None = None
    fill: tuple[float, ...] = ()
    flags: CardFlags | None = None


class CardNowcast(Strict):
    """A product for the same day, which had the retrievals of `input`, another product, up to so many days before."""

    input: str
    latency_days: int = pydantic.Field(ge=0, le=366)


class Card(Strict):
    """A product card; `variables` maps names in the file, `group/name` in a group, to what they are.

    `grid` names the global grid of files whose own coordinates are missing or wrong; `changes` are days on which the
    sensors changed; `nowcast` says what a product for the same day had of its input. What the audit reads: `sensors`,
    `forcing`, `ancillary`, `model`, `references` (used for tuning), `contains` (products that went into this one), and
    `training_stations`: ids, or mappings with `lat` and `lon`, of stations that the product learnt from.
    """

    product: str
    producer: str
    version: str
    licence: str
    passing_on: bool | None = None
    commercial_use: bool | None = None
    doi: str | None = None
    variables: dict[str, CardVariable]
    sensors: tuple[str, ...] = ()
    forcing: tuple[str, ...] = ()
    ancillary: tuple[str, ...] = ()
    model: str | None = None
    references: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    training_stations: tuple[str | dict[str, float | str], ...] = ()
    grid: str | None = None
    changes: tuple[str, ...] = ()
    nowcast: CardNowcast | None = None


def load_card(path: Path) -> Card:
    """Read a product card; faults are a `UsageError` with the key, and for unknown keys the nearest known one."""
    return declared(Card, read_yaml(path, "product card"), str(path), (CardVariable, CardFlags, CardNowcast))


def card_beside(path: Path) -> Card | None:
    """The card in a product's folder, or beside a file as `<file>.card.yaml`, if there is one."""
    beside = path / BESIDE if path.is_dir() else path.with_name(f"{path.name}.card.yaml")
    return load_card(beside) if beside.is_file() else None


def card_of_release(path: Path) -> Card | None:
    """What a release of ours says of itself in its provenance: the products that it is made of and its method.

    It names no variable, so that the granules' own metadata stand.
    """
    inputs, recipe = (path / "provenance" / name for name in ("inputs.json", "recipe.yaml"))
    if not (inputs.is_file() and recipe.is_file()):
        return None
    try:
        stated = read_yaml(recipe, "recipe of the release")
        files = read_json(inputs).get("files", [])
        product, method = stated["product"], stated["method"]["name"]
    except (AttributeError, KeyError, TypeError, UsageError) as error:
        raise InputError(f"not the provenance of a release: {error!r}", where=str(path)) from error
    parts = tuple(sorted({str(file["product"]) for file in files if file.get("product")}))
    return Card(
        product=str(product.get("title", product.get("token", path.name))), producer=str(stated["recipe"]),
        version=str(product.get("version", "")), licence=str(product.get("licence", "")), variables={},
        model=f"{method} of {stated['recipe']}", forcing=parts, contains=parts,
    )  # fmt: skip
