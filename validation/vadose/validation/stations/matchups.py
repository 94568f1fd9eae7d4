"""Match-ups of SMAP and core sites as users obtain them: NSIDC-0712 (doi 10.5067/DXAVIXLY18KM).

One text table a site, product and product version, named
`NSIDC-0712_<site><grid><pixel>_<product>_<version>_<first>_<last>.txt`: four digits of the site, two of the grid in km
(03, 09, 33, 36), two of the pixel. A title line, the names of the columns, their units, then rows. The in-situ column
is upscaled by the site's owner already and is read as it is; the SMAP column is kept beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.validation.stations.context import Context
from vadose.validation.stations.lines import decoded
from vadose.validation.stations.lists import NAME_COLUMNS, PLACE_COLUMNS, listed
from vadose.validation.stations.sensor import (
    CORE_SITE,
    MINUTES_PER_DAY,
    Daily,
    Floats,
    Origin,
    Rows,
    Sensor,
    Site,
    daily_sensor,
    solar06_minutes,
)
from vadose.validation.stations.sources import Member, Terms

TERMS = Terms("NSIDC-0712, doi 10.5067/DXAVIXLY18KM: cite Colliander et al. (2017); values of the sites' owners", False)
NETWORK = "SMAP-CVS"
_NAME = re.compile(
    r"NSIDC-0712_(?P<site>\d{4})(?P<grid>\d{2})(?P<pixel>\d{2})_(?P<product>[A-Za-z0-9_-]+?)_(?P<version>[A-Za-z]\d+)_"
    r"(?P<first>\d{8})_(?P<last>\d{8})\.(txt|csv)$"
)
_TIME = ("yr", "mo", "day", "hr", "min")
IN_SITU = ("wasm", "sm_insitu", "insitu_sm")
SATELLITE = ("sm-1", "sm_1", "smap_sm")
QUALITY = ("q-flg-1", "q_flg_1", "smap_q_flg")
_PLACES = {"lat": ("lat", "latitude"), "lon": ("lon", "longitude")}
_MISSING_BELOW = -90.0
# Bit 0 of the retrieval quality flag: recommended quality is 0.
_NOT_RECOMMENDED = 1
# A swath is 1,000 km wide: its edges see the ground up to three quarters of an hour before or after 06:00.
_MORNING_MINUTES = 75.0


def is_matchup(member: Member, head: bytes) -> bool:
    """Whether a file is a table of match-ups, by its name or the names of its columns."""
    return bool(_NAME.search(member.base)) or _header(decoded(head)[0].splitlines()[:6]) is not None


def _header(lines: list[str]) -> tuple[int, list[str]] | None:
    for number, line in enumerate(lines):
        names = [cell.strip().lower() for cell in line.split(",")]
        if set(_TIME[:3]) <= set(names) and set(IN_SITU) & set(names):
            return number, names
    return None


def read_matchup(member: Member, context: Context) -> list[Sensor]:
    """Read one table: a site of class `core` with the SMAP values of recommended quality as `companion`.

    Raises
    ------
    InputError
        If the columns of time, in-situ and SMAP soil moisture are not there, or no row can be read.
    """
    raw, digest = member.hashed()
    lines = decoded(raw)[0].splitlines()
    header = _header(lines[:6])
    if header is None:
        raise InputError(
            "no line names the columns Yr, Mo, Day and WASM", where=member.name, why=f"first line: {lines[:1]}"
        )  # fmt: skip
    number, names = header
    rows, read = _body(lines[number + 1 :], len(names))
    if not len(rows):
        raise InputError("no row can be read", where=member.name, why=f"{read} rows after the names of the columns")
    columns = dict(zip(names, rows.T, strict=True))
    stamps, dated = _stamps(columns)
    columns = {name: column[dated] for name, column in columns.items()}
    values = _column(columns, IN_SITU, member)
    missing = ~np.isfinite(values) | (values <= _MISSING_BELOW)
    reasons = np.where(missing, "missing", "").astype("U24")
    terms = context.terms(member, TERMS)
    site = _site(member, columns, lines[0], context)
    origin = Origin(
        file=member.name, sha256=digest, licence=terms.licence, redistributable=terms.redistributable,
        flag_dialect="provider", day_convention=_convention(stamps, site.lon),
    )  # fmt: skip
    # Overpasses come every two or three days: one value makes a day complete.
    counted = Rows(stamps, values, reasons, read)
    sensor = daily_sensor(site, origin, counted, context.rules, nominal_count=1)
    return [replace(sensor, beside={"companion": _companion(columns, stamps, member, context)})]


def _convention(stamps: npt.NDArray[np.datetime64], lon: float) -> str:
    """`solar06` where all overpasses are morning ones; else `instant`, for tables with evening ones too."""
    minutes = stamps.astype(np.int64) % MINUTES_PER_DAY
    apart = np.abs((minutes - solar06_minutes(lon) + MINUTES_PER_DAY / 2) % MINUTES_PER_DAY - MINUTES_PER_DAY / 2)
    return "solar06" if bool((apart <= _MORNING_MINUTES).all()) else "instant"


def _body(lines: list[str], width: int) -> tuple[Floats, int]:
    """Rows of numbers, (row, column), and how many rows there are; lines of units come before the first number."""
    out, read = [], 0
    for line in lines:
        cells = [cell.strip() for cell in line.split(",")]
        if not any(cells):
            continue
        try:
            row = [float(cell) if cell else np.nan for cell in cells]
        except ValueError:
            # Units and the like stand between the names and the first row.
            read += bool(read)
            continue
        read += 1
        if len(row) == width:
            out.append(row)
    return np.array(out, float).reshape(-1, width), read


def _stamps(columns: dict[str, Floats]) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.bool_]]:
    """UTC minutes of the rows with a possible time, and which rows these are."""
    parts = [columns.get(name, np.zeros_like(columns["yr"])) for name in _TIME]
    year, month, day, hour, minute = (
        np.clip(np.nan_to_num(part, nan=-1.0), -1.0, 1e6).astype(np.int64) for part in parts
    )
    good = (
        (year >= 1900)
        & (year <= 2100)
        & (month >= 1)
        & (month <= 12)
        & (day >= 1)
        & (hour >= 0)
        & (hour < 24)
        & (minute >= 0)
        & (minute < 60)
    )
    months = (year[good] * 12 + month[good] - 1 - 1970 * 12).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day[good] - 1)
    exists = days.astype("datetime64[M]") == months
    good[good] = exists
    return days[exists].astype("datetime64[m]") + (hour * 60 + minute)[good], good


def _column(columns: dict[str, Floats], names: tuple[str, ...], member: Member) -> Floats:
    for name in names:
        if name in columns:
            return columns[name]
    raise InputError(f"no column {' or '.join(names)}", where=member.name, why=f"columns: {', '.join(columns)}")


def _companion(
    columns: dict[str, Floats], stamps: npt.NDArray[np.datetime64], member: Member, context: Context
) -> Daily:
    """Daily means of the SMAP values of recommended quality."""
    values = _column(columns, SATELLITE, member)
    quality = next((columns[name] for name in QUALITY if name in columns), np.zeros(values.size))
    flagged = np.clip(np.nan_to_num(quality, nan=1.0), 0.0, 1e9).astype(np.int64) & _NOT_RECOMMENDED
    use = np.isfinite(values) & (values > _MISSING_BELOW) & (flagged == 0)
    days = stamps.astype("datetime64[D]")
    period = context.rules.period
    if period is not None:
        use &= (days >= period[0]) & (days <= period[1])
    found, inverse, counts = np.unique(days[use], return_inverse=True, return_counts=True)
    return Daily(found, np.bincount(inverse, weights=values[use], minlength=found.size) / np.maximum(counts, 1))


def _site(member: Member, columns: dict[str, Floats], title: str, context: Context) -> Site:
    match = _NAME.search(member.base)
    name = f"{match['site']}{match['grid']}{match['pixel']}" if match else re.sub(r"\.\w+$", "", member.base)
    place = _place(columns, title)
    if not all(np.isfinite(place)):
        place = _in_list(name, context.folder(member))
    if match is None:
        return Site(NETWORK, name, "core site", *place, np.nan, 0.0, 0.05, CORE_SITE, site_class="core")
    radius = 1000.0 * int(match["grid"]) / np.sqrt(np.pi)
    label = f"{match['product']} {match['version']}"
    return Site(NETWORK, name, label, *place, np.nan, 0.0, 0.05, CORE_SITE, radius, site_class="core")


def _place(columns: dict[str, Floats], title: str) -> tuple[float, float]:
    """Latitude and longitude from columns or from the title line; NaN if there are none."""
    lat, lon = (
        next((float(np.nanmedian(columns[name])) for name in names if name in columns), _in_title(title, names[0]))
        for names in _PLACES.values()
    )
    return lat, lon


def _in_list(name: str, beside: Sequence[Member]) -> tuple[float, float]:
    """The place of a site or its pixel in a station list beside the file (SiteID, Latitude, Longitude)."""
    wanted = {name, name[:6], name[:4], name[:4].lstrip("0")}
    for row in listed(beside):
        if {row[key] for key in NAME_COLUMNS if row.get(key)} & wanted:
            try:
                return (
                    float(next(row[key] for key in PLACE_COLUMNS["lat"] if key in row)),
                    float(next(row[key] for key in PLACE_COLUMNS["lon"] if key in row)),
                )
            except (StopIteration, ValueError):
                continue
    return float("nan"), float("nan")


def _in_title(title: str, name: str) -> float:
    """A coordinate named in the title line, such as `Lat: 31.75`; NaN if there is none."""
    match = re.search(rf"(?i){name}\w*\s*[:=]?\s*([-+]?\d+(?:\.\d+)?)", title)
    return float(match[1]) if match else float("nan")
