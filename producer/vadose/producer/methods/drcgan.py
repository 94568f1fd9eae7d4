"""DrcGAN: observations with gaps and a continuous field, fused into a daily field without gaps.

After Jiang et al. (2025), doi 10.1016/j.jag.2025.104517 (STSG-SM), and Jiang, Shen, Li (2022), doi
10.1109/TGRS.2022.3188998: a forward generator fuses the observations, a backward generator regenerates the continuous
field from the result, a discriminator compares fused fields with observed ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pydantic
import safetensors
import safetensors.numpy
import safetensors.torch
import torch

from vadose.common import InputError, Progress, read_json, silent, whole_file, write_json
from vadose.producer.cube import Cube
from vadose.producer.fusion.background import Background, fit_background, load_background
from vadose.producer.fusion.filling import Day, Store, fused_day
from vadose.producer.fusion.frames import HALF_RANGE, Reach
from vadose.producer.fusion.lattice import Lattice
from vadose.producer.fusion.networks import Generator, Networks, Sizes
from vadose.producer.fusion.samples import Fields, Sampler
from vadose.producer.fusion.spread import CLASSES, Errors, Spread, fit_spread
from vadose.producer.fusion.training import GanSettings, Run, fuse, train
from vadose.producer.methods.base import Block, Inputs, Prediction, Settings
from vadose.producer.parallel import one_thread, spread
from vadose.producer.tensors import write_arrays
from vadose.producer.training.splits import GAP_SPLITS, Fold, blocks, global_index
from vadose.statistics import words
from vadose.statistics.distribution import KINDS, DistributionMaps, fit_maps

Floats = npt.NDArray[np.float32]

FORMAT = 1
WEIGHTS, MAPS, CARD = "weights.safetensors", "maps.safetensors", "member.json"
NO_VALID_INPUT, OUTSIDE_SUPPORT = 256, 2048
# Days that are read at once.
DAYS_AT_ONCE = 32
# Days and patches from which the spread of each distance comes.
HELD_OUT_DAYS = 150
SIMULATED_BATCHES, SIMULATED_PATCHES = 50, 4
BLOCK_DAYS = 90


class DrcganSettings(Settings):
    """What is fused, with which networks, and how they are trained.

    `land_model` is the continuous field: a variable of the cube, or `ridge` for a regression on the recipe's predictors
    that is fitted inside the fold. Observations up to `reach_days` away are used: before the day from `latency_days`
    on, after it only with `later`, those of the day itself only with `same_day`. With `keep_observed` a cell that is
    observed on the day keeps its observation. Training patches are `patch` cells wide, every `stride` cells.
    `width`, `blocks`, `backward_blocks` and `discriminator_width` are the sizes of the networks. `cache_mb` bounds the
    fused days that a model remembers.
    """

    land_model: str = "noah_sm"
    reach_days: int = pydantic.Field(default=8, ge=1, le=60)
    latency_days: int = pydantic.Field(default=1, ge=1, le=60)
    later: bool = True
    same_day: bool = True
    keep_observed: bool = True
    patch: int = pydantic.Field(default=64, ge=4)
    stride: int = pydantic.Field(default=32, ge=1)
    width: int = pydantic.Field(default=24, ge=1, le=512)
    blocks: int = pydantic.Field(default=3, ge=1, le=64)
    backward_blocks: int = pydantic.Field(default=1, ge=1, le=64)
    discriminator_width: int = pydantic.Field(default=8, ge=1, le=256)
    training: GanSettings = GanSettings()
    cache_mb: int = pydantic.Field(default=1024, ge=1)

    @property
    def reach(self) -> Reach:
        """Which observations are used."""
        return Reach(self.reach_days, self.latency_days, self.later, self.same_day)

    @property
    def sizes(self) -> Sizes:
        """Sizes of the networks."""
        return Sizes(self.width, self.blocks, self.backward_blocks, self.discriminator_width)


@dataclass(frozen=True)
class FusionModel:
    """A trained forward generator with the maps of its continuous field.

    Attributes
    ----------
    maps
        From the continuous field to the observations, one a cell of `index` (flat indices in the grid `token`).
    spread
        Uncertainty by distance to the nearest observation.
    """

    generator: Generator
    background: Background
    maps: DistributionMaps
    index: npt.NDArray[np.int64]
    token: str
    target: str
    settings: DrcganSettings
    spread: Spread
    facts: dict[str, Any] = field(default_factory=dict)
    store: Store = field(default_factory=lambda: Store(2**30), compare=False)

    @property
    def past_days(self) -> int:
        """Days before a block that are read; as many after it are, too."""
        return self.settings.reach_days + self.background.past_days

    def predict(self, block: Block) -> Prediction:
        """Fused values of a block, with the distance to the nearest observation among the diagnostics.

        Whole days of all cells are fused and remembered, so that values do not depend on the block. Without the
        continuous field a day and cell has a value only where it is observed and observations are kept; in cells where
        the field could not be matched the flag says that the value is outside the support of the training.
        """
        days = range(*block.days.indices(block.cube.days.size))
        size = len(range(*block.cells.indices(block.cube.index.size)))
        mean, age = np.empty((len(days), size), np.float32), np.empty((len(days), size), np.int8)
        with self.store.lock:
            known = self.store.of(block.cube)
            for first in range(days.start, days.stop, DAYS_AT_ONCE):
                stretch = range(first, min(first + DAYS_AT_ONCE, days.stop))
                fresh = self._fused(block.cube, [day for day in stretch if day not in known])
                for day in stretch:
                    found = fresh[day] if day in fresh else known[day]
                    mean[day - days.start], age[day - days.start] = found.mean[block.cells], found.age[block.cells]
                for day, found in fresh.items():
                    self.store.keep(day, found)
        missing = np.isnan(mean)
        deviation = np.where(missing, np.float32(np.nan), self.spread.of(age))
        unmatched = self._maps(block.cube).kind[block.cells] == KINDS.index("none")
        flags = np.where(missing, NO_VALID_INPUT, np.where(unmatched & (age > 0), OUTSIDE_SUPPORT, 0)).astype(np.int16)
        return Prediction(mean, deviation, flags, {"age_days": age})

    def _fused(self, cube: Cube, days: list[int]) -> dict[int, Day]:
        """Fused days of all cells, by position."""
        if not days:
            return {}
        reach = self.settings.reach
        low, high = max(days[0] - reach.days, 0), min(days[-1] + reach.days + 1, cube.days.size)
        span = slice(low, high)
        seen = cube.read(self.target, span)
        background = matched(self._maps(cube), self.background.read(cube, span))
        fields, lattice = Fields(seen, background), Lattice.of_cube(cube)

        def one(day: int) -> Day:
            found = fused_day(self.generator, lattice, fields, day - low, reach)
            return kept(found, seen[day - low]) if self.settings.keep_observed else found

        return dict(zip(days, spread(one, days), strict=True))

    def _maps(self, cube: Cube) -> DistributionMaps:
        """The maps of a cube's cells; a cell that was not in training has none."""
        if cube.grid.token != self.token:
            raise InputError(f"the model is for {self.token}, the cube is on {cube.grid.token}", where=str(cube.path),
                             next="vadose train RECIPE")  # fmt: skip
        wanted = global_index(cube.grid, cube.index)
        if np.array_equal(wanted, self.index):
            return self.maps
        place = np.minimum(np.searchsorted(self.index, wanted), self.index.size - 1)
        return self.maps.take(np.where(self.index[place] == wanted, place, -1))

    def curves(self) -> Iterator[tuple[str, str, float, float, str]]:
        """Each part of the loss by step, and the uncertainty by the distance to the nearest observation."""
        for step, parts in self.facts.get("parts_of_the_loss", []):
            for part, value in parts.items():
                yield "parts of the loss", part, step, value, "1"
        for first, deviation in zip(CLASSES[1:-1], self.spread.deviation[1:-1], strict=True):
            yield "uncertainty by distance", "days to the nearest observation", first, deviation, "m3 m-3"

    def save(self, directory: Path) -> None:
        """Write the weights, the maps, `member.json` and what the continuous field needs."""
        tensors = {
            name: value.detach().contiguous(memory_format=torch.contiguous_format)
            for name, value in self.generator.state_dict().items()
        }
        with whole_file(directory / WEIGHTS) as part:
            safetensors.torch.save_file(tensors, part)
        write_arrays(directory / MAPS, {"index": self.index, **self.maps.arrays()})
        self.background.save(directory)
        write_json(directory / CARD, {
            "settings": self.settings.model_dump(mode="json"), "target": self.target, "token": self.token,
            "spread": asdict(self.spread), "facts": self.facts,
        })  # fmt: skip


