"""`python -m vadose.producer.experiments.merging DATA OUT [COMMAND]`: real triplets, merged and judged.

Weights are fitted on the first half of the common days. On the second half a collocation of its own tells the errors of
the parents, and with them the error of any weighted mean, so that no merge is judged by the days that gave its weights.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from vadose.producer.correction.densities import density_rows
from vadose.producer.experiments.tables import publish
from vadose.producer.methods.collocations import SOURCES, Estimate, Question, estimate
from vadose.producer.methods.leastsquares import least_squares_weights
from vadose.producer.methods.rescaling import RESCALED
from vadose.producer.training.points import COLUMNS
from vadose.statistics import evaluate, metric, moments
from vadose.statistics.status import words

Doubles = npt.NDArray[np.float64]

CCI = Path("cci_points") / "cci_points_daily.csv.gz"
CCI_PARENTS = ("cci", "gldas", "merra2")
HAWAII = Path("hawaii_products") / "hawaii_2017-2018_products_only_daily.csv.gz"
# Triplets without a shared sensor or forcing, the reference first, and a product that shares no sensor and no model
# with any of the three where there is one; GLDAS is delivered in kg m-2 of a layer of 0.1 m.
HAWAII_TRIPLETS = (
    ("GLDAS", "ASCAT119", "SMAP_V9"),
    ("GLDAS", "ASCAT119", "SMOS_IC"),
    ("GLDAS", "ASCAT119", "SMOS_L3"),
    ("GLDAS", "C3S_act", "C3S_pas"),
    ("GLDAS", "ERA5L", "SMAP_V9"),
    ("GLDAS", "ERA5L", "CCI_C_8.1"),
)
FACTORS = {"GLDAS": 0.01}
UNIT = "m3 m-3"
# Common days that a correlation needs.
FEWEST_DAYS = 30


@dataclass(frozen=True)
class Triplet:
    """Three products at some places: series (place, parent, time) with the reference first."""

    source: str
    parents: tuple[str, ...]
    places: tuple[str, ...]
    values: Doubles


def read_series(
    path: Path, place: str, names: tuple[str, ...], factors: dict[str, float]
) -> tuple[tuple[str, ...], Doubles]:
    """Daily series of a table, (place, product, time) over all days from the first to the last."""
    table = pd.read_csv(path)
    days = pd.to_datetime(table["date"]).dt.floor("D")
    places = tuple(sorted(str(name) for name in table[place].unique()))
    row = table[place].astype(str).map({name: k for k, name in enumerate(places)})
    column = (days - days.min()).dt.days
    values = np.full((len(places), len(names), int(column.max()) + 1), np.nan)
    for k, name in enumerate(names):
        values[row, k, column] = table[name] * factors.get(name, 1.0)
    return places, values


def triplets(data: Path) -> Iterator[Triplet]:
    """All triplets of the real data."""
    places, values = read_series(data / CCI, "series", CCI_PARENTS, {})
    whole = np.asarray(np.isfinite(values).all(axis=1).sum(axis=1) > 0)
    # GLDAS-Noah has the depth and the continuity that a reference needs.
    order = [CCI_PARENTS.index(name) for name in ("gldas", "cci", "merra2")]
    kept = tuple(name for name, good in zip(places, whole, strict=True) if good)
    yield Triplet("ESA CCI, GLDAS, MERRA-2", ("gldas", "cci", "merra2"), kept, values[whole][:, order])
    names = tuple(dict.fromkeys(name for triplet in HAWAII_TRIPLETS for name in triplet))
    places, values = read_series(data / HAWAII, "point", names, FACTORS)
    for triplet in HAWAII_TRIPLETS:
        yield Triplet("Hawaii", triplet, places, values[:, [names.index(name) for name in triplet]])


def halves(values: Doubles) -> tuple[Doubles, Doubles]:
    """The series with only the first and only the second half of each place's common days, missing elsewhere."""
    common = np.isfinite(values).all(axis=1)
    share = np.cumsum(common, axis=1) / np.maximum(common.sum(axis=1, keepdims=True), 1)
    first, second = common & (share <= 0.5), common & (share > 0.5)
    return np.where(first[:, None], values, np.nan), np.where(second[:, None], values, np.nan)


