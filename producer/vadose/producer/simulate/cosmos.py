"""Writes cosmic-ray neutron probes as COSMOS-Europe delivers them: hourly counts, moisture, a station list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from vadose.common import Progress, silent, whole_file
from vadose.producer.simulate.fields import stream
from vadose.producer.simulate.sensors import at_hours, hourly_moisture, place_cells
from vadose.producer.simulate.simulation import World

Doubles = npt.NDArray[np.float64]

LIST_NAME = "cosmos_europe_stations.csv"
DRY_COUNTS_PER_HOUR = 2400.0
WINDOW_HOURS = 24
OUTAGES_PER_YEAR = 2.0


def counts_of(moisture: Doubles, bulk_density: float) -> Doubles:
    """Neutron counts per hour of a soil moisture in m3 m-3 (Desilets et al. 2010, doi 10.1029/2009WR008726)."""
    return np.asarray(DRY_COUNTS_PER_HOUR * (0.372 + 0.0808 / (moisture / bulk_density + 0.115)))


def moisture_of(counts: Doubles, bulk_density: float) -> Doubles:
    """Soil moisture in m3 m-3 of neutron counts per hour; the inverse of `counts_of`."""
    return np.asarray(bulk_density * (0.0808 / (counts / DRY_COUNTS_PER_HOUR - 0.372) - 0.115))


def write_cosmos(world: World, folder: Path, progress: Progress = silent) -> None:
    """Write `<station>-CRNS.csv` for each probe and the list of all; files that exist are left alone."""
    count = world.settings.network.cosmic_ray
    if count == 0:
        return
    taken = world.settings.network.stations + world.settings.network.clusters
    cells = place_cells(world, taken + count)[-count:]
    names = [f"Simfield{number + 1}" for number in range(count)]
    for name, cell in zip(names, progress.track(cells, "cosmic-ray probes", count), strict=True):
        path = folder / f"{name}-CRNS.csv"
        if not path.exists():
            with whole_file(path) as part:
                _write(probe_table(world, name, int(cell)), part)
    with whole_file(folder / LIST_NAME) as part:
        _write(_station_list(world, names, cells), part)


def probe_table(world: World, name: str, cell: int) -> pa.Table:
    """The hourly table of a probe, columns as COSMOS-Europe names them.

    A probe sees the top 15 to 25 cm of about 10 ha, by counting neutrons: the count of an hour is noisy, so
    soil moisture is that of the mean count of the last 24 hours. `lower` and `upper` are deviations.
    """
    rng = stream(world.settings.seed, f"cosmos.{name}")
    density = float(world.soil.bulk_density[cell])
    truth = 0.55 * hourly_moisture(world, cell) + 0.45 * at_hours(world.land.soil_moisture_root_zone[:, cell])
    snow = np.repeat(world.land.snow_water_equivalent[:, cell], 24).astype(float)
    # Snow holds back neutrons as soil water does.
    expected = counts_of(truth + snow / 150.0, density)
    hourly = rng.poisson(expected).astype(float)
    for _ in range(rng.poisson(OUTAGES_PER_YEAR * hourly.size / 8766.0)):
        first = int(rng.integers(hourly.size))
        hourly[first : first + 1 + int(rng.exponential(72.0))] = np.nan
    extreme = rng.random(hourly.size) < 3e-4
    hourly[extreme] *= rng.uniform(1.4, 1.8, int(extreme.sum()))
    mean, number = _moving_mean(np.where(extreme, np.nan, hourly))
    error = np.sqrt(mean / np.maximum(number, 1.0))
    floor = 0.372 * DRY_COUNTS_PER_HOUR * 1.01
    moisture = moisture_of(np.maximum(mean, floor), density)
    lower = moisture_of(np.maximum(mean + error, floor), density) - moisture
    upper = moisture_of(np.maximum(mean - error, floor), density) - moisture
    excess = moisture > world.soil.porosity[cell]
    hours = world.days[0].astype("datetime64[h]") + np.arange(hourly.size)
    stamps = np.char.replace(np.char.add(np.datetime_as_string(hours, unit="s"), "+00:00"), "T", " ")
    humidity = np.repeat(5.0 + 0.35 * np.maximum(world.weather.air_temperature[:, cell] - 273.15, -10.0), 24).astype(
        float
    )
    pressure = round(1013.0 * float(np.exp(-world.terrain.elevation[world.terrain.land][cell] / 8400.0)))
    columns = {
        "DateTime_utc": pa.array(stamps.tolist()),
        "NeutronCount_Epithermal_Cum1h_corrected": _column(hourly, 3),
        "NeutronCount_Epithermal_Cum1h_corrected_std": _column(np.sqrt(hourly), 4),
        "NeutronCount_Epithermal_MovAvg24h_corrected": _column(mean, 3),
        "NeutronCount_Epithermal_MovAvg24h_corrected_std": _column(error, 4),
        "Flag_Extreme_Counts": pa.array(extreme.astype(np.int8)),
        "Flag_AirPressure_ERA5": pa.array(np.zeros(hourly.size, np.int8)),
        "AirHumidity_gapfilled": _column(humidity, 2),
        "Flag_AirHumidity_ERA5": pa.array(np.ones(hourly.size, np.int8)),
        "Flag_Porosity_Excess": pa.array((excess | ~np.isfinite(mean)).astype(np.int8)),
        "Flag_Snow_ERA5": pa.array((snow > 1.0).astype(np.int8)),
        "SoilMoisture_volumetric_MovAvg24h": _column(np.where(excess, np.nan, moisture), 5),
        "SoilMoisture_volumetric_MovAvg24h_std": _column(np.where(excess, np.nan, (upper - lower) / 2.0), 5),
        "SoilMoisture_volumetric_MovAvg24h_lower": _column(np.where(excess, np.nan, lower), 5),
        "SoilMoisture_volumetric_MovAvg24h_upper": _column(np.where(excess, np.nan, upper), 5),
        "Footprint_Radius_m": _column(np.where(excess, np.nan, 160.0 - 90.0 * moisture), 1),
        "Footprint_Depth_m": _column(np.where(excess, np.nan, footprint_depth(moisture, density)), 3),
        "Biomass": pa.nulls(hourly.size),
        "air_pressure": pa.array(np.full(hourly.size, pressure)),
        "year": pa.array(hours.astype("datetime64[Y]").astype(int) + 1970),
    }
    return pa.table(columns)


def footprint_depth(moisture: Doubles, bulk_density: float) -> Doubles:
    """Depth in metres from which 86 % of the neutrons come (Schrön et al. 2017, doi 10.5194/hess-21-5009-2017)."""
    return np.asarray(
        (8.321 + 0.14249 * (0.96655 + 1.0) * (20.0 + moisture) / (0.0429 + moisture)) / bulk_density / 100.0
    )


def _moving_mean(values: Doubles) -> tuple[Doubles, Doubles]:
    """Mean of the last 24 values and how many of them there are; missing below half of them."""
    valid = np.isfinite(values)

    def window_sum(array: Doubles) -> Doubles:
        total = np.cumsum(array)
        total[WINDOW_HOURS:] -= total[:-WINDOW_HOURS].copy()
        return total

    number = window_sum(valid.astype(float))
    total = window_sum(np.where(valid, values, 0.0))
    return np.where(number >= WINDOW_HOURS / 2, total / np.maximum(number, 1.0), np.nan), number


def _column(values: Doubles, decimals: int) -> pa.Array:
    return pa.array(np.round(values, decimals), mask=~np.isfinite(values))


def _station_list(world: World, names: list[str], cells: npt.NDArray[np.int64]) -> pa.Table:
    elevation = world.terrain.elevation[world.terrain.land]
    count = len(names)
    constants = {
        "datetime_column": "DateTime_utc",
        "datetime_format": "%Y-%m-%d %H:%M:%S%z",
        "epithermal_column": "NeutronCount_Epithermal_Cum1h",
        "thermal_column": None,
        "pressure_columns": "AirPressure",
        "temperature_columns": "AirTemperature",
        "relative_humidity_columns": "AirHumidity_Relative",
        "absolute_humidity_column": None,
        "wizard_detected_datetime": "DateTime_utc",
        "notes": "simulated",
    }
    columns = {
        "station_id": [f"SIM{number + 1:03d}" for number in range(count)],
        "station": names,
        "country": ["Simulated"] * count,
        "detector_type": ["CRS2000/B"] * count,
        "latitude": [round(float(world.lat[cell]), 3) for cell in cells],
        "longitude": [round(float(world.lon[cell]), 3) for cell in cells],
        "elevation_m": [round(float(elevation[cell]), 1) for cell in cells],
        "processing_status": ["full"] * count,
        "N0_cph": [DRY_COUNTS_PER_HOUR] * count,
        "porosity": [round(float(world.soil.porosity[cell]), 3) for cell in cells],
        "raw_rows": [24 * world.days.size] * count,
        **{name: pa.array([value] * count, pa.string()) for name, value in constants.items()},
    }
    return pa.table(columns)


def _write(table: pa.Table, path: Path) -> None:
    pyarrow.csv.write_csv(table, str(path), pyarrow.csv.WriteOptions(quoting_style="none", quoting_header="none"))
