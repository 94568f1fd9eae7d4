"""The checks of the set and of the release, each with its planted defect."""

import json
import shutil

import numpy as np
import pytest

from vadose.common import InputError, silent, write_json
from vadose.producer.release import checker, coverage, readers, references
from vadose.producer.release.complete import complete, repeat_gate
from vadose.producer.release.folder import Folder
from vadose.producer.release.gate import (
    Result,
    allows_commercial_use,
    excuse,
    expected_periods,
    failures,
    licences,
    listed_files,
    previous_files,
    run_granules,
    verdict,
    wrong_waivers,
)
from vadose.producer.release.gate import names as required_names
from vadose.producer.release.survey import survey

GRANULE = "ICDR/DAILY/2016/01/VADOSE-DEMOSMALL-L4-0P25DEG-DAILY-20160110-ICDR-v1.0.0.nc"


def test_a_right_version_passes(made):
    _, _, version, done = made
    assert failures(done.results) == []
    gate = json.loads((version / "gate.json").read_text())
    assert gate["passed"]
    assert {item["check"] for item in gate["checks"]} >= {"values", "compliance_checker", "references", "run_granules"}
    assert [item["check"] for item in gate["checks"] if item["waiver"]] == ["day_outlier"]


def test_completing_again_gives_the_same_bytes(copied):
    workspace, recipe, version = copied
    before = {path: path.read_bytes() for path in version.rglob("*") if path.is_file()}
    complete(recipe, version, workspace / "runs" / "1.0.0", silent)
    assert before == {path: path.read_bytes() for path in version.rglob("*") if path.is_file()}


def test_the_gate_can_be_repeated_on_a_copy(copied):
    _, _, version = copied
    assert failures(repeat_gate(version, silent)) == []


def test_a_missing_day_is_found(copied):
    _, recipe, version = copied
    manifest = Folder(version).manifest()
    manifest["files"] = [entry for entry in manifest["files"] if entry["path"] != GRANULE]
    assert list(expected_periods(recipe, manifest)) == [f"no granule {GRANULE.rpartition('/')[2]}"]


def test_granules_that_the_run_did_not_see_are_found(copied):
    _, _, version = copied
    manifest = Folder(version).manifest()
    assert list(run_granules(Folder(version), manifest)) == []
    next(entry for entry in manifest["files"] if entry["path"] == GRANULE)["sha256"] = "0" * 64
    assert "validate again" in next(run_granules(Folder(version), manifest))


@pytest.mark.parametrize(
    ("level", "applicable", "stops"), [("required", True, True), ("advisory", True, False), ("required", False, False)]
)
def test_only_an_applicable_required_gate_stops_a_release(copied, level, applicable, stops):
    _, _, version = copied
    gate = {"name": "core_sites", "level": level, "passed": False, "applicable": applicable, "reason": "r"}
    write_json(version / "quality/validation/verdict.json", {"passed": not stops, "gates": [gate]})
    assert bool(list(verdict(Folder(version)))) is stops


def test_a_product_never_allows_more_than_its_inputs(worlds):
    source = worlds.recipe_values()["inputs"][0]
    closed = worlds.small_recipe(inputs=[{**source, "passing_on": None}])
    assert "does not allow passing on" in next(licences(closed))
    private = worlds.small_recipe(inputs=[{**source, "commercial_use": False}])
    assert "does not allow commercial use" in next(licences(private))
    assert list(licences(worlds.small_recipe())) == []


@pytest.mark.parametrize(("licence", "allows"), [("CC-BY-4.0", True), ("CC-BY-NC-4.0", False), ("CC0-1.0", True)])
def test_non_commercial_licences_are_recognised(licence, allows):
    assert allows_commercial_use(licence) is allows


def test_a_missing_name_broken_json_and_another_version_are_found(copied):
    _, recipe, version = copied
    (version / "LICENSE").unlink()
    (version / "datacite.json").write_text("{")
    (version / "README.md").write_text("version 0.9.0")
    text = " ".join(required_names(Folder(version), recipe))
    assert "LICENSE is missing" in text
    assert "datacite.json is not valid JSON" in text
    assert "README.md does not name version 1.0.0" in text


def test_a_file_outside_the_manifest_is_found(copied):
    _, _, version = copied
    (version / "notes.txt").write_text("left behind")
    (version / "LICENSE").unlink()
    found = list(listed_files(Folder(version), Folder(version).manifest()))
    assert found == ["notes.txt is not in the manifest", "LICENSE is in the manifest and not in the folder"]


def test_shared_granules_keep_their_bytes_in_a_minor_version(copied):
    _, _, version = copied
    manifest = Folder(version).manifest()
    older = version.with_name("v0.9.0")
    older.mkdir()
    before = json.loads(json.dumps(manifest))
    next(entry for entry in before["files"] if entry["path"] == GRANULE)["sha256"] = "0" * 64
    write_json(older / "manifest.json", before)
    assert list(previous_files(Folder(version), {**manifest, "previous": "0.9.0"})) == []
    newer = version.with_name("v1.1.0")
    shutil.copytree(version, newer)
    write_json(version / "manifest.json", before)
    assert "has other bytes than in version 1.0.0" in next(
        previous_files(Folder(newer), {**manifest, "previous": "1.0.0"})
    )


