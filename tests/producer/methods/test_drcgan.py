"""DrcGAN on a small world of two products: what it gains, what it keeps, and what it does with bad input."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from vadose.common import InputError
from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.grids import Grid
from vadose.producer.methods import Block, Inputs, method, method_settings
from vadose.producer.methods.drcgan import FusionModel, matched
from vadose.producer.recipe import Predictors
from vadose.producer.training.splits import Fold, make_folds
from vadose.statistics.distribution import KINDS

TARGET, LAND_MODEL = "smap_sm_am", "land_model_a_sm"
FEW: dict[str, Any] = {
    "land_model": LAND_MODEL, "width": 8, "blocks": 1, "backward_blocks": 1, "discriminator_width": 4, "patch": 20,
    "training": {"steps": 3, "batch": 2},
}  # fmt: skip
EVERYTHING = slice(None)


def persistent(rng: np.random.Generator, days: int, shape: tuple[int, int], memory: float) -> np.ndarray:
    """A smooth random field with unit variance that forgets in `memory` days, (time, row, column)."""
    noise = gaussian_filter(rng.standard_normal((days, *shape)), (0, 2, 2), mode="wrap")
    noise /= noise.std()
    for day in range(1, days):
        noise[day] = memory * noise[day - 1] + np.sqrt(1 - memory**2) * noise[day]
    return noise


def world(path: Path, days: int = 300) -> Cube:
    """20 x 20 cells: swaths of observations with white noise, and a land model whose errors last for days."""
    rng = np.random.default_rng(7)
    shape = (20, 20)
    index = np.arange(400)[rng.random(400) < 0.95]
    truth = 0.25 + 0.05 * persistent(rng, days, shape, 0.7)
    model = 0.1 + 0.8 * truth + 0.03 * persistent(rng, days, shape, 0.9)
    seen = truth + rng.normal(0, 0.01, truth.shape)
    swath = (np.arange(20)[None, None] // 5 + np.arange(days)[:, None, None]) % 3 == 0
    seen[np.broadcast_to(swath, seen.shape)] = np.nan
    with new_cube(path, Grid("0P25DEG", 180, 200, 500, 520), index, np.datetime64("2016-01-01") + np.arange(days),
                  title="two products") as writer:  # fmt: skip
        for name, values in ((TARGET, seen), (LAND_MODEL, model), ("precipitation", 10 * truth)):
            writer.add(name, values.reshape(days, -1)[:, index].astype("f4"))
    return open_cube(path)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return world(tmp_path_factory.mktemp("fusion") / "two.zarr")


def inputs_of(cube: Cube) -> tuple[Inputs, Fold]:
    fold = make_folds("P6-swath", cube, TARGET)[0]
    return Inputs({"main": cube}, TARGET, Predictors(daily=("precipitation",))).hiding(fold.unseen()), fold


def fitted(cube: Cube, **changes: Any) -> FusionModel:
    inputs, fold = inputs_of(cube)
    drcgan = method("drcgan")
    model = drcgan.fit(inputs, fold, method_settings(drcgan, {**FEW, **changes}), seed=1)
    assert isinstance(model, FusionModel)
    return model


def with_values(cube: Cube, path: Path, **values: np.ndarray) -> Cube:
    """The same cube with other values of some variables."""
    with new_cube(path, cube.grid, cube.index, cube.days, title="changed") as writer:
        for name in cube.names:
            writer.add(name, values.get(name, cube.read(name)))
    return open_cube(path)


def test_fused_gap_days_are_nearer_to_hidden_observations_than_land_model_and_interpolation(cube: Cube) -> None:
    inputs, fold = inputs_of(cube)
    loss_alone = {"steps": 100, "batch": 4, "adversarial": False, "cycle": False, "learning_rate": 3e-3}
    model = fitted(cube, width=12, training=loss_alone)
    hidden = fold.mask("test") & np.isfinite(cube.read(TARGET))
    observed, visible = cube.read(TARGET), inputs.cube.read(TARGET)
    days = np.arange(cube.days.size)
    linear = np.stack([np.interp(days, days[np.isfinite(one)], one[np.isfinite(one)]) for one in visible.T], axis=1)
    rivals = {"matched": matched(model.maps, cube.read(LAND_MODEL)), "linear": linear}
    found = model.predict(Block(inputs.cube, EVERYTHING, EVERYTHING))
    rmse = {name: np.sqrt(np.mean((values - observed)[hidden] ** 2)) for name, values in rivals.items()}
    mine = np.sqrt(np.mean((found.mean - observed)[hidden] ** 2))
    assert mine < 0.85 * min(rmse.values())
    inside = np.abs(found.mean - observed)[hidden] <= 1.645 * found.uncertainty[hidden]
    assert 0.85 < inside.mean() < 0.96


def test_kept_observations_are_in_the_product_and_can_be_left_out(cube: Cube) -> None:
    inputs, _ = inputs_of(cube)
    block = Block(inputs.cube, slice(40, 50), EVERYTHING)
    seen = inputs.cube.read(TARGET, slice(40, 50))
    there = np.isfinite(seen)
    keeping, free = (fitted(cube, keep_observed=keep).predict(block) for keep in (True, False))
    np.testing.assert_array_equal(keeping.mean[there], seen[there])
    np.testing.assert_array_equal(keeping.mean[~there], free.mean[~there])
    assert (np.abs(free.mean - seen)[there] > 1e-4).mean() > 0.9
    assert np.isfinite(keeping.mean).all()
    assert (keeping.diagnostics["age_days"][there] == 0).all()


def test_values_do_not_depend_on_the_block_nor_on_what_is_remembered(cube: Cube) -> None:
    model = fitted(cube, cache_mb=1)
    whole = model.predict(Block(cube, slice(30, 80), EVERYTHING))
    model.store.limit_bytes = 4000
    model.store.days.clear()
    for days, cells in ((slice(70, 71), slice(5, 9)), (slice(33, 60), slice(300, 310)), (slice(0, 40), slice(0, 2))):
        part = model.predict(Block(cube, days, cells))
        low, high = max(days.start, 30), days.stop
        expected = whole.mean[low - 30 : high - 30, cells]
        np.testing.assert_array_equal(part.mean[low - days.start :], expected)
        assert len(model.store.days) <= 2


def test_hidden_values_of_another_cube_are_not_remembered(cube: Cube) -> None:
    model, block = fitted(cube), slice(50, 52)
    before = model.predict(Block(cube, block, EVERYTHING)).mean
    veiled = cube.hiding(TARGET, np.ones((cube.days.size, cube.index.size), bool))
    assert not np.array_equal(before, model.predict(Block(veiled, block, EVERYTHING)).mean)


def test_causal_variant_reads_nothing_newer_than_its_latency(cube: Cube, tmp_path: Path) -> None:
    model = fitted(cube, later=False, same_day=False, latency_days=3, keep_observed=False)
    target = cube.read(TARGET)
    target[98:] = 0.45
    changed = with_values(cube, tmp_path / "later.zarr", **{TARGET: target})
    days = slice(96, 102)
    before, after = (model.predict(Block(one, days, EVERYTHING)).mean for one in (cube, changed))
    np.testing.assert_array_equal(before[:5], after[:5])
    assert not np.array_equal(before[5], after[5])


def test_a_day_without_any_observation_is_fused_from_its_neighbours(cube: Cube, tmp_path: Path) -> None:
    target = cube.read(TARGET)
    target[100] = np.nan
    empty = with_values(cube, tmp_path / "empty.zarr", **{TARGET: target})
    found = fitted(cube).predict(Block(empty, slice(100, 101), EVERYTHING))
    assert np.isfinite(found.mean).all()
    assert (found.diagnostics["age_days"] >= 1).all()


def test_a_day_without_the_land_model_has_its_observations_and_nothing_else(cube: Cube, tmp_path: Path) -> None:
    field = cube.read(LAND_MODEL)
    field[100] = np.nan
    gap = with_values(cube, tmp_path / "gap.zarr", **{LAND_MODEL: field})
    found = fitted(cube).predict(Block(gap, slice(99, 102), EVERYTHING))
    there = np.isfinite(cube.read(TARGET, slice(100, 101)))[0]
    np.testing.assert_array_equal(np.isfinite(found.mean[1]), there)
    np.testing.assert_array_equal(found.flags[1] == 256, ~there)
    assert np.isnan(found.uncertainty[1][~there]).all()
    assert np.isfinite(found.mean[[0, 2]]).all()


def test_cells_with_few_pairs_are_matched_by_two_moments_or_not_at_all_with_the_reason(
    cube: Cube, tmp_path: Path
) -> None:
    target = cube.read(TARGET)
    target[100:, 3] = np.nan
    target[20:, 4] = np.nan
    short = with_values(cube, tmp_path / "short.zarr", **{TARGET: target})
    model = fitted(short)
    assert [KINDS[model.maps.kind[cell]] for cell in (3, 4)] == ["mean_std", "none"]
    assert model.facts["matching"]["none"] == 1
    assert model.facts["matching"]["reasons"]["few_samples"] >= 2
    found = model.predict(Block(short, slice(150, 151), EVERYTHING))
    assert found.flags[0, 4] == 2048
    assert found.flags[0, 3] == 0


def test_a_cube_without_the_land_model_is_refused_with_what_it_holds(cube: Cube) -> None:
    with pytest.raises(InputError, match="no continuous field 'noah_sm'.*land_model_a_sm") as caught:
        fitted(cube, land_model="noah_sm")
    assert "ridge" in str(caught.value.next)


def test_products_without_a_common_day_are_refused(cube: Cube, tmp_path: Path) -> None:
    field = np.full_like(cube.read(LAND_MODEL), np.nan)
    with pytest.raises(InputError, match="no day in common"):
        fitted(with_values(cube, tmp_path / "none.zarr", **{LAND_MODEL: field}))


def test_regression_on_predictors_stands_in_for_a_land_model_and_is_kept(cube: Cube, tmp_path: Path) -> None:
    model = fitted(cube, land_model="ridge")
    model.save(tmp_path)
    block = Block(cube, slice(100, 110), slice(0, 50))
    found, again = model.predict(block), method("drcgan").load(tmp_path).predict(block)
    np.testing.assert_array_equal(found.mean, again.mean)
    assert np.isfinite(found.mean).all()
    assert model.past_days > 8


def test_cells_that_were_not_in_training_keep_the_land_model_unmatched(cube: Cube, tmp_path: Path) -> None:
    keep = np.arange(cube.index.size) != 17
    with new_cube(tmp_path / "less.zarr", cube.grid, cube.index[keep], cube.days, title="less") as writer:
        for name in cube.names:
            writer.add(name, cube.read(name)[:, keep])
    found = fitted(open_cube(tmp_path / "less.zarr")).predict(Block(cube, slice(50, 51), EVERYTHING))
    assert (found.flags[0, keep] == 0).all()
    assert found.flags[0, 17] in (0, 2048)
    assert found.flags[0, 17] == 2048 or found.diagnostics["age_days"][0, 17] == 0


def test_a_cube_on_another_grid_and_damaged_weights_are_refused(cube: Cube, tmp_path: Path) -> None:
    model = fitted(cube)
    with new_cube(tmp_path / "other.zarr", Grid("0P05DEG", 0, 20, 0, 20), cube.index, cube.days, title="x") as writer:
        writer.add(TARGET, cube.read(TARGET))
        writer.add(LAND_MODEL, cube.read(LAND_MODEL))
    with pytest.raises(InputError, match="the model is for 0P25DEG"):
        model.predict(Block(open_cube(tmp_path / "other.zarr"), slice(0, 1), EVERYTHING))
    model.save(tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputError, match="weights cannot be read"):
        method("drcgan").load(tmp_path)
