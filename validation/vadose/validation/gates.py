"""Release gates: each a question to the finished tables, with its figure, its limit and its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from vadose.statistics.trends import verdict as of_interval
from vadose.validation.baselines import CLIMATOLOGY, PERSISTENCE
from vadose.validation.calibration import Hits
from vadose.validation.recipes import ListedGate
from vadose.validation.scores import HEADLINE

# What a version must not be worse in; other differences are told.
HEADLINE_DIFFERENCES = ("r", "ubrmsd", "mse")
HEADLINE_STRATA = ("all", "land_cover", "climate", "network")
# The requirement of the SMAP mission, printed beside the figure of core sites.
MISSION_UBRMSD = 0.04


@dataclass(frozen=True)
class NetworkTrend:
    """Stability of the difference product minus reference at one network."""

    name: str
    clusters: int
    verdict: str
    slope: float
    ci_low: float
    ci_high: float
    detectable: float


@dataclass(frozen=True)
class Hidden:
    """Filled against hidden values at the stations, paired by day: differences of ubRMSD, filled minus other."""

    stations: int
    difference: float
    ci_low: float
    ci_high: float
    against_dct: str = ""


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
    core
        Name of the reference of class core, "" without one.
    trends
        Of each network, None where the record is too short for any.
    hidden
        What training under P6 left; None without that file.
    version
        Of our product; a waiver holds below the version with which it expires.
    mission_rivals
        Rivals that core sites are compared with: ERA5-Land and SMAP.
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
    core: str = ""
    trends: tuple[NetworkTrend, ...] | None = None
    hidden: Hidden | None = None
    version: str = ""
    mission_rivals: tuple[str, ...] = ()
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


def no_evidence(reason: str) -> Result:
    """A gate whose object exists but cannot be judged: it fails."""
    return Result(None, None, False, False, f"no evidence: {reason}")


def beats_baselines(evidence: Evidence, limits: dict[str, float]) -> Result:
    """Better than its own climatology in R or ubRMSD, worse in neither; likewise persistence for a nowcast.

    A year holds too few independent pieces for a test of the mean over all stations; then the outcomes at the single
    stations, adjusted for their number, decide.
    """
    rows = _overall(evidence, CLIMATOLOGY)
    if rows.empty:
        return no_evidence(evidence.notes.get(CLIMATOLOGY, "the climatology was not compared"))
    passed, text, figure = _beaten(rows, "its own climatology")
    persistence = _overall(evidence, PERSISTENCE)
    if len(persistence):
        also, more, _ = _beaten(persistence, "persistence")
        passed, text = passed and also, f"{text}; {more}"
    elif PERSISTENCE in evidence.notes:
        passed, text = False, f"{text}; persistence: no evidence: {evidence.notes[PERSISTENCE]}"
    return Result(_number(figure), 0.0, passed, passed, f"at {evidence.headline[0]}, against {text}")


def _beaten(rows: pd.DataFrame, name: str) -> tuple[bool, str, float]:
    rows = rows[rows["signal"].eq("raw") & rows["metric"].isin(["r", "ubrmsd"])].set_index("metric")
    found = {str(metric): _outcome(row) for metric, row in rows.iterrows()}
    words = {word for word, _ in found.values()}
    text = ", ".join(f"{metric} {said}" for metric, (_, said) in sorted(found.items())) or "not compared"
    figure = float(rows["difference"]["r"]) if "r" in rows.index else np.nan
    return "better" in words and "worse" not in words, f"{name}: {text}", figure


def _outcome(row: pd.Series) -> tuple[str, str]:
    """Outcome of a comparison over all stations and its words; of the single stations, where the mean has no test."""
    word, difference = str(row["outcome"]), f"({float(row['difference']):+.4f})"
    if word != "not_applicable":
        return word, f"{word} {difference}"
    better, worse = int(row["better"]), int(row["worse"])
    tested = better + worse + int(row["equal"]) + int(row["undecided"])
    if 2 * better > tested and not worse:
        word = "better"
    elif 2 * worse > tested and not better:
        word = "worse"
    else:
        word = "undecided" if tested else "not_applicable"
    return word, f"{word} {difference}, better at {better} and worse at {worse} of {tested} stations with a test"


def no_regression(evidence: Evidence, limits: dict[str, float]) -> Result:
    """No headline metric worse than the previous version's, over all stations and in every class of them."""
    if evidence.previous is None:
        return not_applicable("no previous version")
    every = evidence.comparisons
    rows = every[
        every["rival"].eq(evidence.previous) & every["stratum_kind"].isin(HEADLINE_STRATA)
        & every["reference"].eq(evidence.headline[0]) & every["outcome"].ne("not_applicable")
        & every["metric"].isin(HEADLINE_DIFFERENCES)
    ]  # fmt: skip
    if rows.empty:
        return no_evidence("the previous version was not compared")
    worse = rows[rows["outcome"].eq("worse")]
    reason = ", ".join(
        f"{row.metric} {row.signal} {row.difference:+.4f}" + ("" if row.stratum == "all" else f" in {row.stratum}")
        for row in worse.itertuples()
    )
    equal = bool(rows["outcome"].isin(["better", "equal"]).all())
    said = f"worse: {reason}" if reason else f"nothing is worse in {len(rows)} comparisons"
    return Result(float(len(worse)), 0.0, worse.empty, equal, said)


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
        & rows["scaling"].eq("none")
    ]  # fmt: skip
    asked = pd.MultiIndex.from_tuples(HEADLINE)
    rows = rows[pd.MultiIndex.from_frame(rows[["metric", "signal"]]).isin(asked)]
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
    """Mean ubRMSD at core sites not worse than the previous version's, nor than the best of ERA5-Land and SMAP."""
    least = int(limits.get("sites", 5))
    ours = _core_ubrmsd(evidence, evidence.ours) if evidence.core else None
    if ours is None or ours[1] < least:
        return no_evidence(f"{ours[1] if ours else 0} core sites, {least} are asked for")
    theirs = {name: found for name in evidence.mission_rivals if (found := _core_ubrmsd(evidence, name))}
    best = min(theirs, key=lambda name: theirs[name][0], default=None)
    opponents = [name for name in (evidence.previous, best) if name]
    if not opponents:
        return no_evidence("neither a previous version nor ERA5-Land or SMAP is in the run")
    rows = evidence.comparisons
    rows = rows[
        rows["reference"].eq(evidence.core) & rows["stratum_kind"].eq("all") & rows["rival"].isin(opponents)
        & rows["metric"].eq("ubrmsd") & rows["signal"].eq("raw")
    ]  # fmt: skip
    told = zip(rows["rival"].astype(str), rows["outcome"].astype(str), rows["difference"].to_numpy(float), strict=True)
    words = {name: (word, float(value)) for name, word, value in told}
    limit = limits.get("ubrmsd")
    passed = all(words.get(name, ("not_applicable", 0.0))[0] != "worse" for name in opponents)
    passed = passed and (limit is None or ours[0] <= limit)
    proved = all(words.get(name, ("", 0.0))[0] in ("better", "equal") for name in opponents)
    text = ", ".join(f"against {name} {word} ({value:+.4f})" for name, (word, value) in sorted(words.items()))
    return Result(
        _number(ours[0]), limit, passed, passed and proved,
        f"mean ubRMSD {ours[0]:.4f} at {ours[1]} sites (the mission asks for {MISSION_UBRMSD}); {text}",
    )  # fmt: skip


