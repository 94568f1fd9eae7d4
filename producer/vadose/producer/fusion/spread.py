"""How far a fused value is from an observation, by the distance in days to the nearest observation that was used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.producer.fusion.frames import NO_OBSERVATION

Floats = npt.NDArray[np.float32]
Ages = npt.NDArray[np.int8]
Doubles = npt.NDArray[np.float64]

# First distance of each class; the last class has no observation within reach.
CLASSES: tuple[int, ...] = (0, 1, 2, 3, 4, 6, NO_OBSERVATION)
FEWEST_VALUES = 200
LEVEL = 0.9
# Half the width of the central 90 % of a Gaussian, in standard deviations.
HALF_WIDTH = 1.645


@dataclass(frozen=True)
class Errors:
    """Absolute errors of hidden observations, m3 m-3, their distance in days, and the block of each, (value,)."""

    size: Doubles
    age: Ages
    block: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Spread:
    """Standard uncertainty of each class of distance, m3 m-3, and from how many values it came.

    It is the half-width of the interval that holds 90 % of the hidden observations, over 1.645.
    """

    deviation: tuple[float, ...]
    values: tuple[int, ...]

    def of(self, age: Ages) -> Floats:
        """Standard uncertainty at a distance, same shape."""
        return np.asarray(self.deviation, np.float32)[class_of(age)]


def class_of(age: Ages) -> npt.NDArray[np.int64]:
    """Number of the class of each distance."""
    return np.asarray(np.searchsorted(CLASSES, age, side="right") - 1, np.int64)


def fit_spread(held_out: Errors, simulated: Errors) -> Spread:
    """One quantile for each class: of held-out observations where there are enough, else of simulated gaps.

    Every block has equal weight. A class without enough values has the spread of the next nearer one. Observations of
    the day itself cannot be held out and used at once, so that a cell that is observed has the spread of a day away.
    """
    deviation, values = [0.0] * len(CLASSES), [0] * len(CLASSES)
    everything = np.concatenate([held_out.size, simulated.size])
    last = _quantile(everything, np.zeros(everything.size, np.int64)) if everything.size else 0.0
    for number in range(1, len(CLASSES)):
        for errors in (held_out, simulated):
            same = class_of(errors.age) == number
            if same.sum() >= FEWEST_VALUES:
                last, values[number] = _quantile(errors.size[same], errors.block[same]), int(same.sum())
                break
        deviation[number] = last / HALF_WIDTH
    deviation[0] = deviation[1]
    return Spread(tuple(deviation), tuple(values))


def _quantile(size: Doubles, block: npt.NDArray[np.int64]) -> float:
    """The 90 % quantile in which every block has equal weight."""
    inverse, counts = np.unique(block, return_inverse=True, return_counts=True)[1:]
    order = np.argsort(size, kind="stable")
    mass = np.cumsum(1.0 / (counts.size * counts[inverse.reshape(-1)][order]))
    return float(size[order][min(int(np.searchsorted(mass, LEVEL - 1e-12)), size.size - 1)])
