"""What a recipe is made of: every data set, variable and setting of its file has its row."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from vadose.common import read_json
from vadose.producer.experiments.design import main
from vadose.producer.recipefile import packaged_recipes

SYSTEMS = ("glass-avhrr-sm", "mlstm-correction", "stsg-sm", "tc-lstm-downscaling", "tssmnet-smap")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("design")
    main(folder, list(SYSTEMS))
    return folder


def table(out: Path, recipe: str, name: str) -> pd.DataFrame:
    return pd.read_parquet(out / recipe / f"design_{name}.parquet")


@pytest.mark.parametrize("recipe", SYSTEMS)
def test_tables_hold_what_the_file_says(out: Path, recipe: str) -> None:
    text = yaml.safe_load(packaged_recipes()[recipe].read_text())
    assert list(table(out, recipe, "inputs")["data_set"]) == [one["name"] for one in text["inputs"]]
    roles = table(out, recipe, "variables").groupby("role", sort=False)["variable"].apply(list)
    assert roles["target"] == [text["target"]]
    assert roles["of each day"] == text["predictors"]["daily"]
    assert roles.get("of each cell", []) == text["predictors"].get("static", [])
    flags = [rule["variable"] for rule in text["build"]["flags"]]
    assert table(out, recipe, "variables")["role"].str.startswith("flag ").sum() == len(flags)
    told = read_json(out / recipe / "design.json")
    assert told["tables"]["design_inputs"] == len(text["inputs"])
    assert text["product"]["grid"]["token"] in told["what"]


@pytest.mark.parametrize("recipe", SYSTEMS)
def test_settings_are_those_of_the_file_over_the_defaults(out: Path, recipe: str) -> None:
    text = yaml.safe_load(packaged_recipes()[recipe].read_text())["method"]
    found = table(out, recipe, "settings").set_index("setting")
    plain = {key: value for key, value in text.get("settings", {}).items() if isinstance(value, str | bool | int)}
    for key, value in plain.items():
        assert found.loc[key, text["name"]] == (value if isinstance(value, str) else str(value).lower())
    for name, one in text.get("variants", {}).items():
        for key, value in one.get("settings", {}).items() if one["method"] == text["name"] else ():
            if isinstance(value, str) and value != text.get("settings", {}).get(key):
                words = found.loc[key, "variants"]
                assert f"{name}: {value}" in words or found.loc[key, text["name"]] == value
