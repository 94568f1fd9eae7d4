"""Published tables of an experiment, and how the tables of two workspaces become one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vadose.common import InputError, UsageError, read_json, write_json
from vadose.producer.methods import method, method_settings
from vadose.producer.training.scores import ENSEMBLE, KEYS, tidy, write_table

Key = tuple[str, str, str]

SERIES = ["split", "method", "seed"]
FIT = ["method", "split", "seed", "fold"]
FACTS = ("benchmark", "command", "commit", "complete", "date", "machine", "memory_curve_complete",
         "near_constant_cells", "not_applicable", "partial", "settings")  # fmt: skip
RUN = ("command", "commit", "date", "machine")
AGAIN = "publish without --add, which replaces the tables"


@dataclass(frozen=True)
class Tables:
    """The tables of an experiment and what was run where.

    Attributes
    ----------
    scores
        One row a score, see `vadose.producer.training.scores`.
    costs
        One row a fit: `method`, `split`, `seed`, `fold`, seconds of training, parameters, predictions per second,
        `machine`.
    density
        Counts of pairs by `split`, `method` and `seed`.
    memory
        The curve of skill by days of memory.
    facts
        `skill.json`.
    """

    scores: pd.DataFrame
    costs: pd.DataFrame
    density: pd.DataFrame
    memory: pd.DataFrame
    facts: Mapping[str, Any]

    def write(self, folder: Path) -> None:
        """Write `scores`, `costs`, `density` and `memory` as parquet, and `skill.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("scores", "costs", "density", "memory"):
            write_table(folder / f"{name}.parquet", getattr(self, name))
        write_json(folder / "skill.json", dict(self.facts))


def read_tables(folder: Path) -> Tables:
    """Read the tables that `Tables.write` wrote.

    Raises
    ------
    InputError
        If a file is missing, broken or without a fact or column.
    """
    path = folder / "skill.json"
    facts = read_json(path)
    lacking = [name for name in FACTS if not isinstance(facts, dict) or name not in facts]
    if lacking:
        raise InputError(f"not the facts of an experiment: no {', '.join(lacking)}", where=str(path), next=AGAIN)
    needed = {"scores": [*KEYS, "value"], "costs": FIT, "density": SERIES, "memory": ["figure", "x", "y"]}
    frames = {name: _read(folder / f"{name}.parquet", columns) for name, columns in needed.items()}
    if "machine" not in frames["costs"]:
        frames["costs"] = frames["costs"].assign(machine=facts["machine"])
    return Tables(facts=facts, **frames)


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"not a readable parquet file: {error}", where=str(path), next=AGAIN) from error
    lacking = sorted(set(columns) - set(table.columns))
    if lacking:
        raise InputError(f"no column {', '.join(lacking)}", where=str(path), next=AGAIN)
    return table


def check_same(published: Tables, *, benchmark: Mapping[str, Any], settings: Mapping[str, Any], product: str,
               version: str) -> None:  # fmt: skip
    """Refuse to add results of another benchmark, product or settings of a method to published tables.

    A setting that a method got later has its default in what was published before.

    Raises
    ------
    UsageError
        If rows of the two must not share a table.
    """
    if published.facts["benchmark"] != benchmark:
        raise UsageError("the published tables are of another benchmark", next=AGAIN)
    others = {*map(tuple, published.scores[["product", "version"]].astype(str).to_numpy())} - {(product, version)}
    if others:
        found = ", ".join(" ".join(one) for one in sorted(others))
        raise UsageError(f"the published tables are of {found}, these of {product} {version}", next=AGAIN)
    known = published.facts["settings"]
    changed = sorted(name for name in settings.keys() & known.keys() if settings[name] != _completed(known[name]))
    if changed:
        raise UsageError(f"the published tables have other settings of {', '.join(changed)}", next=AGAIN)


def _completed(found: Mapping[str, Any]) -> dict[str, Any]:
    """Published settings of a method with the defaults of those that it has got since; others as they are."""
    try:
        known = method_settings(method(found["method"]), found["settings"]).model_dump(mode="json")
    except (UsageError, KeyError):
        return dict(found)
    return {**found, "settings": known}


def joined(ours: Tables, published: Tables) -> Tables:
    """The published tables with the series of ours that are finished, or that they lack.

    A series is a method and a seed under a split; each has its rows from one of the two alone. An ensemble of seeds is
    that of whoever has all of them, and otherwise partial. What was run is told of both: `added` lists the later runs.
    """
    mine, theirs = _series(ours.scores), _series(published.scores)
    open_here, open_there = set(ours.facts["partial"]), set(published.facts["partial"])
    taken = {key for key in mine if _label(key) not in open_here or key not in theirs}
    done = {_label(key) for key in taken} - open_here | {_label(key) for key in theirs} - open_there
    partial = [name for name in published.facts["partial"] if name not in done]
    partial += [name for name in ours.facts["partial"] if name not in done and name not in partial]
    partial += [name for name in _lost_ensembles(mine | theirs) if name not in partial]
    curve = ours if ours.facts["memory_curve_complete"] or published.memory.empty else published
    return Tables(
        scores=tidy(_replaced(ours.scores, published.scores, taken)),
        costs=_costs(ours.costs, published.costs, taken),
        density=_replaced(ours.density, published.density, taken),
        memory=curve.memory,
        facts=_facts(ours, published, partial, bool(curve.facts["memory_curve_complete"])),
    )


def _series(table: pd.DataFrame) -> set[Key]:
    return {(str(split), str(name), str(seed)) for split, name, seed in table[SERIES].drop_duplicates().to_numpy()}


def _label(key: Key) -> str:
    """A series as `partial` names it."""
    split, name, seed = key
    return f"{name} {split} seed {seed}"


def _lost_ensembles(keys: set[Key]) -> list[str]:
    """Ensembles whose seeds lie apart, so that no workspace has their mean."""
    several = {key[:2] for key in keys if sum(key[:2] == other[:2] and other[2].isdigit() for other in keys) > 1}
    return [_label((*pair, ENSEMBLE)) for pair in sorted(several) if (*pair, ENSEMBLE) not in keys]


def _replaced(ours: pd.DataFrame, published: pd.DataFrame, taken: set[Key]) -> pd.DataFrame:
    """Rows of the series taken from ours, all others from what is published."""
    kept = [tuple(map(str, key)) not in taken for key in published[SERIES].to_numpy()]
    new = [tuple(map(str, key)) in taken for key in ours[SERIES].to_numpy()]
    return pd.concat([published[kept], ours[new]], ignore_index=True)


def _costs(ours: pd.DataFrame, published: pd.DataFrame, taken: set[Key]) -> pd.DataFrame:
    """One row a fit: ours where its series is taken from ours or nothing is published."""
    pairs = {key[:2] for key in taken}
    new = pd.Series([pair in pairs for pair in zip(ours["split"], ours["method"], strict=True)], ours.index, dtype=bool)
    both = pd.concat([ours[~new], published, ours[new]], ignore_index=True).drop_duplicates(FIT, keep="last")
    return both.sort_values(FIT, ignore_index=True)


def _facts(ours: Tables, published: Tables, partial: list[str], curve: bool) -> dict[str, Any]:
    """What was run, where and when, of both."""
    added = [*published.facts.get("added", []), {name: ours.facts[name] for name in RUN}]
    refused = {(one["method"], one["split"]): one for one in published.facts["not_applicable"]}
    refused |= {(one["method"], one["split"]): one for one in ours.facts["not_applicable"]}
    return {
        **published.facts, "added": [one for k, one in enumerate(added) if one not in added[:k]], "partial": partial,
        "complete": not partial, "memory_curve_complete": curve,
        "not_applicable": [refused[key] for key in sorted(refused)],
        "settings": {**published.facts["settings"], **ours.facts["settings"]},
    }  # fmt: skip
