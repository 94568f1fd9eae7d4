"""Triple, extended and multiple collocation: error variances of data sets without a truth, with their validity.

N data sets see the same signal T with their own gain and an own error: x_i = alpha_i + beta_i T + eps_i. Where the
errors of two data sets are independent, C_ij = beta_i beta_j var(T), so that log C_ij = a_i + a_j with
a_i = log(beta_i std(T)). Least squares over the pairs gives a_i: with three data sets exactly C_12 C_13 / C_23 as
signal variance of the first (Stoffelen 1998, doi 10.1029/97JC03180; Gruber et al. 2016, doi 10.1002/2015JD024027).
No absolute value is taken anywhere: what the model cannot explain gets a status word instead of a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.statistics import kernels
from vadose.statistics.aggregates import adjusted, difference_p_value
from vadose.statistics.design import Design, Pairs, design_of, ordered_pairs
from vadose.statistics.influence import (
    Inference,
    cross_gradient,
    fisher_gradient,
    log_error_gradient,
    log_signal_gradient,
)
from vadose.statistics.longrun import Gaps, Model
from vadose.statistics.status import CODE, Codes

Floats = npt.NDArray[np.float64]

FEWEST_DAYS = 100
FEWEST_EFFECTIVE = 30.0
WEAKEST_CORRELATION = 0.2
SIGNIFICANCE = 0.05
# Cells are worked on in blocks that fit into a processor's cache.
_BLOCK = 64
_DECIBELS = 10.0 / np.log(10.0)
_NAN = np.float64(np.nan).tobytes()
# As `kernels.triple_values` reads them, from no fault to the first that is looked for.
_TRIPLE_CODES = np.array(
    [CODE[word] for word in ("ok", "r2_out_of_range", "negative_error_variance", "weak_correlation",
                             "negative_covariance", "constant_series", "few_samples")], np.int8,
)  # fmt: skip


@dataclass(frozen=True)
class Collocation:
    """Collocation of N data sets; leading shape (...) of the cells, members (N) or named pairs (P) last.

    A checked value is NaN where `status` is neither `ok` nor `dependent_errors`; the `*_unchecked` ones are what the
    formula gives, negative variances included. Every data set is in its own units.

    Attributes
    ----------
    n
        Days on which all data sets have a value, (...).
    n_eff
        Independent days that would give the interval of the error variance, (..., N).
    status
        Codes of `vadose.statistics.STATUS`, (..., N).
    error_std, error_std_low, error_std_high
        Standard deviation of the error, (..., N). The interval ends, at the latest, where that of the standard
        deviation of the data set itself does, as the signal has no negative variance.
    r2, r2_low, r2_high
        Squared correlation with the unknown truth, (..., N).
    snr, snr_low, snr_high
        Signal-to-noise ratio 10 log10(R2 / (1 - R2)) in dB, (..., N).
    beta
        Factor that rescales deviations from the mean to those of the first data set, (..., N).
    signal_std
        Standard deviation of the signal in each data set, (..., N).
    error_covariance, error_covariance_low, error_covariance_high
        Of the named pairs, (..., P).
    residual
        Root mean square of log C_ij - a_i - a_j: how far the pairs contradict each other; 0 without spare
        equations, (...).
    error_variance_unchecked, r2_unchecked, signal_variance_unchecked
        (..., N).
    covariance
        Over the common days, ddof 0, (..., N, N).
    """

    n: Floats
    n_eff: Floats
    status: Codes
    error_std: Floats
    error_std_low: Floats
    error_std_high: Floats
    r2: Floats
    r2_low: Floats
    r2_high: Floats
    snr: Floats
    snr_low: Floats
    snr_high: Floats
    beta: Floats
    signal_std: Floats
    error_covariance: Floats
    error_covariance_low: Floats
    error_covariance_high: Floats
    residual: Floats
    error_variance_unchecked: Floats
    r2_unchecked: Floats
    signal_variance_unchecked: Floats
    covariance: Floats


def collocate(
    series: npt.ArrayLike, named: Pairs = (), dependent: Pairs = (), *, intervals: bool = True,
    model: Model = "tail_model", level: float = 0.95, minimum: int = FEWEST_DAYS,
) -> Collocation:  # fmt: skip
    """Collocate three or more data sets.

    Parameters
    ----------
    series
        Data sets that see the same signal, (..., N, time), equal daily steps, NaN = missing; the common days count.
        Anomalies are made by the caller, from the common days.
    named
        Pairs of data sets, as positions, whose error covariance is estimated too; four data sets allow two.
    dependent
        Pairs whose errors are known to be dependent (the audit of products). They keep the value; the members of
        any such pair that is not named, and all that are estimated from it, are marked `dependent_errors`.
    intervals
        Whether intervals, n_eff and the significance of correlations are wanted; they take most of the time.
    model
        How dependence between days is taken into account.
    level
        Nominal coverage.
    minimum
        Fewest common days.

    Returns
    -------
    Collocation
        Arrays of the leading shape (...).

    Raises
    ------
    ValueError
        With fewer than three data sets, or more named pairs than the data sets can tell.

    Notes
    -----
    A correlation is weak below 0.2, or where its p-value, adjusted over the pairs of the cell (Benjamini and
    Hochberg), exceeds 0.05. Positively correlated errors of two members make these two look too good and the third
    too bad.
    """
    values = np.asarray(series)
    if values.dtype != np.float32:
        values = values.astype(np.float64, copy=False)
    if values.ndim < 2 or values.shape[-2] < 3:
        raise ValueError(f"collocation needs at least three data sets, (..., 3, time), got shape {values.shape}")
    shape, members, days = values.shape[:-2], values.shape[-2], values.shape[-1]
    design = design_of(members, ordered_pairs(named, members))
    flagged = bool(set(ordered_pairs(dependent, members)) & set(design.pairs))
    cells = np.ascontiguousarray(values.reshape(-1, members, days))
    block = _BLOCK if intervals else max(len(cells), 1)
    parts = [
        _collocate(cells[start : start + block], design, flagged, intervals, model, level, minimum)
        for start in range(0, max(len(cells), 1), block)
    ]
    joined = (np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Collocation))
    return Collocation(*(one.reshape(shape + one.shape[1:]) for one in joined))


def triple(
    x: npt.ArrayLike, y: npt.ArrayLike, z: npt.ArrayLike, dependent: Pairs = (), *, intervals: bool = True,
    model: Model = "tail_model", level: float = 0.95,
) -> Collocation:  # fmt: skip
    """Collocate three data sets, each (..., time); see `collocate`. Without intervals it is fast enough for maps."""
    sets: Sequence[npt.NDArray[np.generic]] = [np.asarray(one) for one in (x, y, z)]
    if len({one.shape for one in sets}) > 1:
        sets = np.broadcast_arrays(*sets)
    if not intervals:
        return _triple_values(sets, bool(ordered_pairs(dependent, 3)))
    return collocate(np.stack(sets, axis=-2), dependent=dependent, model=model, level=level)


def _triple_values(sets: Sequence[npt.NDArray[np.generic]], flagged: bool) -> Collocation:
    """Three data sets without intervals, compiled: what `collocate` gives, for maps."""
    precision = np.float32 if all(one.dtype == np.float32 for one in sets) else np.float64
    shape, days = sets[0].shape[:-1], sets[0].shape[-1]
    rows = (np.ascontiguousarray(one, precision).reshape(-1, days) for one in sets)
    sums = kernels.triple_sums(*rows)
    unchecked, checked, residual, status, C = kernels.triple_values(
        sums, FEWEST_DAYS, WEAKEST_CORRELATION, _TRIPLE_CODES
    )
    if flagged:
        status = np.where(status == CODE["ok"], CODE["dependent_errors"], status).astype(np.int8)

    def members(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return values.T.reshape(*shape, 3)

    std, signal_std, r2, snr, beta = checked
    # One NaN that is read everywhere.
    nothing = np.ndarray((*shape, 3), np.float64, _NAN, strides=(0,) * (len(shape) + 1))
    none = np.empty((*shape, 0))
    return Collocation(
        n=sums[0].reshape(shape), n_eff=nothing, status=members(status), error_std=members(std), error_std_low=nothing,
        error_std_high=nothing, r2=members(r2), r2_low=nothing, r2_high=nothing, snr=members(snr), snr_low=nothing,
        snr_high=nothing, beta=members(beta), signal_std=members(signal_std), error_covariance=none,
        error_covariance_low=none, error_covariance_high=none, residual=residual.reshape(shape),
        error_variance_unchecked=members(unchecked[1]), r2_unchecked=members(unchecked[2]),
        signal_variance_unchecked=members(unchecked[0]),
        covariance=C.reshape(*shape, 3, 3),
    )  # fmt: skip


def _collocate(
    cells: npt.NDArray[np.floating], design: Design, flagged: bool, intervals: bool, model: Model, level: float,
    minimum: int,
) -> Collocation:  # fmt: skip
    n, mean, C = kernels.joint_means(cells)
    members = cells.shape[1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        signal, cross, residual, logs = _solve(C, design)
        total = np.diagonal(C, axis1=1, axis2=2)
        error = total - signal
        r2 = np.where(total > 0, signal / total, np.nan)
        correlation = np.stack([C[:, i, j] / np.sqrt(C[:, i, i] * C[:, j, j]) for i, j in design.pairs], axis=1)
    shape = (len(cells), members)
    n_eff, half_error, half_snr = (np.full(shape, np.nan) for _ in range(3))
    half_cross = np.full((len(cells), len(design.named)), np.nan)
    p = np.zeros(correlation.shape)
    pair_n_eff = np.full(correlation.shape, np.inf)
    inference = None
    if intervals:
        gaps = Gaps.of(np.isfinite(cells).all(axis=1))
        inference = Inference(cells, mean, C, gaps, model, level)
        for row, (i, j) in enumerate(design.pairs):
            run = inference.run(fisher_gradient(C, i, j))
            pair_n_eff[:, row] = run.n_eff
            z = np.arctanh(np.clip(correlation[:, row], -1.0 + 1e-12, 1.0 - 1e-12))
            p[:, row] = difference_p_value(z, run.variance, run.dof + 1.0)
        p = adjusted(p)
        for i in range(members):
            gradient = log_error_gradient(C, design, signal, error, i)
            run = inference.run(gradient)
            n_eff[:, i], half_error[:, i] = run.n_eff, inference.half(run)
            half_snr[:, i] = inference.half(inference.run(log_signal_gradient(C, design, i) - gradient))
        for column, pair in enumerate(design.named):
            half_cross[:, column] = inference.half(inference.run(cross_gradient(C, design, cross[:, column], pair)))
    status = _status(n, mean, C, correlation, p, pair_n_eff, n_eff, error, r2, design, minimum, intervals)
    if flagged:
        status = np.where(status == CODE["ok"], CODE["dependent_errors"], status).astype(np.int8)
    shown = (status == CODE["ok"]) | (status == CODE["dependent_errors"])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        std = np.sqrt(np.where(shown, error, np.nan))
        highest = std * np.exp(half_error / 2.0)
        logit = np.log(np.where(shown, signal / error, np.nan))
        beta = np.exp(logs[:, :1] - logs)
        named_ok = np.stack([shown[:, i] & shown[:, j] for i, j in design.named], axis=1) if design.named else (
            np.zeros((len(cells), 0), bool))  # fmt: skip
        covariance = np.stack([C[:, i, j] for i, j in design.named], axis=1) - cross if design.named else cross
        covariance = np.where(named_ok, covariance, np.nan)
        gains = shown.any(axis=1, keepdims=True)
        return Collocation(
            n=n, n_eff=n_eff, status=status,
            error_std=std, error_std_low=std * np.exp(-half_error / 2.0),
            error_std_high=_within_total(highest, inference) if inference else highest,
            r2=_logistic(logit), r2_low=_logistic(logit - half_snr), r2_high=_logistic(logit + half_snr),
            snr=_DECIBELS * logit, snr_low=_DECIBELS * (logit - half_snr), snr_high=_DECIBELS * (logit + half_snr),
            beta=np.where(gains, beta, np.nan), signal_std=np.sqrt(np.where(shown, signal, np.nan)),
            error_covariance=covariance, error_covariance_low=covariance - half_cross,
            error_covariance_high=covariance + half_cross, residual=np.where(gains[:, 0], residual, np.nan),
            error_variance_unchecked=error, r2_unchecked=r2, signal_variance_unchecked=signal, covariance=C,
        )  # fmt: skip


def _within_total(highest: Floats, inference: Inference) -> Floats:
    """Upper limits of error standard deviations (cells, N), at most those of the standard deviations themselves."""
    total = np.diagonal(inference.C, axis1=1, axis2=2)
    out = highest.copy()
    for i in range(highest.shape[1]):
        beyond = np.flatnonzero(highest[:, i] > np.sqrt(total[:, i]))
        if beyond.size:
            some = inference.of(beyond)
            gradient = np.zeros_like(some.C)
            gradient[:, i, i] = 1.0 / some.C[:, i, i]
            limit = np.sqrt(total[beyond, i]) * np.exp(some.half(some.run(gradient)) / 2.0)
            out[beyond, i] = np.fmin(out[beyond, i], limit)
    return out


def _logistic(logit: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-logit)))


def _solve(C: Floats, design: Design) -> tuple[Floats, Floats, Floats, Floats]:
    """Signal variances (cells, N), products beta_i beta_j var(T) of named pairs, residual, and a_i."""
    covariances = np.stack([C[:, i, j] for i, j in design.pairs], axis=1)
    logs = np.log(np.where(covariances > 0, covariances, np.nan))
    a = logs @ design.solution.T
    residual = np.sqrt(np.mean((logs - a @ design.equations.T) ** 2, axis=1))
    # Written out for three, where the signs of the covariances decide the sign of the signal variance.
    signal = _triple_signal(C) if C.shape[1] == 3 else np.exp(2.0 * a)
    cross = np.stack([np.exp(a[:, i] + a[:, j]) for i, j in design.named], axis=1) if design.named else (
        np.zeros((len(C), 0)))  # fmt: skip
    return signal, cross, residual, a


def _triple_signal(C: Floats) -> Floats:
    one, two, three = C[:, 0, 1], C[:, 0, 2], C[:, 1, 2]
    return np.stack([one * two / three, one * three / two, two * three / one], axis=1)


def _status(
    n: Floats, mean: Floats, C: Floats, correlation: Floats, p: Floats, pair_n_eff: Floats, n_eff: Floats,
    error: Floats, r2: Floats, design: Design, minimum: int, intervals: bool,
) -> Codes:  # fmt: skip
    """The first reason why a member has no value."""
    covariances = np.stack([C[:, i, j] for i, j in design.pairs], axis=1)
    variances = np.diagonal(C, axis1=1, axis2=2)
    known = np.nan_to_num(correlation, nan=0.0)
    weak = (known < WEAKEST_CORRELATION) | (np.nan_to_num(p, nan=1.0) > SIGNIFICANCE)
    few = np.asarray(n < minimum)[:, None]
    slow = np.zeros(n_eff.shape, bool)
    if intervals:
        slow = (np.nan_to_num(pair_n_eff).min(axis=1)[:, None] < FEWEST_EFFECTIVE) | (n_eff < FEWEST_EFFECTIVE)
    # Rounding of float32 data is 1e-15 of the squared level, the noise of a sensor 1e-6.
    tiny = 1e-14 * np.maximum(np.nan_to_num(mean) ** 2, 1e-6)
    constant = np.nan_to_num(variances) <= tiny
    code = np.full(n_eff.shape, CODE["ok"])
    for wrong, word in (
        (~((r2 > 0) & (r2 < 1)), "r2_out_of_range"),
        (~(error > 0), "negative_error_variance"),
        (_any(weak), "weak_correlation"),
        (_any(~(covariances > 0)), "negative_covariance"),
        (slow, "few_samples"),
        (_any(constant), "constant_series"),
        (few, "few_samples"),
    ):
        code = np.where(wrong, CODE[word], code)
    return code.astype(np.int8)


def _any(members: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    return np.asarray(members.any(axis=1, keepdims=True))
