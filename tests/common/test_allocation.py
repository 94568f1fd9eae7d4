"""Memory that is kept between arrays."""

import resource

import numpy as np
import pytest

from vadose.common.allocation import freed_memory_kept


def faults_of_arrays(count: int) -> int:
    """New pages that arrays of 64 MB, one after the other, cost."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        np.zeros(1 << 23)[::64] = 1.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_the_pages_of_an_array_serve_the_next_one() -> None:
    usual = faults_of_arrays(8)
    with freed_memory_kept() as can:
        if not can:
            pytest.skip("needs the GNU C library")
        faults_of_arrays(1)
        kept = faults_of_arrays(8)
    assert kept < usual / 4


def test_memory_is_given_back_whatever_happens() -> None:
    with pytest.raises(KeyError), freed_memory_kept():
        raise KeyError
    assert faults_of_arrays(2) > 0
