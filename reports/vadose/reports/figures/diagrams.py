"""Taylor and target diagrams of overall scores, and densities of the scores of single stations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from vadose.reports.figures.spec import DASHES, PALETTE, SYMBOLS, Figure, layout, specification
from vadose.reports.formats import VOLUME, count
from vadose.reports.text import plot_text

# A density of fewer values would show the kernel and not the values.
FEWEST = 5
_POINTS = 101
_R_TICKS = (1.0, 0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.4, 0.2, 0.0)


def _marker(index: int) -> dict[str, Any]:
    return {"size": 11, "symbol": SYMBOLS[index % len(SYMBOLS)], "color": PALETTE[index % len(PALETTE)]}


def taylor_figure(name: str, found: Mapping[str, tuple[float, float]], *, reference: str, caption: str) -> Figure:
    """R as the angle and the ratio of standard deviations as the radius; `found` holds both for each product.

    The distance to the point of the reference, at R 1 and ratio 1, is the ubRMSD in standard deviations of the
    reference (Taylor 2001, doi:10.1029/2000JD900719).
    """
    shown = {label: (r, ratio) for label, (r, ratio) in found.items() if r >= 0}
    traces = [
        go.Scatterpolar(
            theta=[float(np.degrees(np.arccos(min(r, 1.0))))], r=[ratio], mode="markers", name=plot_text(label),
            marker=_marker(index), hovertemplate=f"R {r:.3f}, ratio {ratio:.3f}<extra>{plot_text(label)}</extra>",
        )
        for index, (label, (r, ratio)) in enumerate(shown.items())
    ]  # fmt: skip
    origin = go.Scatterpolar(
        theta=[0.0], r=[1.0], mode="markers+text", text=[plot_text(reference)], textposition="top left", meta="text",
        marker={"size": 9, "symbol": "star", "color": "#999999"}, showlegend=False, hoverinfo="skip",
    )  # fmt: skip
    most = max([1.0, *(ratio for _, ratio in shown.values())])
    polar = {
        "sector": [0, 90],
        "radialaxis": {"range": [0, 1.15 * most], "angle": 0, "title": {"text": "ratio of standard deviations"},
                       "nticks": 5},
        "angularaxis": {
            "tickmode": "array", "tickvals": [float(np.degrees(np.arccos(r))) for r in _R_TICKS],
            "ticktext": [f"R {r:g}" for r in _R_TICKS], "direction": "counterclockwise", "rotation": 0,
        },
    }  # fmt: skip
    margin = {"l": 40, "r": 48, "t": 30, "b": 56}
    legend = {"orientation": "h", "x": 0, "y": 1.12, "yanchor": "bottom"}
    figure = go.Figure([*traces, origin], layout(polar=polar, margin=margin, showlegend=True, legend=legend))
    data: dict[str, Sequence[Any]] = {
        "product": list(found),
        "r": [r for r, _ in found.values()],
        "std_ratio": [s for _, s in found.values()],
    }
    left = [label for label in found if label not in shown]
    words = f" Not drawn, since R is below 0: {', '.join(left)}." if left else ""
    alternative = f"Taylor diagram against {reference}"
    return Figure(name, specification(figure), caption + words, alternative, data, 430, 520)


def target_figure(
    name: str, found: Mapping[str, tuple[float, float, float]], *, reference: str, caption: str
) -> Figure:
    """Bias upwards, ubRMSD across, to the left where the product varies less than the reference.

    `found` holds ubRMSD, bias and the ratio of standard deviations; the distance to the middle is the RMSE
    (Jolliff and others 2009, doi:10.1016/j.jmarsys.2008.05.014).
    """
    signed = {label: (ubrmsd if ratio >= 1 else -ubrmsd, bias) for label, (ubrmsd, bias, ratio) in found.items()}
    edge = 1.2 * max(float(np.hypot(*point)) for point in signed.values())
    rings = [
        go.Scatter(
            x=(radius * np.cos(_TURN)).round(6).tolist(), y=(radius * np.sin(_TURN)).round(6).tolist(), mode="lines",
            meta="text", line={"width": 0.8, "dash": "dot"}, hoverinfo="skip", showlegend=False,
        )
        for radius in (edge / 3, 2 * edge / 3, edge)
    ]  # fmt: skip
    traces = [
        go.Scatter(
            x=[x], y=[y], mode="markers", name=plot_text(label), marker=_marker(index),
            hovertemplate="%{x:.4f}, bias %{y:.4f} " + VOLUME + f"<extra>{plot_text(label)}</extra>",
        )
        for index, (label, (x, y)) in enumerate(signed.items())
    ]  # fmt: skip
    span = [-1.04 * edge, 1.04 * edge]
    shared = {"range": span, "zeroline": True, "showgrid": False, "constrain": "domain", "nticks": 5}
    shown = layout(
        xaxis={**shared, "title": {"text": f"± ubRMSD ({VOLUME})"}},
        yaxis={**shared, "title": {"text": f"bias ({VOLUME})"}, "scaleanchor": "x"},
        showlegend=True,
    )
    figure = go.Figure([*rings, *traces], shown)
    names = ("ubrmsd", "bias", "std_ratio")
    data: dict[str, Sequence[Any]] = {"product": list(found)}
    data |= {word: [values[k] for values in found.values()] for k, word in enumerate(names)}
    words = f" The rings are RMSE of {edge / 3:.3f}, {2 * edge / 3:.3f} and {edge:.3f} {VOLUME}."
    alternative = f"Target diagram against {reference}"
    return Figure(name, specification(figure), caption + words, alternative, data, 430, 520)


_TURN = np.linspace(0.0, 2 * np.pi, 73)


def density_curve(
    values: npt.NDArray[np.float64], low: float, high: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Gaussian kernel density at 101 places from `low` to `high`, and its bandwidth.

    The bandwidth is Silverman's: 0.9 min(standard deviation, quartile range / 1.34) n^(-1/5).
    """
    quartiles = np.percentile(values, [25, 75])
    spread = min(float(values.std(ddof=1)), float(quartiles[1] - quartiles[0]) / 1.34) or float(values.std(ddof=1))
    bandwidth = max(0.9 * spread * values.size**-0.2, 1e-6)
    x = np.linspace(low, high, _POINTS)
    kernels = np.exp(-0.5 * ((x[:, None] - values[None, :]) / bandwidth) ** 2)
    return x, kernels.sum(1) / (values.size * bandwidth * np.sqrt(2 * np.pi)), bandwidth


