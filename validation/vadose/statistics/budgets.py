"""Error budget of a product against a reference with error, and how well a station stands for its cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.statistics import kernels
from vadose.statistics.collocation import collocate
from vadose.statistics.design import Pairs, triple_design
from vadose.statistics.influence import Inference, log_signal_gradient
from vadose.statistics.longrun import MODELS, Gaps, Model
from vadose.statistics.status import Codes

Floats = npt.NDArray[np.float64]

_DECIBELS = 10.0 / np.log(10.0)


@dataclass(frozen=True)
class Budget:
    """Mean square error of a product against a reference, split with the help of a third data set, all (...).

    mse = bias2 + gain2 + product2 + reference2: squared bias; squared difference of the signal's standard deviation;
    error of the product after removing that of the reference; error and representativeness of the reference.
    Every part has `_low` and `_high`, and is NaN where the collocation has no value. m6 m-6 for soil moisture.
    """

    mse: Floats
    bias2: Floats
    bias2_low: Floats
    bias2_high: Floats
    gain2: Floats
    gain2_low: Floats
    gain2_high: Floats
    product2: Floats
    product2_low: Floats
    product2_high: Floats
    reference2: Floats
    reference2_low: Floats
    reference2_high: Floats
    status: Codes


def error_budget(
    series: npt.ArrayLike, dependent: Pairs = (), *, model: Model = "tail_model", level: float = 0.95
) -> Budget:
    """Split the mean square error of a product against a reference.

    Parameters
    ----------
    series
        Product, reference and a third data set of independent errors, (..., 3, time).
    dependent, model, level
        As in `collocate`.
    """
    values = np.asarray(series, float)
    found = collocate(values, dependent=dependent, model=model, level=level)
    shape, days = values.shape[:-2], values.shape[-1]
    cells = values.reshape(-1, 3, days)
    mask = np.isfinite(cells).all(axis=1)
    _, mean, C = kernels.joint_means(cells)
    difference = np.where(mask, cells[:, 0] - cells[:, 1], 0.0)
    bias = mean[:, 0] - mean[:, 1]
    gaps = Gaps.of(mask)
    inference = Inference(cells, mean, C, gaps, model, level)
    run = MODELS[model](np.where(mask, difference - bias[:, None], 0.0), gaps)
    signal = found.signal_std.reshape(-1, 3)
    gain = signal[:, 0] - signal[:, 1]
    design = triple_design()
    gradient = sum(
        sign * 0.5 * signal[:, i, None, None] * log_signal_gradient(C, design, i) for i, sign in ((0, 1.0), (1, -1.0))
    )
    halves = inference.half(run), inference.half(inference.run(np.asarray(gradient)))
    parts = {"mse": C[:, 0, 0] + C[:, 1, 1] - 2.0 * C[:, 0, 1] + bias**2}
    for name, value, half in (("bias2", bias, halves[0]), ("gain2", gain, halves[1])):
        parts |= dict(zip((name, f"{name}_low", f"{name}_high"), _squared(value, half), strict=True))
    for member, name in enumerate(("product2", "reference2")):
        for end in ("", "_low", "_high"):
            parts[name + end] = getattr(found, f"error_std{end}").reshape(-1, 3)[:, member] ** 2
    status = found.status.reshape(-1, 3)[:, :2]
    known = np.isfinite(parts["product2"]) & np.isfinite(parts["reference2"])
    worst = np.where(np.isfinite(parts["product2"]), status[:, 1], status[:, 0])
    return Budget(
        **{name: np.where(known | (name == "mse"), one, np.nan).reshape(shape) for name, one in parts.items()},
        status=worst.reshape(shape).astype(np.int8),
    )


def _squared(value: Floats, half: Floats) -> tuple[Floats, Floats, Floats]:
    """Square of a value and of the ends of its interval; the lower end is 0 where the interval holds 0."""
    ends = np.sort(np.stack([(value - half) ** 2, (value + half) ** 2]), axis=0)
    return value**2, np.where(np.abs(value) <= half, 0.0, ends[0]), ends[1]


# Lower ends of the signal-to-noise ratio in dB: a signal twice as strong as the error, and as strong as it.
REPRESENTATIVENESS: tuple[tuple[str, float], ...] = (
    ("good", _DECIBELS * np.log(2.0)),
    ("fair", 0.0),
    ("poor", -np.inf),
)


def representativeness(snr: npt.ArrayLike) -> npt.NDArray[np.str_]:
    """Class of a station from its signal-to-noise ratio in dB, of (station, model, satellite), same shape."""
    values = np.asarray(snr, float)
    conditions = [values >= limit for _, limit in REPRESENTATIVENESS]
    return np.select(conditions, [name for name, _ in REPRESENTATIVENESS], "unknown")
