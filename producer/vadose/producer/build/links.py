"""Files that a version shares with an earlier one, and the note of what it goes on from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from vadose.common import InputError, file_sha256, read_json, whole_file, write_json
from vadose.common.files import readable_os_errors
from vadose.producer.build.base import Base
from vadose.producer.build.plan import Plan
from vadose.producer.granules import granule_name
from vadose.producer.granules.periods import product_periods
from vadose.producer.provenance import FOLDER
from vadose.producer.release.folder import MANIFEST, NOTE

ORIGIN = ("inputs.json", "recipe.yaml", "model.json", "software.json")


def link(source: Path, target: Path) -> bool:
    """Give a file a second name, or a copy where the file system has no such links; whether anything was done."""
    if target.is_file() and (target.samefile(source) or file_sha256(source) == file_sha256(target)):
        return False
    part = target.with_name(f".{target.name}.part")
    with readable_os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        try:
            os.link(source, part)
        except OSError:
            with whole_file(target) as copied:
                copied.write_bytes(source.read_bytes())
            return True
        part.replace(target)
    return True


def write_note(plan: Plan, directory: Path) -> None:
    """Write what a version goes on from: the earlier version, what is replaced, what stays withdrawn."""
    base, path = plan.base, directory / NOTE
    if base is None:
        path.unlink(missing_ok=True)
        return
    replaced = dict(_replaced(plan, base))
    kept = [] if plan.kind == "MAJOR" else [base.withdrawn[first] for first in sorted(base.withdrawn)]
    note = {
        "schema_version": 1, "version": base.version, "manifest_sha256": file_sha256(base.folder.path / MANIFEST),
        "kind": plan.kind, "replaced": replaced, "withdrawn": kept,
    }  # fmt: skip
    if not path.is_file() or read_json(path) != note:
        write_json(path, note)


def _replaced(plan: Plan, base: Base) -> Iterator[tuple[str, dict[str, str]]]:
    """Replaced granules by the new name: the old name and the reason."""
    for first in product_periods(plan.recipe.product):
        reason = plan.repair(first)
        old = base.granules.get(first) or base.withdrawn.get(first)
        if reason is not None and old is not None:
            name = granule_name(plan.recipe.product, first).text
            yield name, {"replaces": PurePosixPath(old["path"]).name, "reason": reason}


def link_origins(base: Base, directory: Path, needed: set[str]) -> None:
    """Take along what the linked granules of each earlier version were made from: `provenance/v<version>/`."""
    for version in sorted(needed):
        earlier = base.folder.path / FOLDER / f"v{version}"
        source = base.folder.path / FOLDER if version == base.version else earlier
        for name in ORIGIN:
            if not (source / name).is_file():
                raise InputError(f"no {name} of version {version}", where=str(source), next="restore the release")
            link(source / name, directory / FOLDER / f"v{version}" / name)
