"""Trial of the intervals: how often a nominal 95 % interval holds the truth on dependent series with gaps.

Every model of series has a reference P0 + w W0 and products c P0 + (1 - c^2)^(1/2) P_k + w W_k, with independent
stationary P, white W, and an annual cycle where the model has one, so that the true value of every metric is known.
The two products of a paired difference have errors that correlate by 0.6 and the same skill.

What falls short of the goal, and why, is said in `SHORT_OF_GOAL`. Two mends were tried on those rows (1,000 series of
730 days) and left out. Moving the interval of R by its estimated bias, half of log1p(V/S) of the standardised sum less
that of the difference of product and reference, V the variance of the mean and S that of a day, lowers coverage (.873
to .857, .898 to .858): the estimate is noisier than the bias; that of ubRMSD gains little (.875 to .889). The variance
of Fisher's z from the autocorrelations of that sum and difference, which show a slow part better than their squares do,
raises it (.873 to .892, .898 to .931), but is an upper bound only: where one of the two has no memory and the other a
long one, it is many times too large.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numba
import numpy as np
import numpy.typing as npt

from vadose.statistics.collocation import collocate
from vadose.statistics.differences import difference
from vadose.statistics.intervals import Pairing
from vadose.statistics.longrun import Model
from vadose.statistics.metrics import metric
from vadose.statistics.ranking import paired_ranks
from vadose.statistics.status import CODE

Floats = npt.NDArray[np.float64]
Gap = Callable[[np.random.Generator, int, int], npt.NDArray[np.bool_]]

CORRELATED_ERRORS = 0.6
COLLOCATION_ERROR = 0.6
LEVEL = 0.95
GOAL = (0.90, 0.97)
LEAST_EFFECTIVE = 30.0
SHORT_OF_GOAL = (
    "Four rows of two years lie below 90 %: R of both models of white noise on one slow signal, rho of one and ubRMSD "
    "of the other. The slow part has an autocorrelation of 0.97 from day to day, so that two years hold eleven "
    "independent pieces of it, and the white part hides it. A record that happens to hold little of it looks less "
    "variable than the process: its score comes out low and its interval short, both at once. So 82 to 100 % of the "
    "misses are intervals that lie too low, most of them where a record gives itself more than 30 independent "
    "days; of the others 95 % or more hold the truth. No formula sees from one record what it does not hold. From "
    "five years on no row of these models lies below."
)
_BURN_IN = 800
_BLOCK = 100


def _every_day(_: np.random.Generator, series: int, days: int) -> npt.NDArray[np.bool_]:
    return np.ones((series, days), bool)


def _swath_and_winter(_: np.random.Generator, series: int, days: int) -> npt.NDArray[np.bool_]:
    """Every third day, none in the first three months of a year."""
    day = np.arange(days)
    return np.broadcast_to((day % 3 == 0) & (day % 365 > 90), (series, days))


def _half_of_the_days(generator: np.random.Generator, series: int, days: int) -> npt.NDArray[np.bool_]:
    return np.asarray(generator.random((series, days)) < 0.5)


@dataclass(frozen=True)
class SeriesModel:
    """How series of the trial are made.

    Attributes
    ----------
    name
        Words for a table.
    coefficients
        Of the autoregression P, first lag first.
    white
        Variance of W; that of P is 1.
    shared
        c: correlation of product and reference without W.
    cycle
        Amplitude of the annual cycle in product and reference.
    days_with_value
        Which days of the product exist.
    """

    name: str
    coefficients: tuple[float, ...]
    white: float = 0.0
    shared: float = 0.7
    cycle: tuple[float, float] = (0.0, 0.0)
    days_with_value: Gap = _every_day


SERIES: tuple[SeriesModel, ...] = (
    SeriesModel("white noise", ()),
    SeriesModel("AR(1) 0.8", (0.8,)),
    SeriesModel("AR(1) 0.9", (0.9,)),
    SeriesModel("AR(1) 0.97", (0.97,)),
    SeriesModel("AR(2) 1.6, -0.63", (1.6, -0.63)),
    SeriesModel("white noise on a slow signal", (0.97,), white=0.5),
    SeriesModel("as much white noise on a slow signal", (0.97,), white=1.0),
    SeriesModel("white noise on one slow truth", (0.97,), white=0.5, shared=1.0),
    SeriesModel("annual cycle in both, AR(1) 0.8", (0.8,), cycle=(1.0, 1.0)),
    SeriesModel("annual cycle in the difference, AR(1) 0.8", (0.8,), cycle=(1.0, 0.0)),
    SeriesModel("AR(1) 0.9, half of the days", (0.9,), days_with_value=_half_of_the_days),
    SeriesModel("AR(1) 0.97, swath and winter gaps", (0.97,), days_with_value=_swath_and_winter),
    SeriesModel("white noise on a slow signal, half of the days", (0.97,), white=0.5,
                days_with_value=_half_of_the_days),
)  # fmt: skip

METRICS_TRIED: tuple[str, ...] = (
    "r", "bias", "ubrmsd", "rho", "collocation error", "difference of r", "difference of ubrmsd", "difference of mse",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Coverage of one metric on one model of series.

    `coverage` counts all series with a value, `coverage_ok` those with status ok; `textbook` is that of the formula
    for independent days. `n_eff` is the median; the goal applies from 30.
    """

    series_model: str
    days: int
    metric: str
    interval: str
    trials: int
    coverage: float
    coverage_ok: float
    textbook: float
    standard_error: float
    n_eff: float
    share_ok: float
    goal_applies: bool
    met: bool


