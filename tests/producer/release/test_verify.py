"""`vadose verify`: several files at once, on from where a stop left it, and every damaged file by its name."""

import threading

import pytest

from vadose.cli.main import run
from vadose.common import silent
from vadose.producer.release import verify as verifying
from vadose.producer.release.verify import Verified, check_sums


def damage(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 16
    path.write_bytes(raw)


def test_every_damaged_missing_and_strange_file_is_named(copied, capsys):
    _, _, version = copied
    granules = sorted(version.rglob("*-DAILY-*.nc"))[:3]
    for path in granules:
        damage(path)
    (version / "LICENSE").unlink()
    (version / "stranger.txt").write_text("")
    assert run(["verify", str(version), "--quiet"]) == 3
    error = capsys.readouterr().err
    for name in (*(str(path.relative_to(version)) for path in granules), "LICENSE is missing", "stranger.txt is not"):
        assert name in error
    assert "Traceback" not in error


def test_of_many_damaged_files_the_first_fifty_are_named_and_the_rest_counted(copied, capsys):
    _, _, version = copied
    damaged = sorted([*version.rglob("*-DAILY-*.nc"), *version.rglob("*.png"), *version.glob("stac/*")])
    for path in damaged:
        damage(path)
    assert run(["verify", str(version), "--quiet"]) == 3
    error = capsys.readouterr().err
    assert error.count("has other bytes") + int(error.partition("  and ")[2].split()[0]) >= len(damaged) > 50


def test_several_files_are_read_at_once():
    together = threading.Barrier(4)

    def sha256(name):
        # Ends only when four are here at the same time.
        together.wait(timeout=30)
        return name

    result = Verified()
    check_sums(sha256, {str(k): str(k) for k in range(8)}, result, silent, threads=4)
    assert result.damaged == []


def test_the_program_goes_on_from_its_journal(copied, tmp_path, monkeypatch):
    _, _, version = copied
    journal, read = tmp_path / "journal", []
    real = verifying.local_sha256

    def stops(place):
        if len(read) == 10:
            raise KeyboardInterrupt
        read.append(place)
        return real(place)

    monkeypatch.setattr(verifying, "local_sha256", stops)
    with pytest.raises(KeyboardInterrupt):
        verifying.verify(version, silent, journal=journal)
    kept = verifying.remembered(journal)
    assert 0 < len(kept) <= 10
    read.clear()
    monkeypatch.setattr(verifying, "local_sha256", lambda place: read.append(place) or real(place))
    assert run(["verify", str(version), "--journal", str(journal), "--quiet"]) == 0
    assert {str(path.relative_to(version)) for path in read} == set(verifying.read_sums(version / "SHA256SUMS")) - set(
        kept
    )


@pytest.mark.parametrize("name", ["SHA256SUMS", "manifest.json", "gate.json"])
@pytest.mark.parametrize("target", ["/dev/zero", "..", "nowhere"])
def test_a_link_in_the_place_of_a_file_about_the_version_is_no_file(copied, capsys, name, target):
    _, _, version = copied
    (version / name).unlink()
    (version / name).symlink_to(target)
    assert run(["verify", str(version), "--quiet"]) == (0 if name == "gate.json" else 3)
    assert "Traceback" not in capsys.readouterr().err
