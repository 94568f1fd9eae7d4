"""Figures about the stated uncertainty: PIT histogram, spread against error; reliability is among the curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from vadose.reports.figures.spec import PALETTE, Figure, layout, specification
from vadose.reports.formats import VOLUME, count


def pit_figure(name: str, rows: pd.DataFrame, reference: str) -> Figure:
    """Histogram of the probability integral transform; the dashed line is what a right uncertainty gives."""
    rows = rows.sort_values("x", kind="stable")
    width = float(np.diff(rows["x"]).min()) if len(rows) > 1 else 0.1
    bars = go.Bar(
        x=rows["x"].tolist(), y=rows["y"].tolist(), width=width, marker={"color": PALETTE[0]}, showlegend=False
    )
    level = go.Scatter(
        x=[0.0, 1.0], y=[1.0, 1.0], mode="lines", meta="text", line={"dash": "dash", "width": 1}, hoverinfo="skip",
        showlegend=False,
    )  # fmt: skip
    figure = go.Figure(
        [bars, level],
        layout(
            xaxis={"title": {"text": "probability integral transform"}, "range": [0, 1]},
            yaxis={"title": {"text": "density"}, "rangemode": "tozero"},
            bargap=0.04,
        ),
    )
    caption = (
        f"Where the values of {reference} fall in the stated distribution. Flat at 1: the uncertainty is right; a hump "
        "in the middle: it is too large; high ends: too small; a slope: bias."
    )
    data = {"x": rows["x"].tolist(), "density": rows["y"].tolist()}
    return Figure(name, specification(figure), caption, f"PIT histogram against {reference}", data, 300, 560)


def spread_figure(name: str, rows: pd.DataFrame, reference: str) -> Figure:
    """Root mean squared error against the stated standard uncertainty, in deciles of the latter."""
    rows = rows.sort_values("x", kind="stable")
    low = float(min(rows["x"].min(), rows["y"].min()))
    high = float(max(rows["x"].max(), rows["y"].max()))
    pad = 0.06 * (high - low) or 0.01
    ends = [max(low - pad, 0.0), high + pad]
    points = go.Scatter(
        x=rows["x"].tolist(), y=rows["y"].tolist(), mode="lines+markers", line={"color": PALETTE[0], "width": 1.5},
        marker={"size": 8, "color": PALETTE[0]}, text=[f"{count(n)} days" for n in rows["low"]], showlegend=False,
        hovertemplate="stated %{x:.4f}, found %{y:.4f} " + VOLUME + "<br>%{text}<extra></extra>",
    )  # fmt: skip
    equal = go.Scatter(
        x=ends, y=ends, mode="lines", meta="text", line={"dash": "dash", "width": 1}, hoverinfo="skip", showlegend=False
    )
    figure = go.Figure(
        [points, equal],
        layout(
            xaxis={"title": {"text": f"stated standard uncertainty ({VOLUME})"}, "range": ends, "nticks": 6},
            yaxis={"title": {"text": f"root mean squared error ({VOLUME})"}, "range": ends, "nticks": 6},
        ),
    )
    caption = (
        f"Error against {reference} where the product states little and much uncertainty, in deciles of the stated "
        f"one, {count(rows['low'].sum())} days; the dashed line is equality."
    )
    data = {"stated": rows["x"].tolist(), "found": rows["y"].tolist(), "days": rows["low"].tolist()}
    return Figure(
        name, specification(figure), caption, f"Error against stated uncertainty, {reference}", data, 340, 560
    )
