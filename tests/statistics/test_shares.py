"""The share of days on which something holds, and an interval that holds what days and places share."""

import numpy as np
import pytest

from vadose.statistics.shares import Share, share


def of_table(hits: np.ndarray, clusters: np.ndarray) -> Share:
    """The share of a table (place, time) of zeros and ones, NaN where nothing is judged."""
    judged = np.isfinite(hits)
    counted = np.nan_to_num(hits)
    number = int(clusters.max()) + 1
    by_cluster = [np.bincount(clusters, part.sum(axis=1), number) for part in (counted, judged)]
    return share(counted.sum(axis=0), judged.sum(axis=0).astype(float), *by_cluster)


def test_share_counts_what_was_judged() -> None:
    hits = np.array([[1.0, 0.0, np.nan, 1.0], [np.nan, 1.0, 0.0, np.nan]])
    found = of_table(hits, np.array([0, 1]))
    assert (found.value, found.n, found.clusters) == (0.6, 5, 2)


def test_nothing_judged_has_no_share() -> None:
    found = of_table(np.full((3, 10), np.nan), np.arange(3))
    assert np.isnan(found.value)
    assert (found.n, found.n_eff, found.clusters) == (0, 0.0, 0)


@pytest.mark.parametrize("kind", ["independent", "persistent", "clusters"])
def test_interval_holds_the_true_share_nine_times_in_ten(kind: str) -> None:
    generator = np.random.default_rng(5)
    clusters = np.arange(60) // 2
    covered = 0
    for _ in range(100):
        if kind == "clusters":
            rate = np.repeat(np.clip(generator.normal(0.7, 0.1, 30), 0, 1), 2)[:, None]
            hits = (generator.random((60, 500)) < rate).astype(float)
        else:
            held = 1 if kind == "independent" else 10
            shared = np.repeat(generator.random(500 // held) < 0.7, held)
            hits = np.where(generator.random((60, 500)) < 0.5, shared, generator.random((60, 500)) < 0.7).astype(float)
        found = of_table(hits, clusters)
        covered += found.ci_low <= 0.7 <= found.ci_high
    assert 88 <= covered <= 100
