"""CONUS-412 against the counts published with the data, and both layouts against each other."""

import shutil
import tarfile
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import zarr

from vadose.common import InputError, silent
from vadose.producer.cube import Cube, open_cube
from vadose.producer.grids import global_grid
from vadose.producer.ingest import Order, conus412

NETCDF = "conus412/conus412_smap_nldas_2015-2018.nc"
ARCHIVE = "conus412/hydrodl_CONUSv4f1_csv.tar.gz"


def ingest(source: Path, folder: Path, **more: object) -> Cube:
    order = Order(files=(source,), cube=folder / "c.zarr", title="test", origin=conus412.ORIGIN, **more)  # type: ignore[arg-type]
    conus412.ingest(order, silent)
    return open_cube(order.cube)


@pytest.fixture(scope="module")
def cube(vadose_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return ingest(vadose_data / NETCDF, tmp_path_factory.mktemp("netcdf"))


@pytest.fixture(scope="module")
def tree(vadose_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    with tarfile.open(vadose_data / ARCHIVE) as tar:
        tar.extractall(folder, filter="data")
    return folder


def test_counts_are_those_of_the_data_page(cube: Cube) -> None:
    smap = cube.read("smap_sm_am")
    assert smap.shape == (1096, 412)
    assert cube.counts["smap_sm_am"]["kept"] == 125_407
    assert [int(np.isfinite(part).sum()) for part in (smap[:366], smap[366:731], smap[731:])] == [63_443, 61_964, 0]
    assert int(np.isfinite(smap).any(axis=1).sum()) == 717
    per_cell = np.isfinite(smap).sum(axis=0)
    assert (per_cell.min(), per_cell.max(), np.median(per_cell)) == (214, 379, 309)


def test_statistics_are_those_of_the_data_page(cube: Cube) -> None:
    smap = cube.read("smap_sm_am").astype(np.float64)
    assert np.nanmin(smap) == pytest.approx(0.02, abs=5e-5)
    assert np.nanmax(smap) == pytest.approx(0.499985, abs=1e-6)
    assert np.nanmean(smap) == pytest.approx(0.20338, abs=1e-5)
    assert np.nanstd(smap) == pytest.approx(0.12374, abs=1e-5)


def test_rain_is_in_millimetres_a_day(cube: Cube) -> None:
    rain = cube.read("precipitation").astype(np.float64)
    years = np.concatenate([rain[a:b].sum(axis=0) for a, b in ((0, 366), (366, 731), (731, 1096))])
    assert np.isfinite(rain).all()
    assert years.min() == pytest.approx(17.7, abs=0.1)
    assert years.max() == pytest.approx(2462.3, abs=0.1)
    assert np.median(years) == pytest.approx(656.5, abs=0.1)
    assert rain.max() == pytest.approx(289.2, abs=0.1)


def test_cells_keep_their_number_and_their_place(cube: Cube, vadose_data: Path) -> None:
    cells = np.array(cube.group.attrs["vadose_source_cell"])
    rows, columns = cube.grid.row0 + cube.index // 149, cube.grid.col0 + cube.index % 149
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (47, 115, 151, 299)
    assert set((rows - 47) % 4) == set((columns - 151) % 4) == {0}
    assert sorted(cells) == list(range(412))
    with netCDF4.Dataset(vadose_data / NETCDF) as dataset:
        assert np.abs(cube.lat - dataset["lat"][:][cells]).max() < 4e-6
        assert np.abs(cube.lon - dataset["lon"][:][cells]).max() < 4e-6


def test_cells_match_the_ease_centres_of_nsidc(cube: Cube, vadose_data: Path) -> None:
    with netCDF4.Dataset(vadose_data / "statics/NSIDC0772_LatLon_EASE2_M36km_v1.0.nc") as dataset:
        lat = np.asarray(dataset["latitude"][:])[47:116, 151:300].ravel()[cube.index]
        lon = np.asarray(dataset["longitude"][:])[47:116, 151:300].ravel()[cube.index]
    assert np.abs(cube.lat - lat).max() < 1e-5
    assert np.abs(cube.lon - lon).max() < 1e-5


def test_only_cell_57_lacks_soil_and_the_near_constant_cells_are_known(cube: Cube) -> None:
    cells = np.array(cube.group.attrs["vadose_source_cell"])
    for name in ("bulk_density", "available_capacity", "clay", "sand", "silt"):
        assert cells[np.isnan(cube.read_static(name))].tolist() == [57]
    smap = cube.read("smap_sm_am")
    few = [cells[i] for i in range(412) if np.unique(smap[np.isfinite(smap[:, i]), i]).size <= 2]
    assert sorted(few) == [22, 302, 386]


def test_land_cover_agrees_with_the_flag_layer_in_290_cells(cube: Cube) -> None:
    assert int((cube.read_static("land_cover") == cube.read_static("smap_flag_landcover")).sum()) == 290


def test_all_layouts_give_the_same_values(cube: Cube, tree: Path, vadose_data: Path, tmp_path: Path) -> None:
    for number, source in enumerate((vadose_data / ARCHIVE, tree)):
        other = ingest(source, tmp_path / str(number))
        assert set(cube.names) - set(other.names) == {"elevation", "slope", "land_cover"}
        assert np.array_equal(other.index, cube.index)
        assert np.array_equal(other.days, cube.days)
        for name in other.names:
            array = cube.group[name]
            assert isinstance(array, zarr.Array)
            ours, theirs = np.asarray(array[...]), np.asarray(other.group[name][...])  # type: ignore[index]
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=5e-9)


def test_provenance_lists_every_table_with_its_hash(tree: Path, tmp_path: Path) -> None:
    provenance = ingest(tree, tmp_path).provenance
    assert len(provenance) == 42
    entry = next(item for item in provenance if item["name"] == "2015/SMAP_AM.csv")
    assert entry["bytes"] == 1_229_860
    assert len(entry["sha256"]) == 64
    assert entry["commercial_use"] is False


def test_days_select_a_part(vadose_data: Path, tmp_path: Path) -> None:
    days = (np.datetime64("2016-04-01"), np.datetime64("2017-03-31"))
    part = ingest(vadose_data / NETCDF, tmp_path, days=days)
    assert part.days.size == 365
    assert part.counts["smap_sm_am"]["kept"] == 61_964


def test_box_selects_cells(cube: Cube, vadose_data: Path, tmp_path: Path) -> None:
    part = ingest(vadose_data / NETCDF, tmp_path, box=(-100.0, 30.0, -90.0, 40.0))
    inside = (cube.lat > 30) & (cube.lat < 40) & (cube.lon > -100) & (cube.lon < -90)
    assert np.array_equal(part.read("air_temperature"), cube.read("air_temperature")[:, inside])


def test_a_missing_table_is_named(tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree, tmp_path / "t")
    (tmp_path / "t/data/CONUSv4f1/2016/TMP_2_FORA.csv").unlink()
    with pytest.raises(InputError, match=r"no file 2016/TMP_2_FORA\.csv.*vadose fetch conus412"):
        ingest(tmp_path / "t", tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


def test_a_cut_table_says_its_shape(tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree, tmp_path / "t")
    table = tmp_path / "t/data/CONUSv4f1/2015/APCP_FORA.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:400]))
    with pytest.raises(InputError, match=r"400 rows and 366 columns, expected 412 \(cells\) and 366"):
        ingest(tmp_path / "t", tmp_path / "out")


def test_a_repeated_day_is_named(tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree, tmp_path / "t")
    table = tmp_path / "t/data/CONUSv4f1/2016/time.csv"
    table.write_text(table.read_text().replace("736423", "736422", 1))
    with pytest.raises(InputError, match="2016-04-02 appears twice"):
        ingest(tmp_path / "t", tmp_path / "out")


def test_a_truncated_netcdf_file_is_refused(vadose_data: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.nc"
    broken.write_bytes((vadose_data / NETCDF).read_bytes()[:5_000_000])
    with pytest.raises(InputError, match=r"cannot be read.*broken\.nc \(5,000,000 bytes\)"):
        ingest(broken, tmp_path / "out")


def test_a_truncated_archive_is_refused(vadose_data: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes((vadose_data / ARCHIVE).read_bytes()[:5_000_000])
    with pytest.raises(InputError, match=r"cannot be read.*broken\.tar\.gz"):
        ingest(broken, tmp_path / "out")


def edited(source: Path, target: Path) -> netCDF4.Dataset:
    shutil.copy(source, target)
    target.chmod(0o644)
    return netCDF4.Dataset(target, "a")


def test_a_missing_variable_is_named(vadose_data: Path, tmp_path: Path) -> None:
    with edited(vadose_data / NETCDF, tmp_path / "e.nc") as dataset:
        dataset.renameVariable("TMP_2_FORA", "T2M")
    with pytest.raises(InputError, match=r"no variable 'TMP_2_FORA'; the file holds.*T2M"):
        ingest(tmp_path / "e.nc", tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "units", "message"),
    [
        ("TMP_2_FORA", "furlong", "units 'furlong' cannot be converted to 'K'.*variable TMP_2_FORA"),
        ("SMAP_AM", "percent", "units 'percent' cannot be converted to 'm3 m-3'.*variable SMAP_AM"),
        ("TMP_2_FORA", "degC", "contradict the units: 100% outside.*'degC'"),
    ],
)
def test_wrong_units_stop_with_file_and_variable(
    vadose_data: Path, tmp_path: Path, name: str, units: str, message: str
) -> None:
    with edited(vadose_data / NETCDF, tmp_path / "e.nc") as dataset:
        dataset[name].units = units
    with pytest.raises(InputError, match=message):
        ingest(tmp_path / "e.nc", tmp_path / "out")


def test_impossible_values_become_missing_and_are_counted(vadose_data: Path, tmp_path: Path) -> None:
    with edited(vadose_data / NETCDF, tmp_path / "e.nc") as dataset:
        dataset["TMP_2_FORA"][0, :7] = 9999.0
    cube = ingest(tmp_path / "e.nc", tmp_path / "out")
    funnel = cube.counts["air_temperature"]
    assert funnel == {"read": 451_552, "missing": 0, "outside_range": 7, "flagged": 0, "kept": 451_545}
    assert int(np.isnan(cube.read("air_temperature")).sum()) == 7


def test_an_all_missing_predictor_is_refused(vadose_data: Path, tmp_path: Path) -> None:
    with edited(vadose_data / NETCDF, tmp_path / "e.nc") as dataset:
        dataset["SPFH_2_FORA"][:] = np.nan
    with pytest.raises(InputError, match="specific_humidity has no value at all.*451,552 missing"):
        ingest(tmp_path / "e.nc", tmp_path / "out", required=("specific_humidity",))
    assert not list((tmp_path / "out").glob("*"))


def test_a_predictor_that_the_layout_lacks_is_refused(vadose_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no input gives slope"):
        ingest(vadose_data / ARCHIVE, tmp_path, required=("slope",))


def test_another_grid_is_refused(vadose_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"degrees off its centre.*0P25DEG"):
        ingest(vadose_data / NETCDF, tmp_path, grid=global_grid("0P25DEG"))


def test_no_data_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="vadose fetch conus412"):
        conus412.find_source((tmp_path,))
