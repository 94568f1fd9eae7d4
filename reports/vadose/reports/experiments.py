"""Experiments of the validation on real data: what was asked, what was run, and what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vadose.reports import figures
from vadose.reports.captions import table_caption
from vadose.reports.collocations import RELATIONS
from vadose.reports.committed import Experiment
from vadose.reports.figures import Dot
from vadose.reports.formats import SIGNALS, VOLUME, count
from vadose.reports.listings import Committed, Listing, written
from vadose.reports.pages import PlacedFigure, Renderer
from vadose.reports.stability import LIMIT, VERDICTS
from vadose.reports.tables import finite

ABOUT = ("command", "commit", "date", "machine")
_TOLD = ("question", "what", "summary", "finding")


@dataclass(frozen=True)
class Section:
    """One experiment as it stands on the page."""

    title: str
    told: tuple[str, ...]
    about: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    figures: tuple[PlacedFigure, ...]
    listings: tuple[Listing, ...]
    files: tuple[tuple[str, tuple[str, ...]], ...]


# Title and text by the first word of the names of tables.
KNOWN: dict[str, tuple[str, str]] = {
    "hawaii": (
        "Every triplet of fourteen products at ten points of Hawaii",
        "Fourteen products, 2017 to 2018. Only triplets whose errors the product cards call independent may be ranked; "
        "how many of them are valid at a point, and why the others are not, is the finding. R² with the truth is "
        "drawn, since it has no unit: some products are in percent of saturation.",
    ),
    "cci": (
        "Forty years at sixteen places",
        "Monthly differences between ESA CCI combined, GLDAS Noah and MERRA-2, 1978 to 2018: slopes with verdict and "
        "power, breaks that the test finds, and steps at the days on which the sensors of ESA CCI change.",
    ),
    "granule": (
        "One granule of SMAP beside GLDAS and ERA5",
        "Native files, read by the door that every product comes in, compared on SMAP’s own grid. The three files are "
        "of different years, so that climate and not weather is compared: the figures say what the suite does with "
        "native files, not how good a product is.",
    ),
    "yanco": (
        "Two core cells of SMAP at Yanco",
        "SMAP and ERA5 against the plain mean of the stations of a cell, in windows of three days, and each station "
        "against that mean, day by day: how far one point stands for its cell. 95 % intervals in brackets.",
    ),
    "uscrn": (
        "A year of USCRN from its native files",
        "What is left of the values of all stations after each step of the quality control, and what was rejected by "
        "what.",
    ),
}  # fmt: skip


def experiment_sections(one: Experiment, renderer: Renderer) -> list[Section]:
    """The sections of a committed description: one, or one for each group of the tables that it names."""
    frames = dict(one.tables)
    for name, value in one.about.items():
        if name != "tables" and (found := _records(value)) is not None:
            frames[f"{one.name}-{name}"] = found
    if "tables" not in one.about:
        return [_section(one, frames, one.name, renderer)]
    groups: dict[str, dict[str, pd.DataFrame]] = {}
    for name, frame in frames.items():
        groups.setdefault(name.partition("_")[0], {})[name] = frame
    order = list(KNOWN)
    names = sorted(groups, key=lambda name: (order.index(name) if name in order else len(order), name))
    return [_section(one, groups[name], name, renderer) for name in names]


def _section(one: Experiment, frames: dict[str, pd.DataFrame], name: str, renderer: Renderer) -> Section:
    about = one.about
    title, words = KNOWN.get(name, (_named(name), ""))
    own = tuple(str(about[key]) for key in _TOLD if isinstance(about.get(key), str))
    listings, drawn, files = [], [], []
    for key, frame in frames.items():
        table = Committed(frame, f"data/evidence/{key}", _METRICS.get(key, {}))
        table.write(renderer)
        listings += _listings(key, table)
        drawn += DRAWN[key](frame) if key in DRAWN else []
        files.append((_named(key), table.files))
    settings = tuple(
        (str(key).replace("_", " "), text)
        for key, value in about.items()
        if key not in (*ABOUT, *_TOLD, "title", "tables") and (text := _words(value))
    )
    return Section(
        str(about.get("title") or title), own or ((words,) if words else ()), about_rows(about), settings,
        tuple(renderer.place(figure, "evidence") for figure in drawn), tuple(listings), tuple(files),
    )  # fmt: skip


def about_rows(about: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Command, commit, date and machine."""
    return tuple((name.capitalize(), str(about[name])) for name in ABOUT if about.get(name))


def _named(key: str) -> str:
    words = key.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def _listings(key: str, table: Committed) -> list[Listing]:
    if key in VIEWS:
        return VIEWS[key](table)
    if table.long or key in DRAWN_ONLY:
        return []
    return [table.listing(table_caption(key, _named(key)))]


def _validity_views(table: Committed) -> list[Listing]:
    """Triplets at points by what their products share and by status, one table for each signal."""
    caption = "Triplets at points by what their products share and by status"
    return [
        table.pivot(
            f"{caption}, {SIGNALS.get(signal) or signal}", ("audit",), "status", "triplets", words=_audit,
            where=table.frame["signal"] == signal,
        )
        for signal in sorted(set(table.frame["signal"]), reverse=True)
    ]  # fmt: skip


def _granule_views(table: Committed) -> list[Listing]:
    return [table.pivot("Scores over space against SMAP, one date", ("product",), "metric", "value")]


