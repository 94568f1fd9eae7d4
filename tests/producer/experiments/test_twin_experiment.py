"""A small twin: what averaging took away comes back, and the block means stay."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from vadose.producer.experiments.twin import FINE, Settings, main, make_twin, scores

SMALL = Settings(
    name="small-twin", token=FINE, box=(-41.0, 40.0, -39.25, 41.75), start=date(2017, 1, 1), end=date(2018, 12, 31),
    seed=7, spin_up_days=120,
)  # fmt: skip


def test_small_twin_beats_bilinear_and_no_downscaling(tmp_path: Path) -> None:
    main(tmp_path, "a command", SMALL, steps=60, variants={"area-to-point": {}}, daily=False)
    table = pd.read_parquet(tmp_path / "twin_scores.parquet").set_index("field")
    ours = table.loc["downscaled, area-to-point"]
    for rival in ("bilinear", "not downscaled"):
        assert ours["R"] > table.loc[rival, "R"]
        assert ours["ubRMSD"] < table.loc[rival, "ubRMSD"]
    assert ours["block mean RMSE"] < 1e-6 < table.loc["network alone", "block mean RMSE"]
    told = json.loads((tmp_path / "twin.json").read_text())
    assert told["finding"].startswith(f"Monthly: R {ours['R']:.3f}")


def test_scores_are_those_of_a_slow_calculation(tmp_path: Path) -> None:
    twin = make_twin(SMALL.model_copy(update={"end": date(2017, 1, 9)}), tmp_path / "twin.zarr")
    rng = np.random.default_rng(0)
    truth = twin.truth[:3].astype(float)
    field = truth + rng.normal(0, 0.02, truth.shape)
    row = scores({"truth": truth, "field": field}, twin.blocks)[0]
    assert np.isclose(row["R"], np.corrcoef(field.ravel(), truth.ravel())[0, 1])
    assert np.isclose(row["ubRMSD in space"], np.median([np.std(f - t) for f, t in zip(field, truth, strict=True)]))
    in_time = [np.corrcoef(field[:, k], truth[:, k])[0, 1] for k in range(truth.shape[1])]
    assert np.isclose(row["R in time"], np.median(in_time))
