"""Anomalies of all days of a series, as other tools take them, and of the matched days, as is the default here."""

import numpy as np
import pytest

from vadose.statistics import anomaly_35d
from vadose.validation.comparisons import Pair, differences
from vadose.validation.network import Network
from vadose.validation.scores import Sample, score


def series(days: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """A reference with all days and a product with a third of them."""
    rng = np.random.default_rng(4)
    r = 0.25 + 0.02 * rng.standard_normal((2, days)).cumsum(axis=1) / 5 + 0.02 * rng.standard_normal((2, days))
    return np.where(rng.random(r.shape) < 0.4, r + 0.02 * rng.standard_normal(r.shape), np.nan), r


@pytest.mark.parametrize("before", [False, True])
def test_a_score_takes_anomalies_of_all_or_of_the_matched_days(before: bool) -> None:
    x, r = series()
    names = np.array(["a", "b"])
    sample = Sample(x, r, {}, np.ones(2), names, whole=(x, r) if before else None)
    network = Network(np.arange(2), ())
    (found,) = score(sample, network, (("r", "anomaly_35d"),), intervals=False)
    matched = np.isfinite(x)
    a, b = anomaly_35d(x), anomaly_35d(r if before else np.where(matched, r, np.nan))
    for k in range(2):
        both = matched[k] & np.isfinite(a[k]) & np.isfinite(b[k])
        assert found.estimate.value[k] == pytest.approx(np.corrcoef(a[k, both], b[k, both])[0, 1], rel=1e-9)


def test_a_comparison_does_the_same_and_leaves_raw_series_alone() -> None:
    x, r = series()
    rival = np.where(np.isfinite(x), x + 0.01, r)
    matched = Pair.of(x, rival, r)
    whole = Pair(matched.ours, matched.rival, matched.r, whole=(x, rival, r))
    raw = [pair.seen_by("ubrmsd", "raw") for pair in (matched, whole)]
    np.testing.assert_array_equal(raw[0].r, raw[1].r)
    seen = whole.seen_by("r", "anomaly_35d")
    three = [anomaly_35d(one) for one in (x, rival, r)]
    common = np.isfinite(x) & np.logical_and.reduce([np.isfinite(one) for one in three])
    for found, expected in zip((seen.ours, seen.rival, seen.r), three, strict=True):
        np.testing.assert_array_equal(found, np.where(common, expected, np.nan))
    assert len(differences(whole, Network(np.arange(2), ()))) == 4
