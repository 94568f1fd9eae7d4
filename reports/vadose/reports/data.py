"""What pages are made of, read from files: releases, runs, and the committed results of the site."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
import yaml

from vadose.common import InputError, UsageError, read_json
from vadose.reports.committed import Evidence, Skill, System, read_table, systems
from vadose.reports.formats import KEY
from vadose.reports.text import slugs

_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)$")
# Seasonal differences against a gridded reference, in maps.nc.
DIFFERENCE = "difference_"
_PRODUCT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*$")


@dataclass(frozen=True)
class Run:
    """One validation: scores, stations, comparisons, verdict and diagnostics."""

    folder: Path

    @property
    def id(self) -> str:
        """The run's name in addresses."""
        return slugs([self.folder.name])[0]

    @cached_property
    def run(self) -> dict[str, Any]:
        """`run.json`."""
        document: dict[str, Any] = read_json(self.folder / "run.json")
        return document

    @cached_property
    def scores(self) -> pd.DataFrame:
        """`scores.parquet`; the columns of the key are strings."""
        frame = read_table(self.folder / "scores.parquet")
        missing = [name for name in (*KEY, "value", "status") if name not in frame]
        if missing:
            raise InputError(f"no column {missing[0]!r}", where=str(self.folder / "scores.parquet"))
        return frame

    @cached_property
    def stations(self) -> pd.DataFrame:
        """`stations.parquet`, with a safe and unique `key`."""
        frame = read_table(self.folder / "stations.parquet").reset_index(drop=True)
        names = frame["key"] if "key" in frame else frame["station_id"]
        frame["key"] = slugs(str(name) for name in names)
        return frame

    @cached_property
    def comparisons(self) -> pd.DataFrame | None:
        """`comparisons.parquet`, where the run has one."""
        return self._optional("comparisons.parquet")

    @cached_property
    def curves(self) -> pd.DataFrame | None:
        """`diagnostics/curves.parquet`, where the run has one."""
        return self._optional("diagnostics/curves.parquet")

    @cached_property
    def facts(self) -> pd.DataFrame | None:
        """`diagnostics/tables.parquet`, where the run has one: figures that are no scores."""
        return self._optional("diagnostics/tables.parquet")

    @property
    def maps(self) -> Path | None:
        """`diagnostics/maps.nc`, where the run has one."""
        path = self.folder / "diagnostics" / "maps.nc"
        return path if path.is_file() else None

    @cached_property
    def map_references(self) -> list[str]:
        """Gridded references whose maps were compared; scattered cells have scores but no map."""
        if self.maps is None:
            return []
        try:
            with xr.open_dataset(self.maps) as dataset:
                names = [str(name) for name in dataset.data_vars]
        except (OSError, ValueError) as error:
            raise InputError(f"not a readable file of maps: {error}", where=str(self.maps)) from error
        return [name.removeprefix(DIFFERENCE) for name in names if name.startswith(DIFFERENCE)]

    @cached_property
    def overall(self) -> pd.DataFrame:
        """The scores that belong to no single series, without scaling: a small part of all."""
        frame = self.scores
        return frame[(frame["stratum_kind"] != "station") & frame["scaling"].isin(["none", ""])]

    @cached_property
    def verdict(self) -> dict[str, Any] | None:
        """`verdict.json`, where gates were asked."""
        path = self.folder / "verdict.json"
        return read_json(path) if path.is_file() else None

    @property
    def matchups(self) -> Path | None:
        """`matchups.nc`; a release holds none, since station values may not be passed on."""
        path = self.folder / "matchups.nc"
        return path if path.is_file() else None

    @cached_property
    def roles(self) -> dict[str, Any]:
        """Who is who: product, previous, rivals, references."""
        roles = self.run.get("roles")
        if not isinstance(roles, dict) or not roles.get("product"):
            raise InputError("names no product under roles", where=str(self.folder / "run.json"))
        return roles

    @property
    def ours(self) -> str:
        """The name of the product that the run is about."""
        return str(self.roles["product"])

    @cached_property
    def products(self) -> list[str]:
        """Our product, the previous version, rivals in the order of the run, then baselines; all that have scores."""
        known = set(self.scores["product"])
        listed = [self.ours, self.roles.get("previous") or "", *self.roles.get("rivals", [])]
        return [name for name in dict.fromkeys([*listed, *sorted(known)]) if name in known]

    @cached_property
    def period(self) -> tuple[str, str] | None:
        """First and last day of the match-ups; None in a copy without them."""
        if self.matchups is None:
            return None
        try:
            with xr.open_dataset(self.matchups) as dataset:
                days = dataset["time"].to_numpy().astype("datetime64[D]")
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"not a readable match-up file: {error}", where=str(self.matchups)) from error
        return (str(days[0]), str(days[-1])) if days.size else None

    @cached_property
    def versions(self) -> dict[str, str]:
        """The version of each product in the scores."""
        pairs = self.scores[["product", "version"]].drop_duplicates()
        return dict(zip(pairs["product"], pairs["version"], strict=True))

    def _optional(self, name: str) -> pd.DataFrame | None:
        path = self.folder / name
        return read_table(path) if path.is_file() else None


