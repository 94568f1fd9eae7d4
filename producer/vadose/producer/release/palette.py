"""Colours of the quicklooks, and small digits to name the days."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Dark blue over grey to yellow: even in lightness and readable with any colour vision.
ANCHORS = (
    (0.0, (0, 34, 78)), (0.125, (18, 53, 112)), (0.25, (59, 73, 108)), (0.375, (87, 93, 109)), (0.5, (112, 113, 115)),
    (0.625, (138, 134, 120)), (0.75, (165, 156, 116)), (0.875, (198, 180, 101)), (1.0, (254, 232, 56)),
)  # fmt: skip
GREY = (190, 190, 190)
WHITE = (255, 255, 255)
LEVELS = 251

# Three columns by five rows, one bit a dot, from the top.
DIGITS = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71111",
    "8": "75757",     "9": "75717", "-": "00700",
}  # fmt: skip


def palette() -> npt.NDArray[np.uint8]:
    """RGB of the 256 levels of a picture, (256, 3): 0 to 250 soil moisture, 254 flagged, 255 outside."""
    places, colours = zip(*ANCHORS, strict=True)
    at = np.arange(LEVELS) / (LEVELS - 1)
    table = np.full((256, 3), 255, np.uint8)
    for band in range(3):
        table[:LEVELS, band] = np.round(np.interp(at, places, [colour[band] for colour in colours]))
    table[254] = GREY
    table[255] = WHITE
    return table


def stamp(text: str, scale: int = 2) -> npt.NDArray[np.bool_]:
    """Digits and dashes as a bit map, (5 scale, 4 scale len(text)) dots."""
    rows = np.zeros((5, 4 * len(text)), bool)
    for k, letter in enumerate(text):
        for row, code in enumerate(DIGITS[letter][:5]):
            rows[row, 4 * k : 4 * k + 3] = [int(code) >> bit & 1 for bit in (2, 1, 0)]
    return np.kron(rows, np.ones((scale, scale), bool)).astype(bool)
