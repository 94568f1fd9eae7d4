"""`vadose verify`: check a release or a copy of it."""

from __future__ import annotations

from pathlib import Path

import click

from vadose.cli.options import Common, common_options
from vadose.common import InputError, UsageError

# Damaged files beside the first that a message names.
NAMED = 49


@click.command("verify")
@click.argument("release", metavar="RELEASE")
@click.option("--gate", "with_gate", is_flag=True, help="Repeat the whole gate and the content hashes.")
@click.option(
    "--signers", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="allowed_signers of OpenSSH; without a signature the release is damaged then.",
)  # fmt: skip
@click.option(
    "--journal", type=click.Path(path_type=Path, dir_okay=False),
    help="Remember here which files are whole; another run goes on from there.",
)  # fmt: skip
@common_options
def command(common: Common, release: str, with_gate: bool, signers: Path | None, journal: Path | None) -> int:
    """Check sums, signature and headers of a release, or of any copy of it; at a URL its sums and listing.

    Exit 3: something is damaged; exit 4: a check of the gate failed.

    Example: vadose verify demoatlstm-0p25deg/v1.0.0
    """
    from vadose.producer.release.fetching import is_url
    from vadose.producer.release.standing import standing
    from vadose.producer.release.verify import verify, verify_url

    if is_url(release):
        if with_gate or signers:
            raise UsageError("a release at a URL has neither --gate nor --signers", next="verify a copy of it")
        path: str | Path = release
        found = verify_url(release, common.progress, journal=journal)
    else:
        path = find(common.workspace, release)
        found = verify(path, common.progress, signers=signers, contents=with_gate, journal=journal)
    if found.damaged:
        first, *others = found.damaged
        listed = "".join(f"\n         {line}" for line in others[:NAMED])
        more = f"\n         and {len(others) - NAMED} more" if len(others) > NAMED else ""
        raise InputError(
            f"{first}{listed}{more}", where=str(path), why="the release is damaged",
            next="restore the files from another copy of the release",
        )  # fmt: skip
    said = standing(path)
    result = {"files": found.files, "granules": found.granules, "not_checked": found.not_checked, "warnings": said}
    granules = f" and {found.granules} granules" if found.granules else ""
    lines = [f"{path}: {found.files} files{granules} are whole"]
    lines += [f"  warning  {line}" for line in said]
    lines += [f"  not checked  {line}" for line in found.not_checked]
    code = 0
    if with_gate and isinstance(path, Path):
        from vadose.producer.release.complete import repeat_gate
        from vadose.producer.release.gate import failures

        results = repeat_gate(path, common.progress)
        failed = failures(results)
        result |= {"checks": [item.as_json() for item in results]}
        lines += [f"gate: {len(results) - len(failed)} of {len(results)} checks passed"]
        lines += [f"  failed  {line}" for line in failed]
        code = 4 if failed else 0
    return common.emit("verify", result, "\n".join(lines), code)


def find(workspace: Path, name: str) -> Path:
    """A version folder by path or by `<product>/v<M.m.p>` in the workspace."""
    for place in (workspace / "releases" / name, Path(name)):
        if place.is_dir():
            return place.resolve()
    raise InputError(f"no release {name!r}", where=str(workspace / "releases"), next="name a version folder")
