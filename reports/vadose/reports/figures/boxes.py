"""Boxes from quartiles that are computed here: the values themselves are not sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from vadose.reports.figures.spec import PALETTE, Figure, layout, specification
from vadose.reports.text import plot_text

_PERCENTILES = (5, 25, 50, 75, 95)


def box_figure(
    name: str, values: Mapping[str, Sequence[float]], *, x_title: str, caption: str, alternative: str
) -> Figure:
    """One box for each label, highest median first; whiskers end at the 5th and 95th percentile."""
    known = {label: np.asarray(given, float)[np.isfinite(np.asarray(given, float))] for label, given in values.items()}
    found = {label: np.percentile(one, _PERCENTILES) for label, one in known.items() if one.size}
    order = sorted(found, key=lambda label: -float(found[label][2]))
    columns = np.array([found[label] for label in order]).T
    low, q1, median, q3, high = columns.tolist()
    labels = [plot_text(f"{label} ({known[label].size})") for label in order]
    box = go.Box(
        y=labels, lowerfence=low, q1=q1, median=median, q3=q3, upperfence=high, orientation="h", showlegend=False,
        line={"color": PALETTE[0], "width": 1.5}, fillcolor="rgba(86,180,233,0.35)",
    )  # fmt: skip
    axis = {
        "type": "category", "categoryarray": labels, "automargin": True, "range": [len(order) - 0.4, -0.6],
        "title": {"text": ""},
    }  # fmt: skip
    figure = go.Figure(box, layout(xaxis={"title": {"text": x_title}, "nticks": 6}, yaxis=axis))
    data: dict[str, Sequence[Any]] = {"label": order, "n": [known[label].size for label in order]}
    data |= {f"p{p:02d}": column for p, column in zip(_PERCENTILES, (low, q1, median, q3, high), strict=True)}
    return Figure(name, specification(figure), caption, alternative, data, 96 + 26 * max(len(order), 2), 900)
