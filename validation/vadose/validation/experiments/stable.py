"""Sixteen series of ESA CCI, GLDAS and MERRA-2, 1978-2018: trends of their differences, power, and breaks."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.statistics.trends import monthly_means, pettitt, step_at, trend, without_month_climatology
from vadose.validation.stability import trend_figures

FILE = Path("cci_points") / "cci_points_daily.csv.gz"
PRODUCTS = ("cci", "gldas", "merra2")
# First days of the sensor periods of ESA CCI combined: from its product user guide.
CHANGES = ("1987-07-09", "1991-08-05", "1998-01-01", "2002-06-19", "2007-01-01", "2011-10-05", "2012-07-01")


def cci_stability(data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trends and breaks of every pair of products in every series.

    Returns
    -------
    trends, breaks
        One row for each series and pair: slope per decade with its interval, verdict, and the slopes that the record
        would show; and undeclared (Pettitt) and declared (sensor periods of ESA CCI) breaks with their size and p.
    """
    table = pd.read_csv(data / FILE)
    trends, breaks = [], []
    for series, rows in table.groupby("series", sort=True):
        days = pd.to_datetime(rows["date"]).to_numpy().astype("datetime64[D]")
        whole = np.arange(days.min(), days.max() + 1)
        at = (days - whole[0]).astype(int)
        values = {}
        for name in PRODUCTS:
            values[name] = np.full(whole.size, np.nan)
            values[name][at] = rows[name].to_numpy(float)
        for one, other in combinations(PRODUCTS, 2):
            difference = values[one] - values[other]
            if np.isfinite(difference).any():
                row, found = _pair(str(series), f"{one}-{other}", difference, whole)
                trends.append(row)
                breaks += found
    return pd.DataFrame(trends), pd.DataFrame(breaks)


def _pair(
    series: str, pair: str, difference: np.ndarray, days: np.ndarray
) -> tuple[dict[str, object], list[dict[str, object]]]:
    means, months = monthly_means(difference, days)
    monthly = without_month_climatology(means, months)
    head = {"series": series, "pair": pair, "unit": "m3 m-3 per decade"}
    row: dict[str, object] = {**head, **trend_figures(trend(monthly[None]), 0)}
    out = []
    likely = pettitt(monthly[None])
    if likely.position[0] >= 0 and np.isfinite(likely.p[0]):
        month = str(months[likely.position[0]].astype("datetime64[M]"))
        out.append(_break(series, pair, "undeclared", month, float(likely.difference[0]), float(likely.p[0])))
    if pair.startswith("cci-"):
        for change in CHANGES:
            position = int((np.datetime64(change) - days[0]).astype(int))
            if 0 < position < days.size:
                step = step_at(difference[None], position)
                if np.isfinite(step.p[0]):
                    ends = float(step.ci_low[0]), float(step.ci_high[0])
                    out.append(
                        _break(series, pair, "declared", change, float(step.difference[0]), float(step.p[0]), ends)
                    )
    return row, out


def _break(
    series: str, pair: str, kind: str, when: str, difference: float, p: float,
    ends: tuple[float, float] = (np.nan, np.nan),
) -> dict[str, object]:  # fmt: skip
    return {
        "series": series, "pair": pair, "kind": kind, "when": when, "difference": difference, "ci_low": ends[0],
        "ci_high": ends[1], "p": p, "unit": "m3 m-3",
    }  # fmt: skip
