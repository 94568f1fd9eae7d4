"""What an experiment leaves behind: its tables, and a description of what was run."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vadose.common import whole_file, write_json
from vadose.common.software import software
from vadose.producer.cube import Cube
from vadose.producer.training.maps import Sheet, write_maps


def publish(
    out: Path, name: str, told: Mapping[str, object], tables: Mapping[str, pd.DataFrame], command: str,
    maps: tuple[Cube, Sequence[Sheet]] | None = None,
) -> None:  # fmt: skip
    """Write `<table>.parquet` for each table, `<name>_maps.nc` for maps, and `<name>.json`, which names the tables.

    Parameters
    ----------
    out
        Folder of the system, `site/data/experiments/<recipe>/`.
    told
        `title`, `question`, `what` and `finding` of the page, and any settings.
    command
        The command line that repeats the experiment.
    maps
        A cube and sheets of its cells.
    """
    out.mkdir(parents=True, exist_ok=True)
    for key, table in tables.items():
        with whole_file(out / f"{key}.parquet") as part:
            table.reset_index(drop=True).to_parquet(part, index=False)
    if maps is not None:
        write_maps(out / f"{name}_maps.nc", *maps)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    write_json(out / f"{name}.json", {
        **told, "command": command, "commit": software().commit[:12], "date": today,
        "tables": {key: len(table) for key, table in tables.items()},
    })  # fmt: skip


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, each by column."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
