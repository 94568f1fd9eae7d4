"""Series as CSV, Parquet, and NetCDF of the CF kind `timeSeries`."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vadose.common import whole_file
from vadose.producer.granules.flags import ALL, FLAGS
from vadose.producer.granules.header import FILL, UNITS, period_values
from vadose.producer.granules.periods import is_mean
from vadose.producer.granules.wording import (
    SOLAR_COMMENT,
    cell_methods,
    flag_comment,
    layer,
    moisture_comment,
    moment,
    uncertainty_comment,
)
from vadose.producer.recipe import Product, Recipe
from vadose.producer.release.series import Series
from vadose.producer.vocabulary import SOIL_MOISTURE

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

FORMATS = ("csv", "parquet", "netcdf")
# Digits after the point; degrees to a tenth of a metre, soil moisture finer than it is stored.
DIGITS = {"lat": 6, "lon": 6, "cell_lat": 6, "cell_lon": 6, "share": 6, "domain_share": 6, "coverage": 4, "sm": 4,
          "sm_uncertainty": 4}  # fmt: skip
AREA_COMMENT = (
    "Mean of the cells of an area, weighted by the area of each that lies in it; the uncertainty is the mean of the "
    "cells' (errors taken as fully correlated), a bit of the flag is set where at least half of the area has it."
)


def columns(series: Series) -> dict[str, npt.NDArray[Any]]:
    """One value for each day and place, days outermost, by the name of the column."""
    days, places = len(series.days), len(series.name)

    def each(values: Any) -> npt.NDArray[Any]:
        return np.tile(np.asarray(values), days)

    found: dict[str, Any] = {
        "day": np.repeat(series.days, places), "name": np.tile(np.array(series.name, object), days),
        "lat": each(series.lat), "lon": each(series.lon),
    }  # fmt: skip
    if series.coverage is None:
        found |= {"cell_lat": each(series.cell_lat), "cell_lon": each(series.cell_lon)}
    else:
        found |= {"domain_share": each(series.domain_share), "coverage": series.coverage.ravel()}
    if series.share is not None:
        found |= {"share": each(series.share)}
    return found | {name: getattr(series, name).ravel() for name in ("sm", "sm_uncertainty", "flag")}


def as_csv(series: Series) -> str:
    """One line for each day and place; missing values are empty."""
    table = columns(series)
    words = [[_word(value, DIGITS.get(name)) for value in values] for name, values in table.items()]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*words, strict=True))
    return out.getvalue()


def _word(value: Any, digits: int | None) -> str:
    if digits is None:
        return str(value)
    return "" if np.isnan(value) else f"{value:.{digits}f}"


def frame(series: Series) -> pd.DataFrame:
    """The same table with the values as stored; days are UTC dates."""
    import pandas as pd

    table = columns(series)
    return pd.DataFrame(table | {"day": table["day"].astype("datetime64[s]")})


def write_series(series: Series, target: Path, form: str, source: str, recipe: Recipe) -> None:
    """Write a series.

    Parameters
    ----------
    series
        What was read.
    target
        The file; it appears whole.
    form
        One of `FORMATS`.
    source, recipe
        Name of the release for the attribute `source`, and what says the meaning of its values.
    """
    with whole_file(target) as part:
        if form == "csv":
            part.write_text(as_csv(series), encoding="utf-8")
        elif form == "parquet":
            frame(series).to_parquet(part, index=False)
        else:
            from vadose.producer.granules.writer import netcdf_errors

            with netcdf_errors(part):
                dataset(series, source, recipe).to_netcdf(part, engine="netcdf4")


def dataset(series: Series, source: str, recipe: Recipe) -> xr.Dataset:
    """The series as a CF discrete sampling geometry, dimensions station and time, which `vadose validate` reads."""
    import xarray as xr

    product = recipe.product
    found = xr.Dataset(
        _values(series, recipe) | _places(series),
        _time(series, product) | _depth(product),
        {
            "Conventions": "CF-1.11", "featureType": "timeSeries", "title": f"Series out of {source}",
            "source": source, "history": f"vadose extract out of {source}", "product_version": product.version,
            "institution": product.institution,
            "license": product.licence, "references": product.references,
        },
    )  # fmt: skip
    for name in found.variables:
        found[name].encoding = {"dtype": "S1"} if found[name].dtype == object else {"_FillValue": None}
    for name in ("sm", "sm_uncertainty"):
        found[name].encoding = {"_FillValue": FILL}
    return found


def _values(series: Series, recipe: Recipe) -> dict[str, Any]:
    product, both = recipe.product, ("station", "time")
    beside = "sm_uncertainty flag" + ("" if series.coverage is None else " coverage")
    common = {"units": UNITS, "cell_methods": cell_methods(product), "coordinates": "lat lon depth station_name"}
    moisture = moisture_comment(recipe)
    found: dict[str, Any] = {
        "sm": (both, series.sm.T, {
            "standard_name": SOIL_MOISTURE, **common, "ancillary_variables": beside,
            "long_name": f"volumetric soil moisture, {layer(product.depth_m)}, {moment(product)}",
            "comment": moisture if series.coverage is None else f"{moisture} {AREA_COMMENT}",
        }),
        "sm_uncertainty": (both, series.sm_uncertainty.T, {
            "standard_name": f"{SOIL_MOISTURE} standard_error", **common,
            "long_name": f"standard uncertainty (1 sigma) of volumetric soil moisture with respect to {product.target}",
            "comment": uncertainty_comment(recipe),
        }),
        "flag": (both, series.flag.T, {
            "standard_name": "status_flag", "long_name": "status of volumetric soil moisture, bit field, 0 = nominal",
            "flag_masks": np.array([item.mask for item in FLAGS], np.int16),
            "flag_meanings": " ".join(item.name for item in FLAGS), "valid_range": np.array([0, ALL], np.int16),
            "coordinates": common["coordinates"], "comment": flag_comment(recipe),
        }),
    }  # fmt: skip
    if series.coverage is not None:
        found["coverage"] = both, series.coverage.T, {
            "long_name": "share of the area inside the domain with a value in the mean", "units": "1",
            "coordinates": common["coordinates"],
        }  # fmt: skip
    return found


def _places(series: Series) -> dict[str, Any]:
    station = ("station",)
    area = series.coverage is not None
    where = "centroid of the area" if area else "centre of the grid cell"
    found: dict[str, Any] = {
        "station_name": (station, np.array(series.name, object), {
            "cf_role": "timeseries_id", "long_name": "name of the area" if area else "name of the place",
        }),
        "lat": (station, series.cell_lat, {
            "standard_name": "latitude", "units": "degrees_north", "long_name": f"latitude of the {where}",
        }),
        "lon": (station, series.cell_lon, {
            "standard_name": "longitude", "units": "degrees_east", "long_name": f"longitude of the {where}",
        }),
    }  # fmt: skip
    shares = (("share", "share of the grid cell that the area covers"),
              ("domain_share", "share of the area inside the product's domain"))  # fmt: skip
    for name, words in shares:
        if getattr(series, name) is not None:
            found[name] = station, getattr(series, name), {"long_name": words, "units": "1"}
    return found


def _time(series: Series, product: Product) -> dict[str, Any]:
    values = [period_values(product, day) for day in series.days]
    attributes = {
        "standard_name": "time", "axis": "T", "units": "days since 1970-01-01 00:00:00", "calendar": "standard",
        "units_metadata": "leap_seconds: none",
    }  # fmt: skip
    stamps = np.concatenate([one["time"] for one in values])
    if not is_mean(product):
        return {"time": ("time", stamps, {**attributes, "comment": SOLAR_COMMENT})}
    bounds = np.concatenate([one["time_bnds"] for one in values])
    return {"time": ("time", stamps, {**attributes, "bounds": "time_bnds"}), "time_bnds": (("time", "bnds"), bounds)}


def _depth(product: Product) -> dict[str, Any]:
    attributes = {
        "standard_name": "depth", "units": "m", "axis": "Z", "positive": "down", "bounds": "depth_bnds",
    }  # fmt: skip
    bounds = np.array(product.depth_m)
    return {"depth": ((), round(float(bounds.mean()), 9), attributes), "depth_bnds": (("bnds",), bounds)}
