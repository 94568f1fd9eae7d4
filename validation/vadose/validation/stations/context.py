"""What a reader knows beside its file: the licence stated, the files around it, and what the user asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vadose.validation.stations.sensor import DEFAULT_RULES, Rules
from vadose.validation.stations.sources import Member, Terms


@dataclass(frozen=True)
class Context:
    """Surroundings of a file.

    Attributes
    ----------
    stated
        Licences that cards state, by folder.
    folders
        Files by folder.
    accept_unflagged
        Take the ISMN flag U (not checked).
    rules
        Period and completeness of a day.
    """

    stated: Mapping[str, Terms] = field(default_factory=dict)
    folders: Mapping[str, Sequence[Member]] = field(default_factory=dict)
    accept_unflagged: bool = False
    rules: Rules = DEFAULT_RULES

    def folder(self, member: Member) -> Sequence[Member]:
        """All files in the folder of a file, itself included."""
        return self.folders.get(member.folder, ())

    def terms(self, member: Member, network: Terms) -> Terms:
        """The licence of the nearest card above a file; without one, that of its network."""
        folder = member.folder
        while folder:
            if folder in self.stated:
                return self.stated[folder]
            folder = folder.rpartition("/")[0]
        return network


def by_folder(members: Sequence[Member]) -> dict[str, list[Member]]:
    """Files grouped by folder."""
    out: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        out[member.folder].append(member)
    return dict(out)
