"""The stations of a reference: their classes, the cell that each met, and the last stages of its funnel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.validation.blocks import Block
from vadose.validation.matching import Matched
from vadose.validation.placing import cell_area_km2
from vadose.validation.products import Product
from vadose.validation.references import Reference
from vadose.validation.sources import MapReference

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.str_]

UNKNOWN, INDEPENDENT = "unknown", "independent"
_SOIL_LIMITS = (0.2, 0.4)


def station_groups(reference: Reference | MapReference) -> list[tuple[str, str, Booleans]]:
    """Classes of stations: network, land cover, climate and its main class, soil, depth, flag dialect.

    A reference holds one reference class; it is named all the same, so that runs can be read together by class.
    """
    table = reference.table
    kinds: dict[str, npt.NDArray[np.str_]] = {name: table[name].to_numpy(str) for name in ("land_cover", "climate")}
    if reference.kind == "stations":
        kinds |= {name: table[name].to_numpy(str) for name in ("network", "reference_class") if name in table}
        kinds["climate_main"] = np.array([word[:1] if word != UNKNOWN else word for word in kinds["climate"]])
        kinds |= {"soil": _soil(table), "depth": _depth(table)}
        if "flag_dialect" in table and table["flag_dialect"].eq("legacy").any():
            kinds["flag_dialect"] = table["flag_dialect"].to_numpy(str)
    out = []
    for kind, words in kinds.items():
        known = sorted({word for word in words.tolist() if word not in (UNKNOWN, "", "nan")})
        if len(known) > 1 or kind not in ("network", "depth"):
            out += [(kind, word, np.asarray(words == word)) for word in known]
    return out


def _soil(table: pd.DataFrame) -> npt.NDArray[np.str_]:
    """`clay`, `sand` or `loam`: above 40 % clay, above 60 % sand with little clay, else; `unknown` without both."""
    if "sand" not in table or "clay" not in table:
        return np.full(len(table), UNKNOWN)
    sand, clay = (_share(table[name].to_numpy(float)) for name in ("sand", "clay"))
    known = np.isfinite(sand) & np.isfinite(clay)
    words = np.where(clay > _SOIL_LIMITS[1], "clay", np.where((sand > 0.6) & (clay < _SOIL_LIMITS[0]), "sand", "loam"))
    return np.where(known, words, UNKNOWN)


def _share(values: Floats) -> Floats:
    """Percent or fraction as fraction: soil tables write either, and never mix them in one file."""
    return values / 100.0 if np.nanmax(values, initial=0.0) > 1.0 else values


def _depth(table: pd.DataFrame) -> npt.NDArray[np.str_]:
    low, high = (table[name].to_numpy(float) for name in ("depth_from", "depth_to"))
    return np.array([f"{a:.2f}-{b:.2f} m" if np.isfinite(b) else UNKNOWN for a, b in zip(low, high, strict=True)])


def station_table(block: Block, every: Mapping[str, Labels], rows: slice, product: Product) -> pd.DataFrame:
    """The table of stations with their cell and the last stages of the funnel.

    Parameters
    ----------
    block, rows
        A block of stations and its place among all.
    every
        What each product knows of each station, by its name, (all stations,).
    product
        Ours.
    """
    matched, r = block.matched, block.r
    reference, placed = matched.reference, matched.placed[0]
    table = reference.table.copy()
    table["reference"] = reference.name
    for name, labels in every.items():
        column = "independence" if name == product.name else f"independence_{name}"
        known = labels[rows]
        if name == product.name or not (known == UNKNOWN).all():
            table[column] = known
    table["cluster"] = block.network.clusters
    table["cell_row"], table["cell_col"] = placed.row, placed.column
    table["distance_km"], table["contains"] = placed.distance_km, placed.contains
    table["scale_ratio"] = _scale_ratio(product, matched)
    table["day_mismatch"] = matched.mismatch
    if block.representativeness is not None:
        table["representativeness"] = block.representativeness
    return _with_funnel(table, block, reference, r)


def _scale_ratio(product: Product, matched: Matched) -> Floats:
    """Area of the product's cell over that of the station's footprint; NaN for points."""
    table = matched.reference.table
    radius = (
        table["footprint_radius"].to_numpy(float) / 1000.0
        if "footprint_radius" in table
        else np.full(len(table), np.nan)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = cell_area_km2(product, matched.placed[0]) / (np.pi * radius**2)
    return np.where(radius > 0, ratio, np.nan)


def _with_funnel(table: pd.DataFrame, block: Block, reference: Reference, r: Floats) -> pd.DataFrame:
    matched = block.matched
    valid = np.isfinite(reference.values)
    ours = np.isfinite(matched.values[0]) & np.isfinite(r)
    in_period, hit = valid.sum(axis=1), ours.sum(axis=1)
    frozen = valid & (reference.daily["frozen"] == 1) if "frozen" in reference.daily else np.zeros(valid.shape, bool)
    table["funnel_in_product_period"], table["funnel_matched"] = in_period, hit
    table["funnel_common"] = (ours & block.common).sum(axis=1)
    no_cell = matched.placed[0].row < 0
    lost = in_period - hit
    other_day = matched.mismatch & ~no_cell & (hit == 0)
    table["rejected_no_cell"] = np.where(no_cell, lost, 0)
    table["rejected_day_mismatch"] = np.where(other_day, lost, 0)
    rest = np.where(no_cell | other_day, 0, lost)
    table["rejected_frozen"] = np.minimum(frozen.sum(axis=1), rest)
    rest = rest - table["rejected_frozen"]
    table["rejected_product_flagged"] = np.minimum(matched.flagged, rest)
    table["rejected_product_missing"] = rest - table["rejected_product_flagged"]
    table["rejected_not_common"] = hit - table["funnel_common"]
    table["not_common_because_of"] = _culprits(block, ours)
    return table


def _culprits(block: Block, ours: Booleans) -> list[str]:
    """For each station the product that takes most days from the common sample, "" where none does."""
    names = [block.matched.names[row] for row in block.present]
    taken = np.stack([(ours & ~np.isfinite(block.matched.values[row])).sum(axis=1) for row in block.present])
    worst = taken.argmax(axis=0)
    return [names[k] if taken[k, station] else "" for station, k in enumerate(worst.tolist())]
