"""The 31 temporal descriptors of a cell's observations (names of Liu et al. 2025, doi 10.3390/rs17223729).

x_1..x_n are the valid observations of a window in time order, D_i = x_{i+1} - x_i, w_i weights. With fewer than 30
observations all descriptors are missing.

| name | definition |
|---|---|
| mean, median | of x |
| whm, wgm, wpm | weighted harmonic, geometric and power mean (p = 3); missing unless all x > 0 |
| std, var | ddof 0 |
| cv | std / mean |
| mad, mead | mean of abs(x - mean), median of abs(x - median) |
| iqr, q1 | Q3 - Q1, Q1, linear interpolation between ranks |
| rms | sqrt(mean x2) |
| min, max | of x |
| skew, kurt | third standardised moment, fourth minus 3; missing for a constant series |
| sampen | -ln(A/B), templates of 2 and 3 values, maximum norm at most 0.2 std, no self-matches, last 1000 values |
| meandiff, meddiff | (x_n - x_1)/(n - 1), median D |
| masd, measd | mean and median of abs(D) |
| acf | autocorrelation at a lag of one observation, covariance over n |
| secder | mean of (x_{i+2} - 2 x_{i+1} + x_i)/2 |
| segcorr | mean correlation of consecutive segments of 30 values; missing below 60 values |
| p2p | mean days between strict local maxima; missing below two of them |
| abse, sum, sad | sums of x2, x, abs(D) |
| cam, cbm | how many x lie above and below the mean |
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vadose.producer.features import kernels

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]
Whole = npt.NDArray[np.integer]

NAMES = (
    "mean", "median", "whm", "wgm", "wpm",
    "std", "var", "cv", "mad", "mead", "iqr", "rms",
    "min", "max", "skew", "kurt", "q1", "sampen",
    "meandiff", "meddiff", "masd", "measd", "acf", "secder", "segcorr", "p2p",
    "abse", "sum", "sad",
    "cam", "cbm",
)  # fmt: skip
# Grow with the number of observations unless they are divided by it.
EXTENSIVE = ("abse", "sum", "sad", "cam", "cbm")
MINIMUM = kernels.MINIMUM
TRAILING_DAYS = 365
# Windows that are sorted together; they stay in the cache of the processor.
BLOCK = 128


def descriptors(values: Floats, weights: Floats | None = None, *, per_n: bool = True, entropy: bool = True) -> Doubles:
    """Descriptors of series, (series, 31), in the order of `NAMES`.

    Parameters
    ----------
    values
        Daily observations (series, time), missing is NaN; read in single precision.
    weights
        Weights of the observations for `whm`, `wgm` and `wpm`, (series, time); equal by default.
    per_n
        Divide the extensive descriptors by the number of observations, so that they do not tell the coverage.
    entropy
        Whether to compute `sampen`, which takes more time than all others; missing otherwise.

    Raises
    ------
    ValueError
        If the weights have another shape than the values.
    """
    checked = _checked(values, weights)
    out = np.empty((len(values), kernels.COUNT))
    for first in range(0, len(values), BLOCK):
        part = slice(first, first + BLOCK)
        x, day, w, counts = kernels.gather(values[part], checked[part])
        ends = np.cumsum(counts)
        out[part] = _windows(x, day, w, ends - counts, ends, entropy, per_n)
    return out


def trailing_descriptors(
    values: Floats, weights: Floats | None = None, *, first: int = 0, days: int = TRAILING_DAYS, per_n: bool = True,
    entropy: bool = True,
) -> Doubles:  # fmt: skip
    """Descriptors of the `days` days before each day from position `first` on, (series, time - first, 31).

    The day itself and all later ones are not read, so that a prediction of the day may use them.
    Other parameters as in `descriptors`.
    """
    checked = _checked(values, weights)
    predicted = np.arange(first, values.shape[1])
    out = np.empty((len(values), predicted.size, kernels.COUNT))
    for series in range(len(values)):
        x, day, w, _ = kernels.gather(values[series : series + 1], checked[series : series + 1])
        bounds = np.searchsorted(day, np.stack([predicted - days, predicted], axis=1))
        # Days between two observations share their window.
        windows, place = np.unique(bounds, axis=0, return_inverse=True)
        found = np.empty((len(windows), kernels.COUNT))
        for k in range(0, len(windows), BLOCK):
            begins, ends = windows[k : k + BLOCK].T
            found[k : k + BLOCK] = _windows(x, day, w, begins, ends, entropy, per_n)
        out[series] = found[place]
    return out


def _windows(
    x: Floats, day: Whole, w: Doubles, begins: Whole, ends: Whole, entropy: bool, per_n: bool
) -> Doubles:  # fmt: skip
    """Descriptors (window, 31) of the observations from begins to ends."""
    ordered, steps = kernels.lay_out(x, begins, ends)
    ordered.sort(axis=1)
    steps.sort(axis=1)
    return np.asarray(kernels.describe_windows(x, day, w, begins, ends, ordered, steps, entropy, per_n))


def _checked(values: Floats, weights: Floats | None) -> Floats:
    if weights is None:
        return np.empty((0, 0))
    if weights.shape != values.shape:
        raise ValueError(f"weights have the shape {weights.shape}, values {values.shape}")
    return weights