@dataclass(frozen=True)
class Release:
    """One version of a product, published or not."""

    folder: Path
    run: Run | None = None

    def __post_init__(self) -> None:
        if not _VERSION.match(self.folder.name) or not _PRODUCT.match(self.product_id):
            raise UsageError(
                f"{self.folder} is no version of a product",
                why="the folder of a release is called <product>/v<M.m.p>",
                next="give a folder such as releases/demoatlstm-0p25deg/v1.0.0",
            )

    @property
    def product_id(self) -> str:
        """Product id, folder and address."""
        return self.folder.parent.name

    @property
    def version(self) -> str:
        """The version without its `v`."""
        return self.folder.name[1:]

    @property
    def order(self) -> tuple[int, ...]:
        """For sorting versions by number."""
        return tuple(int(part) for part in self.version.split("."))

    @property
    def address(self) -> str:
        """Where its pages are, below the site."""
        return f"{self.product_id}/v{self.version}"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """`manifest.json`; an unfinished release without one cannot be shown."""
        path = self.folder / "manifest.json"
        if not path.is_file():
            raise InputError(
                "no manifest: the release is not completed",
                where=str(self.folder),
                next="vadose release RECIPE --run RUN",
            )
        document: dict[str, Any] = read_json(path)
        return document

    @cached_property
    def entry(self) -> dict[str, Any] | None:
        """The version's entry in the product's versions.json; None if it is unpublished."""
        return next((entry for entry in published(self.folder.parent) if entry["version"] == self.version), None)

    @property
    def status(self) -> str:
        """`preview` for an unpublished version, else the word in versions.json."""
        return "preview" if self.entry is None else str(self.entry.get("status", "current"))

    @property
    def preview(self) -> bool:
        """Whether the version is unpublished."""
        return self.entry is None

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """`provenance/recipe.yaml`."""
        path = self.folder / "provenance" / "recipe.yaml"
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError("no file recipe.yaml", where=str(path)) from error
        except yaml.YAMLError as error:
            raise InputError(f"not valid YAML: {error}", where=str(path)) from error
        return dict(document)

    @property
    def product(self) -> dict[str, Any]:
        """The recipe's description of the product."""
        return dict(self.recipe["product"])

    @cached_property
    def jsonld(self) -> dict[str, Any] | None:
        """`dataset.jsonld`."""
        path = self.folder / "dataset.jsonld"
        return read_json(path) if path.is_file() else None

    @cached_property
    def gate(self) -> dict[str, Any] | None:
        """`gate.json`."""
        path = self.folder / "gate.json"
        return read_json(path) if path.is_file() else None

    @cached_property
    def difference(self) -> dict[str, Any] | None:
        """`quality/diff.json`: what changed since the version before, where there is one."""
        path = self.folder / "quality" / "diff.json"
        return read_json(path) if path.is_file() else None

    @cached_property
    def coverage(self) -> pd.DataFrame | None:
        """`quality/coverage.csv`."""
        path = self.folder / "quality" / "coverage.csv"
        return pd.read_csv(path) if path.is_file() else None

    def provenance(self, name: str) -> Any:
        """A JSON file of `provenance/`, or None."""
        path = self.folder / "provenance" / name
        return read_json(path) if path.is_file() else None

    def document(self, name: str) -> str:
        """A text file of the release, empty if there is none."""
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @property
    def granules(self) -> list[dict[str, Any]]:
        """The manifest's entries of data files, in the order of their paths."""
        return [file for file in self.manifest["files"] if file.get("role") == "granule"]