@dataclass(frozen=True)
class Sample:
    """Product, rival and reference (series, days), data sets for collocation (series, 3, days), and the truth."""

    x: Floats
    rival: Floats
    r: Floats
    sets: Floats
    truth: dict[str, float]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _autoregression(noise: Floats, coefficients: Floats) -> Floats:
    out = noise.copy()
    for s in range(out.shape[0]):
        for t in range(1, out.shape[1]):
            for lag in range(min(coefficients.size, t)):
                out[s, t] += coefficients[lag] * out[s, t - 1 - lag]
    return out


def _stationary(generator: np.random.Generator, model: SeriesModel, series: int, days: int) -> Floats:
    """Unit variance, (series, days)."""
    coefficients = np.asarray(model.coefficients, float)
    noise = generator.standard_normal((series, days + _BURN_IN))
    impulse = _autoregression(np.eye(1, 6000), coefficients)
    return np.asarray(_autoregression(noise, coefficients)[:, _BURN_IN:] / np.sqrt((impulse**2).sum()))


def sample(model: SeriesModel, series: int, days: int, generator: np.random.Generator) -> Sample:
    """Series of a model."""
    slow = [_stationary(generator, model, series, days) for _ in range(6)]
    white = [np.sqrt(model.white) * generator.standard_normal((series, days)) for _ in range(6)]
    cycle = np.cos(2.0 * np.pi * np.arange(days) / 365.25)
    c, rest = model.shared, np.sqrt(1.0 - model.shared**2)
    mixed = [CORRELATED_ERRORS * one[1] + np.sqrt(1.0 - CORRELATED_ERRORS**2) * one[2] for one in (slow, white)]
    in_x, in_r = model.cycle
    r = slow[0] + white[0] + in_r * cycle
    x = c * slow[0] + rest * slow[1] + white[1] + in_x * cycle
    rival = c * slow[0] + rest * mixed[0] + mixed[1] + in_x * cycle
    # The error of a data set is white where the model has white noise, else as persistent as the signal.
    error = [one / np.sqrt(model.white) if model.white else two for one, two in zip(white[3:], slow[3:], strict=True)]
    sets = np.stack([slow[0] + in_r * cycle + COLLOCATION_ERROR * one for one in error], axis=1)
    valid = model.days_with_value(generator, series, days)
    sets[:, 0] = np.where(valid, sets[:, 0], np.nan)
    return Sample(np.where(valid, x, np.nan), np.where(valid, rival, np.nan), r, sets, _truth(model, cycle))


def _truth(model: SeriesModel, cycle: Floats) -> dict[str, float]:
    in_x, in_r = model.cycle
    v, w, c = float(cycle.var()), model.white, model.shared
    r = (c + in_x * in_r * v) / np.sqrt((1.0 + w + in_x**2 * v) * (1.0 + w + in_r**2 * v))
    error = (1.0 - c) ** 2 + 1.0 - c**2 + 2.0 * w + (in_x - in_r) ** 2 * v
    truth = {"r": r, "bias": (in_x - in_r) * float(cycle.mean()), "ubrmsd": float(np.sqrt(error))}
    if not any(model.cycle):
        truth["rho"] = 6.0 / np.pi * float(np.arcsin(r / 2.0))
    return truth


@dataclass(frozen=True)
class _Tried:
    """Whether the interval holds the truth, whether there is one, n_eff, and whether its status is ok, (series,)."""

    holds: npt.NDArray[np.bool_]
    given: npt.NDArray[np.bool_]
    n_eff: Floats
    ok: npt.NDArray[np.bool_]


