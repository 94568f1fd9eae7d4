"""Which reference counts first, and what events of all stations say."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from vadose.statistics.status import CODE
from vadose.validation.eventful import _rows
from vadose.validation.evidence import headline
from vadose.validation.network import Network


def tables(matched: int, clusters: int, kind: str = "stations", footprint: str = "point") -> Any:
    """A reference of ten stations of which some are matched."""
    stations = pd.DataFrame({"funnel_matched": [9] * matched + [0] * (10 - matched), "reference_class": footprint})
    return SimpleNamespace(stations=stations, kind=kind, network=Network(np.arange(10) % clusters, ()))


def test_point_stations_with_five_matched_clusters_count_first_and_maps_last() -> None:
    given = {
        "few": tables(4, 10), "one place": tables(10, 1), "map": tables(10, 10, "cells", "cell"),
        "probes": tables(10, 10, footprint="cosmic-ray"), "points": tables(5, 10),
    }  # fmt: skip
    assert headline(given) == ["points", "probes", "map", "few", "one place"]


def test_the_events_of_all_stations_are_the_median_of_those_that_have_some() -> None:
    values = [0.1, 0.5, 0.2, np.nan, 0.4, 0.3, np.nan]
    cells = [(value, np.nan, np.nan, 12, CODE["ok"] if value == value else CODE["few_samples"]) for value in values]
    names = np.array([f"s{k}" for k in range(7)])
    found = _rows("wetup_hit_rate", cells, Network(np.arange(7), ()), names, {"product": "ours"})
    row = found[found["aggregate"].eq("median")].iloc[0]
    assert (row["value"], row["n"], row["status"]) == (0.3, 5, "ok")
    assert row["ci_low"] < 0.3 < row["ci_high"]
    single = found[found["stratum_kind"].eq("station")].set_index("stratum")
    assert (single.loc["s1", "value"], single.loc["s3", "status"]) == (0.5, "few_samples")