def published(product_root: Path) -> list[dict[str, Any]]:
    """The entries of a product's versions.json, none if nothing is published."""
    path = product_root / "versions.json"
    if not path.is_file():
        return []
    document = read_json(path)
    entries = document.get("versions", []) if isinstance(document, dict) else document
    if isinstance(entries, dict):
        return [{"version": version, **entry} for version, entry in entries.items()]
    return list(entries)


@dataclass(frozen=True)
class Content:
    """Everything that one site shows."""

    project: Path
    releases: Sequence[Release] = ()
    runs: Sequence[Run] = field(default=())

    @property
    def products(self) -> dict[str, list[Release]]:
        """Releases by product, newest version first."""
        names = sorted({release.product_id for release in self.releases})
        return {
            name: sorted((r for r in self.releases if r.product_id == name), key=lambda r: r.order, reverse=True)
            for name in names
        }

    @property
    def evidence(self) -> Evidence:
        """The experiments about the validation itself."""
        return Evidence(self.project / "data")

    @property
    def systems(self) -> list[System]:
        """The published systems with what was run for them."""
        return systems(self.project / "data")

    @property
    def skill(self) -> Skill | None:
        """The skill results, where they are committed."""
        folder = self.project / "data" / "skill"
        return Skill(folder) if (folder / "skill.json").is_file() else None

    @property
    def speed(self) -> dict[str, Any] | None:
        """The speed results, where they are committed."""
        path = self.project / "data" / "speed" / "speed.json"
        return read_json(path) if path.is_file() else None


def newest(releases: Sequence[Release]) -> Release:
    """The newest published version that stands, or the newest preview if none is published."""
    standing = [release for release in releases if release.status == "current"]
    return max(standing or releases, key=lambda release: release.order)


def collect(workspace: Path, project: Path, names: Sequence[str] = ()) -> Content:
    """Find what the site shows.

    Parameters
    ----------
    workspace
        Where releases/ and runs/ are looked up.
    project
        The site project.
    names
        Releases and runs, as folders, `<product>/v<M.m.p>` or run ids; none means all of the workspace.

    Raises
    ------
    UsageError
        If a name is neither a release nor a run.
    """
    folders = [_find(workspace, name) for name in names] if names else _all(workspace)
    runs = [Run(folder) for folder in folders if (folder / "run.json").is_file()]
    releases = [_with_run(folder, runs) for folder in folders if not (folder / "run.json").is_file()]
    used = {release.run.folder for release in releases if release.run}
    return Content(project, releases, [run for run in runs if run.folder not in used])


def _all(workspace: Path) -> list[Path]:
    releases = [path.parent for path in sorted((workspace / "releases").glob("*/v*/manifest.json"))]
    runs = [path.parent for path in sorted((workspace / "runs").glob("*/run.json"))]
    return [*releases, *(run for run in runs if (run / "scores.parquet").is_file())]


def _find(workspace: Path, name: str) -> Path:
    places = (Path(name), workspace / "releases" / name, workspace / "runs" / name)
    for place in places:
        folder = place.resolve()
        if (folder / "run.json").is_file() or (_VERSION.match(folder.name) and folder.is_dir()):
            return folder
    known = [str(p.relative_to(workspace / "releases")) for p in (workspace / "releases").glob("*/v*")]
    known += [path.name for path in sorted((workspace / "runs").glob("*")) if path.is_dir()]
    raise UsageError(f"no release or run named {name!r}", why=f"known: {', '.join(sorted(known)) or 'none'}")


def _with_run(folder: Path, runs: Sequence[Run]) -> Release:
    """A release with its run: the workspace's, which has the match-ups, else the copy inside the release."""
    copy = folder / "quality" / "validation"
    inside = Run(copy) if (copy / "run.json").is_file() else None
    for run in runs:
        if inside is not None and (run.folder / "scores.parquet").is_file() and _same(run, inside):
            return Release(folder, run)
    return Release(folder, inside)


def _same(run: Run, copy: Run) -> bool:
    names = ("run.json", "scores.parquet")
    return all((run.folder / name).read_bytes() == (copy.folder / name).read_bytes() for name in names)
