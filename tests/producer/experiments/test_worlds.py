"""Products of a simulated world as the experiments take them."""

from datetime import date

import numpy as np
import pytest

from vadose.producer.experiments.worlds import daily_product, fit_values, nearest_values
from vadose.producer.simulate.products import observe
from vadose.producer.simulate.settings import Settings
from vadose.producer.simulate.simulation import World, make_world

LAND = Settings(
    name="patch", token="0P05DEG", box=(-41.0, 40.0, -40.0, 41.0), start=date(2017, 3, 1), end=date(2017, 5, 31),
    seed=7, spin_up_days=30,
)  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    """A degree of land in three months."""
    return make_world(LAND)


def test_every_cell_has_the_value_of_the_nearest_cell_of_a_coarser_product(world: World) -> None:
    seen = observe(world, "smap_sm_am")
    assert seen.grid != world.grid
    values = seen.layers[0].values.astype("f4")
    found = nearest_values(values, seen, world)
    lat, lon = seen.grid.lat[seen.index // seen.grid.shape[1]], seen.grid.lon[seen.index % seen.grid.shape[1]]
    for cell in range(0, world.lat.size, 37):
        nearest = np.hypot(lat - world.lat[cell], lon - world.lon[cell]).argmin()
        if abs(lat[nearest] - world.lat[cell]) < 0.1 and abs(lon[nearest] - world.lon[cell]) < 0.1:
            np.testing.assert_array_equal(found[:, cell], values[:, nearest])
    assert np.isfinite(found).any()


def test_flagged_retrievals_are_missing_and_fit_ones_are_kept(world: World) -> None:
    seen = observe(world, "smap_sm_am")
    flags = next(layer.values for layer in seen.layers if layer.name == "retrieval_qual_flag")
    fit = fit_values(seen)
    np.testing.assert_array_equal(fit, flags % 2 == 0)
    assert 0 < fit.mean() < 1
    assert np.isfinite(daily_product(world, "smap_sm_am")).sum() < daily_product(world, "land_model_b_sm").size


def test_a_product_on_the_grid_of_the_land_is_taken_as_it_is(world: World) -> None:
    seen = observe(world, "precipitation")
    np.testing.assert_array_equal(daily_product(world, "precipitation"), seen.layers[0].values.astype("f4"))
