"""The canonical station dataset: CF discrete sampling geometry, dimensions station and time, one file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import xarray as xr

from vadose.common import InputError, UsageError, whole_file
from vadose.validation.stations.sensor import STAGES, SURFACE_DEPTH_M, Sensor

SOIL_MOISTURE = "volume_fraction_of_condensed_water_in_soil"
SENSOR_CHOICES = ("primary", "separate")
EPOCH = np.datetime64("1970-01-01", "D")
_STATIC = ("land_cover", "climate")
_STATIC_NUMBERS = ("saturation", "sand", "clay", "organic_carbon")


def depth_class(depth_from: float, depth_to: float) -> str:
    """`surface` to 0.055 m, `shallow` to 0.105 m, else `deep`, by the lower bound."""
    if not np.isfinite(depth_to):
        return "unknown"
    if depth_to <= SURFACE_DEPTH_M:
        return "surface"
    return "shallow" if depth_to <= 0.105 else "deep"


def station_id(sensor: Sensor) -> str:
    """`network/station/depth/sensor`, each part percent-encoded."""
    site = sensor.site
    depth = f"{site.depth_from:.4f}-{site.depth_to:.4f}"
    return "/".join(quote(part, safe="") for part in (site.network, site.station, depth, site.sensor or "unknown"))


def keys(ids: Sequence[str]) -> list[str]:
    """A short name for each id that is safe in a path, a URL and an HTML id; distinct."""
    taken: set[str] = set()
    out = []
    for one in ids:
        plain = re.sub(r"[^a-z0-9]+", "-", re.sub(r"%[0-9A-Fa-f]{2}", "-", one).lower()).strip("-") or "station"
        name, number = plain, 2
        while name in taken:
            name, number = f"{plain}-{number}", number + 1
        taken.add(name)
        out.append(name)
    return out


def distinct(ids: Sequence[str]) -> list[str]:
    """The ids with `~2`, `~3` at repeated ones, so that two sensors with one name stay two."""
    seen: dict[str, int] = {}
    out = []
    for one in ids:
        seen[one] = seen.get(one, 0) + 1
        out.append(one if seen[one] == 1 else f"{one}~{seen[one]}")
    return out


def choose(sensors: Sequence[Sensor], kind: str) -> list[Sensor]:
    """The sensors that become stations: all (`separate`), or per station and depth class the longest good record."""
    if kind not in SENSOR_CHOICES:
        raise UsageError(f"no choice of sensors {kind!r}; known: {', '.join(SENSOR_CHOICES)}")
    ordered = sorted(sensors, key=lambda sensor: (station_id(sensor), sensor.origin.file))
    if kind == "separate":
        return ordered
    best: dict[tuple[str, str, str], Sensor] = {}
    for sensor in ordered:
        site = sensor.site
        key = (site.network, site.station, depth_class(site.depth_from, site.depth_to))
        if key not in best or sensor.good_days > best[key].good_days:
            best[key] = sensor
    return [sensor for sensor in ordered if any(sensor is chosen for chosen in best.values())]


def assemble(sensors: Sequence[Sensor], *, notes: dict[str, Any]) -> xr.Dataset:
    """All sensors on one time axis, as the canonical dataset.

    Parameters
    ----------
    sensors
        At least one; the order is kept.
    notes
        What the readers could not read or ignored; kept as JSON in the global attribute `reader_notes`.
    """
    spans = [sensor.days for sensor in sensors if sensor.days.size]
    first = min((days[0] for days in spans), default=EPOCH)
    last = max((days[-1] for days in spans), default=EPOCH)
    days = np.arange(first, last + 1)
    shape = (len(sensors), days.size)
    values, solar06 = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    counts = np.zeros(shape, np.int16)
    for row, sensor in enumerate(sensors):
        at = (sensor.days - first).astype(np.int64)
        values[row, at], solar06[row, at] = sensor.values, sensor.solar06
        counts[row, at] = np.minimum(sensor.counts, np.iinfo(np.int16).max)
    reasons = sorted({reason for sensor in sensors for reason in sensor.rejected})
    flags = sorted({flag for sensor in sensors for flag in sensor.flag_counts})
    data = {
        "soil_moisture": _daily(values, "time: mean", "daily mean of complete days"),
        "soil_moisture_solar06": _daily(solar06, "time: point", "mean within 06:00 local mean solar time +- 1 h"),
        "observation_count": (("station", "time"), counts, {"long_name": "values behind the day", "units": "1"}),
    }
    dataset = xr.Dataset(data | _per_station(sensors))
    dataset["funnel"] = _counts([[sensor.funnel[stage] for stage in STAGES] for sensor in sensors], "stage")
    dataset["rejected"] = _counts([[sensor.rejected.get(name, 0) for name in reasons] for sensor in sensors], "reason")
    dataset["flag_counts"] = _counts(
        [[sensor.flag_counts.get(name, 0) for name in flags] for sensor in sensors], "flag"
    )
    since = (days - EPOCH).astype(np.float64) + 0.5
    time = {"standard_name": "time", "units": "days since 1970-01-01 00:00:00", "calendar": "standard", "axis": "T"}
    dataset = dataset.assign_coords(
        time=("time", since, time), stage=("stage", _text(STAGES)), reason=("reason", _text(reasons)),
        flag=("flag", _text(flags)),
    )  # fmt: skip
    dataset.attrs = {
        "Conventions": "CF-1.11",
        "featureType": "timeSeries",
        "title": "daily soil moisture of stations",
        "vadose_stations": 1,
        "reader_notes": json.dumps(notes, sort_keys=True, ensure_ascii=False),
    }
    return dataset


def _text(words: Sequence[str]) -> npt.NDArray[np.object_]:
    return np.array(list(words), dtype=object)


def _daily(values: npt.NDArray[np.float32], method: str, long_name: str) -> tuple[Any, Any, dict[str, Any]]:
    attributes = {
        "standard_name": SOIL_MOISTURE, "units": "m3 m-3", "long_name": f"soil moisture, {long_name}",
        "cell_methods": method, "coordinates": "lat lon altitude depth station_id",
    }  # fmt: skip
    return ("station", "time"), values, attributes


def _counts(rows: list[list[int]], dimension: str) -> xr.DataArray:
    return xr.DataArray(np.array(rows, np.int64).reshape(len(rows), -1), dims=("station", dimension))


def _per_station(sensors: Sequence[Sensor]) -> dict[str, tuple[str, Any, dict[str, Any]]]:
    def column(values: list[Any], **attributes: Any) -> tuple[str, Any, dict[str, Any]]:
        array = _text(values) if values and isinstance(values[0], str) else np.array(values)
        return "station", array, attributes

    sites = [sensor.site for sensor in sensors]
    origins = [sensor.origin for sensor in sensors]
    ids = distinct([station_id(sensor) for sensor in sensors])
    out = {
        "station_id": column(ids, cf_role="timeseries_id", long_name="network/station/depth/sensor"),
        "key": column(keys(ids), long_name="short name, safe in paths"),
        "network": column([site.network for site in sites]),
        "station_name": column([site.station for site in sites]),
        "sensor": column([site.sensor for site in sites]),
        "lat": column([site.lat for site in sites], standard_name="latitude", units="degrees_north"),
        "lon": column([site.lon for site in sites], standard_name="longitude", units="degrees_east"),
        "altitude": column([site.altitude for site in sites], standard_name="altitude", units="m"),
        "depth": column(
            [(site.depth_from + site.depth_to) / 2 for site in sites],
            standard_name="depth", units="m", positive="down",
        ),
        "depth_from": column([site.depth_from for site in sites], units="m"),
        "depth_to": column([site.depth_to for site in sites], units="m"),
        "depth_class": column([depth_class(site.depth_from, site.depth_to) for site in sites]),
        "footprint_kind": column([site.footprint_kind for site in sites]),
        "footprint_radius": column([site.footprint_radius for site in sites], units="m"),
        "day_convention": column([origin.day_convention for origin in origins]),
        "utc_offset": column([origin.utc_offset for origin in origins], units="hour"),
        "flag_dialect": column([origin.flag_dialect for origin in origins]),
        "licence": column([origin.licence for origin in origins]),
        "redistributable": column([np.int8(origin.redistributable) for origin in origins]),
        "source_file": column([Path(origin.file).name for origin in origins]),
        "source_sha256": column([origin.sha256 for origin in origins]),
        "nominal_count": column([np.int32(sensor.nominal_count) for sensor in sensors]),
    }  # fmt: skip
    for name in _STATIC:
        out[name] = column([origin.static.get(name, "unknown") for origin in origins])
    for name in _STATIC_NUMBERS:
        out[name] = column([_float(origin.static.get(name)) for origin in origins])
    return out


def _float(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def write_stations(dataset: xr.Dataset, path: Path) -> None:
    """Write a station dataset as NetCDF-4, whole or not at all."""
    packed = {"zlib": True, "complevel": 4, "shuffle": True}
    encoding: dict[str, dict[str, Any]] = {
        name: {**packed, "_FillValue": np.float32(np.nan)} for name in ("soil_moisture", "soil_moisture_solar06")
    }
    encoding["observation_count"] = dict(packed)
    for name in dataset.variables:
        if str(name) not in encoding and dataset[name].dtype.kind == "f":
            encoding[str(name)] = {"_FillValue": None}
    with whole_file(path) as part:
        dataset.to_netcdf(part, engine="netcdf4", encoding=encoding)


def open_stations(path: Path) -> xr.Dataset:
    """Open a station dataset, or any CF `timeSeries` file of soil moisture made elsewhere, in the canonical form.

    Raises
    ------
    InputError
        If the file is missing or broken, has no variable with the standard name of soil moisture, no coordinates,
        or units other than m3 m-3.
    """
    try:
        with xr.open_dataset(path, decode_times=False, mask_and_scale=True, engine="netcdf4") as opened:
            dataset = opened.load()
    except FileNotFoundError as error:
        raise InputError(
            "no such station file", where=str(path), next="vadose ingest stations SOURCE --name NAME"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"cannot be read as NetCDF: {error}", where=str(path)) from error
    if dataset.attrs.get("vadose_stations") == 1:
        return dataset
    return _canonical(dataset, str(path))


_FRACTIONS = {"m3 m-3", "m3/m3", "m^3 m^-3", "m^3/m^3", "m**3 m**-3", "m**3/m**3", "cm3 cm-3", "cm3/cm3", "1"}


def _canonical(dataset: xr.Dataset, where: str) -> xr.Dataset:
    names = [str(name) for name in dataset.data_vars if dataset[name].attrs.get("standard_name") == SOIL_MOISTURE]
    if len(names) != 1:
        raise InputError(
            f"{len(names)} variables with standard_name {SOIL_MOISTURE}, one is expected", where=where,
            why=f"variables: {', '.join(map(str, dataset.data_vars))}",
        )  # fmt: skip
    values = dataset[names[0]]
    units = str(values.attrs.get("units", "")).strip()
    if units not in _FRACTIONS:
        raise InputError(f"units {units!r}, expected 'm3 m-3'", where=f"{where}, variable {names[0]}")
    time = _time_name(dataset, values, where)
    others = [str(dim) for dim in values.dims if dim != time]
    if len(others) != 1:
        raise InputError(
            f"{names[0]} has dimensions {', '.join(map(str, values.dims))}; expected a station and a time dimension",
            where=where,
        )  # fmt: skip
    station = others[0]
    values = values.transpose(station, time)
    lat, lon = (_coordinate(dataset, name, station, where) for name in ("latitude", "longitude"))
    ids = _ids(dataset, station)
    depth_from, depth_to = _depths(dataset, station)
    count = values.sizes[station]
    days = _days(dataset[time], where)
    series, days = _daily_grid(np.asarray(values, np.float32), days, f"{where}, variable {names[0]}")
    text = {
        "station_id": ids, "key": keys(ids), "network": _words(dataset, "network", station, "unknown"),
        "station_name": _words(dataset, "station_name", station, None) or ids, "footprint_kind": ["point"] * count,
        "depth_class": [depth_class(a, b) for a, b in zip(depth_from, depth_to, strict=True)],
        "land_cover": _words(dataset, "land_cover", station, "unknown"),
        "climate": _words(dataset, "climate", station, "unknown"),
        "day_convention": _words(dataset, "day_convention", station, _convention(values.attrs)),
        "licence": [str(dataset.attrs.get("license", "not stated"))] * count,
    }  # fmt: skip
    numbers = {
        "lat": lat, "lon": np.where(lon > 180.0, lon - 360.0, lon), "depth_from": depth_from, "depth_to": depth_to,
        "utc_offset": np.zeros(count), "redistributable": np.zeros(count, np.int8),
    }  # fmt: skip
    out = xr.Dataset({"soil_moisture": (("station", "time"), series)})
    for name, words in text.items():
        out[name] = ("station", _text(words or ["unknown"] * count))
    for name, array in numbers.items():
        out[name] = ("station", array)
    return out.assign_coords(time=("time", (days - EPOCH).astype(float) + 0.5))


def _convention(attributes: dict[str, Any]) -> str:
    text = " ".join(str(attributes.get(key, "")) for key in ("cell_methods", "comment", "long_name"))
    return "solar06" if "06:00 local" in text else "utc"


def _time_name(dataset: xr.Dataset, values: xr.DataArray, where: str) -> str:
    for dim in map(str, values.dims):
        if dim in dataset.variables and " since " in str(dataset[dim].attrs.get("units", "")):
            return dim
    raise InputError("no time coordinate with units `... since ...`", where=where)


def _coordinate(dataset: xr.Dataset, name: str, station: str, where: str) -> npt.NDArray[np.float64]:
    for key in dataset.variables:
        variable = dataset[key]
        if variable.attrs.get("standard_name") == name and variable.dims == (station,):
            return np.asarray(variable, float)
    short = name[:3]
    if short in dataset.variables and dataset[short].dims == (station,):
        return np.asarray(dataset[short], float)
    raise InputError(f"no {name} of the stations", where=where, next=f"add a variable {short}({station})")


def _ids(dataset: xr.Dataset, station: str) -> list[str]:
    for key in [*dataset.variables]:
        variable = dataset[key]
        if variable.attrs.get("cf_role") == "timeseries_id" or key in ("station_id", station):
            if variable.dims == (station,):
                return [str(value.decode() if isinstance(value, bytes) else value) for value in variable.values]
    return [f"{number:04d}" for number in range(dataset.sizes[station])]


def _words(dataset: xr.Dataset, name: str, station: str, default: str | None) -> list[str]:
    if name in dataset.variables and dataset[name].dims == (station,):
        return [str(value) for value in dataset[name].values]
    return [default] * dataset.sizes[station] if default is not None else []


def _depths(dataset: xr.Dataset, station: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    nothing = np.full(dataset.sizes[station], np.nan)
    if "depth_from" in dataset.variables and "depth_to" in dataset.variables:
        return tuple(
            np.broadcast_to(np.asarray(dataset[name], float), nothing.shape) for name in ("depth_from", "depth_to")
        )  # type: ignore[return-value]
    for key in dataset.variables:
        if dataset[key].attrs.get("standard_name") == "depth" and dataset[key].ndim <= 1:
            depth = np.broadcast_to(np.asarray(dataset[key], float), nothing.shape)
            return depth, depth
    return nothing, nothing


def _days(time: xr.DataArray, where: str) -> npt.NDArray[np.datetime64]:
    decoded = xr.decode_cf(xr.Dataset({"time": time.rename("time")}))["time"].values
    if not np.issubdtype(decoded.dtype, np.datetime64):
        raise InputError("the time axis has no calendar of real days", where=where)
    return decoded.astype("datetime64[D]")


def _daily_grid(
    values: npt.NDArray[np.float32], days: npt.NDArray[np.datetime64], where: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.datetime64]]:
    """Values on consecutive days; several values a day are refused, since their mean is not ours to define."""
    if np.unique(days).size != days.size:
        raise InputError("more than one value a day", where=where, next="average the series to days first")
    whole = np.arange(days.min(), days.max() + 1)
    out = np.full((len(values), whole.size), np.nan, np.float32)
    out[:, (days - whole[0]).astype(int)] = values
    return out, whole


def station_days(dataset: xr.Dataset) -> npt.NDArray[np.datetime64]:
    """Days of a canonical dataset, datetime64[D], consecutive."""
    days: npt.NDArray[np.datetime64] = EPOCH + np.floor(np.asarray(dataset["time"])).astype("timedelta64[D]")
    return days
