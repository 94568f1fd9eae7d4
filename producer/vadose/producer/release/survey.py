"""One pass over all granules of a version: hashes, checks, coverage and the picture of each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.common import Progress
from vadose.common.processes import process_pool
from vadose.producer.granules.flags import FLAGS, RECOMMENDED
from vadose.producer.granules.names import parse_name
from vadose.producer.granules.reading import Granule, read_granule
from vadose.producer.release.checks import Context, problems

PERCENTILES = (5, 25, 50, 75, 95)
PICTURE_COLUMNS = 1440
# Below so many granules starting processes takes longer than they save.
FEWEST_FOR_PROCESSES = 200
# Grey levels of a picture: 0 to 250 are soil moisture, these two are not.
OUTSIDE, FLAGGED = 255, 254
PICTURE_TOP = 0.5


@dataclass(frozen=True)
class Surveyed:
    """What one granule gave.

    Attributes
    ----------
    path
        Inside the version folder.
    entry
        Its entry in the manifest, without `since` and `status`.
    coverage
        Its row of `quality/coverage.csv`.
    problems
        Failed checks: name and reason.
    picture
        Soil moisture as bytes for the quicklook, (rows, columns).
    """

    path: str
    entry: dict[str, Any]
    coverage: dict[str, Any]
    problems: tuple[tuple[str, str], ...]
    picture: npt.NDArray[np.uint8]


def survey(context: Context, paths: Sequence[str], progress: Progress) -> list[Surveyed]:
    """Read every granule once, by all cores where there are many; in the order of the paths.

    Parameters
    ----------
    context
        What the checks compare with.
    paths
        Granules inside the version folder.
    progress
        Where to report.
    """
    with progress.step("check granules", len(paths)) as step:
        found = []
        for result in _results(context, paths):
            found.append(result)
            step.advance()
        return found


def _results(context: Context, paths: Sequence[str]) -> Iterator[Surveyed]:
    workers = os.cpu_count() or 1
    if len(paths) < FEWEST_FOR_PROCESSES or workers == 1:
        yield from (survey_one(context, path) for path in paths)
        return
    with process_pool(workers, initializer=_start, initargs=(context,)) as pool:
        yield from pool.map(_survey_in_process, paths, chunksize=32)


_context: list[Context] = []


def _start(context: Context) -> None:
    _context[:] = [context]


def _survey_in_process(path: str) -> Surveyed:
    return survey_one(_context[0], path)


def survey_one(context: Context, path: str) -> Surveyed:
    """Hashes, checks, coverage and picture of one granule; an unreadable one is a problem, not an error."""
    image = (context.folder / path).read_bytes()
    granule = read_granule(context.folder / path, image=image)
    return Surveyed(
        path,
        entry(granule, path, image),
        coverage_row(granule),
        tuple(problems(context, granule, len(image))),
        picture(granule),
    )


def entry(granule: Granule, path: str, image: bytes) -> dict[str, Any]:
    """The manifest's entry of a granule."""
    name = parse_name(Path(path).name)
    return {
        "path": path, "role": "granule", "stream": name.stream, "step": name.step,
        "start": granule.attributes.get("time_coverage_start"), "end": granule.attributes.get("time_coverage_end"),
        "bytes": len(image), "sha256": hashlib.sha256(image).hexdigest(), "content_sha256": granule.content_sha256,
        "header_sha256": granule.header_sha256, "tracking_id": granule.attributes.get("tracking_id"),
        "since": name.version, "status": "published", "replaces": None, "reason": None,
    }  # fmt: skip


def coverage_row(granule: Granule) -> dict[str, Any]:
    """Day, cells expected and given, share of each flag among the expected cells, mean and percentiles (m3 m-3)."""
    flag, sm = granule.values["flag"], granule.values["sm"]
    inside = (flag & FLAGS[0].mask) == 0
    expected = int(inside.sum())
    given = inside & (sm >= 0)
    values = sm[given].astype(np.float64)
    shares = {
        f"share_{item.name}": float(((flag[inside] & item.mask) != 0).mean()) if expected else 0.0 for item in FLAGS[1:]
    }
    middle = np.percentile(values, PERCENTILES) if values.size else np.full(len(PERCENTILES), np.nan)
    cold = ((flag & (4 | 8)) != 0) & inside
    return {
        "day": str(granule.attributes.get("time_coverage_start", ""))[:10], "cells_expected": expected,
        "cells_given": int(values.size), "cells_recommended": int((given & ((flag & RECOMMENDED) == 0)).sum()),
        "cells_cold": int(cold.sum()), **shares, "mean": float(values.mean()) if values.size else np.nan,
        **{f"p{level:02d}": float(value) for level, value in zip(PERCENTILES, middle, strict=True)},
    }  # fmt: skip


def picture(granule: Granule) -> npt.NDArray[np.uint8]:
    """Soil moisture from 0 to 0.5 m3 m-3 as 0 to 250; cells outside the domain and those not recommended are marked."""
    sm, flag = granule.values["sm"][0], granule.values["flag"][0]
    step = max(1, -(-sm.shape[1] // PICTURE_COLUMNS))
    sm, flag = sm[::step, ::step], flag[::step, ::step]
    level = np.round(np.clip(sm / PICTURE_TOP, 0.0, 1.0) * 250.0).astype(np.uint8)
    level[(flag & RECOMMENDED) != 0] = FLAGGED
    level[(flag & FLAGS[0].mask) != 0] = OUTSIDE
    return np.asarray(level)
