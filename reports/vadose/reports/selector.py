"""The page that answers which product suits a climate, a land cover, a season: ranked by paired outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vadose.reports.classes import class_name, class_order, kind_name, kind_order
from vadose.reports.data import Run, newest
from vadose.reports.formats import NOT_TESTED, OUTCOMES, count, metric_label, percent
from vadose.reports.pages import Page
from vadose.reports.rankings import BETTER, EQUAL, UNDECIDED, WORSE, Standing, standings
from vadose.reports.tables import HEADLINE, NAMES, finite, groups, headline_aggregate, records
from vadose.reports.text import slugs
from vadose.reports.versions import Version

# Kinds of strata that a visitor can choose; a network or a decile of the reference is no property of a place.
CHOSEN = ("all", "climate_main", "climate", "land_cover", "soil", "depth", "season", "local_season", "half_year")
COMMON, OWN = "common", "own"

Key = tuple[str, str, str, str]  # metric, signal, kind, class


@dataclass(frozen=True)
class Candidate:
    """A product that can be chosen: its name on the page and the address of its scoreboard, if it has one."""

    label: str
    address: str = ""


@dataclass
class Evidence:
    """What all runs say about one reference: pairs with their outcomes, coverage and numbers of series."""

    outcomes: dict[Key, dict[tuple[str, str], list[str]]] = field(default_factory=dict)
    coverage: dict[tuple[Key, str], float] = field(default_factory=dict)
    series: dict[tuple[Key, str], int] = field(default_factory=dict)
    products: dict[Key, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One product in one class, in words."""

    place: str
    product: Candidate
    outcomes: tuple[tuple[str, str], ...]
    coverage: str
    series: str


@dataclass(frozen=True)
class ClassRows:
    """The ranking of one class; `rows` is empty where no product was compared."""

    kind: str
    id: str
    kind_label: str
    label: str
    rows: tuple[Row, ...]
    series: str


@dataclass(frozen=True)
class Ranking:
    """All classes of one reference and metric."""

    id: str
    reference: str
    metric: str
    classes: tuple[ClassRows, ...]


def choose_page(versions: Sequence[Version]) -> Page | None:
    """The selector over the latest version of each product; over runs where no version has one. None without pairs."""
    latest = latest_versions(versions)
    rankings = rank_all(latest)
    if not any(found.rows for ranking in rankings for found in ranking.classes):
        return None
    values = {
        "rankings": rankings,
        "kinds": _kinds(rankings),
        "references": [(slug, name) for slug, name in _slugged(r.reference for r in rankings)],
        "metrics": list(dict.fromkeys((r.id.partition(".")[2], r.metric) for r in rankings)),
        "versions": latest,
    }
    return Page("choose.md", "Choose a product", "choose.md.jinja", values, {"hide": ["navigation", "toc"]})


def latest_versions(versions: Sequence[Version]) -> list[Version]:
    """The newest version of each product that has a run; runs of no release where no version has one."""
    by_product: dict[str, list[Version]] = {}
    for version in versions:
        if version.release is not None and version.run is not None:
            by_product.setdefault(version.release.product_id, []).append(version)
    chosen = []
    for found in by_product.values():
        current = newest([version.release for version in found if version.release is not None])
        chosen += [version for version in found if version.release is current]
    return chosen or [version for version in versions if version.run is not None]


def rank_all(versions: Sequence[Version]) -> list[Ranking]:
    """One ranking for each reference and compared headline metric; real stations first."""
    candidates: dict[str, Candidate] = {}
    found: dict[str, Evidence] = {}
    for version in versions:
        _gather(version, candidates, found)
    references = sorted(found, key=lambda name: (not name.startswith("stations"), name))
    rankings = []
    for slug, reference in _slugged(references):
        evidence = found[reference]
        held = {key[:2] for key in evidence.outcomes}
        for metric, signal in (pair for pair in HEADLINE if pair in held):
            keys = sorted(
                (key for key in evidence.products if key[:2] == (metric, signal)),
                key=lambda key: (CHOSEN.index(key[2]), class_order(*key[2:])),
            )
            classes = tuple(_class_rows(key, evidence, candidates) for key in keys)
            rankings.append(Ranking(f"{slug}.{metric}-{signal}", reference, metric_label(metric, signal), classes))
    return rankings


def _gather(version: Version, candidates: dict[str, Candidate], found: dict[str, Evidence]) -> None:
    run = version.run
    if run is None or run.comparisons is None:
        return
    names = _names(version, run, candidates)
    frame = run.comparisons
    frame = frame[(frame["ours"] == run.ours) & (frame["subset"] == COMMON) & frame["stratum_kind"].isin(CHOSEN)]
    for row in records(frame):
        evidence = found.setdefault(str(row.get("reference", "stations")), Evidence())
        key = (str(row["metric"]), str(row["signal"]), str(row["stratum_kind"]), str(row["stratum"]))
        pair = (names[run.ours], names.get(str(row["rival"]), str(row["rival"])))
        if str(row["outcome"]) in OUTCOMES:
            evidence.outcomes.setdefault(key, {}).setdefault(pair, []).append(str(row["outcome"]))
        for name in pair:
            evidence.series[key, name] = max(evidence.series.get((key, name), 0), int(row["n"]))
    _gather_scores(run, names, found)


