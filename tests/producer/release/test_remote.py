"""Series out of a release over HTTP: the values of the local one, with few bytes, and readable errors."""

import hashlib
import json
import shutil
import zlib

import fsspec
import numpy as np
import pytest

from vadose.cli.main import run
from vadose.common import InputError, silent
from vadose.producer.release import fetching
from vadose.producer.release import verify as verifying
from vadose.producer.release.folder import Folder
from vadose.producer.release.references import decoded_chunk
from vadose.producer.release.remote import RemoteRelease
from vadose.producer.release.series import LocalRelease, points, read_series

PLACES = points([49.9, 47.1, 46.3], [-54.9, -52.2, -50.1])
SPAN = np.datetime64("2015-12-30"), np.datetime64("2016-01-05")


def same(one, other):
    assert np.array_equal(one.days, other.days)
    for name in ("sm", "sm_uncertainty", "flag", "cell_lat", "cell_lon"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.fixture(scope="module")
def local(made):
    return read_series(LocalRelease(Folder(made[2])), PLACES, *SPAN, silent)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_release_over_http_gives_the_values_of_the_local_one(made, local, ranges, served):
    with served(made[2].parents[1], ranges=ranges) as (_, url):
        same(read_series(RemoteRelease(url), PLACES, *SPAN, silent, threads=8), local)
    assert np.isfinite(local.sm).any()


def test_only_chunks_of_the_granules_are_read(made, local, served):
    with served(made[2].parents[1]) as (server, url):
        read_series(RemoteRelease(url), PLACES, *SPAN, silent, threads=8)
    granules = [part for path, part in server.asked if "DAILY" in path]
    assert len(granules) == 7 * 3
    assert all(granules)
    whole = [path.rpartition("/")[2] for path, part in server.asked if part is None]
    assert sorted(whole) == ["2015.json", "2016.json", "manifest.json", "recipe.yaml"]


def test_a_server_that_fails_for_a_moment_is_asked_again(made, local, monkeypatch, served):
    monkeypatch.setattr(fetching, "WAITS_S", (0.0, 0.0))
    with served(made[2].parents[1], failures=2) as (_, url):
        same(read_series(RemoteRelease(url), PLACES, *SPAN, silent), local)
    with served(made[2].parents[1], failures=9) as (_, url), pytest.raises(InputError, match="HTTP 503"):
        read_series(RemoteRelease(url), PLACES, *SPAN, silent)


@pytest.mark.parametrize("changed", [lambda raw: raw[:-9], lambda raw: bytes(len(raw)), lambda raw: raw[::-1]])
def test_a_damaged_chunk_is_an_error_and_no_value(made, changed, monkeypatch, served):
    monkeypatch.setattr(fetching, "WAITS_S", ())
    with served(made[2].parents[1], changed=changed) as (_, url), pytest.raises(InputError):
        read_series(RemoteRelease(url), PLACES, *SPAN, silent)


def test_references_of_other_bytes_than_the_manifest_says_are_refused(copied, served):
    _, _, version = copied
    place = version / "refs" / "2016.json"
    place.write_text(place.read_text() + " ")
    with served(version.parents[1]) as (_, url), pytest.raises(InputError, match=r"refs/2016.json has other bytes"):
        read_series(RemoteRelease(url), PLACES, *SPAN, silent)


def test_a_chunk_that_unpacks_to_more_than_its_shape_is_refused():
    array = {"dtype": "<f4", "chunks": [1, 4, 4], "compressor": {"id": "zlib"}, "filters": None}
    right = decoded_chunk(array, zlib.compress(np.ones((1, 4, 4), "<f4").tobytes()))
    assert right.shape == (1, 4, 4)
    with pytest.raises(ValueError, match="does not end"):
        decoded_chunk(array, zlib.compress(bytes(10**7)))
    with pytest.raises(ValueError, match="16 bytes instead of 64"):
        decoded_chunk(array, zlib.compress(bytes(16)))


def test_any_store_of_fsspec_serves(made, local):
    store = fsspec.filesystem("memory")
    store.put(str(made[2]), "/mirror/demosmall-0p25deg/v1.0.0", recursive=True)
    same(read_series(RemoteRelease("memory://mirror/demosmall-0p25deg/v1.0.0"), PLACES, *SPAN, silent), local)


def test_the_program_extracts_from_a_url(made, tmp_path, capsys, served):
    words = ["--lat", "47.1", "--lon", "-52.2", "--from", "2016-01-01", "--to", "2016-01-03", "--quiet"]
    assert run(["extract", str(made[2]), *words]) == 0
    expected = capsys.readouterr().out
    with served(made[2].parents[1]) as (_, url):
        assert run(["extract", url, *words]) == 0
        assert capsys.readouterr().out == expected
        assert run(["extract", url, *words, "--format", "netcdf", "--out", str(tmp_path / "a.nc")]) == 0
    assert (tmp_path / "a.nc").is_file()


@pytest.mark.parametrize(("name", "message"), [("v9.9.9", "HTTP 404"), ("v1.0.0/stac", "HTTP 404")])
def test_a_wrong_address_ends_with_exit_3(made, capsys, name, message, served):
    with served(made[2].parents[1]) as (_, url):
        assert run(["extract", url.replace("v1.0.0", name), "--lat", "47", "--lon", "-52", "--quiet"]) == 3
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_another_document_than_a_manifest_is_named(tmp_path, served):
    folder = tmp_path / "demosmall-0p25deg" / "v1.0.0"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps([1]))
    with served(tmp_path) as (_, url), pytest.raises(InputError, match="not the manifest"):
        RemoteRelease(url)
    shutil.rmtree(folder)


