"""Granules that are built again: bytes in the locked environment, content in another."""

import netCDF4
import pytest

from vadose.common import InputError, read_json, silent, write_json
from vadose.producer.granules.reading import read_granule
from vadose.producer.release import rebuild as rebuilding
from vadose.producer.release.folder import Folder
from vadose.producer.release.manifest import environment_lock
from vadose.producer.release.rebuild import rebuild


def again(worlds, workspace, version, sample=2):
    return rebuild(Folder(version), workspace, sample, 10**9, silent, lambda *_: worlds.RainModel())


def other_bytes(version, *, content):
    """The manifest and a file of every granule as another library would have written them, or with another value."""
    manifest = read_json(version / "manifest.json")
    for entry in manifest["files"]:
        if entry["role"] == "granule":
            entry["sha256"] = "0" * 64
            entry["content_sha256"] = entry["content_sha256"] if content == "same" else "1" * 64
    write_json(version / "manifest.json", manifest)


def elsewhere(version):
    lock = version / "provenance" / "environment.lock"
    lock.write_text(lock.read_text().replace("numpy==", "numpy==0."))


def test_the_same_environment_gives_the_same_bytes(made, worlds):
    workspace, _, version, _ = made
    found = again(worlds, workspace, version, 3)
    assert [item.outcome for item in found.granules] == ["same bytes"] * 3
    assert found.environment == ()
    assert found.failed == ()


def test_the_sample_is_of_the_manifest_and_at_most_all(made, worlds):
    workspace, _, version, _ = made
    names = {path.name for path in version.rglob("*DAILY*.nc")}
    first, second = (again(worlds, workspace, version, 2) for _ in range(2))
    assert first == second
    assert {item.name for item in again(worlds, workspace, version, 1000).granules} == names


def test_the_same_content_is_enough_in_another_environment_alone(copied, worlds):
    workspace, _, version = copied
    other_bytes(version, content="same")
    found = again(worlds, workspace, version)
    assert [item.outcome for item in found.failed] == ["same content"] * 2
    elsewhere(version)
    found = again(worlds, workspace, version)
    assert found.failed == ()
    assert any(line.startswith("numpy==0.") and line.endswith("then") for line in found.environment)


def test_another_content_fails_in_every_environment(copied, worlds):
    workspace, _, version = copied
    other_bytes(version, content="other")
    elsewhere(version)
    assert [item.outcome for item in again(worlds, workspace, version).failed] == ["differs"] * 2


def test_one_changed_value_is_another_content(made, tmp_path):
    path = next(made[2].rglob("*20160110*.nc"))
    changed = tmp_path / path.name
    changed.write_bytes(path.read_bytes())
    with netCDF4.Dataset(changed, "r+") as file:
        file.history = "2026-01-15T00:00:00Z by another software"
    assert read_granule(changed).content_sha256 == read_granule(path).content_sha256
    with netCDF4.Dataset(changed, "r+") as file:
        file["flag"][0, 0, 0] = 5
    assert read_granule(changed).content_sha256 != read_granule(path).content_sha256


def test_another_model_and_another_cube_are_named(copied, worlds):
    workspace, recipe, version = copied
    card = workspace / "models" / recipe.recipe / "model.json"
    values = read_json(card)
    write_json(card, {**values, "seeds": [1]})
    with pytest.raises(InputError, match="model of version 1.0.0: hash"):
        again(worlds, workspace, version)
    write_json(card, values)
    store = workspace / "cubes" / "small.zarr"
    store.rename(store.with_name("old.zarr"))
    worlds.small_cube(store, recipe, extra_days=2)
    with pytest.raises(InputError, match="inputs of version 1.0.0: hash"):
        again(worlds, workspace, version)


def test_another_kind_of_hardware_is_another_environment(made, monkeypatch):
    monkeypatch.setattr(rebuilding, "hardware", lambda: "cpu of tomorrow")
    assert "cpu of tomorrow now" in rebuilding.environment_differences(Folder(made[2]))


def test_what_a_package_carries_along_is_not_in_the_environment(tmp_path, monkeypatch):
    before = environment_lock()
    carried = tmp_path / "setuptools" / "_vendor" / "carried-1.0.dist-info"
    carried.mkdir(parents=True)
    (carried / "METADATA").write_text("Metadata-Version: 2.1\nName: carried\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(carried.parent))
    assert environment_lock() == before
    assert "numpy==" in before
    assert "\nvadose==" in before
