"""Small releases and runs in the documented formats, written without the rooms that make real ones."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import xarray as xr
import yaml

from vadose.reports import build_site, policy, report, server, site_project
from vadose.reports.formats import KEY

PRODUCT = "demo-0p25deg"
DAYS = pd.date_range("2020-03-01", "2020-05-29", freq="D")
# Values no rounding, metric or date could give by chance: looked for in every file of the site.
SECRET = np.float32(0.2718)
HOSTILE = '<img src=x onerror=alert(1)>"]|`{{7*7}}` [a](javascript:x) *b* <a href="https://evil.example/">go</a>'


# Counts of a trial in which the program was broken on purpose.
FAULTS = {
    "command": "python trial.py", "date": "2026-01-15", "seed": 7,
    "kills": {"build": {"killed": 1200, "half_written": 0}, "train": 50}, "disks": {"full": 6, "clean": True},
    "fuzz": {"granule": {"3": 90, "0": 10}, f"station {HOSTILE}": {"3": 5, "1": 1}},
    "faults": [f"a file was left behind {HOSTILE}", {"what": "a traceback", "mended": True}],
}  # fmt: skip


@dataclass(frozen=True)
class Station:
    """One station of a run."""

    id: str
    name: str
    network: str = "NETA"
    reference: str = "stations"
    redistributable: bool = True


def stations(count: int = 3) -> list[Station]:
    """Plain stations, the last one of a network whose values may not be passed on."""
    plain = [Station(f"NETA/S{i}/0.05/probe", f"S{i}") for i in range(count - 1)]
    return [*plain, Station("NETB/closed/0.05/probe", "closed", "NETB", redistributable=False)]


def score(product: str, metric: str, value: float | None, **given: object) -> dict[str, object]:
    """One row of scores.parquet; without value it has a status."""
    known = value is not None
    row: dict[str, object] = dict.fromkeys(KEY, "")
    row |= {
        "product": product,
        "version": "1.0.0" if product == "vadose" else "2",
        "reference": "stations",
        "stratum_kind": "all",
        "stratum": "all",
        "subset": "common",
        "split": "P1",
        "signal": "raw",
        "scaling": "none",
        "aggregate": "median",
        "metric": metric,
        "value": value if known else np.nan,
        "ci_low": value - 0.0123 if known else np.nan,
        "ci_high": value + 0.0123 if known else np.nan,
        "ci_method": "tail_model",
        "ci_scope": "time_space",
        "n": 90 if known else 12,
        "n_eff": 31.5,
        "coverage": 0.9375,
        "status": "ok" if known else "few_samples",
    }
    return row | given


def scores(places: list[Station], version: str = "1.0.0") -> pd.DataFrame:
    """Overall, network and station rows of our product and a rival, from fixed random numbers."""
    draw = np.random.default_rng(5)
    rows = []
    for product in ("vadose", "rival"):
        shared = {"version": version if product == "vadose" else "2"}
        for metric, signal, middle in (
            ("r", "raw", 0.7),
            ("r", "anomaly_35d", 0.5),
            ("ubrmsd", "raw", 0.04),
            ("bias", "raw", -0.01),
        ):
            rows.append(score(product, metric, middle + draw.uniform(-0.01, 0.01), signal=signal, **shared))
            for network in sorted({place.network for place in places}):
                value = None if network == "NETB" and signal != "raw" else middle + draw.uniform(-0.01, 0.01)
                rows.append(
                    score(product, metric, value, signal=signal, stratum_kind="network", stratum=network, **shared)
                )
            rows += [
                score(
                    product, metric, middle + draw.uniform(-0.02, 0.02), signal=signal, stratum_kind="station",
                    stratum=place.id, aggregate="", **shared,
                )
                for place in places
            ]  # fmt: skip
    frame = pd.DataFrame(rows).sort_values(list(KEY), ignore_index=True)
    return frame.astype({"n": "int64"})


def comparisons() -> pd.DataFrame:
    """A better, a worse and an equal outcome; the bias was never compared."""
    shared = {
        "ours": "vadose", "rival": "rival", "reference": "stations", "stratum_kind": "all", "stratum": "all",
        "subset": "common", "n": 90, "n_eff": 31.5, "better": 2, "worse": 0, "equal": 1, "undecided": 0,
    }  # fmt: skip
    rows = [
        {
            "metric": "r",
            "signal": "raw",
            "difference": 0.031,
            "ci_low": 0.011,
            "ci_high": 0.051,
            "p_adjusted": 0.004,
            "outcome": "better",
        },
        {
            "metric": "r",
            "signal": "anomaly_35d",
            "difference": -0.04,
            "ci_low": -0.07,
            "ci_high": -0.01,
            "p_adjusted": 0.01,
            "outcome": "worse",
        },
        {
            "metric": "ubrmsd",
            "signal": "raw",
            "difference": 0.0001,
            "ci_low": -0.0004,
            "ci_high": 0.0006,
            "p_adjusted": 0.8,
            "outcome": "equal",
        },
    ]
    return pd.DataFrame([{**shared, "p": row["p_adjusted"], **row} for row in rows])


def station_table(places: list[Station]) -> pd.DataFrame:
    """stations.parquet."""
    return pd.DataFrame(
        {
            "station_id": [p.id for p in places],
            "network": [p.network for p in places],
            "station_name": [p.name for p in places],
            "lat": [47.1 + 0.3 * i for i in range(len(places))],
            "lon": [8.2 + 0.4 * i for i in range(len(places))],
            "depth_from": 0.0,
            "depth_to": 0.05,
            "footprint_kind": "point",
            "reference": [p.reference for p in places],
            "licence": ["CC-BY-4.0" if p.redistributable else "no redistribution" for p in places],
            "redistributable": [p.redistributable for p in places],
            "cell_row": 3,
            "cell_col": 4,
            "distance_km": 7.25,
            "land_cover": "130",
            "climate": "Cfb",
            "funnel_read": 100,
            "rejected_missing": 10,
        }
    )


def write_matchups(path: Path, places: list[Station]) -> None:
    """matchups.nc: our product, a rival and the reference, whose values at closed stations are `SECRET`."""
    draw = np.random.default_rng(7)
    values = draw.uniform(0.1, 0.2, (3, len(places), len(DAYS))).astype("f4")
    values[0, :, 5] = np.nan
    for i, place in enumerate(places):
        if not place.redistributable:
            values[2, i] = SECRET
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("series", 3), ("station", len(places)), ("time", len(DAYS))):
            file.createDimension(name, size)
        for name, words in (("series", ["vadose", "rival", "reference"]), ("station", [p.id for p in places])):
            variable = file.createVariable(name, str, (name,))
            variable[:] = np.array(words, dtype=object)
        time = file.createVariable("time", "f8", ("time",))
        time.units = "days since 2020-03-01 00:00:00"
        time[:] = np.arange(len(DAYS))
        file.createVariable("values", "f4", ("series", "station", "time"), fill_value=np.float32(np.nan))[:] = values


def write_run(folder: Path, places: list[Station] | None = None, *, version: str = "1.0.0") -> Path:
    """A whole run folder."""
    places = stations() if places is None else places
    folder.mkdir(parents=True)
    run = {
        "schema_version": 1,
        "roles": {"product": "vadose", "previous": None, "rivals": ["rival"], "references": []},
        "products": {"vadose": {"version": version, "quality": {"variable": "flag", "clear": 399, "keep": []}}},
        "headline": "stations",
    }
    gates = [
        {
            "name": "complete",
            "level": "required",
            "figure": 0,
            "limit": 0,
            "passed": True,
            "proved": None,
            "applicable": True,
            "reason": "",
        },
        {
            "name": "coverage",
            "level": "advisory",
            "figure": 0.9,
            "limit": 0.95,
            "passed": False,
            "proved": False,
            "applicable": True,
            "reason": "fewer days than before",
        },
        {
            "name": "stability",
            "level": "advisory",
            "figure": None,
            "limit": None,
            "passed": True,
            "proved": None,
            "applicable": False,
            "reason": "one year only",
        },
    ]
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "verdict.json").write_text(json.dumps({"passed": True, "gates": gates}))
    scores(places, version).to_parquet(folder / "scores.parquet", index=False)
    comparisons().to_parquet(folder / "comparisons.parquet", index=False)
    station_table(places).to_parquet(folder / "stations.parquet", index=False)
    write_matchups(folder / "matchups.nc", places)
    (folder / "diagnostics").mkdir()
    months = np.arange(1, 13.0)
    curves = [
        {
            "figure": "seasonal_cycle",
            "panel": "stations",
            "series": name,
            "x": m,
            "y": 0.2 + 0.05 * np.cos(m + k),
            "low": np.nan,
            "high": np.nan,
            "unit": "m3 m-3",
        }
        for k, name in enumerate(("vadose", "in situ"))
        for m in months
    ]
    shared = {"series": "vadose", "unit": "m3 m-3"}
    curves += [
        {
            "figure": "scatter_density",
            "panel": "stations/vadose",
            "x": x,
            "y": y,
            "low": 10.0 * k,
            "high": 0.1,
            **shared,
        }
        for k, (x, y) in enumerate(((0.1, 0.1), (0.112, 0.1), (0.148, 0.136)), 1)
    ]
    curves += [
        {"figure": "reliability", "panel": "stations", "x": x, "y": x - 0.02, "low": x - 0.05, "high": x, **shared}
        for x in (0.5, 0.8, 0.9, 0.95)
    ]
    pd.DataFrame(curves).to_parquet(folder / "diagnostics" / "curves.parquet", index=False)
    return folder


TRIPLET = "vadose+rival+in situ"
BUDGET = "vadose+in situ+rival"
GRID = "grid"


def further_scores(places: list[Station], version: str = "1.0.0") -> list[dict[str, object]]:
    """Rows beyond the headline: own samples, shifts, uncertainty, collocation, budgets, slopes, maps."""
    draw = np.random.default_rng(11)
    shared = {"version": version}

    def near(middle: float) -> float:
        return middle + float(draw.uniform(-0.002, 0.002))

    rows = []
    for product in ("vadose", "rival"):
        mine = shared if product == "vadose" else {}
        # The ratio of standard deviations is no headline metric: the diagrams show it.
        rows.append(score(product, "std_ratio", near(0.9), **mine))
        for metric, signal, middle in (("r", "raw", 0.72), ("ubrmsd", "raw", 0.041), ("bias", "raw", -0.012)):
            rows.append(score(product, metric, near(middle), signal=signal, subset="own", coverage=0.8, **mine))
        rows.append(score(product, "lag_days", near(0.1), stratum_kind="lag", subset="own", aggregate="mean_z", **mine))
        tc = {"subset": "triplet", "stratum_kind": "triplet", "stratum": TRIPLET, **mine}
        rows += [
            score(product, name, near(value), **tc)
            for name, value in (("tc_error", 0.02), ("tc_r2", 0.8), ("tc_snr", 6.0))
        ]
        slope = {"subset": "stability", "stratum_kind": "network", "aggregate": "mean", **mine}
        rows += [score(product, "trend", near(0.004), **slope | {"stratum": name}) for name in ("all", "NETA")]
        rows += [score(product, name, near(0.001), **slope) for name in ("trend_ubrmsd", "trend_r")]
        field = {"subset": "map", "stratum_kind": "map", "reference": GRID, "aggregate": "mean", **mine}
        rows += [score(product, name, near(0.03), **field) for name in ("spatial_r", "spatial_ubrmsd", "spatial_bias")]
        event = {"subset": "events", "stratum_kind": "events", **mine}
        rows += [
            score(product, name, near(0.6), **event)
            for name in ("drydown_log_ratio", "wetup_hit_rate", "drought_20_pod")
        ]
    for stratum in ("all", "land_cover 130"):
        stated = {"subset": "own", "stratum_kind": "uncertainty", "stratum": stratum, "aggregate": "pooled", **shared}
        stated["status"] = "reference_error_removed"
        for name, value in (("coverage_50", 0.49), ("coverage_80", 0.78), ("coverage_90", 0.89), ("coverage_95", 0.94)):
            rows.append(score("vadose", name, near(value), **stated))
        for name, value in (
            ("crps", 0.03),
            ("interval_score", 0.2),
            ("interval_width", 0.15),
            ("spread_skill_slope", 1.1),
        ):
            rows.append(score("vadose", name, near(value), **stated | {"ci_low": np.nan, "ci_high": np.nan}))
    for k, place in enumerate(places):
        single = {"stratum_kind": "station", "stratum": place.id, "aggregate": "", **shared}
        known = near(0.018) if k else None
        rows.append(score("vadose", "tc_error", known, subset=f"triplet {TRIPLET}", **single))
        for name in ("budget_bias2", "budget_gain2", "budget_product2", "budget_reference2"):
            rows.append(score("vadose", name, abs(near(0.0)) if k else None, subset=f"budget {BUDGET}", **single))
        slope = near(0.03) if k else None
        rows.append(
            score("vadose", "trend", slope, subset="stability", **single | {"status": "ok" if k else "few_years"})
        )
    return rows


def further_facts() -> pd.DataFrame:
    """diagnostics/tables.parquet."""
    tables = {
        "product_relations": {
            "vadose": {"rival": "shared_forcing (weather <b>)"}, "rival": {"vadose": "shared_forcing"},
        },
        "collocation": {
            f"stations raw {TRIPLET}": {
                "reference": "stations", "signal": "raw", "triplet": TRIPLET, "audit": "dependent_errors",
                "stations": 3.0,
                "status ok": 2.0, "status few_samples": 1.0, "tc_error in situ": 0.0471, "tc_r2 in situ": 0.55,
                "tc_snr in situ": 1.2,
            }
        },
        "error_budget": {
            f"stations {BUDGET}": {
                "audit": "independent", "bias2": 0.0001, "gain2": 0.0002, "product2": 0.0003, "reference2": 0.0021,
                "mse": 0.003,
            }
        },
        "stability": {
            f"stations {product} {name}": {
                "detectable": 0.031, "detectable_drift": 0.041, "verdict": "undecided", "status": "ok",
            }
            for product in ("vadose", "rival")
            for name in ("all", "NETA")
        },
        "breaks": {
            f"stations vadose {HOSTILE}": {
                "month": "2020-04", "difference": -0.02, "p": 0.01, "clusters_in_quarter": 3.0, "charged_to": "product",
            }
        },
        "droughts": {"stations vadose DJF": {"hits": 61.0, "misses": 70.0, "false_alarms": 12.0, "pod": 0.4656}},
        "process_signs": {"stations vadose": {"rise_with_rain": 0.91, "fall_without_rain": 0.87}},
        "map_detail": {f"{GRID} vadose": {"std_below_coarse_cell": 0.0123}},
    }  # fmt: skip
    rows = [
        (table, row, column, cell if isinstance(cell, float) else np.nan, "" if isinstance(cell, float) else cell)
        for table, found in tables.items()
        for row, cells in found.items()
        for column, cell in cells.items()
    ]
    return pd.DataFrame(rows, columns=["table", "row", "column", "value", "text"])


def further_curves() -> pd.DataFrame:
    """Curves beyond seasonal cycles, density and reliability; days count from 1970."""
    days = (DAYS - pd.Timestamp("1970-01-01")).days.to_numpy(float)
    lat = np.array([48.5, 49.5])
    parts = [
        ("pit", "stations", "vadose", np.arange(0.05, 1.0, 0.1), np.linspace(0.8, 1.2, 10), np.nan),
        ("spread_skill", "stations", "vadose", np.array([0.03, 0.04, 0.06]), np.array([0.031, 0.045, 0.055]), 30.0),
        ("zonal_mean", GRID, GRID, lat, np.array([0.2, 0.21]), 90.0),
        ("spectrum", GRID, GRID, np.array([0.002, 0.004]), np.array([0.01, 0.002]), 12.0),
    ]
    for product in ("vadose", "rival"):
        parts += [
            ("lag_increments", "stations", product, np.arange(-5.0, 6.0), np.linspace(0.1, 0.3, 11), 0.05),
            ("monthly_difference", "stations/all", product, days[::30], np.array([0.01, -0.01, 0.0]), np.nan),
            ("zonal_mean", GRID, product, lat, np.array([0.19, 0.22]), 90.0),
            ("spectrum", GRID, product, np.array([0.002, 0.004]), np.array([0.011, 0.001]), 12.0),
        ]
        for name in ("spatial_r", "spatial_ubrmsd", "spatial_bias"):
            parts.append((name, GRID, product, days[[0, 1, 3]], np.array([0.51, 0.62, 0.73]), np.nan))
    return pd.concat(
        [
            pd.DataFrame(
                {"figure": f, "panel": p, "series": s, "x": x, "y": y, "low": low, "high": np.nan, "unit": "1"}
            )
            for f, p, s, x, y, low in parts
        ],
        ignore_index=True,
    )


def write_maps(path: Path) -> None:
    """maps.nc: two products against one gridded reference of 6 by 8 cells, one without a value."""
    lat, lon = 49.75 - 0.5 * np.arange(6), 5.25 + 0.5 * np.arange(8)
    draw = np.random.default_rng(13)
    seasonal = draw.uniform(-0.05, 0.05, (2, 4, 6, 8)).astype("f4")
    seasonal[:, :, 0, 0] = np.nan
    single = draw.uniform(0.4, 0.9, (2, 6, 8)).astype("f4")
    fields = ("product", f"lat_{GRID}", f"lon_{GRID}")
    cells = ("product", f"cell_lat_{GRID}", f"cell_lon_{GRID}")
    dates = np.full((2, len(DAYS)), 0.1, "f4")
    data = {
        f"difference_{GRID}": (("product", "season", *fields[1:]), seasonal),
        f"cell_r_{GRID}": (cells, single), f"cell_bias_{GRID}": (cells, single - 0.6),
        **{
            f"{name}_{GRID}": (("product", f"time_{GRID}"), dates)
            for name in ("spatial_r", "spatial_ubrmsd", "spatial_bias")
        },
    }  # fmt: skip
    axes = {fields[1]: lat, fields[2]: lon, cells[1]: lat, cells[2]: lon, f"time_{GRID}": DAYS.to_numpy()}
    names = {"product": np.array(["vadose", "rival"], object), "season": np.array(["DJF", "MAM", "JJA", "SON"], object)}
    xr.Dataset(data, coords={**names, **axes}).to_netcdf(path, engine="netcdf4")


def write_further(run: Path, places: list[Station] | None = None, version: str = "1.0.0") -> Path:
    """Give a run what the further pages are made of."""
    places = stations() if places is None else places
    frame = pd.concat([pd.read_parquet(run / "scores.parquet"), pd.DataFrame(further_scores(places, version))])
    frame = frame.sort_values(list(KEY), ignore_index=True).astype({"n": "int64"})
    frame.to_parquet(run / "scores.parquet", index=False)
    compared = comparisons()
    by_network = compared.assign(stratum_kind="network", stratum=places[0].network)
    pd.concat([compared, by_network]).to_parquet(run / "comparisons.parquet", index=False)
    curves = run / "diagnostics" / "curves.parquet"
    pd.concat([pd.read_parquet(curves), further_curves()], ignore_index=True).to_parquet(curves, index=False)
    further_facts().to_parquet(run / "diagnostics" / "tables.parquet", index=False)
    write_maps(run / "diagnostics" / "maps.nc")
    return run


def write_granule(path: Path, day: pd.Timestamp) -> None:
    """One granule of 20 by 24 cells with a frozen row, in the layout that pages read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with netCDF4.Dataset(path, "w", format="NETCDF4_CLASSIC") as file:
        for name, size in (("time", None), ("lat", 20), ("lon", 24)):
            file.createDimension(name, size)
        time = file.createVariable("time", "f8", ("time",))
        time.units = "days since 1970-01-01 00:00:00"
        time[:] = [(day - pd.Timestamp("1970-01-01")).days + 0.5]
        file.createVariable("lat", "f8", ("lat",))[:] = 49.875 - 0.25 * np.arange(20)
        file.createVariable("lon", "f8", ("lon",))[:] = 5.125 + 0.25 * np.arange(24)
        sm = file.createVariable("sm", "f4", ("time", "lat", "lon"), fill_value=np.float32(-9999))
        sm.long_name = "volumetric soil moisture, 0-5 cm, daily mean"
        sm.units = "m3 m-3"
        sm.comment = HOSTILE
        sm[:] = np.linspace(0.05, 0.45, 480).reshape(1, 20, 24)
        flag = file.createVariable("flag", "i2", ("time", "lat", "lon"))
        flag.long_name = "status"
        flag.flag_masks = np.array([1, 4, 512], "i2")
        flag.flag_meanings = "outside_domain frozen_soil gap_filled"
        flag[:] = 0
        flag[0, 3, :] = 4


