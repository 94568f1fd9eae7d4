"""Station files of each network to the one station dataset.

`read_stations` finds the reader of every file by its content; `write_stations` and `open_stations` keep the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from vadose.common import InputError, Progress, silent
from vadose.validation.stations.dataset import assemble, choose, open_stations, station_days, write_stations
from vadose.validation.stations.ismn import is_ismn, read_ismn
from vadose.validation.stations.sensor import Sensor
from vadose.validation.stations.sources import Member, Terms, members, stated_terms
from vadose.validation.stations.table import Mapping, load_mapping, read_table
from vadose.validation.stations.uscrn import is_uscrn, read_uscrn

__all__ = ["open_stations", "read_stations", "station_days", "write_stations"]


def read_stations(
    sources: Sequence[Path],
    *,
    mapping: Path | None = None,
    sensors: str | None = None,
    accept_unflagged: bool = False,
    progress: Progress = silent,
) -> xr.Dataset:
    """Read station files, folders and zips into the canonical station dataset.

    Parameters
    ----------
    sources
        ISMN folders or zips, USCRN daily tables, or with `mapping` any table.
    mapping
        YAML declaration of a table's columns; then every file of the sources is such a table.
    sensors
        `primary` (default): per station and depth class the longest good record; `separate`: every sensor.
    accept_unflagged
        Take the ISMN flag U (not checked) where a file knows no G.
    progress
        Where to report.

    Returns
    -------
    xarray.Dataset
        Dimensions station and time; soil moisture in m3 m-3; the funnel of every sensor.

    Raises
    ------
    InputError
        If nothing can be read, or values look like percent. One broken file among good ones costs that file only.
    """
    declared = load_mapping(mapping) if mapping else None
    found: list[Sensor] = []
    unreadable: dict[str, str] = {}
    ignored = 0
    for source in sources:
        terms = stated_terms(source)
        every = list(members(source))
        for member in progress.track(every, f"stations {source.name}", len(every)):
            try:
                some = _read(member, every, declared, terms, accept_unflagged)
            except InputError as error:
                if "percent" in error.what:
                    raise
                unreadable[member.name] = str(error)
                continue
            ignored += not some
            found.extend(some)
    if not found:
        raise InputError(
            "no station series found", where=", ".join(map(str, sources)),
            why="; ".join(list(unreadable.values())[:3]) or f"{ignored} files, none is ISMN, USCRN daily or declared",
            next="for a table: vadose ingest stations FILE --mapping FILE.yaml --name NAME",
        )  # fmt: skip
    for text in unreadable.values():
        progress.say(f"file_unreadable: {text}")
    notes = {
        "unreadable": {Path(name).name: text for name, text in unreadable.items()},
        "ignored_files": ignored,
        "notes": {sensor.origin.file: list(sensor.origin.notes) for sensor in found if sensor.origin.notes},
        "sensors_read": len(found),
    }
    return assemble(choose(found, sensors or "primary"), notes=notes)


def _read(
    member: Member, every: Sequence[Member], declared: Mapping | None, terms: Terms | None, accept_unflagged: bool
) -> list[Sensor]:
    """The sensors of one file; none if no reader knows it."""
    if declared is not None:
        return read_table(member, declared) if not member.name.endswith((".yaml", ".yml")) else []
    if is_ismn(member):

        def static() -> bytes | None:
            beside = [
                one for one in every if one.folder == member.folder and one.name.endswith("_static_variables.csv")
            ]
            wanted = Path(member.name).name.partition("_sm_")[0]
            beside = [one for one in beside if Path(one.name).name.startswith(wanted)] or beside
            return beside[0].read() if len(beside) == 1 else None

        return [read_ismn(member, terms, accept_unflagged, static)]
    return read_uscrn(member, terms) if is_uscrn(member) else []
