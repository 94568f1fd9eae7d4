"""Manifest, DataCite and STAC documents against their schemas: planted faults are found, and nothing is fetched."""

import copy
import json
import socket

import pytest

from vadose.common import read_json, silent, write_json
from vadose.producer.release import schemas
from vadose.producer.release.complete import repeat_gate
from vadose.producer.release.documents import datacite
from vadose.producer.release.gate import failures


def test_a_right_version_follows_every_schema_without_the_network(made, monkeypatch):
    def closed(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", closed)
    schemas._validator.cache_clear()
    schemas._registry.cache_clear()
    assert list(schemas.check(made[2])) == []


def changed(path, value, *keys):
    """A JSON file with another value at a place; `None` removes it."""
    document = read_json(path)
    place = document
    for key in keys[:-1]:
        place = place[key]
    if value is None:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    write_json(path, document)


FAULTS = [
    ("manifest.json", ("version",), "1.0", "$.version"),
    ("manifest.json", ("files", 0, "path"), "../outside.nc", "$.files[0]"),
    ("manifest.json", ("files", 0, "path"), "/etc/passwd", "$.files[0]"),
    ("manifest.json", ("files", 0, "sha256"), None, "$.files[0]"),
    ("manifest.json", ("more",), 1, "'more' was unexpected"),
    ("manifest.json", ("expected",), {}, "$.expected"),
    ("datacite.json", ("creators",), None, "'creators' is a required property"),
    ("datacite.json", ("types", "resourceTypeGeneral"), "Data", "$.types.resourceTypeGeneral"),
    ("datacite.json", ("dates", 1, "dateType"), "Coverage", "$.dates[1].dateType"),
    ("datacite.json", ("relatedIdentifiers", 0, "relationType"), "IsBetterThan", "$.relatedIdentifiers[0]"),
    ("stac/collection.json", ("extent",), None, "'extent' is a required property"),
    ("stac/collection.json", ("license",), "two words", "$.license"),
    ("stac/collection.json", ("cube:dimensions", "lat", "axis"), "z", "cube:dimensions"),
    ("stac/collection.json", ("sci:citation",), None, "sci:citation"),
    ("stac/2016.json", ("features", 3, "geometry"), None, "geometry"),
    ("stac/2016.json", ("features", 3, "stac_version"), "0.9", "$.stac_version"),
    ("stac/2016.json", ("features", 3, "properties", "start_datetime"), "yesterday", "$.properties.start_datetime"),
    ("stac/2016.json", ("features", 3, "assets", "data", "file:checksum"), "0" * 64, "file:checksum"),
    ("stac/2016.json", ("type",), "Features", "not a FeatureCollection"),
    ("dataset.jsonld", ("license",), None, "'license' is a required property"),
    ("dataset.jsonld", ("@context",), "https://example.org/", "@context"),
    ("dataset.jsonld", ("distribution", 0, "sha256"), "abc", "$.distribution[0].sha256"),
    ("dataset.jsonld", ("spatialCoverage", "geo", "box"), "all over", "$.spatialCoverage.geo.box"),
    ("dataset.jsonld", ("temporalCoverage",), "2015", "$.temporalCoverage"),
    ("provenance/prov.json", ("agent",), None, "'agent' is a required property"),
    ("provenance/prov.json", ("entity", "vadose:file-1", "vadose:sha256"), "0", "vadose:sha256"),
    ("provenance/prov.json", ("entity", "vadose:file-1", "vadose:sha256"), "1" * 64, "small.nc is not there with its"),
    ("provenance/prov.json", ("entity", "vadose:file-1"), None, "vadose:file-1 is declared nowhere"),
    ("provenance/prov.json", ("used", "_:u1", "prov:entity"), "vadose:gone", "vadose:gone is declared nowhere"),
    ("provenance/prov.json", ("prefix",), {"other": "https://example.org/"}, "the prefix is unknown"),
    ("provenance/prov.json", ("used", "_:u1", "more"), "x", "'more' was unexpected"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "keys", "value", "place"), FAULTS)
def test_planted_fault_of_a_document_is_found(made, tmp_path, name, keys, value, place):
    folder = tmp_path / "v1.0.0"
    for path in ("manifest.json", "datacite.json", "stac/collection.json", "stac/2016.json", "dataset.jsonld",
                 "provenance/prov.json", "provenance/inputs.json"):  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes((made[2] / path).read_bytes())
    assert list(schemas.check(folder)) == []
    changed(folder / name, value, *keys)
    found = list(schemas.check(folder))
    assert found
    assert all(line.startswith(name) for line in found)
    assert place in " ".join(found)


def test_the_gate_fails_on_a_document_against_its_schema(copied):
    _, _, version = copied
    changed(version / "datacite.json", None, "titles")
    assert any(line.startswith("schemas: datacite.json") for line in failures(repeat_gate(version, silent)))


def test_missing_and_broken_documents_are_named(made, tmp_path):
    (tmp_path / "stac").mkdir()
    (tmp_path / "stac" / "2016.json").write_text("[")
    (tmp_path / "datacite.json").write_text("{}")
    text = " ".join(schemas.check(tmp_path))
    assert "manifest.json: no file manifest.json" in text
    assert "stac/2016.json: not valid JSON" in text
    assert "stac/collection.json: no file" in text


def test_a_doi_a_previous_version_and_months_follow_the_schema(worlds, made):
    inputs = read_json(made[2] / "provenance" / "inputs.json")
    recipe = worlds.small_recipe(product__doi="10.5072/vadose.example", product__step="monthly")
    document = json.loads(json.dumps(datacite(recipe, inputs, "0.9.0")))
    assert schemas.faults("datacite-v4.5.json", document) == []
    assert document["doi"] == "10.5072/vadose.example"
    worse = copy.deepcopy(document)
    worse["doi"] = "doi:10.5072"
    assert schemas.faults("datacite-v4.5.json", worse)
