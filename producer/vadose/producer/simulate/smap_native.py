"""Writes the simulated radiometer in the native layout of SMAP L3: global HDF5 files with groups and flags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from vadose.common import Progress, silent, whole_file
from vadose.producer import grids
from vadose.producer.simulate.observed import Observed
from vadose.producer.simulate.radiometer import MISSING_FLAG, NOT_ATTEMPTED, footprints, observe_radiometer
from vadose.producer.simulate.simulation import World
from vadose.producer.simulate.weather import Days, solar_hour

GROUP = "Soil_Moisture_Retrieval_Data"
FILL = np.float32(-9999.0)
FLAG_FILL = np.uint16(65534)
CLASS_FILL = np.uint8(254)
COORDINATES = f"/{GROUP}/latitude /{GROUP}/longitude"
SECONDS_EPOCH = np.datetime64("2000-01-01T12:00:00", "ms")


@dataclass(frozen=True)
class Field:
    """A field of the file: its meaning, units and range as the header of SMAP L3 states them."""

    long_name: str
    units: str | None = None
    valid: tuple[float, float] | None = None
    dtype: str = "f4"
    fill: bool = True


_TB = "brightness temperature in 36 km Earth grid cell adjusted for the presence of water bodies."
FIELDS: dict[str, Field] = {
    "EASE_column_index": Field(
        "The column index of the 36 km EASE grid cell that contains the associated data.", None, (0, 963), "u2"
    ),
    "EASE_row_index": Field(
        "The row index of the 36 km EASE grid cell that contains the associated data.", None, (0, 405), "u2"
    ),
    "albedo": Field("Diffuse reflecting power of the Earth's surface within the grid cell.", None, (0, 1)),
    "boresight_incidence": Field(
        "Representative angle between the antenna boresight vector and the surface normal.", "degrees", (0, 90)
    ),
    "freeze_thaw_fraction": Field("Fraction of the 36 km grid cell that is denoted as frozen.", None, (0, 1)),
    "landcover_class": Field("The three most common IGBP land cover classes of the grid cell.", None, None, "u1"),
    "landcover_class_fraction": Field(
        "The fraction of the grid cell that contains the most common land cover.", None, (0, 1)
    ),
    "latitude": Field("Latitude of the center of the Earth based grid cell.", "degrees_north", fill=False),
    "latitude_centroid": Field("Weighted average of the latitude of the footprints.", "degrees", (-90, 90)),
    "longitude": Field("Longitude of the center of the Earth based grid cell.", "degrees_east", fill=False),
    "longitude_centroid": Field("Weighted average of the longitude of the footprints.", "degrees", (-180, 179.999)),
    "radar_water_body_fraction": Field(
        "The fraction of the grid cell that is covered by water by radar.", None, (0, 1)
    ),
    "retrieval_qual_flag": Field("Bit flags that record the conditions and the quality of the retrieval.", dtype="u2"),
    "roughness_coefficient": Field("A unitless value that is indicative of bare soil roughness.", None, (0, 1)),
    "soil_moisture": Field(
        "Representative soil moisture measurement for the Earth based grid cell.", "cm**3/cm**3", (0.02, 0.5)
    ),
    "soil_moisture_error": Field("Net uncertainty measure of soil moisture measure.", "cm**3/cm**3", (0, 0.2)),
    "static_water_body_fraction": Field("The fraction of the grid cell that is covered by static water.", None, (0, 1)),
    "surface_flag": Field("Bit flags that record ambient surface conditions for the grid cell", dtype="u2"),
    "surface_temperature": Field("Temperature at land surface.", "Kelvins", (0, 350)),
    "tb_3_corrected": Field(f"Third Stokes parameter, {_TB}", "Kelvin", (0, 330)),
    "tb_4_corrected": Field(f"Fourth Stokes parameter, {_TB}", "Kelvin", (0, 330)),
    "tb_h_corrected": Field(f"Horizontal polarization {_TB}", "Kelvin", (0, 330)),
    "tb_qual_flag_3": Field("Bit flags that represent the quality of the 3rd Stokes parameter", dtype="u2"),
    "tb_qual_flag_4": Field("Bit flags that represent the quality of the 4th Stokes parameter", dtype="u2"),
    "tb_qual_flag_h": Field("Bit flags that represent the quality of the horizontal polarization", dtype="u2"),
    "tb_qual_flag_v": Field("Bit flags that represent the quality of the vertical polarization", dtype="u2"),
    "tb_time_seconds": Field(
        "Acquisition time in seconds since noon on January 1, 2000 UTC.", "seconds", (-999999.9, 999999.9), "f8"
    ),
    "tb_time_utc": Field("Acquisition time in UTC.", dtype="S24", fill=False),
    "tb_v_corrected": Field(f"Vertical polarization {_TB}", "Kelvin", (0, 330)),
    "vegetation_opacity": Field(
        "The measured opacity of the vegetation in the grid cell.", None, (-999999.9, 999999.9)
    ),
    "vegetation_water_content": Field("Representative measure of water in the vegetation.", "kg/m**3", (0, 20)),
}
FLAGS = {
    "retrieval_qual_flag": ("1s, 2s, 4s", "Retrieval_recommended Retrieval_attempted Retrieval_success"),
    "surface_flag": (
        "1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 512s, 1024s, 2048s",
        "36_km_static_water_body 36_km_radar_water_body_detection 36_km_coastal_proximity 36_km_urban_area "
        "36_km_precipitation 36_km_snow_or_ice 36_km_permanent_snow_or_ice 36_km_radar_frozen_ground "
        "36_km_model_frozen_ground 36_km_mountainous_terrain 36_km_dense_vegetation 36_km_nadir_region",
    ),
}


def write_smap(world: World, folder: Path, days: Days | None = None, progress: Progress = silent) -> list[Path]:
    """Write `SMAP_L3_SM_P_<YYYYMMDD>_SIM01_001.h5` for each day; files that exist are left alone.

    Parameters
    ----------
    days
        UTC days of the world; all if None. A file takes a fifth of a second and 0.3 MB.
    """
    observed = observe_radiometer(world)
    extra = _conditions(world)
    positions = (
        np.arange(world.days.size) if days is None else (np.asarray(days, "datetime64[D]") - world.days[0]).astype(int)
    )
    paths = []
    for position in progress.track(positions, "native radiometer files", positions.size):
        stamp = str(world.days[position]).replace("-", "")
        path = folder / f"SMAP_L3_SM_P_{stamp}_SIM01_001.h5"
        if not path.exists():
            with whole_file(path) as part, h5py.File(part, "w", libver=("earliest", "v110")) as file:
                _write_day(file, observed, extra, int(position))
        paths.append(path)
    return paths


def _conditions(world: World) -> dict[str, npt.NDArray[Any]]:
    """What the radiometer's files hold beside the product, (time, footprint) or (footprint,)."""
    places = footprints(world)
    return {
        "surface_temperature": places.mean(world.land.soil_temperature),
        "freeze_thaw_fraction": places.mean((world.land.soil_temperature < 273.15).astype(np.float32)),
        "static_water_body_fraction": places.mean(world.cover.water_fraction) * places.land_fraction
        + 1.0
        - places.land_fraction,
        "landcover": _main_classes(world, places.land),
    }