def recipe(version: str, title: str) -> dict[str, object]:
    """The recipe's part that pages show."""
    agent = {
        "name": "Vadose contributors",
        "institution": "Vadose contributors",
        "email": "data@example.org",
        "url": "https://example.org/",
    }
    return {
        "recipe": "demo",
        "target": "smap_sm_am",
        "predictors": {"daily": ["precipitation"], "static": ["sand"]},
        "method": {"name": "atlstm", "split": "P1", "ensemble": 2},
        "waivers": [],
        "product": {
            "token": "DEMO",
            "grid": {"token": "0P25DEG"},
            "step": "daily",
            "depth_m": [0.0, 0.05],
            "days": [DAYS[0].date(), DAYS[-1].date()],
            "version": version,
            "title": title,
            "summary": "Soil moisture of a small box.",
            "source": "simulated radiometer",
            "licence": "CC0-1.0",
            "institution": "Vadose contributors",
            "landing_url": "https://example.org/demo/",
            "doi": None,
            "acknowledgement": "Name the version.",
            "creator": agent,
            "publisher": agent,
        },
    }


def coverage(days: pd.DatetimeIndex) -> pd.DataFrame:
    """coverage.csv: on every seventh day half of the cells are frozen."""
    frozen = np.where(np.arange(len(days)) % 7 == 6, 240, 24)
    return pd.DataFrame(
        {
            "day": days.strftime("%Y-%m-%d"), "cells_expected": 480, "cells_given": 480 - frozen,
            "cells_recommended": 470 - frozen, "share_frozen_soil": frozen / 480, "share_gap_filled": 0.0,
            "mean": 0.25 + 0.01 * np.sin(np.arange(len(days))), "p05": 0.1, "p95": 0.4,
        }
    )  # fmt: skip


