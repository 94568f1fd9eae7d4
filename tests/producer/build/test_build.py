import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from vadose.common import GateError, InputError, UsageError, silent, write_json
from vadose.common.software import software
from vadose.producer.build import build, slabs
from vadose.producer.granules import parse_name, read_granule
from vadose.producer.granules.periods import product_periods

GENEROUS = 10**9
# A longer trial: VADOSE_KILLS=100 pytest tests/producer/build -k kills
KILLS = int(os.environ.get("VADOSE_KILLS", "10"))


@pytest.fixture(scope="module")
def built(worlds, tmp_path_factory):
    """A finished build: folder and its files by name, which no test changes."""
    folder = tmp_path_factory.mktemp("built")
    recipe, cube, model, models = worlds.small_world(folder)
    target = worlds.version_folder(folder, recipe)
    assert build(recipe, cube, model, models, target, GENEROUS, silent).written == product_periods(recipe.product).size
    return folder, target


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def again(worlds, tmp_path, built, memory=GENEROUS, days=None, **changes):
    """Build in another folder from the same cube."""
    shutil.copytree(built[0] / "cubes", tmp_path / "cubes", dirs_exist_ok=True)
    recipe, cube, model, models = worlds.small_world(tmp_path, **changes)
    target = worlds.version_folder(tmp_path, recipe)
    return build(recipe, cube, model, models, target, memory, silent, days), target


def test_every_day_has_a_granule_in_its_place(built, worlds):
    names = [parse_name(path.name) for path in sorted(built[1].rglob("*DAILY*.nc"))]
    assert [name.day for name in names] == [
        day.astype(object) for day in product_periods(worlds.small_recipe().product)
    ]
    assert all((built[1] / name.path).is_file() for name in names)
    assert not (built[1] / ".scratch").exists()


def test_values_are_those_of_the_model(built, worlds):
    _, cube, _, _ = worlds.small_world(built[0])
    with xr.open_dataset(
        built[1] / "ICDR/DAILY/2016/01/VADOSE-DEMOSMALL-L4-0P25DEG-DAILY-20160110-ICDR-v1.0.0.nc"
    ) as ds:
        today, yesterday = (
            cube.read("precipitation")[cube.day_index(np.datetime64(day))] for day in ("2016-01-10", "2016-01-09")
        )
        raw = 0.05 + 0.008 * today + 0.004 * yesterday - cube.read_static("sand") / 2000
        expected = np.clip(raw, 0.02, cube.read_static("porosity"))
        expected[cube.read("soil_temperature")[cube.day_index(np.datetime64("2016-01-10"))] < 274.15] = np.nan
        np.testing.assert_allclose(ds.sm.values[0].flat[cube.index], expected, rtol=2**-11)


def test_another_folder_gives_the_same_bytes(built, worlds, tmp_path):
    _, target = again(worlds, tmp_path, built)
    assert contents(target) == contents(built[1])


def test_memory_does_not_change_the_bytes(built, worlds, tmp_path):
    _, target = again(worlds, tmp_path, built, memory=300_000)
    assert contents(target) == contents(built[1])


def test_too_little_memory_is_said_before_the_work(built, worlds, tmp_path):
    with pytest.raises(UsageError, match="takes .* MB"):
        again(worlds, tmp_path, built, memory=10_000)


def test_some_days_first_then_all_gives_the_same_bytes(built, worlds, tmp_path):
    days = [np.datetime64("2016-01-10"), np.datetime64("2015-12-30")]
    first, _ = again(worlds, tmp_path, built, days=days)
    rest, target = again(worlds, tmp_path, built)
    assert (first.written, rest.kept) == (2, 2)
    assert contents(target) == contents(built[1])


def test_the_same_command_again_writes_nothing(built, worlds):
    recipe, cube, model, models = worlds.small_world(built[0])
    before = {path: path.stat().st_mtime_ns for path in built[1].rglob("*") if path.is_file()}
    assert build(recipe, cube, model, models, built[1], GENEROUS, silent).written == 0
    assert before == {path: path.stat().st_mtime_ns for path in built[1].rglob("*") if path.is_file()}


def test_granules_of_another_recipe_are_made_anew(built, worlds, tmp_path):
    again(worlds, tmp_path, built)
    result, target = again(worlds, tmp_path, built, build__minimum=0.05)
    assert result.kept == 0
    assert min(np.nanmin(xr.load_dataset(path).sm.values) for path in target.rglob("*DAILY*.nc")) > 0.049


