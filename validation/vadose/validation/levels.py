"""Successive sensors of one station: each is centred on its own mean before anything is correlated over all of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


def levelled(series: Floats, matched: Booleans, sensors: Floats | None) -> Floats:
    """A series whose days of each sensor have the mean of all matched days of the station.

    Parameters
    ----------
    series
        (station, time).
    matched
        Days that count for the means, (station, time).
    sensors
        Number of the sensor that supplied the day, (station, time), NaN where unknown; None where no station has
        several. Stations of one sensor are not changed at all.
    """
    if sensors is None:
        return series
    changes = np.nan_to_num(np.nanmax(np.where(np.isfinite(sensors), sensors, -1.0), axis=1)) > 0
    if not changes.any():
        return series
    whole = _mean(series[changes], matched[changes])
    out = series.copy()
    part, known = out[changes], matched[changes]
    numbers = sensors[changes]
    for number in np.unique(numbers[np.isfinite(numbers)]):
        days = numbers == number
        shift = whole - _mean(series[changes], known & days)
        part = np.where(days, part + np.nan_to_num(shift)[:, None], part)
    out[changes] = part
    return out


def _mean(series: Floats, days: Booleans) -> Floats:
    """Mean over some days, (station,); NaN without any."""
    count = days.sum(axis=1)
    return np.asarray(np.where(days, series, 0.0).sum(axis=1) / np.where(count > 0, count, np.nan))
