"""Two processes that publish, complete or build one version: one wins, the other says so."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from vadose.common import GateError, silent
from vadose.producer.build import build
from vadose.producer.lock import lock_path, only_one
from vadose.producer.release.complete import complete
from vadose.producer.release.verify import verify


def publisher(workspace, version):
    words = ["release", "publish", str(version), "--workspace", str(workspace), "--quiet"]
    return subprocess.Popen([sys.executable, "-m", "vadose.cli", *words], stderr=subprocess.PIPE, text=True)


def holder_of(lock, program):
    """Number of the process that works for a program and holds a lock, once it says so."""
    while program.poll() is None:
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            return int(lock.read_text().split()[1].rstrip(","))
        time.sleep(0.001)
    raise AssertionError("it ended before it could be stopped")


def test_the_second_publisher_is_told_of_the_first_and_the_first_goes_on(copied):
    workspace, _, version = copied
    first = publisher(workspace, version)
    holder = holder_of(lock_path(version), first)
    os.kill(holder, signal.SIGSTOP)
    second = publisher(workspace, version)
    message = second.communicate()[1]
    assert second.returncode == 4
    assert f"is in the hands of another process, process {holder}," in message
    assert "Traceback" not in message
    assert not (version.parent / "latest.json").exists()
    os.kill(holder, signal.SIGCONT)
    first.communicate()
    assert first.returncode == 0
    assert verify(version, silent).damaged == []


def test_of_publishers_that_start_together_one_wins_and_the_version_is_whole(copied):
    workspace, _, version = copied
    both = [publisher(workspace, version) for _ in range(2)]
    codes = {process.wait() for process in both}
    messages = [process.communicate()[1] for process in both]
    assert 0 in codes
    assert codes <= {0, 4}, messages
    assert json.loads((version.parent / "latest.json").read_text())["version"] == "1.0.0"
    assert verify(version, silent).damaged == []
    assert not list(version.parent.glob(".*lock"))


def test_a_killed_holder_leaves_nothing_that_stops_the_next(tmp_path):
    place = tmp_path / "v1.0.0"
    program = "import sys, time; from pathlib import Path; from vadose.producer.lock import only_one\n"
    program += f"with only_one(Path({str(place)!r}), 'built'): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(GateError, match="another process"), only_one(place, "built"):
        pass
    holder.kill()
    holder.communicate()
    with only_one(place, "built"):
        assert lock_path(place).is_file()
    assert not lock_path(place).exists()


def test_nobody_builds_or_completes_a_version_that_is_being_published(copied, worlds):
    workspace, recipe, version = copied
    recipe, cube, model, models = worlds.small_world(workspace, waivers=[])
    with only_one(version, "published"):
        with pytest.raises(GateError, match="another process"):
            build(recipe, cube, model, models, version, 10**9, silent)
        with pytest.raises(GateError, match="another process"):
            complete(copied[1], version, workspace / "runs" / "1.0.0", silent)
