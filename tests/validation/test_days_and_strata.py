"""Shifted days are found, strata of days hold the right days, and drifts and breaks are seen."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vadose.statistics import moments
from vadose.validation.averages import average_rows, class_rows, score_classes
from vadose.validation.lags import Lagged, shift
from vadose.validation.network import Network
from vadose.validation.run import run_validation
from vadose.validation.scores import Sample, score
from vadose.validation.settings import Settings
from vadose.validation.stability import stability
from vadose.validation.station_table import _soil, station_groups
from vadose.validation.strata import DayStrata, class_moments, day_strata, day_types, gap_lengths, gap_strata

DAYS = np.datetime64("2015-01-01", "D") + np.arange(1500)


def weather(stations: int = 30, days: int = 1500, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    out = np.zeros((stations, days))
    for day in range(1, days):
        out[:, day] = 0.85 * out[:, day - 1] + 0.02 * np.maximum(rng.standard_normal(stations), 0)
    return 0.15 + out


def shifted(values: np.ndarray, late: float) -> np.ndarray:
    """A product that is late by some days; half a day is the mean of two."""
    whole, part = int(np.floor(late)), late - np.floor(late)
    one, two = np.roll(values, whole, axis=1), np.roll(values, whole + 1, axis=1)
    return np.asarray((1 - part) * one + part * two)


@pytest.mark.parametrize("late", [0.0, 1.0, -1.0, 0.5, -0.5, 2.0])
@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_a_shift_of_a_day_or_half_a_day_is_detected(late: float, gaps: float) -> None:
    true = weather()
    rng = np.random.default_rng(1)
    x = shifted(true, late) + 0.01 * rng.standard_normal(true.shape)
    x = np.where(rng.random(true.shape) < gaps, np.nan, x)
    r = true + 0.005 * rng.standard_normal(true.shape)
    found = shift(Lagged.of(x, r), np.arange(30))
    assert found.days == pytest.approx(late, abs=0.15)
    assert found.status == ("ok" if late == 0 else "day_shift")


def test_a_product_of_every_third_day_is_judged_by_its_anomalies() -> None:
    true = weather()
    x = np.full(true.shape, np.nan)
    x[:, ::3] = shifted(true, 1.0)[:, ::3]
    found = Lagged.of(x, true)
    assert np.isnan(found.increments).all()
    assert shift(found, np.arange(30)).status == "day_shift"


def test_too_few_stations_or_days_have_no_verdict() -> None:
    true = weather(3)
    assert shift(Lagged.of(true, true), np.arange(3)).status == "few_stations"
    assert shift(Lagged.of(true[:, :40], true[:, :40]), np.arange(3)).status == "few_samples"


def test_correlations_at_each_lag_are_those_of_the_days_that_both_have() -> None:
    rng = np.random.default_rng(8)
    x, r = (np.where(rng.random((2, 200)) < 0.2, np.nan, rng.standard_normal((2, 200))) for _ in range(2))
    found = Lagged.of(x, r).increments
    for lag in (-5, 0, 3):
        late, early = np.diff(x)[0], np.diff(r)[0]
        a, b = late[max(lag, 0) : late.size + min(lag, 0)], early[max(-lag, 0) : early.size + min(-lag, 0)]
        both = np.isfinite(a) & np.isfinite(b)
        assert found[0, lag + 5] == pytest.approx(np.corrcoef(a[both], b[both])[0, 1], abs=1e-12)


def test_class_means_are_those_of_the_days_of_the_class() -> None:
    rng = np.random.default_rng(2)
    x, r = rng.random((4, 500)), rng.random((4, 500))
    x[rng.random(x.shape) < 0.2] = np.nan
    labels = rng.integers(-1, 3, x.shape).astype(np.int8)
    found = class_moments(x, r, DayStrata("k", ("a", "b", "c"), labels))
    for number in range(3):
        expected = moments(np.where(labels == number, x, np.nan), r)
        for one, two in zip(found.stacked(), expected.stacked(), strict=True):
            np.testing.assert_allclose(one[:, number], two, rtol=1e-12)


def test_seasons_turn_with_the_hemisphere_and_halves_with_the_reference() -> None:
    lat = np.array([45.0, -30.0])
    month = DAYS.astype("datetime64[M]").astype(int) % 12
    wet = 0.3 + 0.1 * np.cos((month - 0.5) / 12 * 2 * np.pi)
    kinds = {one.kind: one for one in day_strata(DAYS, lat, np.stack([wet, 0.6 - wet]))}
    january = int(np.flatnonzero(month == 0)[0])
    local = kinds["local_season"]
    assert [local.names[k] for k in local.labels[:, january]] == ["winter", "summer"]
    half = kinds["half_year"]
    assert [half.names[k] for k in half.labels[:, january]] == ["wet_half", "dry_half"]
    assert kinds["season"].names[kinds["season"].labels[0, january]] == "DJF"
    assert "r" not in kinds["moisture_decile"].metrics


def test_deciles_are_equally_filled_and_wet_is_above_a_limit() -> None:
    r = np.random.default_rng(3).uniform(0.1, 0.5, (1, 1500))
    kinds = {one.kind: one for one in day_strata(DAYS, np.zeros(1), r)}
    assert np.bincount(kinds["moisture_decile"].labels[0]).tolist() == [150] * 10
    assert ((kinds["wet"].labels == 0) == (r > 0.4)).all()


def test_days_are_rain_dry_down_or_beside_frost() -> None:
    rain = np.array([[0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0]])
    frozen = np.zeros((1, 12))
    frozen[0, 11] = 1
    found = day_types(np.zeros((1, 12)), rain, frozen)[0].tolist()
    assert found == [3, 0, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2]


def test_gaps_are_classed_by_their_length() -> None:
    filled = np.zeros((1, 100), bool)
    filled[0, 2:4] = filled[0, 10:20] = filled[0, 30:95] = True
    assert gap_lengths(filled)[0, [0, 2, 15, 50]].tolist() == [0, 2, 10, 65]
    labels = gap_strata(filled, np.ones((1, 100))).labels[0]
    assert labels[[0, 3, 12, 60]].tolist() == [0, 1, 2, 4]


def drifting(slope: float, step: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(4)
    years = np.arange(1500 * 2) / 365.25
    base = slope * years / 10 + step * (years > 4) + 0.02 * rng.standard_normal((8, 3000))
    return np.asarray(base)


@pytest.mark.parametrize(("slope", "word"), [(0.0, "stable"), (0.03, "drifting"), (-0.03, "drifting")])
def test_a_planted_drift_is_found_and_a_planted_null_is_not(slope: float, word: str) -> None:
    network = Network(np.arange(8), ())
    head = {"product": "ours", "version": "1", "reference": "stations", "split": "P4"}
    days = np.datetime64("2010-01-01", "D") + np.arange(3000)
    found = stability(drifting(slope), days, network, np.full(8, "net"), head, np.arange(8).astype(str))
    assert found.networks is not None
    assert (found.networks[0].verdict, found.networks[0].clusters) == (word, 8)
    assert found.networks[0].ci_low <= slope <= found.networks[0].ci_high


def test_a_break_that_many_clusters_share_is_charged_to_the_product() -> None:
    network = Network(np.arange(8), ())
    head = {"product": "ours", "version": "1", "reference": "stations", "split": "P4"}
    days = np.datetime64("2010-01-01", "D") + np.arange(3000)
    found = stability(
        drifting(0.0, 0.05), days, network, np.full(8, "net"), head, np.arange(8).astype(str), changes=("2014-01-01",)
    )
    breaks = found.facts[found.facts["table"].eq("breaks")].pivot(index="row", columns="column", values="text")
    assert (breaks["charged_to"] == "product").sum() == 8
    assert breaks["month"].isin(["2013-12", "2014-01", "2014-02"]).all()
    steps = found.facts[found.facts["table"].eq("declared_changes") & found.facts["column"].eq("difference")]
    assert steps["value"].mean() == pytest.approx(0.05, abs=0.005)


@pytest.mark.parametrize("years", [4, 6])
def test_anomalies_from_a_climatology_want_five_years(tmp_path: Path, make: Any, years: int) -> None:
    lat, lon = np.array([40.625, 40.375, 40.125]), np.array([-100.125, -99.875])
    made = make["truth"](365 * years, 6)
    stations = made[:, [0, 3]].T + 0.01 * np.random.default_rng(1).standard_normal((2, len(made)))
    file = make["file"](tmp_path / "ours.nc", made.reshape(-1, 3, 2), lat, lon, first="2015-01-01")
    points = make["stations"](tmp_path / "stations.nc", stations, lat[[0, 1]], lon[[0, 1]], first="2015-01-01")
    run_validation(Settings(product=("ours", str(file)), stations=(points,)), tmp_path / "run")
    scores = pd.read_parquet(tmp_path / "run" / "scores.parquet")
    rows = scores[scores["signal"].eq("anomaly_climatology") & scores["product"].eq("ours")]
    rows = rows[rows["subset"].eq("common") & rows["aggregate"].isin(["", "median", "mean"])]
    rows = rows[rows["stratum_kind"].isin(["station", "all"])]
    assert len(rows) == 2 + 2
    if years < 5:
        assert set(rows["status"]) == {"few_years"}
        assert rows["value"].isna().all()
        return
    day = (np.datetime64("2015-01-01") + np.arange(len(made))).astype("datetime64[D]").astype(object)
    number = np.array([one.timetuple().tm_yday - 1 for one in day])
    near = np.abs(number[:, None] - np.arange(366)[None]) % 365
    near = (np.minimum(near, 365 - near) <= 15)[:, number]
    slow = [one - (near @ one) / near.sum(axis=1) for one in (made[:, 0], stations[0])]
    found = rows[rows["stratum"].str.contains("s0")]["value"].iloc[0]
    assert found == pytest.approx(np.corrcoef(*slow)[0, 1], abs=2e-3)


def test_the_error_of_a_shift_is_that_of_a_jackknife_over_clusters() -> None:
    true, clusters = weather(12), np.repeat(np.arange(6), 2)
    rng = np.random.default_rng(3)
    x, r = (one + 0.02 * rng.standard_normal(true.shape) for one in (shifted(true, 0.5), true))
    found, lagged = shift(Lagged.of(x, r), clusters), Lagged.of(x, r)
    others = [clusters != one for one in range(6)]
    without = np.array(
        [shift(Lagged(lagged.increments[one], lagged.anomalies[one]), clusters[one]).days for one in others]
    )
    error = np.sqrt(5 / 6 * ((without - without.mean()) ** 2).sum())
    assert found.ci_high - found.days == pytest.approx(stats.t.ppf(0.975, 5) * error, rel=1e-3)


@pytest.mark.parametrize("name", ["bias", "ubrmsd", "r"])
def test_a_class_of_all_days_has_the_interval_of_all_days(name: str) -> None:
    rng = np.random.default_rng(9)
    r = weather(12, 700)
    x = r + 0.01 + 0.02 * rng.standard_normal(r.shape)
    names = np.array([f"s{k}" for k in range(12)])
    keys = {"product": "p", "version": "1", "reference": "s", "subset": "own", "split": "P1"}
    sample, network = Sample(x, r, keys, np.ones(12), names), Network(np.arange(12), ())
    whole = next(iter(score(sample, network, ((name, "raw"),), intervals=True)))
    strata = DayStrata("year", ("2015",), np.zeros(r.shape, np.int8), metrics=(name,))
    (row,) = (one for one in class_rows(sample, score_classes(sample, network, strata)[0], network)
              if one["aggregate"] == "mean")  # fmt: skip
    (same,) = (one for one in average_rows(sample, whole, network) if one["aggregate"] == "mean")
    assert (row["value"], row["ci_low"], row["n_eff"]) == pytest.approx(
        (same["value"], same["ci_low"], same["n_eff"]), rel=1e-6
    )


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_soil_classes_are_told_from_percent_and_from_fractions(scale: float) -> None:
    table = pd.DataFrame({"clay": [0.45, 0.1, 0.3, np.nan], "sand": [0.2, 0.7, 0.62, 0.5]}) * scale
    assert _soil(table).tolist() == ["clay", "sand", "loam", "unknown"]


def test_a_constant_product_has_no_shift() -> None:
    true = weather(8)
    found = Lagged.of(np.full(true.shape, 0.25), true)
    assert np.isnan(found.increments).all()
    assert shift(found, np.arange(8)).status == "few_samples"


def test_unchecked_series_among_others_are_a_stratum() -> None:
    words = {"land_cover": "unknown", "climate": "unknown", "depth_from": 0.0, "depth_to": 0.05}
    table = pd.DataFrame([{**words, "flag_dialect": one} for one in ("current", "legacy", "current")])
    for rows, known in ((table, {"current", "legacy"}), (table.iloc[[0, 2]], set())):
        groups = station_groups(SimpleNamespace(table=rows, kind="stations"))  # type: ignore[arg-type]
        assert {name for kind, name, _ in groups if kind == "flag_dialect"} == known
