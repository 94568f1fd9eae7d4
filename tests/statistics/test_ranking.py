"""Ranks and rank correlations against scipy."""

import numpy as np
import pytest
from scipy import stats

from vadose.statistics import STATUS, kendall, paired_ranks, ranks, spearman
from vadose.statistics.ranking import kendall_tau


def hostile(kind: str, precision: type) -> np.ndarray:
    rng = np.random.default_rng(0)
    values = rng.uniform(0.05, 0.45, (3, 400))
    if kind == "tied":
        values = np.round(values, 2)
    elif kind == "outlier":
        values[:, 7], values[:, 9] = 1e9, -1e9
    elif kind == "negative":
        values -= 0.3
    elif kind == "constant":
        values[:] = 0.25
    elif kind == "two values":
        values = np.where(values > 0.2, 0.1, np.nextafter(precision(0.1), precision(1)))
    values[rng.random(values.shape) < 0.3] = np.nan
    return values.astype(precision)


KINDS = ("plain", "tied", "outlier", "negative", "constant", "two values")


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_ranks_are_those_of_scipy(kind: str, precision: type) -> None:
    values = hostile(kind, precision)
    found = ranks(values)
    assert found.dtype == precision
    np.testing.assert_array_equal(found, stats.rankdata(values, axis=1, nan_policy="omit"))


def test_paired_ranks_count_common_days_only() -> None:
    x, r = hostile("plain", np.float64), hostile("tied", np.float64)
    r[:, ::5] = np.nan
    one, two = paired_ranks(x, r)
    keep = np.isfinite(x[0]) & np.isfinite(r[0])
    np.testing.assert_array_equal(one[0, keep], stats.rankdata(x[0, keep]))
    np.testing.assert_array_equal(two[0, keep], stats.rankdata(r[0, keep]))
    assert np.isnan(one[0, ~keep]).all()


def test_an_empty_series_has_no_ranks() -> None:
    assert np.isnan(ranks(np.full((2, 10), np.nan))).all()


@pytest.mark.parametrize("kind", ["plain", "tied", "outlier", "negative"])
def test_rank_correlations_are_those_of_scipy(kind: str) -> None:
    x, r = hostile(kind, np.float64), hostile("tied", np.float64) + 0.5 * hostile(kind, np.float64)
    rho, tau = spearman(x, r), kendall(x, r)
    for s in range(3):
        keep = np.isfinite(x[s]) & np.isfinite(r[s])
        assert rho.value[s] == pytest.approx(stats.spearmanr(x[s, keep], r[s, keep]).statistic, abs=1e-12)
        assert tau.value[s] == pytest.approx(stats.kendalltau(x[s, keep], r[s, keep]).statistic, abs=1e-12)


def test_a_constant_series_has_no_rank_correlation() -> None:
    x = np.full((1, 100), 0.2)
    r = np.random.default_rng(1).random((1, 100))
    assert STATUS[spearman(x, r).status[0]] == STATUS[kendall(x, r).status[0]] == "constant_series"
    assert np.isnan(kendall(x, r).value[0])


def test_the_interval_of_tau_is_about_the_known_one_on_independent_days() -> None:
    rng = np.random.default_rng(2)
    r = rng.standard_normal((60, 400))
    x = 0.6 * r + 0.8 * rng.standard_normal(r.shape)
    found = kendall(x, r)
    truth = 2 / np.pi * np.arcsin(0.6)
    assert np.mean((found.ci_low < truth) & (truth < found.ci_high)) > 0.85
    z = np.arctanh(kendall_tau(x, r)[0])
    half = (np.arctanh(found.ci_high) - np.arctanh(found.ci_low)) / 2 / 1.96
    assert np.median(half) == pytest.approx(z.std(), rel=0.25)


def test_tau_counts_the_days_that_both_have() -> None:
    rng = np.random.default_rng(12)
    r = rng.random((1, 300))
    x = r + 0.3 * rng.random(r.shape)
    x[0, :60], r[0, 40:120] = np.nan, np.nan
    found = kendall(x, r)
    alone = kendall(x[:, 120:], r[:, 120:])
    assert found.n[0] == alone.n[0] == 180
    assert found.value[0] == pytest.approx(alone.value[0], abs=1e-12)
    assert found.n_eff[0] <= 180
