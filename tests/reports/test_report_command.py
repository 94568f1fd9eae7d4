"""`vadose report` through the program."""

import json

import pytest

from vadose.cli.main import run


def test_report_builds_the_site(small, tmp_path, capsys) -> None:
    small.write_workspace(tmp_path)
    assert run(["report", "--build", "--workspace", str(tmp_path), "--quiet"]) == 0
    assert "pages in" in capsys.readouterr().out
    assert (tmp_path / "build" / "site" / "demo-0p25deg" / "v1.0.0" / "index.html").is_file()
    assert run(["report", "--csp", "--workspace", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("Content-Security-Policy: default-src 'self'")


def test_report_as_json_is_one_object(small, tmp_path, capsys) -> None:
    small.write_workspace(tmp_path)
    assert run(["report", "demo-0p25deg/v1.0.0", "--json", "--workspace", str(tmp_path), "--quiet"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert result["pages"] > 8
    assert result["removed"] == 0


def test_a_dry_run_writes_nothing(small, tmp_path, capsys) -> None:
    small.write_workspace(tmp_path)
    assert run(["report", "--dry-run", "--workspace", str(tmp_path)]) == 0
    assert "demo-0p25deg/v1.1.0" in capsys.readouterr().out
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(("words", "code"), [(["nothing"], 2), (["--csp"], 3)])
def test_what_is_missing_has_its_exit_code(tmp_path, capsys, words: list[str], code: int) -> None:
    assert run(["report", *words, "--workspace", str(tmp_path), "--quiet"]) == code
    assert "next" in capsys.readouterr().err or code == 2
