"""Ours minus rival over stations and classes, from a second, simpler path."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vadose.statistics import adjusted
from vadose.validation.comparisons import COMPARED, COUNTED, Pair, differences, rows
from vadose.validation.network import Network
from vadose.validation.options import Options

STATIONS, DAYS = 20, 900
NAMES = {"ours": "ours", "rival": "rival", "reference": "stations", "subset": "common"}
IDS = np.array([f"s{k}" for k in range(STATIONS)])


def pair(better_at: int = STATIONS, shared: float = 0.0, seed: int = 0) -> Pair:
    """Ours has less noise than the rival at the first stations; `shared` is noise of ours that all stations have."""
    rng = np.random.default_rng(seed)
    r = 0.25 + 0.04 * rng.standard_normal((STATIONS, DAYS))
    ours = r + 0.02 * rng.standard_normal(r.shape) + shared * rng.standard_normal(DAYS)
    rival = r + np.where(np.arange(STATIONS) < better_at, 0.03, 0.02)[:, None] * rng.standard_normal(r.shape)
    rival[:, ::5] = np.nan
    return Pair.of(ours, rival, r)


def table(given: Pair, network: Network, name: str = "ubrmsd", **options: Any) -> pd.DataFrame:
    found = next(one for one in differences(given, network) if (one.metric.name, one.signal) == (name, "raw"))
    return rows(found, network, IDS, NAMES, options=Options(**options))


def test_every_station_has_the_difference_of_its_common_days() -> None:
    given = pair()
    found = table(given, Network(np.arange(STATIONS), ()))
    station = found[found["stratum_kind"].eq("station")].set_index("stratum").loc["s3"]
    common = np.isfinite(given.rival[3])
    assert station["n"] == common.sum() == DAYS * 4 / 5
    ours, rival = ((one[3] - given.r[3])[common].std() for one in (given.ours, given.rival))
    assert station["difference"] == pytest.approx(ours - rival, rel=1e-9)
    assert station["outcome"] == "better"


def test_outcomes_of_stations_are_counted_beside_the_mean() -> None:
    found = table(pair(better_at=8), Network(np.arange(STATIONS), ()))
    single = found[found["stratum_kind"].eq("station")]
    overall = found[found["stratum_kind"].eq("all")].iloc[0]
    assert [overall[word] for word in COUNTED] == [int(single["outcome"].eq(word).sum()) for word in COUNTED]
    assert overall["better"] == 8
    assert sum(overall[word] for word in COUNTED) == STATIONS
    expected = adjusted(single["p"].to_numpy(float))
    np.testing.assert_allclose(single["p_adjusted"], expected)
    assert (single["p_adjusted"] > single["p"]).any()


def test_the_other_way_round_everything_that_was_better_is_worse() -> None:
    given, network = pair(), Network(np.arange(STATIONS), ())
    turned = Pair(given.rival, given.ours, given.r)
    for name, signal in COMPARED:
        if signal == "raw":
            one, two = (table(each, network, name).set_index(["stratum_kind", "stratum"]) for each in (given, turned))
            np.testing.assert_allclose(one["difference"], -two["difference"], atol=1e-12)
            assert one["outcome"]["all"].tolist() == ["better"]
            assert two["outcome"]["all"].tolist() == ["worse"]


def test_noise_that_all_stations_share_widens_the_interval_of_the_mean() -> None:
    network = Network(np.arange(STATIONS), ())
    width = {}
    for shared in (0.0, 0.02):
        overall = table(pair(shared=shared), network, "mse").query("stratum_kind == 'all'").iloc[0]
        width[shared] = overall["ci_high"] - overall["ci_low"]
        single = table(pair(shared=shared), network, "mse").query("stratum_kind == 'station'")
        own = float((single["ci_high"] - single["ci_low"]).mean()) / np.sqrt(STATIONS)
        width[shared] /= own
    # Independent stations give about 1; squares of one noise of all of them do not average out.
    assert width[0.0] < 1.5
    assert width[0.02] > 1.7 * width[0.0]


def test_classes_are_adjusted_within_their_kind_and_need_five_clusters() -> None:
    half = np.arange(STATIONS) < 10
    few = np.arange(STATIONS) < 4
    groups = (("climate", "B", half), ("climate", "C", ~half), ("soil", "clay", few))
    found = table(pair(better_at=10), Network(np.arange(STATIONS), groups))
    climate = found[found["stratum_kind"].eq("climate")]
    np.testing.assert_allclose(climate["p_adjusted"], adjusted(climate["p"].to_numpy(float)))
    assert climate["outcome"].tolist()[0] == "better"
    assert climate["outcome"].tolist()[1] != "better"
    assert found[found["stratum_kind"].eq("soil")].empty


def test_clusters_weigh_equally_in_the_mean_difference() -> None:
    crowd = np.where(np.arange(STATIONS) < 15, 0, np.arange(STATIONS))
    given = pair(better_at=15)
    found = table(given, Network(crowd, ()), "mse")
    single = found[found["stratum_kind"].eq("station")]["difference"].to_numpy(float)
    overall = found[found["stratum_kind"].eq("all")].iloc[0]
    weights = np.where(np.arange(STATIONS) < 15, 1 / 15, 1.0)
    assert overall["difference"] == pytest.approx(np.average(single, weights=weights), rel=1e-9)


def test_twins_are_equal_and_not_untested() -> None:
    given = pair()
    found = table(Pair(given.ours, given.ours, given.r), Network(np.arange(STATIONS), ()))
    overall = found[found["stratum_kind"].eq("all")].iloc[0]
    assert (overall["outcome"], overall["p"], overall["difference"]) == ("equal", 1.0, 0.0)


def test_stations_are_also_compared_in_ranks_and_in_the_square_of_the_bias() -> None:
    given = pair()
    given = Pair.of(given.ours + 0.02, given.rival - 0.05, given.r)
    network = Network(np.arange(STATIONS), ())
    names = [one.metric.name for one in differences(given, network, at_stations=True)]
    assert names == ["r", "r", "ubrmsd", "mse", "rho", "mse_bias"]
    assert [one.metric.name for one in differences(given, network)] == names[:4]
    found = {one.metric.name: rows(one, network, IDS, NAMES) for one in differences(given, network, at_stations=True)}
    single = {name: frame[frame["stratum"].eq("s3")].iloc[0] for name, frame in found.items()}
    common = np.isfinite(given.rival[3])
    ours, rival, r = (one[3][common] for one in (given.ours, given.rival, given.r))
    rho = stats.spearmanr(ours, r).statistic - stats.spearmanr(rival, r).statistic
    assert single["rho"]["difference"] == pytest.approx(rho, rel=0.02)
    expected = np.mean(ours - r) ** 2 - np.mean(rival - r) ** 2
    assert single["mse_bias"]["difference"] == pytest.approx(expected, rel=1e-9)
    assert single["mse_bias"]["ci_low"] < expected < single["mse_bias"]["ci_high"] < 0
    assert single["mse_bias"]["outcome"] == "better"


def test_a_wider_margin_turns_undecided_into_equal_and_nothing_else() -> None:
    given, network = pair(better_at=0), Network(np.arange(STATIONS), ())
    narrow, wide = (table(given, network, margins={"ubrmsd": width}) for width in (0.0, 0.003))
    inside = (narrow["ci_low"] > -0.003) & (narrow["ci_high"] < 0.003)
    expected = np.where(inside & narrow["outcome"].eq("undecided"), "equal", narrow["outcome"])
    assert set(narrow["outcome"]) == {"undecided"}
    assert set(wide["outcome"]) == {"undecided", "equal"}
    assert wide["outcome"].tolist() == expected.tolist()
    assert table(given, network, margins={"r": 0.5})["outcome"].equals(table(given, network)["outcome"])


def test_p_values_for_any_dependence_are_larger_by_the_sum_of_reciprocals() -> None:
    half = np.arange(STATIONS) < 10
    network = Network(np.arange(STATIONS), (("climate", "B", half), ("climate", "C", ~half)))
    found = table(pair(better_at=8), network, adjust="by")
    single = found[found["stratum_kind"].eq("station")]
    expected = stats.false_discovery_control(single["p"].to_numpy(float), method="by")
    np.testing.assert_allclose(single["p_adjusted"], expected)
    climate = found[found["stratum_kind"].eq("climate")]
    np.testing.assert_allclose(climate["p_adjusted"], stats.false_discovery_control(climate["p"], method="by"))
    assert found["outcome"].eq("better").sum() <= table(pair(better_at=8), network)["outcome"].eq("better").sum()
