"""Intervals of a collocation: influence of each day on a function of covariances, by the gradient of the function."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vadose.statistics import kernels
from vadose.statistics.design import Design
from vadose.statistics.distributions import t_quantile
from vadose.statistics.longrun import MODELS, Gaps, LongRun, Model

Floats = npt.NDArray[np.float64]


class Inference:
    """Long-run variance of a function of covariances, from its gradient by them."""

    def __init__(
        self, cells: npt.NDArray[np.floating], mean: Floats, C: Floats, gaps: Gaps, model: Model, level: float
    ):
        self.cells, self.mean, self.C, self.gaps, self.model, self.level = cells, mean, C, gaps, model, level

    def of(self, some: npt.NDArray[np.intp]) -> Inference:
        """The inference of some of the cells."""
        gaps = Gaps.of(np.isfinite(self.cells[some]).all(axis=1))
        return Inference(self.cells[some], self.mean[some], self.C[some], gaps, self.model, self.level)

    def run(self, gradient: Floats) -> LongRun:
        """Long-run variance; `gradient` is symmetric, (cells, N, N), half of each derivative off the diagonal."""
        known = np.isfinite(gradient).all(axis=(1, 2)) & (self.gaps.n > 1)
        psi = kernels.quadratic_influence(self.cells, self.mean, self.C, np.where(known[:, None, None], gradient, 0.0))
        found = MODELS[self.model](psi, self.gaps)
        return LongRun(*(np.where(known, one, np.nan) for one in (found.variance, found.n_eff, found.dof)))

    def half(self, run: LongRun) -> Floats:
        """Half width of the interval."""
        return np.asarray(t_quantile(self.level, np.nan_to_num(run.dof, nan=1.0)) * np.sqrt(run.variance))


def fisher_gradient(C: Floats, i: int, j: int) -> Floats:
    """Gradient of atanh of the correlation of i and j."""
    out = np.zeros_like(C)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = C[:, i, j] / np.sqrt(C[:, i, i] * C[:, j, j])
        out[:, i, j] = out[:, j, i] = 0.5 / np.sqrt(C[:, i, i] * C[:, j, j]) / (1.0 - r**2)
        out[:, i, i] = -0.5 * r / C[:, i, i] / (1.0 - r**2)
        out[:, j, j] = -0.5 * r / C[:, j, j] / (1.0 - r**2)
    return out


def log_signal_gradient(C: Floats, design: Design, i: int) -> Floats:
    """Gradient of 2 a_i."""
    out = np.zeros_like(C)
    with np.errstate(divide="ignore", invalid="ignore"):
        for weight, (j, k) in zip(design.solution[i], design.pairs, strict=True):
            out[:, j, k] = out[:, k, j] = weight / C[:, j, k]
    return out


def log_error_gradient(C: Floats, design: Design, signal: Floats, error: Floats, i: int) -> Floats:
    """Gradient of log of the error variance; NaN where that is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        out = -signal[:, i, None, None] * log_signal_gradient(C, design, i)
        out[:, i, i] += 1.0
        return np.asarray(out / np.where(error[:, i] > 0, error[:, i], np.nan)[:, None, None])


def cross_gradient(C: Floats, design: Design, cross: Floats, pair: tuple[int, int]) -> Floats:
    """Gradient of C_ij - exp(a_i + a_j)."""
    i, j = pair
    out = -cross[:, None, None] * (log_signal_gradient(C, design, i) + log_signal_gradient(C, design, j)) / 2.0
    out[:, i, j] += 0.5
    out[:, j, i] += 0.5
    return out
