"""The metric table against formulas written a second way, and its laws."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vadose.statistics import METRICS, Moments, Pairing, evaluate, metric, moments, ranks
from vadose.statistics.differences import on_scale


def pair(seed: int = 0, n: int = 300, gaps: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    r = 0.25 + 0.05 * np.cumsum(rng.standard_normal(n)) / 10
    x = 0.03 + 0.8 * r + 0.02 * rng.standard_normal(n)
    x[rng.random(n) < gaps] = np.nan
    r[rng.random(n) < gaps] = np.nan
    return x, r


SECOND_PATH: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "bias": lambda x, r: float(np.mean(x) - np.mean(r)),
    "mae": lambda x, r: float(np.mean(np.abs(x - r))),
    "rmse": lambda x, r: float(np.linalg.norm(x - r) / np.sqrt(x.size)),
    "ubrmsd": lambda x, r: float(np.std(x - r)),
    "nrmsd": lambda x, r: float(np.linalg.norm(x - r) / np.sqrt(x.size) / np.std(r)),
    "mse": lambda x, r: float(np.mean((x - r) ** 2)),
    "mse_bias": lambda x, r: float((x.mean() - r.mean()) ** 2),
    "mse_variance": lambda x, r: float((x.std() - r.std()) ** 2),
    "mse_correlation": lambda x, r: float(2 * x.std() * r.std() * (1 - stats.pearsonr(x, r)[0])),
    "r": lambda x, r: float(stats.pearsonr(x, r)[0]),
    "r2_explained": lambda x, r: float(1 - np.sum((x - r) ** 2) / np.sum((r - r.mean()) ** 2)),
    "kge": lambda x, r: float(
        1 - np.sqrt((stats.pearsonr(x, r)[0] - 1) ** 2 + (x.std() / r.std() - 1) ** 2 + (x.mean() / r.mean() - 1) ** 2)
    ),
    "slope": lambda x, r: float(np.polyfit(r, x, 1)[0]),
    "intercept": lambda x, r: float(np.polyfit(r, x, 1)[1]),
    "std_ratio": lambda x, r: float(x.std() / r.std()),
}


@pytest.mark.parametrize("entry", METRICS, ids=lambda entry: entry.name)
def test_every_metric_equals_its_formula_written_a_second_way(entry: object) -> None:
    for seed in range(5):
        x, r = pair(seed)
        keep = np.isfinite(x) & np.isfinite(r)
        found = evaluate(entry, moments(x, r))
        assert found == pytest.approx(SECOND_PATH[entry.name](x[keep], r[keep]), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("entry", [m for m in METRICS if m.gradient], ids=lambda entry: entry.name)
def test_every_gradient_equals_a_difference_quotient(entry: object) -> None:
    x, r = pair(1, gaps=0.0)
    m = moments(x[None], r[None])
    scale = {"identity": lambda g: g, "log": np.log, "chi_square": np.log, "fisher": np.arctanh}[entry.scale]
    names = ("mean_x", "mean_r", "var_x", "var_r", "cov", "mean_abs")
    for name, slope in zip(names, entry.gradient(m).parts(), strict=True):
        values = {key: getattr(m, key) for key in ("n", *names)}
        step = 1e-7
        up = entry.of(Moments(**{**values, name: values[name] + step}))
        down = entry.of(Moments(**{**values, name: values[name] - step}))
        quotient = (scale(up) - scale(down)) / (2 * step)
        np.testing.assert_allclose(np.broadcast_to(slope, quotient.shape), quotient, rtol=2e-3, atol=1e-5)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_the_identities_of_the_error_hold(seed: int) -> None:
    m = moments(*pair(seed))
    value = {name: float(evaluate(metric(name), m)) for name in SECOND_PATH}
    assert abs(value["rmse"] ** 2 - value["ubrmsd"] ** 2 - value["bias"] ** 2) < 1e-8
    assert value["mse"] == pytest.approx(value["mse_bias"] + value["mse_variance"] + value["mse_correlation"], rel=1e-9)
    assert value["rmse"] >= value["mae"]
    assert value["nrmsd"] ** 2 == pytest.approx(1 - value["r2_explained"], rel=1e-9)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(-0.1, 0.1))
def test_an_offset_changes_only_the_bias(seed: int, offset: float) -> None:
    x, r = pair(seed)
    before, after = moments(x, r), moments(x + offset, r)
    for name in ("ubrmsd", "r"):
        assert evaluate(metric(name), after) == pytest.approx(float(evaluate(metric(name), before)), abs=1e-10)
    assert after.bias == pytest.approx(before.bias + offset)


def test_swapping_product_and_reference_flips_the_bias_only() -> None:
    x, r = pair(7)
    one, two = moments(x, r), moments(r, x)
    assert one.bias == pytest.approx(-two.bias)
    assert evaluate(metric("ubrmsd"), one) == pytest.approx(float(evaluate(metric("ubrmsd"), two)))
    assert evaluate(metric("r"), one) == pytest.approx(float(evaluate(metric("r"), two)))


def test_the_order_of_stations_does_not_matter() -> None:
    x, r = (np.stack(s) for s in zip(*(pair(seed) for seed in range(6)), strict=True))
    order = np.random.default_rng(0).permutation(6)
    found, mixed = (Pairing.of(*s).estimate(metric("r")) for s in ((x, r), (x[order], r[order])))
    np.testing.assert_array_equal(found.value[order], mixed.value)
    np.testing.assert_allclose(found.ci_low[order], mixed.ci_low, rtol=1e-12)


def test_spearman_is_the_correlation_of_ranks_with_ties() -> None:
    x, r = pair(2, gaps=0.0)
    x = np.round(x, 2)
    found = evaluate(metric("r"), moments(ranks(x), ranks(r)))
    assert found == pytest.approx(stats.spearmanr(x, r).statistic, abs=1e-12)


def test_a_constant_series_has_no_correlation_but_a_bias() -> None:
    r = np.full(100, np.float32(0.4905), np.float64)
    m = moments(r + 0.01 * np.sin(np.arange(100)), r)
    assert np.isnan(evaluate(metric("r"), m))
    assert np.isnan(evaluate(metric("r2_explained"), m))
    assert np.isfinite(evaluate(metric("bias"), m))


def test_an_unknown_metric_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="ubRMSE.*ubrmsd"):
        metric("ubRMSE")


@pytest.mark.parametrize("name", ["rmse", "ubrmsd", "std_ratio"])
def test_nothing_has_no_logarithm_to_be_compared_on(name: str) -> None:
    found = on_scale(metric(name), [0.0, -1.0, 2.0])
    np.testing.assert_array_equal(found, [np.nan, np.nan, np.log(2.0)])
