"""Writes sensors as the International Soil Moisture Network delivers them: header and values, one file a sensor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vadose.common import Progress, silent, whole_file, write_text
from vadose.producer.simulate.koeppen import climate_classes
from vadose.producer.simulate.sensors import Record, Sensor, record
from vadose.producer.simulate.simulation import World

MISSING = -9999.0
# Provider flag: none given.
PROVIDER_FLAG = "M"
# IGBP class -> (ESA CCI land cover class, its name).
CCI_CLASSES = {
    1: (70, "Tree cover, needleleaved, evergreen, closed to open (>15%)"),
    4: (60, "Tree cover, broadleaved, deciduous, closed to open (>15%)"),
    5: (90, "Tree cover, mixed leaf type (broadleaved and needleleaved)"),
    7: (120, "Shrubland"),
    8: (100, "Mosaic tree and shrub (>50%) / herbaceous cover (<50%)"),
    10: (130, "Grassland"),
    12: (10, "Cropland, rainfed"),
    13: (190, "Urban areas"),
    16: (200, "Bare areas"),
}
STATIC_COLUMNS = (
    "quantity_name", "unit", "depth_from[m]", "depth_to[m]", "value", "description", "quantity_source_name",
    "quantity_source_description", "quantity_source_provider", "quantity_source_version",
    "quantity_source_resolution", "quantity_source_timerange", "quantity_source_url",
)  # fmt: skip


def write_ismn(world: World, sensors: Sequence[Sensor], folder: Path, progress: Progress = silent) -> None:
    """Write `<network>/<station>/*.stm` and static variables for each sensor; files that exist are left alone."""
    climate = climate_classes(world)
    for sensor in progress.track(sensors, "stations", len(sensors)):
        place = folder / sensor.network / sensor.station
        static = place / f"{_stem(sensor)}_static_variables.csv"
        if not static.exists():
            write_text(static, static_variables(world, sensor, str(climate[sensor.cell])))
        path = place / series_name(world, sensor)
        if not path.exists():
            with whole_file(path) as part:
                part.write_bytes(format_series(record(world, sensor)))


def _stem(sensor: Sensor) -> str:
    return f"{sensor.network}_{sensor.network}_{sensor.station}"


def series_name(world: World, sensor: Sensor) -> str:
    """File name of a sensor: network twice, station, variable, depths, probe, the days of the order."""
    depths = "_".join(f"{depth:.6f}" for depth in sensor.depth_m)
    first, last = (str(day).replace("-", "") for day in (world.days[0], world.days[-1]))
    return f"{_stem(sensor)}_sm_{depths}_{sensor.probe}_{first}_{last}.stm"


def format_series(series: Record) -> bytes:
    """Bytes of a header-and-values file: `yyyy/mm/dd HH:MM value flag provider-flag`, one row an hour."""
    sensor = series.sensor
    header = (
        f"{sensor.network:<10} {sensor.network:<15} {sensor.station:<15} "
        f"{sensor.lat:10.5f} {sensor.lon:11.5f} {sensor.altitude:7.2f} "
        f"{sensor.depth_m[0]:7.2f} {sensor.depth_m[1]:7.2f} {sensor.probe}\n"
    )
    count = series.hours.size
    # Rows as columns of bytes; zeros are padding and fall out at the end.
    stamps = np.datetime_as_string(series.hours, unit="m").astype("S16").view(np.uint8).reshape(count, 16).copy()
    stamps[:, [4, 7]] = ord("/")
    stamps[:, 10] = ord(" ")
    space, end = np.full((count, 1), ord(" "), np.uint8), np.full((count, 1), ord("\n"), np.uint8)
    provider = np.full((count, 1), ord(PROVIDER_FLAG), np.uint8)
    flags = series.flags.astype("S15").view(np.uint8).reshape(count, 15)
    rows = np.concatenate([stamps, space, _fixed(series.values), space, flags, space, provider, end], axis=1).ravel()
    return header.encode() + bytes(rows[rows != 0].tobytes())


def _fixed(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Values as `%8.4f`, (row, 10) bytes after two of padding; missing is -9999, which needs all ten."""
    missing = ~np.isfinite(values)
    scaled = np.round(np.where(missing, 0.0, values.astype(float)) * 10000.0).astype(np.int64)
    negative, scaled = scaled < 0, np.abs(scaled)
    text = np.full((values.size, 10), ord(" "), np.uint8)
    text[:, :2] = 0
    for column, power in ((4, 4), (6, 3), (7, 2), (8, 1), (9, 0)):
        text[:, column] = ord("0") + (scaled // 10**power) % 10
    text[:, 5] = ord(".")
    text[negative, 3] = ord("-")
    text[missing] = np.frombuffer(f"{MISSING:10.4f}".encode(), np.uint8)
    return text


def static_variables(world: World, sensor: Sensor, climate: str) -> str:
    """The semicolon table beside a station: soil by depth, land cover by epoch, climate."""
    soil, cell = world.soil, sensor.cell
    source = ["HWSD", "simulated, in the layout of the network", "Vadose simulated world", "v1.1", '30"', "", ""]
    quantities = [
        ("saturation", "m^3*m^-3", soil.porosity[cell]),
        ("clay fraction", "% weight", soil.clay[cell]),
        ("organic carbon", "% weight", soil.organic_carbon[cell]),
        ("sand fraction", "% weight", soil.sand[cell]),
        ("silt fraction", "% weight", soil.silt[cell]),
    ]
    rows = [list(STATIC_COLUMNS)]
    for top, bottom, factor in ((0.0, 0.3, 1.0), (0.3, 1.0, 0.95)):
        for name, unit, value in quantities:
            below = value * (factor if name in ("saturation", "organic carbon") else 1.0)
            rows.append([name, unit, f"{top:.2f}", f"{bottom:.2f}", f"{below:.2f}", "", *source])
    code, name = CCI_CLASSES[int(world.cover.igbp[cell])]
    for epoch, span in (("2005", "2003-2007"), ("2010", "2008-2012"), ("2015", "2013-2017")):
        origin = [
            f"CCI_landcover_{epoch}",
            "simulated, in the layout of the network",
            "Vadose simulated world",
            "",
            "300m",
            span,
            "",
        ]
        rows.append(["land cover classification", "", "", "", str(code), name, *origin])
    origin = [
        "koeppen_geiger_2007",
        "simulated, in the layout of the network",
        "Vadose simulated world",
        "",
        "0.1°",
        "",
        "",
    ]
    rows.append(["climate classification", "", "", "", climate, "", *origin])
    return "".join(";".join(row) + ";\n" for row in rows)
