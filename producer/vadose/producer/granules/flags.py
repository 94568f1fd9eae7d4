"""The status flag: masks, names, and the recommended use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Flag:
    """One bit. `excluded` says that the recommended use leaves such cells out."""

    mask: int
    name: str
    excluded: bool = False


# Fixed for the life of a MAJOR version; bits 8192 and 16384 are free.
FLAGS: tuple[Flag, ...] = (
    Flag(1, "outside_domain", excluded=True),
    Flag(2, "permanent_ice", excluded=True),
    Flag(4, "frozen_soil", excluded=True),
    Flag(8, "snow_cover", excluded=True),
    Flag(16, "dense_vegetation"),
    Flag(32, "complex_topography"),
    Flag(64, "wetland_or_open_water"),
    Flag(128, "radio_frequency_interference", excluded=True),
    Flag(256, "no_valid_input", excluded=True),
    Flag(512, "gap_filled"),
    Flag(1024, "value_clipped_to_physical_range"),
    Flag(2048, "outside_training_support"),
    Flag(4096, "urban_area"),
)

MASK: dict[str, int] = {flag.name: flag.mask for flag in FLAGS}
RECOMMENDED: int = sum(flag.mask for flag in FLAGS if flag.excluded)
ALL: int = sum(flag.mask for flag in FLAGS)

OUTSIDE_DOMAIN = np.int16(MASK["outside_domain"])
NO_VALID_INPUT = np.int16(MASK["no_valid_input"])
# A cell has no value exactly where one of these is set.
WITHOUT_VALUE = np.int16(MASK["outside_domain"] | MASK["permanent_ice"] | MASK["no_valid_input"])
