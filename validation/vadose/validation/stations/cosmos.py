"""Cosmic-ray neutron probes: tables of COSMOS-Europe, COSMOS-UK and CosmOz, with the station lists beside them.

COSMOS-Europe: one hourly table a station, stamps with their offset, a 24-hour moving mean of soil moisture in m3 m-3,
lower and upper as *deviations*. COSMOS-UK: daily or hourly `COSMOS_VWC` in percent. CosmOz: hourly `soil_moist` in
percent, level 4 (flagged rows left out by the network) or level 3 with a flag.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.validation.stations.checks import checked
from vadose.validation.stations.context import Context
from vadose.validation.stations.lines import cells, decoded
from vadose.validation.stations.lists import NAME_COLUMNS, PLACE_COLUMNS, listed
from vadose.validation.stations.sensor import COSMIC_RAY, Floats, Origin, Rows, Sensor, Site, daily_sensor
from vadose.validation.stations.sources import Member, Terms

# The effective depth changes with moisture; where a file gives none, the depth class is that of the probe anyway.
_UNKNOWN = float("nan")
_MISSING_BELOW = -90.0
_PERCENT = 0.01
_SNOW_MM = 0.0

Table = dict[str, list[str]]


@dataclass(frozen=True)
class Layout:
    """How one network writes its tables; column names in lower case.

    Attributes
    ----------
    moisture
        Columns of soil moisture, the first that is there counts.
    factor
        To m3 m-3.
    flags
        Columns whose non-zero value rejects a row, with the name under which it is counted.
    """

    network: str
    terms: Terms
    time: tuple[str, ...]
    moisture: tuple[str, ...]
    factor: float
    flags: tuple[tuple[str, str], ...] = ()
    error: tuple[str, ...] = ()
    deviations: tuple[str, str] | None = None
    radius: str = ""
    depth: str = ""
    depth_to_m: float = 1.0
    rain: str = ""
    of_day: Literal["mean", "last"] = "mean"
    daily_names: str = ""
    sensor: str = "cosmic-ray neutron probe"


LAYOUTS: tuple[Layout, ...] = (
    Layout(
        network="COSMOS-Europe", time=("datetime_utc",), factor=1.0, of_day="last",
        terms=Terms("COSMOS-Europe (doi 10.34731/x9s3-kr48); terms not stated in the file", False),
        moisture=("soilmoisture_volumetric_movavg24h",),
        flags=(("flag_extreme_counts", "extreme_counts"), ("flag_snow_era5", "snow"),
               ("flag_porosity_excess", "porosity_excess")),
        error=("soilmoisture_volumetric_movavg24h_std",),
        deviations=("soilmoisture_volumetric_movavg24h_lower", "soilmoisture_volumetric_movavg24h_upper"),
        radius="footprint_radius_m", depth="footprint_depth_m",
    ),
    Layout(
        network="COSMOS-UK", time=("date_time", "parameter-id"), factor=_PERCENT, depth_to_m=0.01,
        terms=Terms("COSMOS-UK (UKCEH, Environmental Information Data Centre), see the release's terms", False),
        moisture=("cosmos_vwc",), flags=(("snow", "snow"), ("cosmos_vwc_flag", "network_flag")), depth="d86_75m",
        rain="precip", daily_names="daily",
    ),
    Layout(
        network="CosmOz", time=("time", "timestamp"), factor=_PERCENT, depth_to_m=0.01,
        terms=Terms("CosmOz (CSIRO); acknowledge the network, terms not stated in the file", False),
        moisture=("soil_moist", "soilmoist"), flags=(("flag", "network_flag"),), depth="effective_depth",
        rain="rainfall",
    ),
)  # fmt: skip
# Hourly counts without soil moisture: the calibration to moisture is the network's business.
_COUNTS = re.compile(r"(neutroncount|cts_mod|corr_count|corrcount|epithermal|^count$)", re.IGNORECASE)
_HEADER_LINES = 12


def is_cosmos(member: Member, head: bytes) -> bool:
    """Whether a file is a table of a neutron probe, with soil moisture or with counts alone."""
    if head.startswith(b"PAR1") or b"\0" in head[:512]:
        return False
    header = _header(decoded(head)[0].splitlines()[:_HEADER_LINES])
    return header is not None and (_layout(header[1]) is not None or _only_counts(header[1]))


def _header(lines: Sequence[str]) -> tuple[int, list[str], str] | None:
    """The line of names, the names in lower case and the separator; None without a time column in it."""
    times = {name for layout in LAYOUTS for name in layout.time}
    # Lines of keys and values may come first, one of them with a word that is a column of another layout.
    for number, line in enumerate(lines):
        for separator in (",", "\t", ";"):
            names = [cell.strip().strip('"').lower() for cell in line.split(separator)]
            if times & set(names) and (_layout(names) or _only_counts(names)):
                return number, names, separator
    return None


def _layout(names: Sequence[str]) -> Layout | None:
    for layout in LAYOUTS:
        if set(layout.time) & set(names) and set(layout.moisture) & set(names):
            return layout
    return None


def _only_counts(names: Sequence[str]) -> bool:
    return any(_COUNTS.search(name) for name in names)


def read_cosmos(member: Member, context: Context) -> list[Sensor]:
    """Read one table of one or several probes.

    Raises
    ------
    InputError
        `no_moisture_column` for a table of counts; or if no row can be read.
    """
    raw, digest = member.hashed()
    lines = decoded(raw)[0].splitlines()
    header = _header(lines[:_HEADER_LINES])
    layout = _layout(header[1]) if header else None
    if header is None or layout is None:
        raise InputError(
            "no_moisture_column: the table holds neutron counts and no soil moisture", where=member.name,
            why=f"columns: {', '.join(header[1] if header else [])}",
            next="give the processed product of the network; counts are not calibrated here",
        )  # fmt: skip
    number, names, separator = header
    table, broken = _table(lines[number + 1 :], names, separator, member.name)
    said = dict(zip(*_preamble(lines[:number], separator), strict=True))
    column = next((name for name in ("site_id", "site_no", "siteno", "station_id") if name in table), None)
    sites = np.array(table[column] if column else [said.get("site-id", "")] * len(table[names[0]]))
    out = []
    for position, site in enumerate(dict.fromkeys(sites.tolist())):
        chosen = np.flatnonzero(sites == site)
        part = {name: [cells[row] for row in chosen] for name, cells in table.items()}
        out.append(_probe(member, digest, layout, part, str(site), said, broken if position == 0 else 0, context))
    return out


def _table(lines: Sequence[str], names: list[str], separator: str, where: str) -> tuple[Table, int]:
    rows = [row for row in cells("\n".join(lines), separator, where) if any(row)]
    # Lines that explain the columns once more follow the names in one of the layouts.
    rows = [row for row in rows if not row[0].startswith("parameter-")]
    good = [row for row in rows if len(row) == len(names)]
    columns = zip(*good, strict=True) if good else [[] for _ in names]
    return {name: list(cells) for name, cells in zip(names, columns, strict=True)}, len(rows) - len(good)


def _preamble(lines: Sequence[str], separator: str) -> tuple[list[str], list[str]]:
    """Keys and values of the lines before the header."""
    pairs = [[cell.strip() for cell in line.split(separator)[:2]] for line in lines if separator in line]
    return [pair[0].lower() for pair in pairs], [pair[1] for pair in pairs]


def _probe(
    member: Member, digest: str, layout: Layout, table: Table, site_id: str, said: dict[str, str], broken: int,
    context: Context,
) -> Sensor:  # fmt: skip
    time = next(name for name in layout.time if name in table)
    stamps = np.array([_stamp(text) for text in table[time]], "datetime64[m]")
    moisture = next(name for name in layout.moisture if name in table)
    values, numeric = _numbers(table[moisture])
    parsed = numeric & ~np.isnat(stamps)
    if not parsed.any():
        raise InputError("no row can be read", where=member.name, why=f"first time {table[time][:1]}")
    station = _listed(member, context, layout, site_id, said)
    values = np.where(values <= _MISSING_BELOW, np.nan, values) * layout.factor
    reasons = np.where(np.isfinite(values), "", "missing").astype("U24")
    flag_counts: dict[str, int] = {}
    for name, word in layout.flags:
        if name in table:
            raised = np.array([_raised(cell) for cell in table[name]]) & parsed
            flag_counts[word] = int(raised.sum())
            reasons[(reasons == "") & raised] = "provider_flag"
    reasons = checked(stamps, values, reasons, porosity=station.porosity, checks=("range",))
    rows = Rows(
        stamps[parsed], values[parsed], reasons[parsed], parsed.size + broken, flag_counts,
        {name: column[parsed] for name, column in _columns(table, layout).items()},
    )  # fmt: skip
    depths = _numbers(table[layout.depth])[0] if layout.depth in table else np.zeros(0)
    seen = depths[np.isfinite(depths) & (depths > 0)] * layout.depth_to_m
    radii = rows.columns.get("footprint_radius_daily", np.zeros(0))
    radii = radii[np.isfinite(radii)]
    site = Site(
        layout.network, station.name, layout.sensor, station.lat, station.lon, station.altitude, 0.0,
        round(float(np.median(seen)), 3) if seen.size else _UNKNOWN, COSMIC_RAY,
        float(np.median(radii)) if radii.size else _UNKNOWN,
    )  # fmt: skip
    terms = context.terms(member, layout.terms)
    static = {"saturation": f"{station.porosity:g}"} if np.isfinite(station.porosity) else {}
    origin = Origin(
        file=member.name, sha256=digest, licence=terms.licence, redistributable=terms.redistributable,
        flag_dialect="provider", static=static,
    )  # fmt: skip
    nominal = 24 if layout.of_day == "last" else None
    return daily_sensor(site, origin, rows, context.rules, of_day=layout.of_day, nominal_count=nominal)


def _columns(table: Table, layout: Layout) -> dict[str, Floats]:
    """Error, radius, frost and rain, as far as the table has them; (row,)."""
    out: dict[str, Floats] = {}
    error = np.full(len(next(iter(table.values()))), np.nan)
    if layout.deviations and set(layout.deviations) <= set(table):
        low, high = (_numbers(table[name])[0] for name in layout.deviations)
        # Both are deviations from the value; the lower one is negative.
        error = (np.abs(low) + np.abs(high)) / 2.0
    for name in layout.error:
        if name in table:
            stated = _numbers(table[name])[0]
            error = np.where(np.isfinite(stated), stated, error)
    if np.isfinite(error).any():
        out["standard_error"] = error * layout.factor
    if layout.radius in table:
        out["footprint_radius_daily"] = _numbers(table[layout.radius])[0]
    snow = next((name for name, word in layout.flags if word == "snow" and name in table), None)
    if snow:
        out["frozen"] = np.array([float(_raised(cell)) if cell.strip() else np.nan for cell in table[snow]])
    if layout.rain in table:
        rain = _numbers(table[layout.rain])[0]
        out["precipitation"] = np.where(rain < 0, np.nan, rain)
    return out


def _stamp(text: str) -> np.datetime64:
    """UTC minute of `2015-06-30 17:00:00+00:00`, `2015-06-30T17:00:00Z`, `2015-06-30`; NaT for anything else."""
    match = re.fullmatch(
        r"\s*(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::\d\d(?:\.\d+)?)?)?\s*(Z|[-+]\d\d:?\d\d)?\s*", text.strip('"')
    )
    if not match:
        return np.datetime64("NaT", "m")
    try:
        stamp = np.datetime64(f"{match[1]}T{match[2] or '00:00'}", "m")
    except ValueError:
        return np.datetime64("NaT", "m")
    if match[3] and match[3] != "Z":
        digits = match[3].replace(":", "")
        shift = int(digits[1:3]) * 60 + int(digits[3:5])
        stamp -= np.timedelta64(shift if digits[0] == "+" else -shift, "m")
    return stamp


def _numbers(cells: Sequence[str]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    out, good = np.full(len(cells), np.nan), np.ones(len(cells), bool)
    for row, cell in enumerate(cells):
        text = cell.strip().strip('"')
        try:
            out[row] = float(text) if text not in ("", "NA", "null", "None") else np.nan
        except ValueError:
            good[row] = False
    return out, good


def _raised(cell: str) -> bool:
    """Whether a flag is set: a number other than 0 that is no missing code, or a letter."""
    text = cell.strip().strip('"')
    try:
        return float(text) > _SNOW_MM
    except ValueError:
        return text not in ("", "NA", "null", "None", "N", "False", "false")


@dataclass(frozen=True)
class _Station:
    name: str
    lat: float = _UNKNOWN
    lon: float = _UNKNOWN
    altitude: float = _UNKNOWN
    porosity: float = _UNKNOWN


def _listed(member: Member, context: Context, layout: Layout, site_id: str, said: dict[str, str]) -> _Station:
    """Name and place of a probe from the station list beside its table, or from the lines before its header."""
    own = re.sub(r"(?i)(-CRNS)?\.(csv|txt|tsv)(\.gz)?$", "", member.base)
    wanted = {site_id.lower(), own.lower()} - {""}
    if layout.network == "COSMOS-UK":
        parts = own.split("_")
        wanted |= {parts[1].lower()} if len(parts) > 2 else set()
    for row in listed(context.folder(member)):
        names = [row[name] for name in NAME_COLUMNS if row.get(name)]
        if wanted & {name.lower() for name in names}:
            return _Station(names[0], **_place(row.get))
    return _Station(said.get("site-name") or site_id or own, **_place(said.get))


def _place(of: Callable[[str], str | None]) -> dict[str, float]:
    out = {}
    for key, names in PLACE_COLUMNS.items():
        text = next((found for found in map(of, names) if found), "")
        try:
            out[key] = float(text)
        except ValueError:
            out[key] = _UNKNOWN
    return out
