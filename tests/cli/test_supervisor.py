"""A crash of the working process ends readably; signals, exit codes and output are those of one process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from vadose.cli.supervisor import supervised
from vadose.common import whole_file
from vadose.common.reading import brief_reading, reading

def work():
    place = Path(sys.argv[1])
    {work}
    return 0

def report(error):
    print(error.text(), file=sys.stderr)
    return error.exit_code

sys.exit(supervised(work, report))
"""
SLEEP = """
    (place / "pid.part").write_text(str(os.getpid()))
    (place / "pid.part").rename(place / "pid")
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(0.2)
        print("put away")
        return 130
"""


def start(work: str, folder: Path, **options: object) -> subprocess.Popen[str]:
    """Begin some work under supervision."""
    words = [sys.executable, "-c", PROGRAM.format(work=work.strip()), str(folder)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def finish(work: str, folder: Path) -> tuple[int, str, str]:
    """Exit code, output and errors of some work."""
    with start(work, folder) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def worker(folder: Path) -> int:
    """Number of the working process, once it works."""
    while not (folder / "pid").is_file():
        time.sleep(0.01)
    return int((folder / "pid").read_text())


def is_gone(number: int, seconds: float = 20.0) -> bool:
    """Whether a process ends in that time; one that nobody waited for is gone too."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            if Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("code", [0, 4, 130])
def test_exit_code_and_output_pass_through(code: int, tmp_path: Path) -> None:
    found = finish(f"print('half a line', end=''); print('a word', file=sys.stderr); return {code}", tmp_path)
    assert found == (code, "half a line", "a word\n")


@pytest.mark.parametrize("crash", ["os.abort()", "os.kill(os.getpid(), signal.SIGSEGV)"])
def test_a_crash_of_a_reader_names_the_file_and_leaves_no_half_of_another(crash: str, tmp_path: Path) -> None:
    work = f"""
    with whole_file(place / "series.nc") as part, reading("good.nc"), reading("bad.nc"):
        part.write_text("half")
        with reading("read before.nc"):
            pass
        {crash}
    """
    code, _, said = finish(work, tmp_path)
    assert code == 3
    assert "error: input missing or corrupt (exit 3)" in said
    assert "good.nc, bad.nc\n" in said
    assert "Traceback" not in said
    assert not (tmp_path / "series.nc").exists()


COMPUTES = "x = 1 << 30_000_000; str(pow(3, x, x + 1))"


def test_a_reader_that_computes_without_end_is_stopped_though_it_holds_the_lock_of_python(tmp_path: Path) -> None:
    work = f"""
    with whole_file(place / "series.nc") as part, brief_reading("bad.nc", 0.5):
        part.write_text("half")
        with brief_reading("good.nc", 60.0):
            pass
        {COMPUTES}
    """
    code, _, said = finish(work, tmp_path)
    assert code == 3
    assert "does not come to an end" in said
    assert "where  bad.nc\n" in said
    assert not (tmp_path / "series.nc").exists()


def test_what_other_threads_compute_is_not_counted(tmp_path: Path) -> None:
    work = """
    import threading
    def compute():
        ends = time.thread_time() + 1.0
        while time.thread_time() < ends: pass
    with brief_reading("good.nc", 0.4):
        other = threading.Thread(target=compute)
        other.start()
        other.join()
    """
    assert finish(work, tmp_path) == (0, "", "")


def test_time_computed_before_after_or_between_brief_readings_is_not_counted(tmp_path: Path) -> None:
    work = """
    def compute():
        ends = time.process_time() + 0.3
        while time.process_time() < ends: pass
    for _ in range(4):
        compute()
        with brief_reading("good.nc", 0.5):
            compute()
    time.sleep(0.6)
    """
    assert finish(work, tmp_path) == (0, "", "")


def test_a_crash_elsewhere_is_unexpected_and_names_no_file(tmp_path: Path) -> None:
    code, _, said = finish("with reading('read before.nc'): pass\n    os.abort()", tmp_path)
    assert code == 1
    assert "a library crashed (SIGABRT)" in said
    assert "read before" not in said


def test_a_kill_speaks_of_memory(tmp_path: Path) -> None:
    code, _, said = finish("os.kill(os.getpid(), signal.SIGKILL)", tmp_path)
    assert code == 1
    assert "memory" in said


def test_the_program_puts_a_crash_into_its_json() -> None:
    code = "import os; from vadose.cli import main; main.run = os.abort; main.main()"
    done = subprocess.run([sys.executable, "-c", code, "train", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    envelope = json.loads(done.stdout)
    assert (envelope["command"], envelope["exit_code"]) == ("train", 1)
    assert "SIGABRT" in envelope["failures"][0]["what"]


@pytest.mark.skipif(sys.platform != "linux", reason="the system has no death signal")
def test_a_killed_supervisor_takes_the_work_along(tmp_path: Path) -> None:
    with start(SLEEP, tmp_path) as process:
        number = worker(tmp_path)
        assert number != process.pid
        process.kill()
        assert is_gone(number)


@pytest.mark.parametrize("to", ["terminate", "hang up"])
def test_a_signal_that_ends_the_work_ends_the_program_alike(to: str, tmp_path: Path) -> None:
    by = signal.SIGTERM if to == "terminate" else signal.SIGHUP
    with start(SLEEP, tmp_path) as process:
        number = worker(tmp_path)
        process.send_signal(by)
        assert process.wait(60) == -by
        assert is_gone(number)


@pytest.mark.parametrize("group", [False, True], ids=["one process", "the group"])
def test_an_interrupt_comes_once(group: bool, tmp_path: Path) -> None:
    with start(SLEEP, tmp_path, start_new_session=True) as process:
        worker(tmp_path)
        (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "put away\n", "")


def test_control_c_at_a_terminal_interrupts_once(tmp_path: Path) -> None:
    inner = [sys.executable, "-c", PROGRAM.format(work=SLEEP.strip()), str(tmp_path)]
    outer = f"import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn({inner!r})))"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", outer], text=True, **pipes) as process:
        worker(tmp_path)
        out, err = process.communicate("\x03", timeout=60)
    assert process.returncode == 130, err
    assert "put away" in out
    assert "Traceback" not in out
