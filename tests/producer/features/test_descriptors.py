"""The temporal descriptors: each against its definition in plain Python, their relations, and what they read."""

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.producer.features.descriptors import EXTENSIVE, NAMES, descriptors, trailing_descriptors


def gappy(series: int, days: int, seed: int, *, share: float = 0.4) -> np.ndarray:
    """Soil moisture with memory and gaps, (series, time)."""
    rng = np.random.default_rng(seed)
    values = 0.25 + 0.02 * np.cumsum(rng.normal(size=(series, days)), axis=1) / np.sqrt(days / 20)
    values = np.clip(values + rng.normal(0, 0.01, values.shape), 0.02, 0.9).astype(np.float32)
    values[rng.random(values.shape) < share] = np.nan
    return values


def rank(values: list[float], share: float) -> float:
    """Quantile by linear interpolation."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def correlation(a: list[float], b: list[float]) -> float:
    return statistics.covariance(a, b) / math.sqrt(statistics.variance(a) * statistics.variance(b))


def entropy(values: list[float]) -> float:
    """Sample entropy by comparing every pair of templates."""
    x = [np.float32(v) for v in values[-1000:]]
    radius = np.float32(0.2 * np.std(np.array(x, np.float64)))
    counts = []
    for length in (2, 3):
        templates = [x[i : i + length] for i in range(len(x) - 2)]
        close = [
            max(abs(p - q) for p, q in zip(a, b, strict=True)) <= radius
            for i, a in enumerate(templates)
            for b in templates[i + 1 :]
        ]
        counts.append(sum(close))
    return -math.log(counts[1] / counts[0]) if counts[1] else math.nan


def slow(series: np.ndarray, weights: np.ndarray | None = None) -> dict[str, float]:
    """Every descriptor by its definition, without per_n."""
    day = [t for t, v in enumerate(series) if math.isfinite(v)]
    x = [float(series[t]) for t in day]
    w = [1.0 if weights is None else float(weights[t]) for t in day]
    n, mean, median = len(x), statistics.fmean(x), statistics.median(x)
    steps = [b - a for a, b in itertools.pairwise(x)]
    sizes = [abs(step) for step in steps]
    std = statistics.pstdev(x)
    segments = [x[i : i + 30] for i in range(0, n - 29, 30)]
    pairs = [correlation(a, b) for a, b in itertools.pairwise(segments)]
    peaks = [day[i] for i in range(1, n - 1) if x[i - 1] < x[i] > x[i + 1]]
    between = [b - a for a, b in itertools.pairwise(peaks)]
    total = sum(w)
    return {
        "mean": mean, "median": median,
        "whm": total / sum(k / v for k, v in zip(w, x, strict=True)),
        "wgm": math.exp(sum(k * math.log(v) for k, v in zip(w, x, strict=True)) / total),
        "wpm": (sum(k * v**3 for k, v in zip(w, x, strict=True)) / total) ** (1 / 3),
        "std": std, "var": std**2, "cv": std / mean, "mad": statistics.fmean(abs(v - mean) for v in x),
        "mead": statistics.median(abs(v - median) for v in x), "iqr": rank(x, 0.75) - rank(x, 0.25),
        "rms": math.sqrt(statistics.fmean(v * v for v in x)), "min": min(x), "max": max(x),
        "skew": statistics.fmean((v - mean) ** 3 for v in x) / std**3,
        "kurt": statistics.fmean((v - mean) ** 4 for v in x) / std**4 - 3, "q1": rank(x, 0.25), "sampen": entropy(x),
        "meandiff": (x[-1] - x[0]) / (n - 1), "meddiff": statistics.median(steps), "masd": statistics.fmean(sizes),
        "measd": statistics.median(sizes),
        "acf": sum((a - mean) * (b - mean) for a, b in itertools.pairwise(x)) / sum((v - mean) ** 2 for v in x),
        "secder": statistics.fmean((x[i + 2] - 2 * x[i + 1] + x[i]) / 2 for i in range(n - 2)),
        "segcorr": statistics.fmean(pairs) if pairs else math.nan,
        "p2p": statistics.fmean(between) if between else math.nan,
        "abse": sum(v * v for v in x), "sum": sum(x), "sad": sum(sizes),
        "cam": sum(v > mean for v in x), "cbm": sum(v < mean for v in x),
    }  # fmt: skip


@pytest.fixture(scope="module")
def cases() -> list[tuple[np.ndarray, dict[str, float]]]:
    series = [*gappy(2, 365, 1), gappy(1, 365, 2, share=0.0)[0], gappy(1, 50, 3, share=0.1)[0]]
    # A record of few steps, as packed products have: most values are ties.
    series.append(np.round(gappy(1, 200, 4)[0] * 50) / 50)
    return [(one, slow(one)) for one in series]


@pytest.mark.parametrize("name", NAMES)
def test_descriptor_equals_its_definition_in_plain_python(cases: list, name: str) -> None:
    for series, expected in cases:
        found = descriptors(series[None], per_n=False)[0, NAMES.index(name)]
        # Differences of single-precision numbers keep seven digits of the numbers themselves.
        np.testing.assert_allclose(found, expected[name], rtol=2e-6, atol=2e-8)


def test_weights_count_in_the_three_weighted_means() -> None:
    series = gappy(1, 200, 5)[0]
    weights = np.random.default_rng(6).uniform(1, 9, series.shape)
    expected, found = slow(series, weights), descriptors(series[None], weights[None], per_n=False)[0]
    np.testing.assert_allclose(found, [expected[name] for name in NAMES], rtol=2e-6, atol=2e-8)
    assert abs(expected["whm"] - slow(series)["whm"]) > 1e-4
    with pytest.raises(ValueError, match="shape"):
        descriptors(series[None], weights[None, 1:])


@given(st.lists(st.floats(0.015625, 0.875, width=32), min_size=30, max_size=130))
@settings(max_examples=60, deadline=None)
def test_exact_relations_between_descriptors_hold(values: list[float]) -> None:
    x, n = np.array(values, np.float32), len(values)
    whole = dict(zip(NAMES, descriptors(x[None], per_n=False)[0], strict=True))
    assert whole["var"] == pytest.approx(whole["std"] ** 2, rel=1e-12)
    assert whole["sum"] == pytest.approx(n * whole["mean"], rel=1e-12)
    assert whole["abse"] == pytest.approx(n * whole["rms"] ** 2, rel=1e-12)
    assert whole["rms"] ** 2 == pytest.approx(whole["mean"] ** 2 + whole["var"], rel=1e-12)
    assert whole["sad"] == pytest.approx((n - 1) * whole["masd"], rel=1e-12)
    assert whole["min"] <= whole["q1"] <= whole["median"] <= whole["max"]
    assert whole["cam"] + whole["cbm"] <= n
    shares = dict(zip(NAMES, descriptors(x[None])[0], strict=True))
    for name in NAMES:
        assert shares[name] == pytest.approx(whole[name] / (n if name in EXTENSIVE else 1), rel=1e-12, nan_ok=True)


def test_fewer_than_thirty_observations_have_no_descriptors() -> None:
    series = gappy(1, 365, 7, share=0.0)
    series[0, 29:] = np.nan
    assert np.isnan(descriptors(series)).all()
    series[0, 29] = 0.3
    assert np.isfinite(descriptors(series)[0, NAMES.index("sampen")])


def test_constant_series_has_no_shape_and_no_spread() -> None:
    found = dict(zip(NAMES, descriptors(np.full((1, 90), 0.3, np.float32))[0], strict=True))
    assert found["std"] == found["mead"] == found["cam"] == found["sampen"] == 0
    assert found["median"] == pytest.approx(0.3)
    assert all(np.isnan(found[name]) for name in ("skew", "kurt", "acf", "segcorr", "p2p"))


def test_values_that_are_not_positive_have_no_harmonic_mean() -> None:
    series = gappy(1, 90, 8)
    series[0, np.flatnonzero(np.isfinite(series[0]))[3]] = 0.0
    found = dict(zip(NAMES, descriptors(series)[0], strict=True))
    assert np.isnan([found[name] for name in ("whm", "wgm", "wpm")]).all()
    assert np.isfinite(found["rms"])


def test_without_entropy_all_other_descriptors_are_the_same() -> None:
    series = gappy(3, 200, 9)
    bare, place = descriptors(series, entropy=False), NAMES.index("sampen")
    np.testing.assert_array_equal(np.delete(bare, place, 1), np.delete(descriptors(series), place, 1))
    assert np.isnan(bare[:, place]).all()


def test_trailing_descriptors_are_those_of_the_days_before() -> None:
    series = gappy(2, 160, 10)
    found = trailing_descriptors(series, first=20, days=70)
    for t in (20, 75, 110, 159):
        window = np.full_like(series, np.nan)
        window[:, max(t - 70, 0) : t] = series[:, max(t - 70, 0) : t]
        np.testing.assert_allclose(found[:, t - 20], descriptors(window), rtol=1e-9)


def test_trailing_descriptors_do_not_read_the_day_itself_nor_later_ones() -> None:
    series = gappy(2, 200, 11)
    before = trailing_descriptors(series)
    series[:, 120:] = 0.9
    after = trailing_descriptors(series)
    np.testing.assert_array_equal(before[:, :121], after[:, :121])
    assert (before[:, 121] != after[:, 121])[:, 0].all()
