"""Other soil-moisture products: a scatterometer, a merged record, and two land models with correlated errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vadose.producer.simulate.fields import Floats, Plane, persistence_of, stream
from vadose.producer.simulate.observed import Layer, Observed, moisture_layer
from vadose.producer.simulate.orbit import RADIOMETER, SCATTEROMETER
from vadose.producer.simulate.radiometer import DENSE_KG_M2, vegetation_water
from vadose.producer.simulate.settings import MoistureError
from vadose.producer.simulate.simulation import World

Doubles = npt.NDArray[np.float64]

FROZEN_K = 274.15
SNOW_MM = 1.0


def _noise(world: World, name: str, memory_days: float, length_km: float = 150.0) -> Floats:
    plane = Plane.of(world.grid)
    fields = plane.sample(stream(world.settings.seed, name), world.days.size, length_km, persistence_of(memory_days))
    return fields.reshape(world.days.size, -1)[:, world.index]


def _offsets(world: World, name: str, error: MoistureError) -> Doubles:
    field = Plane.of(world.grid).sample(stream(world.settings.seed, f"{name}.bias"), 1, 100.0).reshape(-1)[world.index]
    return error.offset + error.bias * field.astype(float)


def _respond(world: World, truth: Floats, error: MoistureError, offset: Doubles, noise: Floats) -> Floats:
    """The linear error model, kept inside the pores."""
    value = np.float32(error.gain) * truth + offset.astype(np.float32) + np.float32(error.std) * noise
    return np.clip(value, 0.005, world.soil.porosity.astype(np.float32)).astype(np.float32)


def frozen_or_snow(world: World) -> npt.NDArray[np.bool_]:
    """Where the ground is frozen or under snow in the morning, (time, cell)."""
    return np.asarray((world.land.soil_temperature < FROZEN_K) | (world.land.snow_water_equivalent > SNOW_MM))


def observe_scatterometer(world: World) -> Observed:
    """The ASCAT-like product: percent of saturation, gaps between swaths, a flag for the state of the surface."""
    error = world.settings.errors.scatterometer
    offset = _offsets(world, "scatterometer", error)
    content = vegetation_water(world)
    noise = _noise(world, "scatterometer.noise", error.memory_days) * (np.float32(0.7) + np.float32(0.12) * content)
    value = _respond(world, world.land.soil_moisture * world.land.liquid_fraction, error, offset, noise)
    percent = np.clip(100.0 * value / world.soil.porosity.astype(np.float32), 0.0, 100.0)
    seen = SCATTEROMETER.seen(world.lat, world.lon, world.days)
    state = np.where(
        world.land.snow_water_equivalent > SNOW_MM, 4, np.where(world.land.soil_temperature < FROZEN_K, 2, 1)
    ).astype(np.int16)
    layers = (
        moisture_layer(np.where(seen, percent, np.nan), "surface soil moisture, degree of saturation", "percent"),
        Layer(
            "surface_state_flag",
            np.where(seen, state, np.int16(0)),
            "1",
            "state of the surface",
            "status_flag",
            {"flag_values": np.array([0, 1, 2, 4], np.int16), "flag_meanings": "unknown unfrozen frozen snow"},
        ),
    )
    scale = 100.0 / world.soil.porosity
    spread = error.std * np.sqrt(((0.7 + 0.12 * content.astype(float)) ** 2).mean(axis=0))
    return Observed(
        "ascat_ssm",
        "Simulated scatterometer soil moisture",
        world.grid,
        world.index,
        world.days,
        1,
        "utc",
        layers,
        ("simulated C-band scatterometer",),
        (),
        depth_m=(0.0, 0.02),
        quality={"variable": "surface_state_flag", "keep": [1]},
        error_std=spread * scale,
        gain=error.gain * scale,
        offset=offset * scale,
    )


def observe_merged(world: World) -> Observed:
    """The CCI-like product: a blend that needs a swath of either sensor, thawed ground and no dense vegetation."""
    error = world.settings.errors.merged
    offset = _offsets(world, "merged", error)
    value = _respond(
        world,
        world.land.soil_moisture_mean * world.land.liquid_fraction,
        error,
        offset,
        _noise(world, "merged.noise", error.memory_days),
    )
    hard = frozen_or_snow(world)
    dense = vegetation_water(world) > DENSE_KG_M2
    seen = RADIOMETER.seen(world.lat, world.lon, world.days) | SCATTEROMETER.seen(world.lat, world.lon, world.days)
    flag = (np.where(hard, 1, 0) | np.where(dense, 2, 0)).astype(np.int16)
    layers = (
        moisture_layer(np.where(seen & ~hard & ~dense, value, np.nan), "soil moisture, blended"),
        Layer(
            "flag",
            flag,
            "1",
            "why there is no value",
            "status_flag",
            {
                "flag_masks": np.array([1, 2], np.int16),
                "flag_meanings": "snow_coverage_or_temperature_below_zero dense_vegetation",
            },
        ),
    )
    return Observed(
        "cci_sm",
        "Simulated merged soil moisture",
        world.grid,
        world.index,
        world.days,
        1,
        "utc",
        layers,
        ("simulated L-band radiometer", "simulated C-band scatterometer"),
        ("simulated land model A",),
        depth_m=(0.0, 0.05),
        quality={"variable": "flag", "clear_bits": [0, 1]},
        error_std=np.full(world.index.size, error.std),
        gain=np.full(world.index.size, error.gain),
        offset=offset,
    )


def land_model_errors(world: World) -> tuple[Floats, Floats]:
    """Standard normal errors of the two land models, (time, cell), with the correlation `rho` of the settings.

    Both have the memory of model A, else the correlation would be smaller than set.
    """
    memory, rho = world.settings.errors.land_model_a.memory_days, world.settings.errors.rho
    first = _noise(world, "land_models.first", memory)
    other = _noise(world, "land_models.second", memory)
    return first, np.float32(rho) * first + np.float32(np.sqrt(1.0 - rho**2)) * other


def observe_land_model(world: World, letter: str) -> Observed:
    """Land model `a` (0-10 cm) or `b` (0-7 cm): no gaps, a climate of its own, errors shared with the other."""
    error = world.settings.errors.land_model_a if letter == "a" else world.settings.errors.land_model_b
    offset = _offsets(world, f"land_model_{letter}", error)
    noise = land_model_errors(world)[0 if letter == "a" else 1]
    depth = (0.0, 0.10) if letter == "a" else (0.0, 0.07)
    value = _respond(world, world.land.soil_moisture_mean, error, offset, noise)
    name = f"land_model_{letter}_sm"
    long_name = f"soil moisture of land model {letter.upper()}, 0-{round(100 * depth[1])} cm"
    return Observed(
        name,
        f"Simulated {long_name}",
        world.grid,
        world.index,
        world.days,
        1,
        "utc",
        (moisture_layer(value, long_name),),
        (),
        ("simulated reanalysis weather",),
        depth_m=depth,
        error_std=np.full(world.index.size, error.std),
        gain=np.full(world.index.size, error.gain),
        offset=offset,
    )
