"""Which software this is: version and commit."""

from __future__ import annotations

import functools
import importlib.metadata
import subprocess
from dataclasses import dataclass
from pathlib import Path

UNKNOWN_COMMIT = "0" * 40


@dataclass(frozen=True)
class Software:
    """Version of the package, and the commit of the checkout that it runs from (zeros if there is none)."""

    version: str
    commit: str


@functools.cache
def software() -> Software:
    """Version and commit of the running software."""
    return Software(importlib.metadata.version("vadose"), _commit(Path(__file__).resolve().parents[3]))


def _commit(root: Path) -> str:
    if not (root / "pyproject.toml").is_file():
        return UNKNOWN_COMMIT
    try:
        answer = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN_COMMIT
    return answer.stdout.strip()
