"""Quicklooks: one picture a granule, or for small granules one sheet of days a month, or of months a year."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
from PIL import Image

from vadose.producer.granules.names import parse_name
from vadose.producer.release.palette import LEVELS, palette, stamp
from vadose.producer.release.survey import OUTSIDE, PICTURE_COLUMNS, Surveyed

FOLDER = "quicklook"
SHEET_BELOW_BYTES = 1_000_000
DAYS_ACROSS = 7
LONGEST_MONTH, MONTHS = 31, 12
MARGIN = 4
LABEL = 14
BAR = 12

Levels = npt.NDArray[np.uint8]


def quicklooks(surveyed: Sequence[Surveyed]) -> Iterator[tuple[str, bytes]]:
    """Names and PNG bytes; nothing in them depends on the clock."""
    large = [item for item in surveyed if int(item.entry["bytes"]) >= SHEET_BELOW_BYTES]
    for item in large:
        yield f"{FOLDER}/{PurePosixPath(item.path).with_suffix('.png')}", png(with_bar(item.picture))
    months: dict[str, list[Surveyed]] = {}
    for item in surveyed:
        if int(item.entry["bytes"]) < SHEET_BELOW_BYTES:
            months.setdefault(sheet_name(item.path), []).append(item)
    for name, days in sorted(months.items()):
        yield name, png(with_bar(sheet(days)))


def sheet_name(path: str) -> str:
    """Name of the sheet of a day's month, or of a month's year."""
    name = parse_name(PurePosixPath(path).name)
    text = name.text.replace(name.when, name.when[: 6 if name.step == "DAILY" else 4]).removesuffix(".nc")
    return f"{FOLDER}/{name.stream}/{name.step}/{name.when[:4]}/{text}.png"


def sheet(days: Sequence[Surveyed]) -> Levels:
    """The days of a month, or months of a year, side by side, seven across, each under its number."""
    monthly = parse_name(PurePosixPath(days[0].path).name).step == "MONTHLY"
    rows, columns = days[0].picture.shape
    widest = (PICTURE_COLUMNS - MARGIN) // DAYS_ACROSS - MARGIN
    factor = max(1, min(widest // columns, 4))
    step = max(1, -(-columns // widest))
    height, width = -(-rows // step) * factor, -(-columns // step) * factor
    lines = -(-(MONTHS if monthly else LONGEST_MONTH) // DAYS_ACROSS)
    canvas = np.full(
        (lines * (height + MARGIN + LABEL) + MARGIN, DAYS_ACROSS * (width + MARGIN) + MARGIN), OUTSIDE, np.uint8
    )
    for item in days:
        day = parse_name(PurePosixPath(item.path).name).day
        number = day.month if monthly else day.day
        line, place = divmod(number - 1, DAYS_ACROSS)
        top, left = MARGIN + line * (height + MARGIN + LABEL), MARGIN + place * (width + MARGIN)
        _write(canvas, f"{number:02d}", top, left)
        picture = np.kron(item.picture[::step, ::step], np.ones((factor, factor), np.uint8))
        canvas[top + LABEL : top + LABEL + height, left : left + width] = picture
    return canvas


def with_bar(levels: Levels) -> Levels:
    """The picture over a bar of the scale from 0 to 0.5 m3 m-3."""
    width = levels.shape[1]
    bar = np.full((BAR + 2 * MARGIN, width), OUTSIDE, np.uint8)
    bar[MARGIN : MARGIN + BAR] = np.round(np.linspace(0, LEVELS - 1, width)).astype(np.uint8)
    return np.vstack([levels, bar])


def _write(canvas: Levels, text: str, top: int, left: int) -> None:
    marks = stamp(text)
    area = canvas[top : top + marks.shape[0], left : left + marks.shape[1]]
    area[marks[: area.shape[0], : area.shape[1]]] = 0


def png(levels: Levels) -> bytes:
    """A PNG with the palette, without any time in it."""
    image = Image.frombytes("P", levels.shape[::-1], levels.tobytes())
    image.putpalette(palette().tobytes())
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=False, compress_level=6)
    return stream.getvalue()
