"""Curves from diagnostics files: seasonal cycles, memory, reliability, scatter density, coverage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from vadose.reports.figures.series import IN_SITU
from vadose.reports.figures.spec import CIVIDIS, DASHES, DAY_AXIS, PALETTE, SYMBOLS, Figure, layout, specification
from vadose.reports.formats import VOLUME, count
from vadose.reports.text import plot_text

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

# Markers of more points than these hide the line.
MARKED = 40
# The names of more series than these stand below the plot, which they would else press together.
MANY = 6


def curve_panels(curves: pd.DataFrame | None, figure: str) -> list[tuple[str, pd.DataFrame]]:
    """The rows of one figure by panel, in the order of their names."""
    if curves is None:
        return []
    rows = curves[curves["figure"] == figure]
    return [(str(panel), part) for panel, part in rows.groupby("panel", sort=True)]


def curve_figure(name: str, rows: pd.DataFrame, *, x_title: str, y_title: str, caption: str) -> Figure:
    """Lines, one for each series, with whiskers where the file holds `low` and `high`; few points have markers.

    Series of one point each at whole numbers are categories: the axis bears their names.
    """
    traces: list[Any] = []
    most = int(rows.groupby("series", sort=False).size().max())
    mode = "lines+markers" if most <= MARKED else "lines"
    codes = most == 1 and len(rows) > 1 and sorted(rows["x"]) == list(range(len(rows)))
    for index, (series, part) in enumerate(rows.groupby("series", sort=False)):
        part = part.sort_values("x", kind="stable")
        colour = PALETTE[index % len(PALETTE)]
        errors = _errors(part)
        # The second round of colours has other dashes and symbols than the first.
        turned = index + index // len(PALETTE)
        traces.append(
            go.Scatter(
                x=part["x"].tolist(), y=part["y"].tolist(), name=plot_text(series), mode=mode,
                line={"color": colour, "dash": DASHES[turned % len(DASHES)], "width": 1.8},
                marker={"symbol": SYMBOLS[turned % len(SYMBOLS)], "size": 6, "color": colour}, **errors,
            )
        )  # fmt: skip
    axis: dict[str, Any] = {"title": {"text": x_title}}
    if x_title == "year":
        # A year has no separator of thousands.
        axis["tickformat"] = ".2~f"
    if codes:
        names = [plot_text(word) for word in rows.sort_values("x")["series"]]
        axis |= {
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "range": [-0.5, len(names) - 0.5],
            "zeroline": False,
        }
    legend = len(traces) > 1 and not codes
    height, below = 360, {}
    if legend and len(traces) > MANY:
        lines = 18 * len(traces)
        axis |= {"automargin": True, "title": {"text": x_title, "standoff": 10}}
        height += lines
        below = {
            "legend": {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
            "margin": {"l": 56, "r": 16, "t": 12, "b": 64 + lines},
        }
    shown = layout(xaxis=axis, yaxis={"title": {"text": y_title}}, showlegend=legend, **below)
    columns = ["series", "x", "y", "low", "high"]
    alternative = f"Curves: {y_title} against {x_title}"
    return Figure(name, specification(go.Figure(traces, shown)), caption, alternative, _table(rows[columns]), height)


def _errors(part: pd.DataFrame) -> dict[str, Any]:
    low, high = part["low"].to_numpy(float), part["high"].to_numpy(float)
    if not np.isfinite(low).any():
        return {}
    y = part["y"].to_numpy(float)
    up, down = np.nan_to_num(high - y), np.nan_to_num(y - low)
    return {"error_y": {"type": "data", "array": up.tolist(), "arrayminus": down.tolist(), "thickness": 1, "width": 2}}


def seasonal_figure(name: str, rows: pd.DataFrame, ours: str, reference: str) -> Figure:
    """Means by month: ours, rivals hidden at first, the reference last in the text colour."""
    series = list(dict.fromkeys(rows["series"]))
    truth = next((word for word in series if word in (reference, IN_SITU)), "")
    order = [ours, *(word for word in series if word not in (ours, truth)), truth]
    traces = []
    for index, word in enumerate(word for word in order if word in series):
        part = rows[rows["series"] == word].sort_values("x", kind="stable")
        line: dict[str, Any] = {"dash": DASHES[index % len(DASHES)], "width": 2, "color": PALETTE[index % len(PALETTE)]}
        given: dict[str, Any] = {"visible": True if word in (ours, truth) else "legendonly", "line": line}
        if word == truth:
            given |= {"meta": "text", "line": {"width": 2.6}}
        traces.append(
            go.Scatter(x=part["x"].tolist(), y=part["y"].tolist(), name=plot_text(word), mode="lines", **given)
        )
    axis = {"title": {"text": "month"}, "tickmode": "array", "tickvals": list(range(1, 13)), "ticktext": MONTHS}
    figure = go.Figure(traces, layout(xaxis=axis, yaxis={"title": {"text": f"soil moisture ({VOLUME})"}}))
    caption = (
        f"Mean by calendar month against {reference}, over the series, of the days that all products have. "
        "Rivals are drawn when chosen in the legend; the table holds the quartiles over the series as low and high."
    )
    columns = ["series", "x", "y", "low", "high"]
    return Figure(name, specification(figure), caption, f"Seasonal cycle against {reference}", _table(rows[columns]))


def reliability_figure(name: str, rows: pd.DataFrame, reference: str) -> Figure:
    """Share of reference values inside the stated intervals, by nominal level; the dashed line is what is claimed."""
    caption = (
        f"Share of the values of {reference} inside the stated intervals, by the level that the interval claims, with "
        "95 % intervals; the dashed line is the claim. The stated uncertainty is that of the training target."
    )
    drawn = curve_figure(name, rows, x_title="claimed share", y_title="share inside", caption=caption)
    claim = {
        "type": "scatter",
        "x": [0.5, 0.95],
        "y": [0.5, 0.95],
        "mode": "lines",
        "meta": "text",
        "hoverinfo": "skip",
        "line": {"dash": "dash", "width": 1},
        "showlegend": False,
    }
    return replace(drawn, spec={**drawn.spec, "data": [*drawn.spec["data"], claim]}, height=320, width=560)


def density_figure(name: str, rows: pd.DataFrame, product: str, reference: str) -> Figure:
    """Scatter density: x reference, y product, `low` the days in that bin; empty bins are not listed."""
    x_bins, y_bins = (np.unique(rows[axis].to_numpy(float)) for axis in ("x", "y"))
    x, y = _regular(x_bins), _regular(y_bins)
    counts = np.full((y.size, x.size), np.nan)
    counts[_nearest(y, rows["y"]), _nearest(x, rows["x"])] = rows["low"]
    most = float(rows["low"].max())
    heat = go.Heatmap(
        x=x.round(6).tolist(), y=y.round(6).tolist(), z=np.log10(counts).round(4).tolist(), colorscale=CIVIDIS,
        text=counts.tolist(), hovertemplate="%{x:.3f}, %{y:.3f} " + VOLUME + "<br>%{text} days<extra></extra>",
        colorbar=_days_bar(most), hoverongaps=False,
    )  # fmt: skip
    low, high = float(min(x[0], y[0])), float(max(x[-1], y[-1]))
    diagonal = go.Scatter(
        x=[low, high], y=[low, high], mode="lines", meta="text", line={"dash": "dash", "width": 1}, hoverinfo="skip",
        showlegend=False,
    )  # fmt: skip
    figure = go.Figure(
        [heat, diagonal],
        layout(
            xaxis={
                "title": {"text": f"{plot_text(reference)} ({VOLUME})"},
                "constrain": "domain",
                "range": [low, high],
            },
            yaxis={
                "title": {"text": f"{plot_text(product)} ({VOLUME})"},
                "scaleanchor": "x",
                "constrain": "domain",
                "range": [low, high],
            },
        ),
    )
    data = {"x": rows["x"].tolist(), "y": rows["y"].tolist(), "days": rows["low"].tolist()}
    days = count(rows["low"].sum())
    caption = f"Matched days of {product} by the value of {reference}, {days} days; the dashed line is equality."
    return Figure(name, specification(figure), caption, f"Density of {product} against {reference}", data, 440, 560)


def _regular(centres: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """All bin centres between the first and the last, also those that no day fell into."""
    if centres.size < 2:
        return centres
    step = float(np.diff(centres).min())
    return np.asarray(centres[0] + step * np.arange(round((centres[-1] - centres[0]) / step) + 1))


def _nearest(centres: npt.NDArray[np.float64], values: pd.Series[float]) -> npt.NDArray[np.int64]:
    step = centres[1] - centres[0] if centres.size > 1 else 1.0
    return np.asarray(np.rint((values.to_numpy(float) - centres[0]) / step), dtype=np.int64)


def _days_bar(most: float) -> dict[str, Any]:
    ticks = list(range(int(np.floor(np.log10(max(most, 1.0)))) + 1))
    return {
        "title": {"text": "days", "side": "right"}, "thickness": 14, "outlinewidth": 0,
        "tickmode": "array", "tickvals": ticks, "ticktext": [f"{10**t:,}" for t in ticks],
    }  # fmt: skip


def coverage_figure(name: str, days: list[str], share: list[float | None]) -> Figure:
    """Share of the expected cells that have a value, by day."""
    line = go.Scatter(x=days, y=share, mode="lines", line={"color": PALETTE[0], "width": 1}, showlegend=False)
    figure = go.Figure(
        line,
        layout(
            xaxis=DAY_AXIS,
            yaxis={"title": {"text": "cells with a value (%)"}, "range": [0, 102]},
        ),
    )
    return Figure(
        name,
        specification(figure),
        f"Share of the expected cells that have a value, {days[0]} to {days[-1]}, {len(days)} days.",
        "Coverage by day",
        {"day": days, "percent": share},
        260,
    )


def _table(rows: pd.DataFrame) -> dict[str, list[Any]]:
    return {
        str(name): [None if isinstance(v, float) and not np.isfinite(v) else v for v in rows[name]] for name in rows
    }
