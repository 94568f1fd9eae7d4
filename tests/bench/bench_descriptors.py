"""The 31 temporal descriptors of series of 365 days, against tsfresh on the same numbers, one process and thread each.

tsfresh has 22 of them; the other nine are given to it as calculators of one's own, as its manual describes. A second
row asks it for its own 22 only, while ours still computes all. It takes fewer series, since its time grows with them.
"""

import itertools
import warnings

import numpy as np
import pytest

from vadose.producer.features.descriptors import descriptors

SERIES, DAYS = 10_000, 365
ITS_SERIES = {True: 150, False: 1500}
OWN = (
    "mean", "median", "standard_deviation", "variance", "variation_coefficient", "root_mean_square", "minimum",
    "maximum", "skewness", "kurtosis", "mean_change", "mean_abs_change", "mean_second_derivative_central", "abs_energy",
    "sum_values", "absolute_sum_of_changes", "count_above_mean", "count_below_mean",
)  # fmt: skip
QUARTILES = {"quantile": [{"q": 0.25}, {"q": 0.75}], "autocorrelation": [{"lag": 1}]}


def segments(x: np.ndarray) -> float:
    parts = x[: x.size // 30 * 30].reshape(-1, 30)
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in itertools.pairwise(parts)]))


def peaks(x: np.ndarray) -> float:
    inner = (x[1:-1] > x[:-2]) & (x[1:-1] > x[2:])
    return float(np.diff(np.flatnonzero(inner)).mean())


CALCULATORS = {
    "whm": lambda x: x.size / np.sum(1 / x),
    "wgm": lambda x: np.exp(np.mean(np.log(x))),
    "wpm": lambda x: np.mean(x**3) ** (1 / 3),
    "mad": lambda x: np.mean(np.abs(x - x.mean())),
    "mead": lambda x: np.median(np.abs(x - np.median(x))),
    "meddiff": lambda x: np.median(np.diff(x)),
    "measd": lambda x: np.median(np.abs(np.diff(x))),
    "segcorr": segments,
    "p2p": peaks,
}


def years(count: int) -> np.ndarray:
    """Soil moisture with weather that lasts some days, (series, day)."""
    rng = np.random.default_rng(0)
    weather = rng.standard_normal((count, DAYS)).astype(np.float32)
    for day in range(1, DAYS):
        weather[:, day] = 0.87 * weather[:, day - 1] + 0.5 * weather[:, day]
    return np.clip(0.25 + 0.04 * weather, 0.02, 0.6)


def theirs(values: np.ndarray, *, entropy: bool, all_of_them: bool) -> object:
    """A call that makes tsfresh compute the descriptors."""
    pandas = pytest.importorskip("pandas")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tsfresh = pytest.importorskip("tsfresh")
        from tsfresh.feature_extraction import feature_calculators
    wanted: dict[str, object] = {**dict.fromkeys(OWN), **QUARTILES, **({"sample_entropy": None} if entropy else {})}
    if all_of_them:
        for name, function in CALCULATORS.items():
            function.__name__, function.fctype = name, "simple"
            setattr(feature_calculators, name, function)
            wanted[name] = None
    count = len(values)
    table = pandas.DataFrame({
        "id": np.repeat(np.arange(count), DAYS), "day": np.tile(np.arange(DAYS), count), "x": values.ravel(),
    })  # fmt: skip

    def compute() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = tsfresh.extract_features(table, column_id="id", column_sort="day", n_jobs=0,
                                             default_fc_parameters=wanted, disable_progressbar=True)  # fmt: skip
        assert found.shape == (count, 21 + entropy + 9 * all_of_them)

    return compute


@pytest.mark.parametrize("entropy", [True, False], ids=["entropy", "plain"])
@pytest.mark.parametrize("role", ["ours", "tsfresh", "tsfresh's own 22"])
def bench_descriptors(benchmark, role: str, entropy: bool) -> None:
    """Years of daily values without gaps, single precision."""
    benchmark.group = "temporal descriptors" if entropy else "temporal descriptors, no sample entropy"
    ours = role == "ours"
    count = SERIES if ours else ITS_SERIES[entropy]
    values = years(count)
    if ours:
        function = lambda: descriptors(values, entropy=entropy)  # noqa: E731
    else:
        function = theirs(values.astype(np.float64), entropy=entropy, all_of_them=role == "tsfresh")
    benchmark.extra_info.update({"role": role, "work": count, "unit": "series"})
    benchmark.pedantic(function, rounds=7 if ours else 2, iterations=1, warmup_rounds=1)
