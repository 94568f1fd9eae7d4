"""`python -m vadose.producer.experiments.correction WORKSPACE OUT [COMMAND]`: the correction at held-out stations.

The workspace holds the simulated world, the cube and the stations of the recipe `simulated-mlstm`:

    vadose fetch simulated --products all
    vadose ingest simulated-mlstm
    vadose ingest stations workspace/native/simulated/demo/stations/ismn --name simulated

Every fit is kept below `runs/correction`, so that the same command does what is left. About half an hour on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path

from vadose.common import Progress
from vadose.producer.experiments.correction_fits import HYPER, fold_of, opened, products_of, results, run_unit, units
from vadose.producer.experiments.correction_tables import write_tables
from vadose.producer.training.experiment import limit_threads


def main(workspace: Path, out: Path, command: str, progress: Progress) -> None:
    """Run all fits that have no result yet, and write the tables."""
    limit_threads(1)
    inputs = opened(workspace)
    for unit in progress.track(units(inputs), "folds"):
        fold = fold_of(unit, inputs)
        run_unit(inputs, fold, unit, results(workspace), products_of(unit), HYPER)
    write_tables(workspace, out, command)


if __name__ == "__main__":
    words_left = " ".join(sys.argv[3:]) or "python -m vadose.producer.experiments.correction WORKSPACE OUT"
    main(Path(sys.argv[1]), Path(sys.argv[2]), words_left, Progress("plain"))
