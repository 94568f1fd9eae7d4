"""The golden header, the two writers, and what other programs make of a granule."""

import re
import subprocess
import tracemalloc

import cf_xarray  # noqa: F401
import h5py
import numpy as np
import pytest
import xarray as xr

from vadose.producer.granules import Cells, GranuleWriter, Identity, read_attributes, read_granule
from vadose.producer.granules.header import UNITS
from vadose.producer.granules.reading import CLOSED_LIST
from vadose.producer.granules.rounding import bitround
from vadose.producer.vocabulary import VOCABULARY

HASH = "0123456789ab" + "0" * 52
IDENTITY = Identity(
    recipe_sha256=HASH, model_sha256=HASH, commit="0123456789ab" + "0" * 28, software="1.0.0",
    inputs_sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
)  # fmt: skip
EXAMPLE = {
    "name": "Vadose contributors", "institution": "Example Institute", "email": "data@example.org",
    "url": "https://vadose.example.org/",
}  # fmt: skip
AVHRR = {
    "token": "AVHRR", "grid": {"token": "0P05DEG"}, "day": "daily_mean", "depth_m": [0.0, 0.05],
    "days": ["2001-07-15", "2001-07-16"], "version": "1.0.0", "issued": "2026-01-15T00:00:00Z", "stream": "CDR",
    "target": "GLASS-MODIS SM", "title": "Vadose daily surface soil moisture from AVHRR, global, 0.05 degree",
    "summary": "Volumetric soil moisture of the 0-5 cm layer on a global 0.05 degree grid, with an uncertainty and a "
    "status flag for every cell. One UTC day per file.",
    "source": "GLASS-AVHRR albedo and land surface temperature; ERA5-Land; MERIT DEM; SoilGrids; method atlstm trained "
    "on GLASS-MODIS SM",
    "licence": "CC-BY-4.0", "institution": "Example Institute", "naming_authority": "org.example.vadose",
    "landing_url": "https://vadose.example.org/", "doi": "10.5072/vadose.example",
    "concept_doi": "10.5072/vadose.example",
    "references": "https://doi.org/10.5072/vadose.example",
    "acknowledgement": "Cite the DOI in the attribute doi and the product_version.", "creator": EXAMPLE,
    "publisher": EXAMPLE | {"name": "Example Data Centre", "type": "institution"}, "project": "Vadose",
    "program": "Open soil moisture", "platform": "NOAA POES", "instrument": "AVHRR",
}  # fmt: skip
GRIDS = {
    "latitude-longitude": {"token": "0P25DEG", "rows": [160, 210], "columns": [500, 550]},
    "ease": {"token": "EASE2M36", "rows": [47, 116], "columns": [151, 300]},
    "cut chunks": {"token": "0P05DEG", "rows": [0, 700], "columns": [5, 1250]},
}
DAY = np.datetime64("2016-01-05")


def synthetic(grid, seed=0, land=0.4):
    rng = np.random.default_rng(seed)
    index = np.flatnonzero(rng.random(grid.shape[0] * grid.shape[1]) < land)
    flag = rng.choice(np.array([0, 4 | 256, 16, 1024], np.int16), index.size)
    missing = (flag & 256) != 0
    sm = np.where(missing, np.nan, rng.uniform(0.02, 0.6, index.size)).astype("f4")
    return Cells(index, sm, np.where(missing, np.nan, 0.03 + 0.1 * sm).astype("f4"), flag)


def write(worlds, folder, grid="latitude-longitude", day="solar06", writer="zlib-ng"):
    recipe = worlds.small_recipe(product__grid=GRIDS[grid], product__day=day, build__writer=writer)
    cells = synthetic(recipe.product.grid.grid())
    return GranuleWriter(recipe, IDENTITY).write(folder, DAY, cells), cells, recipe


def header_lines(ncdump, path):
    text = subprocess.run([ncdump, "-hs", path], capture_output=True, text=True, check=True).stdout
    return declarations(text)


def declarations(text):
    """Dimensions, variables and attributes of a CDL header, one a line, without file name and library versions."""
    kept = re.split(r"^data:", text[text.index("dimensions:") :], flags=re.MULTILINE)[0].splitlines()
    lines = [line.strip() for line in kept if line.strip() and not line.strip().startswith("//")]
    return [line for line in lines if not re.match(r":(_NCProperties|_Format|_SuperblockVersion|_IsNetcdf4)|}", line)]


