"""Gates, files and origin of a version."""

from __future__ import annotations

import re
from typing import Any

from vadose.reports.data import Release, Run
from vadose.reports.downloads import download
from vadose.reports.output import Output
from vadose.reports.pages import Page, code
from vadose.reports.versions import Version, version_page


def gates_page(version: Version, run: Run) -> Page:
    """Why this version could be released."""
    verdict = run.verdict or {}
    gate = version.release.gate if version.release else None
    values = {"verdict": verdict, "gate": gate, "gates": [_gate(g) for g in verdict.get("gates", [])]}
    return version_page(version, "gates.md", f"{version.title}: gates", "gates.md.jinja", values)


def _gate(gate: dict[str, Any]) -> dict[str, Any]:
    def words(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:.4g}".replace("-", "−")
        if isinstance(value, dict):
            return ", ".join(f"{name} {words(item)}" for name, item in sorted(value.items()))
        return "–" if value is None or value == "" else str(value)

    if gate.get("applicable", True) is False:
        result = "– not applicable"
    else:
        result = "✓ passed" if gate["passed"] else "✗ failed"
    proved = {True: "yes", False: "no", None: "–"}[gate.get("proved") if "applicable" not in result else None]
    return {
        "name": str(gate["name"]).replace("_", " "),
        "level": str(gate.get("level", "required")).replace("_", " "),
        "result": result,
        "figure": words(gate.get("figure")),
        "limit": words(gate.get("limit")),
        "proved": proved,
        "reason": words("; ".join(str(gate[k]) for k in ("reason", "waived") if gate.get(k))),
    }


def download_page(version: Version, release: Release, output: Output, files_url: str) -> Page:
    """Files with sizes and sums."""
    listing = download(release, files_url)
    output.add(f"{version.data}/urls.txt", listing.urls)
    sums = "".join(f"{file.sha256}  {file.path}\n" for file in listing.files if file.sha256)
    output.add(f"{version.data}/SHA256SUMS.txt", sums)
    loaded = []
    if not listing.listed and not listing.superseded:
        loaded = [(year, f"{version.data}/granules/{year.name}.json") for year in listing.years]
    for year, path in loaded:
        output.add_json(path, year.document(listing.root))
    values = {
        "release": release,
        "download": listing,
        "loaded": loaded,
        "urls": f"{version.data}/urls.txt",
        "sums": f"{version.data}/SHA256SUMS.txt",
        "first_day": code(_day(release)),
        "place": code(_place(release)),
        "files_url": code(f"{files_url.rstrip('/')}/"),
    }
    return version_page(version, "download.md", f"{version.title}: download", "download.md.jinja", values)


def _day(release: Release) -> str:
    """The first day of the record, for the example; only digits and hyphens of the manifest are taken."""
    starts = sorted(str(entry["start"])[:10] for entry in release.granules if entry.get("start"))
    return next((day for day in starts if re.fullmatch(r"\d{4}-\d\d-\d\d", day)), "2020-01-01")


def _place(release: Release) -> str:
    """Options of a place for the example: the first station of the run, since there the product has values."""
    if release.run is None or not len(release.run.stations):
        return "--points points.csv"
    first = release.run.stations.iloc[0]
    return f"--lat {float(first['lat']):.2f} --lon {float(first['lon']):.2f}"


def provenance_page(version: Version, release: Release) -> Page:
    """Inputs, recipe, model, ledger."""
    model = release.provenance("model.json") or {}
    inputs = release.provenance("inputs.json") or []
    listed = inputs.get("files", []) if isinstance(inputs, dict) else inputs
    values = {
        "release": release,
        "recipe": release.recipe,
        "inputs": _inputs(listed),
        "ledger": _ledger(model),
        "model": model,
    }
    return version_page(version, "provenance.md", f"{version.title}: provenance", "provenance.md.jinja", values)


def _inputs(listed: Any) -> list[dict[str, Any]]:
    """Input files summed by source: producer, version and licence are the same within one."""
    sums: dict[tuple[str, ...], list[int]] = {}
    for entry in listed:
        source = entry.get("product") or str(entry.get("name", "")).rpartition("/")[0] or entry.get("name")
        words = (source, entry.get("producer"), entry.get("version"), entry.get("licence"))
        total = sums.setdefault(tuple(str(word or "unknown") for word in words), [0, 0])
        total[0] += int(entry.get("files", 1))
        total[1] += int(entry.get("bytes", 0))
    return [
        {"source": key[0], "producer": key[1], "version": key[2], "licence": key[3], "files": n, "bytes": size}
        for key, (n, size) in sorted(sums.items())
    ]


def _ledger(model: dict[str, Any]) -> list[dict[str, Any]]:
    ledger = model.get("ledger") or {}
    cells, days = ledger.get("cells") or {}, ledger.get("days") or {}
    roles = [role for role in ("fit", "tune", "calibrate", "test") if role in cells or role in days]
    return [
        {
            "role": role,
            "cells": len(cells.get(role, [])),
            "days": "; ".join(" to ".join(map(str, p)) for p in days.get(role, [])),
        }
        for role in roles
    ]
