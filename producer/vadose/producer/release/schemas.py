"""Manifest, DataCite, STAC, schema.org and PROV documents of a release against their schemas, without the network."""

from __future__ import annotations

import importlib.resources
import importlib.util
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from vadose.common import InputError, read_json
from vadose.producer.release import prov
from vadose.producer.release.folder import MANIFEST

FOLDER = "schemas"
PROV = "provenance/prov.json"
STAC = "https://schemas.stacspec.org/v1.1.0"
LISTED_FAULTS = 3


def check(folder: Path) -> Iterator[str]:
    """What in a version folder does not follow its schema, with the place in the document."""
    if importlib.util.find_spec("jsonschema") is None:
        yield "jsonschema is not installed; install vadose[gate]"
        return
    places: list[tuple[Path, tuple[str, ...]]] = [
        (folder / MANIFEST, ("manifest.json",)),
        (folder / "datacite.json", ("datacite-v4.5.json",)),
        (folder / "stac" / "collection.json", ("stac-1.1.0/collection.json", "stac-extensions.json")),
        (folder / "dataset.jsonld", ("dataset-jsonld.json",)),
        (folder / PROV, ("prov.json",)),
    ]
    for path, names in places:
        yield from _document_faults(path, path.relative_to(folder).as_posix(), names)
    for path in sorted((folder / "stac").glob("[0-9]*.json")):
        yield from _year_faults(path, path.relative_to(folder).as_posix())
    if (folder / PROV).is_file() and not list(_document_faults(folder / PROV, PROV, ("prov.json",))):
        inputs = read_json(folder / "provenance" / "inputs.json")
        yield from (f"{PROV}: {fault}" for fault in prov.faults(read_json(folder / PROV), inputs))


def _document_faults(path: Path, label: str, names: tuple[str, ...]) -> Iterator[str]:
    try:
        document = read_json(path)
    except InputError as error:
        yield f"{label}: {error.what}"
        return
    for name in names:
        yield from (f"{label}: {fault}" for fault in faults(name, document))


def _year_faults(path: Path, label: str) -> Iterator[str]:
    try:
        document = read_json(path)
    except InputError as error:
        yield f"{label}: {error.what}"
        return
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        yield f"{label}: not a FeatureCollection"
        return
    for item in features:
        for name in ("stac-1.1.0/item.json", "stac-extensions.json"):
            yield from (f"{label}, {_id(item)}: {fault}" for fault in faults(name, item))


def _id(item: Any) -> str:
    return str(item.get("id", "an item without id")) if isinstance(item, dict) else "an item that is no object"


def faults(name: str, document: Any) -> list[str]:
    """The first faults of a document by a schema of the package: place and reason."""
    found = sorted(_validator(name).iter_errors(document), key=lambda fault: (fault.json_path, fault.message))
    lines = [f"{fault.json_path} {fault.message[:200]}" for fault in found[:LISTED_FAULTS]]
    return [*lines, f"and {len(found) - LISTED_FAULTS} more"] if len(found) > LISTED_FAULTS else lines


@cache
def _validator(name: str) -> Any:
    import jsonschema

    schema = _read(name)
    kind = jsonschema.validators.validator_for(schema)
    return kind(schema, registry=_registry(), format_checker=kind.FORMAT_CHECKER)


@cache
def _registry() -> Any:
    """Every schema that another one refers to; what is not among them cannot be resolved, and nothing is fetched."""
    import jsonschema
    from referencing import Registry
    from referencing.jsonschema import DRAFT7

    addresses = {f"geojson/{name}.json": f"https://geojson.org/schema/{name}.json" for name in ("Feature", "Geometry")}
    for path in _folder().joinpath("stac-1.1.0").iterdir():
        kind = "collection-spec" if path.name == "collection.json" else "item-spec"
        addresses[f"stac-1.1.0/{path.name}"] = f"{STAC}/{kind}/json-schema/{path.name}"
    pairs = [(address, _read(name)) for name, address in addresses.items()]
    pairs.append(("http://json-schema.org/draft-07/schema", jsonschema.Draft7Validator.META_SCHEMA))
    return Registry().with_resources([(address, DRAFT7.create_resource(schema)) for address, schema in pairs])


def _folder() -> Any:
    return importlib.resources.files("vadose.producer.release").joinpath(FOLDER)


def _read(name: str) -> Any:
    return json.loads(_folder().joinpath(*name.split("/")).read_text(encoding="utf-8"))
