"""Options that all verbs share, and the one way to print a result."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from vadose.common.progress import Progress

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Common:
    """The options of every verb."""

    workspace: Path
    json: bool
    progress: Progress
    dry_run: bool
    keep_going: bool
    memory_bytes: int
    debug: bool

    def emit(self, command: str, result: dict[str, Any], table: str, exit_code: int = 0) -> int:
        """Print the result on stdout, as a table or as one JSON object; return the exit code."""
        if self.json:
            envelope = {
                "schema_version": 1,
                "command": command,
                "exit_code": exit_code,
                "result": result,
                "failures": [],
            }
            click.echo(json.dumps(envelope, default=str))
        else:
            click.echo(table)
        return exit_code


def parse_memory(text: str) -> int:
    """Bytes from a text such as `512MB`, `2GB` or `1.5GiB`."""
    factors = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "B": 1}
    upper = text.strip().upper()
    for suffix in sorted(factors, key=len, reverse=True):
        if upper.endswith(suffix):
            try:
                return int(float(upper[: -len(suffix)]) * factors[suffix])
            except ValueError:
                break
    raise click.BadParameter(f"{text!r} is not a size; write it like 512MB or 2GiB")


def common_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add the shared options; the function gets them as its first argument, a `Common`."""

    @click.option(
        "--workspace",
        type=click.Path(path_type=Path),
        default=Path("workspace"),
        show_default=True,
        help="Folder of all that is made.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
    @click.option(
        "--progress", "mode", type=click.Choice(["auto", "bar", "plain", "json"]), default="auto", show_default=True
    )
    @click.option("--quiet", is_flag=True, help="No progress and no log.")
    @click.option("--dry-run", is_flag=True, help="List what would be written; write nothing.")
    @click.option("--keep-going", is_flag=True, help="Go on after a failed item; exit 5 lists them.")
    @click.option("--memory", default="2GiB", show_default=True, help="Memory that blocks may take.")
    @click.option("--debug", is_flag=True, help="Print a traceback on errors.")
    @functools.wraps(function)
    def wrapped(
        *args: Any,
        workspace: Path,
        as_json: bool,
        mode: Any,
        quiet: bool,
        dry_run: bool,
        keep_going: bool,
        memory: str,
        debug: bool,
        **rest: Any,
    ) -> R:
        common = Common(
            workspace=workspace,
            json=as_json,
            progress=Progress("none" if quiet else mode),
            dry_run=dry_run,
            keep_going=keep_going,
            memory_bytes=parse_memory(memory),
            debug=debug,
        )
        return function(common, *args, **rest)

    return wrapped
