"""The points of diagnostic curves, as their table holds them."""

from __future__ import annotations

from typing import Any

COLUMNS = ["figure", "panel", "series", "x", "y", "low", "high", "unit"]


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
