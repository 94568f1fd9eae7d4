"""Averages over stations: what each weighs, from a second, simpler path."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vadose.statistics import metric
from vadose.validation.averages import average_rows, cluster_rows
from vadose.validation.network import Network
from vadose.validation.scores import FURTHER, HEADLINE, Sample, score

STATIONS, DAYS = 12, 900
KEYS = {"product": "ours", "version": "1", "reference": "stations", "subset": "own", "split": "P1"}


def sample(seed: int = 0, perfect: int | None = None) -> Sample:
    """Stations of unequal records, noise and level."""
    rng = np.random.default_rng(seed)
    r = 0.2 + 0.02 * np.arange(STATIONS)[:, None] + 0.04 * rng.standard_normal((STATIONS, DAYS))
    x = r + 0.01 + 0.005 * (1 + np.arange(STATIONS)[:, None]) * rng.standard_normal(r.shape)
    if perfect is not None:
        x[perfect] = 2.0 * r[perfect]
    for row in range(STATIONS):
        x[row, 400 + 40 * row :] = np.nan
    return Sample(x, r, KEYS, np.ones(STATIONS), np.array([f"s{k}" for k in range(STATIONS)]))


def rows(given: Sample, network: Network | None = None) -> dict[tuple[str, str], dict[str, Any]]:
    network = network or Network(np.arange(STATIONS), ())
    found = {}
    for one in score(given, network, tuple(p for p in HEADLINE + FURTHER if p[1] == "raw"), intervals=True):
        for row in average_rows(given, one, network):
            found[row["metric"], row["aggregate"]] = {**row, "estimate": one.estimate}
    return found


@pytest.mark.parametrize("name", ["bias", "rmse", "ubrmsd", "r", "mae", "kge", "mse_variance"])
def test_pooled_is_the_metric_of_all_days_together(name: str) -> None:
    given = sample()
    both = np.isfinite(given.x) & np.isfinite(given.r)
    x, r = given.x[both], given.r[both]
    spread, level = x.std() / r.std(), x.mean() / r.mean()
    correlation = np.corrcoef(x, r)[0, 1]
    expected = {
        "bias": (x - r).mean(), "rmse": np.sqrt(((x - r) ** 2).mean()), "ubrmsd": (x - r).std(), "r": correlation,
        "mae": np.abs(x - r).mean(), "mse_variance": (x.std() - r.std()) ** 2,
        "kge": 1 - np.sqrt((correlation - 1) ** 2 + (spread - 1) ** 2 + (level - 1) ** 2),
    }  # fmt: skip
    assert rows(given)[name, "pooled"]["value"] == pytest.approx(expected[name], rel=1e-9)


def test_mean_z_weighs_by_effective_days_and_leaves_a_perfect_station_out() -> None:
    given = sample(perfect=3)
    found = rows(given)["r", "mean_z"]
    r, n_eff = found["estimate"].value, found["estimate"].n_eff
    assert r[3] == pytest.approx(1.0)
    others = np.arange(STATIONS) != 3
    expected = np.tanh(np.average(np.arctanh(r[others]), weights=n_eff[others] - 3))
    assert found["value"] == pytest.approx(expected, rel=1e-12)
    assert found["ci_low"] < found["value"] < found["ci_high"] < 1.0


def test_only_correlations_have_a_mean_z_and_ranks_are_never_pooled() -> None:
    found = rows(sample())
    assert {name for name, aggregate in found if aggregate == "mean_z"} == {"r", "rho"}
    assert ("rho", "pooled") not in found
    assert {aggregate for _, aggregate in found} == {"median", "mean", "mean_z", "pooled"}


def test_pooled_follows_the_days_and_the_mean_follows_the_clusters() -> None:
    given = sample()
    crowded = Network(np.where(np.arange(STATIONS) < 7, 0, np.arange(STATIONS)), ())
    plain, dense = rows(given), rows(given, crowded)
    assert dense["bias", "pooled"]["value"] == plain["bias", "pooled"]["value"]
    assert dense["rmse", "mean"]["value"] > 1.1 * plain["rmse", "mean"]["value"]
    weights = np.where(np.arange(STATIONS) < 7, 1 / 7, 1.0)
    rmse = plain["rmse", "mean"]["estimate"].value
    assert dense["rmse", "mean"]["value"] == pytest.approx(np.average(rmse, weights=weights))


def test_fewer_than_five_clusters_have_no_interval() -> None:
    found = rows(sample(), Network(np.arange(STATIONS) % 4, ()))
    for aggregate in ("median", "mean", "mean_z", "pooled"):
        assert found["r", aggregate]["status"] == "few_stations"
        assert np.isnan(found["r", aggregate]["ci_low"])


def test_a_drawn_mean_z_covers_the_truth_of_equal_stations() -> None:
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        r = rng.standard_normal((STATIONS, 400))
        x = r + 0.75 * rng.standard_normal(r.shape)
        given = Sample(x, r, KEYS, np.ones(STATIONS), np.arange(STATIONS).astype(str))
        network = Network(np.arange(STATIONS), (), seed=seed)
        one = next(iter(score(given, network, (("r", "raw"),), intervals=True)))
        found = {row["aggregate"]: row for row in average_rows(given, one, network)}
        hits += sum(found[name]["ci_low"] < 0.8 < found[name]["ci_high"] for name in ("mean_z", "pooled"))
    # Nominal 0.95 of 120, 3 standard errors of the trial and the small number of clusters below it.
    assert hits >= 0.87 * 120


def test_metrics_of_the_table_all_have_a_pooled_value() -> None:
    found = rows(sample())
    for name, aggregate in found:
        if aggregate == "pooled":
            assert np.isfinite(found[name, aggregate]["value"]), name
            assert found[name, aggregate]["metric"] == metric(name).name


def test_a_cluster_of_several_stations_has_their_median_and_mean() -> None:
    given = replace(sample(), coverage=np.linspace(0.1, 0.9, STATIONS))
    given.x[5] = np.nan
    numbers = np.array([0, 1, 1, 2, 2, 2, 3, 4, 5, 5, 6, 7])
    network = Network(numbers, ())
    one = next(iter(score(given, network, (("ubrmsd", "raw"),), intervals=True)))
    found = cluster_rows(given, one, network).set_index(["stratum", "aggregate"])
    assert sorted(set(found.index.get_level_values(0))) == ["1", "2", "5"]
    for name in ("1", "2", "5"):
        members = [k for k in range(STATIONS) if str(numbers[k]) == name and k != 5]
        each = [np.nanstd(given.x[k] - given.r[k]) for k in members]
        for aggregate, expected in (("median", np.median(each)), ("mean", np.mean(each))):
            row = found.loc[(name, aggregate)]
            assert row["value"] == pytest.approx(expected, rel=1e-9)
            assert (row["n"], row["status"], row["stratum_kind"]) == (len(each), "few_stations", "cluster")
            assert row["coverage"] == pytest.approx(given.coverage[members].mean())
            assert np.isnan(row["ci_low"])


def test_a_cluster_without_days_says_so_and_lone_stations_and_cells_form_none() -> None:
    given = sample()
    given.x[:2] = np.nan
    network = Network(np.maximum(np.arange(STATIONS) - 1, 0), ())
    one = next(iter(score(given, network, (("r", "raw"),), intervals=True)))
    found = cluster_rows(given, one, network)
    assert found["stratum"].tolist() == ["0", "0"]
    assert found["status"].tolist() == ["no_overlap"] * 2
    assert found["n"].tolist() == [0, 0]
    assert not Network(np.arange(STATIONS), ()).crowded.any()
    assert not Network(np.zeros(STATIONS, int), (), equal_stations=True).crowded.any()


@pytest.mark.parametrize(("days", "level", "word"), [(900, 0.2, "constant_series"), (20, None, "few_samples")])
def test_an_average_without_a_value_says_what_most_stations_say(days: int, level: float | None, word: str) -> None:
    given = sample()
    given.x[:2] = np.nan
    given.x[:, days:] = np.nan
    if level is not None:
        given.x[2:] = level
    assert rows(given)["r", "median"]["status"] == word
    told = replace(given, status=np.array(["anticorrelated"] * 9 + [""] * 3))
    assert rows(told)["r", "mean"]["status"] == "anticorrelated"
    given.x[:] = np.nan
    assert rows(given)["r", "median"]["status"] == "no_overlap"


def test_weights_of_valid_stations_sum_to_one_and_a_cluster_counts_once() -> None:
    network = Network(np.array([0, 0, 0, 1]), ())
    np.testing.assert_allclose(network.weights(np.array([True, True, False, True])), [0.25, 0.25, 0, 0.5])
    assert not network.weights(np.zeros(4, bool)).any()


def test_an_average_names_its_method_where_it_has_an_interval_and_nowhere_else() -> None:
    for given in (Network(np.arange(STATIONS), ()), Network(np.arange(STATIONS) % 4, ())):
        for row in rows(sample(), given).values():
            assert (row["ci_method"] != "") == (row["ci_scope"] != "") == np.isfinite(row["ci_low"])
