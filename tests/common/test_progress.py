"""Progress says what is done, on stderr only."""

import json

import pytest

from vadose.common import Progress


def test_json_progress_is_one_event_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(Progress("json").track([1, 2, 3], "days")) == [1, 2, 3]
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in err.splitlines()]
    assert out == ""
    assert events[-1] == {"event": "progress", "step": "days", "done": 3, "total": 3, "note": ""}


def test_quiet_progress_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("none")
    progress.say("hello")
    assert list(progress.track(range(2), "days")) == [0, 1]
    assert capsys.readouterr() == ("", "")


def test_bar_counts_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(Progress("bar").track(range(4), "days")) == [0, 1, 2, 3]
    assert "days" in capsys.readouterr().err


def test_nested_steps_share_one_display(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("bar")
    with progress.step("outer", 2) as outer, progress.step("inner", 3) as inner:
        inner.advance(3)
        outer.advance(2, "done")
    err = capsys.readouterr().err
    assert "inner" in err
    assert "outer done" in err