def test_references_that_lie_are_found(copied):
    _, _, version = copied
    paths = [entry["path"] for entry in Folder(version).manifest()["files"] if entry["role"] == "granule"]
    assert list(references.compare(version, paths)) == []
    place = version / "refs" / "2016.json"
    document = json.loads(place.read_text())
    document["refs"]["sm/0.0.0"], document["refs"]["sm/1.0.0"] = (
        document["refs"]["sm/1.0.0"],
        document["refs"]["sm/0.0.0"],
    )
    document["refs"]["flag/.zattrs"] = '{"_ARRAY_DIMENSIONS": ["time", "lat", "lon"]}'
    write_json(place, document)
    text = " ".join(references.compare(version, paths))
    assert "sm: values differ" in text
    assert "flag: attributes differ" in text


def test_a_day_that_stands_out_is_found():
    days = [
        {
            "day": f"d{k}",
            "cells_expected": 100,
            "cells_given": 95 + k % 3,
            "cells_cold": 2,
            "mean": 0.2 + 0.01 * (k % 5),
        }
        for k in range(60)
    ]
    assert list(coverage.outliers(days)) == []
    days[7] |= {"cells_given": 40}
    days[9] |= {"mean": 0.45}
    assert [line[:12] for line in coverage.outliers(days)] == ["d7: coverage", "d9: mean 0.4"]


def test_a_frozen_day_does_not_stand_out():
    days = [{"day": f"d{k}", "cells_expected": 100, "cells_given": 98, "cells_cold": 0, "mean": 0.2} for k in range(60)]
    days[7] |= {"cells_given": 30, "cells_cold": 68}
    assert list(coverage.outliers(days)) == []


def test_a_step_of_the_mean_from_day_to_day_is_found():
    rows = [
        {"day": f"d{k}", "cells_expected": 100, "cells_given": 90, "mean": 0.2 + 0.004 * (k % 3)} for k in range(60)
    ]
    assert list(coverage.steps(rows)) == []
    for row in rows[30:]:
        row["mean"] += 0.1
    found = list(coverage.steps(rows))
    assert len(found) == 1
    assert found[0].startswith("d30: the mean steps by +0.092 from d29, at most 0.0")
    rows[30] |= {"cells_given": 5}
    assert list(coverage.steps(rows)) == []


def test_standing_out_knows_no_missing_values():
    assert coverage.standing_out(np.array([np.nan, np.nan]), 0.01) == []


def test_the_checker_finds_one_message_more_and_one_fewer(made):
    _, _, version, _ = made
    messages = checker.run([version / GRANULE])[version / GRANULE]
    assert sum(messages.values()) == 9
    assert messages == type(messages)(checker.allowed(checker.read_granule(version / GRANULE)))


def test_a_defect_of_the_header_gives_another_message(copied):
    import netCDF4

    _, _, version = copied
    with netCDF4.Dataset(version / GRANULE, "r+") as file:
        file["sm"].setncattr("standard_name", "soil_wetness_of_sorts")
        file.delncattr("geospatial_vertical_resolution")
    text = " ".join(checker.check(version, [GRANULE]))
    assert "soil_wetness_of_sorts" in text
    assert "too many" in text


def test_first_last_each_year_and_each_header_are_chosen(context):
    paths = [entry["path"] for entry in Folder(context.folder).manifest()["files"] if entry["role"] == "granule"]
    chosen = checker.chosen(survey(context, paths, silent))
    assert [path[-23:-15] for path in chosen] == ["20151220", "20160101", "20160205"]


def test_a_reader_that_cannot_open_a_granule_is_reported(copied):
    _, recipe, version = copied
    (version / GRANULE).write_bytes((version / GRANULE).read_bytes()[:20_000])
    found = list(readers.check(version, recipe, [GRANULE]))
    assert any("cannot be read" in reason for reason in found)
    assert any("as one dataset" in reason for reason in found)


def test_another_recipe_is_refused(copied, worlds):
    workspace, _, version = copied
    with pytest.raises(InputError, match="built from another recipe"):
        complete(worlds.small_recipe(build__minimum=0.05), version, workspace / "runs" / "1.0.0", silent)


def test_a_release_without_a_run_is_refused(copied):
    workspace, recipe, version = copied
    with pytest.raises(InputError, match="no finished run"):
        complete(recipe, version, workspace / "runs" / "none", silent)


def waivers(worlds, *items, version="2.0.0"):
    made = [{"check": check, "reason": "r", "expires": expires} for check, expires in items]
    return worlds.small_recipe(waivers=made, product__version=version)


def test_a_waiver_holds_before_the_version_with_which_it_expires_and_excuses_its_check_alone(worlds):
    recipe = waivers(worlds, ("days", "2.0.1"), ("units", "2.0.0"))
    results = [Result(name, ["broken"]) for name in ("days", "units", "licence")]
    excuse(results, recipe)
    assert [result.passed for result in results] == [True, False, False]
    assert list(wrong_waivers(recipe, {"days", "units"})) == ["the waiver for units expired with version 2.0.0"]


def test_a_waiver_of_no_check_and_one_of_the_waivers_themselves_excuse_nothing(worlds):
    recipe = waivers(worlds, ("day_outliers", "9.0.0"), ("waivers_in_force", "9.0.0"))
    assert list(wrong_waivers(recipe, {"day_outlier", "waivers_in_force"})) == [
        "unknown check in a waiver 'day_outliers'; did you mean 'day_outlier'?"
    ]
    result = Result("waivers_in_force", ["expired"])
    excuse([result], recipe)
    assert not result.passed


def test_waivers_are_published_in_gate_recipe_and_change_log(made):
    _, recipe, version, _ = made
    waiver = recipe.waivers[0].model_dump()
    assert json.loads((version / "gate.json").read_text())["waivers"] == [waiver]
    assert waiver["reason"] in (version / "provenance/recipe.yaml").read_text()
    assert f"- day_outlier: {waiver['reason']} (expires with 9.0.0)" in (version / "CHANGELOG.md").read_text()
