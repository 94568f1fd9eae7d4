"""Speed of simple kriging against scikit-learn's Gaussian process of the same covariance; one thread."""

import numpy as np
import pytest

from vadose.producer.methods.kriging import point_weights, scattered
from vadose.producer.methods.variogram import EARTH_KM, Variogram, unit_vectors

SIDE, FINE, DAYS, SAMPLE = 36, 1000, 30, 20_000
MODEL = Variogram(1e-5, 4e-4, 300.0)
PER_DAY, AT_ONCE = "scikit-learn Gaussian process", "scikit-learn with all days at once"


def places() -> tuple[np.ndarray, ...]:
    """36 x 36 points of 0.36 degree and 1000 x 1000 cells between them: lat, lon, lat, lon."""
    step = 0.36 * np.arange(SIDE)
    fine = np.linspace(0.0, step[-1], FINE)
    lat, to_lat = np.repeat(30.0 - step, SIDE), np.repeat(30.0 - fine, FINE)
    return lat, np.tile(97.0 + step, SIDE), to_lat, np.tile(97.0 + fine, FINE)


def ours(data: np.ndarray) -> np.ndarray:
    """Neighbours and weights once, then all days with them."""
    lat, lon, to_lat, to_lon = places()
    return point_weights(lat, lon, scattered(lat, lon, to_lat, to_lon), MODEL).apply(data)


def gaussian_process(data: np.ndarray):
    """The rival, fitted; an exponential covariance is its Matern kernel of order one half."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    lat, lon, _, _ = places()
    kernel = ConstantKernel(MODEL.sill, "fixed") * Matern(MODEL.range_km / 3.0, "fixed", nu=0.5)
    kernel += WhiteKernel(MODEL.nugget, "fixed")
    return GaussianProcessRegressor(kernel, optimizer=None).fit(EARTH_KM * unit_vectors(lat, lon), data.T)


@pytest.mark.parametrize("role", ["ours", PER_DAY, AT_ONCE])
def bench_kriging(benchmark, role: str) -> None:
    from threadpoolctl import threadpool_limits

    pytest.importorskip("sklearn")
    data = np.random.default_rng(0).normal(0.0, 0.02, (DAYS, SIDE * SIDE))
    days = 1 if role == PER_DAY else DAYS
    rival = gaussian_process(data[:days])
    cells = EARTH_KM * unit_vectors(*(part[:SAMPLE] for part in places()[2:]))
    benchmark.group = "kriging"
    benchmark.extra_info.update({"role": role, "unit": "cell-days", "work": FINE * FINE * DAYS, "note": ""})
    if role != "ours":
        note = f"{SAMPLE:,} of the cells, scaled; its fit not counted"
        benchmark.extra_info.update({"work": SAMPLE * days, "note": note})
    with threadpool_limits(1):
        # 32 neighbours see almost all that the rival's 1,296 see.
        expected = rival.predict(cells).reshape(SAMPLE, days).T
        assert np.abs(ours(data[:days])[:, :SAMPLE] - expected).max() < 1e-3
        run = (lambda: ours(data)) if role == "ours" else (lambda: rival.predict(cells))
        benchmark.pedantic(run, rounds=3, iterations=1, warmup_rounds=1)
