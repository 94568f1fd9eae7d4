"""CDF matching: a product given the distribution of the target, the baseline of every correction."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from vadose.common import InputError, Progress, UsageError, read_json, silent, write_json
from vadose.producer.correction.channels import moisture, raw_values_of
from vadose.producer.methods.base import Block, Inputs, Prediction, Settings
from vadose.producer.tensors import write_arrays
from vadose.producer.training.splits import Fold, global_index
from vadose.statistics.distribution import FEWEST_LINE_DAYS, DistributionMaps, fit_maps

ARRAYS = "maps.safetensors"
CARD = "member.json"
NO_VALID_INPUT = 256


class MatchingSettings(Settings):
    """What is matched, and by which maps.

    With `cell` each cell of the training has a map of its own, and all others take the one of all cells together; with
    `all` every cell takes that one.
    """

    product: str = "smap_sm_am"
    maps: Literal["cell", "all"] = "cell"


@dataclass(frozen=True)
class MatchingModel:
    """Maps of the product onto the target; the last one is that of all cells together.

    `index` holds the cells, flat in the global grid, of the other maps.
    """

    settings: MatchingSettings
    index: npt.NDArray[np.int64]
    maps: DistributionMaps
    uncertainty: float
    facts: dict[str, Any] = field(default_factory=dict)
    past_days: int = 0

    def predict(self, block: Block) -> Prediction:
        """The matched product; missing where it is."""
        values = moisture(block.cube, self.settings.product, block.days, block.cells)
        cells = global_index(block.cube.grid, block.cube.index[block.cells])
        mean = self.maps.take(self._place(cells))(values.T).T
        missing = np.isnan(mean)
        deviation = np.where(missing, np.nan, self.uncertainty).astype(np.float32)
        return Prediction(mean, deviation, np.where(missing, NO_VALID_INPUT, 0).astype(np.int16))

    def _place(self, cells: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        if not self.index.size:
            return np.zeros(cells.size, np.int64)
        place = np.minimum(np.searchsorted(self.index, cells), self.index.size - 1)
        return np.where(self.index[place] == cells, place, self.index.size)

    def save(self, directory: Path) -> None:
        """Write `maps.safetensors` and `member.json`."""
        write_arrays(directory / ARRAYS, {**self.maps.arrays(), "index": self.index})
        write_json(directory / CARD, {"settings": self.settings.model_dump(mode="json"),
                                      "uncertainty": self.uncertainty, "facts": self.facts})  # fmt: skip


class CdfMatching:
    """Percentiles of the product onto those of the target, on common training days."""

    name: ClassVar[str] = "cdf-matching"
    settings_type: ClassVar[type[Settings]] = MatchingSettings
    needs_own_history: ClassVar[bool] = False
    seeded: ClassVar[bool] = False
    costly: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...] | None] = None

    def fit(self, inputs: Inputs, fold: Fold, settings: Settings, *, seed: int, checkpoint: Path | None = None,
            progress: Progress = silent) -> MatchingModel:  # fmt: skip
        """Fit the maps on everything in training.

        Raises
        ------
        UsageError
            Where the product is the target itself.
        InputError
            Where product and target have too few common days in training for any map.
        """
        assert isinstance(settings, MatchingSettings), "settings of another method"
        cube, name = inputs.cube, settings.product
        if name == inputs.target:
            raise UsageError(f"{name} cannot be matched to itself", where="method.settings.product",
                             next="name another product of the cube")  # fmt: skip
        progress.say(f"train {self.name}")
        mask = fold.mask("train")
        cells = np.flatnonzero(mask.any(axis=0))
        product, target = raw_values_of(cube, (name, inputs.target), slice(None), cells).transpose(2, 1, 0)
        target = np.where(mask[:, cells].T, target, np.float32(np.nan))
        common = np.isfinite(product) & np.isfinite(target)
        if int(common.sum()) < FEWEST_LINE_DAYS:
            raise InputError(f"{name} and {inputs.target} have {int(common.sum())} common values in training",
                             where=str(cube.path), why=f"a map needs {FEWEST_LINE_DAYS}",
                             next="choose another split or product")  # fmt: skip
        maps = fit_maps(product[common][None], target[common][None])
        index = np.zeros(0, np.int64)
        if settings.maps == "cell":
            own = fit_maps(product, np.where(common, target, np.float32(np.nan)))
            # A cell with too few common days of its own is better served by all cells together.
            kept = np.flatnonzero(own.kind < 2)
            maps, index = joined(own.take(kept), maps), global_index(cube.grid, cube.index[cells[kept]])
        model = MatchingModel(settings, index, maps, 0.0)
        matched = maps.take(model._place(global_index(cube.grid, cube.index[cells])))(product)
        error = float(np.sqrt(np.mean((matched[common].astype(np.float64) - target[common]) ** 2)))
        facts = {"parameters": int(maps.size.sum()), "maps": maps.counts()}
        return MatchingModel(settings, index, maps, error, facts)

    def load(self, directory: Path) -> MatchingModel:
        """Load what `MatchingModel.save` wrote."""
        card = read_json(directory / CARD)
        try:
            arrays = dict(safetensors.numpy.load_file(directory / ARRAYS))
        except (OSError, safetensors.SafetensorError) as error:
            raise InputError(f"maps cannot be read: {error}", where=str(directory / ARRAYS),
                             next="vadose train RECIPE") from error  # fmt: skip
        return MatchingModel(MatchingSettings.model_validate(card["settings"]), arrays.pop("index"),
                             DistributionMaps.of_arrays(arrays), card["uncertainty"], card["facts"])  # fmt: skip


def joined(one: DistributionMaps, two: DistributionMaps) -> DistributionMaps:
    """The maps of both, knots padded to the larger number."""
    width = max(one.x.shape[1], two.x.shape[1])
    parts = {}
    for name, mine in one.arrays().items():
        both = [mine, two.arrays()[name]]
        if name in ("x", "r"):
            both = [np.pad(values, ((0, 0), (0, width - values.shape[1]))) for values in both]
        parts[name] = np.concatenate(both)
    return DistributionMaps.of_arrays(parts)
