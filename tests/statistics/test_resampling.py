"""The block bootstrap with shared weights."""

import numpy as np
import pytest
from scipy import signal

from vadose.statistics import METRICS, Gaps, Pairing, bootstrap, evaluate, figure_interval, metric, moments
from vadose.statistics.coverage import SERIES, sample
from vadose.statistics.longrun import block_length
from vadose.statistics.resampling import BASE_DAYS, LADDER, block_weights, replicate_moments, rung


def series(count: int = 4, days: int = 603, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    r = rng.uniform(0.1, 0.4, (count, days))
    x = 0.03 + 0.8 * r + 0.03 * rng.standard_normal(r.shape)
    x[rng.random(r.shape) < 0.2] = np.nan
    return x, r


def test_weights_depend_on_seed_length_and_replicate_only() -> None:
    few, many = block_weights(600, 20, seed=3, replicates=5), block_weights(600, 20, seed=3, replicates=50)
    np.testing.assert_array_equal(few, many[:5])
    assert (many.sum(axis=1) == 120).all()
    assert (block_weights(600, 20, seed=4, replicates=5) != few).any()


def test_longer_blocks_keep_neighbours_together() -> None:
    together = [
        np.mean(np.diff(np.sign(block_weights(2000, length, replicates=200)), axis=1) == 0) for length in LADDER
    ]
    assert together[0] < together[3] < together[5]


def test_replicate_moments_equal_those_of_repeated_days() -> None:
    x, r = series()
    weights = block_weights(603, 20, replicates=6)
    found = replicate_moments(x, r, moments(x, r), weights)
    for replicate in range(6):
        days = np.repeat(np.arange(603), np.repeat(weights[replicate].astype(int), BASE_DAYS)[:603])
        slow = moments(x[:, days], r[:, days])
        for name in ("n", "mean_x", "var_r", "cov", "mean_abs"):
            np.testing.assert_allclose(getattr(found, name)[:, replicate], getattr(slow, name), rtol=2e-5)


def test_the_rung_rises_with_memory() -> None:
    slow, white = (sample(SERIES[k], 20, 1825, np.random.default_rng(1)) for k in (3, 0))
    lengths = [rung(Pairing.of(made.x, made.r).errors, Pairing.of(made.x, made.r).gaps) for made in (slow, white)]
    assert lengths[0] > lengths[1]
    assert set(lengths) <= set(LADDER)


def test_intervals_of_all_metrics_are_about_those_of_the_tail_model() -> None:
    made = sample(SERIES[2], 30, 1825, np.random.default_rng(2))
    pairing = Pairing.of(made.x, made.r)
    found = bootstrap(pairing, seed=1)
    assert set(found.estimates) == {one.name for one in METRICS}
    for name in ("r", "bias", "ubrmsd", "rmse", "mae"):
        ours, other = found.estimates[name], pairing.estimate(metric(name))
        widths = np.median((ours.ci_high - ours.ci_low) / (other.ci_high - other.ci_low))
        assert 0.75 < widths < 1.45, (name, widths)
    assert np.isfinite(found.estimates["mse_correlation"].ci_low).all()


def test_a_seed_repeats_and_stations_do_not_change_each_other() -> None:
    x, r = series()
    one, two = (bootstrap(Pairing.of(x, r), seed=5, mean_length=10, replicates=100) for _ in range(2))
    alone = bootstrap(Pairing.of(x[:1], r[:1]), seed=5, mean_length=10, replicates=100)
    np.testing.assert_array_equal(one.replicates["r"], two.replicates["r"])
    np.testing.assert_allclose(one.replicates["r"][:1], alone.replicates["r"], rtol=1e-5)


def test_a_median_over_stations_has_an_interval() -> None:
    made = sample(SERIES[1], 20, 1825, np.random.default_rng(3))
    found = bootstrap(Pairing.of(made.x, made.r), [metric("r")])
    value = float(np.median(evaluate(metric("r"), moments(made.x, made.r))))
    low, high = figure_interval(value, np.median(found.replicates["r"], axis=0), found)
    assert low < 0.7 < high
    assert high - low < np.median(found.estimates["r"].ci_high - found.estimates["r"].ci_low)


def autoregressive(phi: float, series: int, days: int) -> np.ndarray:
    noise = np.random.default_rng(9).standard_normal((series, days + 1000))
    made = signal.lfilter([1.0], [1.0, -phi], noise)[:, 1000:]
    return np.asarray(made - made.mean(axis=1, keepdims=True))


def test_the_block_length_is_that_of_theory() -> None:
    # Of an AR(1) series the best mean length is (2 phi / (1 - phi^2))^(2/3) n^(1/3).
    days, phi = 3650, 0.8
    psi = autoregressive(phi, 30, days)
    found = block_length(psi, Gaps.of(np.ones(psi.shape, bool)))
    assert np.median(found) == pytest.approx((2 * phi / (1 - phi**2)) ** (2 / 3) * days ** (1 / 3), rel=0.15)


def test_a_block_is_at_most_three_roots_of_the_days() -> None:
    slow = np.sin(np.linspace(0, np.pi, 900))[None]
    gaps = Gaps.of(np.ones((1, 900), bool))
    assert block_length(slow - slow.mean(), gaps)[0] == np.ceil(3 * np.sqrt(900))


def test_a_series_without_days_leaves_the_calibration_to_the_others() -> None:
    x, r = series()
    slow = x + autoregressive(0.97, 4, 603) * 0.01
    alone = bootstrap(Pairing.of(slow[:3], r[:3]), [metric("r")], mean_length=5)
    with_nothing = np.concatenate([slow[:3], np.full((1, 603), np.nan)])
    beside = bootstrap(Pairing.of(with_nothing, r), [metric("r")], mean_length=5)
    assert beside.factor == pytest.approx(alone.factor, rel=1e-6)
    assert beside.factor > 1.2
