"""The Markdown and JSON of a small site, byte by byte."""

from pathlib import Path

import pytest

from vadose.reports import report

GOLDEN = Path(__file__).parents[1] / "golden" / "site"
NAMES = (
    "index.md",
    "demo-0p25deg/index.md",
    "demo-0p25deg/latest.md",
    "demo-0p25deg/changelog.md",
    "demo-0p25deg/issues.md",
    "demo-0p25deg/v1.0.0/index.md",
    "demo-0p25deg/v1.0.0/rivals.md",
    "demo-0p25deg/v1.0.0/strata.md",
    "demo-0p25deg/v1.0.0/stations.md",
    "demo-0p25deg/v1.0.0/maps-rivals.md",
    "demo-0p25deg/v1.0.0/uncertainty.md",
    "demo-0p25deg/v1.0.0/collocation.md",
    "demo-0p25deg/v1.0.0/error-budget.md",
    "demo-0p25deg/v1.0.0/stability.md",
    "demo-0p25deg/v1.0.0/events.md",
    "demo-0p25deg/v1.0.0/gates.md",
    "demo-0p25deg/v1.0.0/coverage.md",
    "demo-0p25deg/v1.0.0/download.md",
    "demo-0p25deg/v1.0.0/provenance.md",
    "demo-0p25deg/compare/index.md",
    "demo-0p25deg/compare/v1.0.0-to-v1.1.0.md",
    "choose.md",
    "skill.md",
    "speed.md",
    "evidence.md",
    "experiments/index.md",
    "experiments/small-system.md",
    "feed.xml",
    "versions.json",
    "data/demo-0p25deg/v1.0.0/scores.metadata.json",
    "data/demo-0p25deg/v1.0.0/compare.json",
    "data/demo-0p25deg/v1.0.0/stations.json",
    "data/figures/demo-0p25deg/v1.0.0/scores-1.json",
    "data/figures/demo-0p25deg/v1.0.0/stations/r.json",
    "data/figures/demo-0p25deg/v1.0.0/coverage/hovmoller.json",
    "data/figures/demo-0p25deg/v1.0.0/rivals/taylor.json",
    "data/figures/demo-0p25deg/v1.0.0/stations-series.json",
)


@pytest.fixture(scope="module")
def docs(small, tmp_path_factory) -> Path:
    """The rendered small site."""
    folder = tmp_path_factory.mktemp("golden")
    project = small.write_project(folder / "project")
    return report(small.write_workspace(folder / "workspace"), project=project).docs


@pytest.mark.parametrize("name", NAMES)
def test_the_small_site_is_the_golden_one(docs: Path, name: str) -> None:
    path, text = GOLDEN / name, (docs / name).read_text(encoding="utf-8")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        raise AssertionError(f"{path} was missing and has been written; review and commit it")
    assert text == path.read_text(encoding="utf-8"), f"{path} differs; delete it and rerun if the change is meant"