def write_release(
    workspace: Path, version: str, run: Path, *, title: str = "Small soil moisture", days: int = 3
) -> Path:
    """A release folder with a few granules; unpublished until `publish` is called."""
    folder = workspace / "releases" / PRODUCT / f"v{version}"
    files = []
    for day in DAYS[:days]:
        name = f"VADOSE-DEMO-L4-0P25DEG-DAILY-{day:%Y%m%d}-CDR-v{version}.nc"
        path = folder / "CDR" / "DAILY" / f"{day:%Y}" / f"{day:%m}" / name
        write_granule(path, day)
        files.append(
            {
                "path": path.relative_to(folder).as_posix(),
                "role": "granule",
                "stream": "CDR",
                "step": "DAILY",
                "start": f"{day:%Y-%m-%d}T00:00:00Z",
                "bytes": path.stat().st_size,
                "sha256": "0" * 64,
                "since": version,
                "status": "published",
            }
        )
    manifest = {
        "schema_version": 1,
        "product_id": PRODUCT,
        "version": version,
        "issued": "2026-01-15T00:00:00Z",
        "files": files,
        "code": {"vadose": "0.1.0", "commit": "a" * 40},
        "hardware": "cpu x86_64",
        "writer": "libdeflate",
        "recipe_sha256": "b" * 64,
        "model_sha256": "c" * 64,
    }
    (folder / "provenance").mkdir()
    (folder / "provenance" / "recipe.yaml").write_text(yaml.safe_dump(recipe(version, title)))
    inputs = [
        {
            "name": "a.nc",
            "bytes": 12,
            "sha256": "d" * 64,
            "producer": "Simulated",
            "version": "1",
            "licence": "CC0-1.0",
            "source": "world",
        }
    ]
    (folder / "provenance" / "inputs.json").write_text(json.dumps(inputs))
    ledger = {
        "cells": {"fit": [1, 2], "test": [1, 2]},
        "days": {"fit": [["2019-01-01", "2019-12-31"]], "test": [["2020-01-01", "2020-12-31"]]},
    }
    (folder / "provenance" / "model.json").write_text(json.dumps({"ledger": ledger}))
    (folder / "quality").mkdir()
    coverage(DAYS).to_csv(folder / "quality" / "coverage.csv", index=False)
    copy = folder / "quality" / "validation"
    copy.mkdir()
    for name in ("run.json", "scores.parquet", "stations.parquet", "comparisons.parquet", "verdict.json"):
        (copy / name).write_bytes((run / name).read_bytes())
    (folder / "CHANGELOG.md").write_text(
        f"# {version}\n\nFirst version.\n\n| figure | value |\n|---|---|\n| days | {days} |\n"
    )
    jsonld = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "name": title,
        "version": version,
        "description": "</script><script>alert(1)</script>",
    }
    (folder / "dataset.jsonld").write_text(json.dumps(jsonld))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "SHA256SUMS").write_text("".join(f"{f['sha256']}  {f['path']}\n" for f in files))
    return folder


