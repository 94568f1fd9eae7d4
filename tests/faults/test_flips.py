"""A short run of the trial with flipped bits, with every kind of file, and that the trial sees what is missed."""

import importlib
import shutil
import sys
from pathlib import Path

import pytest

from vadose.common import silent, write_json
from vadose.producer.release.folder import Folder
from vadose.producer.release.publish import publish

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def modules():
    """The scripts beside this file."""
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module("flips"), importlib.import_module("stages")
    finally:
        sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def published(modules, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published version with a sign-off."""
    _, stages = modules
    workspace = tmp_path_factory.mktemp("flips")
    assert stages.run_stage("build", workspace) == 0
    assert stages.run_stage("release", workspace) == 0
    version = workspace / "releases/demosmall-0p25deg/v1.0.0"
    note = {"manifest_sha256": Folder(version).manifest_sha256, "name": "A. Person", "looked_at": ["January"]}
    write_json(version / "signoff.json", note)
    assert publish(Folder(version), silent)
    return version


def test_every_flipped_bit_is_found(modules, published: Path) -> None:
    assert modules[0].missed(published, 12, 412) == []


@pytest.mark.parametrize("name", ["SHA256SUMS", "manifest.json", "gate.json", "signoff.json"])
def test_bits_of_the_files_about_the_version_are_found(modules, published: Path, name: str) -> None:
    flips, _ = modules
    flips.missed(published, 0, 0)
    size = (published / name).stat().st_size
    for position in (64, size // 2, size - 1):
        flips.flip(published / name, position, 0)
        assert flips.found(published), f"{name}, byte {position}"
        flips.flip(published / name, position, 0)


def test_a_flip_that_is_not_found_is_reported(modules, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flips, _ = modules
    monkeypatch.setattr(flips, "found", lambda version: False)
    assert len(flips.missed(published, 3, 1)) == 3


def test_without_the_product_s_list_verify_says_what_it_cannot_check(published: Path, tmp_path: Path) -> None:
    from vadose.producer.release.verify import verify

    alone = shutil.copytree(published, tmp_path / "v1.0.0")
    found = verify(alone, silent)
    assert found.damaged == []
    assert "gate.json" in found.not_checked[0]
