"""Maps of one distribution onto another that are fitted once, kept, and applied to other days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from vadose.statistics.metrics import is_constant
from vadose.statistics.scaling import (
    _DAYS_IN_BIN,
    _MOST_BINS,
    _TAIL_KNOTS,
    FEWEST_CDF_DAYS,
    _common,
    _knots,
    _map,
    _percentiles,
    _tail,
)
from vadose.statistics.status import CODE, Codes
from vadose.statistics.sums import moments

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

FEWEST_LINE_DAYS = 30
# What became of a series; the position is the code in `DistributionMaps.kind`.
KINDS: tuple[str, ...] = ("cdf", "mean_std", "none")


@dataclass(frozen=True)
class DistributionMaps:
    """One map a series, from values of x to the distribution of r.

    A series with `FEWEST_CDF_DAYS` common days is matched by percentiles as `scale("cdf", ...)` does; one with
    `FEWEST_LINE_DAYS` by mean and standard deviation; any other is left as it is, and so is one whose correlation
    with r is not positive.

    Attributes
    ----------
    x, r
        Knots, (series, knot); those beyond `size` are zero.
    slopes
        Slope of the line below and above the inner knots, (series, 2).
    size
        Number of knots, (series,).
    kind
        Position in `KINDS`, (series,).
    status
        Why it is not `cdf`, a code of `vadose.statistics.status`, (series,): `few_samples`, `constant_series` or
        `anticorrelated`; `ok` for `cdf`.
    """

    x: Doubles
    r: Doubles
    slopes: Doubles
    size: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int8]
    status: Codes

    def __call__(self, values: npt.ArrayLike) -> Floats:
        """The mapped values, (series, time); NaN stays NaN."""
        given = np.ascontiguousarray(values, np.float32)
        return np.asarray(_apply(given, self.x, self.r, self.slopes, self.size))

    def take(self, series: npt.NDArray[np.integer]) -> DistributionMaps:
        """The maps of some series; -1 stands for a series that is left as it is."""
        known = series >= 0
        nothing = identity(1)
        parts = {}
        for field in fields(self):
            mine = getattr(self, field.name)[np.maximum(series, 0)]
            other = getattr(nothing, field.name)[0]
            if mine.ndim == 2:
                other = np.pad(other, (0, mine.shape[1] - other.size))
            parts[field.name] = np.where(known if mine.ndim == 1 else known[:, None], mine, other).astype(mine.dtype)
        return DistributionMaps(**parts)

    def counts(self) -> dict[str, int]:
        """Number of series of each kind."""
        return {name: int((self.kind == code).sum()) for code, name in enumerate(KINDS)}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All parts by name, for a file."""
        return {field.name: np.ascontiguousarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> DistributionMaps:
        """The maps whose parts `arrays` gave."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def identity(series: int, knots: int = 2) -> DistributionMaps:
    """Maps that leave every value as it is."""
    x = np.zeros((series, knots))
    x[:, 1] = 1.0
    kind = np.full(series, KINDS.index("none"), np.int8)
    return DistributionMaps(
        x, x.copy(), np.ones((series, 2)), np.full(series, 2, np.int32), kind, np.zeros(series, np.int8)
    )


def fit_maps(x: npt.ArrayLike, r: npt.ArrayLike) -> DistributionMaps:
    """Fit on common days.

    Parameters
    ----------
    x, r
        What is mapped and the reference, (series, time), NaN where missing.
    """
    product, reference = (np.ascontiguousarray(one, np.float32) for one in (x, r))
    one, two, count = _common(product, reference)
    m = moments(one.astype(np.float64), two.astype(np.float64))
    constant = is_constant(m, "x") | is_constant(m, "r")
    falling = ~constant & (m.cov <= 0)
    usable = ~(constant | falling) & (count >= FEWEST_LINE_DAYS)
    wants_cdf = usable & (count >= FEWEST_CDF_DAYS)
    maps = identity(len(product), _MOST_BINS + 1 if wants_cdf.any() else 2)
    maps.kind[usable] = KINDS.index("mean_std")
    maps.kind[wants_cdf] = KINDS.index("cdf")
    lines = np.flatnonzero(usable & ~wants_cdf)
    for at, mean, std in ((maps.x, m.mean_x, m.std_x), (maps.r, m.mean_r, m.std_r)):
        at[lines, 0], at[lines, 1] = (mean - std)[lines], (mean + std)[lines]
    maps.slopes[lines] = (m.std_r[lines] / m.std_x[lines])[:, None]
    chosen = np.flatnonzero(wants_cdf)
    one, two = np.sort(one[chosen], axis=1), np.sort(two[chosen], axis=1)
    _fit(one, two, count[chosen], chosen, maps.x, maps.r, maps.slopes, maps.size)
    maps.status[count < FEWEST_CDF_DAYS] = CODE["few_samples"]
    maps.status[falling & (count >= FEWEST_LINE_DAYS)] = CODE["anticorrelated"]
    maps.status[constant & (count >= FEWEST_LINE_DAYS)] = CODE["constant_series"]
    return maps


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fit(one: Any, two: Any, count: Any, rows: Any, x: Any, r: Any, slopes: Any, size: Any) -> None:
    """Knots and outer slopes of series with ordered common values, put into the rows of the maps."""
    for k in range(rows.size):
        n, row = count[k], rows[k]
        bins = min(_MOST_BINS, n // _DAYS_IN_BIN)
        knots_x, knots_r = _knots(_percentiles(one[k], n, bins), _percentiles(two[k], n, bins))
        size[row] = knots_x.size
        x[row, : knots_x.size], r[row, : knots_x.size] = knots_x, knots_r
        slopes[row, 0] = _tail(knots_x[: _TAIL_KNOTS + 1], knots_r[: _TAIL_KNOTS + 1], 1)
        slopes[row, 1] = _tail(knots_x[-_TAIL_KNOTS - 1 :], knots_r[-_TAIL_KNOTS - 1 :], -2)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _apply(values: Any, x: Any, r: Any, slopes: Any, size: Any) -> Any:
    out = np.empty(values.shape, np.float32)
    for s in range(values.shape[0]):
        n = size[s]
        _map(values[s], x[s, :n], r[s, :n], slopes[s, 0], slopes[s, 1], out[s])
    return out
