"""The header of every product and of every grid, step and stream: golden files, and nothing unexplained to the checker.

A golden file that is meant to change is deleted and written again by the next run.
"""

import re
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from vadose.producer.granules import Cells, GranuleWriter, Identity, read_granule
from vadose.producer.recipefile import load_recipe, packaged_recipes
from vadose.producer.release import checker

HASH = "0" * 64
IDENTITY = Identity(recipe_sha256=HASH, model_sha256=HASH, commit="0" * 40, software="1.0.0", inputs_sha256=HASH)
# A small window of each grid of the format, with land on both of its sides.
WINDOWS = {
    "0P36DEG": ((150, 160), (510, 522)), "0P25DEG": ((160, 170), (500, 512)), "0P10DEG": ((400, 410), (1250, 1262)),
    "0P05DEG": ((800, 810), (2500, 2512)), "0P01DEG": ((4000, 4010), (12500, 12512)),
    "EASE2M36": ((47, 57), (151, 163)), "EASE2M09": ((188, 198), (604, 616)), "EASE2M03": ((564, 574), (1812, 1824)),
    "EASE2M01": ((1692, 1702), (5436, 5448)),
}  # fmt: skip
# Of each grid: a day of either kind and a month, each in another stream; over the grids every pair comes three times.
TIMES = (("daily", "solar06"), ("daily", "daily_mean"), ("monthly", "daily_mean"))
STREAMS = ("CDR", "ICDR", "NRT")
CASES = [(token, time, STREAMS[(g + t) % 3]) for g, token in enumerate(WINDOWS) for t, time in enumerate(TIMES)]
# What stands for all of them beside the packaged recipes.
GOLDEN = (("0P36DEG", TIMES[2], "NRT"), ("EASE2M03", TIMES[0], "ICDR"))
JANUARY = np.datetime64("2016-01-01")


def write(recipe, folder, land=3):
    """The first granule of a recipe, with values in one cell of `land`; none has them if it is 0."""
    size = int(np.prod(recipe.product.grid.grid().shape))
    index = np.arange(0, size, land) if land else np.zeros(0, int)
    number = np.full(index.size, 31, "i2") if recipe.product.step == "monthly" else None
    sm = np.linspace(0.05, 0.5, index.size, dtype="f4")
    cells = Cells(index, sm, sm / 10, np.zeros(index.size, "i2"), number)
    first = JANUARY if land else np.datetime64(recipe.product.days[0], "D").astype("M8[M]").astype("M8[D]")
    return GranuleWriter(recipe, IDENTITY).write(folder, first, cells)


def recipe_of(worlds, case):
    """The small world's recipe on a grid, of a step and a stream."""
    token, (step, day), stream = case
    rows, columns = WINDOWS[token]
    early = [{**worlds.recipe_values()["inputs"][0], "preliminary": stream == "NRT"}]
    return worlds.small_recipe(
        product__grid={"token": token, "rows": list(rows), "columns": list(columns)}, product__step=step,
        product__day=day, product__stream=stream, product__days=["2016-01-01", "2016-02-29"], inputs=early,
    )  # fmt: skip


def header(ncdump, path):
    """The header as `ncdump` writes it, one declaration a line, without versions of libraries."""
    text = subprocess.run([ncdump, "-hs", path], capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in text[text.index("dimensions:") :].splitlines()]
    left_out = r"//|:(_NCProperties|_Format|_SuperblockVersion|_IsNetcdf4)|}|$"
    return "\n".join(line for line in lines if not re.match(left_out, line)) + "\n"


def same_as_golden(text, golden):
    if not golden.exists():
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
        raise AssertionError(f"{golden} was missing and has been written; review and commit it")
    assert text == golden.read_text(), f"{golden} differs; delete it and rerun if the change is meant"


@pytest.mark.program
@pytest.mark.parametrize("name", sorted(packaged_recipes()))
def test_header_of_every_packaged_product_equals_its_golden_file(tmp_path, program, pytestconfig, name):
    path = write(load_recipe(name), tmp_path, land=0)
    same_as_golden(
        header(program("ncdump", "netcdf-bin"), path), pytestconfig.rootpath / "tests/golden/headers" / f"{name}.cdl"
    )


@pytest.mark.program
@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{case[0]}-{case[1][0]}-{case[2]}")
def test_header_of_a_grid_and_stream_equals_its_golden_file(worlds, tmp_path, program, pytestconfig, case):
    path = write(recipe_of(worlds, case), tmp_path)
    name = "-".join(path.stem.split("-")[3:5]) + f"-{case[2]}.cdl"
    same_as_golden(header(program("ncdump", "netcdf-bin"), path), pytestconfig.rootpath / "tests/golden/headers" / name)


@pytest.fixture(scope="module")
def said(worlds, tmp_path_factory):
    """Messages of the checker about a granule of every case, by path."""
    folder = tmp_path_factory.mktemp("cases")
    paths = [write(recipe_of(worlds, case), folder / f"{k}") for k, case in enumerate(CASES)]
    return checker.run(paths)


def test_the_cases_hold_every_grid_time_and_stream():
    assert {case[0] for case in CASES} == set(WINDOWS)
    assert Counter((case[1], case[2]) for case in CASES) == {(time, to): 3 for time in TIMES for to in STREAMS}


def test_the_checker_says_nothing_unexplained_on_any_grid_step_and_stream(said):
    assert len(said) == len(CASES)
    for path, messages in said.items():
        unexplained = messages - Counter(checker.allowed(read_granule(path)))
        missing = Counter(checker.allowed(read_granule(path))) - messages
        assert (Path(path).name, unexplained, missing) == (Path(path).name, Counter(), Counter())
