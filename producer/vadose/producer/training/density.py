"""The density of predicted against reference soil moisture: counts of pairs in square bins."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from vadose.producer.training.scores import Series, Truth

STEP = 0.01
HIGHEST = 0.8
COLUMNS = ["split", "method", "seed", "reference", "predicted", "count"]


def density_table(truth: Truth, series: Iterable[Series]) -> pd.DataFrame:
    """Counts of test values in bins of 0.01 m3 m-3 that hold any, by split, method and seed.

    `reference` and `predicted` are the middles of the bins, m3 m-3; values outside 0...0.8 count in the outermost bins.
    """
    edges = np.round(np.arange(0.0, HIGHEST + STEP / 2, STEP), 6)
    middles = np.round(edges[:-1] + STEP / 2, 6)
    tables = []
    for one in series:
        both = np.isfinite(one.mean) & np.isfinite(truth.values)
        inside = [np.clip(values[both], 0.0, HIGHEST - STEP / 2) for values in (truth.values, one.mean)]
        counts = np.histogram2d(inside[0], inside[1], bins=[edges, edges])[0].astype(np.int64)
        row, column = np.nonzero(counts)
        tables.append(
            pd.DataFrame({
                "split": one.split, "method": one.method, "seed": one.seed, "reference": middles[row],
                "predicted": middles[column], "count": counts[row, column],
            })
        )  # fmt: skip
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
