"""Classes of stations by what triplets of station, model and satellite say of their noise."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from vadose.validation.collocations import Members, station_classes
from vadose.validation.relations import IN_SITU, MODEL, SATELLITE, Relation
from vadose.validation.run import run_validation
from vadose.validation.settings import Settings

SIGNAL = 0.04
# Noise of six stations: SNR of 6 dB, 1.6 dB and -4 dB, two of each.
NOISE = SIGNAL * np.repeat([0.5, 0.83, 1.6], 2)


def members(kinds: tuple[str, str], independent: bool = True) -> Members:
    rng = np.random.default_rng(2)
    true = SIGNAL * rng.standard_normal((NOISE.size, 3000))
    series = [true + 0.02 * rng.standard_normal(true.shape) for _ in range(2)]
    series.append(true + NOISE[:, None] * rng.standard_normal(true.shape))
    known = [Relation("a", "b", "independent" if independent else "shared_forcing", ())]
    return Members(("a", "b", IN_SITU), np.stack(series), known, dict(zip("ab", kinds, strict=True)))


def test_a_noisy_station_is_poor_and_a_quiet_one_good() -> None:
    found = station_classes(members((MODEL, SATELLITE)), "tail_model")
    assert found is not None
    assert found.tolist() == ["good", "good", "fair", "fair", "poor", "poor"]


def test_two_models_or_dependent_products_say_nothing_of_a_station() -> None:
    assert station_classes(members((MODEL, MODEL)), "tail_model") is None
    assert station_classes(members((MODEL, "")), "tail_model") is None
    assert station_classes(members((MODEL, SATELLITE), independent=False), "tail_model") is None


def write_card(path: Path, product: str, **stated: Any) -> str:
    head = {"product": product, "producer": "x", "version": "1", "licence": "free", "variables": {}}
    path.write_text(yaml.safe_dump({**head, **stated}))
    return f"{product}={path}"


def test_a_run_has_the_classes_as_a_stratum_and_in_its_table(tmp_path: Path, make: Any) -> None:
    lat, lon = np.arange(40.125, 42, 0.25)[::-1], np.arange(-100.125, -98, 0.25)
    rng = np.random.default_rng(5)
    true = 0.25 + SIGNAL * rng.standard_normal((1100, lat.size, lon.size))
    for name in ("era", "ascat"):
        make["file"](tmp_path / f"{name}.nc", true + 0.02 * rng.standard_normal(true.shape), lat, lon)
    rows, columns = np.arange(8), np.arange(8)
    noise = SIGNAL * np.repeat([0.5, 1.6], 4)[:, None] * rng.standard_normal((8, 1100))
    make["stations"](tmp_path / "s.nc", true[:, rows, columns].T + noise, lat[rows], lon[columns])
    cards = (
        write_card(tmp_path / "a.yaml", "era", model="HTESSEL", forcing=["ERA5"]),
        write_card(tmp_path / "b.yaml", "ascat", sensors=["ASCAT"]),
    )
    given = Settings(
        product=("era", str(tmp_path / "era.nc")), rivals=(("ascat", str(tmp_path / "ascat.nc")),),
        stations=(tmp_path / "s.nc",), cards=cards,
    )  # fmt: skip
    run_validation(given, tmp_path / "out")
    table = pd.read_parquet(tmp_path / "out" / "stations.parquet")
    assert table["representativeness"].tolist() == ["good"] * 4 + ["poor"] * 4
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    chosen = scores[scores["stratum_kind"].eq("representativeness") & scores["metric"].eq("ubrmsd")]
    chosen = chosen[chosen["product"].eq("era") & chosen["subset"].eq("own") & chosen["aggregate"].eq("median")]
    values = chosen[chosen["signal"].eq("raw")].set_index("stratum")["value"]
    assert values["poor"] > 1.5 * values["good"]


def test_a_triplet_is_made_of_its_common_days_and_of_anomalies_where_asked() -> None:
    given = members((MODEL, SATELLITE))
    given.values[1, :, ::3] = np.nan
    raw, anomaly = (given.series((2, 1, 0), signal) for signal in ("raw", "anomaly_35d"))
    expected = np.where(np.arange(3000) % 3 == 0, np.nan, given.values[2])
    np.testing.assert_array_equal(raw[:, 0], expected)
    assert abs(np.nanmean(anomaly)) < 1e-3
    assert np.nanmax(np.abs(anomaly - raw)) > 0.01
