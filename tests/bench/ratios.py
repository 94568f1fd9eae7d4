"""Turn the times of `bench_speed.py` into ratios to the best rival: `ratios.py IN.json OUT.json COMMAND`."""

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

# Group and rival: at least this share of the rival's rate. Rivals without a goal are limits to compare with.
GOALS = {("prediction", "eager PyTorch"): 1.0, ("Transformer, 4 days", "eager PyTorch"): 1.4,
         ("Transformer, 30 days", "eager PyTorch"): 1.4, ("Bi-LSTM, 30 days", "eager PyTorch"): 1.0,
         ("training", "eager PyTorch"): 1.0, ("build", "bare prediction"): 0.6,
         ("granule", "xarray to_netcdf"): 1.0, ("global granule 0P05DEG", "xarray to_netcdf"): 5.0,
         ("series of ten years", "open_mfdataset over the granules"): 1000.0,
         ("stations", "ismn package"): 1.0,
         ("kriging", "scikit-learn Gaussian process"): 50.0,
         ("pairwise metrics, 1,000 series", "loop over pytesmo"): 400.0,
         ("pairwise metrics, 100,000 series", "loop over pytesmo"): 400.0,
         ("moments of pairs, 100,000 series", "one read of the data"): 0.7,
         ("Spearman", "loop over pytesmo"): 12.0, ("triple collocation", "loop over pytesmo"): 80.0,
         ("CDF matching", "loop over pytesmo"): 4.0, ("bootstrap of 1,000 draws", "pytesmo pearson_r"): 100.0,
         ("bootstrap of 1,000 draws", "pytesmo ubrmsd"): 100.0,
         ("prediction of TsSMNet", "eager PyTorch"): 1.4, ("prediction of ResAutoNet", "eager PyTorch"): 1.0,
         ("temporal descriptors", "tsfresh"): 150.0,
         ("temporal descriptors, no sample entropy", "tsfresh"): 400.0}  # fmt: skip
# Groups with a declared rate as their limit: name, and units of work a second.
LIMITS = {
    "simulation": ("10 million cell-days a minute", 1e7 / 60.0),
    "validation of stations": ("4 products at 1,000 stations in 60 s", 4 * 1000 / 60.0),
    "map": ("3 products at 240,000 cells in 40 core minutes, on two cores", 3 * 240_000 / (40 * 60.0 / 2)),
    "stations": ("330 sensors of three years of hours in 30 s", 330 * 24 * 1096 / 30.0),
    "global granule 0P05DEG": ("a granule of 0.05 degree in 3 s", 1 / 3.0),
    "series of ten years": ("a series of ten years in 0.1 s", 10.0),
    "series of twenty granules": ("a series of twenty granules in 0.3 s", 1 / 0.3),
}
# Largest size of a granule in megabytes, and longest time to read a cell of it in milliseconds.
LARGEST_MB = {"0P05DEG": 17.0}
PIXEL_MS = 10.0
TITLES = {
    "validation of stations": "a whole validation of 1,000 stations, 4 products and ten years, readers included",
    "map": "a whole validation map against map of 24,000 cells, 3 products and ten years, readers included",
    "prediction of TsSMNet": "a year of 128 cells, 45 features of which four change with the day, one thread",
    "prediction of ResAutoNet": "a year of 128 cells, 45 features of which four change with the day, one thread",
    "temporal descriptors": "31 descriptors of series of 365 days, one thread",
    "temporal descriptors, no sample entropy": "30 descriptors of series of 365 days, one thread",
    "prediction": "an ensemble of five LSTMs over 4,096 cells and a year, cube reading and encoding included",
    "Transformer, 4 days": "a Transformer on windows of 4 days, a year of 1,024 cells, reading and encoding included",
    "Transformer, 30 days": "a Transformer on windows of 30 days, a year of 256 cells, reading and encoding included",
    "Bi-LSTM, 30 days": "a Bi-LSTM on windows of 30 days, a year of 256 cells, reading and encoding included",
    "training": "steps of 64 windows of 90 days, LSTM with 128 hidden states",
    "build": "reading the cube, predicting, rounding and writing a year of granules of 4,096 cells",
    "stations": "an ISMN zip of 330 sensors and three years of hours, to daily means",
    "kriging": "simple kriging of 30 days from 36 x 36 points to 1000 x 1000 cells, weights included, one thread",
    "granule": "one granule of 64 x 64 cells, header, compression and rename included",
    "global granule": "a global granule of {}, a quarter of it land, by all cores and synced; xarray does not sync",
    "series of ten years": "opening a cube of ten years of EASE2M36 and reading the series of one cell",
    "series of twenty granules": "opening twenty granules of 0.05 degree by virtual references and reading a cell",
    "simulation": "a year of the simulated demo world in memory, on one core",
    "pairwise metrics, 1,000 series": "all metrics of 1,000 gappy pairs of 2,500 days, float32, one thread",
    "pairwise metrics, 100,000 series": "all metrics of 100,000 gappy pairs of 2,500 days, float32, one thread",
    "moments of pairs, 100,000 series": "the moments of 100,000 gappy pairs of 2,500 days, 2 GB of float32, one thread",
    "Spearman": "Spearman's rho of 1,000 gappy pairs of 2,500 days, one thread",
    "triple collocation": "triple collocation of 1,000 gappy cells of 2,500 days, one thread",
    "CDF matching": "CDF matching of 1,000 gappy pairs of 2,500 days with equal output, one thread",
    "bootstrap of 1,000 draws": "1,000 block-bootstrap draws of all metrics of a pair, with intervals, one thread",
}


