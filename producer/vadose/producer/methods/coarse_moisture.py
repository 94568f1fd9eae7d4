"""The coarse soil moisture that is downscaled: one variable of a cube, or the merge of several, by block and step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube
from vadose.producer.methods.blocks import Blocks
from vadose.producer.methods.coarsening import Timeline, block_days
from vadose.producer.methods.steps import MONTH_DAYS, rolling_means
from vadose.producer.methods.tcmerge import TcMergeModel, TcMergeSettings, check_settings, estimate_cells, merge_model
from vadose.producer.training.splits import Fold

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CoarseMoisture:
    """Where the soil moisture of the blocks comes from; without a merge it is the target itself.

    `fewest_days` are needed for the mean of a month.
    """

    target: str
    fewest_days: int
    merge: TcMergeModel | None = None

    def steps(
        self, cube: Cube, blocks: Blocks, timeline: Timeline, first: int, last: int, allowed: Mask | None = None
    ) -> tuple[Doubles, Doubles]:
        """Soil moisture and its error variance of the steps `first` to `last`, (step, block); a variable has 0.

        `allowed`, (time, cell), says which days and cells of the target may be read.
        """
        if self.merge is None:
            mean = self._means(cube, self.target, blocks, timeline, first, last, allowed)
            return mean, np.where(np.isfinite(mean), 0.0, np.nan)
        names = self.merge.settings.parents
        raw = np.stack([
            self._means(cube, name, blocks, timeline, first, last, allowed if name == self.target else None)
            for name in names
        ])  # fmt: skip
        place = np.minimum(np.searchsorted(self.merge.index, blocks.index), self.merge.index.size - 1)
        known = self.merge.index[place] == blocks.index
        return self.merge.merge_steps(raw, timeline.stamps[first:last], place, known)

    def _means(
        self, cube: Cube, name: str, blocks: Blocks, timeline: Timeline, first: int, last: int, allowed: Mask | None
    ) -> Doubles:
        daily = block_days(cube, name, blocks, timeline.span(first, last), allowed)
        return timeline.means(daily, first, last, self.fewest_days if timeline.step == "monthly" else 1)


def fit_moisture(
    cube: Cube, target: str, fold: Fold, blocks: Blocks, timeline: Timeline, merge: TcMergeSettings | None,
    fewest_days: int, columns: int,
) -> CoarseMoisture:  # fmt: skip
    """The soil moisture of a fold; a merge is fitted on the block means of its parents on the training days.

    `columns` is the number of columns of the global coarse grid.
    """
    if merge is None:
        return CoarseMoisture(target, fewest_days)
    check_settings(merge)
    inside = fold.dates["train"]
    allowed = fold.mask("train")
    parts = []
    for name in merge.parents:
        mask = allowed if name == target else inside[:, None] & fold.cells["train"][None, :]
        daily = np.concatenate([
            block_days(cube, name, blocks, timeline.span(*portion), mask) for portion in timeline.portions()
        ])  # fmt: skip
        if merge.aggregation == "monthly":
            daily = rolling_means(daily, MONTH_DAYS, merge.fewest_days)
        parts.append(daily[inside].T)
    found = estimate_cells(np.stack(parts, axis=1), cube.days[inside], merge)
    model = merge_model(merge, [found], blocks.index, blocks.index // columns, blocks.index % columns)
    return CoarseMoisture(target, fewest_days, model)
