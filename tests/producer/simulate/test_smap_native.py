import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from vadose.common import silent
from vadose.producer import simulate
from vadose.producer.cube import Cube, open_cube
from vadose.producer.ingest import smap
from vadose.producer.ingest.base import Order
from vadose.producer.simulate import Observed, World

DATA = Path(os.environ.get("VADOSE_DATA", Path(__file__).parents[4] / "shared" / "data"))


@pytest.fixture(scope="module")
def paths(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return simulate.write_smap(small_world, tmp_path_factory.mktemp("smap"), small_world.days[200:203])


@pytest.fixture(scope="module")
def observed(small_world: World) -> Observed:
    return simulate.observe(small_world, "smap_sm_am")


@pytest.fixture(scope="module")
def cube(paths: list[Path], observed: Observed, tmp_path_factory: pytest.TempPathFactory) -> Cube:
    target = tmp_path_factory.mktemp("cube") / "smap.zarr"
    order = Order(files=(paths[0].parent,), cube=target, title="simulated", origin=smap.ORIGIN, grid=observed.grid)
    smap.ingest(order, silent)
    return open_cube(target)


def test_reader_of_real_files_gets_the_recommended_values(cube: Cube, observed: Observed) -> None:
    moisture, quality = observed.layers[0].values[200:203], observed.layers[1].values[200:203]
    expected = np.where(quality & 1, np.nan, moisture)[:, cube.index]
    np.testing.assert_array_equal(cube.read("smap_sm_am"), expected)
    assert np.isfinite(expected).any()


def test_fields_not_seen_hold_the_fill_values_of_the_mission(paths: list[Path]) -> None:
    with h5py.File(paths[0]) as file:
        group = file["Soil_Moisture_Retrieval_Data"]
        unseen = group["latitude"][...] == -9999.0
        assert group["soil_moisture"].attrs["_FillValue"] == np.float32(-9999.0)
        assert (group["soil_moisture"][...][unseen] == -9999.0).all()
        assert (group["retrieval_qual_flag"][...][unseen] == 7).all()
        assert (group["EASE_row_index"][...][unseen] == 65534).all()
        assert (group["tb_time_utc"][...][unseen] == b"N/A").all()
        assert "_FillValue" not in group["latitude"].attrs


def test_time_of_observation_is_six_in_the_morning(paths: list[Path]) -> None:
    with h5py.File(paths[0]) as file:
        group = file["Soil_Moisture_Retrieval_Data"]
        seen = group["tb_time_seconds"][...] != -9999.0
        utc = group["tb_time_seconds"][...][seen] / 3600.0 + 12.0
        local = (utc + group["longitude"][...][seen] / 15.0) % 24.0
    np.testing.assert_allclose(local, 6.0, atol=1e-3)


def test_layout_is_that_of_a_real_granule(paths: list[Path]) -> None:
    real = DATA / "smap_l3" / "SMAP_L3_SM_P_20150401_R13080_001.h5"
    if not real.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no data at {real}")
        pytest.skip(f"no data at {real}; set VADOSE_DATA")
    with h5py.File(real) as theirs, h5py.File(paths[0]) as ours:
        for name, field in theirs["Soil_Moisture_Retrieval_Data"].items():
            mine = ours["Soil_Moisture_Retrieval_Data"][name]
            assert (mine.dtype, mine.shape, mine.chunks) == (field.dtype, field.shape, field.chunks), name
            for key in ("_FillValue", "units", "valid_min", "valid_max", "coordinates"):
                assert mine.attrs.get(key) == field.attrs.get(key), (name, key)


def test_native_files_repeat_byte_for_byte(small_world: World, paths: list[Path], tmp_path: Path) -> None:
    (again,) = simulate.write_smap(small_world, tmp_path, small_world.days[200:201])
    assert again.read_bytes() == paths[0].read_bytes()
