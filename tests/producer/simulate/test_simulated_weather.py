import time

import numpy as np
import pytest

from vadose.producer import simulate
from vadose.producer.simulate import World
from vadose.producer.simulate.climate import extraterrestrial_radiation
from vadose.producer.simulate.weather import solar_hour


def distances_km(world: World, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    east = (world.lon[first] - world.lon[second]) * np.cos(np.deg2rad(world.lat.mean()))
    return 111.2 * np.hypot(world.lat[first] - world.lat[second], east)


def test_rain_of_near_cells_is_more_alike_than_of_far_cells(small_world: World) -> None:
    rain = small_world.weather.precipitation
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, rain.shape[1], (2, 1500))
    distance = distances_km(small_world, first, second)
    scaled = (rain - rain.mean(axis=0)) / rain.std(axis=0)
    alike = (scaled[:, first] * scaled[:, second]).mean(axis=0)
    near, middle, far = (alike[(distance > a) & (distance <= b)].mean() for a, b in ((5, 40), (80, 150), (280, 500)))
    assert near > 0.7 > middle > 0.25 > far


def test_rain_has_the_wet_days_of_the_climate(small_world: World) -> None:
    wet = (small_world.weather.precipitation > 0).mean()
    expected = small_world.climate.wet_day_fraction[small_world.terrain.land].mean()
    # Traces below 0.1 mm are dry, and a year and a half of spells differs from the mean climate.
    assert wet == pytest.approx(expected, abs=0.06)


def test_winters_are_colder_and_darker_than_summers(small_world: World) -> None:
    month = small_world.days.astype("datetime64[M]").astype(int) % 12
    for field in (small_world.weather.air_temperature, small_world.weather.shortwave):
        assert field[month == 0].mean() < field[month == 6].mean()


def test_radiation_at_the_top_of_the_atmosphere_is_that_of_the_tables() -> None:
    # FAO 56, example 8: 3 September at 20 S gives 32.2 MJ m-2 d-1.
    watts = extraterrestrial_radiation(np.array([-20.0]), np.array([246.0]))[0, 0]
    assert watts * 0.0864 == pytest.approx(32.2, abs=0.1)


@pytest.mark.parametrize(("lon", "hour"), [(0.0, 6.0), (-90.0, 12.0), (90.0, 0.0), (105.0, 23.0), (-179.0, 17.933)])
def test_six_in_the_morning_is_found_within_the_utc_day(lon: float, hour: float) -> None:
    assert solar_hour(np.array([lon]))[0] == pytest.approx(hour, abs=1e-3)


def test_equal_settings_give_an_equal_world_and_other_seeds_another(small_world: World) -> None:
    again = simulate.world(small_world.settings)
    other = simulate.world(small_world.settings.model_copy(update={"seed": 8}))
    np.testing.assert_array_equal(again.soil_moisture, small_world.soil_moisture)
    assert other.index.size != again.index.size or not np.array_equal(other.soil_moisture, again.soil_moisture)


def test_ten_million_cell_days_take_less_than_a_minute(small_world: World) -> None:
    begin = time.process_time()
    world = simulate.world(small_world.settings)
    seconds = time.process_time() - begin
    days = world.days.size + world.settings.spin_up_days
    # The demo world, eight times as wide, reaches ten times the limit.
    assert days * world.index.size / seconds * 60 > 10e6
