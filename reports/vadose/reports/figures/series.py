"""The series of one station: a skeleton that the page fills with the arrays of the station chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from vadose.reports.figures.spec import DASHES, DAY_AXIS, PALETTE, layout, specification
from vadose.reports.formats import VOLUME
from vadose.reports.text import plot_text

IN_SITU = "in situ"


def series_skeleton(columns: Sequence[str], ours: str) -> dict[str, Any]:
    """Traces without data, `uid` naming the column: in situ beneath, rivals hidden at first, differences below."""
    rivals = [name for name in columns if name not in (ours, IN_SITU)]
    traces = [
        go.Scatter(
            uid=IN_SITU, name=IN_SITU, mode="lines", meta="text", line={"width": 1.2}, opacity=0.55, connectgaps=False
        )
    ]
    traces += [_line(name, 1 + i, visible="legendonly") for i, name in enumerate(rivals)]
    traces.append(_line(ours, 0))
    traces.append(
        go.Scatter(
            uid=ours,
            name="difference",
            mode="lines",
            yaxis="y2",
            showlegend=False,
            line={"width": 1, "color": PALETTE[0]},
            hovertemplate="%{x}<br>%{y:+.3f} " + VOLUME + "<extra>difference</extra>",
        )
    )
    figure = go.Figure(
        traces,
        layout(
            xaxis={**DAY_AXIS, "anchor": "y2"},
            yaxis={"title": {"text": f"soil moisture ({VOLUME})"}, "domain": [0.36, 1.0]},
            yaxis2={"title": {"text": f"difference<br>({VOLUME})"}, "domain": [0.0, 0.27], "zeroline": True},
            hovermode="x unified",
            margin={"l": 72, "r": 16, "t": 12, "b": 48},
        ),
    )
    return {**specification(figure), "reference": IN_SITU}


def _line(name: str, index: int, **given: Any) -> go.Scatter:
    style = {
        "width": 1.6 if index == 0 else 1.2,
        "color": PALETTE[index % len(PALETTE)],
        "dash": DASHES[index % len(DASHES)],
    }
    return go.Scatter(uid=name, name=plot_text(name), mode="lines", line=style, connectgaps=False, **given)
