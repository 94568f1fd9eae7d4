"""The pages of the committed results: skill and speed; and of the simulated world's truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from vadose.reports import figures
from vadose.reports.committed import Skill
from vadose.reports.data import Run
from vadose.reports.faults import Trial
from vadose.reports.formats import VOLUME, count, display, metric_label, number, score_text, sentence_start
from vadose.reports.pages import Page, Renderer
from vadose.reports.reliability import reliability_table
from vadose.reports.tables import SUBSET_WORDS, Cell, Head, Line, Table, finite, records, score_cell, scoreboard
from vadose.reports.text import slugs
from vadose.reports.versions import Version

SKILL_METRICS = (("rmse", "raw"), ("ubrmsd", "raw"), ("r", "raw"), ("r", "anomaly_35d"), ("bias", "raw"))
# A row over all seeds or of the ensemble stands for its method; without one, the middle seed does.
WHOLE = ("", "ensemble", "by_fold")
WHOLE_WORDS = {"ensemble": "mean prediction of the seeds", "by_fold": "a seed a fold"}
TRUTH = "truth"
# Splits of which densities are drawn on the page of the methods, and of how many methods.
DRAWN, BEST = ("P1", "P4"), 3

# In the order of the page: the later year, the honest headline, then the rest; what leaks comes last.
SPLITS = {
    "P1": "a later year: the model is trained on one year and projected into the next",
    "P1-purged": "as P1, with a gap between training and test",
    "P4": "unseen regions in a later year: the honest headline",
    "P2": "unseen cells, at random",
    "P3": "unseen regions: blocks of 5 by 5 degrees",
    "P5": "a whole climate class or longitude third unseen",
    "P6-15d": "hidden observations in windows of 15 days; the days around them may be read",
    "P6-60d": "hidden observations in windows of 60 days",
    "P6-swath": "hidden observations in the shape of the satellite's swaths",
    "P6-winter": "hidden observations of whole winters",
    "P1-nowcast-1": "as P1, and the satellite value of the day before may be read; not to be ranked with P1",
    "P1-nowcast-3": "as P1, and satellite values at least three days old may be read; not to be ranked with P1",
    "P0": "random samples: leaky, only to imitate papers",
}


def skill_page(skill: Skill, renderer: Renderer) -> Page:
    """Every method under every split, the memory curve, the costs."""
    frame = skill.scores
    renderer.output.add("data/skill/scores.parquet", (skill.folder / "scores.parquet").read_bytes())
    renderer.output.add("data/skill/scores.csv", frame.to_csv(index=False, lineterminator="\n"))
    values = {
        "about": skill.about,
        "partial": [str(word) for word in skill.about.get("partial") or []],
        "splits": _by_split(frame),
        "benchmark": _benchmark(skill.about.get("benchmark")),
        "figures": [renderer.place(figure, "skill") for figure in _memory(skill)],
        "densities": [renderer.place(one, "skill") for split in DRAWN for one in _best_densities(skill, split)],
        "reliability": [table for split in DRAWN if (table := reliability_table(frame, split)) is not None],
        "costs": _costs(skill.costs, str(skill.about.get("machine", ""))),
    }
    return Page("skill.md", "Skill", "skill.md.jinja", values)


def _benchmark(about: Any) -> str:
    if not isinstance(about, dict):
        return str(about)
    return f"{about['cube']}: {about['cells']} cells, target {about['target']}"


def _by_split(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Each split with its headline table and the same without some cells."""
    tables = skill_tables(frame)
    splits = list(dict.fromkeys(table.caption.partition(",")[0] for table in tables))
    return [{"title": name, "tables": [t for t in tables if t.caption.partition(",")[0] == name]} for name in splits]


def skill_tables(frame: pd.DataFrame) -> list[Table]:
    """One table for each split and subset; the subset with all cells first."""
    overall = frame[(frame["stratum_kind"] == "all") & (frame["aggregate"] == "median")]
    order = list(SPLITS)
    keys = sorted(
        set(zip(overall["split"], overall["subset"], strict=True)),
        key=lambda key: (order.index(key[0]) if key[0] in order else len(order), *key),
    )
    return [
        _skill_table(overall[(overall["split"] == split) & (overall["subset"] == subset)], split, subset)
        for split, subset in keys
    ]


