"""Release gates: each a question to the finished tables, with its figure, its limit and its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from vadose.validation.diagnostics import Hits
from vadose.validation.recipes import ListedGate
from vadose.validation.scores import HEADLINE

CLIMATOLOGY = "climatology"


@dataclass(frozen=True)
class Evidence:
    """What gates look at.

    Attributes
    ----------
    ours, previous
        Names of our product and of the previous version, if any.
    scores, comparisons
        The tidy tables of the run.
    headline
        Names of the references that count, the first one first: the stations, or a gridded reference where there are
        too few clusters of stations.
    split
        Label of rows whose stations and days the model has not seen; "" without a ledger.
    hits
        Coverage of the stated 90 % interval by class of stations; None without stated uncertainty.
    stations, clusters
        Independent stations of the headline reference, and their clusters.
    notes
        Why something is not there.
    """

    ours: str
    previous: str | None
    scores: pd.DataFrame
    comparisons: pd.DataFrame
    headline: tuple[str, ...]
    split: str
    hits: tuple[Hits, ...] | None
    stations: int
    clusters: int
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What a gate says; `proved` if the unfavourable end of the interval holds too."""

    figure: float | None
    limit: float | None
    passed: bool
    proved: bool
    reason: str
    applicable: bool = True


def not_applicable(reason: str) -> Result:
    """A gate that lacks its object: published as such, never a failure."""
    return Result(None, None, True, False, reason, applicable=False)


def beats_baselines(evidence: Evidence, limits: dict[str, float]) -> Result:
    """Better than its own climatology in R or ubRMSD, worse in neither."""
    rows = _overall(evidence, CLIMATOLOGY)
    if rows.empty:
        reason = evidence.notes.get(CLIMATOLOGY, "the climatology was not compared")
        return Result(None, None, False, False, f"no evidence: {reason}")
    rows = rows[rows["signal"].eq("raw") & rows["metric"].isin(["r", "ubrmsd"])].set_index("metric")
    words = {str(name): str(word) for name, word in rows["outcome"].items()}
    passed = "better" in words.values() and "worse" not in words.values()
    differences = {str(name): float(value) for name, value in rows["difference"].items()}
    figure = differences.get("r", np.nan)
    text = ", ".join(f"{name} {word} ({differences[name]:+.4f})" for name, word in sorted(words.items()))
    return Result(
        _number(figure), 0.0, passed, passed, f"against its own climatology at {evidence.headline[0]}: {text}"
    )


def no_regression(evidence: Evidence, limits: dict[str, float]) -> Result:
    """No headline metric worse than the previous version's."""
    if evidence.previous is None:
        return not_applicable("no previous version")
    rows = _overall(evidence, evidence.previous)
    if rows.empty:
        return Result(None, None, False, False, "no evidence: the previous version was not compared")
    worse = rows[rows["outcome"].eq("worse")]
    reason = ", ".join(f"{row.metric} {row.signal} {row.difference:+.4f}" for row in worse.itertuples())
    equal = bool(rows["outcome"].isin(["better", "equal"]).all())
    return Result(float(len(worse)), 0.0, worse.empty, equal, f"worse: {reason}" if reason else "nothing is worse")


def independence(evidence: Evidence, limits: dict[str, float]) -> Result:
    """A ledger is there, and enough stations or clusters that the model has not seen."""
    if not evidence.split:
        return Result(None, None, False, False, "no ledger: model.json was not found beside the product or in models/")
    stations, clusters = limits.get("stations", 30), limits.get("clusters", 10)
    passed = evidence.stations >= stations or evidence.clusters >= clusters
    reason = (
        f"{evidence.stations} independent stations in {evidence.clusters} clusters at {evidence.headline[0]}; "
        f"{stations:g} or {clusters:g} are asked for"
    )
    return Result(float(evidence.stations), float(stations), passed, passed, reason)


def complete(evidence: Evidence, limits: dict[str, float]) -> Result:
    """Every station has a row for every headline metric, and none failed."""
    rows = evidence.scores
    rows = rows[
        rows["product"].eq(evidence.ours) & rows["stratum_kind"].eq("station") & rows["subset"].str.startswith("own")
    ]
    failed = int(rows["status"].eq("failed").sum())
    counts = rows.groupby(["reference", "stratum"]).size()
    lacking = int((counts < len(HEADLINE)).sum())
    passed = failed == 0 and lacking == 0 and len(counts) > 0
    return Result(
        float(failed + lacking), 0.0, passed, passed,
        f"{len(counts)} stations and cells; {lacking} without all {len(HEADLINE)} headline metrics, {failed} failed",
    )  # fmt: skip


