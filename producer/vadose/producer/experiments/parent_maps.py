"""Maps of the merge with a known truth: errors, correlations and weights of the parents, validity, and two months."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from vadose.producer.methods.mergemaps import classes
from vadose.producer.methods.tcmerge import TcMergeModel
from vadose.producer.training.maps import Sheet

ORIGINS = (("by collocation", ""), ("true", "true_"))
FIGURES: Mapping[str, Mapping[str, str]] = {
    "error_map": {"caption": "Error standard deviation of each parent, by collocation of the training days and true, "
                             "in the cells that the triplet resolves"},
    "r_map": {"caption": "R of each parent with the truth, by collocation and true"},
    "weight_map": {"caption": "Weight of each parent where the triplet is resolved, by collocation and best"},
    "validity_map": {"caption": "Whether a cell has a valid collocation; the others take the plain mean"},
    "month_map": {"caption": "Soil moisture of two months of the test year: the truth, the parents in the scale of "
                             "the reference, their plain mean and the merge"},
}  # fmt: skip


def cell_sheets(cells: pd.DataFrame, size: int, unit: str) -> Iterator[Sheet]:
    """Error, R and weight of each parent of one triplet in the cells that it resolves, told and true.

    Parameters
    ----------
    cells
        A row for each parent and cell: `parent`, `cell`, and `error`, `r` and `weight` with their `true_` ones.
    size
        Number of cells of the cube.
    """
    for figure, name, units in (("error_map", "error", unit), ("r_map", "r", "1"), ("weight_map", "weight", "1")):
        for row, prefix in ORIGINS:
            for parent, part in cells.groupby("parent", sort=False):
                values = np.full(size, np.nan)
                values[part["cell"].to_numpy()] = part[prefix + name]
                yield Sheet(figure, row, str(parent), units, values)


def validity_sheets(models: Mapping[str, TcMergeModel]) -> Iterator[Sheet]:
    """Validity of each triplet."""
    every = np.concatenate([model.estimate.validity[0] for model in models.values()])
    for name, model in models.items():
        yield Sheet("validity_map", "", name, classes(every), model.estimate.validity[0].astype(np.float64))
