"""Scores of single stations gathered by product and by class: what boxes, densities and diagrams are drawn from."""

from __future__ import annotations

import pandas as pd

from vadose.reports import figures
from vadose.reports.classes import class_name, kind_name
from vadose.reports.data import Run
from vadose.reports.figures.diagrams import FEWEST
from vadose.reports.formats import count, display, metric_label
from vadose.reports.tables import (
    NAMES,
    Head,
    Line,
    Table,
    finite,
    headline_aggregate,
    one,
    records,
    score_cell,
    sentence,
    unscaled,
)

Group = tuple[str, str, str]

DRAWN = (("r", "raw"), ("ubrmsd", "raw"))
# Kind of stratum and the column of stations.parquet that holds its class.
KINDS = (("network", "network"), ("land_cover", "land_cover"), ("climate", "climate"), ("depth", "depth_class"))
DIAGRAM = (("r", "raw"), ("std_ratio", "raw"), ("ubrmsd", "raw"), ("bias", "raw"))


def strata_figures(run: Run, group: Group) -> list[figures.Figure]:
    """Densities by product and boxes of our product by class, from the scores of the series of one reference."""
    reference, split, subset = group
    scores = unscaled(run.scores)
    scores = scores[(scores["reference"] == reference) & (scores["split"] == split) & (scores["subset"] == subset)]
    scores = scores[scores["stratum_kind"] == "station"]
    found = []
    for metric, signal in DRAWN:
        part = scores[(scores["metric"] == metric) & (scores["signal"] == signal)]
        if len(part):
            found += _of_metric(run, part, metric, signal, f"against {reference}, {subset} sample")
    return found


def _of_metric(run: Run, part: pd.DataFrame, metric: str, signal: str, words: str) -> list[figures.Figure]:
    label, unit = metric_label(metric, signal), display(metric).unit
    axis = label if unit in ("", "1") else f"{label} ({unit})"
    by_product = {NAMES.get(name, name): part[part["product"] == name]["value"].tolist() for name in run.products}
    violin = figures.violin_figure(
        f"violin-{metric}", by_product, axis=axis, words=f"Density of {label} over the series {words}",
        alternative=f"Density of {label} by product",
    )  # fmt: skip
    ours = part[part["product"] == run.ours].set_index("stratum")["value"]
    boxes = [_boxes(run, ours, kind, column, label, axis, words) for kind, column in KINDS if column in run.stations]
    return [figure for figure in (violin, *boxes) if figure is not None]


def _boxes(
    run: Run, ours: pd.Series[float], kind: str, column: str, label: str, axis: str, words: str
) -> figures.Figure | None:
    """One box a class with enough series; None where fewer than two classes have them."""
    classes = run.stations.set_index("station_id")[column].astype(str)
    joined = pd.DataFrame({"value": ours, "class": classes.reindex(ours.index)}).dropna()
    values = {
        class_name(kind, str(name)): rows["value"].tolist()
        for name, rows in joined.groupby("class", sort=True)
        if len(rows) >= FEWEST
    }
    if len(values) < 2:
        return None
    n = sum(map(len, values.values()))
    caption = (
        f"{label} of {run.ours} by {kind_name(kind)} {words}: {count(n)} series, the number of each class in brackets; "
        f"boxes from quartile to quartile, whiskers to the 5th and 95th percentile. Classes of fewer than {FEWEST} "
        "series are only in the table."
    )
    name = f"box-{axis.partition(' ')[0].lower()}-{kind.replace('_', '-')}"
    return figures.box_figure(name, values, x_title=axis, caption=caption, alternative=f"{label} by {kind_name(kind)}")


def diagram_table(run: Run, group: Group) -> Table | None:
    """What the Taylor and the target diagram draw; None where the run holds no ratio of standard deviations."""
    reference, split, subset = group
    scores = run.overall
    scores = scores[(scores["reference"] == reference) & (scores["split"] == split) & (scores["subset"] == subset)]
    overall = scores[scores["stratum_kind"] == "all"]
    aggregate = headline_aggregate(overall)
    rows = records(overall[overall["aggregate"] == aggregate])
    found = {
        name: [one(rows, product=name, metric=metric, signal=signal) for metric, signal in DIAGRAM]
        for name in run.products
    }
    whole = {name: cells for name, cells in found.items() if all(cells)}
    if not whole:
        return None
    lines = tuple(
        Line(NAMES.get(name, name), (count(finite((cells[0] or {})["n"])),), tuple(score_cell(row) for row in cells))
        for name, cells in whole.items()
    )
    return Table(
        caption=f"What the diagrams show: {subset} sample against {reference}",
        sentence=sentence(run, reference, split, subset, aggregate),
        first="product",
        words=("series",),
        heads=tuple(Head(metric_label(m, s), display(m).unit) for m, s in DIAGRAM),
        lines=lines,
    )


def diagrams(run: Run, group: Group, table: Table) -> list[figures.Figure]:
    """The Taylor and the target diagram of the products that their table lists."""
    reference, _, subset = group
    values = {line.label: [float(cell.value) for cell in line.cells if cell.value is not None] for line in table.lines}
    whole = {label: cells for label, cells in values.items() if len(cells) == len(DIAGRAM)}
    if not whole:
        return []
    period = f"{run.period[0]} to {run.period[1]}, " if run.period else ""
    where = f"against {reference}, {subset} sample, {period}{max(line.words[0] for line in table.lines)} series"
    taylor = figures.taylor_figure(
        "taylor", {label: (r, ratio) for label, (r, ratio, _, _) in whole.items()}, reference=reference,
        caption=f"Taylor diagram {where}: R by the angle, the ratio of standard deviations by the radius. The nearer "
        "to the star, the smaller the error without the bias.",
    )  # fmt: skip
    target = figures.target_figure(
        "target", {label: (ubrmsd, bias, ratio) for label, (_, ratio, ubrmsd, bias) in whole.items()},
        reference=reference,
        caption=f"Target diagram {where}: the distance to the middle is the RMSE; upwards is too wet, left is varying "
        "less than the reference.",
    )  # fmt: skip
    return [taylor, target]
