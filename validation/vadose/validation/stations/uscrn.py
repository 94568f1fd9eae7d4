"""U.S. Climate Reference Network, product daily01: as NCEI delivers it, with a header line, or as one Parquet table.

Days are local standard days. Missing soil moisture is -99, other missing values are -9999 in the same row.
"""

from __future__ import annotations

import functools
import re
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from vadose.common import InputError
from vadose.validation.stations.checks import FROST_BELOW_C, checked
from vadose.validation.stations.context import Context
from vadose.validation.stations.lines import cells, decoded
from vadose.validation.stations.sensor import Floats, Origin, Rows, Sensor, Site, daily_sensor
from vadose.validation.stations.sources import Member, Terms

TERMS = Terms("work of the US Government (NOAA NCEI), public domain; cite USCRN", True)
DEPTHS_CM = (5, 10, 20, 50, 100)
NETWORK = "USCRN"
# The columns of a file without a header line, as the product's README lists them.
COLUMNS = (
    "WBANNO", "LST_DATE", "CRX_VN", "LONGITUDE", "LATITUDE", "T_DAILY_MAX", "T_DAILY_MIN", "T_DAILY_MEAN",
    "T_DAILY_AVG", "P_DAILY_CALC", "SOLARAD_DAILY", "SUR_TEMP_DAILY_TYPE", "SUR_TEMP_DAILY_MAX", "SUR_TEMP_DAILY_MIN",
    "SUR_TEMP_DAILY_AVG", "RH_DAILY_MAX", "RH_DAILY_MIN", "RH_DAILY_AVG",
    *(f"SOIL_MOISTURE_{depth}_DAILY" for depth in DEPTHS_CM), *(f"SOIL_TEMP_{depth}_DAILY" for depth in DEPTHS_CM),
)  # fmt: skip
_NEEDED = {"WBANNO", "LST_DATE", "LONGITUDE", "LATITUDE", "SOIL_MOISTURE_5_DAILY"}
_MISSING_BELOW = -90.0
_ROW = re.compile(rb"\s*\d{3,5}\s+\d{8}\s+[-\d.]+\s+-?\d+(\.\d+)?\s+-?\d+(\.\d+)?\s")
_PARQUET = b"PAR1"

Table = dict[str, npt.NDArray[np.str_]]


def is_uscrn(member: Member, head: bytes) -> bool:
    """Whether a file is a table with the columns of daily01."""
    if head.startswith(_PARQUET):
        return "soil_moisture_5_daily" in {name.lower() for name in _parquet_names(member)}
    line = re.split(rb"[\r\n]", head.lstrip(b"\xef\xbb\xbf"), maxsplit=1)[0]
    if _ROW.match(line):
        return len(line.split()) == len(COLUMNS)
    return set(_cells(decoded(line)[0].upper())) >= _NEEDED


def _parquet_names(member: Member) -> list[str]:
    try:
        return list(pq.read_schema(pa.BufferReader(member.read())).names)
    except (pa.ArrowInvalid, OSError):
        return []


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in (line.split(",") if "," in line else line.split())]


def read_uscrn(member: Member, context: Context) -> list[Sensor]:
    """Read the soil moisture of all depths of all stations in one file.

    Depths without any value are left out; of a station without any at all one depth stays, so that its rows count.

    Raises
    ------
    InputError
        If no row has the columns.
    """
    raw, digest = member.hashed()
    table, broken = _parquet_table(raw, member) if raw.startswith(_PARQUET) else _text_table(raw, member)
    wbans = np.array([wban.strip().zfill(5) for wban in table["WBANNO"]])
    found = np.unique(wbans)
    terms = context.terms(member, TERMS)
    sensors = []
    for number, wban in enumerate(found):
        chosen = {name: column[wbans == wban] for name, column in table.items()}
        lat, lon = (_numbers(chosen[name])[-1] for name in ("LATITUDE", "LONGITUDE"))
        origin = Origin(
            file=member.name, sha256=digest, licence=terms.licence, redistributable=terms.redistributable,
            flag_dialect="own", day_convention="local_standard", utc_offset=standard_offset(float(lat), float(lon)),
        )  # fmt: skip
        name = re.sub(r"^CRND\d+-\d{4}-|\.(csv|txt)(\.gz)?$", "", member.base) if found.size == 1 else str(wban)
        # Rows with the wrong number of columns name no station; they are counted at the first one.
        read = len(chosen["WBANNO"]) + (0 if number else broken)
        made = [
            _sensor(Site(NETWORK, name, f"WBAN-{wban}", lat, lon, np.nan, depth / 100, depth / 100), origin, chosen,
                    depth, read, context)
            for depth in DEPTHS_CM
            if f"SOIL_MOISTURE_{depth}_DAILY" in table
        ]  # fmt: skip
        sensors += [sensor for sensor in made if sensor.account.funnel["not_missing"]] or made[:1]
    return sensors


