import json
import shutil
import stat
import subprocess

import numpy as np
import pandas as pd
import pytest

from vadose.cli.main import run
from vadose.common import GateError, InputError, silent, write_json
from vadose.producer.release import publish as publishing
from vadose.producer.release.complete import complete
from vadose.producer.release.difference_tables import markdown, plain
from vadose.producer.release.differences import difference, latitude_bands
from vadose.producer.release.folder import Folder
from vadose.producer.release.publish import publish, withdraw
from vadose.producer.release.verify import verify


def latest(version):
    path = version.parent / "latest.json"
    return json.loads(path.read_text())["version"] if path.is_file() else None


def test_a_published_version_is_read_only_and_the_latest(copied):
    _, _, version = copied
    assert publish(Folder(version), silent)
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o222 for path in [version, *version.rglob("*")])
    assert json.loads((version.parent / "latest.json").read_text()) == {
        "version": "1.0.0", "manifest_sha256": Folder(version).manifest_sha256,
    }  # fmt: skip
    assert [item["status"] for item in json.loads((version.parent / "versions.json").read_text())["versions"]] == [
        "current"
    ]


def test_the_same_bytes_again_do_nothing(copied):
    workspace, recipe, version = copied
    publish(Folder(version), silent)
    before = {path: path.stat().st_mtime_ns for path in version.parent.rglob("*")}
    assert not publish(Folder(version), silent)
    assert complete(recipe, version, workspace / "runs" / "1.0.0", silent).passed
    assert before == {path: path.stat().st_mtime_ns for path in version.parent.rglob("*")}


def test_other_bytes_under_a_published_version_are_refused(copied):
    workspace, recipe, version = copied
    publish(Folder(version), silent)
    run = shutil.copytree(workspace / "runs" / "1.0.0", workspace / "runs" / "other")
    write_json(run / "verdict.json", {"passed": True, "gates": []})
    with pytest.raises(GateError, match="published with another verdict"):
        complete(recipe, version, run, silent)
    (version / "manifest.json").chmod(0o644)
    (version / "manifest.json").write_text((version / "manifest.json").read_text() + "\n")
    with pytest.raises(GateError, match="published with other bytes"):
        publish(Folder(version), silent)


@pytest.mark.parametrize("step", ["seal", "announce", "write_versions", "write_latest"])
def test_a_stop_before_any_step_leaves_the_old_release_current(copied, monkeypatch, step):
    _, _, version = copied

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publishing, step, stop)
        with pytest.raises(KeyboardInterrupt):
            publish(Folder(version), silent)
    assert latest(version) is None
    publish(Folder(version), silent)
    assert latest(version) == "1.0.0"


def test_a_failed_gate_is_not_published(copied):
    _, _, version = copied
    gate = json.loads((version / "gate.json").read_text())
    gate["passed"] = gate["checks"][0]["passed"] = False
    write_json(version / "gate.json", gate)
    with pytest.raises(GateError, match="the gate failed: grid_mapping"):
        publish(Folder(version), silent)


def test_a_gate_about_another_manifest_is_refused(copied):
    _, _, version = copied
    manifest = json.loads((version / "manifest.json").read_text())
    write_json(version / "manifest.json", {**manifest, "issued": "2027-01-01T00:00:00Z"})
    with pytest.raises(GateError, match="about another manifest"):
        publish(Folder(version), silent)


def test_publish_false_and_a_cdr_without_signoff_are_refused(worlds, tools, tmp_path):
    _, version, _ = tools.make(worlds, tmp_path / "a", product__publish=False)
    with pytest.raises(GateError, match="publish: false"):
        publish(Folder(version), silent)
    _, version, _ = tools.make(worlds, tmp_path / "b", product__stream="CDR")
    with pytest.raises(GateError, match="signoff"):
        publish(Folder(version), silent)
    tools.sign_off(version)
    note = json.loads((version / "signoff.json").read_text())
    for name, value in (("name", ""), ("looked_at", []), ("date", "today"), ("manifest_sha256", "0" * 64)):
        write_json(version / "signoff.json", {**note, name: value})
        with pytest.raises(GateError, match=r"stream CDR needs a signoff\.json about this manifest"):
            publish(Folder(version), silent)
    tools.sign_off(version)
    assert publish(Folder(version), silent)


