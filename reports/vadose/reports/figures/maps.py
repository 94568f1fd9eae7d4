"""Maps: stations as points, a field of soil moisture as an image or as points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from vadose.reports.figures.spec import (
    BRBG,
    CIVIDIS,
    WETNESS,
    Figure,
    layout,
    middle_range,
    shaped_width,
    specification,
)
from vadose.reports.formats import VOLUME, count, display, score_text, sentence_start
from vadose.reports.text import plot_text

# A denser grid is averaged over blocks before it is drawn.
CELLS_ACROSS = 220
# A window with fewer of its cells filled is a sample of a grid, drawn as points on a map.
DENSE_SHARE = 0.25
LIMITS = (0.0, 0.5)
# More points than this are drawn small and without an outline.
MANY = 300

Array = npt.NDArray[np.float64]


def geo(lat: Sequence[float], lon: Sequence[float]) -> dict[str, Any]:
    """The layout of a map that holds all these places."""

    def span(values: Sequence[float], limit: float) -> list[float]:
        low, high = min(values), max(values)
        pad = max(1.0, 0.08 * (high - low))
        return [max(-limit, low - pad), min(limit, high + pad)]

    return {
        "projection": {"type": "natural earth"},
        "scope": "world",
        "resolution": 110,
        "lataxis": {"range": span(lat, 90.0), "showgrid": True},
        "lonaxis": {"range": span(lon, 180.0), "showgrid": True},
        "showland": True,
        "showcountries": True,
        "showframe": False,
    }


def colour_bar(title: str) -> dict[str, Any]:
    """A colour bar with its title along it."""
    return {"title": {"text": title, "side": "right"}, "thickness": 14, "outlinewidth": 0}


def station_map(
    name: str, keys: Sequence[str], labels: Sequence[str], lat: Sequence[float], lon: Sequence[float],
    metric: str, values: Sequence[float | None], *, reference: str, listed: bool = False,
) -> Figure:  # fmt: skip
    """Stations coloured by one score; grey where it could not be computed.

    `customdata` of each point is the station's key, which a click puts into the address. The texts of a `listed`
    map are left to the list of stations that its page loads anyway. Colours need no more than five decimals; the
    whole values are in the CSV.
    """
    how = display(metric)
    known = [v for v in values if v is not None]
    centred = how.signed
    low, high = middle_range(known, centred=centred)
    scale = BRBG if centred else CIVIDIS
    hover = [
        f"{plot_text(label)}<br>{how.label} {score_text(metric, v) if v is not None else 'not computed'}"
        for label, v in zip(labels, values, strict=True)
    ]
    traces = []
    for has_value in (False, True):
        chosen = [i for i, v in enumerate(values) if (v is not None) == has_value]
        if not chosen:
            continue
        many = len(keys) > MANY
        marker: dict[str, Any] = {"size": 5 if many else 9, "line": {"width": 0 if many else 1, "color": "#555555"}}
        if has_value:
            unit = f" ({how.unit})" if how.unit not in ("", "1") else ""
            marker |= {
                "color": [round(values[i] or 0.0, 5) for i in chosen], "colorscale": scale, "cmin": low, "cmax": high,
                "colorbar": colour_bar(f"{how.label}{unit}"),
            }  # fmt: skip
        else:
            marker |= {"color": "#999999", "symbol": "x"}
        traces.append(
            go.Scattergeo(
                lat=[lat[i] for i in chosen], lon=[lon[i] for i in chosen],
                text=None if listed else [hover[i] for i in chosen],
                customdata=[keys[i] for i in chosen], hoverinfo="text", mode="markers", marker=marker, showlegend=False,
            )
        )  # fmt: skip
    figure = go.Figure(traces, layout(geo=geo(lat, lon), margin={"l": 0, "r": 0, "t": 0, "b": 0}))
    return Figure(
        name,
        specification(figure),
        f"{sentence_start(how.label)} of {count(len(known))} of {count(len(keys))} series against {reference}. "
        "Colours span the middle "
        "98 % of the values; a cross marks a series whose score could not be computed.",
        f"Map of {len(keys)} {'stations' if reference.startswith('stations') else 'cells'} coloured by {how.label}",
        {"station": keys, "lat": lat, "lon": lon, metric: values},
        420,
        geo_width(figure.layout.geo, 420),
    )


def geo_width(window: Any, height: int) -> int:
    """Pixels across for a map of this layout."""
    (south, north), (west, east) = window.lataxis.range, window.lonaxis.range
    return shaped_width(north - south, east - west, (north + south) / 2, height)


def coarsened(lat: Array, lon: Array, values: Array) -> tuple[Array, Array, Array]:
    """Block means of a field of shape (lat, lon) so that it has at most `CELLS_ACROSS` columns."""
    step = int(np.ceil(max(len(lat), len(lon)) / CELLS_ACROSS))
    if step == 1:
        return lat, lon, values
    rows, columns = len(lat) // step, len(lon) // step
    blocks = values[: rows * step, : columns * step].reshape(rows, step, columns, step)
    valid = np.isfinite(blocks)
    n = valid.sum((1, 3))
    total = np.where(valid, blocks, 0.0).sum((1, 3))
    mean = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    middle = lat[: rows * step].reshape(rows, step).mean(1), lon[: columns * step].reshape(columns, step).mean(1)
    return middle[0], middle[1], mean


def field_figure(name: str, lat: Array, lon: Array, values: Array, day: str, what: str) -> Figure:
    """A field of soil moisture of shape (lat, lon), rows north to south."""
    lat, lon, values = coarsened(lat, lon, values)
    valid = np.isfinite(values)
    rows, columns = np.flatnonzero(valid.any(1)), np.flatnonzero(valid.any(0))
    if rows.size:
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        lat, lon, values = lat[window[0]], lon[window[1]], values[window]
    cells = int(np.isfinite(values).sum())
    share = cells / max(values.size, 1)
    draw = _image if share >= DENSE_SHARE else _points
    rounded = np.round(values, 4)
    i, j = np.nonzero(np.isfinite(rounded))
    data = {"lat": lat[i].round(5).tolist(), "lon": lon[j].round(5).tolist(), "sm": rounded[i, j].tolist()}
    return Figure(
        name,
        specification(draw(lat, lon, rounded)),
        f"{what}, {day}, {count(cells)} cells; recommended flags applied, {LIMITS[0]:g} to {LIMITS[1]:g} {VOLUME}.",
        f"Map of soil moisture, {day}",
        data,
        500,
        shaped_width(float(np.ptp(lat)), float(np.ptp(lon)), float(lat.mean()), 500),
    )


def _image(lat: Array, lon: Array, values: Array) -> go.Figure:
    heat = go.Heatmap(
        x=lon.round(5).tolist(), y=lat.round(5).tolist(), z=values.tolist(), zmin=LIMITS[0], zmax=LIMITS[1],
        colorscale=WETNESS, colorbar=colour_bar(f"soil moisture ({VOLUME})"), hoverongaps=False,
        hovertemplate="%{y:.2f}° N, %{x:.2f}° E<br>%{z:.3f} " + VOLUME + "<extra></extra>",
    )  # fmt: skip
    ratio = 1.0 / max(float(np.cos(np.radians(lat.mean()))), 0.2)
    return go.Figure(
        heat,
        layout(
            xaxis={"title": {"text": "longitude (° E)"}, "constrain": "domain", "showgrid": False, "zeroline": False},
            yaxis={
                "title": {"text": "latitude (° N)"},
                "scaleanchor": "x",
                "scaleratio": ratio,
                "constrain": "domain",
                "showgrid": False,
                "zeroline": False,
            },
        ),
    )


def _points(lat: Array, lon: Array, values: Array) -> go.Figure:
    i, j = np.nonzero(np.isfinite(values))
    y, x, z = lat[i], lon[j], values[i, j]
    marker = {
        "size": 7, "symbol": "square", "color": z.tolist(), "colorscale": WETNESS, "cmin": LIMITS[0], "cmax": LIMITS[1],
        "colorbar": colour_bar(f"soil moisture ({VOLUME})"), "line": {"width": 0.5, "color": "#555555"},
    }  # fmt: skip
    points = go.Scattergeo(
        lat=y.round(5).tolist(), lon=x.round(5).tolist(), mode="markers", marker=marker, showlegend=False,
        text=[f"{b:.2f}° N, {a:.2f}° E<br>{v:.3f} {VOLUME}" for a, b, v in zip(x, y, z, strict=True)], hoverinfo="text",
    )  # fmt: skip
    return go.Figure(
        points, layout(geo=geo(y.tolist() or [0.0], x.tolist() or [0.0]), margin={"l": 0, "r": 0, "t": 0, "b": 0})
    )
