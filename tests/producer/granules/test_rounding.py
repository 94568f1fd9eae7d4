from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.producer.granules.rounding import bitround

floats = st.floats(width=32, allow_subnormal=False, min_value=-(2.0**100), max_value=2.0**100)
kept_bits = st.integers(1, 22)


def slowly(value: float, kept: int) -> float:
    """Round by exact integer arithmetic on the significand."""
    if value == 0:
        return value
    mantissa, exponent = np.frexp(abs(np.float64(value)))
    scaled = Fraction(float(mantissa)) * 2 ** (kept + 1)
    return float(np.sign(value) * round(scaled) * 2.0 ** (int(exponent) - kept - 1))


@given(floats, kept_bits)
def test_equals_exact_rounding_half_to_even(value, kept):
    assert bitround(np.array([value], np.float32), kept)[0] == np.float32(slowly(value, kept))


@given(floats, kept_bits)
def test_error_is_at_most_half_a_unit_of_the_last_kept_bit(value, kept):
    rounded = float(bitround(np.array([value], np.float32), kept)[0])
    assert abs(rounded - value) <= abs(value) * 2.0 ** -(kept + 1)


@given(floats, kept_bits)
def test_rounding_twice_is_rounding_once(value, kept):
    once = bitround(np.array([value], np.float32), kept)
    assert np.array_equal(bitround(once, kept), once)


@given(st.lists(floats, min_size=2, max_size=20), kept_bits)
def test_order_is_kept(values, kept):
    ordered = np.sort(np.array(values, np.float32))
    assert (np.diff(bitround(ordered, kept).astype(np.float64)) >= 0).all()


@pytest.mark.parametrize(("kept", "low", "high"), [(11, 6.2e-5, 1.23e-4), (7, 1e-3, 2e-3)])
def test_soil_moisture_keeps_the_promised_error(kept, low, high):
    values = np.linspace(0.0, 1.0, 100_001, dtype=np.float32)
    error = np.abs(bitround(values, kept).astype(float) - values)
    assert error[values < 0.5].max() <= low
    assert error.max() <= high


def test_missing_and_infinite_values_stay():
    values = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], np.float32)
    values.view(np.uint32)[0] |= 12345
    assert bitround(values, 7).tobytes() == values.tobytes()


def test_the_input_is_not_changed():
    values = np.array([0.1, np.nan], np.float32)
    before = values.tobytes()
    bitround(values, 3)
    assert values.tobytes() == before