def _main_classes(world: World, weights: Any) -> npt.NDArray[np.float64]:
    """The three most common land cover classes of each footprint and their shares, (2, footprint, 3)."""
    kinds = np.unique(world.cover.igbp)
    shares = np.stack([weights @ (world.cover.igbp == kind).astype(float) for kind in kinds], axis=1)
    order = np.argsort(-shares, axis=1, kind="stable")[:, :3]
    share = np.take_along_axis(shares, order, axis=1)
    kind = np.where(share > 0, kinds[order], CLASS_FILL)
    missing = 3 - kind.shape[1]
    pad = ((0, 0), (0, missing))
    return np.stack([np.pad(kind.astype(float), pad, constant_values=float(CLASS_FILL)), np.pad(share, pad)])


def _write_day(file: h5py.File, observed: Observed, extra: dict[str, npt.NDArray[Any]], position: int) -> None:
    day = observed.starts[position]
    extent = file.create_group("Metadata").create_group("Extent")
    extent.attrs.update(
        {"rangeBeginningDateTime": f"{day}T00:00:00.000Z", "rangeEndingDateTime": f"{day}T23:59:59.999Z"}
    )
    identity = file["Metadata"].create_group("DatasetIdentification")
    identity.attrs.update(
        {"shortName": "SPL3SMP", "SMAPShortName": "L3_SM_P", "abstract": "Simulated, no real observation."}
    )
    group = file.create_group(GROUP)
    group.attrs["description"] = "Simulated half orbits at 6 AM, in the layout of SMAP L3"
    values = _day_values(observed, extra, position)
    for name, field in FIELDS.items():
        _write_field(group, name, field, values.get(name), observed)