@pytest.mark.program
def test_header_of_the_global_product_equals_the_reference(worlds, tmp_path, program, pytestconfig):
    recipe = worlds.small_recipe(
        product=AVHRR, build__observing_input="albedo",
        build__observing_input_text="GLASS-AVHRR albedo or land surface temperature",
    )  # fmt: skip
    nothing = Cells(*(np.zeros(0, kind) for kind in ("i8", "f4", "f4", "i2")))
    path = GranuleWriter(recipe, IDENTITY).write(tmp_path, np.datetime64("2001-07-15"), nothing)
    expected = declarations((pytestconfig.rootpath / "tests/golden/avhrr-0p05deg.cdl").read_text())
    found = header_lines(program("ncdump", "netcdf-bin"), path)
    # The example's tracking_id is a placeholder of its own; the formula is tested elsewhere.
    assert [line for line in found if ":tracking_id" not in line] == [
        line for line in expected if ":tracking_id" not in line
    ]


@pytest.mark.program
@pytest.mark.parametrize("grid", ["latitude-longitude", "ease"])
def test_header_of_a_window_equals_its_golden_file(worlds, tmp_path, program, pytestconfig, grid):
    path, _, _ = write(worlds, tmp_path, grid)
    text = "\n".join(header_lines(program("ncdump", "netcdf-bin"), path)) + "\n"
    golden = pytestconfig.rootpath / "tests" / "golden" / f"window-{grid}.cdl"
    if not golden.exists():
        golden.write_text(text)
        raise AssertionError(f"{golden} was missing and has been written; review and commit it")
    assert text == golden.read_text(), f"{golden} differs; delete it and rerun if the change is meant"


@pytest.mark.program
def test_the_values_open_in_the_netcdf_of_debian(worlds, tmp_path, program):
    path, _, _ = write(worlds, tmp_path)
    text = subprocess.run(
        [program("ncdump", "netcdf-bin"), "-p", "9", "-v", "sm", path], capture_output=True, text=True, check=True
    ).stdout
    words = text[text.rindex(" sm =") + len(" sm =") :].replace("}", "").replace(";", "").split(",")
    found = np.array([np.nan if word.strip() == "_" else float(word) for word in words], np.float32)
    with xr.open_dataset(path) as ds:
        np.testing.assert_array_equal(found, ds.sm.values.ravel())


@pytest.mark.parametrize("day", ["solar06", "daily_mean"])
@pytest.mark.parametrize("grid", GRIDS)
def test_both_writers_store_the_same_content_and_header(worlds, tmp_path, grid, day):
    granules = [read_granule(write(worlds, tmp_path / name, grid, day, name)[0]) for name in ("zlib-ng", "netcdf4")]
    assert granules[0].content_sha256 == granules[1].content_sha256
    assert granules[0].header_sha256 == granules[1].header_sha256


@pytest.mark.parametrize("writer", ["zlib-ng", "netcdf4"])
def test_bytes_repeat(worlds, tmp_path, writer):
    first, second = (write(worlds, tmp_path / name, writer=writer)[0].read_bytes() for name in ("a", "b"))
    assert first == second


def test_content_hash_is_that_of_the_values_that_xarray_reads(worlds, tmp_path):
    path, _, _ = write(worlds, tmp_path)
    granule = read_granule(path)
    with xr.open_dataset(path, decode_cf=False) as ds:
        for name in ds.variables:
            assert np.array_equal(ds[name].values, granule.values[name])
            assert ds[name].dims == granule.variables[name].dims
            assert set(ds[name].attrs) == set(granule.variables[name].attributes)
        assert dict(ds.attrs) == dict(granule.attributes)


def test_values_are_the_rounded_ones_in_their_cells(worlds, tmp_path):
    path, cells, recipe = write(worlds, tmp_path, "ease")
    expected = np.full(recipe.product.grid.grid().shape, np.nan, np.float32)
    expected.flat[cells.index] = bitround(cells.sm, 11)
    with xr.open_dataset(path) as ds:
        assert np.array_equal(ds.sm[0].values, expected, equal_nan=True)
        assert ds.flag.dtype == np.int16
        assert (ds.flag.values[0].flat[cells.index] == cells.flag).all()
        assert int((ds.flag == 1).sum()) == expected.size - cells.index.size


def test_days_differ_only_in_time_and_four_attributes(worlds, tmp_path):
    recipe = worlds.small_recipe()
    writer = GranuleWriter(recipe, IDENTITY)
    cells = synthetic(recipe.product.grid.grid())
    one, other = (read_granule(writer.write(tmp_path, DAY + k, cells)) for k in range(2))
    differing = {key for key in one.attributes if one.attributes[key] != other.attributes[key]}
    assert differing == {"id", "tracking_id", "time_coverage_start", "time_coverage_end"}
    assert differing < CLOSED_LIST
    assert other.attributes["id"] == other.path.stem
    assert other.values["time"][0] - one.values["time"][0] == 1.0
    assert one.header_sha256 == other.header_sha256


def test_a_value_where_the_flag_forbids_it_is_refused():
    with pytest.raises(ValueError, match="missing exactly where the flag says"):
        Cells(np.array([0]), np.array([0.2], "f4"), np.array([0.02], "f4"), np.array([256], "i2"))


def test_units_are_those_of_the_vocabulary():
    assert VOCABULARY["smap_sm_am"].units == UNITS


