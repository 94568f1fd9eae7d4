"""Stream NRT: a day is produced once, checked once, and leaves 90 days after its final granule."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from vadose.cli.main import run
from vadose.common import GateError, InputError, UsageError, read_json, silent
from vadose.producer.build import build, build_rolling, forget_rolling
from vadose.producer.granules import parse_name
from vadose.producer.release.copies import copy_rolling
from vadose.producer.release.folder import Folder
from vadose.producer.release.gate import failures
from vadose.producer.release.publish import publish, withdraw
from vadose.producer.release.rolling import roll
from vadose.producer.release.verify import verify

NAME = "VADOSE-DEMOSMALL-L4-0P25DEG-DAILY-20160110-NRT-v1.0.0.nc"
GRANULE = f"DAILY/2016/01/{NAME}"


def nrt(worlds, workspace: Path, days=("2016-01-09", "2016-01-12"), **changes):
    """Build some days of the stream; recipe, what was done, and its folder."""
    early = [{**worlds.recipe_values()["inputs"][0], "name": "early rain", "preliminary": True}]
    values = {"product__stream": "NRT", "product__days": list(days), "inputs": early, **changes}
    recipe, cube, model, models = worlds.small_world(workspace, **values)
    directory = worlds.version_folder(workspace, recipe).with_name("nrt")
    return recipe, build_rolling(recipe, cube, model, models, directory, 10**9, silent), directory


@pytest.fixture
def rolled(worlds, tmp_path):
    """A workspace with four days of the stream, checked and listed."""
    worlds.small_cube(tmp_path / "cubes/small.zarr", worlds.small_recipe())
    recipe, _, directory = nrt(worlds, tmp_path)
    done = roll(recipe, directory, silent)
    assert failures(done.results) == []
    return tmp_path, directory


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.glob("DAILY/**/*.nc")}


def test_a_granule_lies_outside_versions_and_says_that_its_inputs_are_preliminary(rolled):
    _, directory = rolled
    with xr.open_dataset(directory / GRANULE) as granule:
        assert granule.attrs["product_record"] == "NRT"
        assert granule.attrs["source"] == "invented; preliminary: early rain"
    assert "Preliminary inputs:\n\n- early rain, 1" in (directory / "README.md").read_text()
    assert parse_name(NAME).path.as_posix() == GRANULE


def test_a_day_is_never_issued_again_whatever_its_inputs_are(rolled, worlds):
    workspace, directory = rolled
    before = contents(directory)
    recipe, again, _ = nrt(worlds, workspace, ("2016-01-09", "2016-01-14"), build__minimum=0.05)
    assert (again.written, again.kept) == (2, 4)
    assert before.items() <= contents(directory).items()
    assert roll(recipe, directory, silent).added == tuple(
        f"DAILY/2016/01/{NAME.replace('0110', day)}" for day in ("0113", "0114")
    )
    assert verify(directory, silent, contents=True).damaged == []
    assert len(list((directory / "provenance").glob("*/recipe.yaml"))) == 2


def test_a_roll_that_was_stopped_before_its_gate_ends_as_a_whole_one(rolled, worlds):
    workspace, directory = rolled
    recipe, _, _ = nrt(worlds, workspace)
    whole = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert b"compliance_checker" in whole[directory / "gate.json"]
    roll(recipe, directory, silent)
    assert {path: path.read_bytes() for path in whole} == whole
    (directory / "gate.json").unlink()
    assert roll(recipe, directory, silent).added == ()
    assert {path: path.read_bytes() for path in whole} == whole


def test_an_issued_day_is_not_forgotten_and_its_absence_is_said(rolled, worlds):
    workspace, directory = rolled
    with pytest.raises(GateError, match="2016-01-10 was issued; a day of stream NRT is produced once"):
        forget_rolling(directory, np.array(["2016-01-10"], "datetime64[D]"))
    recipe, _, _ = nrt(worlds, workspace)
    (directory / GRANULE).unlink()
    assert nrt(worlds, workspace)[1].written == 0
    with pytest.raises(InputError, match=f"{NAME} was issued and is missing"):
        roll(recipe, directory, silent)


def final(worlds, tools, workspace, issued):
    """Publish the ICDR of the days up to 10 January."""
    changes = {"product__days": ["2015-12-20", "2016-01-10"], "product__issued": issued}
    _, version, _ = tools.make(worlds, workspace, **changes)
    publish(Folder(version), silent)


def test_a_day_leaves_90_days_after_its_final_granule_and_never_comes_back(rolled, worlds, tools):
    workspace, directory = rolled
    final(worlds, tools, workspace, "2026-02-01T00:00:00Z")
    recipe, _, _ = nrt(worlds, workspace, product__issued="2026-05-01T00:00:00Z")
    assert roll(recipe, directory, silent).removed == ()
    recipe, _, _ = nrt(worlds, workspace, product__issued="2026-05-02T00:00:00Z")
    gone = roll(recipe, directory, silent).removed
    assert [Path(path).name.split("-")[5] for path in gone] == ["20160109", "20160110"]
    assert sorted(name.split("-")[5] for name in contents(directory)) == ["20160111", "20160112"]
    assert read_json(directory / "manifest.json")["expected"] == {"daily": ["2016-01-11", "2016-01-12"]}
    assert verify(directory, silent).damaged == []
    built = nrt(worlds, workspace, product__issued="2026-05-02T00:00:00Z")[1]
    assert (built.written, built.kept, built.superseded) == (0, 2, 2)


def test_a_failed_check_issues_nothing(rolled, worlds):
    workspace, directory = rolled
    recipe, _, _ = nrt(worlds, workspace, ("2016-01-09", "2016-01-14"))
    path = next(directory.rglob("*20160114*.nc"))
    with xr.open_dataset(path) as granule:
        values = granule.load()
    path.unlink()
    values.to_netcdf(path)
    before = (directory / "manifest.json").read_bytes()
    done = roll(recipe, directory, silent)
    assert not done.passed
    assert (directory / "manifest.json").read_bytes() == before
    forget_rolling(directory, np.array(["2016-01-14"], "datetime64[D]"))
    nrt(worlds, workspace, ("2016-01-09", "2016-01-14"))
    assert roll(recipe, directory, silent).passed


def test_a_withdrawn_day_stays_listed_and_is_not_produced_again(rolled, worlds):
    workspace, directory = rolled
    withdraw(Folder(directory), "the gauge was broken", granule=NAME)
    entries = {Path(entry["path"]).name: entry for entry in read_json(directory / "manifest.json")["files"]}
    assert (entries[NAME]["status"], entries[NAME]["reason"]) == ("withdrawn", "the gauge was broken")
    assert not (directory / GRANULE).exists()
    assert "granule VADOSE" in (directory.parent / "KNOWN_ISSUES.md").read_text()
    recipe, built, _ = nrt(worlds, workspace, ("2016-01-09", "2016-01-13"))
    assert (built.written, built.kept) == (1, 4)
    assert roll(recipe, directory, silent).passed
    assert verify(directory, silent).damaged == []


def test_a_copy_follows_what_comes_and_goes(rolled, worlds, tools, tmp_path):
    workspace, directory = rolled
    mirror = tmp_path / "mirror" / directory.parent.name / "nrt"
    copy_rolling(Folder(directory), str(tmp_path / "mirror"), silent)
    final(worlds, tools, workspace, "2026-02-01T00:00:00Z")
    recipe, _, _ = nrt(worlds, workspace, ("2016-01-11", "2016-01-13"), product__issued="2026-06-01T00:00:00Z")
    roll(recipe, directory, silent)
    assert copy_rolling(Folder(directory), str(tmp_path / "mirror"), silent)
    assert contents(mirror) == contents(directory)
    assert verify(mirror, silent).damaged == []
    assert not copy_rolling(Folder(directory), str(tmp_path / "mirror"), silent)


def test_the_stream_is_no_version_and_versions_do_not_roll(rolled, worlds, capsys):
    workspace, directory = rolled
    with pytest.raises(UsageError, match="in no version"):
        publish(Folder(directory), silent)
    with pytest.raises(UsageError, match="only NRT rolls"):
        roll(worlds.small_recipe(), directory, silent)
    with pytest.raises(UsageError, match="in no version"):
        withdraw(Folder(directory), "why")
    recipe = workspace / "recipe.yaml"
    early = [{**worlds.recipe_values()["inputs"][0], "preliminary": True}]
    recipe.write_text(json.dumps(worlds.recipe_values(product__stream="NRT", inputs=early)))
    words = ["--workspace", str(workspace), "--quiet"]
    assert run(["release", str(recipe), "--run", "x", *words]) == 2
    assert run(["release", "roll", str(recipe), *words]) == 0
    assert run(["status", *words]) == 0
    assert "4 granules, 0 not released" in capsys.readouterr().out


def test_a_domain_of_another_shape_under_the_same_number_is_refused(rolled, worlds):
    workspace, _ = rolled
    (workspace / "cubes/small.zarr").rename(workspace / "old.zarr")
    worlds.small_cube(workspace / "cubes/small.zarr", worlds.small_recipe(), seed=3)
    with pytest.raises(InputError, match="has other cells"):
        nrt(worlds, workspace, ("2016-01-09", "2016-01-14"))


def test_versions_and_the_rolling_folder_do_not_see_each_other(rolled, worlds):
    workspace, directory = rolled
    recipe, cube, model, models = worlds.small_world(workspace, product__days=["2016-01-09", "2016-01-12"])
    built = build(recipe, cube, model, models, directory.with_name("v1.0.0"), 10**9, silent)
    assert built.written == 4
    assert contents(directory).keys().isdisjoint(path.name for path in directory.with_name("v1.0.0").rglob("*.nc"))
