"""The rechunked cube: what xarray reads from it and from the granules, versions that append, kills, planted faults."""

import hashlib
import json
import os
import re
import shutil

import numpy as np
import pytest
import xarray as xr
import zarr

from vadose.cli.main import run
from vadose.common import GateError, InputError, silent
from vadose.producer.granules.reading import read_granule
from vadose.producer.release import rechunked, schemas
from vadose.producer.release.complete import repeat_gate
from vadose.producer.release.differences import granule_paths
from vadose.producer.release.folder import Folder
from vadose.producer.release.publish import publish
from vadose.producer.release.rechunked import Plan, compare, write_cube
from vadose.producer.release.remote import RemoteRelease
from vadose.producer.release.series import LocalRelease, points, read_series

DAYS = ("2016-01-01", "2016-01-20")
LONGER = ("2016-01-01", "2016-01-30")


def plan_of(version, recipe):
    paths = granule_paths(Folder(version))
    return Plan(Folder(version), recipe, {path: read_granule(version / path).content_sha256 for path in paths})


def shards(version):
    """Files of the shards of the fields, by their place in the store."""
    cube = version / "cube" / "daily.zarr"
    return {str(path.relative_to(cube)): path for path in cube.glob("*/c/*/*/*") if path.is_file()}


@pytest.fixture(scope="module", autouse=True)
def _small_blocks():
    # Blocks of a week and chunks of seven cells: several of each in the small world.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rechunked, "CHUNK", (7, 7, 7))
        patch.setattr(rechunked, "SHARD_CELLS", 14)
        yield


@pytest.fixture(scope="module")
def workspace(worlds, tools, tmp_path_factory):
    """A published version with a cube, and the next one, which links its granules and has ten days more."""
    folder = tmp_path_factory.mktemp("cubes")
    worlds.small_cube(folder / "cubes" / "small.zarr", worlds.small_recipe(product__days=DAYS), extra_days=10)
    recipe, version, result = tools.make(worlds, folder, product__days=DAYS, build__cube=True)
    assert result.passed, [item for item in result.results if not item.passed]
    publish(Folder(version), silent)
    changes = {"product__days": LONGER, "product__version": "1.1.0", "build__cube": True}
    longer, following, result = tools.make(worlds, folder, version, **changes)
    assert result.passed, [item for item in result.results if not item.passed]
    return (recipe, version), (longer, following)


@pytest.fixture
def copied(workspace, tmp_path):
    """The first version in a copy that a test may change."""
    recipe, version = workspace[0]
    copy = shutil.copytree(version, tmp_path / "demosmall-0p25deg" / "v1.0.0")
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return recipe, copy


def test_xarray_reads_from_the_cube_what_it_reads_from_the_granules(workspace):
    for recipe, version in workspace:
        paths = [version / path for path in granule_paths(Folder(version))]
        with xr.open_mfdataset(paths, data_vars="minimal", coords="minimal", compat="equals", join="exact") as days:
            cube = xr.open_zarr(version / "cube" / "daily.zarr")
            xr.testing.assert_equal(cube, days)
            assert set(cube.variables) == set(days.variables)
            for name in cube.variables:
                assert cube[name].attrs.keys() == days[name].attrs.keys()
                assert all(np.array_equal(value, days[name].attrs[key]) for key, value in cube[name].attrs.items())
                assert cube[name].dtype == days[name].dtype
        assert cube.flag.dtype == np.int16
        assert recipe.build.cube


def test_attributes_are_those_of_a_granule_but_for_those_of_the_whole_record(workspace):
    _, version = workspace[1]
    granule = read_granule(version / granule_paths(Folder(version))[-1])
    found = dict(zarr.open_group(version / "cube" / "daily.zarr", mode="r").attrs)
    own = {"id", "tracking_id", "time_coverage_start", "product_version", "vadose_blocks"}
    theirs = {key: value for key, value in granule.attributes.items() if key not in own}
    assert {key: found.get(key) for key in theirs} == theirs
    assert set(found) - set(theirs) == own - {"tracking_id"}
    assert (found["time_coverage_start"], found["time_coverage_end"]) == (
        "2016-01-01T00:00:00Z",
        "2016-01-31T00:00:00Z",
    )
    assert found["product_version"] == "1.1.0"


