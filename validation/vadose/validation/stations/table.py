"""Station tables read through a declared mapping: columns, units, missing codes, time formats, offset, place."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic
import yaml

from vadose.common import InputError, UsageError
from vadose.validation.stations.sensor import Origin, Rows, Sensor, Site, check_percent, daily_sensor
from vadose.validation.stations.sources import Member

FACTORS = {"m3 m-3": 1.0, "percent": 0.01}


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class TimeColumn(_Strict):
    """Where the time stands. `utc_offset` (hours) must be declared; 0 for UTC."""

    column: str
    formats: tuple[str, ...] = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S")
    utc_offset: float = pydantic.Field(ge=-14, le=14)
    # Daily tables: the day is one of this convention. Sub-daily stamps are brought to UTC.
    day: Literal["utc", "local_standard"] = "utc"


class ValueColumn(_Strict):
    """One column of soil moisture."""

    column: str
    units: Literal["m3 m-3", "percent"]
    depth_m: tuple[float, float]
    missing: tuple[float, ...] = ()


class Mapping(_Strict):
    """The declaration beside a table.

    `station`, `lat` and `lon` are a column name each (text) or, for one station, the value itself (`lat: 39.1`).
    """

    network: str
    licence: str
    redistributable: bool
    separator: str = ","
    skip_lines: int = pydantic.Field(default=0, ge=0)
    time: TimeColumn
    values: tuple[ValueColumn, ...] = pydantic.Field(min_length=1)
    station: str | None = None
    station_column: str | None = None
    lat: float | str
    lon: float | str
    altitude: float = float("nan")
    sensor: str = "unknown"
    footprint_kind: Literal["point", "cosmic-ray", "core-site"] = "point"


def load_mapping(path: Path) -> Mapping:
    """Read a mapping; faults are a `UsageError` with the key and what was expected."""
    try:
        values: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the mapping: {error.strerror}", where=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"not valid YAML: {error}", where=str(path)) from error
    try:
        return Mapping.model_validate(values)
    except pydantic.ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise UsageError(faults, where=str(path), next=f"keys: {', '.join(Mapping.model_fields)}") from error


def read_table(member: Member, mapping: Mapping) -> list[Sensor]:
    """Read all stations and depths of one table."""
    text = member.read().decode("utf-8-sig", errors="replace")
    lines = text.splitlines()[mapping.skip_lines :]
    table = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=mapping.separator))
    if not table:
        raise InputError("the table is empty", where=member.name)
    names = [name.strip() for name in table[0]]
    needed = [mapping.time.column, *(value.column for value in mapping.values)]
    needed += [name for name in (mapping.station_column, mapping.lat, mapping.lon) if isinstance(name, str)]
    lacking = [name for name in needed if name not in names]
    if lacking:
        raise InputError(
            f"no column {', '.join(map(repr, lacking))}", where=member.name, why=f"columns: {', '.join(names)}",
            next="correct the mapping, or its skip_lines",
        )  # fmt: skip
    stations: dict[str, list[dict[str, str]]] = {}
    for row in table[1:]:
        if row:
            record = dict(zip(names, row, strict=False))
            stations.setdefault(
                record.get(mapping.station_column or "", mapping.station or mapping.network), []
            ).append(record)
    return [
        _sensor(member, mapping, name, value, records)
        for name, records in sorted(stations.items())
        for value in mapping.values
    ]


def _sensor(member: Member, mapping: Mapping, name: str, value: ValueColumn, records: list[dict[str, str]]) -> Sensor:
    stamps, values, reasons = [], [], []
    for record in records:
        stamp = _stamp(record.get(mapping.time.column, ""), mapping.time)
        number = _number(record.get(value.column, ""))
        if stamp is None or number is None:
            continue
        missing = number in value.missing or not np.isfinite(number)
        scaled = number * FACTORS[value.units]
        stamps.append(stamp)
        values.append(scaled)
        reasons.append("missing" if missing else "" if 0.0 <= scaled <= 1.0 or value.units == "m3 m-3" else "own_range")
    if not stamps:
        raise InputError("no row can be read", where=member.name, why=f"station {name!r}, column {value.column!r}")
    times = np.array(stamps, "datetime64[m]")
    series = np.array(values, float)
    lat, lon = (_place(mapping_value, records, member) for mapping_value in (mapping.lat, mapping.lon))
    site = Site(
        mapping.network, name, mapping.sensor, lat, lon, mapping.altitude, *value.depth_m, mapping.footprint_kind
    )
    origin = Origin(
        file=member.name, sha256=member.sha256(), licence=mapping.licence, redistributable=mapping.redistributable,
        day_convention=mapping.time.day, utc_offset=mapping.time.utc_offset,
    )  # fmt: skip
    found = np.array(reasons, "U24")
    if value.units == "m3 m-3":
        good = found == ""
        check_percent(series[good], member.name)
        found = np.where(good & ((series < 0) | (series > 1)), "own_range", found)
    return daily_sensor(site, origin, Rows(times, series, found, len(records)))


def _stamp(text: str, time: TimeColumn) -> datetime | None:
    for form in time.formats:
        try:
            stamp = datetime.strptime(text.strip(), form)
        except ValueError:
            continue
        whole_day = "%H" not in form
        return stamp if whole_day or time.day == "local_standard" else stamp - timedelta(hours=time.utc_offset)
    return None


def _number(text: str) -> float | None:
    try:
        return float(text) if text.strip() else float("nan")
    except ValueError:
        return None


def _place(value: float | str, records: list[dict[str, str]], member: Member) -> float:
    if isinstance(value, float | int):
        return float(value)
    try:
        return float(records[0][value])
    except ValueError as error:
        raise InputError(
            f"{value} is {records[0][value]!r}, not degrees as a number", where=member.name,
            next="write the coordinates into the mapping",
        ) from error  # fmt: skip
