"""Freed memory that the process keeps for its next arrays, as long as blocks of large arrays follow one another.

By default the C library hands every large array back to the system, which zeroes all pages of the next one: a fifth of
the time of a map. Elsewhere than with the GNU C library nothing is changed.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

# Names of the settings in malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# Bytes: no array is as large as the first pair; the second is the most that the library sets by itself.
_KEPT = (2**31 - 1, 2**30)
_USUAL = (2**26, 2**25)


@contextmanager
def freed_memory_kept() -> Iterator[bool]:
    """Keep what is freed until the block ends, then give it back; yields whether the C library can."""
    library = ctypes.CDLL(None) if os.name == "posix" else None
    if library is None or not (hasattr(library, "mallopt") and hasattr(library, "malloc_trim")):
        yield False
        return
    _set(library, *_KEPT)
    try:
        yield True
    finally:
        _set(library, *_USUAL)
        library.malloc_trim(0)


def _set(library: ctypes.CDLL, trim: int, mapped: int) -> None:
    library.mallopt(_TRIM_THRESHOLD, trim)
    library.mallopt(_MMAP_THRESHOLD, mapped)
