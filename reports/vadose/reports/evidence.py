"""The page of validation evidence: how often our intervals hold the truth, and experiments on real data."""

from __future__ import annotations

from typing import Any

import pandas as pd

from vadose.reports import figures
from vadose.reports.committed import Evidence, Experiment
from vadose.reports.experiments import about_rows, experiment_sections
from vadose.reports.formats import count, metric_label, number
from vadose.reports.listings import Committed, Value
from vadose.reports.pages import Page, Renderer
from vadose.reports.tables import finite

# The length that is shown first: five years of days.
HEADLINE_DAYS = 1825
LABELS = {"rho": "Spearman ρ", "collocation error": "TC error"}


def evidence_page(evidence: Evidence, renderer: Renderer) -> Page | None:
    """Coverage of the intervals, then each experiment; None where nothing is committed."""
    if evidence.coverage is None and not evidence.experiments:
        return None
    values = {
        "coverage": None if evidence.coverage is None else _coverage(evidence.coverage, renderer),
        "experiments": [part for one in evidence.experiments for part in experiment_sections(one, renderer)],
    }
    return Page("evidence.md", "Validation evidence", "evidence.md.jinja", values)


def _coverage(trial: Experiment, renderer: Renderer) -> dict[str, Any]:
    """Ours beside the textbook's, by model of series and metric, one table for each length."""
    frame = trial.tables["coverage"]
    file = "data/evidence/coverage"
    Committed(frame, file).write(renderer)
    lengths = sorted(set(frame["days"]), key=lambda days: (days != HEADLINE_DAYS, days))
    goal = tuple(float(v) for v in trial.about.get("goal", (0.90, 0.97)))
    return {
        "about": about_rows(trial.about),
        "note": str(trial.about.get("note", "")),
        "goal": [number(100 * v, 0) for v in goal],
        "level": number(100 * float(trial.about.get("level", 0.95)), 0),
        "met": count(finite(trial.about.get("rows_met"))),
        "with_goal": count(finite(trial.about.get("rows_with_goal"))),
        "trials": count(finite(frame["trials"].max())),
        "least": number(float(trial.about.get("goal_applies_from_n_eff", 30.0)), 0),
        "tables": [_length(frame, int(days)) for days in lengths],
        "figures": [renderer.place(f, "evidence") for f in _trial_figures(frame, goal)],
        "file": file,
    }


def _length(frame: pd.DataFrame, days: int) -> dict[str, Any]:
    part = frame[frame["days"] == days]
    metrics = list(dict.fromkeys(part["metric"]))
    lines = []
    for model in dict.fromkeys(part["series_model"]):
        rows = part[part["series_model"] == model].drop_duplicates("metric").set_index("metric")
        lines.append((str(model), [_trial_cells(rows, metric, part) for metric in metrics]))
    return {
        "days": count(days),
        "years": number(days / 365, 0),
        "metrics": [_trial_label(m) for m in metrics],
        "lines": lines,
    }


def _trial_label(metric: str) -> str:
    if metric.startswith("difference of "):
        return f"difference of {metric_label(metric.removeprefix('difference of '))}"
    return LABELS.get(metric, metric_label(metric))


def _trial_cells(rows: pd.DataFrame, metric: str, part: pd.DataFrame) -> dict[str, Any] | None:
    if metric not in rows.index:
        return None
    row = rows.loc[metric].to_dict()
    place = part.index[(part["metric"] == metric) & (part["series_model"] == row["series_model"])][0]
    mark = ("✓" if row["met"] else "✗") if row["goal_applies"] else "·"
    cells = {name: _share(float(row[name])) for name in ("coverage", "textbook")}
    return {"row": int(place), "mark": mark, **cells}


def _share(value: float) -> Value:
    return Value(None, "no interval") if value != value else Value(repr(value), number(value, 3))


def _trial_figures(frame: pd.DataFrame, goal: tuple[float, ...]) -> list[figures.Figure]:
    part = frame[frame["days"] == HEADLINE_DAYS]
    result = []
    for metric in ("r", "bias", "ubrmsd"):
        rows = part[part["metric"] == metric]
        if not len(rows):
            continue
        caption = (
            f"Share of {count(finite(rows['trials'].max()))} nominal 95 % intervals of {_trial_label(metric)} that "
            f"hold the truth, {count(HEADLINE_DAYS)} days, by model of series; shaded is the goal."
        )
        columns = {"ours": rows["coverage"].tolist(), "textbook": rows["textbook"].tolist()}
        result.append(
            figures.paired_figure(
                f"coverage-{metric}", [str(v) for v in rows["series_model"]], columns, caption=caption,
                x_title="share that holds the truth", band=(goal[0], goal[-1]),
                alternative=f"Coverage of the intervals of {_trial_label(metric)}",
            )
        )  # fmt: skip
    return result
