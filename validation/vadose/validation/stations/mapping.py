"""The declaration beside a station table: which column is what, in which units, when and where."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pydantic

from vadose.validation.declarations import Strict, declared, read_yaml
from vadose.validation.stations.checks import CHECKS, Check

FACTORS = {"m3 m-3": 1.0, "percent": 0.01}


class TimeColumn(Strict):
    """Where the time stands. `utc_offset` (hours) must be declared; 0 for UTC.

    Several columns (`date hour`) are joined by a blank before they are read by the first format that fits.
    """

    column: str | tuple[str, ...]
    formats: tuple[str, ...] = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S")
    utc_offset: float = pydantic.Field(ge=-14, le=14)
    # Daily tables: the day is one of this convention. Sub-daily stamps are brought to UTC.
    day: Literal["utc", "local_standard"] = "utc"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that hold the time."""
        return (self.column,) if isinstance(self.column, str) else self.column


class Uncertainty(Strict):
    """Columns that give an error: one of standard deviations, or a lower and an upper one.

    `kind` says whether lower and upper are limits or deviations from the value; `sigmas` how many standard deviations
    lie between the value and each (1.96 for 95 % limits).
    """

    column: str | None = None
    lower: str | None = None
    upper: str | None = None
    kind: Literal["limits", "deviations"] = "limits"
    sigmas: float = pydantic.Field(default=1.0, gt=0)

    @pydantic.model_validator(mode="after")
    def _one_way(self) -> Uncertainty:
        if (self.column is None) == (self.lower is None or self.upper is None):
            raise ValueError("give either column, or lower and upper")
        return self


class ValueColumn(Strict):
    """One column of soil moisture."""

    column: str
    units: Literal["m3 m-3", "percent"]
    depth_m: tuple[float, float]
    missing: tuple[float, ...] = ()
    uncertainty: Uncertainty | None = None


class FlagColumn(Strict):
    """The network's own flag: rows are kept where it is one of `keep`, the others are `provider_flag`."""

    column: str
    keep: tuple[str, ...] = pydantic.Field(min_length=1)


class Mapping(Strict):
    """The declaration of a table.

    `station` is the value itself (one station) and `station_column` a column; `lat` and `lon` are a column name
    (text) or the degrees. Without `lat` and `lon` the stations have no place, and say so.
    """

    network: str
    licence: str
    redistributable: bool
    separator: str = ","
    skip_lines: int = pydantic.Field(default=0, ge=0)
    # Lines between the header and the first row: units, kinds of average.
    skip_after_header: int = pydantic.Field(default=0, ge=0)
    # Names of the columns of a table without a header line.
    header: tuple[str, ...] | None = None
    time: TimeColumn
    values: tuple[ValueColumn, ...] = pydantic.Field(min_length=1)
    station: str | None = None
    station_column: str | None = None
    lat: float | str | None = None
    lon: float | str | None = None
    altitude: float = float("nan")
    sensor: str = "unknown"
    footprint_kind: Literal["point", "cosmic-ray", "core-site"] = "point"
    footprint_radius_m: float = float("nan")
    flag: FlagColumn | None = None
    # Columns of mm of rain since the row before, and of soil temperature in degree Celsius.
    precipitation: str | None = None
    soil_temperature: str | None = None
    porosity: float = pydantic.Field(default=float("nan"), gt=0, le=1)
    # Our own checks; [] for values that the source has cleaned already.
    checks: tuple[Check, ...] = CHECKS

    @property
    def columns(self) -> list[str]:
        """All columns that the table must have."""
        out = [*self.time.columns, *(value.column for value in self.values)]
        for value in self.values:
            error = value.uncertainty
            out += [name for name in (error.column, error.lower, error.upper) if name] if error else []
        places = [name for name in (self.lat, self.lon) if isinstance(name, str) and not _is_degrees(name)]
        others = (self.station_column, self.precipitation, self.soil_temperature)
        return [*out, *places, *(name for name in others if name), *([self.flag.column] if self.flag else [])]


def _is_degrees(text: str) -> bool:
    return degrees(text) is not None


def degrees(text: str) -> float | None:
    """Degrees of `38.23`, `N38.23459`, `122.4W` or `38.23° S`; None for anything else."""
    match = re.fullmatch(r"\s*([NSEWnsew]?)\s*([-+]?\d+(?:\.\d*)?)\s*°?\s*([NSEWnsew]?)\s*", text)
    if not match or (match[1] and match[3]):
        return None
    side = (match[1] or match[3]).upper()
    return -float(match[2]) if side in ("S", "W") else float(match[2])


def load_mapping(path: Path) -> Mapping:
    """Read a mapping; faults are a `UsageError` with the key and what was expected."""
    parts = (TimeColumn, Uncertainty, ValueColumn, FlagColumn)
    return declared(Mapping, read_yaml(path, "mapping"), str(path), parts)
