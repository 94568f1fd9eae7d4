"""`python -m vadose.producer.experiments.predictors OUT`: downscaling with each predictor left out in turn.

The twin of `experiments.twin` with monthly steps: the full network, and one without each predictor. Beside the scores
stand the scatter of the downscaled field and the mean of the land beside its rain. About five minutes on one core.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.common import Progress, silent
from vadose.producer.experiments.judging import SAME, Judge, bands, said
from vadose.producer.experiments.maps import month_sheets
from vadose.producer.experiments.tables import publish, records
from vadose.producer.experiments.twin import (
    DAILY,
    STATIC,
    UNIT,
    WORLD,
    Twin,
    downscaled,
    fields,
    make_twin,
    scores,
    test_steps,
)
from vadose.producer.methods.coarsening import Timeline
from vadose.producer.recipe import Predictors
from vadose.producer.simulate.settings import Settings
from vadose.producer.training.maps import Sheet
from vadose.producer.training.points import COLUMNS, curve_row

Doubles = npt.NDArray[np.float64]

COMMAND = "python -m vadose.producer.experiments.predictors site/data/experiments/tc-lstm-downscaling"
FULL = "all predictors"
STEPS = 400
# Blocks that are drawn for intervals, degrees, and months that a cell needs.
BLOCK_DEGREES, FEWEST_MONTHS = 0.5, 8
DRAWN = ("downscaled", "bilinear", "not downscaled")


def main(out: Path, command: str, settings: Settings = WORLD, steps: int = STEPS,
         omitted: tuple[str, ...] | None = None, progress: Progress = silent) -> None:  # fmt: skip
    """Train the full network and one without each predictor, and write the tables."""
    left_out = (*DAILY, *STATIC) if omitted is None else omitted
    with tempfile.TemporaryDirectory() as folder:
        twin = make_twin(settings, Path(folder) / "twin.zarr")
        timeline, months = test_steps(twin, "monthly")
        found = {name: fields(twin, _model(twin, name, steps, progress), months) for name in (FULL, *left_out)}
        table = score_table(twin, found)
        curves = pd.DataFrame([*scatter(found[FULL]), *land_means(twin, timeline, months, found[FULL])],
                              columns=COLUMNS)  # fmt: skip
    told = {
        "title": "Which predictor the downscaling needs",
        "question": "How much worse is the downscaled field when the network lacks a predictor?",
        "what": f"The twin with monthly steps, {steps} steps of training, area-to-point residuals, one seed. "
                "Differences to the network with all predictors are medians over cells of the RMSE of the months of "
                f"the test year, with 95 % intervals by drawing blocks of {BLOCK_DEGREES} degrees.",
        "finding": finding(table),
        "figures": {
            "downscaled by truth": {
                "x": f"truth ({UNIT})", "y": "field",
                "caption": "Median and 5th to 95th percentile of a field by classes of the truth, test year",
            },
            "series": {"x": "year", "caption": "Mean of the land by month of the test year"},
            "downscaled_map": {"caption": "Soil moisture of two months of the test year: the truth of 0.05 degree, "
                                          "its means of 0.25 degree, which are given, interpolated and downscaled"},
            "off_map": {"signed": True, "caption": "The same fields less the truth"},
        },
    }  # fmt: skip
    tables = {"predictors_scores": table, "predictors_curves": curves}
    stamps = twin.cube.days[np.searchsorted(timeline.number, months)]
    publish(out, "predictors", told, tables, command, (twin.cube, list(sheets(found[FULL], stamps))))


def _model(twin: Twin, name: str, steps: int, progress: Progress) -> Any:
    chosen = Predictors(daily=tuple(one for one in DAILY if one != name),
                        static=tuple(one for one in STATIC if one != name))  # fmt: skip
    return downscaled(twin, "monthly", {"training": {"steps": steps}}, progress, chosen)


def score_table(twin: Twin, found: Mapping[str, Mapping[str, Doubles]]) -> pd.DataFrame:
    """Scores of each network, and what it loses on the full one; the one that loses most first."""
    judge = Judge.of(twin.cube, found[FULL]["truth"], BLOCK_DEGREES)
    judge = Judge(judge.reference, judge.block, FEWEST_MONTHS)
    full = judge.cells(found[FULL]["downscaled"], "rmse")
    rows: list[dict[str, Any]] = []
    for name, made in found.items():
        own = scores(made, twin.blocks)[0]
        apart = judge.difference(judge.cells(made["downscaled"], "rmse") - full, "rmse")
        rows.append({
            "left_out": "nothing" if name == FULL else name,
            **{key: own[key] for key in ("R", "ubRMSD", "R within blocks", "block mean RMSE")},
            "rmse_growth": apart["difference"], "ci_low": apart["ci_low"], "ci_high": apart["ci_high"],
            "verdict": "" if name == FULL else apart["verdict"], "unit": UNIT,
        })  # fmt: skip
    return pd.DataFrame([rows[0], *sorted(rows[1:], key=lambda row: -row["rmse_growth"])])


def scatter(made: Mapping[str, Doubles]) -> Iterator[dict[str, Any]]:
    """Bands of the downscaled field and its rivals by classes of the truth."""
    for name in DRAWN:
        yield from bands("downscaled by truth", "", name, made[name], made["truth"])


def land_means(
    twin: Twin, timeline: Timeline, months: npt.NDArray[np.int64], made: Mapping[str, Doubles]
) -> Iterator[dict[str, Any]]:
    """Means of all cells by month: true and downscaled soil moisture, and rain."""
    stamps = twin.cube.days[np.searchsorted(timeline.number, months)].astype("datetime64[M]").astype(np.int64)
    rain = timeline.means(twin.cube.read("precipitation"), 0, timeline.count)[months]
    for k, stamp in enumerate(stamps):
        year = 1970 + float(stamp) / 12
        for name in ("truth", "downscaled"):
            yield curve_row("series", "soil moisture", name, year, float(made[name][k].mean()), UNIT)
        yield curve_row("series", "precipitation", "rain", year, float(np.nanmean(rain[k])), "mm d-1")


def sheets(made: Mapping[str, Doubles], stamps: npt.NDArray[np.datetime64]) -> Iterator[Sheet]:
    """Maps of two months, and of what each field is off the truth; fields are (step, cell)."""
    shown = {name: made[name] for name in ("truth", *DRAWN[::-1])}
    yield from month_sheets("downscaled_map", shown, stamps, UNIT)
    apart = {name: made[name] - made["truth"] for name in DRAWN[::-1]}
    yield from month_sheets("off_map", apart, stamps, UNIT)


def finding(table: pd.DataFrame) -> str:
    """What came out, in sentences."""
    rows = records(table)
    told = [f"{row['left_out']} {said(row['rmse_growth'], row['ci_low'], row['ci_high'])}" for row in rows[1:]]
    needed = [str(row["left_out"]) for row in rows[1:] if row["verdict"] == "worse"]
    said_needed = ", ".join(needed) if needed else "none of them"
    free = sum(row["verdict"] == SAME for row in rows[1:])
    return (f"Growth of RMSE in {UNIT} when a predictor is left out: {'; '.join(told)}. Shown to be needed: "
            f"{said_needed}; no difference is shown for {free} of {len(rows) - 1}.")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), COMMAND, progress=Progress("plain"))
