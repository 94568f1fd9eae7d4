"""What a user can get wrong at a published version ends with its exit code and a message that says what to do."""

import numpy as np
import pytest
import xarray as xr

from vadose.cli.main import run
from vadose.common import UsageError, silent
from vadose.producer.granules.reading import read_granule
from vadose.producer.release.differences import Difference, common_cells, granules_by_period
from vadose.producer.release.folder import Folder
from vadose.producer.release.publish import publish

PLACE = ["--lat", "47.1", "--lon", "-52.6"]


@pytest.fixture
def published(copied):
    """Workspace and folder of a published version that may be written to."""
    workspace, _, version = copied
    publish(Folder(version), silent)
    for path in [version, *version.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return workspace, version


def said(capsys, workspace, *words):
    """Exit code and message of a command."""
    capsys.readouterr()
    code = run([*words, "--workspace", str(workspace), "--quiet"])
    done = capsys.readouterr()
    assert "Traceback" not in done.err
    return code, done.err + done.out


@pytest.mark.parametrize("text", ["{}", "[]", "x", '{"versions": [1]}', '{"versions": [{"version": "one"}]}'])
@pytest.mark.parametrize("verb", [["release", "publish"], ["release", "withdraw", "--reason", "x"], ["verify"]])
def test_a_broken_list_of_versions_is_named(published, capsys, text, verb):
    workspace, version = published
    (version.parent / "versions.json").write_text(text)
    code, message = said(capsys, workspace, *verb, str(version))
    assert code == 3
    assert "versions.json" in message


@pytest.mark.parametrize("text", ["{}", "[]", "x"])
def test_a_broken_latest_is_named_and_publishing_again_mends_it(published, capsys, text):
    workspace, version = published
    latest = version.parent / "latest.json"
    right = latest.read_bytes()
    latest.write_text(text)
    code, message = said(capsys, workspace, "release", "publish", str(version))
    assert (code, "latest.json" in message) == (3, True)
    latest.unlink()
    assert said(capsys, workspace, "release", "publish", str(version))[0] == 0
    assert latest.read_bytes() == right


@pytest.mark.parametrize("text", ["{}", '{"files": 3}', "garbage"])
def test_rebuild_from_another_document_than_a_manifest_is_refused(published, capsys, text):
    workspace, version = published
    (version / "manifest.json").write_text(text)
    code, message = said(capsys, workspace, "release", "rebuild", str(version))
    assert (code, "manifest.json" in message) == (3, True)


def test_a_dry_run_sees_that_a_published_manifest_was_edited(published, capsys):
    workspace, version = published
    with (version / "manifest.json").open("a") as file:
        file.write(" ")
    code, message = said(capsys, workspace, "release", "publish", str(version), "--dry-run")
    assert (code, "published with other bytes" in message) == (4, True)


def test_a_dry_run_of_a_withdrawal_changes_nothing_and_checks_as_the_real_one(published, capsys):
    workspace, version = published
    before = (version.parent / "versions.json").read_bytes()
    words = ("release", "withdraw", str(version), "--reason", "wrong soil map", "--dry-run")
    code, message = said(capsys, workspace, *words)
    assert (code, "would be withdrawn" in message) == (0, True)
    code, message = said(capsys, workspace, *words, "--granule", "nothing.nc")
    assert (code, "no granule 'nothing.nc'" in message) == (3, True)
    assert (version.parent / "versions.json").read_bytes() == before


def test_a_stripped_signature_is_damage_for_who_names_the_signers(published, capsys, tmp_path):
    workspace, version = published
    (tmp_path / "allowed_signers").write_text("vadose-release ssh-ed25519 AAAA\n")
    assert said(capsys, workspace, "verify", str(version))[0] == 0
    code, message = said(capsys, workspace, "verify", str(version), "--signers", str(tmp_path / "allowed_signers"))
    assert (code, "SHA256SUMS.sig is missing" in message) == (3, True)


@pytest.mark.parametrize(("words", "code", "message"), [
    (["--lat", "nan", "--lon", "8"], 2, "outside the product's window"),
    (["--lat", "10", "--lon", "10"], 2, "degrees east"),
    ([*PLACE, "--from", "2016-01-12", "--to", "2016-01-11"], 2, "2016-01-11 is before 2016-01-12"),
    ([*PLACE, "--from", "1990-01-01", "--to", "1990-01-02"], 3, "the record is 2015-12-20 to 2016-02-05"),
    (["--points", "nothing.csv"], 3, "No such file"),
])  # fmt: skip
def test_a_place_or_a_day_that_is_not_there_says_what_there_is(made, capsys, recwarn, words, code, message):
    found = said(capsys, made[0], "extract", str(made[2]), *words)
    assert (found[0], message in found[1]) == (code, True), found[1]
    assert not [str(item.message) for item in recwarn]


def test_a_table_without_a_latitude_names_the_column(made, capsys, tmp_path):
    (tmp_path / "points.csv").write_text("name,latitude,lon\na,47.1,-52.6\n")
    code, message = said(capsys, made[0], "extract", str(made[2]), "--points", str(tmp_path / "points.csv"))
    assert (code, "no column 'lat'" in message) == (3, True)


def test_the_end_of_the_file_name_decides_its_format(made, capsys, tmp_path):
    words = ("extract", str(made[2]), *PLACE, "--from", "2016-01-10", "--to", "2016-01-12", "--out")
    for name in ("series.nc", "series.csv"):
        assert said(capsys, made[0], *words, str(tmp_path / name))[0] == 0
    with xr.open_dataset(tmp_path / "series.nc") as series:
        assert series.sizes["time"] == 3
    assert (tmp_path / "series.csv").read_text().startswith("day,name,lat,lon")


def test_an_address_that_refuses_ends_with_exit_3(capsys, tmp_path):
    code, message = said(capsys, tmp_path, "verify", "ftp://127.0.0.1:1/product/v1.0.0")
    assert (code, "cannot reach this address" in message) == (3, True)


def test_a_folder_that_is_no_version_has_no_difference(made, capsys, tmp_path):
    code, message = said(capsys, tmp_path, "release", "diff", str(tmp_path), str(made[2]))
    assert (code, "no recipe in the release" in message) == (3, True)


def test_windows_of_another_size_are_compared_in_the_cells_of_both(made):
    whole = read_granule(next(iter(granules_by_period(Folder(made[2])).values()))).values
    part = {**whole, "lat": whole["lat"][2:], "lon": whole["lon"][:-3]}
    part |= {name: whole[name][:, 2:, :-3] for name in ("sm", "flag")}
    old, new, lat = common_cells(whole, part)
    np.testing.assert_array_equal(lat, whole["lat"][2:])
    sums = Difference()
    sums.add(old, new)
    assert sums.largest == 0.0
    assert sums.count == int((part["sm"] >= 0).sum()) > 0
    with pytest.raises(UsageError, match="no cell in common"):
        common_cells(whole, {**whole, "lat": whole["lat"] + 0.05})


def test_who_reads_or_verifies_what_was_withdrawn_is_told_so(published, capsys, served):
    workspace, version = published
    granule = next(version.rglob("*-20160110-*.nc")).name
    words = [*PLACE, "--from", "2016-01-10", "--to", "2016-01-10"]
    assert "warning" not in said(capsys, workspace, "extract", str(version), *words)[1]
    assert (
        said(capsys, workspace, "release", "withdraw", str(version), "--reason", "shifted", "--granule", granule)[0]
        == 0
    )
    assert said(capsys, workspace, "release", "withdraw", str(version), "--reason", "wrong soil map")[0] == 0
    with served(version.parents[1]) as (_, url):
        for place in (str(version), url):
            for verb, more in (("extract", words), ("verify", [])):
                code, message = said(capsys, workspace, verb, place, *more)
                assert code == 0
                assert "version 1.0.0 was withdrawn: wrong soil map" in message
                assert f"{granule} was withdrawn: shifted" in message


def test_known_issues_do_not_say_that_there_are_none_beside_one(published, capsys):
    workspace, version = published
    issues = version.parent / "KNOWN_ISSUES.md"
    assert "None is known." in issues.read_text()
    assert said(capsys, workspace, "release", "withdraw", str(version), "--reason", "wrong soil map")[0] == 0
    assert issues.read_text() == "# Known issues\n\n## Withdrawn: version 1.0.0\n\nwrong soil map\n"
