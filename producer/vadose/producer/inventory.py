"""What a workspace holds, finished or half-built, and what to do next; looking never fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from vadose.common import VadoseError, file_sha256, read_json
from vadose.producer.release.root_files import read_versions

BROKEN = (VadoseError, OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError)


@dataclass(frozen=True)
class Found:
    """One thing: its kind, name, state in words, and the next command if there is one."""

    kind: str
    name: str
    state: str
    next: str = ""


def inventory(workspace: Path, paths: tuple[Path, ...] = ()) -> list[Found]:
    """Everything in a workspace, or the things under some paths."""
    if paths:
        return [look(path) for path in paths]
    places = [
        *sorted((workspace / "native").glob("*")), *sorted((workspace / "cubes").glob("[!.]*")),
        *sorted((workspace / "stations").glob("*.nc")), *sorted((workspace / "models").glob("*")),
        *sorted((workspace / "releases").glob("*/v[0-9]*")), *sorted((workspace / "releases").glob("*/nrt")),
        *sorted((workspace / "runs").glob("*")),
        *(workspace / "build").glob("site"),
    ]  # fmt: skip
    return [look(path) for path in places]


def look(path: Path) -> Found:
    """What is at a path; anything unreadable is `broken`, never an error."""
    for recognise in (_release, _rolling, _model, _run, _cube):
        try:
            found = recognise(path)
        except BROKEN as error:
            text = error.what if isinstance(error, VadoseError) else f"{type(error).__name__}: {error}"
            return Found(path.parent.name, path.name, f"broken: {text}")
        if found is not None:
            return found
    if not path.exists():
        return Found("", str(path), "not there")
    count = sum(1 for file in path.rglob("*") if file.is_file()) if path.is_dir() else 1
    half = path.name.startswith(".")
    return Found(path.parent.name, path.name, f"{'unfinished, ' if half else ''}{count} files")


def _cube(path: Path) -> Found | None:
    if path.suffix != ".zarr":
        return None
    attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
    names = attributes["vadose_variables"]
    return Found("cubes", path.name, f"{len(names)} variables", f"vadose train RECIPE (cube {path.stem})")


def _model(path: Path) -> Found | None:
    if path.parent.name != "models":
        return None
    name = path.name.removeprefix(".").removesuffix(".work")
    if not (path / "model.json").is_file():
        return Found("models", path.name, "unfinished", f"vadose train {name}")
    card = read_json(path / "model.json")
    return Found("models", path.name, f"{card['method']}, {len(card['seeds'])} members", f"vadose build {name}")


def _run(path: Path) -> Found | None:
    if path.parent.name != "runs":
        return None
    if not (path / "run.json").is_file():
        return Found("runs", path.name, "unfinished", "run the same command again")
    if not (path / "verdict.json").is_file():
        return Found("runs", path.name, "finished, no verdict")
    passed = read_json(path / "verdict.json")["passed"]
    return Found(
        "runs", path.name, "gates passed" if passed else "gates failed", f"vadose release RECIPE --run {path.name}"
    )


def _release(path: Path) -> Found | None:
    if not (path.name.startswith("v") and (path / "provenance" / "recipe.yaml").is_file()):
        return None
    recipe = yaml.safe_load((path / "provenance" / "recipe.yaml").read_text(encoding="utf-8"))
    name = f"{path.parent.name}/{path.name}"
    steps = list(_steps(path, recipe))
    state = "; ".join(text for text, _ in steps)
    return Found("releases", name, state, next((command for _, command in steps if command), ""))


def _rolling(path: Path) -> Found | None:
    """The rolling folder of stream NRT: granules there, and how many of them are listed."""
    if path.name != "nrt" or not path.is_dir():
        return None
    files = read_json(path / "manifest.json")["files"] if (path / "manifest.json").is_file() else []
    listed = {entry["path"] for entry in files if entry["role"] == "granule" and entry["status"] == "published"}
    there = {file.relative_to(path).as_posix() for file in path.rglob("*-NRT-*.nc")}
    state = f"{len(there)} granules, {len(there - listed)} not released"
    return Found("releases", f"{path.parent.name}/nrt", state, "vadose release roll RECIPE" if there - listed else "")


def _steps(path: Path, recipe: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is known of a version, each with the command that goes on, if it lacks something."""
    first, last = (_day(day) for day in recipe["product"]["days"])
    monthly = recipe["product"].get("step") == "monthly"
    expected = 12 * (last.year - first.year) + last.month - first.month + 1 if monthly else (last - first).days + 1
    granules = sum(1 for _ in path.rglob(f"*-{'MONTHLY' if monthly else 'DAILY'}-*.nc"))
    name = f"{path.parent.name}/{path.name}"
    yield f"{granules} of {expected} granules", "" if granules >= expected else f"vadose build {recipe['recipe']}"
    if _published(path):
        yield "published", ""
        return
    if not (path / "manifest.json").is_file() or not (path / "gate.json").is_file():
        yield "not released", f"vadose release {recipe['recipe']} --run RUN"
        return
    gate = read_json(path / "gate.json")
    if gate["manifest_sha256"] != file_sha256(path / "manifest.json"):
        yield "gate is about another manifest", f"vadose release {recipe['recipe']} --run RUN"
    elif not gate["passed"]:
        failed = [item["check"] for item in gate["checks"] if not item["passed"]]
        yield f"gate failed: {', '.join(failed)}", f"vadose release {recipe['recipe']} --run RUN"
    elif recipe["product"].get("publish", True):
        yield "gate passed", f"vadose release publish {name}"
    else:
        yield "gate passed, never published", ""


def _published(path: Path) -> bool:
    return any(f"v{item['version']}" == path.name for item in read_versions(path.parent))


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))
