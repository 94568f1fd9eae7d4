"""What one reference gives to the tables of a run: rows of scores and comparisons, stations, curves, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.validation import blocks, calibration
from vadose.validation.baselines import BASELINES
from vadose.validation.blocks import Block, Scores
from vadose.validation.calibration import Hits
from vadose.validation.lags import Shift, shift
from vadose.validation.matching import Matched
from vadose.validation.network import Network
from vadose.validation.pairs import takes_more_than_half
from vadose.validation.scores import HEADLINE

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Tables:
    """What one reference gives.

    Attributes
    ----------
    reference, kind, names, present
        Name, `stations` or `cells`, the products in the order of their rows, ours first, and the positions of those
        with a day in common.
    keys, versions, days, label
        `reference` and `split` of the rows, the version of each product, the days of the comparison, and what every
        subset carries where day conventions are mixed.
    scores, comparisons, stations, curves
        Tables of the run.
    hits
        Coverage of the stated uncertainty by class; None where the product states none.
    shifts
        By how many days each product is late.
    independent
        Stations that no product has learnt from, (station,).
    network
        Clusters and classes of the stations.
    matched
        All series, for references that fit into memory, else None.
    r
        The reference as it was scored, of `matched`.
    found
        Scores of every station or cell.
    sampled
        What each day of a station counts in, for references that fit into memory, (station, time): the sum of 1 where
        it is matched with ours, 2 where all products have it too, 4 where training has seen it.
    notes
        For `run.json`.
    """

    reference: str
    kind: str
    names: tuple[str, ...]
    present: tuple[int, ...]
    keys: Mapping[str, str]
    versions: Mapping[str, str]
    days: npt.NDArray[np.datetime64]
    label: str
    scores: pd.DataFrame
    comparisons: pd.DataFrame
    stations: pd.DataFrame
    curves: pd.DataFrame
    hits: tuple[Hits, ...] | None
    shifts: Mapping[str, Shift]
    independent: Booleans
    network: Network
    matched: Matched | None
    r: Floats | None
    found: Scores
    sampled: npt.NDArray[np.int8] | None = None
    notes: dict[str, Any] = field(default_factory=dict)


def tables_of(
    found: Scores, stations: pd.DataFrame, network: Network, independent: Booleans, *, only: Block | None, last: Block,
    every: bool,
) -> Tables:  # fmt: skip
    """The tables of a reference from what its blocks of stations gave.

    Parameters
    ----------
    found, stations
        Scores of all blocks, and the table of all stations.
    network
        Clusters and classes of all stations.
    independent
        Stations that no product has learnt from, (station,).
    only, last
        The block, where there is but one; and any block, for what all have in common.
    every
        Whether single stations get rows.
    """
    reference, split, options = last.matched.reference, last.split, last.options
    names = last.matched.names
    rows = blocks.score_rows(found, network, options.interval, stations_too=every)
    shifts = {name: shift(lagged, network.clusters) for name, lagged in found.lagged.items()}
    rows = pd.concat([rows, _shift_rows(shifts, found, last)], ignore_index=True)
    curves = [found.drawn.curves(reference.name)]
    curves += [lagged.curves(reference.name, name) for name, lagged in found.lagged.items()]
    if found.stated:
        curves.append(calibration.curves(found.stated[0], reference.name, names[0]))
        rows = pd.concat([rows, _stated_rows(found, last)], ignore_index=True)
    absent = [name for row, name in enumerate(names) if row not in last.present]
    rows = pd.concat([rows, _absent_rows(absent, last)], ignore_index=True)
    notes = {
        "stations": len(stations), "matched": int((stations["cell_row"] >= 0).sum()),
        "day_mismatch": int(stations["day_mismatch"].sum()), "products_without_common_days": absent,
        "common_sample": _taken(found, stations, names, split),
        # A climatology has no weather of a day, and persistence is late by its nature.
        "day_shift_suspected": sorted(
            name for name, one in shifts.items() if one.status == "day_shift" and name not in BASELINES
        ),
    }  # fmt: skip
    return Tables(
        reference=reference.name, kind=reference.kind, names=names, present=last.present,
        keys={"reference": reference.name, "split": split},
        versions=dict(zip(names, last.versions, strict=False)), days=last.matched.reference.days,
        label=last.subset_label, scores=rows,
        comparisons=blocks.comparison_rows(
            found, network, names, reference.name, options=options, stations_too=every
        ),
        stations=stations, curves=pd.concat(curves, ignore_index=True),
        hits=_judged(found), shifts=shifts,
        independent=independent, network=network, matched=only.matched if only else None,
        r=only.reference_of(split) if only else None, found=found, sampled=only.sampled if only else None,
        notes=notes,
    )  # fmt: skip


def _judged(found: Scores) -> tuple[Hits, ...] | None:
    """Coverage of the stated 90 % interval in every class that a gate may judge; None without stated uncertainty."""
    classes = [one for one in found.stated if one.name != calibration.WITHOUT_BIAS]
    return tuple(one.hits(2) for one in classes) or None


def over_all(case_keys: Mapping[str, str], **columns: Any) -> dict[str, Any]:
    """One row over all stations that is no average of station scores."""
    return {
        "method": "", "seed": "", "fold": "", "scaling": "none", **case_keys, "stratum_kind": "all", "stratum": "all",
        "aggregate": "pooled", "signal": "raw", "ci_low": np.nan, "ci_high": np.nan, "ci_method": "", "ci_scope": "",
        "n": 0, "n_eff": np.nan, "coverage": np.nan, **columns,
    }  # fmt: skip


def _shift_rows(shifts: Mapping[str, Shift], found: Scores, block: Block) -> pd.DataFrame:
    """`lag_days` or `lag_months` of every product: by how much it is late."""
    metric = "lag_months" if block.in_months else "lag_days"
    keys = {sample.keys["product"]: sample.keys for sample in found.samples.values()}
    rows = []
    for name, one in shifts.items():
        ends = {"ci_low": one.ci_low, "ci_high": one.ci_high}
        rows.append(over_all(
            {**keys[name], "subset": blocks.OWN + block.subset_label, "split": block.split},
            aggregate="mean_z", stratum_kind="lag", metric=metric, value=one.days, **ends, n=one.stations,
            status=one.status, ci_method="jackknife" if np.isfinite(one.ci_low) else "",
            ci_scope="time_space" if np.isfinite(one.ci_low) else "", scaling="none",
        ))  # fmt: skip
    return pd.DataFrame(rows)


def _absent_rows(absent: Sequence[str], block: Block) -> pd.DataFrame:
    """A row with the status `no_overlap` for every headline metric of a product without a day in common."""
    versions = dict(zip(block.matched.names, block.versions, strict=True))
    subset, place = blocks.OWN + block.subset_label, block.matched.reference.name
    rows = []
    for name in absent:
        keys = {"product": name, "version": versions[name], "reference": place, "subset": subset, "split": block.split}
        rows += [
            over_all(keys, aggregate="median", metric=metric, signal=signal, value=np.nan, status="no_overlap")
            for metric, signal in HEADLINE
        ]
    return pd.DataFrame(rows)


def _stated_rows(found: Scores, block: Block) -> pd.DataFrame:
    """Scores of the stated uncertainty in every class."""
    sample = next(iter(found.samples.values()))
    removed = "standard_error" in block.matched.reference.daily or block.reference_error is not None
    status = calibration.REMOVED if removed else calibration.NOT_REMOVED
    rows = []
    for stated in found.stated:
        if not stated.days:
            continue
        keys = {**sample.keys, "subset": blocks.OWN + block.subset_label, "split": block.split}
        stratum = {"stratum_kind": "uncertainty", "stratum": stated.name}
        for metric, value in calibration.figures(stated).items():
            hits = {f"coverage_{level:.0%}".rstrip("%"): number for number, (level, _) in enumerate(calibration.LEVELS)}
            one = stated.hits(hits[metric]) if metric in hits else None
            ends = {"ci_low": one.ci_low, "ci_high": one.ci_high, "n_eff": one.n_eff} if one else {}
            rows.append(over_all(
                keys, **stratum, metric=metric, value=value, **ends, n=stated.days, status=status,
                ci_method="tail_model" if one else "", ci_scope="time_space" if one else "",
            ))  # fmt: skip
    return pd.DataFrame(rows)


def _taken(found: Scores, stations: pd.DataFrame, names: Sequence[str], split: str) -> dict[str, Any]:
    """How many days of our product the common sample keeps, and which product takes more than half, if any.

    A rival is compared on the days of the split alone, and takes its share of ours there. Where one takes more than
    half, every pair of ours and another product has rows of its own, of the subset `pair NAME`.
    """
    ours, kept = int(stations["funnel_matched"].sum()), int(stations["funnel_common"].sum())
    taken = takes_more_than_half([found], names, split)
    return {"days_of_ours": ours, "days_common": kept, "takes_more_than_half": taken}