def test_chunks_and_filters_are_as_declared(worlds, tmp_path):
    path, _, recipe = write(worlds, tmp_path, "cut chunks")
    with h5py.File(path) as file:
        for name in ("sm", "sm_uncertainty", "flag"):
            assert file[name].chunks == (1, *recipe.product.grid.grid().chunk)
            assert file[name].shuffle
            assert file[name].compression_opts == 4


def test_memory_is_bounded_by_rows_of_chunks(worlds, tmp_path):
    recipe = worlds.small_recipe(product__grid={"token": "0P10DEG"})
    writer = GranuleWriter(recipe, IDENTITY)
    cells = Cells(*(np.zeros(0, kind) for kind in ("i8", "f4", "f4", "i2")))
    tracemalloc.start()
    writer.write(tmp_path, DAY, cells)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # 10 bytes a cell of a row of chunks, twice for what is being packed, and the header.
    assert peak < 2.5 * 10 * 3600 * 600 + 2e6


@pytest.mark.program
def test_ncdump_and_gdal_open_it(worlds, tmp_path, program):
    path, _, _ = write(worlds, tmp_path, "ease")
    subprocess.run([program("ncdump", "netcdf-bin"), "-v", "flag", path], check=True, capture_output=True)
    answer = subprocess.run(
        [program("gdalinfo", "gdal-bin"), f'NETCDF:"{path}":sm'], check=True, capture_output=True, text=True
    )
    assert 'ID["EPSG",6933]' in answer.stdout


@pytest.mark.parametrize("grid", ["latitude-longitude", "ease"])
def test_rasterio_sees_place_and_orientation(worlds, tmp_path, grid):
    rasterio = pytest.importorskip("rasterio")
    path, cells, recipe = write(worlds, tmp_path, grid)
    window = recipe.product.grid.grid()
    with rasterio.open(f"netcdf:{path}:sm") as file, xr.open_dataset(path, mask_and_scale=False) as ds:
        assert file.crs.to_epsg() == window.epsg
        x, y = (window.x, window.y) if window.is_ease2 else (window.lon, window.lat)
        for place in cells.index[[0, cells.index.size // 2, -1]]:
            row, column = divmod(int(place), window.shape[1])
            assert file.index(x[column], y[row]) == (row, column)
            assert file.read(1)[row, column] == ds.sm.values[0, row, column]


@pytest.mark.parametrize("grid", ["latitude-longitude", "ease"])
def test_31_granules_open_as_one_dataset(worlds, tmp_path, grid):
    recipe = worlds.small_recipe(product__grid=GRIDS[grid], product__day="daily_mean")
    writer = GranuleWriter(recipe, IDENTITY)
    paths = [writer.write(tmp_path, DAY + k, synthetic(recipe.product.grid.grid(), k)) for k in range(31)]
    with xr.open_mfdataset(paths, data_vars="minimal", coords="minimal", compat="equals", join="exact") as ds:
        assert dict(ds.sizes) == {
            "time": 31,
            **dict(zip(recipe.product.grid.grid().dims, (recipe.product.grid.grid().shape), strict=True)),
            "bnds": 2,
        }
        assert ds.crs.dims == ()
        assert (np.diff(ds.time.values) == np.timedelta64(1, "D")).all()


def test_the_readers_recipes_work(worlds, tmp_path):
    path, _, _ = write(worlds, tmp_path)
    with xr.open_dataset(path) as ds:
        good = ds.sm.where((ds.flag & 399) == 0)
        frozen = ds.flag.cf == "frozen_soil"
        share = {name: float(on.mean()) for name, on in ds.flag.cf.flags.data_vars.items()}
        masks = dict(zip(ds.flag.flag_meanings.split(), ds.flag.flag_masks, strict=True))
        strict = ds.sm.where((ds.flag & (399 | masks["dense_vegetation"] | masks["gap_filled"])) == 0)
        assert good.count() > strict.count() > 0
        assert int(frozen.sum()) == int(((ds.flag & 4) != 0).sum()) > 0
        assert share["outside_domain"] == pytest.approx(float((ds.flag == 1).mean()))


def test_an_ease_granule_is_found_by_latitude_and_longitude(worlds, tmp_path):
    path, _, _ = write(worlds, tmp_path, "ease")
    with xr.open_dataset(path) as ds:
        place = ds.swap_dims(y="lat", x="lon").sel(lat=39.1, lon=-96.6, method="nearest")
        assert abs(float(place.lat) - 39.1) < 0.25
        assert abs(float(place.lon) + 96.6) < 0.25


def test_reading_does_not_touch_a_file(worlds, tmp_path):
    path, _, _ = write(worlds, tmp_path)
    path.chmod(0o444)
    before = path.stat().st_mtime_ns, path.read_bytes()
    read_granule(path)
    assert read_attributes(path, ("id",)) == {"id": path.stem}
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before
