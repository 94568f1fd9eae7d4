"""Memory of a series: the e-folding time of its autocorrelation, and its ratio between product and reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.statistics.distributions import normal_quantile
from vadose.statistics.longrun import Gaps
from vadose.statistics.status import CODE, Codes

Floats = npt.NDArray[np.float64]

LONGEST_MEMORY_DAYS = 180
_BLOCK_DAYS = 60
_REPLICATES = 400
FEWEST_DAYS = 365


@dataclass(frozen=True)
class Memory:
    """E-folding times in days and their ratio, product over reference, all (series,)."""

    product: Floats
    reference: Floats
    ratio: Floats
    ci_low: Floats
    ci_high: Floats
    n: Floats
    status: Codes


def memory_ratio(x: npt.ArrayLike, r: npt.ArrayLike, *, seed: int = 0, level: float = 0.95) -> Memory:
    """Ratio of the e-folding times of product and reference, with a bootstrap interval on its logarithm.

    Parameters
    ----------
    x, r
        Product and reference, (series, time), NaN = missing; the common days count.
    seed
        Blocks of 60 days are drawn the same way for all series and both members.

    Notes
    -----
    Without a fall below 1/e within 180 days there is no value (`not_applicable`); at least 365 days are needed.
    """
    one, two = (np.asarray(values, float) for values in (x, r))
    mask = np.isfinite(one) & np.isfinite(two)
    gaps = Gaps.of(mask)
    blocks = -(-mask.shape[1] // _BLOCK_DAYS)
    generator = np.random.Generator(np.random.Philox(key=[seed, blocks]))
    weights = generator.multinomial(blocks, np.full(blocks, 1.0 / blocks), size=_REPLICATES).astype(float)
    out = np.full((5, len(one)), np.nan)
    for s in range(len(one)):
        if gaps.n[s] < FEWEST_DAYS:
            continue
        times, drawn = zip(*(_times(values[s], mask[s], weights) for values in (one, two)), strict=True)
        out[0, s], out[1, s] = times
        with np.errstate(invalid="ignore"):
            spread = np.log(drawn[0] / drawn[1])
        known = spread[np.isfinite(spread)]
        if np.isfinite(times).all():
            out[2, s] = times[0] / times[1]
            if known.size > _REPLICATES // 2:
                half = normal_quantile((1.0 + level) / 2.0) * known.std()
                out[3, s], out[4, s] = out[2, s] * np.exp(-half), out[2, s] * np.exp(half)
    status = np.where(gaps.n < FEWEST_DAYS, CODE["few_samples"],
                      np.where(np.isfinite(out[2]), CODE["ok"], CODE["not_applicable"])).astype(np.int8)  # fmt: skip
    return Memory(out[0], out[1], out[2], out[3], out[4], gaps.n, status)


def _times(values: Floats, mask: npt.NDArray[np.bool_], weights: Floats) -> tuple[float, Floats]:
    """E-folding time of a series, and of its replicates."""
    centred = np.where(mask, values - values[mask].mean(), 0.0)
    days = values.size
    lags = min(LONGEST_MEMORY_DAYS, days - 1)
    starts = np.arange(0, days, _BLOCK_DAYS)
    products, pairs = np.empty((2, lags + 1, starts.size))
    for lag in range(lags + 1):
        product, pair = np.zeros((2, days))
        product[: days - lag] = centred[: days - lag] * centred[lag:]
        pair[: days - lag] = mask[: days - lag] & mask[lag:]
        products[lag], pairs[lag] = np.add.reduceat(product, starts), np.add.reduceat(pair, starts)
    whole = _efolding(products.sum(axis=1)[None], pairs.sum(axis=1)[None])
    return float(whole[0]), _efolding(weights @ products.T, weights @ pairs.T)


def _efolding(products: Floats, pairs: Floats) -> Floats:
    """First lag at which the autocorrelation falls below 1/e, between days by its logarithm, (rows,)."""
    gamma = products / np.where(pairs > 0, pairs, np.nan)
    rho = gamma / np.where(gamma[:, :1] > 0, gamma[:, :1], np.nan)
    below = rho < np.exp(-1.0)
    lag = below.argmax(axis=1)
    rows = np.arange(len(rho))
    high, low = rho[rows, np.maximum(lag - 1, 0)], np.maximum(rho[rows, lag], 1e-3)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (np.log(high) + 1.0) / (np.log(high) - np.log(low))
    # The autocorrelation begins at 1, so that lag 0 stands for no fall at all.
    return np.where(lag > 0, lag - 1 + share, np.nan)
