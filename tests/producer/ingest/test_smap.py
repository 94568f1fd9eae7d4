"""Native SMAP L3: the real files of release R13, and look-alikes of what they do not show."""

from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest

from vadose.common import InputError, UsageError, silent
from vadose.producer.cube import Cube, open_cube
from vadose.producer.grids import global_grid
from vadose.producer.ingest import Order, smap

DAY1, DAY2 = "SMAP_L3_SM_P_20150401_R13080_001.h5", "SMAP_L3_SM_P_20150402_R13080_001.h5"


def ingest(paths: list[Path], folder: Path, **more: object) -> Cube:
    order = Order(files=tuple(paths), cube=folder / "c.zarr", title="test", origin=smap.ORIGIN, **more)  # type: ignore[arg-type]
    smap.ingest(order, silent)
    return open_cube(order.cube)


@pytest.fixture(scope="module")
def real(vadose_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Cube:
    # Named in the wrong order on purpose.
    return ingest([vadose_data / "smap_l3" / DAY2, vadose_data / "smap_l3" / DAY1], tmp_path_factory.mktemp("smap"))


def make_file(path: Path, values: dict[str, np.ndarray], *, groups: str = "one", units: str = "cm**3/cm**3") -> Path:
    """A look-alike; `values` are soil moisture by overpass, `groups` is one (early release) or two (later ones)."""
    with h5py.File(path, "w") as file:
        for overpass, moisture in values.items():
            name = smap.GROUP if groups == "one" else f"{smap.GROUP}_{overpass.upper()}"
            suffix = "_pm" if overpass == "pm" else ""
            group = file.create_group(name)
            stored = np.where(np.isnan(moisture), -9999.0, moisture).astype(np.float32)
            array = group.create_dataset(f"soil_moisture{suffix}", data=stored, compression="gzip")
            array.attrs.update({"_FillValue": np.float32(-9999), "units": np.bytes_(units)})
            flag = np.where(np.isnan(moisture), 65534, 0).astype(np.uint16)
            array = group.create_dataset(f"retrieval_qual_flag{suffix}", data=flag, compression="gzip")
            array.attrs["_FillValue"] = np.uint16(65534)
    return path


def field(**cells: float) -> np.ndarray:
    """A global field with values at `rX_cY`."""
    values = np.full((406, 964), np.nan)
    for place, value in cells.items():
        row, column = (int(part[1:]) for part in place.split("_"))
        values[row, column] = value
    return values


def value(cube: Cube, name: str, row: int, column: int, day: int = 0) -> float:
    cell = np.searchsorted(cube.index, (row - cube.grid.row0) * cube.grid.shape[1] + column - cube.grid.col0)
    return float(cube.read(name)[day, cell])


def test_recommended_retrievals_are_those_of_the_data_page(real: Cube) -> None:
    kept = np.isfinite(real.read("smap_sm_am")).sum(axis=1)
    assert [str(day) for day in real.days] == ["2015-04-01", "2015-04-02"]
    assert kept.tolist() == [20_878, 18_080]
    valid = 35_278 + 32_052
    cells = 2 * 391_384
    assert real.counts["smap_sm_am"] == {
        "read": cells, "missing": cells - valid, "outside_range": 0, "flagged": valid - kept.sum(), "kept": kept.sum()
    }  # fmt: skip


def native(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Stored soil moisture, NaN where missing, and its quality flag, straight from the file."""
    with h5py.File(path) as file:
        group = file[smap.GROUP]
        stored = group["soil_moisture"][...].astype(np.float64)
        return np.where(stored == -9999.0, np.nan, stored), group["retrieval_qual_flag"][...]


def test_permissive_keeps_every_successful_retrieval(vadose_data: Path, tmp_path: Path) -> None:
    cube = ingest([vadose_data / "smap_l3" / DAY1], tmp_path, options={"permissive": True})
    values, flag = native(vadose_data / "smap_l3" / DAY1)
    # Valid cells have the flags 0, 1 and 5; 5 says that the retrieval did not succeed.
    good = np.isfinite(values) & np.isin(flag, (0, 1))
    assert cube.counts["smap_sm_am"]["kept"] == good.sum() > 30_000
    assert int(np.isfinite(values).sum()) == cube.counts["smap_sm_am"]["read"] - cube.counts["smap_sm_am"]["missing"]
    np.testing.assert_array_equal(cube.index, np.flatnonzero(np.isfinite(values)))
    np.testing.assert_array_equal(cube.read("smap_sm_am")[0], np.where(good, values, np.nan).ravel()[cube.index])


def test_manhattan_lies_in_its_cell(vadose_data: Path, tmp_path: Path) -> None:
    cube = ingest(
        [vadose_data / "smap_l3" / DAY1], tmp_path, options={"permissive": True}, box=(-97, 38.9, -96.5, 39.3)
    )
    row, column = cube.grid.locate(39.10, -96.61)
    assert (cube.grid.row0 + row, cube.grid.col0 + column) == (74, 223)
    assert value(cube, "smap_sm_am", 74, 223) == pytest.approx(0.1486, abs=1e-4)


def test_places_agree_with_the_file_where_it_states_them(real: Cube, vadose_data: Path) -> None:
    rows, columns = np.divmod(real.index, 964)
    with h5py.File(vadose_data / "smap_l3" / DAY1) as file:
        lat = file["Soil_Moisture_Retrieval_Data/latitude"][...][rows, columns]
        lon = file["Soil_Moisture_Retrieval_Data/longitude"][...][rows, columns]
    known = lat > -9000
    assert known.sum() > 20_000
    assert np.abs(real.lat - lat)[known].max() < 1e-3
    assert np.abs(real.lon - lon)[known].max() < 1e-3


@pytest.mark.parametrize(
    ("day", "cells", "r", "rmsd", "wetter"), [(0, 200, 0.9713, 0.0303, 0.0076), (1, 179, 0.9758, 0.0319, 0.0079)]
)
def test_the_cells_of_conus412_hold_the_same_days(
    vadose_data: Path, day: int, cells: int, r: float, rmsd: float, wetter: float
) -> None:
    with netCDF4.Dataset(vadose_data / "conus412/conus412_smap_nldas_2015-2018.nc") as dataset:
        places = global_grid("EASE2M36").locate(dataset["lat"][:], dataset["lon"][:])
        theirs = np.ma.filled(dataset["SMAP_AM"][:, day], np.nan).astype(float)
    ours = native(vadose_data / "smap_l3" / (DAY1, DAY2)[day])[0][places]
    both = np.isfinite(ours) & np.isfinite(theirs)
    assert both.sum() == cells
    assert np.corrcoef(ours[both], theirs[both])[0, 1] == pytest.approx(r, abs=1e-4)
    assert np.sqrt(np.mean((ours - theirs)[both] ** 2)) == pytest.approx(rmsd, abs=1e-4)
    assert np.mean((theirs - ours)[both]) == pytest.approx(wetter, abs=1e-4)


def test_provenance_names_both_files(real: Cube) -> None:
    assert [item["name"] for item in real.provenance] == [DAY1, DAY2]
    assert [item["bytes"] for item in real.provenance] == [12_451_712, 12_166_702]


def test_later_releases_keep_the_overpasses_apart(tmp_path: Path) -> None:
    values = {"am": field(r100_c200=0.2), "pm": field(r100_c200=0.3, r101_c200=0.4)}
    path = make_file(tmp_path / "SMAP_L3_SM_P_20200101_R19240_001.h5", values, groups="two")
    cube = ingest([path], tmp_path, names=("smap_sm_am", "smap_sm_pm"))
    assert value(cube, "smap_sm_am", 100, 200) == pytest.approx(0.2)
    assert value(cube, "smap_sm_pm", 100, 200) == pytest.approx(0.3)
    assert np.isnan(value(cube, "smap_sm_am", 101, 200))
    assert ingest([path], tmp_path).names == ["smap_sm_am"]


def test_early_releases_have_no_evening(tmp_path: Path) -> None:
    path = make_file(tmp_path / "SMAP_L3_SM_P_20200101_R13080_001.h5", {"am": field(r100_c200=0.2)})
    with pytest.raises(InputError, match=r"no group Soil_Moisture_Retrieval_Data_PM.*early releases have 6 AM only"):
        ingest([path], tmp_path, names=("smap_sm_pm",))


def test_days_between_files_are_missing(tmp_path: Path) -> None:
    files = [
        make_file(tmp_path / f"SMAP_L3_SM_P_2020010{day}_R19_001.h5", {"am": field(r100_c200=0.1 * day)})
        for day in (4, 1)
    ]
    cube = ingest(files, tmp_path)
    np.testing.assert_allclose(cube.read("smap_sm_am")[:, 0], [0.1, np.nan, np.nan, 0.4], rtol=1e-6)


def test_two_files_of_one_day_are_named(tmp_path: Path) -> None:
    files = [make_file(tmp_path / f"SMAP_L3_SM_P_20200101_R1{v}_001.h5", {"am": field(r100_c200=0.2)}) for v in (8, 9)]
    with pytest.raises(InputError, match=r"two files hold 2020-01-01.*R18_001\.h5 and .*R19_001\.h5"):
        ingest(files, tmp_path)


def test_a_flag_that_is_missing_refuses_the_value(tmp_path: Path) -> None:
    path = make_file(tmp_path / "SMAP_L3_SM_P_20200101_R19_001.h5", {"am": field(r100_c200=0.2, r100_c201=0.3)})
    with h5py.File(path, "a") as file:
        file[f"{smap.GROUP}/retrieval_qual_flag"][100, 200] = 65534
    cube = ingest([path], tmp_path)
    assert np.isnan(value(cube, "smap_sm_am", 100, 200))
    assert cube.counts["smap_sm_am"]["flagged"] == 1


@pytest.mark.parametrize(("flag", "strict", "permissive"), [(0, 1, 1), (1, 0, 1), (5, 0, 0), (7, 0, 0), (8, 1, 1)])
def test_flag_bits_follow_the_rule(tmp_path: Path, flag: int, strict: int, permissive: int) -> None:
    path = make_file(tmp_path / "SMAP_L3_SM_P_20200101_R19_001.h5", {"am": field(r100_c200=0.2, r100_c201=0.3)})
    with h5py.File(path, "a") as file:
        file[f"{smap.GROUP}/retrieval_qual_flag"][100, 200] = flag
    for option, kept in ((False, strict), (True, permissive)):
        cube = ingest([path], tmp_path / str(option), options={"permissive": option})
        assert np.isfinite(value(cube, "smap_sm_am", 100, 200)) == bool(kept)


def test_values_above_the_physical_range_are_missing_and_counted(tmp_path: Path) -> None:
    cells = {f"r100_c{column}": 0.2 for column in range(9)} | {"r100_c9": 1.2}
    path = make_file(tmp_path / "SMAP_L3_SM_P_20200101_R19_001.h5", {"am": field(**cells)})
    cube = ingest([path], tmp_path)
    assert cube.counts["smap_sm_am"]["outside_range"] == 1
    assert np.isnan(value(cube, "smap_sm_am", 100, 9))


def test_percent_under_the_name_of_a_fraction_is_refused(tmp_path: Path) -> None:
    path = make_file(tmp_path / "SMAP_L3_SM_P_20200101_R19_001.h5", {"am": field(r100_c200=20.0, r100_c201=31.0)})
    with pytest.raises(InputError, match=r"contradict the units.*soil_moisture.*'cm\*\*3/cm\*\*3'"):
        ingest([path], tmp_path)


def test_a_list_of_cells_goes_to_its_indices(tmp_path: Path) -> None:
    path = tmp_path / "SMAP_L3_SM_P_20200101_R19_001.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group(smap.GROUP)
        group["soil_moisture"] = np.array([0.1, 0.2, -9999.0], np.float32)
        group["soil_moisture"].attrs.update({"_FillValue": np.float32(-9999), "units": "cm**3/cm**3"})
        group["retrieval_qual_flag"] = np.zeros(3, np.uint16)
        group["EASE_row_index"] = np.array([300, 20, 65534], np.uint16)
        group["EASE_column_index"] = np.array([5, 900, 65534], np.uint16)
    cube = ingest([path], tmp_path)
    assert cube.index.tolist() == [20 * 964 + 900, 300 * 964 + 5]
    np.testing.assert_allclose(cube.read("smap_sm_am")[0], [0.2, 0.1], rtol=1e-6)


def test_a_file_stored_upside_down_is_refused(tmp_path: Path) -> None:
    path = make_file(tmp_path / "SMAP_L3_SM_P_20200101_R19_001.h5", {"am": field(r100_c200=0.2)})
    with h5py.File(path, "a") as file:
        rows, columns = np.indices((406, 964)).astype(np.uint16)
        file[f"{smap.GROUP}/EASE_row_index"] = rows[::-1]
        file[f"{smap.GROUP}/EASE_column_index"] = columns
    with pytest.raises(InputError, match="contradict the positions"):
        ingest([path], tmp_path)


def test_a_truncated_file_is_named_with_its_size(vadose_data: Path, tmp_path: Path) -> None:
    broken = tmp_path / DAY1
    broken.write_bytes((vadose_data / "smap_l3" / DAY1).read_bytes()[:2_000_000])
    with pytest.raises(InputError, match=rf"cannot be read.*{DAY1} \(2,000,000 bytes\).*get the file again"):
        ingest([broken], tmp_path)


def test_damage_inside_a_field_is_named(vadose_data: Path, tmp_path: Path) -> None:
    damaged = make_file(tmp_path / "SMAP_L3_SM_P_20200101_R19_001.h5", {"am": field(r100_c200=0.2)})
    with h5py.File(damaged) as file:
        chunk = file[f"{smap.GROUP}/soil_moisture"].id.get_chunk_info(0)
    with damaged.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\xff" * 64)
    with pytest.raises(InputError, match="cannot be read"):
        ingest([damaged], tmp_path)


def test_day_of_name_and_metadata_must_agree(vadose_data: Path, tmp_path: Path) -> None:
    renamed = tmp_path / DAY2
    renamed.symlink_to(vadose_data / "smap_l3" / DAY1)
    with pytest.raises(InputError, match="file name says 2015-04-02, the metadata say 2015-04-01"):
        ingest([renamed], tmp_path)


def test_unknown_variable_names_the_nearest(vadose_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'smap_sm_pm'"):
        ingest([vadose_data / "smap_l3"], tmp_path, names=("smap_sm",))


def test_a_box_without_recommended_values_says_why(vadose_data: Path, tmp_path: Path) -> None:
    path = make_file(tmp_path / "SMAP_L3_SM_P_20200101_R19_001.h5", {"am": field(r100_c200=0.2)})
    with h5py.File(path, "a") as file:
        file[f"{smap.GROUP}/retrieval_qual_flag"][100, 200] = 1
    with pytest.raises(InputError, match="smap_sm_am has no value at all.*1 flagged.*weaker flag rule"):
        ingest([path], tmp_path)


def test_a_damaged_object_header_is_named(tmp_path: Path) -> None:
    path = make_file(tmp_path / "SMAP_L3_SM_P_20160101_R19240_001.h5", {"am": field(r100_c200=0.2)})
    with h5py.File(path) as file:
        place = h5py.h5o.get_info(file[f"{smap.GROUP}/soil_moisture"].id).addr
    raw = bytearray(path.read_bytes())
    raw[place : place + 64] = b"\xff" * 64
    path.write_bytes(raw)
    with pytest.raises(InputError, match="soil_moisture is damaged"):
        ingest([path], tmp_path)


def test_a_number_type_that_no_machine_has_is_a_damaged_file(tmp_path: Path) -> None:
    path = make_file(tmp_path / "SMAP_L3_SM_P_20160101_R19240_001.h5", {"am": field(r100_c200=0.2)})
    with h5py.File(path, "a") as file:
        name = f"{smap.GROUP}/soil_moisture"
        strange = h5py.h5t.IEEE_F32LE.copy()
        strange.set_ebias(200_000)
        space = h5py.h5s.create_simple(file[name].shape)
        del file[name]
        h5py.h5d.create(file.id, name.encode(), strange, space)
    with pytest.raises(InputError, match="the file cannot be read: Insufficient precision"):
        ingest([path], tmp_path)


def test_a_day_that_is_none_is_a_damaged_file(tmp_path: Path) -> None:
    path = make_file(tmp_path / "SMAP_L3_SM_P_20160101_R19240_001.h5", {"am": field(r100_c200=0.2)})
    with h5py.File(path, "a") as file:
        file.require_group("Metadata/Extent").attrs["rangeBeginningDateTime"] = "2016-13-45"
    with pytest.raises(InputError, match="not a day"):
        ingest([path], tmp_path)
