"""A version that goes on from another one: manifest, gate, change log, and the comparison of streams."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from vadose.common import GateError, InputError, UsageError, read_json, silent, write_json
from vadose.producer.build import build
from vadose.producer.release import lineage
from vadose.producer.release.changelog import change_log
from vadose.producer.release.complete import repeat_gate
from vadose.producer.release.differences import difference
from vadose.producer.release.folder import Folder
from vadose.producer.release.gate import failures
from vadose.producer.release.publish import deprecate, publish, withdraw
from vadose.producer.release.rebuild import rebuild
from vadose.producer.release.verify import verify

LONGER = ["2015-12-20", "2016-02-10"]
GRANULE = "ICDR/DAILY/2016/01/VADOSE-DEMOSMALL-L4-0P25DEG-DAILY-20160110-ICDR-v1.0.0.nc"
DRY = {"reason": "the rain of the first month lacks a day", "expires": "9.0.0"}


@pytest.fixture(scope="module")
def two(worlds, tools, made, tmp_path_factory):
    """Workspace and results of version 1.0.0, published, and 1.1.0 with five more days; not to be changed."""
    workspace = tmp_path_factory.mktemp("two") / "ws"
    shutil.copytree(made[0], workspace)
    old = workspace / made[2].relative_to(made[0])
    publish(Folder(old), silent)
    shutil.rmtree(workspace / "cubes")
    worlds.small_cube(workspace / "cubes/small.zarr", made[1], extra_days=0)
    return workspace, old, *tools.make(worlds, workspace, old, product__version="1.1.0", product__days=LONGER)


@pytest.fixture
def copies(two, tmp_path):
    """A copy of the workspace, and both versions in it."""
    shutil.copytree(two[0], tmp_path / "ws")
    return tmp_path / "ws", *(tmp_path / "ws" / path.relative_to(two[0]) for path in (two[1], two[3]))


def test_a_version_with_linked_granules_passes_the_whole_gate(two):
    _, old, recipe, new, done = two
    assert failures(done.results) == []
    assert failures(repeat_gate(new, silent)) == []
    assert verify(new, silent, contents=True).damaged == []
    assert recipe.product.version == "1.1.0"
    assert (new / GRANULE).samefile(old / GRANULE)


def test_the_manifest_says_since_when_each_file_is_there(two):
    manifest = read_json(two[3] / "manifest.json")
    assert (manifest["previous"], manifest["expected"]) == ("1.0.0", {"daily": LONGER})
    granules = [entry for entry in manifest["files"] if entry["role"] == "granule"]
    since = {entry["start"][:10]: entry["since"] for entry in granules}
    assert since["2016-02-05"] == "1.0.0"
    assert since["2016-02-06"] == "1.1.0"
    assert len(since) == len(granules) == 53
    assert all(entry["path"].endswith(f"-v{entry['since']}.nc") for entry in granules)
    sheets = {entry["path"][-26:]: entry["since"] for entry in manifest["files"] if entry["role"] == "quicklook"}
    assert sheets["DAILY-201601-ICDR-v1.0.0.png"[-26:]] == "1.0.0"


def test_stac_items_carry_the_version_and_date_of_their_file(two):
    items = read_json(two[3] / "stac/2016.json")["features"]
    found = {item["properties"]["start_datetime"][:10]: item["properties"]["version"] for item in items}
    assert (found["2016-01-10"], found["2016-02-10"]) == ("1.0.0", "1.1.0")


def test_the_change_log_names_the_kind_of_change(two):
    text = (two[3] / "CHANGELOG.md").read_text()
    assert "MINOR: additions; no published value changes." in text
    assert "| days in both | 48 |" in text
    assert "| largest difference | 0.000000 m3 m-3 |" in text


def test_a_rebuild_takes_the_granules_of_the_version_itself(two, worlds):
    found = rebuild(Folder(two[3]), two[0], 100, 10**9, silent, lambda *_: worlds.RainModel())
    assert [item.outcome for item in found.granules] == ["same bytes"] * 5


def test_publishing_an_extension_leaves_the_old_version_and_supersedes_it(copies):
    _, old, new = copies
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    publish(Folder(new), silent)
    assert before == {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    entries = read_json(new.parent / "versions.json")["versions"]
    assert [(item["version"], item["status"]) for item in entries] == [("1.0.0", "superseded"), ("1.1.0", "current")]


def test_a_version_is_deprecated_a_year_ahead_and_only_where_a_newer_one_stands(copies):
    _, old, new = copies
    with pytest.raises(GateError, match="has no newer one that stands"):
        deprecate(Folder(old), "superseded", date(2027, 6, 1))
    publish(Folder(new), silent)
    with pytest.raises(UsageError, match="less than twelve months"):
        deprecate(Folder(old), "superseded", date(2026, 12, 31))
    deprecate(Folder(old), "superseded", date(2027, 6, 1))
    entry = read_json(new.parent / "versions.json")["versions"][0]
    assert (entry["status"], entry["until"], entry["obsoleted_by"]) == ("deprecated", "2027-06-01", "1.1.0")
    assert "Use 1.1.0 instead" in (new.parent / "KNOWN_ISSUES.md").read_text()
    assert read_json(new.parent / "latest.json")["version"] == "1.1.0"


def changed_manifest(new: Path, plant) -> dict:
    manifest = read_json(new / "manifest.json")
    plant(manifest["files"])
    write_json(new / "manifest.json", manifest)
    return manifest


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (lambda files: files.pop(next(k for k, item in enumerate(files) if "20160110" in item["path"])), "are gone"),
        (lambda files: None, None),
    ],
)
def test_a_published_day_that_goes_away_needs_a_major(copies, plant, message):
    _, _, new = copies
    found = list(lineage.check(Folder(new), changed_manifest(new, plant)))
    assert bool(found) is (message is not None)
    assert all(message in line for line in found)


def renumbered(new: Path, version: str) -> Folder:
    """The folder under another number."""
    target = new.with_name(f"v{version}")
    new.rename(target)
    return Folder(target)


def test_added_days_under_the_number_of_a_patch_fail_the_gate(copies):
    folder = renumbered(copies[2], "1.0.1")
    assert list(lineage.check(folder, folder.manifest())) == ["5 days are added, the first 2016-02-06: that is a MINOR"]


def test_days_written_again_without_need_or_with_other_values_fail_the_gate(copies, worlds, tools):
    workspace, old, _ = copies
    shutil.move(old.parent / "versions.json", workspace / "listing")
    _, alone, _ = tools.make(worlds, workspace, product__version="1.2.0", product__days=LONGER)
    _, other, _ = tools.make(worlds, workspace, product__version="1.3.0", product__days=LONGER, build__minimum=0.05)
    shutil.move(workspace / "listing", old.parent / "versions.json")
    manifest = {**Folder(alone).manifest(), "previous": "1.0.0"}
    assert "48 granules are written again with the same values" in next(lineage.check(Folder(alone), manifest))
    manifest = {**Folder(other).manifest(), "previous": "1.0.0"}
    assert "has other values than" in next(lineage.check(Folder(other), manifest))
    folder = renumbered(alone, "1.0.2")
    assert "are written again and not listed" in list(lineage.check(folder, {**manifest, "version": "1.0.2"}))[-1]


def test_a_withdrawn_granule_stays_in_the_next_manifest_beside_its_successor(copies, worlds, tools):
    workspace, old, _ = copies
    name = Path(GRANULE).name
    withdraw(Folder(old), "wrong rain", granule=name)
    _, new, done = tools.make(worlds, workspace, old, product__version="1.0.1")
    assert failures(done.results) == []
    entries = {Path(item["path"]).name: item for item in read_json(new / "manifest.json")["files"]}
    assert (entries[name]["status"], entries[name]["reason"]) == ("withdrawn", "wrong rain")
    assert not (new / GRANULE).exists()
    successor = entries[name.replace("1.0.0", "1.0.1")]
    assert (successor["replaces"], successor["reason"], successor["since"]) == (name, "wrong rain", "1.0.1")
    assert f"- {Path(successor['path']).name} replaces {name}: wrong rain" in (new / "CHANGELOG.md").read_text()
    assert verify(new, silent).damaged == []


def monthly(worlds, **changes):
    """A product of months that ends with the first one of 2016."""
    own = {"product__step": "monthly", "product__days": ["2014-11-01", "2016-01-31"]}
    return {**own, **changes, "waivers": [{**DRY, "check": name} for name in ("day_outlier",)]}


@pytest.fixture(scope="module")
def streams(worlds, tools, tmp_path_factory):
    """A CDR of 14 months, published with a sign-off, and an ICDR that goes on from it."""
    workspace = tmp_path_factory.mktemp("streams")
    worlds.small_cube(workspace / "cubes/small.zarr", worlds.small_recipe(**monthly(worlds)))
    cdr = monthly(worlds, product__stream="CDR", product__days=["2014-11-01", "2015-12-31"])
    _, old, _ = tools.make(worlds, workspace, **cdr)
    tools.sign_off(old)
    publish(Folder(old), silent)
    icdr = monthly(worlds, product__version="1.1.0", product__icdr_from="2016-01-01")
    return workspace, old, *tools.make(worlds, workspace, old, **icdr)


def test_an_icdr_goes_on_from_a_cdr_and_says_how_they_differ(streams):
    _, old, _, new, done = streams
    assert failures(done.results) == []
    manifest = read_json(new / "manifest.json")
    found = {entry["start"][:7]: entry["stream"] for entry in manifest["files"] if entry["role"] == "granule"}
    assert (found["2015-12"], found["2016-01"], len(found)) == ("CDR", "ICDR", 15)
    overlap = read_json(new / "quality/overlap.json")
    span = ("1.0.0", "2015-01-01", "2015-12-31", 365)
    assert (*overlap["cdr"], overlap["first"], overlap["last"], overlap["days_covered"]) == span
    # The same cube and model give the same values, rounded alike.
    assert overlap["values"]["largest_difference"] == 0.0
    text = (new / "CHANGELOG.md").read_text()
    assert "ICDR minus CDR (version 1.0.0) over 365 days, 2015-01-01 to 2015-12-31:" in text
    assert next(new.rglob("*201501*.nc")).samefile(next(old.rglob("*201501*.nc")))


def test_references_and_checker_see_both_streams(streams):
    new = streams[3]
    refs = read_json(new / "refs/2015.json")["refs"]
    assert refs["sm/11.0.0"][0].startswith("{{root}}/CDR/MONTHLY/2015/")
    gate = {item["check"]: item for item in read_json(new / "gate.json")["checks"]}
    assert gate["compliance_checker"]["passed"]
    assert gate["stream_overlap"]["passed"]


def test_a_short_or_missing_overlap_fails_the_gate(streams, tmp_path):
    recipe = streams[2]
    folder = Folder(tmp_path / "v1.1.0")
    assert "is missing" in next(lineage.overlap(folder, recipe))
    write_json(folder.path / "quality/overlap.json", {"days_covered": 364})
    assert next(lineage.overlap(folder, recipe)) == "ICDR and CDR were compared over 364 days, at least 365"
    write_json(folder.path / "quality/overlap.json", {"days_covered": 365})
    assert list(lineage.overlap(folder, recipe)) == []


def test_an_icdr_from_other_inputs_differs_by_what_they_differ(streams, worlds, tmp_path):
    old = tmp_path / streams[1].relative_to(streams[0])
    shutil.copytree(streams[1].parent, old.parent, ignore=shutil.ignore_patterns("v1.1.0"))
    worlds.small_cube(tmp_path / "cubes/small.zarr", worlds.small_recipe(**monthly(worlds)), seed=5)
    changes = monthly(worlds, product__version="1.1.0", product__icdr_from="2016-01-01")
    recipe, cube, model, models = worlds.small_world(tmp_path, **changes)
    build(recipe, cube, model, models, old.with_name("v1.1.0"), 10**9, silent, previous=Folder(old))
    values = read_json(old.with_name("v1.1.0") / "quality/overlap.json")["values"]
    assert values["root_mean_square_difference"] > 0.003
    granules = (next(place.rglob("*201501*.nc")) for place in (old, old.with_name("v1.1.0")))
    assert next(granules).samefile(next(granules))


def test_days_that_turn_from_icdr_to_cdr_are_compared_in_the_change_log(streams, worlds, tmp_path):
    old = tmp_path / streams[3].relative_to(streams[0])
    shutil.copytree(streams[3], old)
    changes = monthly(worlds, product__version="2.0.0", product__stream="CDR", build__minimum=0.05)
    recipe, cube, model, models = worlds.small_world(streams[0], **changes)
    build(recipe, cube, model, models, old.with_name("v2.0.0"), 10**9, silent)
    found = difference(Folder(old), Folder(old.with_name("v2.0.0")))
    assert (found["days"], found["streams"]["days"]) == (15, 1)
    assert "CDR minus ICDR (version 1.1.0) over 1 days or months:" in change_log(recipe, "1.1.0", found)


@pytest.mark.parametrize("text", ["recipe: [", "recipe: 1\n", "- a\n", "build: {writer: of-old}\n"])
def test_a_recipe_of_other_software_is_one_readable_error(tmp_path, text):
    place = tmp_path / "v1.0.0" / "provenance"
    place.mkdir(parents=True)
    (place / "recipe.yaml").write_text(text)
    with pytest.raises(InputError, match="not a recipe that this version of vadose can read"):
        Folder(tmp_path / "v1.0.0").recipe()
