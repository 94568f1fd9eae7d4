"""How a validation scores: the settings that change figures, not what is compared."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from vadose.common import UsageError
from vadose.statistics.longrun import Model
from vadose.statistics.scaling import SCALINGS

SENSORS = ("primary", "separate")
Interval = Literal["tail_model", "lag1", "ar2", "hac", "iid", "bootstrap"]
INTERVALS: tuple[str, ...] = get_args(Interval)

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
    sensors: str = "primary"
    strict: bool = False
    partly_seen: bool = False
    stations_seen: bool = False
    cluster_count: int = 1

    def __post_init__(self) -> None:
        for name, value, known in (
            ("interval", self.interval, INTERVALS), ("sensors", self.sensors, SENSORS),
            *(("scaling", one, SCALINGS[1:]) for one in self.scalings),
        ):  # fmt: skip
            if value not in known:
                raise UsageError(f"no {name} {value!r}; known: {', '.join(known)}")
        if self.cross_fit and not self.scalings:
            raise UsageError("--cross-fit is about scaling", next="add --scaling NAME, or leave --cross-fit out")

    @property
    def model(self) -> Model:
        """Model for what has no draws, such as collocation."""
        return "tail_model" if self.interval == "bootstrap" else self.interval

    def stated(self) -> dict[str, Any]:
        """What `run.json` says of the settings."""
        inner = ("partly_seen", "stations_seen", "cluster_count")
        return {name: value for name, value in asdict(self).items() if name not in inner}
