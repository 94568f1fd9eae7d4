"""A product of three versions whose runs compare them and three rivals by stratum and by station."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

PRODUCT = "demo-0p25deg"
METRICS = (("r", "raw", 0.7), ("ubrmsd", "raw", 0.04))
RIVALS = ("alpha", "beta", "gamma")
CLASSES = (
    ("all", "all"), ("land_cover", "130"), ("land_cover", "10"), ("land_cover", "60"), ("climate", "Cfb"),
    ("climate", "Dfb"), ("season", "JJA"),
)  # fmt: skip
# What ours is beside each rival: alpha is worse than ours, beta equal, and nothing is decided about gamma.
BESIDE_RIVALS = {"alpha": "better", "beta": "equal", "gamma": "undecided"}
# What v1.1.0 is beside v1.0.0 in each class; JJA and land cover 60 have no row.
BESIDE_BEFORE = {
    ("all", "all"): "undecided", ("land_cover", "130"): "better", ("land_cover", "10"): "equal",
    ("climate", "Cfb"): "worse", ("climate", "Dfb"): "undecided",
}  # fmt: skip
# And at each station; the last one was not compared.
AT_STATIONS = ("better", "worse", "equal", "undecided")
DIFFERENCES = {"better": 0.05, "worse": -0.05, "equal": 0.0005, "undecided": 0.03}
VERSIONS = ("1.0.0", "1.1.0", "2.0.0")


def places(small: ModuleType) -> list:
    """One station for each outcome, one that was not compared, and one of a closed network."""
    return [small.Station(f"NETA/S{i}/0.05/probe", f"S{i}") for i in range(5)] + small.stations(1)


def scores(small: ModuleType, version: str, before: str | None) -> pd.DataFrame:
    """Rows of ours, the version before and three rivals in every class, and of ours at every station."""
    draw = np.random.default_rng(int(version.replace(".", "")))
    products = {"vadose": version, **({"before": before} if before else {}), **dict.fromkeys(RIVALS, "2")}
    rows = []
    for product, given in products.items():
        for metric, signal, middle in METRICS:
            for kind, name in CLASSES:
                if name == "60" and version != "1.1.0":
                    continue
                value = middle + draw.uniform(-0.01, 0.01)
                shared = {"signal": signal, "version": given, "stratum_kind": kind, "stratum": name}
                rows += [
                    small.score(product, metric, value, **shared),
                    small.score(product, metric, value, subset="own", coverage=0.8, **shared),
                ]
            if product == "vadose":
                rows += [
                    small.score(
                        product, metric, middle + draw.uniform(-0.02, 0.02), signal=signal, stratum_kind="station",
                        stratum=place.id, aggregate="", version=given,
                    )
                    for place in places(small)
                ]  # fmt: skip
    return pd.DataFrame(rows).sort_values(list(small.KEY), ignore_index=True).astype({"n": "int64"})


def pair(rival: str, kind: str, name: str, metric: str, signal: str, outcome: str) -> dict[str, object]:
    """One row of comparisons.parquet; smaller is better for the error, so its sign is turned."""
    difference = DIFFERENCES[outcome] * (1 if metric == "r" else -0.1)
    half = 0.2 if outcome == "undecided" else abs(difference) / 2 + 1e-5
    return {
        "ours": "vadose", "rival": rival, "reference": "stations", "metric": metric, "signal": signal,
        "stratum_kind": kind, "stratum": name, "subset": "common", "difference": difference,
        "ci_low": difference - half, "ci_high": difference + half, "p": 0.01, "p_adjusted": 0.02, "n": 6,
        "n_eff": 31.5, "outcome": outcome, "better": 1, "worse": 1, "equal": 1, "undecided": 1,
    }  # fmt: skip


def comparisons(small: ModuleType, before: str | None) -> pd.DataFrame:
    """Ours beside each rival in the classes of a land cover and overall; beside the version before everywhere."""
    rows = []
    for metric, signal, _ in METRICS:
        for rival, outcome in BESIDE_RIVALS.items():
            rows += [
                pair(rival, kind, name, metric, signal, outcome)
                for kind, name in (("all", "all"), ("land_cover", "130"))
            ]
        if before:
            rows += [pair("before", *key, metric, signal, outcome) for key, outcome in BESIDE_BEFORE.items()]
            rows += [
                pair("before", "station", place.id, metric, signal, outcome)
                for place, outcome in zip(places(small), AT_STATIONS, strict=False)
            ]
    return pd.DataFrame(rows)


def write_run(small: ModuleType, folder: Path, version: str, before: str | None) -> Path:
    """A run of one version, with the version before it among the compared."""
    run = small.write_run(folder, places(small), version=version)
    scores(small, version, before).to_parquet(run / "scores.parquet", index=False)
    comparisons(small, before).to_parquet(run / "comparisons.parquet", index=False)
    document = json.loads((run / "run.json").read_text())
    document["roles"] |= {"previous": "before" if before else None, "rivals": list(RIVALS)}
    (run / "run.json").write_text(json.dumps(document))
    return run


def write_workspace(small: ModuleType, workspace: Path) -> Path:
    """v1.0.0 and v1.1.0, which its run compares with it; v2.0.0, whose run compares it with no other version."""
    for version, before in zip(VERSIONS, (None, "1.0.0", None), strict=True):
        run = write_run(small, workspace / "runs" / f"run-{version}", version, before)
        folder = small.write_release(workspace, version, run, days=2 if version == "1.0.0" else 3)
        if before:
            difference = {
                "old": before, "new": version, "days": 2, "coverage": {"old": 0.9, "new": 0.95},
                "values": {"mean_difference": 0.00125, "mean_absolute_difference": 0.0025,
                           "root_mean_square_difference": 0.003, "largest_difference": 0.04},
                "flags": {"frozen": 0.02, "water": 0.0},
                "headers": ["variable quality is new", f"sm:comment was 'a', is {small.HOSTILE!r}"],
            }  # fmt: skip
            (folder / "quality" / "diff.json").write_text(json.dumps(difference))
        if version != "1.0.0":
            coverage = pd.DataFrame({"day": small.DAYS.strftime("%Y-%m-%d"), "cells_expected": 480, "cells_given": 466})
            coverage.to_csv(folder / "quality" / "coverage.csv", index=False)
        small.publish(folder)
    return workspace


def built_site(small: ModuleType, workspace: Path):
    """Render, build and serve `write_workspace` under its policy header until the process ends."""
    write_workspace(small, workspace)
    return small.served(workspace)
