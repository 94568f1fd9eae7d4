"""Which sensors become stations: the longest of a depth, each, the mean of parallel ones, or successive ones joined."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vadose.common import UsageError
from vadose.validation.stations.identity import ROOT_ZONE, class_of, distinct, station_id
from vadose.validation.stations.sensor import Daily, Floats, Sensor, Site, Times, summed

SENSOR_CHOICES = ("primary", "separate", "mean", "join")
# Sensors are parallel where they share at least half of the shorter record.
_PARALLEL_SHARE = 0.5
_ROOT_ZONE_M = 1.0
_FEWEST_DEPTHS = 3


@dataclass(frozen=True)
class Chosen:
    """Sensors that become stations, and those that do not, by id with the reason."""

    sensors: tuple[Sensor, ...]
    left_out: dict[str, str]


def choose(sensors: Sequence[Sensor], kind: str = "primary") -> Chosen:
    """The series of each station and depth class.

    Parameters
    ----------
    sensors
        All that were read; files that continue each other are joined first.
    kind
        `primary`: the longest good record. `separate`: every sensor. `mean`: days on which all parallel sensors are
        present. `join`: successive sensors one after the other, told apart by `sensor_index`.

    Raises
    ------
    UsageError
        For another word.
    """
    if kind not in SENSOR_CHOICES:
        raise UsageError(f"no choice of sensors {kind!r}; known: {', '.join(SENSOR_CHOICES)}")
    single, copies = without_copies(sensors)
    ordered = sorted(continued(single), key=lambda sensor: (station_id(sensor.site), sensor.origin.file))
    if kind == "separate":
        return Chosen(tuple(ordered), copies)
    groups: dict[tuple[str, str, str, float], list[Sensor]] = defaultdict(list)
    for sensor in ordered:
        groups[_group(sensor)].append(sensor)
    make: Callable[[list[Sensor]], tuple[Sensor, list[Sensor]]] = {
        "primary": _primary, "mean": _parallel_mean, "join": _joined,
    }[kind]  # fmt: skip
    kept: list[Sensor] = []
    rest: list[Sensor] = []
    for group in groups.values():
        series, others = make(group)
        kept.append(series)
        rest += others
    names = distinct([*copies, *(station_id(one.site) for one in rest)])
    left_out = dict(zip(names, [*copies.values(), *(f"not_{kind}, {one.good_days} days" for one in rest)], strict=True))
    return Chosen(tuple(sorted(kept, key=lambda sensor: station_id(sensor.site))), left_out)


def _group(sensor: Sensor) -> tuple[str, str, str, float]:
    """Station and depth class; deep sensors are told apart by their nominal depth."""
    site = sensor.site
    word = class_of(site)
    return site.network, site.station, word, round(site.depth_to, 3) if word == "deep" else 0.0


def station_weights(sensors: Sequence[Sensor]) -> Floats:
    """One over the number of series of the same station and depth class, so that they share the station's weight."""
    groups = [_group(sensor) for sensor in sensors]
    sizes = Counter(groups)
    return np.array([1.0 / sizes[group] for group in groups])


def without_copies(sensors: Sequence[Sensor]) -> tuple[list[Sensor], dict[str, str]]:
    """Sensors without those of the same name, place and values as an earlier one, and these with where they are."""
    kept: dict[str, list[Sensor]] = defaultdict(list)
    copies = {}
    for sensor in sensors:
        name = station_id(sensor.site)
        if any(_same(sensor, one) for one in kept[name]):
            copies[f"{name} in {sensor.origin.file}"] = "copy of a series that was read already"
        else:
            kept[name].append(sensor)
    return [sensor for group in kept.values() for sensor in group], copies


def _same(one: Sensor, other: Sensor) -> bool:
    if one.days.size == 0 or not np.array_equal(one.days, other.days):
        return False
    place = (one.site.lat, one.site.lon) == (other.site.lat, other.site.lon)
    return place and np.array_equal(one.values, other.values, equal_nan=True)


