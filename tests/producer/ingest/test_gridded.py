"""Lattices and their way to the cells of a cube, and several readers that fill one cube."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadose.common import InputError, silent
from vadose.producer.cube import open_cube
from vadose.producer.grids import Grid, box, global_grid, regrid
from vadose.producer.ingest import Order, Origin
from vadose.producer.ingest.gridded import Cells, Lattice, Placement, covering_grid, write_cube
from vadose.producer.ingest.native import Floats, Funnel, to_vocabulary

ORIGIN = Origin("x", "1", "CC0-1.0")


class Made:
    """A source of smooth fields on a regular lattice; no value west of `sea_east`."""

    def __init__(
        self, path: Path, step: float, name: str = "air_temperature", days: Sequence[str] = ("2020-01-01",)
    ) -> None:
        path.write_text(name)
        lat, lon = np.arange(-10 + step / 2, 10, step), np.arange(step / 2, 20, step)
        self.lattice = Lattice.of_centres(lat, lon, "made")
        self.grid = covering_grid(self.lattice)
        self.names: tuple[str, ...] = (name,)
        self.days = np.array(days, "datetime64[D]")
        self.files = [path]

    def land(self, cells: Cells) -> np.ndarray:
        return np.isfinite(self._values(cells))

    def read(self, day: np.datetime64, cells: Cells) -> Mapping[str, tuple[Floats, Funnel]]:
        if day not in self.days:
            return {}
        return {self.names[0]: to_vocabulary(self._values(cells), self.names[0], "K", where="made")}

    def attributes(self, name: str) -> Mapping[str, Any]:
        return {"comment": f"made {name}"}

    def _values(self, cells: Cells) -> np.ndarray:
        rows, columns = np.divmod(cells, self.lattice.shape[1])
        lat, lon = self.lattice.lat[rows], self.lattice.lon[columns]
        return np.where(lon < 4, np.nan, 280.0 + lat + lon / 2)


def order(path: Path, **more: Any) -> Order:
    return Order(files=(path,), cube=path.parent / "c.zarr", title="test", origin=ORIGIN, **more)


def expected(cube: Any) -> np.ndarray:
    return 280.0 + cube.lat + cube.lon / 2


@pytest.mark.parametrize("token", ["1P00DEG", "0P50DEG", "2P00DEG", "EASE2M36"])
def test_a_plane_stays_a_plane_on_every_grid(tmp_path: Path, token: str) -> None:
    grid = box(token, 2.0, -8.0, 18.0, 8.0)
    write_cube([(Made(tmp_path / "a", 1.0), order(tmp_path / "a", grid=grid))], silent)
    cube = open_cube(tmp_path / "c.zarr")
    inner = cube.lon > 5.1
    # Authalic weights shift the mean latitude of a cell by less than a hundredth of its height.
    np.testing.assert_allclose(cube.read("air_temperature")[0][inner], expected(cube)[inner], atol=0.02)


def test_same_cells_are_copied_exactly(tmp_path: Path) -> None:
    source = Made(tmp_path / "a", 1.0)
    write_cube([(source, order(tmp_path / "a"))], silent)
    cube = open_cube(tmp_path / "c.zarr")
    assert cube.grid == Grid("1P00DEG", 80, 100, 180, 200)
    assert cube.index.size == 20 * 16
    np.testing.assert_array_equal(cube.read("air_temperature")[0], expected(cube).astype(np.float32))


def test_several_sources_fill_one_cube(tmp_path: Path) -> None:
    first = Made(tmp_path / "a", 1.0, days=("2020-01-01", "2020-01-02"))
    second = Made(tmp_path / "b", 0.5, name="soil_temperature", days=("2020-01-02", "2020-01-04"))
    write_cube([(first, order(tmp_path / "a")), (second, order(tmp_path / "b"))], silent)
    cube = open_cube(tmp_path / "c.zarr")
    assert cube.names == ["air_temperature", "soil_temperature"]
    assert np.isfinite(cube.read("air_temperature")[:, 0]).tolist() == [True, True, False, False]
    assert np.isfinite(cube.read("soil_temperature")[:, 0]).tolist() == [False, True, False, True]
    assert [item["name"] for item in cube.provenance] == ["a", "b"]
    assert cube.group["soil_temperature"].attrs["comment"] == "made soil_temperature"


def test_two_sources_of_one_variable_are_refused(tmp_path: Path) -> None:
    sources = [(Made(tmp_path / name, 1.0), order(tmp_path / name)) for name in "ab"]
    with pytest.raises(InputError, match="two inputs give air_temperature"):
        write_cube(sources, silent)


def test_a_predictor_that_no_source_gives_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no input gives ndvi; they give air_temperature"):
        write_cube([(Made(tmp_path / "a", 1.0), order(tmp_path / "a", required=("ndvi",)))], silent)


def test_a_box_beside_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="do not reach into the window"):
        write_cube([(Made(tmp_path / "a", 1.0), order(tmp_path / "a", box=(100.0, 0.0, 120.0, 10.0)))], silent)


def test_a_step_that_is_no_grid_of_ours_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a step of 1\.33\d* degrees.*--grid"):
        write_cube([(Made(tmp_path / "a", 4 / 3), order(tmp_path / "a"))], silent)


@given(st.permutations(range(8)), st.permutations(range(4)), st.booleans())
def test_the_order_in_the_file_does_not_matter(columns: list[int], rows: list[int], east: bool) -> None:
    lat, lon = np.array([30.0, 20, 10, 0])[rows], (np.arange(8) * 45.0 - 180)[columns]
    lattice = Lattice.of_centres(lat, lon % 360 if east else lon, "x")
    stored = (lat[:, None] * 1000 + lon[None, :]).ravel()
    placed = stored[lattice.in_file(np.arange(32))].reshape(4, 8)
    np.testing.assert_array_equal(placed, lattice.lat[:, None] * 1000 + lattice.lon[None, :])


def test_area_weighted_mean_of_the_sphere_is_kept() -> None:
    values = np.random.default_rng(0).normal(size=(181, 360)).astype(np.float32)
    lattice = Lattice.of_centres(np.arange(90.0, -91.0, -1.0), np.arange(0.0, 360.0), "x")
    grid = global_grid("1P00DEG")
    ours = regrid(Placement(lattice, grid).weights(smooth=False), values.ravel()).reshape(grid.shape)
    bands = np.diff(-np.sin(np.deg2rad(np.clip(lattice.lat_edges, -90, 90))))
    rolled = values[:, lattice.columns]
    whole = (rolled.mean(axis=1) * bands).sum() / bands.sum()
    areas = grid.cell_areas()
    # Sphere against ellipsoid: areas of bands differ by less than a percent.
    assert (ours.mean(axis=1) * areas).sum() / areas.sum() == pytest.approx(whole, abs=2e-4)
