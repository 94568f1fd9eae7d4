"""The table of how often the intervals of methods hold."""

import numpy as np
import pandas as pd

from vadose.reports.reliability import reliability_table


def row(metric: str, value: float, *, kind: str = "all", stratum: str = "all", low: float = np.nan,
        high: float = np.nan, n_eff: float = 300.0, status: str = "ok", **other: str) -> dict[str, object]:  # fmt: skip
    shared = {"product": "p", "version": "1", "method": "lstm", "fold": "", "seed": "by_fold", "reference": "smap",
              "subset": "all_cells", "split": "P4", "signal": "raw", "scaling": "block_conformal",
              "aggregate": "pooled", "n": 412, "coverage": np.nan}  # fmt: skip
    return {**shared, "metric": metric, "value": value, "stratum_kind": kind, "stratum": stratum, "ci_low": low,
            "ci_high": high, "n_eff": n_eff, "status": status, **other}  # fmt: skip


def test_only_a_class_whose_whole_interval_is_outside_fails() -> None:
    cover = {"kind": "land_cover"}
    table = reliability_table(pd.DataFrame([
        row("coverage_90", 0.91, low=0.88, high=0.94), row("interval_width", 0.2),
        row("coverage_90", 0.97, stratum="7", low=0.94, high=1.0, **cover),
        row("coverage_90", 0.80, stratum="8", low=0.75, high=0.869, **cover),
        row("coverage_90", 0.97, stratum="10", low=0.92, high=1.0, **cover),
        row("coverage_90", 0.99, stratum="12", low=0.95, high=1.0, n_eff=99.0, **cover),
        row("coverage_90", 0.99, stratum="16", low=0.95, high=1.0, status="few_stations", **cover),
        row("coverage_90", 0.50, scaling="none"),
    ]), "P4")  # fmt: skip
    assert table is not None
    (line,) = table.lines
    assert line.words == ("412", "7, 8, 10", "7: 0.970 [0.940, 1.000]; 8: 0.800 [0.750, 0.869]")
    assert [cell.text for cell in line.cells] == ["0.910", "0.2000"]


def test_methods_stand_in_the_order_of_their_distance_from_the_level_and_no_coverage_is_no_table() -> None:
    rows = [row("coverage_90", value, method=name) for name, value in (("a", 0.95), ("b", 0.88), ("c", 0.901))]
    table = reliability_table(pd.DataFrame(rows), "P4")
    assert table is not None
    assert [line.label for line in table.lines] == ["c", "b", "a"]
    assert table.lines[0].words[1:] == ("none", "none")
    assert reliability_table(pd.DataFrame(rows), "P1") is None
