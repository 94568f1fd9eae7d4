"""Gaps in space and time: the calendar of coverage, the Hovmöller diagram, flags, and the spread of the values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from vadose.reports.figures.curves import MONTHS
from vadose.reports.figures.spec import CIVIDIS, DAY_AXIS, PALETTE, Figure, layout, specification
from vadose.reports.formats import VOLUME, count

# First days of every second month: twelve names would overlap on a phone.
_FIRSTS = [1, 60, 121, 182, 244, 305]


def _share_bar() -> dict[str, Any]:
    return {"title": {"text": "cells with a value (%)", "side": "right"}, "thickness": 14, "outlinewidth": 0}


def calendar_figure(name: str, days: Sequence[str], share: Sequence[float | None]) -> Figure:
    """Share of the expected cells with a value: years upwards, days of the year across, empty where no granule is."""
    when = pd.DatetimeIndex(list(days))
    years = list(range(int(when.year.min()), int(when.year.max()) + 1))
    grid = np.full((len(years), 366), np.nan)
    grid[when.year - years[0], when.day_of_year - 1] = [np.nan if v is None else v for v in share]
    heat = go.Heatmap(
        x=list(range(1, 367)), y=[str(year) for year in years], z=grid.round(2).tolist(), zmin=0, zmax=100,
        colorscale=CIVIDIS, colorbar=_share_bar(), hoverongaps=False, xgap=0, ygap=1,
        hovertemplate="day %{x} of %{y}: %{z:.1f} %<extra></extra>",
    )  # fmt: skip
    axis = {"title": {"text": "day of the year"}, "tickmode": "array", "tickvals": _FIRSTS, "ticktext": MONTHS[::2]}
    shown = layout(
        xaxis={**axis, "showgrid": False}, yaxis={"title": {"text": "year"}, "type": "category", "automargin": True}
    )
    caption = (
        f"Share of the expected cells that have a value on each day, {days[0]} to {days[-1]}, {count(len(days))} days; "
        "a day without a granule is left empty."
    )
    data: dict[str, Sequence[Any]] = {"day": list(days), "percent": list(share)}
    height = 130 + 30 * max(len(years), 3)
    return Figure(name, specification(go.Figure(heat, shown)), caption, "Coverage by day of the year", data, height)


def hovmoller_figure(
    name: str, days: Sequence[str], lat: npt.NDArray[np.float64], share: npt.NDArray[np.float64]
) -> Figure:
    """Share of the cells of each band of latitude with a recommended value, on sampled days; shape (band, day)."""
    percent = np.round(100 * share, 2)
    heat = go.Heatmap(
        x=list(days), y=lat.round(4).tolist(), z=percent.tolist(), zmin=0, zmax=100, colorscale=CIVIDIS,
        colorbar=_share_bar(), hoverongaps=False, hovertemplate="%{x}, %{y:.2f}° N: %{z:.1f} %<extra></extra>",
    )  # fmt: skip
    shown = layout(
        xaxis={**DAY_AXIS, "showgrid": False},
        yaxis={"title": {"text": "latitude (° N)"}, "showgrid": False},
    )
    caption = (
        f"Share of the cells of the domain whose value passes the recommended flags, in {len(lat)} bands of latitude "
        f"on {len(days)} days evenly spread over {days[0]} to {days[-1]}."
    )
    i, j = np.nonzero(np.isfinite(percent))
    data: dict[str, Sequence[Any]] = {
        "day": [days[int(k)] for k in j],
        "lat": lat[i].round(5).tolist(),
        "percent": percent[i, j].tolist(),
    }
    return Figure(name, specification(go.Figure(heat, shown)), caption, "Hovmöller diagram of gaps", data, 360)


def flag_figure(name: str, shares: dict[str, float], days: Sequence[str]) -> Figure:
    """Mean share of the expected cells under each flag, largest first; flags that never occur are left out."""
    order = sorted((word for word, share in shares.items() if share > 0), key=lambda word: -shares[word])
    bars = go.Bar(
        y=order, x=[round(100 * shares[word], 4) for word in order], orientation="h", marker={"color": PALETTE[0]},
        showlegend=False, hovertemplate="%{y}: %{x:.2f} %<extra></extra>",
    )  # fmt: skip
    axis = {"type": "category", "categoryarray": order, "automargin": True, "range": [len(order) - 0.4, -0.6]}
    shown = layout(
        xaxis={"title": {"text": "share of the cells (%)"}, "rangemode": "tozero"},
        yaxis={**axis, "title": {"text": ""}},
    )
    caption = (
        f"Mean share of the expected cells under each flag, {days[0]} to {days[-1]}, {count(len(days))} days; a cell "
        "may bear several. Flags that never occur are in the table."
    )
    data: dict[str, Sequence[Any]] = {"flag": order, "percent": [100 * shares[word] for word in order]}
    return Figure(
        name, specification(go.Figure(bars, shown)), caption, "Flags", data, 90 + 28 * max(len(order), 2), 900
    )


def spread_of_days_figure(name: str, frame: pd.DataFrame) -> Figure:
    """Mean of the cells on each day with the range from the 5th to the 95th percentile; takes `coverage.csv`."""
    days = [str(day) for day in frame["day"]]
    edge = {"mode": "lines", "line": {"width": 0, "color": PALETTE[0]}, "hoverinfo": "skip", "showlegend": False}
    traces = [
        go.Scatter(x=days, y=frame["p95"].tolist(), **edge),
        go.Scatter(x=days, y=frame["p05"].tolist(), **edge, fill="tonexty", fillcolor="rgba(86,180,233,0.3)"),
        go.Scatter(
            x=days, y=frame["mean"].tolist(), mode="lines", line={"width": 1.2, "color": PALETTE[0]}, showlegend=False
        ),
    ]
    shown = layout(
        xaxis=DAY_AXIS,
        yaxis={"title": {"text": f"soil moisture ({VOLUME})"}, "rangemode": "tozero"},
    )
    caption = (
        f"Mean over the cells with a value on each day, {days[0]} to {days[-1]}, {count(len(days))} days; shaded from "
        "the 5th to the 95th percentile of the cells. A step or a spike here is worth a look."
    )
    data = {name: frame[name].tolist() for name in ("day", "mean", "p05", "p95")}
    return Figure(name, specification(go.Figure(traces, shown)), caption, "Spread of the values by day", data, 300)
