"""The main job on the simulated world: from nothing to a published release and a site."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from .conftest import vadose

pytestmark = pytest.mark.slow
RELEASE = Path("releases") / "demoatlstm-0p25deg" / "v1.0.0"


def test_demo_leaves_a_published_release_a_run_and_a_site(demo_workspace: Path) -> None:
    versions = json.loads((demo_workspace / RELEASE.parent / "versions.json").read_text())
    assert "1.0.0" in json.dumps(versions)
    assert (demo_workspace / "runs" / "demo" / "scores.parquet").exists()
    assert (demo_workspace / "build" / "site" / "index.html").exists()


def test_demo_twice_does_no_work_again(demo_workspace: Path) -> None:
    def made() -> dict[Path, int]:
        folders = [demo_workspace / name for name in ("native", "cubes", "stations", "models", "releases", "runs")]
        return {path: path.stat().st_mtime_ns for folder in folders for path in folder.rglob("*") if path.is_file()}

    before = made()
    vadose("demo", workspace=demo_workspace)
    assert {path.relative_to(demo_workspace) for path, time in made().items() if before.get(path) != time} == set()


def test_product_follows_the_truth_better_than_its_own_seasonal_cycle(demo_workspace: Path) -> None:
    granules = sorted((demo_workspace / RELEASE).rglob("*DAILY-2020*.nc"))
    assert len(granules) == 366
    with xr.open_mfdataset(granules, data_vars="minimal", coords="minimal", compat="equals", join="exact") as product:
        ours = product.sm.where((product.flag & 399) == 0).values.reshape(len(granules), -1)
    with xr.open_dataset(demo_workspace / "native" / "simulated" / "demo" / "truth" / "truth.nc") as truth_file:
        truth = truth_file["soil_moisture"].sel(time="2020").values.reshape(len(granules), -1)
    both = np.isfinite(ours) & np.isfinite(truth)
    columns = [cell for cell in range(ours.shape[1]) if both[:, cell].sum() > 100]
    correlations = [np.corrcoef(ours[both[:, cell], cell], truth[both[:, cell], cell])[0, 1] for cell in columns]
    assert len(columns) > 1000
    assert np.median(correlations) > 0.6


def test_every_score_has_an_interval_or_a_status(demo_workspace: Path) -> None:
    scores = pd.read_parquet(demo_workspace / "runs" / "demo" / "scores.parquet")
    headline = scores[scores.metric.isin(["r", "ubrmsd", "bias", "rmse"]) & (scores.status == "ok")]
    assert {"r", "ubrmsd", "bias", "rmse"} <= set(headline.metric)
    with_interval = headline[headline.ci_low.notna()]
    assert (with_interval.ci_low <= with_interval.value + 1e-9).all()
    assert (with_interval.value <= with_interval.ci_high + 1e-9).all()
    assert (scores.value.notna() | (scores.status != "ok")).all()


def test_verify_accepts_the_release_and_refuses_one_changed_byte(own_demo: Path) -> None:
    release = own_demo / RELEASE
    vadose("verify", str(release), workspace=own_demo)
    granule = sorted(release.rglob("*.nc"))[100]
    content = bytearray(granule.read_bytes())
    content[len(content) // 2] ^= 1
    granule.write_bytes(content)
    done = vadose("verify", str(release), workspace=own_demo, code=3)
    assert granule.name in done.stdout + done.stderr


def test_published_version_is_never_built_again(own_demo: Path) -> None:
    done = vadose("build", "simulated-atlstm", "--force", "2020-01-01..2020-01-02", workspace=own_demo, code=4)
    assert "published" in done.stderr


def test_python_of_the_readme_opens_a_granule(demo_workspace: Path, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    code = text.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "workspace").symlink_to(demo_workspace)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    value, units = done.stdout.split(maxsplit=1)
    assert 0.05 < float(value) < 0.6
    assert units.strip() == "m3 m-3"
