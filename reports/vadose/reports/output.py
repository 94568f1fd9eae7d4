"""The generated folder: collected in memory, then only what changed is written and what is gone is removed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vadose.common import whole_file


class Output:
    """Files by their path below the folder of the generated documents."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def add(self, path: str, content: bytes | str) -> None:
        """One file; a second one of the same path is a fault of the pages."""
        if path in self.files:
            raise AssertionError(f"{path} is generated twice")
        self.files[path] = content.encode() if isinstance(content, str) else content

    def add_json(self, path: str, value: Any) -> None:
        """Compact JSON; NaN is refused."""
        self.add(path, json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")

    def add_csv(self, path: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A CSV file with one line of heads; numbers in their shortest exact form."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(rows)
        self.add(path, stream.getvalue())

    def write(self, folder: Path) -> tuple[int, int]:
        """Bring `folder` to exactly these files; returns how many were written and removed."""
        written = sum(write_if_changed(folder / path, content) for path, content in sorted(self.files.items()))
        removed = 0
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(folder).as_posix() not in self.files:
                path.unlink()
                removed += 1
        return written, removed


def write_if_changed(path: Path, content: bytes) -> bool:
    """Write a whole file unless it holds these bytes already; says whether it was written."""
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return False
    with whole_file(path) as part:
        part.write_bytes(content)
    return True


def columns(frame: Mapping[str, Sequence[Any]]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Heads and rows of a table given by columns."""
    return list(frame), list(zip(*frame.values(), strict=True))
