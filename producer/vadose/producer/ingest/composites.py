"""Daily values out of composites of several days: smoothed, then linear, never far from an observation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Days = npt.NDArray[np.datetime64]

WINDOW = 5
ORDER = 2


def _weights() -> npt.NDArray[np.float32]:
    """Least-squares weights of the middle value for every pattern of valid neighbours, (2**WINDOW, WINDOW).

    With all valid this is the Savitzky-Golay filter (1964, doi 10.1021/ac60214a047). Patterns with too few
    values leave the middle one as it is.
    """
    half = WINDOW // 2
    offsets = np.arange(-half, half + 1)
    powers = offsets[:, None] ** np.arange(ORDER + 1)[None, :]
    table = np.zeros((2**WINDOW, WINDOW), np.float32)
    for pattern in range(2**WINDOW):
        valid = (pattern >> np.arange(WINDOW)) & 1 == 1
        if valid.sum() > ORDER:
            table[pattern, valid] = np.linalg.pinv(powers[valid])[0]
        else:
            table[pattern, half] = 1.0
    return table


def smoothed(values: Floats) -> Floats:
    """Savitzky-Golay of order 2 over five composites, (period, cell); missing ones stay missing and enter no fit."""
    half = WINDOW // 2
    padded = np.pad(values, ((half, half), (0, 0)), constant_values=np.nan)
    windows = np.stack([padded[k : k + values.shape[0]] for k in range(WINDOW)])
    valid = np.isfinite(windows)
    pattern = (valid * (1 << np.arange(WINDOW))[:, None, None]).sum(axis=0)
    fitted = np.einsum("kpc,pck->pc", np.where(valid, windows, 0.0), _weights()[pattern])
    return np.where(valid[half], fitted, np.nan).astype(np.float32)


def daily_from_composites(values: Floats, starts: Days, period_days: int, days: Days) -> Floats:
    """Daily values, (time, cell), of composites (period, cell) that begin on `starts`.

    Smoothed, then linear between the centres of the nearest valid composites. A day that is farther than
    one period from the centre of any valid composite is missing; before the first and after the last
    centre the value is held.
    """
    smooth = smoothed(values)
    valid = np.isfinite(smooth)
    count = starts.size
    number = np.arange(count)[:, None]
    before = np.maximum.accumulate(np.where(valid, number, -1), axis=0)
    after = np.minimum.accumulate(np.where(valid, number, count)[::-1], axis=0)[::-1]
    centres = starts.astype("datetime64[D]").astype(np.int64) + period_days / 2
    noon = days.astype("datetime64[D]").astype(np.int64) + 0.5
    position = np.searchsorted(centres, noon, "right") - 1
    result = np.empty((days.size, values.shape[1]), np.float32)
    filled = np.where(valid, smooth, 0.0)
    column = np.arange(values.shape[1])
    for day in range(days.size):
        low = before[position[day]] if position[day] >= 0 else np.full(column.size, -1)
        high = after[position[day] + 1] if position[day] + 1 < count else np.full(column.size, count)
        past = np.where(low >= 0, noon[day] - centres[np.maximum(low, 0)], np.inf)
        ahead = np.where(high < count, centres[np.minimum(high, count - 1)] - noon[day], np.inf)
        first, second = filled[np.maximum(low, 0), column], filled[np.minimum(high, count - 1), column]
        value = np.where(np.isinf(past), second, first)
        both = np.isfinite(past) & np.isfinite(ahead)
        value[both] += (past[both] / (past + ahead)[both]) * (second - first)[both]
        result[day] = np.where(np.minimum(past, ahead) <= period_days, value, np.nan)
    return result
