"""The files that are being read, told to a process that outlives a crash of this one."""

from __future__ import annotations

import contextlib
import mmap
import threading
from collections.abc import Iterator
from pathlib import Path

from vadose.common.threadlimit import thread_limit

BOARD_BYTES = 1 << 16
# What one file may take where it is short work; a library that loops in a damaged one takes any time.
READING_SECONDS = 25.0


class Board:
    """Memory that a process shares with its children: the names that the child wrote last."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, BOARD_BYTES)

    def write(self, names: list[str]) -> None:
        """Show these names; what does not fit is cut."""
        text = "\n".join(names).encode("utf-8", "surrogateescape")[: BOARD_BYTES - 1]
        self._memory[: len(text) + 1] = text + b"\0"

    def names(self) -> list[str]:
        """The names shown."""
        text = self._memory[:].partition(b"\0")[0].decode("utf-8", "backslashreplace")
        return text.split("\n") if text else []


class _Readings:
    def __init__(self) -> None:
        self.names: list[str] = []
        self.board: Board | None = None
        self.lock = threading.Lock()

    def show(self) -> None:
        if self.board is not None:
            self.board.write(self.names)


_readings = _Readings()


def show_on(board: Board) -> None:
    """From now on, the files that this process reads are shown on `board`."""
    _readings.board = board
    _readings.show()


@contextlib.contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Say that a library reads a file inside the block: if it crashes, the program names that file."""
    name = str(path)
    with _readings.lock:
        _readings.names.append(name)
        _readings.show()
    try:
        yield
    finally:
        with _readings.lock:
            _readings.names.remove(name)
            _readings.show()


@contextlib.contextmanager
def brief_reading(path: Path | str, seconds: float = READING_SECONDS) -> Iterator[None]:
    """`reading` of a file that is short work: a library that computes without an end in it is stopped.

    It is stopped by the system (SIGVTALRM) after so much computing time of this thread, as no code of the process runs
    while a library holds Python's lock; the process that waits for this one says which file it was. Without that
    process, and elsewhere than on Linux, there is no limit.
    """
    with reading(path), contextlib.nullcontext() if _readings.board is None else thread_limit(seconds):
        yield
