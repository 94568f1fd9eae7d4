"""True coverage of nominal 95 % intervals on dependent series: the fast version of the trial."""

import numpy as np
import pytest
from scipy import signal

from vadose.statistics import Pairing, metric

SERIES = 200
DAYS = 1825
CORRELATION = 0.7
# Published coverage of the tail model for R, bias and ubRMSD at 1825 days, from 1000 series.
PUBLISHED = {
    "ar1_090": ((0.9,), (0.94, 0.95, 0.93)),
    "ar1_097": ((0.97,), (0.94, 0.94, 0.91)),
    "ar2": ((1.6, -0.63), (0.95, 0.95, 0.94)),
    "ar1_097_gaps": ((0.97,), (0.93, 0.94, 0.90)),
}


def dependent_pair(coefficients: tuple[float, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Stationary product and reference with true R 0.7 and equal variance, (series, days)."""
    noise = np.random.default_rng(seed).standard_normal((2, SERIES, DAYS + 800))
    a, b = signal.lfilter([1.0], [1.0, *(-np.asarray(coefficients))], noise, axis=-1)[:, :, 800:]
    return a, CORRELATION * a + np.sqrt(1 - CORRELATION**2) * b


def true_value(name: str, coefficients: tuple[float, ...]) -> float:
    impulse = signal.lfilter([1.0], [1.0, *(-np.asarray(coefficients))], np.eye(1, 4000)[0])
    variance = float((impulse**2).sum())
    return {"r": CORRELATION, "bias": 0.0, "ubrmsd": np.sqrt(2 * variance * (1 - CORRELATION))}[name]


def coverage(name: str, x: np.ndarray, r: np.ndarray, truth: float, model: str) -> float:
    found = Pairing.of(x, r).estimate(metric(name), model)
    return float(((found.ci_low <= truth) & (truth <= found.ci_high))[np.isfinite(found.ci_low)].mean())


@pytest.mark.parametrize("case", PUBLISHED)
def test_the_default_interval_covers_as_published(case: str) -> None:
    coefficients, published = PUBLISHED[case]
    x, r = dependent_pair(coefficients, seed=len(case))
    if case.endswith("gaps"):
        day = np.arange(DAYS)
        x = np.where((day % 3 == 0) & (day % 365 > 90), x, np.nan)
    for name, expected in zip(("r", "bias", "ubrmsd"), published, strict=True):
        found = coverage(name, x, r, true_value(name, coefficients), "tail_model")
        # Three standard errors of a trial of this size.
        assert found >= expected - 3 * np.sqrt(expected * (1 - expected) / SERIES), (case, name, found)
        assert found <= 0.995, (case, name, found)


def test_intervals_for_independent_days_cover_far_too_little_of_dependent_ones() -> None:
    x, r = dependent_pair((0.97,), seed=4)
    assert coverage("r", x, r, CORRELATION, "iid") < 0.45
    assert coverage("r", x, r, CORRELATION, "lag1") > 0.85


def test_on_independent_days_all_models_agree() -> None:
    x, r = dependent_pair((0.0,), seed=5)
    found = [Pairing.of(x, r).estimate(metric("bias"), model) for model in ("iid", "lag1", "tail_model")]
    widths = [np.median(one.ci_high - one.ci_low) for one in found]
    assert widths[1] == pytest.approx(widths[0], rel=0.03)
    assert widths[2] == pytest.approx(widths[0], rel=0.05)
