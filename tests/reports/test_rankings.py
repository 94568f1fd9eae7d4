"""Places from paired outcomes: chains, equals, contradictions, and what nothing decides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.reports.rankings import standings

NAMES = ("a", "b", "c", "d")
TURNED = {"better": "worse", "worse": "better", "equal": "equal", "undecided": "undecided"}


def places(outcomes: dict[tuple[str, str], str], names: tuple[str, ...] = NAMES) -> dict[str, int | None]:
    """The place of each product."""
    return {standing.product: standing.place for standing in standings(names, outcomes)}


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({("a", "b"): "better", ("a", "c"): "worse", ("a", "d"): "undecided"}, {"c": 1, "a": 2, "b": 3, "d": None}),
        ({("a", "b"): "equal", ("a", "c"): "worse", ("a", "d"): "better"}, {"c": 1, "a": 2, "b": 2, "d": 4}),
        ({("a", "b"): "better", ("b", "c"): "better", ("c", "a"): "better"}, {"a": 1, "b": 1, "c": 1, "d": None}),
        ({("a", "b"): "undecided"}, dict.fromkeys(NAMES)),
        ({}, dict.fromkeys(NAMES)),
    ],
)
def test_a_place_counts_the_products_found_better(outcomes, expected) -> None:
    assert places(outcomes) == expected


def test_runs_that_disagree_decide_nothing() -> None:
    outcomes = {("a", "b"): "better", ("b", "a"): "better"}
    assert places(outcomes, ("a", "b")) == {"a": None, "b": None}
    assert standings(("a", "b"), outcomes)[0].undecided == ("b",)


PAIRS = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), st.sampled_from(sorted(TURNED)), max_size=8
)


@given(PAIRS)
def test_a_pair_may_be_told_from_either_side(outcomes) -> None:
    turned = {(b, a): TURNED[word] for (a, b), word in outcomes.items()}
    assert places(outcomes) == places(turned)


@given(PAIRS)
def test_who_is_better_stands_higher_unless_a_circle_says_otherwise(outcomes) -> None:
    found = {standing.product: standing for standing in standings(NAMES, outcomes)}
    for one in found.values():
        assert len({*one.better, *one.worse, *one.equal, *one.undecided, *one.untested, one.product}) == len(NAMES)
        for other in one.better:
            assert one.place <= found[other].place