def _skill_table(part: pd.DataFrame, split: str, subset: str) -> Table:
    held = set(zip(part["metric"], part["signal"], strict=True))
    metrics = [pair for pair in SKILL_METRICS if pair in held]
    methods = sorted(set(part["method"]), key=lambda m: _order(part[part["method"] == m]))
    words = SPLITS.get(split, "")
    return Table(
        caption=f"Split {split}, {SUBSET_WORDS.get(subset, subset)}",
        sentence=f"{split}: {words}. Median over the cells of the score of each cell; 95 % intervals in brackets; "
        "where a method ran with several seeds, its middle seed is shown with the range of all. "
        "Errors are product minus reference.",
        first="method",
        words=("runs", "values"),
        heads=tuple(Head(metric_label(m, s), display(m).unit) for m, s in metrics),
        lines=tuple(
            line for method in methods for line in _method_lines(part[part["method"] == method], method, metrics)
        ),
    )


def _order(rows: pd.DataFrame) -> tuple[float, str]:
    values = rows[rows["metric"] == "rmse"]["value"]
    best = values.min() if len(values) else float("inf")
    return (float(best) if best == best else float("inf"), str(rows["method"].iloc[0]))


def _method_lines(rows: pd.DataFrame, method: str, metrics: Sequence[tuple[str, str]]) -> list[Line]:
    """The line of the ensemble, where there is one, and the line of the single seeds."""
    folds = set(rows["fold"])
    rows = rows[rows["fold"] == ("" if "" in folds else sorted(folds)[0])]
    lines = []
    for seed in (s for s in WHOLE if s in set(rows["seed"])):
        label = f"{method}, ensemble" if seed == "ensemble" else method
        lines.append(_seeds_line(rows[rows["seed"] == seed], label, metrics))
    single = rows[~rows["seed"].isin(WHOLE)]
    if len(single):
        lines.append(_seeds_line(single, f"{method}, single" if lines else method, metrics))
    return lines


def _seeds_line(rows: pd.DataFrame, label: str, metrics: Sequence[tuple[str, str]]) -> Line:
    seeds = sorted(set(rows["seed"]))
    cells = tuple(_seeds_cell(rows[(rows["metric"] == m) & (rows["signal"] == s)], m) for m, s in metrics)
    n = rows["n"].max() if len(rows) else 0
    alone = WHOLE_WORDS.get(seeds[0], f"seed {seeds[0]}" if seeds[0] else "one")
    runs = f"{len(seeds)} seeds" if len(seeds) > 1 else alone
    return Line(label, (runs, count(n)), cells)


