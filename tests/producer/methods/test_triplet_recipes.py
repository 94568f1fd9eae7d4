"""The recipes of the merge and of the downscaling: grids that fit, settings that the methods take."""

import pytest

from vadose.producer.grids import degrees
from vadose.producer.methods import method, method_settings
from vadose.producer.recipefile import load_recipe


@pytest.mark.parametrize("name", ["simulated-tc-merge", "tc-lstm-downscaling"])
def test_settings_of_the_recipe_and_its_variants_are_taken(name: str) -> None:
    section = load_recipe(name).method
    for one, values in ((section.name, section.settings), *((v.method, v.settings) for v in section.variants.values())):
        method_settings(method(one), values)


def test_yunnan_is_made_of_whole_blocks_that_hold_it() -> None:
    recipe = load_recipe("tc-lstm-downscaling")
    grid, coarse = recipe.product.grid.grid(), degrees(recipe.method.settings["coarse"])
    south, north, west, east = grid.lat_edges[-1], grid.lat_edges[0], grid.lon_edges[0], grid.lon_edges[-1]
    for edge in (90 - south, 90 - north, west + 180, east + 180):
        assert edge / coarse == pytest.approx(round(edge / coarse), abs=1e-6)
    assert south < 21 + 8 / 60
    assert north > 29.25
    assert west < 97 + 31 / 60
    assert east > 106 + 11 / 60
