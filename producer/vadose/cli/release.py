"""`vadose release`: complete, gate, publish, compare, rebuild or withdraw a version."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vadose.cli.options import Common, common_options
from vadose.common import GateError, InputError, UsageError, read_json

if TYPE_CHECKING:
    from vadose.producer.release.folder import Folder


class RecipeOrVerb(click.Group):
    """The verbs below, and any other first word as a recipe: `vadose release RECIPE --run RUN`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A word that is no verb is the recipe of `complete`."""
        if args and args[0] not in self.commands:
            return "complete", self.commands["complete"], args
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options may stand before the recipe."""
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = ["complete", *args]
        return super().parse_args(ctx, args)


@click.group("release", cls=RecipeOrVerb, subcommand_metavar="RECIPE --run RUN | COMMAND …")
def command() -> None:
    """Complete and gate a version: vadose release RECIPE --run RUN.

    Writes all other files of the version beside its granules and the gate's result; may be repeated until the
    version is published. Exit 4 if a check failed.

    Example: vadose release simulated-atlstm --run demo
    """


@command.command("complete", hidden=True)
@click.argument("recipe_name", metavar="RECIPE")
@click.option("--run", "run_name", metavar="RUN", required=True, help="Run folder or its id.")
@common_options
def complete_command(common: Common, recipe_name: str, run_name: str) -> int:
    """Complete and gate a version.

    Example: vadose release simulated-atlstm --run demo
    """
    from vadose.producer.recipefile import load_recipe
    from vadose.producer.release.complete import complete
    from vadose.producer.release.gate import failures

    recipe = load_recipe(recipe_name)
    if recipe.product.stream == "NRT":
        raise UsageError("stream NRT is in no version", next=f"vadose release roll {recipe_name}")
    directory = common.workspace / "releases" / recipe.product.id / f"v{recipe.product.version}"
    run = next((place for place in (common.workspace / "runs" / run_name, Path(run_name)) if place.is_dir()), None)
    if run is None:
        raise InputError(f"no run {run_name!r}", where=str(common.workspace / "runs"), next="vadose validate …")
    if not directory.is_dir():
        raise InputError("nothing is built", where=str(directory), next=f"vadose build {recipe.recipe}")
    if common.dry_run:
        return common.emit("release", {"directory": str(directory)}, f"{directory}: would be completed with run {run}")
    done = complete(recipe, directory, run, common.progress)
    failed = failures(done.results)
    result = {
        "directory": str(directory), "manifest_sha256": done.manifest_sha256, "passed": done.passed,
        "checks": [item.as_json() for item in done.results],
    }  # fmt: skip
    published = " when it was published; it stays as it is" if done.folder.published else ""
    head = f"{directory}: {'passed' if done.passed else 'failed'} {len(done.results)} checks{published}"
    waived = [f"  waiver  {item.check}: {item.waiver}" for item in done.results if item.waiver and item.reasons]
    return common.emit(
        "release", result, "\n".join([head, *waived, *(f"  failed  {line}" for line in failed)]), 4 if failed else 0
    )


@command.command("publish")
@click.argument("release", metavar="RELEASE")
@click.option("--to", metavar="URL", help="Also copy to this folder or S3-compatible store.")
@click.option("--key", type=click.Path(path_type=Path, exists=True), help="OpenSSH private key to sign with.")
@common_options
def publish_command(common: Common, release: str, to: str | None, key: Path | None) -> int:
    """Seal a gated version and make it the product's latest.

    Example: vadose release publish demoatlstm-0p25deg/v1.0.0
    """
    from vadose.producer.release.publish import publish

    folder = _find(common, release)
    if common.dry_run:
        return _may_be_published(common, folder)
    happened = publish(folder, common.progress, to=to, key=key)
    text = "published" if happened else "was published already, nothing to do"
    return common.emit("release publish", {"version": folder.version, "happened": happened}, f"{folder.path}: {text}")


def _may_be_published(common: Common, folder: Folder) -> int:
    """Print every check with its result and waiver, and whether the version may be published; exit 4 if not."""
    from vadose.producer.release.folder import GATE
    from vadose.producer.release.publish import check_may_stand

    path = folder.path / GATE
    document = read_json(path) if path.is_file() else {"checks": [], "waivers": [], "not_asked": []}
    expires = {item["check"]: item["expires"] for item in document["waivers"]}
    lines = []
    for item in document["checks"]:
        word = "failed" if item["failures"] else "passed"
        if item["failures"] and item["waiver"]:
            word = f"waived until {expires.get(item['check'])}"
        lines.append(f"{item['check']:<20} {word}")
        lines += [f"{'':<20}   {reason}" for reason in item["reasons"]]
        lines += [f"{'':<20}   waiver: {item['waiver']}"] if item["waiver"] and item["failures"] else []
    lines += [f"{'not asked':<20} {name}" for name in document["not_asked"]]
    result = {"version": folder.version, "checks": document["checks"], "waivers": document["waivers"], "reason": None}
    try:
        check_may_stand(folder, folder.manifest_sha256)
    except GateError as error:
        lines.append(f"{folder.path}: may not be published: {error}")
        return common.emit("release publish", {**result, "reason": str(error)}, "\n".join(lines), error.exit_code)
    word = "is published" if folder.published else "may be published"
    return common.emit("release publish", result, "\n".join([*lines, f"{folder.path}: {word}"]))


