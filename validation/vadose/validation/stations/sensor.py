"""One sensor: its rows, what was lost where, and its daily series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from vadose.common import InputError

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]
Period = tuple[np.datetime64, np.datetime64]

# Stages of the funnel. Up to `unique` the unit is rows; `days` is days with any kept row; from `complete_day` on it is
# days with a mean, of all physical sensors behind the series before `in_series`.
STAGES = (
    "rows_read", "parsed", "in_period", "not_missing", "passed_qc", "unique", "days", "complete_day", "in_series",
)  # fmt: skip
ROW_STAGES = STAGES[:6]
# The stage that a reason takes from; every reason not listed is a failed quality check and takes from `not_missing`.
REASON_STAGE = {
    "row_malformed": "rows_read",
    "outside_period": "parsed",
    "missing": "in_period",
    "duplicate": "passed_qc",
    "duplicate_conflict": "passed_qc",
    "day_incomplete": "days",
    "sensor_absent": "complete_day",
    "sensor_merged": "complete_day",
    "sensor_overlap": "complete_day",
}
COMPLETE_DAY_SHARE = 0.75
FIRST_STAMP, LAST_STAMP = np.datetime64("1900-01-01T00:00", "m"), np.datetime64("2101-01-01T00:00", "m")
SURFACE_DEPTH_M = 0.055
SHALLOW_DEPTH_M = 0.105
PERCENT_LIMIT = 1.2
# One wrong value among fewer than these would be their 95th percentile.
_FEW_VALUES = 20
MINUTES_PER_DAY = 1440
# Sources write -999, -9999 and the like where they know no coordinate.
NO_COORDINATE = -900.0
COSMIC_RAY = "cosmic-ray"
# Probes with a mean above this, as over peat, are not to be taken as truth.
TOO_WET = 0.6
CORE_SITE = "core-site"


@dataclass(frozen=True)
class Site:
    """Who and where a sensor is; depths in m below the surface, positive down.

    `lat` and `lon` are NaN where there are none on the globe; `place_status` then says why.
    """

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
    place_status: str = "ok"
    site_class: str = ""


def placed(site: Site) -> Site:
    """The site with its longitude in -180..180, or without a place and with the status that says why."""
    lat, lon = site.lat, site.lon
    if not (np.isfinite(lat) and np.isfinite(lon)) or min(lat, lon) <= NO_COORDINATE:
        return replace(site, lat=float("nan"), lon=float("nan"), place_status="no_coordinates")
    if not (-90.0 <= lat <= 90.0 and -180.0 <= lon <= 360.0):
        return replace(site, lat=float("nan"), lon=float("nan"), place_status="coordinates_impossible")
    return replace(site, lon=lon - 360.0 if lon > 180.0 else lon)


def place_note(site: Site) -> tuple[str, ...]:
    """What is wrong with coordinates as a source gives them; nothing if they lie on the globe."""
    checked = placed(site)
    if checked.place_status == "ok":
        return ()
    swapped = placed(replace(site, lat=site.lon, lon=site.lat)).place_status == "ok"
    hint = "; swapped they would be possible" if swapped and checked.place_status != "no_coordinates" else ""
    return (f"{checked.place_status}: latitude {site.lat:g}, longitude {site.lon:g}{hint}",)


@dataclass(frozen=True)
class Rules:
    """What the user asks of every source.

    Attributes
    ----------
    period
        First and last day asked for; rows outside are `outside_period`. All if None.
    day_share
        Share of the expected values that a day needs for its mean.
    """

    period: Period | None = None
    day_share: float = COMPLETE_DAY_SHARE


DEFAULT_RULES = Rules()


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
    # Whether the network delivers static variables with its series.
    static_expected: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Daily:
    """A daily series beside soil moisture: days, datetime64[D] ascending, and a value for each."""

    days: Times
    values: Floats


@dataclass(frozen=True)
class Account:
    """What became of every row: counts by stage, by reason of rejection and by flag of the source."""

    funnel: dict[str, int]
    rejected: dict[str, int]
    flag_counts: dict[str, int] = field(default_factory=dict)


def summed(accounts: Sequence[Account], **more: int) -> Account:
    """Accounts of several sensors that become one series, added up; `more` is rejected on the way into it."""
    rejected = Counter({reason: count for reason, count in more.items() if count})
    flags: Counter[str] = Counter()
    for account in accounts:
        rejected.update(account.rejected)
        flags.update(account.flag_counts)
    funnel = {stage: sum(account.funnel[stage] for account in accounts) for stage in STAGES}
    funnel["in_series"] -= sum(more.values())
    return Account(funnel, dict(sorted(rejected.items())), dict(sorted(flags.items())))


@dataclass(frozen=True)
class Sensor:
    """The daily series of one sensor, of several merged ones or of a site.

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
    account
        Counts by stage and by reason.
    beside
        Other daily series by name: `standard_error` and `companion` in m3 m-3, `frozen` 0 or 1, `precipitation` in
        mm d-1, `footprint_radius_daily` in m, `sensor_index`.
    """

    site: Site
    origin: Origin
    days: Times
    values: Floats
    solar06: Floats
    counts: npt.NDArray[np.int64]
    nominal_count: int
    account: Account
    beside: dict[str, Daily] = field(default_factory=dict)

    @property
    def good_days(self) -> int:
        """Days with a daily mean."""
        return int(np.isfinite(self.values).sum())

    @property
    def status(self) -> str:
        """`ok`, or what a reader of scores has to know about this series."""
        if self.site.place_status != "ok":
            return self.site.place_status
        if self.good_days == 0:
            return "no_complete_day"
        if self.site.footprint_kind == COSMIC_RAY and float(np.nanmean(self.values)) > TOO_WET:
            return "too_wet"
        lacking = self.origin.static_expected and not self.origin.static
        return "metadata_missing" if lacking else "ok"


@dataclass(frozen=True)
class Rows:
    """Parsed rows of one file.

    Attributes
    ----------
    stamps, values
        UTC or declared local stamps, and m3 m-3.
    reasons
        Why each row is rejected, "" if it is not.
    read
        All data rows of the file, also the malformed ones, which are not among `stamps`.
    columns
        Values beside soil moisture by name, one a row: `frozen`, `precipitation`, `standard_error`,
        `footprint_radius_daily`.
    """

    stamps: Times
    values: Floats
    reasons: npt.NDArray[np.str_]
    read: int
    flag_counts: dict[str, int] = field(default_factory=dict)
    columns: dict[str, Floats] = field(default_factory=dict)


def check_percent(values: Floats, where: str) -> None:
    """Refuse values whose 95th percentile says that they are percent; of fewer than 20 values, their median."""
    finite = values[np.isfinite(values)]
    share = 95 if finite.size >= _FEW_VALUES else 50
    if finite.size and float(np.percentile(finite, share)) > PERCENT_LIMIT:
        raise InputError(
            "units look like percent; declare `units: percent`", where=where,
            why=f"{share} % of the values lie below {np.percentile(finite, share):.4g}; a volume fraction lies below 1",
            next="read it as a table with a mapping: vadose ingest stations --probe FILE",
        )  # fmt: skip


def solar06_minutes(lon: float) -> float:
    """Minute of the UTC day at which it is 06:00 local mean solar time; NaN without a longitude."""
    return float(((6.0 - lon / 15.0) % 24.0) * 60.0)


def daily_sensor(
    site: Site,
    origin: Origin,
    rows: Rows,
    rules: Rules = DEFAULT_RULES,
    *,
    of_day: Literal["mean", "last"] = "mean",
    nominal_count: int | None = None,
) -> Sensor:
    """Reject, remove duplicates and average rows to days, and count every row exactly once.

    Parameters
    ----------
    site, origin, rows
        The sensor, the source and its rows.
    rules
        Period and completeness of a day.
    of_day
        `mean` of the day's values; or the `last` one, for a series that is a moving mean already.
    nominal_count
        Values expected a day; without it that of the most frequent step.
    """
    check_percent(rows.values[rows.reasons == ""], origin.file)
    impossible = (rows.reasons == "") & ((rows.values < 0.0) | (rows.values > 1.0))
    reasons = np.where(impossible, "own_range", rows.reasons)
    # A wrong year would stretch the days of all stations over centuries.
    reasons[(rows.stamps < FIRST_STAMP) | (rows.stamps >= LAST_STAMP)] = "row_malformed"
    period = rules.period
    if period is not None:
        days_of = rows.stamps.astype("datetime64[D]")
        reasons = np.where((days_of < period[0]) | (days_of > period[1]), "outside_period", reasons)
    accepted = reasons == ""
    words, sizes = np.unique(reasons[~accepted], return_counts=True)
    rejected = Counter(dict(zip(words.tolist(), sizes.tolist(), strict=True)))
    if rows.read > rows.stamps.size:
        rejected["row_malformed"] += rows.read - rows.stamps.size
    good = np.flatnonzero(accepted)
    kept, repeated = _unique(rows.stamps[good], rows.values[good])
    rejected.update({key: count for key, count in repeated.items() if count})
    stamps, values = rows.stamps[good][kept], rows.values[good][kept]
    minutes = stamps.astype("datetime64[m]").astype(np.int64)
    days, first, counts = np.unique(minutes // MINUTES_PER_DAY, return_index=True, return_counts=True)
    nominal = nominal_count or _nominal_count(minutes)
    complete = counts >= rules.day_share * nominal
    if (~complete).any():
        rejected["day_incomplete"] = int((~complete).sum())
    last = first + counts - 1
    of = values[last] if of_day == "last" else np.add.reduceat(values, first) / counts if days.size else values
    morning = nominal > 1 and of_day == "mean"
    return Sensor(
        site=placed(site), origin=replace(origin, notes=(*origin.notes, *place_note(site))),
        days=days.astype("datetime64[D]"), values=np.where(complete, of, np.nan),
        solar06=_solar06(minutes, values, days, site.lon) if morning else np.full(days.size, np.nan),
        counts=counts.astype(np.int64), nominal_count=nominal,
        account=Account(
            _funnel(rows.read, dict(rejected), stamps.size, days.size, int(complete.sum())),
            dict(sorted(rejected.items())), dict(sorted(rows.flag_counts.items())),
        ),
        beside=_beside(rows, good[kept], reasons != "outside_period", last),
    )  # fmt: skip


def _unique(stamps: Times, values: Floats) -> tuple[npt.NDArray[np.int64], dict[str, int]]:
    """Positions of one value a stamp, by time: equal repeats count once, those that contradict each other never."""
    if (np.diff(stamps) > np.timedelta64(0)).all():
        return np.arange(stamps.size), {}
    order = np.lexsort((values, stamps))
    times, first, counts = np.unique(stamps[order], return_index=True, return_counts=True)
    low, high = values[order][first], values[order][first + counts - 1]
    conflict = low != high if times.size else np.zeros(0, bool)
    lost = {"duplicate": int((counts - 1)[~conflict].sum()), "duplicate_conflict": int(counts[conflict].sum())}
    return order[first][~conflict], lost


def _nominal_count(minutes: npt.NDArray[np.int64]) -> int:
    """Values expected a day: the day over the most frequent step."""
    steps = np.diff(minutes)
    steps = steps[steps > 0]
    if steps.size == 0:
        return 1
    sizes, counts = np.unique(steps, return_counts=True)
    return max(round(MINUTES_PER_DAY / int(sizes[counts.argmax()])), 1)


def _solar06(minutes: npt.NDArray[np.int64], values: Floats, days: npt.NDArray[np.int64], lon: float) -> Floats:
    if not np.isfinite(lon) or days.size == 0:
        return np.full(days.size, np.nan)
    centre = solar06_minutes(lon)
    day = np.floor((minutes - centre) / MINUTES_PER_DAY + 0.5).astype(np.int64)
    near = np.abs(minutes - centre - day * MINUTES_PER_DAY) <= 60
    position = np.searchsorted(days, day)
    near &= (position < days.size) & (days[np.minimum(position, days.size - 1)] == day)
    where = position[near]
    counts = np.bincount(where, minlength=days.size)
    sums = np.bincount(where, weights=values[near], minlength=days.size)
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))


def _beside(
    rows: Rows, kept: npt.NDArray[np.int64], asked: npt.NDArray[np.bool_], last: npt.NDArray[np.int64]
) -> dict[str, Daily]:
    """Daily series of the other columns: any frost, the sum of rain, and for the rest the day's last kept value."""
    out: dict[str, Daily] = {}
    days = rows.stamps.astype("datetime64[D]")
    for name, column in rows.columns.items():
        if name in ("frozen", "precipitation"):
            use = asked & np.isfinite(column)
            order = np.argsort(days[use], kind="stable")
            found, first = np.unique(days[use][order], return_index=True)
            reduce = np.maximum if name == "frozen" else np.add
            values = reduce.reduceat(column[use][order], first) if found.size else np.zeros(0)
            out[name] = Daily(found, values)
        else:
            at = kept[last]
            some = np.isfinite(column[at])
            out[name] = Daily(days[at][some], column[at][some])
    return out


def _funnel(read: int, rejected: dict[str, int], unique: int, days: int, complete: int) -> dict[str, int]:
    count, out = read, {}
    for stage in ROW_STAGES:
        out[stage] = count
        count -= sum(number for reason, number in rejected.items() if takes_from(reason) == stage)
    assert out["unique"] == unique, f"the funnel ends with {out['unique']} rows, the series with {unique}"
    return out | {"days": days, "complete_day": complete, "in_series": complete}


def takes_from(reason: str) -> str:
    """The stage that a reason takes from."""
    return REASON_STAGE.get(reason, "not_missing")
