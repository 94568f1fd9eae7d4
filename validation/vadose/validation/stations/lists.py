"""Lists of stations and their places that networks put beside their series."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vadose.common import InputError
from vadose.validation.stations.lines import cells, decoded
from vadose.validation.stations.sources import Member

PLACE_COLUMNS = {
    "lat": ("latitude", "lat"), "lon": ("longitude", "lon", "long"),
    "altitude": ("elevation_m", "altitude", "elevation"), "porosity": ("porosity",),
}  # fmt: skip
NAME_COLUMNS = ("station", "site_name", "sitename", "site_id", "siteid", "station_id", "site_no", "siteno")
# Columns that only a table of series has.
_SERIES = re.compile(r"(date|time|^yr$|soil.?moist|_sm$|insitu)")


def is_station_list(member: Member, head: bytes) -> bool:
    """Whether a file lists stations with names and places, and no series."""
    names = _names(member, head)[0]
    has = bool(set(PLACE_COLUMNS["lat"]) & set(names) and set(NAME_COLUMNS) & set(names))
    return has and not any(
        _SERIES.search(name)
        for name in names
        if not name.startswith(("datetime_", "wizard_"))
        and name not in ("installation_date", "start_date", "end_date", "timezone")
    )


def _names(member: Member, head: bytes) -> tuple[list[str], str]:
    """Names in the first line in lower case, and the separator; none for another kind of file."""
    if not re.search(r"(?i)\.(csv|tsv|txt)$", member.base):
        return [], ","
    line = decoded(head)[0].split("\n", 1)[0].strip()
    separator = "\t" if "\t" in line else ","
    return [cell.strip().strip('"').lower() for cell in line.split(separator)], separator


def listed(members: Sequence[Member]) -> list[dict[str, str]]:
    """Rows of all station lists among files, by column name in lower case."""
    out = []
    for member in members:
        try:
            head = member.head()
            if not is_station_list(member, head):
                continue
            text = decoded(member.read())[0]
        except InputError:
            continue
        names, separator = _names(member, head)
        rows = cells(text, separator, member.name)[1:]
        out += [{name: cell.strip() for name, cell in zip(names, row, strict=False)} for row in rows]
    return out
