import itertools
from datetime import date

import numpy as np
import pytest

from vadose.producer import simulate
from vadose.producer.simulate import Settings, World
from vadose.producer.simulate.soil import from_texture


def test_water_balance_closes(small_world: World) -> None:
    land, rain = small_world.land, small_world.weather.precipitation.astype(float)
    spent = (land.evapotranspiration, land.drainage, land.runoff, land.storage_change)
    residual = rain - sum(flux.astype(float) for flux in spent)
    assert np.abs(residual.sum(axis=0)).max() < 1e-5 * rain.sum(axis=0).min()
    assert np.abs(residual).max() < 1e-4


def test_stores_stay_inside_the_soil(small_world: World) -> None:
    land, soil = small_world.land, small_world.soil
    for moisture in (land.soil_moisture, land.soil_moisture_midnight, land.soil_moisture_mean):
        assert (moisture <= soil.porosity + 1e-6).all()
        assert (moisture >= soil.residual * 0.999).all()
    assert (land.soil_moisture_root_zone <= soil.porosity + 1e-6).all()
    assert (land.snow_water_equivalent >= 0).all()


def test_top_layer_dries_over_days_to_weeks_after_rain(small_world: World) -> None:
    rain, top = small_world.weather.precipitation, small_world.land.soil_moisture.astype(float)
    floor = small_world.soil.residual
    times = []
    for cell in range(0, rain.shape[1], 7):
        wet = np.flatnonzero(rain[:, cell] > 0.5)
        for begin, end in itertools.pairwise(wet):
            if end - begin > 11:
                above = top[begin + 1 : begin + 11, cell] - floor[cell]
                rate = np.polyfit(np.arange(10), np.log(above), 1)[0]
                times += [-1 / rate] if rate < 0 else []
    assert 5 < np.median(times) < 30


def test_moisture_remembers_and_forgets(small_world: World) -> None:
    anomaly = small_world.soil_moisture - small_world.soil_moisture.mean(axis=0)
    variance = anomaly.var(axis=0)
    memory = {lag: np.median((anomaly[lag:] * anomaly[:-lag]).mean(axis=0) / variance) for lag in (1, 10, 30)}
    assert 0.75 < memory[1] < 0.98
    assert memory[1] > memory[10] > memory[30]


def test_snow_lies_only_after_cold(small_world: World) -> None:
    snow, air = small_world.land.snow_water_equivalent, small_world.weather.air_temperature
    summer = small_world.days.astype("datetime64[M]").astype(int) % 12 == 7
    warm = air[summer].min(axis=0) > 285.0
    assert warm.any()
    assert (snow[summer][:, warm] == 0).all()
    assert snow.max() > 1.0


def test_surface_is_hotter_and_brighter_when_dry(small_world: World) -> None:
    land = small_world.land
    summer = np.isin(small_world.days.astype("datetime64[M]").astype(int) % 12, (5, 6, 7))
    heat = (land.surface_temperature - small_world.weather.air_temperature)[summer]
    moisture = land.soil_moisture[summer]

    def correlation(other: np.ndarray) -> float:
        return float(np.median([np.corrcoef(moisture[:, c], other[:, c])[0, 1] for c in range(moisture.shape[1])]))

    assert correlation(heat) < -0.3
    assert correlation(land.albedo[summer]) < -0.2


def test_sand_drains_faster_and_holds_less_than_clay() -> None:
    soil = from_texture(np.array([85.0, 20.0]), np.array([5.0, 50.0]), np.array([1.0, 1.0]))
    assert soil.drainage_days[0] < soil.drainage_days[1]
    assert soil.field_capacity[0] < soil.field_capacity[1]
    assert (soil.residual < soil.wilting_point).all()
    assert (soil.wilting_point < soil.field_capacity).all()
    assert (soil.field_capacity < soil.porosity).all()


@pytest.mark.parametrize(
    ("box", "token"),
    [
        ((100.0, -30.0, 103.0, -27.0), "0P25DEG"),
        ((-5.0, -2.0, -3.0, 0.0), "0P10DEG"),
        ((10.0, 50.0, 16.0, 54.0), "EASE2M36"),
    ],
)
def test_any_region_and_grid_can_be_simulated(box: tuple[float, float, float, float], token: str) -> None:
    settings = Settings(
        name="any", box=box, token=token, start=date(2020, 1, 1), end=date(2020, 2, 29), spin_up_days=30
    )
    world = simulate.world(settings)
    assert world.grid.token == token
    assert np.isfinite(world.soil_moisture).all()
    assert 0.5 < world.index.size / np.prod(world.grid.shape) <= 1.0


def test_bad_settings_name_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="west < east"):
        Settings(name="bad", box=(5.0, 0.0, 1.0, 3.0), start=date(2020, 1, 1), end=date(2020, 1, 2))
    with pytest.raises(ValueError, match="before start"):
        Settings(name="bad", box=(0.0, 0.0, 1.0, 3.0), start=date(2020, 1, 2), end=date(2020, 1, 1))
