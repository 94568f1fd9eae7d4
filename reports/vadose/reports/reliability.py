"""How often the 90 % intervals of the methods hold the held-out value, over all values and by land cover."""

from __future__ import annotations

import pandas as pd

from vadose.reports.formats import count, display, metric_label, number
from vadose.reports.tables import Head, Line, Table, finite, records, score_cell

NOMINAL = (0.87, 0.93)
# Effective number of days from which a class is judged.
FEWEST_DAYS = 100
_MEASURES = ("coverage_90", "interval_width")


def reliability_table(scores: pd.DataFrame, split: str) -> Table | None:
    """Coverage and width of calibrated intervals of each method under a split; nothing if no method has any."""
    rows = scores[(scores["split"] == split) & (scores["scaling"] == "block_conformal")]
    rows = rows[(rows["subset"] == "all_cells") & rows["value"].notna()]
    overall = rows[(rows["stratum_kind"] == "all") & (rows["metric"] == "coverage_90")]
    if not len(overall):
        return None
    methods = overall.groupby("method")["value"].median().sub(0.9).abs().sort_values(kind="stable").index
    return Table(
        caption=f"Calibrated 90 % intervals under {split}",
        sentence="How many of the held-out values lie within their 90 % interval, with the interval of that share, and "
        "how wide the intervals are, since wide ones always cover. The factors come from other blocks of 5 by 5 "
        "degrees than those they are judged by. A class of land cover, by its code, is judged from ten blocks and 100 "
        "effective days, and fails if the whole interval of its coverage lies outside 87 to 93 %.",
        first="method",
        words=("values", "classes judged", "classes outside"),
        heads=tuple(Head(metric_label(name, "raw"), display(name).unit) for name in _MEASURES),
        lines=tuple(_line(str(name), rows[rows["method"] == name]) for name in methods),
    )  # fmt: skip


def _line(method: str, rows: pd.DataFrame) -> Line:
    """The ensemble, or the seeds of the folds, or the first seed of a method."""
    seed = next((word for word in ("by_fold", "ensemble") if word in set(rows["seed"])), min(rows["seed"]))
    rows = rows[rows["seed"] == seed]
    whole = {row["metric"]: row for row in records(rows[rows["stratum_kind"] == "all"])}
    classes = rows[(rows["stratum_kind"] == "land_cover") & (rows["status"] == "ok")]
    judged = classes[classes["n_eff"] >= FEWEST_DAYS]
    low, high = NOMINAL
    outside = judged[(judged["ci_low"] > high) | (judged["ci_high"] < low)]
    named = [f"{row['stratum']}: {_share(row['value'])} [{_share(row['ci_low'])}, {_share(row['ci_high'])}]"
             for row in records(outside)]  # fmt: skip
    size = finite(whole["coverage_90"]["n"]) or 0.0
    words = (count(size), ", ".join(sorted(judged["stratum"], key=float)) or "none", "; ".join(named) or "none")
    return Line(method, words, tuple(score_cell(whole.get(name)) for name in _MEASURES))


def _share(value: float) -> str:
    return number(value, 3)
