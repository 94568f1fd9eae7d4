"""`--interval bootstrap`: blocks of days drawn for every score, alike for all products, beside the default."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vadose.statistics import Pairing, bootstrap, metric
from vadose.validation.comparisons import Pair, differences
from vadose.validation.means import Draws, block_days, network_time_error
from vadose.validation.network import Network
from vadose.validation.options import Options
from vadose.validation.run import run_validation
from vadose.validation.scores import FURTHER, HEADLINE
from vadose.validation.settings import Settings

KEY = ["product", "stratum_kind", "stratum", "subset", "split", "signal", "aggregate", "metric"]


@pytest.fixture(scope="module")
def both(small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same run with the default intervals and with those of the bootstrap."""
    folder = tmp_path_factory.mktemp("bootstrap")
    given = Settings(
        product=("ours", str(small / "ours")), stations=(small / "stations.nc",),
        rivals=(("rival", str(small / "rival.nc")),),
    )  # fmt: skip
    for name in ("tail_model", "bootstrap"):
        run_validation(replace(given, options=Options(interval=name)), folder / name)
    return {name: folder / name for name in ("tail_model", "bootstrap")}


def rows(run: Path, kind: str) -> pd.DataFrame:
    every = pd.read_parquet(run / "scores.parquet")
    return every[every["stratum_kind"].eq(kind) & every["subset"].isin(["own", "common"])].set_index(KEY).sort_index()


def test_values_are_those_of_the_default_and_every_metric_has_an_interval(both: dict[str, Path]) -> None:
    default, drawn = (rows(both[name], "station") for name in ("tail_model", "bootstrap"))
    np.testing.assert_allclose(drawn["value"], default["value"], rtol=1e-12)
    drawn = drawn[drawn["status"].eq("ok")]
    assert set(drawn["ci_method"]) == {"bootstrap"}
    assert set(drawn.reset_index()["metric"]) >= {name for name, _ in (*HEADLINE, *FURTHER)}
    assert "" in set(default["ci_method"]), "the parts of the MSE have no interval by default"


def test_intervals_are_as_wide_as_those_of_the_default_within_a_third(both: dict[str, Path]) -> None:
    default, drawn = (rows(both[name], "station") for name in ("tail_model", "bootstrap"))
    for name in ("bias", "r", "ubrmsd"):
        width = [
            (one["ci_high"] - one["ci_low"])[one.index.get_level_values("metric") == name] for one in (default, drawn)
        ]
        assert float((width[1] / width[0]).median()) == pytest.approx(1.0, abs=1 / 3)


def test_medians_say_that_their_error_over_days_was_drawn(both: dict[str, Path]) -> None:
    methods = {name: set(rows(run, "all")["ci_method"]) - {""} for name, run in both.items()}
    default = {"cluster_bootstrap+tail_model", "cluster_bootstrap"}
    assert methods == {"tail_model": default, "bootstrap": {"cluster_bootstrap+bootstrap"}}
    assert json.loads((both["bootstrap"] / "run.json").read_text())["settings"]["interval"] == "bootstrap"


def test_the_worse_rival_is_found_by_draws_too(both: dict[str, Path]) -> None:
    found = {}
    for name, run in both.items():
        every = pd.read_parquet(run / "comparisons.parquet")
        chosen = every[every["rival"].eq("rival") & every["stratum_kind"].eq("all") & every["metric"].eq("ubrmsd")]
        found[name] = chosen.iloc[0]
    assert found["bootstrap"]["outcome"] == found["tail_model"]["outcome"] == "better"
    assert found["bootstrap"]["difference"] == found["tail_model"]["difference"]
    assert found["bootstrap"]["p"] != found["tail_model"]["p"]


def pair(stations: int = 6, days: int = 900) -> Pair:
    rng = np.random.default_rng(4)
    r = rng.standard_normal((stations, days))
    return Pair.of(r + 0.3 * rng.standard_normal(r.shape), r + 0.5 * rng.standard_normal(r.shape), r)


def test_a_station_interval_is_that_of_the_shared_weights() -> None:
    given, network = pair(), Network(np.arange(6), (), seed=3)
    found = next(one for one in differences(given, network, "bootstrap") if one.metric.name == "mse")
    length = block_days(given.ours, given.r, [slice(0, 6)])
    assert length == block_days(given.rival, given.r, [slice(0, 6)])
    drawn = [
        bootstrap(Pairing.of(one, given.r), [metric("mse")], seed=3, mean_length=length)
        for one in (given.ours, given.rival)
    ]
    apart = drawn[0].replicates["mse"].astype(float) - drawn[1].replicates["mse"]
    expected = apart.std(axis=1) * max(one.factor for one in drawn)
    np.testing.assert_allclose(np.sqrt(found.found.variance), expected, rtol=1e-6)


def test_the_seed_alone_decides_the_draws() -> None:
    def interval(seed: int) -> Any:
        return differences(pair(), Network(np.arange(6), (), seed=seed), "bootstrap")[0].found.ci_low

    np.testing.assert_array_equal(interval(1), interval(1))
    assert (interval(1) != interval(2)).any()


def test_blocks_of_stations_add_up_to_the_mean_of_all() -> None:
    given, network = pair(130, 300), Network(np.arange(130), (), equal_stations=True)
    whole = differences(given, network, "bootstrap")[0].means
    parts = []
    for chosen in (slice(0, 64), slice(64, 130)):
        part = Pair(given.ours[chosen], given.rival[chosen], given.r[chosen])
        parts.append(differences(part, network.rows(chosen), "bootstrap")[0].means)
    assert (parts[0] + parts[1]).time_error(0) == pytest.approx(whole.time_error(0), rel=1e-6)


def test_draws_that_miss_the_memory_of_the_days_are_widened_by_it() -> None:
    rng = np.random.default_rng(6)
    slow = np.cumsum(rng.standard_normal((1, 2000)), axis=1)
    slow -= slow.mean()
    drawn = rng.standard_normal((1, 400))
    quiet, wide = (Draws(0.5 * drawn, scale * drawn, slow, np.ones(1)) for scale in (1e-6, 1e6))
    present = np.ones(2000, bool)
    assert wide.error(0, 2.0, present, 365.25)[0] == pytest.approx(0.25 * drawn.std(), rel=1e-9)
    tail = network_time_error(slow[0] * 2000, present, 365.25)[0]
    expected = 0.25 * drawn.std() * tail / (1e-6 * drawn.std())
    assert quiet.error(0, 2.0, present, 365.25)[0] == pytest.approx(expected, rel=1e-9)
