"""The canonical station dataset: CF discrete sampling geometry, dimensions station and time, one file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from vadose.common import UNREADABLE, InputError, whole_file
from vadose.common.deadline import opening
from vadose.common.reading import reading
from vadose.validation.stations.foreign import EPOCH, SOIL_MOISTURE, canonical
from vadose.validation.stations.identity import class_of, distinct, keys, station_id
from vadose.validation.stations.selection import station_weights
from vadose.validation.stations.sensor import STAGES, Floats, Sensor, Times

_STATIC = ("land_cover", "climate")
_STATIC_NUMBERS = ("saturation", "sand", "clay", "organic_carbon")
_COORDINATES = "lat lon altitude depth station_id"
# Daily series beside soil moisture, written where at least one station has them.
_BESIDE: dict[str, dict[str, Any]] = {
    "standard_error": {"standard_name": f"{SOIL_MOISTURE} standard_error", "units": "m3 m-3"},
    "frozen": {"long_name": "soil frozen or snow on that day, as the source says", "units": "1"},
    "precipitation": {
        "standard_name": "lwe_thickness_of_precipitation_amount", "units": "mm", "cell_methods": "time: sum",
    },
    "sensor_index": {"long_name": "physical sensor that supplied the day, in the order of `sensor`", "units": "1"},
    "footprint_radius_daily": {"long_name": "radius of the footprint on that day", "units": "m"},
    "companion": {
        "standard_name": SOIL_MOISTURE, "units": "m3 m-3",
        "long_name": "value of the satellite product that the source gives beside the station",
    },
}  # fmt: skip
_INTEGER_BESIDE = ("frozen", "sensor_index")
MISSING_INTEGER = -1
# Rises when variables of the file are added or change their meaning.
LAYOUT = 2


def assemble(sensors: Sequence[Sensor], *, notes: dict[str, Any]) -> xr.Dataset:
    """All sensors on one time axis, as the canonical dataset.

    Parameters
    ----------
    sensors
        At least one; the order is kept.
    notes
        What the readers could not read or ignored; kept as JSON in the global attribute `reader_notes`.
    """
    days = _span(sensors)
    shape = (len(sensors), days.size)
    counts = np.zeros(shape, np.int16)
    for row, sensor in enumerate(sensors):
        counts[row, _index(sensor.days, days)] = np.minimum(sensor.counts, np.iinfo(np.int16).max)
    reasons = sorted({reason for sensor in sensors for reason in sensor.account.rejected})
    flags = sorted({flag for sensor in sensors for flag in sensor.account.flag_counts})
    data: dict[str, Any] = {
        "soil_moisture": _moisture(
            [(one.days, one.values) for one in sensors], days, "time: mean", "daily mean of complete days"
        ),
        "soil_moisture_solar06": _moisture(
            [(one.days, one.solar06) for one in sensors], days, "time: point",
            "mean within 06:00 local mean solar time +- 1 h",
        ),
        "observation_count": (("station", "time"), counts, {"long_name": "values behind the day", "units": "1"}),
    }  # fmt: skip
    dataset = xr.Dataset(data | _beside(sensors, days) | _per_station(sensors))
    dataset["funnel"] = _counts([[sensor.account.funnel[stage] for stage in STAGES] for sensor in sensors], "stage")
    dataset["rejected"] = _counts(
        [[sensor.account.rejected.get(name, 0) for name in reasons] for sensor in sensors], "reason"
    )
    dataset["flag_counts"] = _counts(
        [[sensor.account.flag_counts.get(name, 0) for name in flags] for sensor in sensors], "flag"
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
        "vadose_stations": LAYOUT,
        "reader_notes": json.dumps(notes, sort_keys=True, ensure_ascii=False),
    }
    return dataset


def _span(sensors: Sequence[Sensor]) -> Times:
    """Consecutive days from the first to the last of any sensor."""
    spans = [sensor.days for sensor in sensors if sensor.days.size]
    spans += [sensor.beside["companion"].days for sensor in sensors if "companion" in sensor.beside]
    spans = [days for days in spans if days.size]
    first = min((days[0] for days in spans), default=EPOCH)
    last = max((days[-1] for days in spans), default=EPOCH)
    return np.arange(first, last + 1)


def _index(some: Times, days: Times) -> npt.NDArray[np.int64]:
    positions: npt.NDArray[np.int64] = (some - days[0]).astype(np.int64)
    return positions


def _text(words: Sequence[str]) -> npt.NDArray[np.object_]:
    return np.array(list(words), dtype=object)


def _gridded(series: Sequence[tuple[Times, Floats]], days: Times) -> npt.NDArray[np.float32]:
    """Series on all days, (station, time), NaN elsewhere; days outside are left out."""
    out = np.full((len(series), days.size), np.nan, np.float32)
    for row, (some, values) in enumerate(series):
        inside = (some >= days[0]) & (some <= days[-1])
        out[row, _index(some[inside], days)] = values[inside]
    return out


def _moisture(series: Sequence[tuple[Times, Floats]], days: Times, method: str, long_name: str) -> tuple[Any, Any, Any]:
    attributes = {
        "standard_name": SOIL_MOISTURE, "units": "m3 m-3", "long_name": f"soil moisture, {long_name}",
        "cell_methods": method, "coordinates": _COORDINATES,
    }  # fmt: skip
    return ("station", "time"), _gridded(series, days), attributes


def _beside(sensors: Sequence[Sensor], days: Times) -> dict[str, Any]:
    nothing = (np.zeros(0, "datetime64[D]"), np.zeros(0))
    out: dict[str, Any] = {}
    for name, attributes in _BESIDE.items():
        if not any(name in sensor.beside for sensor in sensors):
            continue
        series = [
            (sensor.beside[name].days, sensor.beside[name].values) if name in sensor.beside else nothing
            for sensor in sensors
        ]
        values: Any = _gridded(series, days)
        if name in _INTEGER_BESIDE:
            values = np.where(np.isnan(values), MISSING_INTEGER, values).astype(np.int8)
            attributes = {**attributes, "missing_value": np.int8(MISSING_INTEGER)}
        out[name] = (("station", "time"), values, {**attributes, "coordinates": _COORDINATES})
    return out


def _counts(rows: list[list[int]], dimension: str) -> xr.DataArray:
    return xr.DataArray(np.array(rows, np.int64).reshape(len(rows), -1), dims=("station", dimension))


def _per_station(sensors: Sequence[Sensor]) -> dict[str, tuple[str, Any, dict[str, Any]]]:
    def column(values: Any, **attributes: Any) -> tuple[str, Any, dict[str, Any]]:
        array = _text(values) if len(values) and isinstance(values[0], str) else np.array(values)
        return "station", array, attributes

    sites = [sensor.site for sensor in sensors]
    origins = [sensor.origin for sensor in sensors]
    ids = distinct([station_id(site) for site in sites])
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
        "depth_class": column([class_of(site) for site in sites]),
        "status": column([sensor.status for sensor in sensors], long_name="ok, or what is missing or wrong"),
        "station_weight": column(station_weights(sensors), long_name="share of its station's weight", units="1"),
        "footprint_kind": column([site.footprint_kind for site in sites]),
        "footprint_radius": column([site.footprint_radius for site in sites], units="m"),
        "site_class": column([site.site_class for site in sites]),
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
    for name, source in (("land_cover", "land_cover_epoch"), ("climate", "climate_map")):
        maps = sorted({origin.static[source] for origin in origins if origin.static.get(source)})
        if maps:
            out[name][2]["comment"] = f"maps: {', '.join(maps)}"
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
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in dataset.variables.items():
        floating = variable.dtype.kind == "f"
        if variable.dims == ("station", "time"):
            encoding[str(name)] = {**packed, "_FillValue": np.float32(np.nan)} if floating else dict(packed)
        elif floating:
            encoding[str(name)] = {"_FillValue": None}
    with whole_file(path) as part:
        dataset.to_netcdf(part, engine="netcdf4", encoding=encoding)


def open_stations(path: Path) -> xr.Dataset:
    """Open a station dataset, or any CF `timeSeries` file of soil moisture made elsewhere, in the canonical form.

    Raises
    ------
    InputError
        If the file is missing or broken, has no variable with the standard name of soil moisture, no coordinates,
        or units other than m3 m-3 or percent.
    """
    try:
        with opening(path):
            opened = xr.open_dataset(path, decode_times=False, mask_and_scale=True, engine="netcdf4")
        with reading(path), opened:
            dataset = opened.load()
    except FileNotFoundError as error:
        raise InputError(
            "no such station file", where=str(path), next="vadose ingest stations SOURCE --name NAME"
        ) from error
    except UNREADABLE as error:
        raise InputError(f"cannot be read as NetCDF: {error}", where=str(path)) from error
    made = dataset.attrs.get("vadose_stations")
    if made is not None and made != LAYOUT:
        raise InputError(
            f"station dataset in layout {made}, this program reads layout {LAYOUT}", where=str(path),
            next="make it again: vadose ingest stations SOURCE --name NAME",
        )  # fmt: skip
    if made == LAYOUT:
        return dataset
    return canonical(dataset, str(path))


def reader_notes(path: Path) -> dict[str, Any]:
    """What the readers of a station dataset could not read, ignored or left out; empty for other files."""
    try:
        with opening(path):
            opened = xr.open_dataset(path, decode_times=False, engine="netcdf4")
        with reading(path), opened:
            text = str(opened.attrs.get("reader_notes", "{}"))
    except UNREADABLE:
        return {}
    notes: dict[str, Any] = json.loads(text)
    return notes


def station_days(dataset: xr.Dataset) -> npt.NDArray[np.datetime64]:
    """Days of a canonical dataset, datetime64[D], consecutive."""
    days: npt.NDArray[np.datetime64] = EPOCH + np.floor(np.asarray(dataset["time"])).astype("timedelta64[D]")
    return days


def companion(dataset: xr.Dataset) -> xr.Dataset | None:
    """The satellite values that a source gives beside its stations, as a CF `timeSeries` file of their own.

    None where no station has any. Stations, ids and days are those of the dataset, and the file says layer and day
    convention, so that it can be given to a validation as a rival.
    """
    if "companion" not in dataset:
        return None
    names = ("station_id", "key", "network", "station_name", "lat", "lon", "depth_from", "depth_to", "licence",
             "redistributable", "depth_class", "footprint_kind", "utc_offset", "day_convention")  # fmt: skip
    has = np.flatnonzero(np.isfinite(dataset["companion"].values).any(axis=1))
    kept = [name for name in names if name in dataset]
    out = dataset[kept].assign(soil_moisture=dataset["companion"]).isel(station=has)
    morning = bool((out["day_convention"].values.astype(str) == "solar06").all())
    out["soil_moisture"].attrs = {
        **_BESIDE["companion"], "long_name": "satellite soil moisture beside the station, 0-5 cm",
        "comment": "values hold at 06:00 local mean solar time" if morning else "values of all overpasses of the day",
        "coordinates": "lat lon station_id",
    }  # fmt: skip
    out.attrs = {
        "Conventions": "CF-1.11", "featureType": "timeSeries", "vadose_stations": LAYOUT,
        "title": "satellite soil moisture matched to stations by their source",
        "license": "; ".join(sorted(set(out["licence"].values.astype(str)))),
    }  # fmt: skip
    return out
