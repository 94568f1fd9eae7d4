"""Lines: figures by date, means by latitude, spectra."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from vadose.reports.figures.spec import DASHES, DAY_AXIS, PALETTE, SYMBOLS, Figure, layout, specification
from vadose.reports.formats import VOLUME, count, display, sentence_start
from vadose.reports.text import plot_text

_DAY_MS = 86_400_000


def _style(index: int, width: float = 1.6) -> dict[str, Any]:
    return {"width": width, "color": PALETTE[index % len(PALETTE)], "dash": DASHES[index % len(DASHES)]}


def _marker(index: int) -> dict[str, Any]:
    return {"color": PALETTE[index % len(PALETTE)], "symbol": SYMBOLS[index % len(SYMBOLS)]}


def _ordered(rows: pd.DataFrame, first: str) -> list[tuple[str, pd.DataFrame]]:
    names = sorted(set(map(str, rows["series"])), key=lambda name: (name != first, name))
    return [(name, rows[rows["series"] == name].sort_values("x", kind="stable")) for name in names]


def _days(x: Iterable[float]) -> list[str]:
    return [str(np.datetime64("1970-01-01") + int(day)) for day in x]


def _table(rows: pd.DataFrame, **names: str) -> dict[str, list[Any]]:
    return {label: [None if v != v else v for v in rows[column].tolist()] for label, column in names.items()}


def _rivals(traces: Sequence[Any]) -> str:
    return " Rivals are drawn when chosen in the legend." if len(traces) > 1 else ""


def date_figure(name: str, rows: pd.DataFrame, ours: str, reference: str, metric: str) -> Figure:
    """One figure of every date for each product; rivals are drawn when chosen in the legend.

    `x` holds days since 1970. Days without a value break the line.
    """
    how = display(metric)
    traces = []
    for index, (product, part) in enumerate(_ordered(rows, ours)):
        days = part["x"].to_numpy(float).astype(int)
        whole = np.full(int(days[-1] - days[0]) + 1, np.nan)
        whole[days - days[0]] = part["y"]
        traces.append(
            go.Scatter(
                x0=_days([days[0]])[0], dx=_DAY_MS, y=np.round(whole, 4).tolist(), name=plot_text(product),
                mode="lines", line=_style(index, 1.0), connectgaps=False,
                visible=True if product == ours else "legendonly",
            )
        )  # fmt: skip
    unit = f" ({how.unit})" if how.unit not in ("", "1") else ""
    figure = go.Figure(
        traces,
        layout(
            xaxis=DAY_AXIS,
            yaxis={"title": {"text": f"{how.label}{unit}"}, "automargin": True},
            showlegend=True,
        ),
    )
    span = _days([rows["x"].min(), rows["x"].max()])
    dates = rows[rows["series"] == ours]["x"].size
    caption = (
        f"{sentence_start(how.label)} against {reference} over the cells that all share, {span[0]} to {span[1]}, "
        f"{count(dates)} dates, "
        f"four decimals.{_rivals(traces)}"
    )
    data = {"product": rows["series"].tolist(), "day": _days(rows["x"]), metric: rows["y"].tolist()}
    return Figure(name, specification(figure), caption, f"{how.label} by date against {reference}", data, 300)


def monthly_figure(name: str, rows: pd.DataFrame, ours: str, reference: str) -> Figure:
    """Monthly differences without their climatology; `x` holds days since 1970."""
    traces = [
        go.Scatter(
            x=_days(part["x"]), y=part["y"].tolist(), name=plot_text(product), mode="lines+markers",
            line=_style(index), marker={"size": 5, **_marker(index)},
            visible=True if product == ours else "legendonly",
        )
        for index, (product, part) in enumerate(_ordered(rows, ours))
    ]  # fmt: skip
    figure = go.Figure(
        traces,
        layout(
            xaxis={"title": {"text": "month"}, "type": "date"},
            yaxis={"title": {"text": f"difference ({VOLUME})"}, "zeroline": True, "automargin": True},
            showlegend=True,
        ),
    )
    span = _days([rows["x"].min(), rows["x"].max()])
    caption = (
        f"Monthly mean of product minus {reference} without its calendar-month mean, mean over all places, "
        f"{span[0][:7]} to {span[1][:7]}.{_rivals(traces)}"
    )
    data = {"product": rows["series"].tolist(), "day": _days(rows["x"]), **_table(rows, difference="y")}
    return Figure(name, specification(figure), caption, f"Monthly differences against {reference}", data, 320)


def zonal_figure(name: str, rows: pd.DataFrame, ours: str, reference: str) -> Figure:
    """Means by latitude: latitude upwards, the reference in the text colour."""
    traces = []
    for index, (series, part) in enumerate(_ordered(rows, ours)):
        given: dict[str, Any] = {"line": _style(index)}
        if series == reference:
            given = {"meta": "text", "line": {"width": 2.4}}
        traces.append(
            go.Scatter(x=part["y"].tolist(), y=part["x"].tolist(), name=plot_text(series), mode="lines", **given)
        )
    figure = go.Figure(
        traces,
        layout(
            xaxis={"title": {"text": f"soil moisture ({VOLUME})"}, "nticks": 6},
            yaxis={"title": {"text": "latitude (° N)"}},
            showlegend=True,
        ),
    )
    caption = f"Mean over common days and cells by latitude, beside {reference}."
    data = _table(rows, series="series", latitude="x", soil_moisture="y", cell_days="low")
    return Figure(name, specification(figure), caption, f"Zonal means beside {reference}", data, 420, 620)


def _decades(x: Iterable[float]) -> dict[str, Any]:
    """Ticks at 1, 2 and 5 of each decade that the values reach."""
    known = np.asarray(list(x), float)
    known = known[known > 0]
    if not known.size:
        return {}
    decades = range(int(np.floor(np.log10(known.min()))), int(np.ceil(np.log10(known.max()))) + 1)
    ticks = [float(f"{k}e{decade}") for decade in decades for k in (1, 2, 5)]
    kept = [tick for tick in ticks if known.min() / 1.3 <= tick <= known.max() * 1.3]
    return {"tickmode": "array", "tickvals": kept, "ticktext": [f"{tick:g}" for tick in kept]}


def spectrum_figure(name: str, rows: pd.DataFrame, ours: str, reference: str) -> Figure:
    """Power by wavenumber on logarithmic axes; a product that is smoother than it should be falls off too early."""
    traces = []
    for index, (series, part) in enumerate(_ordered(rows, ours)):
        given: dict[str, Any] = {"line": _style(index), "marker": {"size": 6, "symbol": SYMBOLS[index % len(SYMBOLS)]}}
        if series == reference:
            given = {"meta": "text", "line": {"width": 2.4}}
        else:
            given["marker"]["color"] = PALETTE[index % len(PALETTE)]
        traces.append(
            go.Scatter(
                x=part["x"].tolist(), y=part["y"].tolist(), name=plot_text(series), mode="lines+markers", **given
            )
        )
    figure = go.Figure(
        traces,
        layout(
            xaxis={"title": {"text": "wavenumber (cycles per km)"}, "type": "log", **_decades(rows["x"])},
            yaxis={"title": {"text": "power (m⁶ m⁻⁶)"}, "type": "log", "dtick": 1, "exponentformat": "power"},
            showlegend=True,
        ),
    )
    caption = (
        "Detail: mean power of windows of 16 by 16 cells without a gap, each data set on its own grid. A data set that "
        "is smoother than the others falls off earlier."
    )
    data = _table(rows, series="series", cycles_per_km="x", power="y", windows="low")
    return Figure(name, specification(figure), caption, f"Spectra beside {reference}", data, 360, 620)
