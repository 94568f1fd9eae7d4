"""Files of the International Soil Moisture Network in its three layouts.

*Header+values*: one header line, then `date time value flag [provider flag]`. *CEOP in separate files*: every row
repeats the header. The old *combined CEOP*: as that, and after the depth soil temperature, flag, soil moisture, flag,
for several depths in one file. The layout is found by content, the place by the header; from the file name comes only
what the header lacks. Values are m3 m-3, stamps UTC; of the two stamps of CEOP the first counts.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vadose.common import InputError
from vadose.validation.stations.context import Context
from vadose.validation.stations.ismn_static import static_values
from vadose.validation.stations.lines import Booleans, Floats, Integers, Lines, decoded, split_lines
from vadose.validation.stations.sensor import COSMIC_RAY, Daily, Origin, Rows, Sensor, Site, daily_sensor
from vadose.validation.stations.sources import Member, Terms

TERMS = Terms("International Soil Moisture Network data policy: no redistribution of original data", False)
MISSING_BELOW = -99.0
# Words of a row that are looked at: a CEOP row has 15, a combined one 16.
_WIDTH = 17
_CEOP_VALUE = 12
_DATE = re.compile(rb"\s*\d{4}[/-]\d\d[/-]\d\d[ \t]")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
_FLAG = re.compile(r"[A-Z]\d{0,2}$")
_FROZEN = {"D01", "D02", "D03"}
# Other variables of the network in files of the same layout; soil moisture is `sm`.
_NAME = re.compile(
    r"_(?P<variable>sm|ts|ta|tsf|tsfq|p|su|sd|swe|sweq)_-?\d+\.\d+_-?\d+\.\d+_(?P<sensor>.+)_\d{8}_\d{8}\.stm$"
)
_HOURS_OF_RAIN = 18


@dataclass(frozen=True)
class _Layout:
    """Where the words of a row stand: stamp, value and flag, and from which line on."""

    name: str
    value: int
    first_line: int
    depth: int | None = None


def is_ismn(member: Member, head: bytes) -> bool:
    """Whether a file is one of soil moisture in a layout of the ISMN, by its first lines."""
    match = _NAME.search(member.base)
    if (match and match["variable"] != "sm") or member.base.endswith("_static_variables.csv"):
        return False
    return member.base.endswith(".stm") or _layout_of(head) is not None


def _layout_of(head: bytes) -> _Layout | None:
    """The layout, from the first lines; None where they are of another kind."""
    lines = [line for line in re.split(rb"[\r\n]+", head) if line.strip()]
    if not lines:
        return None
    first = decoded(lines[0])[0].split()
    if _DATE.match(lines[0]):
        return _ceop_layout(first)
    rows = [decoded(line)[0].split() for line in lines[1:2] if _DATE.match(line)]
    header = len(first) >= 8 and all(_NUMBER.match(word) for word in first[3:8])
    return _Layout("header+values", 2, 1) if header and all(len(row) >= 4 for row in rows) and rows else None


def _ceop_layout(row: list[str]) -> _Layout | None:
    if len(row) < 14 or not all(_NUMBER.match(word) for word in row[7:11]):
        return None
    kinds = ["n" if _NUMBER.match(word) else "t" for word in row[11:17]]
    if kinds[:5] == ["n", "n", "t", "n", "t"]:
        return _Layout("combined CEOP", 14, 0, depth=11)
    if kinds[:4] == ["n", "t", "n", "t"]:
        return _Layout("combined CEOP", 13, 0, depth=10)
    return _Layout("CEOP", _CEOP_VALUE, 0) if kinds[:3] == ["n", "n", "t"] else None


def read_ismn(member: Member, context: Context) -> list[Sensor]:
    """Read one file: a sensor, or for the combined layout one of each depth.

    Raises
    ------
    InputError
        For a file of no layout of the network, or with no row that can be read.
    """
    raw, digest = member.hashed()
    if not raw.strip():
        raise InputError("the file is empty", where=f"{member.name}, byte 0")
    layout = _layout_of(raw[:4096]) or _guess(raw, member)
    lines = split_lines(raw, _WIDTH)
    sensor_word = lines.rest(0, 8) if layout.name == "header+values" and lines.words[0] > 8 else ""
    sites = _sites(lines, layout, sensor_word, member)
    columns = _columns(lines, layout)
    if not columns.good.any():
        at = int(lines.starts[min(layout.first_line, len(lines) - 1), 0])
        raise InputError(
            "no row can be read", where=f"{member.name}, byte {at}",
            why=f"{columns.good.size} rows, none is `date time value flag`",
        )  # fmt: skip
    encoding = decoded(raw[:4096])[1]
    rain = _rain(member, context)
    out = []
    astray = sum(1 for of in zip(*(choice for _, choice in sites if choice is not None), strict=True) if not any(of))
    for number, (site, choice) in enumerate(sites):
        rows, dialect = _rows(columns, choice, context.accept_unflagged, 0 if number else astray)
        terms = context.terms(member, TERMS)
        text = _static(member, context)
        origin = Origin(
            file=member.name, sha256=digest, licence=terms.licence, redistributable=terms.redistributable,
            flag_dialect=dialect, static=static_values(text, site, rows.stamps) if text else {},
            static_expected=True, notes=_notes(encoding, site, member),
        )  # fmt: skip
        sensor = daily_sensor(site, origin, rows, context.rules)
        if rain is not None:
            sensor.beside["precipitation"] = rain
        out.append(sensor)
    return out


def _guess(raw: bytes, member: Member) -> _Layout:
    """The layout of a file with the network's extension whose first lines do not say it."""
    line = next(line for line in re.split(rb"[\r\n]+", raw) if line.strip())
    words = decoded(line)[0].split()
    if _DATE.match(line):
        raise InputError(
            f"a row of {len(words)} words is no layout of the ISMN", where=f"{member.name}, byte 0",
            next="export the data as header+values",
        )  # fmt: skip
    if len(words) < 8:
        raise InputError(
            f"the header has {len(words)} words, at least 8 are needed", where=f"{member.name}, byte 0",
            why=f"got {' '.join(words)[:80]!r}",
        )  # fmt: skip
    return _Layout("header+values", 2, 1)


