"""Granules: names, flags, header, rounding, writing and reading back."""

from vadose.producer.granules.flags import FLAGS, MASK, RECOMMENDED
from vadose.producer.granules.header import Header, Identity, daily_name, granule_header
from vadose.producer.granules.names import GranuleName, parse_name
from vadose.producer.granules.reading import Granule, read_attributes, read_granule
from vadose.producer.granules.rounding import bitround
from vadose.producer.granules.writer import Cells, GranuleWriter

__all__ = [
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
    "daily_name",
    "granule_header",
    "parse_name",
    "read_attributes",
    "read_granule",
]
