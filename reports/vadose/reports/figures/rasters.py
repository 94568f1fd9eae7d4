"""Fields as small pictures: one pixel a cell, with the colour scale as a picture of its own."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.reports.figures.spec import BRBG, CIVIDIS

Array = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

# Where there is no value: a grey that neither scale holds and that is seen on light and on dark ground.
MISSING = (128, 128, 128, 90)
WIDTH = 225
# One colour of a picture's 256 is kept for what is missing.
SCALE_PIXELS = 255


@dataclass(frozen=True)
class Raster:
    """A picture with the size at which it is shown, and what it shows in words."""

    png: bytes
    width: int
    height: int
    alternative: str


def colour_table(scale: Sequence[Sequence[Any]], size: int = SCALE_PIXELS) -> Bytes:
    """A colour scale as (size, 4) values from 0 to 255."""
    places = np.array([float(stop[0]) for stop in scale])
    colours = np.array([[int(str(stop[1])[k : k + 2], 16) for k in (1, 3, 5)] for stop in scale], float)
    at = np.linspace(0.0, 1.0, size)
    channels = [np.interp(at, places, colours[:, k]) for k in range(3)]
    return np.asarray(np.rint(np.stack([*channels, np.full(size, 255.0)], axis=1)), np.uint8)


def painted(values: Array, low: float, high: float, *, signed: bool) -> Bytes:
    """Values of any shape as colours, one more axis of four."""
    table = colour_table(BRBG if signed else CIVIDIS)
    share = (np.nan_to_num(values) - low) / (high - low)
    index = np.clip(np.rint(share * (len(table) - 1)), 0, len(table) - 1).astype(np.int64)
    return np.where(np.isfinite(values)[..., None], table[index], np.array(MISSING, np.uint8)).astype(np.uint8)


def png(pixels: Bytes) -> bytes:
    """A PNG file of (row, column, 4) values of at most 256 colours, with a palette (ISO/IEC 15948)."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows, columns, _ = pixels.shape
    words = np.ascontiguousarray(pixels).view(np.uint32).ravel()
    colours, index = np.unique(words, return_inverse=True)
    assert colours.size <= 256, f"{colours.size} colours do not fit into a palette"
    palette = colours.view(np.uint8).reshape(-1, 4)
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), index.reshape(rows, columns).astype(np.uint8)], axis=1)
    head = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    parts = (
        chunk(b"IHDR", head), chunk(b"PLTE", palette[:, :3].tobytes()), chunk(b"tRNS", palette[:, 3].tobytes()),
        chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)), chunk(b"IEND", b""),
    )  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def raster(
    lat: Array, lon: Array, values: Array, limits: tuple[float, float], alternative: str, *, signed: bool
) -> Raster:
    """A field of shape (lat, lon) as a plate carree picture, north up, true in proportion at its middle."""
    order = np.argsort(-lat, kind="stable")
    rows = order[_nearest(-lat[order])]
    columns = np.argsort(lon, kind="stable")[_nearest(np.sort(lon))]
    picture = png(painted(values[np.ix_(rows, columns)], *limits, signed=signed))
    # Half a cell is added on each side.
    spans = [float(np.ptp(one)) * len(one) / max(len(one) - 1, 1) or 1.0 for one in (lat, lon)]
    shrink = max(float(np.cos(np.radians(lat.mean()))), 0.2)
    height = round(WIDTH * spans[0] / (spans[1] * shrink))
    return Raster(picture, WIDTH, int(np.clip(height, 60, 420)), alternative)


def _nearest(ascending: Array) -> npt.NDArray[np.int64]:
    """Positions that make unequal steps equal."""
    if ascending.size < 2:
        return np.arange(ascending.size)
    equal = np.linspace(ascending[0], ascending[-1], ascending.size)
    return np.asarray(np.abs(ascending[None, :] - equal[:, None]).argmin(axis=1), np.int64)


def scale_raster(*, signed: bool) -> Raster:
    """The colour scale from its low to its high end."""
    line = colour_table(BRBG if signed else CIVIDIS)
    return Raster(png(line[None]), WIDTH, 14, "colour scale")
