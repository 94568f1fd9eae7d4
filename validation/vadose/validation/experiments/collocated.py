"""Fourteen products at ten points of Hawaii, 2017-2018: every triplet, with its validity."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.statistics import anomaly_35d, collocate, words
from vadose.validation.cards import Card
from vadose.validation.relations import Relation, dependent_pairs, relations

FILE = Path("hawaii_products") / "hawaii_2017-2018_products_only_daily.csv.gz"
# Factor to m3 m-3; percent of saturation stays what it is, collocation does not need a common unit.
FACTORS = {"GLDAS": 0.01}
_CCI = ("ASCAT", "SMOS radiometer", "SMAP radiometer", "AMSR2")


def _card(name: str, **stated: tuple[str, ...] | str) -> Card:
    return Card.model_validate(
        {"product": name, "producer": "", "version": "", "licence": "", "variables": {}, **stated}
    )


# What the producers state of their products; a merged product contains its parents.
CARDS: dict[str, Card] = {
    "SMAP_V9": _card("SMAP_V9", sensors=("SMAP radiometer",), forcing=("GEOS-FP",)),
    "CCI_C_8.1": _card("CCI_C_8.1", sensors=_CCI, contains=("ASCAT119", "SMAP_V9")),
    "CCI_gf": _card("CCI_gf", sensors=_CCI, contains=("ASCAT119", "SMAP_V9", "CCI_C_8.1")),
    "C3S_202012": _card("C3S_202012", sensors=_CCI, contains=("ASCAT119",)),
    "C3S_202212": _card("C3S_202212", sensors=_CCI, contains=("ASCAT119", "SMAP_V9")),
    "C3S_c202505": _card("C3S_c202505", sensors=_CCI, contains=("ASCAT119", "SMAP_V9")),
    "C3S_act": _card("C3S_act", sensors=("ASCAT",), contains=("ASCAT119",)),
    "C3S_pas": _card("C3S_pas", sensors=_CCI[1:], contains=("SMAP_V9",)),
    "ASCAT119": _card("ASCAT119", sensors=("ASCAT",)),
    "SMOS_IC": _card("SMOS_IC", sensors=("SMOS radiometer",)),
    "SMOS_L3": _card("SMOS_L3", sensors=("SMOS radiometer",), forcing=("ECMWF IFS",)),
    "ERA5": _card("ERA5", model="HTESSEL in IFS", sensors=("ASCAT",)),
    "ERA5L": _card("ERA5L", model="HTESSEL", forcing=("ERA5",)),
    "GLDAS": _card("GLDAS", model="Noah", forcing=("GDAS", "GPCP")),
}  # fmt: skip


def product_relations() -> list[Relation]:
    """How the fourteen products depend on each other."""
    return relations(CARDS)


def hawaii_triplets(data: Path, signal: str = "raw") -> pd.DataFrame:
    """Error standard deviation, R2 and SNR of every member of all triplets at every point.

    Parameters
    ----------
    data
        Folder of the real data.
    signal
        `raw` or `anomaly_35d`.

    Returns
    -------
    pandas.DataFrame
        point, triplet, audit, product, n, n_eff, error_std with its interval, r2, snr, status.
    """
    table = pd.read_csv(data / FILE)
    products = [name for name in table.columns if name not in ("date", "point")]
    points = sorted(table["point"].unique())
    days = pd.to_datetime(table["date"]).dt.floor("D")
    first = days.min()
    values = np.full((len(products), len(points), int((days.max() - first).days) + 1), np.nan)
    row, column = table["point"].map({name: k for k, name in enumerate(points)}), (days - first).dt.days
    for number, name in enumerate(products):
        values[number, row, column] = table[name] * FACTORS.get(name, 1.0)
    known = product_relations()
    frames = [
        _triplet(values, products, points, chosen, known, signal) for chosen in combinations(range(len(products)), 3)
    ]
    return pd.concat(frames, ignore_index=True)


def _triplet(
    values: np.ndarray, products: list[str], points: list[str], chosen: tuple[int, ...], known: list[Relation],
    signal: str,
) -> pd.DataFrame:  # fmt: skip
    members = [products[k] for k in chosen]
    series = values[list(chosen)]
    series = np.where(np.isfinite(series).all(axis=0), series, np.nan)
    if signal != "raw":
        series = anomaly_35d(series)
    pairs = dependent_pairs(members, known)
    found = collocate(np.moveaxis(series, 0, 1), dependent=pairs)
    kinds = {frozenset((one.one, one.other)): one.kind for one in known}
    audit = sorted({kinds[frozenset((members[i], members[j]))] for i, j in pairs}) or ["independent"]
    frames = []
    for position, name in enumerate(members):
        frames.append(pd.DataFrame({
            "point": points, "triplet": "+".join(members), "audit": ", ".join(audit), "product": name, "signal": signal,
            "n": found.n.astype(np.int64), "n_eff": found.n_eff[:, position],
            **{key: getattr(found, key)[:, position] for key in
               ("error_std", "error_std_low", "error_std_high", "r2", "r2_low", "r2_high", "snr")},
            "status": words(found.status[:, position]),
        }))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def validity(triplets: pd.DataFrame) -> pd.DataFrame:
    """Number of triplets and points by audit class and status, one row for each pair of them."""
    first = triplets.groupby(["point", "triplet"], sort=False).first().reset_index()
    counts = first.groupby(["audit", "status"]).size().rename("triplets").reset_index()
    return counts.sort_values(["audit", "status"], ignore_index=True)
