"""The products that a world can be observed with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from vadose.common import UsageError
from vadose.producer.simulate import drivers, moisture
from vadose.producer.simulate.observed import Observed
from vadose.producer.simulate.radiometer import observe_radiometer
from vadose.producer.simulate.simulation import World

PRODUCTS: dict[str, Callable[[World], Observed]] = {
    "smap_sm_am": observe_radiometer,
    "ascat_ssm": moisture.observe_scatterometer,
    "cci_sm": moisture.observe_merged,
    "land_model_a_sm": partial(moisture.observe_land_model, letter="a"),
    "land_model_b_sm": partial(moisture.observe_land_model, letter="b"),
    "precipitation": drivers.observe_precipitation,
    "air_temperature": drivers.observe_air_temperature,
    "land_surface_temperature": drivers.observe_surface_temperature,
    "land_surface_temperature_all_weather": drivers.observe_all_weather_temperature,
    "albedo": drivers.observe_albedo,
    "albedo_visible": drivers.observe_visible_albedo,
    "albedo_near_infrared": drivers.observe_near_infrared_albedo,
    "evapotranspiration": drivers.observe_evapotranspiration,
    "soil_temperature": drivers.observe_soil_temperature,
    "snow_water_equivalent": drivers.observe_snow,
    "ndvi": drivers.observe_ndvi,
    "evi": drivers.observe_evi,
    "fvc": drivers.observe_fvc,
    "static": drivers.observe_static,
}


def observe(world: World, name: str) -> Observed:
    """One product of a world; an unknown name is a `UsageError` that lists the known ones."""
    if name not in PRODUCTS:
        raise UsageError(f"the simulated world has no product {name!r}; known: {', '.join(PRODUCTS)}")
    return PRODUCTS[name](world)
