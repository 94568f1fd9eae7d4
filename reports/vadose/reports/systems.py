"""The experiments pages: one for each published system, what it claims, what was run, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from vadose.common import InputError
from vadose.reports import figures
from vadose.reports.captions import AXES, figure_note, table_caption
from vadose.reports.committed import Experiment, Skill, System, is_curves
from vadose.reports.experiments import about_rows
from vadose.reports.formats import count, display, unit_signs
from vadose.reports.listings import Committed, Listing
from vadose.reports.mapped import Maps
from vadose.reports.pages import Page, PlacedFigure, Renderer
from vadose.reports.pictures import sheet_maps
from vadose.reports.results import density_figures, skill_tables
from vadose.reports.sheets import read_sheets
from vadose.reports.tables import Table

MISSING = "missing"
SKILL = "skill"


@dataclass(frozen=True)
class Ran:
    """One thing that was run, as it stands on the page."""

    title: str
    told: tuple[str, ...]
    about: tuple[tuple[str, str], ...]
    figures: tuple[PlacedFigure, ...]
    maps: tuple[Maps, ...]
    listings: tuple[Listing, ...]
    files: tuple[tuple[str, tuple[str, ...]], ...]


def system_page(system: System, skill: Skill | None, renderer: Renderer) -> Page:
    """The page of one system.

    Raises
    ------
    InputError
        Where the description lacks something, or names a table or figure that is not there.
    """
    paper = system.paper
    values = {
        "paper": paper,
        "recipe": system.recipe,
        "stated": [_stated(table) for table in paper.get("stated", [])],
        "questions": paper["questions"],
        "outputs": [_output(system, one) for one in paper["outputs"]],
        "tables": [] if skill is None else own_tables(skill, paper.get("methods", [])),
        "densities": _densities(system, skill, renderer),
        "ran": [_ran(system, one, renderer) for one in system.experiments],
    }
    return Page(f"experiments/{system.recipe}.md", str(paper["title"]), "system.md.jinja", values)


def systems_page(found: Sequence[System]) -> Page:
    """The list of all systems."""
    return Page("experiments/index.md", "Experiments", "systems.md.jinja", {"systems": found})


def own_tables(skill: Skill, methods: Sequence[str]) -> list[Table]:
    """Scores of the system's methods and of the baselines on real SMAP, all cells, one table for each split."""
    frame = skill.scores
    rows = frame[frame["method"].isin(methods) & (frame["subset"] == "all_cells")]
    own = set(methods[:1])
    return [table for table in skill_tables(rows) if any(line.label.partition(",")[0] in own for line in table.lines)]


def _densities(system: System, skill: Skill | None, renderer: Renderer) -> list[PlacedFigure]:
    """Predicted against observed values of the system's own method and of the others of its page, under P1."""
    if skill is None:
        return []
    drawn = density_figures(skill, "P1", list(system.paper.get("methods", []))[:4])
    return [renderer.place(figure, f"experiments/{system.recipe}") for figure in drawn]


def _stated(table: dict[str, Any]) -> dict[str, Any]:
    """A table of the paper, as it prints it."""
    heads = [str(word) for word in table["columns"]]
    rows = [[str(cell) for cell in row] for row in table["rows"]]
    if any(len(row) != len(heads) for row in rows):
        raise InputError(f"a row of the stated table {table['caption']!r} has not {len(heads)} cells")
    return {"caption": str(table["caption"]), "heads": heads, "rows": rows}


def _output(system: System, one: dict[str, Any]) -> dict[str, str]:
    """Where one output of the paper is: on this page, among the skill tables, or missing with the reason."""
    where = str(one["where"])
    if where == MISSING:
        if not one.get("why"):
            raise InputError(f"{one['output']!r} is missing without a reason", where=str(system.folder / "paper.yaml"))
        return {"output": str(one["output"]), "mark": "– missing", "note": str(one["why"])}
    if where != SKILL and where not in system.words:
        raise InputError(f"no table or figure named {where!r} for {one['output']!r}",
                         where=str(system.folder / "paper.yaml"))  # fmt: skip
    prefixes = [one.name for one in system.experiments]
    note = "skill tables of this page" if where == SKILL else _short(where, prefixes)
    why = str(one.get("why", ""))
    return {"output": str(one["output"]), "mark": "✓ here", "note": f"{note}. {why}" if why else note}


