"""Diagnostics of a model: loss by step, the weight of each lag in the attention, and what a method adds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from vadose.common import whole_file
from vadose.producer.cube import Cube
from vadose.producer.training.attention import Attentive, attention_by_lag
from vadose.producer.training.maps import Mapped, write_maps
from vadose.producer.training.points import COLUMNS, curve_row
from vadose.producer.uncertainty import Ensemble


@runtime_checkable
class Curved(Protocol):
    """A model with curves of its own."""

    def curves(self) -> Iterable[tuple[str, str, float, float, str]]:
        """Figure, panel, x, y and unit of each point."""
        ...


def write_diagnostics(directory: Path, ensemble: Ensemble, cube: Cube, target: str) -> None:
    """Write `curves.parquet`, empty of rows without curves, and `maps.nc` where a member has maps.

    `target` is read only where the cube does not hide it, to tell days of wet soil.
    """
    rows: list[dict[str, Any]] = []
    for number, member in enumerate(ensemble.members):
        series = f"member {number}"
        rows += loss_rows(getattr(member, "facts", {}), series)
        if isinstance(member, Attentive):
            rows += attention_rows(member, cube, target, series)
        if isinstance(member, Curved):
            rows += [curve_row(figure, panel, series, x, y, unit) for figure, panel, x, y, unit in member.curves()]
    write_curves(directory / "curves.parquet", rows)
    drawn = [sheet for member in ensemble.members if isinstance(member, Mapped) for sheet in member.sheets(cube)]
    if drawn:
        write_maps(directory / "maps.nc", cube, drawn)


def loss_rows(facts: Mapping[str, Any], series: str) -> list[dict[str, Any]]:
    """Training loss and inner-split error by step."""
    kinds = {"losses": ("training loss", "1"), "checks": ("error on the inner split", "standard deviations")}
    return [
        curve_row("training", panel, series, step, value, unit)
        for kind, (panel, unit) in kinds.items()
        for step, value in facts.get(kind, [])
    ]


def attention_rows(model: Attentive, cube: Cube, target: str, series: str) -> list[dict[str, Any]]:
    """Mean attention weight by lag, over all days and over those of wet soil."""
    return [
        curve_row("attention", panel, series, lag, weight, "1")
        for panel, weights in attention_by_lag(model, cube, target)
        for lag, weight in enumerate(weights)
    ]


def curve_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of curves in the columns and types of `curves.parquet`."""
    kinds = dict.fromkeys(("x", "y", "low", "high"), "float64")
    return pd.DataFrame(rows, columns=COLUMNS).astype({name: kinds.get(name, "object") for name in COLUMNS})


def write_curves(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write curves as parquet, whole or not at all."""
    with whole_file(path) as part:
        curve_table(rows).to_parquet(part, index=False)
