"""Pools of processes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import Any

from vadose.common.errors import PartialError


@contextmanager
def process_pool(count: int, **options: Any) -> Iterator[ProcessPoolExecutor]:
    """A pool of fresh processes; they end at once if the block is interrupted.

    Raises
    ------
    PartialError
        If the system ends one of the processes.
    """
    with ProcessPoolExecutor(count, get_context("spawn"), **options) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            raise PartialError(
                "a process was ended by the system, perhaps for lack of memory; what was finished before is kept",
                next="the same command goes on; fewer --processes, where it has them, take less memory",
            ) from error
        except BaseException:
            for child in active_children():
                child.terminate()
            raise
