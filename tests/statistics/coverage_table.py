"""The full trial of the intervals: `coverage_table.py FOLDER [TRIALS [COMMAND]]` writes coverage.parquet and .json."""

import datetime
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from vadose.statistics.coverage import GOAL, LEAST_EFFECTIVE, SHORT_OF_GOAL, coverage_rows

DAYS = (730, 1825, 3650)


def main(folder: Path, trials: int, command: str) -> None:
    """Run the trial, write its table and what it was made with, and print what missed the goal."""
    commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    table = pd.DataFrame([asdict(row) for row in coverage_rows(trials, DAYS)])
    about = {
        "command": command,
        "commit": commit.stdout.strip() or "unknown",
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "trials": trials,
        "days": list(DAYS),
        "level": 0.95,
        "goal": list(GOAL),
        "goal_applies_from_n_eff": LEAST_EFFECTIVE,
        "note": SHORT_OF_GOAL,
        "rows": len(table),
        "rows_with_goal": int(table["goal_applies"].sum()),
        "rows_met": int((table["goal_applies"] & table["met"]).sum()),
    }
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "coverage.parquet", index=False)
    (folder / "coverage.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")
    missed = table[table["goal_applies"] & ~table["met"]]
    print(f"{about['rows_met']} of {about['rows_with_goal']} rows meet {GOAL[0]:.2f} to {GOAL[1]:.2f}; the others:")
    print(missed[["series_model", "days", "metric", "coverage", "textbook", "n_eff"]].to_string(index=False))


if __name__ == "__main__":
    arguments = [
        *sys.argv[1:],
        *("1000", f"python tests/statistics/coverage_table.py {sys.argv[1]}")[len(sys.argv) - 2 :],
    ]
    main(Path(arguments[0]), int(arguments[1]), arguments[2])