def judged(triplet: Triplet) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Weights of every parent at every place, and the errors of the merge, the mean and the parents on later days."""
    fitting, later = halves(triplet.values)
    question = Question(0, "beta")
    found, truth, whole = (estimate(values, question) for values in (fitting, later, triplet.values))
    weights, over_all = (least_squares_weights(known_errors(one))[0] for one in (found, whole))
    rows, scores = [], []
    for k, place in enumerate(triplet.places):
        days = int(np.isfinite(fitting[k]).all(axis=0).sum())
        for j, parent in enumerate(triplet.parents):
            rows.append({
                "source": triplet.source, "triplet": "+".join(triplet.parents), "place": place, "parent": parent,
                "days": days, "weight": weights[0, k, j], "error_std": _std(found, k, j),
                "later_error_std": _std(truth, k, j), "rescaled": RESCALED[found.kind[j, k]],
                "weight_whole": over_all[0, k, j], "error_std_whole": _std(whole, k, j),
                "validity_whole": str(words(whole.validity[0, k])),
                "validity": str(words(found.validity[0, k])), "later_validity": str(words(truth.validity[0, k])),
                "weights_from": SOURCES[found.source[0, k]], "unit": UNIT,
            })  # fmt: skip
        if found.source[0, k] == 0 and truth.source[0, k] == 0:
            scores.append(_scores(triplet, place, days, weights[0, k], _later_errors(found, truth, k)))
    return pd.DataFrame(rows), pd.DataFrame(scores)


def known_errors(found: Estimate) -> Doubles:
    """Error covariances; equal ones where nothing at all is known."""
    return np.where(np.isfinite(found.errors), found.errors, np.eye(found.errors.shape[-1]))


def _std(found: Estimate, place: int, parent: int) -> float:
    return float(np.sqrt(found.errors[0, place, parent, parent])) if found.source[0, place] == 0 else float("nan")


def _later_errors(found: Estimate, truth: Estimate, place: int) -> Doubles:
    """Error covariance of the later days in the scale that the first days gave."""
    gain = np.array(
        [old.slopes[place, 0] / new.slopes[place, 0] for old, new in zip(found.maps, truth.maps, strict=True)]
    )
    return np.asarray(truth.errors[0, place] * gain[:, None] * gain[None, :])


def _scores(triplet: Triplet, place: str, days: int, weights: Doubles, errors: Doubles) -> dict[str, object]:
    """Error standard deviations by the later collocation: merged, plain mean, best parent and best in hindsight."""
    equal = np.full(weights.size, 1.0 / weights.size)
    std = {
        "merged": np.sqrt(weights @ errors @ weights), "mean": np.sqrt(equal @ errors @ equal),
        "best_parent": np.sqrt(np.diag(errors).min()),
        "hindsight": np.sqrt(least_squares_weights(errors[None])[1][0]),
    }  # fmt: skip
    return {
        "source": triplet.source, "triplet": "+".join(triplet.parents), "place": place, "days": days,
        **{name: float(value) for name, value in std.items()},
        "better_than_parents": bool(std["merged"] <= std["best_parent"]),
        "better_than_mean": bool(std["merged"] <= std["mean"]), "unit": UNIT,
    }  # fmt: skip


def pairs(triplet: Triplet) -> pd.DataFrame:
    """Correlation of each pair of parents: median, least and greatest over the places with 30 common days."""
    rows = []
    for i, j in combinations(range(len(triplet.parents)), 2):
        found = moments(triplet.values[:, i], triplet.values[:, j])
        r = np.where(found.n >= FEWEST_DAYS, evaluate(metric("r"), found), np.nan)
        r = r[np.isfinite(r)]
        low, middle, high = (float(v) for v in np.quantile(r, (0, 0.5, 1))) if r.size else (np.nan,) * 3
        rows.append({
            "source": triplet.source, "triplet": "+".join(triplet.parents),
            "pair": f"{triplet.parents[i]}, {triplet.parents[j]}", "r": middle, "least": low, "greatest": high,
            "places": int(r.size),
        })  # fmt: skip
    return pd.DataFrame(rows)


def violins(weights: pd.DataFrame) -> pd.DataFrame:
    """Densities over the places of error and weight of each parent, whole record, of triplets with five places."""
    solved = weights[weights["validity_whole"] == "ok"]
    rows: list[dict[str, Any]] = []
    for name, column, unit in (
        ("violin_real_error", "error_std_whole", UNIT),
        ("violin_real_weight", "weight_whole", "1"),
    ):
        for triplet, part in solved.groupby("triplet", sort=False):
            for parent, own in part.groupby("parent", sort=False):
                rows += density_rows(name, str(triplet), str(parent), own[column].to_numpy(float), unit)
    return pd.DataFrame(rows, columns=COLUMNS)


def summary(weights: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """One row for each triplet: how often it was resolved, median errors, and how often the merge is better."""
    rows = []
    for (source, name), part in weights.groupby(["source", "triplet"], sort=False):
        places = part.drop_duplicates("place")
        own = scores[(scores["source"] == source) & (scores["triplet"] == name)] if len(scores) else scores
        rows.append({
            "source": source, "triplet": name, "places": len(places),
            "resolved_whole_record": int((places["validity_whole"] == "ok").sum()),
            "resolved": int((places["weights_from"] == SOURCES[0]).sum()), "judged": len(own),
            **{key: float(own[key].median()) if len(own) else float("nan")
               for key in ("merged", "mean", "best_parent", "hindsight")},
            **{key: float(own[key].mean()) if len(own) else float("nan")
               for key in ("better_than_parents", "better_than_mean")},
            "unit": UNIT,
        })  # fmt: skip
    return pd.DataFrame(rows)


def finding(scores: pd.DataFrame) -> str:
    """What came out, in a sentence."""
    if not len(scores):
        return "No triplet could be resolved in both halves of the record."
    merged, mean, best = (1000 * float(scores[name].median()) for name in ("merged", "mean", "best_parent"))
    return (
        f"At {len(scores)} places and triplets that could be resolved in both halves, the merge had a median error of "
        f"{merged:.1f}, the plain mean {mean:.1f} and the best parent {best:.1f} (in 0.001 {UNIT}, by the collocation "
        f"of the later days). The merge was at least as good as the best parent at "
        f"{int(scores['better_than_parents'].sum())} and as the plain mean at {int(scores['better_than_mean'].sum())} "
        f"of {len(scores)}."
    )


def main(data: Path, out: Path, command: str) -> None:
    """Write the tables of all triplets."""
    every = list(triplets(data))
    parts = [judged(one) for one in every]
    weights, scores = (pd.concat([part[k] for part in parts], ignore_index=True) for k in (0, 1))
    validity = weights.drop_duplicates(["source", "triplet", "place"]).groupby(
        ["source", "triplet", "validity_whole"], sort=False)  # fmt: skip
    tables = {
        "merging_summary": summary(weights, scores),
        "merging_validity": validity.size().rename("places").reset_index(),
        "merging_weights": weights, "merging_scores": scores, "merging_curves": violins(weights),
        "merging_pairs": pd.concat([pairs(one) for one in every], ignore_index=True),
    }  # fmt: skip
    told = {
        "title": "Merging real triplets",
        "question": "Is the merge by triple collocation better than its parents, and than their plain mean?",
        "what": "Weights from the first half of the common days, judged on the second by a collocation of its own. "
        "Parents rescaled by their collocation gains to GLDAS, daily values. Beside them the weights and the validity "
        "of the whole record.",
        "finding": finding(scores),
        "figures": {
            "violin_real_error": {
                "x": f"error ({UNIT})",
                "caption": "Error of each parent over the places, whole record",
            },
            "violin_real_weight": {"x": "weight", "caption": "Weight of each parent over the places"},
        },
    }
    publish(out, "merging", told, tables, command)


if __name__ == "__main__":
    words_left = " ".join(sys.argv[3:])
    main(Path(sys.argv[1]), Path(sys.argv[2]), words_left or "python -m vadose.producer.experiments.merging DATA OUT")
