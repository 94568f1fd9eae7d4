"""The process that only waits for the one that works, and says readably how it crashed."""

from __future__ import annotations

import gc
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from vadose.common.errors import InputError, VadoseError
from vadose.common.reading import Board, show_on

CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS, signal.SIGKILL}
# Sent by the system to a process that computed for too long in one file.
TOO_LONG = signal.SIGVTALRM
FORWARDED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
# Two interrupts that come so close are one: sent to a group of processes, and handed on by the one that waits.
TOGETHER_SECONDS = 0.5
PR_SET_PDEATHSIG = 1
SHOW_CURSOR = "\x1b[?25h"


def is_possible() -> bool:
    """Whether the system can fork, and tell a signal of the terminal from that of a process."""
    return hasattr(os, "fork") and hasattr(signal, "sigwaitinfo")


def supervised(work: Callable[[], int], report: Callable[[VadoseError], int]) -> int:
    """Do the work in a child process and return its exit code.

    The child leaves by `SystemExit` and never returns from here. A signal that stops the child otherwise than by a
    crash stops this process too. Has to be called before there are threads, on a system where `is_possible`.

    Parameters
    ----------
    work
        What to do; returns the exit code.
    report
        Prints the error of a crash and returns its exit code.
    """
    board, parent = Board(), os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    reaping = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {*FORWARDED, signal.SIGCHLD})
    # A collector that visits what both have would copy it page by page.
    gc.freeze()
    child = os.fork()
    if child == 0:
        _die_with(parent)
        signal.signal(signal.SIGCHLD, reaping)
        _take_interrupts_once()
        show_on(board)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        sys.exit(work())
    code = _ended(child)
    signal.signal(signal.SIGCHLD, reaping)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if code >= 0:
        return code
    if -code in {*CRASHES, TOO_LONG}:
        if sys.stderr.isatty():
            sys.stderr.write(SHOW_CURSOR)
        return report(crash(signal.Signals(-code), board.names()))
    signal.signal(-code, signal.SIG_DFL)
    os.kill(parent, -code)
    # Only the first process of a container outlives that.
    return 128 - code


def crash(by: signal.Signals, names: list[str]) -> VadoseError:
    """The error of a process that was ended by a signal while it read some files."""
    where = ", ".join(names)
    if by == signal.SIGKILL:
        return VadoseError(
            "the program was killed (SIGKILL)", where=where, why="most often, the memory of the machine was full",
            next="run the same command again with a smaller --memory; it goes on where it stopped",
        )  # fmt: skip
    if names and by == TOO_LONG:
        return InputError(
            "a library does not come to an end with the file", where=where,
            why="it is damaged in a way that the library does not notice",
            next="get the file again, then run the same command",
        )  # fmt: skip
    if names:
        return InputError(
            f"a library crashed while it read the file ({by.name})", where=where,
            why="it is damaged in a way that the library does not survive",
            next="get the file again, then run the same command",
        )  # fmt: skip
    return VadoseError(
        f"a library crashed ({by.name})",
        next="run the same command again, which goes on where it stopped; with --debug it says where it crashes",
    )


def _ended(child: int) -> int:
    """Wait for the child and hand on what only this process got; its exit code, or minus the signal that ended it."""
    while True:
        got = signal.sigwaitinfo({*FORWARDED, signal.SIGCHLD})
        if got.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
        elif got.si_code <= 0:
            # From a process. What the terminal sends has a code above 0, and the child gets it too.
            os.kill(child, got.si_signo)


def _die_with(parent: int) -> None:
    """Let the system kill this process when the one that waits for it is killed."""
    if sys.platform != "linux":
        return
    import ctypes  # Takes milliseconds, and only the child needs it.

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(128 + signal.SIGKILL)


def _take_interrupts_once() -> None:
    """Raise `KeyboardInterrupt` once for interrupts that come together, where that is what an interrupt does."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    last = -math.inf

    def interrupted(_: int, __: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before >= TOGETHER_SECONDS:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)
