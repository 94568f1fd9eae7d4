"""The scores of two versions side by side, from the validation runs that they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from vadose.common import UNREADABLE, read_json
from vadose.producer.release.folder import Folder

SCORE_KEYS = ("reference", "split", "signal", "scaling", "method", "metric")
SCORE_VALUES = ("value", "ci_low", "ci_high", "n")


def score_changes(old: Folder, new: Folder) -> list[dict[str, Any]]:
    """Medians over all of each reference that both runs have: keys, `old` and `new` with interval and number of values.

    A run without readable scores has none.
    """
    before, after = _scores(old), _scores(new)
    if before is None or after is None:
        return []
    pair = before.merge(after, on=list(SCORE_KEYS), suffixes=("_old", "_new")).sort_values(list(SCORE_KEYS))
    return [
        {**{key: row[key] for key in SCORE_KEYS},
         **{when: {name: _number(row[f"{name}_{when}"]) for name in SCORE_VALUES} for when in ("old", "new")}}
        for row in pair.to_dict("records")
    ]  # fmt: skip


def _scores(folder: Folder) -> pd.DataFrame | None:
    """The headline rows of a version's own product."""
    place = folder.path / "quality" / "validation"
    if not (place / "scores.parquet").is_file() or not (place / "run.json").is_file():
        return None
    try:
        frame = pd.read_parquet(place / "scores.parquet")
        own = read_json(place / "run.json")["roles"]["product"]
        rows = (frame["product"] == own) & (frame["stratum_kind"] == "all") & (frame["aggregate"] == "median")
        found: pd.DataFrame = frame.loc[rows & (frame["subset"] == "common"), [*SCORE_KEYS, *SCORE_VALUES]]
        return found
    except UNREADABLE:
        return None


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
