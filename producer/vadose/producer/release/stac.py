"""STAC 1.1: a collection of the product and one item collection a year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from vadose.producer.granules.crs import geospatial
from vadose.producer.granules.header import duration, field_names
from vadose.producer.granules.names import parse_name
from vadose.producer.provenance import as_json
from vadose.producer.recipe import Recipe
from vadose.producer.release.rechunked import cube_name
from vadose.producer.release.survey import Surveyed

VERSION = "1.1.0"
EXTENSIONS = {
    "version": "https://stac-extensions.github.io/version/v1.2.0/schema.json",
    "file": "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "datacube": "https://stac-extensions.github.io/datacube/v2.2.0/schema.json",
    "scientific": "https://stac-extensions.github.io/scientific/v1.0.0/schema.json",
}
# Multihash code of SHA-256 and its length in bytes.
MULTIHASH = "1220"
NETCDF = "application/x-netcdf"
ZARR = "application/vnd.zarr; version=3"
COLLECTION = "stac/collection.json"


def stac(recipe: Recipe, surveyed: Sequence[Surveyed], issued: Mapping[str, str] | None = None) -> dict[str, str]:
    """Texts of `stac/collection.json` and `stac/<YYYY>.json` by name.

    Parameters
    ----------
    recipe, surveyed
        The product and its granules.
    issued
        When each earlier version was issued whose granules this one took over.
    """
    known = {recipe.product.version: recipe.product.issued, **(issued or {})}
    years: dict[str, list[Surveyed]] = {}
    for item in surveyed:
        years.setdefault(parse_name(PurePosixPath(item.path).name).when[:4], []).append(item)
    texts = {
        f"stac/{year}.json": as_json(item_collection(recipe, items, known)) for year, items in sorted(years.items())
    }
    return texts | {COLLECTION: as_json(collection(recipe, sorted(years)))}


def box(recipe: Recipe) -> list[float]:
    """West, south, east, north."""
    values = geospatial(recipe.product.grid.grid(), recipe.product.depth_m)
    return [float(values[f"geospatial_{name}"]) for name in ("lon_min", "lat_min", "lon_max", "lat_max")]


def collection(recipe: Recipe, years: Sequence[str]) -> dict[str, Any]:
    """The product as a STAC collection."""
    product = recipe.product
    first, last = product.days
    scientific = {"sci:doi": product.doi} if product.doi else {}
    return {
        "type": "Collection", "stac_version": VERSION, "id": product.id, "title": product.title,
        "description": product.summary, "license": product.licence if " " not in product.licence else "other",
        "stac_extensions": sorted(EXTENSIONS.values()), "version": product.version,
        "keywords": ["soil moisture"], **scientific,
        "sci:citation": f"{product.creator.name} ({product.issued[:4]}): {product.title}, version {product.version}.",
        "providers": [
            {"name": product.creator.name, "roles": ["producer"], "url": product.creator.url},
            {"name": product.publisher.name, "roles": ["host"], "url": product.publisher.url},
        ],
        "extent": {
            "spatial": {"bbox": [box(recipe)]},
            "temporal": {"interval": [[f"{first}T00:00:00Z", f"{last}T23:59:59Z"]]},
        },
        **_datacube(recipe), **_assets(recipe),
        "links": [
            {"rel": "self", "href": "./collection.json", "type": "application/json"},
            {"rel": "about", "href": product.landing_url},
            *({"rel": "items", "href": f"./{year}.json", "type": "application/geo+json"} for year in years),
        ],
    }  # fmt: skip


def _assets(recipe: Recipe) -> dict[str, Any]:
    """What holds all granules at once: the cube, where the recipe asks for one."""
    if not recipe.build.cube:
        return {}
    title = "All granules as one Zarr store, chunked for series"
    return {"assets": {"cube": {"href": f"../{cube_name(recipe)}", "type": ZARR, "roles": ["data"], "title": title}}}


def _datacube(recipe: Recipe) -> dict[str, Any]:
    product = recipe.product
    grid = product.grid.grid()
    rows, columns = grid.dims
    west, south, east, north = box(recipe)
    if grid.is_ease2:
        west, east = float(grid.x_edges[0]), float(grid.x_edges[-1])
        south, north = float(grid.y_edges[-1]), float(grid.y_edges[0])
    common = {"type": "spatial", "reference_system": grid.epsg, "step": grid.step}
    dims = ["time", rows, columns]
    units = {name: "m3 m-3" if name.startswith("sm") else "1" for name in field_names(product)}
    return {
        "cube:dimensions": {
            "time": {
                "type": "temporal",
                "extent": [f"{day}T00:00:00Z" for day in product.days],
                "step": duration(product),
            },
            rows: {**common, "axis": "y", "extent": [south, north]},
            columns: {**common, "axis": "x", "extent": [west, east]},
        },
        "cube:variables": {name: {"type": "data", "dimensions": dims, "unit": unit} for name, unit in units.items()},
    }


def item_collection(recipe: Recipe, items: Sequence[Surveyed], issued: Mapping[str, str]) -> dict[str, Any]:
    """The granules of a year."""
    return {"type": "FeatureCollection", "features": [item(recipe, surveyed.entry, issued) for surveyed in items]}


def item(recipe: Recipe, entry: Mapping[str, Any], issued: Mapping[str, str]) -> dict[str, Any]:
    """One granule as a STAC item; coordinates are longitude, latitude."""
    west, south, east, north = box(recipe)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature", "stac_version": VERSION, "id": PurePosixPath(entry["path"]).stem,
        "collection": recipe.product.id,
        "stac_extensions": [EXTENSIONS["file"], EXTENSIONS["version"]], "bbox": [west, south, east, north],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "datetime": None, "start_datetime": entry["start"], "end_datetime": entry["end"],
            "created": issued.get(entry["since"], recipe.product.issued), "version": entry["since"],
        },
        "links": [{"rel": "collection", "href": "./collection.json", "type": "application/json"}],
        "assets": {
            "data": {
                "href": f"../{entry['path']}", "type": NETCDF, "roles": ["data"], "file:size": entry["bytes"],
                "file:checksum": f"{MULTIHASH}{entry['sha256']}",
            }
        },
    }  # fmt: skip
