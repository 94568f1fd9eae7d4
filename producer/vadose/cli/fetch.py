"""`vadose fetch`: native files from their public places, or a simulated world."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vadose.cli.options import Common, common_options
from vadose.common import InputError, UsageError, read_short

if TYPE_CHECKING:
    from vadose.producer.simulate import Settings

SOURCES = ("simulated", "conus412")


@click.command("fetch")
@click.argument("source", type=click.Choice(SOURCES))
@click.option(
    "--world", default="demo", show_default=True, help="simulated: `demo`, `fine`, or a YAML file with settings."
)
@click.option("--products", metavar="A,B|all", help="simulated: products to write; default: what the demo reads.")
@click.option(
    "--base-url", metavar="URL", help="conus412: folder that holds CONUSv4f1/; default: its public repository."
)
@click.option("--list", "only_list", is_flag=True, help="List the files and their sizes; get nothing.")
@click.option("--force", is_flag=True, help="conus412: get all files again.")
@common_options
def command(
    common: Common,
    source: str,
    world: str,
    products: str | None,
    base_url: str | None,
    only_list: bool,
    force: bool,
) -> int:
    """Bring native files into native/<source>; what is there is left alone.

    simulated makes a world with known truth, without any download. conus412 gets the CSV layout of the CONUS-412
    set, 35 MB, and checks every file against its known SHA-256; its licence is non-commercial.

    Example: vadose fetch simulated --world demo
    """
    if source == "conus412":
        return _conus412(common, base_url, only_list, force)
    return _simulated(common, world, products, only_list)


def _conus412(common: Common, base_url: str | None, only_list: bool, force: bool) -> int:
    from vadose.producer.fetch import CONUS412_URL, conus412_files, fetch_files

    items = conus412_files()
    total = sum(item.bytes for item in items)
    folder = common.workspace / "native" / "conus412"
    url = base_url or CONUS412_URL
    if only_list or common.dry_run:
        listed = {"url": url, "folder": str(folder), "files": {item.name: item.bytes for item in items}}
        lines = [*(f"{item.bytes:>12,}  {item.name}" for item in items), f"{total:>12,}  bytes in {len(items)} files"]
        return common.emit("fetch", listed, "\n".join(lines))
    common.progress.say(f"CONUS-412 from {url}: {total / 1e6:.1f} MB, Penn State non-commercial licence")
    fetched, skipped = fetch_files(items, url, folder, force=force, progress=common.progress)
    result = {"folder": str(folder), "fetched": fetched, "skipped": skipped}
    table = f"{folder}: {fetched} files fetched, {skipped} already there\nnext: vadose ingest conus412-atlstm"
    return common.emit("fetch", result, table)


def _simulated(common: Common, world: str, products: str | None, only_list: bool) -> int:
    from vadose.producer import simulate

    settings = _settings(world)
    folder = common.workspace / "native" / "simulated" / settings.name
    chosen = tuple(simulate.PRODUCTS) if products == "all" else simulate.DEMO_PRODUCTS
    if products and products != "all":
        chosen = tuple(products.split(","))
    result = {"folder": str(folder), "products": list(chosen), "days": [str(settings.start), str(settings.end)]}
    about = f"{folder}: {settings.start}..{settings.end}, seed {settings.seed}"
    if only_list or common.dry_run:
        return common.emit("fetch", result, "\n".join([about, *chosen]))
    simulate.write_world(settings, folder, common.progress, products=chosen)
    recipe = "simulated-glass-avhrr" if settings is simulate.FINE else "simulated-atlstm"
    return common.emit("fetch", result, f"{about}, {len(chosen)} products\nnext: vadose ingest {recipe}")


def _settings(world: str) -> Settings:
    """A known world by its name, or the one whose settings a YAML file states."""
    from vadose.producer.simulate import WORLDS, Settings

    if world in WORLDS:
        return WORLDS[world]
    path = Path(world)
    if path.suffix not in {".yaml", ".yml"}:
        raise UsageError(f"no world named {world!r}; known: {', '.join(WORLDS)}", next="name a YAML file with settings")
    import pydantic
    import yaml

    from vadose.producer.recipe import describe

    try:
        return Settings.model_validate(yaml.safe_load(read_short(path)))
    except OSError as error:
        raise InputError(f"cannot read the settings: {error.strerror}", where=str(path)) from error
    except yaml.YAMLError as error:
        raise UsageError(f"not valid YAML: {error}", where=str(path)) from error
    except pydantic.ValidationError as error:
        raise UsageError(describe(error, Settings), where=str(path)) from error
