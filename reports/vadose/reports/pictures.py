"""Sheets as pictures: one group for each figure, all of it on one colour scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.reports import figures
from vadose.reports.formats import count, number, unit_signs
from vadose.reports.mapped import Maps, place_raster
from vadose.reports.pages import Renderer
from vadose.reports.sheets import Sheet, Sheets
from vadose.reports.text import slugs

Array = npt.NDArray[np.float64]


def sheet_maps(found: Sheets, about: dict[str, Any], renderer: Renderer, folder: str) -> list[Maps]:
    """One group of pictures for each figure, all of it on one colour scale.

    `about["figures"]` may give for a figure its `caption`, and `signed: true` for a scale about zero.
    """
    words = about.get("figures") or {}
    return [_group(found, name, words.get(name, {}), renderer, folder) for name in found.names]


def _group(found: Sheets, name: str, told: dict[str, Any], renderer: Renderer, folder: str) -> Maps:
    members = [sheet for sheet in found.sheets if sheet.figure == name]
    names = {code: word for sheet in members for code, word in sheet.classes.items()}
    signed = bool(told.get("signed"))
    ranks = {code: rank for rank, code in enumerate(sorted(names))}
    drawn = [_ranked(sheet.values, ranks) if names else sheet.values for sheet in members]
    every = np.concatenate([values.ravel() for values in drawn])
    limits = (0.0, max(len(ranks) - 1.0, 1.0)) if names else figures.middle_range(every.tolist(), centred=signed)
    rows: dict[str, list[Any]] = {}
    for place, (sheet, values) in enumerate(zip(members, drawn, strict=True)):
        spoken = ", ".join(word for word in (name.replace("_", " "), sheet.row, sheet.column) if word)
        picture = figures.raster(found.lat, found.lon, values, limits, f"{spoken}: {_spread(sheet)}", signed=signed)
        file = f"map-{slugs([name])[0]}-{place + 1}"
        rows.setdefault(sheet.row, []).append(place_raster(renderer, folder, file, picture, sheet.column))
    scale = place_raster(renderer, folder, f"map-{slugs([name])[0]}-scale", figures.scale_raster(signed=signed), "")
    ordered = [names[code] for code in sorted(names)]
    low, high = (ordered[0], ordered[-1]) if names else _ends(limits)
    caption = f"{told.get('caption') or name.replace('_', ' ').capitalize()}. {_shades(ordered)}{_extent(found)}"
    unit = "1" if names else unit_signs(members[0].unit)
    return Maps(caption, tuple((row, tuple(pictures)) for row, pictures in rows.items()), scale, low, high, unit)


def _ranked(values: Array, ranks: dict[int, int]) -> Array:
    """Codes as the ranks of their classes."""
    result = np.full(values.shape, np.nan)
    for code, rank in ranks.items():
        result[values == code] = rank
    return result


def _ends(limits: tuple[float, float]) -> tuple[str, str]:
    low, high = limits
    decimals = int(np.clip(np.ceil(1.5 - np.log10(max(high - low, 1e-4))), 0, 4))
    return number(low, decimals), number(high, decimals)


def _shades(names: list[str]) -> str:
    return f"From dark to light: {', '.join(names)}. " if len(names) > 1 else ""


def _spread(sheet: Sheet) -> str:
    known = sheet.values[np.isfinite(sheet.values)]
    if not known.size:
        return "no value"
    if sheet.classes:
        return ", ".join(f"{word} {count(int((known == code).sum()))} cells" for code, word in sheet.classes.items())
    low, middle, high = (number(float(v), 3) for v in np.percentile(known, [5, 50, 95]))
    unit = "" if sheet.unit == "1" else f" {unit_signs(sheet.unit)}"
    return f"median {middle}, middle 90 % from {low} to {high}{unit}, {count(known.size)} cells"


def _extent(found: Sheets) -> str:
    south, north, west, east = (
        number(float(v), 1) for axis in (found.lat, found.lon) for v in (axis.min(), axis.max())
    )
    return f"Grey has no value; {south}° to {north}° N, {west}° to {east}° E."