def test_a_release_at_a_url_is_verified_file_by_file(copied, capsys, monkeypatch, served):
    monkeypatch.setattr(fetching, "WAITS_S", ())
    monkeypatch.setattr(verifying, "PART_BYTES", 20_000)
    _, _, version = copied
    with served(version.parents[1]) as (_, url):
        assert run(["verify", url, "--quiet"]) == 0
        assert "files are whole" in capsys.readouterr().out
        granule = next(version.rglob("*20160110*.nc"))
        raw = bytearray(granule.read_bytes())
        raw[len(raw) // 2] ^= 1
        granule.write_bytes(raw)
        (version / "LICENSE").unlink()
        found = verifying.verify_url(url, silent).damaged
        assert sorted(found) == [f"{granule.relative_to(version)} has other bytes", "LICENSE is missing"]
        assert run(["verify", url, "--quiet"]) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_a_manifest_or_sums_that_disagree_at_a_url_are_damage(copied, served):
    _, _, version = copied
    sums = version / "SHA256SUMS"
    lines = sums.read_text().splitlines(keepends=True)
    sums.write_text("".join(line for line in lines if not line.endswith("  LICENSE\n")))
    with served(version.parents[1]) as (_, url):
        assert verifying.verify_url(url, silent).damaged == ["LICENSE differs between manifest and SHA256SUMS"]
        (version / "manifest.json").write_text((version / "manifest.json").read_text() + " ")
        assert verifying.verify_url(url, silent).damaged == ["manifest.json has other bytes"]


def test_a_second_run_with_a_journal_reads_only_what_is_left(made, tmp_path, served):
    journal = tmp_path / "journal"
    with served(made[2].parents[1], ranges=False) as (server, url):
        assert verifying.verify_url(url, silent, journal=journal).damaged == []
        kept = journal.read_text().splitlines(keepends=True)
        # A stop after ten files, in the middle of a line.
        journal.write_text("".join(kept[:10]) + kept[10][:50])
        server.asked.clear()
        assert verifying.verify_url(url, silent, journal=journal).damaged == []
    assert len(server.asked) == 2 + len(kept) - 10
    assert verifying.remembered(journal).items() >= {line[66:-1]: line[:64] for line in kept}.items()


def test_a_journal_of_a_copy_does_not_hide_other_bytes_of_another_manifest(copied, tmp_path):
    _, _, version = copied
    journal = tmp_path / "journal"
    assert verifying.verify(version, silent, headers=False, journal=journal).damaged == []
    sums = (version / "SHA256SUMS").read_text()
    old = hashlib.sha256((version / "LICENSE").read_bytes()).hexdigest()
    (version / "SHA256SUMS").write_text(sums.replace(old, "0" * 64))
    assert "LICENSE has other bytes" in verifying.verify(version, silent, headers=False, journal=journal).damaged


def test_a_connection_that_fails_is_no_damage_and_the_next_run_goes_on(made, tmp_path, monkeypatch, served):
    monkeypatch.setattr(fetching, "WAITS_S", ())
    monkeypatch.setattr(verifying, "PART_BYTES", 20_000)
    journal = tmp_path / "journal"
    with served(made[2].parents[1], failures=1) as (_, url):
        with pytest.raises(InputError, match="HTTP 503"):
            verifying.verify_url(url, silent, journal=journal)
        assert verifying.verify_url(url, silent, journal=journal).damaged == []