def matched(maps: DistributionMaps, background: Floats) -> Floats:
    """The continuous field in the distribution of the observations, (time, cell)."""
    return np.ascontiguousarray(maps(np.ascontiguousarray(background.T)).T)


def kept(day: Day, observed: Floats) -> Day:
    """A fused day with the observations of the day in it."""
    there = np.isfinite(observed)
    return Day(np.where(there, observed, day.mean), np.where(there, np.int8(0), day.age))


class Drcgan:
    """Generators and discriminator trained on patches with the gaps of real swaths."""

    name: ClassVar[str] = "drcgan"
    settings_type: ClassVar[type[Settings]] = DrcganSettings
    needs_own_history: ClassVar[bool] = True
    seeded: ClassVar[bool] = True
    costly: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...] | None] = ("P0", *GAP_SPLITS)

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> FusionModel:  # fmt: skip
        """Match the continuous field, train the networks on `fit`, and find the spread on what was held out.

        Raises
        ------
        InputError
            Where the cube lacks the continuous field, or it has no day in common with the observations.
        """
        assert isinstance(settings, DrcganSettings), "settings of another method"
        if not fold.mask("tune").any():
            fold = fold.whole()
        cube = inputs.cube
        background = fit_background(settings.land_model, inputs, fold, seed)
        target = cube.read(inputs.target)
        seen = np.where(fold.mask("fit"), target, np.float32(np.nan))
        raw = background.read(cube, slice(0, cube.days.size))
        if not np.isfinite(raw + seen).any():
            raise InputError(f"{settings.land_model!r} and {inputs.target!r} have no day in common in training",
                             where=str(cube.path), next="ingest both over the same days")  # fmt: skip
        maps = fit_maps(raw.T, seen.T)
        fields = Fields(seen, matched(maps, raw))
        sampler = Sampler(fields, Lattice.of_cube(cube), settings.reach, settings.patch, settings.stride)
        networks = Networks(settings.reach.channels, settings.sizes, sampler.windows[0].shape, seed)
        run = train(networks, sampler, settings.training, seed=seed,
                    fingerprint=fingerprint(self.name, inputs, fold, settings, seed), checkpoint=checkpoint,
                    progress=progress, label=f"train {self.name}, seed {seed}")  # fmt: skip
        generator = networks.forward_generator
        held_out = np.where(fold.mask("tune"), target, np.float32(np.nan))
        place = blocks(cube.lat, cube.lon)
        found = fit_spread(held_out_errors(generator, sampler, held_out, place),
                           simulated_errors(generator, sampler, place, seed))  # fmt: skip
        index = global_index(cube.grid, cube.index)
        return FusionModel(generator, background, maps, index, cube.grid.token, inputs.target, settings, found,
                           facts(run, maps, fold), Store(settings.cache_mb * 2**20))  # fmt: skip

    def load(self, directory: Path) -> FusionModel:
        """Load what `FusionModel.save` wrote."""
        card = read_json(directory / CARD)
        settings = DrcganSettings.model_validate(card["settings"])
        generator = Generator(settings.reach.channels, settings.width, settings.blocks)
        try:
            generator.load_state_dict(safetensors.torch.load_file(directory / WEIGHTS))
            arrays = safetensors.numpy.load_file(directory / MAPS)
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            raise InputError(
                f"weights cannot be read: {error}", where=str(directory), next="vadose train RECIPE"
            ) from error
        generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        index = arrays.pop("index")
        found = Spread(tuple(card["spread"]["deviation"]), tuple(card["spread"]["values"]))
        return FusionModel(generator, load_background(settings.land_model, directory),
                           DistributionMaps.of_arrays(arrays), index, card["token"], card["target"], settings, found,
                           card["facts"], Store(settings.cache_mb * 2**20))  # fmt: skip