@command.command("roll")
@click.argument("recipe_name", metavar="RECIPE")
@click.option("--to", metavar="URL", help="Also bring the copy at this folder or S3-compatible store up to date.")
@common_options
def roll_command(common: Common, recipe_name: str, to: str | None) -> int:
    """Check and list the new granules of stream NRT, and remove those that were final for 90 days.

    The 90 days are counted to product.issued of the recipe. Exit 4 if a check fails; nothing changes then.

    Example: vadose release roll my-nrt-recipe.yaml
    """
    from vadose.producer.recipefile import load_recipe
    from vadose.producer.release.copies import copy_rolling
    from vadose.producer.release.gate import failures
    from vadose.producer.release.rolling import roll

    recipe = load_recipe(recipe_name)
    directory = common.workspace / "releases" / recipe.product.id / "nrt"
    if not directory.is_dir():
        raise InputError("nothing is built", where=str(directory), next=f"vadose build {recipe_name}")
    done = roll(recipe, directory, common.progress, dry_run=common.dry_run)
    if to is not None and done.passed and not common.dry_run:
        copy_rolling(done.folder, to, common.progress)
    result = {
        "directory": str(directory), "passed": done.passed, "added": done.added, "removed": done.removed,
        "checks": [item.as_json() for item in done.results],
    }  # fmt: skip
    head = f"{directory}: {'passed' if done.passed else 'failed'} {len(done.results)} checks, "
    head += f"{len(done.added)} granules new, {len(done.removed)} removed"
    lines = [head, *(f"  failed  {line}" for line in failures(done.results))]
    return common.emit("release roll", result, "\n".join(lines), 0 if done.passed else 4)


@command.command("diff")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, for release notes.")
@common_options
def diff_command(common: Common, old: str, new: str, as_markdown: bool) -> int:
    """Compare two versions: headers, coverage, values by flag and latitude, flags, scores with intervals.

    Example: vadose release diff demoatlstm-0p25deg/v1.0.0 demoatlstm-0p25deg/v1.1.0
    """
    from vadose.producer.release.difference_tables import markdown, plain
    from vadose.producer.release.differences import difference

    folders = _find(common, old), _find(common, new)
    for folder in folders:
        folder.recipe()
    found = difference(*folders)
    return common.emit("release diff", found, markdown(found) if as_markdown else plain(found))


@command.command("rebuild")
@click.argument("release", metavar="RELEASE")
@click.option("--sample", type=click.IntRange(1), default=3, show_default=True, help="Number of granules.")
@common_options
def rebuild_command(common: Common, release: str, sample: int) -> int:
    """Build some granules again from the manifest and compare them: bytes in the locked environment, else content.

    Exit 3: cube or model are not those of the version; exit 4: a granule differs.

    Example: vadose release rebuild demoatlstm-0p25deg/v1.0.0 --sample 2
    """
    from vadose.producer.release.rebuild import rebuild

    folder = _find(common, release)
    found = rebuild(folder, common.workspace, sample, common.memory_bytes, common.progress)
    lines = [f"{item.name}: {item.outcome}" for item in found.granules]
    more = f" and {len(found.environment) - 3} more" if len(found.environment) > 3 else ""
    where = f"another environment ({', '.join(found.environment[:3])}{more})" if found.environment else ""
    lines.append(f"compared {'content in ' + where if where else 'bytes in the environment of the version'}")
    if found.failed:
        raise GateError(
            "; ".join(f"{item.name}: {item.outcome}" for item in found.failed), where=str(folder.path),
            why=f"the same {'content' if where else 'bytes'} should come from the same recipe, inputs and model",
            next="tell the publisher, or rebuild in the environment of provenance/environment.lock",
        )  # fmt: skip
    result = {"granules": {item.name: item.outcome for item in found.granules}, "environment": found.environment}
    return common.emit("release rebuild", result, "\n".join(lines))


@command.command("withdraw")
@click.argument("release", metavar="RELEASE")
@click.option("--granule", metavar="NAME", help="Only this granule.")
@click.option("--reason", required=True, help="Why; it is published.")
@click.option("--to", metavar="URL", help="Also say so in the copy at this folder or S3-compatible store.")
@common_options
def withdraw_command(common: Common, release: str, granule: str | None, reason: str, to: str | None) -> int:
    """Withdraw a version or a granule; only the product's root files change.

    Example: vadose release withdraw demoatlstm-0p25deg/v1.0.0 --reason "wrong soil map"
    """
    from vadose.producer.release.publish import check_withdrawal, withdraw
    from vadose.producer.release.root_files import read_latest

    folder = _find(common, release)
    if common.dry_run:
        check_withdrawal(folder, reason, granule)
    else:
        withdraw(folder, reason, granule=granule, to=to)
    now = read_latest(folder.root)
    happens = "would be withdrawn" if common.dry_run else "withdrawn"
    text = f"{folder.path}: {granule or 'version'} {happens}; latest is {now or 'none'}"
    return common.emit("release withdraw", {"version": folder.version, "granule": granule, "latest": now}, text)


@command.command("deprecate")
@click.argument("release", metavar="RELEASE")
@click.option("--reason", required=True, help="Why; it is published.")
@click.option("--until", required=True, type=click.DateTime(["%Y-%m-%d"]), help="Last day, a year or more ahead.")
@click.option("--to", metavar="URL", help="Also say so in the copy at this folder or S3-compatible store.")
@common_options
def deprecate_command(common: Common, release: str, reason: str, until: datetime, to: str | None) -> int:
    """Announce the end of a version that a newer one replaces; only the product's root files change.

    Example: vadose release deprecate demoatlstm-0p25deg/v1.0.0 --reason "see 2.0.0" --until 2028-01-31
    """
    from vadose.producer.release.publish import deprecate

    folder = _find(common, release)
    if not common.dry_run:
        deprecate(folder, reason, until.date(), to=to)
    text = f"{folder.path}: deprecated, stays until {until.date()}"
    return common.emit("release deprecate", {"version": folder.version, "until": str(until.date())}, text)


def _find(common: Common, name: str) -> Folder:
    from vadose.producer.release.folder import find_release

    return find_release(name, common.workspace)
