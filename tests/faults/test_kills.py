"""A short run of the trial with kills, and that the trial sees a file that is neither old nor new."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def kills():
    """The script beside this file."""
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module("kills")
    finally:
        sys.path.remove(str(HERE))


def test_a_killed_stage_leaves_whole_files_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    # The trial forks, which only a process without threads survives.
    words = ("--kills", "4", "--disks", "0", "--out", tmp_path / "out", "--result", tmp_path / "counts.json")
    words += ("--stages", "build", "release", "publish")
    subprocess.run([sys.executable, HERE / "kills.py", *words], check=True, capture_output=True)
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert counts["faults"] == []
    assert sum(counts["kills"].values()) >= 1


def test_a_file_that_is_neither_old_nor_new_is_a_fault(kills, tmp_path: Path) -> None:
    (tmp_path / "a.nc").write_bytes(b"half")
    (tmp_path / ".b.nc.part").write_bytes(b"under way")
    found = kills.state(tmp_path)
    assert list(found) == ["a.nc"]
    assert kills.faults(found, {}, {"a.nc": "another"}) == ["a.nc"]
    assert kills.faults(found, {}, found) == []