def _text_table(raw: bytes, member: Member) -> tuple[Table, int]:
    """The columns by name as text, and how many rows have another number of cells."""
    lines = [line for line in decoded(raw)[0].splitlines() if line.strip()]
    if lines and _ROW.match(lines[0].encode()):
        names, rows = list(COLUMNS), [line.split() for line in lines]
    elif lines and "," in lines[0]:
        names, rows = _cells(lines[0].upper()), cells("\n".join(lines[1:]), ",", member.name)
    else:
        names, rows = _cells(lines[0].upper()) if lines else [], [line.split() for line in lines[1:]]
    good = [row for row in rows if len(row) == len(names) and _is_date(row[names.index("LST_DATE")])]
    if not good:
        raise InputError("no row can be read", where=member.name, why=f"{len(rows)} rows, {len(names)} columns named")
    columns = zip(*good, strict=True)
    return dict(zip(names, (np.array(column) for column in columns), strict=True)), len(rows) - len(good)


@functools.cache
def _is_date(text: str) -> bool:
    try:
        return len(text) == len("yyyymmdd") and datetime.strptime(text, "%Y%m%d").year > 0
    except ValueError:
        return False


def _parquet_table(raw: bytes, member: Member) -> tuple[Table, int]:
    try:
        table = pq.read_table(pa.BufferReader(raw)).to_pandas().reset_index()
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"cannot be read as Parquet: {error}", where=member.name) from error
    table.columns = [{"WBAN": "WBANNO"}.get(str(name).upper(), str(name).upper()) for name in table.columns]
    lacking = _NEEDED - set(table.columns)
    if lacking:
        raise InputError(f"no column {', '.join(sorted(lacking))}", where=member.name)
    dates = np.char.replace(table["LST_DATE"].to_numpy().astype("datetime64[D]").astype(str), "-", "")
    return {name: table[name].to_numpy().astype(str) for name in table.columns} | {"LST_DATE": dates}, 0


def _sensor(site: Site, origin: Origin, columns: Table, depth_cm: int, read: int, context: Context) -> Sensor:
    values = _numbers(columns[f"SOIL_MOISTURE_{depth_cm}_DAILY"])
    dates = columns["LST_DATE"]
    stamps = np.array([f"{d[:4]}-{d[4:6]}-{d[6:8]}" for d in dates], "datetime64[D]").astype("datetime64[m]")
    nothing = np.full(values.size, np.nan)
    celsius = _known(columns.get(f"SOIL_TEMP_{depth_cm}_DAILY"), nothing)
    reasons = np.where(np.isfinite(values) & (values > _MISSING_BELOW), "", "missing")
    reasons = checked(stamps, values, reasons, soil_celsius=celsius)
    frozen = np.where(np.isfinite(celsius), celsius < FROST_BELOW_C, np.nan)
    rain = _known(columns.get("P_DAILY_CALC"), nothing)
    rows = Rows(stamps, values, reasons, read, columns={"frozen": frozen, "precipitation": rain})
    return daily_sensor(site, origin, rows, context.rules, nominal_count=1)


def _numbers(texts: npt.NDArray[np.str_]) -> Floats:
    def number(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            return float("nan")

    return np.array([number(text) for text in texts])


def _known(texts: npt.NDArray[np.str_] | None, nothing: Floats) -> Floats:
    """A column with NaN for its missing codes; all NaN if there is no such column."""
    if texts is None:
        return nothing
    values = _numbers(texts)
    return np.where(values <= _MISSING_BELOW, np.nan, values)


def standard_offset(lat: float, lon: float) -> float:
    """Hours of standard time from UTC for a station of the network.

    The zones of the United States follow states, not meridians; the boundaries below hold for the network's
    stations to within an hour, which moves a twenty-fourth of the day.
    """
    if lon > 0:
        # The network's one station in Siberia.
        return float(round(lon / 15.0))
    if lat < 24:
        return -10.0
    if lat > 50:
        return -9.0
    for west, offset in ((-86.0, -5.0), (-101.5, -6.0), (-114.0, -7.0)):
        if lon > west:
            return offset
    return -8.0
