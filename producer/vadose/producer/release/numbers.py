"""Version numbers of data: which part a change must raise."""

from __future__ import annotations

from typing import Literal

from vadose.common import UsageError
from vadose.producer.release.folder import order

Kind = Literal["MAJOR", "MINOR", "PATCH"]


def kind_of(old: str, new: str) -> Kind:
    """Which part of the number `new` raises over `old`; a number that is not above it is a `UsageError`.

    >>> kind_of("1.2.3", "1.3.0")
    'MINOR'
    """
    before, after = order(old), order(new)
    if after <= before:
        raise UsageError(
            f"version {new} is not above {old}, which is published",
            next=f"write {' or '.join(successor(old, kind) for kind in ('MAJOR', 'MINOR', 'PATCH'))} into the recipe",
        )
    if after[0] > before[0]:
        return "MAJOR"
    return "MINOR" if after[1] > before[1] else "PATCH"


def successor(old: str, kind: str) -> str:
    """The next number of a kind.

    >>> successor("1.2.3", "MINOR")
    '1.3.0'
    """
    major, minor, patch = order(old)
    found = {"MAJOR": (major + 1, 0, 0), "MINOR": (major, minor + 1, 0), "PATCH": (major, minor, patch + 1)}
    return ".".join(str(number) for number in found[kind])
