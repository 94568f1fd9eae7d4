"""Names and depth classes of stations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

import numpy as np

from vadose.validation.stations.sensor import COSMIC_RAY, SHALLOW_DEPTH_M, SURFACE_DEPTH_M, Site

# Readings of one depth written as 0.05, 0.0508 or 0.055 differ by less than the rounding of files.
_ROUNDING_M = 1e-6


def depth_class(depth_from: float, depth_to: float, footprint_kind: str = "point") -> str:
    """`surface` to 0.055 m, `shallow` to 0.105 m, else `deep`, by the lower bound; neutron probes are a class alone."""
    if footprint_kind == COSMIC_RAY:
        return COSMIC_RAY
    if not np.isfinite(depth_to):
        return "unknown"
    if depth_to <= SURFACE_DEPTH_M + _ROUNDING_M:
        return "surface"
    return "shallow" if depth_to <= SHALLOW_DEPTH_M + _ROUNDING_M else "deep"


def class_of(site: Site) -> str:
    """The depth class of a site; `root_zone` where it is made of several depths down to 1 m."""
    if site.site_class == ROOT_ZONE:
        return ROOT_ZONE
    return depth_class(site.depth_from, site.depth_to, site.footprint_kind)


ROOT_ZONE = "root_zone"


def station_id(site: Site) -> str:
    """`network/station/depth/sensor`, each part percent-encoded."""
    depth = f"{site.depth_from:.4f}-{site.depth_to:.4f}"
    return "/".join(quote(part, safe="") for part in (site.network, site.station, depth, site.sensor or "unknown"))


def keys(ids: Sequence[str]) -> list[str]:
    """A short name for each id that is safe in a path, a URL and an HTML id; distinct."""
    taken: set[str] = set()
    out = []
    for one in ids:
        plain = re.sub(r"[^a-z0-9]+", "-", re.sub(r"%[0-9A-Fa-f]{2}", "-", one).lower()).strip("-")[:120] or "station"
        name, number = plain, 2
        while name in taken:
            name, number = f"{plain}-{number}", number + 1
        taken.add(name)
        out.append(name)
    return out


def distinct(ids: Sequence[str]) -> list[str]:
    """The ids with `~2`, `~3` at repeated ones, so that two sensors with one name stay two."""
    taken: set[str] = set()
    out = []
    for one in ids:
        name, number = one, 2
        while name in taken:
            name, number = f"{one}~{number}", number + 1
        taken.add(name)
        out.append(name)
    return out
