"""The variogram of residuals on the sphere: nugget and exponential, fitted by weighted least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

EARTH_KM = 6371.0088
LAGS = 15
FEWEST_POINTS = 30
_PAIRS_AT_ONCE = 4_000_000
_RANGES = 60


@dataclass(frozen=True)
class Variogram:
    """gamma(h) = nugget + sill (1 - exp(-3 h / range)) for h > 0; the covariance at 0 is their sum.

    Attributes
    ----------
    nugget, sill
        Variance without and with correlation in space, (m3 m-3)2.
    range_km
        Great-circle distance at which 95 % of the sill is reached, km.
    """

    nugget: float
    sill: float
    range_km: float

    def gamma(self, distance_km: Doubles) -> Doubles:
        """Half the mean squared difference at a distance above 0."""
        return np.asarray(self.nugget + self.sill * (1.0 - np.exp(-3.0 * distance_km / self.range_km)))

    def covariance(self, distance_km: Doubles) -> Doubles:
        """Covariance without the nugget."""
        return np.asarray(self.sill * np.exp(-3.0 * distance_km / self.range_km))


def unit_vectors(lat: npt.ArrayLike, lon: npt.ArrayLike) -> Doubles:
    """Places in degrees as vectors of length one, (place, 3)."""
    north, east = np.deg2rad(np.asarray(lat, float)), np.deg2rad(np.asarray(lon, float))
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=-1)


def great_circle(one: Doubles, other: Doubles) -> Doubles:
    """Great-circle distances in km of all pairs of two sets of unit vectors, (place, place)."""
    square = ((one[:, None] - other[None, :]) ** 2).sum(axis=-1)
    return np.asarray(2.0 * EARTH_KM * np.arcsin(np.minimum(np.sqrt(square) / 2.0, 1.0)))


@dataclass(frozen=True)
class Empirical:
    """Half mean squared differences by distance: middle of the lag in km, gamma and number of pairs, all (lag,)."""

    distance_km: Doubles
    gamma: Doubles
    pairs: Doubles


def empirical(lat: npt.ArrayLike, lon: npt.ArrayLike, residuals: npt.ArrayLike) -> Empirical:
    """Empirical variogram in 15 lags up to half the largest distance; lags without a pair are left out.

    Parameters
    ----------
    lat, lon
        Degrees, (point,).
    residuals
        (time, point), NaN = missing; all times together.
    """
    places = unit_vectors(lat, lon)
    values = np.atleast_2d(np.asarray(residuals, np.float64))
    size = len(places)
    longest = max((float(great_circle(places[k : k + 256], places).max()) for k in range(0, size, 256)), default=0.0)
    width = max(longest / 2.0 / LAGS, 1e-9)
    total, square, pairs = (np.zeros(LAGS) for _ in range(3))
    valid = np.isfinite(values)
    filled = np.where(valid, values, 0.0)
    rows = max(_PAIRS_AT_ONCE // max(size, 1), 1)
    for start in range(0, size, rows):
        part = slice(start, min(start + rows, size))
        distance = great_circle(places[part], places)
        lag = np.minimum(distance / width, LAGS).astype(np.int64)
        lag[np.arange(size)[None, :] <= np.arange(part.start, part.stop)[:, None]] = LAGS
        at = valid[:, part].astype(np.float64)
        counts = at.T @ valid
        # The sum over time of (a - b)2 where both are there, without a loop over the times.
        sums = (filled[:, part] ** 2).T @ valid + at.T @ filled**2 - 2.0 * filled[:, part].T @ filled
        chosen = lag < LAGS
        for out, terms in ((total, counts * distance), (square, sums / 2.0), (pairs, counts)):
            out += np.bincount(lag[chosen], terms[chosen], LAGS)
    good = pairs > 0
    return Empirical(total[good] / pairs[good], np.maximum(square[good], 0.0) / pairs[good], pairs[good])


def fit_variogram(found: Empirical, variance: float) -> Variogram:
    """Weighted least squares with N(h) / gamma(h)2 (Cressie 1985, doi 10.1007/BF01032109).

    For each of a series of ranges the nugget and the sill, which enter linearly and are not negative, are solved for
    with the weights of the model itself; the best range is taken.

    Parameters
    ----------
    found
        Empirical variogram.
    variance
        Variance of the residuals, for one that has no lag or no positive value.
    """
    if found.gamma.size < 3 or not (found.gamma > 0).any():
        return Variogram(0.0, max(variance, 1e-12), 1.0)
    distance, gamma, pairs = found.distance_km, found.gamma, found.pairs
    best, least = Variogram(0.0, max(variance, 1e-12), 1.0), np.inf
    for length in np.geomspace(distance.min() / 2.0, 6.0 * distance.max(), _RANGES):
        shape = 1.0 - np.exp(-3.0 * distance / length)
        model = gamma
        nugget, sill = 0.0, 0.0
        for _ in range(4):
            weights = pairs / np.maximum(model, 1e-6 * gamma.max()) ** 2
            nugget, sill = _nonnegative(shape, gamma, weights)
            model = nugget + sill * shape
        cost = float((pairs * (gamma / np.maximum(model, 1e-12) - 1.0) ** 2).sum())
        if sill > 0 and cost < least:
            best, least = Variogram(nugget, sill, float(length)), cost
    return best


def _nonnegative(shape: Doubles, gamma: Doubles, weights: Doubles) -> tuple[float, float]:
    """Nugget and sill of gamma = nugget + sill x shape by weighted least squares, neither negative."""
    total = weights.sum()
    mean_s, mean_g = (weights * shape).sum() / total, (weights * gamma).sum() / total
    spread = (weights * (shape - mean_s) ** 2).sum()
    sill = float((weights * (shape - mean_s) * (gamma - mean_g)).sum() / spread) if spread > 0 else 0.0
    nugget = float(mean_g - sill * mean_s)
    if sill <= 0:
        return float(mean_g), 0.0
    if nugget < 0:
        return 0.0, float((weights * shape * gamma).sum() / (weights * shape**2).sum())
    return nugget, sill
