"""The user guide's recipes for a shell and for Python, as they stand there, with the names of the small world."""

import re
import subprocess
from pathlib import Path

import cf_xarray  # noqa: F401
import numpy as np
import pytest
import xarray as xr

from vadose.common import silent
from vadose.producer.release.folder import Folder
from vadose.producer.release.publish import publish

GUIDE = (Path(__file__).parents[3] / "site/docs/user-guide.md").read_text(encoding="utf-8")
NAMES = {
    "demoatlstm-0p25deg": "demosmall-0p25deg", "DEMOATLSTM": "DEMOSMALL", "2020/07": "2016/01", "20200715": "20160115",
    "202007": "201601", "lat=47.3, lon=8.5": "lat=47.1, lon=-52.6",
}  # fmt: skip


def blocks(heading, language):
    """The blocks of code below a heading of the guide, for the small world."""
    section = re.split(r"^##+ ", GUIDE.split(f"## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found, heading
    for guide, small in NAMES.items():
        found = [text.replace(guide, small) for text in found]
    return found


@pytest.fixture
def products(copied):
    """The folder of all products, with a published version."""
    publish(Folder(copied[2]), silent)
    return copied[2].parents[1]


@pytest.mark.program
def test_a_month_comes_by_curl_alone_and_has_the_bytes_of_the_release(products, tmp_path, served, program):
    program("curl", "curl")
    folder = tmp_path / "empty"
    folder.mkdir()
    [text] = blocks("Getting a version", "bash")
    with served(products) as (_, url):
        shell = text.replace("https://vadose.example.org/releases", url.removesuffix("/demosmall-0p25deg/v1.0.0"))
        subprocess.run(["bash", "-euo", "pipefail", "-c", shell], cwd=folder, check=True, timeout=60)
    version = products / "demosmall-0p25deg/v1.0.0"
    found = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.nc")}
    assert found == {path.relative_to(version): path.read_bytes() for path in version.rglob("*-DAILY-201601*.nc")}
    assert len(found) == 31


def test_the_lines_of_python_give_the_values_of_the_granules(products, monkeypatch):
    names = {}
    monkeypatch.chdir(products / "demosmall-0p25deg/v1.0.0")
    for text in blocks("Opening a granule", "python"):
        exec(text, names)
    month, record = blocks("Many granules at once", "python")
    exec(month, names)
    monkeypatch.chdir(products)
    exec("import xarray as xr\n" + record, names)
    np.testing.assert_array_equal(names["month"].sm[14], names["granule"].sm[0])
    assert int(names["strict"].count()) <= int(names["good"].count()) <= int(names["granule"].sm.count())
    granules = sorted(products.rglob("*-DAILY-*.nc"))
    values = [xr.load_dataset(path).sm.sel(lat=47.1, lon=-52.6, method="nearest").item() for path in granules]
    np.testing.assert_array_equal(names["place"].values, np.array(values, "f4"))
    np.testing.assert_array_equal(names["granule"].flag.cf == "frozen_soil", (names["granule"].flag & 4) != 0)
