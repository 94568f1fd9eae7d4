"""W3C PROV in JSON: from the input files and their sums to the product, and what was done on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vadose.producer.recipe import Recipe

VERBS = ("ingest", "train", "build")
# What names an entity or an activity in each relation.
RELATIONS = {
    "used": ("prov:activity", "prov:entity"), "wasGeneratedBy": ("prov:entity", "prov:activity"),
    "wasDerivedFrom": ("prov:generatedEntity", "prov:usedEntity"),
    "wasAttributedTo": ("prov:entity", "prov:agent"), "hadMember": ("prov:collection", "prov:entity"),
}  # fmt: skip


def prov(recipe: Recipe, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs with every file and its SHA-256, cube, model and product, and the activities between them.

    Parameters
    ----------
    recipe
        Of the version.
    inputs
        `provenance/inputs.json`.
    """
    product = recipe.product
    version = f"vadose:{product.id}-v{product.version}"
    sources = {f"vadose:input-{k + 1}": source for k, source in enumerate(inputs["sources"])}
    files = {f"vadose:file-{k + 1}": file for k, file in enumerate(inputs["files"])}
    used = [("vadose:ingest", key) for key in (*sources, *files)]
    used += [("vadose:train", "vadose:cube"), ("vadose:build", "vadose:cube"), ("vadose:build", "vadose:model")]
    made = (("vadose:cube", "vadose:ingest"), ("vadose:model", "vadose:train"), (version, "vadose:build"))
    return {
        "prefix": {"vadose": product.landing_url},
        "entity": {
            version: {"prov:label": product.title, "vadose:version": product.version},
            "vadose:cube": {"prov:label": recipe.cube, "vadose:content_hash": inputs["cube"]["content_hash"]},
            "vadose:model": {"prov:label": f"{recipe.method.name}, split {recipe.method.split}"},
            **{
                key: {
                    "prov:label": source["name"], "vadose:version": source["version"],
                    "vadose:producer": source["producer"], "vadose:licence": source["licence"],
                }
                for key, source in sources.items()
            },
            **{
                key: {"prov:label": file["name"], "vadose:sha256": file["sha256"], "vadose:bytes": file["bytes"]}
                for key, file in files.items()
            },
        },
        "activity": {f"vadose:{verb}": {"prov:label": f"vadose {verb}"} for verb in VERBS},
        "agent": {"vadose:creator": {"prov:label": product.creator.name}},
        "used": {f"_:u{k + 1}": dict(zip(RELATIONS["used"], pair, strict=True)) for k, pair in enumerate(used)},
        "wasGeneratedBy": {
            f"_:g{k + 1}": dict(zip(RELATIONS["wasGeneratedBy"], pair, strict=True)) for k, pair in enumerate(made)
        },
        "wasAttributedTo": {"_:a1": {"prov:entity": version, "prov:agent": "vadose:creator"}},
    }  # fmt: skip


def faults(document: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[str]:
    """Names that are declared nowhere, unknown prefixes, and input files that are missing or have other sums."""
    known = {name for kind in ("entity", "activity", "agent") for name in document[kind]}
    prefixes = {*document["prefix"], "prov", "_"}
    yield from (f"{name}: the prefix is unknown" for name in sorted(known) if name.partition(":")[0] not in prefixes)
    for relation, keys in RELATIONS.items():
        for name, found in document.get(relation, {}).items():
            unknown = [found[key] for key in keys if found[key] not in known]
            yield from (f"{relation} {name}: {other} is declared nowhere" for other in unknown)
    listed = {(item["prov:label"], item.get("vadose:sha256")) for item in document["entity"].values()}
    expected = {(file["name"], file["sha256"]) for file in inputs["files"]}
    yield from (f"input file {name} is not there with its SHA-256" for name, _ in sorted(expected - listed))
