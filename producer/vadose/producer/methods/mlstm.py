"""MLSTM: a satellite product corrected towards what an LSTM makes of drivers and stations (Xie et al. 2025).

Stage 1 learns the soil moisture of stations from vegetation cover, precipitation, surface temperature and
evapotranspiration; stage 2 corrects the product towards stage 1. doi 10.3390/rs17142456.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pydantic
import safetensors
import safetensors.torch

from vadose.common import InputError, Progress, UsageError, read_json, silent, whole_file, write_json
from vadose.producer.correction.channels import raw_values, raw_values_of
from vadose.producer.correction.corrector import (
    EVERYWHERE,
    Box,
    Corrector,
    Lesson,
    Reading,
    below,
    fit_corrector,
)
from vadose.producer.correction.interpretation import attribution_rows, training_rows
from vadose.producer.correction.sequences import CELLS_AT_ONCE, Hyper
from vadose.producer.methods.base import Block, Floats, Inputs, Prediction, Settings
from vadose.producer.methods.recurrent import fingerprint
from vadose.producer.parallel import spread
from vadose.producer.training.splits import Fold
from vadose.producer.training.stations import Stations, read_stations
from vadose.producer.vocabulary import IN_SITU

WEIGHTS = "weights.safetensors"
CARD = "member.json"
NO_VALID_INPUT = 256
OUTSIDE_SUPPORT = 2048

COMBINATIONS = ("FPLE", "LEF", "LEP", "LPF", "PEF")
BEST = "best"
ALL = "all"
# Learning rate, batch, epochs, sequence in days, dropout and output activation of each network, as the paper states.
PAPER: dict[str, Hyper] = {
    "CTP-SMTMN": Hyper(batch=1, epochs=100, sequence=180, dropout=0.2, activation="sigmoid", patience=None),
    "HOBE": Hyper(batch=4, epochs=100, sequence=90, dropout=0.0, activation="relu", patience=None),
    "OzNet": Hyper(learning_rate=0.01, batch=2, epochs=110, dropout=0.2, activation="sigmoid", patience=None),
    "SNOTEL": Hyper(batch=3, epochs=130, sequence=50, dropout=0.2, activation="sigmoid", patience=None),
}


class MlstmSettings(Settings):
    """What is corrected by what.

    Attributes
    ----------
    product
        Variable of the cube to correct; percent of saturation is converted by porosity.
    drivers
        Variable of each letter of the combinations.
    combination
        Letters of the drivers that are used; `best` tries the five of the paper and keeps the one with the smallest
        error on the inner split.
    reading
        Stage 2 learns the product's error (`residual`), or the soil moisture itself (`direct`).
    pooled
        One pair of networks for all stations, in place of one for each network of stations.
    boxes
        West, south, east and north of where each network's correction is applied; by default the box of its stations.
    least_stations, least_days
        Stations that a cell's mean needs on a day, and station days that a network needs in training.
    preset
        `shared` for all, or those of the paper for its four networks.
    explained
        Whether the drivers of stage 1 are attributed, by driver and lag, once it is fitted.
    """

    product: str = "smap_sm_am"
    drivers: dict[str, str] = pydantic.Field(default={
        "F": "fvc", "P": "precipitation", "L": "land_surface_temperature_all_weather", "E": "evapotranspiration",
    })  # fmt: skip
    combination: str = "FPLE"
    reading: Reading = "residual"
    pooled: bool = False
    boxes: dict[str, Box] = {}
    least_stations: int = pydantic.Field(default=1, ge=1)
    least_days: int = pydantic.Field(default=200, ge=1)
    preset: Literal["shared", "paper"] = "shared"
    shared: Hyper = Hyper()
    explained: bool = True

    @pydantic.model_validator(mode="after")
    def _possible(self) -> MlstmSettings:
        if self.pooled and self.preset == "paper":
            raise ValueError("the paper has settings for each of its networks, none for all together")
        for combination in self.combinations:
            unknown = set(combination) - set(self.drivers)
            if unknown or not combination or len(set(combination)) < len(combination):
                raise ValueError(f"combination {combination!r}: each letter once, of {', '.join(self.drivers)}")
        return self

    @property
    def combinations(self) -> tuple[str, ...]:
        """Those that are tried."""
        return COMBINATIONS if self.combination == BEST else (self.combination,)

    def hyper(self, network: str) -> Hyper:
        """How the networks of one station network are trained."""
        if self.preset == "shared":
            return self.shared
        if network not in PAPER:
            raise UsageError(f"the paper has no settings for the network {network!r}; it has {', '.join(PAPER)}",
                             where="method.settings.preset", next="choose the preset `shared`")  # fmt: skip
        return PAPER[network]


@dataclass(frozen=True)
class MlstmModel:
    """The correctors of all networks of stations."""

    settings: MlstmSettings
    correctors: tuple[Corrector, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def past_days(self) -> int:
        """Days before a block that its prediction reads."""
        return max(one.sequence for one in self.correctors) - 1

    def predict(self, block: Block) -> Prediction:
        """The corrected product inside the boxes, each cell by the network with the nearest station.

        A day without a value of the product stays missing; cells outside all boxes are flagged.
        """
        days = range(*block.days.indices(block.cube.days.size))
        cells = range(*block.cells.indices(block.cube.index.size))
        distance = np.stack([one.distance(block.cube.lat, block.cube.lon) for one in self.correctors])
        owner = np.where(np.isfinite(distance).any(axis=0), distance.argmin(axis=0), -1)
        mean = np.full((len(days), len(cells)), np.nan, np.float32)

        def portion(start: int) -> None:
            batch = slice(start, min(start + CELLS_AT_ONCE, block.cube.index.size))
            low, high = max(start, cells.start), min(batch.stop, cells.stop)
            for number in np.unique(owner[low:high]):
                if number >= 0:
                    mine = np.flatnonzero(owner[low:high] == number) + low
                    values = self._portion(self.correctors[number], block, days, batch)
                    mean[:, mine - cells.start] = values[:, mine - start]

        spread(portion, range(cells.start // CELLS_AT_ONCE * CELLS_AT_ONCE, cells.stop, CELLS_AT_ONCE))
        chosen = owner[cells.start : cells.stop]
        known = np.array([*(one.uncertainty for one in self.correctors), np.nan], np.float32)[chosen]
        deviation = np.where(np.isnan(mean), np.float32(np.nan), known[None, :])
        flags = np.where(np.isnan(mean), NO_VALID_INPUT, 0) | np.where(chosen < 0, OUTSIDE_SUPPORT, 0)[None, :]
        return Prediction(mean, deviation, flags.astype(np.int16))

    def _portion(self, corrector: Corrector, block: Block, days: range, cells: slice) -> Floats:
        begin = max(days.start - (corrector.sequence - 1), 0)
        names = (self.settings.product, *(self.settings.drivers[letter] for letter in corrector.combination))
        raw = raw_values(block.cube, names, slice(begin, days.stop), cells)
        return corrector.correct(raw)[days.start - begin :]

    def curves(self) -> Iterator[tuple[str, str, float, float, str]]:
        """Attributions of stage 1 by driver and by lag, and the training of both stages."""
        yield from self.facts.get("attributions", [])
        for one in self.correctors:
            for number, stage in enumerate((one.first, one.second), start=1):
                for row in training_rows(stage, f"{one.name}, stage {number}"):
                    yield row["figure"], f"{row['panel']}, {row['series']}", row["x"], row["y"], row["unit"]

    def save(self, directory: Path) -> None:
        """Write `weights.safetensors` and `member.json`."""
        tensors = {f"{number}.{name}": value for number, one in enumerate(self.correctors)
                   for name, value in one.weights().items()}  # fmt: skip
        with whole_file(directory / WEIGHTS) as part:
            safetensors.torch.save_file(tensors, part)
        write_json(directory / CARD, {
            "settings": self.settings.model_dump(mode="json"), "facts": self.facts,
            "correctors": [one.to_json() for one in self.correctors],
        })  # fmt: skip


class Mlstm:
    """Correction of a satellite product in two stages."""

    name: ClassVar[str] = "mlstm"
    settings_type: ClassVar[type[Settings]] = MlstmSettings
    needs_own_history: ClassVar[bool] = False
    seeded: ClassVar[bool] = True
    costly: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> MlstmModel:  # fmt: skip
        """Fit a corrector for each network of stations, or one for all.

        Raises
        ------
        UsageError
            Where the preset has no settings for a network.
        InputError
            Where a network has too few station days in training, or a variable says nothing there.
        """
        assert isinstance(settings, MlstmSettings), "settings of another method"
        identity = fingerprint(self.name, inputs, fold, settings, seed)
        correctors: list[Corrector] = []
        tried, files, attributions = {}, [], []
        for lesson in lessons(inputs, fold, settings):
            found = []
            for combination in settings.combinations:
                parts = _checkpoints(checkpoint, f"{lesson.name}-{combination}")
                files += [path for path in parts if path is not None]
                found.append(fit_corrector(
                    lesson, combination, settings.reading, settings.hyper(lesson.name), seed=seed,
                    fingerprint=identity, checkpoints=parts, progress=progress,
                ))  # fmt: skip
            tried[lesson.name] = {one.combination: one.uncertainty for one in found}
            best = min(found, key=lambda one: one.uncertainty)
            correctors.append(best)
            if settings.explained:
                rows = attribution_rows(best.first, lesson, best.combination, best.sequence, seed=seed)
                attributions += [[row["figure"], f"{row['panel']}, {row['series']}", row["x"], row["y"], row["unit"]]
                                 for row in rows]  # fmt: skip
        for path in files:
            path.unlink(missing_ok=True)
        facts = {
            "parameters": sum(one.first.parameters + one.second.parameters for one in correctors),
            "stopped_on_inner_split": True, "inner_split_rmse": tried, "attributions": attributions,
        }  # fmt: skip
        return MlstmModel(settings, tuple(correctors), facts)

    def load(self, directory: Path) -> MlstmModel:
        """Load what `MlstmModel.save` wrote."""
        card = read_json(directory / CARD)
        try:
            tensors = safetensors.torch.load_file(directory / WEIGHTS)
            correctors = tuple(Corrector.from_parts(one, below(tensors, str(number)))
                               for number, one in enumerate(card["correctors"]))  # fmt: skip
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            raise InputError(f"weights cannot be read: {error}", where=str(directory / WEIGHTS),
                             next="vadose train RECIPE") from error  # fmt: skip
        return MlstmModel(MlstmSettings.model_validate(card["settings"]), correctors, card["facts"])


def lessons(inputs: Inputs, fold: Fold, settings: MlstmSettings) -> list[Lesson]:
    """What each network of stations has to learn from.

    Without station datasets every cell with a target counts as a station of one network that lies everywhere.

    Raises
    ------
    InputError
        Where a network has fewer than `least_days` station days in training.
    """
    cube = inputs.cube
    if inputs.target != IN_SITU:
        cells = np.flatnonzero(fold.cells["train"])
        return [_lesson(inputs, fold, settings, ALL, cells, (EVERYWHERE,), None)]
    stations = read_stations(inputs.stations.values(), cube, inputs.day)
    count = stations.on_grid(cube.index.size)[1] if settings.least_stations > 1 else None
    networks = sorted(set(stations.network))
    unknown = sorted(set(settings.boxes) - set(networks))
    if unknown:
        raise UsageError(f"no station of {', '.join(unknown)}; the networks are {', '.join(networks)}",
                         where="method.settings.boxes", next="name a network of the station dataset")  # fmt: skip
    boxes = {name: settings.boxes.get(name) or _box(inputs, stations.cells_of(name)) for name in networks}
    owner = owners(stations, cube.index.size)
    if settings.pooled:
        return [_lesson(inputs, fold, settings, ALL, np.flatnonzero(owner >= 0), tuple(boxes.values()), count)]
    return [
        _lesson(inputs, fold, settings, name, np.flatnonzero(owner == number), (boxes[name],), count)
        for number, name in enumerate(networks)
        if (owner == number).any()
    ]


def _checkpoints(whole: Path | None, words: str) -> tuple[Path | None, Path | None]:
    """The checkpoints of both stages, beside that of the whole fit."""
    if whole is None:
        return None, None
    first, second = (whole.with_name(f"{whole.stem}-{words}-{stage}{whole.suffix}") for stage in (1, 2))
    return first, second


def owners(stations: Stations, size: int) -> npt.NDArray[np.int64]:
    """Number of the network, in alphabetical order, with most stations in each cell, (cell,); -1 without any."""
    networks = sorted(set(stations.network))
    number = np.zeros((len(networks), size), np.int64)
    for name, cell in zip(stations.network, stations.cell, strict=True):
        number[networks.index(name), cell] += 1
    return np.where(number.any(axis=0), number.argmax(axis=0), -1)


def _box(inputs: Inputs, cells: npt.NDArray[np.int64]) -> Box:
    """The box of the centres of some cells."""
    lat, lon = inputs.cube.lat[cells], inputs.cube.lon[cells]
    return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())


def _lesson(inputs: Inputs, fold: Fold, settings: MlstmSettings, name: str, cells: npt.NDArray[np.int64],
            boxes: tuple[Box, ...], count: npt.NDArray[np.int16] | None) -> Lesson:  # fmt: skip
    cube = inputs.cube
    days = slice(0, int(np.flatnonzero(fold.dates["train"])[-1]) + 1)
    raw = raw_values_of(cube, (settings.product, *settings.drivers.values()), days, cells)
    in_situ = raw_values_of(cube, (inputs.target,), days, cells)[..., 0]
    good = np.isfinite(in_situ)
    if count is not None:
        good &= count[days][:, cells] >= settings.least_stations
    fit, tune = (fold.mask(role)[days][:, cells] & good for role in ("fit", "tune"))
    taught = fit if fold.points is not None else fold.dates["fit"][days][:, None] & fold.cells["fit"][cells][None, :]
    where = ", ".join(str(path) for path in inputs.stations.values()) or str(cube.path)
    number = int((fit & np.isfinite(raw[..., 0])).sum())
    if number < settings.least_days:
        raise InputError(
            f"the network {name} has {number} station days with {settings.product} in training, "
            f"{settings.least_days} are needed", where=where,
            why=f"split {fold.split}, fold {fold.number}; {int(fit.sum())} station days in all",
            next="pool the networks, choose another split, or lower `least_days`",
        )  # fmt: skip
    return Lesson(name, boxes, cube.lat[cells], cube.lon[cells], settings.product, dict(settings.drivers), raw, in_situ,
                  fit, tune, taught, where)  # fmt: skip
