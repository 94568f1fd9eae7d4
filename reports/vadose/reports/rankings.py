"""Products in the order of paired outcomes: who was found better than whom, directly or through others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BETTER, WORSE, EQUAL, UNDECIDED = "better", "worse", "equal", "undecided"
_TURNED = {BETTER: WORSE, WORSE: BETTER, EQUAL: EQUAL, UNDECIDED: UNDECIDED}

Outcomes = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Standing:
    """One product among the others; `place` is None where no comparison of it was decided."""

    product: str
    place: int | None
    better: tuple[str, ...]
    worse: tuple[str, ...]
    equal: tuple[str, ...]
    undecided: tuple[str, ...]
    untested: tuple[str, ...]

    @property
    def tested(self) -> bool:
        """Whether the product was compared with any other."""
        return bool(self.better or self.worse or self.equal or self.undecided)


def standings(products: Sequence[str], outcomes: Outcomes) -> list[Standing]:
    """Places of products from paired outcomes.

    A place is one more than the number of products that were found better, directly or through a chain of products
    of which each was found better than, or equal to, the next. Two products that come out above each other along
    different chains do not count against each other.

    Parameters
    ----------
    products
        Their names.
    outcomes
        What the first of a pair is beside the second: better, worse, equal or undecided. A pair that was found
        different ways by two runs is undecided; a pair that is absent was not tested.

    Returns
    -------
    list of Standing
        Placed products by place, then those of which nothing was decided, then those that were not tested.
    """
    relation = _both_ways(products, outcomes)
    above = {name: _above(name, products, relation) for name in products}
    found = []
    for name in products:
        by = {kind: tuple(other for other in products if relation.get((name, other)) == kind) for kind in _TURNED}
        untested = tuple(other for other in products if other != name and (name, other) not in relation)
        decided = by[BETTER] or by[WORSE] or by[EQUAL]
        over = {other for other in above[name] if name not in above[other]}
        place = 1 + len(over) if decided else None
        found.append(Standing(name, place, by[BETTER], by[WORSE], by[EQUAL], by[UNDECIDED], untested))
    return sorted(found, key=lambda s: (s.place is None, s.place or 0, not s.tested, -len(s.better), s.product))


def _both_ways(products: Sequence[str], outcomes: Outcomes) -> dict[tuple[str, str], str]:
    relation: dict[tuple[str, str], str] = {}
    for (one, other), word in outcomes.items():
        if one == other or word not in _TURNED or not {one, other} <= set(products):
            continue
        for pair, said in (((one, other), word), ((other, one), _TURNED[word])):
            relation[pair] = said if relation.get(pair, said) == said else UNDECIDED
    return relation


def _above(name: str, products: Sequence[str], relation: Outcomes) -> set[str]:
    """All products from which a chain with at least one step that is better leads to `name`."""
    waiting, seen = [(name, False)], {(name, False)}
    while waiting:
        below, strict = waiting.pop()
        for other in products:
            word = relation.get((other, below))
            step = (other, strict or word == BETTER)
            if word in (BETTER, EQUAL) and step not in seen:
                seen.add(step)
                waiting.append(step)
    return {other for other, strict in seen if strict and other != name}
