"""A short run of the trial with mutated inputs, and that the trial sees what it looks for."""

import faulthandler
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from vadose.common.reading import reading

HERE = Path(__file__).parent
COUNT = 60


@pytest.fixture(scope="module")
def trial() -> ModuleType:
    """The script beside this file."""
    sys.path.insert(0, str(HERE))
    try:
        spec = importlib.util.spec_from_file_location("fuzz", HERE / "fuzz.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["fuzz"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(HERE))
    return module


@pytest.fixture(scope="module")
def base(trial: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the whole inputs."""
    folder = tmp_path_factory.mktemp("whole")
    trial.originals(folder)
    return folder


def test_mutated_inputs_end_with_a_message_and_nothing_else(trial: ModuleType, base: Path, tmp_path: Path) -> None:
    counts = trial.fuzz(COUNT, 7, base, lambda line: None, tmp_path / "counts.json")
    assert counts.faults == []
    codes = [(code, number) for kind in counts.fuzz.values() for code, number in kind.items()]
    assert sum(number for _, number in codes) == counts.inputs == COUNT
    # Damage is mostly seen: not all of these inputs are taken.
    assert sum(number for code, number in codes if code != "0") > COUNT / 3
    again = trial.fuzz(COUNT, 7, base, lambda line: pytest.fail(line), tmp_path / "counts.json")
    assert again == counts


def test_a_crash_and_a_stray_file_are_faults(
    trial: ModuleType, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {kind: trial.Original.load(base, kind) for kind in trial.KINDS}
    sandbox = tmp_path / "sandbox" / "work"

    def stray(words: list[str]) -> int:
        (sandbox / "stray").write_text("")
        faulthandler.disable()
        os.abort()

    monkeypatch.setattr("vadose.cli.main.run", stray)
    _, code, wrong = trial.trial(0, 7, given, sandbox)
    assert code == 1
    assert "exit 1: error: unexpected" in wrong
    assert "SIGABRT" in wrong
    assert "outside" in wrong


def test_a_crash_that_names_its_file_ends_readably(trial: ModuleType) -> None:
    def crashes(words: list[str]) -> int:
        faulthandler.disable()
        with reading(words[0]):
            os.kill(os.getpid(), signal.SIGSEGV)
        return 0

    code, said = trial.apart(lambda: crashes(["the file.nc"]))
    assert code == 3
    assert "the file.nc" in said


def test_mutations_are_repeatable_and_change_something(trial: ModuleType, tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        path = tmp_path / "a.json"
        path.write_text('{"a": [1, 2, {"b": "c"}], "d": null}')
        trial.mutated(path, True, np.random.default_rng(3))
        made.append(path.read_bytes())
    assert made[0] == made[1] != b'{"a": [1, 2, {"b": "c"}], "d": null}'


def test_links_take_the_place_of_some_inputs(
    trial: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["mutations"], "LINKED", 1.0)
    seen = set()
    for seed in range(40):
        path = tmp_path / f"{seed}.json"
        path.write_text("{}")
        trial.mutated(path, True, np.random.default_rng(seed))
        seen.add("itself" if path.readlink() == path else str(path.readlink()))
    assert seen == {"itself", *(target for target in sys.modules["mutations"].LINKS if target)}


@pytest.mark.parametrize("work", ["while True: pass", "import time; time.sleep(600)"])
def test_a_process_that_computes_or_waits_too_long_is_killed(trial: ModuleType, work: str) -> None:
    with subprocess.Popen([sys.executable, "-c", work], text=True) as process:
        late = threading.Event()
        trial.timer(process, late, 0.3)
        assert process.wait(60) == -9
    assert late.is_set()


def test_an_input_that_hangs_is_a_fault_and_the_others_go_on(
    trial: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_child(first: int, last: int, *_: object):
        for number in range(first, last):
            if number == 2:
                yield {"died": -9, "what": "longer than 30 s"}
                return
            yield {"ended": number, "kind": "hdf5", "code": 3, "wrong": ""}

    monkeypatch.setattr(trial, "run_child", run_child)
    found = list(trial.batch(0, 4, 7, tmp_path, tmp_path))
    assert [item["ended"] for item in found] == [0, 1, 2, 3]
    assert [bool(item["wrong"]) for item in found] == [False, False, True, False]
