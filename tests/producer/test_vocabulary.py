"""Units are converted by declared rules, and contradictions are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.common import InputError, UsageError
from vadose.producer.vocabulary import RULES, VARIABLES, check_plausible, conversion, screen, variable


def test_names_are_unique() -> None:
    names = [spec.name for spec in VARIABLES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("units", "target", "value", "expected"),
    [
        ("m**3 m**-3", "m3 m-3", 0.3, 0.3),
        ("kg m-2 h-1", "mm d-1", 0.5, 12.0),
        ("kg m-2 s-1", "mm d-1", 1 / 86400, 1.0),
        ("%", "1", 45.0, 0.45),
        ("degC", "K", -1.0, 272.15),
    ],
)
def test_declared_rules_give_the_textbook_value(units: str, target: str, value: float, expected: float) -> None:
    factor, offset = conversion(units, target, where="x.nc, v")
    assert value * factor + offset == pytest.approx(expected)


def test_layer_water_needs_its_thickness() -> None:
    factor, _ = conversion("kg m-2", "m3 m-3", where="g.nc, SoilMoi", layer_thickness_m=0.1)
    assert 25.0 * factor == pytest.approx(0.25)
    with pytest.raises(InputError, match="'kg m-2'.*'m3 m-3'.*SoilMoi"):
        conversion("kg m-2", "m3 m-3", where="g.nc, SoilMoi")


def test_unknown_unit_names_file_variable_and_both_units() -> None:
    with pytest.raises(InputError) as caught:
        conversion("furlong", "K", where="a.nc, t2m")
    assert all(word in str(caught.value) for word in ("furlong", "'K'", "a.nc", "t2m"))


@given(st.sampled_from(sorted(RULES)), st.floats(-1e3, 1e3))
def test_rules_that_have_an_inverse_undo_each_other(pair: tuple[str, str], value: float) -> None:
    if pair[::-1] in RULES:
        factor, offset = RULES[pair]
        back, shift = RULES[pair[::-1]]
        assert (value * factor + offset) * back + shift == pytest.approx(value)


def test_values_outside_the_range_become_missing_and_are_counted() -> None:
    values, count = screen(np.array([0.1, 1.2, -0.1, np.inf, np.nan], np.float32), variable("smap_sm_am"))
    assert count == 3
    assert np.isnan(values[1:]).all()
    assert values[0] == np.float32(0.1)


def test_percent_declared_as_a_fraction_is_refused() -> None:
    with pytest.raises(InputError, match="contradict"):
        check_plausible(np.array([20.0, 35.0, 0.0], np.float32), variable("smap_sm_am"), "m3 m-3", where="a.nc, sm")


def test_unknown_variable_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="precipitation"):
        variable("rain")