def _yanco_views(table: Committed) -> list[Listing]:
    """One table for each kind of sample: windows of products, days of single stations."""
    return [
        table.pivot(
            f"Against the mean of the stations of each cell, {sample}", ("cell", "series"), "metric", "value",
            where=table.frame["sample"] == sample, interval=True,
        )
        for sample in dict.fromkeys(table.frame["sample"])
    ]  # fmt: skip


def _funnel_views(table: Committed) -> list[Listing]:
    """Values left after each step and rejected for each reason, one column for each depth in centimetres."""
    captions = {"stage": "Values left after each step, by depth in cm", "rejected": "Values rejected, by depth in cm"}
    return [
        table.pivot(
            caption, ("name",), "depth_cm", "count", where=table.frame["kind"] == kind,
            words=lambda word: word.replace("_", " "),
        )
        for kind, caption in captions.items()
    ]  # fmt: skip


def _audit(words: str) -> str:
    return ", ".join(RELATIONS.get(word, word) for word in words.split(", "))


_METRICS = {
    "cci_trends": dict.fromkeys(("slope", "ci_low", "ci_high"), "trend"),
    "cci_breaks": dict.fromkeys(("difference", "ci_low", "ci_high"), "difference"),
}


def _records(value: Any) -> pd.DataFrame | None:
    """A list of flat objects, or an object, as a table."""
    if isinstance(value, dict) and value:
        flat = not all(isinstance(item, dict) for item in value.values())
        return pd.DataFrame([{"name": str(k), **({"value": item} if flat else item)} for k, item in value.items()])
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return pd.DataFrame(value)
    return None


def _words(value: Any) -> str:
    if isinstance(value, list):
        return "" if any(isinstance(item, dict) for item in value) else ", ".join(_words(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return written("", value)
    return "" if value is None or isinstance(value, dict) else str(value)


def _triplet_figures(frame: pd.DataFrame) -> list[figures.Figure]:
    """R² of each product over the valid triplets of independent errors."""
    rows = frame[(frame["audit"] == "independent") & (frame["status"] == "ok") & (frame["signal"] == "raw")]
    if not len(rows):
        return []
    values = {str(name): part["r2"].tolist() for name, part in rows.groupby("product", sort=True)}
    caption = (
        f"R² with the truth of each product over its valid triplets of independent errors at all points, {len(values)} "
        f"products, {count(len(rows))} values; boxes from quartile to quartile, whiskers to the 5th and "
        "95th percentile."
    )
    return [
        figures.box_figure(
            "hawaii-r2", values, x_title="R² with the truth", caption=caption, alternative="R² by product"
        )
    ]


def _yanco_figures(frame: pd.DataFrame) -> list[figures.Figure]:
    """R of each series against the mean of its cell, one figure for each cell."""
    result = []
    for cell, rows in frame[(frame["metric"] == "r") & frame["value"].notna()].groupby("cell", sort=True):
        dots = [
            Dot(str(series), float(a), finite(b), finite(c))
            for series, a, b, c in zip(rows["series"], rows["value"], rows["ci_low"], rows["ci_high"], strict=True)
        ]
        caption = (
            f"R against the mean of the stations of cell {cell}, with 95 % intervals where the record holds enough "
            "independent days: the products in windows of three days, single stations by day."
        )
        result.append(
            figures.dot_figure(
                f"yanco-{cell}", dots, x_title="R", caption=caption, alternative=f"R at the stations of cell {cell}"
            )
        )
    return result


def _trend_figures(frame: pd.DataFrame) -> list[figures.Figure]:
    """Slopes of each pair of products, one figure for each pair."""
    result = []
    for pair, rows in frame[frame["slope"].notna()].groupby("pair", sort=True):
        dots = [
            Dot(f"{series}, {VERDICTS.get(str(verdict), str(verdict))}", float(a), float(b), float(c))
            for series, verdict, a, b, c in zip(
                rows["series"], rows["verdict"], rows["slope"], rows["ci_low"], rows["ci_high"], strict=True
            )
        ]
        caption = (
            f"Slope of {str(pair).replace('-', ' minus ')} at {len(dots)} places with 95 % intervals; shaded is the "
            f"limit, ±{LIMIT:g} {VOLUME} per decade."
        )
        result.append(
            figures.dot_figure(
                f"cci-{pair}", dots, x_title=f"slope ({VOLUME} per decade)", caption=caption, band=(-LIMIT, LIMIT),
                lines=(0.0,), alternative=f"Slopes of {pair}",
            )
        )  # fmt: skip
    return result


def _granule_figures(frame: pd.DataFrame) -> list[figures.Figure]:
    result = []
    for name, make in (("zonal_mean", figures.zonal_figure), ("spectrum", figures.spectrum_figure)):
        for panel, rows in figures.curve_panels(frame, name):
            result.append(make(f"granule-{name.replace('_', '-')}", rows, str(rows["series"].iloc[0]), panel))
    return result


# Curves are drawn and not listed.
DRAWN_ONLY = ("granule_curves",)
DRAWN: dict[str, Callable[[pd.DataFrame], list[figures.Figure]]] = {
    "hawaii_triplets": _triplet_figures,
    "cci_trends": _trend_figures,
    "granule_curves": _granule_figures,
    "yanco_scores": _yanco_figures,
}
VIEWS: dict[str, Callable[[Committed], list[Listing]]] = {
    "hawaii_validity": _validity_views,
    "granule_maps": _granule_views,
    "yanco_scores": _yanco_views,
    "uscrn_funnel": _funnel_views,
}
