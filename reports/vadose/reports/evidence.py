"""The page of validation evidence: how often our intervals hold the truth, and experiments on real data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from vadose.reports import figures
from vadose.reports.committed import Evidence, Experiment
from vadose.reports.formats import METRICS, count, metric_label, number, score_text
from vadose.reports.pages import Page, Renderer
from vadose.reports.tables import finite

# The length that is shown first: five years of days.
HEADLINE_DAYS = 1825
MOST_ROWS = 60
ABOUT = ("command", "commit", "date", "machine")
LABELS = {"rho": "Spearman ρ", "collocation error": "TC error"}


@dataclass(frozen=True)
class Value:
    """One cell of a committed table; `value` is None for text."""

    value: str | None
    text: str
    mark: str = ""


@dataclass(frozen=True)
class Listing:
    """A committed table as it is shown; rows are numbered as in the file."""

    caption: str
    file: str
    heads: tuple[str, ...]
    rows: tuple[tuple[int, tuple[tuple[str, Value], ...]], ...]
    total: int


def evidence_page(evidence: Evidence, renderer: Renderer) -> Page | None:
    """Coverage of the intervals, then each experiment; None where nothing is committed."""
    if evidence.coverage is None and not evidence.experiments:
        return None
    values = {
        "coverage": None if evidence.coverage is None else _coverage(evidence.coverage, renderer),
        "experiments": [_experiment(one, renderer) for one in evidence.experiments],
    }
    return Page("evidence.md", "Validation evidence", "evidence.md.jinja", values)


def _about(about: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name.capitalize(), str(about[name])) for name in ABOUT if about.get(name)]


def _coverage(trial: Experiment, renderer: Renderer) -> dict[str, Any]:
    """Ours beside the textbook's, by model of series and metric, one table for each length."""
    frame = trial.tables["coverage"]
    file = "data/evidence/coverage"
    _files(frame, file, renderer)
    lengths = sorted(set(frame["days"]), key=lambda days: (days != HEADLINE_DAYS, days))
    goal = tuple(float(v) for v in trial.about.get("goal", (0.90, 0.97)))
    return {
        "about": _about(trial.about),
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
                x_title=f"share that holds the true {_trial_label(metric)}", band=(goal[0], goal[-1]),
                alternative=f"Coverage of the intervals of {_trial_label(metric)}",
            )
        )  # fmt: skip
    return result


def _files(frame: pd.DataFrame, file: str, renderer: Renderer) -> None:
    renderer.output.add(f"{file}.csv", frame.to_csv(index=False, lineterminator="\n"))
    columns = {str(name): [_plain(v) for v in frame[name].tolist()] for name in frame}
    renderer.output.add_json(f"{file}.json", {"rows": len(frame), "columns": columns})


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return None
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)


def _experiment(one: Experiment, renderer: Renderer) -> dict[str, Any]:
    about = one.about
    title = str(about.get("title") or one.name.replace("_", " ").replace("-", " ").capitalize())
    told = [str(about[name]) for name in ("question", "what", "summary", "finding") if isinstance(about.get(name), str)]
    known = {*ABOUT, "title", "question", "what", "summary", "finding"}
    settings = [
        (str(name).replace("_", " "), _words(value))
        for name, value in about.items()
        if name not in known and not isinstance(value, dict) and _words(value)
    ]
    listings = [_listing(name, frame, renderer) for name, frame in one.tables.items()]
    for name, value in about.items():
        frame = _records(value)
        if frame is not None:
            listings.append(_listing(f"{one.name}-{name}", frame, renderer, caption=str(name)))
    return {"title": title, "told": told, "about": _about(about), "settings": settings, "listings": listings}


def _records(value: Any) -> pd.DataFrame | None:
    """A list of flat objects, or an object of flat objects, as a table."""
    if isinstance(value, dict) and value and all(isinstance(item, dict) for item in value.values()):
        return pd.DataFrame([{"name": str(name), **item} for name, item in value.items()])
    if isinstance(value, dict) and value:
        return pd.DataFrame([{"name": str(name), "value": item} for name, item in value.items()])
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return pd.DataFrame(value)
    return None


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value) if not any(isinstance(i, dict) for i in value) else ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number("", value)
    return "" if value is None or isinstance(value, dict) else str(value)


def _listing(name: str, frame: pd.DataFrame, renderer: Renderer, caption: str = "") -> Listing:
    file = f"data/evidence/{name}"
    _files(frame, file, renderer)
    # A column with one word for all rows says nothing in each of them.
    shown = [str(column) for column in frame if len(frame) < 2 or frame[column].astype(str).nunique() > 1]
    rows = tuple(
        (k, tuple((column, _value(column, frame[column].iloc[k], frame, k)) for column in shown))
        for k in range(min(len(frame), MOST_ROWS))
    )
    words = (caption or name).replace("_", " ").replace("-", " ")
    return Listing(words[:1].upper() + words[1:], file, tuple(c.replace("_", " ") for c in shown), rows, len(frame))


def _value(column: str, value: Any, frame: pd.DataFrame, row: int) -> Value:
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return Value(None, "✓ yes" if value else "✗ no")
    number_of = finite(value) if isinstance(value, int | float) or hasattr(value, "dtype") else None
    if number_of is None:
        missing = value is None or (isinstance(value, float) and value != value)
        return Value(None, "–" if missing else str(value))
    metric = (
        str(frame["metric"].iloc[row]) if column in ("value", "ci_low", "ci_high") and "metric" in frame else column
    )
    return Value(repr(_plain(number_of)), _number(metric, number_of))


def _number(metric: str, value: float) -> str:
    """By the metric where one is named, whole numbers whole, else four digits that count."""
    if metric in METRICS:
        return score_text(metric, value)
    if float(value).is_integer() and abs(value) < 1e15:
        return count(value) if value >= 0 else f"−{count(-value)}"
    return f"{value:.4g}".replace("-", "−")
