"""A process that the system ends is told as such, and an interrupted block leaves none behind."""

import math
import multiprocessing
import os
import time

import pytest

from vadose.common import PartialError
from vadose.common.processes import process_pool


def test_a_pool_works_and_its_own_errors_are_those_of_the_work() -> None:
    with process_pool(2) as pool:
        assert pool.submit(math.factorial, 5).result() == 120
    with pytest.raises(ValueError, match="negative"), process_pool(1) as pool:
        pool.submit(math.factorial, -1).result()


def test_a_process_that_the_system_ends_is_no_unexpected_error() -> None:
    with pytest.raises(PartialError, match="ended by the system") as caught, process_pool(1) as pool:
        pool.submit(os._exit, 9).result()
    assert "the same command goes on" in str(caught.value)


def test_an_interrupted_block_leaves_no_process_behind() -> None:
    before, began = multiprocessing.active_children(), time.monotonic()
    with pytest.raises(KeyboardInterrupt), process_pool(1) as pool:
        pool.submit(math.factorial, 3).result()
        pool.submit(time.sleep, 60)
        raise KeyboardInterrupt
    assert time.monotonic() - began < 30
    assert multiprocessing.active_children() == before
