"""Wet soil is a stratum, densities count every pair, lags are told by stratum, memories of windows are limited."""

from pathlib import Path

import numpy as np
import pytest

from vadose.producer.cube import Cube
from vadose.producer.methods import Inputs, method, method_settings
from vadose.producer.recipe import Predictors
from vadose.producer.training.attention import PANELS, attention_by_lag
from vadose.producer.training.density import density_table
from vadose.producer.training.experiment import Contender, Experiment
from vadose.producer.training.memory import Point as MemoryPoint
from vadose.producer.training.memory import has_memory, limited_settings, memory_rows, run_points
from vadose.producer.training.scores import HIGH_STRATUM, Series, read_truth, series_rows
from vadose.producer.training.splits import make_folds

TARGET = "smap_sm_am"
PREDICTORS = Predictors(daily=("precipitation",), static=("clay",))
TINY = {"sequence_days": 3, "hidden": 4, "layers": 1, "training": {"steps": 4, "batch": 8}}


def predicted(cube: Cube) -> Series:
    """A prediction that is a little dry and noisy everywhere."""
    truth = cube.read(TARGET).astype(float)
    noise = np.random.default_rng(1).normal(-0.02, 0.03, truth.shape)
    return Series("P1", "any", "0", truth + noise, np.full(truth.shape, 0.03), True)


@pytest.fixture
def wet_truth(rainy_cube: Cube):
    """The rainy cube's target with its wettest fifth raised above 0.4."""
    truth = read_truth(rainy_cube, TARGET)
    limit = np.nanquantile(truth.values, 0.8)
    truth.values[truth.values > limit] += 0.4 - limit + 0.001
    return truth


def test_wet_rows_are_those_of_a_slow_calculation_and_say_what_they_are(rainy_cube: Cube, wet_truth) -> None:
    series = predicted(rainy_cube)
    rows = [row for row in series_rows(wet_truth, series) if row["stratum_kind"] == HIGH_STRATUM[0]]
    found = {row["metric"]: row for row in rows if row["subset"] == "all_cells"}
    wet = wet_truth.values > 0.4
    error, reference = (series.mean - wet_truth.values)[wet], wet_truth.values[wet]
    assert set(found) == {"bias", "rmse", "r2_explained"}
    assert found["bias"]["value"] == pytest.approx(error.mean())
    assert found["rmse"]["value"] == pytest.approx(np.sqrt((error**2).mean()))
    assert found["r2_explained"]["value"] == pytest.approx(1 - (error**2).mean() / reference.var())
    assert found["rmse"]["n"] == wet.sum()
    assert "conditioned on the reference" in found["rmse"]["stratum"]


def test_no_wet_value_is_a_row_without_a_figure(rainy_cube: Cube) -> None:
    truth = read_truth(rainy_cube, TARGET)
    assert not (truth.values > 0.4).any()
    rows = [row for row in series_rows(truth, predicted(rainy_cube)) if row["stratum_kind"] == HIGH_STRATUM[0]]
    assert {row["status"] for row in rows} == {"no_data"}


def test_density_counts_every_pair_once_where_it_lies(rainy_cube: Cube) -> None:
    truth, series = read_truth(rainy_cube, TARGET), predicted(rainy_cube)
    table = density_table(truth, [series])
    both = np.isfinite(truth.values)
    assert table["count"].sum() == both.sum()
    row = table.iloc[np.argmax(table["count"])]
    near = (np.abs(truth.values - row["reference"]) < 0.005) & (np.abs(series.mean - row["predicted"]) < 0.005)
    assert near.sum() == row["count"]


class Half:
    """A model whose attention weighs yesterday by its soil: 0.8 on wet days, 0.2 on others."""

    def __init__(self, wet: np.ndarray) -> None:
        self.wet = wet

    def attention(self, cube: Cube, days: slice, cells: slice) -> np.ndarray:
        yesterday = np.where(self.wet[days, cells], 0.8, 0.2).astype(np.float32)
        return np.stack([1 - yesterday, yesterday], axis=-1)


def test_attention_of_wet_days_stands_beside_that_of_all_days(
    rainy_cube: Cube, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = float(np.nanquantile(rainy_cube.read(TARGET, slice(0, 365)), 0.75))
    monkeypatch.setattr("vadose.producer.training.attention.HIGH_MOISTURE", limit)
    wet = rainy_cube.read(TARGET) > limit
    found = dict(attention_by_lag(Half(wet), rainy_cube, TARGET))
    assert found[PANELS[1]][1] == pytest.approx(0.8)
    assert found[PANELS[0]][1] == pytest.approx(0.2 + 0.6 * wet[:365].mean(), rel=1e-5)


def test_memory_of_windows_is_their_length_at_bounded_work() -> None:
    settings = method_settings(method("transformer"), {})
    short, long = limited_settings(settings, 1), limited_settings(settings, 365)
    assert (short.sequence_days, long.sequence_days) == (1, 365)  # type: ignore[attr-defined]
    assert long.training.batch * 365 <= 1 << 15  # type: ignore[attr-defined]
    assert [has_memory(name) for name in ("bilstm", "transformer", "atlstm", "ridge")] == [True, True, True, False]


def test_memory_curve_of_a_network_of_windows_has_a_point_for_a_length(rainy_cube: Cube, tmp_path: Path) -> None:
    contenders = {"bilstm": Contender("bilstm", TINY, PREDICTORS)}
    plan = Experiment(rainy_cube.path, TARGET, contenders, tmp_path, rainy_cube.content_hash)
    point = MemoryPoint(2, tmp_path / "memory.safetensors")
    assert run_points(plan, "bilstm", [point], float("inf")) == 1
    rows = memory_rows(read_truth(rainy_cube, TARGET), [point])
    chosen = method("bilstm")
    fold = make_folds("P1", rainy_cube, TARGET)[0]
    inputs = Inputs({"main": rainy_cube}, TARGET, PREDICTORS).hiding(fold.unseen())
    model = chosen.fit(inputs, fold, limited_settings(method_settings(chosen, TINY), 2), seed=0)
    assert {row["panel"] for row in rows} == {"rmse", "ubrmsd", "r"}
    assert {row["x"] for row in rows} == {2.0}
    assert model.past_days == 1
