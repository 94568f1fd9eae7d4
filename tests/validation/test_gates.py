"""Every gate with a planted pass and a planted fail, and waivers with their expiry."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vadose.validation.calibration import Hits
from vadose.validation.comparisons import COLUMNS as COMPARED
from vadose.validation.gates import GATES, Evidence, Hidden, NetworkTrend, verdict
from vadose.validation.recipes import ListedGate
from vadose.validation.scores import COLUMNS, HEADLINE


def score(**columns: Any) -> dict[str, Any]:
    base: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    base |= {
        "product": "ours", "reference": "stations", "stratum_kind": "all", "stratum": "all", "subset": "own",
        "split": "P4", "signal": "raw", "scaling": "none", "aggregate": "mean", "metric": "bias", "value": 0.01,
        "n": 40, "n_eff": 50.0, "coverage": 0.9, "status": "ok", "ci_low": np.nan, "ci_high": np.nan,
    }  # fmt: skip
    return base | columns


def compared(**columns: Any) -> dict[str, Any]:
    base: dict[str, Any] = dict.fromkeys(COMPARED, 0)
    base |= {
        "ours": "ours", "rival": "climatology", "reference": "stations", "metric": "r", "stratum_kind": "all",
        "stratum": "all", "subset": "common", "signal": "raw", "difference": 0.1, "outcome": "better", "p": 0.001,
    }  # fmt: skip
    return base | columns


def evidence(scores: list[dict[str, Any]] = [], pairs: list[dict[str, Any]] = [], **changes: Any) -> Evidence:  # noqa: B006
    base = Evidence(
        ours="ours", previous="before", scores=pd.DataFrame(scores, columns=list(COLUMNS)),
        comparisons=pd.DataFrame(pairs, columns=list(COMPARED)), headline=("stations",), split="P4", hits=None,
        stations=40, clusters=20, version="1.1.0",
    )  # fmt: skip
    return replace(base, **changes)


def asked(name: str, given: Evidence, **limits: float) -> Any:
    return GATES[name](given, limits)


def test_beats_baselines_wants_better_in_one_and_worse_in_none() -> None:
    better, equal = compared(), compared(metric="ubrmsd", outcome="equal")
    assert asked("beats_baselines", evidence(pairs=[better, equal])).passed
    assert not asked("beats_baselines", evidence(pairs=[better, compared(metric="ubrmsd", outcome="worse")])).passed
    assert not asked("beats_baselines", evidence(pairs=[equal])).passed
    persistence = [compared(rival="persistence", outcome="worse")]
    assert not asked("beats_baselines", evidence(pairs=[better, equal, *persistence])).passed
    assert "no evidence" in asked("beats_baselines", evidence()).reason
    without = evidence(pairs=[better, equal], notes={"persistence": "its input is missing"})
    assert not asked("beats_baselines", without).passed
    lost = [compared(rival="persistence", outcome="better"), compared(metric="ubrmsd", outcome="worse")]
    assert not asked("beats_baselines", evidence(pairs=[better, *lost])).passed


@pytest.mark.parametrize(
    ("counts", "passed"),
    [((30, 0, 0, 10), True), ((30, 1, 0, 9), False), ((15, 0, 5, 20), False), ((0, 0, 0, 0), False)],
)
def test_stations_decide_where_the_mean_has_too_few_effective_days(counts: tuple[int, ...], passed: bool) -> None:
    named = dict(zip(("better", "worse", "equal", "undecided"), counts, strict=True))
    found = asked("beats_baselines", evidence(pairs=[compared(outcome="not_applicable", **named)]))
    assert found.passed == passed
    assert f"better at {counts[0]} and worse at {counts[1]} of {sum(counts)} stations" in found.reason


def test_no_regression_names_the_class_that_got_worse() -> None:
    same = compared(rival="before", outcome="equal")
    worse = compared(rival="before", outcome="worse", stratum_kind="climate", stratum="Dfb", difference=-0.05)
    found = asked("no_regression", evidence(pairs=[same]))
    assert (found.passed, found.proved) == (True, True)
    found = asked("no_regression", evidence(pairs=[same, worse]))
    assert (found.passed, found.figure) == (False, 1.0)
    assert "Dfb" in found.reason
    assert asked("no_regression", evidence(pairs=[same, {**worse, "stratum_kind": "station"}])).passed
    assert asked("no_regression", evidence(pairs=[same, {**worse, "metric": "mse_bias"}])).passed
    assert not asked("no_regression", evidence(pairs=[same, {**worse, "metric": "mse"}])).passed
    assert not asked("no_regression", evidence()).passed


def test_a_first_release_has_no_regression_and_no_coverage_to_lose() -> None:
    first = evidence(previous=None)
    for name in ("no_regression", "coverage"):
        assert not asked(name, first).applicable
        assert asked(name, first).passed


def core(value: float, outcome: str, sites: int = 6, **changes: Any) -> Evidence:
    head = {"reference": "stations-core", "metric": "ubrmsd", "subset": "common"}
    scores = [score(**head, value=value, n=sites), score(**head, product="era5", value=0.05, n=sites)]
    scores.append(score(**head, product="smap", value=0.04, n=sites))
    pairs = [compared(reference="stations-core", rival="smap", metric="ubrmsd", outcome=outcome, difference=0.002)]
    return evidence(scores, pairs, previous=None, core="stations-core", mission_rivals=("era5", "smap"), **changes)


def test_core_sites_are_compared_with_the_best_of_the_two() -> None:
    found = asked("core_sites", core(0.038, "equal"))
    assert (found.passed, found.proved, found.limit) == (True, True, None)
    assert "smap" in found.reason
    assert "era5" not in found.reason
    assert not asked("core_sites", core(0.038, "worse")).passed
    assert not asked("core_sites", core(0.045, "undecided"), ubrmsd=0.04).passed
    assert not asked("core_sites", core(0.038, "equal", sites=4)).passed
    assert "no evidence" in asked("core_sites", evidence()).reason


def test_gap_days_allows_half_a_hundredth() -> None:
    good = Hidden(stations=12, difference=0.003, ci_low=0.001, ci_high=0.004)
    assert asked("gap_days", evidence(hidden=good)).proved
    assert not asked("gap_days", evidence(hidden=replace(good, difference=0.008, ci_high=0.01))).passed
    assert not asked("gap_days", evidence(hidden=replace(good, against_dct="worse"))).passed
    assert asked("gap_days", evidence(hidden=replace(good, ci_high=0.006))).passed
    assert not asked("gap_days", evidence(hidden=replace(good, stations=0, difference=np.nan))).passed
    assert not asked("gap_days", evidence()).applicable


def hits(share: float, low: float, high: float, name: str = "all", n_eff: float = 500, clusters: int = 20) -> Hits:
    return Hits(name, share, low, high, n_eff, clusters)


def test_calibration_fails_a_class_only_if_its_whole_interval_lies_outside() -> None:
    assert asked("calibration", evidence(hits=(hits(0.90, 0.88, 0.92),))).proved
    assert asked("calibration", evidence(hits=(hits(0.86, 0.84, 0.88),))).passed
    assert not asked("calibration", evidence(hits=(hits(0.90, 0.88, 0.92), hits(0.80, 0.78, 0.82, "forest")))).passed
    assert not asked("calibration", evidence(hits=(hits(0.97, 0.95, 0.99),))).passed
    small = hits(0.5, 0.45, 0.55, "rock", clusters=3)
    assert asked("calibration", evidence(hits=(hits(0.90, 0.88, 0.92), small))).passed
    assert not asked("calibration", evidence()).applicable
    assert not asked("calibration", evidence(hits=(small,))).passed


def drift(verdict_word: str, clusters: int = 8) -> NetworkTrend:
    slope, low, high = {"drifting": (0.03, 0.02, 0.04), "undecided": (0.01, 0.0, 0.02), "stable": (0.0, -0.005, 0.005)}[
        verdict_word
    ]
    return NetworkTrend("SCAN", clusters, verdict_word, slope, low, high, 0.015)


def test_stability_fails_a_large_network_that_drifts() -> None:
    assert not asked("stability", evidence(trends=(drift("drifting"),))).passed
    assert asked("stability", evidence(trends=(drift("undecided"),))).passed
    assert not asked("stability", evidence(trends=(drift("undecided"),))).proved
    assert asked("stability", evidence(trends=(drift("stable"), drift("drifting", 3)))).passed
    assert not asked("stability", evidence(trends=(drift("drifting", 3),))).passed
    assert not asked("stability", evidence()).applicable
    assert "80 % power" in asked("stability", evidence(trends=(drift("stable"),))).reason


def test_the_limit_of_the_recipe_decides_what_drifts() -> None:
    assert asked("stability", evidence(trends=(drift("drifting"),)), per_decade=0.025).passed
    assert not asked("stability", evidence(trends=(drift("drifting"),)), per_decade=0.015).passed
    narrow = asked("stability", evidence(trends=(drift("stable"),)), per_decade=0.001)
    assert (narrow.reason.startswith("SCAN undecided"), narrow.proved) == (True, False)


def test_independence_wants_a_ledger_and_thirty_stations_or_ten_clusters() -> None:
    assert asked("independence", evidence()).passed
    assert asked("independence", evidence(stations=12, clusters=10)).passed
    assert not asked("independence", evidence(stations=12, clusters=9)).passed
    assert not asked("independence", evidence(split="")).passed


def test_coverage_may_lose_a_hundredth() -> None:
    both = [score(coverage=0.80), score(product="before", coverage=0.805)]
    assert asked("coverage", evidence(both)).passed
    assert not asked("coverage", evidence([score(coverage=0.78), both[1]])).passed


def rows_of(station: str, status: str = "ok", drop: int = 0) -> list[dict[str, Any]]:
    pairs = HEADLINE[: len(HEADLINE) - drop]
    keys = {"stratum_kind": "station", "stratum": station, "aggregate": "", "status": status}
    return [score(**keys, metric=name, signal=signal) for name, signal in pairs]


def test_complete_counts_missing_and_failed_rows() -> None:
    assert asked("complete", evidence([*rows_of("a"), *rows_of("b")])).passed
    assert not asked("complete", evidence([*rows_of("a"), *rows_of("b", drop=1)])).passed
    assert not asked("complete", evidence([*rows_of("a"), *rows_of("b", status="failed")])).passed
    assert not asked("complete", evidence()).passed


@pytest.mark.parametrize(("expires", "passed"), [("1.2.0", True), ("1.1.0", False), ("1.0.9", False), ("2.0.0", True)])
def test_a_waiver_holds_below_the_version_with_which_it_expires(expires: str, passed: bool) -> None:
    listed = (ListedGate("calibration", "required", {}),)
    given = evidence(hits=(hits(0.5, 0.45, 0.55),))
    judged = verdict(listed, given, ({"check": "calibration", "reason": "known", "expires": expires},))
    assert judged["passed"] is passed
    gate = next(row for row in judged["gates"] if row["name"] == "calibration")
    assert not gate["passed"]
    assert bool(gate["waiver"]) is passed
    assert ("expired" in gate["reason"]) is not passed


def test_an_advisory_gate_never_stops_a_release() -> None:
    given = evidence(hits=(hits(0.5, 0.45, 0.55),))
    assert verdict((ListedGate("calibration", "advisory", {}),), given)["passed"]
    assert not verdict((ListedGate("calibration", "required", {}),), given)["passed"]
