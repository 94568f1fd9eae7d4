"""Station tables, as text or Parquet, read through a declared mapping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from vadose.common import InputError
from vadose.validation.stations.checks import FROST_BELOW_C, checked
from vadose.validation.stations.context import Context
from vadose.validation.stations.lines import cells, decoded
from vadose.validation.stations.mapping import FACTORS, Mapping, TimeColumn, Uncertainty, ValueColumn, degrees
from vadose.validation.stations.sensor import Floats, Origin, Rows, Sensor, Site, check_percent, daily_sensor
from vadose.validation.stations.sources import Member

Column = npt.NDArray[np.object_]
_PARQUET = b"PAR1"


def read_table(member: Member, mapping: Mapping, context: Context) -> list[Sensor]:
    """Read all stations and depths of one table.

    Raises
    ------
    InputError
        If the table is empty, lacks a declared column, or no row can be read.
    """
    raw, digest = member.hashed()
    table, broken = _parquet(raw, member) if raw.startswith(_PARQUET) else _text(raw, mapping, member)
    _check_columns(mapping, list(table), member)
    stamps = _stamps(table, mapping.time)
    size = stamps.size
    single = mapping.station or mapping.network
    named = table[mapping.station_column].astype(str) if mapping.station_column else np.full(size, single)
    sensors = []
    for number, name in enumerate(np.unique(named)):
        chosen = named == name
        rows = {key: column[chosen] for key, column in table.items()}
        # Rows with the wrong number of cells name no station; they are counted at the first one.
        astray = broken if number == 0 else 0
        sensors += [
            _sensor(member, digest, mapping, str(name), value, rows, stamps[chosen], astray, context)
            for value in mapping.values
        ]
    return sensors


def _text(raw: bytes, mapping: Mapping, member: Member) -> tuple[dict[str, Column], int]:
    """Columns of text by name, and the number of rows with too few cells."""
    lines = decoded(raw)[0].splitlines()[mapping.skip_lines :]
    blank = mapping.separator.isspace() and mapping.separator != "\t"
    found = (
        [line.split() for line in lines] if blank
        else cells("\n".join(lines), mapping.separator, member.name)
    )  # fmt: skip
    found = [row for row in found if any(cell.strip() for cell in row)]
    if mapping.header:
        names, body = list(mapping.header), found
    else:
        names, body = ([cell.strip() for cell in found[0]], found[1:]) if found else ([], [])
    _check_columns(mapping, names, member)
    body = body[mapping.skip_after_header :]
    if not body:
        raise InputError("the table is empty", where=member.name)
    last = max((names.index(name) for name in mapping.columns if name in names), default=0)
    good = [(row + [""] * len(names))[: len(names)] for row in body if len(row) > last or len(row) == len(names)]
    wanted = set(mapping.columns)
    places = [(name, at) for at, name in enumerate(names) if name in wanted]
    return {name: np.array([row[at] for row in good], object) for name, at in places}, len(body) - len(good)


def _check_columns(mapping: Mapping, names: list[str], member: Member) -> None:
    lacking = [name for name in mapping.columns if name not in names]
    if lacking:
        raise InputError(
            f"no column {', '.join(map(repr, lacking))}", where=member.name, why=f"columns: {', '.join(names)}",
            next="correct the mapping, or its skip_lines",
        )  # fmt: skip


def _parquet(raw: bytes, member: Member) -> tuple[dict[str, Column], int]:
    try:
        frame = pq.read_table(pa.BufferReader(raw)).to_pandas()
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"cannot be read as Parquet: {error}", where=member.name) from error
    frame = frame if frame.index.name is None else frame.reset_index()
    kept = {str(name): frame[name] for name in frame.columns}
    return {
        name: column.to_numpy() if column.dtype.kind == "M" else column.to_numpy(object)
        for name, column in kept.items()
    }, 0


def _stamps(table: dict[str, Column], time: TimeColumn) -> npt.NDArray[np.datetime64]:
    """Stamps of all rows, in UTC or as declared days; NaT where no format fits."""
    parts = [table[name] for name in time.columns]
    if len(parts) == 1 and parts[0].dtype.kind == "M":
        shift = 0 if time.day == "local_standard" else round(time.utc_offset * 60)
        return np.asarray(parts[0].astype("datetime64[m]") - np.timedelta64(shift, "m"))
    known: dict[str, np.datetime64] = {}
    out = np.full(parts[0].size, np.datetime64("NaT", "m"))
    for row in range(parts[0].size):
        text = " ".join(str(part[row]).strip() for part in parts)
        if text not in known:
            known[text] = _stamp(text, time)
        out[row] = known[text]
    return out


def _stamp(text: str, time: TimeColumn) -> np.datetime64:
    midnight = text.endswith((" 24:00", "T24:00", " 24:00:00"))
    text = text.replace("24:00", "00:00", 1) if midnight else text
    for form in time.formats:
        try:
            stamp = datetime.strptime(text, form)
        except ValueError:
            continue
        stamp += timedelta(days=1) if midnight else timedelta()
        if stamp.tzinfo is not None:
            stamp = stamp.astimezone(UTC).replace(tzinfo=None)
        elif "%H" in form and time.day == "utc":
            stamp -= timedelta(hours=time.utc_offset)
        return np.datetime64(stamp, "m")
    return np.datetime64("NaT", "m")


def _sensor(
    member: Member, digest: str, mapping: Mapping, name: str, value: ValueColumn, table: dict[str, Column],
    stamps: npt.NDArray[np.datetime64], astray: int, context: Context,
) -> Sensor:  # fmt: skip
    numbers, numeric = _numbers(table[value.column])
    parsed = numeric & ~np.isnat(stamps)
    if not parsed.any():
        first = " ".join(str(table[column][0]) for column in mapping.time.columns)
        raise InputError(
            "no row can be read", where=member.name,
            why=f"station {name!r}, column {value.column!r}, first time {first!r}",
            next="correct the column or the formats of the mapping's time",
        )  # fmt: skip
    table = {key: column[parsed] for key, column in table.items()}
    times, numbers = stamps[parsed], numbers[parsed]
    values = numbers * FACTORS[value.units]
    reasons = np.where(np.isfinite(numbers) & ~np.isin(numbers, value.missing), "", "missing").astype("U24")
    if mapping.flag:
        flags = np.array([str(flag).strip() for flag in table[mapping.flag.column]])
        reasons[(reasons == "") & ~np.isin(flags, mapping.flag.keep)] = "provider_flag"
    check_percent(values[reasons == ""], f"{member.name}, column {value.column}")
    celsius = _optional(table, mapping.soil_temperature)
    reasons = checked(
        times, values, reasons, porosity=mapping.porosity, soil_celsius=celsius, checks=mapping.checks
    )  # fmt: skip
    columns: dict[str, Floats] = {}
    if celsius is not None:
        columns["frozen"] = np.where(np.isfinite(celsius), celsius < FROST_BELOW_C, np.nan)
    rain = _optional(table, mapping.precipitation)
    if rain is not None:
        columns["precipitation"] = np.where(rain < 0, np.nan, rain)
    if value.uncertainty:
        columns["standard_error"] = _error(table, value.uncertainty, FACTORS[value.units])
    lat, lon = (_place(place, table, member) for place in (mapping.lat, mapping.lon))
    site = Site(
        mapping.network, name, mapping.sensor, lat, lon, mapping.altitude, *value.depth_m, mapping.footprint_kind,
        mapping.footprint_radius_m,
    )  # fmt: skip
    origin = Origin(
        file=member.name, sha256=digest, licence=mapping.licence, redistributable=mapping.redistributable,
        flag_dialect="own", day_convention=mapping.time.day, utc_offset=mapping.time.utc_offset,
    )  # fmt: skip
    rows = Rows(times, values, reasons, stamps.size + astray, columns=columns)
    return daily_sensor(site, origin, rows, context.rules)


def _numbers(column: Column) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Values, NaN for empty cells and `NA`, and which cells are a number or empty."""
    out, good = np.full(column.size, np.nan), np.ones(column.size, bool)
    for row, cell in enumerate(column):
        text = str(cell).strip()
        try:
            out[row] = float(text) if text not in ("", "NA", "None", "<NA>") else np.nan
        except ValueError:
            good[row] = False
    return out, good


def _optional(table: dict[str, Column], name: str | None) -> Floats | None:
    return _numbers(table[name])[0] if name else None


def _error(table: dict[str, Column], declared: Uncertainty, factor: float) -> Floats:
    """Standard error in m3 m-3: half the distance between the lower and the upper column, in standard deviations."""
    if declared.column:
        return _numbers(table[declared.column])[0] * factor / declared.sigmas
    low, high = (_numbers(table[str(name)])[0] for name in (declared.lower, declared.upper))
    # Deviations below are negative in some sources and positive in others; limits are ordered.
    width = np.abs(high) + np.abs(low) if declared.kind == "deviations" else high - low
    return np.asarray(width / 2.0 * factor / declared.sigmas)


def _place(place: float | str | None, table: dict[str, Column], member: Member) -> float:
    if place is None:
        return float("nan")
    if isinstance(place, float | int):
        return float(place)
    text = place if place not in table else str(table[place][0])
    found = degrees(text) if text.strip() not in ("", "nan", "NA") else float("nan")
    if found is None:
        raise InputError(
            f"column {place} holds {text!r}, expected degrees such as 38.2 or N38.2", where=member.name,
            next="write the coordinates into the mapping",
        )  # fmt: skip
    return found
