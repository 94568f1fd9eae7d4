"""`vadose extract`: the series of a place out of a release."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vadose.cli.options import Common, common_options
from vadose.common import UsageError

if TYPE_CHECKING:
    from vadose.producer.release.series import Source

REQUESTS_AT_ONCE = 8


@click.command("extract")
@click.argument("release", metavar="RELEASE")
@click.option("--lat", type=click.FloatRange(-90, 90), help="Latitude of a point.")
@click.option("--lon", type=click.FloatRange(-180, 360), help="Longitude of a point.")
@click.option("--box", metavar="W,S,E,N", help="All cells whose centre lies in a box.")
@click.option("--points", "file", type=click.Path(path_type=Path), help="CSV with name, lat, lon.")
@click.option("--from", "first", metavar="DAY", help="First UTC day.")
@click.option("--to", "last", metavar="DAY", help="Last UTC day.")
@click.option("--format", "form", type=click.Choice(["csv", "parquet", "netcdf"]), default="csv", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="File to write; CSV goes to stdout by default.")
@common_options
def command(
    common: Common, release: str, lat: float | None, lon: float | None, box: str | None, file: Path | None,
    first: str | None, last: str | None, form: str, out: Path | None,
) -> int:  # fmt: skip
    """Take soil moisture, uncertainty and flag of a point, a box or a list of points out of a release.

    RELEASE is a version in the workspace, a folder, or a URL (https://…/PRODUCT/vM.m.p), of which only the chunks that
    hold the cells are read.

    Example: vadose extract demoatlstm-0p25deg/v1.0.0 --lat 42 --lon -40 --from 2020-01-01 --to 2020-12-31
    """
    from vadose.producer.release.series import as_csv, box_places, points, read_points, read_series, write_series

    if sum((lat is not None or lon is not None, box is not None, file is not None)) != 1 or (lat is None) != (
        lon is None
    ):
        raise UsageError("where?", next="give --lat and --lon, or --box W,S,E,N, or --points FILE")
    if form != "csv" and out is None:
        raise UsageError(f"{form} needs a file", next="give --out FILE")
    source, threads = source_of(release, common.workspace)
    if file is not None:
        places = read_points(file)
    elif box is not None:
        places = box_places(source.recipe().product.grid.grid(), *corners(box))
    else:
        places = points([lat or 0.0], [lon or 0.0])
    series = read_series(source, places, day(first), day(last), common.progress, threads)
    result: dict[str, Any] = {"days": len(series.days), "places": len(series.name), "out": str(out) if out else None}
    if out is None:
        if common.json:
            return common.emit("extract", result | {"csv": as_csv(series)}, "")
        click.echo(as_csv(series), nl=False)
        return 0
    if not common.dry_run:
        write_series(series, out, form, source.name)
    return common.emit("extract", result, f"{out}: {len(series.days)} days of {len(series.name)} places")


def source_of(release: str, workspace: Path) -> tuple[Source, int]:
    """A release by name, folder or URL, and how many of its granules to read at once."""
    from vadose.producer.release.fetching import is_url
    from vadose.producer.release.folder import find_release
    from vadose.producer.release.remote import RemoteRelease
    from vadose.producer.release.series import LocalRelease

    if is_url(release):
        return RemoteRelease(release), REQUESTS_AT_ONCE
    return LocalRelease(find_release(release, workspace)), 1


def corners(text: str) -> tuple[float, float, float, float]:
    """West, south, east and north from a text."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"{text!r} is not a box", next="write it as W,S,E,N in degrees") from error
    return west, south, east, north


def day(text: str | None) -> Any:
    """A UTC day, or None."""
    import numpy as np

    if text is None:
        return None
    try:
        return np.datetime64(text, "D")
    except ValueError as error:
        raise UsageError(f"{text!r} is not a day", next="write it like 2015-04-01") from error
