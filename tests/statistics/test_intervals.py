"""Intervals of one pair: second paths, status words, hostile series."""

import numpy as np
import pytest
from scipy import signal, stats

from vadose.statistics import METRICS, STATUS, Gaps, Pairing, estimate, metric, tail_model
from vadose.statistics.distributions import chi_square_ratio, t_p_value, t_quantile
from vadose.statistics.longrun import MODELS, autocovariance


@pytest.mark.parametrize("dof", [1.5, 3.0, 9.7, 30.0, 1000.0])
def test_quantiles_equal_those_of_scipy(dof: float) -> None:
    assert t_quantile(0.95, dof) == pytest.approx(stats.t.ppf(0.975, dof), rel=1e-5)
    assert chi_square_ratio(0.025, dof) == pytest.approx(stats.chi2.ppf(0.025, dof) / dof, rel=1e-4)
    assert t_p_value(-2.3, dof) == pytest.approx(2 * stats.t.sf(2.3, dof), rel=1e-7)


def test_autocovariance_equals_the_sum_over_existing_pairs() -> None:
    rng = np.random.default_rng(1)
    mask = rng.random((1, 90)) < 0.6
    psi = np.where(mask, rng.standard_normal((1, 90)), 0.0)
    found = autocovariance(psi, Gaps.of(mask))[0]
    for lag in range(31):
        pairs = [psi[0, t] * psi[0, t + lag] for t in range(90 - lag) if mask[0, t] and mask[0, t + lag]]
        assert found[lag] == pytest.approx(np.mean(pairs) if pairs else 0.0, abs=1e-6)


def test_independent_days_give_the_textbook_interval() -> None:
    rng = np.random.default_rng(2)
    x, r = rng.standard_normal((2, 400))
    found = estimate(metric("bias"), x, r, "iid")
    low, high = stats.t.interval(0.95, 399, np.mean(x - r), np.std(x - r) / np.sqrt(400))
    assert (float(found.ci_low), float(found.ci_high)) == pytest.approx((low, high), rel=1e-6)
    z = estimate(metric("r"), x, r, "iid")
    book = stats.pearsonr(x, r).confidence_interval(0.95)
    assert (float(z.ci_low), float(z.ci_high)) == pytest.approx((book.low, book.high), abs=0.01)


def test_the_effective_sample_of_an_autoregression_is_the_known_one() -> None:
    noise = np.random.default_rng(3).standard_normal((100, 4000))
    psi = signal.lfilter([1.0], [1.0, -0.8], noise, axis=1)[:, 1000:]
    psi -= psi.mean(axis=1, keepdims=True)
    found = tail_model(psi, Gaps.of(np.ones(psi.shape, bool))).n_eff
    assert np.median(found) == pytest.approx(3000 * (1 - 0.8) / (1 + 0.8), rel=0.1)


@pytest.mark.parametrize(("days", "expected"), [(29, "few_samples"), (400, "ok"), (0, "few_samples")])
def test_the_status_follows_the_number_of_days(days: int, expected: str) -> None:
    rng = np.random.default_rng(4)
    x, r = rng.uniform(0.1, 0.4, (2, 400))
    x[days:] = np.nan
    found = estimate(metric("r"), x, r)
    assert STATUS[int(found.status)] == expected
    assert np.isfinite(found.ci_low) == (expected == "ok")


def test_a_slow_series_is_marked_instead_of_given_a_false_interval() -> None:
    slow = np.sin(np.linspace(0, np.pi, 400))
    found = estimate(metric("bias"), slow, np.zeros(400))
    assert STATUS[int(found.status)] == "few_effective"
    assert np.isfinite(found.value)
    assert np.isnan(found.ci_low)


@pytest.mark.parametrize("entry", METRICS, ids=lambda entry: entry.name)
def test_hostile_series_give_a_status_and_leave_their_neighbours_alone(entry: object) -> None:
    rng = np.random.default_rng(5)
    x, r = rng.uniform(0.1, 0.4, (2, 5, 200))
    alone = Pairing.of(x[:1], r[:1]).estimate(entry)
    x[1], x[2], r[3] = np.nan, 0.25, 0.4905
    x[4] = r[4]
    found = Pairing.of(x, r).estimate(entry)
    np.testing.assert_allclose(found.value[0], alone.value[0], rtol=1e-12)
    np.testing.assert_allclose(found.ci_low[0], alone.ci_low[0], rtol=1e-9)
    assert STATUS[found.status[1]] == "few_samples"
    for k in (2, 3):
        assert np.isfinite(found.value[k]) or STATUS[found.status[k]] == "constant_series"


