"""What products share: their cards side by side, and which of them may be collocated (section 14)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from vadose.validation.cards import Card

INDEPENDENT, SHARED_FORCING, SHARED_SENSOR, CONTAINS, UNKNOWN = (
    "independent", "shared_forcing", "shared_sensor", "contains", "unknown",
)  # fmt: skip
IN_SITU = "in situ"
MODEL, SATELLITE = "model", "satellite"
_L_BAND = re.compile(r"\b(smap|smos|aquarius|l-?band)\b")


@dataclass(frozen=True)
class Relation:
    """How two products depend on each other, and the items that say so."""

    one: str
    other: str
    kind: str
    shared: tuple[str, ...]

    @property
    def dependent(self) -> bool:
        """Whether their errors cannot be taken as independent; what is not known counts as dependent."""
        return self.kind != INDEPENDENT


def nature(card: Card | None) -> str:
    """`model` or `satellite` by what a card states; "" where it states neither. An assimilation is a model."""
    if card is None:
        return ""
    return MODEL if card.model else SATELLITE if card.sensors else ""


def relation(one: str, card: Card | None, other: str, other_card: Card | None) -> Relation:
    """The relation of two products by their cards.

    A product contains another if its card lists it under `contains`, or if its sensors or forcing name it. Two L-band
    radiometers share the physics of their retrieval and count as one sensor. Without both cards, or where neither
    states anything, it is `unknown`.
    """
    if card is None or other_card is None or not (_stated(card) and _stated(other_card)):
        return Relation(one, other, UNKNOWN, ())
    inside = [*_names_of(card, other, other_card), *_names_of(other_card, one, card)]
    if inside:
        return Relation(one, other, CONTAINS, tuple(sorted(set(inside))))
    sensors = _common(card.sensors, other_card.sensors)
    if _l_band(card.sensors) and _l_band(other_card.sensors):
        sensors = sorted({*sensors, "L-band radiometer"})
    if sensors:
        return Relation(one, other, SHARED_SENSOR, tuple(sensors))
    forcing = _common((*card.forcing, *_model(card)), (*other_card.forcing, *_model(other_card)))
    if forcing:
        return Relation(one, other, SHARED_FORCING, tuple(forcing))
    return Relation(one, other, INDEPENDENT, tuple(_common(card.ancillary, other_card.ancillary)))


def _stated(card: Card) -> bool:
    return bool(card.sensors or card.forcing or card.model)


def _model(card: Card) -> tuple[str, ...]:
    return (card.model,) if card.model else ()


def _words(text: str) -> str:
    return re.sub(r"[\s_]+", " ", text).strip().lower()


def _common(one: Iterable[str], other: Iterable[str]) -> list[str]:
    theirs = {_words(item) for item in other}
    return sorted(item for item in one if _words(item) in theirs)


def _l_band(sensors: Iterable[str]) -> bool:
    return any(_L_BAND.search(_words(item)) for item in sensors)


def _names_of(card: Card, other: str, other_card: Card) -> list[str]:
    """Items of a card that are the other product: one it contains, or the product named as an input."""
    names = {_words(other), _words(other_card.product)}
    listed = (*card.contains, *card.forcing, *card.references)
    return [item for item in listed if _words(item) in names]


def relations(cards: Mapping[str, Card | None]) -> list[Relation]:
    """Every pair of products; what a product contains passes its sensors on to it, if its card is in the run."""
    by_product = {_words(card.product): card for card in cards.values() if card is not None}
    whole = {name: _with_parts(card, by_product) if card is not None else None for name, card in cards.items()}
    return [relation(one, whole[one], other, whole[other]) for one, other in combinations(whole, 2)]


def _with_parts(card: Card, by_product: Mapping[str, Card]) -> Card:
    parts = [by_product[_words(item)] for item in card.contains if _words(item) in by_product]
    sensors = (*card.sensors, *(sensor for part in parts for sensor in part.sensors))
    return card.model_copy(update={"sensors": tuple(dict.fromkeys(sensors))})


def dependent_pairs(
    members: Sequence[str], known: Sequence[Relation], stations: str = IN_SITU
) -> list[tuple[int, int]]:
    """Pairs of positions whose errors are not independent; stations are independent of every product.

    Whether a product learnt from a station is a matter of the ledger: such stations are not in the headline.
    """
    by_pair = {frozenset((one.one, one.other)): one for one in known}
    out = []
    for (i, one), (j, other) in combinations(enumerate(members), 2):
        if stations in (one, other):
            continue
        found = by_pair.get(frozenset((one, other)))
        if found is None or found.dependent:
            out.append((i, j))
    return out
