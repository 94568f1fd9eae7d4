"""Reads the funnel of a station dataset, and checks that every row and day ends in exactly one counter."""

from types import SimpleNamespace

import pytest
import xarray as xr

# Reason -> the stage that it takes from; all others fail the quality checks.
TAKES = {
    "row_malformed": "rows_read", "outside_period": "parsed", "missing": "in_period", "duplicate": "passed_qc",
    "duplicate_conflict": "passed_qc", "day_incomplete": "days", "sensor_absent": "complete_day",
    "sensor_merged": "complete_day", "sensor_overlap": "complete_day",
}  # fmt: skip


def stages(dataset: xr.Dataset, station: int = 0) -> dict[str, int]:
    return dict(zip(dataset["stage"].values.tolist(), dataset["funnel"].values[station].tolist(), strict=True))


def rejected(dataset: xr.Dataset, station: int = 0) -> dict[str, int]:
    pairs = zip(dataset["reason"].values.tolist(), dataset["rejected"].values[station].tolist(), strict=True)
    return {reason: count for reason, count in pairs if count}


def check(dataset: xr.Dataset, single: bool = True) -> None:
    """count(stage k) = count(k+1) + what was rejected at k; the unit changes from rows to days after `unique`."""
    for station in range(dataset.sizes["station"]):
        count, lost = stages(dataset, station), rejected(dataset, station)
        names = [name for name in count if name != "unique"]
        for stage, following in zip(count, list(count)[1:], strict=False):
            if stage != "unique":
                at = sum(number for reason, number in lost.items() if TAKES.get(reason, "not_missing") == stage)
                assert count[stage] == count[following] + at, f"station {station}, {stage}: {count}, {lost}"
        assert len(names) == 8
        series = dataset["soil_moisture"].values[station]
        assert count["in_series"] == int((series == series).sum())
        if single:
            assert count["unique"] == int(dataset["observation_count"].values[station].sum())


@pytest.fixture(scope="session")
def funnel() -> SimpleNamespace:
    """`stages`, `rejected` and `check` of a station dataset."""
    return SimpleNamespace(stages=stages, rejected=rejected, check=check)