def _ran(system: System, one: Experiment, renderer: Renderer) -> Ran:
    folder = f"experiments/{system.recipe}"
    listings: list[Listing] = []
    drawn: list[PlacedFigure] = []
    files = []
    for name, frame in one.tables.items():
        table = Committed(frame, f"data/{folder}/{name}")
        table.write(renderer)
        title = _title(_short(name, [one.name]))
        files.append((title, table.files))
        if is_curves(frame):
            drawn += [renderer.place(figure, folder) for figure in curve_figures(frame, one.about)]
        elif not table.long:
            listings.append(table.listing(table_caption(name, title)))
    maps: list[Maps] = []
    if one.maps is not None:
        maps = sheet_maps(read_sheets(one.maps), one.about, renderer, f"{folder}/{one.name}")
        address = f"data/{folder}/{one.maps.name}"
        renderer.output.add(address, one.maps.read_bytes())
        files.append(("Maps", (address,)))
    told = tuple(str(one.about[key]) for key in ("question", "what", "finding") if one.about.get(key))
    title = str(one.about.get("title") or _title(one.name))
    return Ran(title, told, about_rows(one.about), tuple(drawn), tuple(maps), tuple(listings), tuple(files))


def _short(name: str, prefixes: Sequence[str]) -> str:
    """The name of a table in words, without that of its experiment."""
    for prefix in prefixes:
        if name.startswith((f"{prefix}_", f"{prefix}-")):
            name = name[len(prefix) + 1 :]
            break
    return name.replace("_", " ").replace("-", " ")


def _title(name: str) -> str:
    words = name.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def _axis_title(words: str) -> str:
    label, bracket, unit = words.partition("(")
    return f"{label}{bracket}{unit_signs(unit)}"


def _figure_title(name: str) -> str:
    """The quantity of a figure whose panels are places and the like; violins are curves of density."""
    return "Density" if name.startswith(("violin", "density")) else _title(name)


def _caption(words: str, name: str, rows: pd.DataFrame) -> str:
    """The caption of the experiment, what is known of the figure, and how many points are drawn."""
    note = figure_note(name)
    points = f"{count(len(rows))} points" if len(rows) > 1 else "one point"
    if name == "series":
        points = f"{_month(rows['x'].min())} to {_month(rows['x'].max())}, {points}"
    return f"{words}; {note}; {points}." if note else f"{words}; {points}."


def _month(year: float) -> str:
    """A year with its fraction as year and month: 2015.25 is 2015-04."""
    months = round(12 * float(year))
    return f"{months // 12}-{months % 12 + 1:02d}"


def curve_figures(frame: pd.DataFrame, about: dict[str, Any]) -> list[figures.Figure]:
    """A figure for each figure and panel of a table of curves.

    `about["figures"]` may give for a figure its `x` and `y` titles and its `caption`. Without a `y` title the axis
    bears the metric or variable that a panel shows; where panels are places and the like, the name of the figure.
    """
    words = about.get("figures") or {}
    result = []
    for name in dict.fromkeys(str(one) for one in frame["figure"]):
        told = words.get(name, {})
        panels = figures.curve_panels(frame, name)
        units = {str(rows["unit"].iloc[0]) for _, rows in panels}
        for index, (panel, rows) in enumerate(panels):
            unit = unit_signs(str(rows["unit"].iloc[0]))
            known = display(panel).label != panel
            label = display(panel).label if known else panel[:1].upper() + panel[1:].replace("_", " ")
            shown = str(told.get("y") or AXES.get(name) or (label if known or len(units) > 1 else _figure_title(name)))
            y_title = f"{shown} ({unit})" if unit not in ("", "1") else shown
            caption = str(told.get("caption", _title(name)))
            drawn = figures.curve_figure(
                f"{name}-{index + 1}".replace("_", "-"), rows, x_title=_axis_title(str(told.get("x", ""))),
                y_title=y_title, caption=_caption(f"{caption}: {label}" if panel else caption, name, rows),
            )  # fmt: skip
            spoken = f"{drawn.alternative}, {label}" if panel and label != shown else drawn.alternative
            result.append(replace(drawn, alternative=spoken))
    return result
