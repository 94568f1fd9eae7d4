"""An end to calls into C libraries that never come back, as they do for some damaged files."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from vadose.common.errors import InputError
from vadose.common.reading import READING_SECONDS, brief_reading


@contextlib.contextmanager
def opening(path: Path, seconds: float = READING_SECONDS) -> Iterator[None]:
    """Open a file inside the block; if that takes longer, the program ends with exit 3 and a message that names it.

    A crash inside the block names it too, as in `reading`.

    No exception reaches a C library that loops in a damaged file, so the process ends as by a kill: what was under way
    stays under its temporary name. A library that waits, for a disk that is stuck, has to release Python's lock, as
    netCDF4 does; one that computes is stopped by `brief_reading` as well.
    """
    timer = threading.Timer(seconds, _end, (path, seconds))
    timer.daemon = True
    timer.start()
    try:
        with brief_reading(path, seconds):
            yield
    finally:
        timer.cancel()


def _end(path: Path, seconds: float) -> None:
    error = InputError(
        f"the file does not open within {seconds:g} seconds", where=str(path),
        why="it is damaged, or its disk is stuck", next="get the file again, then run the same command",
    )  # fmt: skip
    os.write(2, f"{error.text()}\n".encode())
    os._exit(error.exit_code)
