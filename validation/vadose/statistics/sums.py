"""Sums of aligned series that can be added: one code path for a season, a chunk of cells, a year or a network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vadose.statistics import kernels

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Means over the matched days of a product x and a reference r; all second moments have ddof 0.

    Every attribute has the leading shape of the series, without time.
    """

    n: Floats
    mean_x: Floats
    mean_r: Floats
    var_x: Floats
    var_r: Floats
    cov: Floats
    mean_abs: Floats

    def rows(self, chosen: slice) -> Moments:
        """The moments of some series."""
        return Moments(*(part[chosen] for part in self.stacked()))

    def stacked(self) -> Floats:
        """All attributes in their order, (7, ...)."""
        names = ("n", "mean_x", "mean_r", "var_x", "var_r", "cov", "mean_abs")
        return np.stack([np.asarray(getattr(self, name), float) for name in names])

    @cached_property
    def bias(self) -> Floats:
        """Mean of e = x - r."""
        return self.mean_x - self.mean_r

    @cached_property
    def var_error(self) -> Floats:
        """Variance of e."""
        return np.maximum(self.var_x + self.var_r - 2.0 * self.cov, 0.0)

    @cached_property
    def mse(self) -> Floats:
        """Mean of e squared."""
        return self.var_error + self.bias**2

    @cached_property
    def std_x(self) -> Floats:
        """Standard deviation of x."""
        return np.sqrt(self.var_x)

    @cached_property
    def std_r(self) -> Floats:
        """Standard deviation of r."""
        return np.sqrt(self.var_r)

    @cached_property
    def correlation(self) -> Floats:
        """Pearson's correlation of x and r."""
        return np.clip(self.cov / (self.std_x * self.std_r), -1.0, 1.0)

    @cached_property
    def constant_x(self) -> npt.NDArray[np.bool_]:
        """Whether x does not vary beyond rounding; False without days."""
        return np.asarray(self.var_x <= self.smallest_variance)

    @cached_property
    def constant_r(self) -> npt.NDArray[np.bool_]:
        """Whether r does not vary beyond rounding; False without days."""
        return np.asarray(self.var_r <= self.smallest_variance)

    @cached_property
    def smallest_variance(self) -> Floats:
        """What rounding of float32 data can feign: it is 1e-15 of the squared level, the noise of a sensor 1e-6."""
        return 1e-14 * np.maximum(np.maximum(self.mean_x**2, self.mean_r**2), 1e-6)


@dataclass(frozen=True)
class Sums:
    """Count, first and second moments of K series about a fixed shift, and the sums of abs(x_k - x_K).

    Attributes
    ----------
    n
        Matched days, (...,).
    shift
        Value about which the moments are taken, (..., K).
    first, second
        Sums of (x - shift), (..., K), and of their products, (..., K, K).
    absolute
        Sums of the absolute difference from the last series, (..., K).
    """

    n: Floats
    shift: Floats
    first: Floats
    second: Floats
    absolute: Floats

    @classmethod
    def zero(cls, shape: tuple[int, ...], series: int) -> Sums:
        """The neutral element of the addition."""
        vector = np.zeros((*shape, series))
        return cls(np.zeros(shape), vector, vector, np.zeros((*shape, series, series)), vector)

    @classmethod
    def of(cls, series: Floats) -> Sums:
        """Sums over the last axis of (..., K, time), over the days on which all K series have a value."""
        series = np.asarray(series, float)
        valid: npt.NDArray[np.bool_] = np.asarray(np.isfinite(series).all(axis=-2))
        n = valid.sum(axis=-1).astype(float)
        start = valid.argmax(axis=-1)[..., None, None]
        shift = np.take_along_axis(series, np.broadcast_to(start, (*series.shape[:-1], 1)), axis=-1)[..., 0]
        shift = np.where(n[..., None] > 0, shift, 0.0)
        mask = valid[..., None, :]
        centred = np.where(mask, series - shift[..., None], 0.0)
        apart = np.where(mask, np.abs(series - series[..., -1:, :]), 0.0)
        second = centred @ centred.swapaxes(-1, -2)
        return cls(n, shift, centred.sum(axis=-1), second, apart.sum(axis=-1))

    def __add__(self, other: Sums) -> Sums:
        """Exact sum of two states; a different shift is rebased."""
        shift = np.where(self.n[..., None] > 0, self.shift, other.shift)
        one, two = self._rebased(shift), other._rebased(shift)
        return Sums(one.n + two.n, shift, one.first + two.first, one.second + two.second, one.absolute + two.absolute)

    def _rebased(self, shift: Floats) -> Sums:
        n, delta = self.n[..., None], self.shift - shift
        cross = delta[..., :, None] * self.first[..., None, :] + self.first[..., :, None] * delta[..., None, :]
        second = self.second + cross + n[..., None] * delta[..., :, None] * delta[..., None, :]
        return Sums(self.n, shift, self.first + n * delta, second, self.absolute)

    def moments(self, product: int = 0, reference: int = -1) -> Moments:
        """Means of one pair of series; NaN where there is no day. `mean_abs` needs the last series as reference."""
        n = np.where(self.n > 0, self.n, np.nan)
        i, j = product, reference
        first = self.first / n[..., None]

        def covariance(a: int, b: int) -> Floats:
            return np.asarray(self.second[..., a, b] / n - first[..., a] * first[..., b])

        return Moments(
            n=self.n,
            mean_x=self.shift[..., i] + first[..., i],
            mean_r=self.shift[..., j] + first[..., j],
            var_x=np.maximum(covariance(i, i), 0.0),
            var_r=np.maximum(covariance(j, j), 0.0),
            cov=covariance(i, j),
            mean_abs=self.absolute[..., i] / n,
        )


def moments(x: npt.ArrayLike, r: npt.ArrayLike) -> Moments:
    """Means of x and r, both (..., time), over the days on which both have a value; sums are float64 of either type."""
    product, reference = np.broadcast_arrays(*(np.asarray(one) for one in (x, r)))
    if product.dtype != np.float32 or reference.dtype != np.float32:
        product, reference = product.astype(np.float64, copy=False), reference.astype(np.float64, copy=False)
    shape, days = product.shape[:-1], product.shape[-1]
    means = kernels.pair_means(product.reshape(-1, days), reference.reshape(-1, days))
    return Moments(*np.asarray(means).reshape(7, *shape))