def many(folder: Path, granules: int, first: str) -> None:
    """That many more granules in the manifest of a release, a day each, with sheets of pictures; no files."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    one, names = manifest["files"][0], [entry["path"] for entry in manifest["files"]]
    start = one["start"][:10].replace("-", "")
    for day in pd.date_range(first, periods=granules, freq="D"):
        name = one["path"].replace(f"{start[:4]}/{start[4:6]}", f"{day:%Y/%m}").replace(start, f"{day:%Y%m%d}")
        manifest["files"].append(one | {"path": name, "start": f"{day:%Y-%m-%d}T00:00:00Z"})
        sheet = f"quicklook/CDR/DAILY/{day:%Y}/{Path(name).stem.replace(f'{day:%Y%m%d}', f'{day:%Y%m}')}.png"
        if sheet not in names:
            names.append(sheet)
            manifest["files"].append({"path": sheet, "role": "quicklook", "bytes": 9, "sha256": "1" * 64})
    path.write_text(json.dumps(manifest))


def publish(folder: Path, status: str = "current") -> None:
    """Name a version in the product's root files."""
    path = folder.parent / "versions.json"
    versions = json.loads(path.read_text())["versions"] if path.is_file() else []
    for entry in versions:
        entry["status"] = "superseded"
    versions.append(
        {"version": folder.name[1:], "issued": "2026-01-15T00:00:00Z", "status": status, "reason": None, "doi": None}
    )
    path.write_text(json.dumps({"versions": versions}))
    (folder.parent / "latest.json").write_text(json.dumps({"version": folder.name[1:], "manifest_sha256": "e" * 64}))


