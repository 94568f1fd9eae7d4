"""What all figures share: colours, dashes, symbols, margins, and the way to JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

# Okabe-Ito without yellow and black, which fail on one of the two schemes. Our product is the first.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")

# Written out: plotly.js knows neither name, and an unknown one silently becomes its default.
CIVIDIS = [
    [0.0, "#00224e"], [0.125, "#123570"], [0.25, "#3b496c"], [0.375, "#575d6d"], [0.5, "#707173"],
    [0.625, "#8a8678"], [0.75, "#a59c74"], [0.875, "#c3b369"], [1.0, "#fee838"],
]  # fmt: skip
BRBG = [
    [0.0, "#543005"], [0.1, "#8c510a"], [0.2, "#bf812d"], [0.3, "#dfc27d"], [0.4, "#f6e8c3"], [0.5, "#f5f5f5"],
    [0.6, "#c7eae5"], [0.7, "#80cdc1"], [0.8, "#35978f"], [0.9, "#01665e"], [1.0, "#003c30"],
]  # fmt: skip
# Dry to wet without a middle: the brown and the green arm would suggest a zero that soil moisture has not.
WETNESS = [
    [0.0, "#8c510a"], [0.15, "#bf812d"], [0.3, "#dfc27d"], [0.45, "#d5e5c6"], [0.6, "#80cdc1"],
    [0.75, "#35978f"], [0.9, "#01665e"], [1.0, "#003c30"],
]  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A specification, its caption and its numbers as a table.

    `alternative` is the short name that a screen reader speaks; `data` holds columns of the CSV. A figure of fixed
    shape, such as a map, states its largest `width` in pixels, so that its colour scale stands beside it.
    """

    name: str
    spec: dict[str, Any]
    caption: str
    alternative: str
    data: Mapping[str, Sequence[Any]]
    height: int = 360
    width: int | None = None


def specification(figure: go.Figure) -> dict[str, Any]:
    """The figure without its template, which would bring white backgrounds; arrays as lists."""
    document = figure.to_plotly_json()
    layout = dict(document["layout"])
    layout.pop("template", None)
    return {"data": plain(document["data"]), "layout": plain(layout)}


def plain(value: Any) -> Any:
    """Nested lists and dictionaries of JSON types; missing numbers become None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


# The title keeps its distance from labels of two lines, which a short record has.
DAY_AXIS: dict[str, Any] = {"title": {"text": "day (UTC)", "standoff": 8}, "type": "date", "automargin": True}


def layout(**given: Any) -> dict[str, Any]:
    """Margins and font size of all figures, with what one figure needs."""
    base = {
        "margin": {"l": 56, "r": 16, "t": 12, "b": 48},
        "font": {"size": 13},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "closest",
    }
    return base | given


def middle_range(values: Sequence[float], *, centred: bool = False) -> tuple[float, float]:
    """Limits of a colour scale from the middle 98 % of the values, symmetric about zero if `centred`."""
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    if array.size == 0:
        return (0.0, 1.0)
    low, high = (float(v) for v in np.percentile(array, [1, 99]))
    if centred:
        edge = max(abs(low), abs(high)) or 1.0
        return (-edge, edge)
    return (low, high) if high > low else (low - 0.01, high + 0.01)


def shaped_width(lat_span: float, lon_span: float, middle_lat: float, height: int) -> int:
    """Pixels across for a map of this extent at `height`, with its axis and colour scale."""
    ratio = lon_span * max(float(np.cos(np.radians(middle_lat))), 0.2) / max(lat_span, 0.1)
    return int(min(max(ratio * (height - 60) + 190, 420), 1100))
