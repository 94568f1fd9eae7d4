"""Speed of the statistics as ratios to pytesmo and to one read of the data; one thread, data in memory, medians.

The rival is measured on a sample of the series and scaled by the work it did.
"""

import warnings

import numba
import numpy as np
import pytest

from vadose.statistics import METRICS, Pairing, bootstrap, evaluate, metric, moments, paired_ranks, scale, triple

DAYS = 2500
GAPS = 0.3
SMALL, LARGE = 1_000, 100_000
SAMPLE = 200
FEW = 20
DRAWS = 1000
UNIT = "series"

# pytesmo's functions for the metrics of our table; the others of the table have no counterpart there.
LOOP = (
    "bias",
    "aad",
    "rmsd",
    "ubrmsd",
    "nrmsd",
    "mse",
    "mse_bias",
    "mse_var",
    "mse_corr",
    "pearson_r",
    "nash_sutcliffe",
)


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three gappy series of each of 1,000 cells, float32."""
    rng = np.random.default_rng(0)
    truth = rng.normal(0.25, 0.06, (SMALL, DAYS))
    sets = [(truth + rng.normal(0.0, 0.03, truth.shape)).astype(np.float32) for _ in range(3)]
    for one in sets[:2]:
        one[rng.random(one.shape, dtype=np.float32) < GAPS / 2] = np.nan
    return tuple(sets)


@pytest.fixture(scope="module")
def large(data) -> tuple[np.ndarray, np.ndarray]:
    """Two times 100,000 series, 2 GB; a speed does not depend on the values."""
    return tuple(np.tile(one, (LARGE // SMALL, 1)) for one in data[:2])


@pytest.fixture(scope="module")
def pm():
    return pytest.importorskip("pytesmo.metrics")


def measure(benchmark, group: str, role: str, work: float, function, rounds: int = 5, note: str = "") -> None:
    benchmark.group = group
    benchmark.extra_info.update({"role": role, "work": work, "unit": UNIT, "note": note})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        benchmark.pedantic(function, rounds=rounds, iterations=1, warmup_rounds=1)


def every_metric(x: np.ndarray, r: np.ndarray) -> list[np.ndarray]:
    m = moments(x, r)
    return [evaluate(one, m) for one in METRICS]


@numba.njit(fastmath={"reassoc", "contract"})
def one_read(x, r):
    """Sum of all values: what a memory bus allows."""
    out = np.empty(x.shape[0], np.float32)
    for s in range(x.shape[0]):
        total = np.float32(0.0)
        for t in range(x.shape[1]):
            total += x[s, t] + r[s, t]
        out[s] = total
    return out


def common(*series: np.ndarray) -> list[np.ndarray]:
    keep = np.isfinite(series[0])
    for one in series[1:]:
        keep &= np.isfinite(one)
    return [one[keep] for one in series]


def loop_over(pm, names: tuple[str, ...], x: np.ndarray, r: np.ndarray) -> None:
    functions = [getattr(pm, name) for name in names]
    for s in range(SAMPLE):
        one, two = common(x[s], r[s])
        for function in functions:
            function(one, two)


SCALED = f"measured on {SAMPLE} of the series and scaled"


@pytest.mark.parametrize("role", ["ours", "loop over pytesmo"])
def bench_pairwise_small(benchmark, data, pm, role: str) -> None:
    x, r, _ = data
    if role == "ours":
        measure(benchmark, "pairwise metrics, 1,000 series", role, SMALL, lambda: every_metric(x, r), rounds=15)
    else:
        measure(
            benchmark, "pairwise metrics, 1,000 series", role, SAMPLE, lambda: loop_over(pm, LOOP, x, r), note=SCALED
        )


@pytest.mark.parametrize("role", ["ours", "loop over pytesmo"])
def bench_pairwise_large(benchmark, large, pm, role: str) -> None:
    group = "pairwise metrics, 100,000 series"
    if role == "ours":
        measure(benchmark, group, role, LARGE, lambda: every_metric(*large))
    else:
        measure(benchmark, group, role, SAMPLE, lambda: loop_over(pm, LOOP, *large), note=SCALED)


@pytest.mark.parametrize("role", ["ours", "one read of the data"])
def bench_moments(benchmark, large, role: str) -> None:
    function = moments if role == "ours" else one_read
    measure(benchmark, "moments of pairs, 100,000 series", role, LARGE, lambda: function(*large))


@pytest.mark.parametrize("role", ["ours", "loop over pytesmo"])
def bench_spearman(benchmark, data, pm, role: str) -> None:
    x, r, _ = data
    if role == "ours":
        function = lambda: evaluate(metric("r"), moments(*paired_ranks(x, r)))  # noqa: E731
        measure(benchmark, "Spearman", role, SMALL, function)
    else:
        measure(benchmark, "Spearman", role, SAMPLE, lambda: loop_over(pm, ("spearman_r",), x, r), note=SCALED)


@pytest.mark.parametrize("role", ["ours", "loop over pytesmo"])
def bench_triple_collocation(benchmark, data, pm, role: str) -> None:
    if role == "ours":
        measure(benchmark, "triple collocation", role, SMALL, lambda: triple(*data, intervals=False), rounds=15)
    else:
        rows = range(SAMPLE)
        function = lambda: [pm.tcol_metrics(*common(*(one[s] for one in data))) for s in rows]  # noqa: E731
        measure(benchmark, "triple collocation", role, SAMPLE, function, note=SCALED)


@pytest.mark.filterwarnings("ignore:The bins have been resized")
@pytest.mark.parametrize("role", ["ours", "loop over pytesmo"])
def bench_cdf_matching(benchmark, data, role: str) -> None:
    matching = pytest.importorskip("pytesmo.cdf_matching")
    x, r, _ = data

    def theirs(s: int) -> np.ndarray:
        one, two = common(x[s], r[s])
        return matching.CDFMatching(nbins=100, minobs=20).fit(one, two).predict(x[s])

    if role == "ours":
        scaled, _ = scale("cdf", x[:FEW], r[:FEW])
        for s in range(FEW):
            low, high = np.nanquantile(x[s], [0.02, 0.98])
            inner = (x[s] > low) & (x[s] < high) & np.isfinite(r[s])
            np.testing.assert_allclose(scaled[s][inner], theirs(s)[inner], atol=1e-6)
        measure(benchmark, "CDF matching", role, SMALL, lambda: scale("cdf", x, r))
    else:
        measure(benchmark, "CDF matching", role, SAMPLE, lambda: [theirs(s) for s in range(SAMPLE)], note=SCALED)


@pytest.mark.parametrize("role", ["ours", "pytesmo pearson_r", "pytesmo ubrmsd"])
def bench_bootstrap(benchmark, data, pm, role: str) -> None:
    """Ours: 1,000 block-bootstrap draws of all metrics with intervals; theirs: 1,000 draws of one."""
    x, r, _ = data
    group = "bootstrap of 1,000 draws"
    if role == "ours":
        bootstrap(Pairing.of(x[:1], r[:1]), mean_length=20)
        block = slice(0, SAMPLE)
        measure(benchmark, group, role, SAMPLE, lambda: bootstrap(Pairing.of(x[block], r[block]), mean_length=20))
        return
    function = getattr(pm, role.split()[1])
    pairs = [common(x[s], r[s]) for s in range(3)]
    drawn = lambda: [pm.with_bootstrapped_ci(function, *pair, nsamples=DRAWS) for pair in pairs]  # noqa: E731
    measure(benchmark, group, role, len(pairs), drawn, rounds=3, note="measured on 3 of the series and scaled")
