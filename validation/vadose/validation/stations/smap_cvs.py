"""Stations of a core site upscaled to one series, as the SMAP core-site protocol does it.

The mean of a site must not jump where a station fails:
`site(t) = sum_i w_i mu_i + sum_{i in P(t)} w_i (theta_i(t) - mu_i) / sum_{i in P(t)} w_i`,
with the present stations P(t) and mu_i the mean of station i over the days on which all report, else the means that
fit all pairs of stations on their common days.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.validation.stations.identity import depth_class
from vadose.validation.stations.sensor import (
    CORE_SITE,
    Account,
    Daily,
    Floats,
    Origin,
    Sensor,
    Site,
    Times,
    placed,
    summed,
)
from vadose.validation.stations.sites import SiteFile

# Fewer common days of all stations give means that are too uncertain.
FEWEST_COMMON_DAYS = 30
_FROZEN_SHARE = 0.5


def upscale(values: Floats, weights: Floats, minimum_weight: float = 0.7) -> Floats:
    """The site mean of each day, by the formula above.

    Parameters
    ----------
    values
        (station, day), NaN where a station is missing.
    weights
        Of the stations, sum 1.
    minimum_weight
        A day needs present stations with this sum of weights; else it is NaN.

    Raises
    ------
    InputError
        If some stations never report together with the others, so that their means cannot be compared.
    """
    present = np.isfinite(values)
    level = station_means(values)
    used = present.any(axis=1)
    here = np.where(present, weights[:, None], 0.0)
    total = here.sum(axis=0)
    departure = np.where(present, values - level[:, None], 0.0)
    base = float((weights * np.where(used, level, 0.0)).sum() / weights[used].sum()) if used.any() else np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        site = base + (here * departure).sum(axis=0) / total
    return np.where(total >= minimum_weight - 1e-9, site, np.nan)


def plain_mean(values: Floats, weights: Floats, minimum_weight: float = 0.7) -> Floats:
    """The weighted mean of the stations present each day; it jumps where a station fails."""
    present = np.isfinite(values)
    here = np.where(present, weights[:, None], 0.0)
    total = here.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        site = (here * np.where(present, values, 0.0)).sum(axis=0) / total
    return np.where(total >= minimum_weight - 1e-9, site, np.nan)


def station_means(values: Floats) -> Floats:
    """Mean of each station on a common footing, (station,); NaN for a station without any value.

    Over the days on which all report where there are 30; else the least-squares fit of `mu_i - mu_j` to the mean
    difference of each pair on its common days, weighted by their number. A shift of all by one number has no effect
    on the site mean.
    """
    present = np.isfinite(values)
    used = np.flatnonzero(present.any(axis=1))
    level = np.full(len(values), np.nan)
    if used.size == 0:
        return level
    together = present[used].all(axis=0)
    if together.sum() >= FEWEST_COMMON_DAYS or used.size == 1:
        level[used] = np.nanmean(values[used][:, together] if used.size > 1 else values[used], axis=1)
        return level
    common = present[used].astype(float) @ present[used].T.astype(float)
    if not _connected(common > 0):
        raise InputError(
            "stations of a site never report on a common day, so that their means cannot be compared",
            next="split the site, or leave out stations",
        )  # fmt: skip
    filled = np.where(present[used], values[used], 0.0)
    sums = filled @ present[used].T.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.where(common > 0, (sums - sums.T) / common, 0.0)
    np.fill_diagonal(common, 0.0)
    laplacian = np.diag(common.sum(axis=1)) - common
    fitted = np.linalg.lstsq(laplacian, (common * difference).sum(axis=1), rcond=None)[0]
    overall = float(values[used][present[used]].mean())
    level[used] = fitted - float((fitted[:, None] * present[used]).sum() / present[used].sum()) + overall
    return level


def _connected(links: npt.NDArray[np.bool_]) -> bool:
    reached = np.zeros(len(links), bool)
    reached[0] = True
    for _ in range(len(links)):
        reached |= links[reached].any(axis=0)
    return bool(reached.all())


def spatial_error(values: Floats, weights: Floats, population: int | None = None) -> Floats:
    """Standard error of the site mean of each day: weighted spatial standard deviation times sqrt(sum of w^2).

    Weights are those of the present stations, made to sum 1; the standard deviation is the unbiased one for such
    weights. With a finite `population` that the stations were drawn from, times sqrt(1 - n/N). One station: NaN.
    """
    present = np.isfinite(values)
    here = np.where(present, weights[:, None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = here / here.sum(axis=0)
        mean = np.where(present, share * np.where(present, values, 0.0), 0.0).sum(axis=0)
        squares = (share**2).sum(axis=0)
        spread = (share * np.where(present, values - mean, 0.0) ** 2).sum(axis=0) / (1.0 - squares)
        error = np.sqrt(spread * squares)
    if population is not None:
        error = error * np.sqrt(np.maximum(1.0 - present.sum(axis=0) / population, 0.0))
    return np.where(present.sum(axis=0) > 1, error, np.nan)


def compose(file: SiteFile, sensors: Sequence[Sensor]) -> tuple[Sensor, list[Sensor]]:
    """The series of a site from those of its stations, and which sensors it is made of.

    A day is frozen where half of the stations that say so are.

    Raises
    ------
    InputError
        If no station of the site is among the sensors, or their days are not of one convention.
    """
    site = file.site
    members = _members(file, sensors)
    found = [sensor for sensor in members if sensor is not None]
    days = _days(found, site.period)
    values = _stacked([_daily(sensor, "values") for sensor in members], days)
    morning = _stacked([_daily(sensor, "solar06") for sensor in members], days)
    counts = _stacked([_daily(sensor, "counts") for sensor in members], days)
    frozen = _stacked([sensor.beside.get("frozen") if sensor else None for sensor in members], days)
    mean = upscale if site.missing == "anomaly" else plain_mean
    whole = mean(values, file.weights, site.minimum_weight)
    good = np.isfinite(whole)
    beside = {"standard_error": Daily(days[good], spatial_error(values, file.weights, site.population)[good])}
    told = np.isfinite(frozen).any(axis=0)
    if told.any():
        beside["frozen"] = Daily(days[told], (np.nanmean(frozen[:, told], axis=0) >= _FROZEN_SHARE).astype(np.float64))
    series = Sensor(
        site=_place(file, found), origin=_origin(file, members), days=days, values=whole,
        solar06=mean(morning, file.weights, site.minimum_weight),
        counts=np.nansum(counts, axis=0).astype(np.int64),
        nominal_count=sum(sensor.nominal_count for sensor in found),
        account=_counted(found, values, good), beside=beside,
    )  # fmt: skip
    return series, found


def _members(file: SiteFile, sensors: Sequence[Sensor]) -> list[Sensor | None]:
    """The series of each station of a site, None for those that have none."""
    site = file.site
    wanted = depth_class(*site.depth_m)
    members: list[Sensor | None] = [_member(one.network, one.station, wanted, sensors) for one in site.stations]
    conventions = {sensor.origin.day_convention for sensor in members if sensor is not None}
    if not conventions:
        raise InputError(
            f"no series of the {len(site.stations)} stations of site {site.site}", where=file.file,
            why=f"looked for {site.stations[0].network}/{site.stations[0].station} and so on at depth {wanted}",
            next="give the stations' files as a source, too",
        )  # fmt: skip
    if len(conventions) > 1:
        raise InputError(
            f"stations of site {site.site} hold days of different conventions: {', '.join(sorted(conventions))}",
            where=file.file,
        )  # fmt: skip
    return members


def _daily(sensor: Sensor | None, name: str) -> Daily | None:
    return None if sensor is None else Daily(sensor.days, getattr(sensor, name))


def _stacked(series: Sequence[Daily | None], days: Times) -> Floats:
    """Daily series on common days, (series, day), NaN where one has no value."""
    out = np.full((len(series), days.size), np.nan)
    for row, one in enumerate(series):
        if one is not None:
            inside = (one.days >= days[0]) & (one.days <= days[-1])
            out[row, (one.days[inside] - days[0]).astype(int)] = one.values[inside]
    return out


def _place(file: SiteFile, found: Sequence[Sensor]) -> Site:
    site = file.site
    return placed(Site(
        "CVS-LIKE" if site.own else "SMAP-CVS", site.site, f"{site.weighting} mean of {len(found)} stations",
        *site.centre(), float(np.mean([one.site.altitude for one in found])), *site.depth_m, CORE_SITE,
        site.radius_m(), site_class=site.site_class,
    ))  # fmt: skip


def _origin(file: SiteFile, members: Sequence[Sensor | None]) -> Origin:
    """Licence of the site file; what one of its stations may not pass on, the site may not either."""
    site = file.site
    found = [sensor for sensor in members if sensor is not None]
    pairs = zip(site.stations, members, strict=True)
    absent = [f"{one.network}/{one.station}" for one, sensor in pairs if sensor is None]
    first = found[0].origin
    return Origin(
        file=file.file, sha256=file.sha256, licence=site.licence,
        redistributable=site.redistributable and all(sensor.origin.redistributable for sensor in found),
        flag_dialect=first.flag_dialect, day_convention=first.day_convention, utc_offset=first.utc_offset,
        static=first.static, notes=(f"stations without a series: {', '.join(absent)}",) if absent else (),
    )  # fmt: skip


def _member(network: str, station: str, wanted: str, sensors: Sequence[Sensor]) -> Sensor | None:
    """The longest series of a station at the site's depth class."""
    found = [
        sensor for sensor in sensors
        if (sensor.site.network, sensor.site.station) == (network, station)
        and depth_class(sensor.site.depth_from, sensor.site.depth_to) == wanted
    ]  # fmt: skip
    return max(found, key=lambda sensor: sensor.good_days, default=None)


def _days(sensors: Sequence[Sensor], period: tuple[object, object] | None) -> Times:
    spans = [sensor.days for sensor in sensors if sensor.days.size]
    if not spans:
        raise InputError("no station of the site has a day", where=sensors[0].origin.file)
    first, last = min(days[0] for days in spans), max(days[-1] for days in spans)
    if period is not None:
        first = max(first, np.datetime64(str(period[0]), "D"))
        last = min(last, np.datetime64(str(period[1]), "D"))
    if last < first:
        raise InputError("no day of the stations lies in the site's period", where=sensors[0].origin.file)
    return np.arange(first, last + 1)


def _counted(sensors: Sequence[Sensor], values: Floats, good: npt.NDArray[np.bool_]) -> Account:
    """Account of a site: those of its stations, then station-days merged into days of the site or absent from it."""
    accounts = [sensor.account for sensor in sensors]
    merged = int(np.isfinite(values[:, good]).sum()) - int(good.sum())
    complete = sum(account.funnel["complete_day"] for account in accounts)
    return summed(accounts, sensor_merged=merged, sensor_absent=complete - merged - int(good.sum()))
