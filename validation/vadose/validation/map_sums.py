"""Sums over bands of maps, from which every figure of a map against a map is made; they can be added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from vadose.validation.strata import SEASONS

Floats = npt.NDArray[np.float64]
Fields = npt.NDArray[np.floating[Any]]
Days = npt.NDArray[np.datetime64]
# Wavenumbers, power summed over windows, and the number of windows.
Spectrum = tuple[Floats, Floats, int]

# Moments are taken about this value, in the middle of soil moisture, so that they keep their digits.
_SHIFT = 0.25


@dataclass(frozen=True)
class MapSums:
    """Sums over bands of a map, from which every figure is made.

    Attributes
    ----------
    daily
        Weight, x, r, xx, rr and xr summed over common cells, of each product and day, (6, product, time), and the
        number of common cells, (time,).
    count
    seasonal
        Sum of product minus reference and count on common days, (2, product, season, row, column).
    zonal
        Sum of each data set and count on common days, (2, data set, row).
    within
        Weighted sum of the variance below the coarse cell and weight, of each data set, (2, data set).
    power
        Sum of spectra and number of windows: by data set, wavenumber -> power.
    """

    daily: Floats
    count: Floats
    seasonal: Floats
    zonal: Floats
    within: Floats
    power: Mapping[str, Spectrum]

    @classmethod
    def of(
        cls, fields: Fields, area: Floats, days: Days, within: Floats, power: Mapping[str, Spectrum],
    ) -> MapSums:  # fmt: skip
        """Sums over the cells and days that all data sets have.

        Parameters
        ----------
        fields
            (data set, row, column, time), the reference last.
        area
            Of the cells, (row, column).
        days
            (time,).
        within, power
            As in the attributes.
        """
        month = days.astype("datetime64[M]").astype(np.int64) % 12
        season = (month + 1) % 12 // 3
        # Moments about the shift give the same variances; the bias does not change either.
        daily, count, seasonal, zonal = _map_sums(fields, area, season, _SHIFT, len(SEASONS))
        zonal[0] += _SHIFT * zonal[1]
        return cls(daily, count, seasonal, zonal, within, power)

    def __add__(self, other: MapSums) -> MapSums:
        """The sums of this band and one to the next of it."""
        power = dict(self.power)
        for name, (k, total, windows) in other.power.items():
            before = power.get(name)
            power[name] = (k, total, windows) if before is None else (k, before[1] + total, before[2] + windows)
        return MapSums(
            self.daily + other.daily, self.count + other.count,
            np.concatenate([self.seasonal, other.seasonal], axis=3),
            np.concatenate([self.zonal, other.zonal], axis=2), self.within + other.within, power,
        )  # fmt: skip


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _map_sums(fields: Any, area: Any, season: Any, shift: float, seasons: int) -> Any:
    """The sums of `MapSums` in one pass over the cells, so that nothing as large as the fields is made."""
    sets, rows, columns, days = fields.shape
    daily, count = np.zeros((6, sets - 1, days)), np.zeros(days)
    seasonal, zonal = np.zeros((2, sets - 1, seasons, rows, columns)), np.zeros((2, sets, rows))
    for i in range(rows):
        for j in range(columns):
            w = area[i, j]
            for t in range(days):
                common = True
                for k in range(sets):
                    common = common and np.isfinite(fields[k, i, j, t])
                if not common:
                    continue
                count[t] += 1.0
                r = np.float64(fields[sets - 1, i, j, t]) - shift
                zonal[0, sets - 1, i] += r
                zonal[1, sets - 1, i] += 1.0
                for k in range(sets - 1):
                    x = np.float64(fields[k, i, j, t]) - shift
                    daily[0, k, t] += w
                    daily[1, k, t] += w * x
                    daily[2, k, t] += w * r
                    daily[3, k, t] += w * x * x
                    daily[4, k, t] += w * r * r
                    daily[5, k, t] += w * x * r
                    seasonal[0, k, season[t], i, j] += x - r
                    seasonal[1, k, season[t], i, j] += 1.0
                    zonal[0, k, i] += x
                    zonal[1, k, i] += 1.0
    return daily, count, seasonal, zonal
