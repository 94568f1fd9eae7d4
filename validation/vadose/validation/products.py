"""Any CF soil-moisture dataset as one thing: ours, a rival or a gridded reference, all by the same door.

A product is a folder of granules or daily CF files, one CF file (a grid, points, time series), or a cube. Its variable
is found by standard name, or named by a card or by `PATH::variable`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import cf_xarray  # noqa: F401  (registers the accessor `.cf`)
import numpy as np
import numpy.typing as npt
import xarray as xr

from vadose.common import UNREADABLE, InputError, UsageError
from vadose.common.deadline import opening
from vadose.validation.cards import Card, CardFlags, CardVariable, card_beside, card_of_release
from vadose.validation.geometry import AnyGeometry
from vadose.validation.layout import layout_of
from vadose.validation.months import DAILY, MONTHLY
from vadose.validation.stored import is_zarr, plain
from vadose.validation.units import steps_in_a_day, to_fraction

Integers = npt.NDArray[np.int64]

SOIL_MOISTURE = "volume_fraction_of_condensed_water_in_soil"
LAYER_WATER = "mass_content_of_water_in_soil_layer"
STANDARD_NAMES = (SOIL_MOISTURE, LAYER_WATER, "soil_moisture_content")
SUFFIXES = (".nc", ".nc4", ".cdf", ".h5", ".hdf5", ".he5")

# The six conditions under which a granule's value is not for use; the mask is computed from the file's own flags.
NOT_RECOMMENDED = (
    "outside_domain", "permanent_ice", "frozen_soil", "snow_cover", "radio_frequency_interference", "no_valid_input",
)  # fmt: skip
RECOMMENDED_MASK = 399
_DAY_GRANULE, _MONTH_GRANULE = re.compile(r"-DAILY-\d{8}"), re.compile(r"-MONTHLY-\d{6}(?!\d)")
# Bounds of a month are so many days apart, and so are stamps of consecutive months.
_MONTH_DAYS = (27.9, 31.1)
GAP_FILLED = "gap_filled"
FROZEN = "frozen_soil"


@dataclass(frozen=True)
class Quality:
    """Which values are for use: no bit of `clear` set in the flag variable, or its value among `keep`.

    A value is gap-filled where a bit of `gap` is set, and the soil is frozen where one of `frozen` is; 0 where the
    product does not say.
    """

    variable: str
    clear: int = 0
    keep: tuple[int, ...] = ()
    gap: int = 0
    frozen: int = 0

    def good(self, flags: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Mask of an array of flags; a missing flag is bad."""
        whole = _whole(flags)
        if self.keep:
            return np.isin(whole, self.keep)
        return np.asarray((whole >= 0) & ((whole & self.clear) == 0))

    def filled(self, flags: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Where the value is gap-filled."""
        whole = _whole(flags)
        return np.asarray((whole >= 0) & ((whole & self.gap) != 0))


def _whole(flags: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    if flags.dtype.kind in "iu":
        return np.asarray(flags, np.int64)
    return np.asarray(np.nan_to_num(np.asarray(flags, float), nan=-1.0), np.int64)


@dataclass(frozen=True)
class Product:
    """A product opened, none of its values read.

    Attributes
    ----------
    name, path, variable
        Name in the run, where it is, and the variable of soil moisture.
    geometry
        Its grid or points.
    roles
        What each dimension of the variable is (`vadose.validation.layout`).
    factor, offset
        m3 m-3 = stored * factor + offset.
    day_convention
        `utc` (mean of the UTC day), `solar06`, `solar18` or `instant`.
    averaged
        Whether several values of one day make its mean, because a card says that the product is a daily mean.
    step
        `daily` or `monthly`: what one value of the files stands for.
    as_months
        Whether daily values are averaged to months when they are read, to meet a product of months.
    layer
        Upper and lower bound in m; NaN where the file does not say.
    quality
        Rule for the flags; None where the product has none.
    uncertainty
        Name of the variable of standard uncertainty, if any.
    files
        NetCDF files in the order of their names; the store itself for a cube.
    gathered
        For a gathered dimension: flat index of each of its cells, in C order of the geometry.
    time
        Name of the time variable, "" where file names hold the day.
    days_stored
        About how many days all files hold, from the first of them.
    """

    name: str
    path: Path
    variable: str
    geometry: AnyGeometry
    roles: tuple[str, ...] = ("time", "row", "column")
    factor: float = 1.0
    offset: float = 0.0
    fill: tuple[float, ...] = ()
    day_convention: str = "utc"
    averaged: bool = False
    step: str = DAILY
    as_months: bool = False
    layer: tuple[float, float] = (float("nan"), float("nan"))
    quality: Quality | None = None
    uncertainty: str | None = None
    files: tuple[Path, ...] = ()
    gathered: Integers | None = None
    time: str = "time"
    days_stored: int = 0
    version: str = ""
    doi: str = ""
    licence: str = ""
    card: Card | None = None
    differs: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def depth_class(self) -> str:
        """`surface` where the layer ends by 0.075 m, `shallow` by 0.105 m, else `deep`; `unknown` without a layer."""
        bottom = self.layer[1]
        if not np.isfinite(bottom):
            return "unknown"
        return "surface" if bottom <= 0.0751 else "shallow" if bottom <= 0.1051 else "deep"

    @cached_property
    def gathered_position(self) -> Integers:
        """Position of each cell of the grid in the gathered dimension, -1 where it has none."""
        assert self.gathered is not None, "only a gathered product has positions"
        position = np.full(int(np.prod(self.geometry.shape)), -1, np.int64)
        position[self.gathered] = np.arange(self.gathered.size)
        return position

    def all_cells(self) -> Integers:
        """Flat index of every cell that the product stores, ascending."""
        if self.gathered is not None:
            return np.sort(self.gathered)
        return np.arange(int(np.prod(self.geometry.shape)))


def open_product(
    name: str, path_text: str, *, cards: Mapping[str, Card] | None = None, prefer: str | None = None
) -> Product:
    """Open a product.

    Parameters
    ----------
    name
        Name in the run.
    path_text
        Folder, file or cube; `PATH::variable` names the variable where there are several.
    cards
        Cards given on the command line, by product name; they win over one beside the files.
    prefer
        Variable to take where several have the standard name (the recipe's target).

    Raises
    ------
    InputError
        If there is no such path, no variable of soil moisture, no grid, or unknown units.
    UsageError
        If several variables could be meant.
    """
    text, _, variable = path_text.partition("::")
    path = Path(text)
    if not path.exists():
        raise InputError(f"no product {name!r}", where=str(path), next="give NAME=PATH of a folder, file or cube")
    card = (cards or {}).get(name) or card_beside(path) or card_of_release(path)
    files = (path,) if path.is_dir() and is_zarr(path) else _files(path)
    with _opened(files[0], _group(variable or None, card)) as dataset:
        return _describe(name, path, dataset, card, variable or None, prefer, files)


def _group(wanted: str | None, card: Card | None) -> str:
    """The group of the variable that is meant, "" for the file itself."""
    names = [wanted] if wanted else list(card.variables) if card else []
    return next((name.rpartition("/")[0] for name in names if "/" in name), "")


def _opened(file: Path, group: str) -> xr.Dataset:
    """Metadata of a file or store, nothing decoded; names of a group carry the group in front."""
    try:
        if file.is_dir():
            store: xr.Dataset = xr.open_zarr(
                file, decode_times=False, mask_and_scale=False, consolidated=False, chunks=None
            )
            return store
        with opening(file):
            dataset: xr.Dataset = xr.open_dataset(
                file, decode_times=False, mask_and_scale=False, engine="netcdf4", group=group or None
            )
    except UNREADABLE as error:
        kind = "Zarr" if file.is_dir() else "NetCDF"
        raise InputError(f"cannot be read as {kind}: {error}", where=str(file)) from error
    if not group:
        return dataset
    return dataset.rename({name: f"{group}/{name}" for name in dataset.data_vars})


def _files(path: Path) -> tuple[Path, ...]:
    """The files of a product: of a release its daily granules, else its monthly ones; of a folder all files."""
    if path.is_file():
        return (path,)
    every = sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES and not one.name.startswith("."))
    granules = ([one for one in every if pattern.search(one.name)] for pattern in (_DAY_GRANULE, _MONTH_GRANULE))
    chosen = next((found for found in granules if found), every)
    if not chosen:
        raise InputError("no NetCDF file in the folder", where=str(path), next="vadose build RECIPE")
    return tuple(sorted(chosen, key=lambda one: one.name))


def _choose(candidates: Sequence[str], wanted: str | None, prefer: str | None, every: Sequence[str], where: str) -> str:
    if wanted is not None:
        if wanted not in every:
            raise UsageError(f"no variable {wanted!r}; the file holds {', '.join(every)}", where=where)
        return wanted
    if prefer in candidates and prefer is not None:
        return prefer
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise InputError(
            f"no variable with standard_name {SOIL_MOISTURE}", where=where, why=f"variables: {', '.join(every)}",
            next="name it in a product card (card.yaml beside the files, or --card), or as PATH::variable",
        )  # fmt: skip
    raise UsageError(
        f"several variables of soil moisture: {', '.join(candidates)}", where=where, next="name one as PATH::variable"
    )


def _candidates(dataset: xr.Dataset, card: Card | None) -> list[str]:
    if card is not None:
        listed = [name for name in card.variables if name in dataset.data_vars]
        if listed:
            return listed[:1]
    found = dataset.cf.standard_names
    return [
        name for standard in STANDARD_NAMES for name in found.get(standard, [])
        if name in dataset.data_vars and dataset[name].ndim >= 1
    ]  # fmt: skip


def _describe(
    name: str, path: Path, dataset: xr.Dataset, card: Card | None, wanted: str | None, prefer: str | None,
    files: tuple[Path, ...],
) -> Product:  # fmt: skip
    where = str(files[0])
    variable = _choose(_candidates(dataset, card), wanted, prefer, [str(v) for v in dataset.data_vars], where)
    values = dataset[variable]
    where = f"{where}, variable {variable}"
    attributes = {key: plain(value) for key, value in values.attrs.items()}
    stated = (card.variables.get(variable) if card else None) or CardVariable(name=variable)
    layer = stated.layer_m or _layer(dataset, values)
    per, differs = to_fraction(
        str(attributes.get("units", "")), stated.units, layer, where,
        of_saturation=attributes.get("standard_name", SOIL_MOISTURE) != SOIL_MOISTURE,
    )  # fmt: skip
    (scale, shift), fills = _numbers(attributes, where)
    layout = layout_of(dataset, values, where, grid=card.grid if card else None, layer=layer)
    return Product(
        name=name, path=path, variable=variable, geometry=layout.geometry, roles=layout.roles, time=layout.time,
        gathered=layout.gathered, factor=per * stated.factor * scale,
        offset=per * (stated.factor * shift + stated.offset), fill=(*fills, *stated.fill),
        day_convention=_day(dataset, attributes, layout.time, stated.day), averaged=stated.day == "daily_mean",
        step=stated.step or _step(dataset, layout.time, files[0]),
        layer=layer, quality=_quality(dataset, stated.flags if card else None), uncertainty=_uncertainty(dataset),
        files=files, version=_version(dataset, card),
        days_stored=len(files) * int(dataset.sizes.get(layout.time, 1) if layout.time in values.dims else 1),
        doi=str(dataset.attrs.get("doi", (card.doi if card else "") or "")),
        licence=str(dataset.attrs.get("license", card.licence if card else "")),
        card=card, differs=differs, attributes=dict(dataset.attrs),
    )  # fmt: skip


def _version(dataset: xr.Dataset, card: Card | None) -> str:
    content = str(dataset.attrs.get("vadose_content_hash", ""))[:12]
    return str(dataset.attrs.get("product_version", card.version if card else content))


def _numbers(attributes: Mapping[str, Any], where: str) -> tuple[tuple[float, float], list[float]]:
    """Scale factor, offset and values that stand for a missing one."""
    found = [attributes[key] for key in ("_FillValue", "missing_value") if key in attributes]
    try:
        packing = float(attributes.get("scale_factor", 1.0)), float(attributes.get("add_offset", 0.0))
        return packing, [float(one) for one in found if np.size(one) == 1]
    except (TypeError, ValueError) as error:
        raise InputError(
            f"scale_factor, add_offset, _FillValue or missing_value is no number: {error}", where=where,
            next="correct the attribute of the file",
        ) from error  # fmt: skip


def _uncertainty(dataset: xr.Dataset) -> str | None:
    wanted = f"{SOIL_MOISTURE} standard_error"
    found = [str(key) for key in dataset.data_vars if dataset[key].attrs.get("standard_name") == wanted]
    return found[0] if len(found) == 1 else None


def _layer(dataset: xr.Dataset, values: xr.DataArray) -> tuple[float, float]:
    for key in dataset.variables:
        variable = dataset[key]
        if variable.attrs.get("standard_name") == "depth" and variable.size == 1:
            bounds = variable.attrs.get("bounds")
            if bounds in dataset.variables:
                top, bottom = sorted(np.ravel(dataset[bounds].values).tolist())
                return float(top), float(bottom)
    return layer_of_text(str(plain(values.attrs.get("long_name", ""))))


def layer_of_text(text: str) -> tuple[float, float]:
    """Bounds in m of a layer written as `0-5 cm`; NaN where the text has none."""
    match = re.search(r"(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*cm\b", text)
    return (float(match[1]) / 100, float(match[2]) / 100) if match else (float("nan"), float("nan"))


def _day(dataset: xr.Dataset, attributes: Mapping[str, Any], time: str, stated: str | None) -> str:
    texts = [str(attributes.get(key, "")) for key in ("long_name", "comment")]
    if time in dataset.variables:
        texts += [str(dataset[time].attrs.get(key, "")) for key in ("long_name", "comment")]
    return day_of_text(" ".join(texts), stated)


def day_of_text(text: str, stated: str | None = None) -> str:
    """Day convention of a card's word or, without one, of the texts of the file."""
    if stated:
        return "utc" if stated == "daily_mean" else stated
    for hour in ("06", "18"):
        if re.search(rf"\b{hour}:00 local (mean )?solar time", text):
            return f"solar{hour}"
    return "utc"


def _step(dataset: xr.Dataset, time: str, file: Path) -> str:
    """`monthly` where the file says so: by its name, its resolution, or by bounds or stamps a month apart."""
    stated = str(dataset.attrs.get("time_coverage_resolution", ""))
    if stated in ("P1M", "P1D"):
        return MONTHLY if stated == "P1M" else DAILY
    if _MONTH_GRANULE.search(file.name):
        return MONTHLY
    if time not in dataset.variables:
        return DAILY
    stamps = np.ravel(np.asarray(dataset[time], float))
    bounds = dataset.variables.get(dataset[time].attrs.get("bounds", ""))
    apart = np.diff(stamps) if stamps.size > 2 else np.zeros(0)
    if bounds is not None and bounds.shape == (stamps.size, 2):
        apart = np.diff(np.asarray(bounds, float), axis=1).ravel()
    apart = apart / steps_in_a_day(str(dataset[time].attrs.get("units", "")))
    return MONTHLY if apart.size and ((_MONTH_DAYS[0] < apart) & (apart < _MONTH_DAYS[1])).all() else DAILY


def _bits(numbers: Sequence[int]) -> int:
    return sum(1 << bit for bit in set(numbers))


def _quality(dataset: xr.Dataset, stated: CardFlags | None) -> Quality | None:
    if stated is not None:
        group = _group(next(iter(map(str, dataset.data_vars)), None), None)
        name = stated.variable if "/" in stated.variable or not group else f"{group}/{stated.variable}"
        return Quality(name, _bits(stated.clear_bits), stated.keep, _bits(stated.gap_bits))
    for key in dataset.data_vars:
        attributes = dataset[key].attrs
        meanings = str(attributes.get("flag_meanings", "")).split()
        if set(NOT_RECOMMENDED) <= set(meanings):
            masks = dict(zip(meanings, np.ravel(attributes["flag_masks"]).tolist(), strict=True))
            clear = sum(int(masks[word]) for word in NOT_RECOMMENDED)
            return Quality(str(key), clear, (), int(masks.get(GAP_FILLED, 0)), int(masks.get(FROZEN, 0)))
    return None