def rate(entry: dict[str, Any]) -> float:
    """Units of work a second, from the median round."""
    return float(entry["extra_info"]["work"] / entry["stats"]["median"])


def family(role: str) -> str:
    """`eager PyTorch, batch 256` belongs to the family `eager PyTorch`."""
    return role.split(",")[0]


def described(info: dict[str, Any]) -> str:
    """The rival's name, with what the reader must know of its measurement."""
    return f"{info['role']} ({info['note']})" if info.get("note") else str(info["role"])


def results(benchmarks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each group and family of rivals; the best of the family counts."""
    rows = []
    for group in sorted({entry["group"] for entry in benchmarks}):
        entries = {entry["extra_info"]["role"]: entry for entry in benchmarks if entry["group"] == group}
        ours = entries.pop("ours")
        for name in sorted({family(role) for role in entries}):
            best = max((entry for role, entry in entries.items() if family(role) == name), key=rate)
            goal = GOALS.get((group, name))
            rows.append(row(group, name, ours, described(best["extra_info"]), rate(best), goal))
        if group in LIMITS:
            rows.append(row(group, "the limit", ours, *LIMITS[group], 1.0))
    return rows


def row(
    group: str, name: str, ours: dict[str, Any], rival: str, rival_rate: float, goal: float | None
) -> dict[str, Any]:
    """Our rate against one other."""
    ratio = rate(ours) / rival_rate
    what = "; ".join(part for part in (title(group), ours["extra_info"].get("note")) if part)
    return {
        "name": f"{group}: share of {name}", "what": what, "rival": rival, "ratio": round(ratio, 4),
        "unit_seconds": 1.0 / rate(ours), "rival_seconds": 1.0 / rival_rate, "unit": ours["extra_info"]["unit"],
        "per_second": round(rate(ours), 1), "goal": goal, "met": None if goal is None else ratio >= goal,
    }  # fmt: skip


def title(group: str) -> str:
    """What a group measures; a group of one grid of several ends with its token."""
    name, _, token = group.rpartition(" ")
    return TITLES[group] if group in TITLES else TITLES[name].format(token)


def sizes(benchmarks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Size of a granule of each grid, and the time to read a cell of it, beside the figures of the format's table."""
    rows = []
    for entry in benchmarks:
        found = entry["extra_info"].get("granule")
        if found is None:
            continue
        token, limit = found["token"], LARGEST_MB.get(found["token"])
        # The first figure is ours, the second the limit or what the table says; a ratio above 1 is smaller or faster.
        figures = (
            ("size", found["megabytes"], limit or found["table_megabytes"], "MB", bool(limit)),
            ("write", round(entry["stats"]["median"], 3), found["table_write_s"], "s", False),
            ("one cell", found["pixel_ms"], PIXEL_MS, "ms", True),
        )
        for name, mine, other, unit, limited in figures:
            rival = "the limit" if limited else "the format's table"
            rows.append({
                "name": f"{name} of a granule {token}: share of {rival}",
                "what": f"a global granule of {token}, {found['land']:.0%} of it land: {name}, {mine} {unit}",
                "rival": f"{rival}, {other} {unit}", "ratio": round(other / mine, 4), "unit": unit, "figure": mine,
                "goal": 1.0 if limited else None, "met": mine <= other if limited else None,
            })  # fmt: skip
    return rows


def main(source: Path, target: Path, command: str) -> None:
    """Read pytest-benchmark's JSON and write the speed file."""
    report = json.loads(source.read_text())
    machine = report["machine_info"]
    processor = machine.get("cpu", {}).get("brand_raw") or platform.machine()
    value = {
        "command": command,
        "commit": (report["commit_info"].get("id") or "unknown")[:12],
        "date": report["datetime"][:10],
        "machine": f"{processor}, {os.cpu_count()} cores",
        "results": [*results(report["benchmarks"]), *sizes(report["benchmarks"])],
    }
    target.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")
    for row in value["results"]:
        figure = (
            f"{row['per_second']:,.0f} {row['unit']}/s" if "per_second" in row else f"{row['figure']} {row['unit']}"
        )
        print(f"{row['name']:<45} {row['ratio']:9.3f}  {figure}  goal {row['goal']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