def test_a_dry_run_prints_every_check_and_waiver_and_publishes_nothing(copied, capsys):
    workspace, _, version = copied
    words = ["release", "publish", str(version), "--dry-run", "--workspace", str(workspace), "--quiet"]
    assert run(words) == 0
    text = capsys.readouterr().out
    checks = json.loads((version / "gate.json").read_text())["checks"]
    assert all(f"{item['check']:<20} " in text for item in checks)
    assert f"{'day_outlier':<20} waived until 9.0.0" in text
    assert "waiver: the rain of two days is missing" in text
    assert "may be published" in text
    assert latest(version) is None
    assert version.stat().st_mode & 0o200


def test_a_dry_run_of_a_failed_gate_says_what_failed_with_exit_4(copied, capsys):
    workspace, _, version = copied
    gate = json.loads((version / "gate.json").read_text())
    gate["passed"] = gate["checks"][0]["passed"] = False
    gate["checks"][0] |= {"failures": 1, "reasons": ["sm names no grid mapping variable"]}
    write_json(version / "gate.json", gate)
    words = ["release", "publish", str(version), "--workspace", str(workspace), "--quiet"]
    assert run([*words, "--dry-run"]) == 4
    text = capsys.readouterr().out
    assert f"{'grid_mapping':<20} failed" in text
    assert "sm names no grid mapping variable" in text
    assert "may not be published: the gate failed: grid_mapping" in text
    assert run(words) == 4
    assert latest(version) is None


def test_a_copy_is_complete_and_goes_on_after_a_stop(copied, tmp_path):
    _, _, version = copied
    target = tmp_path / "mirror"
    half = target / version.parent.name / version.name
    half.mkdir(parents=True)
    shutil.copy(version / "LICENSE", half / "LICENSE")
    publish(Folder(version), silent, to=str(target))
    assert verify(half, silent).damaged == []
    assert json.loads((half.parent / "latest.json").read_text())["version"] == "1.0.0"


def test_a_second_version_supersedes_the_first_and_withdrawal_goes_back(copied, worlds, tools):
    workspace, _, version = copied
    publish(Folder(version), silent)
    _, newer, _ = tools.make(worlds, workspace, product__version="2.0.0", build__minimum=0.05)
    assert "Gives values in" in (newer / "CHANGELOG.md").read_text()
    publish(Folder(newer), silent)
    assert latest(version) == "2.0.0"
    withdraw(Folder(newer), "the floor is wrong")
    assert latest(version) == "1.0.0"
    assert "the floor is wrong" in (version.parent / "KNOWN_ISSUES.md").read_text()
    entries = json.loads((version.parent / "versions.json").read_text())["versions"]
    assert [item["status"] for item in entries] == ["current", "withdrawn"]


SCORES = {"reference": "stations", "split": "P1", "signal": "raw", "scaling": "none", "method": "", "metric": "r",
          "stratum_kind": "all", "aggregate": "median", "subset": "common", "product": "vadose"}  # fmt: skip


def scored(folder, value):
    """A version folder with readable scores of its own product and of a rival."""
    rows = [{**SCORES, "value": value, "ci_low": value - 0.1, "ci_high": value + 0.1, "n": 9.0},
            {**SCORES, "product": "rival", "value": 0.1, "ci_low": 0.0, "ci_high": 0.2, "n": 9.0},
            {**SCORES, "metric": "bias", "value": 0.01, "ci_low": np.nan, "ci_high": np.nan, "n": 9.0}]  # fmt: skip
    pd.DataFrame(rows).to_parquet(folder / "quality/validation/scores.parquet")


