"""The difference of two versions as Markdown and as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def markdown(found: Mapping[str, Any]) -> str:
    """The difference as a table."""
    rows = [("days in both", f"{found['days']}")]
    rows += [(f"coverage, {which}", f"{found['coverage'][which]:.4%}") for which in ("old", "new")]
    rows += [(key.replace("_", " "), f"{value:.6f} m3 m-3") for key, value in found["values"].items()]
    rows += [(f"{name} differs in", f"{share:.4%} of the cells") for name, share in found["flags"].items() if share]
    lines = [
        f"| {found['new']} against {found['old']} | |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in rows),
    ]
    lines += [*flag_lines(found), *region_lines(found), *score_lines(found)]
    return "\n".join([*lines, *(f"- {line}" for line in found["headers"])])


def flag_lines(found: Mapping[str, Any]) -> list[str]:
    """The differences where a bit is set in either version, as a table."""
    if not found["values_where_flagged"]:
        return []
    head = ["", "| where flagged | values | mean difference | root mean square difference |", "|---|---|---|---|"]
    return head + [
        f"| {name} | {part['values']} | {part['mean_difference']:.6f} | {part['root_mean_square_difference']:.6f} |"
        for name, part in found["values_where_flagged"].items()
    ]


def region_lines(found: Mapping[str, Any]) -> list[str]:
    """The differences by latitude, as a table, where there is more than one band."""
    if len(found["regions"]) < 2:
        return []
    head = [
        "",
        "| latitude | mean difference | root mean square difference | coverage, old | new |",
        "|---|---|---|---|---|",
    ]
    return head + [
        f"| {name} | {part['values']['mean_difference']:.6f} | {part['values']['root_mean_square_difference']:.6f} "
        f"| {part['coverage']['old']:.2%} | {part['coverage']['new']:.2%} |"
        for name, part in found["regions"].items()
    ]


def score_lines(found: Mapping[str, Any]) -> list[str]:
    """The scores of both versions with their intervals, as a table: those of the plain values."""
    rows = [row for row in found["scores"] if row["signal"] == "raw" and row["scaling"] == "none"]
    if not rows:
        return []
    head = ["", "| reference | split | metric | old | new |", "|---|---|---|---|---|"]
    return head + [
        f"| {row['reference']} | {row['split']} | {row['metric']} | {_interval(row['old'])} | {_interval(row['new'])} |"
        for row in rows
    ]


def _interval(score: Mapping[str, float | None]) -> str:
    if score["value"] is None:
        return "none"
    low, high = score["ci_low"], score["ci_high"]
    return f"{score['value']:.4f}" + ("" if low is None or high is None else f" ({low:.4f} to {high:.4f})")


def plain(found: Mapping[str, Any]) -> str:
    """The same as aligned text for a terminal."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown(found).splitlines()]
    kept = [row for row in rows if set("".join(row)) - set("-")]
    width = max(len(row[0]) for row in kept if len(row) > 1)
    return "\n".join(
        "  ".join(f"{cell:<{width if k == 0 else 22}}" for k, cell in enumerate(row)).rstrip() for row in kept
    )
