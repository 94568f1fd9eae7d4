"""Frames against a loop over the days of each cell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.producer.fusion.frames import DIFFERENCE, HALF_RANGE, NO_OBSERVATION, Frame, Reach, make_frame


def window(seed: int, reach: Reach, cells: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    seen, background = rng.uniform(0.05, 0.5, (2, reach.window, cells)).astype("f4")
    seen[rng.random(seen.shape) < 0.7] = np.nan
    background[rng.random(background.shape) < 0.1] = np.nan
    return seen, background


def nearest(seen: np.ndarray, background: np.ndarray, offsets: list[int], middle: int) -> int | None:
    return next((d for d in offsets if np.isfinite(seen[middle + d]) and np.isfinite(background[middle + d])), None)


def expected(seen: np.ndarray, background: np.ndarray, reach: Reach) -> tuple[list[float], int]:
    """Channels and distance of one cell."""
    middle, days = reach.days, reach.days
    today = background[middle] if np.isfinite(background[middle]) else 0.0
    level = lambda value: float(value / HALF_RANGE - 1)  # noqa: E731
    known = float(np.isfinite(background[middle]))
    channels, ages = [level(today) * known, known], [NO_OBSERVATION]
    sides = [[-d for d in range(reach.latency_days, days + 1)]]
    sides += [list(range(1, days + 1))] if reach.later else []
    for offsets in sides:
        found = nearest(seen, background, offsets, middle)
        if found is None:
            channels += [0.0, level(today), 0.0, 0.0]
        else:
            day = middle + found
            difference = (seen[day] - background[day]) / DIFFERENCE
            channels += [float(difference), level(background[day]), 1.0, abs(found) / days]
            ages.append(abs(found))
    if reach.same_day:
        there = nearest(seen, background, [0], middle) is not None
        channels += [float((seen[middle] - background[middle]) / DIFFERENCE) if there else 0.0, float(there)]
        ages += [0] if there else []
    return channels, min(ages)


REACHES = [Reach(3), Reach(8), Reach(4, later=False), Reach(4, same_day=False), Reach(5, 3, False, False), Reach(2, 5)]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from(REACHES))
def test_frame_holds_the_nearest_usable_observations(seed: int, reach: Reach) -> None:
    seen, background = window(seed, reach)
    frame: Frame = make_frame(seen, background, reach)
    assert frame.channels.shape == (reach.channels, seen.shape[1])
    for cell in range(seen.shape[1]):
        channels, age = expected(seen[:, cell], background[:, cell], reach)
        assert frame.channels[:, cell] == pytest.approx(channels, abs=1e-4)
        assert frame.age[cell] == age
        assert frame.known[cell] == np.isfinite(background[reach.days, cell])


def test_frame_of_nothing_is_finite_and_says_so() -> None:
    nothing = np.full((17, 4), np.nan, "f4")
    frame = make_frame(nothing, nothing, Reach(8))
    assert np.isfinite(frame.channels).all()
    assert not frame.known.any()
    assert (frame.age == NO_OBSERVATION).all()


def test_causal_frame_does_not_change_with_later_days() -> None:
    reach = Reach(6, later=False, same_day=False)
    seen, background = window(3, reach)
    before = make_frame(seen, background, reach).channels
    seen[reach.days :], background[reach.days + 1 :] = 0.4, 0.1
    np.testing.assert_array_equal(make_frame(seen, background, reach).channels, before)
