"""Two-way tables: ours and one other product on the days that both have, where a product would take too many days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vadose.validation.blocks import OWN, Block, Case, Scores

# First word of the subset; the name of the other product follows.
PAIR = "pair"
# A product that leaves less than this share of the days of ours is named.
LEAST_SHARE = 0.5


def days_of_ours(found: Sequence[Scores], split: str) -> int:
    """Days of ours that a split has at all stations, from its own sample; 0 where it was not scored."""
    own = Case(0, OWN, split)
    return sum(int(one.scored[own][0].estimate.n.sum()) for one in found if own in one.scored)


def takes_more_than_half(found: Sequence[Scores], names: Sequence[str], split: str) -> dict[str, int]:
    """Products that lack more than half of the days of ours, with the days that are left in the pair.

    Parameters
    ----------
    found
        Scores of all blocks of stations.
    names
        Products in the order of their rows, ours first.
    split
        The split of the days, on which rivals are compared.
    """
    ours = days_of_ours(found, split)
    both = {row: sum(int(one.compared[row][0].found.n.sum()) for one in found) for row in found[0].compared}
    return {names[row]: days for row, days in both.items() if days < LEAST_SHARE * ours}


def with_pairs(block: Block, found: Scores) -> Scores:
    """The scores of a block, and those of ours and each other product on the days that the two have."""
    scored, samples = dict(found.scored), dict(found.samples)
    for case in _cases(block):
        samples[case], scored[case] = block.scored(case)
    return replace(found, scored=scored, samples=samples)


def _cases(block: Block) -> Iterator[Case]:
    first, *others = block.present
    for row in others:
        subset = f"{PAIR} {block.matched.names[row]}"
        # On maps single cells are shown on the common sample only.
        for one, other in ((first, row), (row, first)):
            yield Case(one, subset, block.split, averaged=not block.thorough, partner=other)
