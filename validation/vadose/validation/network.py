"""How stations are averaged: their clusters, their classes, and bootstrap weights that all metrics share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from vadose.statistics.aggregates import REPLICATES, resampled_weights

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

# Draws are kept up to this size: all metrics and products of equal samples share them.
_KEPT_BYTES = 256 * 2**20
# Above this many series fewer replicates are drawn: their averages hardly vary.
_MANY = 20_000
_REPLICATES_OF_MANY = 100


@dataclass(frozen=True)
class Network:
    """Stations of one reference.

    Attributes
    ----------
    clusters
        Number of the cluster of each station, (station,).
    groups
        Classes of stations that form strata: kind, name, members (station,).
    equal_stations
        Whether every station weighs the same, as cells of a map do, or every cluster.
    seed
        Seed of the bootstrap.
    """

    clusters: Integers
    groups: tuple[tuple[str, str, Booleans], ...]
    equal_stations: bool = False
    seed: int = 0
    _draws: dict[bytes, Floats] = field(default_factory=dict, repr=False)

    @property
    def crowded(self) -> Booleans:
        """Stations that share their cluster with another, (station,); cells of a map never count."""
        return np.asarray(np.bincount(self.clusters)[self.clusters] > 1) & (not self.equal_stations)

    def raw(self, valid: Booleans) -> Floats:
        """Weights before they are made to sum to 1: 1, or 1 over the valid members of the cluster; 0 where not valid.

        With `equal_stations` they do not depend on the other stations, so that blocks of stations can be added.
        """
        if self.equal_stations:
            return valid.astype(float)
        _, inverse = np.unique(self.clusters, return_inverse=True)
        members = np.bincount(inverse, weights=valid)[inverse]
        return np.where(valid, 1.0 / np.maximum(members, 1.0), 0.0)

    def weights(self, valid: Booleans) -> Floats:
        """Weights that sum to 1, (station,); all 0 where nothing is valid."""
        raw = self.raw(valid)
        total = float(raw.sum())
        return raw / total if total > 0 else raw

    def rows(self, chosen: slice) -> Network:
        """Some of the stations, with draws of their own."""
        groups = tuple((kind, name, members[chosen]) for kind, name, members in self.groups)
        return replace(self, clusters=self.clusters[chosen], groups=groups, _draws={})

    def draws(self, valid: Booleans) -> Floats:
        """Bootstrap weights of the valid stations, (replicates, valid stations), drawn once for equal samples."""
        key = np.packbits(valid).tobytes()
        found = self._draws.get(key)
        if found is None:
            if sum(one.nbytes for one in self._draws.values()) > _KEPT_BYTES:
                self._draws.clear()
            weights = self.weights(valid)[valid]
            count = _REPLICATES_OF_MANY if weights.size > _MANY else REPLICATES
            found = resampled_weights(self.clusters[valid], weights, self.seed, count)
            self._draws[key] = found
        return found

    def count(self, valid: Booleans) -> int:
        """Clusters with a valid station."""
        return int(np.unique(self.clusters[valid]).size)
