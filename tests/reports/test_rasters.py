"""Fields as pictures: what is cut away, which way is up, which colour is which value."""

import numpy as np
import pytest

from vadose.reports.figures.rasters import MISSING, colour_table, painted, raster, scale_raster
from vadose.reports.figures.spec import BRBG, CIVIDIS
from vadose.reports.mapped import Field, drawn_part

LAT, LON = 40.5 - np.arange(9.0), 5.5 + np.arange(9.0)


def test_a_sample_of_a_grid_is_drawn_cell_by_cell() -> None:
    values = np.full((1, 9, 9), np.nan)
    values[0, ::4, ::4] = np.arange(9.0).reshape(3, 3)
    found = drawn_part(Field(values, LAT, LON))
    assert found.sampled
    np.testing.assert_array_equal(found.values[0], np.arange(9.0).reshape(3, 3))
    assert (found.lat[0], found.lat[-1], found.lon[-1]) == (40.5, 32.5, 13.5)


def test_a_dense_field_keeps_its_holes_and_loses_its_edges() -> None:
    values = np.full((2, 9, 9), np.nan)
    values[0, 2:7, 3:8] = 0.2
    values[0, 4, :] = np.nan
    found = drawn_part(Field(values, LAT, LON))
    assert not found.sampled
    assert found.values.shape == (2, 5, 5)
    assert np.isnan(found.values[0, 2]).all()
    assert (found.lat[0], found.lon[0]) == (38.5, 8.5)


def test_a_field_without_a_value_stays_as_it_is() -> None:
    assert drawn_part(Field(np.full((1, 9, 9), np.nan), LAT, LON)).values.shape == (1, 9, 9)


def test_the_ends_of_the_scale_are_its_first_and_last_colour() -> None:
    table = colour_table(BRBG)
    assert table[0].tolist() == [0x54, 0x30, 0x05, 255]
    assert table[-1].tolist() == [0x00, 0x3C, 0x30, 255]
    colours = painted(np.array([-1.0, 1.0, -9.0, 9.0, np.nan]), -1.0, 1.0, signed=True)
    np.testing.assert_array_equal(colours[:4], table[[0, -1, 0, -1]])
    assert tuple(colours[4].tolist()) == MISSING


def test_north_is_up_whichever_way_the_latitudes_run() -> None:
    values = np.arange(81.0).reshape(9, 9)
    north_first = raster(LAT, LON, values, (0.0, 80.0), "", signed=False)
    south_first = raster(LAT[::-1], LON, values[::-1], (0.0, 80.0), "", signed=False)
    assert north_first.png == south_first.png


@pytest.mark.parametrize("signed", [True, False])
def test_pictures_are_true_in_proportion_at_their_middle(signed: bool) -> None:
    found = raster(LAT, LON, np.zeros((9, 9)), (-1.0, 1.0), "", signed=signed)
    assert found.height / found.width == pytest.approx(1.0 / np.cos(np.radians(36.5)), abs=0.01)
    assert scale_raster(signed=signed).png[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(colour_table(CIVIDIS)) == 255
