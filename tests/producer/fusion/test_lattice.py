"""Cells in two dimensions and back."""

from types import SimpleNamespace

import numpy as np
import pytest

from vadose.producer.fusion.lattice import Lattice
from vadose.producer.grids import Grid


def lattice_of(token: str, window: tuple[int, int, int, int], index: np.ndarray) -> Lattice:
    return Lattice.of_cube(SimpleNamespace(grid=Grid(token, *window), index=index))  # type: ignore[arg-type]


def scattered(seed: int = 0) -> Lattice:
    index = np.sort(np.random.default_rng(seed).permutation(20 * 30)[:211])
    return lattice_of("0P25DEG", (100, 120, 200, 230), index)


def test_gathering_undoes_un_gathering_and_the_sea_is_filled() -> None:
    lattice = scattered()
    values = np.random.default_rng(1).random((3, 211)).astype("f4")
    fields = lattice.fields(values, fill=-1.0)
    assert fields.shape == (3, *lattice.shape)
    assert (fields == -1).sum() == 3 * (np.prod(lattice.shape) - 211)
    np.testing.assert_array_equal(lattice.gathered(fields), values)


def test_every_fourth_cell_of_a_grid_is_a_lattice_without_holes() -> None:
    rows, columns = np.meshgrid(np.arange(2, 40, 4), np.arange(3, 60, 4), indexing="ij")
    index = (rows * 60 + columns).ravel()[:-3]
    lattice = lattice_of("EASE2M36", (10, 50, 100, 160), index)
    assert lattice.shape == (10, 15)
    assert (lattice.cell >= 0).sum() == index.size
    assert not lattice.wraps


@pytest.mark.parametrize("size", [5, 8, 64])
def test_patches_cover_every_cell(size: int) -> None:
    lattice = scattered()
    patches = lattice.patches(size, size // 2)
    covered = np.unique(np.concatenate([patch[patch >= 0] for patch in patches]))
    assert covered.tolist() == list(range(211))
    assert {patch.shape for patch in patches} == {tuple(min(size, side) for side in lattice.shape)}


def test_patches_of_a_global_grid_reach_over_its_seam() -> None:
    index = np.array([200 * 964, 200 * 964 + 963, 201 * 964 + 500])
    lattice = lattice_of("EASE2M36", (0, 406, 0, 964), index)
    assert lattice.shape == (2, 964)
    assert lattice.wraps
    assert any({0, 1} <= set(patch.ravel().tolist()) for patch in lattice.patches(64, 32))
