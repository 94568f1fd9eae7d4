"""`vadose demo`: the whole job, by the same commands that a user types."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from pathlib import Path

import click

from vadose.cli.main import program
from vadose.cli.options import Common, common_options
from vadose.common import InputError

SIMULATED = "simulated-atlstm"
CONUS412 = "conus412-atlstm"


@click.command("demo")
@click.option("--data", type=click.Path(path_type=Path), help="Folder that holds the CONUS-412 set (conus412/).")
@click.option("--out", type=click.Path(path_type=Path), help="Workspace to write; default: --workspace.")
@common_options
def command(common: Common, data: Path | None, out: Path | None) -> int:
    """Run the whole job on the simulated world, or on the CONUS-412 set.

    The simulated world needs no download and ends in a published release. With --data the product
    of the real CONUS-412 set is released, gated and shown as a preview, never published.

    Example: vadose demo --out demo-workspace
    """
    common = replace(common, workspace=out or common.workspace)
    lines = simulated_lines(common.workspace) if data is None else conus412_lines(common.workspace, data)
    started = time.monotonic()
    for number, words in enumerate(lines, 1):
        common.progress.say(f"[{number}/{len(lines)}] vadose {shlex.join(words)}")
        if not common.dry_run:
            call(common, words)
    page = common.workspace / "build" / "site" / "index.html"
    serve = f"vadose report --serve --workspace {shlex.quote(str(common.workspace))}"
    result = {
        "workspace": str(common.workspace),
        "commands": [shlex.join(words) for words in lines],
        "site": str(page),
        "serve": serve,
    }
    table = f"{common.workspace}: done in {time.monotonic() - started:.0f} s\nopen the report with\n  {serve}"
    return common.emit("demo", result, table)


def call(common: Common, words: list[str]) -> None:
    """Run one verb in this process, with the shared options of the demo; its table goes to the log."""
    shared = [
        "--workspace",
        str(common.workspace),
        "--progress",
        common.progress.mode if common.progress.mode != "none" else "auto",
    ]
    if common.progress.mode == "none":
        shared.append("--quiet")
    code = program.main(args=[*words, *shared], prog_name="vadose", standalone_mode=False)
    if code:
        raise click.exceptions.Exit(code)


def simulated_lines(workspace: Path) -> list[list[str]]:
    """The commands of the simulated world, in the order of the data."""
    native = workspace / "native" / "simulated" / "demo"
    return [
        ["fetch", "simulated", "--world", "demo"],
        ["ingest", SIMULATED],
        ["ingest", "stations", str(native / "stations" / "ismn"), "--name", "simulated"],
        ["train", SIMULATED],
        ["build", SIMULATED],
        [
            "validate", "--recipe", SIMULATED,
            "--product", "vadose=demoatlstm-0p25deg/v1.0.0", "--stations", "simulated",
            "--reference", f"smap={workspace / 'cubes' / 'simulated.zarr'}",
            "--reference", f"truth={native / 'truth' / 'truth.nc'}::soil_moisture",
            "--rival", f"cci={native / 'cci_sm'}", "--rival", f"land-model={native / 'land_model_a_sm'}",
            "--out", str(workspace / "runs" / "demo"),
        ],
        ["release", SIMULATED, "--run", "demo"],
        ["release", "publish", "demoatlstm-0p25deg/v1.0.0"],
        ["report", "--build"],
    ]  # fmt: skip


def conus412_lines(workspace: Path, data: Path) -> list[list[str]]:
    """The commands of the real CONUS-412 set; the product stays a preview."""
    native = data / "conus412" if (data / "conus412").is_dir() else data
    if not native.is_dir():
        raise InputError("no folder with the CONUS-412 set", where=str(data), next="vadose fetch conus412")
    station = data / "uscrn_manhattan"
    stations = [["ingest", "stations", str(station), "--name", "uscrn"]] if station.is_dir() else []
    return [
        ["ingest", CONUS412, "--native", str(native)],
        *stations,
        ["train", CONUS412],
        ["build", CONUS412],
        [
            "validate", "--recipe", CONUS412,
            "--product", "vadose=conus412-ease2m36/v1.0.0",
            *(["--stations", "uscrn", "--allow-day-mismatch"] if stations else []),
            "--reference", f"smap={workspace / 'cubes' / 'conus412.zarr'}",
            "--out", str(workspace / "runs" / "conus412"),
        ],
        ["release", CONUS412, "--run", "conus412"],
        ["report", "--build"],
    ]  # fmt: skip
