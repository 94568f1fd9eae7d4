"""Events of soil moisture: dry-downs, wet-ups, droughts, and the memory of a series; one station at a time.

Events are found in the reference and looked for in the product over the same days. An interval comes from drawing
events with replacement, from ten events on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from vadose.statistics.status import CODE

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

FEWEST_EVENTS = 10
# m3 m-3: rise before a dry-down and of a wet-up, fall of a dry-down, and what counts as no rise.
RISE = 0.03
FALL = 0.02
NO_RISE = 0.002
FEWEST_DRY_DAYS = 5
_REPLICATES = 1000
_LONGEST_DECAY_DAYS = 300.0


@dataclass(frozen=True)
class EventScore:
    """A figure of one station from its events, with a bootstrap interval; NaN with fewer than ten events."""

    value: float
    ci_low: float
    ci_high: float
    events: int
    status: int


def event_score(
    table: npt.ArrayLike, figure: Callable[[Floats], Floats], *, seed: int = 0, level: float = 0.95,
    fewest: int = FEWEST_EVENTS,
) -> EventScore:  # fmt: skip
    """A figure of events with the interval of a bootstrap over events.

    Parameters
    ----------
    table
        One row for each event, (event, column) or (event,).
    figure
        Turns (replicates, event, column) into (replicates,).
    seed
        The draws depend on the seed and the number of events only.
    """
    rows = np.asarray(table, float)
    rows = rows[:, None] if rows.ndim == 1 else rows
    count = len(rows)
    if count < fewest:
        return EventScore(np.nan, np.nan, np.nan, count, CODE["few_samples"])
    generator = np.random.Generator(np.random.Philox(key=[seed, count]))
    drawn = figure(rows[generator.integers(count, size=(_REPLICATES, count))])
    value = float(figure(rows[None])[0])
    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or known.size < _REPLICATES // 2:
        return EventScore(value, np.nan, np.nan, count, CODE["few_effective"])
    low, high = np.quantile(known, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return EventScore(value, float(low), float(high), count, CODE["ok"])


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _drydowns(reference: Any, rise: float, fall: float, no_rise: float, fewest: int) -> Any:
    """First and last day of each dry-down, (event, 2)."""
    days = reference.size
    found = np.empty((days // 2 + 1, 2), np.int64)
    count, t = 0, 1
    while t < days - 1:
        start = t
        before = np.inf
        for back in range(1, 4):
            if start - back >= 0 and np.isfinite(reference[start - back]):
                before = min(before, reference[start - back])
        if not (np.isfinite(reference[start]) and reference[start] - before >= rise):
            t += 1
            continue
        last, values = start, 1
        day = start + 1
        while day < days and day - last <= 2:
            if np.isfinite(reference[day]):
                if reference[day] - reference[last] > no_rise:
                    break
                last = day
                values += 1
            day += 1
        if last - start + 1 >= fewest and values >= fewest - 1 and reference[start] - reference[last] >= fall:
            found[count, 0], found[count, 1] = start, last
            count += 1
        t = max(last, start) + 1
    return found[:count]


def drydowns(reference: npt.ArrayLike) -> Integers:
    """First and last day of each dry-down of a reference, (event, 2).

    It falls for five days or more after a rise of 0.03 within three days, by 0.02 in all; one missing day at a time is
    allowed, and rises up to 0.002.
    """
    return np.asarray(_drydowns(np.asarray(reference, float), RISE, FALL, NO_RISE, FEWEST_DRY_DAYS), np.int64)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fit(day: Any, value: Any, tau: float) -> Any:
    """Sum of squares, offset and amplitude for this decay time; the offset is kept within [0, lowest value]."""
    n = day.size
    decay = np.exp(-day / tau)
    mean_d, mean_v = decay.mean(), value.mean()
    spread = ((decay - mean_d) ** 2).sum()
    amplitude = ((decay - mean_d) * (value - mean_v)).sum() / spread if spread > 0.0 else 0.0
    offset = mean_v - amplitude * mean_d
    lowest = value.min()
    if offset < 0.0 or offset > lowest:
        offset = min(max(offset, 0.0), lowest)
        amplitude = (decay * (value - offset)).sum() / (decay * decay).sum()
    rest = 0.0
    for k in range(n):
        rest += (value[k] - offset - amplitude * decay[k]) ** 2
    return rest, offset, amplitude


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _decay(day: Any, value: Any, shortest: float, longest: float) -> Any:
    """Best decay time, offset and amplitude: a grid in log tau, then golden sections."""
    steps = 48
    low, width = np.log(shortest), (np.log(longest) - np.log(shortest)) / (steps - 1)
    best, smallest = 0, np.inf
    for k in range(steps):
        rest, _, _ = _fit(day, value, np.exp(low + k * width))
        if rest < smallest:
            best, smallest = k, rest
    left, right = low + max(best - 1, 0) * width, low + min(best + 1, steps - 1) * width
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    for _ in range(40):
        one, two = right - golden * (right - left), left + golden * (right - left)
        if _fit(day, value, np.exp(one))[0] <= _fit(day, value, np.exp(two))[0]:
            right = two
        else:
            left = one
    tau = np.exp((left + right) / 2.0)
    _, offset, amplitude = _fit(day, value, tau)
    return tau, offset, amplitude


def decay_time(days: npt.ArrayLike, values: npt.ArrayLike) -> tuple[float, float, float]:
    """Decay time in days, offset and amplitude of theta_inf + A exp(-t / tau), by nonlinear least squares.

    The offset is free within [0, lowest value]; for every tau the rest is linear, so that one dimension is searched.
    NaN where no decay time between a third of a day and 300 days fits, or the values do not fall.
    """
    day, value = np.asarray(days, float), np.asarray(values, float)
    known = np.isfinite(value)
    nothing = (float("nan"),) * 3
    if known.sum() < FEWEST_DRY_DAYS - 1:
        return nothing
    tau, offset, amplitude = _decay(day[known] - day[0], value[known], 1.0 / 3.0, _LONGEST_DECAY_DAYS)
    inside = 1.02 / 3.0 < tau < 0.98 * _LONGEST_DECAY_DAYS
    return (float(tau), float(offset), float(amplitude)) if inside and amplitude > 0 else nothing


def drydown_times(product: npt.ArrayLike, reference: npt.ArrayLike) -> Floats:
    """Decay times in days of product and reference in every dry-down of the reference, (event, 2); NaN without fit."""
    series = np.asarray(product, float), np.asarray(reference, float)
    common = np.isfinite(series[0]) & np.isfinite(series[1])
    out = []
    for first, last in drydowns(series[1]):
        days = np.arange(first, last + 1)
        days = days[common[days]]
        if days.size:
            out.append([decay_time(days, one[days])[0] for one in series])
    return np.asarray(out, float).reshape(-1, 2)


def drydown_ratio(product: npt.ArrayLike, reference: npt.ArrayLike, *, seed: int = 0) -> EventScore:
    """Median over dry-downs of log(tau product / tau reference): 0 dries alike, above 0 dries too slowly."""
    times = drydown_times(product, reference)
    times = times[np.isfinite(times).all(axis=1)]
    ratio = np.log(times[:, 0] / times[:, 1]) if len(times) else np.empty(0)
    return event_score(ratio, lambda drawn: np.median(drawn[..., 0], axis=1), seed=seed)


@dataclass(frozen=True)
class Wetups:
    """How a product follows the wet-ups of a reference."""

    hit_rate: EventScore
    false_alarm_ratio: EventScore
    lag_days: EventScore


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _rises(values: Any, least: float) -> Any:
    """Days on which a rise of at least `least` within two days ends at its highest; each rise counts once."""
    days = values.size
    found = np.empty(days, np.int64)
    count, t = 0, 1
    while t < days:
        bottom = np.inf
        for back in range(1, 3):
            if t - back >= 0 and np.isfinite(values[t - back]):
                bottom = min(bottom, values[t - back])
        if np.isfinite(values[t]) and values[t] - bottom >= least:
            top = t
            while top + 1 < days and np.isfinite(values[top + 1]) and values[top + 1] > values[top]:
                top += 1
            found[count] = top
            count += 1
            t = top + 2
        else:
            t += 1
    return found[:count]


def _bottom(values: Floats, day: int) -> float:
    window = values[max(day - 2, 0) : day]
    return float(np.nanmin(window)) if np.isfinite(window).any() else float("nan")


def _largest_rise(values: Floats, first: int, last: int) -> tuple[float, int]:
    """Largest rise within two days that ends between two days, and its day; NaN without values."""
    best, at = float("nan"), -1
    for day in range(max(first, 1), min(last, values.size - 1) + 1):
        rise = values[day] - _bottom(values, day)
        if np.isfinite(rise) and not rise <= best:
            best, at = float(rise), day
    return best, at


def _translated(source: Floats, target: Floats) -> Callable[[float], float]:
    """Value of `target` at the percentile that a value has in `source`."""
    one, two = np.sort(source), np.sort(target)
    share = (np.arange(one.size) + 0.5) / one.size
    return lambda value: float(np.interp(np.interp(value, one, share), share, two))


def wetups(product: npt.ArrayLike, reference: npt.ArrayLike, *, seed: int = 0) -> Wetups:
    """Wet-ups of a reference in a product, over their common days.

    A wet-up is a rise of 0.03 within two days. It is hit if the product, one day before to three days after, rises by
    at least half of what the same percentiles mean in the product. A false alarm is a wet-up of the product, as large
    by its own percentiles, that the reference does not follow in the same sense.
    """
    both = np.stack([np.asarray(product, float), np.asarray(reference, float)])
    both[:, ~np.isfinite(both).all(axis=0)] = np.nan
    known = both[:, np.isfinite(both[0])]
    few = EventScore(np.nan, np.nan, np.nan, 0, CODE["few_samples"])
    if known.shape[1] < FEWEST_EVENTS:
        return Wetups(few, few, few)
    found = _followed(both[1], both[0], _translated(known[1], known[0]), (-1, 3))
    # The product is put on the scale of the reference, so that its rises count by their percentiles.
    order = np.searchsorted(np.sort(known[0]), both[0]).clip(0, known.shape[1] - 1)
    scaled = np.where(np.isfinite(both[0]), np.sort(known[1])[order], np.nan)
    alarms = _followed(scaled, both[1], float, (-3, 1))
    hits = found[found[:, 0] > 0]
    rate = lambda drawn: drawn[..., 0].mean(axis=1)  # noqa: E731
    return Wetups(
        hit_rate=event_score(found[:, :1], rate, seed=seed),
        false_alarm_ratio=event_score(1.0 - alarms[:, :1], rate, seed=seed),
        lag_days=event_score(hits[:, 1:], lambda drawn: np.median(drawn[..., 0], axis=1), seed=seed),
    )


def _followed(leader: Floats, follower: Floats, translate: Callable[[float], float], window: tuple[int, int]) -> Floats:
    """For every rise of the leader: whether the follower rises by half as much, and its lag in days, (event, 2)."""
    rows = []
    for day in _rises(leader, RISE):
        expected = translate(float(leader[day])) - translate(_bottom(leader, int(day)))
        rise, at = _largest_rise(follower, int(day) + window[0], int(day) + window[1])
        if np.isfinite(rise):
            rows.append([float(rise >= 0.5 * expected and rise > 0.0), at - float(day)])
    return np.asarray(rows, float).reshape(-1, 2)


def increment_lag(
    product: npt.ArrayLike, reference: npt.ArrayLike, most: int = 5, fewest: int = 30
) -> tuple[int, Floats]:
    """Lag in days at which daily increments correlate most, and the correlation at -most..most; NaN with few pairs.

    A positive lag says that the product follows the reference; it is the sign of a shifted day convention.
    """
    one, two = (np.diff(np.asarray(values, float)) for values in (product, reference))
    found = np.full(2 * most + 1, np.nan)
    for row, lag in enumerate(range(-most, most + 1)):
        a = one[max(lag, 0) : one.size + min(lag, 0)]
        b = two[max(-lag, 0) : two.size + min(-lag, 0)]
        valid = np.isfinite(a) & np.isfinite(b)
        if valid.sum() >= fewest and a[valid].std() > 0 and b[valid].std() > 0:
            found[row] = np.corrcoef(a[valid], b[valid])[0, 1]
    best = int(np.nanargmax(found)) - most if np.isfinite(found).any() else 0
    return best, found


def response_to_rain(values: npt.ArrayLike, precipitation: npt.ArrayLike, wet: float = 5.0) -> float:
    """Share of days with `wet` mm or more on which soil moisture rises from the day before to the day after."""
    moisture, rain = np.asarray(values, float), np.asarray(precipitation, float)
    change = moisture[2:] - moisture[:-2]
    chosen = np.isfinite(change) & (rain[1:-1] >= wet)
    return float((change[chosen] > 0).mean()) if chosen.any() else float("nan")


def share_of_falls(values: npt.ArrayLike, precipitation: npt.ArrayLike, dry: float = 0.1) -> float:
    """Share of negative daily increments among those without rain on either day."""
    moisture, rain = np.asarray(values, float), np.asarray(precipitation, float)
    change = np.diff(moisture)
    chosen = np.isfinite(change) & (rain[1:] < dry) & (rain[:-1] < dry)
    return float((change[chosen] < 0).mean()) if chosen.any() else float("nan")
