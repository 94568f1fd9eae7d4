"""Any CF soil-moisture dataset as one thing: ours, a rival or a gridded reference, all by the same door.

A product is a folder of granules or daily CF files, one CF file, or a gathered cube. Its variable is found by
standard name, or named by a card or by `PATH::variable`.
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
import zarr

from vadose.common import InputError, UsageError
from vadose.validation.cards import Card, CardFlags, card_beside
from vadose.validation.geometry import Geometry, edges

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]

SOIL_MOISTURE = "volume_fraction_of_condensed_water_in_soil"
LAYER_WATER = "mass_content_of_water_in_soil_layer"
STANDARD_NAMES = (SOIL_MOISTURE, LAYER_WATER, "soil_moisture_content")

# The six conditions under which a granule's value is not for use; the mask is computed from the file's own flags.
NOT_RECOMMENDED = (
    "outside_domain", "permanent_ice", "frozen_soil", "snow_cover", "radio_frequency_interference", "no_valid_input",
)  # fmt: skip
RECOMMENDED_MASK = 399
FRACTION_UNITS = frozenset(
    ("m3 m-3", "m3/m3", "m^3 m^-3", "m^3/m^3", "m**3 m**-3", "m**3/m**3", "cm3 cm-3", "cm3/cm3", "cm**3/cm**3", "1")
)
PERCENT_UNITS = frozenset(("percent", "%"))
WATER_UNITS = frozenset(("kg m-2", "kg/m2", "kg/m^2", "kg m**-2"))
WATER_KG_PER_M3 = 1000.0


@dataclass(frozen=True)
class Quality:
    """Which values are for use: no bit of `clear` set in the flag variable, or its value among `keep`."""

    variable: str
    clear: int = 0
    keep: tuple[int, ...] = ()

    def good(self, flags: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Mask of an array of flags; a missing flag is bad."""
        whole = np.nan_to_num(np.asarray(flags, float), nan=-1.0).astype(np.int64)
        if self.keep:
            return np.isin(whole, self.keep)
        return np.asarray((whole >= 0) & ((whole & self.clear) == 0))


@dataclass(frozen=True)
class Product:
    """A product opened, none of its values read.

    Attributes
    ----------
    name, path, variable
        Name in the run, where it is, and the variable of soil moisture.
    geometry
        Its grid.
    factor, offset
        m3 m-3 = stored * factor + offset.
    day_convention
        `utc` (mean of the UTC day), `solar06`, `solar18` or `instant`.
    layer
        Upper and lower bound in m; NaN where the file does not say.
    quality
        Rule for the flags; None where the product has none.
    uncertainty
        Name of the variable of standard uncertainty, if any.
    files
        NetCDF files in the order of their names; empty for a cube.
    gathered
        For a cube: flat index of each of its cells, in C order of the geometry.
    """

    name: str
    path: Path
    variable: str
    geometry: Geometry
    factor: float = 1.0
    offset: float = 0.0
    fill: tuple[float, ...] = ()
    day_convention: str = "utc"
    layer: tuple[float, float] = (float("nan"), float("nan"))
    quality: Quality | None = None
    uncertainty: str | None = None
    files: tuple[Path, ...] = ()
    gathered: npt.NDArray[np.int64] | None = None
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
    def gathered_position(self) -> npt.NDArray[np.int64]:
        """For a cube: position of each cell of the grid in the gathered dimension, -1 where it has none."""
        assert self.gathered is not None, "only a cube is gathered"
        position = np.full(int(np.prod(self.geometry.shape)), -1, np.int64)
        position[self.gathered] = np.arange(self.gathered.size)
        return position


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
    card = (cards or {}).get(name) or card_beside(path)
    if (path / "zarr.json").is_file() or (path / ".zgroup").is_file():
        return _open_cube(name, path, card, variable or None, prefer)
    files = _files(path)
    first = files[0]
    try:
        with xr.open_dataset(first, decode_times=False, mask_and_scale=False, engine="netcdf4") as dataset:
            return _describe(name, path, dataset, card, variable or None, prefer, files)
    except (OSError, RuntimeError) as error:
        raise InputError(f"cannot be read as NetCDF: {error}", where=str(first)) from error


