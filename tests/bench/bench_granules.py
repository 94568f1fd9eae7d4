"""Global granules of every grid of the format's table, and ten years of a cell out of the rechunked cube."""

import itertools
import os
import shutil
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
import yaml
from scipy.ndimage import gaussian_filter

from vadose.common import silent, write_text
from vadose.producer.granules import Cells, GranuleWriter, Identity, read_granule
from vadose.producer.recipe import Recipe
from vadose.producer.recipefile import packaged_recipes
from vadose.producer.release.folder import Folder
from vadose.producer.release.rechunked import Plan, write_cube
from vadose.producer.release.references import write_years

IDENTITY = Identity(
    recipe_sha256="a" * 64, model_sha256="b" * 64, inputs_sha256="c" * 64, software="1", commit="d" * 40
)
# Megabytes, seconds of writing with netCDF4 and zlib 4, milliseconds for a cell: the format's table.
TABLE = {
    "0P25DEG": (0.88, 0.1, 4.0), "0P10DEG": (4.4, 0.4, 5.0), "0P05DEG": (16.7, 4.0, 5.0), "EASE2M36": (0.47, 0.1, 9.0),
    "EASE2M09": (5.0, 0.4, 6.0),
}  # fmt: skip
LAND = 0.25
YEARS = ("2011-01-01", "2020-12-31")


