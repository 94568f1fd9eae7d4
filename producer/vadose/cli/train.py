"""`vadose train`: train the recipe's model."""

from __future__ import annotations

from typing import Any

import click

from vadose.cli.options import Common, common_options
from vadose.common import UsageError

DEVICES = ("auto", "cpu")


@click.command("train")
@click.argument("recipe_name", metavar="RECIPE")
@click.option("--split", help="Split instead of the recipe's.")
@click.option("--seeds", type=click.IntRange(1, 20), help="Number of members instead of the recipe's.")
@click.option("--device", default="auto", show_default=True, help="Where to train: the processor (auto or cpu).")
@common_options
def command(common: Common, recipe_name: str, split: str | None, seeds: int | None, device: str) -> int:
    """Train the recipe's model.

    Stop it at any moment: the same command goes on from the last checkpoint and ends with the same bytes.

    Example: vadose train simulated-atlstm
    """
    from vadose.producer.recipefile import load_recipe
    from vadose.producer.training.inputs import recipe_inputs
    from vadose.producer.training.models import check_recipe, fit_recipe

    if device not in DEVICES:
        raise UsageError(
            f"no device {device!r} to train on", why="networks train on the processor, where the same bytes come again",
            next="leave --device out",
        )  # fmt: skip
    recipe = load_recipe(recipe_name)
    inputs = recipe_inputs(recipe, common.workspace)
    directory = common.workspace / "models" / recipe.recipe
    folds = check_recipe(recipe, inputs.cube, split)
    result: dict[str, Any] = {"model": str(directory), "method": recipe.method.name, "split": folds.split}
    if not common.dry_run:
        ensemble = fit_recipe(recipe, inputs, directory, common.progress, split=split, seeds=seeds)
        result |= {"members": len(ensemble.members), "calibration_factor": round(ensemble.calibration.overall, 4)}
    verb = "would be trained" if common.dry_run else "trained"
    return common.emit("train", result, f"{directory}: {recipe.method.name} {verb} under split {folds.split}")
