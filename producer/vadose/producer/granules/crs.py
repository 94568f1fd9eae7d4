"""Coordinate reference systems and extents of the grids, as attributes."""

from __future__ import annotations

from typing import Any

import numpy as np

from vadose.producer.grids import INVERSE_FLATTENING, SEMI_MAJOR_AXIS_M, STANDARD_PARALLEL_DEG, Grid

_WGS84 = (
    'DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563,LENGTHUNIT["metre",1]]],'
    'PRIMEM["Greenwich",0,ANGLEUNIT["degree",0.0174532925199433]]'
)
_DEGREE = 'ANGLEUNIT["degree",0.0174532925199433]'
CRS_WKT = {
    4326: f'GEOGCRS["WGS 84",{_WGS84},CS[ellipsoidal,2],AXIS["geodetic latitude (Lat)",north,ORDER[1],{_DEGREE}],'
    f'AXIS["geodetic longitude (Lon)",east,ORDER[2],{_DEGREE}],ID["EPSG",4326]]',
    6933: f'PROJCRS["WGS 84 / NSIDC EASE-Grid 2.0 Global",BASEGEOGCRS["WGS 84",{_WGS84},ID["EPSG",4326]],'
    'CONVERSION["US NSIDC EASE-Grid 2.0 Global",METHOD["Lambert Cylindrical Equal Area",ID["EPSG",9835]],'
    f'PARAMETER["Latitude of 1st standard parallel",30,{_DEGREE},ID["EPSG",8823]],'
    f'PARAMETER["Longitude of natural origin",0,{_DEGREE},ID["EPSG",8802]],'
    'PARAMETER["False easting",0,LENGTHUNIT["metre",1],ID["EPSG",8806]],'
    'PARAMETER["False northing",0,LENGTHUNIT["metre",1],ID["EPSG",8807]]],CS[Cartesian,2],'
    'AXIS["easting (X)",east,ORDER[1],LENGTHUNIT["metre",1]],AXIS["northing (Y)",north,ORDER[2],LENGTHUNIT["metre",1]],'
    'ID["EPSG",6933]]',
}


def crs_attributes(grid: Grid) -> dict[str, Any]:
    """Attributes of the grid-mapping variable of a window."""
    datum = {
        "semi_major_axis": np.float64(SEMI_MAJOR_AXIS_M), "inverse_flattening": np.float64(INVERSE_FLATTENING),
        "longitude_of_prime_meridian": np.float64(0.0), "reference_ellipsoid_name": "WGS 84",
        "prime_meridian_name": "Greenwich", "horizontal_datum_name": "World Geodetic System 1984",
        "geographic_crs_name": "WGS 84",
    }  # fmt: skip
    first: dict[str, Any] = {"long_name": "coordinate reference system"}
    if grid.is_ease2:
        first = {"grid_mapping_name": "lambert_cylindrical_equal_area"} | first
        projection: dict[str, Any] = {
            "standard_parallel": np.float64(STANDARD_PARALLEL_DEG), "longitude_of_central_meridian": np.float64(0.0),
            "false_easting": np.float64(0.0), "false_northing": np.float64(0.0),
            "projected_crs_name": "WGS 84 / NSIDC EASE-Grid 2.0 Global",
        }  # fmt: skip
    else:
        first = {"grid_mapping_name": "latitude_longitude"} | first
        projection = {}
    last = {"crs_wkt": CRS_WKT[grid.epsg], "GeoTransform": geo_transform(grid)}
    return first | datum | projection | last


def geo_transform(grid: Grid) -> str:
    """West edge, step, 0, north edge, 0, minus step, as GDAL reads it."""
    west = grid.x_edges[0] if grid.is_ease2 else grid.lon_edges[0]
    north = grid.y_edges[0] if grid.is_ease2 else grid.lat_edges[0]
    return f"{float(west)!r} {grid.step!r} 0.0 {float(north)!r} 0.0 {-grid.step!r}"


def geospatial(grid: Grid, depth_m: tuple[float, float]) -> dict[str, Any]:
    """The `geospatial_*` attributes: outer edges of the window and bounds of the layer."""
    south, north = float(grid.lat_edges[-1]), float(grid.lat_edges[0])
    west, east = float(grid.lon_edges[0]), float(grid.lon_edges[-1])
    corners = ((south, west), (north, west), (north, east), (south, east), (south, west))
    unit = "m" if grid.is_ease2 else "degree"
    return {
        "geospatial_lat_min": np.float64(south),
        "geospatial_lat_max": np.float64(north),
        "geospatial_lat_units": "degrees_north",
        "geospatial_lon_min": np.float64(west),
        "geospatial_lon_max": np.float64(east),
        "geospatial_lon_units": "degrees_east",
        "geospatial_vertical_min": np.float64(depth_m[0]),
        "geospatial_vertical_max": np.float64(depth_m[1]),
        "geospatial_vertical_units": "m",
        "geospatial_vertical_positive": "down",
        "geospatial_vertical_resolution": f"{round(depth_m[1] - depth_m[0], 9):g} m",
        "geospatial_lat_resolution": f"{grid.step!r} {unit}",
        "geospatial_lon_resolution": f"{grid.step!r} {unit}",
        "geospatial_bounds": "POLYGON ((" + ", ".join(f"{lat:.12g} {lon:.12g}" for lat, lon in corners) + "))",
        "geospatial_bounds_crs": "EPSG:4326",
        "geospatial_bounds_vertical_crs": "depth below the land surface (no EPSG code)",
    }