def continued(sensors: Sequence[Sensor]) -> list[Sensor]:
    """Files of one sensor that follow each other, such as one a year, as one sensor; overlapping ones stay apart."""
    groups: dict[tuple[str, float, float], list[Sensor]] = defaultdict(list)
    for sensor in sensors:
        groups[station_id(sensor.site), sensor.site.lat, sensor.site.lon].append(sensor)
    out = []
    for group in groups.values():
        group.sort(key=lambda sensor: sensor.days[0] if sensor.days.size else np.datetime64(0, "D"))
        line = [group[0]]
        for sensor in group[1:]:
            before = line[-1]
            if before.days.size and sensor.days.size and before.days[-1] < sensor.days[0]:
                line[-1] = _after(before, sensor)
            else:
                line.append(sensor)
        out += line
    return out


def _after(first: Sensor, second: Sensor) -> Sensor:
    beside = {
        name: _appended(first.beside.get(name), second.beside.get(name))
        for name in sorted({*first.beside, *second.beside})
    }
    return replace(
        first, days=np.concatenate([first.days, second.days]), values=np.concatenate([first.values, second.values]),
        solar06=np.concatenate([first.solar06, second.solar06]), counts=np.concatenate([first.counts, second.counts]),
        nominal_count=max(first.nominal_count, second.nominal_count), beside=beside,
        origin=replace(first.origin, notes=(*first.origin.notes, f"continued by {second.origin.file}")),
        account=summed([first.account, second.account]),
    )  # fmt: skip


def _appended(first: Daily | None, second: Daily | None) -> Daily:
    if first is None or second is None:
        known = first or second
        assert known is not None, "a series beside belongs to one of the two"
        return known
    later = second.days > first.days[-1] if first.days.size else np.ones(second.days.size, bool)
    return Daily(np.concatenate([first.days, second.days[later]]), np.concatenate([first.values, second.values[later]]))


def _primary(group: list[Sensor]) -> tuple[Sensor, list[Sensor]]:
    best = max(group, key=lambda sensor: sensor.good_days)
    return best, [sensor for sensor in group if sensor is not best]


def _good(sensor: Sensor) -> Times:
    return sensor.days[np.isfinite(sensor.values)]


def _parallel_mean(group: list[Sensor]) -> tuple[Sensor, list[Sensor]]:
    best, others = _primary(group)
    own = _good(best)
    parallel = [best]
    for sensor in others:
        days = _good(sensor)
        if min(days.size, own.size) and np.intersect1d(days, own).size >= _PARALLEL_SHARE * min(days.size, own.size):
            parallel.append(sensor)
    if len(parallel) == 1:
        return best, others
    common = own
    for sensor in parallel[1:]:
        common = np.intersect1d(common, _good(sensor))
    stack = np.array([_at(sensor, sensor.values, common) for sensor in parallel])
    complete = sum(sensor.account.funnel["complete_day"] for sensor in parallel)
    absent = complete - len(parallel) * common.size
    error = stack.std(axis=0, ddof=1) / np.sqrt(len(parallel))
    series = replace(
        best, site=replace(best.site, sensor=_names(parallel)), days=common, values=stack.mean(axis=0),
        solar06=np.array([_at(sensor, sensor.solar06, common) for sensor in parallel]).mean(axis=0),
        counts=np.sum([_at(sensor, sensor.counts.astype(float), common) for sensor in parallel], axis=0).astype(int),
        nominal_count=sum(sensor.nominal_count for sensor in parallel),
        beside={**best.beside, "standard_error": Daily(common, error)},
        account=summed(
            [one.account for one in parallel], sensor_absent=absent, sensor_merged=(len(parallel) - 1) * common.size
        ),
    )  # fmt: skip
    return series, [sensor for sensor in others if not any(sensor is one for one in parallel)]


def _names(sensors: Sequence[Sensor]) -> str:
    return "+".join(sensor.site.sensor for sensor in sensors)


def _at(sensor: Sensor, values: Floats, days: Times) -> Floats:
    return np.asarray(values[np.searchsorted(sensor.days, days)])


