"""Curves of a run against counts and means made a second way."""

import numpy as np

from vadose.validation.diagnostics import DENSITY_BINS, LARGEST_MOISTURE, Drawn

DAYS = np.datetime64("2015-01-01", "D") + np.arange(730)


def drawn() -> tuple[Drawn, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    month = DAYS.astype("datetime64[M]").astype(int) % 12
    r = 0.05 + 0.03 * month + 0.01 * rng.random((6, DAYS.size))
    x = np.where(rng.random(r.shape) < 0.3, np.nan, 0.5 * r)
    return Drawn.of({"ours": x}, r, "reference", DAYS), x, r


def test_a_seasonal_cycle_stands_on_the_number_of_its_month() -> None:
    found, x, r = drawn()
    curves = found.curves("stations")
    cycle = curves[curves["figure"].eq("seasonal_cycle") & curves["series"].eq("reference")]
    assert cycle["x"].tolist() == list(range(1, 13))
    march = DAYS.astype("datetime64[M]").astype(int) % 12 == 2
    means = np.array([r[k, march & np.isfinite(x[k])].mean() for k in range(6)])
    row = cycle[cycle["x"].eq(3)].iloc[0]
    np.testing.assert_allclose([row["y"], row["low"]], [means.mean(), np.quantile(means, 0.25)], rtol=1e-9)


def test_a_density_counts_the_days_of_each_bin() -> None:
    found, x, r = drawn()
    both = np.isfinite(x)
    edges = np.linspace(0.0, LARGEST_MOISTURE, DENSITY_BINS + 1)
    np.testing.assert_array_equal(found.density["ours"], np.histogram2d(r[both], x[both], bins=(edges, edges))[0])
    curves = found.curves("stations")
    density = curves[curves["figure"].eq("scatter_density")]
    assert density["low"].sum() == both.sum()
    assert density["x"].max() > 2 * density["y"].max() - 0.03
