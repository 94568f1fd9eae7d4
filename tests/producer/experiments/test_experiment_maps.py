"""Maps, series and pooled scores of experiments, against sums written out."""

import numpy as np
import pandas as pd
import pytest

from vadose.producer.experiments.gap_fields import filled_sheets, series_rows
from vadose.producer.experiments.gapfilling import Scene
from vadose.producer.experiments.maps import month_sheets
from vadose.producer.experiments.parent_maps import cell_sheets
from vadose.producer.experiments.reconstruction import CCI, SEEN, pooled, score_rows

DAYS = np.arange(np.datetime64("2016-03-01"), np.datetime64("2018-07-11"))


def field(seed: int, cells: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.1, 0.4, (DAYS.size, cells)).astype("f4")
    values[rng.random(values.shape) < 0.3] = np.nan
    return values


def test_a_month_is_the_mean_of_what_is_there_in_its_last_year() -> None:
    values = field(1)
    january, june = month_sheets("m", {"a": values}, DAYS, "m3 m-3")
    assert (january.row, june.row) == ("January 2018", "June 2018")
    for sheet, month in ((january, "2018-01"), (june, "2018-06")):
        frame = pd.DataFrame(values, index=DAYS).loc[month]
        np.testing.assert_allclose(sheet.values, frame.mean().to_numpy(), rtol=1e-6)


def test_filled_maps_show_a_day_a_month_and_the_last_whole_summer() -> None:
    values = field(2)
    day, month, summer = filled_sheets({"a": values}, DAYS)
    frame = pd.DataFrame(values, index=DAYS)
    np.testing.assert_array_equal(day.values, frame.loc[day.row].to_numpy())
    assert day.row == "2017-07-17"
    np.testing.assert_allclose(month.values, frame.loc["2017-06"].mean().to_numpy(), rtol=1e-6)
    np.testing.assert_allclose(summer.values, frame.loc["2017-06":"2017-08"].mean().to_numpy(), rtol=1e-6)


def test_series_are_of_a_dry_a_middling_and_a_wet_cell() -> None:
    truth = np.tile(np.array([0.3, 0.1, 0.2, 0.5, 0.4], "f4"), (DAYS.size, 1))
    rows = pd.DataFrame(series_rows({"truth": truth}, DAYS, truth)).groupby("panel", sort=False)["y"]
    assert rows.first().round(6).to_dict() == {
        "dry cell": 0.1, "middling cell": 0.3, "wet cell": 0.4, "mean of the land": 0.3
    }  # fmt: skip
    assert rows.size()["dry cell"] == 180
    assert rows.size()["mean of the land"] == 29


def test_values_of_resolved_cells_stand_in_their_cells() -> None:
    columns = ("error", "true_error", "r", "true_r", "weight", "true_weight")
    cells = pd.DataFrame({"parent": ["a", "a", "b", "b"], "cell": [3, 1, 3, 1],
                          **{name: np.arange(4.0) + 10 * k for k, name in enumerate(columns)}})  # fmt: skip
    found = {(sheet.figure, sheet.row, sheet.column): sheet.values for sheet in cell_sheets(cells, 4, "m3 m-3")}
    np.testing.assert_array_equal(found["error_map", "by collocation", "b"], [np.nan, 3, np.nan, 2])
    np.testing.assert_array_equal(found["weight_map", "true", "a"], [np.nan, 51, np.nan, 50])
    assert len(found) == 12


def test_pooled_scores_are_those_of_their_definitions() -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(0.1, 0.4, 500)
    y = 0.05 + 0.7 * x + rng.normal(0, 0.02, 500)
    found = pooled(y.astype("f4"), x.astype("f4"))
    assert found["rmse"] ** 2 == pytest.approx(found["ubrmsd"] ** 2 + found["bias"] ** 2)
    assert found["bias"] == pytest.approx(np.mean(y) - np.mean(x), abs=1e-6)
    assert found["slope"] == pytest.approx(np.cov(x, y)[0, 1] / np.var(x, ddof=1), abs=1e-5)
    assert found["r"] == pytest.approx(found["slope"] * x.std() / y.std(), abs=1e-5)


def test_methods_are_scored_at_stations_on_the_same_hidden_days_alone() -> None:
    observed, ours, merged, in_situ = (field(seed) for seed in range(4, 8))
    hidden = np.isfinite(observed) & (np.arange(DAYS.size)[:, None] % 3 == 0)
    visible = np.where(hidden, np.float32(np.nan), observed)
    scene = Scene("P6-15d", visible, hidden, observed, np.nan_to_num(in_situ, nan=0.2), np.zeros(hidden.shape, int))
    rows = pd.DataFrame(score_rows({SEEN: visible, CCI: merged, "ours": ours}, scene, in_situ))
    part = rows.set_index(["days", "reference", "method"])
    wanted = hidden & np.isfinite(ours) & np.isfinite(merged) & np.isfinite(in_situ)
    assert set(part.loc["hidden", "stations"]["values"]) == {wanted.sum()}
    assert part.loc["hidden", "stations", "ours"]["bias"] == pytest.approx((ours - in_situ)[wanted].mean(), abs=1e-6)
    seen = np.isfinite(visible) & np.isfinite(in_situ) & np.isfinite(merged)
    assert part.loc["observed", "stations", SEEN]["values"] == seen.sum()