def _sites(lines: Lines, layout: _Layout, sensor: str, member: Member) -> list[tuple[Site, Booleans | None]]:
    """The places in a file, and for several depths which lines belong to each."""
    at = 0 if layout.name == "header+values" else 4
    names = [lines.text(0, at + word) for word in range(3)]
    count = 5 if layout.depth is None else 3
    numbers = [_number(lines, at + 3 + word, member) for word in range(count)]
    label = sensor.strip("'\" ") or _sensor_of_name(member)
    # The network COSMOS has neutron probes only; others, such as COSMOS-UK, have point sensors beside them.
    kind = COSMIC_RAY if "cosmic" in label.lower() or names[0] == "COSMOS" else "point"
    lat, lon, altitude = numbers[:3]
    if layout.depth is None:
        return [(Site(names[0], names[2], label, lat, lon, altitude, numbers[3], numbers[4], kind), None)]
    depths, _ = lines.numbers(layout.depth)
    return [
        (Site(names[0], names[2], label, lat, lon, altitude, one, one, kind), depths == one)
        for one in np.unique(depths[np.isfinite(depths)]).tolist()
    ]


def _number(lines: Lines, word: int, member: Member) -> float:
    text = lines.text(0, word)
    if _NUMBER.match(text) or text.lower() == "nan":
        return float(text)
    raise InputError(
        "the header is not three names and five numbers (latitude, longitude, altitude, two depths)",
        where=f"{member.name}, byte {int(lines.starts[0, word])}", why=f"got {text[:40]!r}",
    )  # fmt: skip


def _sensor_of_name(member: Member) -> str:
    match = _NAME.search(member.base)
    return match["sensor"] if match else "unknown"


def _notes(encoding: str, site: Site, member: Member) -> tuple[str, ...]:
    notes = [f"text is {encoding}, not UTF-8"] if encoding != "UTF-8" else []
    named = member.base.partition("_sm_")[0]
    if member.base.endswith(".stm") and named != f"{site.network}_{site.network}_{site.station}":
        notes.append(f"the header names {site.network}, {site.station}; the file {named}")
    if "_sm_" not in member.base:
        notes.append("the file name does not say the variable: taken for soil moisture")
    return tuple(notes)


@dataclass(frozen=True)
class _Columns:
    """All rows of a file as arrays, (row,); `good` are those that can be read; flags are indices into `words`."""

    good: Booleans
    minutes: Integers
    values: Floats
    flags: Integers
    words: list[str]


