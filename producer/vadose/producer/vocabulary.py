"""Every variable the system knows, with its CF name, units and physical range, and the declared unit rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.common import InputError, UsageError


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One variable of the vocabulary.

    `valid_range` is the physical range in `units`: values outside become missing and are counted.
    """

    name: str
    units: str
    valid_range: tuple[float, float]
    long_name: str
    standard_name: str | None = None
    static: bool = False

    def __post_init__(self) -> None:
        low, high = self.valid_range
        if not low < high:
            raise ValueError(f"{self.name}: valid_range needs low < high, got ({low}, {high})")


SOIL_MOISTURE = "volume_fraction_of_condensed_water_in_soil"
# Made of station datasets and the cube's grid; no input file holds it.
IN_SITU = "in_situ_sm"


def _soil_moisture(name: str, long_name: str, low: float = 0.0) -> Variable:
    return Variable(name=name, units="m3 m-3", valid_range=(low, 1.0), long_name=long_name, standard_name=SOIL_MOISTURE)


def _static(
    name: str, units: str, low: float, high: float, long_name: str, standard_name: str | None = None
) -> Variable:
    return Variable(
        name=name, units=units, valid_range=(low, high), long_name=long_name, standard_name=standard_name, static=True
    )


def _daily(
    name: str, units: str, low: float, high: float, long_name: str, standard_name: str | None = None
) -> Variable:
    return Variable(name=name, units=units, valid_range=(low, high), long_name=long_name, standard_name=standard_name)


