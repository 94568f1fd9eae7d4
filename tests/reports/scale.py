"""A site of 2,000 stations, five products, ten years and twenty versions of 14,600 granules: made, timed, weighed.

    python tests/reports/scale.py FOLDER [--stations 2000] [--years 10] [--versions 20] [--granules 14600] [--no-build]

Prints the seconds of `report`, of a second `report` where nothing changed, and of MkDocs, and the size of the site.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType

import netCDF4
import numpy as np
import pandas as pd

from vadose.reports import build_site, report

LIMIT_SECONDS = 120.0
RIVALS = ("rival-a", "rival-b", "rival-c", "rival-d")
METRICS = (("r", "raw", 0.7), ("r", "anomaly_35d", 0.5), ("ubrmsd", "raw", 0.04), ("bias", "raw", -0.01))


def load(name: str) -> ModuleType:
    """A module beside this file."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


small = load("small_site")


def places(count: int) -> list:
    """Stations of twenty networks, every seventh of which may not be passed on."""
    return [
        small.Station(f"NET{k % 20}/S{k}/0.05/probe", f"Station {k}", f"NET{k % 20}", redistributable=bool(k % 7))
        for k in range(count)
    ]


def scores(stations: list, version: str) -> pd.DataFrame:
    """Overall, network and station rows of five products."""
    draw = np.random.default_rng(int(version.replace(".", "")))
    ids = [place.id for place in stations]
    parts = [small.scores(stations[:1], version).iloc[:0]]
    for product in ("vadose", *RIVALS):
        for metric, signal, middle in METRICS:
            base = small.score(product, metric, middle, signal=signal)
            base["version"] = version if product == "vadose" else "2"
            kinds = ["all", *["network"] * 20, *["station"] * len(ids)]
            frame = pd.DataFrame({"stratum_kind": kinds, "stratum": ["all", *(f"NET{k}" for k in range(20)), *ids]})
            frame["value"] = middle + draw.uniform(-0.02, 0.02, len(frame))
            frame["ci_low"], frame["ci_high"] = frame["value"] - 0.012, frame["value"] + 0.012
            frame["aggregate"] = np.where(frame["stratum_kind"] == "station", "", "median")
            rest = {name: value for name, value in base.items() if name not in frame}
            parts.append(frame.assign(**rest))
    return pd.concat(parts, ignore_index=True).astype({"n": "int64"})


def comparisons(stations: list, draw: np.random.Generator, rivals: tuple[str, ...]) -> pd.DataFrame:
    """Ours beside each rival over all, by network and at each station."""
    one = small.comparisons().iloc[[0]]
    kinds = ["all", *["network"] * 20, *["station"] * len(stations)]
    names = ["all", *(f"NET{k}" for k in range(20)), *(place.id for place in stations)]
    parts = []
    for rival in rivals:
        for metric, signal, _ in METRICS[:3]:
            frame = one.loc[one.index.repeat(len(names))].reset_index(drop=True)
            frame["stratum_kind"], frame["stratum"], frame["rival"] = kinds, names, rival
            frame["metric"], frame["signal"] = metric, signal
            frame["outcome"] = draw.choice(["better", "worse", "equal", "undecided"], len(names))
            parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def write_matchups(path: Path, stations: list, years: int) -> None:
    """matchups.nc of six series with a fifth of the days missing."""
    days = int(365.25 * years)
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("series", 6), ("station", len(stations)), ("time", days)):
            file.createDimension(name, size)
        listed = {"series": ["vadose", *RIVALS, "reference"], "station": [place.id for place in stations]}
        for name, words in listed.items():
            file.createVariable(name, str, (name,))[:] = np.array(words, dtype=object)
        moment = file.createVariable("time", "f8", ("time",))
        moment.units = "days since 2015-04-01 00:00:00"
        moment[:] = np.arange(days)
        values = file.createVariable("values", "f4", ("series", "station", "time"), fill_value=np.float32(np.nan))
        draw = np.random.default_rng(1)
        for k in range(6):
            block = draw.uniform(0.05, 0.45, (len(stations), days)).astype("f4")
            block[draw.uniform(size=block.shape) < 0.2] = np.nan
            values[k] = block


def write_run(folder: Path, version: str, count: int, rank: int = 0) -> Path:
    """A run of many stations without match-ups; all but the first compare with the version before."""
    stations = places(count)
    table = small.station_table(stations)
    table["lat"], table["lon"] = np.linspace(-50, 70, count), (np.arange(count) * 137.507764) % 360 - 180
    run: Path = small.write_run(folder, stations[:2], version=version)
    scores(stations, version).to_parquet(run / "scores.parquet", index=False)
    rivals = (*RIVALS, "before") if rank else RIVALS
    comparisons(stations, np.random.default_rng(rank), rivals).to_parquet(run / "comparisons.parquet", index=False)
    table.to_parquet(run / "stations.parquet", index=False)
    document = json.loads((run / "run.json").read_text())
    document["roles"] |= {"rivals": list(RIVALS), "previous": "before" if rank else None}
    (run / "run.json").write_text(json.dumps(document))
    (run / "matchups.nc").unlink()
    return run


def write_workspace(workspace: Path, *, count: int, years: int, versions: int, granules: int) -> None:
    """One product; every version has a run with scores, the newest its match-ups, too."""
    for k in range(versions):
        version = f"1.{k}.0"
        run = write_run(workspace / "runs" / f"run-{k:02d}", version, count, k)
        if k == versions - 1:
            write_matchups(run / "matchups.nc", places(count), years)
        folder = small.write_release(workspace, version, run, days=1)
        small.many(folder, granules - 1, "1985-01-01")
        small.publish(folder)


def timed(words: str, work) -> float:
    """Run, print wall and processor seconds, return the wall ones."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    seconds = time.perf_counter() - start
    print(f"{words}: {seconds:.1f} s ({time.process_time() - cpu:.1f} s of this process)", flush=True)
    return seconds


def main() -> int:
    """Make the workspace where it is missing, then time."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    for name, value in (("stations", 2000), ("years", 10), ("versions", 20), ("granules", 14_600)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--no-build", action="store_true")
    asked = parser.parse_args()
    workspace = asked.folder / "workspace"
    if not workspace.exists():
        write_workspace(
            workspace, count=asked.stations, years=asked.years, versions=asked.versions, granules=asked.granules
        )
    config = workspace / "build" / "mkdocs.yml"
    total = timed("vadose report", lambda: report(workspace))
    timed("vadose report, nothing changed", lambda: report(workspace))
    if not asked.no_build:
        total += timed("mkdocs build", lambda: build_site(config, "http://127.0.0.1:8000/"))
        size = sum(path.stat().st_size for path in (workspace / "build" / "site").rglob("*") if path.is_file())
        print(f"site: {size / 1e6:.0f} MB")
    print(f"in all {total:.1f} s of {LIMIT_SECONDS:.0f}")
    return int(total > LIMIT_SECONDS)


if __name__ == "__main__":
    raise SystemExit(main())
