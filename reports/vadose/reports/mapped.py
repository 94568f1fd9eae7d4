"""The page of maps against rivals: scores by date, seasonal differences, scores of every cell, zonal means, detail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from vadose.common import InputError
from vadose.reports import figures
from vadose.reports.classes import class_name
from vadose.reports.contents import MAP
from vadose.reports.data import DIFFERENCE, Run
from vadose.reports.facts import fact_cell, fact_rows
from vadose.reports.figures import Raster
from vadose.reports.figures.maps import DENSE_SHARE
from vadose.reports.formats import METRICS, count, display, metric_label, number, score_text, sentence_start
from vadose.reports.pages import Page, PlacedFigure, Renderer
from vadose.reports.tables import Head, Line, Table, finite, one, score_cell
from vadose.reports.text import slugs
from vadose.reports.versions import Version, version_page

SPATIAL = ("spatial_r", "spatial_ubrmsd", "spatial_bias")
# Metric and signal of the scores of every cell, as they are named in maps.nc.
CELL_SCORES = (("r", "raw"), ("r", "anomaly_35d"), ("ubrmsd", "raw"), ("bias", "raw"))

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PlacedRaster:
    """A picture that has a file."""

    raster: Raster
    path: str
    label: str


@dataclass(frozen=True)
class Maps:
    """Pictures on one colour scale: rows of a label and pictures."""

    caption: str
    rows: tuple[tuple[str, tuple[PlacedRaster, ...]], ...]
    scale: PlacedRaster
    low: str
    high: str
    unit: str


@dataclass(frozen=True)
class Field:
    """A variable of maps.nc: values of shape (product, ..., lat, lon)."""

    values: Array
    lat: Array
    lon: Array
    sampled: bool = False


def maps_page(version: Version, run: Run, renderer: Renderer) -> Page:
    """One section for each gridded reference of maps.nc."""
    assert run.maps is not None, "a run with maps"
    try:
        with xr.open_dataset(run.maps) as dataset:
            sections = [_section(version, run, renderer, dataset, reference) for reference in run.map_references]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"not a readable file of maps: {error}", where=str(run.maps)) from error
    values = {
        "sections": sections,
        "ours": run.ours,
        "file": f"{version.data}/maps.nc",
        "published": publishable(run.maps),
    }
    return version_page(version, "maps-rivals.md", f"{version.title}: maps", "maps.md.jinja", values)


def _section(version: Version, run: Run, renderer: Renderer, dataset: xr.Dataset, reference: str) -> dict[str, Any]:
    folder = f"{version.address}/maps/{slugs([reference])[0]}"
    difference = _field(dataset, f"{DIFFERENCE}{reference}")
    products = [str(name) for name in dataset["product"].to_numpy()]
    seasons = [str(name) for name in dataset["season"].to_numpy()]
    return {
        "reference": reference,
        "words": _words(dataset, difference, reference, run.ours, products),
        "scores": _scores(run, reference),
        "dates": _placed(renderer, folder, _dates(run, reference)),
        "differences": _differences(renderer, folder, difference, products, seasons, reference),
        "cells": _cells(renderer, folder, dataset, products, reference),
        "profiles": _placed(renderer, folder, _profiles(run, reference)),
        "detail": _detail(run, reference),
    }


def _placed(renderer: Renderer, folder: str, drawn: list[figures.Figure]) -> list[PlacedFigure]:
    return [renderer.place(figure, folder) for figure in drawn]


def _field(dataset: xr.Dataset, name: str) -> Field:
    variable = dataset[name]
    lat, lon = (dataset[dimension].to_numpy().astype(float) for dimension in variable.dims[-2:])
    return Field(variable.to_numpy().astype(float), lat, lon)


def drawn_part(field: Field) -> Field:
    """The field without its empty edges; of a sample of a grid, without all rows and columns that hold no cell.

    What is left of a sample is drawn at equal steps, so that each cell keeps its pixel.
    """
    filled = np.isfinite(field.values).reshape(-1, field.lat.size, field.lon.size).sum(axis=0) > 0
    rows, columns = np.flatnonzero(filled.sum(axis=1)), np.flatnonzero(filled.sum(axis=0))
    if not rows.size:
        return field
    inner = filled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    sampled = float(inner.mean()) < DENSE_SHARE and (rows.size, columns.size) != inner.shape
    lat, lon = field.lat[rows], field.lon[columns]
    if sampled:
        lat, lon = (np.linspace(one[0], one[-1], one.size) for one in (lat, lon))
    else:
        rows, columns = np.arange(rows[0], rows[-1] + 1), np.arange(columns[0], columns[-1] + 1)
        lat, lon = field.lat[rows], field.lon[columns]
    return Field(field.values[..., rows, :][..., columns], lat, lon, sampled)


def _words(dataset: xr.Dataset, field: Field, reference: str, ours: str, products: list[str]) -> str:
    """Period, grid and mask in a sentence."""
    scored = np.isfinite(
        dataset[f"spatial_bias_{reference}"].to_numpy()[products.index(ours) if ours in products else 0]
    )
    days = dataset[f"time_{reference}"].to_numpy().astype("datetime64[D]")[scored]
    period = (
        f"Period {days[0]} to {days[-1]}, {count(days.size)} dates with at least 30 common cells; " if days.size else ""
    )
    steps = [float(np.abs(np.diff(axis)).mean()) if axis.size > 1 else 0.0 for axis in (field.lat, field.lon)]
    cells = int(np.isfinite(field.values[0]).any(axis=0).sum())
    return (
        f"{period}grid of {field.lat.size} by {field.lon.size} cells of {steps[0]:.2f}° by {steps[1]:.2f}°, the "
        f"coarsest of the data sets, by conservative regridding; {count(cells)} cells have a common day. Mask: "
        "only cells "
        "and days that all data sets have, at least half of each coarse cell filled, weighted by area."
    )


def _scores(run: Run, reference: str) -> Table | None:
    rows = run.overall[(run.overall["stratum_kind"] == MAP) & (run.overall["reference"] == reference)]
    rows = rows[rows["aggregate"] == "mean"]
    if not len(rows):
        return None
    lines = []
    for product in (name for name in run.products if name in set(rows["product"])):
        part = rows[rows["product"] == product]
        cells = tuple(score_cell(one(part, metric=metric)) for metric in SPATIAL)
        lines.append(Line(product, (count(finite(part["n"].max())),), cells))
    return Table(
        caption=f"Scores over space against {reference}, mean over the dates",
        sentence="",
        first="product",
        words=("dates",),
        heads=tuple(Head(METRICS[metric].label, METRICS[metric].unit) for metric in SPATIAL),
        lines=tuple(lines),
    )


def _dates(run: Run, reference: str) -> list[figures.Figure]:
    result = []
    for metric in SPATIAL:
        rows = dict(figures.curve_panels(run.curves, metric)).get(reference)
        if rows is not None and len(rows):
            result.append(figures.date_figure(metric.replace("_", "-"), rows, run.ours, reference, metric))
    return result


def _profiles(run: Run, reference: str) -> list[figures.Figure]:
    zonal = dict(figures.curve_panels(run.curves, "zonal_mean")).get(reference)
    spectrum = dict(figures.curve_panels(run.curves, "spectrum")).get(reference)
    result = []
    if zonal is not None:
        result.append(figures.zonal_figure("zonal-means", zonal, run.ours, reference))
    if spectrum is not None:
        result.append(figures.spectrum_figure("spectra", spectrum, run.ours, reference))
    return result


def _detail(run: Run, reference: str) -> Table | None:
    """What the finer data sets hold below the coarse cell."""
    column = "std_below_coarse_cell"
    rows = {key: cells for key, cells in fact_rows(run, "map_detail").items() if key.startswith(f"{reference} ")}
    if not rows:
        return None
    how = METRICS[column]
    return Table(
        caption=f"Detail below the cell of the coarsest grid, against {reference}",
        sentence="",
        first="data set",
        words=(),
        heads=(Head(how.label, how.unit),),
        lines=tuple(
            Line(key.removeprefix(f"{reference} "), (), (fact_cell("map_detail", key, column, cells),))
            for key, cells in rows.items()
        ),
    )


def _differences(
    renderer: Renderer, folder: str, field: Field, products: list[str], seasons: list[str], reference: str
) -> Maps | None:
    """One row for each product, one picture for each season, all on one scale."""
    if not np.isfinite(field.values).any():
        return None
    field = drawn_part(field)
    limits = figures.middle_range(field.values.ravel().tolist(), centred=True)
    rows = []
    for k, product in enumerate(products):
        pictures = []
        for s, season in enumerate(seasons):
            label = class_name("season", season)
            alternative = f"{product} minus {reference}, {label}: {_spread(field.values[k, s], 'bias')}"
            drawn = figures.raster(field.lat, field.lon, field.values[k, s], limits, alternative, signed=True)
            pictures.append(
                place_raster(renderer, folder, f"difference-{slugs(products)[k]}-{season.lower()}", drawn, label)
            )
        rows.append((product, tuple(pictures)))
    caption = (
        f"Product minus {reference}, mean of the common days by season; brown is drier, green is wetter than "
        f"{reference}, grey has no common day. {_extent(field)} Colours span the middle 98 % of all values of "
        "these maps."
    )
    return _maps(renderer, folder, caption, rows, limits, "bias")


def _cells(renderer: Renderer, folder: str, dataset: xr.Dataset, products: list[str], reference: str) -> list[Maps]:
    """For each score one row of pictures, one for each product, on one scale."""
    result = []
    for metric, signal in CELL_SCORES:
        name = f"cell_{metric}{'' if signal == 'raw' else f'_{signal}'}_{reference}"
        if name not in dataset:
            continue
        field = _field(dataset, name)
        if not np.isfinite(field.values).any():
            continue
        field, how = drawn_part(field), display(metric)
        limits = figures.middle_range(field.values.ravel().tolist(), centred=how.signed)
        pictures = []
        for k, product in enumerate(products):
            alternative = (
                f"{metric_label(metric, signal)} of {product} against {reference}: {_spread(field.values[k], metric)}"
            )
            drawn = figures.raster(field.lat, field.lon, field.values[k], limits, alternative, signed=how.signed)
            file = f"cells-{metric}-{signal.replace('_', '-')}-{slugs(products)[k]}"
            pictures.append(place_raster(renderer, folder, file, drawn, product))
        caption = (
            f"{sentence_start(metric_label(metric, signal))} of every cell against {reference} on the common sample; "
            f"grey has no "
            f"score. {_extent(field)} Colours span the middle 98 % of all values of these maps."
        )
        result.append(_maps(renderer, folder, caption, [("", tuple(pictures))], limits, metric, signal))
    return result


def _maps(
    renderer: Renderer, folder: str, caption: str, rows: list[Any], limits: tuple[float, float], metric: str,
    signal: str = "raw",
) -> Maps:  # fmt: skip
    signed = display(metric).signed
    name = f"scale-{metric}-{signal.replace('_', '-')}{'-difference' if rows[0][0] else ''}"
    scale = place_raster(renderer, folder, name, figures.scale_raster(signed=signed), "")
    low, high = (score_text(metric, value) for value in limits)
    return Maps(caption, tuple(rows), scale, low, high, display(metric).unit)


def place_raster(renderer: Renderer, folder: str, name: str, drawn: Raster, label: str) -> PlacedRaster:
    """Give a picture its file below `data/figures/`."""
    path = f"data/figures/{folder}/{name}.png"
    renderer.output.add(path, drawn.png)
    return PlacedRaster(drawn, path, label)


def _spread(values: Array, metric: str) -> str:
    known = values[np.isfinite(values)]
    if not known.size:
        return "no value"
    low, middle, high = (score_text(metric, float(v)) for v in np.percentile(known, [5, 50, 95]))
    unit = display(metric).unit
    words = "" if unit in ("", "1") else f" {unit}"
    return f"median {middle}, middle 90 % from {low} to {high}{words}, {count(known.size)} cells"


def _extent(field: Field) -> str:
    south, north = float(field.lat.min()), float(field.lat.max())
    west, east = float(field.lon.min()), float(field.lon.max())
    words = f"{number(south, 1)}° to {number(north, 1)}° N, {number(west, 1)}° to {number(east, 1)}° E."
    return f"{words} A sample of a grid: rows and columns between its cells are left out." if field.sampled else words


def publishable(path: Path, most_bytes: int = 25_000_000) -> bool:
    """Whether the file of maps is small enough to stand beside the pages."""
    return path.stat().st_size <= most_bytes
