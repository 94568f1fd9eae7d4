"""Scalings against pytesmo and their laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.statistics import STATUS, scale
from vadose.statistics.scaling import SCALINGS


def pair(days: int = 2500, seed: int = 0, gaps: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    r = rng.beta(2, 5, (3, days))
    x = 0.1 + 0.5 * r**1.3 + 0.02 * rng.standard_normal(r.shape)
    x[rng.random(x.shape) < gaps] = np.nan
    return x, r


@pytest.mark.parametrize("name", SCALINGS)
def test_hostile_series_have_a_word_and_leave_their_neighbours_alone(name: str) -> None:
    x, r = pair(400)
    alone, _ = scale(name, x[:1], r[:1])
    x[1], x[2] = 0.2, 0.6 - r[2]
    x[2, 1:] = np.nan
    scaled, status = scale(name, x, r)
    np.testing.assert_array_equal(scaled[0], alone[0])
    expected = ["ok"] * 3 if name == "none" else ["ok", "constant_series", "few_samples"]
    assert [STATUS[code] for code in status] == expected


def test_min_max_and_mean_std_have_the_range_and_moments_of_the_reference() -> None:
    x, r = pair()
    common = np.isfinite(x)
    ranged, _ = scale("min_max", x, r)
    moved, _ = scale("mean_std", x, r)
    for s in range(3):
        keep = common[s]
        assert (ranged[s, keep].min(), ranged[s, keep].max()) == pytest.approx((r[s, keep].min(), r[s, keep].max()))
        assert (moved[s, keep].mean(), moved[s, keep].std()) == pytest.approx((r[s, keep].mean(), r[s, keep].std()))


def test_the_regression_is_signed_and_refuses_to_fall() -> None:
    x, r = pair()
    scaled, _ = scale("linear", x, r)
    keep = np.isfinite(x[0])
    slope = np.polyfit(x[0, keep], r[0, keep], 1)[0]
    assert np.ptp(scaled[0, keep]) == pytest.approx(slope * np.ptp(x[0, keep]))
    assert STATUS[scale("linear", 0.6 - r, r)[1][0]] == "anticorrelated"


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([None, 1, 2]))
def test_cdf_matching_is_strictly_monotone(seed: int, digits: int | None) -> None:
    x, r = pair(500, seed, gaps=0.0)
    if digits is not None:
        x, r = np.round(x, digits), np.round(r, digits + 1)
    scaled, status = scale("cdf", x, r)
    for s in range(3):
        if STATUS[status[s]] == "ok":
            order = np.argsort(x[s], kind="stable")
            rises = np.diff(x[s, order]) > 0
            assert (np.diff(scaled[s, order])[rises] > 0).all()


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("gaps", [0.0, 0.4])
@pytest.mark.filterwarnings("ignore:The bins have been resized")
def test_cdf_matching_equals_pytesmo_between_the_second_and_98th_percentile(gaps: float, precision: type) -> None:
    matching = pytest.importorskip("pytesmo.cdf_matching")
    x, r = (one.astype(precision) for one in pair(gaps=gaps))
    scaled, _ = scale("cdf", x, r)
    assert scaled.dtype == precision
    for s in range(3):
        keep = np.isfinite(x[s])
        book = matching.CDFMatching(nbins=100, minobs=20).fit(x[s, keep], r[s, keep]).predict(x[s, keep])
        low, high = np.quantile(x[s, keep], [0.02, 0.98])
        inner = (x[s, keep] > low) & (x[s, keep] < high)
        np.testing.assert_allclose(scaled[s, keep][inner], book[inner], atol=1e-6)


def test_mean_std_equals_pytesmo() -> None:
    scaling = pytest.importorskip("pytesmo.scaling")
    x, r = pair(gaps=0.0)
    np.testing.assert_allclose(scale("mean_std", x, r)[0][0], scaling.mean_std(x[0], r[0]), rtol=1e-12)


def test_an_unknown_scaling_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="zscore.*mean_std"):
        scale("zscore", *pair(100))
