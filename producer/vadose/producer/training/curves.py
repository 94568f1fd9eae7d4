"""Diagnostics of a model: loss by step, and the weight of each lag in the attention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from vadose.common import whole_file
from vadose.producer.cube import Cube
from vadose.producer.methods.recurrent import RecurrentModel
from vadose.producer.uncertainty import Ensemble

COLUMNS = ["figure", "panel", "series", "x", "y", "low", "high", "unit"]
ATTENTION_CELLS = 256
ATTENTION_DAYS = 365


def write_diagnostics(directory: Path, ensemble: Ensemble, cube: Cube) -> None:
    """Write `curves.parquet`; methods without curves leave it empty of rows."""
    rows: list[dict[str, Any]] = []
    for number, member in enumerate(ensemble.members):
        if isinstance(member, RecurrentModel):
            rows += loss_rows(member, f"member {number}")
            rows += attention_rows(member, cube, f"member {number}")
    write_curves(directory / "curves.parquet", rows)


def loss_rows(model: RecurrentModel, series: str) -> list[dict[str, Any]]:
    """Training loss and inner-split error by step."""
    kinds = {"losses": ("training loss", "1"), "checks": ("error on the inner split", "standard deviations")}
    return [
        curve_row("training", panel, series, step, value, unit)
        for kind, (panel, unit) in kinds.items()
        for step, value in model.facts.get(kind, [])
    ]


def attention_rows(model: RecurrentModel, cube: Cube, series: str) -> list[dict[str, Any]]:
    """Mean attention weight by lag over the first cells and year of the cube."""
    if not model.network.shape.attention:
        return []
    days = slice(0, min(ATTENTION_DAYS, cube.days.size))
    weights = model.attention_by_lag(cube, days, slice(0, min(ATTENTION_CELLS, cube.index.size)))
    return [curve_row("attention", "weight by lag", series, lag, weight, "1") for lag, weight in enumerate(weights)]


def curve_row(figure: str, panel: str, series: str, x: float, y: float, unit: str, low: float = float("nan"),
              high: float = float("nan")) -> dict[str, Any]:  # fmt: skip
    """One point of a curve."""
    return {
        "figure": figure,
        "panel": panel,
        "series": series,
        "x": float(x),
        "y": float(y),
        "low": low,
        "high": high,
        "unit": unit,
    }


def write_curves(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write curves as parquet, whole or not at all."""
    kinds = dict.fromkeys(("x", "y", "low", "high"), "float64")
    table = pd.DataFrame(rows, columns=COLUMNS).astype({name: kinds.get(name, "object") for name in COLUMNS})
    with whole_file(path) as part:
        table.to_parquet(part, index=False)
