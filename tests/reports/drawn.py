"""Every number that a figure draws, and where it comes from: score files, diagnostics, granules, committed results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd

FIELDS = ("x", "y", "z", "r", "theta", "lat", "lon", "color", "array", "arrayminus", "q1", "median", "q3",
          "lowerfence", "upperfence")  # fmt: skip
# By field: what it may draw, to how many decimals, and whether it must draw all of it.
Known = dict[str, tuple]


@dataclass(frozen=True)
class Source:
    """Where a figure's numbers are: the built site, its workspace and project, and the folder of its version."""

    site: Path
    workspace: Path
    project: Path
    address: str

    def table(self, name: str) -> pd.DataFrame:
        """A file of the version."""
        return pd.read_parquet(self.site / "data" / self.address / name)

    def committed(self, name: str) -> pd.DataFrame:
        """A committed table."""
        return pd.read_parquet(self.project / "data" / name)

    @property
    def coverage(self) -> pd.DataFrame:
        """The counts of the cells of each day, of the newest published version for the page of the product."""
        address = self.address if "/v" in self.address else f"{self.address}/{self.newest}"
        return pd.read_csv(self.workspace / "releases" / address / "quality" / "coverage.csv")

    @property
    def newest(self) -> str:
        """The newest published version of a product."""
        document = json.loads((self.workspace / "releases" / self.address / "latest.json").read_text())
        return f"v{document['version']}"

    def granules(self, address: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Soil moisture and flag of each granule that is on the disk, by its name."""
        folder = self.workspace / "releases" / address
        for path in sorted(folder.rglob("*DAILY*.nc")):
            with netCDF4.Dataset(path) as file:
                yield np.ma.filled(file["sm"][0], np.nan), np.ma.filled(file["flag"][0], 0)


def numbers(spec: dict) -> Iterator[tuple[str, list, int | tuple[int, int], float]]:
    """Field, the list that holds it, its place in there and the number, of all traces but drawn help lines."""
    for trace in spec["data"]:
        if trace.get("hoverinfo") == "skip" and trace.get("meta") == "text":
            continue
        parts = [trace, trace.get("marker", {}), trace.get("error_x", {}), trace.get("error_y", {})]
        for part in parts:
            for field in FIELDS:
                found = part.get(field)
                for place, item in enumerate(found if isinstance(found, list) else []):
                    cells = item if isinstance(item, list) else [item]
                    kept = item if isinstance(item, list) else found
                    for k, value in enumerate(cells):
                        if isinstance(value, int | float) and not isinstance(value, bool):
                            yield field, kept, k if isinstance(item, list) else place, float(value)


def spread(frame: pd.DataFrame, low: str = "ci_low", high: str = "ci_high", value: str = "value") -> list[float]:
    """Lengths of the bars from a value to the ends of its interval; none at all is a bar of no length."""
    return [*(frame[high] - frame[value]), *(frame[value] - frame[low]), 0.0]


def of_scores(source: Source) -> Known:
    """A figure of scores: values along an axis or as colours, intervals as bars."""
    rows = source.table("scores.parquet")
    value = ([*rows["value"], *range(40)], 5)
    stations = json.loads((source.site / "data" / source.address / "stations.json").read_text())["columns"]
    return {"x": value, "y": value, "color": value, "array": (spread(rows), 9), "arrayminus": (spread(rows), 9),
            "lat": (stations["lat"], 5), "lon": (stations["lon"], 5)}  # fmt: skip


def of_curves(rows: pd.DataFrame, decimals: int = 9) -> Known:
    """A figure of curves."""
    known = ([*rows["x"], *rows["y"]], decimals)
    bars = (spread(rows, "low", "high", "y"), 9)
    return {"x": known, "y": known, "array": bars, "arrayminus": bars}


def of_counts(counts: Sequence[float], places: Sequence[float]) -> Known:
    """A scatter density: logarithms of counts in regular bins between the first and the last."""
    step = 0.5 * np.diff(np.unique(places)).min()
    bins = np.arange(min(places), max(places) + step, step)
    return {"x": (bins, 6), "y": (bins, 6), "z": (np.log10(counts), 4)}


def kernel(values: np.ndarray, x: float) -> float:
    """Silverman's density at one place, term by term."""
    quartiles = np.percentile(values, [25, 75])
    width = 0.9 * min(values.std(ddof=1), (quartiles[1] - quartiles[0]) / 1.34) * len(values) ** -0.2
    terms = [np.exp(-(((x - v) / width) ** 2) / 2) / np.sqrt(2 * np.pi) for v in values]
    return float(sum(terms) / len(values) / width)


def of_violin(source: Source, metric: str) -> Known:
    """Densities of station scores, one for each product, at 101 places."""
    rows = source.table("scores.parquet")
    rows = rows[(rows["stratum_kind"] == "station") & (rows["metric"] == metric) & (rows["signal"] == "raw")]
    values = rows[rows["product"] == "vadose"]["value"].to_numpy()
    pad = 0.08 * np.ptp(values)
    x = np.linspace(values.min() - pad, values.max() + pad, 101)
    return {"x": (x, 5), "y": ([kernel(values, one) for one in x], 4)}


def of_field(source: Source, newest_day: bool) -> Known:
    """The map of the newest day, or of the mean of the newest month, of the product's newest version."""
    address = f"{source.address}/{source.newest}"
    days = [np.where(flag & 399, np.nan, values) for values, flag in source.granules(address)]
    cells = [[v for v in column if np.isfinite(v)] for column in zip(*(day.ravel() for day in days), strict=True)]
    mean = days[-1].ravel() if newest_day else np.array([sum(v) / len(v) if v else np.nan for v in cells])
    lat, lon = 49.875 - 0.25 * np.arange(20), 5.125 + 0.25 * np.arange(24)
    return {"z": (mean[np.isfinite(mean)], 4, "all"), "x": (lon, 5), "y": (lat, 5)}


def of_gaps(source: Source) -> Known:
    """Per cent of the cells of a row inside the domain that pass the flags."""
    shares = []
    for values, flag in source.granules(source.address):
        inside = (flag & 1) == 0
        kept = np.isfinite(values) & ((flag & 399) == 0)
        shares += [100 * k[i].sum() / i.sum() for k, i in zip(kept, inside, strict=True) if i.any()]
    return {"z": (shares, 2), "y": (49.875 - 0.25 * np.arange(20), 4)}


def of_coverage(source: Source) -> Known:
    """Per cent of the expected cells, means of flags, spread of the values."""
    rows = source.coverage
    share = 100 * rows["cells_given"] / rows["cells_expected"]
    means = [100 * rows[name].mean() for name in rows if name.startswith("share_")]
    parts = [rows[name] for name in ("mean", "p05", "p95") if name in rows]
    return {"z": (share, 2), "y": ([*share, *(v for part in parts for v in part)], 3), "x": ([*means, *range(367)], 4)}


def of_diagram(source: Source) -> Known:
    """R as an angle, the ratio of standard deviations, ubRMSD with a sign and bias."""
    rows = source.table("scores.parquet")
    rows = rows[(rows["stratum_kind"] == "all") & (rows["subset"] == "common")].set_index("metric")["value"]
    r, ratio, ubrmsd, bias = (np.atleast_1d(rows.loc[name]) for name in ("r", "std_ratio", "ubrmsd", "bias"))
    angles = np.degrees(np.arccos(r))
    return {"theta": (angles, 9), "r": (ratio, 9), "x": ([*ubrmsd, *-ubrmsd], 9), "y": (bias, 9)}


def of_committed(source: Source, name: str, value: str, decimals: int = 9) -> Known:
    """Values with intervals out of a committed table."""
    rows = source.committed(name)
    ends = spread(rows, value=value) if "ci_low" in rows else []
    known = (rows[value], decimals)
    return {"x": known, "y": known, "array": (ends, 9), "arrayminus": (ends, 9)}


def of_trial(source: Source) -> Known:
    """Shares of intervals that hold the truth, ours and the textbook's."""
    rows = source.committed("skill/coverage.parquet")
    return {"x": (pd.concat([rows[name] for name in ("coverage", "coverage_ok", "textbook")]), 9)}


def of_boxes(source: Source) -> Known:
    """Percentiles of R² of the valid triplets of independent errors."""
    rows = source.committed("validation/hawaii_triplets.parquet")
    rows = rows[(rows["audit"] == "independent") & (rows["status"] == "ok") & (rows["signal"] == "raw")]
    found = rows.groupby("product")["r2"]
    shares = {"lowerfence": 0.05, "q1": 0.25, "median": 0.5, "q3": 0.75, "upperfence": 0.95}
    return {field: (found.quantile(share), 9) for field, share in shares.items()}


def of_changes(source: Source, metric: str) -> Known:
    """Differences between two versions at single stations."""
    version = source.address.rpartition("-to-")[2]
    product = source.address.partition("/")[0]
    folder = source.site / "data" / product / version
    rows = pd.read_parquet(folder / "comparisons.parquet")
    rows = rows[(rows["stratum_kind"] == "station") & (rows["metric"] == metric)]
    stations = json.loads((folder / "stations.json").read_text())["columns"]
    return {"color": (rows["difference"], 5), "lat": (stations["lat"], 5), "lon": (stations["lon"], 5)}


def of_facts(source: Source) -> Known:
    """Parts of an error budget, which are facts and no scores."""
    facts, scores = source.table("tables.parquet")["value"], source.table("scores.parquet")["value"]
    return {"x": ([*facts, *scores], 9), "y": ([*facts, *scores], 9)}


def density(source: Source, match: re.Match) -> Known:
    """Predicted against observed values of one method: the ensemble, else the first seed."""
    rows = source.committed("skill/density.parquet")
    rows = rows[(rows["method"] == match["method"]) & (rows["split"] == match["split"].upper())]
    seed = "ensemble" if "ensemble" in set(rows["seed"]) else min(rows["seed"])
    rows = rows[rows["seed"] == seed]
    return of_counts(rows["count"], [*rows["reference"], *rows["predicted"]])


def run_density(source: Source, _: re.Match) -> Known:
    """Days of a run by station and product."""
    rows = source.table("curves.parquet").query("figure == 'scatter_density'")
    return of_counts(rows["low"], [*rows["x"], *rows["y"]])


def run_curves(decimals: int) -> Callable[[Source, re.Match], Known]:
    """Any curve of a run."""
    return lambda source, _: of_curves(source.table("curves.parquet"), decimals)


# Every figure of the site is one of these.
RULES: tuple[tuple[str, Callable[[Source, re.Match], Known]], ...] = (
    (r"compare/.*/change-(?P<metric>r|ubrmsd)-raw", lambda s, m: of_changes(s, m["metric"])),
    (r"v[\d.]+/(scores-\d|stations/\w+|stability/slopes-.*|uncertainty/coverage-90-.*|collocation/.*)",
     lambda s, m: of_scores(s)),
    (r"v[\d.]+/budget/.*", lambda s, m: of_facts(s)),
    (r"v[\d.]+/density-.*", run_density),
    (r"v[\d.]+/maps/grid/spatial-.*", run_curves(4)),
    (r"v[\d.]+/(seasonal-cycle|rivals/lags|stability/months|uncertainty/(pit|reliability|spread-skill))-.*",
     run_curves(9)),
    (r"v[\d.]+/maps/grid/(spectra|zonal-means)", run_curves(9)),
    (r"v[\d.]+/rivals/(taylor|target)", lambda s, m: of_diagram(s)),
    (r"v[\d.]+/strata/violin-(?P<metric>\w+)", lambda s, m: of_violin(s, m["metric"])),
    (r"v[\d.]+/coverage/hovmoller", lambda s, m: of_gaps(s)),
    (r"(v[\d.]+/coverage/(calendar|flags|spread)|[a-z0-9-]+/coverage)", lambda s, m: of_coverage(s)),
    (r"[a-z0-9-]+/latest-(?P<span>day|month)", lambda s, m: of_field(s, m["span"] == "day")),
    (r"evidence/coverage-.*", lambda s, m: of_trial(s)),
    (r"evidence/granule-.*", lambda s, m: of_curves(s.committed("validation/granule_curves.parquet"))),
    (r"evidence/hawaii-r2", lambda s, m: of_boxes(s)),
    (r"evidence/yanco-.*", lambda s, m: of_committed(s, "validation/yanco_scores.parquet", "value")),
    (r"evidence/cci-.*", lambda s, m: of_committed(s, "validation/cci_trends.parquet", "slope")),
    (r"(skill|experiments/[a-z-]+)/density-(?P<split>p\d)-(?P<method>.*)", density),
    (r"experiments/small-system/attention-\d",
     lambda s, m: of_curves(s.committed("experiments/small-system/gap_curves.parquet"))),
    (r"skill/memory-\d", lambda s, m: of_curves(s.committed("skill/memory.parquet"))),
)  # fmt: skip


def known_of(path: Path, site: Path, workspace: Path, project: Path) -> Known | None:
    """What a figure may draw; None for the empty frame of the station series; a figure without a rule is a fault."""
    name = path.relative_to(site / "data" / "figures").with_suffix("").as_posix()
    if name.endswith("stations-series"):
        return None
    folder = re.match(r"(?P<product>[a-z0-9-]+)(/(v[\d.]+|compare/[^/]+))?", name)
    assert folder is not None
    source = Source(site, workspace, project, folder[0])
    found = [(rule, match) for pattern, rule in RULES if (match := re.search(rf"(^|/){pattern}$", name))]
    assert len(found) == 1, f"{len(found)} rules for the figure {name}"
    return found[0][0](source, found[0][1])


def faults(spec: dict, known: Known) -> list[str]:
    """Numbers of a figure that none of its sources holds."""
    wrong = []
    for field, _, _, value in numbers(spec):
        if field not in known:
            wrong.append(f"{field} {value} has no source")
            continue
        given, decimals = known[field][:2]
        values = np.asarray(list(given), float)
        if not np.any(np.abs(values - value) <= 0.5001 * 10.0**-decimals):
            wrong.append(f"{field} {value} is in no file")
    for field, (given, decimals, *_) in ((name, one) for name, one in known.items() if len(one) == 3):
        drawn = sorted(value for name, _, _, value in numbers(spec) if name == field)
        if not np.allclose(drawn, sorted(given), rtol=0, atol=0.5001 * 10.0**-decimals):
            wrong.append(f"not all of {field} is drawn")
    return wrong
