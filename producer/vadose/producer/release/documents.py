"""The documents of a version: everything descriptive comes from the recipe and from what was measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from vadose.producer.granules.crs import geospatial
from vadose.producer.provenance import as_json
from vadose.producer.recipe import Recipe
from vadose.producer.release.citing import address
from vadose.producer.release.prov import prov
from vadose.producer.release.readme import readme
from vadose.producer.release.rechunked import FOLDER as CUBE
from vadose.producer.release.references import FOLDER as REFERENCES
from vadose.producer.release.stac import NETCDF, ZARR
from vadose.producer.release.survey import Surveyed
from vadose.producer.vocabulary import SOIL_MOISTURE

KEYWORDS = ("soil moisture", "volumetric soil water content", "hydrology", "remote sensing")
NO_ISSUES = "# Known issues\n\nNone is known.\n"


def documents(recipe: Recipe, surveyed: Sequence[Surveyed], inputs: Mapping[str, Any], ways: Mapping[str, str], *,
              previous: str | None, change_log: str, issues: str | None) -> dict[str, str]:  # fmt: skip
    """Texts of all documents by name.

    Parameters
    ----------
    recipe
        What describes the product.
    surveyed
        The granules, in the order of their paths.
    inputs
        `provenance/inputs.json`.
    ways
        Texts of the STAC collection, of the references and of the cube's `zarr.json`, by path.
    previous
        The version before, if there is one.
    change_log
        What changed against it, in Markdown.
    issues
        The product's live `KNOWN_ISSUES.md`.
    """
    return {
        "README.md": readme(recipe, surveyed[0].path),
        "LICENSE": licence(recipe),
        "CITATION.cff": citation(recipe),
        "CHANGELOG.md": change_log,
        "KNOWN_ISSUES.md": issues or NO_ISSUES,
        "datacite.json": as_json(datacite(recipe, inputs, previous)),
        "dataset.jsonld": as_json(jsonld(recipe, surveyed, ways)),
        "provenance/prov.json": as_json(prov(recipe, inputs)),
    }


def licence(recipe: Recipe) -> str:
    """Licence of the product and of what it was made from."""
    product = recipe.product
    lines = [f"{product.title}, version {product.version}", f"Licence of the data: {product.licence}", "", "Made from:"]
    lines += [f"- {source.name} {source.version} ({source.producer}): {source.licence}" for source in recipe.inputs]
    return "\n".join(lines) + "\n"


def citation(recipe: Recipe) -> str:
    """Citation File Format 1.2."""
    product = recipe.product
    values = {
        "cff-version": "1.2.0", "message": "Please cite the version that you used, and the day on which you got it.",
        "type": "dataset", "title": product.title, "version": product.version, "date-released": product.issued[:10],
        "authors": [{"name": product.creator.name}], "license": product.licence, "url": product.landing_url,
        **({"doi": product.doi} if product.doi else {}),
    }  # fmt: skip
    # JSON is YAML; quoting is then never in doubt.
    return "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())


def datacite(recipe: Recipe, inputs: Mapping[str, Any], previous: str | None) -> dict[str, Any]:
    """DataCite 4.5 metadata; registered by whoever publishes."""
    product = recipe.product
    landing = product.landing_url.rstrip("/")
    whole = (product.concept_doi, "DOI") if product.concept_doi else (landing, "URL")
    related = [{"relatedIdentifier": whole[0], "relatedIdentifierType": whole[1], "relationType": "IsVersionOf"}]
    if previous:
        related.append({
            "relatedIdentifier": f"{landing}/v{previous}", "relatedIdentifierType": "URL",
            "relationType": "IsNewVersionOf",
        })  # fmt: skip
    items = [
        {
            "titles": [{"title": f"{source['name']}, version {source['version']}"}], "relatedItemType": "Dataset",
            "relationType": "IsDerivedFrom", "publisher": source["producer"],
        }
        for source in inputs["sources"]
    ]  # fmt: skip
    box = geospatial(product.grid.grid(), product.depth_m)
    names = {
        "westBoundLongitude": "lon_min", "eastBoundLongitude": "lon_max", "southBoundLatitude": "lat_min",
        "northBoundLatitude": "lat_max",
    }  # fmt: skip
    page = f"{landing}/v{product.version}"
    return {
        "schemaVersion": "http://datacite.org/schema/kernel-4", **({"doi": product.doi} if product.doi else {}),
        "url": page, "alternateIdentifiers": [{"alternateIdentifier": page, "alternateIdentifierType": "URL"}],
        "creators": [{"name": product.creator.name, "nameType": "Organizational"}],
        "titles": [{"title": product.title}], "publisher": {"name": product.publisher.name},
        "publicationYear": product.issued[:4], "version": product.version,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": f"{product.step} gridded fields"},
        "descriptions": [{"description": product.summary, "descriptionType": "Abstract"}],
        "dates": [{"date": product.issued[:10], "dateType": "Issued"},
                  {"date": f"{product.days[0]}/{product.days[1]}", "dateType": "Other",
                   "dateInformation": "temporal coverage"}],
        "rightsList": [{"rights": product.licence}], "subjects": [{"subject": word} for word in KEYWORDS],
        "formats": ["application/x-netcdf"], "relatedIdentifiers": related, "relatedItems": items,
        "geoLocations": [{
            "geoLocationBox": {side: float(box[f"geospatial_{name}"]) for side, name in names.items()}
        }],
    }  # fmt: skip


def _downloads(surveyed: Sequence[Surveyed], ways: Mapping[str, str]) -> Iterator[tuple[str, str, str, int, str]]:
    """Name, path, format, size and hash: the first and the last granule, and what leads to all of them.

    Every granule has its place in the references of its year; one entry each would make the document, which stands in
    the product's page, megabytes long.
    """
    for name, item in (("first granule", surveyed[0]), ("last granule", surveyed[-1]))[: len(surveyed)]:
        yield name, item.path, NETCDF, item.entry["bytes"], item.entry["sha256"]
    for path, text in sorted(ways.items()):
        place = PurePosixPath(path)
        if place.parts[0] == REFERENCES:
            name, form = f"all granules of {place.stem} as one dataset, by virtual references", "application/json"
        elif place.parts[0] == CUBE:
            name, form = "all granules as one Zarr store, chunked for series", ZARR
        else:
            name, form = "STAC collection of all granules, with size and checksum of each", "application/json"
        raw = text.encode()
        yield name, path, form, len(raw), hashlib.sha256(raw).hexdigest()


def jsonld(recipe: Recipe, surveyed: Sequence[Surveyed], ways: Mapping[str, str]) -> dict[str, Any]:
    """schema.org Dataset; `ways` are the texts of the files that lead to all granules."""
    product = recipe.product
    found = geospatial(product.grid.grid(), product.depth_m)
    box = {key: float(value) for key, value in found.items() if key.endswith(("min", "max"))}
    landing = product.landing_url.rstrip("/")
    corners = [box[f"geospatial_{name}"] for name in ("lat_min", "lon_min", "lat_max", "lon_max")]
    variables = (
        ("sm", SOIL_MOISTURE, "m3 m-3"), ("sm_uncertainty", f"{SOIL_MOISTURE} standard_error", "m3 m-3"),
        ("flag", "status_flag", "1"),
        *([("number_of_observations", "number_of_observations", "1")] if product.step == "monthly" else []),
    )  # fmt: skip
    return {
        "@context": "https://schema.org/", "@type": "Dataset",
        "@id": f"{landing}/v{product.version}/", "name": product.title,
        "description": product.summary, "identifier": address(recipe), "url": product.landing_url,
        "license": product.licence, "version": product.version, "datePublished": product.issued,
        "temporalCoverage": f"{product.days[0]}/{product.days[1]}", "keywords": list(KEYWORDS),
        "spatialCoverage": {
            "@type": "Place", "geo": {"@type": "GeoShape", "box": " ".join(f"{value:.9g}" for value in corners)},
        },
        "creator": {"@type": "Organization", "name": product.creator.name, "url": product.creator.url},
        "publisher": {"@type": "Organization", "name": product.publisher.name, "url": product.publisher.url},
        "variableMeasured": [
            {"@type": "PropertyValue", "name": name, "propertyID": standard_name, "unitText": unit}
            for name, standard_name, unit in variables
        ],
        "distribution": [
            {
                "@type": "DataDownload", "name": name, "contentUrl": f"{landing}/v{product.version}/{path}",
                "encodingFormat": form, "contentSize": f"{size} B", "sha256": sha256,
            }
            for name, path, form, size, sha256 in _downloads(surveyed, ways)
        ],
        "isBasedOn": [{"@type": "Dataset", "name": source.name, "version": source.version} for source in recipe.inputs],
    }  # fmt: skip
