"""In-situ sensors: where they stand, and the hourly series that they would record, with all that goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vadose.producer import grids
from vadose.producer.simulate.fields import KM_PER_DEGREE, Floats, persistence_of, persistent, stream
from vadose.producer.simulate.land import SURFACE_MM
from vadose.producer.simulate.settings import Network
from vadose.producer.simulate.simulation import World
from vadose.producer.simulate.weather import solar_hour

Doubles = npt.NDArray[np.float64]

NAMES = (
    "Alder", "Ash", "Aspen", "Beech", "Birch", "Cedar", "Cherry", "Elder", "Elm", "Fir", "Hazel", "Holly",
    "Juniper", "Larch", "Linden", "Maple", "Myrtle", "Oak", "Olive", "Pine", "Plum", "Poplar", "Rowan",
    "Spruce", "Sycamore", "Thorn", "Walnut", "Willow", "Yew", "Bracken", "Clover", "Fern", "Gorse", "Heath",
    "Ivy", "Moss", "Nettle", "Reed", "Rush", "Sedge", "Sorrel", "Thistle", "Vetch", "Yarrow",
)  # fmt: skip
PROBES = ("Hydraprobe-II-Sdi-12", "ThetaProbe-ML3", "CS655", "5TM")
SEPARATION_KM = 45.0
# Daily representativeness error of a point against its cell.
REPRESENTATIVENESS_DAYS = 8.0
DETECTED_SPIKES = 0.75
DETECTED_FROST = 0.9
OUTAGE_DAYS = 6.0
HIGHEST = 0.75
# Room for four flags, joined by commas.
FLAG_TYPE = "U15"


@dataclass(frozen=True)
class Sensor:
    """One probe: its place, the land cell that it stands in, and its depth in metres."""

    network: str
    station: str
    lat: float
    lon: float
    altitude: float
    cell: int
    depth_m: tuple[float, float]
    probe: str
    site: int | None = None

    @property
    def key(self) -> str:
        """A name of its own for random streams."""
        return f"sensor.{self.network}.{self.station}.{self.depth_m[0]:.2f}-{self.depth_m[1]:.2f}"


@dataclass(frozen=True)
class Record:
    """What a probe recorded, hour by hour in UTC.

    Attributes
    ----------
    hours
        datetime64[h], (row,); hours of an outage are either absent or missing.
    values
        m3 m-3, NaN where missing.
    flags
        ISMN quality flags, `G` for good, several joined by commas.
    """

    sensor: Sensor
    hours: npt.NDArray[np.datetime64]
    values: Floats
    flags: npt.NDArray[np.str_]


@dataclass
class _Places:
    """Cells that are taken already."""

    lat: list[float] = field(default_factory=list)
    lon: list[float] = field(default_factory=list)

    def far_from_all(self, lat: float, lon: float, km: float) -> bool:
        if not self.lat:
            return True
        north = (np.array(self.lat) - lat) * KM_PER_DEGREE
        east = (np.array(self.lon) - lon) * KM_PER_DEGREE * np.cos(np.deg2rad(lat))
        return bool(np.hypot(north, east).min() >= km)


def place_cells(world: World, count: int) -> npt.NDArray[np.int64]:
    """Land cells for `count` stations, away from water and, where there is room, from one another."""
    rng = stream(world.settings.seed, "sensors.places")
    candidates = rng.permutation(np.flatnonzero(world.cover.water_fraction < 0.15))
    if candidates.size < count:
        candidates = rng.permutation(world.index.size)
    lat, lon = world.lat, world.lon
    separation = SEPARATION_KM
    while True:
        taken = _Places()
        chosen: list[int] = []
        for cell in candidates:
            if len(chosen) == count:
                break
            if taken.far_from_all(lat[cell], lon[cell], separation):
                taken.lat.append(float(lat[cell]))
                taken.lon.append(float(lon[cell]))
                chosen.append(int(cell))
        if len(chosen) == min(count, candidates.size):
            return np.array(chosen, np.int64)
        separation = separation / 2 if separation > 1 else 0.0


def place_sensors(world: World) -> list[Sensor]:
    """All point sensors: scattered stations first, then the dense clusters; every fifth station has a second depth."""
    network, rng = world.settings.network, stream(world.settings.seed, "sensors.details")
    cells = place_cells(world, network.stations + network.clusters)
    middle = float(np.median(world.lon))
    step = abs(float(world.grid.lat_edges[0] - world.grid.lat_edges[-1])) / world.grid.shape[0]
    sensors = []
    for number, cell in enumerate(cells[: network.stations]):
        name = NAMES[number % len(NAMES)] + ("" if number < len(NAMES) else f"_{number // len(NAMES) + 1}")
        lat, lon = (float(place[cell] + rng.uniform(-0.4, 0.4) * step) for place in (world.lat, world.lon))
        owner = "SIMWEST" if world.lon[cell] < middle else "SIMEAST"
        top = (0.0, 0.05) if number % 4 == 1 else (0.05, 0.05)
        probe = PROBES[number % len(PROBES)]
        depths = [top, (0.20, 0.20)] if number % 5 == 0 else [top]
        sensors += [_sensor(world, owner, name, lat, lon, int(cell), depth, probe) for depth in depths]
    for site, cell in enumerate(cells[network.stations :]):
        token, row, column = core_cell(world, int(cell))
        core = grids.Grid(token, row, row + 1, column, column + 1)
        for number in range(network.cluster_stations):
            lat = rng.uniform(core.lat_edges[1], core.lat_edges[0])
            lon = rng.uniform(core.lon_edges[0], core.lon_edges[1])
            name = f"C{site + 1}-{number + 1:02d}"
            sensors.append(_sensor(world, "SIMCORE", name, lat, lon, int(cell), (0.05, 0.05), PROBES[0], site))
    return sensors


def _sensor(
    world: World,
    network: str,
    station: str,
    lat: float,
    lon: float,
    cell: int,
    depth: tuple[float, float],
    probe: str,
    site: int | None = None,
) -> Sensor:
    altitude = float(world.terrain.elevation[world.terrain.land][cell])
    return Sensor(network, station, round(lat, 5), round(lon, 5), round(altitude, 2), cell, depth, probe, site)


def core_cell(world: World, cell: int) -> tuple[str, int, int]:
    """Token, row and column of the 9 km EASE-Grid 2.0 cell at the centre of a land cell."""
    row, column = grids.global_grid("EASE2M09").locate(world.lat[cell], world.lon[cell])
    return "EASE2M09", int(row), int(column)


def hourly_moisture(world: World, cell: int) -> Doubles:
    """True soil moisture of 0-5 cm at every full hour UTC of all days, (24 x time,).

    Between the states that the land surface gives (midnight, 06:00 local solar time, midnight) the layer
    wets with the rain as it falls and loses water evenly.
    """
    six = float(solar_hour(world.lon[cell]))
    hour = np.arange(24.0)[None, :]
    rain = world.weather.precipitation[:, cell].astype(float)[:, None]
    start = world.weather.rain_start[:, cell].astype(float)[:, None]
    length = world.weather.rain_hours[:, cell].astype(float)[:, None]
    fallen = np.clip((hour - start) / length, 0.0, 1.0)
    fallen_at_six = np.clip((six - start) / length, 0.0, 1.0)
    midnight = world.land.soil_moisture_midnight[:, cell].astype(float)
    morning = world.land.soil_moisture[:, cell].astype(float)
    first = np.concatenate([morning[:1], midnight[:-1]])[:, None]
    morning, midnight = morning[:, None], midnight[:, None]
    night = _between(first, morning, rain * fallen_at_six, fallen, fallen_at_six, hour / max(six, 1e-6))
    part = (fallen - fallen_at_six) / np.maximum(1.0 - fallen_at_six, 1e-9)
    day = _between(morning, midnight, rain * (1.0 - fallen_at_six), part, 1.0, (hour - six) / max(24.0 - six, 1e-6))
    return np.asarray(np.where(hour < six, night, day)).ravel()


def _between(
    first: Doubles, last: Doubles, rain: Doubles, fallen: Doubles, total: Doubles | float, time: Doubles
) -> Doubles:
    """From `first` to `last`: a rise in step with the rain, a loss in step with time."""
    change = last - first
    rise = np.maximum(change, 0.0) + np.minimum(0.4 * rain / SURFACE_MM, 0.08)
    share = np.where(np.asarray(total) > 0, fallen / np.maximum(total, 1e-9), 0.0)
    return np.asarray(first + rise * np.clip(share, 0.0, 1.0) + (change - rise) * np.clip(time, 0.0, 1.0))


def at_hours(daily: npt.NDArray[np.floating]) -> Doubles:
    """A daily series at full hours, linear between the middles of the days."""
    count = daily.size
    return np.asarray(np.interp(np.arange(24 * count), 24.0 * np.arange(count) + 12.0, daily))


def _true_series(world: World, sensor: Sensor) -> Doubles:
    """True soil moisture at the depth of a sensor, hourly: the top layer, or a mixture with the root zone."""
    top = hourly_moisture(world, sensor.cell)
    if sensor.depth_m[1] <= 0.055:
        return top
    root = at_hours(world.land.soil_moisture_root_zone[:, sensor.cell])
    lagged = np.convolve(np.pad(top, (72, 0), mode="edge"), np.full(73, 1 / 73), mode="valid")
    return np.asarray(0.45 * lagged + 0.55 * root)


def record(world: World, sensor: Sensor) -> Record:
    """What a sensor records: the cell's truth as a point sees it, then noise, drift, frost, spikes and outages."""
    settings, rng = world.settings.network, stream(world.settings.seed, sensor.key)
    days = world.days.size
    truth = _true_series(world, sensor)
    mean = truth.mean()
    noise = persistent(rng.standard_normal(days, dtype=np.float32), persistence_of(REPRESENTATIVENESS_DAYS))
    gain = float(rng.lognormal(0.0, 0.2))
    site_offset = settings.offset * float(rng.standard_normal())
    values = mean + gain * (truth - mean) + site_offset + settings.representativeness * at_hours(noise)
    values += settings.drift_per_year * float(rng.standard_normal()) * np.arange(values.size) / 8766.0
    values += settings.noise * rng.standard_normal(values.size)
    hours = world.days[0].astype("datetime64[h]") + np.arange(values.size)
    values = np.clip(values, 0.015, HIGHEST)
    flags = np.full(values.size, "G", FLAG_TYPE)
    # Each defect has a stream of its own, so that one can be changed without moving the others.
    frost, spikes, outages = (
        stream(world.settings.seed, f"{sensor.key}.{name}") for name in ("frost", "spikes", "outages")
    )
    _freeze(world, sensor, values, flags, frost)
    _spike(values, flags, settings, spikes)
    saturation = float(world.soil.porosity[sensor.cell]) + 0.08
    _flag(flags, values > saturation, "C03")
    keep = _interrupt(values, flags, settings, outages)
    return Record(sensor, hours[keep], values[keep].astype(np.float32), flags[keep])


