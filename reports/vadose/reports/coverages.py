"""The page of gaps and coverage of a release: when and where values are missing, and which flags are set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from vadose.reports import figures
from vadose.reports.data import Release
from vadose.reports.fields import sampled_gaps
from vadose.reports.formats import count
from vadose.reports.pages import Page, Renderer
from vadose.reports.products import coverage_share
from vadose.reports.versions import Version, version_page

_SHARE = "share_"
_SPREAD = {"day", "mean", "p05", "p95"}


@dataclass(frozen=True)
class Year:
    """One line of the table by year; shares in per cent of the expected cells, None where they are not known."""

    year: str
    days: int
    given: float
    recommended: float | None
    least: float
    least_day: str


def coverage_page(version: Version, release: Release, renderer: Renderer) -> Page:
    """Coverage by day, by latitude and by flag, from `quality/coverage.csv` and sampled granules."""
    frame = release.coverage
    if frame is None:
        raise AssertionError(f"{release.address} has no coverage table")
    folder = f"{version.address}/coverage"
    renderer.output.add(f"{version.data}/coverage.csv", (release.folder / "quality" / "coverage.csv").read_bytes())
    days, share = coverage_share(release)
    drawn = [figures.calendar_figure("calendar", days, share)]
    # Older versions keep the table; reading the granules of twenty versions would take longer than all other pages.
    gaps = sampled_gaps(release) if release.status in ("current", "preview") else None
    if gaps is not None:
        drawn.append(figures.hovmoller_figure("hovmoller", gaps.days, gaps.lat, gaps.share))
    flags = flag_shares(frame)
    if any(mean > 0 for mean, _ in flags.values()):
        drawn.append(figures.flag_figure("flags", {word: mean for word, (mean, _) in flags.items()}, days))
    if set(frame) >= _SPREAD:
        drawn.append(figures.spread_of_days_figure("spread", frame))
    values: dict[str, Any] = {
        "figures": [renderer.place(figure, folder) for figure in drawn],
        "years": years(frame),
        "flags": [(word, 100 * mean, 100 * most) for word, (mean, most) in flags.items()],
        "days": count(len(days)),
        "period": (days[0], days[-1]),
        "latency": latency(days[-1], str(release.manifest["issued"])),
        "source": f"{version.data}/coverage.csv",
    }
    return version_page(version, "coverage.md", f"{version.title}: coverage", "coverage.md.jinja", values)


def flag_shares(frame: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Mean and largest share of the expected cells under each flag, largest mean first."""
    names = [str(name) for name in frame if str(name).startswith(_SHARE)]
    found = {
        name.removeprefix(_SHARE).replace("_", " "): (float(frame[name].mean()), float(frame[name].max()))
        for name in names
    }
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def years(frame: pd.DataFrame) -> list[Year]:
    """Days and shares of each year; a share is of the sum of the expected cells."""
    result = []
    for name, part in frame.groupby(frame["day"].astype(str).str[:4], sort=True):
        expected = float(part["cells_expected"].sum()) or float("nan")
        daily = (100 * part["cells_given"] / part["cells_expected"].where(part["cells_expected"] > 0)).fillna(0.0)
        kept = 100 * float(part["cells_recommended"].sum()) / expected if "cells_recommended" in part else None
        result.append(
            Year(
                str(name), len(part), 100 * float(part["cells_given"].sum()) / expected, kept, float(daily.min()),
                str(part["day"].iloc[int(daily.to_numpy().argmin())]),
            )
        )  # fmt: skip
    return result


def latency(newest: str, issued: str) -> int:
    """Days from the newest day of a record to the day on which it was issued."""
    return (date.fromisoformat(issued[:10]) - date.fromisoformat(newest[:10])).days