def _core_ubrmsd(evidence: Evidence, name: str) -> tuple[float, int] | None:
    rows = evidence.scores
    rows = rows[
        rows["reference"].eq(evidence.core) & rows["product"].eq(name) & rows["stratum_kind"].eq("all")
        & rows["metric"].eq("ubrmsd") & rows["signal"].eq("raw") & rows["aggregate"].eq("mean")
        & rows["subset"].str.startswith("common") & rows["scaling"].eq("none")
        & ~rows["split"].isin(["period_seen", "station_seen"])
    ]  # fmt: skip
    return (float(rows["value"].iloc[0]), int(rows["n"].iloc[0])) if len(rows) and rows["value"].notna().any() else None


def gap_days(evidence: Evidence, limits: dict[str, float]) -> Result:
    """The filled value against the stations no worse than the hidden observation itself, plus 0.005."""
    found = evidence.hidden
    if found is None:
        return not_applicable("no file of filled and hidden values")
    if found.stations == 0 or not np.isfinite(found.difference):
        return no_evidence("no station has filled and hidden values on 30 days")
    allowed = limits.get("margin", 0.005)
    passed = found.difference <= allowed and found.against_dct != "worse"
    beside = f"; against DCT-PLS {found.against_dct}" if found.against_dct else ""
    return Result(
        _number(found.difference), allowed, passed, passed and found.ci_high <= allowed,
        f"ubRMSD filled minus hidden {found.difference:+.4f} ({found.ci_low:+.4f}..{found.ci_high:+.4f}) at "
        f"{found.stations} stations{beside}",
    )  # fmt: skip


