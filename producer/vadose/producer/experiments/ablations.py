"""What each part of the fusion is worth: hidden days against the full network, observed days, and steps at borders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vadose.producer.cube import Cube
from vadose.producer.experiments.judging import Judge

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# Blocks that are drawn for intervals, degrees.
BLOCK_DEGREES = 2.0
UNIT = "m3 m-3"


def ablation_rows(
    cube: Cube, truth: Floats, hidden: Mask, seen: Mask, fields: Mapping[str, Floats],
    steps: Mapping[str, Mapping[str, float]], against: tuple[str, ...],
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """A row for each field: its ubRMSD against the truth, and by how much it differs from that of others.

    Parameters
    ----------
    truth
        (time, cell), m3 m-3.
    hidden, seen
        Days that were hidden, and days whose observation is visible, (time, cell).
    fields
        By name, (time, cell).
    steps
        What `edge_steps` says of each field.
    against
        Fields that the others are compared with, those that are there.
    """
    judges = [Judge.of(cube, np.where(where, truth, np.nan), BLOCK_DEGREES) for where in (hidden, seen)]
    cells = {name: judges[0].cells(values, "ubrmsd") for name, values in fields.items()}
    for name, values in fields.items():
        middle = judges[0].median(cells[name])
        row: dict[str, Any] = {
            "method": name, "ubrmsd": middle.value, "ubrmsd_low": middle.ci_low, "ubrmsd_high": middle.ci_high,
            "ubrmsd_observed_days": judges[1].median(judges[1].cells(values, "ubrmsd")).value,
            "step_in_gaps": steps[name]["step_in_gaps"], "truth_step_in_gaps": steps[name]["truth_step_in_gaps"],
            "excess": steps[name]["excess"],
        }  # fmt: skip
        for other in against:
            if other in fields and other != name:
                found = judges[0].difference(cells[name] - cells[other], "ubrmsd")
                row |= {f"less_{other}": found["difference"], f"less_{other}_low": found["ci_low"],
                        f"less_{other}_high": found["ci_high"], f"against_{other}": found["verdict"]}  # fmt: skip
        yield {**row, "unit": UNIT}
