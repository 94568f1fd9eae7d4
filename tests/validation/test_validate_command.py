"""`vadose validate`: what is typed or written in a settings file reaches the scores and `run.json`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner, Result
from scipy import stats

from vadose.cli.main import program
from vadose.common import UsageError
from vadose.statistics import anomaly_35d


def validated(small: Path, out: Path, *words: str, text: str = "") -> Result:
    """Ours against the rival at the stations, with further words, or with a settings file that holds `text`."""
    given = [
        "--product", f"ours={small / 'ours'}", "--rival", f"rival={small / 'rival.nc'}", "--stations",
        str(small / "stations.nc"), "--out", str(out),
    ]  # fmt: skip
    if text:
        path = out.with_suffix(".yaml")
        path.write_text(text)
        given.insert(0, str(path))
    return CliRunner().invoke(program, ["validate", *given, *words, "--quiet"], standalone_mode=False)


def settings_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "run.json").read_text())["settings"]
    return found


@pytest.mark.parametrize(("words", "text"), [(["--anomaly-before-matching"], ""), ([], "anomaly_before_matching: yes")])
def test_anomalies_may_be_taken_before_matching(small: Path, tmp_path: Path, words: list[str], text: str) -> None:
    out = tmp_path / "out"
    assert validated(small, out, *words, text=text).return_value == 0
    assert settings_of(out)["anomaly_before_matching"] is True
    with xr.open_dataset(out / "matchups.nc") as opened:
        data = opened["values"].sel(station="net/s3").load().astype(float)
    x, r = (data.sel(series=name).values for name in ("ours", "reference"))
    matched = np.isfinite(x) & np.isfinite(r)
    a, b = (np.where(matched, anomaly_35d(one), np.nan) for one in (x, r))
    both = np.isfinite(a) & np.isfinite(b)
    rows = pd.read_parquet(out / "scores.parquet").query("stratum == 'net/s3' and product == 'ours'")
    rows = rows[rows["subset"].eq("own")]
    value = rows[rows["metric"].eq("r") & rows["signal"].eq("anomaly_35d")]["value"].iloc[0]
    assert value == pytest.approx(np.corrcoef(a[both], b[both])[0, 1], rel=1e-6)


@pytest.mark.parametrize(
    ("words", "text"),
    [(["--margin", "ubrmsd=0.5", "--margin", "r=2", "--adjust", "by"], ""),
     ([], "margins: {ubrmsd: 0.5, r: 2}\nadjust: by"), (["--adjust", "by"], "margins: {ubrmsd: 0.5, r: 2}")],
)  # fmt: skip
def test_margins_and_adjustment_reach_the_outcomes(small: Path, tmp_path: Path, words: list[str], text: str) -> None:
    out = tmp_path / "out"
    assert validated(small, out, *words, text=text).return_value == 0
    assert settings_of(out)["margins"] == {"r": 2.0, "rho": 0.01, "ubrmsd": 0.5, "mse": 1e-4, "mse_bias": 1e-4}
    assert settings_of(out)["adjust"] == "by"
    rows = pd.read_parquet(out / "comparisons.parquet").query("metric == 'ubrmsd'")
    single = rows[rows["stratum_kind"].eq("station")]
    for _, family in single[single["p"].notna()].groupby("rival"):
        expected = stats.false_discovery_control(family["p"].to_numpy(float), method="by")
        np.testing.assert_allclose(family["p_adjusted"], expected)
    # No difference leaves so wide a margin.
    assert "undecided" not in set(rows["outcome"])


@pytest.mark.parametrize(
    ("word", "message"),
    [("ubrsmd=0.1", "did you mean 'ubrmsd'"), ("ubrmsd", "'ubrmsd' is not NAME=NUMBER"), ("r=x", "write it like")],
)
def test_a_margin_that_means_nothing_is_refused(small: Path, tmp_path: Path, word: str, message: str) -> None:
    done = validated(small, tmp_path / "out", "--margin", word)
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert not (tmp_path / "out").exists()
