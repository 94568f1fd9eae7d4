import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.producer import grids
from vadose.producer.simulate.fields import Plane, persistent, stream

PLANE = Plane.of(grids.box("0P25DEG", -40.0, 40.0, -34.0, 46.0))


def test_field_has_unit_variance_everywhere() -> None:
    sample = PLANE.sample(stream(1, "x"), 4000, 100.0)
    # 4000 independent fields: the standard error of a variance is 0.022.
    np.testing.assert_allclose(sample.var(axis=0), 1.0, atol=0.11)


def test_covariance_falls_as_a_gaussian_of_distance() -> None:
    sample = PLANE.sample(stream(2, "x"), 6000, 100.0)
    for steps in (1, 3, 6):
        distance = PLANE.row_km[0] - PLANE.row_km[steps]
        measured = (sample[:, 0, 5] * sample[:, steps, 5]).mean()
        assert measured == pytest.approx(np.exp(-(distance**2) / (2 * 100.0**2)), abs=0.05)


@given(persistence=st.floats(0.05, 0.95), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_persistent_noise_is_the_recursion_written_out(persistence: float, seed: int) -> None:
    noise = stream(seed, "noise").standard_normal((30, 2), dtype=np.float32)
    expected = [noise[0].astype(float)]
    for row in noise[1:]:
        expected.append(persistence * expected[-1] + np.sqrt(1 - persistence**2) * row)
    np.testing.assert_allclose(persistent(noise, persistence), np.array(expected), atol=1e-4)


def test_streams_of_other_names_or_seeds_differ() -> None:
    draws = {(seed, name): stream(seed, name).random() for seed in (0, 1) for name in ("rain", "soil")}
    assert len(set(draws.values())) == 4
    assert stream(0, "rain").random() == draws[0, "rain"]


def test_same_box_has_the_same_field_at_another_resolution() -> None:
    box = (-40.0, 40.0, -38.0, 42.0)
    coarse, fine = (Plane.of(grids.box(token, *box)) for token in ("0P50DEG", "0P10DEG"))
    first, second = (plane.sample(stream(3, "x"), 1, 150.0)[0] for plane in (coarse, fine))
    # A cell of 0.5 degree is centred on the third of its five fine cells.
    np.testing.assert_allclose(first, second[2::5, 2::5], atol=1e-4)
