"""Intervals cover what they promise, and strange cells are seen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.producer.uncertainty import Calibration, block_quantile, calibrate, combine, fit_support


def test_variance_of_an_ensemble_is_the_sum_of_its_two_parts() -> None:
    generator = np.random.default_rng(0)
    means, deviations = generator.normal(size=(5, 4, 3)), generator.uniform(0.1, 1, (5, 4, 3))
    combined = combine(means, deviations)
    draws = means[:, None] + deviations[:, None] * generator.normal(size=(5, 40_000, 4, 3))
    np.testing.assert_allclose(combined.deviation, draws.reshape(-1, 4, 3).std(axis=0), rtol=0.02)
    np.testing.assert_allclose(combined.epistemic, means.var(axis=0))


def test_equal_blocks_give_the_ordinary_conformal_quantile() -> None:
    scores = np.random.default_rng(1).random(99)
    expected = np.sort(scores)[int(np.ceil(100 * 0.9)) - 1]
    assert block_quantile(scores, np.arange(99)) == expected


def test_a_large_block_counts_as_much_as_a_small_one() -> None:
    scores = np.concatenate([np.full(1000, 0.1), np.arange(1.0, 20.0)])
    block = np.concatenate([np.zeros(1000, int), np.arange(1, 20)])
    assert block_quantile(scores, block) == 18.0


def test_few_blocks_do_not_turn_one_outlier_into_the_interval() -> None:
    scores = np.append(np.tile(np.linspace(0, 1, 101), 4), 50.0)
    block = np.append(np.repeat(np.arange(4), 101), 3)
    assert block_quantile(scores, block) == pytest.approx(0.9, abs=0.02)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), st.integers(0, 2**31))
def test_quantile_does_not_depend_on_the_order_of_values(blocks: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    block = generator.integers(0, blocks, 200)
    scores = generator.random(200)
    order = generator.permutation(200)
    assert block_quantile(scores, block) == block_quantile(scores[order], block[order])


def test_calibrated_intervals_cover_nine_tenths_of_new_blocks() -> None:
    generator = np.random.default_rng(2)
    covered = []
    for _ in range(300):
        # Errors that share a scale within a block, and deviations that are half of what they should be.
        scale = np.repeat(generator.lognormal(0, 0.3, 80), 20)
        scores = np.abs(generator.normal(size=1600)) * scale * 2.0
        block = np.repeat(np.arange(80), 20)
        old = block < 40
        factor = calibrate(scores[old], block[old], None).overall
        covered.append((scores[~old] <= factor).mean())
    # Forty blocks allow steps of 1/40 only, and the quantile is the next one above 0.9.
    assert 0.895 < np.mean(covered) < 0.93


def test_a_class_is_drawn_to_all_classes_by_its_number_of_blocks() -> None:
    generator = np.random.default_rng(3)
    block = np.repeat(np.arange(60), 10)
    codes = np.where(block < 10, 7, 8)
    scores = generator.random(600) + np.where(codes == 7, 2.0, 0.0)
    found = calibrate(scores, block, codes, "land_cover")
    alone = block_quantile(scores[codes == 7], block[codes == 7], corrected=False)
    assert found.classes[7] == pytest.approx(0.5 * alone + 0.5 * found.overall)
    assert found.blocks == {"all": 60, "7": 10, "8": 50}
    assert Calibration.from_json(found.to_json()) == found


def test_nothing_to_calibrate_with_leaves_a_gaussian() -> None:
    empty = np.zeros(0)
    assert calibrate(empty, empty.astype(int), None).overall == 1.645


def test_cells_unlike_any_training_cell_are_outside_the_support() -> None:
    generator = np.random.default_rng(4)
    static = generator.normal(size=(200, 3)).astype(np.float32)
    support = fit_support(static, static[:, 0] * 2.0, np.arange(200) // 10)
    assert support is not None
    assert support.weights[0] > 5 * support.weights[1]
    assert not support.outside(static).any()
    assert support.outside(np.array([[12.0, 0, 0]], np.float32)).all()
    assert support.outside(static + generator.normal(0, 0.02, static.shape).astype(np.float32)).mean() < 0.1


def test_support_needs_static_predictors_and_two_blocks() -> None:
    assert fit_support(np.zeros((5, 0), np.float32), np.arange(5.0), np.arange(5)) is None
    assert fit_support(np.zeros((5, 2), np.float32), np.arange(5.0), np.zeros(5, int)) is None
