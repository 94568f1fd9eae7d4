"""Whether the number of a version is that of the change, and what its ICDR was compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from vadose.common import read_json
from vadose.producer.granules.names import parse_name
from vadose.producer.granules.reading import Granule, read_granule
from vadose.producer.recipe import Recipe
from vadose.producer.release.differences import header_changes
from vadose.producer.release.folder import MANIFEST, Folder, published_granules
from vadose.producer.release.numbers import kind_of
from vadose.producer.release.origins import previous

OVERLAP = "quality/overlap.json"
FEWEST_OVERLAP_DAYS = 365


def check(folder: Folder, manifest: Mapping[str, Any]) -> Iterator[str]:
    """What has changed against the previous version that the number does not allow.

    In a MINOR or PATCH no published day goes away and no value changes. A PATCH adds nothing and replaces only what is
    listed; a MINOR writes granules again only where the header has grown.
    """
    older = manifest["previous"]
    if older is None or kind_of(older, folder.version) == "MAJOR":
        return
    kind = kind_of(older, folder.version)
    old = Folder(folder.root / f"v{older}")
    if not (old.path / MANIFEST).is_file():
        return
    withdrawn = (old.entry or {}).get("withdrawn_granules", {})
    before = {day: path for day, path in _by_day(old.manifest()).items() if Path(path).name not in withdrawn}
    after = _by_day(manifest)
    gone, new = sorted(set(before) - set(after)), sorted(set(after) - set(before))
    if gone:
        yield f"{len(gone)} published days are gone, the first {gone[0]}: that is a MAJOR"
    note = previous(folder.path)
    replaced = set(note.replaced) if note else set()
    added = [day for day in new if Path(after[day]).name not in replaced]
    if added and kind == "PATCH":
        yield f"{len(added)} days are added, the first {added[0]}: that is a MINOR"
    other = [day for day in sorted(set(before) & set(after)) if Path(before[day]).name != Path(after[day]).name]
    yield from _rewritten(old, folder, kind, [(before[day], after[day]) for day in other], replaced)


def _by_day(manifest: Mapping[str, Any]) -> dict[date, str]:
    return {parse_name(Path(path).name).day: path for path in published_granules(manifest)}


def _rewritten(
    old: Folder, folder: Folder, kind: str, pairs: list[tuple[str, str]], replaced: set[str]
) -> Iterator[str]:
    """What is wrong with granules that were written again under new names."""
    unlisted = [(one, other) for one, other in pairs if Path(other).name not in replaced]
    if unlisted and kind == "PATCH":
        yield f"{len(unlisted)} granules are written again and not listed, the first {Path(unlisted[0][1]).name}"
        return
    for one, other in unlisted:
        first, second = read_granule(old.path / one), read_granule(folder.path / other)
        if not same_values(first, second):
            yield f"{Path(other).name} has other values than {Path(one).name}: that is a MAJOR"
            return
    if unlisted:
        one, other = unlisted[0]
        grown, changed = header_changes(read_granule(old.path / one), read_granule(folder.path / other))
        if changed:
            yield f"the header changes, {changed[0]}: that is a MAJOR"
        elif not grown:
            yield f"{len(unlisted)} granules are written again with the same values; build with --previous"


def same_values(one: Granule, other: Granule) -> bool:
    """Whether every variable of a granule is in the other one with the same values."""
    return all(
        name in other.values and np.array_equal(values, other.values[name]) for name, values in one.values.items()
    )


def overlap(folder: Folder, recipe: Recipe) -> Iterator[str]:
    """An ICDR that goes on from a CDR was compared with it over at least a year."""
    if recipe.product.icdr_from is None:
        return
    path = folder.path / OVERLAP
    if not path.is_file():
        yield f"{OVERLAP} is missing; build the whole record with --previous"
        return
    days = int(read_json(path)["days_covered"])
    if days < FEWEST_OVERLAP_DAYS:
        yield f"ICDR and CDR were compared over {days} days, at least {FEWEST_OVERLAP_DAYS}"
