"""What a build does with each period: write, link or compare, and what the new number lets change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from vadose.common import GateError, UsageError
from vadose.producer.build.base import Base
from vadose.producer.build.slabs import Days
from vadose.producer.granules import Identity, granule_header, granule_name, read_granule
from vadose.producer.granules.periods import as_date, product_periods
from vadose.producer.granules.writer import template
from vadose.producer.recipe import Recipe
from vadose.producer.release.differences import header_changes
from vadose.producer.release.numbers import Kind, kind_of, successor

Action = Literal["write", "link", "compare"]


@dataclass(frozen=True)
class Plan:
    """What a build does with each period, given the version that it goes on from.

    Attributes
    ----------
    base
        The earlier version; without one every period is written.
    recipe, origin
        The new version.
    signatures
        Of its periods.
    """

    recipe: Recipe
    origin: Identity
    base: Base | None
    signatures: Mapping[str, str]

    @cached_property
    def kind(self) -> Kind:
        """What the number says of the change."""
        return "MAJOR" if self.base is None else kind_of(self.base.version, self.recipe.product.version)

    @cached_property
    def rewritten(self) -> bool:
        """Whether all granules are written again under new names."""
        return self.base is None or self.kind == "MAJOR" or bool(self._header[0])

    @cached_property
    def _header(self) -> tuple[list[str], list[str]]:
        """What the header gains, and what else changes in it."""
        if self.base is None or not self.base.granules:
            return [], []
        first = next(iter(self.base.granules))
        old = read_granule(self.base.path(first), values=False)
        image = template(granule_header(self.recipe, self.origin, first))
        return header_changes(old, read_granule(Path("header.nc"), values=False, image=image))

    def action(self, first: np.datetime64) -> Action:
        """What is done with a period: written, linked, or predicted and compared with the published values."""
        if self.base is None or self.kind == "MAJOR" or first not in self.base.granules or self.repair(first):
            return "write"
        if self.frozen(first):
            return "link"
        same = self.signatures.get(str(first)) == self.base.signatures.get(str(first), "")
        return "compare" if self.rewritten or not same else "link"

    def frozen(self, first: np.datetime64) -> bool:
        """Whether the period belongs to a CDR that this version only passes on."""
        return self.recipe.product.stream_of(as_date(first)) != self.recipe.product.stream

    def repair(self, first: np.datetime64) -> str | None:
        """Why the published granule of a period is replaced, if it is."""
        if self.base is None or self.kind == "MAJOR":
            return None
        if first in self.base.withdrawn and first not in self.base.granules:
            return str(self.base.withdrawn[first]["reason"])
        return next((repair.reason for repair in self.recipe.repairs if repair.holds(as_date(first))), None)

    def check(self, wanted: Days) -> None:
        """Refuse a number that the change of periods and header does not allow; values are compared as they come."""
        base = self.base
        if base is None:
            self._check_alone(wanted)
            return
        if self.recipe.repairs and self.kind != "PATCH":
            raise UsageError(
                f"the recipe lists repairs, which make a PATCH, and {self.recipe.product.version} is a {self.kind}",
                next=f"take them out, or write {successor(base.version, 'PATCH')} into the recipe",
            )
        if self.kind == "MAJOR":
            self._check_alone(wanted)
            return
        record = product_periods(self.recipe.product)
        self._check_header(base)
        self._check_days(base, record)
        if self.kind == "PATCH" and not any(self.repair(first) for first in record):
            raise UsageError(
                "a PATCH replaces defective granules, and none is listed or withdrawn",
                next=f"list days and reasons under repairs, or write {successor(base.version, 'MINOR')}",
            )

    def _check_alone(self, wanted: Days) -> None:
        frozen = [first for first in wanted if self.frozen(first)]
        if frozen:
            raise UsageError(
                f"{frozen[0]} is of the CDR, whose granules a build in stream {self.recipe.product.stream} takes over",
                next="build and publish the CDR, then the ICDR with --previous and the next MINOR number",
            )

    def _check_header(self, base: Base) -> None:
        added, changed = self._header
        if changed:
            self._refuse(base, "MAJOR", f"the header changes: {changed[0]}{_more(changed)}")
        if added and self.kind == "PATCH":
            self._refuse(base, "MINOR", f"the header grows: {added[0]}{_more(added)}")
        if added and self.recipe.product.icdr_from is not None:
            self._refuse(base, "MAJOR", f"the header grows: {added[0]}{_more(added)}; those of the CDR are frozen")

    def _check_days(self, base: Base, record: Days) -> None:
        published = np.array(sorted([*base.granules, *base.withdrawn]), "datetime64[D]")
        gone = np.setdiff1d(published, record)
        if gone.size:
            self._refuse(base, "MAJOR", f"{gone.size} published days are no longer in the record, the first {gone[0]}")
        new = np.setdiff1d(record, published)
        if new.size and self.kind == "PATCH":
            self._refuse(base, "MINOR", f"{new.size} days are added, the first {new[0]}")
        for first in record:
            expected = self.recipe.product.stream_of(as_date(first))
            there = base.granules.get(first)
            if there is not None and there["stream"] != expected:
                self._refuse(base, "MAJOR", f"{first} is published in stream {there['stream']}, now it is {expected}")
            if there is None and self.frozen(first):
                raise UsageError(
                    f"{first} is of the CDR and not in version {base.version}",
                    where=str(base.folder.path),
                    next="let product.days begin with the CDR, and icdr_from after its end",
                )

    def refuse_values(self, changed: Days) -> None:
        """Refuse published days whose values would change."""
        assert self.base is not None, "only a build with an earlier version compares"
        patch = successor(self.base.version, "PATCH")
        self._refuse(
            self.base, "MAJOR", f"the values of {changed.size} published days would change, the first {changed[0]}",
            f"; or list those that are defective under repairs and write {patch}",
        )  # fmt: skip

    def _refuse(self, base: Base, needed: Kind, what: str, other: str = "") -> None:
        version = self.recipe.product.version
        raise GateError(
            f"{version} is the number of a {self.kind}, but {what}", where=str(base.folder.path),
            why=f"version {base.version} is published; this change is a {needed}",
            next=f"write {successor(base.version, needed)} into the recipe{other}",
        )  # fmt: skip

    def target(self, first: np.datetime64, *, linked: bool) -> PurePosixPath:
        """Place of a period's granule inside the version folder."""
        if linked and self.base is not None:
            return PurePosixPath(str(self.base.granules[first]["path"]))
        return granule_name(self.recipe.product, first).path


def _more(lines: list[str]) -> str:
    return f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
