"""One sensor: its rows, what was lost where, and its daily series."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vadose.common import InputError

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]

# Stages of the funnel. Up to `unique` the unit is rows, from `days` on it is days.
STAGES = ("rows_read", "parsed", "in_period", "not_missing", "passed_qc", "unique", "days", "complete_day")
# The stage that a reason takes from.
REASON_STAGE = {
    "row_malformed": "rows_read",
    "outside_period": "parsed",
    "missing": "in_period",
    "duplicate": "passed_qc",
    "duplicate_conflict": "passed_qc",
    "day_incomplete": "days",
}
COMPLETE_DAY_SHARE = 0.75
SURFACE_DEPTH_M = 0.055
_PERCENT_LIMIT = 1.2
_MINUTES_PER_DAY = 1440


@dataclass(frozen=True)
class Site:
    """Who and where a sensor is; depths in m below the surface, positive down."""

    network: str
    station: str
    sensor: str
    lat: float
    lon: float
    altitude: float
    depth_from: float
    depth_to: float
    footprint_kind: str = "point"
    footprint_radius: float = float("nan")


@dataclass(frozen=True)
class Origin:
    """Where the values come from and what their licence allows."""

    file: str
    sha256: str
    licence: str
    redistributable: bool
    flag_dialect: str = "none"
    day_convention: str = "utc"
    utc_offset: float = 0.0
    static: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sensor:
    """The daily series of one sensor.

    Attributes
    ----------
    days
        Days with at least one good value, ascending, datetime64[D], in the convention of `origin`.
    values
        Daily means of complete days, m3 m-3, NaN elsewhere, (days,).
    solar06
        Means within 06:00 local mean solar time +- 1 h of the UTC day; NaN where there are none or no sub-daily values.
    counts, nominal_count
        Values behind each day, and how many are expected.
    funnel, rejected
        Counts by stage and by reason.
    """

    site: Site
    origin: Origin
    days: Times
    values: Floats
    solar06: Floats
    counts: npt.NDArray[np.int64]
    nominal_count: int
    funnel: dict[str, int]
    rejected: dict[str, int]
    flag_counts: dict[str, int]

    @property
    def good_days(self) -> int:
        """Days with a daily mean."""
        return int(np.isfinite(self.values).sum())


@dataclass(frozen=True)
class Rows:
    """Parsed rows of one file: UTC or declared local stamps, values, and for each row why it is rejected ("" if not).

    `read` counts all data rows of the file, also the malformed ones.
    """

    stamps: Times
    values: Floats
    reasons: npt.NDArray[np.str_]
    read: int
    flag_counts: dict[str, int] = field(default_factory=dict)


def check_percent(values: Floats, where: str) -> None:
    """Refuse values whose 95th percentile says that they are percent."""
    finite = values[np.isfinite(values)]
    if finite.size and float(np.percentile(finite, 95)) > _PERCENT_LIMIT:
        raise InputError(
            f"soil moisture looks like percent: 95 % of the values lie below {np.percentile(finite, 95):.4g}, not 1",
            where=where,
            next="declare `units: percent` in the mapping of the table",
        )


def solar06_minutes(lon: float) -> float:
    """Minute of the UTC day at which it is 06:00 local mean solar time."""
    return float(((6.0 - lon / 15.0) % 24.0) * 60.0)


def daily_sensor(site: Site, origin: Origin, rows: Rows) -> Sensor:
    """Reject, remove duplicates and average rows to days, and count every row exactly once."""
    check_percent(rows.values[rows.reasons == ""], origin.file)
    rejected = Counter(str(reason) for reason in rows.reasons if reason)
    if rows.read > rows.stamps.size:
        rejected["row_malformed"] += rows.read - rows.stamps.size
    good = rows.reasons == ""
    stamps, values, repeated = _unique(rows.stamps[good], rows.values[good])
    rejected.update({key: count for key, count in repeated.items() if count})
    minutes = stamps.astype("datetime64[m]").astype(np.int64)
    days, inverse = np.unique(minutes // _MINUTES_PER_DAY, return_inverse=True)
    counts = np.bincount(inverse, minlength=days.size).astype(np.int64)
    nominal = _nominal_count(minutes)
    means = np.bincount(inverse, weights=values, minlength=days.size) / np.maximum(counts, 1)
    complete = counts >= COMPLETE_DAY_SHARE * nominal
    if (~complete).any():
        rejected["day_incomplete"] = int((~complete).sum())
    return Sensor(
        site=site, origin=origin, days=days.astype("datetime64[D]"), values=np.where(complete, means, np.nan),
        solar06=_solar06(minutes, values, days, site.lon) if nominal > 1 else np.full(days.size, np.nan),
        counts=counts, nominal_count=nominal,
        funnel=_funnel(rows.read, dict(rejected), stamps.size, days.size, int(complete.sum())),
        rejected=dict(sorted(rejected.items())), flag_counts=dict(sorted(rows.flag_counts.items())),
    )  # fmt: skip


def _unique(stamps: Times, values: Floats) -> tuple[Times, Floats, dict[str, int]]:
    """One value a stamp: equal repeats are kept once, all of those that contradict each other are dropped."""
    order = np.lexsort((values, stamps))
    stamps, values = stamps[order], values[order]
    times, first, _, counts = np.unique(stamps, return_index=True, return_inverse=True, return_counts=True)
    last = first + counts - 1
    conflict = values[first] != values[last] if times.size else np.zeros(0, bool)
    lost = {"duplicate": int((counts - 1)[~conflict].sum()), "duplicate_conflict": int(counts[conflict].sum())}
    return times[~conflict], values[first][~conflict], lost


def _nominal_count(minutes: npt.NDArray[np.int64]) -> int:
    """Values expected a day: the day over the most frequent step."""
    steps = np.diff(minutes)
    steps = steps[steps > 0]
    if steps.size == 0:
        return 1
    sizes, counts = np.unique(steps, return_counts=True)
    return max(round(_MINUTES_PER_DAY / int(sizes[counts.argmax()])), 1)


def _solar06(minutes: npt.NDArray[np.int64], values: Floats, days: npt.NDArray[np.int64], lon: float) -> Floats:
    centre = solar06_minutes(lon)
    day = np.floor((minutes - centre) / _MINUTES_PER_DAY + 0.5).astype(np.int64)
    near = np.abs(minutes - centre - day * _MINUTES_PER_DAY) <= 60
    position = np.searchsorted(days, day)
    near &= (position < days.size) & (days[np.minimum(position, days.size - 1)] == day) if days.size else False
    where = position[near]
    counts = np.bincount(where, minlength=days.size)
    sums = np.bincount(where, weights=values[near], minlength=days.size)
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))


def _funnel(read: int, rejected: dict[str, int], unique: int, days: int, complete: int) -> dict[str, int]:
    count, out = read, {}
    for stage in STAGES[:6]:
        out[stage] = count
        count -= sum(number for reason, number in rejected.items() if _takes_from(reason) == stage)
    assert out["unique"] == unique, f"the funnel ends with {out['unique']} rows, the series with {unique}"
    return out | {"days": days, "complete_day": complete}


def _takes_from(reason: str) -> str:
    """The stage that a reason takes from; every reason not listed is a failed quality check."""
    return REASON_STAGE.get(reason, "not_missing")
