"""Agreement with pytesmo, xskillscore-like formulas apart, and its known defects at the version they were found in."""

import importlib.metadata

import numpy as np
import pandas as pd
import pytest

from vadose.statistics import (
    Pairing,
    anomaly_35d,
    anomaly_climatology,
    evaluate,
    kendall,
    metric,
    moments,
    spearman,
    triple,
)

pm = pytest.importorskip("pytesmo.metrics")

DEFECTS_OF = "0.18.1"
only_pinned = pytest.mark.skipif(
    importlib.metadata.version("pytesmo") != DEFECTS_OF, reason=f"defects were found in pytesmo {DEFECTS_OF}"
)
# Their functions warn of constant input and of settings that they call deprecated themselves.
pytestmark = pytest.mark.filterwarnings("ignore")

OURS = {
    "bias": "bias", "rmse": "rmsd", "ubrmsd": "ubrmsd", "mse": "mse", "mse_bias": "mse_bias",
    "mse_variance": "mse_var", "mse_correlation": "mse_corr", "r": "pearson_r", "r2_explained": "nash_sutcliffe",
    "mae": "aad",
}  # fmt: skip


def random_pairs(kind: str, count: int = 200, days: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(len(kind))
    r = 0.25 + 0.05 * np.cumsum(rng.standard_normal((count, days)), axis=1) / 10
    x = 0.03 + 0.8 * r + 0.02 * rng.standard_normal(r.shape)
    if kind == "gappy":
        x[rng.random(x.shape) < 0.3] = np.nan
        r[rng.random(x.shape) < 0.3] = np.nan
    elif kind == "tied":
        x, r = np.round(x, 2), np.round(r, 2)
    elif kind == "constant product":
        x[:] = 0.25
    elif kind == "constant reference":
        r[:] = 0.25
    return x, r


def theirs(name: str, x: np.ndarray, r: np.ndarray) -> np.ndarray:
    function = getattr(pm, name)
    out = np.full(len(x), np.nan)
    for s in range(len(x)):
        keep = np.isfinite(x[s]) & np.isfinite(r[s])
        found = function(x[s, keep], r[s, keep])
        out[s] = found[0] if isinstance(found, tuple) else found
    return out


KINDS = ("random", "gappy", "tied", "constant product", "constant reference")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize(("precision", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-6)])
def test_metrics_equal_pytesmo(name: str, kind: str, precision: type, tolerance: float) -> None:
    x, r = random_pairs(kind)
    found = evaluate(metric(name), moments(x.astype(precision), r.astype(precision)))
    if (name == "r" and "constant" in kind) or (name == "r2_explained" and kind == "constant reference"):
        assert np.isnan(found).all()
        return
    # float32 is compared with the same rounded values, in double precision.
    rounded = [one.astype(precision).astype(float) for one in (x, r)]
    if name == "r2_explained":
        # The observation comes first there.
        rounded.reverse()
    if name == "mse" and "constant" in kind:
        # Their decomposition needs a correlation; the mean square does not.
        book = theirs("rmsd", *rounded) ** 2
    else:
        book = theirs(OURS[name], *rounded)
    np.testing.assert_allclose(found, book, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", ["random", "gappy", "tied"])
def test_rank_correlations_equal_pytesmo(kind: str) -> None:
    x, r = random_pairs(kind, count=40)
    np.testing.assert_allclose(spearman(x, r).value, theirs("spearman_r", x, r), atol=1e-10)
    np.testing.assert_allclose(kendall(x, r).value, theirs("kendall_tau", x, r), atol=1e-10)


@pytest.mark.parametrize(("name", "their"), [("bias", "bias"), ("ubrmsd", "ubrmsd"), ("r", "pearson_r")])
def test_intervals_for_independent_days_equal_the_analytical_ones(name: str, their: str) -> None:
    rng = np.random.default_rng(3)
    r = rng.standard_normal((20, 500))
    x = 0.6 * r + 0.8 * rng.standard_normal(r.shape)
    found = Pairing.of(x, r).estimate(metric(name), "iid")
    for s in range(20):
        _, low, high = pm.with_analytical_ci(getattr(pm, their), x[s], r[s])
        width = high - low
        assert (found.ci_low[s], found.ci_high[s]) == pytest.approx((low, high), abs=0.14 * width)


def test_the_moving_anomaly_equals_pytesmo() -> None:
    anomaly = pytest.importorskip("pytesmo.time_series.anomaly")
    pandas = pytest.importorskip("pandas")
    x, _ = random_pairs("gappy", count=3, days=400)
    days = pandas.date_range("2015-01-01", periods=400)
    for s in range(3):
        book = anomaly.calc_anomaly(pandas.Series(x[s], days), window_size=35)
        found = anomaly_35d(x, minimum=1)[s]
        both = np.isfinite(book.to_numpy()) & np.isfinite(found)
        assert both.sum() > 200
        np.testing.assert_allclose(found[both], book.to_numpy()[both], atol=1e-6)


@only_pinned
def test_defect_their_collocation_gives_nan_or_a_number_where_the_model_fails() -> None:
    rng = np.random.default_rng(4)
    truth = rng.standard_normal(1000)
    y, z = truth + 0.4 * rng.standard_normal((2, 1000))
    x = (y + z) / 2
    snr, error, _ = pm.tcol_metrics(x, y, z)
    found = triple(x, y, z)
    assert np.isnan(error[0])
    assert np.isfinite(snr[0])
    assert np.isnan(found.snr[0])
    assert found.error_variance_unchecked[0] < 0


@only_pinned
def test_defect_their_linear_scaling_ignores_the_sign() -> None:
    scaling = pytest.importorskip("pytesmo.scaling")
    r = np.random.default_rng(5).uniform(0.1, 0.4, 500)
    x = 0.6 - r
    assert abs(scaling.linreg(x, r).mean() - r.mean()) > 0.05


@only_pinned
def test_defect_their_bias_corrected_bootstrap_is_too_narrow_a_quantile() -> None:
    intervals = pytest.importorskip("pytesmo.metrics.confidence_intervals")
    rng = np.random.default_rng(6)
    drawn, jackknife = rng.standard_normal(20_000), rng.standard_normal(200)
    low, high = intervals._BCa_bs_ci(drawn, 0.0, 0.05, jackknife)
    assert np.mean((drawn > low) & (drawn < high)) < 0.93


@only_pinned
def test_defect_their_bootstrap_has_no_seed_and_no_blocks() -> None:
    rng = np.random.default_rng(7)
    slow = np.cumsum(rng.standard_normal(400)) / 10
    x, r = slow + 0.1 * rng.standard_normal((2, 400))
    widths = [np.ptp(pm.with_bootstrapped_ci(pm.bias, x, r, nsamples=200)[1:]) for _ in range(2)]
    assert widths[0] != widths[1]


DAYS = pd.date_range("2015-01-01", periods=300)


def test_their_framework_agrees_in_single_precision_but_for_the_sign_of_the_bias() -> None:
    calculators = pytest.importorskip("pytesmo.validation_framework.metric_calculators")
    names = {"bias": "BIAS", "rmse": "RMSD", "ubrmsd": "urmsd", "mse": "mse", "mse_bias": "mse_bias",
             "mse_variance": "mse_var", "mse_correlation": "mse_corr", "r": "R"}  # fmt: skip
    calculator = calculators.PairwiseIntercomparisonMetrics(calc_kendall=False, analytical_cis=False)
    x, r = (one.astype(np.float32) for one in random_pairs("random", count=5))
    for s in range(5):
        book = calculator.calc_metrics(pd.DataFrame({"ref": r[s], "k1": x[s]}, DAYS), (0, 0.0, 0.0))
        assert spearman(x[s : s + 1], r[s : s + 1]).value == pytest.approx(book["rho"], abs=1e-6)
        for ours, their in names.items():
            found = evaluate(metric(ours), moments(x[s : s + 1], r[s : s + 1]))
            assert found == pytest.approx(-book[their] if ours == "bias" else book[their], abs=1e-6), ours


def test_the_climatology_equals_that_of_pytesmo_a_window_away_from_the_leap_day() -> None:
    anomaly = pytest.importorskip("pytesmo.time_series.anomaly")
    days = pd.date_range("2013-01-01", "2018-12-31")
    values = np.random.default_rng(8).random(days.size)
    # Ours counts the leap day as the day before, theirs gives it a place of its own.
    values[(days.month == 2) & (days.day == 29)] = np.nan
    book = anomaly.calc_climatology(pd.Series(values, days), moving_avg_orig=1, moving_avg_clim=31, fillna=False)
    found, _ = anomaly_climatology(values, days.values.astype("datetime64[D]"))
    normal = days.year == 2017
    far = np.abs(np.arange(365) - 59) > 16
    np.testing.assert_allclose((values - found)[normal][far], np.delete(book.to_numpy(), 59)[far], rtol=1e-12)


class Reader:
    """One series of their framework at one place."""

    def __init__(self, values: np.ndarray):
        self.grid = pytest.importorskip("pygeogrids.grids").BasicGrid([0.0], [0.0])
        self.values = values

    def read(self, *_: object) -> pd.DataFrame:
        return pd.DataFrame({"sm": self.values}, DAYS)


def validation(masked: np.ndarray | None = None, fails: bool = False) -> dict[object, dict[str, np.ndarray]]:
    """What their framework finds at the place; `fails` raises a planted error."""
    framework, matching, calculators = (
        pytest.importorskip(f"pytesmo.validation_framework.{name}")
        for name in ("validation", "temporal_matchers", "metric_calculators")
    )

    def planted(*_: object, **__: object) -> None:
        raise ZeroDivisionError("planted")

    calculator = calculators.PairwiseIntercomparisonMetrics(calc_kendall=False)
    x, r = random_pairs("random", count=1)
    return framework.Validation(
        {"r": {"class": Reader(r[0]), "columns": ["sm"]}, "x": {"class": Reader(x[0]), "columns": ["sm"]}}, "r",
        metrics_calculators={(2, 2): planted if fails else calculator.calc_metrics},
        temporal_matcher=matching.make_combined_temporal_matcher(pd.Timedelta(6, "h")),
        masking_datasets=None if masked is None else {"m": {"class": Reader(masked), "columns": ["sm"]}},
    ).calc(0, 0.0, 0.0)  # fmt: skip


@only_pinned
def test_defect_their_masking_drops_every_sample() -> None:
    (whole,) = validation().values()
    assert whole["n_obs"] == [300]
    assert not validation(masked=np.arange(300) < 100)


@only_pinned
def test_defect_their_framework_swallows_what_went_wrong() -> None:
    with pytest.raises(Exception, match="Metrics calculation failed") as found:
        validation(fails=True)
    assert "planted" not in str(found.value)


@only_pinned
def test_defect_their_parallel_start_needs_a_module_that_is_gone() -> None:
    start = pytest.importorskip("pytesmo.validation_framework.start_validation")
    with pytest.raises(NameError, match="parallel"):
        start.start_validation("setup.py")
