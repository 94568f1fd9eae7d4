"""`vadose build`: predict and write one granule a day, or a month."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vadose.cli.options import Common, common_options
from vadose.common import UsageError

if TYPE_CHECKING:
    import numpy as np

    from vadose.producer.build import Predictor
    from vadose.producer.cube import Cube
    from vadose.producer.ingest.readiness import InputState
    from vadose.producer.recipe import Recipe


@click.command("build")
@click.argument("recipe_name", metavar="[RECIPE]", required=False)
@click.option("--days", metavar="A..B", help="First and last UTC day; default: the whole record.")
@click.option("--previous", metavar="RELEASE", help="Published version to go on from; what is unchanged is linked.")
@click.option("--force", metavar="A..B", help="Write these days again even if they are there.")
@click.option(
    "--check-inputs", is_flag=True, help="List every input, what is there and what is missing; exit 3 if any."
)
@click.option("--template", is_flag=True, help="Print a commented recipe.")
@common_options
def command(
    common: Common, recipe_name: str | None, days: str | None, previous: str | None, force: str | None,
    check_inputs: bool, template: bool,
) -> int:  # fmt: skip
    """Predict and write one granule a day, or a month, into releases/<product>/v<M.m.p>/.

    Stop it at any moment: the same command does what is left, and the bytes are the same.
    A published version is refused (exit 4) if anything in it would change, and so is a number that does not allow
    what changes against --previous: a changed value needs a MAJOR, added days a MINOR, listed repairs a PATCH.

    Example: vadose build simulated-atlstm --days 2020-01-01..2020-12-31
    """
    from vadose.producer.recipefile import load_recipe, packaged_recipes

    if template:
        click.echo(packaged_recipes()["simulated-atlstm"].read_text(encoding="utf-8"), nl=False)
        return 0
    if recipe_name is None:
        raise UsageError("no recipe named", next="vadose build RECIPE")
    recipe = load_recipe(recipe_name)
    if check_inputs:
        return _check_inputs(common, recipe)
    return _build(common, recipe, days, force, previous)


def _build(common: Common, recipe: Recipe, days: str | None, force: str | None, previous: str | None) -> int:
    """Write the granules of days or months; exit 0."""
    from vadose.producer.build import build, foresee, forget, wanted_periods
    from vadose.producer.cube import open_cube
    from vadose.producer.finishing import check_rules
    from vadose.producer.granules.periods import period_end
    from vadose.producer.release.folder import find_release
    from vadose.producer.training.models import recipe_model

    cube = open_cube(common.workspace / "cubes" / f"{recipe.cube}.zarr")
    models = common.workspace / "models" / recipe.recipe
    model = recipe_model(models, recipe)
    check_rules(recipe, cube)
    directory = common.workspace / "releases" / recipe.product.id / recipe.product.folder
    wanted = wanted_periods(recipe, span(days) if days else None)
    base = find_release(previous, common.workspace) if previous else None
    result: dict[str, Any] = {"directory": str(directory), "granules": int(wanted.size)}
    if recipe.product.stream == "NRT":
        return _build_rolling(common, recipe, cube, model, directory, wanted, span(force) if force else None)
    if common.dry_run:
        counts = foresee(recipe, cube, model, models, directory, wanted, base)
        ends = [period_end(first, recipe.product.step) for first in wanted]
        outside = [end <= cube.days[0] or first > cube.days[-1] for first, end in zip(wanted, ends, strict=True)]
        result |= {f"to_{action}": count for action, count in counts.items()} | {"granules_without_cube": sum(outside)}
        more = f", {counts['link']} to link, {counts['compare']} to predict and compare" if base else ""
        table = f"{directory}: {counts['write']} of {wanted.size} granules to write{more}"
        table += f", {sum(outside)} lie outside the cube's days"
        return common.emit("build", result, table)
    if force:
        forget(directory, recipe, wanted_periods(recipe, span(force)))
    built = build(
        recipe, cube, model, models, directory, common.memory_bytes, common.progress, wanted if days else None,
        previous=base,
    )  # fmt: skip
    result |= {"written": built.written, "linked": built.linked, "kept": built.kept, "bytes": _size(directory)}
    linked = f", {built.linked} linked" if base else ""
    size = f"{_size(directory) / 1e6:.1f} MB"
    table = f"{directory}: {built.written} granules written{linked}, {built.kept} were there ({size})"
    return common.emit("build", result, table)


def _build_rolling(
    common: Common, recipe: Recipe, cube: Cube, model: Predictor, directory: Path, wanted: np.ndarray,
    force: np.ndarray | None,
) -> int:  # fmt: skip
    """Write the granules of stream NRT that are not there yet; exit 0."""
    from vadose.producer.build import build_rolling, forget_rolling
    from vadose.producer.build.building import granules_there
    from vadose.producer.build.rolling import listed

    result: dict[str, Any] = {"directory": str(directory), "granules": int(wanted.size)}
    if common.dry_run:
        there = {*granules_there(directory), *listed(directory)}
        result["to_write"] = sum(first not in there for first in wanted)
        return common.emit("build", result, f"{directory}: {result['to_write']} of {wanted.size} granules to write")
    if force is not None:
        forget_rolling(directory, force)
    models = common.workspace / "models" / recipe.recipe
    built = build_rolling(recipe, cube, model, models, directory, common.memory_bytes, common.progress, wanted)
    result |= {"written": built.written, "kept": built.kept, "superseded": built.superseded}
    table = (
        f"{directory}: {built.written} granules written, {built.kept} were there, {built.superseded} are final already"
    )
    return common.emit("build", result, table)


def _check_inputs(common: Common, recipe: Recipe) -> int:
    """Every input of the recipe, what is there and what is missing; exit 3 if anything is."""
    from dataclasses import asdict

    from vadose.producer.ingest import ingester
    from vadose.producer.ingest.readiness import input_states

    states = input_states(recipe, ingester, common.workspace)
    missing = [state.name for state in states if state.missing]
    lines = [line for state in states for line in _input_lines(state, common.workspace)]
    lines.append(f"{recipe.recipe}: {len(missing)} of {len(states)} inputs are missing or incomplete")
    result = {"recipe": recipe.recipe, "inputs": [asdict(state) for state in states], "missing": missing}
    return common.emit("build", result, "\n".join(lines), 3 if missing else 0)


def _input_lines(state: InputState, workspace: Path) -> list[str]:
    """An input in one line, and what is missing of it in a second one."""
    units = f" [{state.units}]" if state.units else ""
    place = state.expected.replace(f"{workspace}/", "", 1)
    first = f"{'missing' if state.missing else 'there':<8}{state.name + units:<52} {state.reader:<10}"
    first += f" {state.files:>6,} files  {state.days:<42} {place}"
    return [first.rstrip(), *([f"{'':<8}{state.missing}"] if state.missing else [])]


def span(text: str) -> np.ndarray:
    """All days from `A..B`."""
    import numpy as np

    first, dots, last = text.partition("..")
    try:
        low = np.datetime64(first, "D")
        high = np.datetime64(last, "D") if dots else low
    except ValueError as error:
        raise UsageError(f"{text!r} is not a span of days", next="write it like 2015-04-01..2016-03-31") from error
    if high < low:
        raise UsageError(f"{text!r} ends before it begins")
    return np.arange(low, high + np.timedelta64(1, "D"))


def _size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*.nc"))
