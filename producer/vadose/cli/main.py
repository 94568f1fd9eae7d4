"""The one program: a thin list of verbs, each loaded when it is called."""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import sys
import traceback

import click

from vadose.cli.supervisor import is_possible, supervised
from vadose.common.errors import VadoseError

# In the order of the data.
VERBS: dict[str, str] = {
    "demo": "Run the whole job on the simulated world, or on the CONUS-412 set.",
    "fetch": "Bring native files: simulated, conus412.",
    "ingest": "Read native files into a cube, or station files into a station dataset.",
    "train": "Train the recipe's model.",
    "build": "Predict and write one granule a day.",
    "compare": "Train and score methods and baselines under the same splits.",
    "validate": "Score a product against stations, references and rivals.",
    "release": "Complete, gate, publish or withdraw a version.",
    "report": "Render releases and runs into the report site.",
    "verify": "Check a release or a copy of it.",
    "extract": "Take the series of a place out of a release.",
    "status": "Say what is there, what is missing and what to do next.",
}


class LazyVerbs(click.Group):
    """Lists all verbs without importing any of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of the data."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"vadose.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs in the help text."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.command(cls=LazyVerbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vadose")
def program() -> None:
    """Daily soil-moisture data products: ingest, train, build, validate, release, report.

    Exit codes: 0 ok, 1 unexpected, 2 usage or configuration, 3 input missing or corrupt,
    4 a gate failed, 5 partial.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit with its code; without arguments given, in a process of its own that may crash."""
    if arguments is not None or not is_possible():
        sys.exit(run(arguments))
    code = supervised(_run_command_line, _report_crash)
    # This process only waited: nothing is left to put away but what it printed, and that takes milliseconds.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run_command_line() -> int:
    if "--debug" in sys.argv:
        faulthandler.enable()
    return run()


def _report_crash(error: VadoseError) -> int:
    return report_error(error, as_json="--json" in sys.argv, command="".join(sys.argv[1:2]))


def run(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code; a traceback is printed only with `--debug`."""
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    try:
        result = program.main(args=words, prog_name="vadose", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; the same command goes on where it stopped", err=True)
        return 130
    except BrokenPipeError:
        # Somebody closed our stdout, as `| head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except VadoseError as error:
        if debug:
            traceback.print_exc()
        return report_error(error, as_json="--json" in words, command=words[0] if words else "")
    except Exception as error:  # noqa: BLE001  (the program's last line: one message, never a traceback unasked)
        if debug:
            traceback.print_exc()
        what = f"{type(error).__name__}: {error}"
        click.echo(f"error: unexpected (exit 1)\n  what   {what}\n  next   run again with --debug", err=True)
        return 1


def report_error(error: VadoseError, *, as_json: bool, command: str) -> int:
    """Print an error in its four parts, on stdout too where JSON was asked for."""
    click.echo(error.text(), err=True)
    if as_json:
        failures = [dict(error.parts())]
        envelope = {
            "schema_version": 1,
            "command": command,
            "exit_code": error.exit_code,
            "result": None,
            "failures": failures,
        }
        click.echo(json.dumps(envelope))
    return error.exit_code