def violin_figure(
    name: str, values: Mapping[str, Sequence[float]], *, axis: str, words: str, alternative: str
) -> Figure | None:
    """A filled curve of density for each label, from values that are not sent; None where all are too few."""
    known = {label: np.asarray(given, float)[np.isfinite(np.asarray(given, float))] for label, given in values.items()}
    known = {label: one for label, one in known.items() if one.size >= FEWEST}
    if not known:
        return None
    together = np.concatenate(list(known.values()))
    pad = 0.08 * float(np.ptp(together)) or 0.01
    low, high = float(together.min()) - pad, float(together.max()) + pad
    traces, told, columns = [], [], {"label": [], "x": [], "density": []}  # type: ignore[var-annotated]
    for index, (label, one) in enumerate(known.items()):
        x, density, bandwidth = density_curve(one, low, high)
        colour, x, density = PALETTE[index % len(PALETTE)], x.round(5), density.round(4)
        tint = ",".join(str(int(colour[k : k + 2], 16)) for k in (1, 3, 5))
        traces.append(
            go.Scatter(
                x=x.tolist(), y=density.tolist(), name=plot_text(f"{label} ({one.size})"), mode="lines",
                fill="tozeroy", fillcolor=f"rgba({tint},0.12)",
                line={"color": colour, "dash": DASHES[index % len(DASHES)], "width": 1.8},
            )
        )  # fmt: skip
        told.append(f"{label} {bandwidth:.2g}")
        columns["label"] += [label] * len(x)
        columns["x"] += x.tolist()
        columns["density"] += density.tolist()
    shown = layout(
        xaxis={"title": {"text": axis}}, yaxis={"title": {"text": "density"}, "rangemode": "tozero"}, showlegend=True
    )
    n = count(sum(one.size for one in known.values()))
    caption = f"{words}: {n} values, the number of each in brackets. Bandwidths: {', '.join(told)}."
    return Figure(name, specification(go.Figure(traces, shown)), caption, alternative, columns, 340, 760)