def coverage(evidence: Evidence, limits: dict[str, float]) -> Result:
    """Matched share of reference days at least that of the previous version, less 0.01."""
    if evidence.previous is None:
        return not_applicable("no previous version")
    ours, theirs = (_coverage(evidence, name) for name in (evidence.ours, evidence.previous))
    allowed = limits.get("loss", 0.01)
    passed = bool(ours >= theirs - allowed)
    return Result(_number(ours), _number(theirs - allowed), passed, passed, f"matched {ours:.3f}, before {theirs:.3f}")


def calibration(evidence: Evidence, limits: dict[str, float]) -> Result:
    """The stated 90 % interval covers 87 to 93 % of the reference in every class that is large enough."""
    if evidence.hits is None:
        return not_applicable("the product states no uncertainty")
    low, high = limits.get("low", 0.87), limits.get("high", 0.93)
    large = [
        one for one in evidence.hits
        if one.n_eff >= limits.get("n_eff", 100) and one.clusters >= limits.get("clusters", 10)
    ]  # fmt: skip
    if not large:
        return Result(None, low, False, False, "no evidence: no class has n_eff 100 and 10 clusters")
    outside = [one for one in large if one.ci_high < low or one.ci_low > high]
    proved = all(low <= one.ci_low and one.ci_high <= high for one in large)
    shown = outside[0] if outside else large[0]
    reason = "; ".join(f"{one.name}: {one.share:.3f} ({one.ci_low:.3f}..{one.ci_high:.3f})" for one in large)
    where = evidence.notes.get("calibration", evidence.headline[0])
    return Result(_number(shown.share), low, not outside, proved, f"against {where}, goal {low:g}..{high:g}: {reason}")


def core_sites(evidence: Evidence, limits: dict[str, float]) -> Result:
    """Needs core-site references."""
    return not_applicable("no reference of class core")


def gap_days(evidence: Evidence, limits: dict[str, float]) -> Result:
    """Needs the filled and hidden values of a training under P6."""
    return not_applicable("no file of filled and hidden values")


def stability(evidence: Evidence, limits: dict[str, float]) -> Result:
    """Needs at least five years of monthly differences."""
    return not_applicable("trends are not part of this run")


Gate = Callable[[Evidence, dict[str, float]], Result]

GATES: dict[str, Gate] = {
    "core_sites": core_sites,
    "no_regression": no_regression,
    "beats_baselines": beats_baselines,
    "gap_days": gap_days,
    "calibration": calibration,
    "stability": stability,
    "independence": independence,
    "coverage": coverage,
    "complete": complete,
}


def verdict(
    listed: tuple[ListedGate, ...], evidence: Evidence, waivers: tuple[dict[str, Any], ...] = ()
) -> dict[str, Any]:
    """All gates in one table; the release passes unless an applicable required gate fails without a waiver."""
    by_name = {gate.name: gate for gate in listed}
    waived = {str(waiver.get("check")): waiver for waiver in waivers}
    rows: list[dict[str, Any]] = []
    for name, gate in GATES.items():
        asked = by_name.get(name)
        found = gate(evidence, asked.limits) if asked else not_applicable("not listed in the recipe")
        rows.append({
            "name": name, "level": asked.level if asked else "not_listed", "figure": found.figure,
            "limit": found.limit, "passed": found.passed, "proved": found.proved, "applicable": found.applicable,
            "reason": found.reason, "waiver": str(waived[name].get("reason", "")) if name in waived else "",
        })  # fmt: skip
    failed = [row for row in rows if row["level"] == "required" and not row["passed"] and not row["waiver"]]
    return {"passed": not failed, "gates": rows}


def _overall(evidence: Evidence, rival: str) -> pd.DataFrame:
    rows = evidence.comparisons
    return rows[
        rows["rival"].eq(rival) & rows["stratum_kind"].eq("all") & rows["reference"].eq(evidence.headline[0])
        & rows["outcome"].ne("not_applicable")
    ]  # fmt: skip


def _coverage(evidence: Evidence, product: str) -> float:
    rows = evidence.scores
    chosen = rows[
        rows["product"].eq(product) & rows["stratum_kind"].eq("all") & rows["reference"].eq(evidence.headline[0])
        & rows["subset"].str.startswith("own") & rows["metric"].eq("bias") & rows["aggregate"].eq("mean")
        & rows["split"].ne("period_seen")
    ]  # fmt: skip
    return float(chosen["coverage"].iloc[0]) if len(chosen) else float("nan")


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
