"""Sums that can be added."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vadose.statistics import Moments, Sums

values = st.one_of(st.floats(0.0, 1.0, width=32), st.just(np.nan))


def days(count: st.SearchStrategy[int]) -> st.SearchStrategy[np.ndarray]:
    return count.flatmap(lambda n: hnp.arrays(np.float64, (2, n), elements=values))


def same(a: Moments, b: Moments) -> None:
    for name in ("n", "mean_x", "mean_r", "var_x", "var_r", "cov", "mean_abs"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-12, atol=1e-14)


@settings(deadline=None)
@given(days(st.integers(0, 20)), days(st.integers(0, 20)))
def test_sums_of_joined_days_are_the_sum_of_sums(a: np.ndarray, b: np.ndarray) -> None:
    whole = Sums.of(np.concatenate([a, b, np.full((2, 1), np.nan)], axis=1))
    parts = [Sums.of(np.concatenate([part, np.full((2, 1), np.nan)], axis=1)) for part in (a, b)]
    same((parts[0] + parts[1]).moments(), whole.moments())


@settings(deadline=None)
@given(*[days(st.integers(1, 12))] * 3)
def test_addition_is_associative_and_commutative(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    one, two, three = Sums.of(a), Sums.of(b), Sums.of(c)
    same(((one + two) + three).moments(), (one + (two + three)).moments())
    same((one + two).moments(), (two + one).moments())


@settings(deadline=None)
@given(days(st.integers(1, 12)))
def test_zero_changes_nothing(a: np.ndarray) -> None:
    sums = Sums.of(a)
    same((Sums.zero((), 2) + sums).moments(), sums.moments())
    same((sums + Sums.zero((), 2)).moments(), sums.moments())


def test_moments_equal_those_of_numpy_on_gappy_series() -> None:
    rng = np.random.default_rng(3)
    series = rng.uniform(0.1, 0.5, (4, 3, 200))
    series[rng.random(series.shape) < 0.2] = np.nan
    m = Sums.of(series).moments(1, 2)
    for k in range(4):
        keep = np.isfinite(series[k]).all(axis=0)
        x, r = series[k, 1, keep], series[k, 2, keep]
        expected = [keep.sum(), x.mean(), r.mean(), x.var(), r.var(), np.cov(x, r, ddof=0)[0, 1], np.abs(x - r).mean()]
        found = [m.n[k], m.mean_x[k], m.mean_r[k], m.var_x[k], m.var_r[k], m.cov[k], m.mean_abs[k]]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
