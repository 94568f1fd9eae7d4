"""Files of the International Soil Moisture Network: header+values, and CEOP with every row repeating the header.

Values are m3 m-3, stamps UTC. The layout is found by content, the place by the header; from the file name comes
only what the header lacks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from vadose.common import InputError
from vadose.validation.stations.sensor import Origin, Rows, Sensor, Site, daily_sensor
from vadose.validation.stations.sources import Member, Terms

TERMS = Terms("International Soil Moisture Network data policy: no redistribution of original data", False)
MISSING_BELOW = -99.0
_ROW = re.compile(r"\d{4}/\d\d/\d\d$")
_NAME = re.compile(r"_sm_(-?\d+\.\d+)_(-?\d+\.\d+)_(.+)_\d{8}_\d{8}\.stm$")
_CEOP_COLUMNS = 12
_FLAG = re.compile(r"[A-Z]\d{0,2}$")
_UNKNOWN_RADIUS = float("nan")


@dataclass(frozen=True)
class _Split:
    """Rows of a file as columns of text, and the number of rows without enough columns."""

    stamps: list[str]
    values: list[str]
    flags: list[str]
    short: int


def is_ismn(member: Member) -> bool:
    """Whether a file is an ISMN soil-moisture file."""
    name = PurePosixPath(member.name).name
    return name.endswith(".stm") and "_sm_" in name


def read_ismn(
    member: Member, terms: Terms | None, accept_unflagged: bool, static: Callable[[], bytes | None]
) -> Sensor:
    """Read one `.stm` file.

    Parameters
    ----------
    member
        The file.
    terms
        Licence stated beside the source; without it the terms of the ISMN hold.
    accept_unflagged
        Take the flag U (not checked) where the file knows no G.
    static
        Gives the static variables file of the station, or None.

    Raises
    ------
    InputError
        For a file that is neither layout, or holds no row that can be read.
    """
    text, encoding = _decode(member.read())
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    if not lines:
        raise InputError("the file is empty", where=member.name)
    first = lines[0].split()
    ceop = bool(_ROW.match(first[0]))
    site = _ceop_site(first, member) if ceop else _header_site(first, member)
    columns = _ceop_rows(lines) if ceop else _value_rows(lines[1:])
    rows, dialect = _rows(columns, accept_unflagged, member)
    found = static()
    notes = (f"text is {encoding}, not UTF-8",) if encoding != "UTF-8" else ()
    use = terms or TERMS
    origin = Origin(
        file=member.name, sha256=member.sha256(), licence=use.licence, redistributable=use.redistributable,
        flag_dialect=dialect, static=static_values(found, site, rows) if found else {},
        notes=notes,
    )  # fmt: skip
    return daily_sensor(site, origin, rows)


def _decode(raw: bytes) -> tuple[str, str]:
    try:
        return raw.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError:
        return raw.decode("latin-1"), "Latin-1"


def _number(tokens: Sequence[str], member: Member) -> list[float]:
    try:
        return [float(token) for token in tokens]
    except ValueError as error:
        raise InputError(
            "the header is not three names and five numbers (latitude, longitude, altitude, two depths)",
            where=member.name, why=f"got {' '.join(tokens)[:80]!r}",
        ) from error  # fmt: skip


def _site(names: Sequence[str], numbers: Sequence[float], sensor: str, member: Member) -> Site:
    lat, lon, altitude, top, bottom = numbers
    if not (-90 <= lat <= 90 and -180 <= lon <= 360):
        raise InputError(f"latitude {lat}, longitude {lon} are not on the globe", where=member.name)
    kind = "cosmic-ray" if "cosmic" in sensor.lower() or names[0].upper().startswith("COSMOS") else "point"
    lon = lon - 360.0 if lon > 180.0 else lon
    return Site(names[0], names[2], sensor, lat, lon, altitude, top, bottom, kind, _UNKNOWN_RADIUS)


def _header_site(tokens: list[str], member: Member) -> Site:
    if len(tokens) < 8:
        raise InputError(f"the header has {len(tokens)} words, at least 8 are needed", where=member.name)
    sensor = " ".join(tokens[8:]).strip("'\" ") or _sensor_of_name(member)
    return _site(tokens[:3], _number(tokens[3:8], member), sensor, member)


def _ceop_site(tokens: list[str], member: Member) -> Site:
    if len(tokens) < _CEOP_COLUMNS + 2:
        raise InputError(
            f"a row of {len(tokens)} words is neither header+values nor CEOP in separate files",
            where=member.name, next="export the data as header+values",
        )  # fmt: skip
    return _site(tokens[4:7], _number(tokens[7:12], member), _sensor_of_name(member), member)


def _sensor_of_name(member: Member) -> str:
    match = _NAME.search(PurePosixPath(member.name).name)
    return match[3] if match else "unknown"


def _value_rows(lines: list[str]) -> _Split:
    parts = [line.split(None, 4) for line in lines]
    good = [part for part in parts if len(part) >= 4]
    stamps = [f"{part[0]}T{part[1]}" for part in good]
    return _Split(stamps, [part[2] for part in good], [part[3] for part in good], len(parts) - len(good))


def _ceop_rows(lines: list[str]) -> _Split:
    parts = [line.split(None, _CEOP_COLUMNS + 2) for line in lines]
    good = [part for part in parts if len(part) >= _CEOP_COLUMNS + 2]
    stamps = [f"{part[0]}T{part[1]}" for part in good]
    return _Split(stamps, [part[12] for part in good], [part[13] for part in good], len(parts) - len(good))


def _rows(columns: _Split, accept_unflagged: bool, member: Member) -> tuple[Rows, str]:
    read = len(columns.stamps) + columns.short
    kept = _readable(columns)
    if not kept:
        raise InputError("no row can be read", where=member.name, why=f"{read} rows, none is `date time value flag`")
    stamps = np.array([columns.stamps[i].replace("/", "-") for i in kept], "datetime64[m]")
    values = np.array([columns.values[i] for i in kept], float)
    flags = [columns.flags[i] for i in kept]
    counts = Counter(part for flag in flags for part in flag.split(","))
    dialect = _dialect(counts)
    reason = {flag: _reason(flag, dialect, accept_unflagged) for flag in set(flags)}
    reasons = np.array([reason[flag] for flag in flags], "U24")
    # The value decides whether it is missing, even where the flag says otherwise.
    missing = ~np.isfinite(values) | (values <= MISSING_BELOW) | np.array(["M" in flag.split(",") for flag in flags])
    reasons = np.where(missing, "missing", reasons)
    return Rows(stamps, values, reasons, read, dict(counts)), dialect


def _readable(columns: _Split) -> list[int]:
    """Positions of the rows whose stamp, value and flag can be read; the whole file at once where all can."""
    try:
        np.array([stamp.replace("/", "-") for stamp in columns.stamps], "datetime64[m]")
        np.array(columns.values, float)
        if all(_flag_like(flag) for flag in set(columns.flags)):
            return list(range(len(columns.stamps)))
    except ValueError:
        pass
    return [i for i in range(len(columns.stamps)) if _row_like(columns, i)]


def _row_like(columns: _Split, i: int) -> bool:
    try:
        np.datetime64(columns.stamps[i].replace("/", "-"), "m")
        float(columns.values[i])
    except ValueError:
        return False
    return _flag_like(columns.flags[i])


def _flag_like(flag: str) -> bool:
    return all(_FLAG.match(part) for part in flag.split(","))


def _dialect(counts: Counter[str]) -> str:
    """`legacy`: U and no G; `prefiltered`: nothing but G and M; else `current`."""
    if "G" not in counts and "U" in counts:
        return "legacy"
    return "prefiltered" if set(counts) <= {"G", "M"} else "current"


def _reason(flag: str, dialect: str, accept_unflagged: bool) -> str:
    """Why a flag rejects a row; the first bad one counts."""
    bad = [part for part in flag.split(",") if part not in {"G", "M"} and not (part == "U" and accept_unflagged)]
    if not bad:
        return ""
    return "flag_unflagged" if bad == ["U"] else f"flag_{next(part for part in bad if part != 'U')}"


def static_values(raw: bytes, site: Site, rows: Rows) -> dict[str, str]:
    """Soil of the sensor's depth, land cover of the epoch nearest to the data, and climate.

    `raw` is a `*_static_variables.csv`: separated by `;`, quotes are part of the values (`30"`).
    """
    lines = [line.split(";") for line in re.split(r"[\r\n]+", _decode(raw)[0]) if line.strip()]
    if not lines or "quantity_name" not in lines[0]:
        return {}
    names = lines[0]
    table = [dict(zip(names, line, strict=False)) for line in lines[1:]]
    year = float(rows.stamps.astype("datetime64[Y]").astype(int).mean() + 1970) if rows.stamps.size else 2000.0
    middle = (site.depth_from + site.depth_to) / 2.0
    wanted = {
        "saturation": "saturation", "clay fraction": "clay", "sand fraction": "sand",
        "organic carbon": "organic_carbon",
    }  # fmt: skip
    out: dict[str, str] = {}
    for row in table:
        key = wanted.get(row.get("quantity_name", ""))
        top, bottom = _maybe(row.get("depth_from[m]")), _maybe(row.get("depth_to[m]"))
        if key and top <= middle <= bottom and key not in out:
            out[key] = row.get("value", "")
    covers = [row for row in table if row.get("quantity_name") == "land cover classification" and row.get("value")]
    if covers:
        nearest = min(covers, key=lambda row: abs(_epoch(row.get("quantity_source_timerange", "")) - year))
        out["land_cover"] = nearest["value"]
        out["land_cover_epoch"] = nearest.get("quantity_source_name", "")
    climates = [row for row in table if row.get("quantity_name") == "climate classification" and row.get("value")]
    if climates:
        out["climate"] = climates[0]["value"]
    return out


def _maybe(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _epoch(text: str) -> float:
    years = [int(year) for year in re.findall(r"\d{4}", text)]
    return sum(years) / len(years) if years else -9999.0