def _joined(group: list[Sensor]) -> tuple[Sensor, list[Sensor]]:
    """Each sensor from its first good day, or the day after its forerunner's last one, to its own last good day."""
    filled = [sensor for sensor in group if sensor.good_days]
    if len(filled) < 2:
        return _primary(group)
    order = sorted(filled, key=lambda sensor: (_good(sensor)[0], -sensor.good_days))
    taken: list[tuple[Sensor, np.ndarray[tuple[int], np.dtype[np.bool_]]]] = []
    until = order[0].days[0] - np.timedelta64(1, "D")
    for sensor in order:
        use = sensor.days > until
        if (use & np.isfinite(sensor.values)).any():
            taken.append((sensor, use))
            until = _good(sensor)[-1]
    if len(taken) == 1:
        return taken[0][0], [sensor for sensor in group if sensor is not taken[0][0]]
    days = np.concatenate([sensor.days[use] for sensor, use in taken])
    # Days of a forerunner after its last mean may come again in the next sensor; the next one has them.
    _, last = np.unique(days[::-1], return_index=True)
    pick = days.size - 1 - last

    def picked(of: Callable[[Sensor], Floats]) -> Floats:
        return np.asarray(np.concatenate([of(sensor)[use] for sensor, use in taken])[pick])

    index = np.concatenate([np.full(int(use.sum()), float(k)) for k, (_, use) in enumerate(taken)])[pick]
    sensors = [sensor for sensor, _ in taken]
    values = picked(lambda sensor: sensor.values)
    complete = sum(sensor.account.funnel["complete_day"] for sensor in sensors)
    first = sensors[0]
    series = replace(
        first, site=replace(first.site, sensor=_names(sensors)), days=days[pick], values=values,
        solar06=picked(lambda sensor: sensor.solar06),
        counts=picked(lambda sensor: sensor.counts.astype(float)).astype(np.int64),
        nominal_count=max(sensor.nominal_count for sensor in sensors),
        beside={**first.beside, "sensor_index": Daily(days[pick], index)},
        account=summed([one.account for one in sensors], sensor_overlap=complete - int(np.isfinite(values).sum())),
    )  # fmt: skip
    return series, [sensor for sensor in group if not any(sensor is one for one in sensors)]


def root_zones(sensors: Sequence[Sensor]) -> list[Sensor]:
    """0-1 m means of stations with three depths or more, weighted by thickness, of days on which all are present.

    Each depth stands for the layer that reaches half-way to its neighbours, the first from 0 and the last to 1 m.
    Of several sensors at one depth the longest counts. Probes with a footprint of their own have none.
    """
    groups: dict[tuple[str, str], list[Sensor]] = defaultdict(list)
    for sensor in sensors:
        site = sensor.site
        if site.footprint_kind == "point" and site.depth_to <= _ROOT_ZONE_M and sensor.good_days:
            groups[site.network, site.station].append(sensor)
    found = [_root_zone(group) for _, group in sorted(groups.items())]
    return [series for series in found if series is not None]


def _root_zone(group: list[Sensor]) -> Sensor | None:
    best: dict[float, Sensor] = {}
    for sensor in group:
        depth = round((sensor.site.depth_from + sensor.site.depth_to) / 2.0, 4)
        if depth not in best or sensor.good_days > best[depth].good_days:
            best[depth] = sensor
    if len(best) < _FEWEST_DEPTHS:
        return None
    depths = np.array(sorted(best))
    parts = [best[depth] for depth in depths]
    edges = np.concatenate([[0.0], (depths[:-1] + depths[1:]) / 2.0, [_ROOT_ZONE_M]])
    weights = np.diff(edges) / _ROOT_ZONE_M
    common = _good(parts[0])
    for sensor in parts[1:]:
        common = np.intersect1d(common, _good(sensor))
    if common.size == 0:
        return None
    values = weights @ np.array([_at(sensor, sensor.values, common) for sensor in parts])
    solar06 = weights @ np.array([_at(sensor, sensor.solar06, common) for sensor in parts])
    counts = np.sum([_at(sensor, sensor.counts.astype(float), common) for sensor in parts], axis=0).astype(np.int64)
    first = parts[0]
    complete = sum(sensor.account.funnel["complete_day"] for sensor in parts)
    site: Site = replace(first.site, depth_from=0.0, depth_to=_ROOT_ZONE_M, sensor=_names(parts), site_class=ROOT_ZONE)
    merged = (len(parts) - 1) * common.size
    return replace(
        first, site=site, days=common, values=values, solar06=solar06, counts=counts, beside={},
        nominal_count=sum(sensor.nominal_count for sensor in parts),
        account=summed(
            [one.account for one in parts], sensor_absent=complete - merged - common.size, sensor_merged=merged
        ),
    )  # fmt: skip
