"""Rounding of floats to few mantissa bits, so that they compress."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ALGORITHM = "bitround"
IMPLEMENTATION = "vadose bitround version 1 (round half to even)"
MANTISSA_BITS = 23

# Explicit mantissa bits that are kept.
KEPT_BITS = {"sm": 11, "sm_uncertainty": 7}


def bitround(values: npt.NDArray[np.float32], kept: int) -> npt.NDArray[np.float32]:
    """Round float32 values to `kept` explicit mantissa bits, half to even; NaN and infinity stay.

    Parameters
    ----------
    values
        Any shape, float32.
    kept
        Explicit mantissa bits to keep, 1 to 22. The relative error is at most 2**-(kept + 1).
    """
    drop = MANTISSA_BITS - kept
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    odd = (bits >> np.uint32(drop)) & np.uint32(1)
    odd += np.uint32((1 << (drop - 1)) - 1)
    odd += bits
    odd &= np.uint32(0xFFFFFFFF ^ ((1 << drop) - 1))
    rounded = odd.view(np.float32)
    np.copyto(rounded, values, where=~np.isfinite(values))
    return rounded