def _columns(lines: Lines, layout: _Layout) -> _Columns:
    minutes, dated = lines.minutes(0)
    values, numeric = lines.numbers(layout.value)
    words, flags = lines.codes(layout.value + 1)
    known = np.array([all(_FLAG.match(part) for part in word.split(",")) for word in words], bool)
    good = dated & numeric & (flags >= 0) & known[flags]
    rows = slice(layout.first_line, None)
    return _Columns(good[rows], minutes[rows], values[rows], flags[rows], words)


def _rows(columns: _Columns, choice: Booleans | None, accept_unflagged: bool, astray: int) -> tuple[Rows, str]:
    """The readable rows of one depth with the reason of each, and the dialect of its flags.

    Rows without a depth, `astray`, count as read at one of them.
    """
    chosen = columns.good if choice is None else columns.good & choice
    read = columns.good.size if choice is None else int(choice.sum()) + astray
    stamps = columns.minutes[chosen].astype("datetime64[m]")
    values, flags = columns.values[chosen], columns.flags[chosen]
    sizes = np.bincount(flags, minlength=len(columns.words))
    counts: Counter[str] = Counter()
    for word, size in zip(columns.words, sizes, strict=True):
        for part in word.split(",") if size else ():
            counts[part] += int(size)
    dialect = flag_dialect(set(counts))
    reason = np.array([rejection(word, accept_unflagged) for word in columns.words], "U24")[flags]
    of = [set(word.split(",")) for word in columns.words]
    # The value decides whether it is missing, even where the flag says otherwise.
    missing = ~np.isfinite(values) | (values <= MISSING_BELOW) | np.array(["M" in word for word in of])[flags]
    reason[missing] = "missing"
    frozen = np.where(missing, np.nan, np.array([bool(word & _FROZEN) for word in of], float)[flags])
    known = {"frozen": frozen} if dialect != "prefiltered" else {}
    return Rows(stamps, values, reason, read, dict(counts), known), dialect


def flag_dialect(flags: set[str]) -> str:
    """`legacy`: U and no G; `prefiltered`: nothing but G and M; else `current`."""
    if "G" not in flags and "U" in flags:
        return "legacy"
    return "prefiltered" if flags <= {"G", "M"} else "current"


def rejection(flags: str, accept_unflagged: bool) -> str:
    """Why flags joined by commas reject a row; one bad flag suffices, and the first one counts."""
    bad = [part for part in flags.split(",") if part not in {"G", "M"} and not (part == "U" and accept_unflagged)]
    if not bad:
        return ""
    return "flag_unflagged" if set(bad) == {"U"} else f"flag_{next(part for part in bad if part != 'U')}"


def _beside(member: Member, context: Context, ending: str) -> list[Member]:
    """Files of the same station: those whose name begins as this one's."""
    stem = member.base.partition("_sm_")[0]
    return [one for one in context.folder(member) if one.base.startswith(f"{stem}{ending}")]


def _static(member: Member, context: Context) -> bytes | None:
    """The static variables of the station; in a folder that holds only one such file, that one."""
    own = _beside(member, context, "_static_variables.csv")
    own = own or [one for one in context.folder(member) if one.base.endswith("_static_variables.csv")]
    try:
        return own[0].read() if len(own) == 1 else None
    except InputError:
        return None


def _rain(member: Member, context: Context) -> Daily | None:
    """Daily rain of the same station in mm, of days with good values at three quarters of the hours."""
    found = _beside(member, context, "_p_")
    if not found:
        return None
    try:
        raw = found[0].read()
    except InputError:
        return None
    layout = _layout_of(raw[:4096])
    if layout is None or layout.depth is not None:
        return None
    columns = _columns(split_lines(raw, _WIDTH), layout)
    fine: npt.NDArray[np.bool_] = np.array([not rejection(word, True) for word in columns.words])
    use = columns.good & (columns.values >= 0.0) & fine[columns.flags]
    days, inverse, counts = np.unique(columns.minutes[use] // 1440, return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, weights=columns.values[use], minlength=days.size).astype(np.float64)
    return Daily(days[counts >= _HOURS_OF_RAIN].astype("datetime64[D]"), sums[counts >= _HOURS_OF_RAIN])
