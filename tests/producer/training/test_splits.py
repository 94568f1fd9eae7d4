"""Splits keep their promises: roles never share a value, blocks stay whole, the benchmark's folds are its own."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadose.common import UsageError
from vadose.producer.cube import Cube, new_cube, open_cube
from vadose.producer.grids import global_grid
from vadose.producer.training.gaps import touching
from vadose.producer.training.splits import SPLITS, blocks, day_ranges, make_folds

TARGET = "smap_sm_am"


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_no_value_has_two_roles(rainy_cube: Cube, split: str, share: float) -> None:
    for fold in make_folds(split, rainy_cube, TARGET, calibration=share, purge_days=30):
        roles = [fold.mask(role) for role in ("fit", "tune", "calibrate", "test")]
        assert sum(mask.astype(int) for mask in roles).max() == 1
        assert not (fold.mask("train") & (fold.mask("test") | fold.mask("calibrate"))).any()
        assert not (roles[0] & ~fold.mask("train")).any()
        assert not (roles[1] & ~fold.mask("train")).any()


@pytest.mark.parametrize("split", ["P2", "P3", "P4", "P5"])
def test_every_cell_is_tested_once_and_never_trained_on_in_that_fold(rainy_cube: Cube, split: str) -> None:
    folds = make_folds(split, rainy_cube, TARGET)
    assert (sum(fold.cells["test"].astype(int) for fold in folds) == 1).all()
    assert not any((fold.cells["test"] & fold.cells["train"]).any() for fold in folds)


@pytest.mark.parametrize("split", ["P3", "P4"])
def test_blocks_leave_training_whole(rainy_cube: Cube, split: str) -> None:
    block = blocks(rainy_cube.lat, rainy_cube.lon)
    for fold in make_folds(split, rainy_cube, TARGET, calibration=0.3):
        for role in ("tune", "calibrate", "train"):
            inside = set(block[fold.cells[role]])
            assert not inside & set(
                block[~fold.cells[role] & (fold.cells["test"] | fold.cells["fit"])]
                if role == "tune"
                else block[fold.cells["test"]]
            )


@pytest.mark.parametrize("split", ["P1", "P1-purged", "P4"])
def test_tests_of_a_later_period_come_after_all_training(rainy_cube: Cube, split: str) -> None:
    for fold in make_folds(split, rainy_cube, TARGET, purge_days=30):
        last, first = np.flatnonzero(fold.dates["train"])[-1], np.flatnonzero(fold.dates["test"])[0]
        assert first - last == (31 if split == "P1-purged" else 1)
        assert np.flatnonzero(fold.dates["tune"])[-1] == last


def test_whole_fold_fits_on_all_of_training(rainy_cube: Cube) -> None:
    for split in SPLITS:
        whole = make_folds(split, rainy_cube, TARGET, purge_days=30)[0].whole()
        assert (whole.mask("fit") == whole.mask("train")).all()
        assert not whole.mask("tune").any()


@pytest.mark.parametrize("kind", ["15d", "60d", "winter"])
def test_cells_beside_a_hidden_block_are_not_trained_on(rainy_cube: Cube, kind: str) -> None:
    fold = make_folds(f"P6-{kind}", rainy_cube, TARGET)[0]
    block = blocks(rainy_cube.lat, rainy_cube.lon)
    columns = rainy_cube.grid.shape[1]
    near = touching(block, rainy_cube.index // columns, rainy_cube.index % columns)
    train, hidden = fold.mask("train"), fold.mask("test")
    for number in np.unique(block):
        days = hidden[:, block == number].any(axis=1)
        assert not train[np.ix_(days, (block == number) | near[number])].any()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400), st.integers(0, 2**31))
def test_neighbours_are_those_of_a_slow_search(cells: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    place = np.sort(generator.permutation(40 * 40)[:cells])
    row, column = place // 40, place % 40
    block = (row // 10) * 4 + column // 10
    block = np.unique(block, return_inverse=True)[1]
    rows, columns = (np.unique(axis, return_inverse=True)[1] for axis in (row, column))
    close = (abs(rows[:, None] - rows) <= 1) & (abs(columns[:, None] - columns) <= 1)
    expected = np.array([close[block == b].any(axis=0) & (block != b) for b in range(block.max() + 1)])
    assert (touching(block, row, column) == expected).all()


def test_folds_of_the_benchmark_are_those_of_its_page(tmp_path: Path) -> None:
    """Cells numbered by column, then row: the permutations of default_rng(0) in the benchmark's own order."""
    grid = global_grid("EASE2M36")
    row, column = np.meshgrid(np.arange(47, 116, 4), np.arange(151, 300, 4), indexing="ij")
    index = np.sort((row * 964 + column).ravel())[:412]
    days = np.arange("2015-04-01", "2017-04-01", dtype="datetime64[D]")
    with new_cube(tmp_path / "c.zarr", grid, index, days, title="benchmark") as writer:
        writer.add(TARGET, np.full((days.size, 412), 0.2, np.float32))
    cube = open_cube(tmp_path / "c.zarr")
    generator = np.random.default_rng(0)
    fold = generator.permutation(412) % 5
    order = np.lexsort((index // 964, index % 964))
    for number, mine in enumerate(make_folds("P2", cube, TARGET)):
        assert set(np.flatnonzero(mine.cells["test"])) == set(order[fold == number])
    later = make_folds("P1", cube, TARGET)[0].ledger()
    assert later["days"]["test"] == [["2016-04-01", "2017-03-31"]]
    assert later["days"]["fit"][0][0] == "2015-04-01"
    assert later["days"]["tune"][-1][-1] == "2016-03-31"


def test_ledger_names_cells_of_the_global_grid_and_whole_ranges(rainy_cube: Cube) -> None:
    ledger = make_folds("P1", rainy_cube, TARGET, calibration=0.3)[0].ledger()
    row, column = np.divmod(np.array(ledger["cells"]["test"]), 1440)
    np.testing.assert_allclose(
        90 - (row + 0.5) * 0.25, rainy_cube.lat[make_folds("P1", rainy_cube, TARGET, calibration=0.3)[0].cells["test"]]
    )
    assert (column >= 720).all()
    assert not set(ledger["cells"]["calibrate"]) & set(ledger["cells"]["test"])
    days = np.array(["2020-01-01", "2020-01-02", "2020-01-04"], "datetime64[D]")
    assert day_ranges(days) == [["2020-01-01", "2020-01-02"], ["2020-01-04", "2020-01-04"]]


def test_unknown_split_lists_the_known_ones(rainy_cube: Cube) -> None:
    with pytest.raises(UsageError, match="P1-purged"):
        make_folds("P9", rainy_cube, TARGET)
