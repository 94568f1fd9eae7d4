"""`vadose ingest`: native files into a cube, station files into a station dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vadose.cli.options import Common, common_options
from vadose.common import UsageError

if TYPE_CHECKING:
    import numpy as np

    from vadose.producer.ingest.inputs import Request

STATIONS = "stations"


@dataclass(frozen=True)
class Words:
    """What the user typed after the first word."""

    sources: tuple[Path, ...]
    native: Path | None
    days: str | None
    card: Path | None
    name: str | None
    box: str | None
    grid: str | None
    variables: str | None
    permissive: bool
    steps: int | None
    mask: Path | None
    mapping: Path | None
    sensors: str
    accept_unflagged: bool
    root_zone: bool
    day_share: float
    probe: bool


def _path(**more: Any) -> Any:
    return click.Path(path_type=Path, **more)


@click.command("ingest")
@click.argument("what", metavar="RECIPE|READER|stations")
@click.argument("sources", nargs=-1, type=_path())
@click.option("--native", type=_path(), help="Native files of a recipe; default: native/<reader> of the workspace.")
@click.option("--days", metavar="A..B", help="First and last UTC day.")
@click.option("--card", type=_path(), help="Product card; wins over the files' own metadata.")
@click.option("--name", help="Name of the cube or station dataset to write.")
@click.option("--box", metavar="W,S,E,N", help="Box in degrees; default: all that the files cover.")
@click.option("--grid", metavar="TOKEN", help="Grid of the cube, such as 0P25DEG; default: that of the files.")
@click.option("--variables", metavar="A,B", help="Variables of the vocabulary; default: all that the reader finds.")
@click.option("--permissive", is_flag=True, help="smap: keep every successful retrieval, not only recommended ones.")
@click.option("--steps", type=click.IntRange(1), help="gldas, era5: time steps that a day needs to count.")
@click.option("--mask", type=_path(), help="era5: file with the land-sea mask lsm or land.")
@click.option("--mapping", type=_path(), help="stations: mapping of the columns of a table (YAML).")
@click.option(
    "--sensors",
    default="primary",
    show_default=True,
    help="stations: of several at one depth, take the longest (primary), separate ones, their mean, or join them.",
)
@click.option("--accept-unflagged", is_flag=True, help="stations: take values without a quality flag.")
@click.option("--root-zone", is_flag=True, help="stations: add 0-1 m means of stations with three depths or more.")
@click.option(
    "--day-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.75,
    show_default=True,
    help="stations: share of the expected values that a day needs for its mean.",
)
@click.option("--probe", is_flag=True, help="stations: print a draft of the mapping of a table, for you to complete.")
@common_options
def command(common: Common, what: str, **typed: Any) -> int:
    """Read native files into a cube, or station files into a station dataset.

    The first word is a recipe (a packaged name or a YAML file), which decides all else; or a reader (smap, gldas,
    era5, conus412), with files and --name; or the word stations, with sources and --name.

    Prints the funnel of every variable: values read, rejected by what, kept. A cube that is already made of the
    same files is left alone.

    Example: vadose ingest conus412-atlstm --native workspace/native/conus412
    Example: vadose ingest stations Data_separate_files_header.zip --name conus
    """
    words = Words(**typed)
    if what == STATIONS:
        from vadose.cli.station_files import draft, read

        return draft(common, words.sources) if words.probe else read(common, words, parse_days(words.days))
    from vadose.producer.ingest import INGESTERS
    from vadose.producer.recipe import unknown_word
    from vadose.producer.recipefile import packaged_recipes

    readers = [reader.name for reader in INGESTERS]
    if what in readers:
        return _carry_out(common, [_files_request(common, what, words)])
    known = [*readers, STATIONS, *packaged_recipes()]
    if what not in known and not Path(what).is_file():
        raise UsageError(unknown_word(what, known, "recipe or reader"), next="name a recipe, a YAML file or a reader")
    return _carry_out(common, _recipe_requests(common, what, words))


def _recipe_requests(common: Common, name: str, words: Words) -> list[Request]:
    """The orders of a recipe."""
    from vadose.producer.ingest import ingester, recipe_orders
    from vadose.producer.recipefile import load_recipe

    for option in ("sources", "name", "box", "grid", "variables", "permissive", "steps", "mask"):
        if getattr(words, option):
            raise UsageError(
                f"a recipe decides its own {option}",
                where=name,
                next="leave it out, or name a reader instead of a recipe",
            )
    recipe = load_recipe(name)
    if not recipe.inputs:
        raise UsageError("the recipe names no input", where=name, next="list its files' readers under inputs")
    several = len({item.reader for item in recipe.inputs}) > 1

    def native(reader: str) -> Path:
        if words.native is None:
            return common.workspace / "native" / reader
        return words.native / reader if several else words.native

    cube = common.workspace / "cubes" / f"{recipe.cube}.zarr"
    return recipe_orders(recipe, ingester, native, cube, days=parse_days(words.days), card=words.card)


def _files_request(common: Common, name: str, words: Words) -> Request:
    """The order for files named on the command line."""
    from vadose.producer.grids import global_grid
    from vadose.producer.ingest import Order, ingester, load_card

    reader = ingester(name)
    if not reader.from_files:
        raise UsageError(f"reader {name} works for recipes only", next="vadose ingest RECIPE")
    if words.name is None or not words.sources:
        raise UsageError(f"{name} needs files and a name", next=f"vadose ingest {name} FILE... --name NAME")
    options = {"permissive": words.permissive or None, "steps": words.steps, "mask": words.mask and str(words.mask)}
    given = {key: value for key, value in options.items() if value is not None}
    for key in given:
        if key not in reader.options:
            raise UsageError(f"reader {name} has no option --{key}", next="see vadose ingest --help")
    card = load_card(words.card) if words.card else None
    order = Order(
        files=words.sources,
        cube=common.workspace / "cubes" / f"{check_name(words.name)}.zarr",
        title=f"{reader.summary}: {words.name}",
        origin=reader.origin.with_card(card),
        grid=global_grid(words.grid) if words.grid else None,
        box=parse_box(words.box) if words.box else None,
        days=parse_days(words.days),
        names=tuple(words.variables.split(",")) if words.variables else (),
        card=card,
        options=given,
    )
    return reader, order


def parse_box(text: str) -> tuple[float, float, float, float]:
    """West, south, east and north in degrees out of `W,S,E,N`."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"box {text!r} is not four numbers", next="write it like -125,24,-66,50") from error
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise UsageError(
            f"box {text!r} is not west, south, east, north inside -180..180 and -90..90",
            next="write it like -125,24,-66,50",
        )
    return west, south, east, north


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


