"""Whether a stated uncertainty is right: every figure from a second path."""

import numpy as np
import pytest
from scipy import integrate, stats

from vadose.validation.calibration import Stated, figures, spread_skill, without_bias

STATIONS, DAYS = 12, 1500


def world(scale: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Errors and stated standard uncertainties, of which the true ones are `scale` times as large."""
    rng = np.random.default_rng(seed)
    sigma = rng.uniform(0.02, 0.06, (STATIONS, DAYS))
    return scale * sigma * rng.standard_normal(sigma.shape), sigma


def stated(error: np.ndarray, sigma: np.ndarray, chosen: np.ndarray | None = None) -> Stated:
    everywhere = np.ones(error.shape, bool)
    clusters = np.arange(STATIONS, dtype=np.int64)
    return Stated.of("all", everywhere if chosen is None else chosen, error, sigma, clusters, STATIONS)


def test_right_uncertainties_cover_what_they_say_and_narrow_ones_less() -> None:
    right, narrow = (figures(stated(*world(scale))) for scale in (1.0, 1.5))
    for level in (50, 80, 90, 95):
        assert right[f"coverage_{level}"] == pytest.approx(level / 100, abs=0.01)
        share = 2 * stats.norm.cdf(stats.norm.ppf(0.5 + level / 200) / 1.5) - 1
        assert narrow[f"coverage_{level}"] == pytest.approx(share, abs=0.01)


def test_crps_is_the_integral_over_the_distribution_and_the_interval_score_a_loop() -> None:
    error, sigma = (one[:1, :5] for one in world(1.3, seed=1))
    expected, scores = [], []
    for e, s in zip(error[0], sigma[0], strict=True):
        # The forecast is the product's value, the truth the reference, which lies e below it.
        below = integrate.quad(lambda y, e=e, s=s: stats.norm.cdf(y, 0, s) ** 2, -1, -e)[0]
        above = integrate.quad(lambda y, e=e, s=s: (1 - stats.norm.cdf(y, 0, s)) ** 2, -e, 1)[0]
        expected.append(below + above)
        half = stats.norm.ppf(0.95) * s
        scores.append(2 * half + 2 / 0.1 * max(abs(e) - half, 0.0))
    found = Stated.of("x", np.ones((1, 5), bool), error, sigma, np.zeros(1, np.int64), 1)
    assert found.crps / found.days == pytest.approx(np.mean(expected), rel=1e-6)
    assert found.interval / found.days == pytest.approx(np.mean(scores), rel=1e-5)
    assert found.width / found.days == pytest.approx(2 * stats.norm.ppf(0.95) * sigma.mean(), rel=1e-5)


def test_the_pit_is_flat_if_right_and_leans_to_the_side_of_the_reference() -> None:
    error, sigma = world()
    flat = stated(error, sigma).pit
    assert np.ptp(flat) / flat.mean() < 0.15
    wet = stated(error + 0.04, sigma).pit
    assert wet[0] > 2 * wet[-1]


def test_only_chosen_days_with_both_values_count_and_classes_add_up() -> None:
    error, sigma = world()
    error[0, :100], sigma[1, :50] = np.nan, np.nan
    early = np.zeros(error.shape, bool)
    early[:, :700] = True
    one, two, whole = stated(error, sigma, early), stated(error, sigma, ~early), stated(error, sigma)
    assert (one.days, whole.days) == (STATIONS * 700 - 150, STATIONS * DAYS - 150)
    both = one + two
    for name in ("inside", "inside_cluster", "daily", "of_cluster", "pit", "crps", "interval", "width", "spread"):
        np.testing.assert_allclose(getattr(both, name), getattr(whole, name), rtol=1e-12)


def test_errors_that_stations_share_widen_the_interval_of_a_coverage() -> None:
    error, sigma = world()
    alone = stated(error, sigma).hits(2)
    shared = stated(sigma * (error[:1] / sigma[:1]), sigma).hits(2)
    assert (alone.clusters, alone.days) == (STATIONS, STATIONS * DAYS)
    assert alone.ci_low < 0.9 < alone.ci_high
    assert shared.ci_high - shared.ci_low > 2 * (alone.ci_high - alone.ci_low)
    textbook = 2 * 1.96 * np.sqrt(0.09 / (STATIONS * DAYS))
    assert alone.ci_high - alone.ci_low == pytest.approx(textbook, rel=0.5)


def test_spread_follows_skill_where_it_is_stated_right_and_not_where_it_is_constant() -> None:
    found = figures(stated(*world()))
    assert found["spread_skill_slope"] == pytest.approx(1.0, abs=0.08)
    assert found["spread_skill_r"] > 0.98
    error, _ = world()
    assert "spread_skill_slope" not in figures(stated(error, np.full(error.shape, 0.03)))
    spread, skill, counts = spread_skill(stated(*world()))
    assert len(spread) == 10
    assert counts.sum() == STATIONS * DAYS
    assert counts.max() < 1.7 * counts.min()
    np.testing.assert_allclose(skill, spread, rtol=0.05)


def test_the_bias_is_that_of_training_days_where_there_are_any() -> None:
    error = np.array([[1.0, 2.0, 3.0], [5.0, np.nan, 7.0], [np.nan, np.nan, np.nan]])
    training = np.array([[np.nan, np.nan, np.nan], [1.0, 2.0, np.nan], [np.nan, np.nan, np.nan]])
    np.testing.assert_allclose(without_bias(error, training), [[-1, 0, 1], [3.5, np.nan, 5.5], [np.nan] * 3])
