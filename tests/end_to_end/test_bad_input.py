"""Bad input: one readable message and exit code 2 or 3; never a traceback, never a file under a final name."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml

from .conftest import RECIPES, vadose

CONUS = "conus412_smap_nldas_2015-2018.nc"


def edited_conus(vadose_data: Path, tmp_path: Path) -> tuple[Path, netCDF4.Dataset]:
    folder = tmp_path / "native"
    folder.mkdir()
    shutil.copy(vadose_data / "conus412" / CONUS, folder / CONUS)
    (folder / CONUS).chmod(0o644)
    return folder, netCDF4.Dataset(folder / CONUS, "a")


def ingest_fails(folder: Path, tmp_path: Path, *words: str) -> None:
    done = vadose("ingest", "conus412-atlstm", "--native", str(folder), workspace=tmp_path / "w", code=3)
    for word in words:
        assert word in done.stderr
    assert not list((tmp_path / "w").rglob("*.zarr"))


def test_truncated_hdf5(vadose_data: Path, tmp_path: Path) -> None:
    whole = next((vadose_data / "smap_l3").glob("*.h5"))
    (tmp_path / whole.name).write_bytes(whole.read_bytes()[:3_000_000])
    done = vadose("ingest", "smap", str(tmp_path / whole.name), "--name", "x", workspace=tmp_path / "w", code=3)
    assert whole.name in done.stderr
    assert not list((tmp_path / "w").rglob("x.zarr"))


def test_missing_variable(vadose_data: Path, tmp_path: Path) -> None:
    folder, dataset = edited_conus(vadose_data, tmp_path)
    with dataset:
        dataset.renameVariable("TMP_2_FORA", "temperature")
    ingest_fails(folder, tmp_path, "TMP_2_FORA", CONUS)


def test_percent_where_a_fraction_is_declared(vadose_data: Path, tmp_path: Path) -> None:
    folder, dataset = edited_conus(vadose_data, tmp_path)
    with dataset:
        dataset["SMAP_AM"][:] = dataset["SMAP_AM"][:] * 100.0
    ingest_fails(folder, tmp_path, "SMAP_AM", "contradict")


def test_unknown_unit(vadose_data: Path, tmp_path: Path) -> None:
    folder, dataset = edited_conus(vadose_data, tmp_path)
    with dataset:
        dataset["TMP_2_FORA"].units = "furlong"
    ingest_fails(folder, tmp_path, "TMP_2_FORA", "furlong", "'K'")


@pytest.mark.parametrize("order", ["duplicate", "unsorted"])
def test_duplicate_and_unsorted_days(vadose_data: Path, tmp_path: Path, order: str) -> None:
    folder, dataset = edited_conus(vadose_data, tmp_path)
    with dataset:
        time = dataset["time"][:]
        time[10] = time[9] if order == "duplicate" else time[20] + 5000
        dataset["time"][:] = time
    ingest_fails(folder, tmp_path, CONUS, "2015-04-10" if order == "duplicate" else "time")


def test_all_missing_predictor(vadose_data: Path, tmp_path: Path) -> None:
    folder, dataset = edited_conus(vadose_data, tmp_path)
    with dataset:
        dataset["DSWRF_FORA"][:] = np.nan
    ingest_fails(folder, tmp_path, "DSWRF_FORA")


def test_empty_archive(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ingest_fails(tmp_path / "empty", tmp_path, "empty")
    done = vadose("ingest", "stations", str(tmp_path / "empty"), "--name", "x", workspace=tmp_path / "w", code=3)
    assert "empty" in done.stderr


def test_recipe_typo(tmp_path: Path) -> None:
    values = yaml.safe_load((RECIPES / "simulated-atlstm.yaml").read_text())
    values["product"]["tokn"] = values["product"].pop("token")
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(values))
    done = vadose("build", str(tmp_path / "r.yaml"), workspace=tmp_path / "w", code=2)
    assert "did you mean 'token'" in done.stderr


@pytest.mark.slow
def test_model_made_for_other_predictors(own_demo: Path) -> None:
    values = yaml.safe_load((RECIPES / "simulated-atlstm.yaml").read_text())
    values["predictors"]["daily"] = values["predictors"]["daily"][:-1]
    values["product"]["version"] = "1.1.0"
    recipe = own_demo / "r.yaml"
    recipe.write_text(yaml.safe_dump(values))
    done = vadose("build", str(recipe), workspace=own_demo, code=3)
    assert "predictors" in done.stderr
    assert not list((own_demo / "releases").rglob("*-v1.1.0.nc"))


@pytest.mark.slow
def test_unwritable_output_folder(demo_workspace: Path, tmp_path: Path) -> None:
    # A file in the way stops every user, root too.
    workspace = tmp_path / "w"
    for name in ("cubes", "models", "stations"):
        (workspace / name).parent.mkdir(exist_ok=True)
        (workspace / name).symlink_to(demo_workspace / name)
    (workspace / "releases").write_text("a file")
    done = vadose("build", "simulated-atlstm", workspace=workspace, code=3)
    assert "cannot write" in done.stderr


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        if os.environ.get("CI"):
            pytest.fail(f"cannot mount a small tmpfs: {mounted.stderr!r}")
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_full_disk(demo_workspace: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    with small_disk(workspace / "releases", 2):
        for name in ("cubes", "models", "stations"):
            (workspace / name).symlink_to(demo_workspace / name)
        done = vadose("build", "simulated-atlstm", workspace=workspace, code=3)
        assert "cannot write" in done.stderr
        assert "MB are free there" in done.stderr
        partial = list((workspace / "releases").rglob("VADOSE-*DAILY-*.nc"))
        for path in partial:
            with netCDF4.Dataset(path) as granule:
                assert granule["sm"][:].size


def test_hostile_member_of_an_archive_stays_inside(tmp_path: Path) -> None:
    import tarfile

    (tmp_path / "evil.csv").write_text("1,2\n")
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "evil.csv", arcname="../../escaped.csv")
    vadose("ingest", "conus412-atlstm", "--native", str(tmp_path / "evil.tar.gz"), workspace=tmp_path / "w", code=3)
    assert not list(tmp_path.parent.rglob("escaped.csv"))
