import numpy as np
import pytest

from vadose.producer.grids import global_grid
from vadose.producer.simulate import Network, World
from vadose.producer.simulate.sensors import Sensor, at_hours, hourly_moisture, place_sensors, record


@pytest.fixture(scope="module")
def sensors(small_world: World) -> list[Sensor]:
    return place_sensors(small_world)


def calm(world: World, **changes: float) -> World:
    """The same world, with sensors that err only as `changes` say."""
    quiet = dict.fromkeys(
        ("noise", "representativeness", "offset", "drift_per_year", "spikes_per_year", "outages_per_year"), 0.0
    )
    network = world.settings.network.model_copy(update={**quiet, **changes})
    return World(**{**vars(world), "settings": world.settings.model_copy(update={"network": network})})


def test_sensors_stand_in_their_cell(small_world: World, sensors: list[Sensor]) -> None:
    row, column = small_world.grid.locate([s.lat for s in sensors], [s.lon for s in sensors])
    flat = row * small_world.grid.shape[1] + column
    scattered = [position for position, sensor in enumerate(sensors) if sensor.site is None]
    cells = small_world.index[[sensors[position].cell for position in scattered]]
    np.testing.assert_array_equal(flat[scattered], cells)


def test_members_of_a_core_site_share_a_cell_of_nine_kilometres(small_world: World, sensors: list[Sensor]) -> None:
    members = [sensor for sensor in sensors if sensor.site == 0]
    row, column = global_grid("EASE2M09").locate([s.lat for s in members], [s.lon for s in members])
    assert len(members) == small_world.settings.network.cluster_stations
    assert len(set(zip(row.tolist(), column.tolist(), strict=True))) == 1


def test_hourly_truth_passes_through_the_states_of_the_land(small_world: World) -> None:
    cell = 11
    hours = hourly_moisture(small_world, cell).reshape(-1, 24)
    np.testing.assert_allclose(hours[1:, 0], small_world.land.soil_moisture_midnight[:-1, cell], atol=1e-6)
    # Cells west of Greenwich have six in the morning after full hour 8 of the UTC day.
    dry = small_world.weather.precipitation[:, cell] == 0
    np.testing.assert_allclose(hours[dry, 9], small_world.land.soil_moisture[dry, cell], atol=0.01)


def test_mean_of_the_hours_is_the_mean_of_the_day(small_world: World) -> None:
    hours = hourly_moisture(small_world, 5).reshape(-1, 24)
    difference = hours.mean(axis=1) - small_world.land.soil_moisture_mean[:, 5]
    assert np.abs(difference).mean() < 0.004


def test_perfect_sensor_in_thawed_ground_records_the_truth_scaled(small_world: World) -> None:
    world = calm(small_world)
    sensor = next(s for s in place_sensors(world) if s.depth_m[1] <= 0.055)
    series = record(world, sensor)
    position = (series.hours - world.days[0].astype("datetime64[h]")).astype(int)
    truth = hourly_moisture(world, sensor.cell)[position]
    good = (series.flags == "G") & (np.repeat(world.land.liquid_fraction[:, sensor.cell], 24)[position] == 1.0)
    inside = good & (series.values > 0.02)
    assert np.corrcoef(series.values[inside], truth[inside])[0, 1] > 0.999


def test_drift_grows_with_time(small_world: World) -> None:
    sensor = place_sensors(small_world)[0]
    plain, drifting = record(calm(small_world), sensor), record(calm(small_world, drift_per_year=0.02), sensor)
    difference = drifting.values - plain.values
    warm = (plain.flags == "G") & (drifting.flags == "G")
    time = (plain.hours - plain.hours[0]).astype(float)
    assert abs(np.corrcoef(time[warm], difference[warm])[0, 1]) > 0.9


def test_spikes_are_mostly_flagged(small_world: World) -> None:
    world = calm(small_world, spikes_per_year=300.0)
    sensor = place_sensors(world)[0]
    plain, spiked = record(calm(small_world), sensor), record(world, sensor)
    jumped = np.abs(spiked.values - plain.values) > 0.05
    flagged = np.char.find(spiked.flags, "D06") >= 0
    assert 0.6 < flagged[jumped].mean() < 0.9


def test_outages_leave_out_rows_or_values(small_world: World) -> None:
    world = calm(small_world, outages_per_year=30.0)
    missing_rows = missing_values = 0
    for sensor in place_sensors(world):
        series = record(world, sensor)
        missing_rows += int((np.diff(series.hours).astype(int) > 1).sum())
        missing_values += int(np.isnan(series.values).sum())
        np.testing.assert_array_equal(np.isnan(series.values), series.flags == "M")
    assert missing_rows > 0
    assert missing_values > 0


def test_points_agree_with_their_cell_as_real_ones_do(small_world: World) -> None:
    many = small_world.settings.network.model_copy(update={"stations": 25, "clusters": 0})
    world = World(**{**vars(small_world), "settings": small_world.settings.model_copy(update={"network": many})})
    scores = []
    for sensor in place_sensors(world):
        if sensor.depth_m[1] <= 0.055:
            series = record(world, sensor)
            good = series.flags == "G"
            day = (series.hours[good].astype("datetime64[D]") - world.days[0]).astype(int)
            count = np.bincount(day, minlength=world.days.size)
            mean = np.bincount(day, series.values[good], world.days.size) / np.maximum(count, 1)
            whole = count >= 18
            scores.append(np.corrcoef(mean[whole], world.land.soil_moisture_mean[whole, sensor.cell])[0, 1])
    assert 0.65 < np.median(scores) < 0.9


def test_daily_values_become_hours_without_steps() -> None:
    np.testing.assert_allclose(at_hours(np.array([1.0, 2.0]))[[0, 12, 24, 36, 47]], [1.0, 1.0, 1.5, 2.0, 2.0])


def test_stations_fit_even_where_land_is_scarce(small_world: World) -> None:
    crowd = Network(stations=60, clusters=0, cosmic_ray=0)
    world = World(**{**vars(small_world), "settings": small_world.settings.model_copy(update={"network": crowd})})
    assert len({sensor.station for sensor in place_sensors(world)}) == 60