def test_only_the_interval_of_the_shape_asked_for_comes_back() -> None:
    x, r = np.random.default_rng(6).uniform(0.1, 0.4, (2, 2, 3, 100))
    found = estimate(metric("rmse"), x, r)
    assert found.value.shape == found.status.shape == (2, 3)
    assert (found.ci_low < found.value).all()
    assert (found.value < found.ci_high).all()


def test_the_corrected_difference_has_the_level_of_the_process_on_short_slow_records() -> None:
    noise = np.random.default_rng(7).standard_normal((400, 1200))
    error = signal.lfilter([1.0], [1.0, -0.95], noise, axis=1)[:, 800:] * np.sqrt(1 - 0.95**2)
    pairing = Pairing.of(0.25 + error, np.full(error.shape, 0.25))
    plain, corrected = np.sqrt(pairing.moments.var_error), pairing.corrected_ubrmsd
    assert np.exp(np.mean(np.log(plain))) < 0.93
    assert np.exp(np.nanmean(np.log(corrected))) == pytest.approx(1.0, abs=0.06)


def test_pairs_of_days_are_counted_exactly_on_long_records() -> None:
    mask = np.random.default_rng(8).random((2, 30_000)) < 0.7
    gaps = Gaps.of(mask)
    for lag in (0, 1, 57, 400):
        expected = (mask[:, : mask.shape[1] - lag] & mask[:, lag:]).sum(axis=1)
        np.testing.assert_array_equal(gaps.pairs[:, lag], expected)


def filtered(coefficients: list[float], days: int = 8000, series: int = 20) -> np.ndarray:
    noise = np.random.default_rng(14).standard_normal((series, days + 500))
    made = signal.lfilter([1.0], [1.0, *(-one for one in coefficients)], noise)[:, 500:]
    return np.asarray(made - made.mean(axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("coefficients", "exact"), [([0.8], ("lag1", "ar2", "hac", "tail_model")), ([1.6, -0.63], ("ar2", "tail_model"))]
)
def test_models_of_dependence_give_the_days_of_theory(coefficients: list[float], exact: tuple[str, ...]) -> None:
    psi = filtered(coefficients)
    gaps = Gaps.of(np.ones(psi.shape, bool))
    # Variance of the process over its power at frequency zero, both for noise of variance 1.
    impulse = signal.lfilter([1.0], [1.0, *(-one for one in coefficients)], np.eye(1, 4000)[0])
    share = (impulse**2).sum() / impulse.sum() ** 2
    found = {name: float(np.median(MODELS[name](psi, gaps).n_eff)) / psi.shape[1] for name in MODELS}
    for name in exact:
        assert found[name] == pytest.approx(share, rel=0.2)
    assert found["iid"] == 1.0
    if coefficients[0] > 1:
        assert found["lag1"] < 0.5 * share


def test_far_pairs_are_counted_in_blocks_of_twenty_lags_around_their_middle() -> None:
    mask = np.random.default_rng(15).random((2, 1000)) < 0.5
    gaps = Gaps.of(mask)
    lags = gaps.pairs.shape[1] - 1
    assert lags == 333
    for block, middle in enumerate(gaps.far_lags):
        inside = np.arange(lags + 1 + 20 * block, min(lags + 21 + 20 * block, 1000))
        assert middle == pytest.approx(inside.mean())
        expected = sum((mask[0, lag:] & mask[0, :-lag]).sum() for lag in inside)
        assert gaps.far_pairs[0, block] == expected


def test_a_half_wave_over_ten_years_has_the_fewest_independent_days() -> None:
    # Its products at lag 1, over the pairs that exist, exceed its variance.
    psi = np.sin(np.pi * np.linspace(-1.0, 1.0, 3650))[None]
    gaps = Gaps.of(np.ones(psi.shape, bool))
    assert MODELS["ar2"](psi, gaps).n_eff == 3.0
    assert MODELS["lag1"](psi, gaps).n_eff == 3.0
