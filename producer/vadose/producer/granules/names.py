"""File names of granules: one regular expression parses and writes them all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import Literal

from vadose.common import InputError

Step = Literal["DAILY", "MONTHLY", "STATIC"]

NAME = re.compile(
    r"^VADOSE-([A-Z][A-Z0-9]{1,15})-L4-(\d{1,2}P\d{2}DEG|EASE2M(?:36|09|03|01))"
    r"-(?:DAILY-(\d{8})|MONTHLY-(\d{6})|STATIC)(?:-(CDR|ICDR|NRT))?-v(\d+\.\d+\.\d+)\.nc$"
)
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


@dataclass(frozen=True, kw_only=True)
class GranuleName:
    """The parts of a granule's file name.

    `when` is `YYYYMMDD` for a day, `YYYYMM` for a month and empty for the static file; `stream` is empty
    exactly for the static file.
    """

    product: str
    grid: str
    step: Step
    when: str
    stream: str
    version: str

    def __post_init__(self) -> None:
        if not NAME.match(self.text) or bool(self.when) != bool(self.stream) or not VERSION.fullmatch(self.version):
            raise InputError(f"{self.text!r} is not the name of a granule", next="see the user guide, names and places")
        if self.step == "DAILY":
            _day(self.when)
        elif self.step == "MONTHLY":
            _day(f"{self.when}01")

    @property
    def text(self) -> str:
        """The file name."""
        parts = ["VADOSE", self.product, "L4", self.grid, self.step, self.when, self.stream, f"v{self.version}"]
        return "-".join(part for part in parts if part) + ".nc"

    @property
    def id(self) -> str:
        """The file name without `.nc`."""
        return self.text[: -len(".nc")]

    @property
    def path(self) -> PurePosixPath:
        """Place inside the version folder, of stream NRT inside the product's `nrt/`."""
        if self.step == "STATIC":
            return PurePosixPath("static", self.text)
        stream = () if self.stream == "NRT" else (self.stream,)
        folder = PurePosixPath(*stream, self.step, self.when[:4])
        return (folder / self.when[4:6] if self.step == "DAILY" else folder) / self.text

    @property
    def day(self) -> date:
        """The day, or the first day of the month."""
        return _day(f"{self.when}01"[:8])


def parse_name(name: str) -> GranuleName:
    """The parts of a file name; any other name is an `InputError`.

    >>> parse_name("VADOSE-AVHRR-L4-0P05DEG-DAILY-20010715-CDR-v1.0.0.nc").path.as_posix()
    'CDR/DAILY/2001/07/VADOSE-AVHRR-L4-0P05DEG-DAILY-20010715-CDR-v1.0.0.nc'
    """
    match = NAME.match(name)
    if not match:
        raise InputError(f"{name!r} is not the name of a granule", next="see the user guide, names and places")
    product, grid, day, month, stream, version = match.groups()
    step: Step = "DAILY" if day else "MONTHLY" if month else "STATIC"
    return GranuleName(
        product=product, grid=grid, step=step, when=day or month or "", stream=stream or "", version=version
    )


def _day(digits: str) -> date:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError as error:
        raise InputError(f"{digits!r} is not a day") from error
