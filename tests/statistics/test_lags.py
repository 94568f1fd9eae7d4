"""Loops over lags and frequencies against plain formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.statistics import Gaps, lags
from vadose.statistics.coverage import SERIES, sample
from vadose.statistics.longrun import tail_model


def gappy(days: int, seed: int = 0, kept: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    """Series with a slow part, centred, 0 off the mask; and the mask."""
    rng = np.random.default_rng(seed)
    psi = sample(SERIES[2], 3, days, rng).r
    mask = rng.random(psi.shape) < kept
    mask[:, 0] = True
    psi = np.where(mask, psi - (psi * mask).sum(axis=1, keepdims=True) / mask.sum(axis=1, keepdims=True), 0.0)
    return psi, mask


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_pairs_of_days_are_counted_one_by_one(days: list[bool]) -> None:
    mask = np.array([days])
    expected = [sum(days[t] and days[t + lag] for t in range(len(days) - lag)) for lag in range(len(days))]
    np.testing.assert_array_equal(lags.pairs_of_days(mask)[0], expected)


@pytest.mark.parametrize("days", [5, 64, 203])
def test_products_at_a_lag_are_those_of_shifted_series(days: int) -> None:
    psi, _ = gappy(days)
    found = lags.lagged_products(psi, days // 2)
    for lag in range(days // 2 + 1):
        expected = (psi[:, : days - lag] * psi[:, lag:]).sum(axis=1)
        np.testing.assert_allclose(found[:, lag], expected, atol=1e-6 * (psi**2).sum())


def test_power_at_the_slowest_waves_is_that_of_a_regression_on_each() -> None:
    psi, mask = gappy(400)
    mask[0, :37] = False
    psi = np.where(mask, psi, 0.0)
    gaps = Gaps.of(mask)
    found = lags.cosine_variance(psi, mask, mask.argmax(axis=1), gaps.span, np.full(3, 8))
    for s in range(3):
        day = np.flatnonzero(mask[s])
        y = psi[s, day] - psi[s, day].mean()
        begin, span, power = day[0], day[-1] - day[0] + 1, []
        for k in range(1, 9):
            wave = np.cos(np.pi * k * (day - begin + 0.5) / span)
            wave -= wave.mean()
            power.append((y @ wave) ** 2 / (wave @ wave))
        assert found[s] == pytest.approx(np.mean(power) / day.size, rel=1e-4)


def plain_tail(psi: np.ndarray, mask: np.ndarray) -> float:
    """Variance of the mean of one series by the tail model, every lag written out."""
    days, n = psi.size, mask.sum()
    pairs = np.array([(mask[: days - k] & mask[k:]).sum() for k in range(days)], float)
    gamma = np.array([psi[: days - k] @ psi[k:] for k in range(days)]) / np.maximum(pairs, 1)
    lag, variance = np.arange(days), 0.0
    usable = (lag > 0) & (lag <= min(days // 3, 400)) & (pairs >= 0.1 * n)
    for _ in range(3):
        rho = (gamma + variance) / (gamma[0] + variance)
        noise = np.flatnonzero(usable & (rho < max(0.05, 2.0 / np.sqrt(n))))
        near = usable & (lag < noise[0])
        weight = np.sqrt(rho[near] ** 2 * pairs[near])
        slope, log_level = np.polyfit(lag[near], np.log(rho[near]), 1, w=weight)
        if log_level > 0:
            slope = (weight**2 * lag[near] * np.log(rho[near])).sum() / (weight**2 * lag[near] ** 2).sum()
        whole = np.where(near, rho, np.exp(min(log_level, 0.0) + slope * lag))
        total = (pairs * whole)[1:].sum()
        variance = max(gamma[0] + variance, 1e-9) / n**2 * (n + 2.0 * total)
    return variance


@pytest.mark.parametrize("kept", [1.0, 0.6])
def test_the_tail_model_is_its_formula_written_out(kept: float) -> None:
    psi, mask = gappy(650, seed=4, kept=kept)
    found = tail_model(psi, Gaps.of(mask))
    tail = lags.tail_variance(psi, *(getattr(Gaps.of(mask), one) for one in
                                     ("span", "pairs", "far_pairs", "far_lags")), 1)  # fmt: skip
    for s in range(3):
        # Pairs beyond a third of the record are counted in blocks of twenty lags.
        assert tail[0, s] == pytest.approx(plain_tail(psi[s], mask[s]), rel=1e-3)
    assert (found.variance >= tail[0] * (1 - 1e-12)).all()


def test_a_series_without_variance_has_no_variance_of_its_mean() -> None:
    mask = np.ones((1, 300), bool)
    assert np.isnan(tail_model(np.zeros((1, 300)), Gaps.of(mask)).variance).all()