def _files(path: Path) -> tuple[Path, ...]:
    """The files of a product: of a release the daily granules, of a folder all NetCDF files."""
    if path.is_file():
        return (path,)
    every = sorted(one for one in path.rglob("*.nc") if not one.name.startswith("."))
    daily = [one for one in every if re.search(r"-DAILY-\d{8}", one.name)]
    chosen = daily or every
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
    return [name for standard in STANDARD_NAMES for name in found.get(standard, []) if name in dataset.data_vars]


def _describe(
    name: str, path: Path, dataset: xr.Dataset, card: Card | None, wanted: str | None, prefer: str | None,
    files: tuple[Path, ...],
) -> Product:  # fmt: skip
    where = str(files[0])
    variable = _choose(_candidates(dataset, card), wanted, prefer, [str(v) for v in dataset.data_vars], where)
    values = dataset[variable]
    stated = card.variables.get(variable) if card else None
    layer = (stated.layer_m if stated else None) or _layer(dataset, values)
    factor, offset, differs = _units(variable, dict(values.attrs), card, layer, where)
    scale = float(values.attrs.get("scale_factor", 1.0)), float(values.attrs.get("add_offset", 0.0))
    fill = [
        float(values.attrs[key])
        for key in ("_FillValue", "missing_value")
        if key in values.attrs and np.size(values.attrs[key]) == 1
    ]
    uncertainty = [
        str(key) for key in dataset.data_vars
        if dataset[key].attrs.get("standard_name") == f"{SOIL_MOISTURE} standard_error"
    ]  # fmt: skip
    return Product(
        name=name, path=path, variable=variable, geometry=_geometry(dataset, values, where),
        factor=factor * scale[0], offset=factor * scale[1] + offset,
        fill=(*fill, *(stated.fill if stated else ())),
        day_convention=_day(dataset, values, stated.day if stated else None),
        layer=layer, quality=_quality(dataset, stated.flags if stated else None),
        uncertainty=uncertainty[0] if len(uncertainty) == 1 else None, files=files,
        version=str(dataset.attrs.get("product_version", card.version if card else "")),
        doi=str(dataset.attrs.get("doi", (card.doi if card else "") or "")),
        licence=str(dataset.attrs.get("license", card.licence if card else "")),
        card=card, differs=differs, attributes=dict(dataset.attrs),
    )  # fmt: skip


def _units(
    variable: str, attributes: dict[str, Any], card: Card | None, layer: tuple[float, float], where: str
) -> tuple[float, float, tuple[str, ...]]:
    """Factor and offset to m3 m-3 by a declared rule, and what the card states otherwise than the file."""
    own = str(attributes.get("units", "")).strip()
    stated = card.variables.get(variable) if card else None
    declared = (stated.units if stated else None) or own
    factor, offset = (stated.factor, stated.offset) if stated else (1.0, 0.0)
    differs = (f"units: file {own!r}, card {declared!r}",) if own and own != declared else ()
    if declared in FRACTION_UNITS:
        return factor, offset, differs
    if declared in PERCENT_UNITS and attributes.get("standard_name", SOIL_MOISTURE) == SOIL_MOISTURE:
        return 0.01 * factor, 0.01 * offset, differs
    thickness = layer[1] - layer[0]
    if declared in WATER_UNITS and np.isfinite(thickness) and thickness > 0:
        per = 1.0 / (WATER_KG_PER_M3 * thickness)
        return factor * per, offset * per, differs
    raise InputError(
        f"units {declared!r} cannot be converted to 'm3 m-3'", where=f"{where}, variable {variable}",
        why="layer water in kg m-2 needs the bounds of its layer" if declared in WATER_UNITS else "no declared rule",
        next="state units (and layer_m) in a product card",
    )  # fmt: skip


