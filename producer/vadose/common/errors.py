"""Errors that a user can cause, each with the exit code of the program."""

from __future__ import annotations

from typing import ClassVar


class VadoseError(Exception):
    """An error with a readable message in four parts.

    Parameters
    ----------
    what
        What is wrong, with the value that was got and the one expected.
    where
        File, variable, day, station: as much as is known.
    why
        The reason, if it is known and not already said.
    next
        The command or change that mends it.
    """

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "unexpected"

    def __init__(self, what: str, *, where: str = "", why: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.next = next

    def __str__(self) -> str:
        """All known parts on one line, for logs and tests."""
        parts = [self.what, *(f"{name}: {value}" for name, value in self.parts() if name != "what")]
        return "; ".join(parts)

    def text(self) -> str:
        """All known parts, a line each, as the program prints them."""
        head = f"error: {self.kind} (exit {self.exit_code})"
        return "\n".join([head, *(f"  {name:<6} {value}" for name, value in self.parts())])

    def parts(self) -> list[tuple[str, str]]:
        """The parts that are known, in the order in which they are printed."""
        known = (("what", self.what), ("where", self.where), ("why", self.why), ("next", self.next))
        return [(name, value) for name, value in known if value]


class UsageError(VadoseError):
    """Wrong usage or configuration (exit 2)."""

    exit_code = 2
    kind = "usage or configuration"


class InputError(VadoseError):
    """An input is missing or corrupt, or an output cannot be written (exit 3)."""

    exit_code = 3
    kind = "input missing or corrupt"


class GateError(VadoseError):
    """A gate failed, or something published would be changed (exit 4)."""

    exit_code = 4
    kind = "gate failed"


class PartialError(VadoseError):
    """Part of the work was done; what was not is listed (exit 5)."""

    exit_code = 5
    kind = "partial"


# What the NetCDF, HDF5 and Zarr libraries raise for a damaged file; which of them depends on where the damage is.
UNREADABLE: tuple[type[Exception], ...] = (
    OSError, RuntimeError, ValueError, KeyError, IndexError, AttributeError, TypeError,
)  # fmt: skip
