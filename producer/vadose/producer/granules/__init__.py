"""Granules: names, flags, header, rounding, writing and reading back."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vadose.producer.granules.flags import FLAGS, MASK, RECOMMENDED
    from vadose.producer.granules.header import Header, Identity, granule_header, granule_name
    from vadose.producer.granules.names import GranuleName, parse_name
    from vadose.producer.granules.reading import CLOSED_LIST, Granule, read_attributes, read_granule
    from vadose.producer.granules.rounding import bitround
    from vadose.producer.granules.writer import Cells, GranuleWriter

_HOMES = {
    "FLAGS": "flags",
    "MASK": "flags",
    "RECOMMENDED": "flags",
    "Header": "header",
    "Identity": "header",
    "granule_header": "header",
    "granule_name": "header",
    "GranuleName": "names",
    "parse_name": "names",
    "CLOSED_LIST": "reading",
    "Granule": "reading",
    "read_attributes": "reading",
    "read_granule": "reading",
    "bitround": "rounding",
    "Cells": "writer",
    "GranuleWriter": "writer",
}

__all__ = [
    "CLOSED_LIST",
    "FLAGS",
    "MASK",
    "RECOMMENDED",
    "Cells",
    "Granule",
    "GranuleName",
    "GranuleWriter",
    "Header",
    "Identity",
    "bitround",
    "granule_header",
    "granule_name",
    "parse_name",
    "read_attributes",
    "read_granule",
]


def __getattr__(name: str) -> Any:
    # `vadose verify` reads headers with h5py alone; the writer's libraries load when it is used.
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"vadose.producer.granules.{_HOMES[name]}"), name)