def _layer(dataset: xr.Dataset, values: xr.DataArray) -> tuple[float, float]:
    for key in dataset.variables:
        variable = dataset[key]
        if variable.attrs.get("standard_name") == "depth" and variable.size == 1:
            bounds = variable.attrs.get("bounds")
            if bounds in dataset.variables:
                top, bottom = sorted(np.ravel(dataset[bounds].values).tolist())
                return float(top), float(bottom)
    return layer_of_text(str(values.attrs.get("long_name", "")))


def layer_of_text(text: str) -> tuple[float, float]:
    """Bounds in m of a layer written as `0-5 cm`; NaN where the text has none."""
    match = re.search(r"(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*cm\b", text)
    return (float(match[1]) / 100, float(match[2]) / 100) if match else (float("nan"), float("nan"))


def _day(dataset: xr.Dataset, values: xr.DataArray, stated: str | None) -> str:
    texts = [str(values.attrs.get(key, "")) for key in ("long_name", "comment")]
    if "time" in dataset.variables:
        texts += [str(dataset["time"].attrs.get(key, "")) for key in ("long_name", "comment")]
    return day_of_text(" ".join(texts), stated)


def day_of_text(text: str, stated: str | None = None) -> str:
    """Day convention of a card's word or, without one, of the texts of the file."""
    if stated:
        return "utc" if stated == "daily_mean" else stated
    for hour in ("06", "18"):
        if re.search(rf"\b{hour}:00 local (mean )?solar time", text):
            return f"solar{hour}"
    return "utc"


def _quality(dataset: xr.Dataset, stated: CardFlags | None) -> Quality | None:
    if stated is not None:
        return Quality(stated.variable, sum(1 << bit for bit in set(stated.clear_bits)), stated.keep)
    for key in dataset.data_vars:
        attributes = dataset[key].attrs
        meanings = str(attributes.get("flag_meanings", "")).split()
        if set(NOT_RECOMMENDED) <= set(meanings):
            masks = dict(zip(meanings, np.ravel(attributes["flag_masks"]).tolist(), strict=True))
            return Quality(str(key), sum(int(masks[word]) for word in NOT_RECOMMENDED))
    return None


def _geometry(dataset: xr.Dataset, values: xr.DataArray, where: str) -> Geometry:
    """The grid of a variable: one-dimensional latitude and longitude, whatever their dimensions are called."""
    found = {}
    for key in ("latitude", "longitude"):
        names = [name for name in dataset.cf.standard_names.get(key, []) if dataset[name].ndim == 1]
        names = names or [n for n in (key, key[:3]) if n in dataset.variables and dataset[n].ndim == 1]
        names = [name for name in names if dataset[name].dims[0] in values.dims]
        if len(names) != 1:
            raise InputError(
                f"no one-dimensional {key} of the grid", where=f"{where}, variable {values.name}",
                why=f"dimensions {', '.join(map(str, values.dims))}, coordinates {', '.join(map(str, dataset.coords))}",
                next="give the file one-dimensional lat and lon, also for EASE-Grid 2.0: lat(y), lon(x)",
            )  # fmt: skip
        found[key] = dataset[names[0]]
    if found["latitude"].dims == found["longitude"].dims:
        raise InputError(
            "scattered points are not a grid", where=f"{where}, variable {values.name}",
            next="give a series of points as a station file: --stations",
        )  # fmt: skip
    order = (found["latitude"].dims[0], found["longitude"].dims[0])
    if values.dims[-2:] != order:
        raise InputError(
            f"dimensions {', '.join(map(str, values.dims))}, expected (..., {order[0]}, {order[1]})",
            where=f"{where}, variable {values.name}", next="transpose the variable",
        )  # fmt: skip
    return Geometry(
        *(np.asarray(found[key], float) for key in ("latitude", "longitude")),
        *(_edges(dataset, found[key], where) for key in ("latitude", "longitude")),
    )


