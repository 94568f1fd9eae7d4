"""`CHANGELOG.md` of a version: what changed against the one before, by how much, and what is excused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vadose.producer.recipe import Recipe
from vadose.producer.release.difference_tables import flag_lines, region_lines, score_lines
from vadose.producer.release.numbers import kind_of
from vadose.producer.release.origins import Previous

MEANING = {
    "MAJOR": "values or meanings of published days change; all granules are written again",
    "MINOR": "additions; no published value changes",
    "PATCH": "defective granules are replaced; no other granule changes",
}


def change_log(recipe: Recipe, previous: str | None, difference: Mapping[str, Any] | None, *,
               note: Previous | None = None, overlap: Mapping[str, Any] | None = None) -> str:  # fmt: skip
    """Reason and size of the change; the first line says whether a version gives values in fewer cells.

    Parameters
    ----------
    recipe
        Of the version.
    previous, difference
        The version before and `quality/diff.json`, if there is one.
    note
        What the version goes on from, if it was built on an earlier one.
    overlap
        `quality/overlap.json`: how the ICDR differs from the CDR.
    """
    product = recipe.product
    lines = [f"# {product.title}: change log", "", f"## {product.version} ({product.issued[:10]})", ""]
    if previous is None or difference is None:
        lines.append("First version.")
    else:
        lines += _against(product.version, previous, difference)
    lines += [*_replaced(note), *_streams(difference, overlap)]
    if recipe.waivers:
        lines += ["", "Waivers:", ""]
        lines += [f"- {waiver.check}: {waiver.reason} (expires with {waiver.expires})" for waiver in recipe.waivers]
    return "\n".join(lines) + "\n"


def _against(version: str, previous: str, difference: Mapping[str, Any]) -> Iterator[str]:
    """Coverage, what the number means, and the size of the difference."""
    share = difference["coverage"]
    fewer = share["new"] < share["old"] - 1e-6
    first = f"Gives values in {share['new']:.2%} of the expected cells, version {previous} in {share['old']:.2%}"
    yield f"{first}{': fewer, so compare scores only on the common sample' if fewer else ''}."
    kind = kind_of(previous, version)
    yield from ("", f"{kind}: {MEANING[kind]}.", "", "| | |", "|---|---|", f"| days in both | {difference['days']} |")
    yield from _values(difference)
    yield from (*flag_lines(difference), *region_lines(difference), *score_lines(difference))
    yield from (f"- {line}" for line in difference["headers"])


def _values(found: Mapping[str, Any]) -> Iterator[str]:
    for key, value in found["values"].items():
        yield f"| {key.replace('_', ' ')} | {value:.6f} m3 m-3 |"


def _replaced(note: Previous | None) -> Iterator[str]:
    """Each replaced granule with its reason."""
    if note and note.replaced:
        yield from ("", "Replaced granules:", "")
        for name, item in sorted(note.replaced.items()):
            yield f"- {name} replaces {item['replaces']}: {item['reason']}"


def _streams(difference: Mapping[str, Any] | None, overlap: Mapping[str, Any] | None) -> Iterator[str]:
    """CDR and ICDR over days that both have."""
    if overlap and overlap["days_covered"]:
        span = f"{overlap['days_covered']} days, {overlap['first']} to {overlap['last']}"
        yield from ("", f"ICDR minus CDR (version {', '.join(overlap['cdr'])}) over {span}:", "", "| | |", "|---|---|")
        yield from _values(overlap)
    if difference and "streams" in difference:
        days, older = difference["streams"]["days"], difference["old"]
        yield from ("", f"CDR minus ICDR (version {older}) over {days} days or months:", "", "| | |", "|---|---|")
        yield from _values(difference["streams"])
