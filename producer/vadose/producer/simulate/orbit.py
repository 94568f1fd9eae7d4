"""Where a polar orbiter looks on each day: swaths of a repeat orbit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.producer.simulate.fields import KM_PER_DEGREE
from vadose.producer.simulate.weather import Days

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Orbit:
    """A sun-synchronous repeat orbit.

    `orbits` revolutions take `repeat_days` days exactly, so that the swaths repeat after them.
    """

    repeat_days: int
    orbits: int
    swath_km: float
    inclination_deg: float
    local_hour: float
    phase_days: float = 0.0

    def seen(self, lat: Doubles, lon: Doubles, days: Days) -> npt.NDArray[np.bool_]:
        """Which points lie in a swath, (time, point).

        A satellite that crosses every longitude at one local time passes a point on the UTC day on which
        that local time occurs there; the point is seen if the nearest pass, in time and so in longitude,
        is within half a swath. The track leans with latitude as the inclination says.
        """
        argument = np.arcsin(np.clip(np.sin(np.deg2rad(lat)) / np.sin(np.deg2rad(self.inclination_deg)), -1.0, 1.0))
        lean = np.rad2deg(np.arctan(np.cos(np.deg2rad(self.inclination_deg)) * np.tan(argument)))
        period = self.repeat_days / self.orbits
        moment = ((self.local_hour - lon / 15.0) % 24.0) / 24.0 + lean / 360.0 - self.phase_days
        # Days are reduced by the repeat, so that the rounding is the same in every cycle.
        offset = (days.astype("datetime64[D]").astype(np.int64) % self.repeat_days)[:, None] + moment[None, :]
        nearest = (offset + 0.5 * period) % period - 0.5 * period
        half_width = 0.5 * self.swath_km / (KM_PER_DEGREE * np.cos(np.deg2rad(lat)))
        return np.asarray(np.abs(nearest) * 360.0 <= half_width[None, :])


# 117 orbits in 8 days, swath 1000 km, descending at 6 in the morning, as SMAP.
RADIOMETER = Orbit(repeat_days=8, orbits=117, swath_km=1000.0, inclination_deg=98.12, local_hour=6.0, phase_days=0.013)
# 412 orbits in 29 days, descending at half past nine, as Metop; both sides of the track taken together.
SCATTEROMETER = Orbit(
    repeat_days=29, orbits=412, swath_km=1300.0, inclination_deg=98.7, local_hour=9.5, phase_days=0.021
)
