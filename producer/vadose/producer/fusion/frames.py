"""What the generators see of a day: the continuous field, and the nearest observations around the day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Ages = npt.NDArray[np.int8]

# Soil moisture 0...0.6 is -1...1; an observation's difference from the continuous field is given in units of its own.
HALF_RANGE = np.float32(0.3)
DIFFERENCE = np.float32(0.06)
# Age of a cell that has no observation within reach.
NO_OBSERVATION = 127


@dataclass(frozen=True)
class Reach:
    """Which observations a day's frame may use.

    Attributes
    ----------
    days
        How far before and after the day.
    latency_days
        Age in days of the newest observation before the day.
    later, same_day
        Whether those after the day, and those of the day itself, are used.
    """

    days: int
    latency_days: int = 1
    later: bool = True
    same_day: bool = True

    @property
    def window(self) -> int:
        """Number of days of a window; the day itself is in the middle."""
        return 2 * self.days + 1

    @property
    def channels(self) -> int:
        """Number of channels of a frame."""
        return 2 + 4 * (1 + self.later) + 2 * self.same_day


@dataclass(frozen=True)
class Frame:
    """A day's inputs.

    Attributes
    ----------
    channels
        Scaled inputs, (channel, ...): the continuous field, where it is known, then for the nearest observation before,
        and after, the day its difference from the continuous field of its own day, that field, whether there is one,
        and its age as a share of the reach; last the difference on the day itself and whether there is one.
    background
        The continuous field of the day, m3 m-3, (...), 0 where unknown.
    known
        Where the continuous field is known, (...).
    age
        Distance in days to the nearest observation that the frame uses, 0 on the day itself, (...).
    """

    channels: Floats
    background: Floats
    known: Mask
    age: Ages


def make_frame(seen: Floats, background: Floats, reach: Reach) -> Frame:
    """The frame of the middle day of a window.

    Parameters
    ----------
    seen
        Observations that may be used, (window day, ...), m3 m-3, NaN where there is none.
    background
        The continuous field on the same days. An observation of a day without it cannot be used.
    """
    middle = reach.days
    difference = (seen - background) / DIFFERENCE
    usable = np.isfinite(difference)
    known = np.isfinite(background[middle])
    today = np.where(known, background[middle], np.float32(0.0))
    channels = [scaled(today) * known, known.astype(np.float32)]
    age = np.full(today.shape, NO_OBSERVATION, np.int8)
    sides = [slice(middle - reach.latency_days, None, -1)] if reach.latency_days <= middle else [slice(0, 0)]
    sides += [slice(middle + 1, None)] if reach.later else []
    for number, side in enumerate(sides):
        first = reach.latency_days if number == 0 else 1
        parts, distance = _nearest(difference[side], usable[side], background[side], today, first, reach.days)
        channels += parts
        age = np.minimum(age, distance)
    if reach.same_day:
        there = usable[middle]
        channels += [np.where(there, difference[middle], np.float32(0.0)), there.astype(np.float32)]
        age = np.where(there, np.int8(0), age)
    return Frame(np.stack(channels).astype(np.float32), today, known, age)


def scaled(values: Floats) -> Floats:
    """Soil moisture 0...0.6 m3 m-3 as -1...1."""
    return np.asarray(values / HALF_RANGE - np.float32(1.0), np.float32)


def _nearest(
    difference: Floats, usable: Mask, background: Floats, today: Floats, first: int, reach_days: int
) -> tuple[list[Floats], Ages]:
    """Channels of the nearest usable observation, nearest day first, and its distance in days."""
    if not len(usable):
        nothing = np.zeros(today.shape, np.float32)
        return [nothing, scaled(today), nothing, nothing], np.full(today.shape, NO_OBSERVATION, np.int8)
    there = usable.any(axis=0)
    place = usable.argmax(axis=0)
    value, field = (np.take_along_axis(values, place[None], axis=0)[0] for values in (difference, background))
    distance = np.where(there, place + first, NO_OBSERVATION).astype(np.int8)
    age = np.asarray(np.where(there, distance / np.float32(reach_days), 0.0), np.float32)
    value = np.asarray(np.where(there, value, 0.0), np.float32)
    of_its_day = scaled(np.asarray(np.where(there, field, today)))
    flag = np.asarray(there, np.float32)
    return [value, of_its_day, flag, age], distance
