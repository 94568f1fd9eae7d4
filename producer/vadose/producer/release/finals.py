"""Which periods have a final granule, CDR or ICDR, in a published version, and since when."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vadose.common import read_json
from vadose.producer.granules.names import parse_name
from vadose.producer.release.folder import MANIFEST, STANDING, published_granules, versions


def final_periods(root: Path) -> dict[np.datetime64, str]:
    """When the final granule of each period was first issued, by the first day of the period.

    Parameters
    ----------
    root
        The product's folder. Withdrawn versions do not count.
    """
    found: dict[np.datetime64, str] = {}
    for entry in versions(root):
        path = root / f"v{entry['version']}" / MANIFEST
        if entry["status"] not in STANDING or not path.is_file():
            continue
        for granule in published_granules(read_json(path)):
            first = np.datetime64(parse_name(Path(granule).name).day, "D")
            found[first] = min(found.get(first, entry["issued"]), entry["issued"])
    return found