def held_out_errors(generator: Generator, sampler: Sampler, held_out: Floats, place: npt.NDArray[np.int64]) -> Errors:
    """Errors at observations of the inner split, (time, cell), NaN elsewhere, on evenly spread days that have any."""
    days = np.flatnonzero(np.isfinite(held_out).any(axis=1))
    days = days[np.linspace(0, days.size - 1, min(HELD_OUT_DAYS, days.size)).astype(int)] if days.size else days
    size, age, block = [], [], []
    with one_thread():
        for day in days:
            found = fused_day(generator, sampler.lattice, sampler.fields, int(day), sampler.reach)
            error = np.abs(found.mean - held_out[day])
            there = np.isfinite(error)
            size.append(error[there].astype(np.float64))
            age.append(found.age[there])
            block.append(place[there] * 10_000 + day // BLOCK_DAYS)
    return _errors(size, age, block)


def simulated_errors(generator: Generator, sampler: Sampler, place: npt.NDArray[np.int64], seed: int) -> Errors:
    """Errors at observations that simulated gaps hide, on draws that no step of the training made."""
    size, age, block = [], [], []
    with one_thread(), torch.inference_mode():
        for number in range(SIMULATED_BATCHES):
            draw = np.random.Generator(np.random.Philox(key=[seed, 2**40 + number]))
            sample = sampler.draw(draw, SIMULATED_PATCHES)
            channels = torch.from_numpy(sample.channels).contiguous(memory_format=torch.channels_last)
            fused = fuse(generator, channels).numpy()
            there = sample.hidden > 0
            size.append((np.abs(fused - sample.target)[there] * HALF_RANGE).astype(np.float64))
            age.append(sample.age[there])
            period = np.broadcast_to(sample.day[:, None, None] // BLOCK_DAYS, there.shape)
            block.append(place[sample.cell[there]] * 10_000 + period[there])
    return _errors(size, age, block)


def _errors(size: list[Any], age: list[Any], block: list[Any]) -> Errors:
    if not size:
        return Errors(np.zeros(0), np.zeros(0, np.int8), np.zeros(0, np.int64))
    return Errors(np.concatenate(size), np.concatenate(age), np.concatenate(block).astype(np.int64))


def facts(run: Run, maps: DistributionMaps, fold: Fold) -> dict[str, Any]:
    """What is worth keeping about a fit."""
    reasons, counts = np.unique(words(maps.status[maps.kind > 0]), return_counts=True)
    return {
        "steps": run.step,
        "losses": [(step, parts["target"]) for step, parts in run.losses],
        "parts_of_the_loss": run.losses,
        "parameters": sum(parameter.numel() for parameter in run.networks.forward_generator.parameters()),
        "matching": {
            **maps.counts(),
            "reasons": {str(word): int(n) for word, n in zip(reasons, counts, strict=True)},
        },
        "tuned": bool(fold.mask("tune").any()),
        "stopped_on_inner_split": bool(fold.mask("tune").any()),
    }


def fingerprint(name: str, inputs: Inputs, fold: Fold, settings: DrcganSettings, seed: int) -> str:
    """Hash of everything that decides a training."""
    identity = {
        "format": FORMAT, "method": name, "settings": settings.model_dump(mode="json"), "seed": seed,
        "cube": inputs.cube.content_hash, "target": inputs.target, "torch": torch.__version__,
        "predictors": inputs.predictors.model_dump(mode="json"),
        "fit": hashlib.sha256(np.packbits(fold.mask("fit")).tobytes()).hexdigest(),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