def test_a_day_without_input_is_a_granule_without_values(worlds, tmp_path):
    recipe = worlds.small_recipe(product__days=["2015-12-20", "2016-01-02"])
    cube = worlds.small_cube(tmp_path / "cubes/small.zarr", recipe)
    longer = worlds.small_recipe(product__days=["2015-12-18", "2016-01-04"])
    model = worlds.RainModel()
    model.save(tmp_path / "models")
    build(longer, cube, model, tmp_path / "models", tmp_path / "v1.0.0", GENEROUS, silent)
    granules = [read_granule(path) for path in sorted((tmp_path / "v1.0.0").rglob("*DAILY*.nc"))]
    empty = [set(np.unique(granule.values["flag"])) == {1, 256} for granule in granules]
    assert empty == [True, True, *[False] * 14, True, True]


def test_a_published_version_is_refused_if_it_would_change(built, worlds, tmp_path):
    _, target = again(worlds, tmp_path, built)
    write_json(target.parent / "versions.json", {"versions": [{"version": "1.0.0"}]})
    same, _ = again(worlds, tmp_path, built)
    assert (same.written, same.kept) == (0, 48)
    before = contents(target)
    with pytest.raises(GateError, match="is published"):
        again(worlds, tmp_path, built, build__minimum=0.05)
    assert contents(target) == before


def test_slabs_depend_on_the_recipe_alone(worlds):
    parts = slabs(worlds.small_recipe())
    assert [part.days.size for part in parts] == [20, 20, 8]
    assert np.array_equal(np.concatenate([part.days for part in parts]), product_periods(worlds.small_recipe().product))


def test_a_day_outside_the_record_is_a_usage_error(built, worlds, tmp_path):
    with pytest.raises(UsageError, match="2016-03-01 is not a day of the product"):
        again(worlds, tmp_path, built, days=[np.datetime64("2016-03-01")])


@pytest.mark.slow
def test_kills_at_random_moments_leave_the_same_bytes(built, worlds, tmp_path):
    shutil.copytree(built[0] / "cubes", tmp_path / "cubes")
    made_by = software()
    program = [sys.executable, worlds.__file__, str(tmp_path), made_by.version, made_by.commit]
    target = worlds.version_folder(tmp_path, worlds.small_recipe())
    rng = random.Random(20160110)
    expected = contents(built[1])
    kills = 0
    while kills < KILLS:
        process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_files(target, process)
        time.sleep(rng.uniform(0.0, 0.12))
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            assert contents(target) == expected
            shutil.rmtree(target)
            continue
        kills += 1
        partial = [path for path in target.rglob("*.nc") if not path.name.startswith(".")]
        assert [path for path in partial if path.read_bytes() != expected[str(path.relative_to(target))]] == []
    subprocess.run(program, check=True)
    assert contents(target) == expected


def wait_for_files(target: Path, process: subprocess.Popen) -> None:
    """Wait until the build has begun to write, or a restarted one to go on."""
    before = files_below(target)
    while process.poll() is None and files_below(target) == before:
        time.sleep(0.002)


def files_below(folder: Path) -> int:
    """How many files there are; `os.walk`, other than `rglob`, lets folders vanish meanwhile."""
    return sum(len(files) for _, _, files in os.walk(folder))


def test_an_unwritable_folder_is_one_readable_error(built, worlds, tmp_path):
    recipe, cube, model, models = worlds.small_world(built[0])
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(InputError, match="cannot write"):
        build(recipe, cube, model, models, blocked / "v1.0.0", GENEROUS, silent)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte, where mounting is allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_one_readable_error_and_leaves_whole_files(built, worlds, small_disk):
    recipe, cube, model, models = worlds.small_world(built[0])
    with pytest.raises(InputError, match="No space left on device") as caught:
        build(recipe, cube, model, models, small_disk / "v1.0.0", GENEROUS, silent)
    assert caught.value.exit_code == 3
    expected = contents(built[1])
    names = [path for path in small_disk.rglob("*.nc") if not path.name.startswith(".")]
    assert all(path.read_bytes() == expected[str(path.relative_to(small_disk / "v1.0.0"))] for path in names)


def test_a_file_size_limit_is_one_readable_error(built, worlds, tmp_path):
    recipe, cube, model, models = worlds.small_world(built[0])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        with pytest.raises(InputError, match="cannot write"):
            build(recipe, cube, model, models, tmp_path / "v1.0.0", GENEROUS, silent)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.rglob("*.nc"))
