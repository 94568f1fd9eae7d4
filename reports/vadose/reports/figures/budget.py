"""The parts of the mean square error at each station as bars on each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from vadose.reports.figures.spec import PALETTE, Figure, layout, specification
from vadose.reports.formats import METRICS
from vadose.reports.text import plot_text

# Bars beyond this many are too thin to be told apart.
MOST_BARS = 120


def budget_figure(
    name: str, labels: Sequence[str], parts: Mapping[str, Sequence[float | None]], caption: str
) -> Figure:
    """Stacked bars; `parts` maps metric ids to one value for each label."""
    rank = list(range(1, len(labels) + 1))
    bars = [
        go.Bar(
            x=rank, y=list(values), name=METRICS[metric].label, text=[plot_text(label) for label in labels],
            textposition="none", hovertemplate="%{text}<br>%{y:.6f} m⁶ m⁻⁶<extra>" + METRICS[metric].label + "</extra>",
            marker={"color": PALETTE[k]},
        )
        for k, (metric, values) in enumerate(parts.items())
    ]  # fmt: skip
    figure = go.Figure(
        bars,
        layout(
            barmode="stack",
            bargap=0.15,
            xaxis={"title": {"text": "stations by their sum"}, "showgrid": False},
            yaxis={"title": {"text": "mean square error (m⁶ m⁻⁶)"}},
            showlegend=True,
            legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        ),
    )
    columns = {metric: list(values) for metric, values in parts.items()}
    data: dict[str, Sequence[Any]] = {"station": list(labels), **columns}
    return Figure(name, specification(figure), caption, "Parts of the mean square error by station", data, 360)
