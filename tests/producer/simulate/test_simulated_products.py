import numpy as np
import pytest

from vadose.common import UsageError
from vadose.producer import grids, simulate
from vadose.producer.simulate import PRODUCTS, Errors, Observed, World
from vadose.producer.simulate.drivers import composite_starts
from vadose.producer.simulate.radiometer import SURFACE, footprints, vegetation_water
from vadose.producer.vocabulary import VOCABULARY


def layer(observed: Observed, name: str) -> np.ndarray:
    return next(item.values for item in observed.layers if item.name == name)


@pytest.fixture(scope="module")
def radiometer(small_world: World) -> Observed:
    return simulate.observe(small_world, "smap_sm_am")


@pytest.mark.parametrize("name", PRODUCTS)
def test_every_product_is_inside_the_range_of_its_quantity(small_world: World, name: str) -> None:
    observed = simulate.observe(small_world, name)
    for item in observed.layers:
        key = observed.name if item is observed.layers[0] and name != "static" else item.name
        if key not in VOCABULARY or item.values.dtype == np.int16:
            continue
        low, high = VOCABULARY[key].valid_range
        valid = item.values[np.isfinite(item.values)]
        assert item.units == VOCABULARY[key].units
        assert valid.size
        assert low <= valid.min() <= valid.max() <= high


def test_footprint_mean_is_the_area_weighted_mean_of_its_land(small_world: World) -> None:
    places = footprints(small_world)
    values = np.random.default_rng(0).random(small_world.index.size).astype(np.float32)
    row, column = 4, 5
    south, north = places.grid.lat_edges[row + 1], places.grid.lat_edges[row]
    west, east = places.grid.lon_edges[column], places.grid.lon_edges[column + 1]
    # A second way: many points spread evenly over the area of the footprint.
    sine = np.linspace(np.sin(np.deg2rad(south)), np.sin(np.deg2rad(north)), 1001)[:-1]
    lat = np.rad2deg(np.arcsin(sine + (sine[1] - sine[0]) / 2))
    lon = np.linspace(west, east, 1001)[:-1] + (east - west) / 2000
    rows, columns = small_world.grid.locate(*(part.ravel() for part in np.meshgrid(lat, lon, indexing="ij")))
    cell = np.full(small_world.grid.shape, np.nan)
    cell.ravel()[small_world.index] = values
    expected = np.nanmean(cell[rows, columns])
    assert places.mean(values)[row * places.grid.shape[1] + column] == pytest.approx(expected, abs=2e-3)


def test_radiometer_gaps_follow_the_repeat_of_eight_days(radiometer: Observed) -> None:
    seen = (layer(radiometer, "retrieval_qual_flag") & 2) == 0
    np.testing.assert_array_equal(seen[8:], seen[:-8])
    inside = seen.any(axis=0)
    assert 0.4 < seen[:, inside].mean() < 0.55


def test_radiometer_recommends_nothing_frozen_snowed_rained_on_or_dense(radiometer: Observed) -> None:
    quality, surface = layer(radiometer, "retrieval_qual_flag"), layer(radiometer, "surface_flag")
    recommended = (quality & 1) == 0
    bad = sum(
        SURFACE[name]
        for name in ("snow_or_ice", "model_frozen_ground", "precipitation", "dense_vegetation", "static_water")
    )
    assert recommended.any()
    assert (surface[recommended] & bad == 0).all()
    assert np.isfinite(layer(radiometer, "soil_moisture")[recommended]).all()
    assert np.isnan(layer(radiometer, "soil_moisture")[(quality & 4) != 0]).all()


def test_interference_dries_and_is_never_recommended(radiometer: Observed) -> None:
    hit = (layer(radiometer, "tb_qual_flag_h") & 4 != 0) & (layer(radiometer, "tb_qual_flag_h") != 32767)
    assert hit.any()
    assert ((layer(radiometer, "retrieval_qual_flag")[hit] & 1) == 1).all()


def test_radiometer_noise_grows_with_vegetation(small_world: World, radiometer: Observed) -> None:
    places = footprints(small_world)
    truth = places.mean(small_world.land.soil_moisture * small_world.land.liquid_fraction)
    error = layer(radiometer, "soil_moisture") - truth
    good = (layer(radiometer, "retrieval_qual_flag") & 1) == 0
    content = places.mean(vegetation_water(small_world))
    bare, green = (error[good & chosen].std() for chosen in (content < 1.0, content > 3.0))
    assert green > 1.2 * bare


