"""Station files of each network to the one station dataset.

`read_stations` finds the reader of every file by its content; `write_stations` and `open_stations` keep the result;
`probe` drafts the mapping of an unknown table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from vadose.common import InputError, Progress, silent
from vadose.validation.stations.context import Context, by_folder
from vadose.validation.stations.cosmos import is_cosmos, read_cosmos
from vadose.validation.stations.dataset import (
    LAYOUT,
    assemble,
    companion,
    open_stations,
    reader_notes,
    station_days,
    write_stations,
)
from vadose.validation.stations.identity import distinct, station_id
from vadose.validation.stations.ismn import is_ismn, read_ismn
from vadose.validation.stations.lists import is_station_list
from vadose.validation.stations.mapping import Mapping, load_mapping
from vadose.validation.stations.matchups import is_matchup, read_matchup
from vadose.validation.stations.probe import probe
from vadose.validation.stations.selection import choose, root_zones
from vadose.validation.stations.sensor import COMPLETE_DAY_SHARE, Period, Rules, Sensor
from vadose.validation.stations.sites import SiteFile, is_site_file, read_site
from vadose.validation.stations.smap_cvs import compose
from vadose.validation.stations.sources import CARD, Member, members, stated_terms
from vadose.validation.stations.table import read_table
from vadose.validation.stations.uscrn import is_uscrn, read_uscrn

__all__ = [
    "LAYOUT",
    "READERS",
    "companion",
    "open_stations",
    "probe",
    "read_stations",
    "reader_notes",
    "station_days",
    "write_stations",
]


@dataclass(frozen=True)
class Reader:
    """A network's files: `knows` looks at a file's first bytes, `read` gives its sensors."""

    name: str
    knows: Callable[[Member, bytes], bool]
    read: Callable[[Member, Context], list[Sensor]]


# The first that knows a file reads it.
READERS: tuple[Reader, ...] = (
    Reader("ismn", is_ismn, read_ismn),
    Reader("smap_cvs", is_matchup, read_matchup),
    Reader("uscrn", is_uscrn, read_uscrn),
    Reader("cosmos", is_cosmos, read_cosmos),
)


@dataclass
class _Found:
    """What was read from all sources so far."""

    sensors: list[Sensor] = field(default_factory=list)
    sites: list[SiteFile] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    ignored: int = 0


def read_stations(
    sources: Sequence[Path],
    *,
    mapping: Path | None = None,
    sensors: str | None = None,
    accept_unflagged: bool = False,
    period: Period | None = None,
    day_share: float = COMPLETE_DAY_SHARE,
    root_zone: bool = False,
    progress: Progress = silent,
) -> xr.Dataset:
    """Read station files, folders and zips into the canonical station dataset.

    Parameters
    ----------
    sources
        ISMN folders or zips, tables of USCRN or of neutron probes, SMAP core-site match-ups, site files together with
        the files of their stations; or with `mapping` any table.
    mapping
        YAML declaration of a table's columns; then every table of the sources is such a table.
    sensors
        `primary` (default): per station and depth class the longest good record; `separate`: every sensor; `mean` of
        parallel sensors; `join`: successive sensors one after the other.
    accept_unflagged
        Take the ISMN flag U (not checked).
    period
        First and last day to keep.
    day_share
        Share of the expected values that a day needs for its mean.
    root_zone
        Add the 0-1 m mean of stations with three depths or more.
    progress
        Where to report.

    Returns
    -------
    xarray.Dataset
        Dimensions station and time; soil moisture in m3 m-3; the funnel of every sensor. Stations of a site stand
        for themselves no longer: their site does.

    Raises
    ------
    InputError
        If nothing can be read, or values look like percent. One broken file among good ones costs that file only.
    """
    declared = load_mapping(mapping) if mapping else None
    found = _Found()
    for source in sources:
        every = list(members(source))
        context = Context(stated_terms(source, every), by_folder(every), accept_unflagged, Rules(period, day_share))
        for member in progress.track(every, f"stations {source.name}", len(every)):
            try:
                _read(member, declared, context, found)
            except InputError as error:
                if "percent" in error.what:
                    raise
                found.unreadable[member.name] = str(error)
            except (ValueError, KeyError, IndexError, OverflowError) as error:
                # What no reader foresaw costs that file, too, and is named.
                found.unreadable[member.name] = f"{type(error).__name__}: {error}; where: {member.name}"
    if not found.sensors:
        raise InputError(
            "no station series found", where=", ".join(map(str, sources)),
            why="; ".join(list(found.unreadable.values())[:3])
            or f"{found.ignored} files, none of {', '.join(reader.name for reader in READERS)} or declared",
            next="a CF timeSeries file goes to vadose validate --stations as it is" if any(
                source.suffix in (".nc", ".nc4") for source in sources
            ) else "for a table: vadose ingest stations --probe FILE drafts its mapping",
        )  # fmt: skip
    for text in found.unreadable.values():
        progress.say(f"file_unreadable: {text}")
    sites, used = _composed(found)
    chosen = choose([one for one in found.sensors if id(one) not in used], sensors or "primary")
    series = [*chosen.sensors, *sites, *(root_zones(found.sensors) if root_zone else [])]
    dataset = assemble(series, notes=_notes(found, chosen.left_out, used))
    dataset.attrs["files_unreadable"] = len(found.unreadable)
    dataset.attrs["files_ignored"] = found.ignored
    return dataset


def _read(member: Member, declared: Mapping | None, context: Context, found: _Found) -> None:
    """Read one file by the first reader that knows it, or count it as ignored."""
    head = member.head()
    if is_site_file(member, head):
        found.sites.append(read_site(member, {one.base: one for one in context.folder(member)}))
        return
    if member.base == CARD or is_station_list(member, head):
        return
    if declared is not None:
        if member.base.lower().endswith((".yaml", ".yml", ".md", ".pdf")):
            found.ignored += 1
            return
        found.sensors += read_table(member, declared, context)
        return
    reader = next((reader for reader in READERS if reader.knows(member, head)), None)
    if reader is None:
        found.ignored += 1
        return
    found.sensors += reader.read(member, context)


def _composed(found: _Found) -> tuple[list[Sensor], set[int]]:
    """Series of all sites, and the identities of the sensors that they are made of."""
    out: list[Sensor] = []
    used: set[int] = set()
    for file in found.sites:
        try:
            series, parts = compose(file, found.sensors)
        except InputError as error:
            found.unreadable[file.file] = str(error)
            continue
        out.append(series)
        used |= {id(sensor) for sensor in parts}
    return out, used


def _notes(found: _Found, left_out: dict[str, str], used: set[int]) -> dict[str, Any]:
    unreadable = zip(distinct([Path(name).name for name in found.unreadable]), found.unreadable.values(), strict=True)
    return {
        "unreadable": dict(unreadable),
        "ignored_files": found.ignored,
        "notes": {one.origin.file: list(one.origin.notes) for one in found.sensors if one.origin.notes},
        "networks": sorted({one.site.network for one in found.sensors}),
        "sensors_read": len(found.sensors),
        "left_out": left_out,
        "in_sites": sorted(station_id(one.site) for one in found.sensors if id(one) in used),
    }
