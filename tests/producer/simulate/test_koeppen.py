import numpy as np
import pytest

from vadose.producer.simulate import World
from vadose.producer.simulate.koeppen import CODES, classify, climate_classes

# Monthly means of 1961 to 1990, degrees Celsius and mm, and the class that the literature gives.
PLACES = {
    "Lisbon": (
        "Csa",
        [11, 12, 14, 15, 17, 20, 22.5, 23, 22, 18, 14, 12],
        [110, 111, 69, 64, 39, 21, 5, 6, 26, 80, 114, 108],
    ),
    "London": ("Cfb", [4, 4, 6, 8, 12, 15, 17, 17, 14, 11, 7, 5], [53, 36, 48, 47, 51, 50, 48, 54, 53, 57, 57, 57]),
    "Winnipeg": (
        "Dfb",
        [-18, -15, -7, 4, 12, 17, 20, 18, 12, 6, -5, -14],
        [20, 15, 23, 36, 60, 84, 72, 75, 51, 30, 21, 19],
    ),
    "Cairo": ("BWh", [14, 15, 17, 21, 25, 27, 28, 28, 26, 24, 19, 15], [5, 4, 4, 1, 1, 0, 0, 0, 0, 1, 4, 6]),
    "Singapore": (
        "Af",
        [26, 27, 27, 28, 28, 28, 27, 27, 27, 27, 27, 26],
        [198, 154, 171, 141, 158, 140, 145, 143, 177, 167, 252, 304],
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_known_places_get_their_class(place: str) -> None:
    expected, temperature, rain = PLACES[place]
    assert (
        classify(np.array(temperature, float)[:, None], np.array(rain, float)[:, None], southern=False)[0] == expected
    )


def test_half_a_year_later_the_south_has_the_same_class() -> None:
    _, temperature, rain = PLACES["Lisbon"]
    shifted = np.roll(np.array(temperature, float), 6)[:, None], np.roll(np.array(rain, float), 6)[:, None]
    assert classify(*shifted, southern=True)[0] == "Csa"


def test_every_cell_of_a_world_has_a_class(small_world: World) -> None:
    assert set(climate_classes(small_world)) <= set(CODES)
