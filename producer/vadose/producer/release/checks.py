"""The checks of every granule: those that no checker makes, and those that compliance-checker misses.

Each check is a function of the context and a granule read back that yields the reasons why it fails.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj

from vadose.common import VadoseError
from vadose.producer.granules.flags import ALL, OUTSIDE_DOMAIN, WITHOUT_VALUE
from vadose.producer.granules.header import (
    DEFLATE_LEVEL,
    FILL,
    Header,
    Identity,
    granule_header,
    granule_name,
    period_attributes,
    period_values,
)
from vadose.producer.granules.names import parse_name
from vadose.producer.granules.periods import is_mean
from vadose.producer.granules.reading import CLOSED_LIST, Granule
from vadose.producer.granules.rounding import KEPT_BITS, MANTISSA_BITS
from vadose.producer.granules.static import static_name
from vadose.producer.granules.wording import FEWEST_DAYS
from vadose.producer.provenance import recorded_identity
from vadose.producer.recipe import Recipe
from vadose.producer.release.origins import earlier_origins

Reasons = Iterator[str]

TIMESTAMP = re.compile(r"\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ")
DATES = re.compile(r"^(date_\w+|time_coverage_(start|end))$")
UNITS = {
    "sm": "m3 m-3", "sm_uncertainty": "m3 m-3", "depth": "m", "lat": "degrees_north",
    "lon": "degrees_east", "y": "m", "x": "m", "number_of_observations": "1",
    "time": "days since 1970-01-01 00:00:00",
}  # fmt: skip
AXES = {"time": "T", "depth": "Z", "lat": "Y", "lon": "X", "y": "Y", "x": "X"}


@dataclass(frozen=True)
class Context:
    """What the granules of a version are compared with.

    Attributes
    ----------
    folder
        The version folder.
    recipe, identity
        What the version was built from.
    domain
        The recipe's domain mask, (rows, columns), from the static file.
    earlier
        What the granules that were taken over are compared with, by the version in which they first appeared.
    """

    folder: Path
    recipe: Recipe
    identity: Identity
    domain: npt.NDArray[np.bool_]
    earlier: Mapping[str, Context] = field(default_factory=dict)

    def of(self, path: Path) -> Context:
        """What the granule of this name is compared with."""
        return self.earlier.get(parse_name(path.name).version, self)

    @cached_property
    def reference(self) -> Header:
        """The header that every granule must have, apart from the closed list and time."""
        return granule_header(self.recipe, self.identity, np.datetime64(self.recipe.product.days[0], "D"))


def read_context(folder: Path, recipe: Recipe) -> Context:
    """The context of a version folder, with those of the versions that it took granules from."""
    domain = read_domain(folder, recipe)
    earlier = {
        version: Context(folder, origin.recipe, origin.identity, domain)
        for version, origin in earlier_origins(folder).items()
    }
    return Context(folder, recipe, recorded_identity(recipe, folder), domain, earlier)


def read_domain(folder: Path, recipe: Recipe) -> npt.NDArray[np.bool_]:
    """The domain mask of the version's static file, (rows, columns)."""
    from vadose.producer.granules.reading import read_granule

    return np.asarray(read_granule(folder / static_name(recipe).path).values["domain_mask"] == 1)


def problems(context: Context, granule: Granule, size: int) -> Iterator[tuple[str, str]]:
    """Names of the failed checks with the reasons; a check that cannot run on what it finds has failed."""
    context = context.of(granule.path)
    for name, check in CHECKS:
        try:
            for reason in check(context, granule):
                yield name, reason
        except (KeyError, IndexError, TypeError, ValueError, VadoseError) as error:
            yield name, f"cannot be checked: {type(error).__name__}: {error}"
    limit = context.recipe.build.maximum_granule_mb * 1e6
    if size > limit:
        yield "size", f"{size / 1e6:.2f} MB, at most {limit / 1e6:g} MB"


