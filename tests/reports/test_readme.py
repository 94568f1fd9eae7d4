"""The README's table is the committed result, and its commands are commands of the program."""

import re
from pathlib import Path

import pytest

from vadose.cli.main import VERBS, run

README = Path(__file__).parents[2] / "README.md"


def test_skill_table_of_the_readme_is_what_the_program_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", "--readme", "--workspace", str(tmp_path), "--quiet"]) == 0
    shown = (
        README.read_text().partition("<!-- skill table: vadose report --readme -->\n")[2].partition("<!-- end -->")[0]
    )
    assert shown.strip() == capsys.readouterr().out.strip()


def test_every_verb_of_the_readme_exists() -> None:
    verbs = set(re.findall(r"(?:^|`)vadose ([a-z]+)", README.read_text(), flags=re.M))
    assert verbs
    assert verbs <= set(VERBS)


def test_every_local_link_and_picture_of_the_readme_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []
