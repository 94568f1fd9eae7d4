"""`vadose status`: what is there, what is missing, and what to do next."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from vadose.cli.options import Common, common_options


@click.command("status")
@click.argument("paths", metavar="[PATH…]", nargs=-1, type=click.Path(path_type=Path))
@common_options
def command(common: Common, paths: tuple[Path, ...]) -> int:
    """Say what is there, finished or half-built, what is broken, and the next command.

    Never fails on half-built output.

    Example: vadose status
    """
    from vadose.producer.inventory import inventory

    found = inventory(common.workspace, paths)
    lines = []
    for item in found:
        lines.append(f"{item.kind:<9} {item.name:<32} {item.state}")
        if item.next:
            lines.append(f"{'':<9} {'':<32} next: {item.next}")
    if not found:
        lines = [f"{common.workspace}: nothing here yet", "next: vadose demo, or vadose fetch simulated"]
    return common.emit(
        "status", {"workspace": str(common.workspace), "found": [asdict(item) for item in found]}, "\n".join(lines)
    )
