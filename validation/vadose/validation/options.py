"""How a validation scores: the settings that change figures, not what is compared."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from vadose.common import UsageError
from vadose.statistics.longrun import Model
from vadose.statistics.scaling import SCALINGS

SENSORS = ("primary", "separate")
Interval = Literal["tail_model", "lag1", "ar2", "hac", "iid", "bootstrap"]
INTERVALS: tuple[str, ...] = get_args(Interval)
Adjustment = Literal["bh", "by"]
ADJUSTMENTS: tuple[str, ...] = get_args(Adjustment)
# Differences inside these are called equal, in the unit of the metric.
MARGINS: Mapping[str, float] = {"r": 0.01, "rho": 0.01, "ubrmsd": 0.001, "mse": 1e-4, "mse_bias": 1e-4}

assert set(get_args(Model)) < set(INTERVALS)


@dataclass(frozen=True)
class Options:
    """Settings of the scores.

    Attributes
    ----------
    allow_day_mismatch
        Whether stations of another day convention are scored all the same; every row says so.
    seed
        Seed of the bootstrap.
    interval
        Model of the dependence between days, or `bootstrap`: blocks of days are drawn for every score.
    scalings
        Further scores of the product after these scalings to the reference.
    cross_fit
        Whether a scaling is fitted on the other years than it is applied to.
    anomaly_before_matching
        Whether anomalies are taken from all days of a series, as other tools do, not from the matched ones: then the
        gaps of the other series do not change the filter, but the two are no longer filtered alike.
    margins
        Margins of practical equality by metric where they are not those of `MARGINS`; raw and anomaly alike.
    adjust
        Adjustment of the p-values of a family: `bh`, or `by`, which holds for tests that depend on each other in any
        way.
    sensors
        `primary`: one sensor per station and depth class; `separate`: all.
    strict
        Whether a station that fails unexpectedly stops the run.
    partly_seen, stations_seen, cluster_count
        What a reference holds: days or stations seen in training, and the number of its clusters; set by the suite.
    """

    allow_day_mismatch: bool = False
    seed: int = 0
    interval: Interval = "tail_model"
    scalings: tuple[str, ...] = ()
    cross_fit: bool = False
    anomaly_before_matching: bool = False
    margins: Mapping[str, float] = field(default_factory=dict)
    adjust: Adjustment = "bh"
    sensors: str = "primary"
    strict: bool = False
    partly_seen: bool = False
    stations_seen: bool = False
    cluster_count: int = 1

    def __post_init__(self) -> None:
        for name, value, known in (
            ("interval", self.interval, INTERVALS), ("sensors", self.sensors, SENSORS),
            ("adjustment", self.adjust, ADJUSTMENTS), *(("scaling", one, SCALINGS[1:]) for one in self.scalings),
        ):  # fmt: skip
            if value not in known:
                raise UsageError(f"no {name} {value!r}; known: {', '.join(known)}")
        if self.cross_fit and not self.scalings:
            raise UsageError("--cross-fit is about scaling", next="add --scaling NAME, or leave --cross-fit out")
        for metric, width in self.margins.items():
            _check_margin(metric, width)

    @property
    def model(self) -> Model:
        """Model for what has no draws, such as collocation."""
        return "tail_model" if self.interval == "bootstrap" else self.interval

    def margin(self, metric: str) -> float:
        """Margin of practical equality of a metric, in its unit."""
        return self.margins.get(metric, MARGINS[metric])

    def stated(self) -> dict[str, Any]:
        """What `run.json` says of the settings."""
        inner = ("partly_seen", "stations_seen", "cluster_count")
        stated = {name: value for name, value in asdict(self).items() if name not in inner}
        return {**stated, "margins": {name: self.margin(name) for name in MARGINS}}


def _check_margin(name: str, value: float) -> None:
    if name not in MARGINS:
        near = difflib.get_close_matches(name, MARGINS, n=1)
        raise UsageError(
            f"no margin of {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
            why=f"products are compared in {', '.join(MARGINS)}",
        )
    if not (math.isfinite(value) and value >= 0):
        raise UsageError(f"a margin of {value} in {name} is no width", next="give 0 or a positive number")