def stability(evidence: Evidence, limits: dict[str, float]) -> Result:
    """No network of five clusters drifts by more than the limit a decade."""
    if evidence.trends is None:
        return not_applicable(evidence.notes.get("stability", "less than five years of monthly differences"))
    limit, least = limits.get("per_decade", 0.01), int(limits.get("clusters", 5))
    large = [one for one in evidence.trends if one.clusters >= least]
    if not large:
        return no_evidence(f"no network has {least} clusters with five years")
    said = [str(of_interval(one.ci_low, one.ci_high, limit)) for one in large]
    steepest = max(large, key=lambda one: abs(one.slope))
    text = "; ".join(
        f"{one.name} {word}: {one.slope:+.4f} ({one.ci_low:+.4f}..{one.ci_high:+.4f}) per decade, "
        f"{one.detectable:.4f} would be seen with 80 % power"
        for one, word in zip(large, said, strict=True)
    )
    return Result(
        _number(steepest.slope), limit, "drifting" not in said, set(said) == {"stable"},
        f"{text}; the requirement per year, 0.01, would allow {0.1:g} per decade",
    )  # fmt: skip


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
    """All gates in one table; the release passes unless an applicable required gate fails without a waiver.

    A waiver has a reason and the version with which it expires; from that version on it does not hold.
    """
    by_name = {gate.name: gate for gate in listed}
    in_force, expired = _waived(waivers, evidence.version)
    rows: list[dict[str, Any]] = []
    for name, gate in GATES.items():
        asked = by_name.get(name)
        found = gate(evidence, asked.limits) if asked else not_applicable("not listed in the recipe")
        beside = f"; its waiver expired with version {expired[name]}" if name in expired else ""
        rows.append({
            "name": name, "level": asked.level if asked else "not_listed", "figure": found.figure,
            "limit": found.limit, "passed": found.passed, "proved": found.proved, "applicable": found.applicable,
            "reason": found.reason + beside, "waiver": in_force.get(name, ""),
        })  # fmt: skip
    failed = [row for row in rows if row["level"] == "required" and not row["passed"] and not row["waiver"]]
    return {"passed": not failed, "gates": rows}


def _waived(waivers: tuple[dict[str, Any], ...], ours: str) -> tuple[dict[str, str], dict[str, str]]:
    """Reasons of the waivers in force, and the expiry of those that are over, by gate."""
    in_force, expired = {}, {}
    for waiver in waivers:
        name, expires = str(waiver.get("check")), str(waiver.get("expires", ""))
        if _order(ours) and _order(expires) and _order(ours) >= _order(expires):
            expired[name] = expires
        else:
            in_force[name] = str(waiver.get("reason", ""))
    return in_force, expired


def _order(text: str) -> tuple[int, ...]:
    """The numbers of a version; empty for a text that is none."""
    parts = text.removeprefix("v").split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def _overall(evidence: Evidence, rival: str) -> pd.DataFrame:
    rows = evidence.comparisons
    return rows[
        rows["rival"].eq(rival) & rows["stratum_kind"].eq("all") & rows["reference"].eq(evidence.headline[0])
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
