"""Collocation of the products of a run with its reference: errors, validity, error budgets and representativeness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.statistics import (
    Collocation,
    anomaly_35d,
    anomaly_of_months,
    collocate,
    error_budget,
    representativeness,
    words,
)
from vadose.statistics.aggregates import spread
from vadose.statistics.longrun import Model
from vadose.statistics.status import CODE
from vadose.validation.facts import facts, frame
from vadose.validation.months import is_months
from vadose.validation.network import Network
from vadose.validation.relations import IN_SITU, MODEL, SATELLITE, UNKNOWN, Relation, dependent_pairs

Floats = npt.NDArray[np.float64]

MOST_TRIPLETS = 10
SIGNALS = ("raw", "anomaly_35d")
SIGNALS_OF_MONTHS = ("raw", "anomaly_climatology")
# Metric, and the attributes of a collocation with the value and its limits.
METRICS = (
    ("tc_error", "error_std", "error_std_low", "error_std_high"), ("tc_r2", "r2", "r2_low", "r2_high"),
    ("tc_snr", "snr", "snr_low", "snr_high"),
)  # fmt: skip
BUDGET = ("bias2", "gain2", "product2", "reference2")
SUBSET = "triplet"


@dataclass(frozen=True)
class Members:
    """Data sets of one reference that may be collocated, the reference last.

    Attributes
    ----------
    names
        Products, then the reference: `in situ`, or a gridded reference by its name.
    values
        (member, station, time), NaN = missing.
    known
        Relations of all products.
    natures
        `model` or `satellite` by the name of a product, where its card says so.
    days
        The time axis, (time,); daily if not given.
    """

    names: tuple[str, ...]
    values: Floats
    known: Sequence[Relation]
    natures: Mapping[str, str] = field(default_factory=dict)
    days: npt.NDArray[np.datetime64] | None = None

    def triplets(self, ours: str) -> list[tuple[int, int, int]]:
        """Triplets with the reference, those of independent errors first, then those with our product; at most ten."""
        last = len(self.names) - 1
        every = [(i, j, last) for i, j in combinations(range(last), 2)]
        every.sort(key=lambda one: (bool(self.dependent(one)), ours not in [self.names[k] for k in one]))
        return every[:MOST_TRIPLETS]

    def dependent(self, triplet: Sequence[int]) -> list[tuple[int, int]]:
        """Pairs of positions in a triplet whose errors cannot be taken as independent."""
        return dependent_pairs([self.names[k] for k in triplet], self.known)

    def series(self, triplet: Sequence[int], signal: str) -> Floats:
        """Series of a triplet on its common days, (station, 3, time)."""
        chosen = np.stack([self.values[k] for k in triplet], axis=1)
        common = np.isfinite(chosen).all(axis=1, keepdims=True)
        chosen = np.where(common, chosen, np.nan)
        if signal == "anomaly_climatology" and self.days is not None:
            return anomaly_of_months(chosen, self.days)[0]
        return chosen if signal == "raw" else np.asarray(anomaly_35d(chosen), np.float64)

    @property
    def in_months(self) -> bool:
        """Whether one value stands for a month."""
        return self.days is not None and is_months(self.days)


@dataclass(frozen=True)
class Found:
    """One collocation: the triplet by name, its signal, whether the audit allows it, and the figures."""

    names: tuple[str, str, str]
    signal: str
    independent: bool
    result: Collocation

    @property
    def label(self) -> str:
        """The triplet in one word."""
        return "+".join(self.names)


def collocated(
    members: Members, ours: str, model: Model, *, intervals: bool = True,
    most: int = MOST_TRIPLETS,
) -> Iterator[Found]:  # fmt: skip
    """Collocate the triplets of a reference."""
    for triplet in members.triplets(ours)[:most]:
        pairs = members.dependent(triplet)
        a, b, c = (members.names[k] for k in triplet)
        for signal in SIGNALS_OF_MONTHS if members.in_months else SIGNALS:
            result = collocate(members.series(triplet, signal), dependent=pairs, intervals=intervals, model=model)
            yield Found((a, b, c), signal, not pairs, result)


def reference_error(members: Members, ours: str, model: Model) -> Floats | None:
    """Standard error of every station from the first triplet of independent errors, (station,), NaN where invalid.

    None where the audit allows no triplet.
    """
    for triplet in members.triplets(ours):
        if not members.dependent(triplet):
            found = collocate(members.series(triplet, "raw"), intervals=False, model=model)
            valid = found.status[..., 2] == CODE["ok"]
            return np.where(valid, found.error_std[..., 2], np.nan)
    return None


def score_rows(
    found: Found, keys: Mapping[str, str], versions: Mapping[str, str], network: Network,
    stations: npt.NDArray[np.str_], model: Model, *, stations_too: bool,
) -> pd.DataFrame:  # fmt: skip
    """Rows of `scores.parquet`: error standard deviation, R2 and SNR of each product of a triplet.

    A single station has the triplet in its subset, the median over stations in its stratum. The reference itself is
    in the table of facts, since it is no product.
    """
    frames = []
    for position, name in enumerate(found.names):
        if name not in versions:
            continue
        for metric, *attributes in METRICS:
            value, low, high = (getattr(found.result, one)[..., position] for one in attributes)
            head = {
                "method": "", "seed": "", "fold": "", "scaling": "none", **keys, "product": name,
                "version": versions[name], "signal": found.signal, "metric": metric,
            }  # fmt: skip
            if stations_too:
                frames.append(_station_rows(found, position, head, stations, model, value, low, high))
            frames.append(_median_row(found, head, network, value))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _station_rows(
    found: Found, position: int, head: Mapping[str, str], stations: npt.NDArray[np.str_], model: Model, value: Floats,
    low: Floats, high: Floats,
) -> pd.DataFrame:  # fmt: skip
    shown = np.isfinite(low)
    return pd.DataFrame({
        **head, "subset": f"{SUBSET} {found.label}", "stratum_kind": "station", "stratum": stations, "aggregate": "",
        "value": value, "ci_low": low, "ci_high": high, "ci_method": np.where(shown, model, ""),
        "ci_scope": np.where(shown, "time", ""), "n": found.result.n, "n_eff": found.result.n_eff[..., position],
        "coverage": np.nan, "status": words(found.result.status[..., position]),
    })  # fmt: skip


def _median_row(found: Found, head: Mapping[str, str], network: Network, value: Floats) -> pd.DataFrame:
    valid = np.isfinite(value)
    row: dict[str, Any] = {
        **head, "subset": SUBSET, "stratum_kind": SUBSET, "stratum": found.label, "aggregate": "median",
        "value": np.nan, "ci_low": np.nan, "ci_high": np.nan, "ci_method": "", "ci_scope": "", "n": int(valid.sum()),
        "n_eff": np.nan, "coverage": float(valid.mean()), "status": "no_overlap",
    }  # fmt: skip
    if valid.any():
        one = spread(
            "median", value[valid], network.weights(valid)[valid], network.draws(valid), network.count(valid)
        )  # fmt: skip
        shown = np.isfinite(one.ci_low)
        row |= {
            "value": one.value, "ci_low": one.ci_low, "ci_high": one.ci_high, "status": one.status,
            "ci_method": "cluster_bootstrap" if shown else "", "ci_scope": "time_space" if shown else "",
        }  # fmt: skip
        if not found.independent:
            row["status"] = "dependent_errors"
    return pd.DataFrame([row])


def validity_facts(reference: str, every: Sequence[Found]) -> pd.DataFrame:
    """Table `collocation`: for every triplet and signal the stations by status, and medians of each member."""
    rows: dict[str, dict[str, Any]] = {}
    for found in every:
        status = found.result.status
        worst = words(status.max(axis=-1)).tolist() if status.ndim > 1 else []
        cells: dict[str, Any] = {
            "reference": reference, "signal": found.signal, "triplet": found.label,
            "audit": "independent" if found.independent else "dependent_errors", "stations": len(worst),
        }  # fmt: skip
        cells |= {f"status {word}": worst.count(word) for word in sorted(set(worst))}
        for position, name in enumerate(found.names):
            for metric, attribute, *_ in METRICS:
                value = getattr(found.result, attribute)[..., position]
                cells[f"{metric} {name}"] = float(np.nanmedian(value)) if np.isfinite(value).any() else "no value"
        rows[f"{reference} {found.signal} {found.label}"] = cells
    return facts("collocation", rows)


@dataclass(frozen=True)
class BudgetRows:
    """Error budgets of our product at the stations: rows of scores and facts."""

    scores: pd.DataFrame
    facts: pd.DataFrame


def budgets(
    members: Members, ours: str, keys: Mapping[str, str], version: str, network: Network,
    stations: npt.NDArray[np.str_], model: Model,
) -> BudgetRows:  # fmt: skip
    """MSE = bias2 + gain2 + product error2 + error2 of the reference, from triplets with our product."""
    position, last = members.names.index(ours), len(members.names) - 1
    frames, table = [], {}
    # One third data set is enough: the first of the triplets with our product, which are in the order of the audit.
    for triplet in [one for one in members.triplets(ours) if position in one][:1]:
        third = next(k for k in triplet if k not in (position, last))
        order = (position, last, third)
        pairs = members.dependent(order)
        found = error_budget(members.series(order, "raw"), pairs, model=model)
        status = words(found.status if found.status.ndim == 1 else found.status.max(axis=-1))
        label = "+".join(members.names[k] for k in order)
        cells: dict[str, Any] = {"audit": "dependent_errors" if pairs else "independent"}
        for part in BUDGET:
            value = np.asarray(getattr(found, part))
            cells[part] = float(np.nanmedian(value)) if np.isfinite(value).any() else "no value"
            frames.append(pd.DataFrame({
                "method": "", "seed": "", "fold": "", "scaling": "none", **keys, "product": ours, "version": version,
                "signal": "raw", "metric": f"budget_{part}", "subset": f"budget {label}", "stratum_kind": "station",
                "stratum": stations, "aggregate": "", "value": value, "ci_low": getattr(found, f"{part}_low"),
                "ci_high": getattr(found, f"{part}_high"), "ci_method": model, "ci_scope": "time",
                "n": np.isfinite(members.series(order, "raw")).all(axis=1).sum(axis=1), "n_eff": np.nan,
                "coverage": np.nan, "status": status,
            }))  # fmt: skip
        cells["mse"] = float(np.nanmedian(found.mse)) if np.isfinite(found.mse).any() else "no value"
        table[f"{keys['reference']} {label}"] = cells
    whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    return BudgetRows(whole, facts("error_budget", table) if table else frame())


def station_classes(members: Members, model: Model) -> npt.NDArray[np.str_] | None:
    """Representativeness class of each station from its SNR with a model and a satellite, (station,).

    The first triplet of independent errors that is valid at a station counts there; `unknown` without one. None where
    the run has no such triplet.
    """
    last = len(members.names) - 1
    out = np.full(members.values.shape[1], UNKNOWN, dtype="<U16")
    any_triplet = False
    for triplet in [(i, j, last) for i, j in combinations(range(last), 2)]:
        natures = {members.natures.get(members.names[k], "") for k in triplet[:2]}
        if natures != {MODEL, SATELLITE} or members.dependent(triplet):
            continue
        any_triplet = True
        found = collocate(members.series(triplet, "raw"), intervals=False, model=model)
        known = (found.status[..., 2] == CODE["ok"]) & (out == UNKNOWN)
        out[known] = representativeness(np.asarray(found.snr[..., 2], np.float64))[known]
    return out if any_triplet else None


def of_station_dataset(members: Members) -> Members:
    """The same with the reference called by the word that the audit treats as independent of every product."""
    return replace(members, names=(*members.names[:-1], IN_SITU))
