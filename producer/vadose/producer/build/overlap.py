"""How the ICDR's predictions differ from the CDR over the last year of the CDR."""

from __future__ import annotations

from typing import Any

import numpy as np

from vadose.common import read_json, write_json
from vadose.producer.build.base import Base
from vadose.producer.build.links import link
from vadose.producer.build.prediction import SCRATCH, Job, Scratch, Slices, predict_slab
from vadose.producer.build.slabs import ONE_DAY, Days, slabs
from vadose.producer.granules import read_granule
from vadose.producer.granules.periods import period_end, product_periods
from vadose.producer.recipe import Recipe
from vadose.producer.release.differences import Difference
from vadose.producer.release.lineage import OVERLAP as FILE

# A year, leap or not.
OVERLAP = np.timedelta64(366, "D")


def overlap_periods(recipe: Recipe) -> Days:
    """First days of the last year of the CDR, before the ICDR begins; none for a record of one stream."""
    record = product_periods(recipe.product)
    if recipe.product.icdr_from is None:
        return record[:0]
    begin = np.datetime64(recipe.product.icdr_from, "D")
    inside: Days = record[(record >= begin - OVERLAP) & (record < begin)]
    return inside


def write_overlap(job: Job, base: Base) -> None:
    """Write `quality/overlap.json`, or take it along from the earlier version, whose ICDR began on the same day."""
    periods = overlap_periods(job.recipe)
    if not periods.size:
        return
    known = base.folder.path / FILE
    target = job.directory / FILE
    if known.is_file() and read_json(known)["icdr_from"] == str(job.recipe.product.icdr_from):
        link(known, target)
        return
    found = compare_streams(job, base, periods)
    if not target.is_file() or read_json(target) != found:
        write_json(target, found)


def compare_streams(job: Job, base: Base, periods: Days) -> dict[str, Any]:
    """Predict the CDR's periods as the ICDR would, and compare with its granules; only periods with inputs count."""
    step = job.recipe.product.step
    difference = Difference()
    used: list[np.datetime64] = []
    scratch = Scratch(job.directory / SCRATCH, job.recipe, job.cube, job.origin)
    rows, columns = job.recipe.product.grid.grid().shape
    for slab in slabs(job.recipe):
        todo = [first for first in periods if slab.days[0] <= first <= slab.days[-1] and first in base.granules]
        todo = [first for first in todo if _in_cube(job, first)]
        if not todo:
            continue
        predict_slab(job, slab, period_end(todo[-1], step) - ONE_DAY, scratch)
        slices = Slices(job.cube, slab, scratch, step)
        for first in todo:
            difference.add(read_granule(base.path(first)).values, slices.cells(first).strip(0, rows, columns))
        used += todo
        scratch.drop(slab)
    scratch.remove()
    ends = [period_end(first, step) for first in used]
    days = sum(int((end - first) / ONE_DAY) for first, end in zip(used, ends, strict=True))
    return {
        "schema_version": 1, "icdr_from": str(job.recipe.product.icdr_from),
        "cdr": sorted({str(base.granules[first]["since"]) for first in used}), "days_covered": days,
        "first": str(used[0]) if used else None, "last": str(ends[-1] - ONE_DAY) if used else None,
        **difference.result("cdr", "icdr"),
    }  # fmt: skip


def _in_cube(job: Job, first: np.datetime64) -> bool:
    """Whether the cube holds every day of a period."""
    last = period_end(first, job.recipe.product.step) - ONE_DAY
    return bool(first >= job.cube.days[0] and last <= job.cube.days[-1])
