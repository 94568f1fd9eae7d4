"""U.S. Climate Reference Network, product daily01 with a header line.

Days are local standard days. Missing soil moisture is -99, other missing values are -9999 in the same row.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import PurePosixPath

import numpy as np

from vadose.common import InputError
from vadose.validation.stations.sensor import Floats, Origin, Rows, Sensor, Site, daily_sensor
from vadose.validation.stations.sources import Member, Terms

TERMS = Terms("work of the US Government (NOAA NCEI), public domain; cite USCRN", True)
DEPTHS_CM = (5, 10, 20, 50, 100)
NETWORK = "USCRN"
_MISSING_BELOW = -90.0
_MINUTES_PER_HOUR = 60.0


def is_uscrn(member: Member) -> bool:
    """Whether a file is a table with the columns of daily01."""
    if not re.search(r"\.(csv|txt)(\.gz)?$", member.name):
        return False
    header = member.read()[:4096].decode("latin-1").splitlines()[:1]
    return bool(header) and {"WBANNO", "LST_DATE", "SOIL_MOISTURE_5_DAILY"} <= set(header[0].upper().split(","))


def read_uscrn(member: Member, terms: Terms | None) -> list[Sensor]:
    """Read the soil moisture of all depths of all stations in one file."""
    table = list(csv.reader(io.StringIO(member.read().decode("latin-1"))))
    names = [name.strip().upper() for name in table[0]]
    body = [row for row in table[1:] if row]
    stations: dict[str, list[list[str]]] = {}
    broken = 0
    for row in body:
        if len(row) != len(names):
            broken += 1
            continue
        stations.setdefault(row[names.index("WBANNO")].strip().zfill(5), []).append(row)
    if not stations:
        raise InputError("no row can be read", where=member.name, why=f"{len(body)} rows, {len(names)} columns named")
    sensors: list[Sensor] = []
    for number, rows in sorted(stations.items()):
        sensors += [_sensor(member, terms or TERMS, number, depth, names, rows, broken) for depth in DEPTHS_CM]
    return [sensor for sensor in sensors if sensor.good_days]


def _sensor(
    member: Member, terms: Terms, number: str, depth_cm: int, names: list[str], rows: list[list[str]], broken: int
) -> Sensor:
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    lat, lon = float(columns["LATITUDE"][-1]), float(columns["LONGITUDE"][-1])
    values = _numbers(columns[f"SOIL_MOISTURE_{depth_cm}_DAILY"])
    stamps = np.array([f"{d[:4]}-{d[4:6]}-{d[6:8]}" for d in columns["LST_DATE"]], "datetime64[D]")
    reasons = np.where(values <= _MISSING_BELOW, "missing", np.where((values < 0) | (values > 1), "own_range", ""))
    depth = depth_cm / 100.0
    name = re.sub(r"\.(csv|txt)(\.gz)?$", "", PurePosixPath(member.name).name)
    site = Site(NETWORK, name if _one_station(columns) else number, f"WBAN-{number}", lat, lon, np.nan, depth, depth)
    # Local standard time is a whole number of hours; a zone's boundary may lie one hour from the solar one.
    origin = Origin(
        file=member.name, sha256=member.sha256(), licence=terms.licence, redistributable=terms.redistributable,
        day_convention="local_standard", utc_offset=standard_offset(lat, lon),
    )  # fmt: skip
    return daily_sensor(site, origin, Rows(stamps.astype("datetime64[m]"), values, reasons, len(rows) + broken))


def _one_station(columns: dict[str, tuple[str, ...]]) -> bool:
    return len(set(columns["WBANNO"])) == 1


def _numbers(texts: tuple[str, ...]) -> Floats:
    def number(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            return -9999.0

    return np.array([number(text) for text in texts])


def standard_offset(lat: float, lon: float) -> float:
    """Hours of standard time from UTC for a station of the network.

    The zones of the United States follow states, not meridians; the boundaries below hold for the network's
    stations to within an hour, which moves a twenty-fourth of the day.
    """
    if lat < 24:
        return -10.0
    if lat > 50:
        return -9.0
    for west, offset in ((-86.0, -5.0), (-101.5, -6.0), (-114.0, -7.0)):
        if lon > west:
            return offset
    return -8.0