def test_radiometer_follows_the_truth_without_being_it(small_world: World, radiometer: Observed) -> None:
    row, column = radiometer.grid.locate(small_world.lat, small_world.lon)
    cells = row * radiometer.grid.shape[1] + column
    good = np.where(layer(radiometer, "retrieval_qual_flag") & 1, np.nan, layer(radiometer, "soil_moisture"))[:, cells]
    scores = []
    for cell in range(cells.size):
        valid = np.isfinite(good[:, cell])
        if valid.sum() >= 60:
            scores.append(np.corrcoef(good[valid, cell], small_world.soil_moisture[valid, cell])[0, 1])
    assert 0.75 < np.median(scores) < 0.95


@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.7])
def test_errors_of_the_land_models_correlate_as_set(small_world: World, rho: float) -> None:
    changed = small_world.settings.model_copy(update={"errors": Errors(rho=rho)})
    world = World(**{**vars(small_world), "settings": changed})
    errors = []
    for name in ("land_model_a_sm", "land_model_b_sm"):
        observed = simulate.observe(world, name)
        assert observed.gain is not None
        assert observed.offset is not None
        errors.append(observed.layers[0].values - (observed.gain * world.land.soil_moisture_mean + observed.offset))
    pooled = np.corrcoef(errors[0].ravel(), errors[1].ravel())[0, 1]
    # Errors last for days and reach over cells: about a thousand are independent.
    assert pooled == pytest.approx(rho, abs=0.08)


def test_stated_error_of_a_model_is_the_measured_one(small_world: World) -> None:
    observed = simulate.observe(small_world, "land_model_b_sm")
    assert observed.gain is not None
    assert observed.offset is not None
    assert observed.error_std is not None
    error = observed.layers[0].values - (observed.gain * small_world.land.soil_moisture_mean + observed.offset)
    assert error.std() == pytest.approx(observed.error_std.mean(), rel=0.1)


def test_scatterometer_is_in_percent_of_saturation(small_world: World) -> None:
    observed = simulate.observe(small_world, "ascat_ssm")
    unfrozen = layer(observed, "surface_state_flag") == 1
    volume = np.where(unfrozen, layer(observed, "soil_moisture") / 100.0 * small_world.soil.porosity, np.nan)
    assert observed.layers[0].standard_name is None
    assert np.nanmean(volume) == pytest.approx(small_world.soil_moisture[unfrozen].mean(), abs=0.03)


def test_clear_sky_temperature_is_missing_where_it_rains(small_world: World) -> None:
    clear = np.isfinite(simulate.observe(small_world, "land_surface_temperature").layers[0].values)
    everywhere = simulate.observe(small_world, "land_surface_temperature_all_weather").layers[0].values
    wet = small_world.weather.precipitation > 2.0
    assert clear[wet].mean() < 0.05 < clear[~wet].mean()
    assert np.isfinite(everywhere).all()


def test_precipitation_error_is_multiplicative_with_a_small_bias(small_world: World) -> None:
    seen = simulate.observe(small_world, "precipitation").layers[0].values
    truth = small_world.weather.precipitation
    heavy = truth > 5.0
    assert np.log(seen[heavy] / truth[heavy]).std() == pytest.approx(0.36, abs=0.06)
    # The regional bias is 10 % and reaches over most of so small a box.
    assert seen.sum() == pytest.approx(truth.sum(), rel=0.2)
    assert ((seen > 0) & (truth == 0)).any()


def test_composites_begin_anew_each_year_and_cover_all_days() -> None:
    days = np.arange(np.datetime64("2015-04-01"), np.datetime64("2017-01-01"))
    starts = composite_starts(days, 16)
    assert starts[0] <= days[0] < starts[0] + 16
    assert {"2016-01-01", "2016-01-17"} <= set(starts.astype(str))
    assert (np.diff(starts).astype(int) <= 16).all()


def test_footprint_grid_is_a_window_of_the_global_grid(radiometer: Observed) -> None:
    whole = grids.global_grid("EASE2M36")
    np.testing.assert_array_equal(radiometer.grid.lat, whole.lat[radiometer.grid.row0 : radiometer.grid.row1])


def test_unknown_product_is_refused_with_the_known_ones(small_world: World) -> None:
    with pytest.raises(UsageError, match="no product 'smop'; known: smap_sm_am"):
        simulate.observe(small_world, "smop")


def test_leaves_darken_the_visible_and_brighten_the_near_infrared(small_world: World) -> None:
    names = ("albedo_visible", "albedo", "albedo_near_infrared")
    visible, broad, infrared = (layer(simulate.observe(small_world, name), name).mean(axis=0) for name in names)
    greenness = small_world.land.greenness.mean(axis=0)
    assert np.corrcoef(visible / broad, greenness)[0, 1] < -0.6
    assert np.corrcoef(infrared / broad, greenness)[0, 1] > 0.6
    assert (visible < infrared).mean() > 0.95
