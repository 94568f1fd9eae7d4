"""Scores of the products side by side, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from vadose.reports.figures.spec import PALETTE, SYMBOLS, Figure, layout, specification
from vadose.reports.formats import display, metric_label
from vadose.reports.tables import finite
from vadose.reports.text import plot_text


def interval_figure(
    name: str,
    metrics: Sequence[tuple[str, str]],
    products: Sequence[str],
    rows: dict[tuple[str, str, str], dict[str, Any]],
    caption: str,
) -> Figure:
    """One panel for each metric, one point with its interval for each product; takes score rows as they are.

    `rows` is keyed by product, metric and signal.
    """
    traces: list[Any] = []
    panels: dict[str, Any] = {"meta": {"panels": len(metrics)}}
    width = 1.0 / len(metrics)
    for k, (metric, signal) in enumerate(metrics):
        suffix = "" if k == 0 else str(k + 1)
        how = display(metric)
        unit = f" ({how.unit})" if how.unit not in ("", "1") else ""
        panels[f"xaxis{suffix}"] = {
            "title": {"text": f"{metric_label(metric, signal)}{unit}", "standoff": 8},
            "nticks": 5,
            "anchor": f"y{suffix}",
            "domain": [k * width + (0.02 if k else 0), (k + 1) * width - 0.02],
        }
        panels[f"yaxis{suffix}"] = {
            "anchor": f"x{suffix}", "showticklabels": k == 0, "automargin": True, "type": "category",
            "categoryarray": [plot_text(product) for product in products], "range": [len(products) - 0.4, -0.6],
        }  # fmt: skip
        for i, product in enumerate(products):
            row = rows.get((product, metric, signal))
            value = None if row is None else finite(row["value"])
            if row is None or value is None:
                continue
            low, high = finite(row.get("ci_low")), finite(row.get("ci_high"))
            error = (
                {}
                if low is None or high is None
                else {
                    "error_x": {
                        "type": "data",
                        "array": [high - value],
                        "arrayminus": [value - low],
                        "thickness": 1.5,
                        "width": 4,
                    }
                }
            )
            marker = {"size": 10, "symbol": SYMBOLS[i % len(SYMBOLS)], "color": PALETTE[i % len(PALETTE)]}
            traces.append(
                go.Scatter(
                    x=[value],
                    y=[plot_text(product)],
                    mode="markers",
                    marker=marker,
                    showlegend=False,
                    name=plot_text(product),
                    xaxis=f"x{suffix}",
                    yaxis=f"y{suffix}",
                    **error,
                )
            )
    figure = go.Figure(traces, layout(**panels))
    data: dict[str, Sequence[Any]] = {
        "product": [key[0] for key in rows],
        "metric": [key[1] for key in rows],
        "signal": [key[2] for key in rows],
        "value": [finite(row["value"]) for row in rows.values()],
        "ci_low": [finite(row.get("ci_low")) for row in rows.values()],
        "ci_high": [finite(row.get("ci_high")) for row in rows.values()],
    }
    return Figure(
        name,
        specification(figure),
        caption,
        "Scores of the products with their intervals",
        data,
        110 + 44 * len(products),
    )
