"""`python -m vadose.validation.experiments DATA OUT [COMMAND]`: figures of the suite on real data, for a page."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import pandas as pd

from vadose.common import write_json
from vadose.common.software import software
from vadose.validation.experiments.collocated import hawaii_triplets, product_relations, validity
from vadose.validation.experiments.mapped import granule_maps
from vadose.validation.experiments.networks import uscrn_funnel, yanco_scores
from vadose.validation.experiments.stable import cci_stability
from vadose.validation.run_files import write_parquet


def main(data: Path, out: Path, command: str) -> None:
    """Write all tables, and what they were made with."""
    out.mkdir(parents=True, exist_ok=True)
    triplets = pd.concat([hawaii_triplets(data, signal) for signal in ("raw", "anomaly_35d")], ignore_index=True)
    trends, breaks = cci_stability(data)
    maps, compared = granule_maps(data)
    related = [(one.one, one.other, one.kind, ", ".join(one.shared)) for one in product_relations()]
    tables = {
        "hawaii_triplets": triplets,
        "hawaii_validity": pd.concat(
            [validity(part).assign(signal=signal) for signal, part in triplets.groupby("signal", sort=True)]
        ),
        "hawaii_relations": pd.DataFrame(related, columns=["one", "other", "kind", "shared"]),
        "cci_trends": trends, "cci_breaks": breaks, "granule_maps": maps, "granule_curves": compared.curves(),
        "yanco_scores": yanco_scores(data), "uscrn_funnel": uscrn_funnel(data),
    }  # fmt: skip
    for name, table in tables.items():
        write_parquet(table.reset_index(drop=True), out / f"{name}.parquet")
    rows = {name: len(table) for name, table in tables.items()}
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    write_json(
        out / "validation.json",
        {"command": command, "commit": software().commit[:12], "date": today, "tables": rows},
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), " ".join(sys.argv[3:]) or "python -m vadose.validation.experiments")
