"""Ours minus rival on their common days: a paired difference with its interval and p-value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.statistics.aggregates import difference_p_value
from vadose.statistics.distributions import t_quantile
from vadose.statistics.intervals import MINIMUM_DAYS, Pairing, status_of
from vadose.statistics.longrun import MODELS, Model
from vadose.statistics.metrics import Metric, evaluate
from vadose.statistics.status import CODE, Codes

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """Ours minus rival, all (series,).

    `value` and its limits are on the scale on which the test is made: Fisher z for correlations, log for `ubrmsd`,
    `rmse`, `nrmsd` and `std_ratio`, else the metric itself. `ours` and `rival` are on that scale, too; `back` turns a
    difference into one of the metric.
    """

    value: Floats
    ci_low: Floats
    ci_high: Floats
    p: Floats
    n: Floats
    n_eff: Floats
    variance: Floats
    status: Codes
    ours: Floats
    rival: Floats
    influence: Floats


def on_scale(metric: Metric, value: npt.ArrayLike) -> Floats:
    """A value on the scale of its interval."""
    values: Floats = np.asarray(value, np.result_type(np.float32, np.asarray(value).dtype))
    nearest = 1.0 - max(1e-12, float(np.finfo(values.dtype).eps))
    with np.errstate(divide="ignore", invalid="ignore"):
        if metric.scale == "fisher":
            return np.asarray(np.arctanh(np.clip(values, -nearest, nearest)))
        if metric.scale in ("log", "chi_square"):
            return np.asarray(np.log(np.where(values > 0, values, np.nan)))
    return values


def back(metric: Metric, middle: npt.ArrayLike, difference: npt.ArrayLike) -> Floats:
    """A difference on the scale as one of the metric itself, about the middle of the two; it keeps its sign."""
    middle, apart = np.asarray(middle, float), np.asarray(difference, float)
    if metric.scale == "fisher":
        return np.asarray(np.tanh(middle + apart / 2.0) - np.tanh(middle - apart / 2.0))
    if metric.scale in ("log", "chi_square"):
        return np.asarray(2.0 * np.exp(middle) * np.sinh(apart / 2.0))
    return apart


def difference(
    metric: Metric, ours: Pairing, rival: Pairing, model: Model = "tail_model", level: float = 0.95,
    minimum: int = MINIMUM_DAYS,
) -> Difference:  # fmt: skip
    """Difference of a metric between two products and the same reference.

    Parameters
    ----------
    metric
        One with an interval.
    ours, rival
        Pairings on the same days: missing where any of the three series is.
    model, level, minimum
        As in `Pairing.estimate`.

    Notes
    -----
    For `mse` this is the test of Diebold and Mariano 1995, doi 10.1080/07350015.1995.10524599.
    """
    psi = ours.influence(metric)
    psi -= rival.influence(metric)
    run = MODELS[model](psi, ours.gaps)
    n = ours.moments.n
    one, two = (on_scale(metric, evaluate(metric, pairing.moments)) for pairing in (ours, rival))
    apart = one - two
    enough = np.isfinite(apart) & (n >= minimum)
    # Twins have no difference and no variance of it: that is equality, not a lack of evidence.
    twins = enough & (apart == 0) & ~np.isfinite(run.variance)
    status = status_of(n, np.where(twins, n, run.n_eff), ~np.isfinite(apart), minimum)
    shown = (status == CODE["ok"]) | (status == CODE["short"])
    half = t_quantile(level, np.nan_to_num(run.dof, nan=1.0)) * np.sqrt(np.where(twins, 0.0, run.variance))
    p = np.where(twins, 1.0, difference_p_value(apart, run.variance, run.dof + 1.0))
    return Difference(
        value=np.where(enough, apart, np.nan),
        ci_low=np.where(shown, apart - half, np.nan),
        ci_high=np.where(shown, apart + half, np.nan),
        p=np.where(shown, p, np.nan),
        n=n, n_eff=run.n_eff, variance=run.variance, status=status, ours=one, rival=two, influence=psi,
    )  # fmt: skip
