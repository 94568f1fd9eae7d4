"""Collinear features go: the weaker one of a pair, then those that the others explain."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.producer.features.collinear import MAXIMUM_VIF, inflation, select


def independent(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, columns))


def test_of_two_nearly_equal_features_the_one_less_correlated_with_the_target_goes() -> None:
    a, noise, other = independent(2000, 3).T
    copy = a + 0.05 * noise
    target = a + 0.5 * other
    for names, table in ((("a", "copy", "other"), [a, copy, other]), (("copy", "other", "a"), [copy, other, a])):
        found = select(np.stack(table, axis=1), target, names)
        assert set(found.kept) == {"a", "other"}
        assert (found.dropped[0].name, found.dropped[0].partner, found.dropped[0].reason) == ("copy", "a", "correlated")


def test_a_sum_of_others_goes_by_its_inflation_though_no_pair_is_alike() -> None:
    table = independent(3000, 5)
    table[:, 4] = table[:, :4].sum(axis=1) + 0.1 * table[:, 4]
    assert np.abs(np.triu(np.corrcoef(table.T), 1)).max() < 0.95
    found = select(table, table[:, 0], "abcde")
    assert len(found.kept) == 4
    assert found.dropped[0].reason == "variance inflation"


def test_inflation_is_that_of_a_regression_on_all_others() -> None:
    table = independent(500, 4) @ (np.eye(4) + 0.4)
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    for k in range(4):
        others = np.delete(table, k, axis=1)
        fitted = others @ np.linalg.lstsq(others, table[:, k], rcond=None)[0]
        expected = 1 / (1 - (fitted**2).sum() / (table[:, k] ** 2).sum())
        assert np.isclose(inflation(np.corrcoef(table.T))[k], expected)


def test_constant_feature_goes_even_where_collinear_ones_stay() -> None:
    table = independent(100, 2)
    table = np.column_stack([table, np.full(100, 0.3), table[:, 0]])
    found = select(table, table[:, 0], "abcd", collinear=False)
    assert found.kept == ("a", "b", "d")
    assert [(drop.name, drop.reason) for drop in found.dropped] == [("c", "constant")]


def test_missing_values_count_as_the_mean() -> None:
    table = independent(400, 2)
    filled = table.copy()
    table[::7, 1] = np.nan
    filled[::7, 1] = np.nanmean(table[:, 1])
    assert select(table, table[:, 0], "ab") == select(filled, table[:, 0], "ab")


@given(st.integers(0, 10_000), st.integers(2, 7))
@settings(max_examples=30, deadline=None)
def test_what_stays_is_not_collinear_and_nothing_is_lost(seed: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    table = independent(300, columns, seed) @ rng.normal(size=(columns, 2 * columns)) + 0.01 * rng.normal(size=(300, 1))
    names = [f"f{k}" for k in range(2 * columns)]
    found = select(table, table[:, 0], names)
    assert sorted([*found.kept, *(drop.name for drop in found.dropped)]) == sorted(names)
    assert len(found.kept) <= columns + 1
    if len(found.kept) > 1:
        chosen = table[:, [names.index(name) for name in found.kept]]
        factors = np.diag(np.linalg.inv(np.corrcoef(chosen.T)))
        assert factors.max() < MAXIMUM_VIF * (1 + 1e-6)
