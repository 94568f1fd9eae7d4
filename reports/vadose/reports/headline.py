"""The headline table of the README, as Markdown, from the committed skill results."""

from __future__ import annotations

from vadose.common import InputError
from vadose.reports.committed import Skill
from vadose.reports.results import skill_tables

SPLITS = ("P1", "P4")


def readme_table(skill: Skill | None) -> str:
    """Methods by split with their median scores over all cells.

    Raises
    ------
    InputError
        If no skill results are committed.
    """
    if skill is None:
        raise InputError("no skill results", where="site/data/skill", next="nox -s skill")
    lines = []
    for table in skill_tables(skill.scores):
        split = table.caption.removeprefix("Split ").partition(",")[0]
        if split not in SPLITS or "without" in table.caption:
            continue
        heads = [head.label for head in table.heads]
        lines += [f"| {' | '.join([f'{split}: method', *heads])} |", f"|{'---|' * (len(heads) + 1)}"]
        lines += [f"| {' | '.join([line.label, *(cell.text for cell in line.cells)])} |" for line in table.lines]
        lines.append("")
    about = skill.about
    partial = " The tables are partial." if not about.get("complete", True) else ""
    command = str(about["command"]).partition(" --")[0]
    latest = max(str(run["date"]) for run in [about, *about.get("added", [])])
    lines.append(f"Median over the cells; made by `{command} …` on {latest} (all of it on the page of skill).{partial}")
    return "\n".join(lines)
