"""Structured gaps (split P6): windows, swaths and winters of the target that are hidden, with a one-cell buffer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

WINDOW_DAYS = {"15d": 15, "60d": 60}
GAP_KINDS = ("15d", "60d", "swath", "winter")
SWATH_SHARE = 0.2
EVERY = 5


def hidden_points(
    kind: str,
    days: npt.NDArray[np.datetime64],
    valid: Mask,
    first: int,
    block: Integers,
    row: Integers,
    column: Integers,
    lat: npt.NDArray[np.float64],
    *,
    inner: bool = False,
) -> tuple[Mask, Mask]:
    """Values that are hidden, and values that are withheld because their cell touches a hidden block.

    Parameters
    ----------
    kind
        One of `GAP_KINDS`.
    days, valid, first
        Days of the cube, where the target has a value (time, cell), and the position of the record's first day.
    block, row, column, lat
        For each cell the number of its 5-degree block, its row and column in the grid and its latitude.
    inner
        Hide the gaps of the inner split instead: the next windows, other swath days, windows of 60 days for winters.

    Returns
    -------
    hidden, withheld
        Masks (time, cell) without common values, both within `valid`.
    """
    draws = _Draws(days, valid, first, int(block.max()) + 1)
    if kind == "swath":
        return _swaths(draws, valid, inner), np.zeros_like(valid)
    if kind == "winter" and not inner:
        by_block = _winters(draws, days, block, lat)
    else:
        length = WINDOW_DAYS.get(kind, 60)
        t = np.arange(days.size) - first
        phase = draws.phases[60 if length == 60 else 15]
        by_block = ((t[:, None] + phase[None, :]) // length) % EVERY == (1 if inner else 0)
    hidden = by_block[:, block]
    touched = by_block.astype(np.float32) @ touching(block, row, column).astype(np.float32) > 0
    return hidden & valid, touched & ~hidden & valid


def touching(block: Integers, row: Integers, column: Integers) -> Mask:
    """Which cells lie outside a block but touch one of its cells, (block, cell).

    Neighbours are counted over the occupied rows and columns, so that a grid of every fourth cell has neighbours, too.
    """
    row = np.unique(row, return_inverse=True)[1]
    column = np.unique(column, return_inverse=True)[1]
    width = int(column.max()) + 3
    place = (row + 1) * width + column + 1
    result = np.zeros((int(block.max()) + 1, block.size), bool)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            found = np.searchsorted(np.sort(place), place + down * width + right)
            order = np.argsort(place)
            found = np.minimum(found, place.size - 1)
            neighbour = order[found]
            real = place[neighbour] == place + down * width + right
            result[block[real], neighbour[real]] = True
    result[block, np.arange(block.size)] = False
    return result


class _Draws:
    """The draws of the generator, in their fixed order: per block, then per day."""

    def __init__(self, days: npt.NDArray[np.datetime64], valid: Mask, first: int, blocks: int) -> None:
        generator = np.random.Generator(np.random.Philox(412))
        self.winters = _winter_years(days[first:])
        per_block = [
            (generator.integers(75), generator.integers(300), generator.integers(max(len(self.winters), 1)))
            for _ in range(blocks)
        ]
        table = np.array(per_block, np.int64)
        self.phases = {15: table[:, 0], 60: table[:, 1]}
        self.winter = table[:, 2]
        self.u = generator.random(days.size - first)
        self.donor = generator.integers(0, days.size - first, days.size - first)
        self.first = first


def _swaths(draws: _Draws, valid: Mask, inner: bool) -> Mask:
    low = SWATH_SHARE if inner else 0.0
    hidden = np.zeros_like(valid)
    chosen = np.flatnonzero((draws.u >= low) & (draws.u < low + SWATH_SHARE))
    for day in chosen:
        seen = valid[draws.first + draws.donor[day]]
        hidden[draws.first + day] = valid[draws.first + day] & ~seen
    return hidden


def _winter_years(days: npt.NDArray[np.datetime64]) -> list[int]:
    """Years whose December begins a northern winter that lies wholly within the days."""
    years = range(int(str(days[0])[:4]), int(str(days[-1])[:4]) + 1)
    return [y for y in years if days[0] <= np.datetime64(f"{y}-12-01") and np.datetime64(f"{y + 1}-02-28") <= days[-1]]


def _winters(draws: _Draws, days: npt.NDArray[np.datetime64], block: Integers, lat: npt.NDArray[np.float64]) -> Mask:
    """December to February, or June to August where the block lies in the south, of the year drawn for each block."""
    hidden = np.zeros((days.size, draws.winter.size), bool)
    if not draws.winters:
        return hidden
    month = days.astype("datetime64[M]").astype(int) % 12 + 1
    year = days.astype("datetime64[Y]").astype(int) + 1970
    for number in range(draws.winter.size):
        begin = draws.winters[int(draws.winter[number])]
        if lat[block == number].mean() >= 0:
            hidden[:, number] = ((month == 12) & (year == begin)) | ((month <= 2) & (year == begin + 1))
        else:
            hidden[:, number] = (month >= 6) & (month <= 8) & (year == begin)
    return hidden
