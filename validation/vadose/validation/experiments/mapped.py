"""One native SMAP granule against one GLDAS field and one ERA5 field, on SMAP's own grid.

The three files of the pack are of different years, so that climate and not weather is compared: the figures say what
the suite does with native files, not how good a product is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.validation.cards import Card
from vadose.validation.extraction import Series, extract
from vadose.validation.maps import MapComparison, compare_maps, window_of
from vadose.validation.products import Product, open_product

SMAP = Path("smap_l3") / "SMAP_L3_SM_P_20150401_R13080_001.h5"
GLDAS = Path("gldas") / "GLDAS_NOAH025_3H.A20150101.0000.021.nc4"
ERA5 = Path("era5") / "ERA5_AN_20100101_0000.nc"
# Ocean is 5e-6 at most in ERA5, not missing.
_OCEAN = 1e-5


def _card(name: str, variable: str, **stated: object) -> Card:
    entry = {variable: {"name": name, **{key: value for key, value in stated.items() if key != "grid"}}}
    head = {"product": name, "producer": "", "version": "", "licence": "", "grid": stated.get("grid")}
    return Card.model_validate({**head, "variables": entry})


CARDS = {
    "smap": _card(
        "smap", "Soil_Moisture_Retrieval_Data/soil_moisture", layer_m=(0.0, 0.05), day="solar06", grid="EASE2M36",
        flags={"variable": "retrieval_qual_flag", "clear_bits": (0,)},
    ),
    "gldas": _card("gldas", "SoilMoi0_10cm_inst", layer_m=(0.0, 0.1), day="daily_mean"),
    "era5": _card("era5", "swvl1", layer_m=(0.0, 0.07), day="daily_mean"),
}  # fmt: skip


def opened(data: Path) -> dict[str, Product]:
    """The three products by the door that every product comes in."""
    files = {"gldas": GLDAS, "era5": ERA5, "smap": SMAP}
    return {name: open_product(name, str(data / file), cards=CARDS) for name, file in files.items()}


def granule_maps(data: Path) -> tuple[pd.DataFrame, MapComparison]:
    """Spatial R, ubRMSD and bias of GLDAS and ERA5 against the SMAP granule, area-weighted, on its grid."""
    products = opened(data)
    day = np.array(["2015-04-01"], "datetime64[D]")

    def take(product: Product, cells: np.ndarray) -> Series:
        columns = product.geometry.shape[1]
        series = extract(product, cells // columns, cells % columns)
        values = np.where(series.values <= _OCEAN, np.nan, series.values) if product.name == "era5" else series.values
        return replace(series, days=day, values=values.astype(np.float32))

    windows = [window_of(product, product.all_cells()) for product in products.values()]
    found = compare_maps([one for one in windows if one is not None], take, day)
    rows = [
        {"product": name, "reference": "smap", "metric": metric, "value": float(values[k, 0])}
        for metric, values in found.daily().items() for k, name in enumerate(found.names)
    ]  # fmt: skip
    rows += [
        {"product": name, "reference": "smap", "metric": "cells", "value": float(found.sums.count[0])}
        for name in found.names
    ]
    rows += [
        {"product": name, "reference": "smap", "metric": "std_below_coarse_cell", "value": value}
        for name, value in found.detail().items()
    ]
    return pd.DataFrame(rows), found
