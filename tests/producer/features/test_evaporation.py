"""Potential evaporation against printed examples of FAO Irrigation and Drainage Paper 56, and a sum by hand."""

import numpy as np
import pytest

from vadose.producer.features.evaporation import (
    extraterrestrial_radiation,
    oudin,
    priestley_taylor,
    psychrometric,
    vapour_pressure_slope,
)

MEGAJOULES = 86400.0 / 1e6


def test_vapour_pressure_and_psychrometer_are_those_of_the_tables() -> None:
    np.testing.assert_allclose(vapour_pressure_slope([293.15, 303.15]), [0.145, 0.243], atol=6e-4)
    np.testing.assert_allclose(psychrometric([0.0, 1800.0]), [0.067, 0.054], atol=6e-4)


def test_radiation_above_the_atmosphere_is_that_of_example_8() -> None:
    found = extraterrestrial_radiation([-20.0], np.array(["2015-09-03"], "datetime64[D]"))
    assert found[0, 0] * MEGAJOULES == pytest.approx(32.2, abs=0.15)


def test_polar_night_has_no_radiation_and_no_evaporation() -> None:
    day = np.array(["2015-12-21"], "datetime64[D]")
    assert extraterrestrial_radiation([75.0], day)[0, 0] == pytest.approx(0.0, abs=1e-9)
    assert oudin([[280.0]], [75.0], day)[0, 0] == pytest.approx(0.0, abs=1e-9)


def test_priestley_taylor_turns_net_radiation_into_water() -> None:
    # 0.77 x 250 W in, 0.98 x (330 - 418.74) W net infrared at 20 degrees; 0.1447 / (0.1447 + 0.0673) of it, x 1.26.
    net = 0.77 * 250.0 - 0.98 * 88.74
    expected = 1.26 * 0.1447 / (0.1447 + 0.0674) * net * 86400.0 / 2.45e6
    assert priestley_taylor(250.0, 330.0, 293.15) == pytest.approx(expected, rel=2e-3)
    assert priestley_taylor(0.0, 200.0, 293.15) == 0.0


def test_oudin_needs_only_temperature() -> None:
    day = np.array(["2015-07-01"], "datetime64[D]")
    above = extraterrestrial_radiation([45.0], day)[0, 0] * 86400.0 / 2.45e6
    np.testing.assert_allclose(oudin([[293.15, 263.15]], [45.0, 45.0], day), [[above * 25.0 / 100.0, 0.0]])
