"""One value with its interval for each of several labels, below each other, beside what is required."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from vadose.reports.figures.spec import PALETTE, SYMBOLS, Figure, layout, specification
from vadose.reports.text import plot_text


@dataclass(frozen=True)
class Dot:
    """One value and its interval; None where there is none."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None


def dot_figure(
    name: str, dots: Sequence[Dot], *, x_title: str, caption: str, alternative: str,
    band: tuple[float, float] | None = None, lines: Sequence[float] = (),
) -> Figure:  # fmt: skip
    """Dots with intervals; `band` shades what is required, `lines` are drawn dashed."""
    shown = [dot for dot in dots if dot.value is not None]
    labels = [plot_text(dot.label) for dot in shown]
    up = [0.0 if dot.high is None or dot.value is None else dot.high - dot.value for dot in shown]
    down = [0.0 if dot.low is None or dot.value is None else dot.value - dot.low for dot in shown]
    trace = go.Scatter(
        x=[dot.value for dot in shown], y=labels, mode="markers", showlegend=False,
        marker={"size": 9, "color": PALETTE[0]},
        error_x={"type": "data", "array": up, "arrayminus": down, "thickness": 1.5, "width": 4},
    )  # fmt: skip
    shapes: list[dict[str, Any]] = [
        {
            "type": "line",
            "x0": x,
            "x1": x,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": {"dash": "dash", "width": 1, "color": "#808080"},
        }
        for x in lines
    ]
    if band is not None:
        shapes.append(
            {
                "type": "rect", "x0": band[0], "x1": band[1], "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
                "line": {"width": 0}, "fillcolor": "rgba(0,158,115,0.18)",
            }
        )  # fmt: skip
    axis = {
        "type": "category", "categoryarray": labels, "automargin": True, "range": [len(shown) - 0.4, -0.6],
        "title": {"text": ""},
    }  # fmt: skip
    figure = go.Figure(trace, layout(xaxis={"title": {"text": x_title}, "nticks": 6}, yaxis=axis, shapes=shapes))
    data: dict[str, Sequence[Any]] = {
        "label": [dot.label for dot in dots],
        "value": [dot.value for dot in dots],
        "ci_low": [dot.low for dot in dots],
        "ci_high": [dot.high for dot in dots],
    }
    return Figure(name, specification(figure), caption, alternative, data, 96 + 26 * max(len(shown), 2), 900)


def paired_figure(
    name: str, labels: Sequence[str], columns: Mapping[str, Sequence[float | None]], *, x_title: str, caption: str,
    alternative: str, band: tuple[float, float],
) -> Figure:  # fmt: skip
    """Several values side by side for each label, each column with a symbol of its own; `band` shades the goal."""
    rows = [plot_text(label) for label in labels]
    traces = [
        go.Scatter(
            x=list(values), y=rows, mode="markers", name=plot_text(column),
            marker={"size": 9, "color": PALETTE[k], "symbol": SYMBOLS[k]},
        )
        for k, (column, values) in enumerate(columns.items())
    ]  # fmt: skip
    shade = {
        "type": "rect", "x0": band[0], "x1": band[1], "yref": "paper", "y0": 0, "y1": 1, "layer": "below",
        "line": {"width": 0}, "fillcolor": "rgba(0,158,115,0.18)",
    }  # fmt: skip
    axis = {
        "type": "category", "categoryarray": rows, "automargin": True, "range": [len(rows) - 0.4, -0.6],
        "title": {"text": ""},
    }  # fmt: skip
    across = {"title": {"text": x_title}, "range": [0.0, 1.05], "dtick": 0.5}
    figure = go.Figure(traces, layout(xaxis=across, yaxis=axis, shapes=[shade], showlegend=True))
    data: dict[str, Sequence[Any]] = {"label": list(labels), **{name: list(v) for name, v in columns.items()}}
    return Figure(name, specification(figure), caption, alternative, data, 120 + 26 * max(len(rows), 2), 760)
