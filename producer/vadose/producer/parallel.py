"""Work spread over threads, each of which multiplies matrices alone, so that no result depends on their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def one_thread() -> Iterator[int]:
    """One thread inside every product, as long as the block lasts; yields how many PyTorch could have used."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def spread(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`function` of every item, in order, over as many threads as PyTorch may use.

    Small recurrent steps gain nothing from several threads inside one product, and much from several products at once.
    """
    with one_thread() as threads:
        if min(threads, len(items)) <= 1:
            return [function(item) for item in items]
        with ThreadPoolExecutor(min(threads, len(items))) as pool:
            return list(pool.map(function, items))