def write_workspace(workspace: Path) -> Path:
    """Version 1.0.0 published with all pages, 1.1.0 a preview with few, a known issue, and one run each."""
    first = write_release(workspace, "1.0.0", write_further(write_run(workspace / "runs" / "first")))
    second = write_release(workspace, "1.1.0", write_run(workspace / "runs" / "second", version="1.1.0"))
    many(second, 120, "2020-03-04")
    publish(first)
    (first.parent / "KNOWN_ISSUES.md").write_text(
        f"# Known issues\n\n## Too wet in spring {HOSTILE}\n\nAffects v1.0.0. {HOSTILE}\n"
    )
    return workspace


def write_skill(folder: Path) -> Path:
    """site/data/skill/ with five seeds of two methods under P1 and one under P4, partial."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(3)
    shared = {
        "reference": "smap",
        "version": "1.0.0",
        "subset": "all_cells",
        "ci_low": np.nan,
        "ci_high": np.nan,
        "n": 412,
    }
    rows = [
        score(
            "conus412",
            metric,
            middle + draw.uniform(-0.001, 0.001),
            method=method,
            seed=str(seed),
            split=split,
            fold="",
            **shared,
        )
        for method in ("lstm", "xgboost")
        for split in ("P1", "P4")
        for seed in range(5 if split == "P1" else 1)
        for metric, middle in (("rmse", 0.031), ("ubrmsd", 0.029), ("r", 0.85))
    ]
    pd.DataFrame(rows).to_parquet(folder / "scores.parquet", index=False)
    memory = [
        {
            "figure": "memory",
            "panel": "rmse",
            "series": "lstm",
            "x": float(x),
            "y": 0.03 + 0.01 / x,
            "low": 0.029,
            "high": 0.041,
            "unit": "m3 m-3",
        }
        for x in (4, 30, 90)
    ]
    pd.DataFrame(memory).to_parquet(folder / "memory.parquet", index=False)
    costs = [
        {
            "method": "lstm",
            "split": "P1",
            "seed": "0",
            "fold": "",
            "seconds_train": 120.5,
            "parameters": 81000,
            "predictions_per_second": 1.5e6,
        }
    ]
    pd.DataFrame(costs).to_parquet(folder / "costs.parquet", index=False)
    bins = [
        {"split": "P1", "method": method, "seed": seed, "reference": x, "predicted": y, "count": 10 * k + len(method)}
        for method, seed in (("lstm", "0"), ("lstm", "ensemble"), ("xgboost", "1"), ("xgboost", "0"))
        for k, (x, y) in enumerate(((0.105, 0.115), (0.115, 0.115), (0.205, 0.195)))
    ]
    pd.DataFrame(bins).to_parquet(folder / "density.parquet", index=False)
    about = {
        "command": "nox -s skill",
        "commit": "f" * 40,
        "date": "2026-01-15",
        "machine": "2 cores",
        "benchmark": "CONUS-412",
        "complete": False,
        "partial": ["P2 has two of five folds"],
        "added": [
            {"command": "vadose compare a <b>", "commit": "e" * 40, "date": "2026-02-20", "machine": "8 cores"},
        ],
        "settings": {},
    }
    (folder / "skill.json").write_text(json.dumps(about))
    return folder


def write_evidence(data: Path) -> None:
    """The trial of the intervals, and one experiment on real data with a table and a hostile word."""
    rows = [
        {
            "series_model": model, "days": days, "metric": metric, "interval": "tail_model", "trials": 1000,
            "coverage": 0.95 if metric != "rho" else np.nan, "coverage_ok": 0.95, "textbook": 0.33,
            "standard_error": 0.007,
            "n_eff": 80.0, "share_ok": 1.0, "goal_applies": days > 1000, "met": True,
        }
        for model in ("white noise", "AR(1) 0.97")
        for days in (730, 1825)
        for metric in ("r", "bias", "rho")
        if (model, metric) != ("AR(1) 0.97", "rho")
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(data / "skill" / "coverage.parquet", index=False)
    made = {"command": "nox -s skill", "commit": "c" * 12, "date": "2026-01-15"}
    trial = {"goal": [0.9, 0.97], "goal_applies_from_n_eff": 30.0, "level": 0.95, "rows_met": 8, "rows_with_goal": 10}
    (data / "skill" / "coverage.json").write_text(json.dumps(made | trial))
    folder = data / "validation"
    folder.mkdir()
    about = {
        "title": "A core site",
        "summary": f"Published figures again. {HOSTILE}",
        "stations": 12,
        "limits": {"r": 0.01},
    }
    (folder / "core.json").write_text(json.dumps(made | about))
    found = {
        "metric": ["r", "bias"],
        "value": [0.812345, -0.0123],
        "published": [0.81, -0.012],
        "agrees": [True, False],
    }
    pd.DataFrame(found).assign(agrees=[True, False]).to_parquet(folder / "core.parquet", index=False)
    tables = real_experiments()
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    listed = {"command": "python -m experiments", "tables": {name: len(table) for name, table in tables.items()}}
    (folder / "validation.json").write_text(json.dumps(listed))


def write_system(folder: Path) -> None:
    """A published system with a description, one table and two panels of curves."""
    folder.mkdir(parents=True)
    paper = {
        "title": "Small system",
        "citation": f"Author A. (2025). A paper {HOSTILE}",
        "doi": "10.1000/1",
        "claim": "It is better.",
        "methods": ["lstm", "xgboost"],
        "stated": [{"caption": "Scores", "columns": ["model", "R"], "rows": [["theirs", ".987"]]}],
        "questions": [{"claim": "Deep beats trees", "ran": "both", "found": "not here"}],
        "outputs": [
            {"output": "test scores", "where": "skill"},
            {"output": "scores on gap days", "where": "gap_scores"},
            {"output": "attention by lag", "where": "attention"},
            {"output": "a map of the world", "where": "missing", "why": "the inputs are not public"},
        ],
    }
    (folder / "paper.yaml").write_text(yaml.safe_dump(paper))
    made = {"command": "vadose compare small", "commit": "d" * 12, "date": "2026-01-15", "title": "Gaps"}
    told = {"figures": {"attention": {"x": "lag (days)", "caption": "Mean attention"}}}
    (folder / "gap.json").write_text(json.dumps(made | told))
    scores = {"method": ["lstm", "linear"], "metric": "ubrmsd", "value": [0.0291, 0.0444], "status": "ok"}
    pd.DataFrame(scores).to_parquet(folder / "gap_scores.parquet", index=False)
    curves = [
        {
            "figure": "attention", "panel": panel, "series": "atlstm", "x": float(lag), "y": 0.5 / (lag + 1),
            "low": np.nan, "high": np.nan, "unit": "1",
        }
        for panel in ("all", "wet")
        for lag in range(4)
    ]  # fmt: skip
    pd.DataFrame(curves).to_parquet(folder / "gap_curves.parquet", index=False)


def real_experiments() -> dict[str, pd.DataFrame]:
    """Tables in the layout of the experiments on real data."""
    triplets = [
        {
            "point": f"P{k}",
            "triplet": "A+B+C",
            "audit": audit,
            "product": product,
            "signal": "raw",
            "r2": 0.5 + 0.01 * k,
            "status": status,
        }
        for audit, status in (("independent", "ok"), ("contains", "dependent_errors"))
        for product in "ABC"
        for k in range(4)
    ]
    validity = [
        {"audit": audit, "status": status, "triplets": n, "signal": signal}
        for signal in ("raw", "anomaly_35d")
        for audit, status, n in (
            ("independent", "ok", 4),
            ("independent", "few_samples", 2),
            ("contains, shared_sensor", "ok", 3),
        )
    ]
    trends = [
        {
            "series": f"place {k}",
            "pair": "one-two",
            "slope": 0.002 * k,
            "ci_low": 0.002 * k - 0.004,
            "ci_high": 0.002 * k + 0.004,
            "verdict": "stable",
        }
        for k in range(3)
    ]
    maps = [
        {"product": product, "reference": "smap", "metric": metric, "value": value}
        for metric, value in (("spatial_r", 0.49), ("cells", 19556.0))
        for product in ("gldas", "era5")
    ]
    curves = further_curves()
    return {
        "hawaii_triplets": pd.DataFrame(triplets), "hawaii_validity": pd.DataFrame(validity),
        "cci_trends": pd.DataFrame(trends),
        "granule_maps": pd.DataFrame(maps), "granule_curves": curves[curves["figure"].isin(["zonal_mean", "spectrum"])],
        "yanco_scores": pd.DataFrame(
            {
                "cell": "318-873", "series": ["SMAP", "station y1"], "sample": ["windows", "days"], "metric": "r",
                "value": [0.76, 0.91],
                "ci_low": [0.46, np.nan], "ci_high": [0.9, np.nan], "status": ["ok", "few_effective"],
            }
        ),
        "uscrn_funnel": pd.DataFrame(
            {
                "depth_cm": [5, 5, 10], "kind": ["stage", "rejected", "stage"],
                "name": ["rows_read", "missing", "rows_read"],
                "count": [40626, 678, 40000], "stations": 111,
            }
        ),
        "other_things": pd.DataFrame({"what": ["a", "b"], "n": [1, 2]}),
    }  # fmt: skip


def write_project(folder: Path) -> Path:
    """A copy of the site project with small result files, so that no test depends on the committed ones."""
    source = site_project()
    for path in sorted(source.rglob("*")):
        part = path.relative_to(source)
        if path.is_file() and part.parts[0] not in ("js", "data"):
            target = folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    write_skill(folder / "data" / "skill")
    write_evidence(folder / "data")
    write_system(folder / "data" / "experiments" / "small-system")
    speed = {
        "command": "nox -s bench",
        "commit": "f" * 40,
        "date": "2026-01-15",
        "machine": "2 cores",
        "results": [
            {
                "name": "path",
                "what": "predict a block",
                "rival": "eager",
                "ratio": 1.25,
                "unit_seconds": 0.8,
                "rival_seconds": 1.0,
                "goal": 1.0,
                "met": True,
            }
        ],
    }
    (folder / "data" / "faults").mkdir()
    (folder / "data" / "faults" / "first_trial.json").write_text(json.dumps(FAULTS))
    (folder / "data" / "speed").mkdir()
    (folder / "data" / "speed" / "speed.json").write_text(json.dumps(speed))
    return folder


@dataclass(frozen=True)
class Built:
    """A built site on a running server."""

    workspace: Path
    docs: Path
    site: Path
    url: str


def built_site(workspace: Path) -> Built:
    """Render and build `write_workspace`, and serve it with its policy header until the process ends."""
    write_workspace(workspace)
    return served(workspace)


def served(workspace: Path) -> Built:
    """Render, build and serve a workspace with the policy header of its site until the process ends."""
    project = write_project(workspace.parent / "project")
    site = workspace / "build" / "site"
    site.mkdir(parents=True)
    listener = server(site, workspace / "releases", 0)
    url = f"http://127.0.0.1:{listener.server_address[1]}/"
    done = report(workspace, site_url=url, project=project)
    build_site(done.config, url)
    listener.RequestHandlerClass.keywords["header"] = policy(site)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    return Built(workspace, done.docs, site, url)