def smooth(shape: tuple[int, int], scale: float, generator: np.random.Generator) -> np.ndarray:
    """A random field of unit variance that is smooth over `scale` cells and goes round the globe."""
    step = max(int(scale // 4), 1)
    coarse = generator.standard_normal((-(-shape[0] // step), -(-shape[1] // step)), np.float32)
    field = gaussian_filter(coarse, scale / step, mode=("nearest", "wrap"))
    field = np.repeat(np.repeat(field, step, 0), step, 1)[: shape[0], : shape[1]]
    return field / field.std()


def realistic(recipe: Recipe, seed: int = 0) -> Cells:
    """A quarter of the globe is land; soil moisture of regions, weather and single cells, and an uncertainty."""
    grid = recipe.product.grid.grid()
    size, shape = grid.shape[0], grid.shape
    generator = np.random.default_rng(seed)
    ground = smooth(shape, size / 36, np.random.default_rng(1))
    index = np.flatnonzero(ground > np.quantile(ground, 1.0 - LAND))
    wet = 0.2 + 0.07 * smooth(shape, size / 60, generator) + 0.03 * smooth(shape, size / 300, generator)
    sm = wet.ravel()[index] + generator.normal(0.0, 0.01, index.size)
    sm = np.clip(sm, 0.02, 0.55).astype(np.float32)
    uncertainty = (0.02 + 0.1 * sm + generator.gamma(4.0, 0.001, index.size)).astype(np.float32)
    frozen = smooth(shape, size / 40, generator).ravel()[index] > 1.5
    flag = np.where(sm > 0.4, 16, 0) | np.where(sm == np.float32(0.02), 1024, 0) | np.where(frozen, 4 | 256, 0)
    for values in (sm, uncertainty):
        values[frozen] = np.nan
    return Cells(index, sm, uncertainty, flag.astype(np.int16))


def global_recipe(token: str, **product: object) -> Recipe:
    """The recipe of the simulated world on a whole global grid."""
    values = yaml.safe_load(packaged_recipes()["simulated-atlstm"].read_text())
    values["product"] |= {"grid": {"token": token}, "token": "BENCH", **product}
    return Recipe.model_validate(values)


def pixel_ms(path: Path) -> float:
    """Opening a granule by h5py and reading one cell, the median of twenty cells."""
    times = []
    for k in range(20):
        started = time.perf_counter()
        with h5py.File(path, "r") as file:
            _, rows, columns = file["sm"].shape
            file["sm"][0, (k * 7919) % rows, (k * 104729) % columns]
        times.append(time.perf_counter() - started)
    return 1e3 * float(np.median(times))


@pytest.mark.parametrize("token", TABLE)
@pytest.mark.parametrize("role", ["ours", "xarray to_netcdf"])
def bench_global_granule(benchmark, tmp_path: Path, token: str, role: str) -> None:
    """A whole granule by all cores and synced to the disk; xarray writes the same fields with zlib 4, not synced."""
    recipe = global_recipe(token)
    cells = realistic(recipe)
    day = np.datetime64(recipe.product.days[0], "D")
    writer = GranuleWriter(recipe, IDENTITY, threads=os.cpu_count() or 1)
    path = writer.write(tmp_path, day, cells)
    megabytes = path.stat().st_size / 1e6
    benchmark.group = f"global granule {token}"
    table = TABLE[token]
    benchmark.extra_info.update({"role": role, "work": 1, "unit": "granules"})
    if role == "ours":
        benchmark.extra_info["granule"] = {
            "token": token, "land": LAND, "megabytes": round(megabytes, 2), "pixel_ms": round(pixel_ms(path), 2),
            "table_megabytes": table[0], "table_write_s": table[1], "table_pixel_ms": table[2],
        }  # fmt: skip
        number = itertools.count()
        benchmark.pedantic(
            lambda: writer.write(tmp_path / str(next(number)), day, cells), rounds=5, iterations=1, warmup_rounds=1
        )
        return
    dataset = xr.load_dataset(path)
    encoding = {name: {"zlib": True, "complevel": 4, "shuffle": True} for name in ("sm", "sm_uncertainty", "flag")}
    target = tmp_path / "x.nc"
    benchmark.pedantic(lambda: dataset.to_netcdf(target, encoding=encoding), rounds=3, iterations=1, warmup_rounds=1)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Path]:
    """Ten years of daily granules of EASE2M36 and their cube; twenty different days in turn."""
    recipe = global_recipe("EASE2M36", days=list(YEARS))
    folder = Folder(tmp_path_factory.mktemp("record") / "releases" / recipe.product.id / "v1.0.0")
    writer = GranuleWriter(recipe, IDENTITY)
    fields = [realistic(recipe, seed) for seed in range(20)]
    days = np.arange(YEARS[0], np.datetime64(YEARS[1]) + 1, dtype="datetime64[D]")
    paths = [writer.write(folder.path, day, fields[k % 20]) for k, day in enumerate(days)]
    contents = {str(path.relative_to(folder.path)): str(k) for k, path in enumerate(paths)}
    write_cube(Plan(folder, recipe, contents), None, silent)
    return paths, folder.path / "cube" / "daily.zarr"


@pytest.mark.parametrize("role", ["ours", "open_mfdataset over the granules"])
def bench_series(benchmark, record: tuple[list[Path], Path], role: str) -> None:
    """Opening the cube and reading the series of a cell, and the same through all granules; the values are equal."""
    paths, cube = record
    benchmark.group = "series of ten years"
    benchmark.extra_info.update({"role": role, "work": 1, "unit": "series"})
    cell = series_of(read_granule(paths[0]))

    def ours() -> np.ndarray:
        with xr.open_zarr(cube, chunks=None) as dataset:
            return dataset.sm[:, *cell].values

    def theirs() -> np.ndarray:
        options = {"data_vars": "minimal", "coords": "minimal", "compat": "override", "join": "override"}
        with xr.open_mfdataset(paths, combine="nested", concat_dim="time", **options) as dataset:
            return dataset.sm[:, *cell].values

    if role == "ours":
        found = benchmark.pedantic(ours, rounds=20, iterations=1, warmup_rounds=2)
        expected = np.array([read_cell(path, cell) for path in paths])
        np.testing.assert_array_equal(np.nan_to_num(found, nan=-9999.0), expected)
    else:
        benchmark.pedantic(theirs, rounds=1, iterations=1)
        shutil.rmtree(cube.parents[1], ignore_errors=True)


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
    """Twenty global granules of 0.05 degree, two different days in turn, and their virtual references."""
    recipe, folder = global_recipe("0P05DEG"), tmp_path_factory.mktemp("month")
    writer, fields = GranuleWriter(recipe, IDENTITY), [realistic(recipe, seed) for seed in range(2)]
    days = np.datetime64(recipe.product.days[0], "D") + np.arange(20)
    paths = [writer.write(folder, day, fields[k % 2]) for k, day in enumerate(days)]
    texts = write_years(folder, [str(path.relative_to(folder)) for path in paths])
    for name, text in texts.items():
        write_text(folder / name, text)
    return paths, [folder / name for name in texts]


@pytest.mark.parametrize("role", ["ours", "open_mfdataset over the granules"])
def bench_series_by_references(benchmark, month: tuple[list[Path], list[Path]], role: str) -> None:
    """Opening twenty granules and reading a cell, by their virtual references and without; the values are equal."""
    paths, references = month
    benchmark.group = "series of twenty granules"
    benchmark.extra_info.update({"role": role, "work": 1, "unit": "series"})
    cell = series_of(read_granule(paths[0]))
    options = {"combine": "nested", "concat_dim": "time", "data_vars": "minimal", "coords": "minimal",
               "compat": "override", "join": "override", "mask_and_scale": False}  # fmt: skip
    root = {"template_overrides": {"root": str(references[0].parents[1])}}
    assert len(references) == 1

    def ours() -> np.ndarray:
        with xr.open_dataset(
            str(references[0]), engine="kerchunk", storage_options=root, mask_and_scale=False
        ) as dataset:
            return dataset.sm[:, *cell].values

    def theirs() -> np.ndarray:
        with xr.open_mfdataset(paths, **options) as dataset:
            return dataset.sm[:, *cell].values

    read = ours if role == "ours" else theirs
    found = benchmark.pedantic(read, rounds=5, iterations=1, warmup_rounds=1)
    np.testing.assert_array_equal(found, [read_cell(path, cell) for path in paths])


def series_of(granule) -> tuple[int, int]:
    """Row and column of a cell with a value."""
    rows, columns = np.nonzero(granule.values["sm"][0] >= 0)
    return int(rows[rows.size // 2]), int(columns[rows.size // 2])


def read_cell(path: Path, cell: tuple[int, int]) -> float:
    """The stored value of a cell by plain h5py."""
    with h5py.File(path, "r") as file:
        return file["sm"][(0, *cell)]
