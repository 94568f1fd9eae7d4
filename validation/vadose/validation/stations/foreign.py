"""CF `timeSeries` files of soil moisture made elsewhere, brought to the canonical form of a station dataset."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from vadose.common import InputError
from vadose.validation.stations.identity import depth_class, distinct, keys
from vadose.validation.stations.sensor import FIRST_STAMP, LAST_STAMP, STAGES, Site, check_percent, placed

SOIL_MOISTURE = "volume_fraction_of_condensed_water_in_soil"
EPOCH = np.datetime64("1970-01-01", "D")
_FACTORS = {
    **dict.fromkeys(
        ("m3 m-3", "m3/m3", "m^3 m^-3", "m^3/m^3", "m**3 m**-3", "m**3/m**3", "cm3 cm-3", "cm3/cm3", "1"), 1.0
    ),
    **dict.fromkeys(("percent", "%"), 0.01),
}

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]


def canonical(dataset: xr.Dataset, where: str) -> xr.Dataset:
    """The canonical form of a dataset opened without decoding times.

    The variable is found by standard name, or by `axis`-like attributes of its dimensions; one station without a
    station dimension is taken, too. Stations without a place on the globe stay, with `status` saying so.

    Raises
    ------
    InputError
        If variable, units, time or coordinates cannot be found; it names the file, the variable and what is expected.
    """
    name = _variable(dataset, where)
    values = dataset[name]
    factor = _factor(values, f"{where}, variable {name}")
    time = _time_name(dataset, values, where)
    others = [str(dim) for dim in values.dims if dim != time]
    if len(others) > 1:
        raise InputError(
            f"dimensions {', '.join(map(str, values.dims))}; expected a station and a time dimension",
            where=f"{where}, variable {name}", next="give a grid as --reference NAME=PATH",
        )  # fmt: skip
    if not others:
        dataset, values, others = dataset.expand_dims("station"), values.expand_dims("station"), ["station"]
    station = others[0]
    series = np.asarray(values.transpose(station, time), np.float64) * factor
    ids = distinct(_ids(dataset, station))
    for row, one in zip(series, ids, strict=True):
        check_percent(row, f"{where}, variable {name}, station {one}")
    days = _days(dataset[time], where)
    impossible = (series < 0.0) | (series > 1.0)
    counts = np.stack([np.isnan(series).sum(axis=1), impossible.sum(axis=1)], axis=1)
    possible = np.where(impossible, np.nan, series)
    grid = _daily_grid(possible, days, f"{where}, variable {name}")
    return _with_funnel(_assembled(dataset, station, values, *grid, where), counts, dataset.sizes[time])


def _with_funnel(dataset: xr.Dataset, rejected: npt.NDArray[np.int64], read: int) -> xr.Dataset:
    """Counts of the days of each station: those of the file, those with a value, those with a possible one."""
    missing, impossible = rejected.T
    there = read - missing
    count = {"rows_read": np.full_like(missing, read), "not_missing": there}
    stages = [count.get(stage, np.full_like(missing, read) if at < 3 else there - impossible)
              for at, stage in enumerate(STAGES)]  # fmt: skip
    return dataset.assign(
        funnel=(("station", "stage"), np.stack(stages, axis=1).astype(np.int64)),
        rejected=(("station", "reason"), rejected.astype(np.int64)),
    ).assign_coords(
        stage=("stage", np.array(STAGES, object)), reason=("reason", np.array(["missing", "own_range"], object))
    )  # fmt: skip


def _assembled(
    dataset: xr.Dataset, station: str, values: xr.DataArray, series: npt.NDArray[np.float32], days: Days, where: str
) -> xr.Dataset:
    count = len(series)
    ids = distinct(_ids(dataset, station))
    lat, lon = (_coordinate(dataset, one, station, where) for one in ("latitude", "longitude"))
    depth_from, depth_to = _depths(dataset, station)
    kinds = _words(dataset, "footprint_kind", station) or ["point"] * count
    sites = [
        placed(Site("", "", "", float(a), float(b), np.nan, *d))
        for a, b, *d in zip(lat, lon, depth_from, depth_to, strict=True)
    ]
    fallback = _convention(values.attrs)
    text = {
        "station_id": ids, "key": keys(ids), "network": _words(dataset, "network", station) or ["unknown"] * count,
        "station_name": _words(dataset, "station_name", station) or ids, "footprint_kind": kinds,
        "depth_class": [depth_class(a, b, kind) for a, b, kind in zip(depth_from, depth_to, kinds, strict=True)],
        "status": [site.place_status for site in sites],
        "land_cover": _words(dataset, "land_cover", station) or ["unknown"] * count,
        "climate": _words(dataset, "climate", station) or ["unknown"] * count,
        "day_convention": _words(dataset, "day_convention", station) or [fallback] * count,
        "flag_dialect": ["none"] * count,
        "licence": _words(dataset, "licence", station)
        or [str(dataset.attrs.get("license", dataset.attrs.get("licence", "not stated")))] * count,
    }  # fmt: skip
    numbers = {
        "lat": np.array([site.lat for site in sites]), "lon": np.array([site.lon for site in sites]),
        "depth_from": depth_from, "depth_to": depth_to, "utc_offset": _column(dataset, "utc_offset", station, 0.0),
        "redistributable": _column(dataset, "redistributable", station, 0.0).astype(np.int8),
    }  # fmt: skip
    out = xr.Dataset({"soil_moisture": (("station", "time"), series)})
    for name, words in text.items():
        out[name] = ("station", np.array(words, dtype=object))
    for name, array in numbers.items():
        out[name] = ("station", array)
    return out.assign_coords(time=("time", (days - EPOCH).astype(float) + 0.5))


def _variable(dataset: xr.Dataset, where: str) -> str:
    names = [
        str(name) for name in dataset.data_vars
        if dataset[name].attrs.get("standard_name") == SOIL_MOISTURE and dataset[name].ndim
    ]  # fmt: skip
    if len(names) == 1:
        return names[0]
    found = (f"{name} ({dataset[name].attrs.get('standard_name', 'no standard_name')})" for name in dataset.data_vars)
    raise InputError(
        f"{len(names)} variables with standard_name {SOIL_MOISTURE}, one is expected", where=where,
        why=f"variables: {', '.join(found)}",
        next=f"set the attribute standard_name = {SOIL_MOISTURE!r} of the variable of soil moisture",
    )  # fmt: skip


def _factor(values: xr.DataArray, where: str) -> float:
    units = str(values.attrs.get("units", "")).strip()
    if units not in _FACTORS:
        raise InputError(f"units {units!r}, expected 'm3 m-3' or 'percent'", where=where)
    return _FACTORS[units]


def _convention(attributes: dict[str, Any]) -> str:
    text = " ".join(str(attributes.get(key, "")) for key in ("cell_methods", "comment", "long_name"))
    return "solar06" if "06:00 local" in text else "utc"


def _time_name(dataset: xr.Dataset, values: xr.DataArray, where: str) -> str:
    for dim in map(str, values.dims):
        if dim in dataset.variables and " since " in str(dataset[dim].attrs.get("units", "")):
            return dim
    raise InputError(
        "no time coordinate with units `... since ...`", where=f"{where}, variable {values.name}",
        why=f"dimensions {', '.join(map(str, values.dims))}",
    )  # fmt: skip


def _coordinate(dataset: xr.Dataset, name: str, station: str, where: str) -> Floats:
    short = name[:3]
    for key in dataset.variables:
        variable = dataset[key]
        if variable.attrs.get("standard_name") == name or key in (short, name):
            if variable.dims == (station,):
                return _numeric(variable, f"{where}, variable {key}")
            if variable.ndim == 0 and dataset.sizes[station] == 1:
                return _numeric(variable, f"{where}, variable {key}").reshape(1)
    raise InputError(
        f"no {name} of the stations", where=where, why=f"expected a variable {short}({station}) in degrees",
        next=f"add it, with standard_name {name!r}",
    )  # fmt: skip


def _numeric(variable: xr.DataArray, where: str) -> Floats:
    try:
        return np.asarray(variable, float)
    except (TypeError, ValueError) as error:
        raise InputError("expected numbers in degrees", where=where, why=str(error)) from error


def _ids(dataset: xr.Dataset, station: str) -> list[str]:
    named = [key for key in dataset.variables if dataset[key].attrs.get("cf_role") == "timeseries_id"]
    for key in [*named, "station_id", "station_name", station]:
        if key in dataset.variables and dataset[key].dims == (station,):
            words = [_plain(value) for value in dataset[key].values]
            return [word or f"{number:04d}" for number, word in enumerate(words)]
    return [f"{number:04d}" for number in range(dataset.sizes[station])]


def _plain(value: Any) -> str:
    """Text of a name, without the characters that no table or file can hold."""
    text = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
    return "".join(letter for letter in text if letter.isprintable()).strip()


def _words(dataset: xr.Dataset, name: str, station: str) -> list[str]:
    if name in dataset.variables and dataset[name].dims == (station,):
        return [_plain(value) for value in dataset[name].values]
    return []


def _column(dataset: xr.Dataset, name: str, station: str, default: float) -> Floats:
    if name in dataset.variables and dataset[name].dims == (station,) and dataset[name].dtype.kind in "fiub":
        known: Floats = np.nan_to_num(np.asarray(dataset[name], float), nan=default)
        return known
    return np.full(dataset.sizes[station], default)


def _depths(dataset: xr.Dataset, station: str) -> tuple[Floats, Floats]:
    nothing = np.full(dataset.sizes[station], np.nan)
    if {"depth_from", "depth_to"} <= set(map(str, dataset.variables)):
        top, bottom = (
            np.broadcast_to(np.asarray(dataset[name], float), nothing.shape) for name in ("depth_from", "depth_to")
        )
        return top, bottom
    for key in dataset.variables:
        if dataset[key].attrs.get("standard_name") == "depth" and dataset[key].ndim <= 1:
            factor = 0.01 if str(dataset[key].attrs.get("units", "m")).strip() == "cm" else 1.0
            depth = np.broadcast_to(np.asarray(dataset[key], float) * factor, nothing.shape)
            return depth, depth
    return nothing, nothing


def _days(time: xr.DataArray, where: str) -> Days:
    try:
        decoded = xr.decode_cf(xr.Dataset({"time": time.rename("time")}))["time"].values
    except (ValueError, OverflowError) as error:
        raise InputError(f"the time axis cannot be decoded: {error}", where=f"{where}, variable {time.name}") from error
    if not np.issubdtype(decoded.dtype, np.datetime64) or np.isnat(decoded).any():
        raise InputError("the time axis has no calendar of real days, or gaps", where=f"{where}, variable {time.name}")
    days: Days = decoded.astype("datetime64[D]")
    if days.size and not (days.min() >= FIRST_STAMP and days.max() < LAST_STAMP):
        raise InputError(
            f"days from {days.min()} to {days.max()}, expected 1900 to 2100", where=f"{where}, variable {time.name}",
            next="correct the values or the units of the time axis",
        )  # fmt: skip
    return days


def _daily_grid(values: Floats, days: Days, where: str) -> tuple[npt.NDArray[np.float32], Days]:
    """Values on consecutive days; several values a day are refused, since their mean is not ours to define."""
    if days.size == 0:
        raise InputError("no day at all", where=where)
    if np.unique(days).size != days.size:
        raise InputError("more than one value a day", where=where, next="average the series to days first")
    whole = np.arange(days.min(), days.max() + 1)
    out = np.full((len(values), whole.size), np.nan, np.float32)
    out[:, (days - whole[0]).astype(int)] = values
    return out, whole