def _edges(dataset: xr.Dataset, centres: xr.DataArray, where: str) -> Floats:
    bounds = dataset.variables.get(centres.attrs.get("bounds", ""))
    values = np.asarray(centres, float)
    if bounds is not None and bounds.shape == (values.size, 2):
        pairs = np.asarray(bounds, float)
        forward = np.concatenate([pairs[:, 0], pairs[-1:, 1]])
        backward = np.concatenate([pairs[:, 1], pairs[-1:, 0]])
        return forward if np.all(np.diff(forward) > 0) or np.all(np.diff(forward) < 0) else backward
    if values.size < 2:
        raise InputError("one row or column without bounds has no cell size", where=f"{where}, {centres.name}")
    metres = _projected(dataset, centres)
    return edges(values) if metres is None else metres


def _projected(dataset: xr.Dataset, centres: xr.DataArray) -> Floats | None:
    """Edges half-way in the projection, for EASE-Grid 2.0 rows: half-way in latitude is not the edge."""
    dimension = str(centres.dims[0])
    if dimension not in dataset.variables or dataset[dimension].attrs.get("standard_name") != "projection_y_coordinate":
        return None
    return projected_edges(np.asarray(dataset[dimension], float))


def projected_edges(northing: Floats) -> Floats:
    """Latitudes of the edges between rows of EPSG:6933 with these northings in m."""
    import pyproj

    to_degrees = pyproj.Transformer.from_crs(6933, 4326, always_xy=True)
    limit = 7314540.83
    return np.asarray(to_degrees.transform(np.zeros(northing.size + 1), np.clip(edges(northing), -limit, limit))[1])


def _open_cube(name: str, path: Path, card: Card | None, wanted: str | None, prefer: str | None) -> Product:
    """A Zarr store with a dimension that is a compression by gathering (CF section 8.2)."""
    try:
        group = zarr.open_group(str(path), mode="r")
        arrays = {str(key): array for key, array in group.arrays()}
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise InputError(f"cannot be read as Zarr: {error}", where=str(path)) from error
    gathering = [key for key, array in arrays.items() if "compress" in array.attrs]
    if len(gathering) != 1:
        raise InputError("no dimension with the attribute `compress`", where=str(path), next="vadose ingest RECIPE")
    stated = list(card.variables) if card else []
    candidates = [key for key in stated if key in arrays] or [
        key for key, array in arrays.items()
        if array.attrs.get("standard_name") in STANDARD_NAMES and array.ndim == 2
    ]  # fmt: skip
    variable = _choose(candidates, wanted, prefer, sorted(arrays), str(path))
    array = arrays[variable]
    attributes = dict(array.attrs)
    text = str(attributes.get("long_name", ""))
    entry = card.variables.get(variable) if card else None
    layer = (entry.layer_m if entry else None) or layer_of_text(text)
    factor, offset, differs = _units(variable, attributes, card, layer, str(path))
    lat, lon = (np.asarray(arrays[key][:], float) for key in ("lat", "lon"))
    rows = str(arrays[gathering[0]].attrs["compress"]).split()[0]
    lat_edges = projected_edges(np.asarray(arrays[rows][:], float)) if rows == "y" and rows in arrays else edges(lat)
    return Product(
        name=name, path=path, variable=variable, geometry=Geometry(lat, lon, lat_edges, edges(lon)),
        factor=factor, offset=offset, day_convention=day_of_text(text, entry.day if entry else None), layer=layer,
        gathered=np.asarray(arrays[gathering[0]][:]).astype(np.int64), card=card, differs=differs,
        version=str(group.attrs.get("vadose_content_hash", ""))[:12],
        attributes={"title": group.attrs.get("title", "")},
    )  # fmt: skip