VARIABLES: tuple[Variable, ...] = (
    _soil_moisture("smap_sm_am", "SMAP radiometer soil moisture, 0-5 cm, at 06:00 local solar time"),
    _soil_moisture("smap_sm_pm", "SMAP radiometer soil moisture, 0-5 cm, at 18:00 local solar time"),
    _soil_moisture("cci_sm", "ESA CCI soil moisture, combined"),
    _soil_moisture("glass_sm", "GLASS-MODIS soil moisture, 0-5 cm"),
    _soil_moisture("noah_sm", "GLDAS-Noah soil moisture, 0-10 cm"),
    _soil_moisture("noah_sm_layer2", "GLDAS-Noah soil moisture, 10-40 cm"),
    # Packing makes small negative values real in ERA5.
    _soil_moisture("era5_sm", "ERA5 volumetric soil water, layer 1, 0-7 cm", low=-0.02),
    _soil_moisture("era5_sm_layer2", "ERA5 volumetric soil water, layer 2, 7-28 cm", low=-0.02),
    _soil_moisture("land_model_a_sm", "soil moisture of land model A, 0-10 cm"),
    _soil_moisture("land_model_b_sm", "soil moisture of land model B, 0-7 cm"),
    _soil_moisture("ascat_sm", "ASCAT surface soil moisture, degree of saturation times porosity"),
    _soil_moisture(IN_SITU, "soil moisture of the good stations of a cell, 0-5 cm, mean"),
    _daily("ascat_ssm", "percent", 0.0, 100.0, "ASCAT surface soil moisture, degree of saturation"),
    _daily("precipitation", "mm d-1", 0.0, 2000.0, "precipitation", "lwe_precipitation_rate"),
    _daily("air_temperature", "K", 180.0, 340.0, "air temperature at 2 m", "air_temperature"),
    _daily("specific_humidity", "kg kg-1", 0.0, 0.1, "specific humidity at 2 m", "specific_humidity"),
    _daily(
        "shortwave_radiation",
        "W m-2",
        0.0,
        600.0,
        "downward shortwave radiation at the surface",
        "surface_downwelling_shortwave_flux_in_air",
    ),
    _daily(
        "longwave_radiation",
        "W m-2",
        40.0,
        700.0,
        "downward longwave radiation at the surface",
        "surface_downwelling_longwave_flux_in_air",
    ),
    _daily("eastward_wind", "m s-1", -60.0, 60.0, "eastward wind at 10 m", "eastward_wind"),
    _daily("northward_wind", "m s-1", -60.0, 60.0, "northward wind at 10 m", "northward_wind"),
    _daily("land_surface_temperature", "K", 180.0, 360.0, "land surface temperature, clear sky", "surface_temperature"),
    _daily(
        "land_surface_temperature_all_weather",
        "K",
        180.0,
        360.0,
        "land surface temperature, all weather",
        "surface_temperature",
    ),
    _daily("soil_temperature", "K", 200.0, 350.0, "temperature of the top soil layer", "soil_temperature"),
    _daily(
        "snow_water_equivalent",
        "kg m-2",
        0.0,
        120000.0,
        "snow water equivalent",
        "surface_snow_amount",
    ),
    _daily("albedo", "1", 0.0, 1.0, "shortwave albedo", "surface_albedo"),
    _daily("albedo_visible", "1", 0.0, 1.0, "black-sky albedo, visible", "surface_albedo"),
    _daily("albedo_near_infrared", "1", 0.0, 1.0, "black-sky albedo, near infrared", "surface_albedo"),
    _daily("ndvi", "1", -1.0, 1.0, "normalized difference vegetation index", "normalized_difference_vegetation_index"),
    _daily("evi", "1", -1.0, 1.0, "enhanced vegetation index"),
    _daily("fvc", "1", 0.0, 1.0, "fractional vegetation cover", "vegetation_area_fraction"),
    _daily("evapotranspiration", "mm d-1", -5.0, 30.0, "evapotranspiration", "lwe_water_evapotranspiration_flux"),
    _daily("vegetation_water_content", "kg m-2", 0.0, 50.0, "vegetation water content"),
    _static("elevation", "m", -500.0, 9000.0, "surface elevation", "surface_altitude"),
    _static("slope", "degree", 0.0, 90.0, "terrain slope"),
    _static("aspect_sine", "1", -1.0, 1.0, "sine of terrain aspect"),
    _static("aspect_cosine", "1", -1.0, 1.0, "cosine of terrain aspect"),
    _static("sand", "percent", 0.0, 100.0, "sand content of the top soil"),
    _static("silt", "percent", 0.0, 100.0, "silt content of the top soil"),
    _static("clay", "percent", 0.0, 100.0, "clay content of the top soil"),
    _static("bulk_density", "g cm-3", 0.1, 2.6, "bulk density of the top soil"),
    _static("organic_carbon", "percent", 0.0, 60.0, "organic carbon content of the top soil"),
    _static("porosity", "m3 m-3", 0.1, 0.95, "porosity of the top soil"),
    # The provider of CONUS-412 states no unit.
    _static("available_capacity", "1", 0.0, 100.0, "available water capacity as delivered, unit not stated"),
    _static("ndvi_mean", "1", -1.0, 1.0, "mean normalized difference vegetation index"),
    _static("land_cover", "1", 0.0, 255.0, "IGBP land cover class", "area_type"),
    _static("soil_class", "1", 0.0, 1000.0, "USDA soil great group code"),
    _static("soil_texture", "1", 0.0, 12.0, "USDA soil texture class code of the top soil"),
    _static("koeppen", "1", 0.0, 32.0, "Koeppen-Geiger class code"),
    _static("water_fraction", "1", 0.0, 1.0, "open water fraction", "water_area_fraction"),
    _static("urban_fraction", "1", 0.0, 1.0, "urban fraction"),
    _static("land_fraction", "1", 0.0, 1.0, "land fraction", "land_area_fraction"),
    _static("smap_flag_albedo", "1", -1e6, 1e6, "SMAP albedo flag layer"),
    _static("smap_flag_extra_ordinary", "1", -1e6, 1e6, "SMAP extraordinary-surface flag layer"),
    _static("smap_flag_landcover", "1", -1e6, 1e6, "SMAP land cover flag layer"),
    _static("smap_flag_roughness", "1", -1e6, 1e6, "SMAP roughness flag layer"),
    _static("smap_flag_dense_vegetation", "1", -1e6, 1e6, "SMAP dense-vegetation flag layer"),
    _static("smap_flag_waterbody", "1", -1e6, 1e6, "SMAP water-body flag layer"),
)

VOCABULARY: dict[str, Variable] = {variable.name: variable for variable in VARIABLES}

# Spellings that mean exactly the same.
SPELLINGS: dict[str, str] = {
    "m**3 m**-3": "m3 m-3", "m^3 m^-3": "m3 m-3", "m3/m3": "m3 m-3", "m^3/m^3": "m3 m-3", "m**3/m**3": "m3 m-3",
    "cm3 cm-3": "m3 m-3", "cm**3/cm**3": "m3 m-3", "cm3/cm3": "m3 m-3", "cm^3/cm^3": "m3 m-3", "m3 m-3": "m3 m-3",
    "%": "percent", "percent": "percent",
    "1": "1", "": "1", "-": "1", "(0 - 1)": "1", "dimensionless": "1", "fraction": "1",
    "kelvin": "K", "degK": "K", "celsius": "degC", "degrees_celsius": "degC",
    "mm/day": "mm d-1", "mm day-1": "mm d-1", "kg m-2 d-1": "mm d-1", "kg m-2 day-1": "mm d-1",
    "kg/m^2/s": "kg m-2 s-1", "kg/m2/s": "kg m-2 s-1", "kg m**-2 s**-1": "kg m-2 s-1",
    "kg/m^2": "kg m-2", "kg/m2": "kg m-2", "kg m**-2": "kg m-2",
    "kg/kg": "kg kg-1", "W/m^2": "W m-2", "W/m2": "W m-2", "W m**-2": "W m-2", "m/s": "m s-1", "m s**-1": "m s-1",
    "degrees": "degree", "deg": "degree", "g/cm3": "g cm-3", "g/cm^3": "g cm-3", "kg m-2 hour-1": "kg m-2 h-1",
}  # fmt: skip

# (from, to) -> (factor, offset): to = from * factor + offset.
RULES: dict[tuple[str, str], tuple[float, float]] = {
    ("percent", "1"): (0.01, 0.0),
    ("1", "percent"): (100.0, 0.0),
    ("degC", "K"): (1.0, 273.15),
    ("kg m-2 h-1", "mm d-1"): (24.0, 0.0),
    ("kg m-2 s-1", "mm d-1"): (86400.0, 0.0),
    ("kg m-3", "g cm-3"): (0.001, 0.0),
    ("g kg-1", "percent"): (0.1, 0.0),
    ("m of water equivalent", "kg m-2"): (1000.0, 0.0),
    ("mm h-1", "mm d-1"): (24.0, 0.0),
}


def variable(name: str) -> Variable:
    """The variable called `name`; an unknown name is a `UsageError` that lists the known ones."""
    if name not in VOCABULARY:
        raise UsageError(f"no variable named {name!r}; known variables: {', '.join(sorted(VOCABULARY))}")
    return VOCABULARY[name]


def conversion(units: str, target: str, *, where: str, layer_thickness_m: float | None = None) -> tuple[float, float]:
    """Factor and offset from `units` to `target`, by a declared rule.

    Layer water in kg m-2 becomes m3 m-3 by the thickness of the layer and 1000 kg m-3.
    Any other pair without a rule is an `InputError` with both units and `where` (file and variable).
    """
    source = SPELLINGS.get(units.strip(), units.strip())
    wanted = SPELLINGS.get(target, target)
    if source == wanted:
        return 1.0, 0.0
    if (source, wanted) == ("kg m-2", "m3 m-3") and layer_thickness_m:
        return 1.0 / (1000.0 * layer_thickness_m), 0.0
    if (source, wanted) in RULES:
        return RULES[source, wanted]
    raise InputError(
        f"units {units!r} cannot be converted to {target!r}",
        where=where,
        next="declare the right units in a product card beside the file",
    )


def screen(values: npt.NDArray[np.float32], spec: Variable) -> tuple[npt.NDArray[np.float32], int]:
    """Values with everything outside the physical range missing, and how many that were.

    A field that lies mostly far outside is not screened away but refused by `check_plausible`.
    """
    low, high = spec.valid_range
    outside = (values < low) | (values > high) | np.isinf(values)
    return np.where(outside, np.float32(np.nan), values), int(outside.sum())


def check_plausible(values: npt.NDArray[np.float32], spec: Variable, units: str, *, where: str) -> None:
    """Refuse a field whose values contradict the declared units (percent declared as a fraction, say).

    The sign of it: more than half of the finite values lie outside the physical range.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return
    low, high = spec.valid_range
    share = float(((finite < low) | (finite > high)).mean())
    if share > 0.5:
        middle = float(np.median(finite))
        raise InputError(
            f"values contradict the units: {share:.0%} outside [{low:g}, {high:g}] {spec.units}, median {middle:g}",
            where=where,
            why=f"the file declares {units!r}, {spec.name} is kept in {spec.units!r}",
            next="state the right units in a product card beside the file",
        )
