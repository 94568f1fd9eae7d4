"""An end of the process by the system, where a thread computes for too long."""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
from collections.abc import Callable, Iterator

# CLOCK_THREAD_CPUTIME_ID of time.h, and SIGEV_SIGNAL of signal.h.
_THREAD_CLOCK, _BY_SIGNAL = 3, 0


@contextlib.contextmanager
def thread_limit(seconds: float) -> Iterator[None]:
    """End the process with SIGVTALRM if this thread computes for longer inside the block; on Linux, elsewhere never.

    No code of the process has a part in it, so that a library which never comes back is ended too.
    """
    start = _timers()
    end = start(seconds) if start else None
    try:
        yield
    finally:
        if end:
            end()


@functools.cache
def _timers() -> Callable[[float], Callable[[], object] | None] | None:
    """What starts a timer of the calling thread and returns what ends it (timer_create(2)); None without timers."""
    if sys.platform != "linux":
        return None
    import ctypes  # Takes milliseconds, and not every process reads a file.

    class Event(ctypes.Structure):
        _fields_ = (("value", ctypes.c_void_p), ("signal", ctypes.c_int), ("notify", ctypes.c_int),
                    ("rest", ctypes.c_char * 48))  # fmt: skip

    class Spec(ctypes.Structure):
        _fields_ = tuple((name, ctypes.c_long) for name in ("every_s", "every_ns", "first_s", "first_ns"))

    library, event = ctypes.CDLL(None), Event(None, signal.SIGVTALRM, _BY_SIGNAL, b"")
    if not hasattr(library, "timer_create"):
        return None

    def start(seconds: float) -> Callable[[], object] | None:
        timer = ctypes.c_void_p()
        if library.timer_create(_THREAD_CLOCK, ctypes.byref(event), ctypes.byref(timer)):
            return None
        spec = Spec(0, 0, int(seconds), int(seconds % 1.0 * 1e9))
        library.timer_settime(timer, 0, ctypes.byref(spec), None)
        return functools.partial(library.timer_delete, timer)

    return start