def test_the_difference_of_two_versions_has_its_numbers(made, worlds, tools, tmp_path):
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    old = tmp_path / made[2].relative_to(made[0])
    _, newer, _ = tools.make(worlds, tmp_path, product__version="2.0.0", build__minimum=0.05)
    scored(old, 0.7)
    scored(newer, 0.8)
    found = difference(Folder(old), Folder(newer))
    assert found["days"] == 48
    assert 0 < found["values"]["mean_difference"] <= 0.0301
    assert found["headers"] == []
    assert list(found["regions"]) == ["60 N to 30 N"]
    assert found["regions"]["60 N to 30 N"]["values"] == found["values"]
    clipped = found["values_where_flagged"]["value_clipped_to_physical_range"]
    assert clipped["mean_difference"] > found["values"]["mean_difference"]
    assert [(row["metric"], row["old"]["value"], row["new"]["value"]) for row in found["scores"]] == [
        ("bias", 0.01, 0.01), ("r", 0.7, 0.8),
    ]  # fmt: skip
    assert "| stations | P1 | r | 0.7000 (0.6000 to 0.8000) | 0.8000 (0.7000 to 0.9000) |" in markdown(found)
    assert "stations" in plain(found)
    assert "|" not in plain(found)
    json.dumps(found, allow_nan=False)


def test_bands_of_latitude_hold_every_row_once():
    lat = np.arange(89.5, -90, -1)
    bands = dict(latitude_bands(lat))
    assert list(bands) == ["90 N to 60 N", "60 N to 30 N", "30 N to 0", "0 to 30 S", "30 S to 60 S", "60 S to 90 S"]
    assert np.concatenate([lat[rows] for rows in bands.values()]).tolist() == lat.tolist()


def test_a_withdrawn_granule_is_named_and_the_version_stands(copied):
    _, _, version = copied
    publish(Folder(version), silent)
    name = next(version.rglob("*20160110*.nc")).name
    withdraw(Folder(version), "wrong rain", granule=name)
    entry = json.loads((version.parent / "versions.json").read_text())["versions"][0]
    assert entry["withdrawn_granules"] == {name: "wrong rain"}
    assert latest(version) == "1.0.0"


@pytest.mark.parametrize("place", ["granule", "LICENSE", "manifest.json"])
def test_a_changed_byte_is_damage(copied, place):
    _, _, version = copied
    path = next(version.rglob("*20160110*.nc")) if place == "granule" else version / place
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    assert f"{path.relative_to(version)} has other bytes" in verify(version, silent).damaged


@pytest.mark.parametrize("text", ["[]", "{}", '{"files": 1}', '{"files": [{"status": "published"}]}'])
def test_another_json_is_not_a_manifest(copied, text):
    _, _, version = copied
    (version / "manifest.json").write_text(text)
    sums = (version / "SHA256SUMS").read_text().splitlines(keepends=True)
    kept = [line for line in sums if not line.endswith("  manifest.json\n")]
    (version / "SHA256SUMS").write_text("".join(kept))
    with pytest.raises(InputError, match="not the manifest of a release"):
        verify(version, silent)


def test_missing_and_extra_files_are_damage(copied):
    _, _, version = copied
    (version / "LICENSE").unlink()
    (version / "more.txt").write_text("x")
    assert verify(version, silent).damaged == ["LICENSE is missing", "more.txt is not listed"]


@pytest.mark.program
def test_a_signature_is_checked(copied, program, tmp_path):
    _, _, version = copied
    keygen = program("ssh-keygen", "openssh-client")
    key = tmp_path / "key"
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    publish(Folder(version), silent, key=key)
    signers = tmp_path / "allowed_signers"
    signers.write_text("vadose-release " + key.with_suffix(".pub").read_text())
    assert verify(version, silent, signers=signers).damaged == []
    other = tmp_path / "other"
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    signers.write_text("vadose-release " + other.with_suffix(".pub").read_text())
    assert "does not verify" in verify(version, silent, signers=signers).damaged[0]


def test_sums_are_those_of_sha256sum(made):
    _, _, version, _ = made
    subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=version, check=True)
