import csv
import itertools
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vadose.producer.grids import Grid
from vadose.producer.simulate.cosmos import counts_of, footprint_depth, moisture_of


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def numbers(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) if row[name] else np.nan for row in rows])


@given(moisture=st.floats(0.01, 0.6), density=st.floats(0.8, 1.7))
def test_counts_and_moisture_are_inverse(moisture: float, density: float) -> None:
    assert moisture_of(counts_of(np.array(moisture), density), density) == pytest.approx(moisture, abs=1e-9)


def test_neutrons_see_deeper_into_dry_soil() -> None:
    depth = footprint_depth(np.array([0.05, 0.2, 0.4]), 1.4)
    assert depth[0] > depth[1] > depth[2] > 0.1
    # The page on validation gives 12 to 18 cm at 0.3 to 0.4.
    assert 0.11 < depth[2] < 0.18


def test_probe_file_has_hours_in_utc_and_deviations(small_folder: Path) -> None:
    rows = rows_of(small_folder / "stations" / "cosmos" / "Simfield1-CRNS.csv")
    stamps = [datetime.fromisoformat(row["DateTime_utc"]) for row in rows]
    assert len(rows) == 91 * 24
    assert all(later - earlier == timedelta(hours=1) for earlier, later in itertools.pairwise(stamps))
    assert stamps[0].utcoffset() == timedelta(0)
    lower, upper = (
        numbers(rows, "SoilMoisture_volumetric_MovAvg24h_lower"),
        numbers(rows, "SoilMoisture_volumetric_MovAvg24h_upper"),
    )
    valid = np.isfinite(lower)
    assert valid.any()
    assert (lower[valid] < 0).all()
    assert (upper[valid] > 0).all()


def test_moisture_of_the_probe_is_that_of_its_mean_counts(small_folder: Path) -> None:
    rows = rows_of(small_folder / "stations" / "cosmos" / "Simfield1-CRNS.csv")
    hourly = numbers(rows, "NeutronCount_Epithermal_Cum1h_corrected")
    mean = numbers(rows, "NeutronCount_Epithermal_MovAvg24h_corrected")
    usual = numbers(rows, "Flag_Extreme_Counts") == 0
    for end in (200, 900, 2000):
        window = hourly[end - 23 : end + 1][usual[end - 23 : end + 1]]
        assert mean[end] == pytest.approx(np.nanmean(window), abs=1e-3)
    moisture = numbers(rows, "SoilMoisture_volumetric_MovAvg24h")
    both = np.isfinite(moisture) & np.isfinite(mean)
    assert np.corrcoef(moisture[both], mean[both])[0, 1] < -0.9


def test_list_of_probes_has_the_columns_of_cosmos_europe(small_folder: Path) -> None:
    (row,) = rows_of(small_folder / "stations" / "cosmos" / "cosmos_europe_stations.csv")
    assert row["station"] == "Simfield1"
    assert 39 <= float(row["latitude"]) <= 43
    assert list(row)[:10] == [
        "station_id",
        "station",
        "country",
        "detector_type",
        "latitude",
        "longitude",
        "elevation_m",
        "processing_status",
        "N0_cph",
        "porosity",
    ]


def test_core_site_names_its_stations_with_weights_that_sum_to_one(small_folder: Path) -> None:
    folder = small_folder / "stations" / "core_sites"
    site = yaml.safe_load((folder / "SIM01.yaml").read_text(encoding="utf-8"))
    table = rows_of(folder / "SIM01_stations.csv")
    cell = Grid(
        site["cell"]["token"],
        site["cell"]["row"],
        site["cell"]["row"] + 1,
        site["cell"]["column"],
        site["cell"]["column"] + 1,
    )
    assert sum(float(row["weight"]) for row in table) == pytest.approx(1.0, abs=1e-5)
    assert [row["station"] for row in table] == [station["station"] for station in site["stations"]]
    row, column = cell.locate([float(item["lat"]) for item in table], [float(item["lon"]) for item in table])
    assert (row == 0).all()
    assert (column == 0).all()
    for item in table:
        assert list((small_folder / "stations" / "ismn" / item["network"] / item["station"]).glob("*.stm"))
