"""A version of months is completed, gated and read like one of days; its header is a golden file."""

import json
import re
import subprocess

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from vadose.cli.main import run
from vadose.common import silent
from vadose.producer.granules.reading import read_granule
from vadose.producer.provenance import recorded_identity
from vadose.producer.release.checks import Context, problems, read_domain
from vadose.producer.release.folder import Folder
from vadose.producer.release.gate import expected_periods, failures
from vadose.producer.release.verify import verify

MONTH = "ICDR/MONTHLY/2016/VADOSE-DEMOSMALL-L4-0P25DEG-MONTHLY-201601-ICDR-v1.0.0.nc"


@pytest.fixture(scope="module")
def monthly(worlds, tools, tmp_path_factory):
    """Recipe, version folder and result of a product of months."""
    days = ["2015-12-01", "2016-02-29"]
    return tools.make(worlds, tmp_path_factory.mktemp("monthly"), product__step="monthly", product__days=days)


def test_a_version_of_months_passes_the_whole_gate(monthly):
    _, version, done = monthly
    assert failures(done.results) == []
    assert verify(version, silent, contents=True).damaged == []


def test_the_manifest_expects_months_and_the_gate_counts_them(monthly):
    recipe, version, _ = monthly
    manifest = Folder(version).manifest()
    assert manifest["expected"] == {"monthly": ["2015-12", "2016-02"]}
    entry = next(entry for entry in manifest["files"] if entry["path"] == MONTH)
    assert (entry["step"], entry["start"], entry["end"]) == ("MONTHLY", "2016-01-01T00:00:00Z", "2016-02-01T00:00:00Z")
    manifest["files"].remove(entry)
    assert list(expected_periods(recipe, manifest)) == [f"no granule {MONTH.rpartition('/')[2]}"]


def planted(name, value, where):
    def plant(file):
        file.set_auto_maskandscale(False)
        missing = file["sm"][0] == -9999.0
        outside = file["flag"][0] == 1
        places = {"given": ~missing, "outside": outside}
        row, column = np.argwhere(places[where])[0]
        file[name][0, row, column] = value

    return plant


@pytest.mark.parametrize(("plant", "check"), [
    (planted("number_of_observations", 9, "given"), "observations"),
    (planted("number_of_observations", 32, "given"), "observations"),
    (planted("number_of_observations", 5, "outside"), "observations"),
    (lambda file: file["time_bnds"].__setitem__(..., [[16801.0, 16831.0]]), "extents"),
    (lambda file: file.setncattr("time_coverage_end", "2016-01-31T00:00:00Z"), "extents"),
    (lambda file: file["sm"].setncattr("long_name", "volumetric soil moisture, 0-5 cm, daily mean"), "target"),
    (lambda file: file["number_of_observations"].setncattr("units", "days"), "units"),
    (lambda file: file.setncattr("time_coverage_resolution", "P1D"), "header"),
])  # fmt: skip
def test_planted_defect_of_a_month_is_found(monthly, tmp_path, plant, check):
    recipe, version, _ = monthly
    context = Context(tmp_path, recipe, recorded_identity(recipe, version), read_domain(version, recipe))
    path = tmp_path / MONTH
    path.parent.mkdir(parents=True)
    path.write_bytes((version / MONTH).read_bytes())
    assert not list(problems(context, read_granule(path), 1))
    with netCDF4.Dataset(path, "r+") as file:
        plant(file)
    assert check in {name for name, _ in problems(context, read_granule(path), 1)}


def test_side_files_speak_of_months(monthly):
    _, version, _ = monthly
    assert "one file a month" in (version / "README.md").read_text()
    collection = json.loads((version / "stac/collection.json").read_text())
    assert collection["cube:dimensions"]["time"]["step"] == "P1M"
    assert "number_of_observations" in collection["cube:variables"]
    assert json.loads((version / "datacite.json").read_text())["types"]["resourceType"] == "monthly gridded fields"
    sheets = [path.name for path in sorted((version / "quicklook").rglob("*.png"))]
    assert sheets == [f"VADOSE-DEMOSMALL-L4-0P25DEG-MONTHLY-{year}-ICDR-v1.0.0.png" for year in (2015, 2016)]
    assert pd.read_csv(version / "quality/coverage.csv").day.tolist() == ["2015-12-01", "2016-01-01", "2016-02-01"]


def test_a_series_of_months_has_the_values_of_the_granules(monthly, tmp_path):
    _, version, _ = monthly
    with xr.open_dataset(version / MONTH) as ds:
        row, column = np.argwhere(np.isfinite(ds.sm[0].values))[0]
        place = ["--lat", str(float(ds.lat[row])), "--lon", str(float(ds.lon[column]))]
        value = float(ds.sm[0, row, column])
    out = tmp_path / "series.csv"
    words = [
        "extract",
        str(version),
        *place,
        "--from",
        "2016-01-01",
        "--to",
        "2016-02-10",
        "--out",
        str(out),
        "--quiet",
    ]
    assert run(words) == 0
    table = pd.read_csv(out)
    assert table.day.tolist() == ["2016-01-01", "2016-02-01"]
    assert table.sm[0] == pytest.approx(value, abs=6e-5)


def test_status_counts_months(monthly, capsys):
    assert run(["status", "--workspace", str(monthly[1].parents[2])]) == 0
    assert "3 of 3 granules" in capsys.readouterr().out


@pytest.mark.program
def test_header_of_a_month_equals_its_golden_file(monthly, program, pytestconfig):
    _, version, _ = monthly
    path = version / MONTH
    command = [program("ncdump", "netcdf-bin"), "-hs", path]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in text[text.index("dimensions:") :].splitlines() if line.strip()]
    changing = r"//|:(_NCProperties|_Format|_SuperblockVersion|_IsNetcdf4|history|input_manifest_sha256)|}"
    found = "\n".join(line for line in lines if not re.match(changing, line)) + "\n"
    golden = pytestconfig.rootpath / "tests" / "golden" / "window-monthly.cdl"
    if not golden.exists():
        golden.write_text(found)
        raise AssertionError(f"{golden} was missing and has been written; review and commit it")
    assert found == golden.read_text(), f"{golden} differs; delete it and rerun if the change is meant"