def grid_mapping(context: Context, granule: Granule) -> Reasons:
    """Every gridded variable names a grid mapping whose WKT is the grid's EPSG code, with the right projection."""
    grid = context.recipe.product.grid.grid()
    for name, stored in granule.variables.items():
        if len(stored.dims) < 2 or "bnds" in stored.dims:
            continue
        mapping = granule.variables.get(str(stored.attributes.get("grid_mapping")))
        if mapping is None:
            yield f"{name} names no grid mapping variable"
            continue
        if "grid_mapping_name" not in mapping.attributes or "crs_wkt" not in mapping.attributes:
            yield f"the grid mapping of {name} lacks grid_mapping_name or crs_wkt"
            continue
        if epsg(str(mapping.attributes["crs_wkt"])) != grid.epsg:
            yield f"crs_wkt of {name} is not EPSG:{grid.epsg}"
    expected = context.reference.variable("crs").attributes
    for key, value in expected.items():
        if not _same(granule.variables["crs"].attributes.get(key), value):
            yield f"crs:{key} is {granule.variables['crs'].attributes.get(key)!r}, expected {value!r}"


@cache
def epsg(wkt: str) -> int | None:
    """EPSG code of a WKT text; `None` if it is none."""
    try:
        return pyproj.CRS.from_wkt(wkt).to_epsg()
    except pyproj.exceptions.CRSError:
        return None


def units(context: Context, granule: Granule) -> Reasons:
    """Units are spelled as in the vocabulary, character by character."""
    for name, expected in UNITS.items():
        if name in granule.variables and granule.variables[name].attributes.get("units") != expected:
            yield f"{name}:units is {granule.variables[name].attributes.get('units')!r}, expected {expected!r}"