def _gather_scores(run: Run, names: dict[str, str], found: dict[str, Evidence]) -> None:
    """Coverage, numbers of series, and the classes that were scored: those without a pair are not tested."""
    split_of: dict[str, str] = {}
    for reference, split, _ in groups(run):
        split_of.setdefault(reference, split)
    frame = run.overall
    frame = frame[frame["stratum_kind"].isin(CHOSEN) & frame["subset"].isin([OWN, COMMON])]
    frame = frame[frame["split"] == frame["reference"].map(split_of)]
    frame = frame[frame["aggregate"] == headline_aggregate(frame)]
    for row in records(frame.sort_values("subset")):  # the own sample last: its coverage is that of the product
        evidence, name = found.get(str(row["reference"])), names[str(row["product"])]
        if evidence is None or not row["n"] > 0:
            continue
        key = (str(row["metric"]), str(row["signal"]), str(row["stratum_kind"]), str(row["stratum"]))
        known = evidence.products.setdefault(key, [])
        if name not in known:
            known.append(name)
        share = finite(row["coverage"])
        if share is not None:
            evidence.coverage[key, name] = share
        evidence.series.setdefault((key, name), int(row["n"]))


def _names(version: Version, run: Run, candidates: dict[str, Candidate]) -> dict[str, str]:
    """The name on the page of each product of a run; a rival of the same version is one product in all runs."""
    names = {}
    for name in run.products:
        given = run.versions.get(name, "")
        if name == run.ours:
            shown = Candidate(version.title, f"{version.address}/")
        elif name in NAMES:
            shown = Candidate(f"{NAMES[name]} ({version.title})")
        elif name == run.roles.get("previous") and version.release is not None:
            shown = Candidate(f"{version.release.product_id} v{given}")
        else:
            shown = Candidate(f"{name} {given}".strip())
        candidates.setdefault(shown.label, shown)
        names[name] = shown.label
    return names


def _class_rows(key: Key, evidence: Evidence, candidates: dict[str, Candidate]) -> ClassRows:
    _, _, kind, name = key
    pairs = evidence.outcomes.get(key, {})
    decided = {pair: words[0] if len(set(words)) == 1 else UNDECIDED for pair, words in pairs.items()}
    products = sorted({*evidence.products[key], *(name for pair in pairs for name in pair)})
    rows = tuple(_row(key, standing, evidence, candidates) for standing in standings(products, decided))
    most = max((evidence.series.get((key, product), 0) for product in products), default=0)
    label = "all places and days" if kind == "all" else class_name(kind, name)
    kind_label = "" if kind == "all" else kind_name(kind)
    return ClassRows(kind, f"{kind}.{slugs([name])[0]}", kind_label, label, rows if decided else (), count(most))


def _row(key: Key, standing: Standing, evidence: Evidence, candidates: dict[str, Candidate]) -> Row:
    words = (
        (OUTCOMES[BETTER], "than", standing.better),
        (OUTCOMES[WORSE], "than", standing.worse),
        (OUTCOMES[EQUAL], "to", standing.equal),
        (OUTCOMES[UNDECIDED], "beside", standing.undecided),
        (NOT_TESTED, "beside", standing.untested),
    )
    said = tuple((mark, f"{link} {', '.join(names)}") for mark, link, names in words if names)
    if standing.place is not None:
        place = str(standing.place)
    else:
        place = OUTCOMES[UNDECIDED] if standing.tested else NOT_TESTED
    coverage = percent(evidence.coverage.get((key, standing.product)))
    series = count(evidence.series.get((key, standing.product), 0))
    return Row(place, candidates.get(standing.product, Candidate(standing.product)), said, coverage, series)


def _kinds(rankings: Sequence[Ranking]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The choices of the form: kind, its name, and its classes."""
    found: dict[str, dict[str, ClassRows]] = {}
    for ranking in rankings:
        for one in ranking.classes:
            if one.kind != "all":
                found.setdefault(one.kind, {}).setdefault(one.id, one)
    return [
        (kind, kind_name(kind), [(one.id, one.label) for one in found[kind].values()])
        for kind in sorted(found, key=kind_order)
    ]


def _slugged(names: Iterable[str]) -> list[tuple[str, str]]:
    unique = list(dict.fromkeys(names))
    return list(zip(slugs(unique), unique, strict=True))