def test_a_version_with_more_days_links_whole_blocks_and_makes_the_rest(workspace):
    (_, old), (recipe, new) = workspace
    before, after = shards(old), shards(new)
    same = {name for name in before if after[name].stat().st_ino == before[name].stat().st_ino}
    # Twenty days are two whole weeks and a part, thirty are five blocks.
    assert {name.split("/")[2] for name in same} == {"0", "1"}
    assert same == {name for name in before if name.split("/")[2] in "01"}
    assert {name.split("/")[2] for name in after} == set("01234")
    assert list(compare(plan_of(new, recipe))) == []


def test_a_published_cube_is_not_made_again_and_not_changed(workspace):
    recipe, version = workspace[0]
    assert write_cube(plan_of(version, recipe), None, silent) == 0
    other = Plan(Folder(version), recipe, dict(list(plan_of(version, recipe).contents.items())[1:]))
    with pytest.raises(GateError, match="would change in the published version"):
        write_cube(other, None, silent)


def test_a_stop_in_the_middle_leaves_no_cube_and_the_next_run_goes_on(copied, monkeypatch):
    recipe, version = copied
    expected = {name: path.read_bytes() for name, path in shards(version).items()}
    shutil.rmtree(version / "cube")
    written = []

    def stops(folder, paths, group, names, number):
        if number == 2 and len(written) == 2:
            raise KeyboardInterrupt
        written.append(number)
        real(folder, paths, group, names, number)

    real = rechunked._write_block
    monkeypatch.setattr(rechunked, "_write_block", stops)
    with pytest.raises(KeyboardInterrupt):
        write_cube(plan_of(version, recipe), None, silent)
    assert not (version / "cube" / "daily.zarr").exists()
    assert [name for name in Folder(version).files() if name.startswith("cube")] == []
    written.append(-1)
    write_cube(plan_of(version, recipe), None, silent)
    assert written == [0, 1, -1, 2]
    assert {name: path.read_bytes() for name, path in shards(version).items()} == expected
    assert list((version / "cube").iterdir()) == [version / "cube" / "daily.zarr"]


def planted_value(version):
    array = zarr.open_group(version / "cube" / "daily.zarr", mode="r+")["sm"]
    array[0, 0:14, 0:14] = 0.25


def planted_attribute(version):
    zarr.open_group(version / "cube" / "daily.zarr", mode="r+")["sm_uncertainty"].attrs["units"] = "1"


def planted_time(version):
    zarr.open_group(version / "cube" / "daily.zarr", mode="r+")["time"][3] = 0.0


def planted_global(version):
    zarr.open_group(version / "cube" / "daily.zarr", mode="r+").attrs["license"] = "CC0"


def planted_loss(version):
    shutil.rmtree(version / "cube" / "daily.zarr" / "crs")


