"""`vadose ingest`: native files into a cube, station files into a station dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vadose.cli.options import Common, common_options
from vadose.common import UsageError

if TYPE_CHECKING:
    import numpy as np

    from vadose.producer.ingest import Ingester, Order


@click.command("ingest")
@click.argument("what")
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--native", type=click.Path(path_type=Path), help="Native files; default: native/<reader> of --workspace."
)
@click.option("--days", metavar="A..B", help="First and last UTC day.")
@click.option("--card", type=click.Path(path_type=Path), help="Product card; wins over the files' own metadata.")
@common_options
def command(
    common: Common, what: str, sources: tuple[Path, ...], native: Path | None, days: str | None, card: Path | None
) -> int:
    """Read native files into a cube, or station files into a station dataset.

    WHAT is a recipe (a packaged name or a YAML file).

    Example: vadose ingest conus412-atlstm --native workspace/native/conus412
    """
    return _recipe(common, what, native, days, card)


def _recipe(common: Common, name: str, native: Path | None, days: str | None, card: Path | None) -> int:
    from vadose.producer.ingest import ingester, recipe_order
    from vadose.producer.recipe import load_recipe

    recipe = load_recipe(name)
    readers = list(dict.fromkeys(item.reader for item in recipe.inputs))
    if len(readers) != 1:
        raise UsageError(f"{recipe.recipe} has inputs of {len(readers)} readers", where=name)
    reader = ingester(readers[0])
    folder = native or common.workspace / "native" / reader.name
    cube = common.workspace / "cubes" / f"{recipe.cube}.zarr"
    order = recipe_order(recipe, reader, folder, cube, days=parse_days(days), card=card)
    return _carry_out(common, reader, order)


def parse_days(text: str | None) -> tuple[np.datetime64, np.datetime64] | None:
    """Two days out of `A..B`."""
    import numpy as np

    if text is None:
        return None
    first, _, last = text.partition("..")
    try:
        pair = np.datetime64(first, "D"), np.datetime64(last, "D")
        if pair[0] <= pair[1]:
            return pair
    except ValueError:
        pass
    raise UsageError(f"days {text!r} are not two days", next="write them like 2015-04-01..2016-03-31")


def _carry_out(common: Common, reader: Ingester, order: Order) -> int:
    from vadose.producer.cube import open_cube
    from vadose.producer.ingest import make_cube
    from vadose.producer.ingest.inputs import native_files

    if common.dry_run:
        files = native_files(order.files)
        listed = {"would_write": str(order.cube), "files": [str(path) for path in files]}
        return common.emit("ingest", listed, f"would write {order.cube} from {len(files)} files")
    made = make_cube(reader, order, common.progress)
    cube = open_cube(order.cube)
    result = {
        "cube": str(order.cube),
        "made": made,
        "days": [str(cube.days[0]), str(cube.days[-1])],
        "cells": int(cube.index.size),
        "files": len(cube.provenance),
        "counts": cube.counts,
        "content_hash": cube.content_hash,
    }
    return common.emit("ingest", result, _table(order.cube, result))


def _table(path: Path, result: dict[str, Any]) -> str:
    counts: dict[str, dict[str, int]] = result["counts"]
    reasons = list(dict.fromkeys(reason for funnel in counts.values() for reason in funnel))
    width = max(map(len, counts), default=8)
    first, last = result["days"]
    lines = [f"{path}: {result['cells']} cells, {first}..{last}, {result['files']} files"]
    lines.append("  ".join(["variable".ljust(width), *(reason.rjust(13) for reason in reasons)]))
    for name, funnel in counts.items():
        lines.append("  ".join([name.ljust(width), *(f"{funnel.get(reason, 0):>13,}" for reason in reasons)]))
    return "\n".join(lines)