def _seeds_cell(rows: pd.DataFrame, metric: str) -> Cell:
    found = sorted(records(rows), key=lambda row: (row["value"] != row["value"], row["value"], row["seed"]))
    if not found:
        return score_cell(None)
    valid = [row for row in found if finite(row["value"]) is not None]
    if len(valid) < 2:
        return score_cell(found[0])
    spread = f"seeds {score_text(metric, valid[0]['value'])} to {score_text(metric, valid[-1]['value'])}"
    return score_cell(valid[(len(valid) - 1) // 2], spread)


def _best_densities(skill: Skill, split: str) -> list[figures.Figure]:
    """Densities of the methods of least RMSE under one split."""
    rows = skill.scores
    rows = rows[(rows["split"] == split) & (rows["metric"] == "rmse") & (rows["stratum_kind"] == "all")]
    rows = rows[(rows["aggregate"] == "median") & (rows["subset"] == "all_cells") & rows["value"].notna()]
    best = rows.groupby("method")["value"].median().sort_values(kind="stable")
    return density_figures(skill, split, [str(name) for name in best.index[:BEST]])


def density_figures(skill: Skill, split: str, methods: Sequence[str]) -> list[figures.Figure]:
    """Counts of predicted against observed soil moisture of these methods, where the results hold them.

    Of several seeds the mean prediction is drawn where there is one, else the first seed.
    """
    if skill.density is None:
        return []
    result = []
    for method in methods:
        rows = skill.density[(skill.density["split"] == split) & (skill.density["method"] == method)]
        if not len(rows):
            continue
        seed = next((word for word in WHOLE if word in set(rows["seed"])), min(rows["seed"]))
        rows = rows[rows["seed"] == seed]
        bins = pd.DataFrame({"x": rows["reference"], "y": rows["predicted"], "low": rows["count"].astype(float)})
        name = f"density-{split.lower()}-{slugs([method])[0]}"
        drawn = figures.density_figure(name, bins, method, "SMAP")
        which = WHOLE_WORDS.get(seed, f"seed {seed}")
        words = (
            f"Test values of {method} under {split}, {which}, by the value that SMAP observed, in bins of 0.01 "
            f"{VOLUME}: {count(bins['low'].sum())} days in {skill_cells(skill)} cells; the dashed line is equality."
        )
        result.append(replace(drawn, caption=words, alternative=f"{drawn.alternative}, split {split}", height=380))
    return result


def skill_cells(skill: Skill) -> str:
    """The number of cells of the benchmark, where its description says so."""
    about = skill.about.get("benchmark")
    return count(about["cells"]) if isinstance(about, dict) and "cells" in about else "all"


def _memory(skill: Skill) -> list[figures.Figure]:
    memory = skill.memory
    result = []
    for name in sorted(set(memory["figure"])) if memory is not None else []:
        for index, (panel, rows) in enumerate(figures.curve_panels(memory, name)):
            how = display(panel)
            unit = f" ({how.unit})" if how.unit not in ("", "1") else ""
            caption = (
                f"{sentence_start(how.label)} against the length of the past that the model sees, median over "
                f"{skill_cells(skill)} cells, {', '.join(map(str, rows['series'].unique()))}; "
                "bars span the 95 % interval or the seeds."
            )
            result.append(
                figures.curve_figure(
                    f"{name}-{index + 1}".replace("_", "-"),
                    rows,
                    x_title="length of the past (days)",
                    y_title=f"{how.label}{unit}",
                    caption=caption,
                )
            )
    return result


def _costs(costs: pd.DataFrame | None, machine: str) -> list[dict[str, Any]]:
    """One row a method, split and machine; costs that name none were those of `machine`."""
    if costs is None:
        return []
    costs = costs if "machine" in costs else costs.assign(machine=machine)
    parts = costs.groupby(["method", "split", "machine"], sort=True)
    return [
        {
            "method": str(key[0]), "split": str(key[1]), "machine": str(key[2]), "runs": len(part),
            "seconds": number(float(part["seconds_train"].median()), 1),
            "parameters": int(part["parameters"].max()) if part["parameters"].notna().any() else 0,
            "rate": number(float(part["predictions_per_second"].median()), 0),
        }
        for key, part in parts
    ]  # fmt: skip


def speed_page(speed: dict[str, Any], trials: Sequence[Trial] = ()) -> Page:
    """Ratios to named rivals, and what was broken on purpose."""
    rows = [
        {
            "name": str(entry["name"]),
            "what": str(entry.get("what", "")),
            "rival": str(entry.get("rival") or "–"),
            "ratio": _figure(entry.get("ratio")),
            "seconds": _figure(entry.get("unit_seconds")),
            "rival_seconds": _figure(entry.get("rival_seconds")),
            "goal": _figure(entry.get("goal")),
            "met": {True: "✓ met", False: "✗ not met", None: "–"}[entry.get("met")],
        }
        for entry in speed.get("results", [])
    ]
    return Page("speed.md", "Speed", "speed.md.jinja", {"about": speed, "rows": rows, "trials": trials})


def _figure(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "–"
    return f"{value:.3g}".replace("-", "−") if isinstance(value, int | float) else str(value)


def truth_page(versions: Sequence[Version]) -> Page | None:
    """Scores against stations beside scores against the truth, for runs that know it."""
    shown = []
    for version in versions:
        run = version.run
        if run is None or TRUTH not in set(run.scores["reference"]):
            continue
        shown.append({"version": version, "tables": _truth_tables(run)})
    return Page("truth.md", "What we know here", "truth.md.jinja", {"shown": shown}) if shown else None


def _truth_tables(run: Run) -> list[Table]:
    overall = run.scores[run.scores["stratum_kind"] == "all"]
    found = sorted(set(zip(overall["reference"], overall["split"], overall["subset"], strict=True)))
    return [scoreboard(run, *key) for key in sorted(found, key=lambda k: (k[0] == TRUTH, k))]
