"""Temperature vegetation dryness index of a day (Sandholt et al. 2002, doi 10.1016/S0034-4257(01)00274-7).

TVDI = (LST - wet) / (dry - wet), clipped to [0, 1]. Both edges are lines in NDVI, fitted for each day and window of
5 degrees: the 99th and 1st percentile of the land surface temperature in narrow bins of NDVI, joined by a Theil-Sen
line. Temperatures are first reduced to sea level, and the edges of neighbouring windows are blended linearly, so that
the index has no steps between windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pydantic

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]

LAPSE_RATE = 0.0065  # K m-1
NDVI_RANGE = (0.1, 0.9)
BIN = 0.02
PERCENTILES = (1.0, 99.0)

# Why a cell has no index.
OK, NO_INPUT, TOO_FEW_BINS, EDGES_CROSS = 0, 1, 2, 3
REASONS = {
    OK: "the cell has an index",
    NO_INPUT: "no land surface temperature, NDVI or elevation",
    TOO_FEW_BINS: "too few bins of NDVI with enough cells in all windows around the cell",
    EDGES_CROSS: "the dry edge is not above the wet edge at the cell's NDVI",
}


class TvdiSettings(pydantic.BaseModel):
    """Windows and bins of the edges.

    `window_degrees` is the side of a window, `minimum_cells` the cells that a bin needs, `minimum_bins` the bins that
    an edge needs. `wet_edge` is a line in NDVI or constant.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    window_degrees: float = pydantic.Field(default=5.0, gt=0, le=90)
    minimum_cells: int = pydantic.Field(default=20, ge=2)
    minimum_bins: int = pydantic.Field(default=8, ge=2)
    wet_edge: Literal["line", "constant"] = "line"


@dataclass(frozen=True)
class Windows:
    """Where cells lie among the windows.

    Attributes
    ----------
    own
        Number of each cell's window, (cell,).
    around, weight
        Numbers of the four windows whose centres surround a cell, -1 where none is occupied, and their weights,
        (cell, 4).
    count
        How many windows are occupied.
    """

    own: Integers
    around: Integers
    weight: Doubles
    count: int


def windows(lat: Floats, lon: Floats, side: float) -> Windows:
    """The windows of cells at latitudes and longitudes, (cell,), degrees; longitudes wrap."""
    columns = round(360.0 / side)
    y, x = np.asarray(lat, np.float64) / side, np.asarray(lon, np.float64) / side
    keys = np.floor(y).astype(np.int64) * columns + np.floor(x).astype(np.int64) % columns
    known, own = np.unique(keys, return_inverse=True)
    low_y, low_x = np.floor(y - 0.5).astype(np.int64), np.floor(x - 0.5).astype(np.int64)
    up, right = y - 0.5 - low_y, x - 0.5 - low_x
    around, weight = np.full((keys.size, 4), -1, np.int64), np.zeros((keys.size, 4))
    for k, (down, along) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        key = (low_y + down) * columns + (low_x + along) % columns
        place = np.minimum(np.searchsorted(known, key), known.size - 1)
        around[:, k] = np.where(known[place] == key, place, -1)
        weight[:, k] = (up if down else 1 - up) * (right if along else 1 - right)
    return Windows(own.reshape(-1), around, weight, known.size)


def sea_level(lst: Floats, elevation: Floats) -> Doubles:
    """Land surface temperature reduced to sea level, K, with elevation in m."""
    return np.asarray(lst, np.float64) + LAPSE_RATE * np.asarray(elevation, np.float64)


def edges(lst: Doubles, ndvi: Floats, own: Integers, count: int, settings: TvdiSettings) -> Doubles:
    """Intercept and slope of the wet edge, then of the dry edge, (window, 4), K; NaN where bins are too few.

    Parameters
    ----------
    lst, ndvi
        Land surface temperature at sea level, K, and NDVI of the cells that the edges are fitted to, (cell,).
    own, count
        Number of each cell's window, and how many windows there are.
    """
    bins = round((NDVI_RANGE[1] - NDVI_RANGE[0]) / BIN)
    with np.errstate(invalid="ignore"):
        usable: npt.NDArray[np.bool_] = np.asarray(np.isfinite(lst) & (ndvi >= NDVI_RANGE[0]) & (ndvi < NDVI_RANGE[1]))
    place = np.minimum(((ndvi[usable] - NDVI_RANGE[0]) / BIN).astype(np.int64), bins - 1)
    key = own[usable] * bins + place
    order = np.lexsort((lst[usable], key))
    values = lst[usable][order]
    size = np.bincount(key, minlength=count * bins)
    first = np.cumsum(size) - size
    full = np.flatnonzero(size >= settings.minimum_cells)
    wet, dry = (_percentile(values, first[full], size[full], share) for share in PERCENTILES)
    centre = NDVI_RANGE[0] + BIN * (full % bins + 0.5)
    result = np.full((count, 4), np.nan)
    for window in np.unique(full // bins):
        part = full // bins == window
        if part.sum() >= settings.minimum_bins:
            bottom = (np.median(wet[part]), 0.0) if settings.wet_edge == "constant" else line(centre[part], wet[part])
            result[window] = (*bottom, *line(centre[part], dry[part]))
    return result


def line(x: Doubles, y: Doubles) -> tuple[float, float]:
    """Intercept and slope of the Theil-Sen line: median of the slopes of all pairs, median y minus slope times x."""
    first, second = np.triu_indices(x.size, 1)
    slope = float(np.median((y[second] - y[first]) / (x[second] - x[first])))
    return float(np.median(y) - slope * np.median(x)), slope


def dryness(lst: Doubles, ndvi: Floats, fitted: Doubles, place: Windows) -> tuple[npt.NDArray[np.float32], Codes]:
    """The index of each cell, (cell,), and why it is missing, one of `REASONS`.

    Parameters
    ----------
    lst, ndvi
        Land surface temperature at sea level, K, and NDVI, (cell,). Outside the range of the fit the edges at its
        nearest end count.
    fitted
        What `edges` returned.
    place
        Where the cells lie among the same windows.
    """
    known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(fitted).all(axis=1))
    weight = np.where((place.around >= 0) & known[place.around], place.weight, 0.0)
    total = weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        blended = np.einsum("ck,ckj->cj", weight, np.nan_to_num(fitted)[place.around]) / total[:, None]
        green = np.clip(np.asarray(ndvi, np.float64), *NDVI_RANGE)
        wet, dry = blended[:, 0] + blended[:, 1] * green, blended[:, 2] + blended[:, 3] * green
        index = np.clip((lst - wet) / (dry - wet), 0.0, 1.0)
        crossed = ~(dry > wet)
    reason = np.select(
        [~(np.isfinite(lst) & np.isfinite(ndvi)), total <= 0.0, crossed], [NO_INPUT, TOO_FEW_BINS, EDGES_CROSS], OK
    ).astype(np.int8)
    return np.where(reason == OK, index, np.nan).astype(np.float32), reason


def _percentile(values: Doubles, first: Integers, size: Integers, share: float) -> Doubles:
    """A percentile of each stretch of sorted values, linear between ranks."""
    place = share / 100.0 * (size - 1)
    low = np.floor(place).astype(np.int64)
    below, above = values[first + low], values[first + np.minimum(low + 1, size - 1)]
    return np.asarray(below + (place - low) * (above - below))
