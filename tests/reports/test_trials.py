"""Counts of a trial on the page of speed: there where a file is, absent without one."""

import html
import json
import re
from pathlib import Path

import pytest

from vadose.common import InputError
from vadose.reports.committed import Skill
from vadose.reports.faults import trials
from vadose.reports.output import Output
from vadose.reports.results import speed_page


def test_counts_of_a_trial_stand_on_the_page_with_their_command(built, small) -> None:
    page = html.unescape((built.site / "speed" / "index.html").read_text(encoding="utf-8"))
    words = re.sub(r"<[^>]+>", "|", page)
    for said in ("Broken on purpose", "python trial.py", "Build, killed|1 200", "Train|50", "exit 3: named as corrupt"):
        assert said.replace("|", "") in words.replace("|", ""), said
    assert json.loads((built.site / "data/faults/first_trial.json").read_text()) == small.FAULTS
    assert re.search(r"Granule</th><td[^>]*>10</td><td[^>]*>0</td><td[^>]*>90</td><td[^>]*>100</td>", page)


def test_without_a_file_there_is_no_section(tmp_path: Path) -> None:
    assert trials(tmp_path, Output()) == []
    assert speed_page({"results": []}).values["trials"] == ()


@pytest.mark.parametrize("content", ["[]", '{"date": "2026-01-15"}'])
def test_counts_without_command_or_date_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults" / "a.json").write_text(content)
    with pytest.raises(InputError, match="no command"):
        trials(tmp_path, Output())


def test_results_without_densities_draw_none(tmp_path: Path) -> None:
    assert Skill(tmp_path).density is None
