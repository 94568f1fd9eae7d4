"""GLDAS-Noah 2.1, 0.25 degree, 3-hourly NetCDF.

`_inst` is the state at the time stamp, `_tavg` the mean and `_acc` the sum over the three hours before it, so that
the 00 UTC file holds rain of the day before: a day's mean of `_tavg` takes the stamps 03, 06, ... 24 UTC.
"""

from __future__ import annotations

from vadose.common import Progress
from vadose.producer.ingest.base import Ingester, Order, Origin
from vadose.producer.ingest.gridded import write_cube
from vadose.producer.ingest.latlon import Field, LatLonSource

STEPS_A_DAY = 8
ORIGIN = Origin(
    "NASA GSFC, GES DISC", "GLDAS_NOAH025_3H 2.1", "NASA data free of restrictions, cite GES DISC", True, True
)

FIELDS = {
    "noah_sm": Field("SoilMoi0_10cm_inst", layer_m=(0.0, 0.1)),
    "noah_sm_layer2": Field("SoilMoi10_40cm_inst", layer_m=(0.1, 0.4)),
    "soil_temperature": Field("SoilTMP0_10cm_inst", layer_m=(0.0, 0.1)),
    "land_surface_temperature_all_weather": Field("AvgSurfT_inst"),
    "albedo": Field("Albedo_inst"),
    "snow_water_equivalent": Field("SWE_inst"),
    "air_temperature": Field("Tair_f_inst"),
    "specific_humidity": Field("Qair_f_inst"),
    "precipitation": Field("Rainf_f_tavg", looks_back_hours=3),
    "evapotranspiration": Field("Evap_tavg", looks_back_hours=3),
    "shortwave_radiation": Field("SWdown_f_tavg", looks_back_hours=3),
    "longwave_radiation": Field("LWdown_f_tavg", looks_back_hours=3),
}


def open_source(order: Order) -> LatLonSource:
    """GLDAS files day by day; option `steps` for days of fewer than eight files."""
    return LatLonSource(order, FIELDS, int(order.options.get("steps") or STEPS_A_DAY))


def ingest(order: Order, progress: Progress) -> None:
    """Write the cube of GLDAS files."""
    write_cube([(open_source(order), order)], progress)


INGESTER = Ingester(
    name="gldas",
    summary="GLDAS-Noah 2.1, 0.25 degree, 3-hourly NetCDF",
    write=ingest,
    origin=ORIGIN,
    source=open_source,
    gives=tuple(FIELDS),
    options={"steps": f"time steps that a day needs, default {STEPS_A_DAY}"},
)
