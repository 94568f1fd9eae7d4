"""Which of the further pages a run can fill; a page that lacks its input is left out."""

from __future__ import annotations

from collections.abc import Callable

from vadose.reports.data import Release, Run

UNCERTAINTY, TRIPLET, MAP, STABILITY, EVENTS = "uncertainty", "triplet", "map", "stability", "events"
BUDGET = "budget "


def has_rivals(run: Run) -> bool:
    """Whether another product was scored."""
    return len(run.products) > 1


def has_uncertainty(run: Run) -> bool:
    """Whether the stated uncertainty was judged."""
    return bool((run.overall["stratum_kind"] == UNCERTAINTY).any()) or _draws(run, "reliability")


def has_stability(run: Run) -> bool:
    """Whether trends were looked for."""
    return bool((run.overall["subset"] == STABILITY).any())


def has_budget(run: Run) -> bool:
    """Whether the mean square error was split."""
    return bool(run.scores["metric"].str.startswith("budget_").any())


def has_collocation(run: Run) -> bool:
    """Whether data sets were collocated."""
    return bool((run.overall["stratum_kind"] == TRIPLET).any()) or _holds(run, "collocation")


def has_events(run: Run) -> bool:
    """Whether dry-downs, wet-ups and droughts were looked for."""
    return bool((run.overall["subset"] == EVENTS).any())


def has_maps(run: Run) -> bool:
    """Whether maps were compared."""
    return bool(run.map_references)


def has_coverage(release: Release) -> bool:
    """Whether the cells of each day were counted."""
    return release.coverage is not None and len(release.coverage) > 0


def _draws(run: Run, figure: str) -> bool:
    return run.curves is not None and bool((run.curves["figure"] == figure).any())


def _holds(run: Run, table: str) -> bool:
    return run.facts is not None and bool((run.facts["table"] == table).any())


# Title, name and condition of the pages of a run, in the order of the tabs.
RUN_PAGES: tuple[tuple[str, str, Callable[[Run], bool]], ...] = (
    ("Scoreboard", "", lambda run: True),
    ("Rivals", "rivals", has_rivals),
    ("Strata", "strata", lambda run: True),
    ("Stations", "stations", lambda run: True),
    ("Maps", "maps-rivals", has_maps),
    ("Uncertainty", "uncertainty", has_uncertainty),
    ("Collocation", "collocation", has_collocation),
    ("Error budget", "error-budget", has_budget),
    ("Stability", "stability", has_stability),
    ("Events", "events", has_events),
    ("Gates", "gates", lambda run: run.verdict is not None),
)