def check_name(name: str) -> str:
    """A name that can be the name of a file in the workspace."""
    if not name or Path(name).name != name or name.startswith("."):
        raise UsageError(f"{name!r} cannot be the name of a file", next="use letters, digits and hyphens")
    return name


def _carry_out(common: Common, requests: Sequence[Request]) -> int:
    from vadose.producer.cube import open_cube
    from vadose.producer.ingest.inputs import input_files, make_cube

    path = requests[0][1].cube
    if common.dry_run:
        files = input_files(requests)
        listed = {"would_write": str(path), "files": [str(file) for file in files]}
        return common.emit("ingest", listed, f"would write {path} from {len(files)} files")
    made = make_cube(requests, common.progress)
    cube = open_cube(path)
    result = {
        "cube": str(path),
        "made": made,
        "days": [str(cube.days[0]), str(cube.days[-1])],
        "cells": int(cube.index.size),
        "files": len(cube.provenance),
        "counts": cube.counts,
        "content_hash": cube.content_hash,
    }
    return common.emit("ingest", result, _table(result))


def _table(result: dict[str, Any]) -> str:
    counts: dict[str, dict[str, int]] = result["counts"]
    reasons = list(dict.fromkeys(reason for funnel in counts.values() for reason in funnel))
    width = max(map(len, counts), default=8)
    first, last = result["days"]
    lines = [f"{result['cube']}: {result['cells']:,} cells, {first}..{last}, {result['files']} files"]
    lines.append("  ".join(["variable".ljust(width), *(reason.rjust(13) for reason in reasons)]))
    for name, funnel in counts.items():
        lines.append("  ".join([name.ljust(width), *(f"{funnel.get(reason, 0):>13,}" for reason in reasons)]))
    return "\n".join(lines)
