"""Drafts the mapping of an unknown table, for its owner to complete and sign."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.validation.stations.lines import cells, decoded
from vadose.validation.stations.sensor import PERCENT_LIMIT
from vadose.validation.stations.sources import members

Floats = npt.NDArray[np.float64]

_SEPARATORS = (",", ";", "\t", " ")
_FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d", "%Y/%m/%d %H:%M",
    "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%d-%b-%y", "%d-%b-%Y",
)  # fmt: skip
_MOISTURE = re.compile(r"(soil.?moist|moisture|^sm|_sm|swc|vwc|theta|volumetric.?water)", re.IGNORECASE)
_OTHER = re.compile(r"(_std|_lower|_upper|flag|_n$|count|temp)", re.IGNORECASE)
_LAT, _LON = re.compile(r"^lat", re.IGNORECASE), re.compile(r"^lon", re.IGNORECASE)
_STATION = re.compile(r"(station|site|name|^id$)", re.IGNORECASE)
_CODES = (-99.0, -999.0, -9999.0, -99.9, -999.9)
_ROWS = 2000


def probe(path: Path) -> str:
    """A mapping as YAML text. What a file cannot say is left open with a comment, so that it is refused until filled.

    Raises
    ------
    InputError
        If the file is no text table, or has no column with times.
    """
    member = next(iter(members(path)))
    lines = [line for line in decoded(member.read())[0].splitlines() if line.strip()][: _ROWS + 20]
    # Loggers of one maker put a line about the device before the names.
    device = int(bool(lines) and lines[0].lstrip('"').startswith("TOA5"))
    separator, skip, rows = _layout(lines[device:], str(path))
    names, after, body = _header(rows)
    columns = {name: [row[at] for row in body] for at, name in enumerate(names)}
    time = next((name for name in names if _formats(columns[name])), None)
    if time is None:
        raise InputError(
            "no column holds times in a known style", where=str(path), why=f"columns: {', '.join(names)}",
            next="write the mapping by hand",
        )  # fmt: skip
    moisture = [
        name for name in names if _MOISTURE.search(name) and not _OTHER.search(name) and _values(columns[name]).size
    ]
    text = [
        "# Drafted from the file's first rows. Complete what is marked, check the rest, then sign by using it.",
        "network: # name of the network", "licence: # as the owner states it", "redistributable: # true or false",
        f"separator: {separator!r}", f"skip_lines: {skip + device}",
        *([f"header: [{', '.join(map(_quoted, names))}]"] if after is None else [f"skip_after_header: {after}"]),
        "time:", f"  column: {_quoted(time)}", f"  formats: {json.dumps(_formats(columns[time]))}",
        "  utc_offset: # hours from UTC; the file does not say", "  day: utc # or local_standard", "values:",
    ]  # fmt: skip
    for name in moisture or ["# name of the column of soil moisture"]:
        text += _value_lines(name, _values(columns[name]) if name in columns else np.zeros(0))
    text += _place_lines(names)
    return "\n".join(text) + "\n"


def _layout(lines: list[str], where: str) -> tuple[str, int, list[list[str]]]:
    """The separator that gives most rows of equal width, how many lines come before them, and those rows."""
    best: tuple[int, str, int, list[list[str]]] = (0, ",", 0, [])
    for separator in _SEPARATORS:
        split = (
            [line.split() for line in lines] if separator == " "
            else cells("\n".join(lines), separator, where)
        )  # fmt: skip
        widths = [len(row) for row in split]
        width = max(set(widths), key=widths.count) if widths else 0
        if width < 2:
            continue
        skip = widths.index(width)
        rows = [[cell.strip() for cell in row] for row in split[skip:] if len(row) == width]
        score = len(rows) * (width if separator != " " else 1)
        if score > best[0]:
            best = (score, separator, skip, rows)
    if not best[3]:
        raise InputError("no table of rows with equally many cells", where=where, next="write the mapping by hand")
    return best[1], best[2], best[3]


def _header(rows: list[list[str]]) -> tuple[list[str], int | None, list[list[str]]]:
    """Names, how many lines stand between them and the data (None: there are no names), and the rows of data."""
    first = next((at for at, row in enumerate(rows) if any(_is_time(cell) for cell in row)), len(rows))
    if first == 0:
        return [f"column_{number + 1}" for number in range(len(rows[0]))], None, rows
    names = [name or f"column_{number + 1}" for number, name in enumerate(rows[0])]
    return names, first - 1, rows[first:]


def _is_time(text: str) -> bool:
    return bool(_formats([text]))


def _formats(cells: list[str]) -> list[str]:
    """The styles that the filled cells of a column need, most frequent first; none if a tenth fits no style."""
    filled = [cell for cell in cells if cell]
    counts: dict[str, int] = {}
    for cell in filled:
        form = next((form for form in _FORMATS if _fits(cell, form)), None)
        if form:
            counts[form] = counts.get(form, 0) + 1
    if not filled or sum(counts.values()) < 0.9 * len(filled):
        return []
    return sorted(counts, key=lambda form: -counts[form])


def _fits(text: str, form: str) -> bool:
    try:
        return 1900 <= datetime.strptime(text, form).year <= 2100
    except ValueError:
        return False


def _values(cells: list[str]) -> Floats:
    found = []
    for cell in cells:
        try:
            found.append(float(cell))
        except ValueError:
            continue
    values = np.array(found, float)
    finite: Floats = values[np.isfinite(values)]
    return finite


def _value_lines(name: str, values: Floats) -> list[str]:
    codes = [code for code in _CODES if (values == code).any()]
    real = values[~np.isin(values, codes)]
    percent = real.size and float(np.percentile(real, 95)) > PERCENT_LIMIT
    looks = f"values {real.min():g} to {real.max():g}" if real.size else "no values seen"
    hint = "percent or m3 m-3" if not real.size else "looks like percent" if percent else "looks like m3 m-3"
    missing = ", ".join(f"{code:g}" for code in codes)
    return [
        f"  - column: {_quoted(name)}", f"    units: # {hint} ({looks})",
        "    depth_m: # [upper, lower] in m", f"    missing: [{missing}]",
    ]  # fmt: skip


def _place_lines(names: list[str]) -> list[str]:
    lat = next((name for name in names if _LAT.search(name)), None)
    lon = next((name for name in names if _LON.search(name)), None)
    station = next((name for name in names if _STATION.search(name)), None)
    return [
        f"station_column: {_quoted(station)}" if station else "station: # name of the one station",
        f"lat: {_quoted(lat)}" if lat else "lat: # degrees north",
        f"lon: {_quoted(lon)}" if lon else "lon: # degrees east",
    ]


def _quoted(name: str) -> str:
    return name if name.startswith("#") or re.fullmatch(r"[A-Za-z_]\w*", name) else f'"{name}"'
