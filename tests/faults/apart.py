"""Work in processes of its own, forked from one that has only imported what the work needs."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import importlib.util
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from vadose.cli.main import report_error
from vadose.cli.supervisor import supervised

Work = Callable[[], int]


def apart(work: Work) -> tuple[int, str]:
    """Exit code and messages of the work, supervised as the program is."""
    with tempfile.TemporaryFile("w+", errors="replace") as said, stderr_to(said.fileno()):
        code = supervised(lambda: _leave(_quietly(work)), lambda error: report_error(error, as_json=False, command=""))
        sys.stderr.flush()
        said.seek(0)
        return code, said.read()


def imported(work: Work) -> None:
    """Do the work apart, and import here what that imported; compilers have then filled their caches."""

    def told() -> int:
        code = work()
        names.write("\n".join(name for name in sys.modules if not name.startswith("_")))
        names.flush()
        return code

    with tempfile.TemporaryFile("w+") as names:
        apart(told)
        names.seek(0)
        for name in names.read().split("\n"):
            if name in sys.modules or importlib.util.find_spec(name.partition(".")[0]) is not None:
                with contextlib.suppress(ImportError):
                    importlib.import_module(name)


@dataclass(frozen=True)
class Running:
    """A process that waits for one that works; both can be killed."""

    waiting: int
    pipe: int

    def kill(self, working: bool) -> None:
        """Send SIGKILL to the process that works, or to the one that waits."""
        with contextlib.suppress(OSError):
            found = Path(f"/proc/{self.waiting}/task/{self.waiting}/children").read_text().split()
            os.kill(int(found[0]) if working and found else self.waiting, signal.SIGKILL)

    def end(self) -> int:
        """Wait until both are gone; the exit code, or minus the signal that ended the one that waited."""
        _, status = os.waitpid(self.waiting, 0)
        os.read(self.pipe, 1)
        os.close(self.pipe)
        return os.waitstatus_to_exitcode(status)


def begin(work: Work) -> Running:
    """Begin the work, supervised, in a process of its own, and do not wait."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    number = os.fork()
    if number == 0:
        os.close(reading)
        _leave(apart(work)[0])
    os.close(writing)
    return Running(number, reading)


@contextlib.contextmanager
def stderr_to(handle: int) -> Iterator[None]:
    """What this process and its children write to stderr goes there."""
    kept = os.dup(2)
    os.dup2(handle, 2)
    try:
        with os.fdopen(os.dup(handle), "w") as stream, contextlib.redirect_stderr(stream):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _quietly(work: Work) -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return work()


def _leave(code: int) -> NoReturn:
    atexit._run_exitfuncs()
    sys.stderr.flush()
    # To take all modules apart would cost more than most work does.
    os._exit(code)