def _day_values(observed: Observed, extra: dict[str, npt.NDArray[Any]], position: int) -> dict[str, npt.NDArray[Any]]:
    """The simulated fields of a day, (footprint,), NaN or the flag's fill where not seen."""
    layers = {layer.name: layer.values[position] for layer in observed.layers}
    seen = (layers["retrieval_qual_flag"] & NOT_ATTEMPTED) == 0
    lat = np.repeat(observed.grid.lat, observed.grid.shape[1])
    lon = np.tile(observed.grid.lon, observed.grid.shape[0])
    rows, columns = np.divmod(np.arange(lat.size), observed.grid.shape[1])
    moment = observed.starts[position].astype("datetime64[ms]") + np.round(solar_hour(lon) * 3.6e6).astype(
        "timedelta64[ms]"
    )
    stamps = np.char.add(np.datetime_as_string(moment, unit="ms"), "Z").astype("S24")
    content = layers["vegetation_water_content"]
    values: dict[str, npt.NDArray[Any]] = {
        "soil_moisture": layers["soil_moisture"],
        "retrieval_qual_flag": layers["retrieval_qual_flag"].astype(np.uint16),
        "vegetation_water_content": content,
        "vegetation_opacity": 0.11 * content,
        "albedo": np.where(seen, 0.05, np.nan),
        "roughness_coefficient": np.where(seen, 0.13, np.nan),
        "boresight_incidence": np.where(seen, 40.0, np.nan),
        "tb_time_seconds": np.where(seen, (moment - SECONDS_EPOCH).astype(float) / 1000.0, np.nan),
        "tb_time_utc": np.where(seen, stamps, b"N/A"),
        "EASE_row_index": np.where(seen, rows + observed.grid.row0, FLAG_FILL).astype(np.uint16),
        "EASE_column_index": np.where(seen, columns + observed.grid.col0, FLAG_FILL).astype(np.uint16),
        "landcover_class": np.where(seen[:, None], extra["landcover"][0], CLASS_FILL).astype(np.uint8),
        "landcover_class_fraction": np.where(seen[:, None], extra["landcover"][1], np.nan),
    }
    for name in ("latitude", "latitude_centroid"):
        values[name] = np.where(seen, lat, np.nan)
    for name in ("longitude", "longitude_centroid"):
        values[name] = np.where(seen, lon, np.nan)
    for name in ("surface_temperature", "freeze_thaw_fraction"):
        values[name] = np.where(seen, extra[name][position], np.nan)
    values["static_water_body_fraction"] = np.where(seen, extra["static_water_body_fraction"], np.nan)
    for name in ("surface_flag", "tb_qual_flag_h"):
        values[name] = np.where(layers[name] == MISSING_FLAG, FLAG_FILL, layers[name]).astype(np.uint16)
    return values


def _write_field(
    group: h5py.Group, name: str, field: Field, values: npt.NDArray[Any] | None, observed: Observed
) -> None:
    """A field on the global grid; what is not simulated or not seen is the fill value."""
    shape: tuple[int, ...] = grids.global_shape("EASE2M36")
    if name.startswith("landcover"):
        shape = (*shape, 3)
    empty: Any = {"u2": FLAG_FILL, "u1": CLASS_FILL, "S24": b"N/A"}.get(field.dtype, FILL)
    if name == "retrieval_qual_flag":
        empty = np.uint16(7)
    whole = np.full(shape, empty, field.dtype)
    if values is not None:
        window = observed.grid
        inside = values.reshape(*window.shape, *shape[2:])
        if field.dtype in ("f4", "f8"):
            inside = np.where(np.isfinite(inside), inside, FILL)
        whole[window.row0 : window.row1, window.col0 : window.col1] = inside
    data = group.create_dataset(name, data=whole, chunks=(1, *shape[1:]), compression="gzip", compression_opts=4)
    data.attrs["long_name"] = np.bytes_(field.long_name.encode())
    if field.units:
        data.attrs["units"] = np.bytes_(field.units.encode())
    if field.fill:
        data.attrs["_FillValue"] = whole.dtype.type(FLAG_FILL if field.dtype == "u2" else empty)
    if name not in ("latitude", "longitude"):
        data.attrs["coordinates"] = np.bytes_(COORDINATES.encode())
    if field.valid:
        data.attrs["valid_min"], data.attrs["valid_max"] = (whole.dtype.type(bound) for bound in field.valid)
    if name in FLAGS:
        data.attrs["flag_masks"], data.attrs["flag_meanings"] = (np.bytes_(text.encode()) for text in FLAGS[name])
