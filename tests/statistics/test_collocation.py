"""Collocation on data sets with a known truth, against other tools, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from scipy import signal

from vadose.statistics import (
    STATUS,
    all_triplets,
    collocate,
    error_budget,
    estimate,
    metric,
    representativeness,
    spread_of,
    triple,
)
from vadose.statistics.triplets import triplets

ERROR = 0.03
LOADINGS = {0.0: (0.030, 0.030, 0.030), 0.6: (0.019, 0.019, 0.037)}


def autoregressive(rng: np.random.Generator, shape: tuple[int, ...], phi: float) -> np.ndarray:
    noise = rng.standard_normal((*shape[:-1], shape[-1] + 400))
    return signal.lfilter([1.0], [1.0, -phi], noise)[..., 400:] * np.sqrt(1 - phi**2)


def world(cells: int = 100, days: int = 1825, members: int = 3, rho: float = 0.0, seed: int = 0) -> np.ndarray:
    """Data sets of one signal (standard deviation 0.06); the errors of the first two correlate by rho."""
    rng = np.random.default_rng(seed)
    truth = 0.06 * autoregressive(rng, (cells, 1, days), 0.9)
    error = autoregressive(rng, (cells, members, days), 0.5)
    error[:, 1] = rho * error[:, 0] + np.sqrt(1 - rho**2) * error[:, 1]
    return 0.25 + truth + ERROR * error


def gappy(series: np.ndarray, share: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(99)
    return np.where(rng.random(series.shape) < share, np.nan, series)


@pytest.mark.parametrize("rho", LOADINGS)
def test_correlated_errors_flatter_the_two_and_burden_the_third(rho: float) -> None:
    found = collocate(world(rho=rho))
    np.testing.assert_allclose(np.nanmedian(found.error_std, axis=0), LOADINGS[rho], atol=0.0012)


def test_gains_error_and_signal_of_each_data_set_are_recovered() -> None:
    gain = np.array([1.0, 0.5, 2.0])[:, None]
    found = collocate(gappy(world() * gain))
    np.testing.assert_allclose(np.nanmedian(found.beta, axis=0), 1 / gain[:, 0], rtol=0.02)
    np.testing.assert_allclose(np.nanmedian(found.error_std, axis=0), ERROR * gain[:, 0], rtol=0.03)
    np.testing.assert_allclose(np.nanmedian(found.r2, axis=0), 0.8, atol=0.015)
    inside = (found.error_std_low <= ERROR * gain[:, 0]) & (found.error_std_high >= ERROR * gain[:, 0])
    assert 0.88 <= inside[np.isfinite(found.error_std)].mean() <= 0.99


def test_four_data_sets_tell_a_named_error_covariance() -> None:
    found = collocate(world(members=4, rho=0.6), named=[(1, 0)])
    np.testing.assert_allclose(np.median(found.error_std, axis=0), ERROR, rtol=0.03)
    assert np.median(found.error_covariance) == pytest.approx(0.6 * ERROR**2, rel=0.05)
    inside = (found.error_covariance_low <= 0.6 * ERROR**2) & (found.error_covariance_high >= 0.6 * ERROR**2)
    assert 0.88 <= inside.mean() <= 1.0
    assert (collocate(world(members=4), named=[(0, 1)]).residual < 0.1).all()


def test_two_named_pairs_need_a_triangle_of_independent_errors() -> None:
    series = world(cells=20, members=4, rho=0.6)
    found = collocate(series, named=[(0, 1), (0, 2)])
    np.testing.assert_allclose(np.median(found.error_std, axis=0), ERROR, rtol=0.06)
    with pytest.raises(ValueError, match="name fewer pairs"):
        collocate(series, named=[(0, 1), (2, 3)])


def test_five_data_sets_give_all_independent_triplets_and_their_spread() -> None:
    series = world(cells=10, members=5, rho=0.6)
    assert len(triplets(5)) == 10
    found = list(all_triplets(series, dependent=[(0, 1)], intervals=False))
    assert all(not {0, 1} <= set(chosen) for chosen, _ in found)
    spread = spread_of(found, 5)
    np.testing.assert_array_equal(spread.count[0], [3, 3, 5, 5, 5])
    np.testing.assert_allclose(spread.median.mean(axis=0), ERROR, rtol=0.05)
    assert (spread.lowest <= spread.median).all()


@pytest.mark.parametrize("intervals", [True, False])
def test_dependent_errors_keep_the_value_and_are_marked(intervals: bool) -> None:
    series = np.moveaxis(world(cells=3), 1, 0)
    marked, plain = (triple(*series, dependent=pairs, intervals=intervals) for pairs in ([(0, 1)], []))
    assert {STATUS[code] for code in marked.status.ravel()} == {"dependent_errors"}
    np.testing.assert_array_equal(marked.error_std, plain.error_std)


def test_an_error_is_not_larger_than_the_data_set_it_is_in() -> None:
    rng = np.random.default_rng(5)
    truth, errors = rng.standard_normal((40, 1, 200)), rng.standard_normal((40, 3, 200))
    found = collocate(truth + np.array([0.1, 1.0, 1.0])[:, None] * errors)
    shown = found.status[:, 0] == 0
    total = np.sqrt(found.covariance[shown, 0, 0])
    # The interval is symmetric in the logarithm; one end would be at value^2 / low.
    assert (found.error_std[shown, 0] ** 2 / found.error_std_low[shown, 0] > 10.0 * total).any()
    # The standard deviation of 200 independent normal values is known to a tenth.
    assert (found.error_std_high[shown, 0] <= 1.2 * total).all()
    assert (found.error_std_high[shown, 0] > found.error_std[shown, 0]).all()


def hostile(word: str) -> np.ndarray:
    series = world(cells=1, days=1500)[0]
    rng = np.random.default_rng(1)
    if word == "few_samples":
        series[0, 99:] = np.nan
    elif word == "negative_covariance":
        series[2] = 0.5 - series[2]
    elif word == "weak_correlation":
        series[2] = 0.1 * series[2] + 0.03 * rng.standard_normal(1500)
    elif word == "negative_error_variance":
        series[0] = (series[1] + series[2]) / 2
    elif word == "constant_series":
        series[0] = 0.25
    return series


@pytest.mark.parametrize(
    "word",
    ["ok", "few_samples", "negative_covariance", "weak_correlation", "negative_error_variance", "constant_series"],
)
@pytest.mark.parametrize("intervals", [True, False])
def test_what_the_model_cannot_explain_gets_a_word_and_no_value(word: str, intervals: bool) -> None:
    found = collocate(hostile(word), intervals=intervals)
    assert STATUS[found.status[0]] == word
    assert np.isfinite(found.error_std[0]) == (word == "ok")
    assert np.isfinite(found.error_std_high[0]) == (word == "ok" and intervals)
    if word == "negative_error_variance":
        assert found.error_variance_unchecked[0] < 0
        assert STATUS[found.status[1]] == "ok"


def test_slow_series_have_too_few_independent_days() -> None:
    slow = np.sin(np.linspace(0, 12, 1000)) + 0.1 * np.random.default_rng(2).standard_normal((3, 1000))
    assert STATUS[collocate(slow).status[0]] == "few_samples"


def test_a_hostile_neighbour_changes_nothing() -> None:
    words = ("ok", "negative_covariance", "constant_series", "few_samples")
    block = np.stack([hostile(word) for word in words])
    together, alone = collocate(block), collocate(block[0])
    for name in ("error_std", "error_std_low", "snr_high", "beta"):
        np.testing.assert_allclose(getattr(together, name)[0], getattr(alone, name), rtol=1e-6)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_triple_collocation_equals_pytesmo(gaps: float) -> None:
    metrics = pytest.importorskip("pytesmo.metrics")
    series = gappy(world(cells=50, days=800, seed=3) * np.array([1.0, 0.6, 1.5])[:, None], gaps)
    found = triple(*np.moveaxis(series, 1, 0), intervals=False)
    for cell in range(len(series)):
        kept = series[cell][:, np.isfinite(series[cell]).all(axis=0)]
        snr, scaled, beta = metrics.tcol_metrics(*kept)
        np.testing.assert_allclose(found.snr[cell], snr, atol=1e-9)
        np.testing.assert_allclose(found.beta[cell], beta, rtol=1e-9)
        # There: ddof 1, and errors scaled to the first data set.
        ours = found.error_std[cell] * found.beta[cell] * np.sqrt(found.n[cell] / (found.n[cell] - 1))
        np.testing.assert_allclose(ours, scaled, rtol=1e-9)


def consistent(covariance: np.ndarray, days: int = 500) -> np.ndarray:
    """Series whose sample covariance (ddof 0) is exactly this one."""
    noise = np.random.default_rng(4).standard_normal((len(covariance), days))
    noise -= noise.mean(axis=1, keepdims=True)
    white = np.linalg.solve(np.linalg.cholesky(noise @ noise.T / days), noise)
    return np.linalg.cholesky(covariance) @ white


# pytesmo drops missing days in place and uses matrices, which pandas and numpy deprecate.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_quadruple_collocation_equals_extended_collocation_of_pytesmo() -> None:
    metrics = pytest.importorskip("pytesmo.metrics")
    gain = np.array([1.0, 0.8, 1.2, 0.9])
    covariance = np.outer(gain, gain) + np.diag([0.3, 0.4, 0.2, 0.5])
    covariance[0, 1] = covariance[1, 0] = covariance[0, 1] + 0.15
    series = consistent(covariance)
    found = collocate(series, named=[(0, 1)], intervals=False)
    book = metrics.ecol(pd.DataFrame(series.T, columns=list("abcd")), correlated=[["a", "b"]])
    ratio = 500 / 499
    np.testing.assert_allclose(found.error_std**2 * ratio, [book[f"err_{k}"] for k in "abcd"], rtol=1e-6)
    np.testing.assert_allclose(found.snr, [book[f"snr_{k}"] for k in "abcd"], rtol=1e-6)
    assert found.error_covariance[0] * ratio == pytest.approx(book["err_cov_a_b"], rel=1e-6)
    assert found.residual == pytest.approx(0.0, abs=1e-12)


def test_the_error_budget_adds_up_to_the_mse() -> None:
    gain = np.array([1.0, 0.7, 1.3])[:, None]
    series = world(cells=5) * gain
    budget = error_budget(series)
    mse = np.mean((series[:, 0] - series[:, 1]) ** 2, axis=-1)
    np.testing.assert_allclose(budget.mse, mse, rtol=1e-10)
    np.testing.assert_allclose(budget.bias2 + budget.gain2 + budget.product2 + budget.reference2, mse, rtol=1e-10)
    for part in ("bias2", "gain2", "product2", "reference2"):
        value, low, high = (getattr(budget, part + end) for end in ("", "_low", "_high"))
        assert (low <= value).all()
        assert (value <= high).all()


def test_representativeness_follows_the_signal_to_noise_ratio() -> None:
    assert list(representativeness([6.0, 1.0, -2.0, np.nan])) == ["good", "fair", "poor", "unknown"]


def test_two_data_sets_cannot_be_collocated() -> None:
    with pytest.raises(ValueError, match="at least three"):
        collocate(np.zeros((2, 100)))


WORDS = ("ok", "few_samples", "negative_covariance", "weak_correlation", "negative_error_variance", "constant_series")


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_the_compiled_map_of_three_data_sets_equals_the_general_solution(precision: type) -> None:
    series = np.stack([*(hostile(word) for word in WORDS), np.full((3, 1500), np.nan)]).astype(precision)
    fast, slow = triple(*np.moveaxis(series, 1, 0), intervals=False), collocate(series, intervals=False)
    for name in vars(slow):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), rtol=2e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("intervals", [True, False])
def test_a_hundred_days_are_enough_and_ninety_nine_are_not(intervals: bool) -> None:
    series = world(cells=1, days=100)[0]
    assert STATUS[collocate(series, intervals=intervals).status[0]] == "ok"
    series[1, 40] = np.nan
    assert STATUS[collocate(series, intervals=intervals).status[0]] == "few_samples"


def test_the_squared_bias_of_a_budget_has_the_ends_of_the_squared_interval_of_the_bias() -> None:
    series = world(cells=6, days=1500)
    series[:, 0] += np.array([0.05, -0.05, 0.02, -0.02, 0.0, 0.001])[:, None]
    budget = error_budget(series)
    bias = estimate(metric("bias"), series[:, 0], series[:, 1])
    inside = (bias.ci_low < 0) & (bias.ci_high > 0)
    assert inside.any()
    assert not inside.all()
    ends = np.sort([bias.ci_low**2, bias.ci_high**2], axis=0)
    np.testing.assert_allclose(budget.bias2_low, np.where(inside, 0.0, ends[0]), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(budget.bias2_high, ends[1], rtol=1e-6)


def test_a_named_error_covariance_needs_both_of_its_members() -> None:
    series = world(cells=2, days=1500, members=4, rho=0.6)
    # The mean of the three others has less variance than the signal that they give it.
    series[1, 0] = series[1, 1:].mean(axis=0)
    found = collocate(series, named=[(0, 1)], intervals=False)
    assert [STATUS[code] for code in found.status[1, :2]] == ["negative_error_variance", "ok"]
    assert list(np.isfinite(found.error_covariance[:, 0])) == [True, False]
