"""The land surface: water, snow, heat and vegetation, in two steps a day that meet at 06:00 local solar time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.producer.simulate.fields import Floats
from vadose.producer.simulate.soil import Soil
from vadose.producer.simulate.vegetation import LandCover
from vadose.producer.simulate.weather import Weather

Doubles = npt.NDArray[np.float64]

SURFACE_MM = 50.0
ROOT_ZONE_MM = 950.0
FREEZING_K = 273.15
MELT_MM_PER_K_DAY = 3.2
GREENING_DAYS, BROWNING_DAYS = 18.0, 30.0
SOIL_HEAT_DAYS = 2.0
# Share of transpiration that roots take from the surface layer.
SURFACE_ROOTS = 0.18
# Exchange between the layers by suction, e-folding time in days at field capacity.
SUCTION_DAYS = 14.0

STATES = (
    "soil_moisture",
    "soil_moisture_midnight",
    "soil_moisture_mean",
    "soil_moisture_root_zone",
    "liquid_fraction",
    "evapotranspiration",
    "drainage",
    "runoff",
    "storage_change",
    "snow_water_equivalent",
    "soil_temperature",
    "surface_temperature",
    "greenness",
    "albedo",
)


@dataclass(frozen=True)
class Land:
    """What the land surface did, (time, cell) each.

    Attributes
    ----------
    soil_moisture
        0-5 cm at 06:00 local solar time, m3 m-3, frozen water included.
    soil_moisture_midnight
        0-5 cm at the end of the UTC day.
    soil_moisture_mean
        0-5 cm, mean of the UTC day.
    soil_moisture_root_zone
        5-100 cm at the end of the UTC day.
    liquid_fraction
        Unfrozen share of the water in 0-5 cm.
    evapotranspiration, drainage, runoff, storage_change
        mm per UTC day; with precipitation they close the balance. Storage is both layers and snow.
    snow_water_equivalent
        mm at 06:00 local solar time.
    soil_temperature, surface_temperature
        K; 0-5 cm in the morning, and the skin at noon under the day's sky.
    greenness, albedo
        0 to 1.
    """

    soil_moisture: Floats
    soil_moisture_midnight: Floats
    soil_moisture_mean: Floats
    soil_moisture_root_zone: Floats
    liquid_fraction: Floats
    evapotranspiration: Floats
    drainage: Floats
    runoff: Floats
    storage_change: Floats
    snow_water_equivalent: Floats
    soil_temperature: Floats
    surface_temperature: Floats
    greenness: Floats
    albedo: Floats


def potential_evapotranspiration(air_temperature: Doubles, shortwave: Doubles, cloud: Doubles) -> Doubles:
    """Priestley & Taylor (1972, doi 10.1175/1520-0493(1972)100<0081:OTAOSH>2.3.CO;2), mm d-1."""
    celsius = np.clip(air_temperature - FREEZING_K, -30.0, 50.0)
    slope = 4098.0 * 0.6108 * np.exp(17.27 * celsius / (celsius + 237.3)) / (celsius + 237.3) ** 2
    net = 0.79 * shortwave - 62.0 * (1.0 - 0.75 * cloud)
    return np.asarray(np.maximum(1.26 * slope / (slope + 0.066) * net * 0.0864 / 2.45, 0.05))


@dataclass
class _State:
    """Stores in mm, temperatures in K, (cell,)."""

    surface: Doubles
    root: Doubles
    snow: Doubles
    soil_temperature: Doubles
    greenness: Doubles

    def storage(self) -> Doubles:
        return self.surface + self.root + self.snow


def frozen_fraction(soil_temperature: Doubles) -> Doubles:
    """Frozen share of the surface water: none above 0.5 °C, all below -1 °C."""
    return np.clip((FREEZING_K + 0.5 - soil_temperature) / 1.5, 0.0, 1.0)


class _Step:
    """Water balance of one part of a day; parameters that do not change are prepared once."""

    def __init__(self, soil: Soil) -> None:
        self.full = soil.porosity * SURFACE_MM
        self.capacity = soil.field_capacity * SURFACE_MM
        self.residual = soil.residual * SURFACE_MM
        self.range = self.capacity - self.residual
        self.root_full = soil.porosity * ROOT_ZONE_MM
        self.root_capacity = soil.field_capacity * ROOT_ZONE_MM
        self.root_wilting = soil.wilting_point * ROOT_ZONE_MM
        self.stress = 0.6 * (self.root_capacity - self.root_wilting)
        self.drainage_rate = 1.0 / soil.drainage_days
        self.percolation_rate = 1.0 / soil.percolation_days

    def run(
        self, state: _State, precipitation: Doubles, air: Doubles, potential: Doubles, cover: Doubles, days: Doubles
    ) -> tuple[Doubles, Doubles, Doubles]:
        """Advance `state` by `days` (of a day); returns evapotranspiration, deep drainage and runoff in mm."""
        frozen = frozen_fraction(state.soil_temperature)
        thawed = 1.0 - frozen
        snowfall = precipitation * np.clip((FREEZING_K + 1.5 - air) / 2.0, 0.0, 1.0)
        melt = np.minimum(state.snow + snowfall, MELT_MM_PER_K_DAY * np.maximum(air - FREEZING_K, 0.0) * days)
        state.snow += snowfall - melt
        water = precipitation - snowfall + melt
        # Saturated patches grow with wetness and shed water at once; frozen ground sheds half.
        wet = state.surface / self.full
        fast = water * np.minimum(0.75 * wet**5 + 0.5 * frozen * wet, 0.9)
        state.surface += water - fast
        # What the layer cannot hold goes on to the root zone.
        over = np.maximum(state.surface - self.full, 0.0)
        drained = np.maximum(state.surface - over - self.capacity, 0.0) * -np.expm1(
            -self.drainage_rate * days * (0.1 + 0.9 * thawed)
        )
        state.surface -= over + drained
        state.root += over + drained
        spill = np.maximum(state.root - self.root_full, 0.0)
        percolated = np.maximum(state.root - spill - self.root_capacity, 0.0) * -np.expm1(-self.percolation_rate * days)
        state.root -= spill + percolated
        taken = self._evapotranspire(state, potential, cover, thawed, days)
        self._suck(state, thawed, days)
        return taken, percolated, fast + spill

    def _evapotranspire(
        self, state: _State, potential: Doubles, cover: Doubles, thawed: Doubles, days: Doubles
    ) -> Doubles:
        demand = potential * thawed * (state.snow < 2.0)
        available = np.maximum(state.surface - self.residual, 0.0)
        # Implicit in the surface layer: its loss is proportional to what is left, so that it dries exponentially.
        rate = demand * (1.0 - cover + SURFACE_ROOTS * cover) / self.range
        surface_loss = available * -np.expm1(-0.62 * rate * days)
        supply = np.clip((state.root - self.root_wilting) / self.stress, 0.0, 1.0)
        root_loss = np.minimum(
            demand * cover * (1.0 - SURFACE_ROOTS) * supply * days, np.maximum(state.root - self.root_wilting, 0.0)
        )
        sublimated = np.minimum(state.snow, 0.15 * potential * days)
        state.surface -= surface_loss
        state.root -= root_loss
        state.snow -= sublimated
        return surface_loss + root_loss + sublimated

    def _suck(self, state: _State, thawed: Doubles, days: Doubles) -> None:
        """Water moves towards equal relative wetness, slowly in dry soil."""
        above = (state.surface - self.residual) / self.range
        below = np.clip((state.root - self.root_wilting) / (self.root_capacity - self.root_wilting), 0.0, 1.0)
        flow = self.range * (below - above) * -np.expm1(-days * thawed * below / SUCTION_DAYS)
        flow = np.where(below > above, flow, 0.0)
        state.surface += flow
        state.root -= flow


def run_land(weather: Weather, soil: Soil, cover: LandCover, first_part: Doubles) -> Land:
    """Run the land surface over all days of the weather.

    Parameters
    ----------
    weather
        Daily weather, (time, cell).
    soil, cover
        Maps, (cell,).
    first_part
        Share of the UTC day before 06:00 local solar time, (cell,).
    """
    count, cells = weather.precipitation.shape
    out = {name: np.empty((count, cells), np.float32) for name in STATES}
    step = _Step(soil)
    state = _State(
        surface=0.75 * step.capacity,
        root=step.root_wilting + 0.6 * (step.root_capacity - step.root_wilting),
        snow=np.zeros(cells),
        soil_temperature=weather.air_temperature[:30].mean(axis=0, dtype=float),
        greenness=(cover.green_most + cover.green_least) / 2,
    )
    second_part = 1.0 - first_part
    dry_albedo = 0.16 + 0.0019 * soil.sand - 0.006 * soil.organic_carbon
    warmth = state.soil_temperature.copy()
    for day in range(count):
        air = weather.air_temperature[day].astype(float)
        rain = weather.precipitation[day].astype(float)
        sun = weather.shortwave[day].astype(float)
        cloud = weather.cloud[day].astype(float)
        potential = potential_evapotranspiration(air, sun, cloud)
        fraction = vegetation_cover(state.greenness)
        before, start = state.storage(), state.surface.copy()
        early = rain * weather.before_six[day]
        # A night's share of the day's evaporation is small.
        taken, deep, fast = step.run(state, early, air - 3.0, potential * 0.35, fraction, first_part)
        morning = state.surface.copy()
        out["snow_water_equivalent"][day] = state.snow
        out["soil_temperature"][day] = state.soil_temperature
        out["liquid_fraction"][day] = 1.0 - frozen_fraction(state.soil_temperature)
        scale = (1.0 - 0.35 * first_part) / np.maximum(second_part, 1e-6)
        later = step.run(state, rain - early, air + 1.5, potential * np.minimum(scale, 2.0), fraction, second_part)
        taken, deep, fast = taken + later[0], deep + later[1], fast + later[2]
        out["soil_moisture"][day] = morning / SURFACE_MM
        out["soil_moisture_midnight"][day] = state.surface / SURFACE_MM
        out["soil_moisture_mean"][day] = (
            0.5 * (start + morning) * first_part + 0.5 * (morning + state.surface) * second_part
        ) / SURFACE_MM
        out["soil_moisture_root_zone"][day] = state.root / ROOT_ZONE_MM
        out["evapotranspiration"][day], out["drainage"][day], out["runoff"][day] = taken, deep, fast
        out["storage_change"][day] = state.storage() - before
        skin = _skin_temperature(air, sun, taken / potential, fraction, state.snow)
        _warm(state, air, skin)
        warmth += (air - warmth) / 20.0
        _grow(state, cover, step, warmth)
        out["surface_temperature"][day] = skin
        out["greenness"][day] = state.greenness
        out["albedo"][day] = _albedo(state, step, dry_albedo, fraction)
    return Land(**out)


def vegetation_cover(greenness: Doubles) -> Doubles:
    """Fraction of the ground under leaves."""
    return np.clip(greenness, 0.0, 1.0) ** 1.3


def _skin_temperature(air: Doubles, sun: Doubles, wetness: Doubles, cover: Doubles, snow: Doubles) -> Doubles:
    """Skin temperature near noon: the sun heats what cannot cool itself by evaporation."""
    heating = 0.052 * sun * (1.0 - 0.62 * np.clip(wetness, 0.0, 1.1)) * (1.0 - 0.30 * cover)
    skin = air + 1.0 + heating
    return np.where(snow > 5.0, np.minimum(skin, FREEZING_K + 1.0), skin)


def _warm(state: _State, air: Doubles, skin: Doubles) -> None:
    """The top soil follows the skin with a delay, and slowly under snow."""
    target = 0.75 * air + 0.25 * skin
    insulation = 1.0 + 0.12 * np.minimum(state.snow, 60.0)
    state.soil_temperature += (target - state.soil_temperature) * -np.expm1(-1.0 / (SOIL_HEAT_DAYS * insulation))


def _grow(state: _State, cover: LandCover, step: _Step, warmth: Doubles) -> None:
    """Leaves come with warmth and water and go without either."""
    warm = np.clip((warmth - FREEZING_K - 3.0) / 11.0, 0.0, 1.0)
    water = np.clip((state.root - step.root_wilting) / step.stress, 0.0, 1.0)
    target = cover.green_least + (cover.green_most - cover.green_least) * warm * (0.15 + 0.85 * water)
    pace = np.where(target > state.greenness, 1.0 / GREENING_DAYS, 1.0 / BROWNING_DAYS)
    state.greenness += (target - state.greenness) * pace


def _albedo(state: _State, step: _Step, dry: Doubles, cover: Doubles) -> Doubles:
    """Shortwave albedo: wet soil is darker than dry soil, snow brighter than all; leaves are 0.17."""
    wet = np.clip(state.surface / step.full, 0.0, 1.0)
    ground = dry * (1.0 - 0.45 * wet) * (1.0 - cover) + 0.17 * cover
    white = np.clip(state.snow / 15.0, 0.0, 1.0) * (1.0 - 0.5 * cover)
    return ground + (0.72 - ground) * white
