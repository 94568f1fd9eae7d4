"""`vadose ingest stations`: station files into a station dataset, or the draft of a table's mapping."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadose.cli.options import Common
from vadose.common import InputError, UsageError, file_sha256, read_json, write_json

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from vadose.cli.ingest import Words


def draft(common: Common, sources: Sequence[Path]) -> int:
    """Print a mapping for one table."""
    if len(sources) != 1:
        raise UsageError(f"--probe takes one table, got {len(sources)}", next="vadose ingest stations --probe FILE")
    from vadose.validation.stations import probe

    text = probe(sources[0])
    return common.emit("ingest", {"mapping": text}, text.rstrip("\n"))


def read(common: Common, words: Words, days: tuple[np.datetime64, np.datetime64] | None) -> int:
    """Read station files by the validation room and write the station dataset."""
    from vadose.cli.ingest import check_name

    if words.name is None or not words.sources:
        raise UsageError("stations need sources and a name", next="vadose ingest stations SOURCE... --name NAME")
    path = common.workspace / "stations" / f"{check_name(words.name)}.nc"
    for source in words.sources:
        if not source.exists():
            raise InputError("no such file or folder", where=str(source))
    if common.dry_run:
        return common.emit("ingest", {"would_write": str(path)}, f"would write {path}")
    from vadose.validation.stations import companion, open_stations, read_stations, write_stations

    memory, identity = path.with_name(f".{path.stem}.inputs.json"), _identity(words)
    if path.is_file() and memory.is_file() and read_json(memory) == identity:
        common.progress.say(f"{path} is made of these files already")
        dataset = open_stations(path)
    else:
        dataset = read_stations(
            list(words.sources), mapping=words.mapping, sensors=words.sensors, root_zone=words.root_zone,
            day_share=words.day_share, accept_unflagged=words.accept_unflagged, period=days, progress=common.progress,
        )  # fmt: skip
        write_stations(dataset, path)
        rival = companion(dataset)
        if rival is not None:
            write_stations(rival, path.with_name(f"{path.stem}.companion.nc"))
        write_json(memory, identity)
    result = summary(dataset, path)
    return common.emit("ingest", result, "\n".join(_lines(result)))


def _identity(words: Words) -> dict[str, Any]:
    """What a station dataset is made of: its files with their hashes, the options, and how the file is laid out."""
    from vadose.validation.stations import LAYOUT

    folders = [source for source in words.sources if source.is_dir()]
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    files += [source for source in (*words.sources, words.mapping) if source is not None and source.is_file()]
    return {
        "layout": LAYOUT, "files": {str(path): file_sha256(path) for path in files}, "sensors": words.sensors,
        "accept_unflagged": words.accept_unflagged, "root_zone": words.root_zone, "days": words.days,
        "day_share": words.day_share,
    }  # fmt: skip


def summary(dataset: xr.Dataset, path: Path) -> dict[str, Any]:
    """What was read, kept and lost: the funnel over all series, with the names of files that could not be read."""
    notes = json.loads(dataset.attrs["reader_notes"])
    stages, reasons = (
        dict(zip(map(str, dataset[kind].values), map(int, dataset[name].sum("station").values), strict=True))
        for name, kind in (("funnel", "stage"), ("rejected", "reason"))
    )
    return {
        "stations": str(path), "series": dataset.sizes["station"], "days": dataset.sizes["time"],
        "networks": dict(sorted(Counter(map(str, dataset["network"].values)).items())),
        "depth_classes": dict(sorted(Counter(map(str, dataset["depth_class"].values)).items())),
        "status": dict(sorted(Counter(map(str, dataset["status"].values)).items())),
        "funnel": stages, "rejected": reasons,
        "file_unreadable": notes["unreadable"], "files_ignored": notes["ignored_files"],
        "left_out": notes["left_out"],
    }  # fmt: skip


def _lines(result: dict[str, Any]) -> list[str]:
    lines = [f"{result['stations']}: {result['series']:,} series, {result['days']:,} days"]
    lines += [
        f"{name.replace('_', ' '):<20} {', '.join(f'{word} {count}' for word, count in result[name].items())}"
        for name in ("networks", "depth_classes", "status")
    ]
    lines += [f"{stage:<30} {count:>12,}" for stage, count in result["funnel"].items()]
    lines += [f"rejected {reason:<21} {count:>12,}" for reason, count in result["rejected"].items()]
    lines.append(f"{'sensors not taken':<30} {len(result['left_out']):>12,}")
    lines.append(f"{'files ignored':<30} {result['files_ignored']:>12,}")
    lines.append(f"{'files unreadable':<30} {len(result['file_unreadable']):>12,}")
    return lines + [f"  {name}: {why}" for name, why in result["file_unreadable"].items()]