def _tried(low: Floats, high: Floats, truth: float, n_eff: Floats, status: npt.NDArray[np.int8]) -> _Tried:
    given = np.isfinite(low) & np.isfinite(high)
    return _Tried((low <= truth) & (truth <= high) & given, given, n_eff, given & (status == CODE["ok"]))


def _try(name: str, made: Sample, model: Model) -> _Tried | None:
    if name == "collocation error":
        found = collocate(made.sets, model=model, level=LEVEL)
        return _tried(found.error_std_low[:, 0], found.error_std_high[:, 0], COLLOCATION_ERROR, found.n_eff[:, 0],
                      found.status[:, 0])  # fmt: skip
    if name.startswith("difference of "):
        one = metric(name.removeprefix("difference of "))
        ours, rival = Pairing.of(made.x, made.r), Pairing.of(made.rival, made.r)
        apart = difference(one, ours, rival, model=model, level=LEVEL)
        return _tried(apart.ci_low, apart.ci_high, 0.0, apart.n_eff, apart.status)
    if name not in made.truth:
        return None
    x, r = made.x, made.r
    if name == "rho":
        x, r = (np.asarray(one, np.float64) for one in paired_ranks(x, r))
    estimate = Pairing.of(x, r).estimate(metric("r" if name == "rho" else name), model, LEVEL)
    return _tried(estimate.ci_low, estimate.ci_high, made.truth[name], estimate.n_eff, estimate.status)


def coverage_rows(
    trials: int = 1000, days: Sequence[int] = (730, 1825, 3650), models: Sequence[SeriesModel] = SERIES,
    metrics: Sequence[str] = METRICS_TRIED, intervals: Sequence[Model] = ("tail_model",), seed: int = 0,
) -> Iterator[Row]:  # fmt: skip
    """Run the trial.

    Parameters
    ----------
    trials
        Series of each model.
    days
        Lengths of the series.
    models, metrics, intervals
        What is tried.
    seed
        The same rows come for the same seed.

    Yields
    ------
    Row
        One for each model of series, length, metric and interval that has a known truth.
    """
    for position, model in enumerate(models):
        for length in days:
            yield from _rows(model, position, length, trials, metrics, intervals, seed)


def _rows(
    model: SeriesModel, position: int, days: int, trials: int, metrics: Sequence[str], intervals: Sequence[Model],
    seed: int,
) -> Iterator[Row]:  # fmt: skip
    wanted: tuple[Model, ...] = tuple(dict.fromkeys((*intervals, "iid")))
    found: dict[tuple[str, Model], list[_Tried]] = {}
    for block, start in enumerate(range(0, trials, _BLOCK)):
        generator = np.random.default_rng([seed, position, days, block])
        made = sample(model, min(_BLOCK, trials - start), days, generator)
        for name in metrics:
            for interval in wanted:
                tried = _try(name, made, interval)
                if tried is not None:
                    found.setdefault((name, interval), []).append(tried)
    for name in metrics:
        for interval in intervals:
            if (name, interval) in found:
                yield _row(model, days, name, interval, found[name, interval], found[name, "iid"])


def _row(
    model: SeriesModel, days: int, name: str, interval: str, ours: list[_Tried], naive: list[_Tried]
) -> Row:  # fmt: skip
    holds, given, n_eff, ok = (np.concatenate([getattr(one, part) for one in ours]) for part in asdict(ours[0]))
    coverage = float(holds[given].mean()) if given.any() else float("nan")
    count = max(int(given.sum()), 1)
    error = float(np.sqrt(max(coverage * (1.0 - coverage), 0.25 / count) / count))
    middle = float(np.nanmedian(n_eff)) if np.isfinite(n_eff).any() else float("nan")
    textbook_given = np.concatenate([one.given for one in naive])
    textbook = np.concatenate([one.holds for one in naive])[textbook_given]
    return Row(
        series_model=model.name, days=days, metric=name, interval=interval, trials=len(given), coverage=coverage,
        coverage_ok=float(holds[ok].mean()) if ok.any() else float("nan"),
        textbook=float(textbook.mean()) if textbook.size else float("nan"), standard_error=error, n_eff=middle,
        share_ok=float(ok.mean()), goal_applies=middle >= LEAST_EFFECTIVE,
        met=bool(GOAL[0] <= coverage <= GOAL[1]),
    )  # fmt: skip
