"""Progress on stderr: a bar on a terminal, plain lines elsewhere, or one JSON event a line."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TextIO, TypeVar

Mode = Literal["auto", "bar", "plain", "json", "none"]
Item = TypeVar("Item")

Advance = Callable[[int, str], object]

PLAIN_INTERVAL_S = 5.0


@dataclass(frozen=True)
class Progress:
    """Reports named steps; `mode` auto means a bar on a terminal and plain lines elsewhere."""

    mode: Mode = "auto"

    def say(self, text: str) -> None:
        """One line of log."""
        mode = self._resolved()
        if mode == "none":
            return
        stream = sys.stderr
        stream.write((json.dumps({"event": "log", "text": text}) if mode == "json" else text) + "\n")
        stream.flush()

    def track(self, items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
        """Yield the items and report how far it is."""
        count = total if total is not None else len(items)  # type: ignore[arg-type]
        with self.step(label, count) as step:
            for item in items:
                yield item
                step.advance()

    @contextlib.contextmanager
    def step(self, label: str, total: int) -> Iterator[Step]:
        """A named step of `total` units; call `advance` on what it yields."""
        mode = self._resolved()
        if mode == "bar":
            with _board.bar(label, total) as advance:
                yield Step(label, total, advance)
            return
        lines = _Lines(label, total, mode, sys.stderr)
        lines.write(force=True)
        try:
            yield Step(label, total, lines.advance)
        finally:
            lines.write(force=True)

    def _resolved(self) -> Mode:
        if self.mode != "auto":
            return self.mode
        return "bar" if sys.stderr.isatty() else "plain"


class Step:
    """One step under way."""

    def __init__(self, label: str, total: int, advance: Advance) -> None:
        self.label = label
        self.total = total
        self._advance = advance

    def advance(self, units: int = 1, note: str = "") -> None:
        """`units` more are done; `note` is shown beside the label."""
        self._advance(units, note)


class _Board:
    """The one display of a terminal: nested steps and steps of several threads are lines of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bars: Any = None
        self._shown = 0

    @contextlib.contextmanager
    def bar(self, label: str, total: int) -> Iterator[Advance]:
        with self._lock:
            if self._shown == 0:
                self._bars = self._new()
                self._bars.start()
            self._shown += 1
            bars, task = self._bars, self._bars.add_task(label, total=total)
        try:
            yield lambda units, note: bars.update(task, advance=units, description=f"{label} {note}".strip())
        finally:
            with self._lock:
                self._shown -= 1
                if self._shown == 0:
                    self._bars.stop()

    @staticmethod
    def _new() -> Any:
        # Imported when a bar is drawn: `vadose --help` never needs it.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Bars(*columns, console=Console(stderr=True))


_board = _Board()


class _Lines:
    def __init__(self, label: str, total: int, mode: Mode, stream: TextIO) -> None:
        self.label, self.total, self.mode, self.stream = label, total, mode, stream
        self.done = 0
        self.note = ""
        self.started = self.written = time.monotonic()

    def advance(self, units: int, note: str) -> None:
        self.done += units
        self.note = note
        self.write(force=False)

    def write(self, force: bool) -> None:
        now = time.monotonic()
        if self.mode == "none" or (not force and now - self.written < PLAIN_INTERVAL_S):
            return
        self.written = now
        if self.mode == "json":
            event = {"event": "progress", "step": self.label, "done": self.done, "total": self.total, "note": self.note}
            self.stream.write(json.dumps(event) + "\n")
        else:
            self.stream.write(f"{self.label}: {self.done}/{self.total} {self.note} ({now - self.started:.0f} s)\n")
        self.stream.flush()


silent = Progress("none")
