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
FORMATS = {".nc": "netcdf", ".nc4": "netcdf", ".parquet": "parquet"}


@click.command("extract")
@click.argument("release", metavar="RELEASE")
@click.option("--lat", type=click.FloatRange(-90, 90), help="Latitude of a point.")
@click.option("--lon", type=click.FloatRange(-180, 360), help="Longitude of a point.")
@click.option("--box", metavar="W,S,E,N", help="All cells whose centre lies in a box.")
@click.option("--points", "file", type=click.Path(path_type=Path), help="CSV with name, lat, lon.")
@click.option("--polygon", metavar="FILE|WKT", help="Mean over each area: GeoJSON or WKT, in a file or as it is.")
@click.option("--cells", is_flag=True, help="With --polygon: every cell that an area covers, in place of the mean.")
@click.option(
    "--mask",
    type=click.IntRange(0, 8191),
    default=399,
    show_default=True,
    help="With --polygon: cells with any of these bits of the flag stay out of a mean.",
)
@click.option(
    "--coverage",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="With --polygon: least share of an area inside the domain that must have a value on a day.",
)
@click.option("--from", "first", metavar="DAY", help="First UTC day.")
@click.option("--to", "last", metavar="DAY", help="Last UTC day.")
@click.option(
    "--format", "form", type=click.Choice(["csv", "parquet", "netcdf"]), help="By default what --out ends with."
)
@click.option("--out", type=click.Path(path_type=Path), help="File to write; CSV goes to stdout by default.")
@common_options
def command(
    common: Common, release: str, lat: float | None, lon: float | None, box: str | None, file: Path | None,
    polygon: str | None, cells: bool, mask: int, coverage: float, first: str | None, last: str | None,
    form: str | None, out: Path | None,
) -> int:  # fmt: skip
    """Take soil moisture, uncertainty and flag of a point, points, a box or polygons out of a release.

    RELEASE is a version in the workspace, a folder, or a URL (https://…/PRODUCT/vM.m.p), of which only the chunks that
    hold the cells are read. A polygon gives one series: the mean of its cells, weighted by the area of each that lies
    in it.

    Example: vadose extract demoatlstm-0p25deg/v1.0.0 --lat 42 --lon -40 --from 2020-01-01 --to 2020-12-31
    """
    from vadose.producer.release.series import box_places, points, read_points, read_series
    from vadose.producer.release.series_files import as_csv, write_series
    from vadose.producer.release.standing import standing

    given = (lat is not None or lon is not None, box is not None, file is not None, polygon is not None)
    if sum(given) != 1 or (lat is None) != (lon is None):
        raise UsageError("where?", next="give --lat and --lon, or --box W,S,E,N, or --points FILE, or --polygon FILE")
    form = form or FORMATS.get(out.suffix.lower() if out else "", "csv")
    if form != "csv" and out is None:
        raise UsageError(f"{form} needs a file", next="give --out FILE")
    if cells and polygon is None:
        raise UsageError("--cells needs --polygon", next="give --polygon FILE, or leave --cells out")
    span = day(first), day(last)
    if first and last and span[1] < span[0]:
        raise UsageError(f"{last} is before {first}", next="give --from the first day and --to the last")
    source, threads, place = source_of(release, common.workspace)
    for line in standing(place):
        click.echo(f"warning: {line}", err=True)
    if polygon is not None:
        from vadose.producer.release.areas import read_areas
        from vadose.producer.release.means import area_cells, read_means

        areas = read_areas(polygon)
        if cells:
            series = read_series(source, area_cells(source, areas), *span, common.progress, threads)
        else:
            series = read_means(source, areas, *span, common.progress, threads, mask=mask, least=coverage)
    else:
        if file is not None:
            places = read_points(file)
        elif box is not None:
            places = box_places(source.recipe().product.grid.grid(), *corners(box))
        else:
            places = points([lat or 0.0], [lon or 0.0])
        series = read_series(source, places, *span, common.progress, threads)
    result: dict[str, Any] = {"days": len(series.days), "places": len(series.name), "out": str(out) if out else None}
    if out is None:
        if common.json:
            return common.emit("extract", result | {"csv": as_csv(series)}, "")
        click.echo(as_csv(series), nl=False)
        return 0
    if not common.dry_run:
        write_series(series, out, form, source.name, source.recipe())
    return common.emit("extract", result, f"{out}: {len(series.days)} days of {len(series.name)} places")


def source_of(release: str, workspace: Path) -> tuple[Source, int, str | Path]:
    """A release by name, folder or URL, how many of its granules to read at once, and where it is."""
    from vadose.producer.release.fetching import is_url
    from vadose.producer.release.folder import find_release
    from vadose.producer.release.remote import RemoteRelease
    from vadose.producer.release.series import LocalRelease

    if is_url(release):
        return RemoteRelease(release), REQUESTS_AT_ONCE, release
    folder = find_release(release, workspace)
    return LocalRelease(folder), 1, folder.path


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
