"""The two stages of the correction for one network of stations: fitted, applied, taken apart for a file and back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from vadose.common import Progress, silent
from vadose.producer.correction.channels import Channels, fit_channels
from vadose.producer.correction.sequences import (
    CELLS_AT_ONCE,
    Hyper,
    Lessons,
    SequenceNetwork,
    fit_network,
    run_network,
)

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Reading = Literal["residual", "direct"]
Box = tuple[float, float, float, float]

EVERYWHERE: Box = (-180.0, -90.0, 180.0, 90.0)
TOLERANCE_DEGREES = 1e-6


@dataclass(frozen=True)
class Lesson:
    """What one network of stations can be corrected with.

    Attributes
    ----------
    name, boxes, lat, lon
        Name of the network, where its corrector is applied (west, south, east, north), and the cells with stations.
    product, drivers
        Name of the product to correct, and of each driver by its letter.
    raw
        Product, then drivers in the order of `drivers`, (time, cell, name).
    in_situ
        Mean of the stations of each cell, (time, cell), NaN where missing.
    fit, tune
        Where the stations may be learnt from, and where the inner split looks, (time, cell).
    taught
        Training days and cells, with stations on that day or without, (time, cell).
    where
        What to name in errors.
    """

    name: str
    boxes: tuple[Box, ...]
    lat: Doubles
    lon: Doubles
    product: str
    drivers: dict[str, str]
    raw: Floats
    in_situ: Floats
    fit: Mask
    tune: Mask
    taught: Mask
    where: str

    def columns(self, combination: str) -> list[int]:
        """Positions in `raw` of the drivers of a combination."""
        letters = list(self.drivers)
        return [1 + letters.index(letter) for letter in combination]

    def names(self, combination: str) -> tuple[str, ...]:
        """Names of the drivers of a combination."""
        return tuple(self.drivers[letter] for letter in combination)


@dataclass(frozen=True)
class Stage:
    """A trained network with the scaling of what goes in and comes out."""

    network: SequenceNetwork
    channels: Channels
    low: float
    high: float
    facts: dict[str, Any] = field(default_factory=dict)

    def run(self, raw: Floats, width: int = CELLS_AT_ONCE) -> Floats:
        """Outputs in m3 m-3, (time, cell), of raw values (time, cell, name), `width` cells at once."""
        scaled = run_network(self.network, self.channels.of(raw), width)
        return scaled * np.float32(self.high - self.low) + np.float32(self.low)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(weight.numel() for weight in self.network.parameters())

    def to_json(self) -> dict[str, Any]:
        """All but the weights."""
        return {"shape": self.network.shape(), "channels": self.channels.to_json(), "low": self.low, "high": self.high,
                "facts": self.facts}  # fmt: skip

    @classmethod
    def from_parts(cls, card: dict[str, Any], weights: dict[str, Tensor]) -> Stage:
        """What `to_json` and the weights described."""
        network = SequenceNetwork(**card["shape"])
        network.load_state_dict(weights)
        network.eval()
        return cls(network, Channels.from_json(card["channels"]), card["low"], card["high"], card["facts"])


@dataclass(frozen=True)
class Corrector:
    """Both stages of one network of stations.

    `uncertainty` is the root mean square error against the stations of the inner split, m3 m-3.
    """

    name: str
    boxes: tuple[Box, ...]
    lat: Doubles
    lon: Doubles
    combination: str
    reading: Reading
    sequence: int
    first: Stage
    second: Stage
    uncertainty: float

    def correct(self, raw: Floats) -> Floats:
        """Corrected product (time, cell) of product and drivers (time, cell, name); NaN where the product is."""
        return corrected(raw[..., 0], self.second.run(raw), self.reading)

    def distance(self, lat: Doubles, lon: Doubles) -> Doubles:
        """Degrees to the nearest cell with a station, infinite outside the boxes, (cell,)."""
        inside = np.zeros(lat.size, bool)
        tiny = TOLERANCE_DEGREES
        for west, south, east, north in self.boxes:
            inside |= (lon >= west - tiny) & (lon <= east + tiny) & (lat >= south - tiny) & (lat <= north + tiny)
        eastward = (lon[:, None] - self.lon[None, :]) * np.cos(np.deg2rad(lat))[:, None]
        return np.where(inside, np.hypot(eastward, lat[:, None] - self.lat[None, :]).min(axis=1), np.inf)

    def to_json(self) -> dict[str, Any]:
        """All but the weights."""
        return {
            "name": self.name, "boxes": [list(box) for box in self.boxes], "lat": self.lat.tolist(),
            "lon": self.lon.tolist(), "combination": self.combination, "reading": self.reading,
            "sequence": self.sequence, "uncertainty": self.uncertainty,
            "first": self.first.to_json(), "second": self.second.to_json(),
        }  # fmt: skip

    @classmethod
    def from_parts(cls, card: dict[str, Any], weights: dict[str, Tensor]) -> Corrector:
        """What `to_json` and the weights of both stages described."""
        first, second = (Stage.from_parts(card[name], below(weights, name)) for name in ("first", "second"))
        boxes = tuple((box[0], box[1], box[2], box[3]) for box in card["boxes"])
        return cls(card["name"], boxes, np.array(card["lat"]), np.array(card["lon"]), card["combination"],
                   card["reading"], card["sequence"], first, second, card["uncertainty"])  # fmt: skip

    def weights(self) -> dict[str, Tensor]:
        """Weights of both stages by name."""
        return {
            f"{name}.{key}": value.detach().contiguous()
            for name, stage in (("first", self.first), ("second", self.second))
            for key, value in stage.network.state_dict().items()
        }


def corrected(product: Floats, output: Floats, reading: Reading) -> Floats:
    """The corrected product of the output of the second stage; missing where the product is."""
    values = product - output if reading == "residual" else output
    return np.where(np.isfinite(product), values, np.float32(np.nan))


def fit_corrector(lesson: Lesson, combination: str, reading: Reading, hyper: Hyper, *, seed: int, fingerprint: str,
                  checkpoints: tuple[Path | None, Path | None] = (None, None), progress: Progress = silent,
                  first: Stage | None = None) -> Corrector:  # fmt: skip
    """Fit both stages with the drivers of a combination.

    Parameters
    ----------
    checkpoints
        The files of the two trainings.
    first
        The first stage, where it is fitted already: it is the same for every product.

    Raises
    ------
    InputError
        Where a driver or the product has no value, or always the same, in training.
    """
    if first is None:
        first = fit_first(lesson, combination, hyper, seed=seed, fingerprint=fingerprint, checkpoint=checkpoints[0],
                          progress=progress)  # fmt: skip
    columns = lesson.columns(combination)
    width = lesson.raw.shape[1]
    teacher = first.run(lesson.raw[..., columns], width)
    product = lesson.raw[..., 0]
    there = np.isfinite(product)
    wanted = [product - one if reading == "residual" else one for one in (teacher, lesson.in_situ)]
    names = (lesson.product, *lesson.names(combination))
    second = _fit_stage(
        lesson, names, lesson.raw[..., [0, *columns]], (wanted[0], lesson.taught & there),
        (wanted[1], lesson.tune & there), hyper, seed=seed + 1, fingerprint=f"{fingerprint}-{reading}",
        checkpoint=checkpoints[1], progress=progress, label=f"{lesson.name} {combination}, stage 2",
    )  # fmt: skip
    # The inner split of a small network may have no day with the product.
    mask = lesson.tune & there if (lesson.tune & there).any() else lesson.fit & there
    error = corrected(product, second.run(lesson.raw[..., [0, *columns]], width), reading)[mask] - lesson.in_situ[mask]
    uncertainty = float(np.sqrt(np.mean(error.astype(np.float64) ** 2)))
    return Corrector(lesson.name, lesson.boxes, lesson.lat, lesson.lon, combination, reading, hyper.sequence, first,
                     second, uncertainty)  # fmt: skip


def fit_first(lesson: Lesson, combination: str, hyper: Hyper, *, seed: int, fingerprint: str,
              checkpoint: Path | None = None, progress: Progress = silent) -> Stage:  # fmt: skip
    """Fit the first stage: drivers to the soil moisture of stations."""
    raw = lesson.raw[..., lesson.columns(combination)]
    return _fit_stage(
        lesson, lesson.names(combination), raw, (lesson.in_situ, lesson.fit), (lesson.in_situ, lesson.tune), hyper,
        seed=seed, fingerprint=fingerprint, checkpoint=checkpoint, progress=progress,
        label=f"{lesson.name} {combination}, stage 1",
    )  # fmt: skip


def _fit_stage(lesson: Lesson, names: tuple[str, ...], raw: Floats, taught: tuple[Floats, Mask],
               checked: tuple[Floats, Mask], hyper: Hyper, *, seed: int, fingerprint: str, checkpoint: Path | None,
               progress: Progress, label: str) -> Stage:  # fmt: skip
    channels = fit_channels(names, raw, lesson.taught, where=f"{lesson.where}, network {lesson.name}")
    values = taught[0][taught[1]]
    low, high = float(values.min()), float(values.max())
    scaled = [np.nan_to_num((one - low) / ((high - low) or 1.0)).astype(np.float32) for one in (taught[0], checked[0])]
    lessons = Lessons(channels.of(raw), scaled[0], taught[1], scaled[1], checked[1])
    own = hashlib.sha256(b"".join(one.tobytes() for one in (*scaled, *(np.packbits(m[1]) for m in (taught, checked)))))
    run = fit_network(lessons, hyper, seed=seed, fingerprint=f"{fingerprint}-{own.hexdigest()}", checkpoint=checkpoint,
                      progress=progress, label=label)  # fmt: skip
    facts = {"steps": run.step, "losses": run.losses, "checks": run.checks}
    return Stage(run.network, channels, low, (high if high > low else low + 1.0), facts)


def below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `name.`, by the rest of their names."""
    return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
