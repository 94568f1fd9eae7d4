"""Averages over stations, adjusted p-values and outcomes."""

import numpy as np
import pytest
from scipy import stats

from vadose.statistics import (
    adjusted,
    mean_z,
    moments,
    outcome,
    pooled,
    weighted_mean,
    weighted_median,
    weighted_quantile,
)  # fmt: skip
from vadose.statistics.aggregates import cluster_weights, network_time_error, resampled_weights, spread


@pytest.mark.parametrize("size", [1, 2, 7, 10])
def test_a_median_with_equal_weights_is_that_of_numpy(size: int) -> None:
    values = np.random.default_rng(size).standard_normal((5, size + 1))
    values[:, -1] = np.nan
    np.testing.assert_allclose(weighted_median(values, np.ones(size + 1)), np.nanmedian(values, axis=1), rtol=1e-14)


def test_a_weight_of_two_counts_like_two_stations() -> None:
    values = np.array([0.3, 0.1, 0.2, 0.9])
    weights = np.array([1.0, 2.0, 1.0, 3.0])
    repeated = np.repeat(values, weights.astype(int))
    assert weighted_median(values, weights) == np.median(repeated)
    assert weighted_mean(values, weights) == pytest.approx(repeated.mean())


def test_each_row_of_weights_has_the_median_of_its_own_repetition() -> None:
    generator = np.random.default_rng(0)
    values = np.append(generator.standard_normal(30).round(1), [np.nan, np.inf])
    weights = generator.integers(0, 4, (2, 20, 32)).astype(float)
    weights[0, 3] = 0.0
    found = weighted_median(values, weights)
    assert np.isnan(found[0, 3])
    for row in np.argwhere(weights.any(axis=-1)):
        repeated = np.repeat(values[:30], weights[tuple(row)][:30].astype(int))
        assert found[tuple(row)] == np.median(repeated)


def test_a_dense_network_weighs_like_one_cluster() -> None:
    weights = cluster_weights(["a", "a", "a", "b", "c"], [True, True, False, True, True])
    np.testing.assert_allclose(weights, [1 / 6, 1 / 6, 0.0, 1 / 3, 1 / 3])


def test_the_bootstrap_of_a_mean_has_the_textbook_error_and_repeats() -> None:
    values = np.random.default_rng(1).standard_normal(200)
    weights = np.full(200, 1 / 200)
    one, two = (resampled_weights(np.arange(200), weights, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    found = spread("mean", values, weights, one, clusters=200)
    low, high = stats.t.interval(0.95, 199, values.mean(), values.std() / np.sqrt(200))
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=0.02)


def test_shared_weather_widens_the_interval_of_a_median() -> None:
    values = np.random.default_rng(2).standard_normal(50)
    weights = np.full(50, 0.02)
    draws = resampled_weights(np.arange(50), weights, seed=0)
    narrow = spread("median", values, weights, draws, clusters=50)
    wide = spread("median", values, weights, draws, clusters=50, time_error=1.0, n_eff=200)
    assert wide.ci_high - wide.ci_low > 3 * (narrow.ci_high - narrow.ci_low)
    assert wide.value == narrow.value == pytest.approx(np.median(values))


def test_few_clusters_have_a_value_without_interval() -> None:
    found = spread("median", np.array([0.1, 0.2]), np.array([0.5, 0.5]), np.ones((3, 2)), clusters=2)
    assert (found.status, found.value) == ("few_stations", pytest.approx(0.15))
    assert np.isnan(found.ci_low)


def test_the_time_error_of_independent_days_is_the_textbook_one() -> None:
    psi = np.random.default_rng(3).standard_normal(1000)
    error, n_eff = network_time_error(psi, np.ones(1000))
    assert error == pytest.approx(1 / np.sqrt(1000), rel=0.15)
    assert n_eff > 700


def test_adjusted_p_values_equal_those_of_scipy() -> None:
    p = np.random.default_rng(4).random(50) ** 3
    np.testing.assert_allclose(adjusted(p), stats.false_discovery_control(p), rtol=1e-12)
    gappy = np.insert(p, 10, np.nan)
    np.testing.assert_allclose(np.delete(adjusted(gappy), 10), adjusted(p))


def test_an_outcome_needs_significance_or_a_narrow_interval() -> None:
    found = outcome([-0.01, 0.01, 0.0, 0.0], [-0.02, 0.0, -0.0005, -0.1], [0.0, 0.02, 0.0005, 0.1],
                    [0.01, 0.01, 0.9, 0.9], margin=0.001, better="low")  # fmt: skip
    assert list(found) == ["better", "worse", "equal", "undecided"]


def test_quartiles_of_equal_weights_are_ordered_values() -> None:
    values = np.array([0.4, np.nan, 0.1, 0.3, 0.2])
    assert [weighted_quantile(values, np.ones(5), share) for share in (0.25, 0.5, 0.75)] == [0.1, 0.2, 0.3]
    assert weighted_quantile(values, [1.0, 1.0, 7.0, 1.0, 1.0], 0.5) == 0.1


def test_a_perfect_correlation_does_not_swallow_the_mean_z() -> None:
    found = mean_z([0.5, 1.0, 0.7, 0.6], [53.0, 100.0, 53.0, 2.0])
    assert found == pytest.approx(np.tanh((np.arctanh(0.5) + np.arctanh(0.7)) / 2))


def test_pooled_moments_are_those_of_all_days_together() -> None:
    rng = np.random.default_rng(8)
    r = rng.uniform(0.1, 0.4, (4, 300)) + 0.1 * np.arange(4)[:, None]
    x = 0.1 + 0.7 * r + 0.02 * rng.standard_normal(r.shape)
    x[rng.random(x.shape) < 0.3] = np.nan
    x[2] = np.nan
    found, expected = pooled(moments(x, r)), moments(x.ravel(), r.ravel())
    for name in ("n", "mean_x", "mean_r", "var_x", "var_r", "cov", "mean_abs"):
        assert getattr(found, name) == pytest.approx(float(getattr(expected, name)), rel=1e-12)


def test_the_stricter_adjustment_equals_that_of_scipy_along_families() -> None:
    p = np.random.default_rng(9).random((3, 20)) ** 3
    for method in ("bh", "by"):
        expected = [stats.false_discovery_control(row, method=method) for row in p]
        np.testing.assert_allclose(adjusted(p, method), expected, rtol=1e-12)


def test_few_independent_days_widen_an_interval_by_the_quantile_alone() -> None:
    values, weights = np.random.default_rng(8).standard_normal(40), np.full(40, 1 / 40)
    draws = resampled_weights(np.arange(40), weights, seed=0)
    found = {
        n_eff: spread("mean", values, weights, draws, clusters=40, n_eff=n_eff) for n_eff in (np.nan, 12.0, 35.0, 200.0)
    }
    half = {n_eff: (one.ci_high - one.ci_low) / 2 for n_eff, one in found.items()}
    textbook = {n_eff: stats.t.ppf(0.975, min(40, np.nan_to_num(n_eff, nan=40)) - 1) for n_eff in half}
    error = half[200.0] / textbook[200.0]
    for n_eff, one in half.items():
        assert one == pytest.approx(textbook[n_eff] * error, rel=1e-6)
    assert [found[n_eff].status for n_eff in (12.0, 35.0)] == ["short", "ok"]
    assert spread("mean", values, weights, draws, clusters=40, n_eff=9.9).status == "few_effective"
