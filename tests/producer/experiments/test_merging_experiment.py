"""Merging real triplets: what is judged, and by which days."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vadose.producer.experiments.merging import Triplet, halves, judged, main, pairs, violins


def simulated(days: int, places: int = 2) -> Triplet:
    rng = np.random.default_rng(0)
    truth = rng.normal(0.25, 0.05, (places, days))
    errors = np.array([0.03, 0.02, 0.04])
    gains = np.array([1.0, 0.5, 2.0])
    values = np.stack([gains[k] * (truth + errors[k] * rng.normal(size=truth.shape)) for k in range(3)], axis=1)
    values[1, 1, ::3] = np.nan
    return Triplet("simulated", ("a", "b", "c"), ("one", "two"), values)


def test_halves_share_no_day_and_have_equal_numbers() -> None:
    first, second = halves(simulated(900).values)
    early, late = (np.isfinite(part).all(axis=1) for part in (first, second))
    assert not (early & late).any()
    np.testing.assert_array_equal(early.sum(axis=1), late.sum(axis=1))
    assert np.argmax(late[1]) > np.flatnonzero(early[1])[-1]


def test_known_errors_come_out_and_the_merge_has_the_error_of_the_formula() -> None:
    weights, scores = judged(simulated(4000))
    expected = 1 / np.sqrt(1 / 0.03**2 + 1 / 0.02**2 + 1 / 0.04**2)
    assert scores["merged"].to_numpy() == pytest.approx(expected, rel=0.07)
    assert scores["best_parent"].to_numpy() == pytest.approx(0.02, rel=0.07)
    assert (scores["hindsight"] <= scores["merged"]).all()
    assert (scores["hindsight"] <= scores["mean"]).all()
    sums = weights.groupby("place")["weight"].sum()
    assert sums.to_numpy() == pytest.approx(1.0)


def test_correlations_of_pairs_are_those_of_numpy() -> None:
    made = simulated(900)
    found = pairs(made).set_index("pair")
    slow = []
    for one, other in made.values[:, :2]:
        both = np.isfinite(one) & np.isfinite(other)
        slow.append(np.corrcoef(one[both], other[both])[0, 1])
    assert found.loc["a, b", ["least", "greatest"]].tolist() == pytest.approx([min(slow), max(slow)])
    assert found["places"].tolist() == [2, 2, 2]


def test_violins_hold_the_places_that_the_whole_record_resolves() -> None:
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"triplet": "a+b+c", "parent": "a", "validity_whole": ["ok"] * 20 + ["few_samples"] * 20,
                          "error_std_whole": [*rng.normal(0.03, 0.002, 20), *rng.normal(9, 1, 20)],
                          "weight_whole": rng.uniform(0.2, 0.4, 40)})  # fmt: skip
    curves = violins(table)
    assert set(curves["figure"]) == {"violin_real_error", "violin_real_weight"}
    error = curves[curves["figure"] == "violin_real_error"]
    assert error["x"].max() < 0.05
    assert np.trapezoid(error["y"], error["x"]) == pytest.approx(1.0, abs=0.05)


def test_real_triplets_are_merged_and_written_with_their_validity(vadose_data: Path, tmp_path: Path) -> None:
    main(vadose_data, tmp_path, "a command")
    about = json.loads((tmp_path / "merging.json").read_text())
    tables = {name: pd.read_parquet(tmp_path / f"{name}.parquet") for name in about["tables"]}
    assert {name: len(table) for name, table in tables.items()} == about["tables"]
    weights = tables["merging_weights"]
    cci = weights[(weights["source"] != "Hawaii") & (weights["parent"] == "cci")]
    # Half of the 52,781 triples of twelve series, as counted in the data's own list.
    assert (len(cci), cci["days"].sum() // 100) == (12, 263)
    assert (cci["validity"] == "ok").all()
    copies = weights[weights["place"].str.contains("431790")].groupby("parent")["weight"]
    assert (copies.max() - copies.min() < 1e-9).all()
    hawaii = tables["merging_validity"]
    assert hawaii[hawaii["source"] == "Hawaii"].groupby("triplet")["places"].sum().eq(10).all()
    assert (tables["merging_scores"]["hindsight"] <= tables["merging_scores"]["merged"] + 1e-12).all()
