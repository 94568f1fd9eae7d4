"""What identifies a run: the content of its files, its recipe, and the files that gave nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vadose.common import UsageError
from vadose.validation.opening import open_all
from vadose.validation.recipes import load_recipe
from vadose.validation.settings import Settings

LAT, LON = np.array([42.0, 41.0, 40.0]), np.array([-100.0, -99.0])


def test_another_value_in_a_file_of_the_same_size_is_another_run(tmp_path: Path, make: Any) -> None:
    values = np.full((4, 3, 2), 0.2)
    make["stations"](tmp_path / "s.nc", np.full((1, 4), 0.2), LAT[:1], LON[:1])
    given = Settings(product=("ours", str(tmp_path / "p.nc")), stations=(tmp_path / "s.nc",))
    found = []
    for value in (0.2, 0.3, 0.2):
        values[1, 1, 1] = value
        make["file"](tmp_path / "p.nc", values, LAT, LON)
        found.append((open_all(given).fingerprint, (tmp_path / "p.nc").stat().st_size))
    assert len({size for _, size in found}) == 1
    assert found[0] == found[2] != found[1]


def test_a_gate_of_an_unknown_level_is_refused_by_name(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("recipe: r\ngates:\n  - {name: complete, level: mandatory}\n")
    with pytest.raises(UsageError, match="gates complete have a level other than required, advisory"):
        load_recipe(str(recipe))
