"""The map of what changed at each station from one version to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from vadose.reports.figures.maps import colour_bar, geo, geo_width
from vadose.reports.figures.spec import BRBG, Figure, layout, middle_range, specification
from vadose.reports.formats import NOT_TESTED, OUTCOMES, count, display, metric_label, number
from vadose.reports.text import plot_text

# The outcome is the symbol, the difference the colour.
SYMBOLS = {
    OUTCOMES["better"]: "triangle-up",
    OUTCOMES["worse"]: "triangle-down",
    OUTCOMES["equal"]: "square",
    OUTCOMES["undecided"]: "circle",
    NOT_TESTED: "x",
}


def change_map(
    name: str, keys: Sequence[str], labels: Sequence[str], lat: Sequence[float], lon: Sequence[float],
    differences: Sequence[float | None], outcomes: Sequence[str], metric: str, signal: str,
) -> Figure:  # fmt: skip
    """Stations by outcome and by the paired difference of a score, newer minus older version."""
    how, words = display(metric), metric_label(metric, signal)
    low, high = middle_range([v for v in differences if v is not None], centred=True)
    unit = f" ({how.unit})" if how.unit not in ("", "1") else ""
    traces: list[go.Scattergeo] = []
    for outcome, symbol in SYMBOLS.items():
        chosen = [i for i, word in enumerate(outcomes) if word == outcome]
        if not chosen:
            continue
        marker: dict[str, Any] = {"size": 10, "symbol": symbol, "line": {"width": 1, "color": "#555555"}}
        known = all(differences[i] is not None for i in chosen)
        if known:
            marker |= {
                "color": [differences[i] for i in chosen], "colorscale": BRBG, "cmin": low, "cmax": high,
                "showscale": not any("colorbar" in trace.marker.to_plotly_json() for trace in traces),
                "colorbar": colour_bar(f"difference of {words}{unit}"),
            }  # fmt: skip
        else:
            marker |= {"color": "#999999"}
        hover = [
            f"{plot_text(labels[i])}<br>{outcome}"
            + ("" if differences[i] is None else f", {number(float(differences[i] or 0.0), how.decimals, signed=True)}")
            for i in chosen
        ]
        traces.append(
            go.Scattergeo(
                lat=[lat[i] for i in chosen], lon=[lon[i] for i in chosen], text=hover, hoverinfo="text",
                mode="markers", marker=marker, name=f"{outcome} ({len(chosen)})", showlegend=True,
            )
        )  # fmt: skip
    figure = go.Figure(traces, layout(geo=geo(lat, lon), margin={"l": 0, "r": 0, "t": 34, "b": 0}))
    better = "green is higher, brown is lower" if metric == "r" else "green is a larger, brown a smaller error"
    return Figure(
        name,
        specification(figure),
        f"Change of {words} at {count(sum(v is not None for v in differences))} of {count(len(keys))} stations, newer "
        f"minus older version on their common days: {better}. Symbols are the outcomes; a cross was not tested. "
        "Colours span the middle 98 % of the differences.",
        f"Map of the change of {words} at {len(keys)} stations",
        {"station": keys, "lat": lat, "lon": lon, "difference": differences, "outcome": outcomes},
        440,
        geo_width(figure.layout.geo, 440),
    )
