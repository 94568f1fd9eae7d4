"""Facts of a run that are no scores: one long table whose parts are tables of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

FACT_COLUMNS = ("table", "row", "column", "value", "text")


def facts(table: str, rows: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Cells of a table: a number has a value, everything else a text.

    Parameters
    ----------
    table
        Its name.
    rows
        For each row the cells by column.
    """
    out = []
    for row, cells in rows.items():
        for column, cell in cells.items():
            number = isinstance(cell, (int, float, np.integer, np.floating)) and not isinstance(cell, bool)
            out.append((table, row, column, float(cell) if number else np.nan, "" if number else str(cell)))
    return frame(out)


def frame(rows: Sequence[tuple[str, str, str, float, str]] = ()) -> pd.DataFrame:
    """A frame with the columns and types of the table of facts."""
    out = pd.DataFrame(rows, columns=list(FACT_COLUMNS))
    return out.astype({"value": np.float64} | {name: str for name in FACT_COLUMNS if name != "value"})