FAULTS = {
    planted_value: "sm: values differ from", planted_attribute: "sm_uncertainty: attributes differ",
    planted_time: "time: values differ", planted_global: "attribute license differs",
    planted_loss: "crs: in one of cube and granule only",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_difference_is_found(copied, fault):
    recipe, version = copied
    plan = plan_of(version, recipe)
    assert list(compare(plan)) == []
    fault(version)
    assert [line for line in compare(plan) if FAULTS[fault] in line]


def test_the_gate_asks_for_the_cube_and_verify_reads_it(copied, capsys):
    _, version = copied
    manifest = json.loads((version / "manifest.json").read_text())
    listed = {entry["path"] for entry in manifest["files"] if entry["role"] == "cube"}
    assert {f"cube/daily.zarr/{name}" for name in shards(version)} < listed
    shard = next(iter(shards(version).values()))
    raw = bytearray(shard.read_bytes())
    raw[len(raw) // 2] ^= 1
    shard.write_bytes(raw)
    assert run(["verify", str(version), "--quiet"]) == 3
    assert "cube/daily.zarr" in capsys.readouterr().err
    shutil.rmtree(version / "cube")
    failed = [item for item in repeat_gate(version, silent) if "missing or made" in "".join(item.reasons)]
    assert [item.check for item in failed] == ["cube"]


PLACES = points([49.9, 47.1, 46.3, 47.1], [-54.9, -52.2, -50.1, -52.2])


class Counted(LocalRelease):
    """A release that says which of its granules are read."""

    def values(self, granule, rows, columns):
        raise AssertionError(f"{granule} was read")


def read(source, first="2016-01-05", last="2016-01-19", **values):
    return read_series(source, PLACES, np.datetime64(first), np.datetime64(last), silent, **values)


def same(one, other):
    assert np.array_equal(one.days, other.days)
    for name in ("sm", "sm_uncertainty", "flag"):
        assert getattr(one, name).dtype == getattr(other, name).dtype
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def without_cube(version, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(LocalRelease, "cube", lambda self: None)
        return read(LocalRelease(Folder(version)))


def test_a_series_comes_out_of_the_cube_with_the_values_of_the_granules(workspace, monkeypatch):
    for _, version in workspace:
        found = read(Counted(Folder(version)))
        same(found, without_cube(version, monkeypatch))
        assert np.isfinite(found.sm).any()
        assert np.isnan(found.sm).any()


def test_a_series_over_http_comes_out_of_the_cube(workspace, served, monkeypatch):
    _, version = workspace[0]
    with served(version.parents[1]) as (server, url):
        same(read(RemoteRelease(url), threads=8), without_cube(version, monkeypatch))
    assert [path for path, _ in server.asked if "DAILY" in path or "refs" in path] == []
    shards_read = [part for path, part in server.asked if "/c/" in path]
    assert shards_read
    assert all(shards_read)


def test_one_day_of_many_cells_is_read_from_its_granule(workspace):
    source = LocalRelease(Folder(workspace[0][1]))
    grid = source.recipe().product.grid.grid()
    rows, columns = (part.ravel() for part in np.indices(grid.shape))
    days = np.arange("2016-01-01", "2016-01-03", dtype="datetime64[D]")
    assert not source.cube().is_better(days, rows, columns, grid.chunk)
    assert source.cube().is_better(days, rows[:1], columns[:1], grid.chunk)


def test_granules_that_are_newer_than_the_cube_or_not_those_of_the_manifest_are_read_themselves(copied, monkeypatch):
    _, version = copied
    source = LocalRelease(Folder(version))
    assert source.cube() is not None
    granule = next(version.rglob("*20160110*.nc"))
    later = (version / "cube/daily.zarr/zarr.json").stat().st_mtime_ns + 10**9
    os.utime(granule, ns=(later, later))
    assert source.cube() is None
    same(read(source), without_cube(version, monkeypatch))
    os.utime(granule, ns=(0, 0))
    manifest = json.loads((version / "manifest.json").read_text())
    entry = next(entry for entry in manifest["files"] if entry["path"].endswith(granule.name))
    entry["content_sha256"] = "0" * 64
    (version / "manifest.json").write_text(json.dumps(manifest))
    assert source.cube() is None


@pytest.mark.parametrize("damage", ["flip", "loss", "cut"])
def test_a_damaged_shard_is_an_error_and_no_value(copied, damage):
    _, version = copied
    for shard in shards(version).values():
        raw = bytearray(shard.read_bytes())
        # The middle of the first chunk's values; the index at the end has a checksum of its own.
        raw[40] ^= 1
        shard.write_bytes(raw if damage == "flip" else raw[:-5])
        if damage == "loss":
            shard.unlink()
    with pytest.raises(InputError, match="the cube cannot be read") as caught:
        read(LocalRelease(Folder(version)))
    assert "vadose verify" in caught.value.next


def test_catalogues_name_the_cube(workspace):
    recipe, version = workspace[0]
    asset = json.loads((version / "stac/collection.json").read_text())["assets"]["cube"]
    assert xr.open_zarr(version / "stac" / asset["href"]).sizes["time"] == 20
    assert asset["type"] == "application/vnd.zarr; version=3"
    found = json.loads((version / "dataset.jsonld").read_text())["distribution"]
    (entry,) = [item for item in found if item["encodingFormat"] == asset["type"]]
    raw = (version / "cube/daily.zarr/zarr.json").read_bytes()
    assert entry["contentUrl"] == f"{recipe.product.landing_url.rstrip('/')}/v1.0.0/cube/daily.zarr/zarr.json"
    assert entry["sha256"] == hashlib.sha256(raw).hexdigest()
    assert list(schemas.check(version)) == []
    place = re.search(r'xr\.open_zarr\("(.*)"\)', (version / "README.md").read_text())[1]
    assert xr.open_zarr(version / place).sizes["time"] == 20


def test_without_the_word_in_the_recipe_there_is_no_cube(made):
    assert not (made[2] / "cube").exists()
    assert "open_zarr" not in (made[2] / "README.md").read_text()
    assert "assets" not in json.loads((made[2] / "stac/collection.json").read_text())
