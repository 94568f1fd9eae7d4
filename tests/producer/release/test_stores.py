"""Releases copied to a store that speaks S3: what comes last, what a stop or a refusal leaves, and reading back."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from vadose.cli.main import run
from vadose.common import GateError, InputError, silent
from vadose.producer.release.folder import Folder
from vadose.producer.release.publish import publish, withdraw
from vadose.producer.release.stores import open_store
from vadose.producer.release.verify import verify, verify_url

URL = "s3://bucket/products"


@pytest.fixture
def store(monkeypatch):
    """A running server, which the environment names."""
    spec = importlib.util.spec_from_file_location("s3_server", Path(__file__).with_name("s3_server.py"))
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "s3_server", module)
    spec.loader.exec_module(module)
    with module.s3_server() as (objects, address):
        known = {"AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true", "AWS_ACCESS_KEY_ID": "key",
                 "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}  # fmt: skip
        for name, value in known.items():
            monkeypatch.setenv(name, value)
        yield objects


def names(store, version):
    """Keys of a version's files and of the product's root."""
    prefix = f"bucket/products/{version.parent.name}/"
    return {key.removeprefix(prefix) for key in store.objects}


def test_a_release_is_published_to_the_store_with_what_points_to_it_last(copied, store):
    _, _, version = copied
    assert publish(Folder(version), silent, to=URL)
    files = {f"{version.name}/{name}" for name in Folder(version).files()}
    assert names(store, version) == files | {"KNOWN_ISSUES.md", "versions.json", "latest.json"}
    assert [key.rpartition("/")[2] for key in store.order[-5:]] == [
        "SHA256SUMS", "manifest.json", "KNOWN_ISSUES.md", "versions.json", "latest.json",
    ]  # fmt: skip
    assert not any(key.endswith(".part") for key in store.order)
    assert verify_url(f"{URL}/{version.parent.name}/{version.name}", silent).damaged == []


def test_the_same_again_copies_nothing_and_other_bytes_there_are_refused(copied, store):
    _, _, version = copied
    publish(Folder(version), silent, to=URL)
    before = list(store.order)
    assert not publish(Folder(version), silent, to=URL)
    assert store.order == before
    key = f"bucket/products/{version.parent.name}/{version.name}/manifest.json"
    store.objects[key] += b"\n"
    with pytest.raises(GateError, match="published there with other bytes"):
        publish(Folder(version), silent, to=URL)


def test_a_refused_file_is_one_readable_error_and_the_next_call_goes_on(copied, store):
    _, _, version = copied
    place = f"bucket/products/{version.parent.name}"
    store.refused.add(f"{place}/{version.name}/SHA256SUMS")
    with pytest.raises(InputError, match="cannot be read or written"):
        publish(Folder(version), silent, to=URL)
    assert f"{place}/latest.json" not in store.objects
    assert not (version.parent / "latest.json").exists()
    assert f"{place}/{version.name}/manifest.json" not in store.objects
    granules = sum(key.endswith(".nc") for key in store.order)
    store.refused.clear()
    assert publish(Folder(version), silent, to=URL)
    assert sum(key.endswith(".nc") for key in store.order) == granules
    assert f"{place}/latest.json" in store.objects


def test_a_withdrawal_reaches_the_copy(copied, store):
    _, _, version = copied
    publish(Folder(version), silent, to=URL)
    withdraw(Folder(version), "wrong rain", to=URL)
    place = f"bucket/products/{version.parent.name}"
    entry = json.loads(store.objects[f"{place}/versions.json"])["versions"][0]
    assert (entry["status"], entry["reason"]) == ("withdrawn", "wrong rain")
    assert f"{place}/latest.json" not in store.objects
    assert b"wrong rain" in store.objects[f"{place}/KNOWN_ISSUES.md"]
    with pytest.raises(GateError, match="was withdrawn: wrong rain"):
        publish(Folder(version), silent, to=URL)


def test_a_store_that_is_not_there_is_one_readable_error(copied, capsys):
    workspace, _, version = copied
    words = ["release", "publish", str(version), "--workspace", str(workspace), "--quiet"]
    assert run([*words, "--to", "nonsense://bucket/x"]) == 3
    assert "cannot reach this address" in capsys.readouterr().err
    assert not (version.parent / "latest.json").exists()


def test_a_folder_gets_no_partial_files(copied, tmp_path):
    _, _, version = copied
    publish(Folder(version), silent, to=str(tmp_path / "mirror"))
    copy = tmp_path / "mirror" / version.parent.name / version.name
    assert verify(copy, silent).damaged == []
    assert not list((tmp_path / "mirror").rglob("*.part"))
    assert open_store(str(tmp_path))[1] == str(tmp_path)
