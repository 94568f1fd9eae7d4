"""`vadose compare`: train and score methods and baselines under the same splits."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vadose.cli.options import Common, common_options
from vadose.common import UsageError

if TYPE_CHECKING:
    from vadose.producer.recipe import Recipe
    from vadose.producer.training.experiment import Experiment, Job, Left

SPLITS = "P1,P1-nowcast-1,P1-nowcast-3,P4,P3,P2,P0,P5,P6-15d,P6-60d,P6-swath,P6-winter"


@click.command("compare")
@click.argument("recipe_names", metavar="RECIPE...", nargs=-1, required=True)
@click.option("--splits", default=SPLITS, show_default=True, help="Splits, in the order in which they are run.")
@click.option("--methods", help="Methods and variants; by default those of the recipes and all cheap ones.")
@click.option("--seeds", type=click.IntRange(1, 20), default=5, show_default=True, help="Seeds on P1.")
@click.option("--hours", type=float, help="Begin nothing after so many hours; the same command goes on.")
@click.option(
    "--processes", type=click.IntRange(1), default=2, show_default=True, help="Fits at a time, a thread each."
)
@click.option("--memory-curve/--no-memory-curve", default=True, show_default=True, help="Skill by days of memory.")
@click.option("--native", type=click.Path(path_type=Path), help="Ingest the recipe's cube from these files first.")
@click.option("--publish-to", type=click.Path(path_type=Path), help="Also write the tables here, for the site.")
@click.option("--add", is_flag=True, help="Keep what the tables there hold of fits that are not finished here.")
@common_options
def command(
    common: Common, recipe_names: tuple[str, ...], splits: str, methods: str | None, seeds: int, hours: float | None,
    processes: int, memory_curve: bool, native: Path | None, publish_to: Path | None, add: bool,
) -> int:  # fmt: skip
    """Train and score methods and baselines under the same splits.

    The recipes share a cube and a target; their variants take part. Every fit is kept, so that the same command does
    what is left; tables are written whatever is finished, and what is unfinished is listed in them.

    Example: vadose compare conus412-atlstm --splits P1 --methods cell-mean,xgboost --seeds 1 --hours 0.5
    """
    from vadose.producer.cube import open_cube
    from vadose.producer.recipefile import load_recipe
    from vadose.producer.training.experiment import everyday, experiment, planned_jobs, run_jobs
    from vadose.producer.training.inputs import cube_path
    from vadose.producer.training.models import check_recipe
    from vadose.producer.training.publication import addable
    from vadose.producer.training.splits import make_folds

    if add and publish_to is None:
        raise UsageError("nothing to add to", where="--add", next="name the folder of the tables: --publish-to DIR")
    started = time.monotonic()
    recipes = [load_recipe(name) for name in recipe_names]
    recipe = recipes[0]
    path = cube_path(common.workspace, recipe.cube)
    if native is not None:
        _ingest(common, recipe_names[0], native)
    cube = open_cube(path)
    for one in recipes:
        check_recipe(one, cube)
    plan = experiment(recipes, path, common.workspace / "runs" / f"compare-{recipe.recipe}")
    names, wanted = methods.split(",") if methods else everyday(plan, recipes), splits.split(",")
    folds = {split: len(make_folds(split, cube, recipe.target)) for split in wanted}
    jobs = planned_jobs(plan, names, wanted, seeds, folds)
    if not jobs:
        raise UsageError("none of the methods can be trained under any of the splits", where=f"{methods} / {splits}")
    if common.dry_run:
        return common.emit("compare", {"jobs": [job.slug for job in jobs]}, "\n".join(job.slug for job in jobs))
    if add and publish_to is not None:
        addable(plan, jobs, publish_to, recipe.recipe, recipe.product.version)
    until = started + hours * 3600.0 if hours is not None else float("inf")
    words = f"vadose compare {' '.join(recipe_names)} --splits {splits} --methods {','.join(names)} --seeds {seeds}"
    left = run_jobs(plan, jobs, processes=processes, until=until, progress=common.progress)
    curve_left = _memory(plan, recipe.method.name, processes, until, common) if memory_curve else []
    return _finish(common, plan, recipe, jobs, left, curve_left, publish_to, add, words)


def _ingest(common: Common, recipe_name: str, native: Path) -> None:
    from vadose.cli.main import program

    words = ["ingest", recipe_name, "--native", str(native), "--workspace", str(common.workspace), "--quiet"]
    program.main(args=words, prog_name="vadose", standalone_mode=False)


def _memory(plan: Experiment, name: str, processes: int, until: float, common: Common) -> list[str]:
    from vadose.producer.training.memory import has_memory, run_memory

    if not has_memory(name):
        return []
    return run_memory(plan, name, processes=processes, until=until, progress=common.progress)


def _finish(
    common: Common,
    plan: Experiment,
    recipe: Recipe,
    jobs: list[Job],
    left: Left,
    curve_left: list[str],
    publish_to: Path | None,
    add: bool,
    command_line: str,
) -> int:
    """Write the tables of what is finished, and say what is not."""
    from vadose.producer.training.publication import publish

    table, partial = publish(
        plan, jobs, product=recipe.recipe, version=recipe.product.version, command=command_line,
        curve=recipe.method.name, to=publish_to, add=add, refused=left.refused,
    )  # fmt: skip
    unfinished = [*(job.slug for job in left.unfinished), *curve_left]
    refused = {job.slug: reason for job, reason in left.refused.items()}
    result = {
        "run": str(plan.folder), "complete": not unfinished, "unfinished": unfinished, "partial": partial,
        "not_applicable": refused,
    }  # fmt: skip
    tail = "".join(f"\nnot applicable: {slug}: {reason}" for slug, reason in refused.items())
    tail += f"\nunfinished: {', '.join(unfinished)}; the same command goes on" if unfinished else ""
    return common.emit("compare", result, table + tail)