def _flag(flags: npt.NDArray[np.str_], where: npt.NDArray[np.bool_], flag: str) -> None:
    """Add a flag; it replaces `G`."""
    good = flags == "G"
    flags[where & good] = flag
    flags[where & ~good] = np.char.add(np.char.add(flags[where & ~good], ","), flag)


def _freeze(
    world: World, sensor: Sensor, values: Doubles, flags: npt.NDArray[np.str_], rng: np.random.Generator
) -> None:
    """A probe sees liquid water only; most frozen hours are flagged, deep ones do not freeze."""
    if sensor.depth_m[1] > 0.055:
        return
    values *= at_hours(1.0 - 0.75 * (1.0 - world.land.liquid_fraction[:, sensor.cell]))
    frozen = np.repeat(world.land.soil_temperature[:, sensor.cell] < 273.15, 24)
    _flag(flags, frozen & (rng.random(values.size) < DETECTED_FROST), "D01")


def _spike(values: Doubles, flags: npt.NDArray[np.str_], settings: Network, rng: np.random.Generator) -> None:
    """Single hours that jump; most are detected."""
    chance = settings.spikes_per_year / 8766.0
    hit = rng.random(values.size) < chance
    size = rng.uniform(0.08, 0.3, int(hit.sum())) * rng.choice([-1.0, 1.0], int(hit.sum()))
    values[hit] = np.clip(values[hit] + size, -0.02, 0.95)
    detected = np.zeros(values.size, bool)
    detected[hit] = rng.random(int(hit.sum())) < DETECTED_SPIKES
    _flag(flags, detected, "D06")
    _flag(flags, values < 0.0, "C01")
    _flag(flags, values > 0.60, "C02")


def _interrupt(
    values: Doubles, flags: npt.NDArray[np.str_], settings: Network, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Outages of hours to weeks, some with rows of missing values, others without rows; late begins, early ends."""
    size = values.size
    keep = np.ones(size, bool)
    keep[: int(size * max(rng.uniform(-0.3, 0.2), 0.0))] = False
    keep[int(size * min(rng.uniform(0.9, 1.3), 1.0)) :] = False
    for _ in range(rng.poisson(settings.outages_per_year * size / 8766.0)):
        first = int(rng.integers(size))
        last = first + 1 + int(24 * rng.exponential(OUTAGE_DAYS))
        if rng.random() < 0.5:
            keep[first:last] = False
        else:
            values[first:last] = np.nan
            flags[first:last] = "M"
    if not keep.any():
        keep[: min(size, 24)] = True
    return keep
