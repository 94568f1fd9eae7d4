"""Builds that go on from a published version: what is linked, what is written, and which number they may have."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from vadose.common import GateError, UsageError, silent, write_json
from vadose.producer.build import build, foresee, links, plan
from vadose.producer.build.signatures import read_signatures
from vadose.producer.cube import new_cube, open_cube
from vadose.producer.granules import writer
from vadose.producer.granules.periods import product_periods
from vadose.producer.provenance import recorded_identity
from vadose.producer.release.folder import Folder

GENEROUS = 10**9
# One that reads nothing after a day, as the test's model does.
BACKWARD = {"name": "ridge"}
RECORD = ["2015-12-20", "2016-01-20"]
LONGER = ["2015-12-20", "2016-01-25"]


def change_cube(path: Path, plant=None, days: int | None = None) -> None:
    """The same cube with values changed by `plant(name, values)`, cut to its first days, under another source hash."""
    old = open_cube(path)
    span = slice(0, days)
    values = {name: old.read(name, span) for name in old.names if name not in ("sand", "porosity", "urban_fraction")}
    maps = {name: old.read_static(name) for name in old.names if name not in values}
    grid, index, dates, source = old.grid, old.index, old.days[span], old.provenance[0]
    with new_cube(path, grid, index, dates, title="changed") as cube:
        for name, field in (values | maps).items():
            if plant is not None:
                plant(name, field)
            cube.add(name, field)
        stamp = hashlib.sha256(b"".join(field.tobytes() for field in values.values())).hexdigest()
        cube.source(**{**source, "sha256": stamp})


def publish(version: Path, **more) -> Folder:
    """List a version as published, with a manifest of its granules."""
    entries = [
        {"path": path.relative_to(version).as_posix(), "role": "granule", "status": "published",
         "stream": path.name.split("-")[-2], "since": path.stem.rpartition("-v")[2]}
        for path in sorted(version.glob("*/DAILY/**/*.nc"))
    ]  # fmt: skip
    write_json(version / "manifest.json", {"files": entries})
    sha256 = hashlib.sha256((version / "manifest.json").read_bytes()).hexdigest()
    listing = version.parent / "versions.json"
    known = json.loads(listing.read_text())["versions"] if listing.is_file() else []
    entry = {"version": version.name[1:], "status": "current", "reason": None, "manifest_sha256": sha256, **more}
    write_json(listing, {"versions": [*[item for item in known if item["version"] != entry["version"]], entry]})
    return Folder(version)


@pytest.fixture(scope="module")
def first(worlds, tmp_path_factory):
    """A published version 1.0.0 of 32 days, from a cube of 48; not to be changed."""
    folder = tmp_path_factory.mktemp("first")
    make(worlds, folder, "1.0.0")
    publish(folder / "releases/demosmall-0p25deg/v1.0.0")
    return folder


@pytest.fixture
def workspace(first, tmp_path):
    """A copy of it that a test may change."""
    shutil.copytree(first, tmp_path / "ws")
    return tmp_path / "ws"


def make(worlds, folder, version, previous=None, *, verb=build, **changes):
    """Build a version, on version 1.0.0 if `previous` says so."""
    recipe = worlds.small_recipe(
        **{"product__version": version, "product__days": RECORD, "method": BACKWARD, **changes}
    )
    recipe, cube, model, models = recipe, *worlds.small_world(folder)[1:]
    base = Folder(folder / f"releases/demosmall-0p25deg/v{previous}") if previous else None
    target = worlds.version_folder(folder, recipe)
    if verb is foresee:
        return foresee(recipe, cube, model, models, target, product_periods(recipe.product), base)
    return build(recipe, cube, model, models, target, GENEROUS, silent, previous=base)


def granules(version: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(version.rglob("*-DAILY-*.nc"))}


def wetter(day):
    """Rain on one day."""

    def plant(name, values):
        if name == "precipitation":
            values[(np.datetime64(day) - np.datetime64("2015-12-20")).astype(int)] += 9

    return plant


def test_added_days_are_written_and_all_others_linked(worlds, workspace):
    done = make(worlds, workspace, "1.1.0", "1.0.0", product__days=LONGER)
    old, new = (done.directory.with_name(name) for name in ("v1.0.0", "v1.1.0"))
    assert (done.written, done.linked, done.kept) == (5, 32, 0)
    assert granules(old).items() <= granules(new).items()
    added = sorted(set(granules(new)) - set(granules(old)))
    assert [name.split("-")[5] for name in added] == [f"20160{day}" for day in range(121, 126)]
    assert all(name.endswith("-v1.1.0.nc") for name in added)
    assert all((new / path.relative_to(old)).samefile(path) for path in old.rglob("*-DAILY-*.nc"))


def test_unchanged_days_are_not_predicted(worlds, workspace, monkeypatch):
    def fail(*_):
        raise AssertionError("a prediction was made")

    monkeypatch.setattr(worlds.RainModel, "predict", fail)
    assert make(worlds, workspace, "1.1.0", "1.0.0").linked == 32
    with pytest.raises(AssertionError, match="a prediction was made"):
        make(worlds, workspace, "1.2.0", "1.0.0", product__days=LONGER)


def test_the_same_command_again_does_nothing(worlds, workspace):
    done = make(worlds, workspace, "1.1.0", "1.0.0", product__days=LONGER)
    before = {path: path.stat().st_mtime_ns for path in done.directory.rglob("*") if path.is_file()}
    again = make(worlds, workspace, "1.1.0", "1.0.0", product__days=LONGER)
    assert (again.written, again.linked, again.kept) == (0, 0, 37)
    assert before == {path: path.stat().st_mtime_ns for path in done.directory.rglob("*") if path.is_file()}


def test_a_copy_stands_in_where_links_are_refused(worlds, workspace, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(links.os, "link", refuse)
    done = make(worlds, workspace, "1.1.0", "1.0.0")
    old = done.directory.with_name("v1.0.0")
    assert done.linked == 32
    assert granules(done.directory) == granules(old)
    assert not any((done.directory / path.relative_to(old)).samefile(path) for path in old.rglob("*-DAILY-*.nc"))


def test_a_changed_value_of_a_published_day_needs_a_major(worlds, workspace):
    change_cube(workspace / "cubes/small.zarr", wetter("2016-01-10"))
    with pytest.raises(GateError, match=r"1\.1\.0 is the number of a MINOR.*2 published days.*2016-01-10") as caught:
        make(worlds, workspace, "1.1.0", "1.0.0", product__days=LONGER)
    assert caught.value.next.startswith("write 2.0.0 into the recipe")
    assert not (workspace / "releases/demosmall-0p25deg/v1.1.0").exists()
    done = make(worlds, workspace, "2.0.0", "1.0.0", product__days=LONGER)
    assert (done.written, done.linked) == (37, 0)


def test_a_changed_input_that_changes_no_value_is_linked(worlds, workspace):
    def plant(name, values):
        if name == "ndvi":
            values[20] -= 0.01 * (values[20] < 0.7)

    change_cube(workspace / "cubes/small.zarr", plant)
    assert make(worlds, workspace, "1.1.0", "1.0.0", verb=foresee) == {"write": 0, "link": 20, "compare": 12}
    assert make(worlds, workspace, "1.1.0", "1.0.0").linked == 32


def test_what_decides_no_value_compares_nothing(worlds, workspace):
    for changes in ({"build__cube": True}, {"build__maximum_granule_mb": 3.0}, {"waivers": []}):
        assert make(worlds, workspace, "1.1.0", "1.0.0", verb=foresee, **changes)["link"] == 32
    assert make(worlds, workspace, "1.1.0", "1.0.0", verb=foresee, build__maximum=0.5)["compare"] == 32


def test_a_changed_model_is_compared_on_every_day(worlds, workspace, monkeypatch):
    monkeypatch.setattr(
        worlds.RainModel, "save", lambda _, folder: write_json(folder / "model.json", {"method": "other"})
    )
    assert make(worlds, workspace, "1.1.0", "1.0.0", verb=foresee)["compare"] == 32


def test_a_method_that_may_look_ahead_is_compared_on_every_day(worlds, workspace):
    ahead = {"method": {"name": "dct-pls"}}
    make(worlds, workspace, "2.0.0", **ahead)
    publish(workspace / "releases/demosmall-0p25deg/v2.0.0")
    assert make(worlds, workspace, "2.1.0", "2.0.0", verb=foresee, **ahead)["link"] == 32
    change_cube(workspace / "cubes/small.zarr", wetter("2016-02-03"))
    assert make(worlds, workspace, "2.1.0", "2.0.0", verb=foresee, **ahead)["compare"] == 32


def test_listed_days_alone_get_new_names_in_a_patch(worlds, workspace):
    change_cube(workspace / "cubes/small.zarr", wetter("2016-01-10"))
    repairs = [{"days": ["2016-01-10", "2016-01-11"], "reason": "rain of 10 January was missing"}]
    done = make(worlds, workspace, "1.0.1", "1.0.0", repairs=repairs)
    assert (done.written, done.linked) == (2, 30)
    new = [name for name in granules(done.directory) if name.endswith("-v1.0.1.nc")]
    assert len(new) == 2
    note = json.loads((done.directory / "provenance/previous.json").read_text())
    assert (note["version"], note["kind"]) == ("1.0.0", "PATCH")
    assert note["replaced"][new[0]] == {"replaces": new[0].replace("1.0.1", "1.0.0"), "reason": repairs[0]["reason"]}


@pytest.mark.parametrize(
    ("version", "changes", "error", "message"),
    [
        ("1.0.1", {}, UsageError, "none is listed or withdrawn"),
        ("1.0.1", {"product__days": LONGER}, GateError, "PATCH, but 5 days are added, the first 2016-01-21"),
        ("1.1.0", {"product__days": ["2015-12-20", "2016-01-19"]}, GateError, "1 published days are no longer"),
        ("1.1.0", {"product__title": "another title"}, GateError, "the header changes: :title was"),
        ("1.1.0", {"product__stream": "CDR"}, GateError, "published in stream ICDR, now it is CDR"),
        ("1.1.0", {"product__concept_doi": "10.5072/vadose"}, GateError, "the header changes: :metadata_link was"),
        ("0.9.0", {}, UsageError, "0.9.0 is not above 1.0.0"),
        ("1.1.0", {"repairs": [{"days": RECORD, "reason": "x"}]}, UsageError, "make a PATCH, and 1.1.0 is a MINOR"),
        ("1.1.0", {"product__token": "OTHER"}, UsageError, "another product"),
    ],
)  # fmt: skip
def test_a_number_that_is_not_that_of_the_change_is_refused(worlds, workspace, version, changes, error, message):
    with pytest.raises(error, match=message.replace(".", r"\.")):
        make(worlds, workspace, version, "1.0.0", **changes)
    assert not list((workspace / "releases").glob(f"*/v{version}"))


@pytest.fixture
def longer_header(monkeypatch):
    """Granules with one more global attribute."""
    for module in (plan, writer):
        plain = module.granule_header

        def header(*words, plain=plain):
            found = plain(*words)
            return dataclasses.replace(found, attributes={**found.attributes, "more": "added"})

        monkeypatch.setattr(module, "granule_header", header)


def test_an_added_attribute_is_a_minor_that_writes_all_again_with_the_same_values(worlds, workspace, longer_header):
    with pytest.raises(GateError, match="PATCH, but the header grows: :more"):
        make(worlds, workspace, "1.0.1", "1.0.0")
    done = make(worlds, workspace, "1.1.0", "1.0.0")
    assert (done.written, done.linked) == (32, 0)
    old, new = (
        xr.load_dataset(next(done.directory.with_name(name).rglob("*20160110*.nc"))) for name in ("v1.0.0", "v1.1.0")
    )
    assert new.attrs["more"] == "added"
    np.testing.assert_array_equal(new.sm, old.sm)
    assert make(worlds, workspace, "1.1.0", "1.0.0").kept == 32


def test_an_added_attribute_with_another_value_needs_a_major(worlds, workspace, longer_header):
    change_cube(workspace / "cubes/small.zarr", wetter("2016-01-10"))
    with pytest.raises(GateError, match=r"2 published days would change, the first 2016-01-10"):
        make(worlds, workspace, "1.1.0", "1.0.0")


def test_a_minor_or_patch_without_its_base_is_refused(worlds, workspace):
    with pytest.raises(UsageError, match=r"1\.1\.0 is a MINOR of version 1\.0\.0") as caught:
        make(worlds, workspace, "1.1.0")
    assert caught.value.next == "vadose build small-world --previous demosmall-0p25deg/v1.0.0"
    assert make(worlds, workspace, "2.0.0").written == 32


def test_a_withdrawn_or_older_version_is_no_base(worlds, workspace):
    root = workspace / "releases/demosmall-0p25deg"
    make(worlds, workspace, "1.1.0", "1.0.0", product__days=LONGER)
    publish(root / "v1.1.0")
    with pytest.raises(UsageError, match=r"1\.1\.0 is newer than 1\.0\.0"):
        make(worlds, workspace, "1.2.0", "1.0.0", product__days=LONGER)
    publish(root / "v1.1.0", status="withdrawn", reason="wrong rain")
    with pytest.raises(GateError, match="was withdrawn: wrong rain"):
        make(worlds, workspace, "1.2.0", "1.1.0", product__days=LONGER)
    assert make(worlds, workspace, "1.2.0", "1.0.0", product__days=LONGER).linked == 32


def test_a_withdrawn_granule_is_made_anew_and_stays_listed(worlds, workspace):
    root = workspace / "releases/demosmall-0p25deg"
    name = "VADOSE-DEMOSMALL-L4-0P25DEG-DAILY-20160110-ICDR-v1.0.0.nc"
    publish(root / "v1.0.0", withdrawn_granules={name: "wrong rain"})
    done = make(worlds, workspace, "1.0.1", "1.0.0")
    assert (done.written, done.linked) == (1, 31)
    note = json.loads((done.directory / "provenance/previous.json").read_text())
    assert [(item["status"], item["reason"]) for item in note["withdrawn"]] == [("withdrawn", "wrong rain")]
    assert note["replaced"][name.replace("1.0.0", "1.0.1")] == {"replaces": name, "reason": "wrong rain"}


def test_origins_of_linked_granules_come_along_and_again_in_the_next_version(worlds, workspace):
    root = workspace / "releases/demosmall-0p25deg"
    change_cube(workspace / "cubes/small.zarr", days=37)
    for version, base in (("1.1.0", "1.0.0"), ("1.2.0", "1.1.0")):
        make(worlds, workspace, version, base, product__days=LONGER)
        publish(root / f"v{version}")
    assert sorted(path.name for path in (root / "v1.2.0/provenance").glob("v*")) == ["v1.0.0", "v1.1.0"]
    granule = xr.open_dataset(next((root / "v1.2.0").rglob("*20160110*.nc")))
    recipe = Folder(root / "v1.0.0").recipe()
    origin = recorded_identity(recipe, root / "v1.2.0", "provenance/v1.0.0")
    assert granule.attrs["history"] == origin.history(recipe.product.issued)
    assert granule.attrs["input_manifest_sha256"] == origin.inputs_sha256
    granule.close()


def test_a_build_changed_from_alone_to_linked_leaves_no_day_twice(worlds, workspace):
    listing = workspace / "releases/demosmall-0p25deg/versions.json"
    listing.rename(workspace / "listing")
    make(worlds, workspace, "1.1.0", product__days=LONGER)
    (workspace / "listing").rename(listing)
    done = make(worlds, workspace, "1.1.0", "1.0.0", product__days=LONGER)
    assert len(granules(done.directory)) == 37
    assert done.linked == 32


def test_signatures_of_a_day_follow_its_past_and_not_its_future(worlds, workspace):
    before = read_signatures(workspace / "releases/demosmall-0p25deg/v1.0.0")
    change_cube(workspace / "cubes/small.zarr", wetter("2016-01-02"))
    make(worlds, workspace, "2.0.0")
    after = read_signatures(workspace / "releases/demosmall-0p25deg/v2.0.0")
    changed = [day for day in before if before[day] != after[day]]
    # The slab ends with 8 January; the next one reads one day before its first.
    assert changed == [f"2016-01-0{day}" for day in range(2, 9)]
