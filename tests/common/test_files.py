"""Files appear whole or not at all."""

import json
import os
from pathlib import Path

import pytest

from vadose.common import InputError, file_sha256, read_json, whole_directory, whole_file, write_json, write_text


def test_failed_write_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(RuntimeError), whole_file(target) as part:
        part.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_file_under_way_does_not_have_the_final_name(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with whole_file(target) as part:
        part.write_text("x")
        assert not target.exists()
    assert target.read_text() == "x"


def test_failed_directory_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "cube"
    with whole_directory(target) as part:
        write_text(part / "a", "1")
    with pytest.raises(RuntimeError), whole_directory(target) as part:
        write_text(part / "a", "2")
        raise RuntimeError
    assert (target / "a").read_text() == "1"
    with whole_directory(target) as part:
        write_text(part / "b", "3")
    assert [path.name for path in target.iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["cube"]


def test_unwritable_place_is_an_input_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"file/a\.txt"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_json_is_sorted_and_refuses_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": "ü"})
    assert (tmp_path / "a.json").read_text() == '{\n "a": "ü",\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "b.json", {"a": float("nan")})
    assert not (tmp_path / "b.json").exists()


def test_broken_json_is_an_input_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"a": 1})[:-1])
    with pytest.raises(InputError, match=r"not valid JSON.*a\.json"):
        read_json(tmp_path / "a.json")
    with pytest.raises(InputError, match="no file"):
        read_json(tmp_path / "b.json")


def test_sha256_of_the_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert file_sha256(tmp_path / "a") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_text_that_never_ends_is_refused_and_a_pipe_is_read(tmp_path: Path) -> None:
    (tmp_path / "endless.json").symlink_to("/dev/zero")
    with pytest.raises(InputError, match="more than 256 MiB of text"):
        read_json(tmp_path / "endless.json")
    reader, writer = os.pipe()
    os.write(writer, b'{"a": 1}')
    os.close(writer)
    assert read_json(Path(f"/dev/fd/{reader}")) == {"a": 1}
    os.close(reader)