@cache
def area_types() -> frozenset[str]:
    """Area types of CF, table version 13."""
    text = importlib.resources.files("vadose.producer.release").joinpath("area_types.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def area_type(context: Context, granule: Granule) -> Reasons:
    """What follows `where` in cell_methods is a CF area type."""
    for name, stored in granule.variables.items():
        for word in re.findall(r"\bwhere (\S+)", str(stored.attributes.get("cell_methods", ""))):
            if word not in area_types():
                yield f"{name}:cell_methods names {word!r}, which is no CF area type"


def depth(context: Context, granule: Granule) -> Reasons:
    """Depth is positive down, inside its bounds, and that of the recipe's target."""
    middle, bounds = float(granule.values["depth"]), granule.values["depth_bnds"]
    if granule.variables["depth"].attributes.get("positive") != "down":
        yield "depth:positive is not 'down'"
    if not bounds[0] <= middle <= bounds[1]:
        yield f"depth {middle:g} lies outside its bounds {bounds.tolist()}"
    if not np.allclose(bounds, context.recipe.product.depth_m, rtol=0, atol=1e-9):
        yield f"depth_bnds are {bounds.tolist()}, the recipe's target has {list(context.recipe.product.depth_m)}"


def axis(context: Context, granule: Granule) -> Reasons:
    """The attribute axis is present on T, Z, Y and X."""
    rows, columns = context.recipe.product.grid.grid().dims
    for name in ("time", "depth", rows, columns):
        if granule.variables[name].attributes.get("axis") != AXES[name]:
            yield f"{name}:axis is {granule.variables[name].attributes.get('axis')!r}, expected {AXES[name]!r}"


def values(context: Context, granule: Granule) -> Reasons:
    """Values are inside valid_range, missing exactly where the flag says; bit 1 is the recipe's domain mask."""
    flag = granule.values["flag"][0]
    if (flag & ~np.int16(ALL)).any() or (flag < 0).any():
        yield "flag holds bits that are not in the list of masks"
    if not np.array_equal((flag & OUTSIDE_DOMAIN) == 0, context.domain):
        differing = int((((flag & OUTSIDE_DOMAIN) == 0) != context.domain).sum())
        yield f"bit 1 differs from the domain mask in {differing} cells"
    missing = (flag & WITHOUT_VALUE) != 0
    for name in ("sm", "sm_uncertainty"):
        stored = granule.values[name][0]
        low, high = (float(limit) for limit in granule.variables[name].attributes["valid_range"])
        if not np.isfinite(stored).all():
            yield f"{name} holds NaN or infinity"
        given = stored != FILL
        if not np.array_equal(given, ~missing):
            yield f"{name} is given or missing against the flag in {int((given == missing).sum())} cells"
        if ((stored[given] < low) | (stored[given] > high)).any():
            yield f"{name} leaves its valid_range [{low:g}, {high:g}]"


def observations(context: Context, granule: Granule) -> Reasons:
    """A month counts its days: at least ten where there is a value, never more than it has."""
    if "number_of_observations" not in granule.values:
        return
    number = granule.values["number_of_observations"][0]
    start, end = granule.values["time_bnds"][0]
    if (number < 0).any() or (number > end - start).any():
        yield f"number_of_observations leaves 0 to {end - start:g}, the days of the month"
    few = (granule.values["sm"][0] != FILL) & (number < FEWEST_DAYS)
    if few.any():
        yield f"{int(few.sum())} cells have a value of fewer than {FEWEST_DAYS} days"
    if number[~context.domain].any():
        yield "number_of_observations is not 0 outside the domain"


def dates(context: Context, granule: Granule) -> Reasons:
    """Every date attribute is extended ISO 8601 in UTC."""
    for name, value in granule.attributes.items():
        if DATES.match(name) and not TIMESTAMP.fullmatch(str(value)):
            yield f"{name} is {value!r}, expected YYYY-MM-DDThh:mm:ssZ"


def name(context: Context, granule: Granule) -> Reasons:
    """File name, place, identifiers and version agree with each other and with the recipe."""
    product, found = context.recipe.product, parse_name(granule.path.name)
    day = np.datetime64(found.day, "D")
    expected = granule_name(product, day)
    if found != expected:
        yield f"the recipe's name of this period is {expected.text}"
    if granule.path != context.folder / found.path:
        yield f"the place of this name is {found.path}"
    expected_attributes = {**context.reference.attributes, **period_attributes(product, day)}
    for key in ("id", "tracking_id", "product_version", "product_record", "product_id"):
        if granule.attributes.get(key) != expected_attributes[key]:
            yield f"{key} is {granule.attributes.get(key)!r}, expected {expected_attributes[key]!r}"


def extents(context: Context, granule: Granule) -> Reasons:
    """Extents and coverage equal the bounds, coordinates are those of the grid, rows run north to south."""
    attributes, stored = granule.attributes, granule.values
    if not (np.diff(stored["lat"]) < 0).all():
        yield "lat does not descend"
    for side, found in (
        ("lat_min", stored["lat_bnds"].min()), ("lat_max", stored["lat_bnds"].max()),
        ("lon_min", stored["lon_bnds"].min()), ("lon_max", stored["lon_bnds"].max()),
        ("vertical_min", stored["depth_bnds"][0]), ("vertical_max", stored["depth_bnds"][1]),
    ):  # fmt: skip
        if not _same(attributes.get(f"geospatial_{side}"), np.float64(found)):
            yield f"geospatial_{side} is {attributes.get(f'geospatial_{side}')!r}, the bounds say {float(found)!r}"
    day = np.datetime64(parse_name(granule.path.name).day, "D")
    times = period_values(context.recipe.product, day)
    for variable in context.reference.variables:
        expected = times.get(variable.name, variable.values)
        if expected is not None and not np.array_equal(stored[variable.name], expected):
            yield f"values of {variable.name} are not those of the grid, the layer or the period"
    for key, value in period_attributes(context.recipe.product, day).items():
        if key.startswith("time") and attributes.get(key) != value:
            yield f"{key} is {attributes.get(key)!r}, the period says {value!r}"


def target(context: Context, granule: Granule) -> Reasons:
    """cell_methods, long names and time bounds are those of the recipe's target."""
    for name in ("sm", "sm_uncertainty", "time"):
        expected = context.reference.variable(name).attributes
        for key in ("cell_methods", "long_name", "bounds"):
            found = granule.variables[name].attributes.get(key)
            if found != expected.get(key):
                yield f"{name}:{key} is {found!r}, the target has {expected.get(key)!r}"
    if ("time_bnds" in granule.variables) != is_mean(context.recipe.product):
        yield "time_bnds are there for a value at one moment, or missing for a mean"


def rounding(context: Context, granule: Granule) -> Reasons:
    """Low mantissa bits are zero, and `quantization` names an existing variable."""
    for name, kept in KEPT_BITS.items():
        stored = granule.values[name]
        bits = stored[stored != FILL].view(np.uint32)
        if (bits & np.uint32((1 << (MANTISSA_BITS - kept)) - 1)).any():
            yield f"{name} has more than {kept} mantissa bits"
        attributes = granule.variables[name].attributes
        if str(attributes.get("quantization")) not in granule.variables:
            yield f"{name}:quantization names no variable"


def storage(context: Context, granule: Granule) -> Reasons:
    """Types, dimensions, chunks and filters are as declared."""
    if set(granule.variables) != {variable.name for variable in context.reference.variables}:
        yield f"variables are {', '.join(sorted(granule.variables))}"
    for expected in context.reference.variables:
        found = granule.variables[expected.name]
        if np.dtype(found.dtype) != np.dtype(expected.dtype) or found.dims != expected.dims:
            yield f"{expected.name} is {found.dtype}{found.dims}, expected {np.dtype(expected.dtype)}{expected.dims}"
        wanted = (expected.chunk, expected.deflated, DEFLATE_LEVEL if expected.deflated else None)
        if (found.chunk, found.shuffle, found.deflate) != wanted:
            present = (found.chunk, found.shuffle, found.deflate)
            yield f"{expected.name}: chunk, shuffle, deflate are {present}, expected {wanted}"


def header(context: Context, granule: Granule) -> Reasons:
    """The header equals the reference header apart from the closed list; no global attribute `coordinates`."""
    expected = context.reference.attributes
    for key in sorted((set(expected) | set(granule.attributes)) - CLOSED_LIST):
        if not _same(granule.attributes.get(key), expected.get(key)):
            yield f"global {key} is {granule.attributes.get(key)!r}, expected {expected.get(key)!r}"
    for key in sorted(set(granule.attributes) & CLOSED_LIST - set(expected)):
        yield f"global {key} should not be there"
    for variable in context.reference.variables:
        found = granule.variables[variable.name].attributes
        for key in sorted(set(variable.attributes) | set(found)):
            if not _same(found.get(key), variable.attributes.get(key)):
                yield f"{variable.name}:{key} is {found.get(key)!r}, expected {variable.attributes.get(key)!r}"


def origin(context: Context, granule: Granule) -> Reasons:
    """History, inputs and dates are those of the version."""
    for key in ("history", "input_manifest_sha256", "source", "doi"):
        if granule.attributes.get(key) != context.reference.attributes.get(key):
            yield f"{key} is {granule.attributes.get(key)!r}, expected {context.reference.attributes.get(key)!r}"


def _same(found: Any, expected: Any) -> bool:
    """Equal in value and type; text as text, numbers bit by bit."""
    if isinstance(found, str) or isinstance(expected, str) or found is None or expected is None:
        return bool(type(found) is type(expected) and found == expected)
    one, other = np.asarray(found), np.asarray(expected)
    return one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())


CHECKS: tuple[tuple[str, Callable[[Context, Granule], Reasons]], ...] = (
    ("grid_mapping", grid_mapping),
    ("units", units),
    ("area_type", area_type),
    ("depth", depth),
    ("axis", axis),
    ("values", values),
    ("observations", observations),
    ("dates", dates),
    ("name", name),
    ("extents", extents),
    ("target", target),
    ("rounding", rounding),
    ("storage", storage),
    ("header", header),
    ("origin", origin),
)
